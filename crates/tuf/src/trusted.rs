//! What was kept, verified.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::walk::Walk;
use crate::{Cache, Repository, RoleState, TufError};

/// The name of the target that holds the trust root
/// ([Sigstore client specification](https://github.com/sigstore/architecture-docs/blob/main/client-spec.md)).
pub const TRUSTED_ROOT: &str = "trusted_root.json";
/// The name of the target that says which services sign.
pub const SIGNING_CONFIG: &str = "signing_config.v0.2.json";

/// Metadata and targets that follow from the root of a [`Repository`]. They are authentic; whether they still count is
/// [`Trusted::expired`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trusted {
    roles: [RoleState; 4],
    targets: BTreeMap<String, Vec<u8>>,
    refreshed: Timestamp,
}

impl Trusted {
    /// What each role has signed last.
    pub fn roles(&self) -> &[RoleState; 4] {
        &self.roles
    }

    /// The roles whose metadata counts no more at `now`: somebody could hold back what is newer.
    pub fn expired(&self, now: Timestamp) -> Vec<RoleState> {
        self.roles.iter().copied().filter(|role| role.is_expired(now)).collect()
    }

    /// The bytes of a target.
    pub fn target(&self, name: &str) -> Option<&[u8]> {
        self.targets.get(name).map(Vec::as_slice)
    }

    /// When a mirror was asked last. By this machine's own account: nobody has signed that.
    pub fn refreshed(&self) -> Timestamp {
        self.refreshed
    }
}

impl Repository {
    /// Verifies what was kept: every signature, version, length and hash, from the pinned root to the targets. Expiry is not checked
    /// but told, since what to do about it depends on whether a mirror can be asked.
    ///
    /// # Errors
    /// [`TufError`]: what was kept does not follow from the pinned root, or is not whole.
    pub fn verify(&self, cache: &Cache) -> Result<Trusted, TufError> {
        // Nothing expires before the beginning of time.
        let ever = Timestamp::MIN;
        let mut walk = Walk::from(self)?;
        for root in &cache.roots {
            walk.root(root.as_bytes())?;
        }
        walk.timestamp(cache.timestamp.as_bytes(), ever)?;
        walk.snapshot(cache.snapshot.as_bytes(), ever)?;
        walk.targets(cache.targets.as_bytes(), ever)?;
        let missing = |name: &str| TufError::NoTarget { name: name.to_owned() };
        let mut targets = BTreeMap::new();
        for (name, content) in &cache.files {
            let described = walk.target(name).ok_or_else(|| missing(name))?;
            described.check(name, content.as_bytes())?;
            targets.insert(name.clone(), content.clone().into_bytes());
        }
        if !targets.contains_key(TRUSTED_ROOT) {
            return Err(missing(TRUSTED_ROOT));
        }
        let roles = walk.roles().ok_or_else(|| missing(TRUSTED_ROOT))?;
        Ok(Trusted { roles, targets, refreshed: cache.refreshed })
    }
}
