//! cosign's encrypted private keys.
//!
//! PEM around JSON: scrypt of the password is the key of a NaCl secretbox around PKCS#8
//! ([encrypted.go of go-securesystemslib 0.9](https://github.com/secure-systems-lab/go-securesystemslib/blob/v0.9.0/encrypted/encrypted.go)).

use std::fmt;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto_secretbox::aead::Aead;
use crypto_secretbox::{Key, KeyInit, Nonce, XSalsa20Poly1305};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{KeyFileError, PrivateKey};

/// The PEM label that is written.
pub(crate) const LABEL: &str = "ENCRYPTED SIGSTORE PRIVATE KEY";
/// The PEM label of cosign 1, which skopeo still writes.
pub(crate) const OLD_LABEL: &str = "ENCRYPTED COSIGN PRIVATE KEY";

const KDF: &str = "scrypt";
const CIPHER: &str = "nacl/secretbox";
/// The work factor that cosign writes: 2^16, 64 MiB of memory.
const LOG_N: u8 = 16;
/// Those that it reads. A file must not make its reader work for hours.
const LOG_N_READ: std::ops::RangeInclusive<u8> = 15..=17;
const R: u32 = 8;
const P: u32 = 1;
const SALT_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// A private key that needs its password. Nothing but its form has been checked.
#[derive(Clone, PartialEq, Eq)]
pub struct EncryptedKey {
    log_n: u8,
    salt: Vec<u8>,
    nonce: [u8; NONCE_BYTES],
    ciphertext: Vec<u8>,
}

impl EncryptedKey {
    /// Encrypts a key under a password, with new randomness. An empty password is cosign's way of saying that there is none.
    ///
    /// # Errors
    /// [`EncryptError`] when the operating system gives no randomness.
    pub fn encrypt(key: &PrivateKey, password: &[u8]) -> Result<Self, EncryptError> {
        let random = SystemRandom::new();
        let (mut salt, mut nonce) = ([0; SALT_BYTES], [0; NONCE_BYTES]);
        random.fill(&mut salt).map_err(|_| EncryptError)?;
        random.fill(&mut nonce).map_err(|_| EncryptError)?;
        let cipher = cipher(password, &salt, LOG_N).ok_or(EncryptError)?;
        let ciphertext = cipher.encrypt(Nonce::from_slice(&nonce), key.pkcs8()).map_err(|_| EncryptError)?;
        Ok(Self { log_n: LOG_N, salt: salt.to_vec(), nonce, ciphertext })
    }

    /// Decrypts the key. Takes a tenth of a second and 32 to 128 MiB of memory, on purpose.
    ///
    /// # Errors
    /// [`DecryptError`]: the password is wrong, or what is inside is no usable key.
    pub fn decrypt(&self, password: &[u8]) -> Result<PrivateKey, DecryptError> {
        let cipher = cipher(password, &self.salt, self.log_n).ok_or(DecryptError::WrongPassword)?;
        let der = cipher
            .decrypt(Nonce::from_slice(&self.nonce), self.ciphertext.as_slice())
            .map(Zeroizing::new)
            .map_err(|_| DecryptError::WrongPassword)?;
        PrivateKey::from_der(&der).ok_or(DecryptError::NotAccepted)
    }

    /// The key file, as cosign writes it.
    pub fn to_pem(&self) -> String {
        let wire = Wire {
            kdf: Kdf {
                name: KDF.to_owned(),
                params: Params { n: 1 << self.log_n, r: R, p: P },
                salt: STANDARD.encode(&self.salt),
            },
            cipher: Cipher { name: CIPHER.to_owned(), nonce: STANDARD.encode(self.nonce) },
            ciphertext: STANDARD.encode(&self.ciphertext),
        };
        // Writing strings and numbers to memory cannot fail.
        let json = serde_json::to_vec(&wire).unwrap_or_default();
        let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        pem::encode_config(&pem::Pem::new(LABEL, json), config)
    }

    /// Reads the JSON inside the PEM block.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, KeyFileError> {
        let wire: Wire = serde_json::from_slice(json)?;
        if wire.kdf.name != KDF || wire.cipher.name != CIPHER {
            return Err(KeyFileError::Scheme { kdf: wire.kdf.name, cipher: wire.cipher.name });
        }
        let Params { n, r, p } = wire.kdf.params;
        let log_n = LOG_N_READ.clone().find(|log_n| 1 << log_n == n && r == R && p == P);
        let log_n = log_n.ok_or(KeyFileError::WorkFactor { n, r, p })?;
        let salt = decode(&wire.kdf.salt, "salt")?;
        let nonce = decode(&wire.cipher.nonce, "nonce")?;
        let nonce = nonce.try_into().map_err(|nonce: Vec<u8>| KeyFileError::Nonce { found: nonce.len() })?;
        Ok(Self { log_n, salt, nonce, ciphertext: decode(&wire.ciphertext, "ciphertext")? })
    }
}

impl fmt::Debug for EncryptedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncryptedKey").field("log_n", &self.log_n).finish_non_exhaustive()
    }
}

/// The secretbox for a password; `None` when scrypt refuses its parameters, which come from constants.
fn cipher(password: &[u8], salt: &[u8], log_n: u8) -> Option<XSalsa20Poly1305> {
    let params = scrypt::Params::new(log_n, R, P).ok()?;
    let mut key = Zeroizing::new([0; 32]);
    scrypt::scrypt(password, salt, &params, key.as_mut_slice()).ok()?;
    Some(XSalsa20Poly1305::new(Key::from_slice(key.as_slice())))
}

fn decode(text: &str, member: &'static str) -> Result<Vec<u8>, KeyFileError> {
    STANDARD.decode(text).map_err(|source| KeyFileError::Base64 { member, source })
}

#[derive(Serialize, Deserialize)]
struct Wire {
    kdf: Kdf,
    cipher: Cipher,
    ciphertext: String,
}

#[derive(Serialize, Deserialize)]
struct Kdf {
    name: String,
    params: Params,
    salt: String,
}

#[derive(Serialize, Deserialize)]
struct Params {
    #[serde(rename = "N")]
    n: u64,
    r: u32,
    p: u32,
}

#[derive(Serialize, Deserialize)]
struct Cipher {
    name: String,
    nonce: String,
}

/// A key was not encrypted: the operating system gave no randomness, or no memory for scrypt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot encrypt the key")]
pub struct EncryptError;

/// Why an encrypted key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecryptError {
    /// The password does not fit, or the file was changed: the cipher cannot tell them apart.
    #[error("password does not decrypt the key")]
    WrongPassword,
    /// Decrypted, and no private key of a kind that is known.
    #[error(
        "decrypted key is not accepted, expected ECDSA P-256 or P-384, Ed25519, or RSA of 2048 bits and more, in PKCS#8"
    )]
    NotAccepted,
}
