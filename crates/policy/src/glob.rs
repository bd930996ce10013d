//! Patterns over names: `*` is any text without `/`, `**` is any text, all else is itself.
//!
//! A pattern matches a whole name or does not match. Matching costs at most (pattern length × name length) steps, whatever the
//! pattern: it walks the set of pattern positions that are possible after each character and never goes back.

use std::fmt;

use touchmark_oci::{ImageName, ImageRef, ReferenceError};

/// Patterns longer than this are refused: a repository name has 255 characters at most, its registry 253.
const MAX_PATTERN_BYTES: usize = 512;

/// The names under which Docker Hub is known.
const DOCKER_HUB: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/// What local names begin with.
const LOCAL: [&str; 3] = ["oci:", "oci-archive:", "docker-archive:"];

/// A pattern over text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    text: String,
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Character(char),
    /// `*`
    Segment,
    /// `**`
    Anything,
}

impl Glob {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`GlobError::TooLong`] and [`GlobError::ThreeStars`].
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        if text.len() > MAX_PATTERN_BYTES {
            return Err(GlobError::TooLong {
                found: text.len(),
                limit: MAX_PATTERN_BYTES,
            });
        }
        if text.contains("***") {
            return Err(GlobError::ThreeStars);
        }
        let mut tokens = Vec::with_capacity(text.len());
        for character in text.chars() {
            match (character, tokens.last()) {
                ('*', Some(Token::Segment)) => {
                    tokens.pop();
                    tokens.push(Token::Anything);
                }
                ('*', _) => tokens.push(Token::Segment),
                (other, _) => tokens.push(Token::Character(other)),
            }
        }
        Ok(Self {
            text: text.to_owned(),
            tokens,
        })
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether all of `name` fits.
    pub fn matches(&self, name: &str) -> bool {
        // reached[i]: the characters read so far can be what the first i tokens stand for.
        let mut reached = vec![false; self.tokens.len() + 1];
        if let Some(start) = reached.first_mut() {
            *start = true;
        }
        self.pass_over_stars(&mut reached);
        for character in name.chars() {
            reached = self.step(&reached, character);
        }
        reached.last().copied().unwrap_or(false)
    }

    fn step(&self, reached: &[bool], character: char) -> Vec<bool> {
        let mut next = vec![false; reached.len()];
        for (index, token) in self.tokens.iter().enumerate() {
            if !reached.get(index).copied().unwrap_or(false) {
                continue;
            }
            let target = match token {
                Token::Character(wanted) if *wanted == character => Some(index + 1),
                Token::Anything => Some(index),
                Token::Segment if character != '/' => Some(index),
                _ => None,
            };
            if let Some(slot) = target.and_then(|target| next.get_mut(target)) {
                *slot = true;
            }
        }
        self.pass_over_stars(&mut next);
        next
    }

    /// A star may stand for nothing.
    fn pass_over_stars(&self, reached: &mut [bool]) {
        for (index, token) in self.tokens.iter().enumerate() {
            let star = matches!(token, Token::Segment | Token::Anything);
            if star && reached.get(index).copied().unwrap_or(false) {
                if let Some(slot) = reached.get_mut(index + 1) {
                    *slot = true;
                }
            }
        }
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

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
        Self {
            written: "**".into(),
            scope: Scope::Everything,
        }
    }

    /// Reads a pattern and makes sure that there is a name that it matches.
    ///
    /// # Errors
    /// [`GlobError`].
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        let glob = Glob::parse(text)?;
        let scope = if text == "**" {
            Scope::Everything
        } else if let Some(prefix) = LOCAL.iter().find(|prefix| text.starts_with(**prefix)) {
            if text.len() == prefix.len() {
                return Err(GlobError::NoRepository);
            }
            Scope::Local(glob)
        } else {
            check_witness(text)?;
            Scope::Repositories(Glob::parse(&complete(text))?)
        };
        Ok(Self {
            written: text.to_owned(),
            scope,
        })
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// Whether the pattern covers images of this name.
    pub fn matches(&self, name: &ImageName) -> bool {
        match (&self.scope, name) {
            (Scope::Everything, _) => true,
            (Scope::Repositories(glob), ImageName::Repository { registry, repository }) => {
                glob.matches(&format!(
                    "{}/{}",
                    normal_registry(registry),
                    normal_repository(registry, repository)
                ))
            }
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
    witness
        .parse::<ImageRef>()
        .map_err(|source| GlobError::NeverMatches { witness, source })?;
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

fn normal_registry(registry: &str) -> String {
    let lower = registry.to_ascii_lowercase();
    let host = lower.strip_suffix(":443").unwrap_or(&lower);
    if DOCKER_HUB.contains(&host) {
        "docker.io".into()
    } else {
        host.into()
    }
}

fn normal_repository(registry: &str, repository: &str) -> String {
    let one_word = !repository.contains('/') && !repository.contains("**");
    if one_word && normal_registry(registry) == "docker.io" {
        format!("library/{repository}")
    } else {
        repository.into()
    }
}

/// Why a text is no pattern, or none that could ever match.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GlobError {
    /// Longer than any name.
    #[error("pattern has {found} bytes, the limit is {limit}")]
    TooLong {
        /// Bytes found.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// `***` means nothing.
    #[error("pattern has three stars in a row, expected '*' (any text without '/') or '**' (any text)")]
    ThreeStars,
    /// A tag in the pattern.
    #[error("pattern has a tag, expected a name without one: a policy covers every tag of a repository")]
    HasTag,
    /// A digest in the pattern.
    #[error("pattern has a digest, expected a name without one: a policy covers every image of a repository")]
    HasDigest,
    /// A registry or a transport alone.
    #[error("pattern names no repository and would match no image, expected such as ghcr.io/acme/** or **")]
    NoRepository,
    /// No name fits.
    #[error("pattern matches no image name: {witness:?}, which it should match, is not one")]
    NeverMatches {
        /// The pattern with its stars filled in.
        witness: String,
        /// What is wrong with that.
        source: ReferenceError,
    },
}

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
        assert!(!matches("ghcr.io/acme/**", "ghcr.io:8443/acme/app"));
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
        for pattern in [
            "ghcr.io/acme/app:1.0",
            "ghcr.io/acme/*:*",
            "debian:12",
            "ghcr.io:*",
        ] {
            assert_eq!(
                ImageGlob::parse(pattern).unwrap_err(),
                GlobError::HasTag,
                "{pattern}"
            );
        }
        assert_eq!(
            ImageGlob::parse("ghcr.io/a/b@sha256:*").unwrap_err(),
            GlobError::HasDigest
        );
    }

    #[test]
    fn refuses_patterns_that_match_no_name() {
        for pattern in ["ghcr.io", "*", "gh*", "oci:", "localhost"] {
            assert_eq!(
                ImageGlob::parse(pattern).unwrap_err(),
                GlobError::NoRepository,
                "{pattern}"
            );
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
        assert_eq!(
            ImageGlob::parse("ghcr.io/***").unwrap_err(),
            GlobError::ThreeStars
        );
        assert!(matches!(
            ImageGlob::parse(&"a".repeat(600)),
            Err(GlobError::TooLong { found: 600, .. })
        ));
    }

    #[test]
    fn a_pattern_made_to_backtrack_costs_no_more_than_its_length_times_the_names() {
        let pattern = Glob::parse(&"*a".repeat(250)).unwrap();
        let name = "a".repeat(4000);
        assert!(pattern.matches(&name));
        assert!(!pattern.matches(&format!("{name}b")));
    }

    #[test]
    fn agrees_with_a_plain_backtracking_matcher() {
        fn slow(pattern: &[u8], text: &[u8]) -> bool {
            match pattern {
                [] => text.is_empty(),
                [b'*', b'*', rest @ ..] => (0..=text.len()).any(|n| slow(rest, &text[n..])),
                [b'*', rest @ ..] => {
                    let end = text.iter().position(|c| *c == b'/').unwrap_or(text.len());
                    (0..=end).any(|n| slow(rest, &text[n..]))
                }
                [c, rest @ ..] => text.first() == Some(c) && slow(rest, &text[1..]),
            }
        }
        proptest::proptest!(|(pattern in "[ab/*]{0,8}", text in "[ab/]{0,8}")| {
            if let Ok(glob) = Glob::parse(&pattern) {
                proptest::prop_assert_eq!(glob.matches(&text), slow(pattern.as_bytes(), text.as_bytes()));
            }
        });
    }
}
