//! Writing a trust root from certificates and keys
//! ([protobuf-specs 0.5, sigstore_trustroot.proto](https://github.com/sigstore/protobuf-specs/blob/v0.5.0/protos/sigstore_trustroot.proto)):
//! what [`TrustRoot::parse`](crate::TrustRoot::parse) and cosign read. Performs no I/O, and vouches for nothing that is put in.

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Serialize;
use x509_parser::prelude::{FromDer as _, X509Certificate, X509Name};

use crate::{KeyAlgorithm, Limits, PublicKey};

/// The media type of version 0.1 (protobuf-specs 0.5, `TrustedRoot.media_type`).
const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.trustedroot+json;version=0.1";
/// Hashes the leaves and nodes of every log that there is (RFC 6962 §2.1).
const LOG_HASH: &str = "SHA2_256";
/// Bytes of an Ed25519 public key, which end its SubjectPublicKeyInfo (RFC 8410 §4).
const ED25519_BYTES: usize = 32;

/// A trust root to write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrustRootDocument {
    media_type: &'static str,
    /// Certificate authorities (Fulcio).
    certificate_authorities: Vec<TrustedAuthority>,
    /// Transparency logs (Rekor).
    tlogs: Vec<TrustedLog>,
    /// Certificate transparency logs.
    ctlogs: Vec<TrustedLog>,
    /// Timestamp authorities (RFC 3161).
    timestamp_authorities: Vec<TrustedAuthority>,
}

impl TrustRootDocument {
    /// With these certificate authorities, transparency logs, certificate transparency logs and timestamp authorities.
    pub fn new(
        certificate_authorities: Vec<TrustedAuthority>,
        transparency_logs: Vec<TrustedLog>,
        certificate_logs: Vec<TrustedLog>,
        timestamp_authorities: Vec<TrustedAuthority>,
    ) -> Self {
        Self {
            media_type: MEDIA_TYPE,
            certificate_authorities,
            tlogs: transparency_logs,
            ctlogs: certificate_logs,
            timestamp_authorities,
        }
    }

    /// The document.
    ///
    /// # Errors
    /// None that is known: every member can be written.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec_pretty(self)
    }
}

/// From when and until when something counts; without an end, for good.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ValidityWindow {
    /// The first moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Timestamp>,
    /// The last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<Timestamp>,
}

/// A certificate or timestamp authority: a chain of certificates, the root last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrustedAuthority {
    subject: Subject,
    uri: String,
    cert_chain: Chain,
    valid_for: ValidityWindow,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Subject {
    organization: String,
    common_name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Chain {
    certificates: Vec<RawCertificate>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct RawCertificate {
    raw_bytes: String,
}

impl TrustedAuthority {
    /// Reads the chain of the authority at `url` from PEM. Without a start, the window starts as the root's validity does, as
    /// cosign has it.
    ///
    /// # Errors
    /// [`TrustMaterialError`]: no chain of certificates, or not in the order in which each is issued by the next.
    pub fn parse_pem(
        url: impl Into<String>,
        chain: &str,
        window: ValidityWindow,
        limits: &Limits,
    ) -> Result<Self, TrustMaterialError> {
        if chain.len() > limits.max_trust_root_bytes {
            let limit = limits.max_trust_root_bytes;
            return Err(TrustMaterialError::TooLarge { size: chain.len(), limit });
        }
        let blocks =
            pem::parse_many(chain).map_err(|source| TrustMaterialError::Pem { source: source.into() })?;
        let parsed = blocks.iter().map(certificate).collect::<Result<Vec<_>, _>>()?;
        for (position, (lower, upper)) in parsed.iter().zip(parsed.iter().skip(1)).enumerate() {
            if lower.issuer().as_raw() != upper.subject().as_raw() {
                return Err(TrustMaterialError::ChainOrder {
                    position: position.saturating_add(1),
                    issuer: lower.issuer().to_string(),
                    next: upper.subject().to_string(),
                });
            }
        }
        let root = parsed.last().ok_or(TrustMaterialError::NoCertificate)?;
        let begins = Timestamp::from_second(root.validity().not_before.timestamp()).ok();
        let raw = |block: &pem::Pem| RawCertificate { raw_bytes: STANDARD.encode(block.contents()) };
        Ok(Self {
            subject: subject(root.subject()),
            uri: url.into(),
            cert_chain: Chain { certificates: blocks.iter().map(raw).collect() },
            valid_for: ValidityWindow { start: window.start.or(begins), ..window },
        })
    }
}

fn certificate(block: &pem::Pem) -> Result<X509Certificate<'_>, TrustMaterialError> {
    if block.tag() != "CERTIFICATE" {
        return Err(TrustMaterialError::NotCertificate { label: block.tag().to_owned() });
    }
    let invalid = |source| TrustMaterialError::Certificate { source };
    match X509Certificate::from_der(block.contents()) {
        Ok(([], parsed)) => Ok(parsed),
        Ok(_) => Err(invalid("bytes follow the certificate".into())),
        Err(error) => Err(invalid(Box::new(error))),
    }
}

fn subject(name: &X509Name<'_>) -> Subject {
    let first = |value: Option<&x509_parser::x509::AttributeTypeAndValue<'_>>| {
        value.and_then(|value| value.as_str().ok()).unwrap_or_default().to_owned()
    };
    Subject {
        organization: first(name.iter_organization().next()),
        common_name: first(name.iter_common_name().next()),
    }
}

