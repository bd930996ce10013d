//! Debian packages, from dpkg's database
//! ([Debian Policy 4.7, ch. 5](https://www.debian.org/doc/debian-policy/ch-controlfields.html),
//! [dpkg-query(1)](https://manpages.debian.org/bookworm/dpkg/dpkg-query.1.en.html) for the states), and from the one file per package
//! that distroless images have in `status.d`.

use std::collections::BTreeMap;

use crate::catalog::{Cataloger, Files, Findings, debian_copyright, offer, text, web_address};
use crate::purl::Purl;
use crate::stanza::{self, Stanza};
use crate::{Ecosystem, Evidence, GapReason, IdentifiedBy, Package, PackageId, Party, SourcePackage};

pub(super) struct Dpkg;

const STATUS: &str = "var/lib/dpkg/status";
const STATUS_DIRECTORY: &str = "var/lib/dpkg/status.d/";
const INFO_DIRECTORY: &str = "var/lib/dpkg/info/";
const DOC_DIRECTORY: &str = "usr/share/doc/";

impl Cataloger for Dpkg {
    fn wants(&self, path: &str) -> bool {
        let is_copyright = || {
            let name = path.strip_prefix(DOC_DIRECTORY).and_then(|rest| rest.strip_suffix("/copyright"));
            name.is_some_and(|name| !name.contains('/'))
        };
        path == STATUS
            || path.starts_with(STATUS_DIRECTORY)
            || path.strip_prefix(INFO_DIRECTORY).is_some_and(|name| name.ends_with(".list"))
            || is_copyright()
    }

    fn catalog(&self, files: &Files<'_>, found: &mut Findings) {
        let mut records = Vec::new();
        if let Some((path, file, bytes)) = files.database(STATUS, found) {
            let text = text(bytes);
            let stanzas = found.bounded(&path, stanza::parse(&text));
            if stanzas.is_empty() && !text.trim().is_empty() {
                found.gap(&path, GapReason::Malformed { format: FORMAT });
            }
            let present = stanzas.iter().filter(|stanza| stanza.field("Status").is_some_and(is_present));
            records.extend(present.filter_map(|stanza| record(stanza, file.evidence(&path), files, found)));
        }
        for (path, file, bytes) in files.wanted() {
            let name = path.strip_prefix(STATUS_DIRECTORY).filter(|name| !name.ends_with(".md5sums"));
            if name.is_none() {
                continue;
            }
            let text = text(bytes);
            let is_listed = |stanza: &&Stanza<'_>| stanza.field("Status").is_none_or(is_present);
            let stanzas = stanza::parse(&text);
            records.extend(
                stanzas
                    .iter()
                    .filter(is_listed)
                    .filter_map(|stanza| record(stanza, file.evidence(path), files, found)),
            );
        }
        connect(&records, found);
        found.packages.extend(records.into_iter().map(|record| record.package));
    }
}

/// Whether a package's files are there. `deinstall ok config-files` is a package that was removed.
fn is_present(status: &str) -> bool {
    let state = status.split_whitespace().nth(2);
    !matches!(state, None | Some("not-installed" | "config-files"))
}

/// A package with what it needs and what it offers.
struct Record {
    package: Package,
    depends: Vec<Vec<String>>,
    provides: Vec<String>,
}

fn record(
    stanza: &Stanza<'_>,
    evidence: Evidence,
    files: &Files<'_>,
    found: &mut Findings,
) -> Option<Record> {
    let mut field = |member| found.required(&evidence.path, FORMAT, member, stanza.field(member));
    let (name, version) = (field("Package")?, field("Version")?);
    let architecture = stanza.field("Architecture");
    let purl = purl(name, version, architecture, files);
    let mut package = Package::new(Ecosystem::Deb, name, Some(version), purl, evidence);
    package.identified_by = IdentifiedBy::Database;
    package.architecture = architecture.map(str::to_owned);
    package.supplier = stanza.field("Maintainer").and_then(Party::parse);
    package.homepage = stanza.field("Homepage").and_then(web_address);
    package.description = stanza.first_line("Description").map(str::to_owned);
    package.source = Some(source(stanza.field("Source"), name, version));
    add_files(&mut package, files);
    add_license(&mut package, files);
    let relations = ["Pre-Depends", "Depends"].into_iter().filter_map(|field| stanza.field(field));
    Some(Record {
        package,
        depends: relations.flat_map(relation).collect(),
        provides: stanza.field("Provides").map(relation).unwrap_or_default().concat(),
    })
}

fn purl(name: &str, version: &str, architecture: Option<&str>, files: &Files<'_>) -> Option<String> {
    let namespace = files.distribution.map_or("debian", |distribution| &distribution.id);
    let distro = files.distribution.map(crate::Distribution::qualifier).unwrap_or_default();
    let qualifiers = [("arch", architecture.unwrap_or_default()), ("distro", &distro)];
    Purl { kind: "deb", namespace: Some(namespace), name, version, qualifiers: &qualifiers, subpath: None }
        .to_text()
}

