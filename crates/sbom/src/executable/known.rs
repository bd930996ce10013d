//! Finds the version of a program that is known by its file's name and by marks in its bytes.

use memchr::memmem;

use super::Window;
use super::program::{Mark, Place, Program};

/// A program that its own bytes name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct KnownProgram {
    pub(crate) program: &'static Program,
    pub(crate) version: String,
}

/// Looks for a program's marks as its file streams past. The first version counts, or a longer one that starts with it: OpenSSH says
/// `9.2` in one place and `9.2p1` in another.
pub(super) struct Finder {
    program: &'static Program,
    searches: Vec<Search>,
    found: Option<String>,
}

/// One mark, ready to be searched for.
struct Search {
    finder: memmem::Finder<'static>,
    mark: Mark,
    /// How many bytes at the mark's end belong to the version.
    start: usize,
}

impl Finder {
    /// A finder for the program that a file of this path may be; none if it is none that is known.
    pub(super) fn of_file(path: &str) -> Option<Self> {
        let (program, start) = Program::of_file(crate::path::split(path).1)?;
        let by_mark = program.marks().iter().map(|mark| {
            let start = match mark.version {
                Place::After(start) | Place::Alone(start) => start,
                Place::Before => 0,
            };
            Search { finder: memmem::Finder::new(mark.bytes), mark: *mark, start }
        });
        // The version between zero bytes, beginning as the name says.
        let by_name = start.map(|start| {
            let bytes = format!("\0{start}.");
            let mark = Mark { bytes: b"", version: Place::Alone(0), parts: 3, letters: false };
            Search { finder: memmem::Finder::new(&bytes).into_owned(), mark, start: bytes.len() - 1 }
        });
        Some(Self { program, searches: by_mark.chain(by_name).collect(), found: None })
    }

    pub(super) fn feed(&mut self, window: &Window<'_>) {
        for search in &self.searches {
            search.find(window, &mut self.found);
        }
    }

    pub(super) fn finish(self) -> Option<KnownProgram> {
        let program = self.program;
        self.found.map(|version| KnownProgram { program, version })
    }
}

impl Search {
    /// Looks at the versions beside the marks in a window.
    fn find(&self, window: &Window<'_>, found: &mut Option<String>) {
        // What stands before a mark was in the window before, unless this is the first.
        let shift = if window.offset == 0 { 0 } else { LONGEST_VERSION };
        let range = window.starts();
        let end = if window.at_end { range.end } else { range.end + LONGEST_VERSION };
        let from = (range.start + shift).min(end);
        let searched = window.bytes.get(from..(end + self.finder.needle().len()).min(window.bytes.len()));
        for at in self.finder.find_iter(searched.unwrap_or_default()) {
            let Some(version) = self.version_at(window.bytes, from + at) else {
                continue;
            };
            if found.as_ref().is_none_or(|known| self.mark.letters && version.starts_with(known)) {
                *found = Some(version);
            }
        }
    }

    fn version_at(&self, bytes: &[u8], mark: usize) -> Option<String> {
        let end = mark + self.finder.needle().len();
        let version = match self.mark.version {
            Place::Before => last_version(bytes.get(mark.saturating_sub(LONGEST_VERSION)..mark)?)?,
            Place::After(_) | Place::Alone(_) => {
                let rest = bytes.get(end - self.start..)?;
                let rest = rest.get(..LONGEST_VERSION).unwrap_or(rest);
                let length = version_length(rest, self.mark.letters);
                let is_alone = matches!(self.mark.version, Place::Alone(_));
                if is_alone && rest.get(length) != Some(&0) {
                    return None;
                }
                rest.get(..length)?
            }
        };
        let text = std::str::from_utf8(version).ok()?;
        let parts = text.split('.').take_while(|part| part.starts_with(|c: char| c.is_ascii_digit())).count();
        (parts >= self.mark.parts).then(|| text.to_owned())
    }
}

