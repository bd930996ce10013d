//! Dead Simple Signing Envelope ([DSSE 1.0.2](https://github.com/secure-systems-lab/dsse/blob/v1.0.2/envelope.md)).

use std::fmt;

use base64::Engine as _;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde::{Deserialize, Serialize};

use crate::Limits;

/// The payload type of in-toto statements
/// ([in-toto attestation 1.1, envelope.md](https://github.com/in-toto/attestation/blob/v1.1.0/spec/v1/envelope.md)).
pub const IN_TOTO_PAYLOAD: &str = "application/vnd.in-toto+json";

/// A well-formed DSSE envelope. Nobody has checked its signatures.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope {
    payload_type: String,
    payload: Vec<u8>,
    signatures: Vec<EnvelopeSignature>,
}

/// One signature of an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvelopeSignature {
    /// A hint to the key. Not authenticated, so it must not decide anything.
    pub key_id: Option<String>,
    /// The signature over [`Envelope::pae`].
    pub signature: Vec<u8>,
}

impl Envelope {
    /// An envelope of our own making.
    pub fn new(
        payload_type: impl Into<String>,
        payload: Vec<u8>,
        signatures: Vec<EnvelopeSignature>,
    ) -> Self {
        Self { payload_type: payload_type.into(), payload, signatures }
    }

    /// Parses an envelope from JSON.
    ///
    /// # Errors
    /// [`EnvelopeError`]: over a limit, not JSON of an envelope, not base64, or without a signature.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, EnvelopeError> {
        if bytes.len() > limits.max_envelope_bytes {
            return Err(EnvelopeError::TooLarge { size: bytes.len(), limit: limits.max_envelope_bytes });
        }
        let wire: Wire = serde_json::from_slice(bytes)?;
        if wire.signatures.is_empty() {
            return Err(EnvelopeError::NoSignature);
        }
        if wire.signatures.len() > limits.max_signatures {
            let (count, limit) = (wire.signatures.len(), limits.max_signatures);
            return Err(EnvelopeError::TooManySignatures { count, limit });
        }
        let payload = decode(&wire.payload, "payload")?;
        let signatures =
            wire.signatures.into_iter().map(EnvelopeSignature::from_wire).collect::<Result<_, _>>()?;
        Ok(Self { payload_type: wire.payload_type, payload, signatures })
    }

    /// The envelope as JSON, with standard base64.
    pub fn to_json(&self) -> Vec<u8> {
        let wire = Wire {
            payload_type: self.payload_type.clone(),
            payload: STANDARD.encode(&self.payload),
            signatures: self.signatures.iter().map(EnvelopeSignature::to_wire).collect(),
        };
        // Writing strings to memory cannot fail.
        serde_json::to_vec(&wire).unwrap_or_default()
    }

    /// What kind of document the payload is said to be. The signatures cover it.
    pub fn payload_type(&self) -> &str {
        &self.payload_type
    }

    /// The payload, which may be anybody's.
    pub fn dangerous_payload(&self) -> &[u8] {
        &self.payload
    }

    /// The signatures, unchecked.
    pub fn signatures(&self) -> &[EnvelopeSignature] {
        &self.signatures
    }

    /// The bytes that the signatures cover.
    pub fn pae(&self) -> Vec<u8> {
        pae(&self.payload_type, &self.payload)
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("payload_type", &self.payload_type)
            .field("payload_bytes", &self.payload.len())
            .field("signatures", &self.signatures.len())
            .finish()
    }
}

/// Pre-authentication encoding
/// ([DSSE 1.0.2, protocol.md, "Signature Definition"](https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md#signature-definition)).
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    let mut encoded = Vec::with_capacity(head.len() + payload.len());
    encoded.extend_from_slice(head.as_bytes());
    encoded.extend_from_slice(payload);
    encoded
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    payload_type: String,
    payload: String,
    signatures: Vec<WireSignature>,
}

#[derive(Serialize, Deserialize)]
struct WireSignature {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keyid: Option<String>,
    sig: String,
}

