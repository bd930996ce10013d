//! Directory trees and single files on this machine, as the inventory reads them.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use touchmark_oci::{Algorithm, Hasher};
use touchmark_sbom::{DirectoryEntry, DirectoryEntryKind, Inventory, Limits, Subject, scan_directory};

use crate::failure::Mistake;

/// Takes inventory of a directory tree.
pub(crate) fn scan_tree(root: &Path) -> anyhow::Result<Inventory> {
    let failed = || format!("cannot scan the directory {}", root.display());
    let root = root.canonicalize().with_context(failed)?;
    if !root.is_dir() {
        return Err(Mistake::new(
            format!("{} is not a directory", root.display()),
            "dir:PATH names a directory, file:PATH a file",
        )
        .into());
    }
    let limits = Limits::default();
    let walk = Walk::new(&root).with_context(failed)?;
    let scan = scan_directory(walk, &limits).with_context(failed)?;
    let name = root.file_name().map_or_else(|| "/".to_owned(), |name| name.to_string_lossy().into_owned());
    Ok(Inventory::from_directory(Subject::Directory { name }, scan, &limits))
}

/// Takes inventory of one file.
pub(crate) fn scan_file(path: &Path) -> anyhow::Result<Inventory> {
    let failed = || format!("cannot scan the file {}", path.display());
    let path = path.canonicalize().with_context(failed)?;
    let metadata = fs::metadata(&path).with_context(failed)?;
    // A pipe or a device may never end.
    if !metadata.is_file() {
        return Err(Mistake::new(
            format!("{} is not a regular file", path.display()),
            "file:PATH names a file, dir:PATH a directory",
        )
        .into());
    }
    let digest = {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        let (mut file, mut buffer) = (File::open(&path).with_context(failed)?, vec![0; HASHED_BYTES]);
        loop {
            match file.read(&mut buffer).with_context(failed)? {
                0 => break hasher.finish(),
                count => hasher.update(buffer.get(..count).unwrap_or_default()),
            }
        }
    };
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let seen = (metadata.dev(), metadata.ino());
    let open = Box::new(move || open_seen(&path, seen).map(|file| Box::new(file) as Box<_>));
    let kind = DirectoryEntryKind::File { size: metadata.len(), open };
    let limits = Limits::default();
    let scan = scan_directory([DirectoryEntry { path: name.clone(), kind }], &limits)?;
    Ok(Inventory::from_file(Subject::File { name, digest }, scan, &limits))
}

const HASHED_BYTES: usize = 128 << 10;

/// Walks a directory tree in the order of names, parents first. Symbolic links are told and never followed.
struct Walk {
    root: PathBuf,
    device: u64,
    pending: Vec<PathBuf>,
}

impl Walk {
    fn new(root: &Path) -> std::io::Result<Self> {
        let device = fs::metadata(root)?.dev();
        Ok(Self { root: root.to_owned(), device, pending: vec![root.to_owned()] })
    }

    /// Puts the entries of a directory first in line.
    fn enter(&mut self, directory: &Path) -> std::io::Result<()> {
        let mut entries = fs::read_dir(directory)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<_>, _>>()?;
        entries.sort_unstable_by(|a, b| b.cmp(a));
        self.pending.extend(entries);
        Ok(())
    }

    fn kind(&mut self, path: &Path) -> std::io::Result<DirectoryEntryKind<'static>> {
        let metadata = fs::symlink_metadata(path)?;
        let kind = metadata.file_type();
        if kind.is_dir() {
            if !self.is_kernels(path, metadata.dev()) {
                self.enter(path)?;
            }
            return Ok(DirectoryEntryKind::Directory);
        }
        if kind.is_symlink() {
            let target = fs::read_link(path)?.to_string_lossy().into_owned();
            return Ok(DirectoryEntryKind::Symlink { target });
        }
        if !kind.is_file() {
            return Ok(DirectoryEntryKind::Other);
        }
        let path = path.to_owned();
        let seen = (metadata.dev(), metadata.ino());
        let open = Box::new(move || open_seen(&path, seen).map(|file| Box::new(file) as Box<_>));
        Ok(DirectoryEntryKind::File { size: metadata.len(), open })
    }

    /// What the running kernel mounts at the top of a root file system is no part of what is installed, and `/proc/kcore` is an ELF file
    /// as large as the address space.
    fn is_kernels(&self, path: &Path, device: u64) -> bool {
        let name = path.strip_prefix(&self.root).unwrap_or(path);
        device != self.device && ["proc", "sys", "dev"].iter().any(|kernels| name == Path::new(kernels))
    }
}

/// Opens the file that was looked at before. A link that somebody put in its place since leads elsewhere, perhaps out of the tree.
fn open_seen(path: &Path, seen: (u64, u64)) -> std::io::Result<File> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if (metadata.dev(), metadata.ino()) != seen {
        return Err(std::io::Error::other("file was replaced while it was looked at"));
    }
    Ok(file)
}

impl Iterator for Walk {
    type Item = DirectoryEntry<'static>;

    fn next(&mut self) -> Option<Self::Item> {
        let path = self.pending.pop()?;
        let kind = self.kind(&path).unwrap_or(DirectoryEntryKind::Unreadable);
        let relative = path.strip_prefix(&self.root).unwrap_or(&path);
        Some(DirectoryEntry { path: relative.to_string_lossy().into_owned(), kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_tells_links_and_does_not_follow_them() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("b")).unwrap();
        fs::write(directory.path().join("b/f"), "x").unwrap();
        std::os::unix::fs::symlink("/etc", directory.path().join("a")).unwrap();
        let paths: Vec<String> = Walk::new(directory.path()).unwrap().map(|entry| entry.path).collect();
        assert_eq!(paths, ["", "a", "b", "b/f"]);
    }

    #[test]
    fn what_the_kernel_mounts_is_left_out_and_directories_of_that_name_are_not() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("proc")).unwrap();
        fs::write(directory.path().join("proc/f"), "x").unwrap();
        let mut walk = Walk::new(directory.path()).unwrap();
        assert!(walk.is_kernels(&directory.path().join("proc"), walk.device + 1));
        assert!(!walk.is_kernels(&directory.path().join("a/proc"), walk.device + 1));
        assert_eq!(walk.by_ref().map(|entry| entry.path).collect::<Vec<_>>(), ["", "proc", "proc/f"]);
    }

    #[test]
    fn a_file_that_is_replaced_by_a_link_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let (path, other) = (directory.path().join("f"), directory.path().join("other"));
        fs::write(&path, "mine").unwrap();
        fs::write(&other, "theirs").unwrap();
        let metadata = fs::symlink_metadata(&path).unwrap();
        let seen = (metadata.dev(), metadata.ino());
        assert!(open_seen(&path, seen).is_ok());
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&other, &path).unwrap();
        assert!(open_seen(&path, seen).is_err());
    }
}
