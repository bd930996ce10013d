//! What several targets do: take an inventory of a directory of a few files, and look whether what always holds does.

use std::io::Read;

use touchmark_sbom::{DirectoryEntry, DirectoryEntryKind, Inventory, Limits, Subject, scan_directory};

/// The inventory of a directory of these files.
///
/// # Panics
/// When the scan fails or a package breaks a promise: every package has evidence, and none has a purl without a version.
pub fn inventory(files: &[(&str, &[u8])]) -> Inventory {
    let limits = Limits::default();
    let entries = files.iter().map(|(path, bytes)| {
        let open = Box::new(move || Ok(Box::new(*bytes) as Box<dyn Read + '_>));
        let kind = DirectoryEntryKind::File { size: bytes.len() as u64, open };
        DirectoryEntry { path: (*path).to_owned(), kind }
    });
    let scan = scan_directory(entries, &limits).unwrap();
    let inventory = Inventory::from_directory(Subject::Directory { name: "fuzz".into() }, scan, &limits);
    for package in inventory.packages() {
        assert!(!package.evidence.is_empty(), "{package:?}");
        assert!(package.purl.is_none() || package.version.is_some(), "{package:?}");
    }
    inventory
}
