//! Who signs.

use touchmark_sigstore::PublicKey;

use crate::{PrivateKey, SignError, SignatureFormat};

/// What can sign. Keyless signing and KMS will be more of these; a signature may then take a network call, so nothing here is
/// to be called while a lock is held.
#[derive(Debug)]
#[non_exhaustive]
pub enum Signer {
    /// A private key in memory.
    Key(PrivateKey),
}

impl Signer {
    /// Signs `message`.
    ///
    /// # Errors
    /// [`SignError`].
    pub fn sign(&self, message: &[u8], format: SignatureFormat) -> Result<Vec<u8>, SignError> {
        match self {
            Self::Key(key) => key.sign(message, format),
        }
    }

    /// The key that verifies what it signs.
    pub fn public_key(&self) -> &PublicKey {
        match self {
            Self::Key(key) => key.public_key(),
        }
    }
}

impl From<PrivateKey> for Signer {
    fn from(key: PrivateKey) -> Self {
        Self::Key(key)
    }
}
