//! Python packages, as installed
//! ([PyPA specifications, "Recording installed projects"](https://packaging.python.org/en/latest/specifications/recording-installed-packages/)
//! and ["Core metadata" 2.4](https://packaging.python.org/en/latest/specifications/core-metadata/)): `*.dist-info/METADATA`, and the older
//! `*.egg-info`.

use std::collections::BTreeMap;

use crate::catalog::{Cataloger, Files, Findings, directory_and_name, text, web_address};
use crate::license::{Combine, License};
use crate::purl::Purl;
use crate::stanza::{self, Stanza};
use crate::{Ecosystem, Evidence, Package, PackageId, Party, path};

pub(super) struct Python;

impl Cataloger for Python {
    fn wants(&self, path: &str) -> bool {
        let (directory, name) = directory_and_name(path);
        match name {
            // pip renames what it replaces to start with a tilde, and sometimes leaves it.
            _ if directory.starts_with('~') || name.starts_with('~') => false,
            "METADATA" => directory.ends_with(".dist-info"),
            "PKG-INFO" if directory == "EGG-INFO" => is_egg(path::parent(path::parent(path))),
            "PKG-INFO" => directory.ends_with(".egg-info"),
            _ => name.ends_with(".egg-info"),
        }
    }

    fn catalog(&self, files: &Files<'_>, found: &mut Findings) {
        let mut distributions = Vec::new();
        for (path, file, bytes) in files.wanted() {
            let text = text(bytes);
            distributions.extend(distribution(&stanza::head(&text), file.evidence(path), found));
        }
        connect(&distributions, found);
        found.packages.extend(distributions.into_iter().map(|distribution| distribution.package));
    }
}

/// Whether a directory is an egg by its name. One that pip was about to replace is left over.
fn is_egg(directory: &str) -> bool {
    let name = path::split(directory).1;
    name.ends_with(".egg") && !name.starts_with('~')
}

/// An installed distribution, the directory that it is importable from, and the normalised names that it requires.
struct Installed {
    package: Package,
    site: String,
    requires: Vec<String>,
}

fn distribution(head: &Stanza<'_>, evidence: Evidence, found: &mut Findings) -> Option<Installed> {
    let path = evidence.path.clone();
    let mut field = |member| found.required(&path, FORMAT, member, head.field(member));
    let (name, version) = (field("Name")?, field("Version")?);
    let normal = normalized(name);
    let purl = Purl { kind: "pypi", namespace: None, name: &normal, version, qualifiers: &[], subpath: None };
    let mut package = Package::new(Ecosystem::Pypi, name, Some(version), purl.to_text(), evidence);
    package.description =
        head.first_line("Summary").filter(|summary| *summary != "UNKNOWN").map(str::to_owned);
    package.homepage = homepage(head);
    package.supplier = supplier(head);
    package.license = license(head);
    let metadata = path::parent(&path);
    let site = if path.ends_with(".egg-info") { metadata } else { path::parent(metadata) };
    let requires = head.all("Requires-Dist").filter_map(requirement).collect();
    Some(Installed { package, site: site.to_owned(), requires })
}

/// [Name normalization](https://packaging.python.org/en/latest/specifications/name-normalization/): lower case, and runs of `-`, `_`
/// and `.` as one hyphen.
pub(super) fn normalized(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for character in name.trim().chars() {
        match character {
            '-' | '_' | '.' if normal.ends_with('-') => {}
            '-' | '_' | '.' => normal.push('-'),
            other => normal.extend(other.to_lowercase()),
        }
    }
    normal
}

/// The name in a requirement; none when it is asked for by an extra only. Other markers do not matter here: what they leave out is
/// not installed.
pub(super) fn requirement(text: &str) -> Option<String> {
    let (requirement, marker) = text.split_once(';').unwrap_or((text, ""));
    let is_extra =
        marker.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).any(|word| word == "extra");
    let end = requirement.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')));
    let name = requirement.get(..end.unwrap_or(requirement.len())).unwrap_or_default();
    (!is_extra && !name.is_empty()).then(|| normalized(name))
}

