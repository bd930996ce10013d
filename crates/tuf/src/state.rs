//! The directory in which repositories are kept: one folder for each, and the name of the default.
//!
//! Files are replaced whole, by renaming. Processes that write take turns by a lock, which is held for the time of one write and never
//! while a mirror is asked; processes that read need none, so a directory that cannot be written to can be used.

use std::cmp::Ordering;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use touchmark_oci::Digest;
use touchmark_transport::Url;

use crate::{Cache, CacheError, Limits, Repository, Trusted, TufError};

/// Names the folder of the default repository.
const DEFAULT: &str = "default.json";
/// In a repository's folder: the mirror, and the digest of the pinned root.
const REPOSITORY: &str = "repository.json";
/// The pinned root.
const ROOT: &str = "root.json";
/// What the mirror gave. Another form of it will have another name.
const CACHE: &str = "cache.v1.json";
/// Held by who writes.
const LOCK: &str = "lock";
/// Bytes of the small documents: an address and a digest.
const MAX_NOTE_BYTES: u64 = 16 << 10;

/// A directory that keeps repositories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    directory: PathBuf,
}

/// What [`DEFAULT`] says.
#[derive(Debug, Serialize, Deserialize)]
struct Choice {
    folder: String,
}

/// What [`REPOSITORY`] says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    mirror: String,
    root: String,
}

impl State {
    /// The directory at this path, which is made when something is first kept.
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The repository that was chosen last, or `None` when none was.
    ///
    /// # Errors
    /// [`StateError`]: one was chosen, and it cannot be told which. That is never the same as none.
    pub fn default_repository(&self, limits: &Limits) -> Result<Option<Repository>, StateError> {
        let path = self.directory.join(DEFAULT);
        let Some(bytes) = read(&path, MAX_NOTE_BYTES)? else { return Ok(None) };
        let Choice { folder } = parse(&path, &bytes)?;
        // A folder is beside the file that names it.
        if Path::new(&folder).components().count() != 1 || folder.starts_with('.') {
            return Err(StateError::Folder { path, found: folder });
        }
        self.repository(&folder, limits).map(Some)
    }

    fn repository(&self, folder: &str, limits: &Limits) -> Result<Repository, StateError> {
        let path = self.directory.join(folder).join(REPOSITORY);
        let bytes = required(&path, MAX_NOTE_BYTES)?;
        let identity: Identity = parse(&path, &bytes)?;
        let mirror: Url = identity
            .mirror
            .parse()
            .map_err(|_| StateError::Mirror { path: path.clone(), found: identity.mirror.clone() })?;
        let path = self.directory.join(folder).join(ROOT);
        let root = required(&path, limits.max_root_bytes)?;
        let found = Digest::of(&root);
        if found.to_string() != identity.root {
            return Err(StateError::OtherRoot { path, found, wanted: identity.root });
        }
        Repository::new(&mirror, root, limits)
            .map_err(|source| StateError::Root { path, source: Box::new(source) })
    }

    /// Makes a repository the default.
    ///
    /// # Errors
    /// [`StateError::Write`].
    pub fn choose(&self, repository: &Repository) -> Result<(), StateError> {
        let folder = repository.folder();
        let directory = self.directory.join(&folder);
        make(&directory)?;
        write(&directory.join(ROOT), repository.root())?;
        let identity =
            Identity { mirror: repository.mirror().to_string(), root: repository.root_digest().to_string() };
        let path = directory.join(REPOSITORY);
        write(&path, &json(&path, &identity)?)?;
        let path = self.directory.join(DEFAULT);
        write(&path, &json(&path, &Choice { folder })?)
    }

    /// What was kept of a repository, if anything was.
    ///
    /// # Errors
    /// [`StateError`]: something was, and it cannot be read.
    pub fn load(&self, repository: &Repository, limits: &Limits) -> Result<Option<Cache>, StateError> {
        let path = self.directory.join(repository.folder()).join(CACHE);
        let Some(bytes) = read(&path, limits.max_cache_bytes)? else { return Ok(None) };
        Cache::parse(&bytes, limits).map(Some).map_err(|source| StateError::Cache { path, source })
    }

