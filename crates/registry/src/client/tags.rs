//! Changing what a tag points at while others do the same.
//!
//! The distribution specification has no compare-and-swap: a tag can be read and overwritten. Two writers that read the same
//! state overwrite each other, and the one that wrote first is lost though both were told that all went well. So a writer here
//!
//! 1. takes its turn among the writers of this process,
//! 2. reads, changes, pushes what the change needs, reads again if that took requests, and writes only if nothing
//!    changed meanwhile, so that the time between its last read and its write is one request,
//! 3. then watches the tag: it reads it again several times, over several times as long as its own read and write took.
//!    If its change is gone, it starts over with what it finds; if others wrote, it watches afresh. It returns once its
//!    change has stayed.
//!
//! What this gives: a writer whose change is overwritten while it watches puts it back, and every writer of this kind
//! leaves what it finds in place. Writers of this kind lose nothing as long as none of them stops for longer than the
//! others watch between its last read and its write (such as a process that is suspended just there). What it cannot
//! give: protection from a writer that reads, waits for long, and then overwrites (other tools do), or from a registry
//! that serves old states. With the referrers API no tag is written and none of this is needed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use touchmark_oci::{Content, ImageName, Tag};

use super::RegistryClient;
use super::auth::lock;
use super::repository::Repository;
use crate::{At, Operation, StoreError, TagChange};

/// How often a settled tag is read; each wait is twice the one before, so that they add up to 15 times the first.
const LOOKS: u32 = 4;
/// No first wait is longer, however slow the registry.
const MAX_SETTLE_DELAY: Duration = Duration::from_secs(2);

type Change<'a> = &'a (dyn Fn(Option<&Content>) -> Result<TagChange, StoreError> + Send + Sync);

/// Whose turn it is, within this process.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<(ImageName, Tag), Weak<Turn>>>);

type Turn = tokio::sync::Mutex<()>;

impl Turns {
    async fn take(&self, name: &ImageName, tag: &Tag) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = {
            let mut turns = lock(&self.0);
            turns.retain(|_, turn| turn.strong_count() > 0);
            let key = (name.clone(), tag.clone());
            let turn = turns.get(&key).and_then(Weak::upgrade).unwrap_or_default();
            turns.insert(key, Arc::downgrade(&turn));
            turn
        };
        turn.lock_owned().await
    }
}

/// One change to one tag.
struct Writer<'a> {
    client: &'a RegistryClient,
    repository: Repository,
    name: &'a ImageName,
    tag: &'a Tag,
    change: Change<'a>,
    at: At,
}

/// What became of an attempt.
enum Attempt {
    /// The change is in the tag, and was before.
    There(Content),
    /// Written; it took that long from reading to having written.
    Written(Content, Duration),
    /// Someone else wrote between reading and writing.
    Overtaken,
}

impl RegistryClient {
    pub(super) async fn change_tag(
        &self,
        name: &ImageName,
        tag: &Tag,
        change: Change<'_>,
    ) -> Result<Content, StoreError> {
        let at = At::new(Operation::UpdateTag, name.tagged(tag.clone()));
        let repository = self.repository(name, &at)?;
        let _turn = self.shared.turns.take(name, tag).await;
        Writer { client: self, repository, name, tag, change, at }.run().await
    }
}

impl Writer<'_> {
    async fn run(&self) -> Result<Content, StoreError> {
        let limits = &self.client.shared.options.limits;
        for attempt in 1..=limits.max_tag_attempts {
            match self.attempt().await? {
                Attempt::There(content) => return Ok(content),
                Attempt::Written(content, took) => {
                    if let Some(settled) = self.settle(content, took).await? {
                        return Ok(settled);
                    }
                }
                Attempt::Overtaken => {}
            }
            // Writers that met must not meet again.
            let longest = limits.tag_settle_delay.saturating_mul(attempt.min(8));
            tokio::time::sleep(longest.mul_f64(fastrand::f64())).await;
        }
        Err(StoreError::Conflict { at: self.at.clone(), attempts: limits.max_tag_attempts })
    }

    async fn attempt(&self) -> Result<Attempt, StoreError> {
        let mut read = Instant::now();
        let before = self.read().await?;
        let TagChange { manifest, blobs } = (self.change)(before.as_ref())?;
        if before.as_ref().is_some_and(|before| before.bytes() == manifest.bytes()) {
            return Ok(Attempt::There(manifest));
        }
        if !blobs.is_empty() {
            for blob in &blobs {
                self.client.upload_content(self.name, blob).await?;
            }
            read = Instant::now();
            let now = self.read().await?;
            if now.as_ref().map(Content::digest) != before.as_ref().map(Content::digest) {
                return Ok(Attempt::Overtaken);
            }
        }
        self.client.put_manifest(&self.repository, &manifest, Some(self.tag), &self.at).await?;
        Ok(Attempt::Written(manifest, read.elapsed()))
    }

    /// Watches the tag until the change has stayed. `None` when it was overwritten.
    async fn settle(&self, mut last: Content, took: Duration) -> Result<Option<Content>, StoreError> {
        let limits = &self.client.shared.options.limits;
        let base = took.clamp(limits.tag_settle_delay, MAX_SETTLE_DELAY.max(limits.tag_settle_delay));
        let mut look = 0;
        // Others may write for as long as they like; each of their writes is watched, up to the limit.
        for _ in 0..limits.max_tag_attempts.saturating_mul(LOOKS) {
            let delay = base.saturating_mul(1 << look);
            tokio::time::sleep(delay.mul_f64(0.75 + fastrand::f64() / 2.0)).await;
            let Some(now) = self.read().await? else {
                return Ok(None);
            };
            if (self.change)(Some(&now))?.manifest.bytes() != now.bytes() {
                return Ok(None);
            }
            look = if now.digest() == last.digest() { look + 1 } else { 0 };
            last = now;
            if look == LOOKS {
                return Ok(Some(last));
            }
        }
        Ok(Some(last))
    }

    async fn read(&self) -> Result<Option<Content>, StoreError> {
        self.client.manifest_by_tag(&self.repository, self.tag, &self.at).await
    }
}
