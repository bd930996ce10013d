//! A package: what identifies it, how that was established, and what it says of itself.

use std::fmt;

use serde::Serialize;
use touchmark_oci::Digest;

use crate::license::License;
use crate::{Ecosystem, PackageId};

/// One package that is installed, built in, or, in a source tree, locked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Package {
    /// Its stable name within documents.
    pub id: PackageId,
    /// Where it comes from.
    pub ecosystem: Ecosystem,
    /// Whether it is a program of its own rather than a part of others.
    pub is_application: bool,
    /// Its name, with scope or group, as its package manager writes it.
    pub name: String,
    /// Its version, as its package manager writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its canonical package URL. A package without a version has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purl: Option<String>,
    /// How its name and version were established.
    pub identified_by: IdentifiedBy,
    /// Names in the CPE dictionary's form (CPE 2.3, NISTIR 7695), where the package itself gives reason for them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cpes: Vec<String>,
    /// Checksums of the package as it was delivered, as recorded by its package manager. Ordered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checksums: Vec<Checksum>,
    /// Its licence, as declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<License>,
    /// Who is behind it, as declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supplier: Option<Party>,
    /// Its home page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    /// What it is, in one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The source package that it was built from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<SourcePackage>,
    /// The architecture, in its package manager's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// The files that say it is there, the decisive one first.
    pub evidence: Vec<Evidence>,
    /// The files that its package manager says it owns.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// The layers that brought and changed it. None for a directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
}

impl Package {
    /// A package that one file speaks of. `purl` is its identity, or, when it has none, that file's path.
    pub(crate) fn new(
        ecosystem: Ecosystem,
        name: &str,
        version: Option<&str>,
        purl: Option<String>,
        evidence: Evidence,
    ) -> Self {
        let id = match &purl {
            Some(purl) => PackageId::new(ecosystem, name, purl),
            None => PackageId::new(ecosystem, name, &format!("{name}\n{}", evidence.path)),
        };
        Self {
            id,
            ecosystem,
            is_application: false,
            name: name.to_owned(),
            version: version.filter(|version| !version.is_empty()).map(str::to_owned),
            purl,
            identified_by: IdentifiedBy::Manifest,
            cpes: Vec::new(),
            checksums: Vec::new(),
            license: None,
            supplier: None,
            homepage: None,
            description: None,
            source: None,
            architecture: None,
            evidence: vec![evidence],
            files: Vec::new(),
            history: None,
        }
    }

    /// The layer that brought the package: the first since which it has been there, or, where that is not known, the lowest
    /// that holds a file about it.
    pub fn layer(&self) -> Option<usize> {
        let seen = || self.evidence.iter().filter_map(|evidence| evidence.layer).min();
        self.history.as_ref().map(|history| history.introduced).or_else(seen)
    }
}

/// How a package's name and version were established, surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum IdentifiedBy {
    /// The package manager's own record of what it installed.
    Database,
    /// Metadata that is delivered with the package or built into it.
    Manifest,
    /// A lock file: what is to be installed, not what is.
    LockFile,
    /// Marks in the bytes of a program.
    Content,
    /// A file's name.
    FileName,
}

impl IdentifiedBy {
    /// How sure that is, from 0 to 1. The figures are a scale of ours: only their order means something.
    pub fn confidence(self) -> f32 {
        match self {
            Self::Database => 1.0,
            Self::Manifest => 0.95,
            Self::LockFile => 0.9,
            Self::Content => 0.7,
            Self::FileName => 0.4,
        }
    }

    /// The technique, in the words of CycloneDX 1.5 and later (`evidence.identity.methods.technique`).
    pub fn technique(self) -> &'static str {
        match self {
            Self::Database | Self::Manifest | Self::LockFile => "manifest-analysis",
            Self::Content => "binary-analysis",
            Self::FileName => "filename",
        }
    }
}

/// Where a package was seen.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Evidence {
    /// The file, from the root of the image or directory. A file in an archive has the archive's path before it: `a.jar!/b.jar`.
    pub path: String,
    /// The layer that the file is in, counted from the lowest, which is 0. None for a directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<usize>,
}