/// The bytes of a version at the start: numbers with dots between them, and what may follow the last one.
fn version_length(bytes: &[u8], letters: bool) -> usize {
    let mut length = numbers_length(bytes);
    if length == 0 {
        return 0;
    }
    let rest = bytes.get(length..).unwrap_or_default();
    let dash = usize::from(rest.first().is_some_and(|byte| *byte == b'-'));
    let words = rest.get(dash..).unwrap_or_default();
    if let Some(word) = EARLY_WORDS.iter().find(|word| words.starts_with(word.as_bytes())) {
        let digits = words.iter().skip(word.len()).take_while(|byte| byte.is_ascii_digit()).count();
        let is_end = words.get(word.len() + digits).is_none_or(|byte| !byte.is_ascii_alphanumeric());
        // A lone `a` or `b` is a letter, not a word.
        if is_end && (digits > 0 || word.len() > 1) {
            return length + dash + word.len() + digits;
        }
    }
    if letters {
        length += rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    }
    length
}

fn numbers_length(bytes: &[u8]) -> usize {
    let mut length = bytes.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
    while length > 0 && bytes.get(length - 1) == Some(&b'.') {
        length -= 1;
    }
    if bytes.first().is_some_and(u8::is_ascii_digit) { length } else { 0 }
}

/// The numbers with dots between them that end the bytes.
fn last_version(bytes: &[u8]) -> Option<&[u8]> {
    let is_number = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let start = bytes.iter().rposition(|byte| !is_number(byte)).map_or(0, |last| last + 1);
    let version = bytes.get(start..)?;
    (numbers_length(version) == version.len() && !version.is_empty()).then_some(version)
}

/// Words for versions before a release.
const EARLY_WORDS: [&str; 8] = ["alpha", "beta", "preview", "pre", "dev", "rc", "a", "b"];
/// More than any version has.
const LONGEST_VERSION: usize = 32;

#[cfg(test)]
mod tests {
    use crate::Limits;
    use crate::executable::{OVERLAP_BYTES, WINDOW_BYTES, probe};

    /// What is found in a file that has these bytes at a place. It is one of Windows: then nothing else is looked for.
    fn version_at(path: &str, at: usize, bytes: &[u8]) -> Option<String> {
        let mut file = b"MZ".to_vec();
        file.resize(at, b'x');
        file.extend_from_slice(bytes);
        file.extend_from_slice(&[0; 600]);
        let found = probe(file.as_slice(), path, &Limits::default()).unwrap()?;
        found.program.map(|known| known.version)
    }

    fn version(path: &str, bytes: &[u8]) -> Option<String> {
        version_at(path, 512, bytes)
    }

    /// The words around versions in the programs of Debian 12, as they stand there.
    #[test]
    fn the_marks_of_real_programs_are_read() {
        let cases: [(&str, &[u8], &str); 23] = [
            ("python3.11", b"\x003.11.2\0", "3.11.2"),
            ("libpython3.11.so.1.0", b"\x003.11.2\0", "3.11.2"),
            ("node", b"node.js/v20.20.2\0", "20.20.2"),
            ("busybox", b"\0BusyBox v1.35.0 (Debian 1:1.35.0-4+deb12u1+b1)\0", "1.35.0"),
            ("openssl", b"\0OpenSSL 3.0.22 25 Aug 2026\0", "3.0.22"),
            ("nginx", b"\0nginx version: nginx/1.22.1\0", "1.22.1"),
            ("redis-server", b"upstart\0err\x007.0.15\0c11-builtin\0shutdown", "7.0.15"),
            ("postgres", b"\0PostgreSQL 15.20 (Debian 15.20-0+deb12u1) on x86_64", "15.20"),
            ("perl", b"\0v5.36.0\0", "5.36.0"),
            ("php", b"X-Powered-By: PHP/8.2.36\0ZEND", "8.2.36"),
            (
                "libruby-3.1.so.3.1",
                b"\0ruby 3.1.2p20 (2022-04-12 revision 4491bb740a) [x86_64-linux-gnu]\0",
                "3.1.2",
            ),
            ("apache2", b"\0Apache/2\0Apache/2.4\0Apache/2.4.71\0Apache/2.4.71 (Debian)\0", "2.4.71"),
            ("haproxy", b"\0 version 2.6.12-1+deb12u4, released 2026/10/1", "2.6.12"),
            ("bash", b"@(#)Bash version 5.2.15(1) release GNU\0", "5.2.15"),
            ("curl", b"\0curl 7.88.1 (x86_64-pc-linux-gnu) %s\0", "7.88.1"),
            ("libcurl.so.4", b"\0libcurl/7.88.1\0", "7.88.1"),
            ("libsqlite3.so.0", b"\x003.40.1\0", "3.40.1"),
            ("mariadbd", b"\x0010.11.19-MariaDB\0", "10.11.19"),
            ("memcached", b"\0memcached 1.6.18\0", "1.6.18"),
            ("git", b"\0git/2.39.5\0", "2.39.5"),
            ("sshd", b"\0OpenSSH_9.2\0OpenSSH_2.*,OpenSSH_3.0*\0OpenSSH_9.2p1 Debian-2+deb12u10\0", "9.2p1"),
            ("libpng16.so.16", b"\0 libpng version 1.6.39 - November 20, 2022\0", "1.6.39"),
            ("libexpat.so.1", b"\0expat_2.5.0\0", "2.5.0"),
        ];
        for (path, bytes, expected) in cases {
            assert_eq!(version(path, bytes).as_deref(), Some(expected), "{path}");
        }
    }

