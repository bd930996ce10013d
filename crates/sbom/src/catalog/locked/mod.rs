//! Lock files of source trees: one file per package manager, each a function from text to [`Locked`] packages.
//!
//! A lock file says what is to be installed, so it is read in directories only, never in an image. What all of them have in common
//! is here: where they are looked for, how packages and edges come of them, and the three notations that most of them use.

mod bun;
mod cargo;
mod cocoapods;
pub(super) mod composer;
mod conan;
mod go;
mod hex;
mod javascript;
mod npm;
mod pipfile;
mod pnpm;
mod pubspec;
mod python;
mod requirements;
mod ruby;
mod swift;
mod workflow;
mod yarn;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::catalog::{Cataloger, Files, Findings, Finds, text};
use crate::purl::Purl;
use crate::{
    Checksum, ChecksumAlgorithm, Ecosystem, Evidence, GapReason, IdentifiedBy, Package, PackageId, Party,
    path,
};

pub(super) use bun::BUN;
pub(super) use cargo::CARGO;
pub(super) use cocoapods::PODFILE;
pub(super) use composer::COMPOSER;
pub(super) use conan::CONAN;
pub(super) use go::GO;
pub(super) use hex::{MIX, REBAR};
pub(super) use npm::NPM;
pub(super) use pipfile::PIPFILE;
pub(super) use pnpm::PNPM;
pub(super) use pubspec::PUBSPEC;
pub(super) use python::PYTHON;
pub(super) use requirements::REQUIREMENTS;
pub(super) use ruby::GEMFILE;
pub(super) use swift::SWIFT;
pub(super) use workflow::WORKFLOW;
pub(super) use yarn::YARN;

/// One kind of lock file.
pub(super) struct LockFile {
    pub(super) ecosystem: Ecosystem,
    /// What gaps call it.
    pub(super) format: &'static str,
    /// Whether the file at this path is one, going by its name.
    pub(super) is_one: fn(path: &str) -> bool,
    /// Its packages. None when the text is something else.
    pub(super) parse: fn(text: &str) -> Option<Vec<Locked>>,
}

/// A package of a lock file.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Locked {
    /// What comes before the name in a purl: vendor, host and owner, or organisation.
    pub(super) namespace: String,
    pub(super) name: String,
    /// Empty when the file does not pin one; then there is no purl.
    pub(super) version: String,
    pub(super) origin: Origin,
    pub(super) qualifiers: Vec<(&'static str, String)>,
    /// The part of the package that is used.
    pub(super) subpath: Option<String>,
    pub(super) checksums: Vec<Checksum>,
    /// What it needs: other packages' [`key`](Self::key)s, or keys with `@version` where the file has several versions.
    pub(super) needs: Vec<String>,
    pub(super) license: Option<crate::License>,
    pub(super) supplier: Option<Party>,
    pub(super) homepage: Option<String>,
    pub(super) description: Option<String>,
}

/// Where a package comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Origin {
    /// The ecosystem's registry, or a copy of it.
    #[default]
    Registry,
    /// The source tree itself, or a path beside it. It has no purl: a purl would name the registry's package of that name.
    Local,
    /// The source tree itself, as an application.
    Project,
}

impl Locked {
    pub(super) fn new(name: &str, version: &str) -> Self {
        Self { name: name.to_owned(), version: version.to_owned(), ..Self::default() }
    }

    /// Comes from a repository, at a revision where one is named: `git+URL@REVISION`
    /// ([purl-spec, "Known qualifiers"](https://github.com/package-url/purl-spec/blob/main/PURL-SPECIFICATION.rst#known-qualifiers-keyvalue-pairs)).
    /// Without an address nothing is known.
    fn add_repository(&mut self, url: &str, revision: &str) {
        if !url.is_empty() {
            let at = if revision.is_empty() { "" } else { "@" };
            self.qualifiers.push(("vcs_url", format!("git+{url}{at}{revision}")));
        }
    }

    /// Name and namespace, as other packages of the file refer to it.
    fn key(&self) -> String {
        if self.namespace.is_empty() {
            self.name.clone()
        } else {
            format!("{}/{}", self.namespace, self.name)
        }
    }

    fn purl(&self, kind: &'static str) -> Option<String> {
        if self.origin != Origin::Registry {
            return None;
        }
        let qualifiers: Vec<_> = self.qualifiers.iter().map(|(key, value)| (*key, value.as_str())).collect();
        let purl = Purl {
            kind,
            namespace: Some(&self.namespace).filter(|namespace| !namespace.is_empty()).map(String::as_str),
            name: &self.name,
            version: &self.version,
            qualifiers: &qualifiers,
            subpath: self.subpath.as_deref(),
        };
        purl.to_text()
    }

    fn into_package(self, ecosystem: Ecosystem, evidence: &Evidence) -> Package {
        let (purl, name) = (self.purl(ecosystem.name()), self.key());
        let mut package = Package::new(ecosystem, &name, Some(&self.version), purl, evidence.clone());
        package.is_application = self.origin == Origin::Project;
        package.checksums = self.checksums;
        package.checksums.sort();
        package.license = self.license;
        package.supplier = self.supplier;
        package.homepage = self.homepage;
        package.description = self.description;
        package
    }
}

impl Cataloger for LockFile {
    fn wants(&self, path: &str) -> bool {
        (self.is_one)(path) && !is_others(path)
    }

    fn finds(&self) -> Finds {
        Finds::Locked
    }

