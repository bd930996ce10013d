//! Package databases of any bytes, at every path that a cataloger reads. The first byte chooses the path.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchmark_sbom::{
    DirectoryEntry, DirectoryEntryKind, DocumentOptions, Inventory, Limits, Subject, cyclonedx, json,
    scan_directory, spdx,
};

const PATHS: [&str; 10] = [
    "var/lib/dpkg/status",
    "var/lib/dpkg/status.d/a",
    "var/lib/dpkg/info/a.list",
    "usr/share/doc/a/copyright",
    "lib/apk/db/installed",
    "app/node_modules/a/package.json",
    "app/package.json",
    "usr/lib/python3/site-packages/a.dist-info/METADATA",
    "etc/os-release",
    "usr/bin/program",
];

/// Gives the other files something to belong to.
const STATUS: &[u8] = b"Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n";

fn file<'a>(path: &str, bytes: &'a [u8]) -> DirectoryEntry<'a> {
    let open = Box::new(move || Ok(Box::new(bytes) as Box<dyn std::io::Read + 'a>));
    let kind = DirectoryEntryKind::File { size: bytes.len() as u64, open };
    DirectoryEntry { path: path.to_owned(), kind }
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, bytes)) = data.split_first() else { return };
    let path = PATHS[usize::from(*choice) % PATHS.len()];
    let limits = Limits::default();
    let entries = [
        file("var/lib/dpkg/status", STATUS),
        file("app/node_modules/b/package.json", b"{}"),
        file(path, bytes),
    ];
    let scan = scan_directory(entries, &limits).unwrap();
    let inventory = Inventory::from_directory(Subject::Directory { name: "fuzz".into() }, scan, &limits);
    for package in inventory.packages() {
        assert!(package.purl.is_none() || package.version.is_some(), "{package:?}");
    }
    for to_json in [cyclonedx::to_json, spdx::to_json, json::to_json] {
        serde_json::from_slice::<serde_json::Value>(&to_json(&inventory, &DocumentOptions::default()))
            .unwrap();
    }
});
