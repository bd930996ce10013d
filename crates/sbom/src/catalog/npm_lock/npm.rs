//! npm's `package-lock.json` and `npm-shrinkwrap.json`, versions 1 to 3
//! ([npm 10, package-lock.json](https://docs.npmjs.com/cli/v10/configuring-npm/package-lock-json)). A package needs what Node.js would load from
//! the places that the file names.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Entry, Lock, Origin, name_and_reference};
use crate::path;

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    packages: Option<BTreeMap<String, Place>>,
    /// Versions 1 and 2.
    #[serde(default)]
    dependencies: BTreeMap<String, Old>,
}

/// What is at one place, such as `node_modules/a`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Place {
    name: Option<String>,
    version: Option<String>,
    resolved: Option<String>,
    integrity: Option<String>,
    /// Old packages have a list or an object here.
    license: Option<serde_json::Value>,
    link: bool,
    dependencies: Names,
    dev_dependencies: Names,
    optional_dependencies: Names,
    peer_dependencies: Names,
}

type Names = BTreeMap<String, serde::de::IgnoredAny>;

#[derive(Deserialize)]
struct Old {
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    resolved: Option<String>,
    #[serde(default)]
    integrity: Option<String>,
    #[serde(default)]
    requires: Requires,
    #[serde(default)]
    dependencies: BTreeMap<String, Old>,
}

/// npm 5 wrote `true` for what others require.
#[derive(Deserialize)]
#[serde(untagged)]
enum Requires {
    Names(Names),
    Flag(#[expect(dead_code, reason = "says nothing")] bool),
}

impl Default for Requires {
    fn default() -> Self {
        Self::Names(Names::default())
    }
}

pub(super) fn read(text: &str) -> Option<Lock> {
    let file: File = serde_json::from_str(text).ok()?;
    let places = match file.packages {
        Some(places) => places,
        None => {
            let mut places = BTreeMap::new();
            // Version 1 does not say what the tree itself asks for: what is at the top may be somebody's need.
            places
                .insert(String::new(), Place { name: file.name, version: file.version, ..Place::default() });
            flatten("", file.dependencies, &mut places);
            places
        }
    };
    let entries = places.iter().filter(|(_, place)| !place.link);
    Some(entries.filter_map(|(at, place)| Some((at.clone(), entry(at, place, &places)?))).collect())
}

/// Version 1 nests what later versions write as paths. `serde_json` bounds how deep.
fn flatten(above: &str, nested: BTreeMap<String, Old>, places: &mut BTreeMap<String, Place>) {
    for (name, old) in nested {
        let at = path::join(above, &format!("{MODULES}/{name}"));
        let dependencies = match old.requires {
            Requires::Names(names) => names,
            Requires::Flag(_) => Names::default(),
        };
        let Old { version, resolved, integrity, .. } = old;
        // What stands under another name says here which package it is.
        let alias = version.as_deref().and_then(|version| name_and_reference(version.strip_prefix("npm:")?));
        let (name, version) = match alias {
            Some((name, version)) => (Some(name.to_owned()), Some(version.to_owned())),
            None => (None, version),
        };
        places.insert(
            at.clone(),
            Place { name, version, resolved, integrity, dependencies, ..Place::default() },
        );
        flatten(&at, old.dependencies, places);
    }
}

fn entry(at: &str, place: &Place, places: &BTreeMap<String, Place>) -> Option<Entry> {
    let installed = at.rsplit_once(MODULES).map(|(_, name)| name.trim_start_matches('/'));
    let name =
        place.name.as_deref().or(installed).or(Some(path::split(at).1)).filter(|name| !name.is_empty())?;
    let origin = match installed {
        None if at.is_empty() => Origin::Root,
        None => Origin::Tree,
        Some(_) => origin(place),
    };
    let members = [&place.dependencies, &place.optional_dependencies, &place.peer_dependencies];
    // What installed packages were developed with is not installed.
    let development = installed.is_none().then_some(&place.dev_dependencies);
    let names = members.into_iter().chain(development).flat_map(BTreeMap::keys);
    Some(Entry {
        name: name.to_owned(),
        version: place.version.clone().filter(|version| Origin::of_reference(version) == Origin::Registry),
        origin,
        integrity: place.integrity.clone(),
        license: place.license.as_ref().and_then(|license| license.as_str()).map(str::to_owned),
        needs: names.filter_map(|name| resolve(at, name, places)).collect(),
    })
}

/// npm writes no address when it is left out by configuration, and for packages that come in another.
fn origin(place: &Place) -> Origin {
    let version = place.version.as_deref().map_or(Origin::Registry, Origin::of_reference);
    match place.resolved.as_deref() {
        // A registry keeps its archives under `/-/`.
        Some(address) if !address.starts_with("http") || !address.contains("/-/") => Origin::Elsewhere,
        _ => version,
    }
}

/// The nearest `node_modules` upwards that has the package; where that is a link, what it leads to.
fn resolve(at: &str, name: &str, places: &BTreeMap<String, Place>) -> Option<String> {
    let mut upwards = Some(at);
    while let Some(place) = upwards {
        let candidate = path::join(place, &format!("{MODULES}/{name}"));
        match places.get(&candidate) {
            Some(found) if found.link => return found.resolved.clone(),
            Some(_) => return Some(candidate),
            None => upwards = (!place.is_empty()).then(|| path::parent(place)),
        }
    }
    None
}

const MODULES: &str = "node_modules";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_are_looked_for_upwards_and_through_links() {
        let text = r#"{"packages":{"":{"name":"t","dependencies":{"a":"1","w":"*"},"devDependencies":{"b":"2"}},
            "node_modules/a":{"version":"1.0.0","dependencies":{"b":"1"},"devDependencies":{"w":"*"}},"node_modules/a/node_modules/b":{"version":"1.0.0"},
            "node_modules/b":{"version":"2.0.0"},"node_modules/w":{"resolved":"packages/w","link":true},"packages/w":{"name":"w","version":"0.1.0"},
            "node_modules/g":{"version":"1.0.0","resolved":"git+ssh://git@example.org/g.git#0"}}}"#;
        let lock = read(text).unwrap();
        assert_eq!(lock[""].needs, ["node_modules/a", "packages/w", "node_modules/b"]);
        assert_eq!(lock["node_modules/a"].needs, ["node_modules/a/node_modules/b"]);
        assert_eq!(lock["packages/w"].origin, Origin::Tree);
        assert_eq!(lock["node_modules/g"].origin, Origin::Elsewhere);
        assert_eq!(lock.len(), 6);
    }

    #[test]
    fn the_first_version_is_nested() {
        let text = r#"{"name":"t","dependencies":{"a":{"version":"1.0.0","requires":{"b":"1"},"dependencies":{"b":{"version":"1.0.0","requires":true}}},
            "g":{"version":"git+ssh://example.org/g"}}}"#;
        let lock = read(text).unwrap();
        assert_eq!(lock["node_modules/a"].needs, ["node_modules/a/node_modules/b"]);
        assert_eq!(
            (lock["node_modules/g"].version.as_deref(), lock["node_modules/g"].origin),
            (None, Origin::Elsewhere)
        );
    }
}
