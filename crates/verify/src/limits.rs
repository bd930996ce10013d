//! How much evidence is read before giving up.

use std::time::Duration;

/// Limits on the evidence of one image. Anyone who can push to a repository can attach as much as he likes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GatherLimits {
    /// Documents read per place: referrers by either way, and layers of a legacy tag. cosign stops at 1,000 layers too.
    pub max_documents: usize,
    /// Bytes of one document. 128 MiB, as cosign's `COSIGN_MAX_ATTACHMENT_SIZE`.
    pub max_document_bytes: u64,
    /// Bytes of all documents of one image.
    pub max_total_bytes: u64,
    /// Manifests and documents of one image fetched at the same time: so many that an image has seldom more, and few beside the
    /// 100 streams that servers allow one HTTP/2 connection at least (RFC 9113 §6.5.2).
    pub concurrency: usize,
    /// What one document may be made of.
    pub documents: touchmark_sigstore::Limits,
}

impl Default for GatherLimits {
    fn default() -> Self {
        Self {
            max_documents: 1000,
            max_document_bytes: 128 << 20,
            max_total_bytes: 512 << 20,
            concurrency: 32,
            documents: touchmark_sigstore::Limits::default(),
        }
    }
}

/// How long verified evidence is kept for the next request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheLimits {
    /// How long evidence serves. New evidence for an allowed image waits that long.
    pub time_to_live: Duration,
    /// When evidence that led to a denial is this old, it is gathered again before the denial is given, so that an image
    /// signed a moment ago is not refused for long.
    pub denial_recheck: Duration,
    /// Bytes of evidence kept, counted as on the wire.
    pub max_bytes: u64,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self {
            time_to_live: Duration::from_secs(60),
            denial_recheck: Duration::from_secs(5),
            max_bytes: 64 << 20,
        }
    }
}