/// Which layers brought and changed a package, by comparing what is installed after each layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct History {
    /// The layer since which a package of this name has been there without a break, counted from the lowest, which is 0.
    pub introduced: usize,
    /// Later layers that changed it: its version, or its record. Ascending.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<usize>,
    /// Whether it comes from the base image unchanged.
    pub in_base: bool,
}

/// A package that is no longer there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RemovedPackage {
    /// Where it came from.
    pub ecosystem: Ecosystem,
    /// Its name.
    pub name: String,
    /// Its version when it was last there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its package URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purl: Option<String>,
    /// The layer that brought it.
    pub introduced: usize,
    /// The layer that took it away.
    pub removed: usize,
}

/// The image that another was built on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BaseImage {
    /// Its name, where one is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its digest, where one is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// How many of the image's layers are its, counted from the lowest. 0: it is named, and which layers are its is not known.
    pub layers: usize,
    /// How it was recognised.
    pub recognised_by: BaseEvidence,
}

/// How a base image was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum BaseEvidence {
    /// The caller gave the base image, and its layers are the lowest ones of this image.
    Layers,
    /// The manifest's annotations name it (`org.opencontainers.image.base.name` and `.digest`,
    /// [image-spec 1.1, annotations](https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md)).
    Annotations,
    /// The image's history has the marks of a finished image before later steps.
    BuildHistory,
}

/// A checksum of a package.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Checksum {
    /// By which algorithm.
    pub algorithm: ChecksumAlgorithm,
    /// Its value in lower-case hexadecimal digits.
    pub hex: String,
}

impl Checksum {
    /// A checksum of the algorithm's length; none when the text is something else.
    pub fn new(algorithm: ChecksumAlgorithm, hex: &str) -> Option<Self> {
        let hex = hex.trim().to_ascii_lowercase();
        let is_hex = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        (hex.len() == algorithm.hex_digits() && is_hex).then_some(Self { algorithm, hex })
    }
}

/// The algorithms that package managers record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub enum ChecksumAlgorithm {
    /// MD5, 128 bits. Says nothing against an attacker.
    #[serde(rename = "MD5")]
    Md5,
    /// SHA-1, 160 bits. Says little against an attacker.
    #[serde(rename = "SHA-1")]
    Sha1,
    /// SHA-256.
    #[serde(rename = "SHA-256")]
    Sha256,
    /// SHA-384.
    #[serde(rename = "SHA-384")]
    Sha384,
    /// SHA-512.
    #[serde(rename = "SHA-512")]
    Sha512,
}

impl ChecksumAlgorithm {
    /// The algorithm that lock files call so: `sha256`.
    pub(crate) fn from_lock_file(name: &str) -> Option<Self> {
        match name {
            "md5" => Some(Self::Md5),
            "sha1" => Some(Self::Sha1),
            "sha256" => Some(Self::Sha256),
            "sha384" => Some(Self::Sha384),
            "sha512" => Some(Self::Sha512),
            _ => None,
        }
    }

    fn hex_digits(self) -> usize {
        match self {
            Self::Md5 => 32,
            Self::Sha1 => 40,
            Self::Sha256 => 64,
            Self::Sha384 => 96,
            Self::Sha512 => 128,
        }
    }

    /// The name that CycloneDX has for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        }
    }
}

impl fmt::Display for ChecksumAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A person or organisation, as declared by a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "name", rename_all = "lowercase")]
pub enum Party {
    /// A person, with an address where one is given: `Name (address)`.
    Person(String),
    /// An organisation.
    Organization(String),
}

/// A source package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourcePackage {
    /// Its name.
    pub name: String,
    /// Its version, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_has_its_algorithms_length() {
        assert_eq!(Checksum::new(ChecksumAlgorithm::Md5, "abc"), None);
        assert_eq!(Checksum::new(ChecksumAlgorithm::Md5, &"g".repeat(32)), None);
        assert_eq!(Checksum::new(ChecksumAlgorithm::Sha1, &"AB".repeat(20)).unwrap().hex, "ab".repeat(20));
    }
}
