//! What a Rust source tree has locked: `Cargo.lock`
//! ([Cargo Book, "Cargo.toml vs Cargo.lock"](https://doc.rust-lang.org/cargo/guide/cargo-toml-vs-cargo-lock.html);
//! [cargo 1.85, `resolver/encode.rs`](https://github.com/rust-lang/cargo/blob/0.86.0/src/cargo/core/resolver/encode.rs), versions 1 to 4).
//!
//! Cargo writes the file itself and always in one shape, so it is read line by line rather than as any TOML.

use std::collections::BTreeMap;

use crate::catalog::{Cataloger, Files, Findings, Finds, text};
use crate::purl::Purl;
use crate::{
    Checksum, ChecksumAlgorithm, Ecosystem, Evidence, GapReason, IdentifiedBy, Package, PackageId, path,
};

pub(super) struct CargoLock;

impl Cataloger for CargoLock {
    fn wants(&self, path: &str) -> bool {
        path::split(path).1 == FORMAT
    }

    fn finds(&self) -> Finds {
        Finds::Locked
    }

    fn catalog(&self, files: &Files<'_>, found: &mut Findings) {
        for (path, file, bytes) in files.wanted() {
            match parse(&text(bytes)) {
                Some(crates) => add(&crates, &file.evidence(path), found),
                None => found.gap(path, GapReason::Malformed { format: FORMAT }),
            }
        }
    }
}

/// One `[[package]]`.
#[derive(Default)]
struct Crate {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
    /// `name`, `name version` or `name version (source)`, as much as makes it unique.
    needs: Vec<String>,
}

fn add(crates: &[Crate], evidence: &Evidence, found: &mut Findings) {
    let mut by_name: BTreeMap<&str, Vec<(&Crate, PackageId)>> = BTreeMap::new();
    let crates = found.bounded(&evidence.path, crates.iter().collect());
    for krate in &crates {
        let package = package(krate, evidence);
        by_name.entry(&krate.name).or_default().push((krate, package.id.clone()));
        found.packages.push(package);
    }
    for (from, id) in by_name.values().flatten() {
        for need in &from.needs {
            let mut words = need.split(' ');
            let named = by_name.get(words.next().unwrap_or_default()).map(Vec::as_slice).unwrap_or_default();
            let version = words.next();
            let source = words.next().map(|source| source.trim_matches(['(', ')']));
            let target = named.iter().find(|(krate, _)| {
                version.is_none_or(|version| krate.version == version)
                    && source.is_none_or(|source| krate.source.as_deref() == Some(source))
            });
            if let Some((_, to)) = target {
                found.depends(id, to);
            }
        }
    }
}

/// A crate without source belongs to the tree itself; one from git is not what the registry has under that name.
fn package(krate: &Crate, evidence: &Evidence) -> Package {
    let version = krate.version.as_str();
    let is_registered = krate.source.as_deref().is_some_and(is_crates_io);
    let purl = || {
        Purl { kind: "cargo", namespace: None, name: &krate.name, version, qualifiers: &[], subpath: None }
            .to_text()
    };
    let purl = is_registered.then(purl).flatten();
    let mut package = Package::new(Ecosystem::Cargo, &krate.name, Some(version), purl, evidence.clone());
    package.identified_by = IdentifiedBy::LockFile;
    package.is_application = krate.source.is_none();
    let sum = krate.checksum.as_deref();
    package.checksums.extend(sum.and_then(|sum| Checksum::new(ChecksumAlgorithm::Sha256, sum)));
    package
}

/// The registry that a purl of this type names, by its two addresses. Other registries have crates of their own under the same names.
fn is_crates_io(source: &str) -> bool {
    [
        "registry+https://github.com/rust-lang/crates.io-index",
        "sparse+https://index.crates.io/",
        "registry+sparse+https://index.crates.io/",
    ]
    .contains(&source)
}

