//! Tar archives: where in them everything is, found in one pass over the headers.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use touchmark_oci::ImageName;

use super::docker;
use super::files::{Archive, FileError, Files, Member};
use super::reader::Reader;
use crate::error::LayoutFault;
use crate::{At, Limits, StoreError};

/// How many links a name may lead through.
const MAX_LINKS: usize = 8;

/// A member of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveMember {
    /// Its path, without `.` and leading `/`.
    pub path: String,
    /// Where its bytes begin.
    pub offset: u64,
    /// How many there are.
    pub size: u64,
}

/// Opens an archive as the layout that it is or is shown as.
pub(super) fn open(name: &ImageName, limits: Limits, at: &At) -> Result<Reader, StoreError> {
    let path = match name {
        ImageName::OciArchive(path) | ImageName::DockerArchive(path) => PathBuf::from(path),
        _ => return Err(StoreError::WrongStore { at: at.clone() }),
    };
    let failed = |error| failed(at, &path, error);
    let mut file = File::open(&path).map_err(|error| failed(error.into()))?;
    let found = index_members(&mut file, limits.max_archive_entries).map_err(failed)?;
    let members = found
        .into_iter()
        .map(|member| (member.path, Member { offset: member.offset, size: member.size }))
        .collect();
    let mut archive = Archive { path: path.clone(), members, made: HashMap::new() };
    if matches!(name, ImageName::DockerArchive(_)) {
        docker::show_as_layout(&mut archive, &limits).map_err(|fault| match fault {
            docker::DockerFault::File { error } => failed(error),
            docker::DockerFault::Layout { path: inner, fault } => {
                StoreError::InvalidLayout { at: at.clone(), path: path.join(inner), fault }
            }
        })?;
    }
    Ok(Reader { files: Files::Archive(archive), limits })
}

/// Finds the regular files of a tar archive, as opening one does; public for the fuzz target, which feeds it what no one should.
///
/// # Errors
/// [`StoreError::InvalidLayout`] and [`StoreError::Io`].
pub fn index_archive<R: Read + Seek>(
    file: &mut R,
    limits: &Limits,
) -> Result<Vec<ArchiveMember>, StoreError> {
    let at = At::new(crate::Operation::Open, "archive");
    index_members(file, limits.max_archive_entries).map_err(|error| failed(&at, Path::new("archive"), error))
}

fn failed(at: &At, path: &Path, error: FileError) -> StoreError {
    let (at, path) = (at.clone(), path.to_owned());
    match error {
        FileError::Absent => StoreError::NotFound { at },
        FileError::Fault(fault) => StoreError::InvalidLayout { at, path, fault },
        FileError::TooLarge { size, limit } => StoreError::TooLarge { at, size, limit },
        FileError::Io(source) => StoreError::Io { at, path, source },
    }
}

/// Finds the regular files of a tar archive. Links within the archive are followed; those that lead nowhere are left
/// out, and so are names that lead out of it. Of several members with one name the last counts, as when unpacking.
/// Reads headers only, never contents.
///
/// # Errors
/// [`FileError`]: compressed, too many entries, not a tar archive, or ends too early.
pub(super) fn index_members<R: Read + Seek>(
    file: &mut R,
    max_entries: usize,
) -> Result<Vec<ArchiveMember>, FileError> {
    refuse_compressed(file)?;
    let end = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    let mut archive = tar::Archive::new(file);
    let mut found: HashMap<String, Member> = HashMap::new();
    let mut links: HashMap<String, String> = HashMap::new();
    for (count, entry) in archive.entries_with_seek()?.enumerate() {
        if count >= max_entries {
            return Err(FileError::Fault(LayoutFault::TooManyEntries { limit: max_entries }));
        }
        let entry = entry?;
        let Some(path) = normal(&entry.path()?, Path::new("")) else {
            continue;
        };
        let kind = entry.header().entry_type();
        if kind.is_file() {
            let member = Member { offset: entry.raw_file_position(), size: entry.size() };
            if member.offset.checked_add(member.size).is_none_or(|last| last > end) {
                return Err(FileError::Fault(LayoutFault::Truncated));
            }
            links.remove(&path);
            found.insert(path, member);
        } else if (kind.is_symlink() || kind.is_hard_link())
            && let Some(target) = entry.link_name()?
        {
            // A symbolic link starts from its own directory, a hard link from the top.
            let directory = if kind.is_symlink() { Path::new(&path).parent() } else { None };
            if let Some(target) = normal(&target, directory.unwrap_or(Path::new(""))) {
                found.remove(&path);
                links.insert(path, target);
            }
        }
    }
    let mut members: HashMap<&String, Member> = found.iter().map(|(path, member)| (path, *member)).collect();
    for path in links.keys() {
        if let Some(member) = follow(path, &links, &found) {
            members.insert(path, member);
        }
    }
    let mut members: Vec<ArchiveMember> = members
        .into_iter()
        .map(|(path, member)| ArchiveMember { path: path.clone(), offset: member.offset, size: member.size })
        .collect();
    members.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(members)
}

/// A compressed archive would have to be unpacked to find anything in it.
fn refuse_compressed<R: Read + Seek>(file: &mut R) -> Result<(), FileError> {
    let mut magic = Vec::new();
    file.by_ref().take(6).read_to_end(&mut magic)?;
    let compressed: [&[u8]; 4] = [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ\0"];
    if compressed.iter().any(|magic_bytes| magic.starts_with(magic_bytes)) {
        return Err(FileError::Fault(LayoutFault::Compressed));
    }
    Ok(())
}

fn follow(path: &str, links: &HashMap<String, String>, found: &HashMap<String, Member>) -> Option<Member> {
    let mut target = links.get(path)?;
    for _ in 0..MAX_LINKS {
        if let Some(member) = found.get(target) {
            return Some(*member);
        }
        target = links.get(target)?;
    }
    None
}

/// A path without `.` and `..`, or `None` when it leads out or is no text.
fn normal(path: &Path, base: &Path) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    let base = if path.is_absolute() { Path::new("") } else { base };
    for part in base.components().chain(path.components()) {
        match part {
            Component::Normal(name) => parts.push(name.to_str()?),
            Component::ParentDir => {
                parts.pop()?;
            }
            Component::CurDir | Component::RootDir => {}
            Component::Prefix(_) => return None,
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}
