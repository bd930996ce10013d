//! What holds for the files of this repository: crates explain themselves, files stay readable, fuzz targets are declared,
//! and no machine's paths are left in the text.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod workspace;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// No file of a crate is longer: past 500 lines it is time to find its seam.
const MAX_LINES: usize = 800;

/// Larger files are data.
const MAX_TEXT_BYTES: u64 = 1024 * 1024;

/// What tools fill: folders, but in a worktree `.git` is a file.
const NOT_OURS: [&str; 5] = [".git", "artifacts", "corpus", "node_modules", "target"];

/// Paths of the machines that the project is built on; written apart so that this file is not its own finding.
const MACHINE_PATHS: [&str; 2] = [concat!("/wo", "rk/"), concat!(".lib", "rary/")];

#[test]
fn every_crate_has_a_readme_that_is_its_documentation() {
    for folder in crate_folders() {
        let readme = fs::read_to_string(folder.join("README.md")).unwrap_or_default();
        assert!(readme.lines().count() >= 3, "{} has no README.md that says what it is", folder.display());
        let library = folder.join("src/lib.rs");
        if library.exists() {
            let source = fs::read_to_string(&library).unwrap();
            assert!(source.contains(r#"#![doc = include_str!("../README.md")]"#), "{}", library.display());
        }
    }
}

#[test]
fn the_map_names_every_crate_and_no_other() {
    let map = fs::read_to_string(workspace::root().join("crates/README.md")).unwrap();
    let named: BTreeSet<&str> = map.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let folders = crate_folders();
    let present: BTreeSet<&str> = folders.iter().map(|folder| name(folder)).collect();
    assert_eq!(named, present);
}

#[test]
fn no_file_of_a_crate_is_too_long_to_read() {
    let long: Vec<String> = files(&workspace::root().join("crates"))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| (fs::read_to_string(&path).unwrap().lines().count(), path))
        .filter(|(lines, _)| *lines > MAX_LINES)
        .map(|(lines, path)| format!("{}: {lines} lines", path.display()))
        .collect();
    assert_eq!(long, Vec::<String>::new());
}

#[test]
fn fuzz_targets_are_files_and_files_are_fuzz_targets() {
    let metadata = workspace::metadata("fuzz/Cargo.toml", &["--no-deps"]);
    let declared: BTreeSet<PathBuf> = metadata["packages"][0]["targets"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|target| target["kind"] == Value::from(vec!["bin"]))
        .map(|target| PathBuf::from(target["src_path"].as_str().unwrap()))
        .collect();
    let present: BTreeSet<PathBuf> =
        files(&workspace::root().join("fuzz/fuzz_targets")).into_iter().collect();
    assert_eq!(declared, present);
    assert!(!present.is_empty());
}

#[test]
fn every_dependency_has_its_reason() {
    let manifest = fs::read_to_string(workspace::root().join("Cargo.toml")).unwrap();
    let reasons = fs::read_to_string(workspace::root().join("docs/dependencies.md")).unwrap();
    let foreign = foreign_dependencies(&manifest);
    assert!(foreign.contains(&"serde"), "no dependencies were found");
    let without: Vec<&str> =
        foreign.into_iter().filter(|name| !reasons.contains(&format!("`{name}`"))).collect();
    assert_eq!(without, Vec::<&str>::new());
}

#[test]
fn every_dependency_is_used() {
    let manifest = fs::read_to_string(workspace::root().join("Cargo.toml")).unwrap();
    let metadata = workspace::metadata("Cargo.toml", &["--no-deps"]);
    let packages = metadata["packages"].as_array().unwrap();
    let used: BTreeSet<&str> = packages
        .iter()
        .flat_map(|package| package["dependencies"].as_array().unwrap())
        .map(|dependency| dependency["name"].as_str().unwrap())
        .collect();
    let unused: Vec<&str> =
        foreign_dependencies(&manifest).into_iter().filter(|name| !used.contains(name)).collect();
    assert_eq!(unused, Vec::<&str>::new());
}

#[test]
fn no_machine_path_is_in_the_text() {
    let found: Vec<String> = files(&workspace::root())
        .into_iter()
        .filter(|path| fs::metadata(path).is_ok_and(|metadata| metadata.len() <= MAX_TEXT_BYTES))
        .filter_map(|path| fs::read_to_string(&path).ok().map(|text| (path, text)))
        .flat_map(|(path, text)| {
            machine_paths(&text).into_iter().map(move |line| format!("{}:{line}", path.display()))
        })
        .collect();
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn a_machine_path_is_found_with_its_line() {
    let text = format!("fine\nsee {}main\n", MACHINE_PATHS[0]);
    assert_eq!(machine_paths(&text), [2]);
    assert!(machine_paths("src/framework/file and /homework").is_empty());
}

/// The names in `[workspace.dependencies]`, without the workspace's own crates.
fn foreign_dependencies(manifest: &str) -> Vec<&str> {
    manifest
        .lines()
        .skip_while(|line| *line != "[workspace.dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name)
        .filter(|name| !name.starts_with("touchmark-") && !name.starts_with('#'))
        .collect()
}

/// The numbers of the lines that name a machine's path.
fn machine_paths(text: &str) -> Vec<usize> {
    text.lines()
        .zip(1..)
        .filter(|(line, _)| MACHINE_PATHS.iter().any(|path| line.contains(path)))
        .map(|(_, number)| number)
        .collect()
}

fn crate_folders() -> Vec<PathBuf> {
    let crates = workspace::root().join("crates");
    let entries = fs::read_dir(crates).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.join("Cargo.toml").exists()).collect();
    folders.sort();
    folders
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap()
}

/// All regular files under `folder`, without what tools left there.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if NOT_OURS.contains(&name(&entry.path())) {
            continue;
        }
        if kind.is_dir() {
            found.extend(files(&entry.path()));
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    found.sort();
    found
}
