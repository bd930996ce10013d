//! Scanning one layer: a single pass over its bytes that keeps what catalogers ask for.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::Arc;

use touchmark_oci::{Algorithm, Digest};

use crate::archive::{Archive, ArchiveEntry, ArchiveError, EntryKind};
use crate::catalog::{self, Interest};
use crate::changes::{Change, Changes};
use crate::executable::{self, Executable};
use crate::java::{self, JavaArchive};
use crate::stream::Uncompressed;
use crate::{Compression, Gap, GapReason, Limits, bundle, path, rpm, store};

/// What one layer, or a directory, holds that an inventory needs. Made by [`scan_layer`] or
/// [`scan_directory`](crate::scan_directory).
#[derive(Debug)]
pub struct LayerScan {
    pub(crate) diff_id: Option<Digest>,
    pub(crate) bytes: u64,
    pub(crate) changes: Changes,
    pub(crate) kept: Vec<Kept>,
    pub(crate) gaps: Vec<Gap>,
    pub(crate) is_directory: bool,
}

/// A file whose content catalogers asked for.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) interest: Interest,
    pub(crate) content: KeptContent,
}

/// What was kept of a file.
#[derive(Debug, Clone)]
pub(crate) enum KeptContent {
    /// All of it.
    Bytes(Arc<[u8]>),
    /// The dependency lists that are built into it.
    Executable(Arc<Executable>),
    /// What rpm has installed.
    Rpm(Arc<rpm::Database>),
    /// What a Java archive says of itself and of the archives in it.
    Archive(Arc<JavaArchive>),
}

impl KeptContent {
    /// Bytes that it takes.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Executable(found) => found.bytes(),
            Self::Rpm(database) => database.bytes(),
            Self::Archive(archive) => archive.bytes,
        }
    }
}

impl LayerScan {
    /// Stands for a layer that is no file system; the inventory will say that it was not scanned.
    pub fn not_scanned(diff_id: Option<Digest>) -> Self {
        Self::unread(diff_id, GapReason::LayerNotScanned)
    }

    /// Stands for a layer that could not be scanned; the inventory will say why.
    pub fn unread(diff_id: Option<Digest>, reason: GapReason) -> Self {
        let gap = Gap { path: None, layer: None, reason };
        Self { diff_id, gaps: vec![gap], ..Self::empty(false) }
    }

    pub(crate) fn empty(is_directory: bool) -> Self {
        Self {
            diff_id: None,
            bytes: 0,
            changes: Changes::default(),
            kept: Vec::new(),
            gaps: Vec::new(),
            is_directory,
        }
    }

    /// Digest of the uncompressed layer. None for a directory.
    pub fn diff_id(&self) -> Option<&Digest> {
        self.diff_id.as_ref()
    }

    /// Uncompressed bytes read.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Entries seen.
    pub fn entries(&self) -> u64 {
        self.changes.count()
    }

    /// What could not be read.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }
}

/// Scans one layer in a single pass, to its last byte.
///
/// The digest of the uncompressed bytes is computed and compared with `diff_id`, the one in the image's configuration.
/// Nothing is extracted: names and links of the layer are only ever looked up in a list.
///
/// # Errors
/// [`ScanError`]: the stream ends early or is corrupt, a limit is passed, or the digest is another. No part of such a layer
/// is used.
pub fn scan_layer(
    reader: impl Read,
    compression: Compression,
    diff_id: Option<&Digest>,
    limits: &Limits,
) -> Result<LayerScan, ScanError> {
    let algorithm = diff_id.map_or(Algorithm::Sha256, Digest::algorithm);
    let stream = Uncompressed::new(reader, compression, limits, algorithm);
    let stream = stream.map_err(|source| ScanError::Read { offset: 0, source })?;
    let mut archive = Archive::new(stream, limits);
    let mut scanner = Scanner::new(limits, false);
    loop {
        match archive.next_entry() {
            Ok(None) => break,
            Ok(Some(entry)) => {
                scanner.entry(&entry, &mut archive).map_err(|error| explain(error, &archive))?;
            }
            Err(error) => return Err(explain(error, &archive)),
        }
        scanner.check_limits(archive.entries())?;
    }
    let (found, bytes) = archive.into_inner().finish()?;
    if let Some(wanted) = diff_id.filter(|wanted| **wanted != found) {
        return Err(ScanError::DiffId { found, wanted: wanted.clone() });
    }
    Ok(LayerScan { diff_id: Some(found), bytes, ..scanner.scan })
}

