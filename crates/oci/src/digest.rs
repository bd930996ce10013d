//! Content digests: `sha256:` and `sha512:` with lower-case hexadecimal.
//!
//! OCI image-spec 1.1, [descriptor.md, "Digests"](https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md#digests):
//! the two registered algorithms that clients meet. `sha384` is not registered there and is refused.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest as hash;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A registered digest algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Algorithm {
    /// SHA-256; every registry and client supports it.
    Sha256,
    /// SHA-512; optional for implementations.
    Sha512,
}

impl Algorithm {
    /// The name before the colon.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// Length of the encoded part, in hexadecimal digits.
    fn hex_len(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }

    fn implementation(self) -> &'static hash::Algorithm {
        match self {
            Self::Sha256 => &hash::SHA256,
            Self::Sha512 => &hash::SHA512,
        }
    }
}

/// A digest whose algorithm is known and whose value has the right length in lower-case hexadecimal.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    algorithm: Algorithm,
    hex: String,
}

impl Digest {
    /// The SHA-256 digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self::of_with(Algorithm::Sha256, bytes)
    }

    /// The digest of `bytes` with the given algorithm.
    pub fn of_with(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The value in lower-case hexadecimal, without the algorithm.
    pub fn hex(&self) -> &str {
        &self.hex
    }

    /// Whether `bytes` have this digest.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        Self::of_with(self.algorithm, bytes) == *self
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let malformed = || DigestError::Malformed { text: excerpt(text) };
        let (name, hex) = text.split_once(':').ok_or_else(malformed)?;
        let algorithm = match name {
            "sha256" => Algorithm::Sha256,
            "sha512" => Algorithm::Sha512,
            other => return Err(DigestError::UnknownAlgorithm { name: excerpt(other) }),
        };
        if hex.len() != algorithm.hex_len() {
            return Err(DigestError::Length { algorithm, found: hex.len(), wanted: algorithm.hex_len() });
        }
        if !hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return Err(malformed());
        }
        Ok(Self { algorithm, hex: hex.to_owned() })
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.hex)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Computes a [`Digest`] over bytes that arrive in pieces.
pub struct Hasher {
    algorithm: Algorithm,
    context: hash::Context,
}

impl Hasher {
    /// Starts with nothing hashed.
    pub fn new(algorithm: Algorithm) -> Self {
        Self { algorithm, context: hash::Context::new(algorithm.implementation()) }
    }

    /// Adds `bytes`.
    pub fn update(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
    }

    /// The digest of all that was added.
    pub fn finish(self) -> Digest {
        Digest { algorithm: self.algorithm, hex: hex::encode(self.context.finish()) }
    }
}

/// Why a text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DigestError {
    /// Not `algorithm:hex` with lower-case hexadecimal digits.
    #[error("digest {text:?} is not of the form algorithm:hex with lower-case hex digits")]
    Malformed {
        /// The text, shortened.
        text: String,
    },
    /// An algorithm that is not registered.
    #[error("digest algorithm {name:?} is not known, expected sha256 or sha512")]
    UnknownAlgorithm {
        /// The name, shortened.
        name: String,
    },
    /// The value has the wrong length for its algorithm.
    #[error("{} digest has {found} digits, expected {wanted}", algorithm.name())]
    Length {
        /// The algorithm.
        algorithm: Algorithm,
        /// Digits found.
        found: usize,
        /// Digits that the algorithm needs.
        wanted: usize,
    },
}

/// At most 100 characters of foreign text, for a message.
pub(crate) fn excerpt(text: &str) -> String {
    const MAX_CHARS: usize = 100;
    let mut short: String = text.chars().take(MAX_CHARS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn digest_of_nothing_is_the_known_value() {
        assert_eq!(Digest::of(b"").to_string(), EMPTY);
        assert_eq!(Digest::of_with(Algorithm::Sha512, b"").hex().len(), 128);
    }

    #[test]
    fn hashing_in_pieces_equals_hashing_at_once() {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(b"touch");
        hasher.update(b"mark");
        assert_eq!(hasher.finish(), Digest::of(b"touchmark"));
    }

    #[test]
    fn rejects_upper_case_hex() {
        let text = EMPTY.to_uppercase().replace("SHA256", "sha256");
        assert!(matches!(text.parse::<Digest>(), Err(DigestError::Malformed { .. })));
    }

    #[test]
    fn rejects_a_wrong_length() {
        let error = "sha256:abcd".parse::<Digest>().unwrap_err();
        assert_eq!(error, DigestError::Length { algorithm: Algorithm::Sha256, found: 4, wanted: 64 });
    }

    #[test]
    fn rejects_an_unregistered_algorithm() {
        let text = format!("md5:{}", "a".repeat(32));
        assert_eq!(text.parse::<Digest>().unwrap_err(), DigestError::UnknownAlgorithm { name: "md5".into() });
    }

    #[test]
    fn rejects_text_without_a_colon() {
        assert!(matches!("latest".parse::<Digest>(), Err(DigestError::Malformed { .. })));
    }
}
