//! How much is read from outside before giving up.

/// Limits on signatures and the documents that carry them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one bundle, or of one layer of an attestation. 128 MiB, as cosign's `COSIGN_MAX_ATTACHMENT_SIZE`.
    pub max_bundle_bytes: usize,
    /// Bytes of one simple signing payload. cosign writes about 250; annotations come on top.
    pub max_payload_bytes: usize,
    /// Bytes of a text with public keys in PEM.
    pub max_key_text_bytes: usize,
    /// Bytes of a trust root. The public good instance's has 7 KB.
    pub max_trust_root_bytes: usize,
    /// How deep the JSON of a document may nest.
    pub max_json_depth: usize,
    /// Layers of one `.sig` or `.att` manifest, as cosign has it.
    pub max_layers: usize,
    /// Transparency log entries and timestamps of one bundle, each.
    pub max_log_entries: usize,
    /// Limits on the statement and envelope inside.
    pub attestation: touchmark_attestation::Limits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bundle_bytes: 128 << 20,
            max_payload_bytes: 1 << 20,
            max_key_text_bytes: 1 << 20,
            max_trust_root_bytes: 4 << 20,
            max_json_depth: 100,
            max_layers: 1000,
            max_log_entries: 32,
            attestation: touchmark_attestation::Limits::default(),
        }
    }
}
