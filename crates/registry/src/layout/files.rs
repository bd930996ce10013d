//! Where the files of a layout are: in a directory, or in a tar archive.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::error::LayoutFault;

/// Why a file of a layout cannot be had.
#[derive(Debug)]
pub(super) enum FileError {
    /// It is not there.
    Absent,
    /// It is there and not usable.
    Fault(LayoutFault),
    /// It has more bytes than the caller can use.
    TooLarge { size: u64, limit: u64 },
    /// The system refused.
    Io(std::io::Error),
}

impl From<std::io::Error> for FileError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => Self::Absent,
            _ => Self::Io(error),
        }
    }
}

/// An opened file: `size` bytes from where `file` stands.
#[derive(Debug)]
pub(super) enum Opened {
    File { file: File, size: u64 },
    Memory(Vec<u8>),
}

impl Opened {
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::File { size, .. } => *size,
            Self::Memory(bytes) => bytes.len() as u64,
        }
    }

    /// All of it, if it has at most `limit` bytes.
    pub(super) fn read(self, limit: u64) -> Result<Vec<u8>, FileError> {
        let size = self.size();
        if size > limit {
            return Err(FileError::TooLarge { size, limit });
        }
        match self {
            Self::Memory(bytes) => Ok(bytes),
            Self::File { file, size } => {
                let mut bytes = Vec::new();
                file.take(size).read_to_end(&mut bytes)?;
                Ok(bytes)
            }
        }
    }
}

/// The files of a layout, by their paths within it.
#[derive(Debug)]
pub(super) enum Files {
    Directory(PathBuf),
    Archive(Archive),
}

/// The files of a tar archive, and some that are made up.
#[derive(Debug)]
pub(super) struct Archive {
    pub(super) path: PathBuf,
    pub(super) members: HashMap<String, Member>,
    pub(super) made: HashMap<String, Vec<u8>>,
}

/// Where a member of an archive is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) offset: u64,
    pub(super) size: u64,
}

impl Files {
    /// Where it all is.
    pub(super) fn root(&self) -> &Path {
        match self {
            Self::Directory(root) => root,
            Self::Archive(archive) => &archive.path,
        }
    }

    pub(super) fn open(&self, path: &str) -> Result<Opened, FileError> {
        match self {
            Self::Directory(root) => open_within(root, path),
            Self::Archive(archive) => archive.open(path),
        }
    }
}

impl Archive {
    pub(super) fn open(&self, path: &str) -> Result<Opened, FileError> {
        if let Some(bytes) = self.made.get(path) {
            return Ok(Opened::Memory(bytes.clone()));
        }
        let member = self.members.get(path).ok_or(FileError::Absent)?;
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(member.offset))?;
        Ok(Opened::File { file, size: member.size })
    }
}

/// Opens a regular file under `root`. Links are followed as long as they stay within: a layout from elsewhere must not
/// make us read, and then perhaps push, other files of this machine. Someone who changes the layout while it is read
/// can at worst make the read fail, since what is read is checked by its digest.
fn open_within(root: &Path, path: &str) -> Result<Opened, FileError> {
    let root = root.canonicalize()?;
    let real = root.join(path).canonicalize()?;
    if !real.starts_with(&root) {
        return Err(FileError::Fault(LayoutFault::Escapes));
    }
    // Before opening: a pipe would block, a device do anything.
    if !real.metadata()?.is_file() {
        return Err(FileError::Fault(LayoutFault::NoFile));
    }
    let file = File::open(&real)?;
    let size = file.metadata()?.len();
    Ok(Opened::File { file, size })
}
