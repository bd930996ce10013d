#![doc = include_str!("../README.md")]

mod archive;
mod assemble;
mod catalog;
mod changes;
mod convert;
pub mod cyclonedx;
mod diff;
mod directory;
mod distribution;
mod document;
mod ecosystem;
mod executable;
mod format;
mod gap;
mod inventory;
pub mod json;
mod license;
mod limits;
mod package;
mod party;
mod path;
mod project;
mod purl;
mod read;
mod rootfs;
mod sbom_document;
mod scan;
pub mod spdx;
mod spdx3;
mod stanza;
mod stream;
mod vocabulary;

pub use convert::{Converted, LeftOut};
pub use diff::{Change, Changed, Item, SbomDiff};
pub use directory::{DirectoryEntry, DirectoryEntryKind, FileOpener, scan_directory};
pub use distribution::Distribution;
pub use document::DocumentOptions;
pub use ecosystem::Ecosystem;
pub use format::{CycloneDxVersion, Format, SpdxVersion, UnknownFormat};
pub use gap::{Gap, GapReason};
pub use inventory::{Element, ImageSubject, Inventory, PackageId, Relationship, RelationshipKind, Subject};
pub use license::{License, LicenseRef};
pub use limits::Limits;
pub use package::{
    BaseEvidence, BaseImage, Checksum, ChecksumAlgorithm, Evidence, History, IdentifiedBy, Package, Party,
    RemovedPackage, SourcePackage,
};
pub use read::{JsonError, Problem, ReadError, ReadLimits, XmlError};
pub use sbom_document::{Component, Edge, Identity, Occurrence, Property, SbomDocument};
pub use scan::{Compression, LayerScan, ScanError, scan_layer};
pub use vocabulary::{ComponentKind, HashAlgorithm};
