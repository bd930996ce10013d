//! What cosign 1 and 2 keep beside a legacy signature: certificate, log entry and timestamp, in the layer's annotations
//! ([cosign 2.5, SIGNATURE_SPEC.md](https://github.com/sigstore/cosign/blob/v2.5.0/specs/SIGNATURE_SPEC.md), with the annotation
//! names that its code has and the prose has not).
//!
//! It is lifted to the material of a bundle, so that one verifier checks both. Nothing here is checked.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use sigstore_types::{
    Bundle as Wire, CanonicalizedBody, CertificateContent, DerCertificate, InclusionPromise, KindVersion,
    LogId, LogIndex, LogKeyId, MediaType, PublicKeyIdentifier, Rfc3161Timestamp, SignatureContent,
    SignedTimestamp, TimestampToken, TimestampVerificationData, TransparencyLogEntry, VerificationMaterial,
    VerificationMaterialContent as MaterialContent,
};

use crate::SignerHint;
use crate::log_record::{LogRecord, RecordKind};

/// The layer annotation with the signing certificate, in PEM.
pub const CERTIFICATE_ANNOTATION: &str = "dev.sigstore.cosign/certificate";
/// The layer annotation with the certificates above it, in PEM. Written for cosign; a trust root has what verification needs.
pub const CHAIN_ANNOTATION: &str = "dev.sigstore.cosign/chain";
/// The layer annotation with the promise of a transparency log.
pub const LOG_ANNOTATION: &str = "dev.sigstore.cosign/bundle";
/// The layer annotation with an RFC 3161 timestamp.
pub const TIMESTAMP_ANNOTATION: &str = "dev.sigstore.cosign/rfc3161timestamp";

/// Bytes of one annotation that are read. Certificates and log entries have a few thousand.
const MAX_ANNOTATION_BYTES: usize = 1 << 20;

/// Certificate, log entry and timestamp as the annotations have them. Nobody has checked them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LegacyMaterial {
    certificate: Option<String>,
    log: Option<String>,
    timestamp: Option<String>,
}

impl LegacyMaterial {
    /// Takes what a layer's annotations have of it. cosign writes empty annotations for "none".
    pub fn of(annotations: &BTreeMap<String, String>) -> Self {
        let take = |name: &str| annotations.get(name).filter(|text| !text.trim().is_empty()).cloned();
        Self {
            certificate: take(CERTIFICATE_ANNOTATION),
            log: take(LOG_ANNOTATION),
            timestamp: take(TIMESTAMP_ANNOTATION),
        }
    }

    /// What cosign 1 and 2 keep of it in their JSON for files: a certificate in PEM, and what the log's annotation has.
    pub(crate) fn beside_a_file(certificate: Option<String>, log: Option<String>) -> Self {
        Self { certificate, log, timestamp: None }
    }

    /// Who the certificate says has signed, if there is one.
    pub(crate) fn signer_hint(&self) -> SignerHint {
        match &self.certificate {
            None => SignerHint::Key { hint: None },
            Some(text) => {
                let certificate = certificate(text).ok();
                let identity = certificate.as_ref().and_then(crate::bundle::certificate_identity);
                SignerHint::Certificate { identity }
            }
        }
    }

    /// The certificate, if there is one that can be read.
    pub(crate) fn certificate(&self) -> Option<DerCertificate> {
        self.certificate.as_deref().and_then(|text| certificate(text).ok())
    }

    /// How many log entries there are.
    pub(crate) fn log_entries(&self) -> usize {
        usize::from(self.log.is_some())
    }

    /// Whether there is anything to verify but a signature.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The same as a bundle around `content`. A log's promise alone is what version 0.1 asks for; without one, 0.3 is the version that
    /// allows a timestamp alone.
    pub(crate) fn lift(
        &self,
        content: SignatureContent,
    ) -> Result<(Wire, Vec<LogRecord>), LegacyMaterialError> {
        let signer = match &self.certificate {
            Some(text) => MaterialContent::Certificate(CertificateContent::new(certificate(text)?)),
            None => MaterialContent::PublicKey(PublicKeyIdentifier::new("")),
        };
        let (record, entry) = match self.log.as_deref().map(log_entry).transpose()? {
            Some((Some(kind), entry)) => (Some(LogRecord { kind, entry }), None),
            Some((None, entry)) => (None, Some(entry)),
            None => (None, None),
        };
        let timestamp = self.timestamp.as_deref().map(timestamp).transpose()?;
        let logged = entry.is_some() || record.is_some();
        let version = if logged { MediaType::Bundle0_1 } else { MediaType::Bundle0_3 };
        let timestamps = TimestampVerificationData::new(timestamp.into_iter().collect());
        let material = VerificationMaterial::new(signer)
            .with_tlog_entries(entry.into_iter().collect())
            .with_timestamp_verification_data(timestamps);
        Ok((Wire::new(version, material, content), record.into_iter().collect()))
    }
}

