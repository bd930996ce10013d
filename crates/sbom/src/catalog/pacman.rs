//! Packages of pacman: Arch Linux and its relatives, from its database of one directory for each package
//! ([ALPM, alpm-db](https://alpm.archlinux.page/specifications/alpm-db.7.html) and
//! [alpm-db-desc](https://alpm.archlinux.page/specifications/alpm-db-desc.5.html)).

use std::collections::BTreeMap;

use crate::catalog::{Cataloger, Files, Findings, offer, text, web_address};
use crate::license::{Combine, License};
use crate::party::one_line;
use crate::purl::Purl;
use crate::{Ecosystem, IdentifiedBy, Package, PackageId, Party, SourcePackage, path};

pub(super) struct Pacman;

const DATABASE: &str = "var/lib/pacman/local/";

impl Cataloger for Pacman {
    fn wants(&self, path: &str) -> bool {
        let below = path.strip_prefix(DATABASE).and_then(|rest| rest.split_once('/'));
        below.is_some_and(|(_, name)| matches!(name, "desc" | "files"))
    }

    fn catalog(&self, files: &Files<'_>, found: &mut Findings) {
        let mut records = Vec::new();
        for (path, file, bytes) in files.wanted() {
            if path.ends_with("/desc") {
                let text = text(bytes);
                records.extend(record(&Sections::parse(&text), file.evidence(path), files, found));
            }
        }
        connect(&records, found);
        found.packages.extend(records.into_iter().map(|record| record.package));
    }
}

/// A file's sections: a name between percent signs, then a value on each line up to an empty one.
struct Sections<'a>(BTreeMap<&'a str, Vec<&'a str>>);

impl<'a> Sections<'a> {
    fn parse(text: &'a str) -> Self {
        let mut sections: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut current = None;
        for line in text.lines() {
            let name = line.strip_prefix('%').and_then(|rest| rest.strip_suffix('%'));
            match (name, current) {
                (Some(name), None) => current = Some(name),
                (_, _) if line.is_empty() => current = None,
                (_, Some(section)) => sections.entry(section).or_default().push(line),
                (None, None) => {}
            }
        }
        Self(sections)
    }

    fn all(&self, section: &str) -> impl Iterator<Item = &'a str> {
        self.0.get(section).into_iter().flatten().copied()
    }

    fn first(&self, section: &str) -> Option<&'a str> {
        self.all(section).next().map(str::trim).filter(|value| !value.is_empty())
    }
}

/// A package with what it needs and what it offers, without versions.
struct Record {
    package: Package,
    depends: Vec<String>,
    provides: Vec<String>,
}

fn record(
    sections: &Sections<'_>,
    evidence: crate::Evidence,
    files: &Files<'_>,
    found: &mut Findings,
) -> Option<Record> {
    let path = evidence.path.clone();
    let mut value = |member| found.required(&path, FORMAT, member, sections.first(member));
    let (name, version) = (value("NAME")?, value("VERSION")?);
    let architecture = sections.first("ARCH");
    let purl = purl(name, version, architecture, files);
    let mut package = Package::new(Ecosystem::Alpm, name, Some(version), purl, evidence);
    package.identified_by = IdentifiedBy::Database;
    package.architecture = architecture.map(str::to_owned);
    package.description = sections.first("DESC").map(one_line);
    package.homepage = sections.first("URL").and_then(web_address);
    package.supplier =
        sections.first("PACKAGER").filter(|name| *name != "Unknown Packager").and_then(Party::parse);
    package.license = License::combine(sections.all("LICENSE").filter_map(License::parse), Combine::And);
    // A package that is built alone may leave its base out.
    let base = sections.first("BASE").unwrap_or(name).to_owned();
    package.source = Some(SourcePackage { name: base, version: Some(version.to_owned()) });
    add_files(&mut package, path::parent(&path), files);
    let names = |section| sections.all(section).map(without_version).collect();
    Some(Record { package, depends: names("DEPENDS"), provides: names("PROVIDES") })
}

/// [purl-spec, `alpm`](https://github.com/package-url/purl-spec/blob/main/types/alpm-definition.json): the namespace is the vendor, and the
/// version has its epoch.
fn purl(name: &str, version: &str, architecture: Option<&str>, files: &Files<'_>) -> Option<String> {
    let namespace = files.distribution.map_or("arch", |distribution| &distribution.id);
    let distro = files.distribution.map(crate::Distribution::qualifier).unwrap_or_default();
    let qualifiers = [("arch", architecture.unwrap_or_default()), ("distro", &distro)];
    Purl { kind: "alpm", namespace: Some(namespace), name, version, qualifiers: &qualifiers, subpath: None }
        .to_text()
}

