#![doc = include_str!("../README.md")]

mod archive;
mod assemble;
mod base;
mod catalog;
mod changes;
mod compression;
pub mod cyclonedx;
mod digester;
mod directory;
mod distribution;
mod document;
mod ecosystem;
mod executable;
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
mod purl;
mod rootfs;
mod rpm;
mod scan;
pub mod spdx;
mod sqlite;
mod stanza;
mod stream;
mod xml;
mod zip;

pub use assemble::Assembly;
pub use compression::{Compression, is_encrypted_layer, is_foreign_layer};
pub use directory::{DirectoryEntry, DirectoryEntryKind, FileOpener, scan_directory};
pub use distribution::Distribution;
pub use document::DocumentOptions;
pub use ecosystem::Ecosystem;
pub use gap::{Gap, GapReason};
pub use inventory::{Element, ImageSubject, Inventory, PackageId, Relationship, RelationshipKind, Subject};
pub use license::{License, LicenseRef};
pub use limits::Limits;
pub use package::{
    BaseEvidence, BaseImage, Checksum, ChecksumAlgorithm, Evidence, History, IdentifiedBy, Package, Party,
    RemovedPackage, SourcePackage,
};
pub use scan::{LayerScan, ScanError, scan_layer};
