//! Packages of Nix: what its database lists as valid, with what each refers to, or, in images that were made without a database, the
//! directories of its store
//! ([Nix 2.28, "Store Path"](https://nix.dev/manual/nix/2.28/store/store-path)).
//!
//! A store also holds sources, patches and the plans to build things. Only what has a version in its name is a package here.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::{Cataloger, Files, Findings};
use crate::purl::Purl;
use crate::sqlite::{Reading, Sqlite};
use crate::{Ecosystem, Evidence, GapReason, IdentifiedBy, Package, PackageId, path};

pub(super) struct Nix;

const DATABASE: &str = "nix/var/nix/db/db.sqlite";
const LOG: &str = "nix/var/nix/db/db.sqlite-wal";
const STORE: &str = "nix/store/";

impl Cataloger for Nix {
    fn wants(&self, path: &str) -> bool {
        path == DATABASE || path == LOG
    }

    fn catalog(&self, files: &Files<'_>, found: &mut Findings) {
        match files.database(DATABASE, found) {
            Some((path, file, bytes)) => {
                if files.at(LOG).is_some_and(|(_, _, bytes)| !bytes.is_empty()) {
                    found.gap(LOG, GapReason::WriteAheadLog);
                }
                from_database(bytes, &file.evidence(&path), found);
            }
            None => from_store(files, found),
        }
    }
}

/// The store path that a file is in: `nix/store/` and the name of a directory there.
pub(super) fn store_path(path: &str) -> Option<&str> {
    let (name, _) = path.strip_prefix(STORE)?.split_once('/')?;
    StoreName::parse(name)?;
    path.get(..STORE.len() + name.len())
}

/// The name of a store path: a digest in Nix's base 32, a dash, and the name of what was built, with the output if it is not `out`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct StoreName<'a> {
    digest: &'a str,
    name: &'a str,
}

impl<'a> StoreName<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        const DIGEST_CHARACTERS: usize = 32;
        const ALPHABET: &str = "0123456789abcdfghijklmnpqrsvwxyz";
        let (digest, name) = text.split_once('-')?;
        let is_digest = digest.len() == DIGEST_CHARACTERS && digest.chars().all(|c| ALPHABET.contains(c));
        (is_digest && !name.is_empty()).then_some(Self { digest, name })
    }

    /// A package, if the name has a version. `built` is the name of the plan that it was built by, which tells the output apart.
    fn package(self, built: Option<&str>, evidence: Evidence) -> Option<Package> {
        if NO_PACKAGES.iter().any(|suffix| self.name.ends_with(suffix)) || self.name.contains(".tar.") {
            return None;
        }
        let (whole, output) = match built.and_then(|built| Some((built, self.name.strip_prefix(built)?))) {
            Some((built, rest)) => (built, rest.trim_start_matches('-')),
            None => match self.name.rsplit_once('-') {
                Some((whole, output)) if OUTPUTS.contains(&output) => (whole, output),
                _ => (self.name, ""),
            },
        };
        let (name, version) = name_and_version(whole)?;
        let qualifiers = [("output", output), ("outputhash", self.digest)];
        let purl =
            Purl { kind: "nix", namespace: None, name, version, qualifiers: &qualifiers, subpath: None };
        Some(Package::new(Ecosystem::Nix, name, Some(version), purl.to_text(), evidence))
    }
}

/// `builtins.parseDrvName`: the name goes up to the first dash that no letter follows, and the version comes after it
/// ([Nix 2.28, "Built-ins"](https://nix.dev/manual/nix/2.28/language/builtins#builtins-parseDrvName)). A version starts with a digit here.
fn name_and_version(text: &str) -> Option<(&str, &str)> {
    let mut dashes = text.match_indices('-').map(|(at, _)| at);
    let at = dashes.find(|at| {
        text.get(at + 1..).is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphabetic()))
    })?;
    let (name, version) = (text.get(..at)?, text.get(at + 1..)?);
    (!name.is_empty() && version.starts_with(|c: char| c.is_ascii_digit())).then_some((name, version))
}

/// The tables `ValidPaths` (id, path, hash, time, deriver) and `Refs` (referrer, reference) of Nix 2 (`src/libstore/schema.sql`).
fn from_database(bytes: &[u8], evidence: &Evidence, found: &mut Findings) {
    let malformed = GapReason::Malformed { format: FORMAT };
    let Some(sqlite) = Sqlite::open(bytes) else {
        return found.gap(&evidence.path, malformed);
    };
    let mut packages = Vec::new();
    let paths = sqlite.for_each_row("ValidPaths", |id, values| {
        if let [_, path, _, _, deriver, ..] = values {
            let deriver = deriver.text();
            let built = deriver.as_deref().and_then(|deriver| store_name(deriver)?.name.strip_suffix(".drv"));
            let path = path.text();
            let name = path.as_deref().and_then(store_name);
            let package = name.and_then(|name| name.package(built, evidence.clone()));
            packages.extend(package.map(|package| (id, package)));
        }
    });
    let packages = found.bounded(&evidence.path, packages);
    let by_number: BTreeMap<i64, &PackageId> =
        packages.iter().map(|(id, package)| (*id, &package.id)).collect();
    let references = sqlite.for_each_row("Refs", |_, values| {
        if let [from, to, ..] = values {
            let package = |value: &crate::sqlite::Value<'_>| by_number.get(&value.integer()?).copied();
            if let (Some(from), Some(to)) = (package(from), package(to)) {
                found.depends(from, to);
            }
        }
    });
    if [paths, references] != [Some(Reading::Whole); 2] || !sqlite.is_whole() {
        found.gap(&evidence.path, malformed);
    }
    found.packages.extend(packages.into_iter().map(|(_, mut package)| {
        package.identified_by = IdentifiedBy::Database;
        package
    }));
}