/// The package's files, without its directories: those belong to many.
fn add_files(package: &mut Package, directory: &str, files: &Files<'_>) {
    let Some((path, file, bytes)) = files.at(&format!("{directory}/files")) else {
        return;
    };
    let text = text(bytes);
    let listed = Sections::parse(&text);
    package.files = listed.all("FILES").filter(|path| !path.ends_with('/')).map(str::to_owned).collect();
    package.files.sort();
    package.evidence.push(file.evidence(&path));
}

fn without_version(dependency: &str) -> String {
    dependency.split(['<', '>', '=']).next().unwrap_or(dependency).trim().to_owned()
}

/// A dependency leads to the package of its name, or else to those that provide it.
fn connect(records: &[Record], found: &mut Findings) {
    let mut by_name: BTreeMap<&str, Vec<&PackageId>> = BTreeMap::new();
    let mut by_provided: BTreeMap<&str, Vec<&PackageId>> = BTreeMap::new();
    for record in records {
        offer(&mut by_name, &record.package.name, &record.package.id);
        for name in &record.provides {
            offer(&mut by_provided, name, &record.package.id);
        }
    }
    for record in records {
        for name in &record.depends {
            let providers = by_name.get(name.as_str()).or_else(|| by_provided.get(name.as_str()));
            for provider in providers.into_iter().flatten() {
                found.depends(&record.package.id, provider);
            }
        }
    }
}

const FORMAT: &str = "pacman database";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GapReason;
    use crate::catalog::testing::catalog;

    macro_rules! fixture {
        ($directory:literal, $file:literal) => {
            include_bytes!(concat!(
                "../../../../testdata/sbom/pacman/var/lib/pacman/local/",
                $directory,
                "/",
                $file
            ))
            .as_slice()
        };
    }

    fn real() -> Findings {
        catalog(&[
            ("var/lib/pacman/local/hello-2.12.1-3/desc", fixture!("hello-2.12.1-3", "desc")),
            ("var/lib/pacman/local/hello-2.12.1-3/files", fixture!("hello-2.12.1-3", "files")),
            ("var/lib/pacman/local/libhello-2.12.1-3/desc", fixture!("libhello-2.12.1-3", "desc")),
            ("var/lib/pacman/local/libhello-2.12.1-3/files", fixture!("libhello-2.12.1-3", "files")),
            ("var/lib/pacman/local/data-2:20240101-1/desc", fixture!("data-2_20240101-1", "desc")),
            ("var/lib/pacman/local/data-2:20240101-1/files", fixture!("data-2_20240101-1", "files")),
        ])
    }

    #[test]
    fn a_package_has_all_that_its_directory_says() {
        let found = real();
        let package = found.named("libhello");
        let purl = "pkg:alpm/debian/libhello@2.12.1-3?arch=x86_64&distro=debian-12";
        assert_eq!(package.purl.as_deref(), Some(purl));
        assert_eq!(package.identified_by, IdentifiedBy::Database);
        assert_eq!(package.supplier, Some(Party::Person("Ann Lee (ann@example.org)".into())));
        assert!(
            package.license.as_ref().unwrap().expression().starts_with("GPL-3.0-or-later AND LicenseRef-")
        );
        assert_eq!(package.source.as_ref().unwrap().name, "hello");
        assert_eq!(package.files, ["usr/lib/libhello.so"]);
        assert_eq!((found.packages.len(), found.gaps.as_slice()), (3, [].as_slice()));
    }

    #[test]
    fn an_epoch_is_part_of_the_version() {
        let found = real();
        assert_eq!(found.named("data").version.as_deref(), Some("2:20240101-1"));
        assert_eq!(found.named("data").files, ["usr/share/data/words with spaces"]);
    }

    #[test]
    fn dependencies_are_names_and_provisions() {
        let found = real();
        assert!(found.has_edge("hello", "libhello"), "a name with a version");
        assert!(found.has_edge("hello", "data"), "a provision");
        assert!(!found.has_edge("libhello", "hello"));
    }

    #[test]
    fn a_directory_without_a_version_is_a_gap() {
        let found = catalog(&[("var/lib/pacman/local/x-1/desc", b"%NAME%\nx\n")]);
        assert_eq!(found.gaps[0].reason, GapReason::Incomplete { format: FORMAT, member: "VERSION" });
    }

    #[test]
    fn a_value_between_percent_signs_is_a_value() {
        let sections = Sections::parse("%DESC%\n%odd%\n\n%NAME%\nx\n");
        assert_eq!(sections.first("DESC"), Some("%odd%"));
        assert_eq!(sections.first("NAME"), Some("x"));
    }
}