/// `Source: name (version)`, where each part is left out if it equals the binary package's own (Policy §5.6.1).
fn source(field: Option<&str>, name: &str, version: &str) -> SourcePackage {
    let (source, rest) = match field {
        Some(field) => field.split_once(' ').unwrap_or((field, "")),
        None => (name, ""),
    };
    let own = rest.trim().trim_start_matches('(').trim_end_matches(')');
    let version = if own.is_empty() { version } else { own };
    SourcePackage { name: source.to_owned(), version: Some(version.to_owned()) }
}

/// The list of a package's files is written when it is installed and not again, so the list's layer is the package's.
fn add_files(package: &mut Package, files: &Files<'_>) {
    let architecture = package.architecture.as_deref().unwrap_or_default();
    let name = &package.name;
    // Beside a stanza of its own, whose name need not be the package's: some builders encode it.
    let stanza = package.evidence.first().filter(|evidence| evidence.path.starts_with(STATUS_DIRECTORY));
    let lists = [
        format!("{INFO_DIRECTORY}{name}.list"),
        format!("{INFO_DIRECTORY}{name}:{architecture}.list"),
        format!("{}.md5sums", stanza.map_or("", |evidence| &evidence.path)),
    ];
    let Some((path, file, bytes)) = lists.iter().find_map(|path| files.at(path)) else {
        return;
    };
    let text = text(bytes);
    let listed = text.lines().map(|line| match line.strip_prefix('/') {
        Some(path) => path,
        // md5sums: a digest, two spaces, a path from the root.
        None => line.split_once("  ").map_or("", |(_, path)| path),
    });
    let mut paths: Vec<String> =
        listed.filter(|path| !path.is_empty() && *path != ".").map(str::to_owned).collect();
    paths.sort();
    paths.dedup();
    package.files = paths;
    package.evidence.push(file.evidence(&path));
}

fn add_license(package: &mut Package, files: &Files<'_>) {
    let path = format!("{DOC_DIRECTORY}{}/copyright", package.name);
    package.license = files.at(&path).and_then(|(_, _, bytes)| debian_copyright::license(&text(bytes)));
}

/// A relationship field: clauses of alternatives, without versions, architectures and `:any` (Policy §7.1).
fn relation(field: &str) -> Vec<Vec<String>> {
    let name =
        |part: &str| part.trim().split([' ', '\n', '(', '[', ':']).next().unwrap_or_default().to_owned();
    field
        .split(',')
        .map(|clause| clause.split('|').map(name).filter(|name| !name.is_empty()).collect())
        .collect()
}

/// Each clause leads to its first alternative that is there, by its own name or else as something that others provide.
fn connect(records: &[Record], found: &mut Findings) {
    let mut by_name: BTreeMap<&str, Vec<&Record>> = BTreeMap::new();
    let mut by_provided: BTreeMap<&str, Vec<&PackageId>> = BTreeMap::new();
    for record in records {
        by_name.entry(&record.package.name).or_default().push(record);
        for name in &record.provides {
            offer(&mut by_provided, name, &record.package.id);
        }
    }
    for record in records {
        for clause in &record.depends {
            let target = |name: &String| match by_name.get(name.as_str()) {
                Some(named) => Some(vec![same_architecture(record, named)?]),
                None => by_provided.get(name.as_str()).cloned(),
            };
            for id in clause.iter().find_map(target).unwrap_or_default() {
                found.depends(&record.package.id, id);
            }
        }
    }
}

fn same_architecture<'a>(record: &Record, named: &[&'a Record]) -> Option<&'a PackageId> {
    let same = named.iter().find(|other| other.package.architecture == record.package.architecture);
    same.or(named.first()).map(|other| &other.package.id)
}

