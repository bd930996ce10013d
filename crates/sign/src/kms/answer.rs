//! What is in answers: JSON, base64, public keys. Performs no I/O.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::de::DeserializeOwned;
use touchmark_sigstore::PublicKey;

use super::{KmsError, Service, aws, azure, gcp, vault};

/// The public key in a service's answer to the request for it, as a [`RemoteKey`](super::RemoteKey) reads it: for answers that were recorded.
///
/// # Errors
/// As [`RemoteKey::public_key`](super::RemoteKey::public_key); [`KmsError::Use`] for services that give no such answer.
pub fn public_key_in_answer(service: Service, answer: &[u8]) -> Result<PublicKey, KmsError> {
    match service {
        Service::Aws => service.parse::<aws::PublicKeyAnswer>(answer)?.public_key(),
        Service::Gcp => service.parse::<gcp::PublicKeyAnswer>(answer)?.public_key(),
        Service::Azure => service.parse::<azure::KeyAnswer>(answer)?.public_key(),
        Service::Vault => service.parse::<vault::Wrapped<vault::KeyAnswer>>(answer)?.data.public_key(None),
        other => Err(KmsError::Use { service: other, found: "no answer with a public key".to_owned() }),
    }
}

impl Service {
    /// The JSON of an answer.
    pub(super) fn parse<T: DeserializeOwned>(self, answer: &[u8]) -> Result<T, KmsError> {
        serde_json::from_slice(answer).map_err(|source| KmsError::Answer { service: self, source })
    }

    /// The error for a field that cannot be used.
    pub(super) fn field(self, field: &'static str) -> KmsError {
        KmsError::Field { service: self, field }
    }

    /// The bytes of a field in base64.
    pub(super) fn base64(self, text: &str, field: &'static str) -> Result<Vec<u8>, KmsError> {
        STANDARD.decode(text).map_err(|_| self.field(field))
    }

    /// The bytes of a field in base64url (RFC 7515 §2).
    pub(super) fn base64url(self, text: &str, field: &'static str) -> Result<Vec<u8>, KmsError> {
        URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_| self.field(field))
    }

    /// A public key of an accepted kind.
    pub(super) fn public_key(self, der: &[u8]) -> Result<PublicKey, KmsError> {
        PublicKey::from_der(der).map_err(|source| KmsError::PublicKey { service: self, source })
    }

    /// The same from PEM.
    pub(super) fn public_key_pem(self, text: &str) -> Result<PublicKey, KmsError> {
        text.parse().map_err(|source| KmsError::PublicKey { service: self, source })
    }
}
