//! Packages of rpm: Red Hat, Fedora, SUSE, Amazon, Azure and their relatives, from rpm's database, and from the list that the images of
//! Azure Linux without rpm have
//! ([Azure Linux, "container-manifest-2"](https://github.com/microsoft/azurelinux/blob/2.0/toolkit/docs/how_it_works/5_misc.md)).

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::{Cataloger, Files, Findings, offer, rpm_license, text, web_address};
use crate::party::one_line;
use crate::purl::Purl;
use crate::rpm::{self, Installed};
use crate::{Ecosystem, Evidence, GapReason, IdentifiedBy, Package, PackageId, Party, SourcePackage, path};

pub(super) struct Rpm;

const MANIFEST: &str = "var/lib/rpmmanifest/container-manifest-2";
/// `SQLite`'s write-ahead log beside the database.
const LOG_SUFFIX: &str = "-wal";

impl Cataloger for Rpm {
    fn wants(&self, path: &str) -> bool {
        path == MANIFEST || rpm::is_database(path.strip_suffix(LOG_SUFFIX).unwrap_or(path))
    }

    fn catalog(&self, files: &Files<'_>, found: &mut Findings) {
        let mut seen = BTreeSet::new();
        for directory in rpm::DIRECTORIES {
            let paths = rpm::FILES.map(|name| format!("{directory}{name}"));
            let Some((path, file, database)) = paths.iter().find_map(|path| files.rpm_database(path, found))
            else {
                continue;
            };
            if !seen.insert(path.clone()) {
                continue;
            }
            for reason in &database.gaps {
                found.gap(&path, reason.clone());
            }
            let log = format!("{path}{LOG_SUFFIX}");
            if files.at(&log).is_some_and(|(_, _, bytes)| !bytes.is_empty()) {
                // Packages that were written last may be in the log only.
                found.gap(&log, GapReason::WriteAheadLog);
            }
            add(&database.packages, &file.evidence(&path), files, found);
        }
        if let Some((path, file, bytes)) = files.at(MANIFEST) {
            let text = text(bytes);
            let lines = text.lines().filter(|line| !line.trim().is_empty()).collect();
            let lines = found.bounded(&path, lines);
            let listed: Vec<Installed> = lines.iter().filter_map(|line| listed(line, &path, found)).collect();
            add(&listed, &file.evidence(&path), files, found);
        }
    }
}

/// A line of the list: `NAME`, `VERSION-RELEASE`, `INSTALLTIME`, `BUILDTIME`, `VENDOR`, `EPOCH`, `SIZE`, `ARCH`, `EPOCHNUM`, `SOURCERPM`, with
/// tabs between them.
fn listed(line: &str, path: &str, found: &mut Findings) -> Option<Installed> {
    let fields: Vec<&str> = line.split('\t').collect();
    let known = |field: &str| (!matches!(field, "" | "(none)")).then(|| field.to_owned());
    let package = match fields.as_slice() {
        [name, version, _, _, vendor, epoch, _, architecture, _, source, ..] => {
            version.rsplit_once('-').map(|(version, release)| Installed {
                name: (*name).to_owned(),
                version: version.to_owned(),
                release: release.to_owned(),
                epoch: epoch.parse().ok(),
                vendor: known(vendor),
                architecture: known(architecture),
                source: known(source),
                ..Installed::default()
            })
        }
        _ => None,
    };
    if package.is_none() {
        found.gap(path, GapReason::Malformed { format: MANIFEST_FORMAT });
    }
    package
}

fn add(installed: &[Installed], evidence: &Evidence, files: &Files<'_>, found: &mut Findings) {
    let packages: Vec<Package> =
        installed.iter().map(|installed| package(installed, evidence.clone(), files)).collect();
    connect(installed, &packages, files, found);
    found.packages.extend(packages);
}

