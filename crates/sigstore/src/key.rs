//! Public keys: who may sign.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::signature as provider;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sigstore_crypto::{SigningScheme, VerificationKey};
use sigstore_types::{DerPublicKey, SignatureBytes};
use touchmark_oci::Digest;

use crate::Limits;

/// The smallest RSA key that is accepted, as cosign has it.
const MIN_RSA_BITS: usize = 2048;

/// A public key that signatures can be checked with.
#[derive(Clone)]
pub struct PublicKey {
    id: KeyId,
    algorithm: KeyAlgorithm,
    der: Arc<[u8]>,
    checkers: Arc<[VerificationKey]>,
}

/// What kind of key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyAlgorithm {
    /// ECDSA on P-256.
    EcdsaP256,
    /// ECDSA on P-384.
    EcdsaP384,
    /// Ed25519, without pre-hashing.
    Ed25519,
    /// RSA with PKCS#1 v1.5 padding.
    Rsa {
        /// Bits of the modulus.
        bits: usize,
    },
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EcdsaP256 => f.write_str("ECDSA P-256"),
            Self::EcdsaP384 => f.write_str("ECDSA P-384"),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::Rsa { bits } => write!(f, "RSA {bits}"),
        }
    }
}

/// Names a key: the SHA-256 digest of its SubjectPublicKeyInfo in DER.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(Digest);

impl KeyId {
    /// The digest in hexadecimal.
    pub fn hex(&self) -> &str {
        self.0.hex()
    }

    /// The digest in base64: what cosign 3 writes as `publicKey.hint` in a bundle.
    pub fn hint(&self) -> String {
        // A digest is hexadecimal by construction.
        STANDARD.encode(hex::decode(self.0.hex()).unwrap_or_default())
    }

    /// The key that a bundle's hint names, if the hint has the form that cosign 3 writes. Which form it has is anybody's choice.
    pub(crate) fn from_hint(hint: &str) -> Option<Self> {
        let digest: [u8; 32] = STANDARD.decode(hint).ok()?.try_into().ok()?;
        format!("sha256:{}", hex::encode(digest)).parse().ok().map(Self)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PublicKey {
    /// Reads the one public key in a PEM text.
    ///
    /// # Errors
    /// [`KeyError`]: no key or several, something else than a public key, or a key of a kind that is not accepted.
    pub fn parse_pem(text: &str, limits: &Limits) -> Result<Self, KeyError> {
        let mut keys = Self::parse_pem_all(text, limits)?;
        match (keys.pop(), keys.len()) {
            (Some(key), 0) => Ok(key),
            (_, others) => Err(KeyError::Several { count: others + 1 }),
        }
    }

    /// Reads all public keys in a PEM text: at least one, in the order in which they are there.
    ///
    /// # Errors
    /// As [`PublicKey::parse_pem`], except that several are fine.
    pub fn parse_pem_all(text: &str, limits: &Limits) -> Result<Vec<Self>, KeyError> {
        if text.len() > limits.max_key_text_bytes {
            return Err(KeyError::TooLarge { size: text.len(), limit: limits.max_key_text_bytes });
        }
        let blocks = pem::parse_many(text).map_err(|source| KeyError::Pem { source: source.into() })?;
        if blocks.is_empty() {
            return Err(KeyError::NoKey);
        }
        blocks
            .iter()
            .map(|block| match block.tag() {
                "PUBLIC KEY" => Self::from_der(block.contents()),
                other => Err(KeyError::NotPublicKey { label: other.to_owned() }),
            })
            .collect()
    }

    /// Reads a SubjectPublicKeyInfo in DER (RFC 5280 §4.1.2.7).
    ///
    /// # Errors
    /// [`KeyError::Invalid`] when it is none, or of a kind that is not known; [`KeyError::WeakRsa`].
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        let invalid = |source: sigstore_crypto::Error| KeyError::Invalid { source: Box::new(source) };
        let spki = DerPublicKey::new(der.to_vec());
        let kind = sigstore_crypto::KeyAlgorithm::from_spki(&spki).map_err(invalid)?;
        let schemes = schemes(kind).ok_or(KeyError::NotAccepted)?;
        let checkers = schemes
            .iter()
            .map(|scheme| VerificationKey::from_spki_with_scheme(&spki, *scheme))
            .collect::<Result<Arc<[_]>, _>>()
            .map_err(invalid)?;
        let raw = checkers.first().map(VerificationKey::as_bytes).unwrap_or_default();
        let algorithm = examine(kind, raw)?;
        Ok(Self { id: KeyId(Digest::of(der)), algorithm, der: der.into(), checkers })
    }

    /// The key's name.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// The kind of key.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The SubjectPublicKeyInfo.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The key in PEM, byte for byte as cosign and openssl write it.
    pub fn to_pem(&self) -> String {
        let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        pem::encode_config(&pem::Pem::new("PUBLIC KEY", &*self.der), config)
    }

    /// Whether `signature` over `message` was made with this key, by a scheme that cosign signs with.
    pub(crate) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let signature = SignatureBytes::new(signature.to_vec());
        self.checkers.iter().any(|checker| checker.verify(message, &signature).is_ok())
    }

