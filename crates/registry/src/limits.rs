//! How much is read from a store before giving up.

use std::time::Duration;

/// Limits on what a store may make us read. Anyone can attach a thousand signatures to a public image, and a registry may
/// be anyone's.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Limits on manifests and indexes, and on walks over them.
    pub documents: touchmark_oci::Limits,
    /// Bytes of all manifests and indexes that one image is made of, when it is copied.
    pub max_walk_bytes: u64,
    /// Blobs of one manifest that are copied at the same time.
    pub max_parallel_blobs: usize,
    /// Referrers of one image. cosign stops at 1,000 signatures of one image too.
    pub max_referrers: usize,
    /// Pages of one list of referrers.
    pub max_pages: usize,
    /// Bytes of one page of referrers, or of a fallback index: as many as a manifest may have, see
    /// [`touchmark_oci::Limits::max_manifest_bytes`].
    pub max_page_bytes: u64,
    /// Bytes of a token server's answer.
    pub max_token_bytes: u64,
    /// Bytes of an error answer that are read for its codes.
    pub max_error_bytes: u64,
    /// Bytes of docker's `config.json`.
    pub max_credential_file_bytes: u64,
    /// How long a credential helper may run.
    pub credential_helper_timeout: Duration,
    /// Blobs up to this size are uploaded in one request; larger ones in chunks of this size, which are held in memory.
    /// Registries in front of S3 want at least 5 MiB.
    pub upload_chunk_bytes: u64,
    /// Entries of an archive.
    pub max_archive_entries: usize,
    /// Bytes of the documents of a layout: `oci-layout`, `index.json`, and an archive's `manifest.json`.
    pub max_layout_document_bytes: u64,
    /// How often a tag is written again because another writer came between.
    pub max_tag_attempts: u32,
    /// How long at least a written tag is watched for another writer before it counts as settled.
    pub tag_settle_delay: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            documents: touchmark_oci::Limits::default(),
            max_walk_bytes: 64 << 20,
            max_parallel_blobs: 4,
            max_referrers: 1_000,
            max_pages: 100,
            max_page_bytes: 4 << 20,
            max_token_bytes: 64 << 10,
            max_error_bytes: 64 << 10,
            max_credential_file_bytes: 1 << 20,
            credential_helper_timeout: Duration::from_secs(30),
            upload_chunk_bytes: 16 << 20,
            max_archive_entries: 100_000,
            max_layout_document_bytes: 16 << 20,
            max_tag_attempts: 60,
            tag_settle_delay: Duration::from_millis(40),
        }
    }
}