fn explain<R: Read>(error: ArchiveError, archive: &Archive<Uncompressed<R>>) -> ScanError {
    let stream = archive.get_ref();
    match error {
        ArchiveError::Read(source) => stream.explain(source),
        ArchiveError::Header => ScanError::Header { offset: stream.bytes() },
        ArchiveError::ExtendedHeader { size } => ScanError::ExtendedHeader { size, offset: stream.bytes() },
    }
}

/// Collects a [`LayerScan`] from entries, whether they come from an archive or a directory.
pub(crate) struct Scanner<'a> {
    limits: &'a Limits,
    pub(crate) scan: LayerScan,
    kept_bytes: u64,
    package_directories: BTreeSet<String>,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(limits: &'a Limits, is_directory: bool) -> Self {
        Self {
            limits,
            scan: LayerScan::empty(is_directory),
            kept_bytes: 0,
            package_directories: BTreeSet::new(),
        }
    }

    pub(crate) fn limits(&self) -> &'a Limits {
        self.limits
    }

    pub(crate) fn check_limits(&self, entries: u64) -> Result<(), ScanError> {
        if entries > self.limits.max_entries {
            return Err(ScanError::TooManyEntries { limit: self.limits.max_entries });
        }
        if self.scan.changes.size() > self.limits.max_index_bytes {
            return Err(ScanError::IndexTooLarge { limit: self.limits.max_index_bytes });
        }
        Ok(())
    }

    fn entry(&mut self, entry: &ArchiveEntry, content: impl Read) -> Result<(), ArchiveError> {
        let Some(path) = self.checked_path(&entry.path) else {
            return Ok(());
        };
        if self.whiteout(&path) {
            return Ok(());
        }
        match entry.kind {
            EntryKind::Directory => self.push(&path, Change::Directory),
            EntryKind::File => self.file(&path, entry.size, content)?,
            EntryKind::SparseFile => self.sparse_file(&path),
            EntryKind::Symlink | EntryKind::Hardlink => self.link(&path, entry),
            EntryKind::Other => self.push(&path, Change::Other),
        }
        Ok(())
    }

    pub(crate) fn push(&mut self, path: &str, change: Change<'_>) {
        self.scan.changes.push(path, change);
    }

    pub(crate) fn gap(&mut self, path: &str, reason: GapReason) {
        self.scan.gaps.push(Gap::at(path, reason));
    }

    /// The cleaned path, or a gap when it is too long or not text.
    fn checked_path(&mut self, bytes: &[u8]) -> Option<String> {
        match std::str::from_utf8(bytes) {
            _ if bytes.len() > self.limits.max_path_bytes => {
                let reason = GapReason::PathTooLong { bytes: bytes.len(), limit: self.limits.max_path_bytes };
                let shown = bytes.get(..SHOWN_BYTES).unwrap_or(bytes);
                self.gap(&String::from_utf8_lossy(shown), reason);
                None
            }
            Ok(text) => Some(path::clean(text)),
            Err(_) => {
                // Such names cannot be what a cataloger looks for; directories of them can still hold such files.
                let text = path::clean(&String::from_utf8_lossy(bytes));
                if catalog::interest(&text, self.scan.is_directory).is_some() {
                    self.gap(&text, GapReason::PathNotUtf8);
                }
                Some(text)
            }
        }
    }

    /// Records a whiteout
    /// ([image-spec 1.1, layer.md, "Whiteouts"](https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md#whiteouts)).
    /// Other names with the prefix `.wh..wh.` are aufs's own and mean nothing.
    fn whiteout(&mut self, path: &str) -> bool {
        let (directory, name) = path::split(path);
        let Some(hidden) = name.strip_prefix(".wh.") else {
            return false;
        };
        match hidden {
            ".wh..opq" => self.push(directory, Change::Opaque),
            "" | "." | ".." => self.gap(path, GapReason::EmptyWhiteout),
            _ if hidden.starts_with(".wh.") => {}
            _ => {
                let mut hidden_path = directory.to_owned();
                path::push(&mut hidden_path, hidden);
                self.push(&hidden_path, Change::Whiteout);
            }
        }
        true
    }

    fn sparse_file(&mut self, path: &str) {
        if catalog::interest(path, self.scan.is_directory).is_some() {
            self.gap(path, GapReason::Sparse);
        }
        self.push(path, Change::Other);
    }

    fn link(&mut self, path: &str, entry: &ArchiveEntry) {
        let is_symlink = entry.kind == EntryKind::Symlink;
        let limit = self.limits.max_path_bytes;
        if entry.link.len() > limit {
            self.gap(path, GapReason::PathTooLong { bytes: entry.link.len(), limit });
            return self.push(path, Change::Other);
        }
        let target = String::from_utf8_lossy(&entry.link);
        if is_symlink {
            self.push(path, Change::Symlink(&target));
        } else {
            self.push(path, Change::Hardlink(&path::clean(&target)));
        }
    }

    /// Keeps the file if a cataloger asks for its path, or what it needs of it if it is an executable.
    pub(crate) fn file(&mut self, path: &str, size: u64, content: impl Read) -> Result<(), ArchiveError> {
        let kept = match catalog::interest(path, self.scan.is_directory) {
            Some(interest) if rpm::is_database(path) => self.rpm_database(path, interest, size, content)?,
            Some(interest) => self.keep(path, interest, size, content)?,
            None if store::is_content(path) => self.stored(path, size, content)?,
            None if bundle::is_bundle(path) => return self.bundle(path, size, content),
            None if java::is_archive(path) => self.archive(path, size, content)?,
            None => self.probe(path, size, content)?.or_else(|| self.stand_in(path)),
        };
        match kept {
            Some(kept) => {
                let index = self.scan.kept.len();
                self.scan.kept.push(kept);
                self.push(path, Change::Kept(index));
            }
            None => self.push(path, Change::Other),
        }
        Ok(())
    }

    fn keep(
        &mut self,
        path: &str,
        interest: Interest,
        size: u64,
        content: impl Read,
    ) -> Result<Option<Kept>, ArchiveError> {
        if size > self.limits.max_file_bytes {
            self.gap(path, GapReason::FileTooLarge { size, limit: self.limits.max_file_bytes });
            return Ok(None);
        }
        if self.kept_bytes + size > self.limits.max_kept_bytes {
            self.gap(path, GapReason::KeptTooMuch { limit: self.limits.max_kept_bytes });
            return Ok(None);
        }
        let bytes = whole(size, content)?;
        self.kept_bytes += bytes.len() as u64;
        Ok(Some(Kept { interest, content: KeptContent::Bytes(bytes.into()) }))
    }

    /// The first file of a directory that is a package by its name stands for it, without content.
    fn stand_in(&mut self, path: &str) -> Option<Kept> {
        let directory = catalog::package_directory(path)?;
        if self.package_directories.contains(directory) {
            return None;
        }
        self.package_directories.insert(directory.to_owned());
        Some(Kept { interest: Interest::REDUCED, content: KeptContent::Bytes(Arc::from([])) })
    }

    /// Reads a database of rpm whole, and keeps what an inventory needs of it.
    fn rpm_database(
        &mut self,
        path: &str,
        interest: Interest,
        size: u64,
        content: impl Read,
    ) -> Result<Option<Kept>, ArchiveError> {
        let limit = self.limits.max_database_bytes;
        if size > limit {
            self.gap(path, GapReason::FileTooLarge { size, limit });
            return Ok(None);
        }
        let bytes = whole(size, content)?;
        let database = rpm::Database::read(&bytes, self.limits);
        if self.kept_bytes + database.bytes() > self.limits.max_kept_bytes {
            self.gap(path, GapReason::KeptTooMuch { limit: self.limits.max_kept_bytes });
            return Ok(None);
        }
        self.kept_bytes += database.bytes();
        Ok(Some(Kept { interest, content: KeptContent::Rpm(Arc::new(database)) }))
    }

    fn archive(&mut self, path: &str, size: u64, content: impl Read) -> Result<Option<Kept>, ArchiveError> {
        let budget = self.limits.max_kept_bytes.saturating_sub(self.kept_bytes);
        let found = java::reduce(content.take(size), path, size, budget, self.limits)?;
        Ok(found.map(|archive| {
            self.kept_bytes += archive.bytes;
            Kept { interest: Interest::REDUCED, content: KeptContent::Archive(Arc::new(archive)) }
        }))
    }

    /// Keeps a manifest of a store under no cataloger's name: hard links give it one.
    fn stored(&mut self, path: &str, size: u64, content: impl Read) -> Result<Option<Kept>, ArchiveError> {
        if size > self.limits.max_manifest_bytes {
            return Ok(None);
        }
        let mut content = content.take(size);
        let mut first = [0];
        if content.read(&mut first)? == 0 || !store::may_be_manifest(first) {
            return Ok(None);
        }
        self.keep(path, Interest::UNNAMED, size, first.as_slice().chain(content))
    }

    /// What packages a bundle has lies below it, so it also goes when the bundle goes.
    fn bundle(&mut self, path: &str, size: u64, content: impl Read) -> Result<(), ArchiveError> {
        self.push(path, Change::Other);
        let budget = self.limits.max_kept_bytes.saturating_sub(self.kept_bytes);
        let found = bundle::read(content.take(size), path, size, budget, self.limits)?;
        for (inner, bytes) in found.manifests {
            self.file(&inner, bytes.len() as u64, &bytes[..])?;
        }
        for (path, reason) in found.gaps {
            self.gap(&path, reason);
        }
        Ok(())
    }

    fn probe(&mut self, path: &str, size: u64, content: impl Read) -> Result<Option<Kept>, ArchiveError> {
        if size < executable::SMALLEST_BYTES {
            return Ok(None);
        }
        let budget = self.limits.max_kept_bytes.saturating_sub(self.kept_bytes);
        let Some(found) = executable::probe(content, path, self.limits)? else {
            return Ok(None);
        };
        if found.is_too_large {
            self.gap(path, GapReason::SectionTooLarge { limit: self.limits.max_section_bytes });
        }
        if found.is_unconfirmed {
            self.gap(path, GapReason::Malformed { format: "ELF" });
        }
        if found.is_empty() {
            return Ok(None);
        }
        if found.bytes() > budget {
            self.gap(path, GapReason::KeptTooMuch { limit: self.limits.max_kept_bytes });
            return Ok(None);
        }
        self.kept_bytes += found.bytes();
        let content = KeptContent::Executable(Arc::new(found));
        Ok(Some(Kept { interest: Interest::REDUCED, content }))
    }
}

