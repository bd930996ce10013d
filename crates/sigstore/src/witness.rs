//! Witnesses: who signs a log's checkpoint after having seen that the log only grew, so that a log cannot show different trees to different
//! people without them ([tlog-cosignature](https://github.com/C2SP/C2SP/blob/main/tlog-cosignature.md), `cosignature/v1`).

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sigstore_crypto::sha256;
use sigstore_types::{Checkpoint, CheckpointSignature};

/// The signature type of timestamped Ed25519 cosignatures (signed-note, "Signature types").
const COSIGNATURE_V1: u8 = 4;
/// Bytes of an Ed25519 public key (RFC 8032 §5.1.5).
const KEY_BYTES: usize = 32;
/// Bytes of the time before a cosignature.
const TIME_BYTES: usize = 8;
/// Bytes of a key's text. Names are host names and paths.
const MAX_TEXT_BYTES: usize = 1024;

/// The public key of a witness, as signed notes write keys: `NAME+HASH+KEY`
/// ([signed-note, "Verifier keys"](https://github.com/C2SP/C2SP/blob/main/signed-note.md)).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WitnessKey {
    name: String,
    key: [u8; KEY_BYTES],
}

impl WitnessKey {
    /// What the witness calls itself.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key. Two witnesses with one key are one witness, whatever they call themselves.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// Whether the witness signed this checkpoint.
    pub(crate) fn cosigned(&self, checkpoint: &Checkpoint) -> bool {
        let id = self.id();
        let own = |line: &&CheckpointSignature| line.name == self.name && *line.key_id.as_bytes() == id;
        checkpoint.signatures().iter().filter(own).any(|line| self.signed(checkpoint, line))
    }

    fn signed(&self, checkpoint: &Checkpoint, line: &CheckpointSignature) -> bool {
        let Some((time, signature)) = line.signature.as_bytes().split_first_chunk::<TIME_BYTES>() else {
            return false;
        };
        let mut message = format!("cosignature/v1\ntime {}\n", u64::from_be_bytes(*time)).into_bytes();
        message.extend(checkpoint.signed_data());
        UnparsedPublicKey::new(&ED25519, &self.key).verify(&message, signature).is_ok()
    }

    /// The key's identifier in signature lines: the digest of name and key, shortened.
    fn id(&self) -> [u8; 4] {
        let typed = [&[COSIGNATURE_V1], self.key.as_slice()].concat();
        let digest = sha256(&[self.name.as_bytes(), b"\n", &typed].concat());
        digest.as_bytes().first_chunk().copied().unwrap_or_default()
    }
}

impl fmt::Display for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let typed = [&[COSIGNATURE_V1], self.key.as_slice()].concat();
        write!(f, "{}+{}+{}", self.name, hex::encode(self.id()), STANDARD.encode(typed))
    }
}

impl FromStr for WitnessKey {
    type Err = WitnessKeyError;

    fn from_str(text: &str) -> Result<Self, WitnessKeyError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(WitnessKeyError::TooLarge { size: text.len(), limit: MAX_TEXT_BYTES });
        }
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(WitnessKeyError::Form);
        };
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(WitnessKeyError::Name);
        }
        let bytes = STANDARD.decode(key).map_err(|source| WitnessKeyError::Base64 { source })?;
        let key = match bytes.split_first() {
            Some((&COSIGNATURE_V1, key)) => {
                key.try_into().map_err(|_| WitnessKeyError::Length { found: key.len() })?
            }
            Some((&found, _)) => return Err(WitnessKeyError::Algorithm { found }),
            None => return Err(WitnessKeyError::Form),
        };
        let witness = Self { name: name.to_owned(), key };
        match hex::encode(witness.id()) == id.to_ascii_lowercase() {
            true => Ok(witness),
            false => Err(WitnessKeyError::Id { wanted: hex::encode(witness.id()) }),
        }
    }
}

/// Why a text is no witness's key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WitnessKeyError {
    /// Longer than a key is.
    #[error("witness key has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// Bytes found.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// Not the three parts.
    #[error("witness key is not written NAME+HASH+KEY")]
    Form,
    /// No name that a signature line can have.
    #[error("name of the witness key is empty or has a space in it")]
    Name,
    /// The key is not base64.
    #[error("witness key is not base64")]
    Base64 {
        /// What base64 objects to.
        source: base64::DecodeError,
    },
    /// Not a key for timestamped cosignatures.
    #[error(
        "witness key is of signature type {found}, expected {COSIGNATURE_V1} (cosignature/v1 with Ed25519)"
    )]
    Algorithm {
        /// The type found.
        found: u8,
    },
    /// Not as long as the key of its type.
    #[error("witness key has {found} bytes, expected {KEY_BYTES}")]
    Length {
        /// Bytes found.
        found: usize,
    },
    /// The middle part is not the digest of the others: one of the three was mistyped.
    #[error("hash of the witness key does not belong to its name and key, expected {wanted}")]
    Id {
        /// What it should be.
        wanted: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> WitnessKey {
        WitnessKey { name: "witness.example/w1".to_owned(), key: [7; KEY_BYTES] }
    }

    #[test]
    fn keys_are_read_as_they_are_written() {
        assert_eq!(key().to_string().parse(), Ok(key()));
    }

    #[test]
    fn each_way_to_be_no_key_has_its_error() {
        let parse = |text: &str| text.parse::<WitnessKey>().unwrap_err();
        let written = key().to_string();
        assert_eq!(parse("name"), WitnessKeyError::Form);
        assert_eq!(parse("name+00000000+"), WitnessKeyError::Form);
        assert_eq!(parse(&written.replace("witness.example/w1", "")), WitnessKeyError::Name);
        assert!(matches!(parse("name+00000000+*"), WitnessKeyError::Base64 { .. }));
        assert_eq!(parse("name+00000000+AQc="), WitnessKeyError::Algorithm { found: 1 });
        assert_eq!(parse("name+00000000+BAc="), WitnessKeyError::Length { found: 1 });
        assert!(matches!(parse(&written.replace("w1", "w2")), WitnessKeyError::Id { .. }));
        assert!(matches!(parse(&"x".repeat(2000)), WitnessKeyError::TooLarge { size: 2000, .. }));
    }
}
