//! What a [`Sigstore`](super::Sigstore) can be told to do wrong.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::Fault;

/// How a [`Sigstore`](super::Sigstore) misbehaves; by default not at all.
#[derive(Debug, Clone, Default)]
pub struct Misbehaviour {
    /// The logs' checkpoints and proofs give a root hash that is not the tree's, and sign it.
    pub wrong_root_hash: bool,
    /// The logs answer with the checkpoint from before the new entry.
    pub stale_checkpoint: bool,
    /// The logs answer from a tree with another first entry: sound in itself, and not what the public sees.
    pub split_view: bool,
    /// The logs sign with a key that is not in the trusted root, under the name and hint of the one that is.
    pub wrong_log_key: bool,
    /// Certificates come without a signed certificate timestamp.
    pub missing_sct: bool,
    /// Signed certificate timestamps are made with a key that is not in the trusted root.
    pub wrong_ct_log_key: bool,
    /// Whose time the trusted root says was over an hour ago.
    pub expired: BTreeSet<Authority>,
    /// What the TUF repository does wrong.
    pub tuf: Vec<TufFault>,
    /// What goes wrong when somebody logs in.
    pub login: Option<LoginFault>,
    /// How long certificates are valid, instead of ten minutes.
    pub certificate_lifetime: Option<Duration>,
    /// Answers to give instead, the first that matches: `Fault::times("/api/v2/log", 429, 2).header("retry-after", "1")`.
    pub faults: Vec<Fault>,
    /// Parts of paths whose answers are cut off half way.
    pub cut_off: BTreeSet<String>,
    /// How long every answer takes.
    pub delay: Duration,
}

/// What can go wrong when somebody logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginFault {
    /// The browser comes back with another state.
    WrongState,
    /// The token has another nonce.
    WrongNonce,
    /// The token is for another audience.
    WrongAudience,
    /// The token is by another issuer.
    WrongIssuer,
    /// The token expired long ago.
    OldToken,
    /// There is no token in the answer.
    NoToken,
    /// Whoever is asked refuses.
    Denied,
    /// The device is told once to ask less often.
    SlowDown,
    /// The device's code expires.
    Expired,
    /// There is no device flow.
    NoDevice,
    /// The discovery document is another issuer's.
    WrongDocument,
}

/// One of the parts that the trusted root names, with the time in which it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Authority {
    /// Fulcio's certificate authority.
    Certificates,
    /// The certificate transparency log.
    CtLog,
    /// The Rekor v1 log.
    RekorV1,
    /// The Rekor v2 log.
    RekorV2,
    /// The timestamp authority.
    Timestamps,
}

/// A file of the TUF repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TufFile {
    /// `N.root.json`.
    Root,
    /// `timestamp.json`.
    Timestamp,
    /// `N.snapshot.json`.
    Snapshot,
    /// `N.targets.json`.
    Targets,
    /// A target.
    Target,
}

impl TufFile {
    /// The name of the role that signs it.
    pub(super) fn role(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Timestamp => "timestamp",
            Self::Snapshot => "snapshot",
            Self::Targets | Self::Target => "targets",
        }
    }

    /// Whether it is the file of this name.
    pub(super) fn is(self, name: &str) -> bool {
        match self {
            Self::Target => name.starts_with("targets/"),
            Self::Timestamp => name == "timestamp.json",
            other => name.ends_with(&format!(".{}.json", other.role())),
        }
    }
}

/// Something that the TUF repository does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TufFault {
    /// The first version is given out: of the timestamp, or of what the timestamp or snapshot name; of roots, the last one again as
    /// the next.
    Rollback(TufFile),
    /// What is served of snapshot, targets or a target is not what is described.
    WrongHash(TufFile),
    /// Without signatures.
    Unsigned(TufFile),
    /// It expired an hour ago.
    Expired(TufFile),
    /// The target of this name is not listed.
    Unlisted(&'static str),
    /// The file never ends.
    Endless(TufFile),
    /// The file comes a byte at a time, with pauses.
    Dripping(TufFile),
}
