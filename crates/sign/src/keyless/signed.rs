//! A signature with everything that belongs to it, and the two forms in which it is stored.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use sigstore_types::{
    Bundle, CertificateContent, DerCertificate, DigestBytes, DsseEnvelope, DsseSignature, HashAlgorithm,
    KeyId, MediaType, MessageDigest, MessageSignature, PayloadBytes, PublicKeyIdentifier, SignatureBytes,
    SignatureContent, TimestampVerificationData, TransparencyLogEntry, VerificationMaterial,
    VerificationMaterialContent,
};
use touchmark_attestation::IN_TOTO_PAYLOAD;
use touchmark_sigstore::storage::LegacyLayer;
use touchmark_sigstore::{
    CERTIFICATE_ANNOTATION, CHAIN_ANNOTATION, LOG_ANNOTATION, PublicKey, TIMESTAMP_ANNOTATION,
};

use super::prover::Proofs;
use super::{KeylessError, sha256};
use crate::{SignError, UnsignedStatement};

/// Something to sign.
pub(super) enum Unsigned<'a> {
    Statement(UnsignedStatement),
    Bytes(&'a [u8]),
}

impl Unsigned<'_> {
    /// The bytes that a signature is over.
    pub(super) fn message(&self) -> &[u8] {
        match self {
            Self::Statement(unsigned) => unsigned.message(),
            Self::Bytes(bytes) => bytes,
        }
    }

    pub(super) fn signed(&self, signature: Vec<u8>) -> Content {
        match self {
            Self::Statement(unsigned) => Content::Envelope {
                payload: unsigned.payload().to_vec(),
                json: unsigned.clone().into_envelope(signature.clone()).to_json(),
                signature,
            },
            Self::Bytes(bytes) => Content::Message { digest: sha256(bytes), signature },
        }
    }
}

/// A signature and what it is over.
pub(super) enum Content {
    Envelope {
        payload: Vec<u8>,
        signature: Vec<u8>,
        /// The whole as it is stored in the older format: a log of version 1 keeps the hash of these bytes, and cosign 2 compares.
        json: Vec<u8>,
    },
    Message {
        digest: [u8; 32],
        signature: Vec<u8>,
    },
}

impl Content {
    pub(super) fn signature(&self) -> &[u8] {
        match self {
            Self::Envelope { signature, .. } | Self::Message { signature, .. } => signature,
        }
    }

    fn into_bundled(self) -> SignatureContent {
        match self {
            Self::Envelope { payload, signature, .. } => {
                let signature = DsseSignature::new(SignatureBytes::new(signature), KeyId::default());
                let payload = PayloadBytes::new(payload);
                SignatureContent::DsseEnvelope(DsseEnvelope::new(IN_TOTO_PAYLOAD, payload, signature))
            }
            Self::Message { digest, signature } => {
                let digest = MessageDigest::new(HashAlgorithm::Sha2256, DigestBytes::new(digest.to_vec()));
                let message = MessageSignature::new(SignatureBytes::new(signature));
                SignatureContent::MessageSignature(message.with_message_digest(digest))
            }
        }
    }
}

/// Whose signature it is.
pub(super) enum SignedBy {
    /// The certificate's holder.
    Certificate {
        leaf: DerCertificate,
        /// The authorities above it, the nearest first.
        chain: Vec<DerCertificate>,
    },
    Key(PublicKey),
}

/// A signature with everything that belongs to it.
pub(super) struct Signed {
    pub(super) content: Content,
    pub(super) by: SignedBy,
    pub(super) proofs: Proofs,
}

impl Signed {
    /// A bundle as cosign 3 writes it.
    pub(super) fn into_bundle(self) -> Result<Vec<u8>, KeylessError> {
        let signer = match self.by {
            SignedBy::Certificate { leaf, .. } => {
                VerificationMaterialContent::Certificate(CertificateContent::new(leaf))
            }
            SignedBy::Key(key) => {
                VerificationMaterialContent::PublicKey(PublicKeyIdentifier::new(key.id().hint()))
            }
        };
        let material = VerificationMaterial::new(signer)
            .with_tlog_entries(self.proofs.entries)
            .with_timestamp_verification_data(TimestampVerificationData::new(self.proofs.timestamps));
        let bundle = Bundle::new(MediaType::Bundle0_3, material, self.content.into_bundled());
        Ok(serde_json::to_vec(&bundle).map_err(SignError::from)?)
    }

    /// The layer with annotations as cosign 1 and 2 write them
    /// ([cosign 2.5, SIGNATURE_SPEC.md](https://github.com/sigstore/cosign/blob/v2.5.0/specs/SIGNATURE_SPEC.md)). There is room for one
    /// log entry and one timestamp. A statement goes without the timestamp: cosign 2 wants the envelope's JSON dated and every other
    /// verifier the signature; the log's promise dates both.
    pub(super) fn annotate(&self, layer: LegacyLayer) -> Result<LegacyLayer, KeylessError> {
        let promised = self.proofs.entries.iter().find_map(promise).ok_or(KeylessError::NoPromise)?;
        let log = serde_json::to_string(&promised).map_err(SignError::from)?;
        let mut layer = layer.annotated(LOG_ANNOTATION, log);
        if let SignedBy::Certificate { leaf, chain } = &self.by {
            let chain: String = chain.iter().map(certificate_pem).collect();
            layer = layer
                .annotated(CERTIFICATE_ANNOTATION, certificate_pem(leaf))
                .annotated(CHAIN_ANNOTATION, chain);
        }
        let dated = matches!(self.content, Content::Message { .. });
        if let Some(timestamp) = self.proofs.timestamps.first().filter(|_| dated) {
            let token = STANDARD.encode(timestamp.signed_timestamp.as_bytes());
            let text = serde_json::json!({ "SignedRFC3161Timestamp": token }).to_string();
            layer = layer.annotated(TIMESTAMP_ANNOTATION, text);
        }
        Ok(layer)
    }
}

/// Rekor's promise as cosign keeps it (`bundle.RekorBundle`).
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Promised {
    signed_entry_timestamp: String,
    payload: Entry,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    body: String,
    integrated_time: i64,
    log_index: u64,
    #[serde(rename = "logID")]
    log_id: String,
}

fn promise(entry: &TransparencyLogEntry) -> Option<Promised> {
    let promise = entry.inclusion_promise.as_ref()?;
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(Promised {
        signed_entry_timestamp: STANDARD.encode(promise.signed_entry_timestamp.as_bytes()),
        payload: Entry {
            body: STANDARD.encode(entry.canonicalized_body.as_bytes()),
            integrated_time: entry.integrated_time?.as_second(),
            log_index: entry.log_index.get(),
            log_id: hex(entry.log_id.key_id.as_bytes()),
        },
    })
}

/// With bare line feeds, as Rekor's clients write it: the log keeps the text, and verifiers in Python compare it with theirs.
pub(super) fn certificate_pem(certificate: &DerCertificate) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new("CERTIFICATE", certificate.as_bytes()), config)
}
