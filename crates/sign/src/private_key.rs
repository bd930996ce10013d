//! Private keys.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use touchmark_sigstore::PublicKey;
use zeroize::Zeroizing;

/// A private key that can be signed with. Never printed; its PKCS#8 form is overwritten when it is dropped.
pub struct PrivateKey {
    pair: Pair,
    pkcs8: Zeroizing<Vec<u8>>,
    public: PublicKey,
}

enum Pair {
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

/// A kind of key to generate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum KeyKind {
    /// ECDSA P-256: what cosign generates, and what everything verifies.
    #[default]
    EcdsaP256,
    /// ECDSA P-384.
    EcdsaP384,
    /// Ed25519.
    Ed25519,
    /// RSA with 3072 bits.
    Rsa3072,
    /// RSA with 4096 bits.
    Rsa4096,
}

/// Which of cosign's formats a signature is for. They differ in the hash for P-384.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignatureFormat {
    /// A Sigstore bundle: the hash that belongs to the key.
    Bundle,
    /// A bare or legacy signature: SHA-256 with every ECDSA and RSA key.
    Legacy,
}

impl PrivateKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// [`GenerateError`] when the operating system gives no randomness.
    pub fn generate(kind: KeyKind) -> Result<Self, GenerateError> {
        let failed = |_| GenerateError { kind };
        let pair = match kind {
            KeyKind::EcdsaP256 => {
                Pair::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(failed)?)
            }
            KeyKind::EcdsaP384 => {
                Pair::P384(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_ASN1_SIGNING).map_err(failed)?)
            }
            KeyKind::Ed25519 => Pair::Ed25519(Ed25519KeyPair::generate().map_err(failed)?),
            KeyKind::Rsa3072 => Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa3072).map_err(failed)?),
            KeyKind::Rsa4096 => Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa4096).map_err(failed)?),
        };
        Self::from_pair(pair).ok_or(GenerateError { kind })
    }

    /// Reads PKCS#8 (RFC 5958), SEC 1 (RFC 5915) or PKCS#1 (RFC 8017) in DER; `None` when it is none of them, or of another kind.
    pub(crate) fn from_der(der: &[u8]) -> Option<Self> {
        let ecdsa = |algorithm: &'static EcdsaSigningAlgorithm| {
            EcdsaKeyPair::from_private_key_der(algorithm, der).ok()
        };
        let pair = None
            .or_else(|| ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING).map(Pair::P256))
            .or_else(|| ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING).map(Pair::P384))
            .or_else(|| Ed25519KeyPair::from_pkcs8(der).ok().map(Pair::Ed25519))
            .or_else(|| Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok().map(Pair::Ed25519))
            .or_else(|| RsaKeyPair::from_pkcs8(der).ok().map(Pair::Rsa))
            .or_else(|| RsaKeyPair::from_der(der).ok().map(Pair::Rsa));
        pair.and_then(Self::from_pair)
    }

    fn from_pair(pair: Pair) -> Option<Self> {
        let pkcs8 = pair.pkcs8()?;
        let public = PublicKey::from_der(&pair.public()?).ok()?;
        Some(Self { pair, pkcs8, public })
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// The key in PKCS#8 DER. Secret.
    pub(crate) fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// The key as plain PKCS#8 PEM. Secret, and unprotected wherever it is written.
    pub fn dangerous_to_plain_pem(&self) -> Zeroizing<String> {
        let block = pem::Pem::new("PRIVATE KEY", self.pkcs8.as_slice());
        let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        let text = Zeroizing::new(pem::encode_config(&block, config));
        drop(Zeroizing::new(block.into_contents()));
        text
    }

    /// Signs `message`.
    ///
    /// # Errors
    /// [`SignError::Format`] when no verifier of that format would accept a signature by this kind of key.
    pub fn sign(&self, message: &[u8], format: SignatureFormat) -> Result<Vec<u8>, SignError> {
        let random = SystemRandom::new();
        let signature = match &self.pair {
            Pair::P384(_) if format == SignatureFormat::Legacy => {
                return Err(SignError::Format { algorithm: self.public.algorithm() });
            }
            Pair::P256(pair) | Pair::P384(pair) => {
                pair.sign(&random, message).map(|signature| signature.as_ref().to_vec())
            }
            Pair::Ed25519(pair) => pair.try_sign(message).map(|signature| signature.as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map(|()| signature)
            }
        };
        signature.map_err(|source| SignError::Provider { source: source.into() })
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").field("public", &self.public).finish_non_exhaustive()
    }
}

impl Pair {
    fn pkcs8(&self) -> Option<Zeroizing<Vec<u8>>> {
        let bytes = match self {
            Self::P256(pair) | Self::P384(pair) => pair.to_pkcs8v1().ok()?.as_ref().to_vec(),
            Self::Ed25519(pair) => pair.to_pkcs8v1().ok()?.as_ref().to_vec(),
            Self::Rsa(pair) => AsDer::<Pkcs8V1Der<'_>>::as_der(pair).ok()?.as_ref().to_vec(),
        };
        Some(Zeroizing::new(bytes))
    }

    fn public(&self) -> Option<Vec<u8>> {
        let der: PublicKeyX509Der<'_> = match self {
            Self::P256(pair) | Self::P384(pair) => pair.public_key().as_der(),
            Self::Ed25519(pair) => pair.public_key().as_der(),
            Self::Rsa(pair) => pair.public_key().as_der(),
        }
        .ok()?;
        Some(der.as_ref().to_vec())
    }
}

/// No key was made or encrypted: the operating system gave no randomness, or the cryptographic library failed. It does not say why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot generate a key of kind {kind:?}")]
pub struct GenerateError {
    kind: KeyKind,
}

impl GenerateError {
    /// For a key of this kind, or what goes with it.
    pub(crate) fn of(kind: KeyKind) -> Self {
        Self { kind }
    }
}

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// A kind of key that cannot sign in that format.
    #[error(
        "{algorithm} cannot sign in cosign's legacy format, expected ECDSA P-256, Ed25519 or RSA, or the bundle format"
    )]
    Format {
        /// The kind of key.
        algorithm: touchmark_sigstore::KeyAlgorithm,
    },
    /// The cryptographic library failed.
    #[error("signing failed")]
    Provider {
        /// What it says, which is little.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A document that cannot be written.
    #[error("statement cannot be written")]
    Statement(#[from] touchmark_attestation::StatementError),
    /// A statement that no verifier would accept: ambiguous JSON, nested too deep, or without a subject.
    #[error("statement would not verify")]
    Unverifiable(#[from] touchmark_sigstore::PayloadError),
    /// A bundle that cannot be written.
    #[error("bundle cannot be written")]
    Bundle(#[from] serde_json::Error),
}