    /// The same for a message of which only the digest is known. Ed25519 needs the message.
    pub(crate) fn signed_digest(&self, digest: &[u8], signature: &[u8]) -> bool {
        let signature = SignatureBytes::new(signature.to_vec());
        self.checkers.iter().any(|checker| checker.verify_prehashed(digest, &signature).is_ok())
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::parse_pem(text, &Limits::default())
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey").field("id", &self.id).field("algorithm", &self.algorithm).finish()
    }
}

/// The schemes that cosign signs with, by kind of key. cosign 3 signs bundles with the hash that belongs to the curve, while
/// cosign 2, and cosign 3 in the old format, sign with SHA-256 whatever the curve. Ed25519ph is in neither's output.
fn schemes(kind: sigstore_crypto::KeyAlgorithm) -> Option<&'static [SigningScheme]> {
    use sigstore_crypto::KeyAlgorithm as Kind;
    match kind {
        Kind::EcdsaP256 => Some(&[SigningScheme::EcdsaP256Sha256]),
        Kind::EcdsaP384 => Some(&[SigningScheme::EcdsaP384Sha384, SigningScheme::EcdsaP384Sha256]),
        Kind::Ed25519 => Some(&[SigningScheme::Ed25519]),
        Kind::Rsa => Some(&[SigningScheme::RsaPkcs1Sha256]),
        _ => None,
    }
}

/// Checks what the structure does not say: that the point is on the curve, and that the modulus is long enough.
fn examine(kind: sigstore_crypto::KeyAlgorithm, raw: &[u8]) -> Result<KeyAlgorithm, KeyError> {
    use sigstore_crypto::KeyAlgorithm as Kind;
    let (algorithm, implementation): (_, &'static dyn provider::VerificationAlgorithm) = match kind {
        Kind::EcdsaP256 => (KeyAlgorithm::EcdsaP256, &provider::ECDSA_P256_SHA256_ASN1),
        Kind::EcdsaP384 => (KeyAlgorithm::EcdsaP384, &provider::ECDSA_P384_SHA384_ASN1),
        Kind::Ed25519 => (KeyAlgorithm::Ed25519, &provider::ED25519),
        Kind::Rsa => {
            let bits = rsa_bits(raw).ok_or(KeyError::NotAccepted)?;
            if bits < MIN_RSA_BITS {
                return Err(KeyError::WeakRsa { bits, minimum: MIN_RSA_BITS });
            }
            (KeyAlgorithm::Rsa { bits }, &provider::RSA_PKCS1_2048_8192_SHA256)
        }
        _ => return Err(KeyError::NotAccepted),
    };
    provider::ParsedPublicKey::new(implementation, raw)
        .map_err(|source| KeyError::Invalid { source: Box::new(source) })?;
    Ok(algorithm)
}

/// Bits of the modulus of an `RSAPublicKey` (RFC 8017 §A.1.1), whose structure has been checked: a SEQUENCE that begins with the
/// modulus as an INTEGER.
fn rsa_bits(der: &[u8]) -> Option<usize> {
    let (sequence, _) = der_value(der, 0x30)?;
    let (modulus, _) = der_value(sequence, 0x02)?;
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let significant = modulus.get(zeros..)?;
    let first = significant.first()?;
    Some(significant.len() * 8 - first.leading_zeros() as usize)
}

