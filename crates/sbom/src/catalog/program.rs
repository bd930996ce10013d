//! Programs that no package manager installed, known by their file's name and by marks in their bytes, and the two toolchains that say
//! in a file of their own what they are: Java's `release`
//! ([JEP 223](https://openjdk.org/jeps/223) and the files of OpenJDK 9 and later) and Go's `VERSION`.
//!
//! A file that a package owns is that package, whatever its bytes say. So this comes after all other catalogers.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::{Cataloger, Files, Findings, text};
use crate::executable::{KnownProgram, WindowsProduct};
use crate::party::one_line;
use crate::purl::Purl;
use crate::{Ecosystem, Evidence, IdentifiedBy, Package, Party, path};

pub(super) struct Programs;

impl Cataloger for Programs {
    fn wants(&self, path: &str) -> bool {
        let (directory, name) = path::split(path);
        name == "release" || (name == "VERSION" && path::split(directory).1 == "go")
    }

    fn looks_at_others(&self) -> bool {
        true
    }

    fn catalog(&self, files: &Files<'_>, found: &mut Findings) {
        let mut candidates = Vec::new();
        for (path, file, executable) in files.executables() {
            candidates.extend(executable.program.as_ref().map(|known| program(known, file.evidence(path))));
            // Wheels and npm packages bring helpers for Windows along, which are theirs.
            let product = executable.windows.as_ref().filter(|_| !is_in_library(path, files.others));
            candidates.extend(product.map(|product| windows(product, file.evidence(path))));
        }
        for (path, file, bytes) in files.wanted() {
            let text = text(bytes);
            let evidence = file.evidence(path);
            candidates.extend(if path.ends_with("release") {
                java(&text, evidence)
            } else {
                go(&text, evidence)
            });
        }
        let owned = owned(&candidates, files, files.others);
        let is_owned = |package: &Package| {
            package.evidence.iter().any(|evidence| owned.contains(&evidence.path))
                || is_named_without_files(package, files.others)
        };
        found.packages.extend(candidates.into_iter().filter(|package| !is_owned(package)));
    }
}

fn program(known: &KnownProgram, evidence: Evidence) -> Package {
    let is_application = !is_library(path::split(&evidence.path).1);
    let program = known.program;
    let mut package = generic(program.name, &known.version, evidence);
    package.identified_by = IdentifiedBy::Content;
    package.is_application = is_application;
    package.cpes =
        program.cpes.iter().map(|(vendor, product)| cpe(vendor, product, &known.version)).collect();
    package
}

/// A program or library of Windows, by the product that it says it belongs to.
fn windows(product: &WindowsProduct, evidence: Evidence) -> Package {
    let is_application = evidence.path.to_ascii_lowercase().ends_with(".exe");
    let mut package = generic(&product.name, &product.version, evidence);
    package.identified_by = IdentifiedBy::Content;
    package.is_application = is_application;
    package.supplier = product.company.as_deref().map(one_line).map(Party::Organization);
    package
}

fn is_library(name: &str) -> bool {
    name.ends_with(".so") || name.contains(".so.") || name.ends_with(".dylib")
}

fn generic(name: &str, version: &str, evidence: Evidence) -> Package {
    let purl = Purl { kind: "generic", namespace: None, name, version, qualifiers: &[], subpath: None };
    Package::new(Ecosystem::Generic, name, Some(version), purl.to_text(), evidence)
}

/// `name="value"` lines; a file that names no version of Java is somebody else's.
fn java(text: &str, evidence: Evidence) -> Option<Package> {
    let value = |name: &str| {
        let line = text.lines().filter_map(|line| line.split_once('=')).find(|(key, _)| key.trim() == name);
        line.map(|(_, value)| value.trim().trim_matches('"')).filter(|value| !value.is_empty())
    };
    let plain = value("JAVA_VERSION")?;
    let version = value("JAVA_RUNTIME_VERSION").unwrap_or(plain);
    let is_commercial = value("BUILD_TYPE") == Some("commercial");
    let (name, product) = if is_commercial { ("jdk", "jdk") } else { ("openjdk", "openjdk") };
    let mut package = generic(name, version, evidence);
    package.is_application = true;
    package.cpes = vec![cpe("oracle", product, plain)];
    package.supplier = value("IMPLEMENTOR").and_then(Party::parse);
    Some(package)
}

