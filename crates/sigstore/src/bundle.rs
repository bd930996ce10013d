//! Sigstore bundles
//! ([protobuf-specs 0.5, sigstore_bundle.proto](https://github.com/sigstore/protobuf-specs/blob/v0.5.0/protos/sigstore_bundle.proto)):
//! a signature with what is needed to check it.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use sigstore_types::{
    Bundle as Wire, DerCertificate, DsseEnvelope, DsseSignature, MediaType, MessageDigest, PayloadBytes,
    SignatureBytes, SignatureContent, VerificationMaterial, VerificationMaterialContent as MaterialContent,
};
use touchmark_attestation::{Envelope, EnvelopeError};

use crate::log_record::{LogRecord, RecordKind};
use crate::{JsonError, Limits, json};

/// The media type of a bundle as cosign 3 stores it in a registry.
pub const BUNDLE_V03: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// A well-formed Sigstore bundle, version 0.1 to 0.3. Nobody has checked its signature.
#[derive(Debug, Clone)]
pub struct Bundle {
    version: BundleVersion,
    material: VerificationMaterial,
    /// Log entries that the material has no form for.
    records: Vec<LogRecord>,
    content: BundleContent,
}

/// The version that a bundle says it has. Nothing signed covers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BundleVersion {
    /// 0.1.
    V01,
    /// 0.2.
    V02,
    /// 0.3, under either of its two media types.
    V03,
}

/// What a bundle's signature is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BundleContent {
    /// A DSSE envelope with its payload inside.
    Envelope(Envelope),
    /// An artifact outside the bundle.
    Message(MessageSignature),
}

/// A signature over an artifact that is not in the bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageSignature {
    /// The signature.
    pub signature: Vec<u8>,
    /// The artifact's digest as the bundle has it: algorithm and value. Nothing signed covers it.
    pub digest: Option<MessageDigestHint>,
    wire_digest: Option<MessageDigest>,
}

/// The digest of the artifact as a bundle claims it, to find the artifact with and not to trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageDigestHint {
    /// As the bundle has it, such as `SHA2_256`.
    pub algorithm: String,
    /// The value.
    pub value: Vec<u8>,
}

/// What a bundle says about who signed. Nothing in it is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignerHint {
    /// A key that the verifier has to know already.
    Key {
        /// What cosign writes: [`crate::KeyId::hint`].
        hint: Option<String>,
    },
    /// A certificate.
    Certificate {
        /// The identity in it, if it can be read.
        identity: Option<String>,
    },
}

impl Bundle {
    /// Parses a bundle.
    ///
    /// # Errors
    /// [`BundleError`]: over a limit, not the JSON of a bundle, or ambiguous.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, BundleError> {
        if bytes.len() > limits.max_bundle_bytes {
            return Err(BundleError::TooLarge { size: bytes.len(), limit: limits.max_bundle_bytes });
        }
        json::check(bytes, limits.max_json_depth)?;
        let wire: Shape<'_> = serde_json::from_slice(bytes)?;
        let version = wire.version()?;
        let (material, records) = parse_material(wire.verification_material, limits)?;
        let content = match (wire.dsse_envelope, wire.message_signature) {
            (Some(envelope), None) => {
                BundleContent::Envelope(Envelope::parse(envelope.get().as_bytes(), &limits.attestation)?)
            }
            (None, Some(message)) => BundleContent::Message(parse_message(message)?),
            (None, None) => return Err(BundleError::NoContent),
            (Some(_), Some(_)) => return Err(BundleError::TwoContents),
        };
        Ok(Self { version, material, records, content })
    }

    /// The version.
    pub fn version(&self) -> BundleVersion {
        self.version
    }

    /// What the signature is over.
    pub fn content(&self) -> &BundleContent {
        &self.content
    }

    /// Who the bundle says has signed.
    pub fn signer_hint(&self) -> SignerHint {
        let certificate = match &self.material.content {
            MaterialContent::PublicKey(key) => {
                return SignerHint::Key { hint: Some(key.hint.clone()).filter(|hint| !hint.is_empty()) };
            }
            MaterialContent::Certificate(certificate) => Some(&certificate.raw_bytes),
            MaterialContent::X509CertificateChain { certificates } => {
                certificates.first().map(|certificate| &certificate.raw_bytes)
            }
            _ => None,
        };
        SignerHint::Certificate { identity: certificate.and_then(certificate_identity) }
    }

    /// The bundle in the protocol's own form, for the checks that need all of it, with the signature at `place` of an envelope: that form
    /// has one. `None` when there is none at that place.
    pub(crate) fn to_wire(&self, place: usize) -> Option<Wire> {
        let content = match &self.content {
            BundleContent::Envelope(envelope) => {
                SignatureContent::DsseEnvelope(wire_envelope(envelope, place)?)
            }
            BundleContent::Message(message) => SignatureContent::MessageSignature(wire_message(message)),
        };
        let media_type = match self.version {
            BundleVersion::V01 => MediaType::Bundle0_1,
            BundleVersion::V02 => MediaType::Bundle0_2,
            BundleVersion::V03 => MediaType::Bundle0_3,
        };
        Some(Wire::new(media_type, self.material.clone(), content))
    }

    pub(crate) fn material(&self) -> &VerificationMaterial {
        &self.material
    }

    /// The log entries that the protocol's own form has no place for.
    pub(crate) fn records(&self) -> &[LogRecord] {
        &self.records
    }

    /// How many transparency log entries come with it.
    pub fn log_entries(&self) -> usize {
        self.material.tlog_entries.len() + self.records.len()
    }

    /// How many RFC 3161 timestamps come with it.
    pub fn timestamps(&self) -> usize {
        self.material.timestamp_verification_data.rfc3161_timestamps.len()
    }
}

