//! Lock files and records of installed packages of any bytes. The first byte chooses the path.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchmark_sbom::{DirectoryEntry, DirectoryEntryKind, Inventory, Limits, Subject, scan_directory};

const PATHS: [&str; 26] = [
    "Cargo.lock",
    "Gemfile.lock",
    "Package.resolved",
    "Pipfile.lock",
    "Podfile.lock",
    "a/specifications/a-1.gemspec",
    ".github/workflows/a.yml",
    "bun.lock",
    "composer.lock",
    "conan.lock",
    "conanfile.txt",
    "go.mod",
    "mix.lock",
    "package-lock.json",
    "pdm.lock",
    "pnpm-lock.yaml",
    "poetry.lock",
    "pubspec.lock",
    "pylock.toml",
    "rebar.lock",
    "requirements.txt",
    "uv.lock",
    "vendor/composer/installed.json",
    "yarn.lock",
    "action.yml",
    "npm-shrinkwrap.json",
];

fuzz_target!(|data: &[u8]| {
    let Some((choice, bytes)) = data.split_first() else { return };
    let path = PATHS[usize::from(*choice) % PATHS.len()];
    let limits = Limits::default();
    let open = Box::new(move || Ok(Box::new(bytes) as Box<dyn std::io::Read + '_>));
    let kind = DirectoryEntryKind::File { size: bytes.len() as u64, open };
    let scan = scan_directory([DirectoryEntry { path: path.to_owned(), kind }], &limits).unwrap();
    let inventory = Inventory::from_directory(Subject::Directory { name: "fuzz".into() }, scan, &limits);
    for package in inventory.packages() {
        assert!(package.purl.is_none() || package.version.is_some(), "{package:?}");
    }
});
