//! Keyless signing: a fresh key, a short-lived certificate for whoever the identity token names, entries in transparency logs, and
//! timestamps, all in one Sigstore bundle.
//!
//! The private key never leaves the process and is forgotten after one signature. Nothing here verifies what the services answered beyond
//! its form: whoever signs verifies the bundle against a trust root before it is used, which `touchmark` does.

mod ambient;
mod call;
mod fulcio;
mod login;
mod rekor;
mod services;
mod signing_config;
mod timestamp;
mod token;

use aws_lc_rs::digest::{SHA256, digest};
use serde::Serialize;
use sigstore_types::{
    Bundle, CertificateContent, DerCertificate, DsseEnvelope, DsseSignature, MediaType, MessageDigest,
    MessageSignature, PayloadBytes, SignatureBytes, SignatureContent, TimestampVerificationData,
    VerificationMaterial, VerificationMaterialContent,
};
use touchmark_attestation::{IN_TOTO_PAYLOAD, Statement, pae};
use touchmark_sigstore::{Limits, parse_statement};
use touchmark_transport::{Client, StatusCode, TransportError};

pub use self::ambient::{AmbientError, ambient_token};
pub use self::login::{DeviceCode, Login, LoginEndpoint, LoginError, Redirect};
pub use self::services::{Endpoint, ServicesError, SigningServices};
pub use self::signing_config::{Selection, SelectionError, Service, SigningConfigDocument};
pub use self::token::{IdentityToken, TokenError};
use crate::{GenerateError, KeyKind, PrivateKey, SignError, SignatureFormat};

/// Signs as whoever an identity token names.
#[derive(Debug)]
pub struct KeylessSigner {
    client: Client,
    services: SigningServices,
    token: IdentityToken,
}

/// What a log entry is about.
enum Entry<'a> {
    Message { digest: [u8; 32] },
    Envelope(&'a DsseEnvelope),
}

impl KeylessSigner {
    /// A signer that speaks to these services. Each signature gets a certificate of its own.
    pub fn new(client: Client, services: SigningServices, token: IdentityToken) -> Self {
        Self { client, services, token }
    }

    /// Who signs, as the token has it.
    pub fn token(&self) -> &IdentityToken {
        &self.token
    }

    /// Signs a statement: a bundle as `cosign attest` writes it.
    ///
    /// # Errors
    /// [`KeylessError`].
    pub async fn sign_statement<P: Serialize>(
        &self,
        statement: &Statement<P>,
    ) -> Result<Vec<u8>, KeylessError> {
        let payload = statement.to_json().map_err(SignError::from)?;
        self.sign_payload(payload).await
    }

    /// Signs the bytes of a statement as they are.
    ///
    /// # Errors
    /// [`KeylessError`]; also when the bytes are no statement that a verifier would accept.
    pub async fn sign_payload(&self, payload: Vec<u8>) -> Result<Vec<u8>, KeylessError> {
        parse_statement(&payload, &Limits::default()).map_err(SignError::from)?;
        let message = pae(IN_TOTO_PAYLOAD, &payload);
        let (key, certificate) = self.certify().await?;
        let signature = SignatureBytes::new(key.sign(&message, SignatureFormat::Bundle)?);
        drop(key);
        let signature_of = DsseSignature::new(signature.clone(), sigstore_types::KeyId::default());
        let envelope = DsseEnvelope::new(IN_TOTO_PAYLOAD, PayloadBytes::new(payload), signature_of);
        let material = self.prove(Entry::Envelope(&envelope), &signature, certificate).await?;
        write(material, SignatureContent::DsseEnvelope(envelope))
    }