/// The value of the DER element with `tag` at the start of `der`, and what follows it.
fn der_value(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&length, rest) = rest.split_first()?;
    if found != tag {
        return None;
    }
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(length - 0x80))?;
            (length.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// Why a text is no usable public key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Larger than [`Limits::max_key_text_bytes`].
    #[error("public key text has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// Bytes found.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// No PEM block.
    #[error("no PEM block found, expected \"-----BEGIN PUBLIC KEY-----\"")]
    NoKey,
    /// More than one key where one is wanted.
    #[error("{count} public keys found, expected one")]
    Several {
        /// Keys found.
        count: usize,
    },
    /// A broken PEM block.
    #[error("PEM block is not valid")]
    Pem {
        /// What the PEM reader objects to.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A PEM block with something else.
    #[error("PEM block is a {label:?}, expected \"PUBLIC KEY\"{}", hint(label))]
    NotPublicKey {
        /// The label of the block.
        label: String,
    },
    /// Not a SubjectPublicKeyInfo, or one of a kind that is not known.
    #[error("public key is not valid, expected ECDSA P-256 or P-384, Ed25519 or RSA")]
    Invalid {
        /// What the key reader objects to.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A well-formed key of a kind that is not accepted.
    #[error("public key is of a kind that is not accepted, expected ECDSA P-256 or P-384, Ed25519 or RSA")]
    NotAccepted,
    /// An RSA key that is too short.
    #[error("RSA key has {bits} bits, expected {minimum} at least")]
    WeakRsa {
        /// Bits found.
        bits: usize,
        /// Bits wanted.
        minimum: usize,
    },
}

/// What to do about a PEM block of another kind.
fn hint(label: &str) -> &'static str {
    if label.contains("PRIVATE KEY") {
        "; a private key is not needed to verify, give its public half"
    } else if label.contains("CERTIFICATE") {
        "; to trust the key of a certificate, give the key itself (openssl x509 -pubkey -noout)"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An Ed25519 key (RFC 8410 §10.1).
    const ED25519: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
";

    #[test]
    fn a_key_is_read_and_written_unchanged() {
        let key: PublicKey = ED25519.parse().unwrap();
        assert_eq!(key.algorithm(), KeyAlgorithm::Ed25519);
        assert_eq!(key.to_pem(), ED25519);
        assert_eq!(PublicKey::from_der(key.der()).unwrap(), key);
        assert_eq!(key.id().to_string(), format!("sha256:{}", key.id().hex()));
        assert_eq!(STANDARD.decode(key.id().hint()).unwrap(), hex::decode(key.id().hex()).unwrap());
    }

    #[test]
    fn several_keys_are_read_where_several_are_wanted() {
        let two = format!("a comment\n{ED25519}\n{ED25519}");
        assert_eq!(PublicKey::parse_pem_all(&two, &Limits::default()).unwrap().len(), 2);
        assert!(matches!(two.parse::<PublicKey>(), Err(KeyError::Several { count: 2 })));
    }

    #[test]
    fn refuses_what_is_no_public_key_and_says_what_to_do() {
        let relabelled = |label: &str| {
            let error = ED25519.replace("PUBLIC KEY", label).parse::<PublicKey>().unwrap_err();
            assert!(matches!(&error, KeyError::NotPublicKey { label: found } if found == label));
            error.to_string()
        };
        assert!(relabelled("PRIVATE KEY").contains("public half"));
        assert!(relabelled("ENCRYPTED SIGSTORE PRIVATE KEY").contains("public half"));
        assert!(relabelled("CERTIFICATE").contains("-pubkey"));
        assert!(!relabelled("PGP MESSAGE").contains(';'));
        assert!(matches!("".parse::<PublicKey>(), Err(KeyError::NoKey)));
        assert!(matches!(ED25519.replace("MCow", "MCo*").parse::<PublicKey>(), Err(KeyError::Pem { .. })));
    }

    #[test]
    fn refuses_broken_structures_points_off_the_curve_and_long_texts() {
        let key: PublicKey = ED25519.parse().unwrap();
        let cut = key.der().get(..20).unwrap();
        assert!(matches!(PublicKey::from_der(cut), Err(KeyError::Invalid { .. })));
        // The SubjectPublicKeyInfo of a P-256 key (RFC 5480 §2), with a point of ones that is not on the curve.
        let head = hex::decode("3059301306072a8648ce3d020106082a8648ce3d03010703420004").unwrap();
        let off_curve = [head, vec![1; 64]].concat();
        assert!(matches!(PublicKey::from_der(&off_curve), Err(KeyError::Invalid { .. })));
        let limits = Limits { max_key_text_bytes: 10, ..Limits::default() };
        assert!(matches!(PublicKey::parse_pem(ED25519, &limits), Err(KeyError::TooLarge { limit: 10, .. })));
    }

    #[test]
    fn refuses_kinds_of_keys_that_cosign_does_not_sign_with() {
        // ML-DSA-44 (FIPS 204, RFC 9881), whose structure is known to the key reader.
        let head = hex::decode("30820532300b060960864801650304031103820521").unwrap();
        let der = [head, vec![0; 1 + 1312]].concat();
        assert!(matches!(PublicKey::from_der(&der), Err(KeyError::NotAccepted)));
    }

    #[test]
    fn counts_the_bits_of_a_modulus_without_its_leading_zeros() {
        assert_eq!(rsa_bits(&[0x30, 0x08, 0x02, 0x03, 0x00, 0x81, 0xff, 0x02, 0x01, 0x03]), Some(16));
        assert_eq!(rsa_bits(&[0x30, 0x02, 0x02, 0x05]), None);
        assert_eq!(rsa_bits(&[]), None);
    }
}
