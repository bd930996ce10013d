//! Keys that sign, and the check of what others signed.

use aws_lc_rs::digest::{Digest, SHA256};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1,
    ECDSA_P384_SHA384_ASN1_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair, UnparsedPublicKey,
    VerificationAlgorithm,
};
use der::asn1::ObjectIdentifier;
use der::{Decode, Encode};
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use super::Refusal;

/// A key that signs in one way.
pub(super) enum Key {
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Key {
    pub(super) fn p256() -> Result<Self, Refusal> {
        Ok(Self::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?))
    }

    pub(super) fn p384() -> Result<Self, Refusal> {
        Ok(Self::P384(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_ASN1_SIGNING)?))
    }

    pub(super) fn ed25519() -> Result<Self, Refusal> {
        Ok(Self::Ed25519(Ed25519KeyPair::generate()?))
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Refusal> {
        match self {
            Self::P256(key) | Self::P384(key) => {
                Ok(key.sign(&SystemRandom::new(), message)?.as_ref().to_vec())
            }
            Self::Ed25519(key) => Ok(key.sign(message).as_ref().to_vec()),
        }
    }

    /// `SubjectPublicKeyInfo` in DER.
    pub(super) fn public(&self) -> Result<Vec<u8>, Refusal> {
        let public: PublicKeyX509Der<'_> = match self {
            Self::P256(key) | Self::P384(key) => key.public_key().as_der()?,
            Self::Ed25519(key) => key.public_key().as_der()?,
        };
        Ok(public.as_ref().to_vec())
    }

    /// The bits in the `SubjectPublicKeyInfo`: a point, or 32 bytes.
    pub(super) fn public_bits(&self) -> &[u8] {
        match self {
            Self::P256(key) | Self::P384(key) => key.public_key().as_ref(),
            Self::Ed25519(key) => key.public_key().as_ref(),
        }
    }

    pub(super) fn public_info(&self) -> Result<SubjectPublicKeyInfoOwned, Refusal> {
        Ok(SubjectPublicKeyInfoOwned::from_der(&self.public()?)?)
    }

    /// The algorithm that stands beside a signature in a certificate (RFC 5758 §3.2, RFC 8410 §6).
    pub(super) fn signature_algorithm(&self) -> AlgorithmIdentifierOwned {
        let oid = match self {
            Self::P256(_) => ECDSA_WITH_SHA256,
            Self::P384(_) => ECDSA_WITH_SHA384,
            Self::Ed25519(_) => ED25519_OID,
        };
        AlgorithmIdentifierOwned { oid, parameters: None }
    }

    /// The name of `PublicKeyDetails` in the bundle's protobuf specification.
    pub(super) fn details(&self) -> &'static str {
        match self {
            Self::P256(_) => "PKIX_ECDSA_P256_SHA_256",
            Self::P384(_) => "PKIX_ECDSA_P384_SHA_384",
            Self::Ed25519(_) => "PKIX_ED25519",
        }
    }
}

/// Checks a signature over a message with a key as it is in a `SubjectPublicKeyInfo`.
pub(super) fn check(
    key: &SubjectPublicKeyInfoOwned,
    message: &[u8],
    signature: &[u8],
) -> Result<(), Unspecified> {
    let bits = key.subject_public_key.raw_bytes();
    let with = |algorithm: &'static dyn VerificationAlgorithm| {
        UnparsedPublicKey::new(algorithm, bits).verify(message, signature)
    };
    match curve(key) {
        Some(Curve::P256) => with(&ECDSA_P256_SHA256_ASN1),
        Some(Curve::P384) => with(&ECDSA_P384_SHA384_ASN1).or_else(|_| with(&ECDSA_P384_SHA256_ASN1)),
        Some(Curve::Ed25519) => with(&ED25519),
        None => Err(Unspecified),
    }
}

/// Checks a signature over what has this SHA-256 digest.
pub(super) fn check_digest(
    key: &SubjectPublicKeyInfoOwned,
    digest: &[u8],
    signature: &[u8],
) -> Result<(), Unspecified> {
    let digest = Digest::import_less_safe(digest, &SHA256)?;
    let bits = key.subject_public_key.raw_bytes();
    match curve(key) {
        Some(Curve::P256) => {
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, bits).verify_digest(&digest, signature)
        }
        Some(Curve::P384) => {
            UnparsedPublicKey::new(&ECDSA_P384_SHA256_ASN1, bits).verify_digest(&digest, signature)
        }
        _ => Err(Unspecified),
    }
}

enum Curve {
    P256,
    P384,
    Ed25519,
}

fn curve(key: &SubjectPublicKeyInfoOwned) -> Option<Curve> {
    if key.algorithm.oid == ED25519_OID {
        return Some(Curve::Ed25519);
    }
    let parameters = key.algorithm.parameters.as_ref()?.to_der().ok()?;
    match ObjectIdentifier::from_der(&parameters).ok()? {
        P256_OID => Some(Curve::P256),
        P384_OID => Some(Curve::P384),
        _ => None,
    }
}

const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_WITH_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const ED25519_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const P256_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