    fn catalog(&self, files: &Files<'_>, found: &mut Findings) {
        for (path, file, bytes) in files.wanted() {
            match (self.parse)(&text(bytes)) {
                Some(locked) => {
                    add(self.ecosystem, IdentifiedBy::LockFile, locked, &file.evidence(path), found);
                }
                None => found.gap(path, GapReason::Malformed { format: self.format }),
            }
        }
    }
}

/// Whether a path lies in what a package manager installed: lock files in there are left from those packages' own development.
fn is_others(path: &str) -> bool {
    const INSTALLED: [&str; 6] = ["node_modules", "vendor", "site-packages", "dist-packages", "gems", ".git"];
    path::parent(path).split('/').any(|part| INSTALLED.contains(&part))
}

/// Adds the packages of one file, and the edges between them.
pub(super) fn add(
    ecosystem: Ecosystem,
    by: IdentifiedBy,
    locked: Vec<Locked>,
    evidence: &Evidence,
    found: &mut Findings,
) {
    let mut by_key: BTreeMap<String, Vec<PackageId>> = BTreeMap::new();
    let mut needs = Vec::new();
    let mut packages = Vec::new();
    for mut locked in found.bounded(&evidence.path, locked) {
        let (key, version) = (locked.key(), locked.version.clone());
        let wanted = std::mem::take(&mut locked.needs);
        let package = Package { identified_by: by, ..locked.into_package(ecosystem, evidence) };
        by_key.entry(format!("{key}@{version}")).or_default().push(package.id.clone());
        by_key.entry(key).or_default().push(package.id.clone());
        needs.push((package.id.clone(), wanted));
        packages.push(package);
    }
    for (from, wanted) in needs {
        for to in wanted.iter().filter_map(|key| by_key.get(key)).flatten() {
            found.depends(&from, to);
        }
    }
    found.packages.extend(packages);
}

/// JSON, as a tree.
fn json(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

/// TOML, as a tree.
fn toml(text: &str) -> Option<Value> {
    toml::from_str(text).ok()
}

/// YAML, as a tree. The reader's own budget holds aliases and depth; lock files of large workspaces need more nodes than it allows.
fn yaml(text: &str) -> Option<Value> {
    const MAX_NODES: usize = 2_000_000;
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_nodes: MAX_NODES, max_events: 3 * MAX_NODES, max_documents: 1 },
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).ok()
}

/// A member's text; empty when there is none.
fn member<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A member's list; empty when there is none.
fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A member's table; empty when there is none.
fn table<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
    value.get(name).and_then(Value::as_object).into_iter().flatten()
}

/// `sha256:…`, as several lock files write it.
fn prefixed_checksum(text: &str) -> Option<Checksum> {
    let (algorithm, hex) = text.split_once(':')?;
    Checksum::new(ChecksumAlgorithm::from_lock_file(algorithm)?, hex)
}

/// The checksum of a package that comes in one file only. Of several files it is not known which one will be installed.
fn only<'a>(mut checksums: impl Iterator<Item = &'a str>) -> Vec<Checksum> {
    match (checksums.next(), checksums.next()) {
        (Some(only), None) => prefixed_checksum(only).into_iter().collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::testing::catalog;

    #[test]
    fn lock_files_of_installed_packages_are_not_read() {
        assert!(GEMFILE.wants("app/Gemfile.lock"));
        assert!(!GEMFILE.wants("app/vendor/bundle/ruby/3.1.0/gems/x-1/Gemfile.lock"));
        assert!(!PYTHON.wants("node_modules/x/poetry.lock"));
    }

    #[test]
    fn a_lock_file_that_is_none_is_a_gap() {
        for path in [
            "Podfile.lock",
            "composer.lock",
            "conan.lock",
            "Pipfile.lock",
            "pubspec.lock",
            "poetry.lock",
            "Package.resolved",
            ".github/workflows/ci.yml",
        ] {
            let found = catalog(&[(path, b"{[%")]);
            assert!(matches!(found.gaps[0].reason, GapReason::Malformed { .. }), "{path}: {:?}", found.gaps);
        }
    }

    #[test]
    fn one_file_has_a_checksum_and_of_several_none_is_chosen() {
        let (a, b) = (format!("sha256:{}", "a".repeat(64)), format!("sha256:{}", "b".repeat(64)));
        assert_eq!(only([a.as_str()].into_iter())[0].hex, "a".repeat(64));
        assert_eq!(only([a.as_str(), &b].into_iter()), []);
        assert_eq!(only(["crc32:00"].into_iter()), []);
    }

    #[test]
    fn a_repository_has_a_revision_where_one_is_named() {
        let qualifiers = |url, revision| {
            let mut locked = Locked::new("a", "1");
            locked.add_repository(url, revision);
            locked.qualifiers
        };
        let at = |address: &str| vec![("vcs_url", address.to_owned())];
        assert_eq!(qualifiers("https://example.org/a", "feed"), at("git+https://example.org/a@feed"));
        assert_eq!(qualifiers("https://example.org/a", ""), at("git+https://example.org/a"));
        assert_eq!(qualifiers("", "feed"), []);
    }

    #[test]
    fn what_is_local_has_no_purl() {
        let local = Locked { origin: Origin::Local, ..Locked::new("requests", "1.0") };
        assert_eq!(local.purl("pypi"), None);
        assert!(Locked::new("requests", "1.0").purl("pypi").is_some());
        assert_eq!(Locked::new("requests", "").purl("pypi"), None);
    }
}
