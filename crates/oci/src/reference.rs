//! Image references: where an image is, as text.
//!
//! `[REGISTRY/]REPO[:TAG][@DIGEST]` by the distribution grammar
//! ([reference.go](https://github.com/distribution/reference/blob/v0.6.0/reference.go)), and the transports that skopeo writes
//! ([containers-transports(5)](https://github.com/containers/image/blob/v5.34.0/docs/containers-transports.5.md)):
//! `oci:DIR[:TAG][@DIGEST]`, `oci-archive:FILE[:TAG]`, `docker-archive:FILE[:TAG]`. As there, the path ends at the first colon.

use std::fmt;
use std::str::FromStr;

use oci_spec::distribution::{ParseError, Reference};

use crate::digest::excerpt;
use crate::{Digest, DigestError};

/// References longer than this are refused unread: 255 bytes of repository, a host name, 128 of tag, 135 of digest, or a long path.
const MAX_BYTES: usize = 4096;

/// Where an image lives, without saying which one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ImageName {
    /// A repository of a registry.
    Repository {
        /// Host with optional port, such as `docker.io` or `127.0.0.1:5000`.
        registry: String,
        /// Path within the registry, such as `library/debian`.
        repository: String,
    },
    /// An OCI image layout directory.
    Layout(String),
    /// An OCI image layout in a tar archive.
    OciArchive(String),
    /// A tar archive as `docker save` writes it.
    DockerArchive(String),
}

impl ImageName {
    /// The registry host, for a repository.
    pub fn registry(&self) -> Option<&str> {
        match self {
            Self::Repository { registry, .. } => Some(registry),
            _ => None,
        }
    }

    /// The path within the registry, for a repository.
    pub fn repository(&self) -> Option<&str> {
        match self {
            Self::Repository { repository, .. } => Some(repository),
            _ => None,
        }
    }

    /// This name with a digest.
    pub fn pin(&self, digest: Digest) -> PinnedRef {
        PinnedRef { name: self.clone(), tag: None, digest }
    }

    /// This name with a tag.
    pub fn tagged(&self, tag: Tag) -> ImageRef {
        ImageRef { name: self.clone(), tag: Some(tag), digest: None }
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repository { registry, repository } => write!(f, "{registry}/{repository}"),
            Self::Layout(path) => write!(f, "oci:{path}"),
            Self::OciArchive(path) => write!(f, "oci-archive:{path}"),
            Self::DockerArchive(path) => write!(f, "docker-archive:{path}"),
        }
    }
}

/// A tag: a letter, digit or underscore, then up to 127 of those, dots and hyphens
/// ([distribution-spec 1.1, "Pulling manifests"](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests)).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(String);

impl Tag {
    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tag under which evidence about `digest` is kept: `sha256-<hex>` and a suffix, such as `.sig`, or none for the
    /// referrers tag
    /// ([distribution-spec 1.1, "Referrers Tag Schema"](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema):
    /// algorithm and value cut to 32 and 64 characters).
    ///
    /// # Errors
    /// [`ReferenceError::Tag`] when the suffix makes it no tag.
    pub fn for_digest(digest: &Digest, suffix: &str) -> Result<Self, ReferenceError> {
        let value = digest.hex().get(..64).unwrap_or(digest.hex());
        format!("{}-{value}{suffix}", digest.algorithm().name()).parse()
    }
}

impl FromStr for Tag {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let fits = text.len() <= 128
            && text.bytes().next().is_some_and(word)
            && text.bytes().all(|b| word(b) || b == b'.' || b == b'-');
        if fits { Ok(Self(text.to_owned())) } else { Err(ReferenceError::Tag { text: excerpt(text) }) }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A well-formed image reference. With a tag it names whatever the tag points at now.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ImageRef {
    name: ImageName,
    tag: Option<Tag>,
    digest: Option<Digest>,
}

impl ImageRef {
    /// Where the image lives.
    pub fn name(&self) -> &ImageName {
        &self.name
    }

    /// The tag. A repository without tag and digest has `latest`.
    pub fn tag(&self) -> Option<&Tag> {
        self.tag.as_ref()
    }

    /// The digest. It wins over the tag.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The same tag and digest, elsewhere.
    #[must_use]
    pub fn with_name(&self, name: ImageName) -> Self {
        Self { name, tag: self.tag.clone(), digest: self.digest.clone() }
    }