/// What the header says. Its digests (`SIGMD5`, `SHA256HEADER`) are of parts of the file that was delivered, not of the file, so the
/// package has no checksums.
fn package(installed: &Installed, evidence: Evidence, files: &Files<'_>) -> Package {
    let in_purl = format!("{}-{}", installed.version, installed.release);
    let version = match installed.epoch {
        Some(epoch) => format!("{epoch}:{in_purl}"),
        None => in_purl.clone(),
    };
    let purl = purl(installed, &in_purl, files);
    let mut package = Package::new(Ecosystem::Rpm, &installed.name, Some(&version), purl, evidence);
    package.identified_by = IdentifiedBy::Database;
    package.architecture.clone_from(&installed.architecture);
    package.license = installed.license.as_deref().and_then(rpm_license::license);
    package.homepage = installed.homepage.as_deref().and_then(web_address);
    package.description = installed.summary.as_deref().map(one_line).filter(|line| !line.is_empty());
    package.supplier = supplier(installed);
    package.source = installed.source.as_deref().and_then(source);
    package.files.clone_from(&installed.files);
    package
}

/// [purl-spec, `rpm`](https://github.com/package-url/purl-spec/blob/main/types/rpm-definition.json): the namespace is the vendor, and the
/// epoch is a qualifier. `upstream` is the source package, as other tools write it; `rpmmod` is
/// [Red Hat's](https://redhatproductsecurity.github.io/security-data-guidelines/purl/#identifying-rpm-modules).
fn purl(installed: &Installed, version: &str, files: &Files<'_>) -> Option<String> {
    let namespace = files.distribution.map(|distribution| match distribution.id.as_str() {
        "rhel" => "redhat",
        suse if suse.starts_with("opensuse") => "opensuse",
        other => other,
    });
    let distro = files.distribution.map(crate::Distribution::qualifier).unwrap_or_default();
    let epoch = installed.epoch.map(|epoch| epoch.to_string()).unwrap_or_default();
    let qualifiers = [
        ("arch", installed.architecture.as_deref().unwrap_or_default()),
        ("distro", &distro),
        ("epoch", &epoch),
        ("rpmmod", installed.module.as_deref().unwrap_or_default()),
        ("upstream", installed.source.as_deref().unwrap_or_default()),
    ];
    Purl { kind: "rpm", namespace, name: &installed.name, version, qualifiers: &qualifiers, subpath: None }
        .to_text()
}

/// The vendor is the organisation behind the package; the packager may be a person.
fn supplier(installed: &Installed) -> Option<Party> {
    let vendor = installed.vendor.as_deref().map(one_line).filter(|vendor| !vendor.is_empty());
    vendor.map(Party::Organization).or_else(|| installed.packager.as_deref().and_then(Party::parse))
}

/// `name-version-release.src.rpm`, or `.nosrc.rpm` where the sources may not be passed on.
fn source(file_name: &str) -> Option<SourcePackage> {
    let stem = file_name.strip_suffix(".src.rpm").or_else(|| file_name.strip_suffix(".nosrc.rpm"))?;
    let (rest, release) = stem.rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    Some(SourcePackage { name: name.to_owned(), version: Some(format!("{version}-{release}")) })
}

/// A requirement is a package's name, something that packages provide, the path of a file, or a condition in parentheses. What a
/// package provides itself it does not need of others.
fn connect(installed: &[Installed], packages: &[Package], files: &Files<'_>, found: &mut Findings) {
    let mut providers: BTreeMap<&str, Vec<&PackageId>> = BTreeMap::new();
    for (record, package) in installed.iter().zip(packages) {
        let names = std::iter::once(&record.name).chain(&record.provides);
        for name in names.collect::<BTreeSet<_>>() {
            offer(&mut providers, name, &package.id);
        }
    }
    let owners = owners(installed, packages, files);
    for (record, package) in installed.iter().zip(packages) {
        for name in record.requires.iter().flat_map(|requirement| alternatives(requirement)) {
            let by_name = providers.get(name).map(Vec::as_slice).unwrap_or_default();
            if by_name.contains(&&package.id) {
                continue;
            }
            let place = if name.starts_with('/') { place(files, name) } else { None };
            let by_file = place.and_then(|place| owners.get(&place)).map(Vec::as_slice).unwrap_or_default();
            for provider in by_name.iter().chain(by_file) {
                found.depends(&package.id, provider);
            }
        }
    }
}

