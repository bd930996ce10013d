//! Keyless signing: a fresh key, a short-lived certificate for whoever the identity token names, entries in transparency logs, and
//! timestamps, all in one Sigstore bundle.
//!
//! The private key never leaves the process and is forgotten after one signature. Nothing here verifies what the services answered beyond
//! its form: whoever signs verifies the bundle against a trust root before it is used, which `touchmark` does.

mod ambient;
mod answer;
mod call;
mod fulcio;
mod login;
mod prover;
mod rekor;
mod services;
mod signed;
mod signing_config;
mod spiffe;
mod timestamp;
mod token;

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use serde::Serialize;
use sigstore_types::DerCertificate;
use tokio::time::Instant;
use touchmark_attestation::Statement;
use touchmark_sigstore::storage::LegacyLayer;
use touchmark_sigstore::{KeyAlgorithm, alleged_lifetime};
use touchmark_transport::{Client, StatusCode, TransportError};

pub use self::ambient::{AmbientError, ambient_token};
pub use self::answer::ServiceAnswer;
pub use self::login::{DeviceCode, Login, LoginEndpoint, LoginError, Redirect};
pub use self::prover::Prover;
pub use self::services::{Endpoint, ProofServices, ServicesError, SigningServices};
use self::signed::{Signed, SignedBy, Unsigned};
pub use self::signing_config::{Selection, SelectionError, Service, SigningConfigDocument};
pub use self::spiffe::svid_in_answer;
pub use self::token::{IdentityToken, TokenError};
use crate::{
    GenerateError, KeyKind, PrivateKey, SignError, SignatureFormat, UnsignedSignature, UnsignedStatement,
};

/// Certificates for one signature: a second one when the first expired while a service let wait.
const MAX_CERTIFICATES: u32 = 2;

/// No certificate is relied on for longer, whatever it says. Fulcio's are valid for ten minutes.
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Signs as whoever an identity token names.
#[derive(Debug)]
pub struct KeylessSigner {
    prover: Prover,
    services: SigningServices,
    token: IdentityToken,
}

impl KeylessSigner {
    /// A signer that speaks to these services. Each signature gets a certificate of its own.
    pub fn new(client: Client, services: SigningServices, token: IdentityToken) -> Self {
        Self { prover: Prover::new(client, services.proof().clone()), services, token }
    }

    /// Who signs, as the token has it.
    pub fn token(&self) -> &IdentityToken {
        &self.token
    }

    /// The services.
    pub fn services(&self) -> &SigningServices {
        &self.services
    }

    /// Signs a statement: a bundle as `cosign attest` writes it.
    ///
    /// # Errors
    /// [`KeylessError`].
    pub async fn sign_statement<P: Serialize>(
        &self,
        statement: &Statement<P>,
    ) -> Result<Vec<u8>, KeylessError> {
        self.sign(&Unsigned::Statement(UnsignedStatement::new(statement)?)).await?.into_bundle()
    }

    /// Signs the bytes of a statement as they are.
    ///
    /// # Errors
    /// [`KeylessError`]; also when the bytes are no statement that a verifier would accept.
    pub async fn sign_payload(&self, payload: Vec<u8>) -> Result<Vec<u8>, KeylessError> {
        self.sign(&Unsigned::Statement(UnsignedStatement::from_payload(payload)?)).await?.into_bundle()
    }

    /// Signs a file: a bundle as `cosign sign-blob` writes it.
    ///
    /// # Errors
    /// [`KeylessError`].
    pub async fn sign_blob(&self, artifact: &[u8]) -> Result<Vec<u8>, KeylessError> {
        self.sign(&Unsigned::Bytes(artifact)).await?.into_bundle()
    }

