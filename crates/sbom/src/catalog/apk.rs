//! Alpine packages, from apk's database of installed packages
//! ([apk-tools 2.14, apk-package(5)](https://gitlab.alpinelinux.org/alpine/apk-tools/-/blob/v2.14.4/doc/apk-package.5.scd);
//! [Alpine wiki, "Apk spec"](https://wiki.alpinelinux.org/wiki/Apk_spec)): lines of one letter, a colon and a value; the case of the
//! letter matters.

use std::collections::BTreeMap;

use crate::catalog::{Cataloger, Files, Findings, offer, text, web_address};
use crate::license::License;
use crate::purl::Purl;
use crate::{Ecosystem, Evidence, GapReason, IdentifiedBy, Package, PackageId, Party, SourcePackage, path};

pub(super) struct Apk;

/// The database's place, and its place since Alpine merged `/lib` into `/usr`.
const DATABASES: [&str; 2] = ["lib/apk/db/installed", "usr/lib/apk/db/installed"];

impl Cataloger for Apk {
    fn wants(&self, path: &str) -> bool {
        DATABASES.contains(&path)
    }

    fn catalog(&self, files: &Files<'_>, found: &mut Findings) {
        let mut last = String::new();
        for place in DATABASES {
            let Some((path, file, bytes)) = files.database(place, found) else {
                continue;
            };
            if path == last {
                continue;
            }
            let text = text(bytes);
            let records = found.bounded(&path, parse(&text));
            if records.is_empty() && !text.trim().is_empty() {
                found.gap(&path, GapReason::Malformed { format: FORMAT });
            }
            let evidence = file.evidence(&path);
            let packages =
                records.iter().map(|record| package(record, &evidence, files, found)).collect::<Vec<_>>();
            connect(&records, &packages, found);
            found.packages.extend(packages.into_iter().flatten());
            last = path;
        }
    }
}

/// One package's lines: single values by letter, and the files it owns.
#[derive(Default)]
struct Record<'a> {
    values: BTreeMap<char, &'a str>,
    directory: &'a str,
    files: Vec<String>,
}

fn parse(text: &str) -> Vec<Record<'_>> {
    let mut records = Vec::new();
    let mut current = Record::default();
    for line in text.lines() {
        match line.split_once(':') {
            None if line.is_empty() && !current.values.is_empty() => {
                records.push(std::mem::take(&mut current));
            }
            Some(("F", directory)) => current.directory = directory,
            Some(("R", name)) => {
                let mut file = current.directory.to_owned();
                path::push(&mut file, name);
                current.files.push(file);
            }
            Some((letter, value)) => {
                let mut letters = letter.chars();
                if let (Some(letter), None) = (letters.next(), letters.next()) {
                    current.values.entry(letter).or_insert(value);
                }
            }
            None => {}
        }
    }
    if !current.values.is_empty() {
        records.push(current);
    }
    records
}

impl<'a> Record<'a> {
    fn value(&self, letter: char) -> Option<&'a str> {
        self.values.get(&letter).copied().map(str::trim).filter(|value| !value.is_empty())
    }

    /// What a list of dependencies or provisions names, without versions. Conflicts start with `!`.
    fn names(&self, letter: char) -> impl Iterator<Item = &'a str> {
        let words = self.value(letter).unwrap_or_default().split_whitespace();
        words
            .filter(|word| !word.starts_with('!'))
            .map(|word| word.split(['<', '>', '=', '~']).next().unwrap_or(word))
    }
}

fn package(
    record: &Record<'_>,
    evidence: &Evidence,
    files: &Files<'_>,
    found: &mut Findings,
) -> Option<Package> {
    let mut value = |letter, member| found.required(&evidence.path, FORMAT, member, record.value(letter));
    let (name, version) = (value('P', "P (name)")?, value('V', "V (version)")?);
    let namespace = files.distribution.map_or("alpine", |distribution| &distribution.id);
    let distro = files.distribution.map(crate::Distribution::qualifier).unwrap_or_default();
    let qualifiers = [("arch", record.value('A').unwrap_or_default()), ("distro", &distro)];
    let purl = Purl {
        kind: "apk",
        namespace: Some(namespace),
        name,
        version,
        qualifiers: &qualifiers,
        subpath: None,
    };
    let mut package = Package::new(Ecosystem::Apk, name, Some(version), purl.to_text(), evidence.clone());
    package.identified_by = IdentifiedBy::Database;
    package.architecture = record.value('A').map(str::to_owned);
    package.description = record.value('T').map(str::to_owned);
    package.homepage = record.value('U').and_then(web_address);
    package.license = record.value('L').and_then(License::parse);
    package.supplier = record.value('m').and_then(Party::parse);
    let origin = record.value('o').unwrap_or(name).to_owned();
    package.source = Some(SourcePackage { name: origin, version: Some(version.to_owned()) });
    package.files.clone_from(&record.files);
    package.files.sort();
    Some(package)
}