/// A transparency log, or one of certificates: the key that signs its checkpoints, promises or SCTs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrustedLog {
    base_url: String,
    hash_algorithm: &'static str,
    public_key: LogKey,
    log_id: LogId,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct LogKey {
    raw_bytes: String,
    key_details: &'static str,
    valid_for: ValidityWindow,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct LogId {
    key_id: String,
}

impl TrustedLog {
    /// The log at `url` with this key. `origin` is the name on its checkpoints, for logs whose id is bound to it: Rekor version 2.
    ///
    /// # Errors
    /// [`TrustMaterialError::RsaBits`]: an RSA key of a length that the format has no name for.
    pub fn new(
        url: impl Into<String>,
        key: &PublicKey,
        origin: Option<&str>,
        window: ValidityWindow,
    ) -> Result<Self, TrustMaterialError> {
        Ok(Self {
            base_url: url.into(),
            hash_algorithm: LOG_HASH,
            public_key: LogKey {
                raw_bytes: STANDARD.encode(key.der()),
                key_details: details(key.algorithm())?,
                valid_for: window,
            },
            log_id: LogId { key_id: STANDARD.encode(log_id(key, origin)) },
        })
    }
}

/// The name of `PublicKeyDetails` (protobuf-specs 0.5, sigstore_common.proto).
fn details(algorithm: KeyAlgorithm) -> Result<&'static str, TrustMaterialError> {
    match algorithm {
        KeyAlgorithm::EcdsaP256 => Ok("PKIX_ECDSA_P256_SHA_256"),
        KeyAlgorithm::EcdsaP384 => Ok("PKIX_ECDSA_P384_SHA_384"),
        KeyAlgorithm::Ed25519 => Ok("PKIX_ED25519"),
        KeyAlgorithm::Rsa { bits: 2048 } => Ok("PKIX_RSA_PKCS1V15_2048_SHA256"),
        KeyAlgorithm::Rsa { bits: 3072 } => Ok("PKIX_RSA_PKCS1V15_3072_SHA256"),
        KeyAlgorithm::Rsa { bits: 4096 } => Ok("PKIX_RSA_PKCS1V15_4096_SHA256"),
        KeyAlgorithm::Rsa { bits } => Err(TrustMaterialError::RsaBits { bits }),
    }
}

