//! A key to sign with: in memory, or elsewhere.

use anyhow::Context as _;
use touchmark_sign::kms::{Environment, RemoteKey};
use touchmark_sign::{KeyReference, SignatureFormat, Signer};
use touchmark_sigstore::PublicKey;

use crate::context::Context;

/// A key to sign with.
pub(crate) enum SigningKey {
    /// In memory.
    Here(Signer),
    /// In a key management service or a hardware token.
    Elsewhere { key: Box<RemoteKey>, public: PublicKey },
}

impl SigningKey {
    /// Opens a key that is elsewhere, and fetches its public half.
    pub(crate) async fn open(reference: &KeyReference, context: &Context) -> anyhow::Result<Self> {
        let unusable = || format!("cannot use the key {reference}");
        let client = context.client()?;
        let environment = Environment::new(|name| std::env::var(name).ok());
        let key = RemoteKey::open(reference, client, environment).await.with_context(unusable)?;
        let public = key.public_key().await.with_context(unusable)?;
        Ok(Self::Elsewhere { key: Box::new(key), public })
    }

    /// The key that verifies what it signs.
    pub(crate) fn public(&self) -> &PublicKey {
        match self {
            Self::Here(signer) => signer.public_key(),
            Self::Elsewhere { public, .. } => public,
        }
    }

    /// Signs. A key elsewhere takes a call of a service.
    pub(crate) async fn sign(&self, message: &[u8], format: SignatureFormat) -> anyhow::Result<Vec<u8>> {
        match self {
            Self::Here(signer) => Ok(signer.sign(message, format)?),
            Self::Elsewhere { key, .. } => Ok(key.sign(message, format).await?),
        }
    }
}
