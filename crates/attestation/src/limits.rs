//! How much is read from outside before giving up.

/// Limits on envelopes and statements.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one envelope as JSON. 128 MiB, as cosign's `COSIGN_MAX_ATTACHMENT_SIZE`.
    pub max_envelope_bytes: usize,
    /// Signatures of one envelope.
    pub max_signatures: usize,
    /// Subjects of one statement, as sigstore-go's verifier has it.
    pub max_subjects: usize,
    /// Digests of one subject, as sigstore-go's verifier has it.
    pub max_digests: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_envelope_bytes: 128 << 20, max_signatures: 32, max_subjects: 1024, max_digests: 32 }
    }
}