/// A log's id: the digest of its key (RFC 6962 §3.2). With an origin, the whole of what a checkpoint's key id is the start of
/// ([signed-note](https://github.com/C2SP/signed-note/blob/v1.0.0/signed-note.md#signature-types)): it binds the name, except for
/// ECDSA, where it is the key's digest again. RSA is as cosign 3.1 has it.
fn log_id(key: &PublicKey, origin: Option<&str>) -> Vec<u8> {
    let mut hash = Context::new(&SHA256);
    match (key.algorithm(), origin) {
        (KeyAlgorithm::Ed25519, Some(origin)) => {
            hash.update(origin.as_bytes());
            hash.update(b"\n\x01");
            let start = key.der().len().saturating_sub(ED25519_BYTES);
            hash.update(key.der().get(start..).unwrap_or_default());
        }
        (KeyAlgorithm::Rsa { .. }, Some(origin)) => {
            hash.update(origin.as_bytes());
            hash.update(b"\n\xffPKIX-RSA-PKCS#1v1.5");
            hash.update(key.der());
        }
        _ => hash.update(key.der()),
    }
    hash.finish().as_ref().to_vec()
}

/// Why something cannot be in a trust root.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustMaterialError {
    /// Larger than [`Limits::max_trust_root_bytes`].
    #[error("certificate chain has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// Bytes found.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// Not PEM.
    #[error("certificate chain is not valid PEM")]
    Pem {
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Nothing in the PEM.
    #[error("there is no certificate, expected a chain in PEM, the root last")]
    NoCertificate,
    /// Something else in the PEM.
    #[error("found a PEM block {label:?}, expected \"CERTIFICATE\"")]
    NotCertificate {
        /// The block's label.
        label: String,
    },
    /// Not a certificate (RFC 5280 §4.1).
    #[error("certificate is not valid")]
    Certificate {
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Not in order.
    #[error(
        "certificate {position} of the chain is issued by {issuer:?}, but {next:?} follows, expected each to be issued by the next"
    )]
    ChainOrder {
        /// Which, from 1.
        position: usize,
        /// Its issuer.
        issuer: String,
        /// The subject of what follows.
        next: String,
    },
    /// A length that has no name in the format.
    #[error("RSA key has {bits} bits, expected 2048, 3072 or 4096")]
    RsaBits {
        /// Bits of the modulus.
        bits: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `openssl genpkey -algorithm ed25519 | openssl pkey -pubout`, and the ids that cosign 3.1.1 `trusted-root create` gives it.
    const ED25519: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAsvllKFoFY7/Ewm7Zunm3YloocMrGiANU38luh7tzejM=\n-----END PUBLIC KEY-----\n";
    const PLAIN_ID: &str = "IrWMAQZfyS0YiduhNYDZfY+dlQs6OYAwbBG4TOzdYdU=";
    const BOUND_ID: &str = "aEvq0bv2d/aZ5B+H/cU6lq6MkdvwrXsSTl3YcF1KBFk=";

    #[test]
    fn the_id_of_a_log_is_cosigns_with_and_without_an_origin() {
        let key: PublicKey = ED25519.parse().unwrap();
        assert_eq!(STANDARD.encode(log_id(&key, None)), PLAIN_ID);
        assert_eq!(STANDARD.encode(log_id(&key, Some("log.example"))), BOUND_ID);
    }

    #[test]
    fn rejects_what_is_no_chain_of_certificates() {
        let parse = |text: &str| {
            let limits = Limits::default();
            TrustedAuthority::parse_pem("https://ca", text, ValidityWindow::default(), &limits).unwrap_err()
        };
        assert!(matches!(parse(""), TrustMaterialError::NoCertificate));
        assert!(matches!(parse(ED25519), TrustMaterialError::NotCertificate { .. }));
        let garbage = pem::encode(&pem::Pem::new("CERTIFICATE", b"x".to_vec()));
        assert!(matches!(parse(&garbage), TrustMaterialError::Certificate { .. }));
        assert!(matches!(parse("-----BEGIN X-----\n-----END Y-----\n"), TrustMaterialError::Pem { .. }));
        let limits = Limits { max_trust_root_bytes: 1, ..Limits::default() };
        let large = TrustedAuthority::parse_pem("https://ca", "xx", ValidityWindow::default(), &limits);
        assert!(matches!(large, Err(TrustMaterialError::TooLarge { size: 2, limit: 1 })));
    }

    #[test]
    fn rejects_an_rsa_key_without_a_name() {
        assert!(matches!(
            details(KeyAlgorithm::Rsa { bits: 2056 }),
            Err(TrustMaterialError::RsaBits { bits: 2056 })
        ));
    }
}
