//! Programs that no package manager installed, known by their file's name and by marks in their bytes, and the two toolchains that say
//! in a file of their own what they are: Java's `release`
//! ([JEP 223](https://openjdk.org/jeps/223) and the files of OpenJDK 9 and later) and Go's `VERSION`.
//!
//! A file that a package owns is that package, whatever its bytes say. So this comes after all other catalogers.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::{Cataloger, Files, Findings, python, text};
use crate::executable::{KnownProgram, WindowsProduct};
use crate::party::one_line;
use crate::purl::Purl;
use crate::{Ecosystem, Evidence, IdentifiedBy, Package, PackageId, Party, path};

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
        let libraries = Libraries::of(files.others);
        let mut candidates = Vec::new();
        for (path, file, executable) in files.executables() {
            let is_part = libraries.has(path);
            let known = executable.program.as_ref();
            candidates.extend(known.map(|known| program(known, is_part, file.evidence(path))));
            // Helpers for Windows say nothing here.
            let product = executable.windows.as_ref().filter(|_| !is_part);
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
        let without_files = without_files(files.others);
        let is_owned = |package: &Package| {
            let version = upstream(package.version.as_deref().unwrap_or_default());
            package.evidence.iter().any(|evidence| owned.contains(&evidence.path))
                || without_files.contains(&(stem(&package.name), version))
        };
        for package in candidates.into_iter().filter(|package| !is_owned(package)) {
            let place = package.evidence.first().map_or("", |evidence| &evidence.path);
            if let Some(holder) = libraries.holder(place).filter(|_| package.purl.is_none()) {
                found.contains(holder, &package.id);
            }
            found.packages.push(package);
        }
    }
}

/// What a wheel or an npm package brings along is a part of that and is not to be had by itself, so it has no purl.
fn program(known: &KnownProgram, is_part: bool, evidence: Evidence) -> Package {
    let is_application = !is_library(path::split(&evidence.path).1);
    let program = known.program;
    let mut package = if is_part {
        Package::new(Ecosystem::Generic, program.name, Some(&known.version), None, evidence)
    } else {
        generic(program.name, &known.version, evidence)
    };
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

/// The directories that Python and Node.js load packages from, and whose the directories in them are.
struct Libraries<'a> {
    directories: BTreeSet<&'a str>,
    holders: BTreeMap<String, &'a PackageId>,
}

impl<'a> Libraries<'a> {
    fn of(packages: &'a [Package]) -> Self {
        let mut all = Self { directories: BTreeSet::new(), holders: BTreeMap::new() };
        for package in packages {
            let Some(evidence) = package.evidence.first() else { continue };
            let parents = evidence.path.match_indices('/').filter_map(|(end, _)| evidence.path.get(..end));
            all.directories.extend(parents.filter(|directory| is_library_directory(directory)));
            let manifest = path::parent(&evidence.path);
            match package.ecosystem {
                Ecosystem::Npm => drop(all.holders.insert(manifest.to_owned(), &package.id)),
                Ecosystem::Pypi => {
                    let own = path::join(path::parent(manifest), &python::normalized(&package.name));
                    all.holders.insert(own, &package.id);
                }
                _ => {}
            }
        }
        all
    }

    fn has(&self, path: &str) -> bool {
        let mut parents = path.match_indices('/').filter_map(|(end, _)| path.get(..end));
        parents.any(|directory| self.directories.contains(directory))
    }

    /// The package whose directory a file lies in: for Node.js that of its manifest, for Python one with the package's name, or with
    /// `.libs` behind it, where auditwheel puts the libraries that a wheel brings along
    /// ([auditwheel 6, "repair"](https://github.com/pypa/auditwheel/blob/6.0.0/README.rst)).
    fn holder(&self, path: &str) -> Option<&'a PackageId> {
        let parents = path.rmatch_indices('/').filter_map(|(end, _)| path.get(..end));
        let holder = |directory: &str| {
            let (library, name) = path::split(directory);
            let own = || python::normalized(name.strip_suffix(".libs").unwrap_or(name));
            self.holders.get(directory).or_else(|| self.holders.get(&path::join(library, &own())))
        };
        parents.into_iter().find_map(holder).copied()
    }
}

fn is_library_directory(directory: &str) -> bool {
    matches!(path::split(directory).1, "site-packages" | "dist-packages" | "node_modules")
}