/// None when a line is none that Cargo writes, or a crate lacks its name or version.
fn parse(text: &str) -> Option<Vec<Crate>> {
    let mut crates: Vec<Crate> = Vec::new();
    let mut sums: BTreeMap<String, String> = BTreeMap::new();
    let (mut table, mut in_list) = (String::new(), false);
    for line in text.lines().map(str::trim) {
        match line {
            "" => {}
            _ if line.starts_with('#') => {}
            "]" => in_list = false,
            _ if in_list => {
                let need = line.trim_end_matches(',').strip_prefix('"')?.strip_suffix('"')?;
                crates.last_mut()?.needs.push(need.to_owned());
            }
            _ if line.starts_with('[') => {
                table = line.trim_matches(['[', ']']).to_owned();
                if table == "package" || table == "root" {
                    crates.push(Crate::default());
                }
            }
            _ => {
                let (key, value) = line.split_once(" = ")?;
                let value = value.trim_matches('"').to_owned();
                match (table.as_str(), key) {
                    // Version 1 has the checksums in a table of their own.
                    ("metadata", key) => {
                        let of = key.trim_matches('"').strip_prefix("checksum ").unwrap_or(key);
                        sums.insert(of.to_owned(), value);
                    }
                    ("package" | "root", "dependencies") => in_list = value == "[",
                    ("package" | "root", key) => crates.last_mut()?.set(key, value),
                    _ => {}
                }
            }
        }
    }
    for krate in &mut crates {
        if krate.name.is_empty() || krate.version.is_empty() {
            return None;
        }
        let key =
            format!("{} {} ({})", krate.name, krate.version, krate.source.as_deref().unwrap_or_default());
        krate.checksum = krate.checksum.take().or_else(|| sums.remove(&key));
    }
    Some(crates)
}

impl Crate {
    fn set(&mut self, key: &str, value: String) {
        match key {
            "name" => self.name = value,
            "version" => self.version = value,
            "source" => self.source = Some(value),
            "checksum" => self.checksum = Some(value),
            _ => {}
        }
    }
}

const FORMAT: &str = "Cargo.lock";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::testing::catalog;

    const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

    #[test]
    fn the_lock_of_this_workspace_is_read() {
        let found = catalog(&[("Cargo.lock", include_bytes!("../../../../Cargo.lock"))]);
        assert_eq!(found.gaps, []);
        assert!(found.packages.len() > 100);
        assert!(found.has_edge("touchmark-sbom", "packageurl"));
        assert_eq!(found.named("touchmark-sbom").purl, None);
        assert_eq!(found.named("packageurl").checksums.len(), 1);
    }

    #[test]
    fn one_of_two_versions_is_told_by_what_makes_it_unique() {
        let krate = |name: &str, version: &str, needs: &str| {
            format!(
                "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nsource = \"{REGISTRY}\"\n{needs}\n"
            )
        };
        let needs = format!("dependencies = [\n \"b 2.0.0\",\n \"c 1.0.0 ({REGISTRY})\",\n]\n");
        let metadata = format!("[metadata]\n\"checksum a 1.0.0 ({REGISTRY})\" = \"{}\"\n", "ab".repeat(32));
        let text = [
            krate("a", "1.0.0", &needs),
            krate("b", "1.0.0", ""),
            krate("b", "2.0.0", ""),
            krate("c", "1.0.0", ""),
            metadata,
        ];
        let found = catalog(&[("x/Cargo.lock", text.concat().as_bytes())]);
        let target = |name: &str, version: &str| {
            let is_it =
                |package: &&Package| package.name == name && package.version.as_deref() == Some(version);
            found.packages.iter().find(is_it).unwrap().id.clone()
        };
        let needs: Vec<PackageId> = found.edges.iter().map(|(_, _, to)| to.clone()).collect();
        assert_eq!(needs, [target("b", "2.0.0"), target("c", "1.0.0")]);
        assert_eq!(found.named("a").checksums[0].hex, "ab".repeat(32));
    }

    #[test]
    fn a_crate_from_git_has_no_purl() {
        let text =
            b"[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"git+https://example.org/a#0123\"\n";
        assert_eq!(catalog(&[("Cargo.lock", text)]).named("a").purl, None);
    }

    #[test]
    fn a_broken_file_is_a_gap() {
        for text in ["[[package]]\nname = \"a\"\n", "x", "[[package]]\ndependencies = [\nx\n"] {
            assert_eq!(
                catalog(&[("Cargo.lock", text.as_bytes())]).gaps[0].reason,
                GapReason::Malformed { format: FORMAT }
            );
        }
    }
}
