//! Private key files: cosign's own, and those of openssl.

use touchmark_sigstore::Limits;
use zeroize::Zeroizing;

use crate::encrypted::{LABEL, OLD_LABEL};
use crate::{DecryptError, EncryptedKey, PrivateKey};

/// A private key as it was in a file.
#[derive(Debug)]
pub enum KeyFile {
    /// Under a password.
    Encrypted(EncryptedKey),
    /// As it is. Whoever reads the file can sign: say so.
    Plain(PrivateKey),
}

impl KeyFile {
    /// Reads a PEM text: cosign's encrypted format under either of its labels, PKCS#8, SEC 1 or PKCS#1.
    ///
    /// # Errors
    /// [`KeyFileError`]: no private key or several, not readable, or of a kind or form that is not accepted.
    pub fn parse(text: &str, limits: &Limits) -> Result<Self, KeyFileError> {
        if text.len() > limits.max_key_text_bytes {
            return Err(KeyFileError::TooLarge { size: text.len(), limit: limits.max_key_text_bytes });
        }
        let mut blocks =
            pem::parse_many(text).map_err(|source| KeyFileError::Pem { source: source.into() })?;
        // `openssl ecparam -genkey` writes the curve's name before the key.
        blocks.retain(|block| block.tag() != "EC PARAMETERS");
        let count = blocks.len();
        let block = match blocks.pop() {
            Some(block) if count == 1 => block,
            _ => return Err(KeyFileError::Count { count }),
        };
        let label = block.tag().to_owned();
        let encrypted = block.headers().get("DEK-Info").is_some();
        let contents = Zeroizing::new(block.into_contents());
        match label.as_str() {
            LABEL | OLD_LABEL => EncryptedKey::parse(&contents).map(Self::Encrypted),
            "PRIVATE KEY" | "EC PRIVATE KEY" | "RSA PRIVATE KEY" if !encrypted => {
                PrivateKey::from_der(&contents).map(Self::Plain).ok_or(KeyFileError::NotAccepted { label })
            }
            "PRIVATE KEY" | "EC PRIVATE KEY" | "RSA PRIVATE KEY" | "ENCRYPTED PRIVATE KEY" => {
                Err(KeyFileError::OpensslEncrypted { label })
            }
            _ => Err(KeyFileError::Label { label }),
        }
    }

    /// The key, with the password if it needs one.
    ///
    /// # Errors
    /// [`DecryptError`]: wrong password, or an unusable key.
    pub fn unlock(self, password: &[u8]) -> Result<PrivateKey, DecryptError> {
        match self {
            Self::Encrypted(key) => key.decrypt(password),
            Self::Plain(key) => Ok(key),
        }
    }
}

/// Why a text is no usable private key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// Larger than [`Limits::max_key_text_bytes`].
    #[error("private key file has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// Bytes found.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// A broken PEM block.
    #[error("PEM block is not valid")]
    Pem {
        /// What the PEM reader objects to.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No key, or several.
    #[error("{count} PEM blocks found, expected one private key")]
    Count {
        /// Blocks found.
        count: usize,
    },
    /// A PEM block with something else.
    #[error("PEM block is a {label:?}, expected \"{LABEL}\" or \"PRIVATE KEY\"")]
    Label {
        /// The label of the block.
        label: String,
    },
    /// Encrypted in one of openssl's ways, which are not read.
    #[error(
        "{label:?} is encrypted by openssl, expected cosign's format or a plain key (openssl pkey -in KEY removes the encryption)"
    )]
    OpensslEncrypted {
        /// The label of the block.
        label: String,
    },
    /// Not readable, or of a kind that is not accepted.
    #[error(
        "{label:?} is not accepted, expected ECDSA P-256 or P-384, Ed25519, or RSA of 2048 bits and more"
    )]
    NotAccepted {
        /// The label of the block.
        label: String,
    },
    /// Not the JSON of an encrypted key.
    #[error("encrypted key is not valid")]
    Json(#[from] serde_json::Error),
    /// Another derivation or cipher than cosign's.
    #[error("encrypted key uses {kdf:?} and {cipher:?}, expected \"scrypt\" and \"nacl/secretbox\"")]
    Scheme {
        /// Key derivation found.
        kdf: String,
        /// Cipher found.
        cipher: String,
    },
    /// Other scrypt parameters than cosign reads.
    #[error(
        "encrypted key has scrypt parameters N={n} r={r} p={p}, expected N=32768, 65536 or 131072, r=8, p=1"
    )]
    WorkFactor {
        /// CPU and memory cost.
        n: u64,
        /// Block size.
        r: u32,
        /// Parallelism.
        p: u32,
    },
    /// A nonce that does not fit the cipher.
    #[error("nonce of the encrypted key has {found} bytes, expected 24")]
    Nonce {
        /// Bytes found.
        found: usize,
    },
    /// A member that is not base64.
    #[error("member {member:?} of the encrypted key is not base64")]
    Base64 {
        /// The member's name.
        member: &'static str,
        /// What base64 objects to.
        source: base64::DecodeError,
    },
}
