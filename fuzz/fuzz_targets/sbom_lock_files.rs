//! Lock files and project files of any bytes, at every path that a cataloger of source trees reads. The first byte chooses the path.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchmark_sbom::{DirectoryEntry, DirectoryEntryKind, Inventory, Limits, Subject, scan_directory};

const PATHS: [&str; 16] = [
    "a/A.deps.json",
    "a/packages.lock.json",
    "a/obj/project.assets.json",
    "a/packages.config",
    "a/A.csproj",
    "Directory.Packages.props",
    "a/pom.xml",
    "a/gradle.lockfile",
    "usr/share/maven-repo/g/a/1/a-1.pom",
    "a/META-INF/maven/g/a/pom.properties",
    "a/Cargo.lock",
    "a/go.mod",
    "a/package-lock.json",
    "a/pnpm-lock.yaml",
    "a/yarn.lock",
    "a/bun.lock",
];

/// Asks for versions that stand elsewhere.
const PROJECT: &[u8] = b"<Project><ItemGroup><PackageReference Include='A'/></ItemGroup></Project>";

fn file<'a>(path: &str, bytes: &'a [u8]) -> DirectoryEntry<'a> {
    let open = Box::new(move || Ok(Box::new(bytes) as Box<dyn std::io::Read + 'a>));
    let kind = DirectoryEntryKind::File { size: bytes.len() as u64, open };
    DirectoryEntry { path: path.to_owned(), kind }
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, bytes)) = data.split_first() else { return };
    let path = PATHS[usize::from(*choice) % PATHS.len()];
    let limits = Limits::default();
    let scan = scan_directory([file("b/B.csproj", PROJECT), file(path, bytes)], &limits).unwrap();
    let inventory = Inventory::from_directory(Subject::Directory { name: "fuzz".into() }, scan, &limits);
    for package in inventory.packages() {
        assert!(package.purl.is_none() || package.version.is_some(), "{package:?}");
    }
});
