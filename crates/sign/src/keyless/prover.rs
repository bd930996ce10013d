//! What proves when a signature was made and that it is public: entries in transparency logs, and timestamps.

use sigstore_types::{Rfc3161Timestamp, SignatureBytes, TransparencyLogEntry};
use touchmark_sigstore::PublicKey;
use touchmark_sigstore::storage::LegacyLayer;
use touchmark_transport::Client;

use super::signed::{Content, Signed, SignedBy, Unsigned};
use super::{KeylessError, ProofServices, rekor, timestamp};
use crate::{UnsignedSignature, UnsignedStatement};

/// Has logs list signatures and authorities date them, whoever makes them: for signatures by keys, wherever those are kept.
#[derive(Debug, Clone)]
pub struct Prover {
    client: Client,
    services: ProofServices,
}

/// What the services answered.
#[derive(Debug)]
pub(super) struct Proofs {
    pub(super) entries: Vec<TransparencyLogEntry>,
    pub(super) timestamps: Vec<Rfc3161Timestamp>,
}

impl Prover {
    /// One that speaks to these services.
    pub fn new(client: Client, services: ProofServices) -> Self {
        Self { client, services }
    }

    /// The services.
    pub fn services(&self) -> &ProofServices {
        &self.services
    }

    /// A bundle with a statement that `key` signed.
    ///
    /// # Errors
    /// [`KeylessError`]; [`KeylessError::KeyNotTaken`] when a log takes no signatures by such keys.
    pub async fn statement(
        &self,
        unsigned: UnsignedStatement,
        key: &PublicKey,
        signature: Vec<u8>,
    ) -> Result<Vec<u8>, KeylessError> {
        self.keyed(&Unsigned::Statement(unsigned), key, signature).await?.into_bundle()
    }

    /// A bundle with a file's signature by `key`.
    ///
    /// # Errors
    /// As [`Prover::statement`].
    pub async fn blob(
        &self,
        artifact: &[u8],
        key: &PublicKey,
        signature: Vec<u8>,
    ) -> Result<Vec<u8>, KeylessError> {
        self.keyed(&Unsigned::Bytes(artifact), key, signature).await?.into_bundle()
    }

    /// The layer of a `.sig` manifest, with what proves it in its annotations.
    ///
    /// # Errors
    /// As [`Prover::statement`]; [`KeylessError::NoPromise`] without a log of version 1.
    pub async fn legacy_image(
        &self,
        unsigned: UnsignedSignature,
        key: &PublicKey,
        signature: Vec<u8>,
    ) -> Result<LegacyLayer, KeylessError> {
        let signed = self.keyed(&Unsigned::Bytes(unsigned.message()), key, signature.clone()).await?;
        signed.annotate(unsigned.into_layer(&signature))
    }

    /// The layer of a `.att` manifest, with what proves it in its annotations.
    ///
    /// # Errors
    /// As [`Prover::legacy_image`].
    pub async fn legacy_statement(
        &self,
        unsigned: UnsignedStatement,
        key: &PublicKey,
        signature: Vec<u8>,
    ) -> Result<LegacyLayer, KeylessError> {
        let layer = unsigned.clone().into_layer(signature.clone());
        self.keyed(&Unsigned::Statement(unsigned), key, signature).await?.annotate(layer)
    }

    async fn keyed(
        &self,
        unsigned: &Unsigned<'_>,
        key: &PublicKey,
        signature: Vec<u8>,
    ) -> Result<Signed, KeylessError> {
        let (content, by) = (unsigned.signed(signature), SignedBy::Key(key.clone()));
        // Before the first log has an entry that the second would refuse.
        for log in self.services.logs() {
            rekor::check_key(log, &content, key)?;
        }
        let proofs = self.prove(&content, &by).await?;
        Ok(Signed { content, by, proofs })
    }

    /// All that are chosen have to, or nothing is signed.
    pub(super) async fn prove(&self, content: &Content, by: &SignedBy) -> Result<Proofs, KeylessError> {
        let mut entries = Vec::new();
        for log in self.services.logs() {
            entries.push(rekor::log(&self.client, log, content, by).await?);
        }
        let mut timestamps = Vec::new();
        let signature = SignatureBytes::new(content.signature().to_vec());
        for authority in self.services.timestamp_authorities() {
            timestamps.push(timestamp::timestamp(&self.client, authority, &signature).await?);
        }
        Ok(Proofs { entries, timestamps })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }
}
