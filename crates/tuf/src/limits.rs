//! How much is read.

use std::time::Duration;

/// Limits on what is fetched and read. The sizes are those of the reference implementation, python-tuf
/// (`tuf/ngclient/config.py`), unless said otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of `root.json`. The public good instance's has 6 KB.
    pub max_root_bytes: u64,
    /// Bytes of `timestamp.json`.
    pub max_timestamp_bytes: u64,
    /// Bytes of `snapshot.json`.
    pub max_snapshot_bytes: u64,
    /// Bytes of `targets.json`.
    pub max_targets_bytes: u64,
    /// Bytes of a target. Ours: the trust roots of the known instances have at most 32 KB.
    pub max_target_bytes: u64,
    /// How many newer roots are read in one refresh. Ours, as `sigstore-tuf`: the public good instance took five years for 16.
    pub max_new_roots: usize,
    /// How many roots are kept after the pinned one. Ours.
    pub max_roots: usize,
    /// Bytes of what is kept of a repository. Ours: all of the above at their limits do not fit, and none comes near.
    pub max_cache_bytes: u64,
    /// How long a whole refresh may take, however slowly the mirror sends. Ours.
    pub max_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_root_bytes: 512_000,
            max_timestamp_bytes: 16_384,
            max_snapshot_bytes: 2_000_000,
            max_targets_bytes: 5_000_000,
            max_target_bytes: 1 << 20,
            max_new_roots: 32,
            max_roots: 256,
            max_cache_bytes: 32 << 20,
            max_time: Duration::from_secs(60),
        }
    }
}
