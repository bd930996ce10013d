//! Trust roots: whose certificates, logs and timestamps count
//! ([protobuf-specs 0.5, sigstore_trustroot.proto](https://github.com/sigstore/protobuf-specs/blob/v0.5.0/protos/sigstore_trustroot.proto)).
//!
//! A trust root is parsed once, and its keys and certificates are prepared then. What makes it trustworthy is where it came from,
//! which is the caller's affair.

use std::fmt;

use sigstore_trust_root::{SigstoreInstance, TrustedRoot};
use touchmark_oci::Digest;

use crate::{JsonError, Limits, json};

/// Certificate authorities, logs and timestamp authorities, each with its validity window; all of them usable.
pub struct TrustRoot {
    pub(crate) parsed: TrustedRoot,
    pub(crate) verifier: sigstore_verify::Verifier,
    id: Digest,
}

/// How much there is of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrustRootSummary {
    /// Certificate authorities (Fulcio).
    pub certificate_authorities: usize,
    /// Certificate transparency logs, which sign SCTs.
    pub certificate_logs: usize,
    /// Transparency logs (Rekor).
    pub transparency_logs: usize,
    /// Timestamp authorities (RFC 3161).
    pub timestamp_authorities: usize,
}

impl TrustRoot {
    /// Reads a `trusted_root.json`.
    ///
    /// # Errors
    /// [`TrustRootError`]: over a limit, not the JSON of a trust root, or with a key or certificate that cannot be used.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, TrustRootError> {
        if bytes.len() > limits.max_trust_root_bytes {
            return Err(TrustRootError::TooLarge { size: bytes.len(), limit: limits.max_trust_root_bytes });
        }
        json::check(bytes, limits.max_json_depth)?;
        let parsed: TrustedRoot = serde_json::from_slice(bytes)?;
        let verifier = sigstore_verify::Verifier::new(&parsed)
            .map_err(|source| TrustRootError::Material { source: Box::new(source) })?;
        Ok(Self { parsed, verifier, id: Digest::of(bytes) })
    }

    /// The public good instance (`sigstore.dev`) as it was when this version was made.
    ///
    /// # Errors
    /// None as long as the shipped document is usable, which a test shows.
    pub fn public_good() -> Result<Self, TrustRootError> {
        Self::embedded(SigstoreInstance::PublicGood)
    }

    /// The staging instance (`sigstage.dev`) as it was when this version was made.
    ///
    /// # Errors
    /// None as long as the shipped document is usable, which a test shows.
    pub fn staging() -> Result<Self, TrustRootError> {
        Self::embedded(SigstoreInstance::Staging)
    }

    fn embedded(instance: SigstoreInstance) -> Result<Self, TrustRootError> {
        Self::parse(instance.embedded_trusted_root_json().as_bytes(), &Limits::default())
    }

    /// The digest of the document: two trust roots with one id are the same.
    pub fn id(&self) -> &Digest {
        &self.id
    }

    /// How much there is of each kind.
    pub fn summary(&self) -> TrustRootSummary {
        TrustRootSummary {
            certificate_authorities: self.parsed.certificate_authorities.len(),
            certificate_logs: self.parsed.ctlogs.len(),
            transparency_logs: self.parsed.tlogs.len(),
            timestamp_authorities: self.parsed.timestamp_authorities.len(),
        }
    }

    /// Whether a transparency log with this key id is listed.
    pub(crate) fn knows_log(&self, key_id: &[u8]) -> bool {
        self.parsed.tlogs.iter().any(|log| log.log_id.key_id.as_bytes() == key_id)
    }
}

impl fmt::Debug for TrustRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustRoot")
            .field("id", &self.id)
            .field("summary", &self.summary())
            .finish_non_exhaustive()
    }
}

/// Why a document is no usable trust root.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustRootError {
    /// Larger than [`Limits::max_trust_root_bytes`].
    #[error("trust root has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// Bytes found.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// Not JSON, or JSON that means different things to different readers.
    #[error("trust root is not readable")]
    Json(#[from] JsonError),
    /// Not the members of a trust root.
    #[error("trust root is not valid")]
    Members(#[from] serde_json::Error),
    /// A key, certificate or validity window that cannot be used.
    #[error("trust root has a key or certificate that cannot be used")]
    Material {
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_trust_roots_are_usable() {
        let public = TrustRoot::public_good().unwrap();
        let staging = TrustRoot::staging().unwrap();
        assert_ne!(public.id(), staging.id());
        for root in [public, staging] {
            let summary = root.summary();
            assert!(summary.certificate_authorities > 0 && summary.certificate_logs > 0, "{summary:?}");
            assert!(summary.transparency_logs > 0, "{summary:?}");
        }
    }

    #[test]
    fn refuses_what_is_no_trust_root() {
        let parse = |text: &str| TrustRoot::parse(text.as_bytes(), &Limits::default()).unwrap_err();
        assert!(matches!(parse("{"), TrustRootError::Json(_)));
        assert!(matches!(parse(r#"{"a":1,"a":2}"#), TrustRootError::Json(_)));
        assert!(matches!(parse("{}"), TrustRootError::Members(_)));
        let empty_chain = r#"{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "certificateAuthorities":[{"uri":"https://ca","certChain":{"certificates":[]}}]}"#;
        assert!(matches!(parse(empty_chain), TrustRootError::Material { .. }));
        let limits = Limits { max_trust_root_bytes: 1, ..Limits::default() };
        assert!(matches!(TrustRoot::parse(b"{}", &limits), Err(TrustRootError::TooLarge { limit: 1, .. })));
    }
}
