//! Patterns over image names: which images a policy is about.
//!
//! A name that slips past a pattern slips past its policy, so names are compared in one form, whatever spelling of the same place the
//! image reference uses.

use std::fmt;
use std::net::Ipv4Addr;

use touchmark_oci::{ImageName, ImageRef};

use crate::{Glob, GlobError};

/// A pattern over image names: `REGISTRY/REPOSITORY`, without tag and digest.
///
/// Names are compared in one form: the registry in lower case and without the default port 443, Docker Hub as `docker.io`, its
/// one-word repositories under `library/`. Otherwise `GHCR.IO/acme/app` or `ghcr.io:443/acme/app` would be the same image with
/// no policy. A pattern that begins with `oci:`, `oci-archive:` or `docker-archive:` is compared with such a name as it is written.
/// The pattern `**` matches every image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageGlob {
    written: String,
    scope: Scope,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Scope {
    Everything,
    Repositories(Glob),
    Local(Glob),
}

impl ImageGlob {
    /// The pattern that matches every image.
    pub fn everything() -> Self {
        Self { written: "**".into(), scope: Scope::Everything }
    }

    /// Reads a pattern and makes sure that there is a name that it matches.
    ///
    /// # Errors
    /// [`GlobError`].
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        let glob = Glob::parse(text)?;
        let scope = if text == "**" {
            Scope::Everything
        } else if let Some(path) = LOCAL.iter().find_map(|prefix| text.strip_prefix(prefix)) {
            // A local path ends at its first colon: what follows is a tag.
            match path {
                "" => return Err(GlobError::NoRepository),
                _ if path.contains(':') && path.contains('@') => return Err(GlobError::HasDigest),
                _ if path.contains(':') => return Err(GlobError::HasTag),
                _ => {}
            }
            Scope::Local(glob)
        } else {
            check_witness(text)?;
            Scope::Repositories(Glob::parse(&complete(text))?)
        };
        Ok(Self { written: text.to_owned(), scope })
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// Whether the pattern covers images of this name.
    pub fn matches(&self, name: &ImageName) -> bool {
        match (&self.scope, name) {
            (Scope::Everything, _) => true,
            (Scope::Repositories(glob), ImageName::Repository { registry, repository }) => glob.matches(
                &format!("{}/{}", normal_registry(registry), normal_repository(registry, repository)),
            ),
            (Scope::Local(glob), name) if name.registry().is_none() => glob.matches(&name.to_string()),
            _ => false,
        }
    }
}

impl fmt::Display for ImageGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// Refuses a pattern that matches no name: with each star put as `1`, which fits in a host, a port and a repository alike, it
/// has to be a reference without tag and digest.
fn check_witness(text: &str) -> Result<(), GlobError> {
    if text.contains('@') {
        return Err(GlobError::HasDigest);
    }
    let (first, rest) = text.split_once('/').unwrap_or((text, ""));
    let last = rest.rsplit_once('/').map_or(rest, |(_, last)| last);
    if last.contains(':') || (!text.contains('/') && text.contains(':')) {
        return Err(GlobError::HasTag);
    }
    if !text.contains('/') && (is_registry(first) && !first.contains("**")) {
        return Err(GlobError::NoRepository);
    }
    let witness = text.replace("**", "1").replace('*', "1");
    witness.parse::<ImageRef>().map_err(|source| GlobError::NeverMatches { witness, source })?;
    Ok(())
}

/// The pattern in the form in which names are compared.
fn complete(text: &str) -> String {
    match text.split_once('/') {
        Some((first, rest)) if is_registry(first) => {
            format!("{}/{}", normal_registry(first), normal_repository(first, rest))
        }
        None if is_registry(text) => text.to_ascii_lowercase(),
        _ => format!("docker.io/{}", normal_repository("docker.io", text)),
    }
}

/// Whether the first part of a pattern is a registry, by the rule of
/// [reference/normalize.go](https://github.com/distribution/reference/blob/v0.6.0/normalize.go) `splitDockerDomain`; a star makes
/// it one too.
fn is_registry(first: &str) -> bool {
    first.contains(['.', ':', '*']) || first == "localhost"
}

