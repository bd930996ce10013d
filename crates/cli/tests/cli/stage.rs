//! A directory to run the program in, and what came of a run.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// A temporary directory with a copy of the shipped image, which runs work in.
pub(crate) struct Stage {
    directory: tempfile::TempDir,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Stage {
    /// An empty directory.
    pub(crate) fn empty() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    /// A directory with an image, `oci:image:app`, and keys `release` and `other`.
    pub(crate) fn with_image() -> Self {
        let stage = Self::empty();
        copy(&repository().join("testdata/images/quickstart"), &stage.path("image"));
        for name in ["release", "other"] {
            stage.run(&["key", "generate", "--output-key-prefix", name]).ok();
        }
        stage
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, &[])
    }

    /// Runs the program with these variables and nothing else of the environment but the path.
    pub(crate) fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
        let output = Command::new(env!("CARGO_BIN_EXE_touchmark"))
            .args(arguments)
            .current_dir(self.directory.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.directory.path())
            .env("COSIGN_PASSWORD", "test")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Run {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Run {
    /// Asserts that it was done or allowed.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self
    }

    /// Asserts that it was denied.
    #[track_caller]
    pub(crate) fn denied(self) -> Self {
        assert_eq!(self.code, Some(1), "{self:#?}");
        self
    }

    /// Asserts that it was not done, and that a message says so.
    #[track_caller]
    pub(crate) fn undecided(self) -> Self {
        assert_eq!(self.code, Some(2), "{self:#?}");
        assert!(self.stderr.contains("error:"), "{self:#?}");
        self
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

/// Asserts that a document follows a schema of `docs/schemas`.
#[track_caller]
pub(crate) fn assert_follows(schema: &str, document: &Value) {
    let load = |name: &str| -> Value {
        let path = repository().join("docs/schemas").join(name);
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    };
    let decision = jsonschema::Resource::from_contents(load("decision.v1.json"));
    let registry = jsonschema::Registry::new()
        .add("https://touchmark.dev/schemas/decision.v1.json", decision)
        .unwrap()
        .prepare()
        .unwrap();
    let validator = jsonschema::options().with_registry(&registry).build(&load(schema)).unwrap();
    let errors: Vec<String> = validator.iter_errors(document).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{document:#}");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

impl Stage {
    /// Adds an index with the image as its only entry to the layout, and gives its digest.
    pub(crate) fn index_of_the_image(&self) -> String {
        let mut layout: Value = serde_json::from_slice(&self.read("image/index.json")).unwrap();
        let mut entry = layout["manifests"][0].clone();
        entry.as_object_mut().unwrap().remove("annotations");
        let media_type = "application/vnd.oci.image.index.v1+json";
        let index = serde_json::json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": [entry] })
            .to_string();
        let digest = touchmark_oci::Digest::of(index.as_bytes());
        self.write(&format!("image/blobs/sha256/{}", digest.hex()), &index);
        let listed = serde_json::json!({ "mediaType": media_type, "digest": digest, "size": index.len() });
        layout["manifests"].as_array_mut().unwrap().push(listed);
        self.write("image/index.json", &layout.to_string());
        digest.to_string()
    }
}

impl Stage {
    /// The folder of the only TUF repository that is kept.
    pub(crate) fn kept(&self) -> PathBuf {
        let entries = std::fs::read_dir(self.path(".local/share/touchmark/tuf")).unwrap();
        entries.map(|entry| entry.unwrap().path()).find(|path| path.is_dir()).unwrap()
    }

    /// Changes the document in which it is kept.
    pub(crate) fn change_kept(&self, change: impl FnOnce(&mut Value)) {
        let path = self.kept().join("cache.v1.json");
        let mut kept: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        change(&mut kept);
        std::fs::write(path, kept.to_string()).unwrap();
    }

    /// As if its mirror had been asked last two days ago.
    pub(crate) fn age_kept(&self) {
        let then = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(48);
        self.change_kept(|kept| kept["refreshed"] = then.to_string().into());
    }
}