/// All of a file of this size, and no more.
fn whole(size: u64, content: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0).min(PREALLOCATED_BYTES));
    content.take(size).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Bytes of a name too long that a gap shows.
const SHOWN_BYTES: usize = 100;
/// A size in a header is a claim: no more than this is set aside before bytes come.
const PREALLOCATED_BYTES: usize = 64 << 10;

/// Why a layer could not be scanned. None of its content is used then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// The stream failed, ended early, or is not compressed as said.
    #[error("reading the layer failed after {offset} uncompressed bytes")]
    Read {
        /// Uncompressed bytes before.
        offset: u64,
        /// What failed.
        source: std::io::Error,
    },
    /// A header of the archive is not one.
    #[error("no valid tar header before byte {offset}")]
    Header {
        /// Uncompressed bytes up to the end of the header.
        offset: u64,
    },
    /// An extended header over [`Limits::max_extended_header_bytes`].
    #[error("extended tar header of {size} bytes before byte {offset} is over the limit")]
    ExtendedHeader {
        /// Its size.
        size: u64,
        /// Uncompressed bytes so far.
        offset: u64,
    },
    /// More than [`Limits::max_layer_bytes`].
    #[error("layer has more than {limit} uncompressed bytes")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// More than [`Limits::max_expansion`] bytes out for each byte in.
    #[error("layer expands more than {limit}-fold, after {bytes} uncompressed bytes")]
    Expansion {
        /// The limit.
        limit: u64,
        /// Uncompressed bytes so far.
        bytes: u64,
    },
    /// More than [`Limits::max_entries`].
    #[error("layer or directory has more than {limit} entries")]
    TooManyEntries {
        /// The limit.
        limit: u64,
    },
    /// More than [`Limits::max_index_bytes`].
    #[error("the paths of the layer or directory take more than {limit} bytes")]
    IndexTooLarge {
        /// The limit.
        limit: usize,
    },
    /// The uncompressed bytes are not those that the image's configuration names.
    #[error("layer has diff ID {found}, the image's configuration says {wanted}")]
    DiffId {
        /// Digest of the bytes found.
        found: Digest,
        /// Digest in the configuration.
        wanted: Digest,
    },
}
