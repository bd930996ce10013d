//! `bun.lock`, the text form of Bun's lock file ([Bun, "Lockfile"](https://bun.sh/docs/install/lockfile)): JSON with trailing commas.
//!
//! The older `bun.lockb` is a binary form that only Bun can read; it is a gap.

use serde_json::Value;

use super::javascript::{from_address, package, split_at};
use super::{LockFile, Locked, Origin, member, table, yaml};
use crate::catalog::integrity;
use crate::{Ecosystem, path};

pub(in crate::catalog) const BUN: LockFile = LockFile {
    ecosystem: Ecosystem::Npm,
    format: "bun.lock",
    is_one: |path| matches!(path::split(path).1, "bun.lock" | "bun.lockb"),
    parse,
};

fn parse(text: &str) -> Option<Vec<Locked>> {
    // YAML's flow style is JSON that allows the trailing commas.
    let document = yaml(text)?;
    document.get("lockfileVersion")?;
    let workspaces = table(&document, "workspaces").filter(|(_, entry)| !member(entry, "name").is_empty());
    let projects = workspaces.map(|(_, entry)| {
        let project = package(member(entry, "name"), member(entry, "version"));
        Locked { origin: Origin::Project, needs: needs("", entry, &document), ..project }
    });
    let packages = table(&document, "packages").filter_map(|(key, entry)| one(key, entry, &document));
    Some(projects.chain(packages).collect())
}

/// `["name@version", registry, {…}, "sha512-…"]`; other sources leave parts out. Workspaces are listed above.
fn one(key: &str, entry: &Value, document: &Value) -> Option<Locked> {
    let parts = entry.as_array()?;
    let (name, version) = split_at(parts.first()?.as_str()?)?;
    if version.starts_with("workspace:") {
        return None;
    }
    let mut locked = from_address(package(name, version), version);
    locked.checksums = parts.last().and_then(Value::as_str).map(integrity::checksums).unwrap_or_default();
    let facts = parts.iter().find(|part| part.is_object()).unwrap_or(&Value::Null);
    locked.needs = needs(key, facts, document);
    Some(locked)
}

/// A package's key is its place: `debug/ms` is the `ms` that only `debug` sees. The nearest one is meant.
fn needs(key: &str, facts: &Value, document: &Value) -> Vec<String> {
    let kinds = ["dependencies", "optionalDependencies", "peerDependencies", "devDependencies"];
    let names = kinds.into_iter().flat_map(|kind| table(facts, kind)).map(|(name, _)| name);
    let packages = document.get("packages").unwrap_or(&Value::Null);
    names.filter_map(|name| nearest(key, name, packages)).collect()
}

fn nearest(key: &str, name: &str, packages: &Value) -> Option<String> {
    let mut place = key;
    loop {
        let candidate = if place.is_empty() { name.to_owned() } else { format!("{place}/{name}") };
        if let Some(entry) = packages.get(&candidate) {
            let (name, version) = split_at(entry.get(0)?.as_str()?)?;
            return Some(format!("{name}@{version}"));
        }
        if place.is_empty() {
            return None;
        }
        let outer = path::parent(place);
        // `@s/a` is one name.
        place = if path::split(outer).1.starts_with('@') { path::parent(outer) } else { outer };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_say_which_copy_is_meant() {
        let text = r#"{"lockfileVersion":1,"workspaces":{"":{"name":"shop","dependencies":{"@s/a":"1",},},},
            "packages":{"@s/a":["@s/a@1.0.0","",{"dependencies":{"ms":"2","w":"*"},},"sha512-x"],
              "@s/a/ms":["ms@2.1.2","",{},"sha512-x"],"ms":["ms@2.1.3","",{},"sha512-x"],
              "w":["w@workspace:packages/w"],
              "g":["g@github:acme/g#feed",{},"acme-g-feed"],}}"#;
        let found = parse(text).unwrap();
        let named = |name: &str| found.iter().find(|locked| locked.name == name).unwrap();
        assert_eq!(named("a").needs, ["ms@2.1.2", "w@workspace:packages/w"]);
        assert_eq!(named("shop").needs, ["@s/a@1.0.0"]);
        assert_eq!(named("g").qualifiers[0].1, "git+https://github.com/acme/g@feed");
        assert!(found.iter().all(|locked| locked.name != "w"));
    }

    #[test]
    fn the_binary_form_is_not_read() {
        assert_eq!(parse("#!/usr/bin/env bun\nbun-lockfile-format-v0\n\u{0}\u{1}"), None);
    }
}