fn homepage(head: &Stanza<'_>) -> Option<String> {
    let labelled = head.all("Project-URL").find_map(|line| {
        let (label, address) = line.split_once(',')?;
        matches!(label.trim().to_ascii_lowercase().as_str(), "homepage" | "home-page" | "home")
            .then_some(address)
    });
    head.field("Home-page").and_then(web_address).or_else(|| labelled.and_then(web_address))
}

fn supplier(head: &Stanza<'_>) -> Option<Party> {
    let known = |member: &'static str| head.field(member).filter(|value| *value != "UNKNOWN");
    let pair = |name: &'static str, address: &'static str| match (known(name), known(address)) {
        // An address field may have the name in it, and may name several.
        (None, Some(address)) => Party::parse(address.split(',').next().unwrap_or(address)),
        (Some(name), Some(address)) if !address.contains(['<', ',']) => {
            Party::parse(&format!("{name} <{address}>"))
        }
        (Some(name), _) => Party::parse(name),
        (None, None) => None,
    };
    pair("Author", "Author-email").or_else(|| pair("Maintainer", "Maintainer-email"))
}

/// `License-Expression` first; then the free field when it is a name, the classifiers, and last the free field's text.
fn license(head: &Stanza<'_>) -> Option<License> {
    if let Some(license) = head.field("License-Expression").and_then(License::parse) {
        return Some(license);
    }
    let free = head.field("License").and_then(License::parse);
    if free.as_ref().is_some_and(|license| license.references().is_empty()) {
        return free;
    }
    let classifiers = head.all("Classifier").filter_map(|line| line.strip_prefix("License :: "));
    let names =
        classifiers.filter_map(|line| line.rsplit(" :: ").next()).filter(|name| *name != "OSI Approved");
    License::combine(names.filter_map(classifier), Combine::And).or(free)
}

/// Licence classifiers that name one licence are in [`License`]'s list; "BSD License" and the like name several.
fn classifier(name: &str) -> Option<License> {
    let known = match name {
        "Apache Software License" => return None,
        "BSD License" => return None,
        "GNU General Public License v2 (GPLv2)" => "GPL-2.0-only",
        "GNU General Public License v2 or later (GPLv2+)" => "GPL-2.0-or-later",
        "GNU General Public License v3 (GPLv3)" => "GPL-3.0-only",
        "GNU General Public License v3 or later (GPLv3+)" => "GPL-3.0-or-later",
        "GNU Lesser General Public License v2 or later (LGPLv2+)" => "LGPL-2.0-or-later",
        "GNU Lesser General Public License v3 (LGPLv3)" => "LGPL-3.0-only",
        "GNU Lesser General Public License v3 or later (LGPLv3+)" => "LGPL-3.0-or-later",
        other => other,
    };
    License::parse(known)
}

/// A requirement leads to a distribution in the same directory, or else to the one of that name that shares most of its path: a zip
/// application has a directory for each, and one environment is not served by another.
fn connect(distributions: &[Installed], found: &mut Findings) {
    let mut by_name: BTreeMap<String, Vec<(&str, &PackageId)>> = BTreeMap::new();
    for distribution in distributions {
        let name = normalized(&distribution.package.name);
        by_name.entry(name).or_default().push((&distribution.site, &distribution.package.id));
    }
    for distribution in distributions {
        for name in &distribution.requires {
            let Some(candidates) = by_name.get(name) else {
                continue;
            };
            let near = candidates.iter().rev().max_by_key(|(site, _)| shared(site, &distribution.site));
            if let Some((_, id)) = near {
                found.depends(&distribution.package.id, id);
            }
        }
    }
}

/// How many directories two paths share; the same path shares more than any other.
fn shared(one: &str, other: &str) -> usize {
    let same = one.split('/').zip(other.split('/')).take_while(|(a, b)| a == b).count();
    if one == other { usize::MAX } else { same }
}

