//! What a JavaScript source tree has locked, by npm, pnpm, yarn or bun. Each has a file of its own here that turns its lock into one
//! form: entries, and which entry each one needs.

mod bun;
mod npm;
mod pnpm;
mod yarn;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use crate::catalog::{Cataloger, Files, Findings, Finds, integrity, text};
use crate::license::License;
use crate::purl::Purl;
use crate::{Ecosystem, Evidence, GapReason, IdentifiedBy, Package, path};

pub(super) struct NpmLock;

impl Cataloger for NpmLock {
    fn wants(&self, path: &str) -> bool {
        // Packages bring the locks that their authors worked with.
        reader(path).is_some() && !path.split('/').any(|part| part == "node_modules")
    }

    fn finds(&self) -> Finds {
        Finds::Locked
    }

    fn catalog(&self, files: &Files<'_>, found: &mut Findings) {
        for (path, file, bytes) in files.wanted() {
            let Some((format, read)) = reader(path) else { continue };
            let Some(lock) = read(&text(bytes)) else {
                found.gap(path, GapReason::Malformed { format });
                continue;
            };
            // An application that is installed too is the one that its manifest names.
            let manifest = path::join(path::parent(path), "package.json");
            let own = files.at(&manifest).map(|(real, file, _)| file.evidence(&real));
            add(lock, &file.evidence(path), own.as_ref(), found);
        }
    }
}

type Read = fn(&str) -> Option<Lock>;

fn reader(path: &str) -> Option<(&'static str, Read)> {
    Some(match path::split(path).1 {
        "package-lock.json" | "npm-shrinkwrap.json" => ("package-lock.json", npm::read),
        "pnpm-lock.yaml" => ("pnpm-lock.yaml", pnpm::read),
        "yarn.lock" => ("yarn.lock", yarn::read),
        "bun.lock" => ("bun.lock", bun::read),
        _ => return None,
    })
}

/// A lock file: entries by names that mean something within the file only.
type Lock = BTreeMap<String, Entry>;

/// One entry.
#[derive(Debug, Default, PartialEq, Eq)]
struct Entry {
    name: String,
    version: Option<String>,
    origin: Origin,
    /// As Subresource Integrity writes it.
    integrity: Option<String>,
    license: Option<String>,
    /// Names of entries.
    needs: Vec<String>,
}

/// Where a package comes from.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// A registry: what a purl of this type means.
    #[default]
    Registry,
    /// Git, an address or a directory: the registry may have something else under the same name.
    Elsewhere,
    /// A part of the tree: a workspace.
    Tree,
    /// The tree itself.
    Root,
}

impl Origin {
    /// Of a version or reference: a registry has numbers, everything else has a scheme or a path.
    fn of_reference(reference: &str) -> Self {
        match reference {
            _ if reference.starts_with("workspace:") => Self::Tree,
            _ if reference.contains([':', '/']) => Self::Elsewhere,
            _ => Self::Registry,
        }
    }
}

fn add(lock: Lock, evidence: &Evidence, own: Option<&Evidence>, found: &mut Findings) {
    let entries = found.bounded(&evidence.path, lock.into_iter().collect());
    let mut ids = BTreeMap::new();
    let mut needs = Vec::new();
    for (key, entry) in entries {
        let evidence = own.filter(|_| entry.origin == Origin::Root).unwrap_or(evidence);
        let package = package(&entry, evidence);
        ids.insert(key, package.id.clone());
        needs.push((package.id.clone(), entry.needs));
        found.packages.push(package);
    }
    for (from, needs) in &needs {
        for to in needs.iter().filter_map(|key| ids.get(key)) {
            found.depends(from, to);
        }
    }
}

fn package(entry: &Entry, evidence: &Evidence) -> Package {
    let purl = entry.version.as_deref().filter(|_| entry.origin == Origin::Registry).and_then(|version| {
        let (namespace, name) = entry
            .name
            .rsplit_once('/')
            .map_or((None, entry.name.as_str()), |(scope, name)| (Some(scope), name));
        Purl { kind: "npm", namespace, name, version, qualifiers: &[], subpath: None }.to_text()
    });
    let mut package =
        Package::new(Ecosystem::Npm, &entry.name, entry.version.as_deref(), purl, evidence.clone());
    package.identified_by = IdentifiedBy::LockFile;
    package.is_application = entry.origin == Origin::Root;
    package.checksums = entry.integrity.as_deref().map(integrity::checksums).unwrap_or_default();
    package.license = entry.license.as_deref().and_then(License::parse);
    package
}

/// `name@reference` in two. A scope's own `@` is no separator.
fn name_and_reference(text: &str) -> Option<(&str, &str)> {
    let start = usize::from(text.starts_with('@'));
    let at = text.get(start..)?.find('@')? + start;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// Reads YAML, with the budgets that a generated file of the largest size needs. Aliases, which could make it grow, are not used there.
fn yaml<T: DeserializeOwned>(text: &str) -> Option<T> {
    const MAX_NODES: usize = 4_000_000;
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 32,
            flow_nesting_limit: 32,
            max_nodes: MAX_NODES,
            max_events: 3 * MAX_NODES,
            max_documents: 1,
            max_aliases: 0,
            max_anchors: 0,
            max_total_scalar_bytes: 64 << 20,
        },
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::testing::catalog;

    #[test]
    fn a_name_ends_where_its_version_starts() {
        assert_eq!(name_and_reference("@s/a@npm:1"), Some(("@s/a", "npm:1")));
        assert_eq!(name_and_reference("a@npm:b@1"), Some(("a", "npm:b@1")));
        assert_eq!(name_and_reference("@s/a"), None);
    }

    #[test]
    fn locks_inside_packages_are_not_read() {
        assert!(NpmLock.wants("app/yarn.lock"));
        assert!(!NpmLock.wants("app/node_modules/a/yarn.lock"));
    }

    #[test]
    fn an_application_is_one_whether_installed_or_locked() {
        let manifest = br#"{"name":"shop","version":"1.0.0"}"#;
        let lock = br#"{"packages":{"":{"name":"shop","version":"1.0.0","dependencies":{"a":"1"}},"node_modules/a":{"version":"1.0.0"}}}"#;
        let files: [(&str, &[u8]); 3] = [
            ("app/package.json", manifest),
            ("app/package-lock.json", lock),
            ("app/node_modules/a/package.json", br#"{"name":"a","version":"1.0.0"}"#),
        ];
        let found = catalog(&files);
        let ids: std::collections::BTreeSet<_> = found.packages.iter().map(|package| &package.id).collect();
        assert_eq!(ids.len(), 2);
    }

    #[test]
    fn broken_files_are_gaps() {
        let files = [
            ("package-lock.json", "["),
            ("pnpm-lock.yaml", "packages: [a"),
            ("bun.lock", "{"),
            ("yarn.lock", "  x"),
        ];
        for (name, content) in files {
            let found = catalog(&[(name, content.as_bytes())]);
            assert_eq!(
                found.gaps[0].reason,
                GapReason::Malformed { format: reader(name).unwrap().0 },
                "{name}"
            );
        }
    }
}