fn certificate(text: &str) -> Result<DerCertificate, LegacyMaterialError> {
    limited(text, CERTIFICATE_ANNOTATION)?;
    // A key in place of a certificate is none: whoever made the signature would have chosen whom it is by.
    DerCertificate::from_pem(text)
        .map_err(|source| LegacyMaterialError::Certificate { source: Box::new(source) })
}

/// Rekor's promise as cosign keeps it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LogAnnotation {
    signed_entry_timestamp: String,
    payload: LogPayload,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogPayload {
    body: String,
    integrated_time: i64,
    log_index: u64,
    #[serde(rename = "logID")]
    log_id: String,
}

/// The entry, and its kind if that is one which the protocol's crates do not know.
fn log_entry(text: &str) -> Result<(Option<RecordKind>, TransparencyLogEntry), LegacyMaterialError> {
    limited(text, LOG_ANNOTATION)?;
    let LogAnnotation { signed_entry_timestamp, payload } = serde_json::from_str(text)?;
    let body = STANDARD.decode(&payload.body)?;
    let (record, kind_version) = kind_version(&body)?;
    let log_id = hex::decode(&payload.log_id).map_err(|source| LegacyMaterialError::LogId { source })?;
    let index = LogIndex::new(payload.log_index)
        .map_err(|_| LegacyMaterialError::LogIndex { index: payload.log_index })?;
    let time = jiff::Timestamp::from_second(payload.integrated_time)
        .map_err(|_| LegacyMaterialError::Time { seconds: payload.integrated_time })?;
    let promise = SignedTimestamp::new(STANDARD.decode(signed_entry_timestamp)?);
    let log_id = LogId::new(LogKeyId::from_bytes(&log_id));
    let entry = TransparencyLogEntry::new(index, log_id, kind_version, CanonicalizedBody::new(body))
        .with_integrated_time(time)
        .with_inclusion_promise(InclusionPromise::new(promise));
    Ok((record, entry))
}

/// The kind of entry that the body says it is; a bundle says so beside it.
fn kind_version(body: &[u8]) -> Result<(Option<RecordKind>, KindVersion), LegacyMaterialError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Body {
        kind: String,
        api_version: String,
    }
    let Body { kind, api_version } = serde_json::from_slice(body)?;
    if let Some(record) = RecordKind::unknown_elsewhere(&kind, &api_version) {
        return Ok((Some(record), record.stand_in()));
    }
    let written = serde_json::json!({ "kind": kind, "version": api_version });
    Ok((None, serde_json::from_value(written)?))
}

fn timestamp(text: &str) -> Result<Rfc3161Timestamp, LegacyMaterialError> {
    #[derive(Deserialize)]
    struct Annotation {
        #[serde(rename = "SignedRFC3161Timestamp")]
        token: String,
    }
    limited(text, TIMESTAMP_ANNOTATION)?;
    let Annotation { token } = serde_json::from_str(text)?;
    Ok(Rfc3161Timestamp::new(TimestampToken::new(STANDARD.decode(token)?)))
}

fn limited(text: &str, annotation: &'static str) -> Result<(), LegacyMaterialError> {
    match text.len() {
        size if size > MAX_ANNOTATION_BYTES => {
            Err(LegacyMaterialError::TooLarge { annotation, size, limit: MAX_ANNOTATION_BYTES })
        }
        _ => Ok(()),
    }
}

