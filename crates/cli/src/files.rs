//! Files in and out: `-` for standard input and output, a limit on every read, and no file half-written.

use std::fs::File;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};

use crate::failure::Mistake;
use crate::render::to_stdout;

/// Bytes of a predicate, a statement or a policy read into memory. 128 MiB, as cosign's `COSIGN_MAX_ATTACHMENT_SIZE`.
pub(crate) const MAX_DOCUMENT_BYTES: u64 = 128 << 20;

/// Who may read a file that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readers {
    /// As the umask has it.
    Anyone,
    /// The owner alone.
    Owner,
}

/// Reads a file, or standard input for `-`, of at most `max_bytes`.
pub(crate) fn read_input(path: &Path, max_bytes: u64) -> Result<Vec<u8>, FileError> {
    let failed = |source| FileError::Read { path: path.to_owned(), source };
    let reader: Box<dyn Read> = if is_dash(path) {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(File::open(path).map_err(failed)?)
    };
    let mut bytes = Vec::new();
    reader.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > max_bytes {
        return Err(FileError::TooLarge { path: path.to_owned(), limit: max_bytes });
    }
    Ok(bytes)
}

/// Writes a result to a file, or standard output for `-`. An existing file is replaced whole, or not at all.
pub(crate) fn write_output(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let failed = |source| FileError::Write { path: path.to_owned(), source };
    if is_dash(path) {
        return to_stdout(bytes).map_err(failed);
    }
    // Renaming onto a device or a pipe such as /dev/stdout would replace it.
    if std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return File::options()
            .write(true)
            .open(path)
            .and_then(|mut file| file.write_all(bytes))
            .map_err(failed);
    }
    staged(path, bytes, Readers::Anyone)
        .map_err(failed)?
        .persist(path)
        .map_err(|error| failed(error.error))?;
    Ok(())
}

/// Writes a file that must not exist yet.
pub(crate) fn write_new(path: &Path, bytes: &[u8], readers: Readers) -> anyhow::Result<()> {
    let failed = |source| FileError::Write { path: path.to_owned(), source };
    match staged(path, bytes, readers).map_err(failed)?.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Err(Mistake::new(
            format!("{} exists already", path.display()),
            "another --output-key-prefix writes other files; nothing was overwritten",
        )
        .into()),
        Err(error) => Err(failed(error.error).into()),
    }
}

/// Whether a path stands for standard input or output.
pub(crate) fn is_dash(path: &Path) -> bool {
    path == Path::new("-")
}

/// The bytes in a new file beside `path`, ready to be renamed.
fn staged(path: &Path, bytes: &[u8], readers: Readers) -> std::io::Result<tempfile::NamedTempFile> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = match readers {
            Readers::Anyone => 0o666,
            Readers::Owner => 0o600,
        };
        // The umask still applies.
        builder.permissions(std::fs::Permissions::from_mode(mode));
    }
    let mut file = builder.prefix(".touchmark-").tempfile_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Why a file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// Not read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// More bytes than are read.
    #[error("{} has more than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        limit: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        write_output(&path, b"first").unwrap();
        write_output(&path, b"second").unwrap();
        assert_eq!(read_input(&path, 100).unwrap(), b"second");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_key_file_is_never_overwritten_and_the_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        write_new(&path, b"secret", Readers::Owner).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(write_new(&path, b"other", Readers::Owner).unwrap_err().is::<Mistake>());
        assert_eq!(read_input(&path, 100).unwrap(), b"secret");
    }

    #[test]
    fn rejects_a_file_over_the_limit_or_absent() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("big");
        write_output(&path, b"12345").unwrap();
        assert!(matches!(read_input(&path, 4), Err(FileError::TooLarge { limit: 4, .. })));
        assert!(matches!(read_input(&directory.path().join("none"), 4), Err(FileError::Read { .. })));
    }
}
