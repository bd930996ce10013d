//! From the root that is trusted beforehand to the targets, one file after the other. Performs no I/O.

use jiff::Timestamp;
use sigstore_tuf::{TargetFile, Targets, TrustedMetadataSet};
use touchmark_oci::{Algorithm, Digest};

use crate::{Repository, Role, RoleState, TufError};

/// What is trusted so far. The rules are the state machine's; this gives its errors types and names.
pub(crate) struct Walk(TrustedMetadataSet);

/// What became of a timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It is newer, and trusted now.
    Taken,
    /// It has the version that is trusted already, which stays (§5.4.3.1).
    Same,
}

impl Walk {
    /// Begins with the repository's pinned root.
    pub(crate) fn from(repository: &Repository) -> Result<Self, TufError> {
        TrustedMetadataSet::from_root(repository.root())
            .map(Self)
            .map_err(|error| TufError::of(error, "root.json", Role::Root))
    }

    /// Takes the root after the trusted one (§5.3).
    pub(crate) fn root(&mut self, bytes: &[u8]) -> Result<(), TufError> {
        let file = format!("{}.root.json", self.next_root());
        self.0.update_root(bytes).map_err(|error| TufError::of(error, &file, Role::Root))
    }

    /// The version of the root after the trusted one.
    pub(crate) fn next_root(&self) -> u64 {
        self.0.root().version.saturating_add(1)
    }

    /// Whether versions and hashes are in front of file names (§6.2).
    pub(crate) fn consistent(&self) -> bool {
        self.0.root().consistent_snapshot
    }

    /// §5.3.10.
    pub(crate) fn check_root(&self, now: Timestamp) -> Result<(), TufError> {
        self.0.check_root_expired(now).map_err(|error| TufError::of(error, "root.json", Role::Root))
    }

    /// Takes a timestamp (§5.4).
    pub(crate) fn timestamp(&mut self, bytes: &[u8], now: Timestamp) -> Result<Step, TufError> {
        let wrong = |error| TufError::of(error, "timestamp.json", Role::Timestamp);
        match self.0.update_timestamp(bytes, now) {
            Ok(()) => Ok(Step::Taken),
            Err(sigstore_tuf::Error::EqualVersion { .. }) => {
                self.0.check_timestamp_expired(now).map_err(wrong)?;
                Ok(Step::Same)
            }
            Err(error) => Err(wrong(error)),
        }
    }

    /// The version of the snapshot that the timestamp gives.
    pub(crate) fn wanted_snapshot(&self) -> Option<u64> {
        self.0.timestamp()?.snapshot_meta().map(|described| described.version)
    }

    /// Whether that snapshot is trusted already, and counts.
    pub(crate) fn has_snapshot(&self, now: Timestamp) -> bool {
        let trusted = self.0.snapshot().filter(|snapshot| snapshot.expires >= now);
        trusted.map(|snapshot| snapshot.version) == self.wanted_snapshot()
    }

    /// Takes a snapshot (§5.5).
    pub(crate) fn snapshot(&mut self, bytes: &[u8], now: Timestamp) -> Result<(), TufError> {
        self.0
            .update_snapshot(bytes, now)
            .map_err(|error| TufError::of(error, "snapshot.json", Role::Snapshot))
    }

    /// The version of the targets that the snapshot gives.
    pub(crate) fn wanted_targets(&self) -> Option<u64> {
        self.0.snapshot()?.meta.get("targets.json").map(|described| described.version)
    }

    /// Whether those targets are trusted already, and count.
    pub(crate) fn has_targets(&self, now: Timestamp) -> bool {
        let trusted = self.trusted_targets().filter(|targets| targets.expires >= now);
        trusted.map(|targets| targets.version) == self.wanted_targets()
    }

    /// Takes targets (§5.6).
    pub(crate) fn targets(&mut self, bytes: &[u8], now: Timestamp) -> Result<(), TufError> {
        let taken = self.0.update_targets(bytes, now).map(drop);
        taken.map_err(|error| TufError::of(error, "targets.json", Role::Targets))
    }

    /// A target as the trusted metadata describes it.
    pub(crate) fn target(&self, name: &str) -> Option<Described> {
        Described::of(self.trusted_targets()?.target(name)?)
    }

    fn trusted_targets(&self) -> Option<&Targets> {
        self.0.targets_role(Role::Targets.name())
    }

    /// What each role has signed, once all of them are trusted.
    pub(crate) fn roles(&self) -> Option<[RoleState; 4]> {
        let root = self.0.root();
        let (timestamp, snapshot) = (self.0.timestamp()?, self.0.snapshot()?);
        let targets = self.trusted_targets()?;
        let state = |role, version, expires| RoleState { role, version, expires };
        Some([
            state(Role::Root, root.version, root.expires),
            state(Role::Timestamp, timestamp.version, timestamp.expires),
            state(Role::Snapshot, snapshot.version, snapshot.expires),
            state(Role::Targets, targets.version, targets.expires),
        ])
    }
}

/// Length and digest of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Described {
    pub(crate) length: u64,
    pub(crate) digests: Vec<(Algorithm, String)>,
}

impl Described {
    /// With at least one digest that is known, or nothing would tie the bytes to the metadata.
    fn of(target: &TargetFile) -> Option<Self> {
        let known = [(Algorithm::Sha256, "sha256"), (Algorithm::Sha512, "sha512")];
        let digests: Vec<_> = known
            .into_iter()
            .filter_map(|(algorithm, name)| Some((algorithm, target.hashes.get(name)?.to_ascii_lowercase())))
            .collect();
        (!digests.is_empty()).then_some(Self { length: target.length, digests })
    }

    /// The digest that stands in front of the file's name, if it is one.
    pub(crate) fn prefix(&self) -> Option<&str> {
        let (_, hex) = self.digests.first()?;
        hex.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(hex)
    }

    /// Whether the bytes are the target (§5.7.3): all of the digests that are known have to be right.
    pub(crate) fn check(&self, name: &str, bytes: &[u8]) -> Result<(), TufError> {
        let right =
            |(algorithm, hex): &(Algorithm, String)| Digest::of_with(*algorithm, bytes).hex() == hex.as_str();
        if bytes.len() as u64 == self.length && self.digests.iter().all(right) {
            return Ok(());
        }
        Err(TufError::Target { name: name.to_owned(), found: Digest::of(bytes) })
    }
}
