//! Catalogers: one file per ecosystem. Each names the paths that it wants and turns those files' bytes into packages.
//!
//! A new ecosystem is a new file with a [`Cataloger`] in it and a line in [`CATALOGERS`]. Catalogers see the merged view only,
//! open nothing, and report what they cannot read as gaps.

mod apk;
mod cargo;
mod composer;
mod conda;
mod debian_copyright;
mod dpkg;
mod go;
mod integrity;
mod locked;
mod maven;
mod maven_license;
mod maven_lock;
mod maven_repository;
mod nix;
mod npm;
mod nuget;
mod nuget_lock;
mod pacman;
mod program;
mod python;
mod rpm;
mod rpm_license;
mod ruby;

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;

use crate::executable::Executable;
use crate::java::JavaArchive;
use crate::rootfs::{RootFile, Rootfs};
use crate::rpm::Database;
use crate::scan::KeptContent;
use crate::{Distribution, Gap, GapReason, Limits, Package, PackageId, RelationshipKind, path};

/// Finds the packages of one ecosystem.
pub(crate) trait Cataloger: Sync {
    /// Whether the file at this path is to be kept whole.
    fn wants(&self, path: &str) -> bool;

    /// Whether its files say what is installed, or what a source tree asks for. The latter are read in directories only: in an
    /// image they are left over from the build, and what they name may not be there.
    fn finds(&self) -> Finds {
        Finds::Installed
    }

    /// Whether it needs to know what the others found. Such a one comes after them, and each of its packages is one file, so that
    /// the file's layer is the package's.
    fn looks_at_others(&self) -> bool {
        false
    }

    /// Turns kept files into packages and what holds between them.
    fn catalog(&self, files: &Files<'_>, found: &mut Findings);
}

/// What a cataloger's files tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finds {
    /// What is installed or built in.
    Installed,
    /// What a source tree has locked.
    Locked,
}

// The last is for files that no package of the others owns.
static CATALOGERS: &[&dyn Cataloger] = &[
    &dpkg::Dpkg,
    &apk::Apk,
    &rpm::Rpm,
    &pacman::Pacman,
    &npm::Npm,
    &python::Python,
    &cargo::CargoAuditable,
    &go::GoBinary,
    &maven::Maven,
    &nuget::Nuget,
    &ruby::Gems,
    &composer::Composer,
    &conda::Conda,
    &nix::Nix,
    &locked::BUN,
    &locked::CARGO,
    &locked::COMPOSER,
    &locked::CONAN,
    &locked::GEMFILE,
    &locked::GO,
    &locked::MIX,
    &locked::NPM,
    &locked::PIPFILE,
    &locked::PNPM,
    &locked::PODFILE,
    &locked::PUBSPEC,
    &locked::PYTHON,
    &locked::REBAR,
    &locked::REQUIREMENTS,
    &locked::SWIFT,
    &locked::WORKFLOW,
    &locked::YARN,
    &maven_lock::MavenLock,
    &nuget_lock::NugetLock,
    &program::Programs,
];

/// Which catalogers asked for a file, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interest(u64);

impl Interest {
    /// A file of which no more than some facts are kept, which any cataloger may read: an executable, an archive, or one that stands
    /// for its directory.
    pub(crate) const REDUCED: Self = Self(0);
    /// A file that no cataloger asks for under this name; another name may be a hard link to it. Nobody's bit stands for it.
    pub(crate) const UNNAMED: Self = Self(1 << 61);
    /// A file that says what the operating system is.
    const DISTRIBUTION: u64 = 1 << 63;
    /// Stands for such files where bits are told.
    const REDUCED_FILES: u64 = 1 << 62;

    /// The bits of those who read the file.
    pub(crate) fn bits(self) -> u64 {
        if self == Self::REDUCED { Self::REDUCED_FILES } else { self.0 }
    }
}

