//! pnpm's `pnpm-lock.yaml`, versions 5 to 9
//! ([lockfile specifications 5.2 to 9.0](https://github.com/pnpm/spec/tree/master/lockfile)). An entry's key is the package's name and version,
//! with the peers that it was resolved with, and is also what others need it by.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Entry, Lock, Origin, name_and_reference};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    lockfile_version: String,
    /// Projects of a workspace; older versions have a single one at the top.
    #[serde(default)]
    importers: BTreeMap<String, Needs>,
    #[serde(flatten)]
    single: Needs,
    #[serde(default)]
    packages: BTreeMap<String, Described>,
    /// From version 9 on, what depends on peers stands here.
    #[serde(default)]
    snapshots: BTreeMap<String, Needs>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Needs {
    dependencies: Option<BTreeMap<String, Reference>>,
    dev_dependencies: Option<BTreeMap<String, Reference>>,
    optional_dependencies: Option<BTreeMap<String, Reference>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Reference {
    Version(String),
    Specified { version: String },
}

#[derive(Deserialize)]
struct Described {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    resolution: Resolution,
    #[serde(flatten)]
    needs: Needs,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Resolution {
    integrity: Option<String>,
}

pub(super) fn read(text: &str) -> Option<Lock> {
    let file: File = super::yaml(text)?;
    let is_old = file.lockfile_version.starts_with('5');
    let described = |key: &str| {
        file.packages.get(key.split('(').next().unwrap_or(key)).or_else(|| file.packages.get(key))
    };
    let mut lock = Lock::new();
    if file.snapshots.is_empty() {
        for (key, package) in &file.packages {
            lock.insert(trimmed(key), entry(key, Some(package), is_old)?);
        }
    }
    for key in file.snapshots.keys() {
        lock.insert(trimmed(key), entry(key, described(key), is_old)?);
    }
    let needs = |needs: &Needs| needs.keys(&lock);
    let of_packages = file.packages.iter().map(|(key, package)| (trimmed(key), needs(&package.needs)));
    let of_snapshots = file.snapshots.iter().map(|(key, snapshot)| (trimmed(key), needs(snapshot)));
    let all: Vec<_> = of_packages.chain(of_snapshots).collect();
    let mut projects: Vec<_> =
        file.importers.iter().map(|(path, project)| (path.as_str(), needs(project))).collect();
    let single = needs(&file.single);
    if !single.is_empty() {
        projects.push((".", single));
    }
    for (path, needs) in projects {
        // The file does not name its projects; the directory does.
        let (name, origin) = if path == "." { ("project", Origin::Root) } else { (path, Origin::Tree) };
        lock.insert(
            format!("importer:{path}"),
            Entry { name: name.to_owned(), origin, needs, ..Entry::default() },
        );
    }
    for (key, needs) in all {
        if let Some(entry) = lock.get_mut(&key) {
            entry.needs = needs;
        }
    }
    Some(lock)
}

/// Version 6 and older start keys with a slash, for the default registry.
fn trimmed(key: &str) -> String {
    key.strip_prefix('/').unwrap_or(key).to_owned()
}

fn entry(key: &str, described: Option<&Described>, is_old: bool) -> Option<Entry> {
    let key = key.strip_prefix('/').unwrap_or(key);
    let plain = key.split('(').next().unwrap_or(key);
    let from_key = if is_old {
        plain.rsplit_once('/').map(|(name, version)| (name, version.split('_').next().unwrap_or(version)))
    } else {
        name_and_reference(plain)
    };
    let (named, version) =
        described.map_or((None, None), |found| (found.name.as_deref(), found.version.as_deref()));
    let (name, reference) = match (from_key, named) {
        (_, Some(name)) => (name, plain),
        (Some(parts), None) => parts,
        (None, None) => (plain, plain),
    };
    let origin = match named {
        // A name is written where the key does not have it: for git and addresses.
        Some(_) => Origin::Elsewhere,
        None => Origin::of_reference(reference),
    };
    let version = version.or_else(|| Some(reference).filter(|_| origin == Origin::Registry));
    let integrity = described.and_then(|found| found.resolution.integrity.clone());
    Some(Entry {
        name: name.to_owned(),
        version: version.map(str::to_owned),
        origin,
        integrity,
        ..Entry::default()
    })
}

impl Needs {
    fn keys(&self, lock: &Lock) -> Vec<String> {
        let all = [&self.dependencies, &self.dev_dependencies, &self.optional_dependencies];
        let all = all.into_iter().flatten().flatten();
        let key = |(name, reference): (&String, &Reference)| {
            let (Reference::Version(reference) | Reference::Specified { version: reference }) = reference;
            let reference = reference.strip_prefix('/').unwrap_or(reference);
            let candidates =
                [format!("{name}@{reference}"), format!("{name}/{reference}"), reference.to_owned()];
            candidates.into_iter().find(|key| lock.contains_key(key))
        };
        all.filter_map(key).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_belong_to_the_key_and_not_to_the_version() {
        let text = "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      a:\n        specifier: ^1\n        version: 1.0.0(b@2.0.0)\n\
            packages:\n  '@s/c@3.0.0':\n    resolution: {integrity: sha512-x}\n  a@1.0.0:\n    resolution: {integrity: sha512-y}\n  b@2.0.0:\n    resolution: {integrity: sha512-z}\n\
            snapshots:\n  '@s/c@3.0.0': {}\n  a@1.0.0(b@2.0.0):\n    dependencies:\n      b: 2.0.0\n      d: '@s/c@3.0.0'\n  b@2.0.0: {}\n";
        let lock = read(text).unwrap();
        let a = &lock["a@1.0.0(b@2.0.0)"];
        assert_eq!((a.version.as_deref(), a.integrity.as_deref()), (Some("1.0.0"), Some("sha512-y")));
        assert_eq!(a.needs, ["b@2.0.0", "@s/c@3.0.0"]);
        assert_eq!(lock["importer:."].needs, ["a@1.0.0(b@2.0.0)"]);
    }

    #[test]
    fn the_fifth_version_has_slashes() {
        let text = "lockfileVersion: 5.4\nspecifiers:\n  a: ^1\ndependencies:\n  a: 1.0.0_b@2.0.0\npackages:\n  /@s/c/3.0.0:\n    resolution: {integrity: sha512-x}\n\
            \x20 /a/1.0.0_b@2.0.0:\n    resolution: {integrity: sha512-y}\n    dependencies:\n      '@s/c': 3.0.0\n\
            \x20 github.com/o/g/0123:\n    resolution: {tarball: x}\n    name: g\n    version: 1.0.0\n";
        let lock = read(text).unwrap();
        let a = &lock["a/1.0.0_b@2.0.0"];
        assert_eq!((a.name.as_str(), a.version.as_deref()), ("a", Some("1.0.0")));
        assert_eq!(a.needs, ["@s/c/3.0.0"]);
        assert_eq!(lock["@s/c/3.0.0"].name, "@s/c");
        assert_eq!(lock["github.com/o/g/0123"].origin, Origin::Elsewhere);
        assert_eq!(lock["importer:."].needs, ["a/1.0.0_b@2.0.0"]);
    }
}