/// One form for every spelling that a client connects to the same host by: case, the default port, zeros before the port, and
/// the forms that URLs have for IPv4 addresses ([URL Standard, "IPv4 parser"](https://url.spec.whatwg.org/#concept-ipv4-parser)).
fn normal_registry(registry: &str) -> String {
    let lower = registry.to_ascii_lowercase();
    let (host, port) = match lower.rsplit_once(':') {
        Some((host, port)) => (host, port.trim_start_matches('0')),
        None => (lower.as_str(), "443"),
    };
    let host = ipv4(host).map_or_else(|| host.to_owned(), |address| address.to_string());
    match port {
        "443" if DOCKER_HUB.contains(&host.as_str()) => "docker.io".into(),
        "443" => host,
        port => format!("{host}:{port}"),
    }
}

/// The address that a URL's host is read as: up to four numbers, decimal, octal (`0…`) or hexadecimal (`0x…`), of which the last
/// fills all bytes that are left.
fn ipv4(host: &str) -> Option<Ipv4Addr> {
    let numbers: Vec<u64> = host.split('.').map(ipv4_number).collect::<Option<_>>()?;
    let (last, head) = numbers.split_last()?;
    let left = u32::try_from(4_usize.checked_sub(head.len())?).ok()?;
    if head.len() > 3 || head.iter().any(|number| *number > 255) || *last >= 256_u64.pow(left) {
        return None;
    }
    let head = head.iter().fold(0, |address, number| address * 256 + number);
    let address = head * 256_u64.pow(left) + last;
    u32::try_from(address).ok().map(Ipv4Addr::from)
}

fn ipv4_number(part: &str) -> Option<u64> {
    let (digits, radix) = match (part.strip_prefix("0x"), part.strip_prefix('0')) {
        (Some(""), _) => return Some(0),
        (Some(hex), _) => (hex, 16),
        (None, Some(octal)) if !octal.is_empty() => (octal, 8),
        _ => (part, 10),
    };
    u64::from_str_radix(digits, radix).ok()
}

fn normal_repository(registry: &str, repository: &str) -> String {
    let one_word = !repository.contains('/') && !repository.contains("**");
    if one_word && normal_registry(registry) == "docker.io" {
        format!("library/{repository}")
    } else {
        repository.into()
    }
}