/// Why annotations are no certificate, log entry or timestamp.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LegacyMaterialError {
    /// Over the limit.
    #[error("annotation {annotation} has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// Which.
        annotation: &'static str,
        /// Bytes found.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// Not a certificate in PEM.
    #[error("annotation {CERTIFICATE_ANNOTATION} is no certificate in PEM")]
    Certificate {
        /// What the reader objects to.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Not base64.
    #[error("log entry or timestamp in the annotations is not base64")]
    Base64(#[from] base64::DecodeError),
    /// Not the JSON that cosign writes, or an entry of a kind that is not known.
    #[error("log entry or timestamp in the annotations is not valid")]
    Members(#[from] serde_json::Error),
    /// Not a log's id.
    #[error("log id in the annotations is not hexadecimal")]
    LogId {
        /// What the reader objects to.
        source: hex::FromHexError,
    },
    /// An index beyond 63 bits.
    #[error("log index {index} in the annotations is too large")]
    LogIndex {
        /// The index.
        index: u64,
    },
    /// A time that no calendar has.
    #[error("time {seconds} in the annotations is out of range")]
    Time {
        /// Seconds since 1970.
        seconds: i64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> LegacyMaterial {
        LegacyMaterial::of(&BTreeMap::from([(name.to_owned(), value.to_owned())]))
    }

    fn lift(material: &LegacyMaterial) -> Result<Wire, LegacyMaterialError> {
        let signature = sigstore_types::SignatureBytes::new(b"signature".to_vec());
        let content = SignatureContent::MessageSignature(sigstore_types::MessageSignature::new(signature));
        material.lift(content).map(|(wire, _)| wire)
    }

    fn log(body: &str, id: &str, index: u64, time: i64) -> LegacyMaterial {
        let payload = serde_json::json!({
            "body": STANDARD.encode(body), "integratedTime": time, "logIndex": index, "logID": id,
        });
        let text = serde_json::json!({ "SignedEntryTimestamp": "AAAA", "Payload": payload }).to_string();
        with(LOG_ANNOTATION, &text)
    }

    #[test]
    fn a_log_entry_is_lifted_with_its_promise() {
        let body = r#"{"kind":"hashedrekord","apiVersion":"0.0.1"}"#;
        let wire = lift(&log(body, "00ff", 7, 1_700_000_000)).unwrap();
        let entry = &wire.verification_material.tlog_entries[0];
        assert_eq!((entry.log_index.get(), entry.kind_version), (7, KindVersion::HashedRekordV001));
        assert!(entry.inclusion_promise.is_some() && entry.inclusion_proof.is_none());
        assert_eq!(wire.media_type, MediaType::Bundle0_1);
    }

    #[test]
    fn annotations_of_nothing_are_nothing_and_broken_ones_have_their_errors() {
        assert!(LegacyMaterial::of(&BTreeMap::new()).is_empty());
        assert!(with(CERTIFICATE_ANNOTATION, "").is_empty());
        let error = |material| lift(&material).unwrap_err();
        assert!(matches!(error(with(CERTIFICATE_ANNOTATION, "x")), LegacyMaterialError::Certificate { .. }));
        assert!(matches!(error(with(LOG_ANNOTATION, "{")), LegacyMaterialError::Members(_)));
        assert!(matches!(error(with(TIMESTAMP_ANNOTATION, "{}")), LegacyMaterialError::Members(_)));
        let token = r#"{"SignedRFC3161Timestamp":"*"}"#;
        assert!(matches!(error(with(TIMESTAMP_ANNOTATION, token)), LegacyMaterialError::Base64(_)));
        let long = "x".repeat(MAX_ANNOTATION_BYTES + 1);
        assert!(matches!(error(with(LOG_ANNOTATION, &long)), LegacyMaterialError::TooLarge { .. }));
        let body = r#"{"kind":"hashedrekord","apiVersion":"0.0.1"}"#;
        assert!(matches!(error(log(body, "xy", 7, 0)), LegacyMaterialError::LogId { .. }));
        assert!(matches!(error(log(body, "00", u64::MAX, 0)), LegacyMaterialError::LogIndex { .. }));
        assert!(matches!(error(log(body, "00", 7, i64::MAX)), LegacyMaterialError::Time { .. }));
        let unknown = r#"{"kind":"rekord","apiVersion":"0.0.1"}"#;
        assert!(matches!(error(log(unknown, "00", 7, 0)), LegacyMaterialError::Members(_)));
    }
}