    /// This reference with `digest`; a tag stays as a note.
    pub fn pin(&self, digest: Digest) -> PinnedRef {
        PinnedRef { name: self.name.clone(), tag: self.tag.clone(), digest }
    }

    /// The reference as pinned, when it has a digest.
    pub fn as_pinned(&self) -> Option<PinnedRef> {
        self.digest.clone().map(|digest| self.pin(digest))
    }
}

impl FromStr for ImageRef {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text.len() > MAX_BYTES {
            return Err(ReferenceError::TooLong { found: text.len(), limit: MAX_BYTES });
        }
        match text.split_once(':') {
            Some(("oci", rest)) => parse_local(rest, ImageName::Layout),
            Some(("oci-archive", rest)) => parse_local(rest, ImageName::OciArchive),
            Some(("docker-archive", rest)) => parse_local(rest, ImageName::DockerArchive),
            _ => parse_repository(text),
        }
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_reference(f, &self.name, self.tag.as_ref(), self.digest.as_ref())
    }
}

/// A reference that names exactly one thing, for ever: it has a digest.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PinnedRef {
    name: ImageName,
    tag: Option<Tag>,
    digest: Digest,
}

impl PinnedRef {
    /// Where the image lives.
    pub fn name(&self) -> &ImageName {
        &self.name
    }

    /// The tag that it was asked for by, if any. Says nothing about where the tag points now.
    pub fn tag(&self) -> Option<&Tag> {
        self.tag.as_ref()
    }

    /// The digest.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// As a reference like any other.
    pub fn to_image_ref(&self) -> ImageRef {
        ImageRef { name: self.name.clone(), tag: self.tag.clone(), digest: Some(self.digest.clone()) }
    }
}

impl FromStr for PinnedRef {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let image: ImageRef = text.parse()?;
        image.as_pinned().ok_or_else(|| ReferenceError::NotPinned { text: excerpt(text) })
    }
}

impl fmt::Display for PinnedRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_reference(f, &self.name, self.tag.as_ref(), Some(&self.digest))
    }
}

/// Why a text is no image reference.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// Longer than any reference needs to be.
    #[error("image reference has {found} bytes, the limit is {limit}")]
    TooLong {
        /// Bytes found.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// Not by the distribution grammar.
    #[error("{text:?} is not an image reference")]
    Grammar {
        /// The text, shortened.
        text: String,
        /// What the grammar objects to.
        source: ParseError,
    },
    /// A transport prefix with no path after it.
    #[error("image reference names no path after its transport, expected such as oci:DIR:TAG")]
    NoPath,
    /// Not a tag.
    #[error("{text:?} is not a tag, expected up to 128 letters, digits, '_', '.' or '-'")]
    Tag {
        /// The text, shortened.
        text: String,
    },
    /// A digest that does not parse.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// A reference without a digest where one is needed.
    #[error("{text:?} has no digest, expected NAME@sha256:…")]
    NotPinned {
        /// The text, shortened.
        text: String,
    },
}

fn parse_repository(text: &str) -> Result<ImageRef, ReferenceError> {
    let grammar = |source| ReferenceError::Grammar { text: excerpt(text), source };
    let reference = Reference::try_from(text).map_err(grammar)?;
    // In `Acme/app`, container runtimes take `Acme` for a host (splitDockerDomain in reference.go), `oci-spec` for a part of Docker
    // Hub's path. What means two things is no reference, and a repository has no capitals in either reading.
    if reference.repository().bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(grammar(ParseError::NameContainsUppercase));
    }
    let name = ImageName::Repository {
        registry: reference.registry().to_owned(),
        repository: reference.repository().to_owned(),
    };
    let tag = reference.tag().map(str::parse).transpose()?;
    let digest = reference.digest().map(str::parse).transpose()?;
    Ok(ImageRef { name, tag, digest })
}

fn parse_local(rest: &str, name: fn(String) -> ImageName) -> Result<ImageRef, ReferenceError> {
    let (rest, digest) = split_digest(rest)?;
    let (path, tag) = match rest.split_once(':') {
        Some((path, tag)) => (path, Some(tag.parse()?)),
        None => (rest, None),
    };
    if path.is_empty() {
        return Err(ReferenceError::NoPath);
    }
    Ok(ImageRef { name: name(path.to_owned()), tag, digest })
}