/// Which catalogers want the file at this clean path whole, in a directory or in an image.
pub(crate) fn interest(path: &str, is_directory: bool) -> Option<Interest> {
    let mut bits = if Distribution::PATHS.contains(&path) { Interest::DISTRIBUTION } else { 0 };
    for (index, cataloger) in CATALOGERS.iter().enumerate() {
        if (is_directory || cataloger.finds() == Finds::Installed) && cataloger.wants(path) {
            bits |= 1 << index;
        }
    }
    (bits != 0).then_some(Interest(bits))
}

/// Whether it is known that nothing is missing when a hard link's target was not kept: it is a mere part of a package, although one with
/// the link's name could be a manifest.
pub(crate) fn is_part_of_package(target: &str, link: &str) -> bool {
    npm::is_part_of_package(target, link)
}

/// The directory that this path is in, if the directory alone says that a package is there: then one of its files stands for it.
pub(crate) fn package_directory(path: &str) -> Option<&str> {
    nix::store_path(path)
}

/// How many catalogers there are.
pub(crate) fn count() -> usize {
    CATALOGERS.len()
}

/// The bit of the files that the cataloger of this number asks for.
pub(crate) fn own_bit(index: usize) -> u64 {
    1 << index
}

/// One cataloger's run over the merged view.
pub(crate) struct Run {
    pub(crate) found: Findings,
    /// The bits of the files that it looked at.
    pub(crate) uses: u64,
}

/// Whether the cataloger of this number needs to know what the others found.
pub(crate) fn looks_at_others(index: usize) -> bool {
    CATALOGERS.get(index).is_some_and(|cataloger| cataloger.looks_at_others())
}

/// Runs the cataloger of this number. `others` is what those before it found.
pub(crate) fn run_one(
    index: usize,
    root: &Rootfs,
    distribution: Option<&Distribution>,
    others: &[Package],
    limits: &Limits,
) -> Run {
    let mut found = Findings::new(limits);
    let files = Files { root, distribution, others, bit: own_bit(index), uses: Cell::new(0) };
    if let Some(cataloger) = CATALOGERS.get(index) {
        cataloger.catalog(&files, &mut found);
    }
    Run { found, uses: files.uses.get() }
}

/// Bytes of the files with each bit.
pub(crate) fn bytes_by_bit(root: &Rootfs) -> [u64; 64] {
    let mut bytes = [0; 64];
    for (_, file) in root.files() {
        let (bits, size) = (file.kept.interest.bits(), file.kept.content.bytes());
        for (_, sum) in bytes.iter_mut().enumerate().filter(|(bit, _)| bits & (1 << bit) != 0) {
            *sum += size;
        }
    }
    bytes
}

/// The kept files, as one cataloger sees them.
pub(crate) struct Files<'a> {
    root: &'a Rootfs,
    pub(crate) distribution: Option<&'a Distribution>,
    /// What the catalogers before this one found, for those that ask for it.
    pub(crate) others: &'a [Package],
    bit: u64,
    /// The bits of the files that were looked at.
    uses: Cell<u64>,
}