    /// Keeps what the mirror gave. When another process kept something newer meanwhile, that stays.
    ///
    /// # Errors
    /// [`StateError::Write`].
    pub fn keep(&self, repository: &Repository, cache: &Cache, limits: &Limits) -> Result<(), StateError> {
        let directory = self.directory.join(repository.folder());
        make(&directory)?;
        let _turn = lock(&directory.join(LOCK))?;
        if self.has_newer(repository, cache, limits) {
            return Ok(());
        }
        let path = directory.join(CACHE);
        write(&path, &json(&path, cache)?)
    }

    /// Whether what is there is authentic and newer. What is not authentic is in nobody's way.
    fn has_newer(&self, repository: &Repository, cache: &Cache, limits: &Limits) -> bool {
        let Ok(Some(there)) = self.load(repository, limits) else { return false };
        match (repository.verify(&there), repository.verify(cache)) {
            (Ok(there), Ok(new)) => is_newer(&there, &new),
            (there, _) => there.is_ok(),
        }
    }
}

/// A newer root counts for more than the versions under it: with other keys, those may begin again (TUF 1.0.33 §5.3.11).
fn is_newer(there: &Trusted, new: &Trusted) -> bool {
    let [there_root, there @ ..] = there.roles().map(|state| state.version);
    let [new_root, new @ ..] = new.roles().map(|state| state.version);
    match there_root.cmp(&new_root) {
        Ordering::Equal => there.iter().zip(&new).any(|(there, new)| there > new),
        order => order.is_gt(),
    }
}

/// A file of at most `max_bytes`, or `None` when there is none.
fn read(path: &Path, max_bytes: u64) -> Result<Option<Vec<u8>>, StateError> {
    let failed = |source| StateError::Read { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut bytes = Vec::new();
    file.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > max_bytes {
        return Err(StateError::TooLarge { path: path.to_owned(), limit: max_bytes });
    }
    Ok(Some(bytes))
}

fn required(path: &Path, max_bytes: u64) -> Result<Vec<u8>, StateError> {
    let missing = || std::io::Error::from(std::io::ErrorKind::NotFound);
    read(path, max_bytes)?.ok_or_else(|| StateError::Read { path: path.to_owned(), source: missing() })
}

fn parse<'a, T: Deserialize<'a>>(path: &Path, bytes: &'a [u8]) -> Result<T, StateError> {
    serde_json::from_slice(bytes).map_err(|source| StateError::Json { path: path.to_owned(), source })
}

fn json<T: Serialize>(path: &Path, value: &T) -> Result<Vec<u8>, StateError> {
    serde_json::to_vec(value).map_err(|source| StateError::Json { path: path.to_owned(), source })
}

fn make(directory: &Path) -> Result<(), StateError> {
    fs::create_dir_all(directory).map_err(|source| StateError::Write { path: directory.to_owned(), source })
}

/// Waits for its turn. The lock ends with the value, or with the process.
fn lock(path: &Path) -> Result<File, StateError> {
    let failed = |source| StateError::Write { path: path.to_owned(), source };
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(file)
}

/// Replaces a file as a whole.
fn write(path: &Path, bytes: &[u8]) -> Result<(), StateError> {
    let failed = |source| StateError::Write { path: path.to_owned(), source };
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // Nothing here is secret, and another user may verify by it. The umask still applies.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.prefix(".touchmark-").tempfile_in(directory).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Why the directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
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
    /// Not what this program wrote.
    #[error("{} is damaged", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// What was kept of a mirror is not readable.
    #[error("{} is damaged", path.display())]
    Cache {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: CacheError,
    },
    /// Not the name of a folder beside it.
    #[error("{} names the folder {found:?}", path.display())]
    Folder {
        /// The file.
        path: PathBuf,
        /// The name.
        found: String,
    },
    /// Not the address of a mirror.
    #[error("{} names the mirror {found:?}, expected a URL", path.display())]
    Mirror {
        /// The file.
        path: PathBuf,
        /// As written.
        found: String,
    },
    /// The pinned root is another one than was pinned.
    #[error("{} has the digest {found}, expected {wanted}", path.display())]
    OtherRoot {
        /// The file.
        path: PathBuf,
        /// The digest of what is there.
        found: Digest,
        /// The digest of what was pinned.
        wanted: String,
    },
    /// The pinned root cannot be used.
    #[error("{} cannot be used", path.display())]
    Root {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<TufError>,
    },
}
