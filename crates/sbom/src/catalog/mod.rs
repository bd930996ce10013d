//! Catalogers: one file per ecosystem. Each names the paths that it wants and turns those files' bytes into packages.
//!
//! A new ecosystem is a new file with a [`Cataloger`] in it and a line in [`CATALOGERS`]. Catalogers see the merged view only,
//! open nothing, and report what they cannot read as gaps.

mod apk;
mod cargo;
mod debian_copyright;
mod dpkg;
mod go;
mod npm;
mod python;

use std::borrow::Cow;
use std::cell::Cell;

use crate::executable::Executable;
use crate::rootfs::{RootFile, Rootfs};
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

    /// Turns kept files into packages and what holds between them.
    fn catalog(&self, files: &Files<'_>, found: &mut Findings);
}

/// What a cataloger's files tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(dead_code, reason = "lock files come with their own catalogers")]
pub(crate) enum Finds {
    /// What is installed or built in.
    Installed,
    /// What a source tree has locked.
    Locked,
}

static CATALOGERS: [&dyn Cataloger; 6] =
    [&dpkg::Dpkg, &apk::Apk, &npm::Npm, &python::Python, &cargo::CargoAuditable, &go::GoBinary];

/// Which catalogers asked for a file, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interest(u64);

impl Interest {
    /// An executable, whose lists any cataloger may read.
    pub(crate) const EXECUTABLE: Self = Self(0);
    /// A file that says what the operating system is.
    const DISTRIBUTION: u64 = 1 << 63;
    /// Stands for executables where bits are told.
    const EXECUTABLES: u64 = 1 << 62;

    /// The bits of those who read the file.
    pub(crate) fn bits(self) -> u64 {
        if self == Self::EXECUTABLE { Self::EXECUTABLES } else { self.0 }
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

/// Runs the cataloger of this number.
pub(crate) fn run_one(
    index: usize,
    root: &Rootfs,
    distribution: Option<&Distribution>,
    limits: &Limits,
) -> Run {
    let mut found = Findings::new(limits);
    let files = Files { root, distribution, bit: own_bit(index), uses: Cell::new(0) };
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

    /// The executables that have dependency lists, in the order of their paths.
    pub(crate) fn executables(
        &self,
    ) -> impl Iterator<Item = (&'a str, &'a RootFile, &'a Executable)> + use<'a> {
        self.uses.set(self.uses.get() | Interest::EXECUTABLES);
        self.root.files().filter_map(|(path, file)| match &file.kept.content {
            KeptContent::Executable(executable) => Some((path, file, executable.as_ref())),
            KeptContent::Bytes(_) => None,
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
        match self.root.real_path(path) {
            Err(reason) => found.gap(path, reason),
            Ok(target) if target != path && self.at(path).is_none() && interest(&target, true).is_none() => {
                found.gap(path, GapReason::LinkTargetNotKept { target });
            }
            Ok(_) => {}
        }
        self.at(path)
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

/// A file's text. Bytes that are not UTF-8 are replaced: old packages have Latin-1 names in them.
pub(crate) fn text(bytes: &[u8]) -> Cow<'_, str> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    String::from_utf8_lossy(bytes)
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
    use super::*;
    use crate::changes::Change;
    use crate::scan::Scanner;

    /// Runs all catalogers over a few files.
    pub(crate) fn catalog(files: &[(&str, &[u8])]) -> Findings {
        catalog_with_links(files, &[])
    }

    pub(crate) fn catalog_with_links(files: &[(&str, &[u8])], links: &[(&str, &str)]) -> Findings {
        let limits = Limits::default();
        let mut scanner = Scanner::new(&limits, true);
        for (path, target) in links {
            scanner.push(path, Change::Symlink(target));
        }
        for (path, bytes) in files {
            scanner.file(path, bytes.len() as u64, *bytes).unwrap();
        }
        let (root, gaps) = Rootfs::merge(vec![scanner.scan], &limits);
        assert_eq!(gaps, []);
        let distribution = Distribution::parse("ID=debian\nVERSION_ID=12\n");
        let mut found = Findings::new(&limits);
        for index in 0..count() {
            found.append(run_one(index, &root, distribution.as_ref(), &limits).found);
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
