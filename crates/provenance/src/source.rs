//! Where source code came from, in one form, so that two spellings of one repository compare equal and two repositories never do.
//!
//! The rules, all of them:
//! 1. `git+` before the scheme is dropped; the scheme stays. `http`, `https`, `ssh` and `git` are different places.
//!    `git@host:path` is `ssh://host/path`, as git reads it ([git-fetch(1), "GIT URLS"](https://git-scm.com/docs/git-fetch#_git_urls)).
//! 2. User names and passwords are dropped. The host is compared in lower case, without the scheme's own port.
//! 3. Every `.git` and slash at the end of the path is dropped. The path is compared as it is otherwise, case included.
//! 4. What follows the first `@` of the path, or a `#`, is the git ref: it is kept apart and is no part of the repository.
//!
//! Nothing is compared by prefix or by a part of the text.

use std::fmt;
use std::str::FromStr;

/// A repository in its normal form, such as `https://github.com/acme/app`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceUri {
    scheme: Scheme,
    authority: String,
    path: String,
}

/// A repository, and the ref in it when one is given.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SourceLocation {
    /// The repository.
    pub uri: SourceUri,
    /// The ref as written: `refs/heads/main`, a tag, or a commit.
    pub git_ref: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Scheme {
    Https,
    Http,
    Ssh,
    Git,
}

impl Scheme {
    fn name(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
            Self::Ssh => "ssh",
            Self::Git => "git",
        }
    }

    fn own_port(self) -> u16 {
        match self {
            Self::Https => 443,
            Self::Http => 80,
            Self::Ssh => 22,
            Self::Git => 9418,
        }
    }
}

impl SourceUri {
    /// The repository and a ref in SPDX's download location form, `git+https://host/path@ref`
    /// ([SPDX 2.3 §7.7](https://spdx.github.io/spdx-spec/v2.3/package-information/#77-package-download-location-field)).
    pub fn at(&self, git_ref: &str) -> String {
        format!("{}@{git_ref}", self.as_download_location())
    }

    /// The repository in SPDX's download location form, `git+https://host/path`.
    pub fn as_download_location(&self) -> String {
        match self.scheme {
            Scheme::Git => self.to_string(),
            _ => format!("git+{self}"),
        }
    }
}

impl FromStr for SourceUri {
    type Err = SourceUriError;

    /// Parses a repository without a ref.
    fn from_str(text: &str) -> Result<Self, SourceUriError> {
        let location: SourceLocation = text.parse()?;
        match location.git_ref {
            None => Ok(location.uri),
            Some(git_ref) => Err(SourceUriError::Ref { uri: location.uri.to_string(), git_ref }),
        }
    }
}

impl fmt::Display for SourceUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/{}", self.scheme.name(), self.authority, self.path)
    }
}

impl FromStr for SourceLocation {
    type Err = SourceUriError;

    fn from_str(text: &str) -> Result<Self, SourceUriError> {
        if text.len() > MAX_BYTES {
            return Err(SourceUriError::TooLong { found: text.len(), limit: MAX_BYTES });
        }
        let (scheme, rest) = split_scheme(text)?;
        let (authority, tail) = rest.split_once('/').ok_or(SourceUriError::NoPath)?;
        let (path, git_ref) = split_ref(tail)?;
        let uri =
            SourceUri { scheme, authority: normal_authority(scheme, authority)?, path: normal_path(path)? };
        Ok(Self { uri, git_ref })
    }
}

/// Longer than any address of a repository with a ref; git refs have at most 255 bytes on the hosts in use.
const MAX_BYTES: usize = 2048;

/// The scheme and what follows it, as `authority/path`.
fn split_scheme(text: &str) -> Result<(Scheme, String), SourceUriError> {
    let plain = text.strip_prefix("git+").unwrap_or(text);
    if let Some((name, rest)) = plain.split_once("://") {
        let scheme = match name {
            "https" => Scheme::Https,
            "http" => Scheme::Http,
            "ssh" => Scheme::Ssh,
            "git" => Scheme::Git,
            other => {
                return Err(SourceUriError::Scheme { found: other.chars().take(20).collect() });
            }
        };
        return Ok((scheme, rest.to_owned()));
    }
    // scp's way of writing it: a colon before any slash.
    match text.split_once(':') {
        Some((host, path)) if host.contains('@') && !host.contains('/') => {
            Ok((Scheme::Ssh, format!("{host}/{}", path.trim_start_matches('/'))))
        }
        _ => Err(SourceUriError::Scheme { found: String::new() }),
    }
}

