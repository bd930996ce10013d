//! A directory to run the program in, bounded in time and memory, and what came of a run.

use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

/// When a run counts as hanging. The program is told to give up after 30 seconds.
const PATIENCE: Duration = Duration::from_secs(90);
/// KiB of address space of a run. Threads reserve most of it; what hostile input may cost is far below.
const MAX_KIBIBYTES: &str = "3000000";

/// A temporary directory that runs work in.
pub(crate) struct Stage {
    directory: tempfile::TempDir,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Run {
    code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// Every file there is, in order.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        collect(self.directory.path(), &mut files);
        files.sort();
        files
    }

    /// Runs `touchmark` with words that have no spaces in them, split at spaces.
    pub(crate) fn run(&self, words: &str) -> Run {
        let words: Vec<&str> = words.split(' ').collect();
        self.run_with(&words, &[], b"")
    }

    /// Runs `touchmark` with these variables, and nothing else of the environment but the path, and with this on standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)], stdin: &[u8]) -> Run {
        // Where memory cannot be limited that way, time alone is.
        let mut child = Command::new("sh")
            .args(["-c", "ulimit -v \"$0\" 2>/dev/null; exec \"$@\"", MAX_KIBIBYTES])
            .args([env!("CARGO_BIN_EXE_touchmark"), "--timeout", "30s"])
            .args(arguments)
            .current_dir(self.directory.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.directory.path())
            .env("COSIGN_PASSWORD", "test")
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let bytes = stdin.to_vec();
        // The program need not read it.
        std::thread::spawn(move || input.write_all(&bytes));
        let stdout = drained(child.stdout.take().unwrap());
        let stderr = drained(child.stderr.take().unwrap());
        let Ok(stdout) = stdout.recv_timeout(PATIENCE) else {
            child.kill().unwrap();
            panic!("{arguments:?} hangs");
        };
        let run = Run {
            code: child.wait().as_ref().ok().and_then(ExitStatus::code),
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8(stderr.recv().unwrap()).unwrap(),
        };
        assert!(!run.stderr.contains("panicked"), "{run:#?}");
        run
    }
}

/// Reads to the end on a thread of its own.
fn drained(mut pipe: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        sender.send(bytes)
    });
    receiver
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            collect(&entry.path(), files);
        } else {
            files.push(entry.path());
        }
    }
}

impl Run {
    #[track_caller]
    pub(crate) fn done(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self
    }

    /// Asserts that the evidence was read and does not satisfy, for this reason.
    #[track_caller]
    pub(crate) fn denied(self, reason: &str) -> Self {
        assert_eq!(self.code, Some(1), "{self:#?}");
        assert!(self.stdout.contains(reason), "no {reason:?} in {self:#?}");
        self
    }

    /// Asserts that it was not done: an error that says all of this, and nothing on standard output that looks like a result.
    #[track_caller]
    pub(crate) fn failed(self, said: &[&str]) -> Self {
        assert_eq!(self.code, Some(2), "{self:#?}");
        assert!(self.stderr.contains("error: "), "{self:#?}");
        for text in said {
            assert!(self.stderr.contains(text), "no {text:?} in {self:#?}");
        }
        if !self.stdout.is_empty() {
            let report: Value = serde_json::from_str(&self.stdout).unwrap();
            assert!(!report.to_string().contains("\"allow\""), "{self:#?}");
        }
        assert!(self.stderr.len() < 4000, "{self:#?}");
        self
    }

    /// The same, with a way out.
    #[track_caller]
    pub(crate) fn failed_with_hint(self, said: &[&str]) -> Self {
        assert!(self.stderr.contains("\nhint: "), "no hint in {self:#?}");
        self.failed(said)
    }

    /// Asserts that the command line was refused.
    #[track_caller]
    pub(crate) fn usage(self, said: &[&str]) -> Self {
        assert!(self.stdout.is_empty(), "{self:#?}");
        self.failed(said)
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap()
    }
}

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A private key without a password, which costs no time, and its public half.
pub(crate) fn key_pair() -> (String, String) {
    let path = |name: &str| repository().join(name).display().to_string();
    (path("testdata/evidence/keys/release.key"), path("policies/keys/example-release.pub"))
}
