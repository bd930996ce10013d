//! Databases of package managers of operating systems, of any bytes. The first byte chooses the path.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchmark_sbom::{DirectoryEntry, DirectoryEntryKind, Inventory, Limits, Subject, scan_directory};

const PATHS: [&str; 8] = [
    "var/lib/rpm/rpmdb.sqlite",
    "var/lib/rpm/Packages.db",
    "var/lib/rpm/Packages",
    "var/lib/rpmmanifest/container-manifest-2",
    "var/lib/pacman/local/a-1/desc",
    "opt/conda/conda-meta/a.json",
    "nix/var/nix/db/db.sqlite",
    "usr/bin/openssl",
];

/// What a format starts with, so that the bytes come to something.
const STARTS: [&[u8]; 8] = [b"SQLite format 3\0", b"RpmP", b"", b"", b"%NAME%\na\n\n", b"{\"name\":\"a\",", b"SQLite format 3\0", b"MZ"];

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else { return };
    let choice = usize::from(*choice);
    let bytes = [STARTS[choice % PATHS.len()], rest].concat();
    let limits = Limits::default();
    let open: touchmark_sbom::FileOpener<'_> =
        Box::new(|| Ok(Box::new(bytes.as_slice()) as Box<dyn std::io::Read + '_>));
    let kind = DirectoryEntryKind::File { size: bytes.len() as u64, open };
    let entry = DirectoryEntry { path: PATHS[choice % PATHS.len()].into(), kind };
    let scan = scan_directory([entry], &limits).unwrap();
    let inventory = Inventory::from_directory(Subject::Directory { name: "fuzz".into() }, scan, &limits);
    for package in inventory.packages() {
        assert!(package.purl.is_none() || package.version.is_some(), "{package:?}");
    }
});
