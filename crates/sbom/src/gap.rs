//! Gaps: what a scan could not read. They travel with the inventory into every document, so that a broken scan never looks clean.

use std::fmt;

use serde::Serialize;

/// One thing that was not read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Gap {
    /// Where, from the root of the image or directory; none when it concerns a whole layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The layer, counted from the lowest, which is 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<usize>,
    /// Why.
    #[serde(flatten)]
    pub reason: GapReason,
}

impl Gap {
    pub(crate) fn at(path: &str, reason: GapReason) -> Self {
        Self { path: Some(path.to_owned()), layer: None, reason }
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "{path:?}: {}", self.reason)?,
            None => write!(f, "{}", self.reason)?,
        }
        match self.layer {
            Some(layer) => write!(f, " (layer {layer})"),
            None => Ok(()),
        }
    }
}

/// Why something was not read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, thiserror::Error)]
#[serde(tag = "reason", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum GapReason {
    /// Larger than [`Limits::max_file_bytes`](crate::Limits::max_file_bytes), or for a database of rpm
    /// [`Limits::max_database_bytes`](crate::Limits::max_database_bytes).
    #[error("file has {size} bytes, the limit is {limit}")]
    FileTooLarge {
        /// Bytes of the file.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// [`Limits::max_kept_bytes`](crate::Limits::max_kept_bytes) is used up.
    #[error("file came after {limit} bytes were kept of its layer")]
    KeptTooMuch {
        /// The limit.
        limit: u64,
    },
    /// Longer than [`Limits::max_path_bytes`](crate::Limits::max_path_bytes).
    #[error("path or link target has {bytes} bytes, the limit is {limit}")]
    PathTooLong {
        /// Bytes of the path.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The name is not UTF-8; it is shown with replacement characters.
    #[error("path is not UTF-8")]
    PathNotUtf8,
    /// A sparse file, whose content is not put together.
    #[error("sparse file")]
    Sparse,
    /// A whiteout that names nothing.
    #[error("whiteout without a name")]
    EmptyWhiteout,
    /// A hard link or symbolic link leads to a file that was not kept, because its own path did not call for it.
    #[error("link to {target:?}, which was not kept")]
    LinkTargetNotKept {
        /// Where the link leads.
        target: String,
    },
    /// A hard link to something that the layers so far do not have.
    #[error("hard link to {target:?}, which does not exist")]
    LinkTargetMissing {
        /// Where the link leads.
        target: String,
    },
    /// More than [`Limits::max_symlinks`](crate::Limits::max_symlinks) symbolic links, or a circle of them.
    #[error("more than {limit} symbolic links on the way")]
    SymlinkLoop {
        /// The limit.
        limit: usize,
    },
    /// The bytes are not what the file's path or magic number promise.
    #[error("not readable as {format}")]
    Malformed {
        /// The format that was expected.
        format: &'static str,
    },
    /// A package's record lacks its name or its version.
    #[error("{format} record without {member}")]
    Incomplete {
        /// The format of the record.
        format: &'static str,
        /// What it lacks.
        member: &'static str,
    },
    /// A dependency list in an executable is larger than [`Limits::max_section_bytes`](crate::Limits::max_section_bytes).
    #[error("dependency list in the executable is larger than {limit} bytes")]
    SectionTooLarge {
        /// The limit.
        limit: usize,
    },
    /// Encrypted.
    #[error("encrypted")]
    Encrypted,
    /// A file in an archive is compressed by a method other than deflate, which is all that jars use.
    #[error("compressed by zip method {method}")]
    ArchiveMethod {
        /// The method's number (APPNOTE 6.3.10, §4.4.5).
        method: u16,
    },
    /// An archive whose directory lists other files than it holds: programs disagree on what is in it.
    #[error("archive's directory and its files disagree")]
    ArchiveMismatch,
    /// More than [`Limits::max_archive_entries`](crate::Limits::max_archive_entries).
    #[error("archive has more than {limit} entries")]
    ArchiveEntries {
        /// The limit.
        limit: u64,
    },
    /// More than [`Limits::max_archive_expansion`](crate::Limits::max_archive_expansion).
    #[error("archive expands more than {limit}-fold")]
    ArchiveExpands {
        /// The limit.
        limit: u64,
    },
    /// More than [`Limits::max_archive_depth`](crate::Limits::max_archive_depth).
    #[error("more than {limit} archives within each other")]
    ArchiveTooDeep {
        /// The limit.
        limit: usize,
    },
    /// A Go executable from before Go 1.18, whose toolchain version cannot be read in one pass.
    #[error("version of the Go toolchain is not readable")]
    GoVersion,
    /// More than [`Limits::max_packages_per_file`](crate::Limits::max_packages_per_file).
    #[error("file names more than {limit} packages")]
    TooManyPackages {
        /// The limit.
        limit: usize,
    },
    /// A database's write-ahead log has something in it: what was written last may be there only.
    #[error("write-ahead log was not read")]
    WriteAheadLog,
    /// The file could not be opened or read to its end.
    #[error("file could not be read")]
    Unreadable,
    /// A layer that is no file system.
    #[error("layer was not scanned")]
    LayerNotScanned,
    /// A layer that only the holder of a key can read.
    #[error("layer is encrypted")]
    LayerEncrypted,
    /// A layer that may not be copied, and is not where the image is.
    #[error("layer is not distributed with the image")]
    LayerElsewhere,
    /// A single file that holds nothing a cataloger knows, so that nothing can be told of what is in it.
    #[error("no kind of file that packages are read from")]
    NotRecognised,
    /// [`Limits::max_history_bytes`](crate::Limits::max_history_bytes) is used up: which layers brought, changed and removed packages
    /// is not told.
    #[error("databases of so many layers are too much to compare")]
    HistoryTooLong,
    /// Gaps of one kind past the first hundred, counted.
    #[error("{count} more gaps like those before")]
    More {
        /// How many.
        count: usize,
    },
}
