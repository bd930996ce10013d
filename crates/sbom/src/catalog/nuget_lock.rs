//! What a .NET source tree asks for: the lock file `packages.lock.json`
//! ([NuGet, "Locking dependencies"](https://learn.microsoft.com/en-us/nuget/consume-packages/package-references-in-project-files#locking-dependencies)),
//! what the last restore found (`obj/project.assets.json`), `packages.config`, and the references of project files whose version is
//! written out.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::catalog::{Cataloger, Files, Findings, Finds, integrity, nuget, text, without_mark};
use crate::elements::{self, Event};
use crate::rootfs::RootFile;
use crate::{ChecksumAlgorithm, Ecosystem, Evidence, GapReason, IdentifiedBy, Package, PackageId, path};

pub(super) struct NugetLock;

impl Cataloger for NugetLock {
    fn wants(&self, path: &str) -> bool {
        let name = path::split(path).1;
        matches!(name, LOCK | ASSETS | CONFIG | CENTRAL) || project_name(name).is_some()
    }

    fn finds(&self) -> Finds {
        Finds::Locked
    }

    fn catalog(&self, files: &Files<'_>, found: &mut Findings) {
        let mut resolved = BTreeSet::new();
        for (path, file, bytes) in files.wanted() {
            let (directory, name) = path::split(path);
            let is_read = match name {
                LOCK => lock(bytes, &file.evidence(path), found),
                ASSETS => assets(bytes, &file.evidence(path), found),
                CONFIG => config(&text(bytes), &file.evidence(path), found),
                _ => continue,
            };
            match is_read {
                Some(()) => {
                    resolved.insert(directory.strip_suffix("obj").unwrap_or(directory).trim_end_matches('/'))
                }
                None => {
                    found.gap(path, GapReason::Malformed { format: format_name(name) });
                    false
                }
            };
        }
        // What a restore found is more than what a project file asks for.
        for (path, file, bytes) in files.wanted() {
            let (directory, name) = path::split(path);
            if let Some(project) = project_name(name).filter(|_| !resolved.contains(directory)) {
                project_file(project, path, file, &text(bytes), files, found);
            }
        }
    }
}

fn format_name(name: &str) -> &'static str {
    [LOCK, ASSETS].into_iter().find(|known| *known == name).unwrap_or(CONFIG)
}

fn project_name(file: &str) -> Option<&str> {
    [".csproj", ".fsproj", ".vbproj"].iter().find_map(|ending| file.strip_suffix(ending))
}

fn locked(name: &str, version: &str, evidence: &Evidence) -> Package {
    let mut package = nuget::package(name, version, evidence);
    package.identified_by = IdentifiedBy::LockFile;
    package
}

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    dependencies: BTreeMap<String, BTreeMap<String, Locked>>,
}

#[derive(Deserialize)]
struct Locked {
    #[serde(default)]
    resolved: Option<String>,
    #[serde(default, rename = "contentHash")]
    content_hash: Option<String>,
    #[serde(default)]
    dependencies: BTreeMap<String, String>,
}

/// Each framework has its own list.
fn lock(bytes: &[u8], evidence: &Evidence, found: &mut Findings) -> Option<()> {
    let lock: Lock = serde_json::from_slice(without_mark(bytes)).ok()?;
    for listed in lock.dependencies.values() {
        let mut ids = BTreeMap::new();
        for (name, entry) in found.bounded(&evidence.path, listed.iter().collect()) {
            // A project of the same tree has no version.
            let Some(version) = entry.resolved.as_deref() else { continue };
            let mut package = locked(name, version, evidence);
            let sum = entry.content_hash.as_deref();
            package.checksums.extend(sum.and_then(|sum| integrity::base64(ChecksumAlgorithm::Sha512, sum)));
            ids.insert(name.to_ascii_lowercase(), package.id.clone());
            found.packages.push(package);
        }
        for (name, entry) in listed {
            let targets = entry.dependencies.keys().filter_map(|name| ids.get(&name.to_ascii_lowercase()));
            for (from, to) in ids
                .get(&name.to_ascii_lowercase())
                .into_iter()
                .flat_map(|from| targets.clone().map(move |to| (from, to)))
            {
                found.depends(from, to);
            }
        }
    }
    Some(())
}

#[derive(Deserialize)]
struct Assets {
    #[serde(flatten)]
    graph: nuget::Graph,
    #[serde(default)]
    project: Option<Project>,
}