    /// Signs a file: a bundle as `cosign sign-blob` writes it.
    ///
    /// # Errors
    /// [`KeylessError`].
    pub async fn sign_blob(&self, artifact: &[u8]) -> Result<Vec<u8>, KeylessError> {
        let (key, certificate) = self.certify().await?;
        let signature = SignatureBytes::new(key.sign(artifact, SignatureFormat::Bundle)?);
        drop(key);
        let digest = sha256(artifact);
        let material = self.prove(Entry::Message { digest }, &signature, certificate).await?;
        let written = MessageDigest::new(
            sigstore_types::HashAlgorithm::Sha2256,
            sigstore_types::DigestBytes::new(digest.to_vec()),
        );
        let message = MessageSignature::new(signature).with_message_digest(written);
        write(material, SignatureContent::MessageSignature(message))
    }

    /// A fresh key and its certificate.
    async fn certify(&self) -> Result<(PrivateKey, DerCertificate), KeylessError> {
        let key = PrivateKey::generate(KeyKind::EcdsaP256)?;
        let certificate = fulcio::certificate(&self.client, &self.services, &self.token, &key).await?;
        Ok((key, certificate))
    }

    /// Has the logs list the signature and the authorities date it. All that are chosen have to, or nothing is signed.
    async fn prove(
        &self,
        entry: Entry<'_>,
        signature: &SignatureBytes,
        certificate: DerCertificate,
    ) -> Result<VerificationMaterial, KeylessError> {
        let mut entries = Vec::new();
        for log in self.services.logs() {
            entries.push(rekor::log(&self.client, log, &entry, signature, &certificate).await?);
        }
        let mut timestamps = Vec::new();
        for authority in self.services.timestamp_authorities() {
            timestamps.push(timestamp::timestamp(&self.client, authority, signature).await?);
        }
        let signer = VerificationMaterialContent::Certificate(CertificateContent::new(certificate));
        Ok(VerificationMaterial::new(signer)
            .with_tlog_entries(entries)
            .with_timestamp_verification_data(TimestampVerificationData::new(timestamps)))
    }
}

fn write(material: VerificationMaterial, content: SignatureContent) -> Result<Vec<u8>, KeylessError> {
    let bundle = Bundle::new(MediaType::Bundle0_3, material, content);
    Ok(serde_json::to_vec(&bundle).map_err(SignError::from)?)
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut value = [0; 32];
    // SHA-256 has 32 bytes.
    value.copy_from_slice(digest(&SHA256, bytes).as_ref());
    value
}

/// Which of the services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SigningService {
    /// Fulcio.
    CertificateAuthority,
    /// Rekor.
    TransparencyLog,
    /// An RFC 3161 timestamp authority.
    TimestampAuthority,
}

impl std::fmt::Display for SigningService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::CertificateAuthority => "certificate authority",
            Self::TransparencyLog => "transparency log",
            Self::TimestampAuthority => "timestamp authority",
        })
    }
}

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeylessError {
    /// A service that could not be asked.
    #[error("cannot ask the {service} {url}")]
    Transport {
        /// Which.
        service: SigningService,
        /// Where.
        url: String,
        /// What went wrong.
        source: Box<TransportError>,
    },
    /// A service that refused, after all retries.
    #[error("{service} {url} answered {status}{}", said(message))]
    Refused {
        /// Which.
        service: SigningService,
        /// Where.
        url: String,
        /// The status.
        status: StatusCode,
        /// The beginning of what it said.
        message: String,
    },
    /// An answer that is none.
    #[error("{service} {url} gave an answer that cannot be used")]
    Answer {
        /// Which.
        service: SigningService,
        /// Where.
        url: String,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No key.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// No signature.
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl KeylessError {
    /// What the user could do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refused { service: SigningService::CertificateAuthority, status, .. }
                if status.is_client_error() =>
            {
                Some(
                    "the identity token may have expired, or be for another audience than sigstore"
                        .to_owned(),
                )
            }
            Self::Refused { status: StatusCode::TOO_MANY_REQUESTS, .. } => {
                Some("the service limits how often it is asked; try again later".to_owned())
            }
            Self::Refused {
                status: StatusCode::PAYLOAD_TOO_LARGE,
                service: SigningService::TransparencyLog,
                ..
            } => Some("a log of version 2 takes a digest only, however large the statement".to_owned()),
            _ => None,
        }
    }
}

fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}
