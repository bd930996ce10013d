//! Directories: entries that the caller walks, so that this crate opens nothing itself.

use std::io::{self, Read};

use crate::archive::ArchiveError;
use crate::changes::Change;
use crate::scan::Scanner;
use crate::{GapReason, LayerScan, Limits, ScanError, path};

/// One entry of a directory tree.
pub struct DirectoryEntry<'a> {
    /// Its path from the top of the tree, with `/` between parts.
    pub path: String,
    /// What it is.
    pub kind: DirectoryEntryKind<'a>,
}

/// Opens a file for reading.
pub type FileOpener<'a> = Box<dyn FnOnce() -> io::Result<Box<dyn Read + 'a>> + 'a>;

/// What a directory entry is.
#[non_exhaustive]
pub enum DirectoryEntryKind<'a> {
    /// A directory.
    Directory,
    /// A regular file.
    File {
        /// Its size, in bytes.
        size: u64,
        /// Opens it. Called at most once, and only when the content may matter.
        open: FileOpener<'a>,
    },
    /// A symbolic link. It is resolved within the tree, and never followed by the caller.
    Symlink {
        /// Where it leads, as written.
        target: String,
    },
    /// Anything else.
    Other,
    /// Something that could not be looked at; the inventory will say so.
    Unreadable,
}

/// Scans a directory tree, parents before what is in them. The same catalogers run as for an image; whiteouts mean nothing.
///
/// Give entries in an order that does not depend on the machine, such as sorted by path.
///
/// # Errors
/// [`ScanError::TooManyEntries`] or [`ScanError::IndexTooLarge`]. A file that cannot be read is a gap.
pub fn scan_directory<'a>(
    entries: impl IntoIterator<Item = DirectoryEntry<'a>>,
    limits: &Limits,
) -> Result<LayerScan, ScanError> {
    let mut scanner = Scanner::new(limits, true);
    let mut count = 0;
    for entry in entries {
        count += 1;
        add(&mut scanner, entry);
        scanner.check_limits(count)?;
    }
    Ok(scanner.scan)
}

fn add(scanner: &mut Scanner<'_>, entry: DirectoryEntry<'_>) {
    let path = path::clean(&entry.path);
    match entry.kind {
        DirectoryEntryKind::Directory => scanner.push(&path, Change::Directory),
        DirectoryEntryKind::Symlink { target } => scanner.push(&path, Change::Symlink(&target)),
        DirectoryEntryKind::Other => scanner.push(&path, Change::Other),
        DirectoryEntryKind::Unreadable => scanner.gap(&path, GapReason::Unreadable),
        // An executable is read whole, and a sparse file can be as large as the file system allows.
        DirectoryEntryKind::File { size, .. } if size > scanner.limits().max_layer_bytes => {
            let limit = scanner.limits().max_layer_bytes;
            scanner.gap(&path, GapReason::FileTooLarge { size, limit });
        }
        DirectoryEntryKind::File { size, open } => {
            // No more than was there when it was looked at: a log grows while it is read.
            let content = LazyFile::Closed(Some(open)).take(size);
            if let Err(ArchiveError::Read(_)) = scanner.file(&path, size, content) {
                scanner.gap(&path, GapReason::Unreadable);
            }
        }
    }
}

/// A file that is opened by its first read.
enum LazyFile<'a> {
    Closed(Option<FileOpener<'a>>),
    Open(Box<dyn Read + 'a>),
}

impl Read for LazyFile<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Self::Closed(open) = self {
            let open = open.take().ok_or(io::ErrorKind::NotFound)?;
            *self = Self::Open(open()?);
        }
        match self {
            Self::Open(file) => file.read(buffer),
            Self::Closed(_) => Ok(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_larger_than_any_layer_is_a_gap_and_is_not_opened() {
        let open: FileOpener<'_> = Box::new(|| Err(io::ErrorKind::Other.into()));
        let kind = DirectoryEntryKind::File { size: 65 << 30, open };
        let limits = Limits::default();
        let scan = scan_directory([DirectoryEntry { path: "core".into(), kind }], &limits).unwrap();
        let reason = GapReason::FileTooLarge { size: 65 << 30, limit: limits.max_layer_bytes };
        assert_eq!(scan.gaps(), [crate::Gap::at("core", reason)]);
    }
}