#[derive(Deserialize)]
struct Project {
    #[serde(default)]
    restore: Option<Restore>,
    #[serde(default)]
    frameworks: BTreeMap<String, Framework>,
}

#[derive(Deserialize)]
struct Restore {
    #[serde(default, rename = "projectName")]
    project_name: Option<String>,
}

#[derive(Deserialize)]
struct Framework {
    #[serde(default)]
    dependencies: BTreeMap<String, serde::de::IgnoredAny>,
}

fn assets(bytes: &[u8], evidence: &Evidence, found: &mut Findings) -> Option<()> {
    let assets: Assets = serde_json::from_slice(without_mark(bytes)).ok()?;
    let project = assets.project.as_ref();
    let name = project.and_then(|project| project.restore.as_ref()?.project_name.as_deref());
    let application = name.map(|name| application(name, evidence, found));
    for target in assets.graph.targets.values() {
        let first = found.packages.len();
        let ids = nuget::add(target, &assets.graph.libraries, "", evidence, found);
        for package in found.packages.iter_mut().skip(first) {
            package.identified_by = IdentifiedBy::LockFile;
        }
        let direct = project.into_iter().flat_map(|project| project.frameworks.values());
        for to in direct.flat_map(|framework| framework.dependencies.keys()) {
            if let (Some(from), Some(to)) = (&application, ids.get(&to.to_ascii_lowercase())) {
                found.depends(from, to);
            }
        }
    }
    Some(())
}

fn application(name: &str, evidence: &Evidence, found: &mut Findings) -> PackageId {
    let mut package = Package::new(Ecosystem::Nuget, name, None, None, evidence.clone());
    package.is_application = true;
    let id = package.id.clone();
    found.packages.push(package);
    id
}

/// `<package id="…" version="…"/>`
/// ([`packages.config` reference](https://learn.microsoft.com/en-us/nuget/reference/packages-config)).
fn config(document: &str, evidence: &Evidence, found: &mut Findings) -> Option<()> {
    let mut packages = Vec::new();
    let read = elements::walk(document, |path, event| {
        if let (["packages", "package"], Event::Start(attributes)) = (path, event)
            && let (Some(name), Some(version)) = (attributes.value("id"), attributes.value("version"))
        {
            packages.push(locked(name, version, evidence));
        }
    });
    read.ok()?;
    let packages = found.bounded(&evidence.path, packages);
    found.packages.extend(packages);
    Some(())
}

/// The `PackageReference`s of a project file. One without a version has it from `Directory.Packages.props` in a directory above
/// ([central package management](https://learn.microsoft.com/en-us/nuget/consume-packages/central-package-management)).
fn project_file(
    project: &str,
    path: &str,
    file: &RootFile,
    document: &str,
    files: &Files<'_>,
    found: &mut Findings,
) {
    let Some(references) = references(document, "PackageReference") else {
        return found.gap(path, GapReason::Malformed { format: "project file" });
    };
    if references.is_empty() {
        return;
    }
    let central = central_versions(path::parent(path), files);
    let evidence = file.evidence(path);
    let application = application(project, &evidence, found);
    for (name, version) in found.bounded(path, references.into_iter().collect()) {
        let version = version.or_else(|| central.get(&name).cloned().flatten());
        match version.as_deref().and_then(written_out) {
            Some(version) => {
                let package = locked(&name, version, &evidence);
                found.depends(&application, &package.id);
                found.packages.push(package);
            }
            None => found.gap(path, GapReason::Incomplete { format: "project file", member: "version" }),
        }
    }
}

fn central_versions(directory: &str, files: &Files<'_>) -> BTreeMap<String, Option<String>> {
    let mut directory = Some(directory);
    while let Some(place) = directory {
        if let Some((_, _, bytes)) = files.at(&path::join(place, CENTRAL)) {
            return references(&text(bytes), "PackageVersion").unwrap_or_default();
        }
        directory = (!place.is_empty()).then(|| path::parent(place));
    }
    BTreeMap::new()
}

/// Names and versions of `<ELEMENT Include="…" Version="…"/>`; the version may be an element of its own.
fn references(document: &str, element: &str) -> Option<BTreeMap<String, Option<String>>> {
    let mut references = BTreeMap::new();
    let mut last = None;
    let read = elements::walk(document, |path, event| match (path, event) {
        ([.., group, name], Event::Start(attributes)) if *name == element && *group == "ItemGroup" => {
            last = attributes.value("Include").map(str::to_owned);
            if let Some(name) = &last {
                references.insert(name.clone(), attributes.value("Version").map(str::to_owned));
            }
        }
        ([.., name, "Version"], Event::Text(version)) if *name == element => {
            if let Some(reference) = last.as_ref().and_then(|name| references.get_mut(name)) {
                *reference = Some(version.to_owned());
            }
        }
        _ => {}
    });
    read.ok().map(|()| references)
}