/// Splits `@algorithm:hex` off the end. An `@` that no colon follows is part of the path.
fn split_digest(text: &str) -> Result<(&str, Option<Digest>), ReferenceError> {
    match text.rsplit_once('@') {
        Some((head, tail)) if tail.contains(':') && !tail.contains('/') => Ok((head, Some(tail.parse()?))),
        _ => Ok((text, None)),
    }
}

fn write_reference(
    f: &mut fmt::Formatter<'_>,
    name: &ImageName,
    tag: Option<&Tag>,
    digest: Option<&Digest>,
) -> fmt::Result {
    write!(f, "{name}")?;
    if let Some(tag) = tag {
        write!(f, ":{tag}")?;
    }
    match digest {
        Some(digest) => write!(f, "@{digest}"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn parse(text: &str) -> ImageRef {
        text.parse().unwrap()
    }

    #[test]
    fn a_bare_name_is_docker_hubs_latest() {
        assert_eq!(parse("debian").to_string(), "docker.io/library/debian:latest");
    }

    #[test]
    fn every_form_is_written_as_it_is_read() {
        for text in [
            "ghcr.io/acme/app:1.4".to_owned(),
            format!("127.0.0.1:5000/a/b@sha256:{HEX}"),
            format!("ghcr.io/acme/app:1.4@sha256:{HEX}"),
            "oci:some/dir".to_owned(),
            "oci:some/dir:v1".to_owned(),
            format!("oci:/abs/dir@sha256:{HEX}"),
            format!("oci:/abs/dir:v1@sha256:{HEX}"),
            "oci-archive:a.tar:v1".to_owned(),
            "docker-archive:/tmp/a.tar".to_owned(),
        ] {
            assert_eq!(parse(&text).to_string(), text);
        }
    }

    #[test]
    fn a_repository_with_capitals_is_refused_since_readers_disagree_where_it_is() {
        for text in ["Acme/app:1", "Acme/app/x", "ghcr.io/Acme/app", "a/B/c"] {
            let error = text.parse::<ImageRef>().unwrap_err();
            assert!(matches!(error, ReferenceError::Grammar { .. }), "{text}");
        }
    }

    #[test]
    fn an_at_sign_in_a_path_is_part_of_the_path() {
        assert_eq!(parse("oci:dir@home/x:v1").name(), &ImageName::Layout("dir@home/x".into()));
    }

    #[test]
    fn a_digest_pins() {
        let text = format!("ghcr.io/a/b@sha256:{HEX}");
        assert_eq!(parse(&text).as_pinned().unwrap().digest().hex(), HEX);
        assert!(matches!("ghcr.io/a/b:1".parse::<PinnedRef>(), Err(ReferenceError::NotPinned { .. })));
    }

    #[test]
    fn evidence_tags_follow_the_tag_schema() {
        let digest = Digest::of(b"");
        assert_eq!(Tag::for_digest(&digest, ".sig").unwrap().as_str(), format!("sha256-{HEX}.sig"));
        let long = Digest::of_with(crate::Algorithm::Sha512, b"");
        assert_eq!(Tag::for_digest(&long, "").unwrap().as_str().len(), "sha512-".len() + 64);
    }

    #[test]
    fn rejects_what_the_grammar_does_not_have() {
        for text in ["", "ghcr.io/UPPER", "a b", "ghcr.io/a:tag with space", "-a/b", "ghcr.io//b"] {
            assert!(matches!(text.parse::<ImageRef>(), Err(ReferenceError::Grammar { .. })), "{text:?}");
        }
    }

    #[test]
    fn rejects_upper_case_hex_in_a_digest() {
        let text = format!("ghcr.io/a/b@sha256:{}", HEX.to_uppercase());
        assert!(matches!(text.parse::<ImageRef>(), Err(ReferenceError::Digest(_))));
    }

    #[test]
    fn rejects_a_transport_without_a_path_a_bad_tag_and_a_long_text() {
        assert_eq!("oci:".parse::<ImageRef>().unwrap_err(), ReferenceError::NoPath);
        assert!(matches!("oci:dir:-bad".parse::<ImageRef>(), Err(ReferenceError::Tag { .. })));
        assert!(matches!("a".repeat(5000).parse::<ImageRef>(), Err(ReferenceError::TooLong { .. })));
    }
}
