//! Lock files and installed packages as real package managers wrote them (`testdata/source-trees`), against what those package
//! managers say they have.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use touchmark_sbom::{
    DirectoryEntry, DirectoryEntryKind, Element, Inventory, Limits, Subject, scan_directory,
};

fn trees() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/source-trees")
}

fn walk(top: &Path, below: &str, entries: &mut Vec<DirectoryEntry<'static>>) {
    for entry in fs::read_dir(top.join(below)).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        let full = top.join(&path);
        if full.is_dir() {
            walk(top, &path, entries);
        } else {
            let size = full.metadata().unwrap().len();
            let open = Box::new(move || Ok(Box::new(fs::File::open(full)?) as Box<dyn Read>));
            entries.push(DirectoryEntry { path, kind: DirectoryEntryKind::File { size, open } });
        }
    }
}

/// The inventory of those files of a tree that `wanted` names; all when it is empty.
fn inventory(tree: &str, wanted: &str) -> Inventory {
    let mut entries = Vec::new();
    walk(&trees().join(tree), "", &mut entries);
    entries.retain(|entry| entry.path.ends_with(wanted));
    let scan = scan_directory(entries, &Limits::default()).unwrap();
    Inventory::from_directory(Subject::Directory { name: tree.to_owned() }, scan, &Limits::default())
}

fn expected(tree: &str) -> BTreeSet<String> {
    fs::read_to_string(trees().join(tree).join("packages.txt")).unwrap().lines().map(str::to_owned).collect()
}

fn found(inventory: &Inventory) -> BTreeSet<String> {
    let locked = inventory.packages().filter(|package| !package.is_application);
    locked.map(|package| format!("{} {}", package.name, package.version.as_deref().unwrap_or("-"))).collect()
}

fn has_edge(inventory: &Inventory, from: &str, to: &str) -> bool {
    let named = |id| inventory.package(id).map(|package| package.name.as_str());
    inventory.relationships().iter().any(|edge| {
        matches!(&edge.from, Element::Package(id) if named(id) == Some(from)) && named(&edge.to) == Some(to)
    })
}

#[test]
fn every_package_manager_agrees_with_us() {
    let files = [
        ("npm", "package-lock.json"),
        ("yarn-1", "yarn.lock"),
        ("yarn-4", "yarn.lock"),
        ("pnpm", "pnpm-lock.yaml"),
        ("bun", "bun.lock"),
        ("uv", "uv.lock"),
        ("uv", "pylock.toml"),
        ("pipenv", "Pipfile.lock"),
        ("pip-tools", "requirements.txt"),
        ("bundler", "Gemfile.lock"),
        ("installed", ".gemspec"),
        ("composer", "composer.lock"),
        ("composer", "installed.json"),
        ("cargo", "Cargo.lock"),
    ];
    for (tree, file) in files {
        let inventory = inventory(tree, file);
        assert_eq!(inventory.gaps(), [], "{tree}/{file}");
        assert_eq!(found(&inventory), expected(tree), "{tree}/{file}");
    }
}

#[test]
fn edges_are_those_that_the_files_have() {
    for tree in ["npm", "yarn-1", "yarn-4", "pnpm", "bun"] {
        let inventory = inventory(tree, "");
        assert!(has_edge(&inventory, "@types/node", "undici-types"), "{tree}");
        // Two versions of `ms`: `debug` needs the older one.
        let debug = inventory.packages().find(|package| package.name == "debug").unwrap();
        let needed =
            inventory.relationships().iter().filter(|edge| edge.from == Element::Package(debug.id.clone()));
        let versions: Vec<_> =
            needed.map(|edge| inventory.package(&edge.to).unwrap().version.as_deref()).collect();
        assert_eq!(versions, [Some("2.1.2")], "{tree}");
    }
    for (tree, from, to) in [
        ("uv", "flask", "werkzeug"),
        ("bundler", "sinatra", "rack-protection"),
        ("installed", "rack-protection", "rack"),
        ("cargo", "serde_derive", "syn"),
    ] {
        assert!(has_edge(&inventory(tree, ""), from, to), "{tree}: {from} → {to}");
    }
}

#[test]
fn checksums_are_kept_where_they_are_of_the_package() {
    let with_checksum = |tree, name: &str| {
        let inventory = inventory(tree, "");
        let package = inventory.packages().find(|package| package.name == name).unwrap();
        package.checksums.first().map(|checksum| checksum.hex.clone())
    };
    let debug = with_checksum("npm", "debug").unwrap();
    for tree in ["yarn-1", "pnpm", "bun"] {
        assert_eq!(with_checksum(tree, "debug").as_ref(), Some(&debug), "{tree}");
    }
    assert_eq!(with_checksum("yarn-4", "debug"), None, "Yarn's checksum is of an archive of its own");
    assert!(with_checksum("cargo", "hex").is_some());
}
