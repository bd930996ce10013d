//! Programs that are known by marks in their bytes: what they are called, which files they are in, and where their version stands.
//!
//! The marks were seen in the programs that Debian 12 has, and are what the programs print of themselves. A mark counts only in a file of
//! the program's own name: the same words stand in other programs too, as advice or in what they were linked with.

use FileName::{Is, Library, WithVersion};

/// One program.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// Its name, which is also that in its purl.
    pub(crate) name: &'static str,
    /// Vendor and product in the CPE dictionary (<https://nvd.nist.gov/products/cpe>).
    pub(crate) cpes: &'static [(&'static str, &'static str)],
    files: &'static [FileName],
    marks: &'static [Mark],
}

/// What a program's file is called. `.exe` does not matter.
#[derive(Debug, PartialEq, Eq)]
enum FileName {
    /// This, or this with a version right after it, as in `php8.2`.
    Is(&'static str),
    /// This, then `.so` or `.dylib`, and whatever follows.
    Library(&'static str),
    /// This and the first two parts of the version, which is how the version is found; as a program or as a library.
    WithVersion(&'static str),
}

/// Bytes that stand right before or after a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) bytes: &'static [u8],
    pub(super) version: Place,
    /// Fewest parts of the version: `Apache/2` alone says too little.
    pub(super) parts: usize,
    /// Whether letters right after the numbers belong to the version, as in OpenSSL 1.1.1k. Words for versions before a release always do.
    pub(super) letters: bool,
}

/// Where the version is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// After the mark. The last bytes of the mark, so many, are its start.
    After(usize),
    /// Before the mark.
    Before,
    /// After the mark, whose last bytes are its start, and a zero byte ends it.
    Alone(usize),
}

const fn after(bytes: &'static [u8], parts: usize) -> Mark {
    Mark { bytes, version: Place::After(0), parts, letters: false }
}

const fn lettered(bytes: &'static [u8], parts: usize) -> Mark {
    Mark { bytes, version: Place::After(0), parts, letters: true }
}

const fn before(bytes: &'static [u8], parts: usize) -> Mark {
    Mark { bytes, version: Place::Before, parts, letters: false }
}

/// The zero byte, and the start of the version after it.
const fn alone(bytes: &'static [u8], start: usize) -> Mark {
    Mark { bytes, version: Place::Alone(start), parts: 3, letters: false }
}

static PROGRAMS: [Program; 34] = [
    Program {
        name: "python",
        cpes: &[("python", "python")],
        files: &[WithVersion("python"), WithVersion("libpython")],
        marks: &[],
    },
    Program {
        name: "node",
        cpes: &[("nodejs", "node.js")],
        files: &[Is("node"), Is("nodejs"), Library("libnode")],
        marks: &[after(b"node.js/v", 3)],
    },
    Program {
        name: "busybox",
        cpes: &[("busybox", "busybox")],
        files: &[Is("busybox")],
        marks: &[after(b"BusyBox v", 3)],
    },
    Program {
        name: "openssl",
        cpes: &[("openssl", "openssl")],
        files: &[Is("openssl"), Library("libcrypto"), Library("libssl")],
        marks: &[lettered(b"\0OpenSSL ", 3)],
    },
    Program {
        name: "nginx",
        cpes: &[("f5", "nginx")],
        files: &[Is("nginx")],
        marks: &[after(b"\0nginx/", 3), after(b"nginx version: nginx/", 3)],
    },
    Program {
        name: "redis",
        cpes: &[("redis", "redis")],
        files: &[Is("redis-server"), Is("redis-check-rdb")],
        // Its answer to INFO names the version and then how it counts; images of the project itself have a build's name.
        marks: &[
            before(b"\0c11-builtin\0", 3),
            before(b"\0atomic-builtin\0", 3),
            before(b"buildkitsandbox-", 3),
        ],
    },
    Program {
        name: "valkey",
        cpes: &[("lfprojects", "valkey")],
        files: &[Is("valkey-server")],
        marks: &[before(b"\0c11-builtin\0", 3), before(b"buildkitsandbox-", 3)],
    },
    Program {
        name: "postgresql",
        cpes: &[("postgresql", "postgresql")],
        files: &[Is("postgres")],
        marks: &[after(b"\0PostgreSQL ", 1)],
    },
    Program {
        name: "mariadb",
        cpes: &[("mariadb", "mariadb")],
        files: &[Is("mariadb"), Is("mariadbd"), Is("mysqld")],
        marks: &[before(b"-MariaDB", 3)],
    },
    Program {
        name: "memcached",
        cpes: &[("memcached", "memcached")],
        files: &[Is("memcached")],
        marks: &[after(b"\0memcached ", 3)],
    },
    Program {
        name: "perl",
        cpes: &[("perl", "perl")],
        files: &[Is("perl"), Library("libperl")],
        marks: &[alone(b"\0v5.", 2)],
    },
    Program {
        name: "php",
        cpes: &[("php", "php")],
        files: &[Is("php"), Is("php-cgi"), Is("php-fpm"), Library("libphp")],
        marks: &[after(b"X-Powered-By: PHP/", 3)],
    },
    Program {
        name: "ruby",
        cpes: &[("ruby-lang", "ruby")],
        files: &[Is("ruby"), Library("libruby")],
        marks: &[after(b"\0ruby ", 3)],
    },
    Program {
        name: "httpd",
        cpes: &[("apache", "http_server")],
        files: &[Is("httpd"), Is("apache2")],
        marks: &[after(b"\0Apache/", 3)],
    },
    Program {
        name: "haproxy",
        cpes: &[("haproxy", "haproxy")],
        files: &[Is("haproxy")],
        marks: &[after(b"\0 version ", 2), after(b"HA-Proxy version ", 2)],
    },
    Program {
        name: "lighttpd",
        cpes: &[("lighttpd", "lighttpd")],
        files: &[Is("lighttpd")],
        marks: &[after(b"lighttpd/", 3)],
    },
    Program {
        name: "bash",
        cpes: &[("gnu", "bash")],
        files: &[Is("bash")],
        marks: &[after(b"@(#)Bash version ", 3)],
    },
    Program { name: "curl", cpes: &[("haxx", "curl")], files: &[Is("curl")], marks: &[after(b"\0curl ", 3)] },
    Program {
        name: "libcurl",
        cpes: &[("haxx", "libcurl")],
        files: &[Library("libcurl"), Library("libcurl-gnutls"), Library("libcurl-nss")],
        marks: &[after(b"libcurl/", 3)],
    },
    Program {
        name: "sqlite",
        cpes: &[("sqlite", "sqlite")],
        files: &[Library("libsqlite3")],
        marks: &[alone(b"\x003.", 2)],
    },
    Program { name: "git", cpes: &[("git-scm", "git")], files: &[Is("git")], marks: &[after(b"git/", 3)] },
    Program {
        name: "lua",
        cpes: &[("lua", "lua")],
        files: &[Is("lua"), Library("liblua")],
        marks: &[after(b"$LuaVersion: Lua ", 3)],
    },
    Program {
        name: "openssh",
        cpes: &[("openbsd", "openssh")],
        files: &[Is("sshd"), Is("ssh")],
        marks: &[lettered(b"\0OpenSSH_", 2)],
    },
    Program {
        name: "zlib",
        cpes: &[("zlib", "zlib")],
        files: &[Library("libz")],
        marks: &[after(b" deflate ", 3)],
    },
    Program {
        name: "libpng",
        cpes: &[("libpng", "libpng")],
        files: &[Library("libpng"), Library("libpng16")],
        marks: &[after(b"libpng version ", 3)],
    },
    Program {
        name: "expat",
        cpes: &[("libexpat_project", "libexpat")],
        files: &[Library("libexpat")],
        marks: &[after(b"\0expat_", 3)],
    },
    Program {
        name: "unbound",
        cpes: &[("nlnetlabs", "unbound")],
        files: &[Is("unbound")],
        marks: &[after(b"\0unbound ", 3)],
    },
    Program {
        name: "bind",
        cpes: &[("isc", "bind")],
        files: &[Is("named")],
        marks: &[after(b"named version: BIND ", 3)],
    },
    Program {
        name: "varnish",
        cpes: &[("varnish_cache_project", "varnish_cache")],
        files: &[Is("varnishd")],
        marks: &[after(b"\0varnish-", 3)],
    },
    Program {
        name: "proftpd",
        cpes: &[("proftpd", "proftpd")],
        files: &[Is("proftpd")],
        marks: &[lettered(b"ProFTPD Version ", 3)],
    },
    Program { name: "xz", cpes: &[("tukaani", "xz")], files: &[Is("xz")], marks: &[after(b"XZ Utils) ", 3)] },
    Program {
        name: "gnutls",
        cpes: &[("gnu", "gnutls")],
        files: &[Library("libgnutls")],
        marks: &[after(b" GnuTLS ", 3)],
    },
    Program {
        name: "libjpeg-turbo",
        cpes: &[("libjpeg-turbo", "libjpeg-turbo")],
        files: &[Library("libjpeg"), Library("libturbojpeg")],
        marks: &[after(b"libjpeg-turbo version ", 3)],
    },
    Program {
        name: "ffmpeg",
        cpes: &[("ffmpeg", "ffmpeg")],
        files: &[Library("libavcodec"), Library("libavformat"), Library("libavutil")],
        marks: &[after(b"FFmpeg version ", 2)],
    },
];

impl Program {
    /// The program that a file of this name may be, and the start of its version where the name has it.
    pub(super) fn of_file(name: &str) -> Option<(&'static Self, Option<&str>)> {
        let name = name.strip_suffix(".exe").unwrap_or(name);
        PROGRAMS.iter().find_map(|program| {
            program.files.iter().find_map(|file| file.matches(name)).map(|version| (program, version))
        })
    }