impl<'a> Files<'a> {
    /// The files that this cataloger asked for, with their bytes, in the order of their paths.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = (&'a str, &'a RootFile, &'a [u8])> + use<'a> {
        let bit = self.bit;
        let wanted = self.root.files().filter(move |(_, file)| file.kept.interest.0 & bit != 0);
        wanted.filter_map(|(path, file)| Some((path, file, file.bytes()?)))
    }

    /// All kept files, in the order of their paths, for what their paths alone say.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'a str, &'a RootFile)> + use<'a> {
        self.uses.set(u64::MAX);
        self.root.files()
    }

    /// The executables that have dependency lists, in the order of their paths.
    pub(crate) fn executables(
        &self,
    ) -> impl Iterator<Item = (&'a str, &'a RootFile, &'a Executable)> + use<'a> {
        self.uses.set(self.uses.get() | Interest::REDUCED_FILES);
        self.root.files().filter_map(|(path, file)| match &file.kept.content {
            KeptContent::Executable(executable) => Some((path, file, executable.as_ref())),
            _ => None,
        })
    }

    /// Java's archives, in the order of their paths.
    pub(crate) fn archives(
        &self,
    ) -> impl Iterator<Item = (&'a str, &'a RootFile, &'a JavaArchive)> + use<'a> {
        self.uses.set(self.uses.get() | Interest::REDUCED_FILES);
        self.root.files().filter_map(|(path, file)| match &file.kept.content {
            KeptContent::Archive(archive) => Some((path, file, archive.as_ref())),
            _ => None,
        })
    }

    /// The file at a path, following links, with the path that it really has.
    pub(crate) fn at(&self, path: &str) -> Option<(String, &'a RootFile, &'a [u8])> {
        let (real, file) = self.root.file(path).ok()??;
        self.uses.set(self.uses.get() | file.kept.interest.bits());
        let bytes = file.bytes()?;
        Some((real, file, bytes))
    }

    /// A package database at a fixed path. That its path leads somewhere that was not kept is a gap.
    pub(crate) fn database(
        &self,
        path: &str,
        found: &mut Findings,
    ) -> Option<(String, &'a RootFile, &'a [u8])> {
        self.check_links(path, found);
        self.at(path)
    }

    /// A database of rpm, as [`database`](Self::database).
    pub(crate) fn rpm_database(
        &self,
        path: &str,
        found: &mut Findings,
    ) -> Option<(String, &'a RootFile, &'a Database)> {
        self.check_links(path, found);
        let (real, file) = self.root.file(path).ok()??;
        match &file.kept.content {
            KeptContent::Rpm(database) => Some((real, file, database.as_ref())),
            _ => None,
        }
    }

    fn check_links(&self, path: &str, found: &mut Findings) {
        let is_missing = || !matches!(self.root.file(path), Ok(Some(_)));
        match self.root.real_path(path) {
            Err(reason) => found.gap(path, reason),
            Ok(target) if target != path && is_missing() && interest(&target, true).is_none() => {
                found.gap(path, GapReason::LinkTargetNotKept { target });
            }
            Ok(_) => {}
        }
    }

    /// Where a path leads when every link is followed; none for a circle of links.
    pub(crate) fn real_path(&self, path: &str) -> Option<String> {
        self.root.real_path(path).ok()
    }

    /// All symbolic links, with the path that each leads to.
    pub(crate) fn symlinks(&self) -> impl Iterator<Item = (&'a str, String)> + use<'a> {
        let root = self.root;
        root.symlinks().filter_map(|(path, _)| Some((path, root.real_path(path).ok()?)))
    }
}

/// What catalogers found.
pub(crate) struct Findings {
    pub(crate) packages: Vec<Package>,
    pub(crate) edges: Vec<(PackageId, RelationshipKind, PackageId)>,
    pub(crate) gaps: Vec<Gap>,
    max_packages_per_file: usize,
}

impl Findings {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            packages: Vec::new(),
            edges: Vec::new(),
            gaps: Vec::new(),
            max_packages_per_file: limits.max_packages_per_file,
        }
    }

    /// Adds what another run found.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.packages.append(&mut other.packages);
        self.edges.append(&mut other.edges);
        self.gaps.append(&mut other.gaps);
    }

    pub(crate) fn gap(&mut self, path: &str, reason: GapReason) {
        self.gaps.push(Gap::at(path, reason));
    }

    /// What a package must have, or a gap when the file does not say it.
    pub(crate) fn required<T>(
        &mut self,
        path: &str,
        format: &'static str,
        member: &'static str,
        value: Option<T>,
    ) -> Option<T> {
        if value.is_none() {
            self.gap(path, GapReason::Incomplete { format, member });
        }
        value
    }

    /// Cuts a list from one file to the limit, with a gap when it was longer.
    pub(crate) fn bounded<T>(&mut self, path: &str, mut records: Vec<T>) -> Vec<T> {
        let limit = self.max_packages_per_file;
        if records.len() > limit {
            records.truncate(limit);
            self.gap(path, GapReason::TooManyPackages { limit });
        }
        records
    }

    /// One package needs another. A package that needs itself needs nothing.
    pub(crate) fn depends(&mut self, from: &PackageId, to: &PackageId) {
        if from != to {
            self.edges.push((from.clone(), RelationshipKind::DependsOn, to.clone()));
        }
    }

    /// One package has another in it.
    pub(crate) fn contains(&mut self, outer: &PackageId, inner: &PackageId) {
        if outer != inner {
            self.edges.push((outer.clone(), RelationshipKind::Contains, inner.clone()));
        }
    }
}