/// Host and port in one form. Whoever may log in there is nobody's business.
fn normal_authority(scheme: Scheme, authority: &str) -> Result<String, SourceUriError> {
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host).to_ascii_lowercase();
    let end_of_name = host.find(']').map_or_else(|| host.find(':'), |bracket| Some(bracket + 1));
    let (name, port) =
        host.split_at_checked(end_of_name.unwrap_or(host.len())).ok_or(SourceUriError::Host)?;
    let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let fits = match address {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_%".contains(&b)),
    };
    let number = port.strip_prefix(':').map(str::parse::<u16>);
    match (fits, port, number) {
        (true, "", _) => Ok(name.to_owned()),
        (true, _, Some(Ok(number))) if number == scheme.own_port() => Ok(name.to_owned()),
        (true, _, Some(Ok(number))) => Ok(format!("{name}:{number}")),
        _ => Err(SourceUriError::Host),
    }
}

/// What is before and after the `@` or `#` that ends the path.
fn split_ref(tail: &str) -> Result<(&str, Option<String>), SourceUriError> {
    let Some((path, git_ref)) = tail.split_once(['@', '#']) else {
        return Ok((tail, None));
    };
    let fits = !git_ref.is_empty() && !git_ref.contains(|c: char| c.is_whitespace() || c.is_control());
    if fits { Ok((path, Some(git_ref.to_owned()))) } else { Err(SourceUriError::BadRef) }
}

fn normal_path(path: &str) -> Result<String, SourceUriError> {
    let mut path = path.trim_end_matches('/');
    while let Some(shorter) = path.strip_suffix(".git") {
        path = shorter.trim_end_matches('/');
    }
    if path.is_empty() {
        return Err(SourceUriError::NoPath);
    }
    let odd = |segment: &str| segment.is_empty() || segment == "." || segment == "..";
    let foreign = |c: char| c.is_whitespace() || c.is_control() || c == '?' || c == '\\';
    if path.split('/').any(odd) || path.contains(foreign) {
        return Err(SourceUriError::BadPath);
    }
    Ok(path.to_owned())
}

