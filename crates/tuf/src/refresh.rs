//! Asking a mirror what is newest ([TUF 1.0.33 §5](https://theupdateframework.github.io/specification/v1.0.33/#detailed-client-workflow)).

use std::collections::BTreeMap;

use jiff::Timestamp;
use touchmark_transport::Client;

use crate::mirror::Mirror;
use crate::walk::{Step, Walk};
use crate::{Cache, Limits, Repository, SIGNING_CONFIG, TRUSTED_ROOT, Trusted, TufError};

impl Repository {
    /// Fetches what is newest, and verifies it all. What was kept is the floor below which no version may go, even when it has expired, and
    /// is not fetched again where it is still the newest.
    ///
    /// # Errors
    /// [`TufError`]. What was kept is as good as before.
    pub async fn refresh(
        &self,
        kept: Option<&Cache>,
        client: &Client,
        limits: &Limits,
        now: Timestamp,
    ) -> Result<(Cache, Trusted), TufError> {
        let refresh = Refresh { mirror: Mirror { client, url: self.mirror() }, kept, limits, now };
        let cache = tokio::time::timeout(limits.max_time, refresh.run(self))
            .await
            .map_err(|_| TufError::TooSlow { limit: limits.max_time })??;
        // What will be read from the disk has to hold by itself.
        let trusted = self.verify(&cache)?;
        Ok((cache, trusted))
    }
}

struct Refresh<'a> {
    mirror: Mirror<'a>,
    kept: Option<&'a Cache>,
    limits: &'a Limits,
    now: Timestamp,
}

impl Refresh<'_> {
    async fn run(&self, repository: &Repository) -> Result<Cache, TufError> {
        let mut walk = Walk::from(repository)?;
        let roots = self.roots(&mut walk).await?;
        walk.check_root(self.now)?;
        self.set_floor(&mut walk);
        let timestamp = self.timestamp(&mut walk).await?;
        let snapshot = self.snapshot(&mut walk).await?;
        let targets = self.targets(&mut walk).await?;
        let files = self.files(&walk).await?;
        Ok(Cache { refreshed: self.now, roots, timestamp, snapshot, targets, files })
    }

    /// Those that were kept, and those after them, as far as there are any (§5.3).
    async fn roots(&self, walk: &mut Walk) -> Result<Vec<String>, TufError> {
        let mut roots = Vec::new();
        for root in self.kept.map(|kept| kept.roots.as_slice()).unwrap_or_default() {
            if walk.root(root.as_bytes()).is_err() {
                break;
            }
            roots.push(root.clone());
        }
        for _ in 0..self.limits.max_new_roots {
            let file = format!("{}.root.json", walk.next_root());
            let Some(root) = self.mirror.fetch(&file, self.limits.max_root_bytes).await? else {
                return Ok(roots);
            };
            walk.root(root.as_bytes())?;
            roots.push(root);
        }
        Err(TufError::TooManyRoots { limit: self.limits.max_new_roots })
    }

    /// What was kept counts as seen if it is authentic, whenever it expired. Under a root with other keys it is not, and an attacker who
    /// held a stolen key cannot block what comes by high versions (§5.3.11).
    fn set_floor(&self, walk: &mut Walk) {
        let Some(kept) = self.kept else { return };
        let ever = Timestamp::MIN;
        // The first that does not fit ends it: the rest says nothing without it.
        let _ = walk
            .timestamp(kept.timestamp.as_bytes(), ever)
            .and_then(|_| walk.snapshot(kept.snapshot.as_bytes(), ever))
            .and_then(|()| walk.targets(kept.targets.as_bytes(), ever));
    }

    async fn timestamp(&self, walk: &mut Walk) -> Result<String, TufError> {
        let fetched = self.mirror.require("timestamp.json", self.limits.max_timestamp_bytes).await?;
        match (walk.timestamp(fetched.as_bytes(), self.now)?, self.kept) {
            (Step::Same, Some(kept)) => Ok(kept.timestamp.clone()),
            _ => Ok(fetched),
        }
    }

    async fn snapshot(&self, walk: &mut Walk) -> Result<String, TufError> {
        if let Some(kept) = self.kept.filter(|_| walk.has_snapshot(self.now)) {
            return Ok(kept.snapshot.clone());
        }
        let file = versioned(walk, walk.wanted_snapshot(), "snapshot.json");
        let fetched = self.mirror.require(&file, self.limits.max_snapshot_bytes).await?;
        walk.snapshot(fetched.as_bytes(), self.now)?;
        Ok(fetched)
    }

    async fn targets(&self, walk: &mut Walk) -> Result<String, TufError> {
        if let Some(kept) = self.kept.filter(|_| walk.has_targets(self.now)) {
            return Ok(kept.targets.clone());
        }
        let file = versioned(walk, walk.wanted_targets(), "targets.json");
        let fetched = self.mirror.require(&file, self.limits.max_targets_bytes).await?;
        walk.targets(fetched.as_bytes(), self.now)?;
        Ok(fetched)
    }

    /// The trust root, and the signing configuration where there is one (§5.7).
    async fn files(&self, walk: &Walk) -> Result<BTreeMap<String, String>, TufError> {
        let mut files = BTreeMap::new();
        for name in [TRUSTED_ROOT, SIGNING_CONFIG] {
            match self.target(walk, name).await? {
                Some(content) => files.insert(name.to_owned(), content),
                None if name == TRUSTED_ROOT => {
                    return Err(TufError::NoTarget { name: name.to_owned() });
                }
                None => None,
            };
        }
        Ok(files)
    }

    async fn target(&self, walk: &Walk, name: &str) -> Result<Option<String>, TufError> {
        let Some(described) = walk.target(name) else { return Ok(None) };
        let kept = self.kept.and_then(|kept| kept.files.get(name));
        if let Some(content) = kept.filter(|content| described.check(name, content.as_bytes()).is_ok()) {
            return Ok(Some(content.clone()));
        }
        if described.length > self.limits.max_target_bytes {
            return Err(TufError::TooLarge { file: name.to_owned(), limit: self.limits.max_target_bytes });
        }
        let file = match described.prefix() {
            Some(digest) if walk.consistent() => format!("targets/{digest}.{name}"),
            Some(_) => format!("targets/{name}"),
            None => return Err(TufError::NoTarget { name: name.to_owned() }),
        };
        let content = self.mirror.require(&file, described.length).await?;
        described.check(name, content.as_bytes())?;
        Ok(Some(content))
    }
}

/// The name of a file with its version in front, where the repository has them so (§6.2).
fn versioned(walk: &Walk, version: Option<u64>, file: &str) -> String {
    match version {
        Some(version) if walk.consistent() => format!("{version}.{file}"),
        _ => file.to_owned(),
    }
}
