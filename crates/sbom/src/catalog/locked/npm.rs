//! `package-lock.json` and `npm-shrinkwrap.json`, `lockfileVersion` 1 to 3
//! ([npm 10, "package-lock.json"](https://docs.npmjs.com/cli/v10/configuring-npm/package-lock-json)).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::javascript::{from_address, package, split_at};
use super::{LockFile, Locked, Origin, json, member, table};
use crate::catalog::integrity;
use crate::license::License;
use crate::{Ecosystem, path};

pub(in crate::catalog) const NPM: LockFile = LockFile {
    ecosystem: Ecosystem::Npm,
    format: "package-lock.json",
    is_one: |path| matches!(path::split(path).1, "package-lock.json" | "npm-shrinkwrap.json"),
    parse,
};

fn parse(text: &str) -> Option<Vec<Locked>> {
    let document = json(text)?;
    let document = document.as_object()?;
    match document.get("packages").and_then(Value::as_object) {
        Some(packages) => Some(by_place(packages)),
        None => {
            let mut entries = Map::new();
            nested(document, "", 0, &mut entries)?;
            Some(by_place(&entries))
        }
    }
}

/// Version 1 nests what version 2 and 3 name by place. Brings the first into the second's form.
fn nested(
    holder: &Map<String, Value>,
    place: &str,
    depth: usize,
    entries: &mut Map<String, Value>,
) -> Option<()> {
    // JSON itself is read to a depth of 128, two of which are one of these.
    if depth > 64 {
        return None;
    }
    for (name, entry) in holder.get("dependencies").and_then(Value::as_object).into_iter().flatten() {
        let Some(entry) = entry.as_object() else { continue };
        let own =
            if place.is_empty() { format!("{MODULES}/{name}") } else { format!("{place}/{MODULES}/{name}") };
        let mut flat = entry.clone();
        flat.remove("dependencies");
        if let Some(requires) = flat.remove("requires") {
            flat.insert("dependencies".to_owned(), requires);
        }
        entries.insert(own.clone(), Value::Object(flat));
        nested(entry, &own, depth + 1, entries)?;
    }
    Some(())
}

fn by_place(entries: &Map<String, Value>) -> Vec<Locked> {
    let keys: BTreeMap<&str, String> =
        entries.iter().map(|(place, entry)| (place.as_str(), key(place, entry))).collect();
    let locked = |(place, entry): (&String, &Value)| {
        // A link says where a workspace lies, which has an entry of its own.
        let is_link = entry.get("link").and_then(Value::as_bool).unwrap_or(false);
        (!is_link).then(|| Locked { needs: needs(place, entry, &keys, entries), ..one(place, entry) })
    };
    entries.iter().filter_map(locked).collect()
}

fn one(place: &str, entry: &Value) -> Locked {
    let (name, version) = name_and_version(place, entry);
    let mut locked = package(name, version);
    // An address in place of the version is version 1's way to name a source. Tarballs are the registry's or a mirror's.
    let addresses = [member(entry, "version"), member(entry, "resolved")];
    if let Some(address) = addresses
        .into_iter()
        .find(|text| text.contains(':') && !text.starts_with("http") && !text.starts_with("npm:"))
    {
        locked = from_address(locked, address);
    }
    if !place.contains(MODULES) {
        locked.origin = Origin::Project;
    }
    locked.checksums = integrity::checksums(member(entry, "integrity"));
    locked.license = License::parse(member(entry, "license"));
    locked
}

/// The entry's own name, which an alias has, or the last name in its place; version 1 writes an alias's version `npm:name@version`.
fn name_and_version<'a>(place: &'a str, entry: &'a Value) -> (&'a str, &'a str) {
    let version = member(entry, "version");
    if let Some(aliased) = version.strip_prefix("npm:").and_then(split_at) {
        return aliased;
    }
    match member(entry, "name") {
        "" => (place.rsplit_once("node_modules/").map_or(place, |(_, name)| name), version),
        name => (name, version),
    }
}