impl EnvelopeSignature {
    fn from_wire(wire: WireSignature) -> Result<Self, EnvelopeError> {
        let key_id = wire.keyid.filter(|id| !id.is_empty());
        Ok(Self { key_id, signature: decode(&wire.sig, "sig")? })
    }

    fn to_wire(&self) -> WireSignature {
        WireSignature { keyid: self.key_id.clone(), sig: STANDARD.encode(&self.signature) }
    }
}

/// DSSE: "Either standard or URL-safe base64 encoding is allowed."
fn decode(text: &str, member: &'static str) -> Result<Vec<u8>, EnvelopeError> {
    let engine: &GeneralPurpose = if text.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
    engine.decode(text).map_err(|source| EnvelopeError::Base64 { member, source })
}

/// Why bytes are no envelope.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// Larger than [`Limits::max_envelope_bytes`].
    #[error("DSSE envelope has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// Bytes found.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// Not JSON, or not the members of an envelope.
    #[error("DSSE envelope is not valid")]
    Json(#[from] serde_json::Error),
    /// A member that is not base64.
    #[error("member {member:?} of the DSSE envelope is not base64")]
    Base64 {
        /// The member's name.
        member: &'static str,
        /// What base64 objects to.
        source: base64::DecodeError,
    },
    /// No signature at all; the specification asks for at least one.
    #[error("DSSE envelope has no signature, expected at least one")]
    NoSignature,
    /// More signatures than [`Limits::max_signatures`].
    #[error("DSSE envelope has {count} signatures, the limit is {limit}")]
    TooManySignatures {
        /// Signatures found.
        count: usize,
        /// The limit.
        limit: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Envelope, EnvelopeError> {
        Envelope::parse(text.as_bytes(), &Limits::default())
    }

    #[test]
    fn pae_is_the_specifications_example() {
        // protocol.md, "Test Vectors".
        let encoded = pae("http://example.com/HelloWorld", b"hello world");
        assert_eq!(encoded, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }

    #[test]
    fn an_envelope_survives_writing_and_parsing() {
        let signature = EnvelopeSignature { key_id: Some("k".into()), signature: vec![0xfb, 0xff] };
        let envelope = Envelope::new(IN_TOTO_PAYLOAD, b"{}".to_vec(), vec![signature]);
        assert_eq!(Envelope::parse(&envelope.to_json(), &Limits::default()).unwrap(), envelope);
    }

    #[test]
    fn reads_url_safe_base64() {
        let envelope =
            parse(r#"{"payloadType":"t","payload":"-_8=","signatures":[{"sig":"-_8="}]}"#).unwrap();
        assert_eq!(envelope.dangerous_payload(), [0xfb, 0xff]);
    }

    #[test]
    fn rejects_an_envelope_without_signatures() {
        let error = parse(r#"{"payloadType":"t","payload":"","signatures":[]}"#).unwrap_err();
        assert!(matches!(error, EnvelopeError::NoSignature));
    }

    #[test]
    fn rejects_what_is_not_base64_or_not_json() {
        let error = parse(r#"{"payloadType":"t","payload":"*","signatures":[{"sig":""}]}"#).unwrap_err();
        assert!(matches!(error, EnvelopeError::Base64 { member: "payload", .. }));
        assert!(matches!(parse("[]"), Err(EnvelopeError::Json(_))));
    }

    #[test]
    fn rejects_more_than_the_limits() {
        let text = r#"{"payloadType":"t","payload":"","signatures":[{"sig":""},{"sig":""}]}"#;
        let one = Limits { max_signatures: 1, ..Limits::default() };
        let error = Envelope::parse(text.as_bytes(), &one).unwrap_err();
        assert!(matches!(error, EnvelopeError::TooManySignatures { count: 2, limit: 1 }));
        let small = Limits { max_envelope_bytes: 3, ..Limits::default() };
        assert!(matches!(Envelope::parse(text.as_bytes(), &small), Err(EnvelopeError::TooLarge { .. })));
    }
}