const FORMAT: &str = "Python metadata";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GapReason;
    use crate::catalog::testing::catalog;

    const SITE: &str = "usr/lib/python3/site-packages";

    fn flask() -> (String, &'static [u8]) {
        let metadata = b"Metadata-Version: 2.4\nName: Flask.App\nVersion: 3.1.0\nSummary: A framework\n\
            Author-email: Pallets Team <pallets@example.org>\nLicense-Expression: BSD-3-Clause\n\
            Project-URL: Homepage, https://flask.example.org\nRequires-Dist: Typing_Extensions>=4; python_version<'3.11'\n\
            Requires-Dist: sphinx ; extra == 'docs'\n\nName: body\n";
        (format!("{SITE}/flask_app-3.1.0.dist-info/METADATA"), metadata)
    }

    #[test]
    fn a_distribution_has_all_that_its_metadata_says() {
        let (path, metadata) = flask();
        let found = catalog(&[(&path, metadata)]);
        let package = found.named("Flask.App");
        assert_eq!(package.purl.as_deref(), Some("pkg:pypi/flask-app@3.1.0"));
        assert_eq!(package.license.as_ref().unwrap().expression(), "BSD-3-Clause");
        assert_eq!(package.homepage.as_deref(), Some("https://flask.example.org"));
        assert_eq!(package.supplier, Some(Party::Organization("Pallets Team (pallets@example.org)".into())));
    }

    #[test]
    fn requirements_lead_to_what_is_installed_beside_them() {
        let (path, metadata) = flask();
        let typing = format!("{SITE}/typing_extensions.dist-info/METADATA");
        let sphinx = format!("{SITE}/sphinx.dist-info/METADATA");
        let files: [(&str, &[u8]); 3] = [
            (&path, metadata),
            (&typing, b"Name: typing-extensions\nVersion: 4\n"),
            (&sphinx, b"Name: sphinx\nVersion: 1\n"),
        ];
        let found = catalog(&files);
        assert!(found.has_edge("Flask.App", "typing-extensions"));
        assert!(!found.has_edge("Flask.App", "sphinx"), "only asked for by an extra");
    }

    #[test]
    fn classifiers_count_when_the_free_field_is_vague() {
        let text = "License: see file\nClassifier: License :: OSI Approved :: MIT License\n";
        assert_eq!(license(&stanza::head(text)).unwrap().expression(), "MIT");
        let vague = "License: BSD\nClassifier: License :: OSI Approved :: BSD License\n";
        assert_eq!(license(&stanza::head(vague)).unwrap().expression(), "LicenseRef-BSD");
    }

    #[test]
    fn an_egg_info_file_is_a_distribution() {
        let found = catalog(&[(
            "usr/lib/python3/dist-packages/wheel-0.38.egg-info",
            b"Name: wheel\nVersion: 0.38\n",
        )]);
        assert_eq!(found.named("wheel").purl.as_deref(), Some("pkg:pypi/wheel@0.38"));
    }

    #[test]
    fn eggs_are_distributions_and_what_pip_left_over_is_none() {
        let files: [(&str, &[u8]); 4] = [
            ("lib/old-1-py3.11.egg/EGG-INFO/PKG-INFO", b"Name: old\nVersion: 1\n"),
            ("lib/~ld-0-py3.11.egg/EGG-INFO/PKG-INFO", b"Name: old\nVersion: 0\n"),
            ("lib/~heel-0.egg-info/PKG-INFO", b"Name: wheel\nVersion: 0\n"),
            ("src/EGG-INFO/PKG-INFO", b"Name: source\nVersion: 0\n"),
        ];
        let found = catalog(&files);
        assert_eq!(found.packages.len(), 1);
        assert_eq!(found.named("old").purl.as_deref(), Some("pkg:pypi/old@1"));
    }

    #[test]
    fn an_environment_is_served_by_itself_first() {
        let files: [(&str, &[u8]); 3] = [
            ("opt/a/tool.pex/.deps/x.whl/x.dist-info/METADATA", b"Name: x\nVersion: 1\nRequires-Dist: y\n"),
            ("opt/a/tool.pex/.deps/y.whl/y.dist-info/METADATA", b"Name: y\nVersion: 1\n"),
            ("opt/a/lib/y.dist-info/METADATA", b"Name: y\nVersion: 2\n"),
        ];
        let found = catalog(&files);
        let near =
            found.packages.iter().find(|p| p.name == "y" && p.version.as_deref() == Some("1")).unwrap();
        assert_eq!(found.edges[0].2, near.id);
    }

    #[test]
    fn metadata_without_a_version_is_a_gap() {
        let found = catalog(&[("a/x.dist-info/METADATA", b"Name: x\n")]);
        assert_eq!(found.gaps[0].reason, GapReason::Incomplete { format: FORMAT, member: "Version" });
    }
}