    pub(super) fn marks(&self) -> &'static [Mark] {
        self.marks
    }
}

impl FileName {
    fn matches<'n>(&self, name: &'n str) -> Option<Option<&'n str>> {
        match self {
            Is(start) => {
                let rest = name.strip_prefix(start)?;
                let is_version = rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
                is_version.then_some(None)
            }
            Library(start) => is_library_suffix(name.strip_prefix(start)?).then_some(None),
            WithVersion(start) => {
                let rest = name.strip_prefix(start)?;
                let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
                let (version, rest) = rest.split_at_checked(end)?;
                let version = version.trim_end_matches('.');
                // libpython3.11.so, and the debugging or free-threaded libpython3.13t.so.
                let rest = rest.trim_start_matches(['d', 'm', 't']);
                let is_end = rest.is_empty() || is_library_suffix(rest);
                (is_end && version.split('.').count() == 2).then_some(Some(version))
            }
        }
    }
}

/// Whether this follows a library's name: `.so`, `.so.1.2`, `.3.dylib`, or a version before it as in `-3.1.so`. Python wheels put a digest
/// before it too.
fn is_library_suffix(rest: &str) -> bool {
    let digest = rest.strip_prefix('-').and_then(|rest| rest.split_once('.')).map(|(digest, _)| digest);
    let is_digest = |digest: &&str| digest.len() >= 8 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    let rest = digest.filter(is_digest).and_then(|digest| rest.get(digest.len() + 1..)).unwrap_or(rest);
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | '.'));
    rest == "so" || rest.starts_with("so.") || rest == "dylib"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(name: &str) -> Option<(&'static str, Option<&str>)> {
        Program::of_file(name).map(|(program, version)| (program.name, version))
    }

    #[test]
    fn files_are_known_by_their_names() {
        assert_eq!(program("node"), Some(("node", None)));
        assert_eq!(program("node.exe"), Some(("node", None)));
        assert_eq!(program("libcrypto.so.3"), Some(("openssl", None)));
        assert_eq!(program("libruby-3.1.so.3.1"), Some(("ruby", None)));
        assert_eq!(program("libz.so.1.2.13"), Some(("zlib", None)));
        assert_eq!(program("libcrypto.3.dylib"), Some(("openssl", None)));
        assert_eq!(program("libssl-60250281.so.1.1"), Some(("openssl", None)));
        assert_eq!(program("libzstd.so.1"), None);
        assert_eq!(program("nodemon"), None);
        assert_eq!(program("php8.2"), Some(("php", None)));
        assert_eq!(program("libcrypto.something"), None);
    }

    #[test]
    fn the_name_may_start_the_version() {
        assert_eq!(program("python3.11"), Some(("python", Some("3.11"))));
        assert_eq!(program("libpython3.11.so.1.0"), Some(("python", Some("3.11"))));
        assert_eq!(program("libpython3.13t.so.1.0"), Some(("python", Some("3.13"))));
        assert_eq!(program("libpython3.so"), None);
        assert_eq!(program("python3-config"), None);
    }

    #[test]
    fn each_program_has_a_mark_or_a_version_in_its_name() {
        for program in &PROGRAMS {
            let is_named = program.files.iter().all(|file| matches!(file, WithVersion(_)));
            assert!(is_named || !program.marks.is_empty(), "{}", program.name);
            assert!(!program.cpes.is_empty());
        }
    }
}
