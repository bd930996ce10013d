//! Verified evidence, kept for a while by digest.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::future::Cache;
use touchmark_oci::{Digest, ImageName, PinnedRef};
use touchmark_policy::Verdict;

use crate::image_verifier::Found;
use crate::{CacheLimits, VerifyError};

/// Findings by image name and digest. Belongs to one verifier, so keys never differ within one cache; never holds a decision, an
/// error, or anything under a tag.
#[derive(Debug)]
pub(crate) struct EvidenceCache {
    entries: Cache<Key, Kept>,
    denial_recheck: Duration,
}

type Key = (ImageName, Digest);

/// Findings, and since when they have been kept.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    /// What was found.
    pub(crate) found: Arc<Found>,
    /// When.
    gathered: Instant,
}

impl EvidenceCache {
    pub(crate) fn new(limits: &CacheLimits) -> Self {
        let entries = Cache::builder()
            .max_capacity(limits.max_bytes)
            .weigher(|_, kept: &Kept| u32::try_from(kept.found.bytes).unwrap_or(u32::MAX))
            .time_to_live(limits.time_to_live)
            .build();
        Self { entries, denial_recheck: limits.denial_recheck }
    }

    /// What is kept for `image`, or what `gathering` finds. Callers that ask for one image at the same time share one gathering.
    pub(crate) async fn findings(
        &self,
        image: &PinnedRef,
        gathering: impl Future<Output = Result<Found, VerifyError>>,
    ) -> Result<Kept, VerifyError> {
        let fresh = async { Ok(Kept { found: Arc::new(gathering.await?), gathered: Instant::now() }) };
        self.entries.try_get_with(key(image), fresh).await.map_err(VerifyError::Shared)
    }

    /// Whether this verdict from this evidence calls for another look. Evidence that is not all there is serves to allow only.
    pub(crate) fn is_stale_for(&self, verdict: Verdict, kept: &Kept) -> bool {
        match verdict {
            Verdict::Allow => false,
            Verdict::Warn => !kept.found.complete,
            Verdict::Deny => !kept.found.complete || kept.gathered.elapsed() >= self.denial_recheck,
        }
    }

    pub(crate) async fn forget(&self, image: &PinnedRef) {
        self.entries.invalidate(&key(image)).await;
    }
}

fn key(image: &PinnedRef) -> Key {
    (image.name().clone(), image.digest().clone())
}

#[cfg(test)]
mod tests {
    use touchmark_sigstore::{Evidence, Limits, Verifier};

    use super::*;

    fn kept(complete: bool) -> Kept {
        let image = "registry.example/a".parse::<touchmark_oci::ImageRef>().unwrap().pin(Digest::of(b""));
        let findings = Verifier::new(Vec::new(), Limits::default()).verify_all(Evidence::none(image));
        Kept { found: Arc::new(Found { findings, bytes: 0, complete }), gathered: Instant::now() }
    }

    #[test]
    fn part_of_the_evidence_serves_to_allow_and_for_nothing_else() {
        let cache = EvidenceCache::new(&CacheLimits {
            denial_recheck: Duration::from_secs(3600),
            ..CacheLimits::default()
        });
        for verdict in [Verdict::Allow, Verdict::Warn, Verdict::Deny] {
            assert_eq!(cache.is_stale_for(verdict, &kept(false)), verdict != Verdict::Allow, "{verdict}");
            assert!(!cache.is_stale_for(verdict, &kept(true)), "{verdict}");
        }
    }
}