/// What a requirement names. A condition in parentheses
/// ([rpm 4.19, "Boolean Dependencies"](https://rpm-software-management.github.io/rpm/manual/boolean_dependencies.html)) names what is
/// needed before the words `if` and `unless`, and after it what that depends on.
fn alternatives(requirement: &str) -> impl Iterator<Item = &str> {
    let is_condition = requirement.starts_with('(');
    let words = requirement
        .split_whitespace()
        .take_while(move |word| !is_condition || !matches!(*word, "if" | "unless"));
    let mut after_comparison = false;
    words.filter_map(move |word| {
        if !is_condition {
            return Some(word);
        }
        let is_version = std::mem::replace(&mut after_comparison, word.starts_with(['<', '>', '=']));
        let is_word = matches!(word, "and" | "or" | "with" | "without") || word.starts_with(['<', '>', '=']);
        (!is_version && !is_word).then(|| unwrapped(word))
    })
}

/// A word without the parentheses around it, but with those that belong to it: `(libfoo.so.1()(64bit)`.
fn unwrapped(word: &str) -> &str {
    let mut word = word.trim_start_matches('(');
    while word.matches(')').count() > word.matches('(').count() {
        match word.strip_suffix(')') {
            Some(shorter) => word = shorter,
            None => break,
        }
    }
    word
}

/// The owners of the files that packages require by path, by where the files are in the root: a package may ask for `/bin/sh` where
/// another has `/usr/bin/sh`.
fn owners<'a>(
    installed: &[Installed],
    packages: &'a [Package],
    files: &Files<'_>,
) -> BTreeMap<String, Vec<&'a PackageId>> {
    let required = installed.iter().flat_map(|record| &record.requires).flat_map(|text| alternatives(text));
    let paths = required.filter(|name| name.starts_with('/'));
    let names: BTreeSet<&str> = paths.map(|path| path::split(path).1).collect();
    let mut owners: BTreeMap<String, Vec<&PackageId>> = BTreeMap::new();
    for (record, package) in installed.iter().zip(packages) {
        for file in record.files.iter().filter(|file| names.contains(path::split(file).1)) {
            if let Some(place) = place(files, file) {
                offer(&mut owners, place, &package.id);
            }
        }
    }
    owners
}

/// Where a path is, with its directories' links followed, but not its own.
fn place(files: &Files<'_>, file: &str) -> Option<String> {
    let (directory, name) = path::split(file);
    let mut place = files.real_path(directory)?;
    path::push(&mut place, name);
    Some(place)
}

