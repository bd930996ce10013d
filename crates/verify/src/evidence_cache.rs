//! Verified evidence, kept for a while by digest.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::future::Cache;
use touchmark_oci::{Digest, ImageName, PinnedRef};
use touchmark_sigstore::Findings;

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
    pub(crate) findings: Arc<Findings>,
    /// When.
    gathered: Instant,
    /// Bytes of evidence that were read for it.
    bytes: u64,
}

impl EvidenceCache {
    pub(crate) fn new(limits: &CacheLimits) -> Self {
        let entries = Cache::builder()
            .max_capacity(limits.max_bytes)
            .weigher(|_, kept: &Kept| u32::try_from(kept.bytes).unwrap_or(u32::MAX))
            .time_to_live(limits.time_to_live)
            .build();
        Self { entries, denial_recheck: limits.denial_recheck }
    }

    /// What is kept for `image`, or what `gathering` finds. Callers that ask for one image at the same time share one gathering.
    pub(crate) async fn findings(
        &self,
        image: &PinnedRef,
        gathering: impl Future<Output = Result<(Findings, u64), VerifyError>>,
    ) -> Result<Kept, VerifyError> {
        let fresh = async {
            let (findings, bytes) = gathering.await?;
            Ok(Kept { findings: Arc::new(findings), gathered: Instant::now(), bytes })
        };
        self.entries.try_get_with(key(image), fresh).await.map_err(VerifyError::Shared)
    }

    /// Whether a denial from this evidence calls for another look.
    pub(crate) fn is_stale_for_denial(&self, kept: &Kept) -> bool {
        kept.gathered.elapsed() >= self.denial_recheck
    }

    pub(crate) async fn forget(&self, image: &PinnedRef) {
        self.entries.invalidate(&key(image)).await;
    }
}

fn key(image: &PinnedRef) -> Key {
    (image.name().clone(), image.digest().clone())
}
