//! Packages of conda, mamba and pixi, from the record that each environment has of what is in it
//! (`conda-meta/*.json`; [rattler's description](https://conda.github.io/rattler/py-rattler/prefix_record)).

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::catalog::{Cataloger, Files, Findings, directory_and_name};
use crate::license::License;
use crate::purl::Purl;
use crate::{
    Checksum, ChecksumAlgorithm, Ecosystem, Evidence, GapReason, IdentifiedBy, Package, PackageId, path,
};

pub(super) struct Conda;

impl Cataloger for Conda {
    fn wants(&self, path: &str) -> bool {
        let (directory, name) = directory_and_name(path);
        directory == "conda-meta" && name.ends_with(".json")
    }

    fn catalog(&self, files: &Files<'_>, found: &mut Findings) {
        let mut installed = Vec::new();
        for (path, file, bytes) in files.wanted() {
            match serde_json::from_slice::<Record>(bytes) {
                Ok(record) => installed.extend(record.installed(file.evidence(path), found)),
                Err(_) => found.gap(path, GapReason::Malformed { format: FORMAT }),
            }
        }
        connect(&installed, found);
        found.packages.extend(installed.into_iter().map(|installed| installed.package));
    }
}

/// What is read of a record.
#[derive(Deserialize)]
struct Record {
    name: Option<String>,
    version: Option<String>,
    build: Option<String>,
    channel: Option<String>,
    subdir: Option<String>,
    #[serde(rename = "fn")]
    file_name: Option<String>,
    license: Option<String>,
    sha256: Option<String>,
    md5: Option<String>,
    #[serde(default)]
    depends: Vec<String>,
    #[serde(default)]
    files: Vec<String>,
}

/// A package, the environment that it is in, and the names that it needs there.
struct Installed {
    package: Package,
    environment: String,
    needs: Vec<String>,
}

impl Record {
    fn installed(self, evidence: Evidence, found: &mut Findings) -> Option<Installed> {
        let environment = path::parent(path::parent(&evidence.path)).to_owned();
        let mut member = |value: &Option<String>, member| {
            let value = value.clone().filter(|value| !value.is_empty());
            found.required(&evidence.path, FORMAT, member, value)
        };
        let (name, version) = (member(&self.name, "name")?, member(&self.version, "version")?);
        let mut package =
            Package::new(Ecosystem::Conda, &name, Some(&version), self.purl(&name, &version), evidence);
        package.identified_by = IdentifiedBy::Database;
        package.license = self.license.as_deref().and_then(License::parse);
        package.architecture.clone_from(&self.subdir);
        package.checksums = self.checksums();
        package.files =
            self.files.iter().map(|file| path::join(&environment, file.trim_start_matches('/'))).collect();
        package.files.sort();
        // `name`, then a version or a version and a build. Names that start with two underscores are of the machine.
        let names = self.depends.iter().filter_map(|text| text.split_whitespace().next());
        let needs = names.filter(|name| !name.starts_with("__")).map(str::to_owned).collect();
        Some(Installed { package, environment, needs })
    }

    /// [purl-spec, `conda`](https://github.com/package-url/purl-spec/blob/main/types/conda-definition.json).
    fn purl(&self, name: &str, version: &str) -> Option<String> {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let file_name = self.file_name.as_deref().unwrap_or_default();
        let kind = ["tar.bz2", "conda"].into_iter().find(|kind| file_name.ends_with(&format!(".{kind}")));
        let qualifiers = [
            ("build", text(&self.build)),
            ("channel", self.channel_name().to_owned()),
            ("subdir", text(&self.subdir)),
            ("type", kind.unwrap_or_default().to_owned()),
        ];
        let qualifiers = qualifiers.each_ref().map(|(key, value)| (*key, value.as_str()));
        Purl { kind: "conda", namespace: None, name, version, qualifiers: &qualifiers, subpath: None }
            .to_text()
    }

