//! bun's `bun.lock` ([bun 1.2, "Lockfile"](https://bun.sh/docs/install/lockfile)): JSON with commas after the last member, which is also YAML. An entry is
//! a list: name and version, registry, what it needs, and its checksum. The key of one that only a certain package sees has that
//! package's key before it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Entry, Lock, Origin, name_and_reference};
use crate::path;

#[derive(Deserialize)]
struct File {
    workspaces: BTreeMap<String, Value>,
    #[serde(default)]
    packages: BTreeMap<String, Vec<Value>>,
}

pub(super) fn read(text: &str) -> Option<Lock> {
    let file: File = super::yaml(text)?;
    let mut lock = Lock::new();
    for (key, parts) in &file.packages {
        let (name, reference) = name_and_reference(parts.first()?.as_str()?)?;
        let origin = Origin::of_reference(reference);
        if origin == Origin::Tree {
            continue;
        }
        let members = parts.iter().find(|part| part.is_object());
        let integrity = parts.iter().skip(1).filter_map(Value::as_str).find(|part| part.starts_with("sha"));
        let needs = members.into_iter().flat_map(names).filter_map(|need| resolve(key, need, &file));
        let version = Some(reference).filter(|_| origin == Origin::Registry).map(str::to_owned);
        let integrity = integrity.map(str::to_owned);
        lock.insert(
            key.clone(),
            Entry {
                name: name.to_owned(),
                version,
                origin,
                integrity,
                needs: needs.collect(),
                license: None,
            },
        );
    }
    for (directory, members) in &file.workspaces {
        let named = members.get("name").and_then(Value::as_str);
        let name =
            named.or(Some(path::split(directory).1)).filter(|name| !name.is_empty()).unwrap_or("project");
        let origin = if directory.is_empty() { Origin::Root } else { Origin::Tree };
        let development = members
            .get("devDependencies")
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(|names| names.keys());
        let names = names(members).chain(development.map(String::as_str));
        let needs = names.filter_map(|need| resolve(name, need, &file)).collect();
        let version = members.get("version").and_then(Value::as_str).map(str::to_owned);
        lock.insert(
            workspace(directory),
            Entry { name: name.to_owned(), version, origin, needs, ..Entry::default() },
        );
    }
    Some(lock)
}

/// A key that no package has.
fn workspace(directory: &str) -> String {
    format!("workspace:{directory}")
}

fn names(members: &Value) -> impl Iterator<Item = &str> {
    let of = |member: &str| members.get(member).and_then(Value::as_object);
    let all = ["dependencies", "optionalDependencies", "peerDependencies"].into_iter().filter_map(of);
    all.flat_map(|names| names.keys()).map(String::as_str)
}

/// What a package sees under a name: its own, or that of one it is in, or what all see.
fn resolve(key: &str, name: &str, file: &File) -> Option<String> {
    let mut above = Some(key);
    let found = loop {
        let place = above?;
        let candidate = path::join(place, name);
        if file.packages.contains_key(&candidate) {
            break candidate;
        }
        above = (!place.is_empty()).then(|| path::parent(place));
    };
    let reference = file.packages.get(&found)?.first()?.as_str()?;
    match name_and_reference(reference)?.1.strip_prefix("workspace:") {
        Some(directory) => Some(workspace(directory)),
        None => Some(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_are_looked_for_from_the_inside_out() {
        let text = r#"{"lockfileVersion": 1, "workspaces": {"": {"name": "shop", "dependencies": {"a": "1", "w": "workspace:*"}, "devDependencies": {"b": "2"},},
            "packages/w": {"name": "w", "version": "0.1.0"},}, "packages": {"a": ["a@1.0.0", "", {"dependencies": {"b": "1", "@s/c": "1"}}, "sha512-x"],
            "a/b": ["b@1.0.0", "", {}, "sha512-y"], "b": ["b@2.0.0", "", {}, "sha512-z"], "@s/c": ["@s/c@1.0.0", "", {"dependencies": {"b": "2"}}, "sha512-w"],
            "w": ["w@workspace:packages/w"], "g": ["g@git+ssh://example.org/g#00", {}, "00"],}}"#;
        let lock = read(text).unwrap();
        assert_eq!(lock["workspace:"].needs, ["a", "workspace:packages/w", "b"]);
        assert_eq!(lock["a"].needs, ["@s/c", "a/b"]);
        assert_eq!(lock["@s/c"].needs, ["b"]);
        assert_eq!(lock["a/b"].integrity.as_deref(), Some("sha512-y"));
        assert_eq!((lock["g"].origin, lock["g"].version.as_deref()), (Origin::Elsewhere, None));
        assert_eq!(lock.len(), 7);
    }
}
