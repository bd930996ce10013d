#![doc = include_str!("../README.md")]

mod archive;
mod assemble;
mod base;
mod bundle;
mod catalog;
mod changes;
mod compression;
mod convert;
pub mod cyclonedx;
mod diff;
mod digester;
mod directory;
mod distribution;
mod document;
mod ecosystem;
mod elements;
mod executable;
mod format;
mod gap;
mod history;
mod inventory;
mod java;
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
mod rpm;
mod sbom_document;
mod scan;
pub mod spdx;
mod spdx3;
mod sqlite;
mod stanza;
mod store;
mod stream;
mod vocabulary;
mod zip;

pub use assemble::Assembly;
pub use compression::{Compression, is_encrypted_layer, is_foreign_layer};
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
pub use scan::{LayerScan, ScanError, scan_layer};
pub use vocabulary::{ComponentKind, HashAlgorithm};
