//! Why metadata could not be had or is not trusted.

use std::time::Duration;

use jiff::Timestamp;
use touchmark_oci::Digest;
use touchmark_transport::{RedactedUrl, StatusCode, TransportError};

use crate::Role;

/// Why metadata could not be had or is not trusted. The sections are those of
/// [TUF 1.0.33](https://theupdateframework.github.io/specification/v1.0.33/).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TufError {
    /// The mirror did not answer.
    #[error("cannot fetch {file}")]
    Fetch {
        /// The file.
        file: String,
        /// Why.
        source: Box<TransportError>,
    },
    /// The mirror answered with an error.
    #[error("{url} answers {status}")]
    Status {
        /// The file's address.
        url: RedactedUrl,
        /// The status.
        status: StatusCode,
    },
    /// The mirror does not have a file that it must have.
    #[error("{url} is not there")]
    Missing {
        /// The file's address.
        url: RedactedUrl,
    },
    /// More bytes than the file can have (endless data, §1.5.2).
    #[error("{file} has more than {limit} bytes")]
    TooLarge {
        /// The file.
        file: String,
        /// The limit.
        limit: u64,
    },
    /// The mirror sends, but not fast enough (slow retrieval, §1.5.2).
    #[error("the refresh took longer than {} s", limit.as_secs())]
    TooSlow {
        /// The limit.
        limit: Duration,
    },
    /// More new roots than are read.
    #[error("more than {limit} new roots")]
    TooManyRoots {
        /// The limit.
        limit: usize,
    },
    /// Not metadata of this kind, or with keys that cannot be used.
    #[error("{file} is not usable metadata")]
    Unreadable {
        /// The file.
        file: String,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Fewer of the role's keys have signed than have to (arbitrary software, §1.5.2).
    #[error("{file} has {found} valid signatures of the role {role}, expected {threshold}")]
    Signatures {
        /// The file.
        file: String,
        /// The role.
        role: Role,
        /// Found.
        found: usize,
        /// Wanted.
        threshold: usize,
    },
    /// An older version than was seen before (rollback, §5.4.3, §5.5.5).
    #[error("{role} has version {found}, which is older than version {trusted} seen before")]
    Rollback {
        /// The role whose metadata is older.
        role: Role,
        /// The version seen before.
        trusted: u64,
        /// The version found.
        found: u64,
    },
    /// A root that does not follow the one before (§5.3.5).
    #[error("root has version {found}, expected the one after {trusted}")]
    RootVersion {
        /// The version before.
        trusted: u64,
        /// The version found.
        found: u64,
    },
    /// Metadata that counts no more (freeze, §5.3.10, §5.4.4, §5.5.6, §5.6.5).
    #[error("{role} expired {expires}")]
    Expired {
        /// The role.
        role: Role,
        /// When.
        expires: Timestamp,
    },
    /// Length, hash or version are not those that other metadata gives (mix-and-match, §5.5.2, §5.5.4, §5.6.2).
    #[error("{file} is not the file that is described")]
    Mismatch {
        /// The file.
        file: String,
        /// What differs.
        source: Box<sigstore_tuf::Error>,
    },
    /// A target whose length or hash is not the one in `targets.json` (§5.7.3).
    #[error("{name} has the digest {found}, which is not the one in the metadata")]
    Target {
        /// The target.
        name: String,
        /// The digest of what was found.
        found: Digest,
    },
    /// No such target, or without a hash that is known.
    #[error("the repository lists no usable {name}")]
    NoTarget {
        /// The target.
        name: String,
    },
}

impl TufError {
    /// What the state machine says about `file` of `role`. A timestamp can betray the rollback of a snapshot, and a snapshot that of
    /// targets.
    pub(crate) fn of(error: sigstore_tuf::Error, file: &str, role: Role) -> Self {
        use sigstore_tuf::Error;
        let file = file.to_owned();
        match error {
            Error::ThresholdNotMet { found, threshold, .. } => {
                Self::Signatures { file, role, found, threshold }
            }
            Error::Rollback { role: name, trusted, new } => {
                let role = match role {
                    Role::Timestamp if name == Role::Timestamp.name() => Role::Timestamp,
                    Role::Timestamp => Role::Snapshot,
                    Role::Snapshot => Role::Targets,
                    other => other,
                };
                Self::Rollback { role, trusted, found: new }
            }
            Error::BadRootVersion { trusted, new } => Self::RootVersion { trusted, found: new },
            Error::Expired { role: name, expires } => {
                let role = Role::ALL.into_iter().find(|known| known.name() == name).unwrap_or(role);
                Self::Expired { role, expires }
            }
            source @ Error::IntegrityMismatch(_) => Self::Mismatch { file, source: Box::new(source) },
            source => Self::Unreadable { file, source: Box::new(source) },
        }
    }
}