const MANIFEST_FORMAT: &str = "rpm manifest";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::testing::{catalog, catalog_with_links, gunzip};

    fn sqlite() -> Vec<u8> {
        gunzip(include_bytes!("../../../../testdata/sbom/rpm/rpmdb.sqlite.gz"))
    }

    #[test]
    fn a_package_has_all_that_its_header_says() {
        let found = catalog(&[("usr/lib/sysimage/rpm/rpmdb.sqlite", &sqlite())]);
        let package = found.named("beta");
        let purl = "pkg:rpm/debian/beta@2.5-3.fc39?arch=noarch&distro=debian-12&epoch=2&upstream=beta-2.5-3.fc39.src.rpm";
        assert_eq!(package.purl.as_deref(), Some(purl));
        assert_eq!(package.version.as_deref(), Some("2:2.5-3.fc39"));
        assert_eq!(package.identified_by, IdentifiedBy::Database);
        assert_eq!(package.license.as_ref().unwrap().expression(), "GPL-2.0-or-later");
        assert_eq!(package.supplier, Some(Party::Organization("Example Project".into())));
        assert_eq!(package.homepage.as_deref(), Some("https://example.org/beta"));
        assert_eq!(package.description.as_deref(), Some("The beta package"));
        let source = SourcePackage { name: "beta".into(), version: Some("2.5-3.fc39".into()) };
        assert_eq!(package.source, Some(source));
        assert_eq!(package.checksums, [], "the database has none of the file that was delivered");
        assert_eq!(package.files, ["usr/share/beta/data.txt"]);
        assert_eq!((found.packages.len(), found.gaps.as_slice()), (25, [].as_slice()));
    }

    #[test]
    fn a_module_is_part_of_the_purl() {
        let found = catalog(&[("var/lib/rpm/rpmdb.sqlite", &sqlite())]);
        assert!(found.named("part05").purl.as_ref().unwrap().contains("&rpmmod=nodejs:18:20230101:abc&"));
    }

    #[test]
    fn requirements_are_names_provisions_files_and_conditions() {
        let found = catalog(&[("var/lib/rpm/rpmdb.sqlite", &sqlite())]);
        assert!(found.has_edge("alpha", "beta"), "a name");
        assert!(found.has_edge("alpha", "gamma"), "a file");
        assert!(found.has_edge("alpha", "delta-libs"), "a provision");
        assert!(found.has_edge("beta", "gamma"), "a condition");
        assert!(!found.has_edge("gamma", "alpha"));
    }

    #[test]
    fn a_database_behind_two_paths_is_read_once() {
        let found = catalog_with_links(
            &[("usr/lib/sysimage/rpm/rpmdb.sqlite", &sqlite())],
            &[("var/lib/rpm", "../../usr/lib/sysimage/rpm")],
        );
        assert_eq!(found.packages.len(), 25);
    }

    #[test]
    fn a_log_that_is_not_written_back_is_a_gap() {
        let files: [(&str, &[u8]); 2] =
            [("var/lib/rpm/rpmdb.sqlite", &sqlite()), ("var/lib/rpm/rpmdb.sqlite-wal", b"\x37")];
        let found = catalog(&files);
        assert_eq!(found.gaps[0].reason, GapReason::WriteAheadLog);
        let files: [(&str, &[u8]); 2] =
            [("var/lib/rpm/rpmdb.sqlite", &sqlite()), ("var/lib/rpm/rpmdb.sqlite-wal", b"")];
        assert_eq!(catalog(&files).gaps, []);
    }

    #[test]
    fn bytes_that_are_no_database_are_a_gap() {
        let found = catalog(&[("var/lib/rpm/Packages", b"not a database")]);
        assert_eq!(found.gaps[0].reason, GapReason::Malformed { format: rpm::FORMAT });
    }

    #[test]
    fn a_database_that_is_a_link_to_an_unread_file_is_a_gap() {
        let found = catalog_with_links(&[], &[("var/lib/rpm", "/opt/db")]);
        let target = "opt/db/rpmdb.sqlite".to_owned();
        assert_eq!(found.gaps[0].reason, GapReason::LinkTargetNotKept { target });
    }

    #[test]
    fn images_without_rpm_have_a_list() {
        let list = b"zlib\t1.2.13-2.cm2\t1697\t1695\tMicrosoft Corporation\t(none)\t98\tx86_64\t0\tzlib-1.2.13-2.cm2.src.rpm\n\
            openssl-libs\t1.1.1k-27.cm2\t1697\t1695\tMicrosoft Corporation\t1\t98\tx86_64\t1\t(none)\nbroken\n";
        let found = catalog(&[(MANIFEST, list)]);
        let zlib = "pkg:rpm/debian/zlib@1.2.13-2.cm2?arch=x86_64&distro=debian-12&upstream=zlib-1.2.13-2.cm2.src.rpm";
        assert_eq!(found.named("zlib").purl.as_deref(), Some(zlib));
        assert_eq!(found.named("openssl-libs").version.as_deref(), Some("1:1.1.1k-27.cm2"));
        assert_eq!(found.gaps[0].reason, GapReason::Malformed { format: MANIFEST_FORMAT });
    }

    #[test]
    fn a_condition_names_what_is_needed() {
        let names = |text| alternatives(text).collect::<Vec<_>>();
        assert_eq!(names("libc.so.6(GLIBC_2.4)(64bit)"), ["libc.so.6(GLIBC_2.4)(64bit)"]);
        assert_eq!(names("(langpack >= 2 or all-langpacks)"), ["langpack", "all-langpacks"]);
        assert_eq!(names("(plugin(x) if systemd)"), ["plugin(x)"]);
        assert_eq!(names("((a and b) or libd.so()(64bit))"), ["a", "b", "libd.so()(64bit)"]);
    }
}
