//! Writing a layout directory. Everything here blocks.
//!
//! Every file is written beside its place and renamed into it, so that a reader sees the old or the new file and a
//! crash leaves nothing half written. Writers of `index.json` hold a lock on `.touchmark.lock`; tools that know nothing
//! of it are not held off.

use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use touchmark_oci::{Content, Descriptor, Digest, ImageName, Tag};

use super::files::{FileError, Files};
use super::index::Index;
use super::reader::{Reader, blob_path};
use crate::{At, StoreError};

const LOCK: &str = ".touchmark.lock";
const MARKER: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// Holds off other writers until dropped.
pub(super) struct Locked {
    _file: File,
}

impl Reader {
    fn directory(&self, at: &At) -> Result<&Path, StoreError> {
        match &self.files {
            Files::Directory(root) => Ok(root),
            Files::Archive(_) => Err(StoreError::ReadOnly { at: at.clone() }),
        }
    }

    /// Waits until no other writer is at work.
    pub(super) fn lock(&self, at: &At) -> Result<Locked, StoreError> {
        let root = self.directory(at)?;
        let path = root.join(LOCK);
        let opened = fs::create_dir_all(root).and_then(|()| {
            let file = File::options().create(true).write(true).truncate(false).open(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => file.lock()?,
                Err(TryLockError::Error(error)) => return Err(error),
            }
            Ok(file)
        });
        opened.map(|file| Locked { _file: file }).map_err(|error| self.failed(at, LOCK, FileError::Io(error)))
    }

    /// `index.json`, of a new layout if the directory is empty but for our own lock. One that holds other things is not
    /// made into a layout.
    fn index_to_write(&self, _held: &Locked, at: &At) -> Result<Index, StoreError> {
        if let Some(index) = self.index(at)? {
            return Ok(index);
        }
        let root = self.directory(at)?;
        let empty = Index::empty().to_bytes().unwrap_or_default();
        let names = fs::read_dir(root).map_err(|error| self.failed(at, "", FileError::Io(error)))?;
        // An index of nothing is what a crash before the last line of this function leaves.
        let ours = |entry: &fs::DirEntry| {
            entry.file_name() == LOCK
                || (entry.file_name() == "index.json"
                    && fs::read(entry.path()).is_ok_and(|found| found == empty))
        };
        if names.flatten().any(|entry| !ours(&entry)) {
            let fault = crate::LayoutFault::NoLayout;
            return Err(StoreError::InvalidLayout { at: at.clone(), path: root.to_owned(), fault });
        }
        self.write("index.json", &empty, at)?;
        self.write("oci-layout", MARKER, at)?;
        Ok(Index::empty())
    }

    /// Makes sure that there is a layout.
    pub(super) fn create(&self, at: &At) -> Result<(), StoreError> {
        if self.index(at)?.is_some() {
            return Ok(());
        }
        let held = self.lock(at)?;
        self.index_to_write(&held, at).map(|_| ())
    }

    /// Makes a layout, for a caller that holds the lock.
    pub(super) fn create_locked(&self, held: &Locked, at: &At) -> Result<(), StoreError> {
        self.index_to_write(held, at).map(|_| ())
    }

    pub(super) fn push_blob(&self, blob: &Content, at: &At) -> Result<(), StoreError> {
        self.create(at)?;
        if self.has_blob(blob.descriptor(), at)? {
            return Ok(());
        }
        self.write(&blob_path(blob.digest()), blob.bytes(), at)
    }

    /// Writes a manifest's blob, then its entry. The caller holds the lock.
    pub(super) fn push_manifest(
        &self,
        held: &Locked,
        manifest: &Content,
        entry: Descriptor,
        tag: Option<&Tag>,
        at: &At,
    ) -> Result<(), StoreError> {
        let mut index = self.index_to_write(held, at)?;
        if !self.has_blob(manifest.descriptor(), at)? {
            self.write(&blob_path(manifest.digest()), manifest.bytes(), at)?;
        }
        let json = |source: serde_json::Error| {
            self.failed(at, "index.json", FileError::Io(std::io::Error::other(source)))
        };
        if !index.put(entry, tag).map_err(json)? {
            return Ok(());
        }
        let bytes = index.to_bytes().map_err(json)?;
        let (size, limit) = (bytes.len() as u64, self.limits.max_layout_document_bytes);
        if size > limit {
            return Err(StoreError::TooLarge { at: at.clone(), size, limit });
        }
        self.write("index.json", &bytes, at)
    }

    /// Removes all entries of a manifest. The caller holds the lock.
    pub(super) fn remove_manifest(&self, _held: &Locked, digest: &Digest, at: &At) -> Result<(), StoreError> {
        let Some(mut index) = self.index(at)? else {
            return Ok(());
        };
        if !index.remove(digest) {
            return Ok(());
        }
        let bytes = index
            .to_bytes()
            .map_err(|source| self.failed(at, "index.json", FileError::Io(std::io::Error::other(source))))?;
        self.write("index.json", &bytes, at)
    }

    fn write(&self, path: &str, bytes: &[u8], at: &At) -> Result<(), StoreError> {
        let mut staged = self.stage(path, at)?;
        let written = staged.file.write_all(bytes);
        written.and_then(|()| staged.commit()).map_err(|error| self.failed(at, path, FileError::Io(error)))
    }

    /// A new file that takes the place of `path` once all of it is there.
    pub(super) fn stage(&self, path: &str, at: &At) -> Result<Staged, StoreError> {
        let root = self.directory(at)?;
        let staged = Staged::new(root, path);
        staged.map_err(|error| self.failed(at, path, error))
    }
}

/// A file being written, which is removed unless it is committed.
pub(super) struct Staged {
    pub(super) file: File,
    temporary: PathBuf,
    target: PathBuf,
}

impl Staged {
    fn new(root: &Path, path: &str) -> Result<Self, FileError> {
        let target = root.join(path);
        let parent = target.parent().unwrap_or(root);
        fs::create_dir_all(parent)?;
        // A directory that is a link to elsewhere would have us write there.
        if !parent.canonicalize()?.starts_with(root.canonicalize()?) {
            return Err(FileError::Fault(crate::LayoutFault::Escapes));
        }
        let temporary = parent.join(format!(".touchmark-{:016x}.tmp", fastrand::u64(..)));
        let file = File::options().create_new(true).write(true).open(&temporary)?;
        Ok(Self { file, temporary, target })
    }

    /// Puts the file into its place, once it is on the disk.
    pub(super) fn commit(self) -> std::io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.temporary, &self.target)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // After a commit there is nothing under this name any more.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Whether `name` is the layout at `path`.
pub(super) fn is_layout(name: &ImageName, path: &Path) -> bool {
    matches!(name, ImageName::Layout(named) if Path::new(named) == path)
}