fn key(place: &str, entry: &Value) -> String {
    let (name, version) = name_and_version(place, entry);
    format!("{name}@{version}")
}

/// What Node.js would load from the entry's place: the nearest `node_modules` upwards.
fn needs(
    place: &str,
    entry: &Value,
    keys: &BTreeMap<&str, String>,
    entries: &Map<String, Value>,
) -> Vec<String> {
    let kinds = ["dependencies", "optionalDependencies", "peerDependencies", "devDependencies"];
    let names = kinds.into_iter().flat_map(|kind| table(entry, kind)).map(|(name, _)| name);
    names.filter_map(|name| resolve(place, name, keys, entries)).collect()
}

fn resolve(
    place: &str,
    name: &str,
    keys: &BTreeMap<&str, String>,
    entries: &Map<String, Value>,
) -> Option<String> {
    let mut upwards = Some(place);
    while let Some(directory) = upwards {
        let candidate = if directory.is_empty() {
            format!("{MODULES}/{name}")
        } else {
            format!("{directory}/{MODULES}/{name}")
        };
        if let Some(key) = keys.get(candidate.as_str()) {
            // A link leads to a workspace's own entry.
            let target = entries.get(&candidate).filter(|entry| entry.get("link").is_some());
            let target = target.and_then(|entry| keys.get(member(entry, "resolved")));
            return Some(target.unwrap_or(key).clone());
        }
        upwards = match directory.rsplit_once(MODULES) {
            Some((outer, _)) => Some(outer.trim_end_matches('/')),
            None if directory.is_empty() => None,
            None => Some(path::parent(directory)),
        };
    }
    None
}

const MODULES: &str = "node_modules";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_lead_to_the_nearest_copy() {
        let text = r#"{"lockfileVersion":3,"packages":{
            "":{"name":"shop","version":"1.0.0","dependencies":{"debug":"1","w":"*"},"devDependencies":{"ms":"2.1.3"}},
            "packages/w":{"name":"w","version":"0.1.0"},
            "node_modules/w":{"resolved":"packages/w","link":true},
            "node_modules/alias":{"name":"@s/real","version":"3.0.0","resolved":"git+ssh://git@example.org/r.git#feed"},
            "node_modules/debug":{"version":"4.3.4","dependencies":{"ms":"2.1.2","alias":"*"}},
            "node_modules/debug/node_modules/ms":{"version":"2.1.2"},
            "node_modules/ms":{"version":"2.1.3","resolved":"https://registry.npmjs.org/ms/-/ms-2.1.3.tgz"}}}"#;
        let found = parse(text).unwrap();
        let named = |name: &str| found.iter().find(|locked| locked.name == name).unwrap();
        assert_eq!(named("shop").needs, ["debug@4.3.4", "w@0.1.0", "ms@2.1.3"]);
        assert_eq!(named("debug").needs, ["@s/real@3.0.0", "ms@2.1.2"]);
        assert_eq!(
            named("real").purl("npm").unwrap(),
            "pkg:npm/%40s/real@3.0.0?vcs_url=git%2Bssh://git%40example.org/r.git%40feed"
        );
        assert_eq!((named("shop").origin, named("w").origin), (Origin::Project, Origin::Project));
        assert_eq!(found.len(), 6, "the link is no package");
    }

    #[test]
    fn version_1_is_read_by_nesting() {
        let text = r#"{"name":"shop","lockfileVersion":1,"dependencies":{
            "debug":{"version":"4.3.4","requires":{"ms":"2.1.2"},"dependencies":{"ms":{"version":"2.1.2"}}},
            "ms":{"version":"2.1.3"}}}"#;
        let found = parse(text).unwrap();
        assert_eq!(found.len(), 3);
        assert_eq!(found.iter().find(|locked| locked.name == "debug").unwrap().needs, ["ms@2.1.2"]);
    }
}