const FORMAT: &str = "dpkg status";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::testing::{catalog, catalog_with_links};

    const TWO: &str = "Package: a\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:2.0-1\n\
        Source: src (1.9)\nMaintainer: Debian QA Group <packages@qa.debian.org>\nHomepage: https://example.org\n\
        Depends: missing | virtual (>= 2), b:any\nDescription: short\n long\n\n\
        Package: b\nStatus: install ok installed\nArchitecture: all\nVersion: 1\nProvides: virtual (= 3)\n\n\
        Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1\n";

    #[test]
    fn removed_packages_are_not_there() {
        let found = catalog(&[(STATUS, TWO.as_bytes())]);
        assert_eq!(found.packages.len(), 2);
        assert_eq!(found.gaps, []);
    }

    #[test]
    fn what_waits_for_triggers_or_configuration_is_there() {
        for (state, is_there) in [
            ("installed", true),
            ("triggers-pending", true),
            ("triggers-awaited", true),
            ("half-configured", true),
            ("unpacked", true),
            ("config-files", false),
            ("not-installed", false),
        ] {
            let status = format!("Package: x\nStatus: install ok {state}\nVersion: 1\n");
            assert_eq!(catalog(&[(STATUS, status.as_bytes())]).packages.len() == 1, is_there, "{state}");
        }
    }

    #[test]
    fn any_number_of_packages_that_offer_and_need_one_thing_have_few_edges() {
        let offer = |n| format!("Package: a{n}\nStatus: install ok installed\nVersion: 1\nProvides: x\n\n");
        let need = |n| format!("Package: b{n}\nStatus: install ok installed\nVersion: 1\nDepends: x\n\n");
        let status: String = (0..500).map(offer).chain((0..500).map(need)).collect();
        assert_eq!(catalog(&[(STATUS, status.as_bytes())]).edges.len(), 500 * 64);
    }

    #[test]
    fn a_package_has_all_that_its_stanza_says() {
        let found = catalog(&[(STATUS, TWO.as_bytes())]);
        let package = found.named("a");
        let purl = package.purl.as_deref();
        assert_eq!(purl, Some("pkg:deb/debian/a@1:2.0-1?arch=amd64&distro=debian-12"));
        let source = SourcePackage { name: "src".into(), version: Some("1.9".into()) };
        assert_eq!(package.source, Some(source));
        assert_eq!(package.description.as_deref(), Some("short"));
        assert!(matches!(package.supplier, Some(Party::Organization(_))));
    }

    #[test]
    fn dependencies_follow_alternatives_and_provides() {
        let found = catalog(&[(STATUS, TWO.as_bytes())]);
        assert!(found.has_edge("a", "b"));
        assert!(!found.has_edge("b", "a"));
    }

    #[test]
    fn the_file_list_is_evidence_of_its_own() {
        let list: &[u8] = b"/.\n/usr\n/usr/bin/a\n";
        let found = catalog(&[(STATUS, TWO.as_bytes()), ("var/lib/dpkg/info/a:amd64.list", list)]);
        assert_eq!(found.named("a").files, ["usr", "usr/bin/a"]);
        assert_eq!(found.named("a").evidence[1].path, "var/lib/dpkg/info/a:amd64.list");
    }

    #[test]
    fn distroless_packages_need_no_status() {
        let stanza: &[u8] = b"Package: tzdata\nVersion: 2024a\nArchitecture: all\n";
        let sums: &[u8] = b"00000000000000000000000000000000  usr/share/zoneinfo/UTC\n";
        let name = "var/lib/dpkg/status.d/tzdata";
        let found = catalog(&[(name, stanza), ("var/lib/dpkg/status.d/tzdata.md5sums", sums)]);
        assert_eq!(found.named("tzdata").files, ["usr/share/zoneinfo/UTC"]);
    }

    #[test]
    fn distroless_file_lists_stand_beside_their_stanzas_whatever_these_are_called() {
        let stanza: &[u8] = b"Package: libssl3\nVersion: 3\nArchitecture: all\n";
        let sums: &[u8] = b"00000000000000000000000000000000  usr/lib/libssl.so.3\n";
        let name = "var/lib/dpkg/status.d/bGlic3NsMw==";
        let found = catalog(&[(name, stanza), ("var/lib/dpkg/status.d/bGlic3NsMw==.md5sums", sums)]);
        assert_eq!(found.named("libssl3").files, ["usr/lib/libssl.so.3"]);
    }

    #[test]
    fn a_copyright_file_behind_a_link_is_found() {
        let files: [(&str, &[u8]); 2] = [
            (STATUS, TWO.as_bytes()),
            ("usr/share/doc/a-common/copyright", b"Format: x\n\nLicense: Expat\n"),
        ];
        let found = catalog_with_links(&files, &[("usr/share/doc/a", "a-common")]);
        assert_eq!(found.named("a").license.as_ref().unwrap().expression(), "MIT");
    }

    #[test]
    fn a_record_without_version_is_a_gap() {
        let found = catalog(&[(STATUS, b"Package: x\nStatus: install ok installed\n")]);
        assert!(found.packages.is_empty());
        assert_eq!(found.gaps[0].reason, GapReason::Incomplete { format: FORMAT, member: "Version" });
    }

    #[test]
    fn bytes_that_are_no_database_are_a_gap() {
        let found = catalog(&[(STATUS, b"\x00\x01\x02")]);
        assert_eq!(found.gaps[0].reason, GapReason::Malformed { format: FORMAT });
    }

    #[test]
    fn a_database_that_is_a_link_to_an_unread_file_is_a_gap() {
        let found = catalog_with_links(&[], &[("var/lib/dpkg", "/opt/db")]);
        let target = "opt/db/status".to_owned();
        assert_eq!(found.gaps[0].reason, GapReason::LinkTargetNotKept { target });
    }
}