fn store_name(path: &str) -> Option<StoreName<'_>> {
    StoreName::parse(path::split(path).1)
}

/// The directories in the store that a kept file or a link stands for.
fn from_store(files: &Files<'_>, found: &mut Findings) {
    let kept = files.all().map(|(path, file)| (path, file.layer));
    let links = files.symlinks().map(|(path, _)| (path, None));
    let mut seen = BTreeSet::new();
    for (path, layer) in kept.chain(links) {
        let Some(directory) = store_path(path).filter(|directory| seen.insert(directory.to_owned())) else {
            continue;
        };
        let evidence = Evidence { path: directory.to_owned(), layer };
        let package = store_name(directory).and_then(|name| name.package(None, evidence));
        found.packages.extend(package.map(|mut package| {
            package.identified_by = IdentifiedBy::FileName;
            package
        }));
    }
}

/// Outputs that packages in nixpkgs have beside `out`
/// ([nixpkgs 25.05, "Multiple-output packages"](https://nixos.org/manual/nixpkgs/stable/#chap-multiple-output)), for paths whose plan is not known.
const OUTPUTS: [&str; 12] =
    ["bin", "data", "debug", "dev", "devdoc", "dist", "doc", "info", "lib", "man", "out", "static"];
/// What plans, sources and changes to them are called.
const NO_PACKAGES: [&str; 9] = [".drv", ".patch", ".diff", ".zip", ".tgz", ".tbz2", ".tar", ".lock", ".sh"];
const FORMAT: &str = "Nix database";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::testing::{catalog, gunzip};

    const HELLO: &str = "nix/store/xpybqxjj32sgczpgcgbjppm5yd29sify-hello-world-2.12.1/bin/hello";

    fn database() -> Vec<u8> {
        gunzip(include_bytes!("../../../../testdata/sbom/nix/db.sqlite.gz"))
    }

    #[test]
    fn a_database_has_packages_outputs_and_references() {
        let found = catalog(&[(DATABASE, &database())]);
        let mut purls: Vec<&str> =
            found.packages.iter().filter_map(|package| package.purl.as_deref()).collect();
        purls.sort_unstable();
        let expected = [
            "pkg:nix/glibc@2.35-163?output=bin&outputhash=6dihdybxrq7s3ps3c5v5255ik8kc90q3",
            "pkg:nix/glibc@2.35-163?outputhash=9np1p5p5dba2mkwwjilfdky9jd2yzpcr",
            "pkg:nix/hello-world@2.12.1?outputhash=xpybqxjj32sgczpgcgbjppm5yd29sify",
        ];
        assert_eq!(purls, expected);
        assert_eq!(found.edges.len(), 2);
        assert!(found.packages.iter().all(|package| package.identified_by == IdentifiedBy::Database));
        assert_eq!(found.gaps, []);
    }

    #[test]
    fn without_a_database_the_store_tells() {
        let found = catalog(&[
            (HELLO, b"#!/bin/sh"),
            ("nix/store/6dihdybxrq7s3ps3c5v5255ik8kc90q3-glibc-2.35-163-bin/bin/ldd", b"x"),
            ("nix/store/6dihdybxrq7s3ps3c5v5255ik8kc90q3-glibc-2.35-163-bin/bin/iconv", b"x"),
            ("nix/store/9np1p5p5dba2mkwwjilfdky9jd2yzpcr-source/README", b"x"),
            ("nix/store/9np1p5p5dba2mkwwjilfdky9jd2yzpcr-fix-1.0.patch/x", b"x"),
        ]);
        assert_eq!(found.packages.len(), 2);
        assert_eq!(found.named("glibc").version.as_deref(), Some("2.35-163"));
        let hello = found.named("hello-world");
        assert_eq!(hello.identified_by, IdentifiedBy::FileName);
        assert_eq!(hello.evidence[0].path, path::parent(path::parent(HELLO)));
    }

    #[test]
    fn broken_databases_and_logs_are_gaps() {
        let mut cut = database();
        cut.truncate(20_000);
        assert_eq!(catalog(&[(DATABASE, &cut)]).gaps[0].reason, GapReason::Malformed { format: FORMAT });
        assert_eq!(catalog(&[(DATABASE, b"x")]).gaps[0].reason, GapReason::Malformed { format: FORMAT });
        let found = catalog(&[(DATABASE, &database()), (LOG, b"x")]);
        assert_eq!(found.gaps[0].reason, GapReason::WriteAheadLog);
    }

    #[test]
    fn a_version_comes_after_a_dash_that_no_letter_follows() {
        assert_eq!(name_and_version("hello-world-2.12.1"), Some(("hello-world", "2.12.1")));
        assert_eq!(name_and_version("python3.11-pip-23.0"), Some(("python3.11-pip", "23.0")));
        assert_eq!(name_and_version("foo-unstable-2023-01-02"), Some(("foo-unstable", "2023-01-02")));
        assert_eq!(name_and_version("user-environment"), None);
    }

    #[test]
    fn only_names_with_a_digest_are_store_paths() {
        assert_eq!(store_path("nix/store/hello-2.12.1/bin/hello"), None);
        assert_eq!(store_path("nix/store/xpybqxjj32sgczpgcgbjppm5yd29sify-x"), None, "not in a directory");
        assert!(store_path(HELLO).is_some());
    }
}