/// An envelope in the protocol's own form, with its signature at `place`.
pub(crate) fn wire_envelope(envelope: &Envelope, place: usize) -> Option<DsseEnvelope> {
    let signature = envelope.signatures().get(place)?;
    let signature = DsseSignature::new(
        SignatureBytes::new(signature.signature.clone()),
        sigstore_types::KeyId::new(signature.key_id.clone().unwrap_or_default()),
    );
    let payload = PayloadBytes::new(envelope.dangerous_payload().to_vec());
    Some(DsseEnvelope::new(envelope.payload_type(), payload, signature))
}

fn wire_message(message: &MessageSignature) -> sigstore_types::MessageSignature {
    let wire = sigstore_types::MessageSignature::new(SignatureBytes::new(message.signature.clone()));
    match &message.wire_digest {
        Some(digest) => wire.with_message_digest(digest.clone()),
        None => wire,
    }
}

/// The email address or URI in a certificate. Nobody has checked the certificate.
pub(crate) fn certificate_identity(certificate: &DerCertificate) -> Option<String> {
    let info = sigstore_crypto::x509::parse_certificate_info(certificate).ok()?;
    info.identity.map(|identity| identity.to_string())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape<'a> {
    media_type: Option<String>,
    #[serde(borrow)]
    verification_material: &'a RawValue,
    #[serde(borrow)]
    dsse_envelope: Option<&'a RawValue>,
    #[serde(borrow)]
    message_signature: Option<&'a RawValue>,
}

impl Shape<'_> {
    fn version(&self) -> Result<BundleVersion, BundleError> {
        let found = self.media_type.as_deref().unwrap_or_default();
        match found.parse::<MediaType>() {
            Ok(MediaType::Bundle0_1) => Ok(BundleVersion::V01),
            Ok(MediaType::Bundle0_2) => Ok(BundleVersion::V02),
            Ok(MediaType::Bundle0_3) => Ok(BundleVersion::V03),
            _ => Err(BundleError::MediaType { found: found.chars().take(100).collect() }),
        }
    }
}

/// The members that say who signed: one of them, or two programs could pick two.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MaterialShape {
    public_key: Option<serde::de::IgnoredAny>,
    certificate: Option<serde::de::IgnoredAny>,
    x509_certificate_chain: Option<serde::de::IgnoredAny>,
    tlog_entries: Option<Vec<EntryShape>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EntryShape {
    kind_version: Option<KindShape>,
}

#[derive(Deserialize)]
struct KindShape {
    kind: String,
    version: String,
}

impl MaterialShape {
    /// Whether there are entries of kinds that the protocol's crates cannot read.
    fn has_records(&self) -> bool {
        let kinds = self.tlog_entries.iter().flatten().filter_map(|entry| entry.kind_version.as_ref());
        kinds.into_iter().any(|kind| RecordKind::unknown_elsewhere(&kind.kind, &kind.version).is_some())
    }
}