/// `go1.22.1`, and since Go 1.21 a second line with the time.
fn go(text: &str, evidence: Evidence) -> Option<Package> {
    let version = text
        .lines()
        .next()?
        .trim()
        .strip_prefix("go")
        .filter(|v| v.starts_with(|c: char| c.is_ascii_digit()))?;
    let version = version.split_whitespace().next()?;
    let mut package = generic("go", version, evidence);
    package.is_application = true;
    package.cpes = vec![cpe("golang", "go", version)];
    Some(package)
}

/// A name in the CPE dictionary's form: the other attributes are any. Characters that mean something are quoted
/// (CPE 2.3, NISTIR 7695, §6.2).
fn cpe(vendor: &str, product: &str, version: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let mut quoted = String::new();
    for character in version.to_ascii_lowercase().chars().filter(char::is_ascii_graphic) {
        if !plain(character) {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    format!("cpe:2.3:a:{vendor}:{product}:{quoted}:*:*:*:*:*:*:*")
}

/// Whether a file lies in one of the directories that Python or Node.js loads packages from, and there are some.
fn is_in_library(path: &str, others: &[Package]) -> bool {
    let ends = path.match_indices('/').map(|(end, _)| end);
    let libraries = ends.filter_map(|end| path.get(..=end)).filter(|directory| {
        let name = path::split(directory.trim_end_matches('/')).1;
        matches!(name, "site-packages" | "dist-packages" | "node_modules")
    });
    let evidence = || others.iter().filter_map(|package| package.evidence.first());
    libraries.into_iter().any(|library| evidence().any(|evidence| evidence.path.starts_with(library)))
}

/// Whether the system has a package of this name and version, built from that source, and nothing says which files are its own: images
/// are slimmed by taking away those lists.
fn is_named_without_files(program: &Package, others: &[Package]) -> bool {
    let from_system = |package: &&Package| package.ecosystem.is_system() && package.files.is_empty();
    let version = program.version.as_deref().unwrap_or_default();
    let is_same = |package: &Package| {
        let source = package.source.as_ref().map(|source| source.name.as_str());
        let own = package.version.as_deref().unwrap_or_default();
        let own = own.split_once(':').map_or(own, |(_epoch, version)| version);
        let rest = own.strip_prefix(version);
        (package.name == program.name || source == Some(&program.name))
            && rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '.'))
    };
    others.iter().filter(from_system).any(is_same)
}

