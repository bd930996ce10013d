//! Crates that are built into Rust executables, as cargo-auditable lists them
//! ([cargo-auditable, "JSON format"](https://github.com/rust-secure-code/cargo-auditable/blob/master/cargo-auditable.schema.json)).
//!
//! Crates of the build itself, such as procedural macros, are not in the executable and are left out.

use auditable_serde::{DependencyKind, Source, VersionInfo};

use crate::catalog::{Cataloger, Files, Findings};
use crate::purl::Purl;
use crate::{Ecosystem, Evidence, GapReason, Package, Party};

pub(super) struct CargoAuditable;

impl Cataloger for CargoAuditable {
    fn wants(&self, _path: &str) -> bool {
        false
    }

    fn catalog(&self, files: &Files<'_>, found: &mut Findings) {
        for (path, file, executable) in files.executables() {
            let Some(json) = &executable.auditable else {
                continue;
            };
            match serde_json::from_slice(json) {
                Ok(list) => add(&list, &file.evidence(path), found),
                Err(_) => found.gap(path, GapReason::Malformed { format: FORMAT }),
            }
        }
    }
}

fn add(list: &VersionInfo, evidence: &Evidence, found: &mut Findings) {
    let is_runtime = |krate: &auditable_serde::Package| krate.kind == DependencyKind::Runtime || krate.root;
    // One entry for each crate, so that the list's indices stay right.
    let packages: Vec<Option<Package>> =
        list.packages.iter().map(|krate| is_runtime(krate).then(|| package(krate, evidence))).collect();
    for (krate, package) in list.packages.iter().zip(&packages) {
        let Some(package) = package else { continue };
        for target in krate.dependencies.iter().filter_map(|index| packages.get(*index)?.as_ref()) {
            found.depends(&package.id, &target.id);
        }
    }
    let packages = packages.into_iter().flatten().collect();
    let packages = found.bounded(&evidence.path, packages);
    found.packages.extend(packages);
}

fn package(krate: &auditable_serde::Package, evidence: &Evidence) -> Package {
    let version = krate.version.to_string();
    let purl = Purl {
        kind: "cargo",
        namespace: None,
        name: &krate.name,
        version: &version,
        qualifiers: &[],
        subpath: None,
    };
    let mut package =
        Package::new(Ecosystem::Cargo, &krate.name, Some(&version), purl.to_text(), evidence.clone());
    package.is_application = krate.root;
    if krate.source == Source::CratesIo {
        package.supplier = Some(Party::Organization("crates.io".to_owned()));
    }
    package
}

const FORMAT: &str = "cargo-auditable list";

#[cfg(test)]
mod tests {
    use super::*;

    fn found(json: &str) -> Findings {
        let mut found = crate::catalog::testing::catalog(&[]);
        let evidence = Evidence { path: "usr/bin/rg".into(), layer: None };
        add(&json.parse().unwrap(), &evidence, &mut found);
        found
    }

    #[test]
    fn crates_of_the_build_are_left_out() {
        let json = r#"{"packages":[
            {"name":"app","version":"1.0.0","source":"local","dependencies":[1,2],"root":true},
            {"name":"cc","version":"1.0.0","source":"crates.io","kind":"build"},
            {"name":"libc","version":"0.2.1","source":"crates.io"}]}"#;
        let found = found(json);
        assert_eq!(found.packages.len(), 2);
        assert!(found.has_edge("app", "libc"));
        assert!(found.named("app").is_application);
        assert_eq!(found.named("libc").purl.as_deref(), Some("pkg:cargo/libc@0.2.1"));
    }
}