/// A version that says which one it is: `1.2.3`, or `[1.2.3]`. Not a range, a wildcard or a property
/// ([version ranges](https://learn.microsoft.com/en-us/nuget/concepts/package-versioning#version-ranges)).
fn written_out(version: &str) -> Option<&str> {
    let version = version.trim();
    let version = version.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(version);
    let is_plain = version.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'));
    (is_plain && version.starts_with(|c: char| c.is_ascii_digit())).then_some(version)
}

const LOCK: &str = "packages.lock.json";
const ASSETS: &str = "project.assets.json";
const CONFIG: &str = "packages.config";
const CENTRAL: &str = "Directory.Packages.props";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::testing::catalog;

    #[test]
    fn a_lock_file_has_versions_checksums_and_edges() {
        let text = br#"{"version":1,"dependencies":{"net8.0":{"A":{"type":"Direct","resolved":"1.0.0","dependencies":{"b":"2"},
            "contentHash":"z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg=="},
            "B":{"type":"Transitive","resolved":"2.1.0"},"own":{"type":"Project"}}}}"#;
        let found = catalog(&[("src/packages.lock.json", text)]);
        assert_eq!(found.packages.len(), 2);
        assert!(found.has_edge("A", "B"));
        assert_eq!(found.named("A").checksums.len(), 1);
        assert_eq!(found.named("B").identified_by, IdentifiedBy::LockFile);
    }

    #[test]
    fn what_was_restored_counts_before_what_is_asked_for() {
        let assets = br#"{"targets":{"net8.0":{"A/1.5.0":{"type":"package"}}},"libraries":{"A/1.5.0":{"type":"package","sha512":""}},
            "project":{"restore":{"projectName":"shop"},"frameworks":{"net8.0":{"dependencies":{"a":{"version":"[1.0, )"}}}}}}"#;
        let project =
            br#"<Project><ItemGroup><PackageReference Include="A" Version="1.0.0"/></ItemGroup></Project>"#;
        let found = catalog(&[("s/obj/project.assets.json", assets), ("s/shop.csproj", project)]);
        assert_eq!(found.packages.len(), 2);
        assert!(found.has_edge("shop", "A"));
        assert_eq!(found.named("A").version.as_deref(), Some("1.5.0"));
    }

    #[test]
    fn a_project_files_versions_are_written_out_or_central_or_a_gap() {
        let project = br#"<Project><ItemGroup><PackageReference Include="A" Version="[1.0.0]"/><PackageReference Include="B"><Version>2.0</Version>
            </PackageReference><PackageReference Include="C"/><PackageReference Include="D" Version="1.*"/></ItemGroup></Project>"#;
        let central =
            br#"<Project><ItemGroup><PackageVersion Include="C" Version="3.0"/></ItemGroup></Project>"#;
        let found = catalog(&[("s/a/shop.csproj", project), ("s/Directory.Packages.props", central)]);
        let version = |name: &str| found.named(name).version.clone().unwrap();
        assert_eq!(["A", "B", "C"].map(version), ["1.0.0", "2.0", "3.0"]);
        assert!(found.has_edge("shop", "C"));
        assert_eq!(found.gaps.len(), 1);
        assert_eq!(found.gaps[0].reason, GapReason::Incomplete { format: "project file", member: "version" });
    }

    #[test]
    fn the_old_list_is_read() {
        let text = "\u{feff}<?xml version='1.0'?><packages><package id='A' version='1.0.0'/><package id='B'/></packages>";
        let found = catalog(&[("packages.config", text.as_bytes())]);
        assert_eq!(found.packages.len(), 1);
        assert_eq!(found.named("A").purl.as_deref(), Some("pkg:nuget/A@1.0.0"));
    }

    #[test]
    fn broken_files_are_gaps() {
        for (name, format) in [(LOCK, LOCK), (ASSETS, ASSETS), (CONFIG, CONFIG), ("a.fsproj", "project file")]
        {
            assert_eq!(catalog(&[(name, b"<")]).gaps[0].reason, GapReason::Malformed { format });
        }
    }
}
