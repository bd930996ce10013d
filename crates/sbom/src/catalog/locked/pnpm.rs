//! `pnpm-lock.yaml`, versions 5, 6 and 9 of its format
//! ([pnpm, "Git branch lockfiles"](https://pnpm.io/git_branch_lockfiles); [lockfile types](https://github.com/pnpm/pnpm/blob/main/lockfile/types/src/index.ts)).
//!
//! The projects of the workspace are named by their directories only, so they are not packages here.

use std::collections::BTreeMap;

use serde_json::Value;

use super::javascript::{from_address, package, split_at};
use super::{LockFile, Locked, member, table, yaml};
use crate::catalog::integrity;
use crate::{Ecosystem, path};

pub(in crate::catalog) const PNPM: LockFile = LockFile {
    ecosystem: Ecosystem::Npm,
    format: "pnpm-lock.yaml",
    is_one: |path| path::split(path).1 == "pnpm-lock.yaml",
    parse,
};

fn parse(text: &str) -> Option<Vec<Locked>> {
    let document = yaml(text)?;
    document.get("lockfileVersion")?;
    // From version 9 on, edges are in `snapshots`, once for each set of peers.
    let mut needs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (id, entry) in table(&document, "packages").chain(table(&document, "snapshots")) {
        let Some((name, version)) = name_and_version(id) else { continue };
        let wanted = ["dependencies", "optionalDependencies"].into_iter().flat_map(|kind| table(entry, kind));
        let wanted = wanted.filter_map(|(name, version)| need(name, version.as_str()?));
        needs.entry(format!("{name}@{version}")).or_default().extend(wanted);
    }
    let packages = table(&document, "packages").filter_map(|(id, entry)| {
        let (name, version) = name_and_version(id)?;
        let needs = needs.remove(&format!("{name}@{version}")).unwrap_or_default();
        Some(Locked { needs, ..one(name, version, entry) })
    });
    Some(packages.collect())
}

fn one(name: &str, version: &str, entry: &Value) -> Locked {
    let resolution = entry.get("resolution").unwrap_or(&Value::Null);
    let mut locked = match member(entry, "version") {
        "" => package(name, version),
        // The identifier is an address then.
        real => from_address(package(name, real), version),
    };
    let (repository, commit) = (member(resolution, "repo"), member(resolution, "commit"));
    if !repository.is_empty() {
        locked.qualifiers.clear();
        locked.add_repository(repository, commit);
    }
    if !member(resolution, "directory").is_empty() {
        locked.origin = super::Origin::Local;
    }
    locked.checksums = integrity::checksums(member(resolution, "integrity"));
    locked
}

/// `/@s/a/1.0.0_peer@2` of version 5, `/@s/a@1.0.0(peer@2)` of version 6, `@s/a@1.0.0(peer@2)` of version 9.
fn name_and_version(id: &str) -> Option<(&str, &str)> {
    let id = id.split('(').next().unwrap_or(id);
    match id.strip_prefix('/') {
        Some(id) => split_at(id).filter(|(name, _)| names_a_package(name)).or_else(|| {
            let (name, version) = id.rsplit_once('/')?;
            Some((name, version.split('_').next().unwrap_or(version)))
        }),
        None => split_at(id),
    }
}

/// `a` or `@s/a`; a third part is version 5's version.
fn names_a_package(name: &str) -> bool {
    name.matches('/').count() == usize::from(name.starts_with('@'))
}

/// The key of a dependency, whose value is a version, or an identifier when it is an alias.
fn need(name: &str, version: &str) -> Option<String> {
    if version.starts_with("link:") {
        return None;
    }
    let is_id = version.starts_with('/') || (version.contains('@') && !version.contains("://"));
    if let Some((name, version)) = name_and_version(version).filter(|(name, _)| is_id && !name.contains('('))
    {
        return Some(format!("{name}@{version}"));
    }
    let version = version.split(['(', '_']).next().unwrap_or(version);
    Some(format!("{name}@{version}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_of_all_versions_are_read() {
        for id in ["/@s/a/1.0.0_peer@2", "/@s/a@1.0.0(peer@2)", "@s/a@1.0.0(peer@2)(x@1)", "@s/a@1.0.0"] {
            assert_eq!(name_and_version(id), Some(("@s/a", "1.0.0")), "{id}");
        }
        assert_eq!(name_and_version("/a/1.0.0"), Some(("a", "1.0.0")));
        assert_eq!(name_and_version("/a@1.0.0"), Some(("a", "1.0.0")));
    }

    #[test]
    fn edges_come_from_packages_or_snapshots() {
        let six = "lockfileVersion: '6.0'\npackages:\n  /a@1.0.0(p@2.0.0):\n    resolution: {integrity: sha512-x}\n    dependencies:\n      \
            p: 2.0.0\n      alias: /@s/real@3.0.0\n  /p@2.0.0: {}\n  /@s/real@3.0.0: {}\n";
        let found = parse(six).unwrap();
        let named = |name: &str| found.iter().find(|locked| locked.name == name).unwrap();
        assert_eq!(named("a").needs, ["@s/real@3.0.0", "p@2.0.0"]);
        let nine = "lockfileVersion: '9.0'\npackages:\n  a@1.0.0: {}\n  g@https://example.org/g.git#feed:\n    resolution: {commit: \
            feed, repo: 'https://example.org/g.git', type: git}\n    version: 0.1.0\nsnapshots:\n  a@1.0.0(p@2.0.0):\n    dependencies:\n      \
            g: https://example.org/g.git#feed\n      w: link:../w\n      p: 2.0.0(x@1)\n";
        let found = parse(nine).unwrap();
        assert_eq!(found[0].needs, ["g@https://example.org/g.git#feed", "p@2.0.0"]);
        assert_eq!(found[1].qualifiers, [("vcs_url", "git+https://example.org/g.git@feed".to_owned())]);
    }

    #[test]
    fn yaml_of_another_kind_is_no_lock_file() {
        assert_eq!(parse("packages: {}\n"), None);
    }
}