    #[test]
    fn letters_and_words_after_the_numbers_count_where_they_belong() {
        assert_eq!(version("openssl", b"\0OpenSSL 1.1.1k  25 Mar 2021\0").as_deref(), Some("1.1.1k"));
        assert_eq!(
            version("openssl", b"\0OpenSSL 3.0.0-beta1 17 Jun 2021\0").as_deref(),
            Some("3.0.0-beta1")
        );
        assert_eq!(version("postgres", b"\0PostgreSQL 15beta4 on x86_64\0").as_deref(), Some("15beta4"));
        assert_eq!(version("python3.13", b"\x003.13.0rc1\0").as_deref(), Some("3.13.0rc1"));
        assert_eq!(
            version("haproxy", b"\0 version 2.9-dev3-7a2c, released 2023").as_deref(),
            Some("2.9-dev3")
        );
    }

    #[test]
    fn marks_are_found_wherever_windows_end() {
        let cases: [(&str, &[u8]); 2] =
            [("nginx", b"\0nginx/1.22.1\0"), ("redis-server", b"\x001.22.1\0c11-builtin\0")];
        for (path, bytes) in cases {
            for end in [WINDOW_BYTES, WINDOW_BYTES - OVERLAP_BYTES] {
                for at in (end - 60)..(end + 60) {
                    assert_eq!(version_at(path, at, bytes).as_deref(), Some("1.22.1"), "{path} {at}");
                }
            }
        }
    }

    #[test]
    fn a_mark_in_another_program_means_nothing() {
        assert_eq!(version("frobnicate", b"\0nginx/1.22.1\0"), None);
        assert_eq!(version("nginx.conf", b"\0nginx/1.22.1\0"), None);
    }

    #[test]
    fn a_mark_without_a_version_means_nothing() {
        assert_eq!(version("nginx", b"\0nginx/%s\0"), None);
        assert_eq!(version("apache2", b"\0Apache/2.4\0"), None, "too few numbers");
        assert_eq!(version("python3.11", b"\x003.11.2 and more\0"), None, "not alone");
        assert_eq!(version("redis-server", b"err\0c11-builtin\0"), None);
    }

    #[test]
    fn programs_of_other_systems_are_read_too() {
        let mut windows = b"MZ\x90\0".to_vec();
        windows.resize(1000, 0);
        windows.extend_from_slice(b"node.js/v22.9.0\0");
        windows.resize(2000, 0);
        let found = probe(windows.as_slice(), "app/node.exe", &Limits::default()).unwrap().unwrap();
        assert_eq!(found.program.unwrap().version, "22.9.0");
        assert_eq!(probe(windows.as_slice(), "app/other.exe", &Limits::default()).unwrap(), None);
    }
}