/// The names and upstream versions of the system's packages, and of what they were built from, where nothing says which files are their
/// own: images are slimmed by taking away those lists.
fn without_files(packages: &[Package]) -> BTreeSet<(&str, &str)> {
    let system =
        packages.iter().filter(|package| package.ecosystem.lists_files() && package.files.is_empty());
    let named = system.filter_map(|package| {
        let version = upstream(package.version.as_deref()?);
        let source = package.source.as_ref().map(|source| (stem(&source.name), version));
        Some([Some((stem(&package.name), version)), source])
    });
    named.flatten().flatten().collect()
}

/// A name without what distributions add to tell versions apart, and without the mark of a library: `sqlite3`, `php8.2`, `libcurl`.
fn stem(name: &str) -> &str {
    name.strip_prefix("lib").unwrap_or(name).trim_end_matches(|c: char| c.is_ascii_digit() || c == '.')
}

/// A version without epoch and without what packagers add, be it behind a full stop: `1:1.2.13.dfsg-1`.
fn upstream(version: &str) -> &str {
    let version = version.split_once(':').map_or(version, |(_epoch, version)| version);
    let version = version.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).next().unwrap_or(version);
    let added = version.match_indices('.').find(|(at, _)| {
        version.get(at + 1..).is_some_and(|part| part.starts_with(|c: char| c.is_ascii_alphabetic()))
    });
    added.and_then(|(at, _)| version.get(..at)).unwrap_or(version)
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
    fn packages_of_distributions_are_known_by_their_upstream_name_and_version() {
        let names = ["openssl", "php8.2", "gnutls28", "libcurl", "libpng1.6", "lua5.3"].map(stem);
        assert_eq!(names, ["openssl", "php", "gnutls", "curl", "png", "lua"]);
        let versions =
            ["1:1.2.13.dfsg-1", "1.1.1n-0+deb11u5", "1:9.2p1-2", "3.0.2", "7.88.1-r0"].map(upstream);
        assert_eq!(versions, ["1.2.13", "1.1.1n", "9.2p1", "3.0.2", "7.88.1"]);
    }

    #[test]
    fn helpers_for_windows_are_part_of_what_python_and_node_load() {
        let manifest: &[u8] = b"Name: pip\nVersion: 1\n";
        let found = catalog(&[("venv/lib/python3/site-packages/pip-1.dist-info/METADATA", manifest)]);
        let libraries = Libraries::of(&found.packages);
        assert!(libraries.has("venv/lib/python3/site-packages/pip/_vendor/distlib/w64.exe"));
        assert!(!libraries.has("other/site-packages/pip/w64.exe"));
        assert!(!libraries.has("venv/lib/python3/w64.exe"));
    }

    #[test]
    fn a_library_that_a_wheel_or_an_npm_package_brings_along_is_a_part_of_it() {
        let library = elf(b"\0OpenSSL 3.0.2 1 Jan 2022");
        let files: [(&str, &[u8]); 5] = [
            ("lib/site-packages/My_Lib-1.dist-info/METADATA", b"Name: My.Lib\nVersion: 1\n"),
            ("lib/site-packages/My_Lib.libs/libcrypto-1a2b3c4d.so.3", &library),
            ("app/node_modules/@s/ssl/package.json", br#"{"name":"@s/ssl","version":"2"}"#),
            ("app/node_modules/@s/ssl/build/libcrypto.so.3", &library),
            ("usr/local/lib/libcrypto.so.3", &library),
        ];
        let found = catalog(&files);
        let programs = found.packages.iter().filter(|package| package.ecosystem == Ecosystem::Generic);
        let told: Vec<_> = programs
            .map(|package| {
                let holder = found.edges.iter().find(|(_, _, inner)| *inner == package.id);
                let holder = holder.and_then(|(outer, ..)| found.packages.iter().find(|p| p.id == *outer));
                (package.evidence[0].path.as_str(), package.purl.is_some(), holder.map(|p| p.name.as_str()))
            })
            .collect();
        let expected = [
            ("app/node_modules/@s/ssl/build/libcrypto.so.3", false, Some("@s/ssl")),
            ("lib/site-packages/My_Lib.libs/libcrypto-1a2b3c4d.so.3", false, Some("My.Lib")),
            ("usr/local/lib/libcrypto.so.3", true, None),
        ];
        assert_eq!(told, expected);
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