    /// The last part of the channel's address, before the directory of the platform: `main`, `conda-forge`.
    fn channel_name(&self) -> &str {
        let channel = self.channel.as_deref().unwrap_or_default().trim_end_matches('/');
        let subdir = self.subdir.as_deref().unwrap_or_default();
        let channel = channel.strip_suffix(subdir).unwrap_or(channel).trim_end_matches('/');
        path::split(channel).1
    }

    /// Of the file that was delivered.
    fn checksums(&self) -> Vec<Checksum> {
        let md5 = self.md5.as_deref().and_then(|hex| Checksum::new(ChecksumAlgorithm::Md5, hex));
        let sha256 = self.sha256.as_deref().and_then(|hex| Checksum::new(ChecksumAlgorithm::Sha256, hex));
        md5.into_iter().chain(sha256).collect()
    }
}

/// A name leads to the package of that name in the same environment.
fn connect(installed: &[Installed], found: &mut Findings) {
    let mut by_name: BTreeMap<(&str, &str), &PackageId> = BTreeMap::new();
    for record in installed {
        by_name.insert((&record.environment, &record.package.name), &record.package.id);
    }
    for record in installed {
        for name in &record.needs {
            if let Some(id) = by_name.get(&(record.environment.as_str(), name.as_str())) {
                found.depends(&record.package.id, id);
            }
        }
    }
}

const FORMAT: &str = "conda record";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::testing::catalog;

    const ALPHA: &[u8] = include_bytes!("../../../../testdata/sbom/conda/records/alpha-1.2-h1_0.json");
    const BETA: &[u8] = include_bytes!("../../../../testdata/sbom/conda/records/beta-2.5.post1-0.json");

    #[test]
    fn a_package_has_all_that_its_record_says() {
        let found = catalog(&[("opt/conda/conda-meta/alpha-1.2-h1_0.json", ALPHA)]);
        let package = found.named("alpha");
        let purl = "pkg:conda/alpha@1.2?build=h1_0&channel=channel&subdir=linux-64&type=tar.bz2";
        assert_eq!(package.purl.as_deref(), Some(purl));
        assert_eq!(package.identified_by, IdentifiedBy::Database);
        assert_eq!(package.license.as_ref().unwrap().expression(), "BSD-3-Clause");
        assert_eq!(package.files, ["opt/conda/bin/alpha"]);
        assert_eq!(package.checksums.len(), 2);
        assert_eq!(found.gaps, []);
    }

    #[test]
    fn dependencies_stay_within_their_environment() {
        let found = catalog(&[("a/conda-meta/alpha.json", ALPHA), ("a/conda-meta/beta.json", BETA)]);
        assert!(found.has_edge("alpha", "beta"));
        let found = catalog(&[("a/conda-meta/alpha.json", ALPHA), ("b/conda-meta/beta.json", BETA)]);
        assert!(!found.has_edge("alpha", "beta"));
    }

    #[test]
    fn a_channel_is_named_without_its_platform() {
        let record = |channel| {
            let text = format!(r#"{{"channel":"{channel}","subdir":"linux-64"}}"#);
            serde_json::from_str::<Record>(&text).unwrap().channel_name().to_owned()
        };
        assert_eq!(record("https://conda.anaconda.org/conda-forge/linux-64"), "conda-forge");
        assert_eq!(record("https://repo.anaconda.com/pkgs/main/"), "main");
        assert_eq!(record("conda-forge"), "conda-forge");
    }

    #[test]
    fn incomplete_and_unreadable_records_are_gaps() {
        let found = catalog(&[("conda-meta/x.json", br#"{"name":"x"}"#)]);
        assert_eq!(found.gaps[0].reason, GapReason::Incomplete { format: FORMAT, member: "version" });
        let found = catalog(&[("conda-meta/x.json", b"{")]);
        assert_eq!(found.gaps[0].reason, GapReason::Malformed { format: FORMAT });
    }
}