/// The names under which Docker Hub is known.
const DOCKER_HUB: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/// What local names begin with.
const LOCAL: [&str; 3] = ["oci:", "oci-archive:", "docker-archive:"];

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ImageName {
        text.parse::<ImageRef>().unwrap().name().clone()
    }

    fn matches(pattern: &str, image: &str) -> bool {
        ImageGlob::parse(pattern).unwrap().matches(&name(image))
    }

    #[test]
    fn one_star_stays_within_a_segment_and_two_cross() {
        assert!(matches("ghcr.io/acme/*", "ghcr.io/acme/app"));
        assert!(!matches("ghcr.io/acme/*", "ghcr.io/acme/team/app"));
        assert!(matches("ghcr.io/acme/**", "ghcr.io/acme/team/app"));
        assert!(matches("ghcr.io/*/app", "ghcr.io/acme/app"));
        assert!(!matches("ghcr.io/*/app", "ghcr.io/a/b/app"));
        assert!(matches("ghcr.io/**/app", "ghcr.io/a/b/app"));
        assert!(matches("*/acme/app", "quay.io:8443/acme/app"));
        assert!(matches("**/app", "quay.io/acme/app"));
    }

    #[test]
    fn a_star_may_stand_for_nothing_and_the_rest_is_literal() {
        assert!(matches("ghcr.io/acme/app*", "ghcr.io/acme/app"));
        assert!(matches("ghcr.io/acme/app*", "ghcr.io/acme/app-debug"));
        assert!(!matches("ghcr.io/acme/app", "ghcr.io/acme/app-debug"));
        assert!(!matches("ghcr.io/acme/app", "ghcr.io/acme/ap"));
        assert!(!matches("ghcr.io/acme/**", "ghcrxio/acme/app"));
        assert!(!matches("ghcr.io/acme/**", "evil.example/ghcr.io/acme/app"));
        assert!(!matches("ghcr.io/acme/**", "ghcr.io.evil.example/acme/app"));
    }

    #[test]
    fn tags_and_digests_of_the_image_do_not_matter() {
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        for image in [
            "ghcr.io/a/b:1".to_owned(),
            format!("ghcr.io/a/b@sha256:{hex}"),
            format!("ghcr.io/a/b:1@sha256:{hex}"),
        ] {
            assert!(matches("ghcr.io/a/b", &image), "{image}");
        }
    }

    #[test]
    fn no_spelling_of_a_registry_escapes_its_policy() {
        for image in ["GHCR.IO/acme/app", "ghcr.io:443/acme/app", "GHCR.io:443/acme/app"] {
            assert!(matches("ghcr.io/acme/**", image), "{image}");
            assert!(matches("GHCR.io:443/acme/**", image), "{image}");
        }
        assert!(matches("ghcr.io/acme/**", "ghcr.io:0443/acme/app"));
        assert!(!matches("ghcr.io/acme/**", "ghcr.io:8443/acme/app"));
        for image in [
            "10.0.0.5:5000/app",
            "10.5:05000/app",
            "012.0x0.5:5000/app",
            "0xa.0.0.5:5000/app",
            "167772165:5000/app",
        ] {
            assert!(matches("10.0.0.5:5000/*", image), "{image}");
            assert!(matches("10.0.0.*:5000/*", image), "{image}");
        }
        assert!(!matches("10.0.0.5:5000/*", "10.0.0.6:5000/app"));
        assert!(!matches("10.0.0.5:5000/*", "10.0.0.5.example:5000/app"));
    }

    #[test]
    fn docker_hub_is_one_registry_under_all_its_names() {
        for pattern in [
            "debian",
            "docker.io/debian",
            "docker.io/library/debian",
            "index.docker.io/library/debian",
            "docker.io/*",
        ] {
            for image in [
                "debian",
                "docker.io/debian:12",
                "index.docker.io/debian",
                "registry-1.docker.io/library/debian",
            ] {
                assert!(matches(pattern, image), "{pattern} {image}");
            }
        }
        assert!(matches("acme/app", "docker.io/acme/app"));
        assert!(!matches("docker.io/*", "docker.io/acme/app"));
        assert!(matches("docker.io/**", "docker.io/acme/app"));
    }

    #[test]
    fn local_names_match_as_written() {
        assert!(matches("oci:build/*", "oci:build/app:v1"));
        assert!(!matches("oci:build/*", "oci:other/app"));
        assert!(!matches("oci:build/*", "oci-archive:build/app"));
        assert!(!matches("*/build/*", "oci:x/build/app"));
        assert!(!matches("oci:**", "ghcr.io/acme/app"));
    }

    #[test]
    fn two_stars_alone_match_everything() {
        for image in ["debian", "ghcr.io/a/b/c", "oci:dir", "docker-archive:a.tar"] {
            assert!(matches("**", image), "{image}");
        }
    }

    #[test]
    fn refuses_patterns_with_a_tag_or_digest() {
        for pattern in ["ghcr.io/acme/app:1.0", "ghcr.io/acme/*:*", "debian:12", "ghcr.io:*"] {
            assert_eq!(ImageGlob::parse(pattern).unwrap_err(), GlobError::HasTag, "{pattern}");
        }
        assert_eq!(ImageGlob::parse("ghcr.io/a/b@sha256:*").unwrap_err(), GlobError::HasDigest);
    }

    #[test]
    fn refuses_patterns_that_match_no_name() {
        for pattern in ["ghcr.io", "*", "gh*", "oci:", "localhost"] {
            assert_eq!(ImageGlob::parse(pattern).unwrap_err(), GlobError::NoRepository, "{pattern}");
        }
        for pattern in [
            "",
            "ghcr.io/Acme/*",
            "https://ghcr.io/acme",
            "ghcr.io//app",
            "ghcr.io/acme/",
            "/acme",
            "a?c/b",
            "**/APP",
        ] {
            let error = ImageGlob::parse(pattern).unwrap_err();
            assert!(
                matches!(error, GlobError::NeverMatches { .. } | GlobError::HasTag),
                "{pattern} {error:?}"
            );
        }
        assert_eq!(ImageGlob::parse("ghcr.io/***").unwrap_err(), GlobError::ThreeStars);
        assert!(matches!(ImageGlob::parse(&"a".repeat(600)), Err(GlobError::TooLong { found: 600, .. })));
    }
}