/// Notes that a package offers something. Packages that others need are offered by few, so no more than a few are noted: each need
/// leads to each of them, and a hostile database could have any number of both.
pub(crate) fn offer<'a, Name: Ord>(
    offered: &mut BTreeMap<Name, Vec<&'a PackageId>>,
    name: Name,
    package: &'a PackageId,
) {
    const MOST: usize = 64;
    let packages = offered.entry(name).or_default();
    if packages.len() < MOST {
        packages.push(package);
    }
}

/// A file's text. Bytes that are not UTF-8 are replaced: old packages have Latin-1 names in them.
pub(crate) fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(without_mark(bytes))
}

/// The bytes after a mark that says "UTF-8", which Windows programs write.
pub(crate) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// A web address, or none when the text is something else.
pub(crate) fn web_address(text: &str) -> Option<String> {
    let text = text.trim();
    let is_web = text.starts_with("https://") || text.starts_with("http://");
    let clean = |c: char| {
        c.is_ascii_graphic() && !matches!(c, '<' | '>' | '"' | '\\' | '^' | '`' | '{' | '|' | '}' | '[' | ']')
    };
    // A stray percent sign makes no address either: RFC 3986, §2.1.
    let percent = |(index, _): (usize, &str)| {
        text.get(index + 1..index + 3).is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    (is_web && text.chars().all(clean) && text.match_indices('%').all(percent)).then(|| text.to_owned())
}

/// The last two parts of a path: directory and name.
pub(crate) fn directory_and_name(path: &str) -> (&str, &str) {
    let (directory, name) = path::split(path);
    (path::split(directory).1, name)
}

#[cfg(test)]
pub(crate) mod testing {
    use std::io::Read;

    use super::*;
    use crate::LayerScan;
    use crate::changes::Change;
    use crate::scan::Scanner;

    /// What was compressed with gzip.
    pub(crate) fn gunzip(compressed: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(compressed).read_to_end(&mut bytes).unwrap();
        bytes
    }

    /// The scan of a few files and links.
    pub(crate) fn scan(files: &[(&str, &[u8])], links: &[(&str, &str)]) -> LayerScan {
        let limits = Limits::default();
        let mut scanner = Scanner::new(&limits, true);
        for (path, target) in links {
            scanner.push(path, Change::Symlink(target));
        }
        for (path, bytes) in files {
            scanner.file(path, bytes.len() as u64, *bytes).unwrap();
        }
        scanner.scan
    }

    /// Runs all catalogers over a few files.
    pub(crate) fn catalog(files: &[(&str, &[u8])]) -> Findings {
        catalog_with_links(files, &[])
    }

    pub(crate) fn catalog_with_links(files: &[(&str, &[u8])], links: &[(&str, &str)]) -> Findings {
        let limits = Limits::default();
        let (root, gaps) = Rootfs::merge(vec![scan(files, links)], &limits);
        assert_eq!(gaps, []);
        let distribution = Distribution::parse("ID=debian\nVERSION_ID=12\n");
        let mut found = Findings::new(&limits);
        for index in 0..count() {
            let run = run_one(index, &root, distribution.as_ref(), &found.packages, &limits);
            found.append(run.found);
        }
        found
    }

    impl Findings {
        pub(crate) fn named(&self, name: &str) -> &Package {
            self.packages.iter().find(|package| package.name == name).unwrap()
        }

        pub(crate) fn has_edge(&self, from: &str, to: &str) -> bool {
            let (from, to) = (&self.named(from).id, &self.named(to).id);
            self.edges.iter().any(|(a, _, b)| a == from && b == to)
        }
    }
}