    /// Signs an image as cosign 1 and 2 do: a layer for its `.sig` manifest.
    ///
    /// # Errors
    /// [`KeylessError`]; [`KeylessError::NoPromise`] without a log of version 1.
    pub async fn legacy_image(&self, unsigned: UnsignedSignature) -> Result<LegacyLayer, KeylessError> {
        let signed = self.sign(&Unsigned::Bytes(unsigned.message())).await?;
        let layer = unsigned.into_layer(signed.content.signature());
        signed.annotate(layer)
    }

    /// Signs a statement as cosign 1 and 2 do: a layer for the image's `.att` manifest.
    ///
    /// # Errors
    /// As [`KeylessSigner::legacy_image`].
    pub async fn legacy_statement(&self, unsigned: UnsignedStatement) -> Result<LegacyLayer, KeylessError> {
        let signed = self.sign(&Unsigned::Statement(unsigned.clone())).await?;
        let layer = unsigned.into_layer(signed.content.signature().to_vec());
        signed.annotate(layer)
    }

    /// Signs under a fresh certificate, and has that proven while the certificate is valid. The time is counted from before it was asked
    /// for, on this machine's steady clock: no two clocks have to agree.
    async fn sign(&self, unsigned: &Unsigned<'_>) -> Result<Signed, KeylessError> {
        let mut lifetime = Duration::ZERO;
        for _ in 0..MAX_CERTIFICATES {
            let asked = Instant::now();
            let key = PrivateKey::generate(KeyKind::EcdsaP256)?;
            let (leaf, chain) = self.certificates(&key).await?;
            lifetime = alleged_lifetime(leaf.as_bytes()).ok_or(KeylessError::Undated)?.min(MAX_LIFETIME);
            let content = unsigned.signed(key.sign(unsigned.message(), SignatureFormat::Bundle)?);
            drop(key);
            let by = SignedBy::Certificate { leaf, chain };
            // Elapsed when the services are too late, and they are not waited for any longer then.
            if let Ok(proofs) =
                tokio::time::timeout_at(asked + lifetime, self.prover.prove(&content, &by)).await
            {
                return Ok(Signed { content, by, proofs: proofs? });
            }
        }
        Err(KeylessError::CertificateExpired { lifetime, certificates: MAX_CERTIFICATES })
    }

    async fn certificates(
        &self,
        key: &PrivateKey,
    ) -> Result<(DerCertificate, Vec<DerCertificate>), KeylessError> {
        let authority = self.services.certificate_authority();
        let mut certificates =
            fulcio::certificates(self.prover.client(), authority, &self.token, key).await?.into_iter();
        let leaf = certificates.next().ok_or(KeylessError::Undated)?;
        Ok((leaf, certificates.collect()))
    }
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
    /// A certificate without a time in which it is valid.
    #[error("the certificate does not say how long it is valid")]
    Undated,
    /// The services let wait until the certificate was no longer valid, each time.
    #[error(
        "the certificate expired after {} s, before its signature was logged and dated, {certificates} times",
        lifetime.as_secs()
    )]
    CertificateExpired {
        /// How long the last one was valid.
        lifetime: Duration,
        /// How many there were.
        certificates: u32,
    },
    /// The older format keeps a log's promise, and only logs of version 1 give one.
    #[error("no log promised to list the signature, which the older format needs")]
    NoPromise,
    /// A log that takes no signature by such a key.
    #[error("a transparency log of version {version} takes no such signature by an {algorithm} key")]
    KeyNotTaken {
        /// The kind of key.
        algorithm: KeyAlgorithm,
        /// The version of the log's interface.
        version: u32,
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
            Self::CertificateExpired { .. } => {
                Some("a service is busy or limits how often it is asked; try again later".to_owned())
            }
            Self::NoPromise => Some(
                "--format bundle, or a log of version 1 (--rekor-url, or a signing configuration with it)"
                    .to_owned(),
            ),
            Self::KeyNotTaken { .. } => Some(
                "an ECDSA P-256 key; or the key alone, without --signing-config and --rekor-url".to_owned(),
            ),
            _ => None,
        }
    }
}

fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}
