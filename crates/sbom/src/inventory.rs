//! The inventory: packages, what holds between them, where each was seen, and what could not be read.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use touchmark_oci::{Digest, ImageName, Platform};

use crate::{
    Assembly, BaseImage, Distribution, Ecosystem, Gap, GapReason, LayerScan, Limits, Package, RemovedPackage,
    assemble,
};

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
    pub(crate) removed: Vec<RemovedPackage>,
    pub(crate) base: Option<BaseImage>,
    pub(crate) gaps: Vec<Gap>,
}

impl Inventory {
    /// The inventory of an image from the scans of its layers, lowest first.
    pub fn from_layers(subject: Subject, layers: Vec<LayerScan>, limits: &Limits) -> Self {
        let mut assembly = Assembly::new(limits);
        layers.into_iter().for_each(|layer| assembly.add(layer));
        assembly.finish(subject)
    }

    /// The inventory of a directory from its scan ([`scan_directory`](crate::scan_directory)).
    pub fn from_directory(subject: Subject, scan: LayerScan, limits: &Limits) -> Self {
        assemble::directory(subject, scan, limits)
    }

    /// The inventory of a single file from the scan of a directory with nothing else in it. That no packages are known to be in such a file
    /// is a gap, not an empty inventory.
    pub fn from_file(subject: Subject, scan: LayerScan, limits: &Limits) -> Self {
        let is_known = !scan.kept.is_empty();
        let mut inventory = assemble::directory(subject, scan, limits);
        if !is_known && inventory.gaps.is_empty() {
            inventory.gaps.push(Gap { path: None, layer: None, reason: GapReason::NotRecognised });
        }
        inventory
    }

    /// Says which image this one was built on, and marks the packages that come from it unchanged.
    #[must_use]
    pub fn with_base(mut self, base: BaseImage) -> Self {
        for history in self.packages.values_mut().filter_map(|package| package.history.as_mut()) {
            let last = history.changed.last().copied().unwrap_or(history.introduced);
            history.in_base = last < base.layers;
        }
        self.base = Some(base);
        self
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

    /// The packages that a layer brought and a later one took away, ordered. A package that was replaced by another version
    /// of itself is not among them.
    pub fn removed(&self) -> &[RemovedPackage] {
        &self.removed
    }

    /// The image that this one was built on, if that is known.
    pub fn base(&self) -> Option<&BaseImage> {
        self.base.as_ref()
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
    /// A single file.
    File {
        /// Its name, without the directories that it lies in.
        name: String,
        /// Digest of its bytes.
        digest: Digest,
    },
}

impl Subject {
    /// The name to show.
    pub fn name(&self) -> &str {
        match self {
            Self::Image(image) => &image.name,
            Self::Directory { name } | Self::File { name, .. } => name,
        }
    }

    /// The image's or the file's digest.
    pub fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Image(image) => Some(&image.digest),
            Self::File { digest, .. } => Some(digest),
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
