//! The inventory: packages, what holds between them, where each was seen, and what could not be read.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use touchmark_oci::{Digest, ImageName, Platform};

use crate::license::License;
use crate::{Distribution, Gap, LayerScan, Limits, assemble};

/// What an image or a directory contains. One connected graph: every package can be reached from [`Element::Subject`].
///
/// Everything in it is ordered, so that one content has one inventory, however and whenever it was scanned.
#[derive(Debug, Clone, PartialEq)]
pub struct Inventory {
    pub(crate) subject: Subject,
    pub(crate) distribution: Option<Distribution>,
    pub(crate) layers: Vec<Option<Digest>>,
    pub(crate) packages: BTreeMap<PackageId, Package>,
    pub(crate) relationships: Vec<Relationship>,
    pub(crate) gaps: Vec<Gap>,
}

impl Inventory {
    /// The inventory of an image from the scans of its layers, lowest first.
    pub fn from_layers(subject: Subject, layers: Vec<LayerScan>, limits: &Limits) -> Self {
        assemble::inventory(subject, layers, limits)
    }

    /// The inventory of a directory from its scan ([`scan_directory`](crate::scan_directory)).
    pub fn from_directory(subject: Subject, scan: LayerScan, limits: &Limits) -> Self {
        assemble::inventory(subject, vec![scan], limits)
    }

    /// What was scanned.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The operating system, by its `os-release` file.
    pub fn distribution(&self) -> Option<&Distribution> {
        self.distribution.as_ref()
    }

    /// Digests of the uncompressed layers, lowest first. Empty for a directory.
    pub fn layers(&self) -> impl Iterator<Item = Option<&Digest>> {
        self.layers.iter().map(Option::as_ref)
    }

    /// The packages, in the order of their identifiers.
    pub fn packages(&self) -> impl ExactSizeIterator<Item = &Package> {
        self.packages.values()
    }

    /// The package with this identifier.
    pub fn package(&self, id: &PackageId) -> Option<&Package> {
        self.packages.get(id)
    }

    /// The edges of the graph, ordered, each once.
    pub fn relationships(&self) -> &[Relationship] {
        &self.relationships
    }

    /// What could not be read. Empty means that nothing in reach of the catalogers was missed.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// Whether nothing in reach of the catalogers was missed.
    pub fn is_complete(&self) -> bool {
        self.gaps.is_empty()
    }
}

/// What an inventory is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Subject {
    /// An image.
    Image(ImageSubject),
    /// A directory.
    Directory {
        /// What to call it. Its path on some machine says nothing to others, so the caller chooses.
        name: String,
    },
}

impl Subject {
    /// The name to show.
    pub fn name(&self) -> &str {
        match self {
            Self::Image(image) => &image.name,
            Self::Directory { name } => name,
        }
    }

    /// The image's digest.
    pub fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Image(image) => Some(&image.digest),
            Self::Directory { .. } => None,
        }
    }
}

/// An image, as documents name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ImageSubject {
    /// Registry and repository, or for a local image the name of its directory or file.
    pub name: String,
    /// Whether `name` is a registry's repository.
    pub in_registry: bool,
    /// Digest of the manifest.
    pub digest: Digest,
    /// The platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// When the image's configuration says it was made, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
}

impl ImageSubject {
    /// The image `name@digest`. Of a local path only the last part is kept: where it lay is not part of what it is.
    pub fn new(name: &ImageName, digest: Digest) -> Self {
        let (text, in_registry) = match name {
            ImageName::Repository { registry, repository } => (format!("{registry}/{repository}"), true),
            ImageName::Layout(path) | ImageName::OciArchive(path) | ImageName::DockerArchive(path) => {
                (last_segment(path).to_owned(), false)
            }
        };
        Self { name: text, in_registry, digest, platform: None, created: None }
    }

    /// Adds the platform.
    #[must_use]
    pub fn with_platform(mut self, platform: &Platform) -> Self {
        self.platform = Some(platform.to_string());
        self
    }

    /// Adds the time from the image's configuration.
    #[must_use]
    pub fn with_created(mut self, created: Option<String>) -> Self {
        self.created = created;
        self
    }
}

fn last_segment(path: &str) -> &str {
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    if last.is_empty() || last == "." || last == ".." { "image" } else { last }
}

/// A stable name for a package within a document: the same package has the same identifier in every inventory and in every format.
///
/// Letters, digits, dots and hyphens only, as SPDX asks
/// ([SPDX 2.3, §7.2](https://spdx.github.io/spdx-spec/v2.3/package-information/#72-package-spdx-identifier-field)).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct PackageId(String);

impl PackageId {
    /// From what identifies the package: its purl, or where it lies when it has none.
    pub(crate) fn new(ecosystem: Ecosystem, name: &str, identity: &str) -> Self {
        let digest = Digest::of(identity.as_bytes());
        let short = digest.hex().get(..16).unwrap_or_default();
        let safe = |c: char| {
            if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }
        };
        let name: String = name.chars().map(safe).take(64).collect();
        Self(format!("{}-{}-{short}", ecosystem.name(), name.trim_matches('-')))
    }

    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PackageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The package manager or language that a package belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Ecosystem {
    /// Debian and its relatives.
    Deb,
    /// Alpine and its relatives.
    Apk,
    /// Node.js.
    Npm,
    /// Python.
    Pypi,
    /// Rust.
    Cargo,
    /// Go.
    Golang,
}

impl Ecosystem {
    /// The name, which is also the type of its package URLs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Apk => "apk",
            Self::Npm => "npm",
            Self::Pypi => "pypi",
            Self::Cargo => "cargo",
            Self::Golang => "golang",
        }
    }
}

/// One package that is installed or built in.
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
}

impl Package {
    /// The layer that brought the package, as far as the evidence tells: the lowest that holds a file about it alone.
    pub fn layer(&self) -> Option<usize> {
        self.evidence.iter().filter_map(|evidence| evidence.layer).min()
    }
}

/// Where a package was seen.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Evidence {
    /// The file, from the root of the image or directory.
    pub path: String,
    /// The layer that the file is in, counted from the lowest, which is 0. None for a directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<usize>,
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

/// One edge of the graph.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Relationship {
    /// The edge's start.
    pub from: Element,
    /// What holds.
    pub kind: RelationshipKind,
    /// The edge's end.
    pub to: PackageId,
}

/// What an edge can start at.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Element {
    /// The image or directory itself.
    Subject,
    /// A package.
    Package(PackageId),
}

/// What holds between two ends of an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RelationshipKind {
    /// The end is a part of the start.
    Contains,
    /// The start needs the end.
    DependsOn,
}