/// Why a text names no repository. The text is not shown: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceUriError {
    /// Longer than any such address needs to be.
    #[error("source URI has {found} bytes, the limit is {limit}")]
    TooLong {
        /// Bytes found.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// Not one of the schemes that git has, or none.
    #[error(
        "source URI has scheme {found:?}, expected https, http, ssh or git, with or without git+ before it"
    )]
    Scheme {
        /// What stands in the scheme's place, shortened; empty when there is none.
        found: String,
    },
    /// No host, or not a host's name.
    #[error("source URI has no valid host")]
    Host,
    /// Only a host.
    #[error("source URI names no repository after its host")]
    NoPath,
    /// A path with empty or dot segments, or with characters that no repository's path has.
    #[error("path of the source URI has empty or dot segments, white space, a query or a backslash")]
    BadPath,
    /// An `@` or `#` with nothing usable after it.
    #[error("source URI ends in an @ or # without a git ref")]
    BadRef,
    /// A ref where only a repository is wanted.
    #[error("source URI {uri} has git ref {git_ref:?}, expected a repository without one")]
    Ref {
        /// The repository.
        uri: String,
        /// The ref.
        git_ref: String,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn normal(text: &str) -> String {
        text.parse::<SourceLocation>().unwrap().uri.to_string()
    }

    fn error(text: &str) -> SourceUriError {
        text.parse::<SourceLocation>().unwrap_err()
    }

    #[test]
    fn spellings_of_one_repository_are_equal() {
        for text in [
            "https://github.com/acme/app",
            "git+https://github.com/acme/app",
            "https://github.com/acme/app.git",
            "https://github.com/acme/app/",
            "https://GitHub.com:443/acme/app.git/",
            "git+https://github.com/acme/app@refs/heads/main",
            "https://github.com/acme/app.git#refs/heads/main",
            "https://github.com/acme/app/.git",
            "https://user:secret@github.com/acme/app.git",
        ] {
            assert_eq!(normal(text), "https://github.com/acme/app", "{text}");
        }
    }

    #[test]
    fn different_repositories_stay_different() {
        let wanted = normal("https://github.com/acme/app");
        for text in [
            "http://github.com/acme/app",
            "ssh://git@github.com/acme/app",
            "https://github.com/acme/app2",
            "https://github.com/Acme/app",
            "https://github.com/acme/app/sub",
            "https://github.com.evil.example/acme/app",
            "https://evil.example/github.com/acme/app",
            "https://github.com:8443/acme/app",
            "https://github.com%2facme@evil.example/acme/app",
        ] {
            assert_ne!(normal(text), wanted, "{text}");
        }
    }

    #[test]
    fn scp_addresses_are_ssh() {
        assert_eq!(normal("git@github.com:acme/app.git"), "ssh://github.com/acme/app");
        assert_eq!(normal("ssh://git@github.com:22/acme/app"), "ssh://github.com/acme/app");
    }

    #[test]
    fn the_ref_is_kept_apart() {
        let location: SourceLocation = "git+https://github.com/acme/app@refs/tags/pkg@1.0".parse().unwrap();
        assert_eq!(location.git_ref.as_deref(), Some("refs/tags/pkg@1.0"));
        assert_eq!(location.uri.at("refs/tags/pkg@1.0"), "git+https://github.com/acme/app@refs/tags/pkg@1.0");
        assert_eq!(normal("git://example.com/a"), "git://example.com/a");
    }

    #[test]
    fn a_repository_alone_has_no_ref() {
        let error = "https://github.com/acme/app@main".parse::<SourceUri>().unwrap_err();
        assert!(matches!(error, SourceUriError::Ref { git_ref, .. } if git_ref == "main"));
    }

    #[test]
    fn rejects_what_names_no_repository() {
        assert!(matches!(error("github.com/acme/app"), SourceUriError::Scheme { .. }));
        assert!(matches!(error("file:///acme/app"), SourceUriError::Scheme { .. }));
        assert!(matches!(error("git+git+https://h/p"), SourceUriError::Scheme { .. }));
        assert_eq!(error("https://github.com"), SourceUriError::NoPath);
        assert_eq!(error("https://github.com/"), SourceUriError::NoPath);
        assert_eq!(error("https:///acme/app"), SourceUriError::Host);
        for host in ["exa mple", "h:", "h:443:443", "h:port", "h:99999", "[::1", "[x]", "[::1]x", ":443"] {
            assert_eq!(error(&format!("https://{host}/acme")), SourceUriError::Host, "{host}");
        }
        assert_eq!(error("https://github.com/acme/../evil/app"), SourceUriError::BadPath);
        assert_eq!(error("https://github.com//app"), SourceUriError::BadPath);
        assert_eq!(error("https://github.com/acme/app?x=1"), SourceUriError::BadPath);
        assert_eq!(error("https://github.com/acme/app@"), SourceUriError::BadRef);
        assert!(matches!(error(&"x".repeat(3000)), SourceUriError::TooLong { .. }));
    }

    #[test]
    fn no_error_shows_a_password() {
        for text in ["https://u:hunter2@h/a//b", "ftp://u:hunter2@h/a", "https://u:hunter2@/a", "u:hunter2@h"]
        {
            assert!(!format!("{0} {0:?}", error(text)).contains("hunter2"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_normal_form_is_its_own(text in "(git\\+)?(https|ssh)://([a-z]{1,5}@)?[a-z]{1,9}(:[0-9]{1,4})?/[a-z./]{1,9}(/|\\.git){0,3}") {
            if let Ok(location) = text.parse::<SourceLocation>() {
                let again: SourceUri = location.uri.to_string().parse().unwrap();
                prop_assert_eq!(again, location.uri);
            }
        }
    }
}