/// Which candidates' files belong to a package. Lists of files have paths as they were packaged, so their directories' links are
/// followed before they are compared.
fn owned(candidates: &[Package], files: &Files<'_>, packages: &[Package]) -> BTreeSet<String> {
    let mut by_name: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for evidence in candidates.iter().flat_map(|package| &package.evidence) {
        by_name.entry(path::split(&evidence.path).1).or_default().insert(&evidence.path);
    }
    let listed = packages.iter().flat_map(|package| &package.files);
    let of_interest = listed.filter_map(|file| Some((file, by_name.get(path::split(file).1)?)));
    of_interest
        .filter_map(|(file, paths)| files.real_path(file).filter(|real| paths.contains(real.as_str())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::testing::{catalog, catalog_with_links};

    fn elf(content: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
        bytes.resize(512, 0);
        bytes.extend_from_slice(content);
        bytes.push(0);
        bytes
    }

    #[test]
    fn a_program_is_marked_as_known_by_its_content() {
        let found = catalog(&[("usr/local/bin/node", &elf(b"node.js/v20.1.0"))]);
        let package = found.named("node");
        assert_eq!(package.purl.as_deref(), Some("pkg:generic/node@20.1.0"));
        assert_eq!(package.identified_by, IdentifiedBy::Content);
        assert_eq!(package.cpes, ["cpe:2.3:a:nodejs:node.js:20.1.0:*:*:*:*:*:*:*"]);
        assert!(package.is_application);
        let found = catalog(&[("usr/local/lib/libcrypto.so.3", &elf(b"\0OpenSSL 3.0.2 1 Jan 2022"))]);
        assert!(!found.named("openssl").is_application);
    }

    #[test]
    fn a_file_that_a_package_owns_is_that_package() {
        let status: &[u8] =
            b"Package: busybox\nStatus: install ok installed\nVersion: 1:1.35.0\nArchitecture: amd64\n";
        let busybox = elf(b"BusyBox v1.35.0");
        let files: [(&str, &[u8]); 4] = [
            ("var/lib/dpkg/status", status),
            ("var/lib/dpkg/info/busybox.list", b"/.\n/bin\n/bin/busybox\n"),
            ("usr/bin/busybox", &busybox),
            ("opt/busybox", &busybox),
        ];
        let found = catalog_with_links(&files, &[("bin", "usr/bin")]);
        assert_eq!(found.packages.len(), 2);
        let generic = found.packages.iter().find(|package| package.ecosystem == Ecosystem::Generic).unwrap();
        assert_eq!(generic.evidence[0].path, "opt/busybox");
    }

    #[test]
    fn a_program_whose_package_has_lost_its_list_of_files_is_that_package() {
        let status = |version: &str| {
            format!(
                "Package: libssl3\nSource: openssl\nStatus: install ok installed\nVersion: {version}\n\n\
                 Package: other\nStatus: install ok installed\nVersion: 3.0.2-1\n"
            )
        };
        let library = elf(b"\0OpenSSL 3.0.2 1 Jan 2022");
        let generic = |status: &str, list: &[u8]| {
            let files: [(&str, &[u8]); 3] = [
                ("var/lib/dpkg/status", status.as_bytes()),
                ("usr/lib/libcrypto.so.3", &library),
                ("var/lib/dpkg/info/libssl3.list", list),
            ];
            catalog(&files).packages.iter().filter(|p| p.ecosystem == Ecosystem::Generic).count()
        };
        assert_eq!(generic(&status("1:3.0.2-0+deb12u1"), b""), 0);
        assert_eq!(generic(&status("3.0.20-1"), b""), 1, "another version");
        assert_eq!(generic(&status("3.0.2-1"), b"/usr/share/doc\n"), 1, "its files are known");
    }

    #[test]
    fn helpers_for_windows_are_part_of_what_python_and_node_load() {
        let manifest: &[u8] = b"Name: pip\nVersion: 1\n";
        let found = catalog(&[("venv/lib/python3/site-packages/pip-1.dist-info/METADATA", manifest)]);
        let packages = &found.packages;
        assert!(is_in_library("venv/lib/python3/site-packages/pip/_vendor/distlib/w64.exe", packages));
        assert!(!is_in_library("other/site-packages/pip/w64.exe", packages));
        assert!(!is_in_library("venv/lib/python3/w64.exe", packages));
    }

    #[test]
    fn java_says_what_it_is() {
        let release =
            b"IMPLEMENTOR=\"Eclipse Adoptium\"\nJAVA_RUNTIME_VERSION=\"17.0.9+9\"\nJAVA_VERSION=\"17.0.9\"\n";
        let found = catalog(&[("opt/java/openjdk/release", release), ("etc/release", b"NAME=\"x\"\n")]);
        let package = found.named("openjdk");
        assert_eq!(package.purl.as_deref(), Some("pkg:generic/openjdk@17.0.9%2B9"));
        assert_eq!(package.cpes, ["cpe:2.3:a:oracle:openjdk:17.0.9:*:*:*:*:*:*:*"]);
        assert_eq!(package.identified_by, IdentifiedBy::Manifest);
        assert_eq!(found.packages.len(), 1);
        let found = catalog(&[("opt/jdk/release", b"JAVA_VERSION=\"21\"\nBUILD_TYPE=\"commercial\"\n")]);
        assert_eq!(found.named("jdk").cpes, ["cpe:2.3:a:oracle:jdk:21:*:*:*:*:*:*:*"]);
    }

    #[test]
    fn go_says_what_it_is() {
        let found = catalog(&[("usr/local/go/VERSION", b"go1.22.1\ntime 2024-02-29T18:18:48Z\n")]);
        assert_eq!(found.named("go").purl.as_deref(), Some("pkg:generic/go@1.22.1"));
        assert_eq!(catalog(&[("x/go/VERSION", b"devel\n")]).packages.len(), 0);
    }

    #[test]
    fn a_version_in_a_cpe_is_quoted() {
        assert_eq!(cpe("v", "p", "1.0+B:1"), "cpe:2.3:a:v:p:1.0\\+b\\:1:*:*:*:*:*:*:*");
    }
}