fn parse_material(
    raw: &RawValue,
    limits: &Limits,
) -> Result<(VerificationMaterial, Vec<LogRecord>), BundleError> {
    let shape: MaterialShape = serde_json::from_str(raw.get())?;
    let members = [&shape.public_key, &shape.certificate, &shape.x509_certificate_chain];
    let count = members.into_iter().flatten().count();
    if count != 1 {
        return Err(BundleError::Signers { count });
    }
    let entries = shape.tlog_entries.as_ref().map_or(0, Vec::len);
    if entries > limits.max_log_entries {
        return Err(BundleError::TooManyLogEntries { count: entries, limit: limits.max_log_entries });
    }
    let (material, records) = match shape.has_records() {
        true => with_records(raw)?,
        false => (serde_json::from_str(raw.get())?, Vec::new()),
    };
    let count = material.timestamp_verification_data.rfc3161_timestamps.len();
    if count > limits.max_log_entries {
        return Err(BundleError::TooManyLogEntries { count, limit: limits.max_log_entries });
    }
    Ok((material, records))
}

/// The material, and apart from it the log entries that it has no form for.
fn with_records(raw: &RawValue) -> Result<(VerificationMaterial, Vec<LogRecord>), serde_json::Error> {
    let mut material: Value = serde_json::from_str(raw.get())?;
    let mut records = Vec::new();
    if let Some(Value::Array(entries)) = material.get_mut("tlogEntries") {
        for entry in std::mem::take(entries) {
            match LogRecord::of_json(&entry) {
                Some(record) => records.push(record?),
                None => entries.push(entry),
            }
        }
    }
    Ok((serde_json::from_str(&material.to_string())?, records))
}

/// As in the bundle. cosign 3 writes an empty `messageDigest` for Ed25519.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageWire<'a> {
    #[serde(borrow)]
    message_digest: Option<&'a RawValue>,
    signature: SignatureBytes,
}

fn parse_message(raw: &RawValue) -> Result<MessageSignature, BundleError> {
    let wire: MessageWire<'_> = serde_json::from_str(raw.get())?;
    let wire_digest: Option<MessageDigest> = match wire.message_digest.map(RawValue::get) {
        None | Some("{}" | "null") => None,
        Some(text) => Some(serde_json::from_str(text)?),
    };
    let digest = wire_digest.as_ref().map(|digest| MessageDigestHint {
        algorithm: digest.algorithm.to_string(),
        value: digest.digest.as_bytes().to_vec(),
    });
    Ok(MessageSignature { signature: wire.signature.as_bytes().to_vec(), digest, wire_digest })
}

/// Why bytes are no bundle.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// Larger than [`Limits::max_bundle_bytes`].
    #[error("bundle has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// Bytes found.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// Not JSON, or JSON that means different things to different readers.
    #[error("bundle is not readable")]
    Json(#[from] JsonError),
    /// Not the members of a bundle.
    #[error("bundle is not valid")]
    Members(#[from] serde_json::Error),
    /// A media type that is none of a bundle's, or none at all.
    #[error("bundle has media type {found:?}, expected {BUNDLE_V03:?} or an older bundle's")]
    MediaType {
        /// The media type, shortened.
        found: String,
    },
    /// Several keys or certificates, or none.
    #[error("bundle names {count} signers, expected one public key, certificate or certificate chain")]
    Signers {
        /// Signers found.
        count: usize,
    },
    /// Nothing that is signed.
    #[error("bundle has neither a dsseEnvelope nor a messageSignature")]
    NoContent,
    /// Two things that are signed.
    #[error("bundle has a dsseEnvelope and a messageSignature, expected one of them")]
    TwoContents,
    /// The envelope inside is none.
    #[error("bundle holds no valid envelope")]
    Envelope(#[from] EnvelopeError),
    /// More log entries or timestamps than [`Limits::max_log_entries`].
    #[error("bundle has {count} log entries or timestamps, the limit is {limit}")]
    TooManyLogEntries {
        /// Entries found.
        count: usize,
        /// The limit.
        limit: usize,
    },
}
