//! What went into a build, as given on a command line: always by digest.

use std::collections::BTreeMap;
use std::str::FromStr;

use touchmark_attestation::ResourceDescriptor;
use touchmark_oci::{Digest, DigestError, ImageName, PinnedRef, ReferenceError};

use crate::{CommitError, CommitId, SourceLocation, SourceUri, SourceUriError};

/// One thing that went into a build.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Material {
    /// An image: `ghcr.io/acme/base:1@sha256:…`.
    Image(PinnedRef),
    /// A file: `NAME=sha256:…`.
    File {
        /// What it is called.
        name: String,
        /// Its digest.
        digest: Digest,
    },
    /// A commit: `git+https://host/path@COMMIT`.
    Git {
        /// The repository.
        uri: SourceUri,
        /// The commit.
        commit: CommitId,
    },
}

impl Material {
    /// The material as it stands in a statement. Images are named by package URL
    /// ([purl-spec, oci](https://github.com/package-url/purl-spec/blob/main/types-doc/oci-definition.md)).
    pub fn to_descriptor(&self) -> ResourceDescriptor {
        match self {
            Self::Image(image) => {
                let uri = Some(image_uri(image));
                ResourceDescriptor { uri, ..ResourceDescriptor::of(image.digest()) }
            }
            Self::File { name, digest } => ResourceDescriptor::of(digest).named(name),
            Self::Git { uri, commit } => git_descriptor(uri.as_download_location(), commit),
        }
    }
}

impl FromStr for Material {
    type Err = MaterialError;

    fn from_str(text: &str) -> Result<Self, MaterialError> {
        if text.starts_with("git+") {
            let location: SourceLocation = text.parse()?;
            let commit = location.git_ref.ok_or(MaterialError::NoCommit)?.parse()?;
            return Ok(Self::Git { uri: location.uri, commit });
        }
        match text.rsplit_once('=') {
            Some(("", _)) => Err(MaterialError::NoName),
            Some((name, digest)) => Ok(Self::File { name: name.to_owned(), digest: digest.parse()? }),
            None => Ok(Self::Image(text.parse()?)),
        }
    }
}

/// A git commit as a statement has it.
pub(crate) fn git_descriptor(uri: String, commit: &CommitId) -> ResourceDescriptor {
    let digest = BTreeMap::from([("gitCommit".to_owned(), commit.to_string())]);
    ResourceDescriptor { uri: Some(uri), digest, ..ResourceDescriptor::default() }
}

fn image_uri(image: &PinnedRef) -> String {
    let ImageName::Repository { registry, repository } = image.name() else {
        return image.to_string();
    };
    let name = repository.rsplit('/').next().unwrap_or(repository);
    let digest = format!("{}%3A{}", image.digest().algorithm().name(), image.digest().hex());
    let tag = image.tag().map(|tag| format!("&tag={tag}")).unwrap_or_default();
    // Neither a repository nor a tag has a character that a package URL's qualifier must escape; a registry's port has.
    format!("pkg:oci/{name}@{digest}?repository_url={}/{repository}{tag}", registry.replace(':', "%3A"))
}

/// Why a text is no material.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MaterialError {
    /// Neither a file, nor a commit, nor an image with a digest.
    #[error("material is not NAME=DIGEST, git+URL@COMMIT, or an image with its digest")]
    Image(#[from] ReferenceError),
    /// A file whose digest is none.
    #[error("material of the form NAME=DIGEST has no valid digest")]
    Digest(#[from] DigestError),
    /// A file without a name.
    #[error("material of the form NAME=DIGEST has no name")]
    NoName,
    /// A git material whose repository is none.
    #[error("material of the form git+URL@COMMIT has no valid repository")]
    Repository(#[from] SourceUriError),
    /// A git material without a commit.
    #[error("material of the form git+URL@COMMIT has no commit")]
    NoCommit,
    /// A git material with a branch or tag: what those point at changes.
    #[error("material of the form git+URL@COMMIT has no full commit id")]
    Commit(#[from] CommitError),
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const COMMIT: &str = "c27d339ee6075c1f744c5d4b200f7901aad2c369";

    fn parse(text: &str) -> Result<Material, MaterialError> {
        text.parse()
    }

    #[test]
    fn an_image_becomes_a_package_url_with_its_digest() {
        let material = parse(&format!("localhost:5000/acme/base:1@sha256:{HEX}")).unwrap().to_descriptor();
        let wanted = format!("pkg:oci/base@sha256%3A{HEX}?repository_url=localhost%3A5000/acme/base&tag=1");
        assert_eq!(material.uri.as_deref(), Some(wanted.as_str()));
        assert!(material.has_digest(&Digest::of(b"")));
        let local = parse(&format!("oci:dir@sha256:{HEX}")).unwrap().to_descriptor();
        assert_eq!(local.uri, Some(format!("oci:dir@sha256:{HEX}")));
    }

    #[test]
    fn a_file_has_its_name_and_digest() {
        let material = parse(&format!("a=b.tar=sha256:{HEX}")).unwrap().to_descriptor();
        assert_eq!(material.name.as_deref(), Some("a=b.tar"));
        assert!(material.has_digest(&Digest::of(b"")));
    }

    #[test]
    fn a_commit_has_its_repository() {
        let material =
            parse(&format!("git+https://github.com/acme/lib.git@{COMMIT}")).unwrap().to_descriptor();
        assert_eq!(material.uri.as_deref(), Some("git+https://github.com/acme/lib"));
        assert_eq!(material.digest.get("gitCommit").map(String::as_str), Some(COMMIT));
    }

    #[test]
    fn rejects_what_has_no_digest() {
        assert!(matches!(parse("ghcr.io/acme/base:1"), Err(MaterialError::Image(_))));
        assert!(matches!(parse("file=sha256:12"), Err(MaterialError::Digest(_))));
        assert_eq!(parse(&format!("=sha256:{HEX}")), Err(MaterialError::NoName));
        assert_eq!(parse("git+https://h/p"), Err(MaterialError::NoCommit));
        assert!(matches!(parse("git+https://h/p@main"), Err(MaterialError::Commit(_))));
        assert!(matches!(parse("git+file:///p@main"), Err(MaterialError::Repository(_))));
    }
}