/// A dependency is a package's name, something that packages provide (`so:`, `cmd:`, `pc:`), or the path of a file.
fn connect(records: &[Record<'_>], packages: &[Option<Package>], found: &mut Findings) {
    let pairs =
        || records.iter().zip(packages).filter_map(|(record, package)| Some((record, &package.as_ref()?.id)));
    let mut providers: BTreeMap<String, Vec<&PackageId>> = BTreeMap::new();
    for (record, id) in pairs() {
        let own_name = record.value('P').into_iter().map(str::to_owned);
        let provided = record.names('p').map(str::to_owned);
        let files = record.files.iter().map(|file| format!("/{file}"));
        for name in own_name.chain(provided).chain(files) {
            offer(&mut providers, name, id);
        }
    }
    for (record, id) in pairs() {
        for name in record.names('D') {
            for provider in providers.get(name).into_iter().flatten() {
                found.depends(id, provider);
            }
        }
    }
}

const FORMAT: &str = "apk database";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::testing::{catalog, catalog_with_links};

    const TWO: &str = "C:Q1qKcZ+j23xssAXmgQhkOO8dHnbWw=\nP:alpine-baselayout\nV:3.6.5-r0\nA:x86_64\nS:8515\nI:315392\n\
        T:Alpine base dir structure and init scripts\nU:https://git.alpinelinux.org/cgit/aports/tree/main/alpine-baselayout\n\
        L:GPL-2.0-only\no:alpine-baselayout\nm:Natanael Copa <ncopa@alpinelinux.org>\nt:1714981135\n\
        c:66187892e05b03a41d08e9acabd19b7576a1c875\nD:/bin/sh so:libc.musl-x86_64.so.1 !nothing\nq:1000\nF:etc\nR:motd\na:0:0:644\n\
        Z:Q1SLkS9hBidUbPwwrw+XR0Whv3ww8=\n\n\
        P:busybox\nV:1.36.1-r29\nA:x86_64\nL:GPL-2.0-only\nD:so:libc.musl-x86_64.so.1\np:cmd:sh=1.36.1-r29\nF:bin\nR:sh\n\n\
        P:musl\nV:1.2.5-r0\nA:x86_64\no:musl\np:so:libc.musl-x86_64.so.1=1\n";

    #[test]
    fn a_package_has_all_that_its_lines_say() {
        let found = catalog(&[(DATABASES[0], TWO.as_bytes())]);
        let package = found.named("alpine-baselayout");
        let purl = package.purl.as_deref();
        assert_eq!(purl, Some("pkg:apk/debian/alpine-baselayout@3.6.5-r0?arch=x86_64&distro=debian-12"));
        assert_eq!(package.files, ["etc/motd"]);
        assert_eq!(package.license.as_ref().unwrap().expression(), "GPL-2.0-only");
        assert_eq!(found.gaps, []);
    }

    #[test]
    fn dependencies_are_names_provisions_and_paths() {
        let found = catalog(&[(DATABASES[0], TWO.as_bytes())]);
        assert!(found.has_edge("alpine-baselayout", "busybox"), "/bin/sh");
        assert!(found.has_edge("alpine-baselayout", "musl"), "so:");
        assert!(!found.has_edge("musl", "busybox"));
    }

    #[test]
    fn one_database_behind_two_paths_is_read_once() {
        let found = catalog_with_links(&[(DATABASES[1], TWO.as_bytes())], &[("lib", "usr/lib")]);
        assert_eq!(found.packages.len(), 3);
    }

    #[test]
    fn incomplete_and_unreadable_databases_are_gaps() {
        let found = catalog(&[(DATABASES[0], b"P:x\n\n")]);
        assert_eq!(found.gaps[0].reason, GapReason::Incomplete { format: FORMAT, member: "V (version)" });
        let found = catalog(&[(DATABASES[0], b"not a database")]);
        assert_eq!(found.gaps[0].reason, GapReason::Malformed { format: FORMAT });
    }
}
