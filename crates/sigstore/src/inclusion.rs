//! What a log has committed to: its promise to include an entry, the proof that the entry is in its tree, and its signature of the
//! tree's head.
//!
//! For the entries of [`crate::log_record`]; `sigstore-verify` does the same for the others. The rules are RFC 6962 §2.1.1 (proofs; RFC
//! 9162 §2.1.3 is the same algorithm), [signed notes](https://github.com/C2SP/C2SP/blob/main/signed-note.md) and
//! [checkpoints](https://github.com/C2SP/C2SP/blob/main/tlog-checkpoint.md), and for promises
//! [Rekor 1.4, openapi.yaml, `signedEntryTimestamp`](https://github.com/sigstore/rekor/blob/v1.4.0/openapi.yaml).

use std::sync::Arc;

use sigstore_crypto::VerificationKey;
use sigstore_trust_root::TransparencyLog;
use sigstore_types::{Checkpoint, InclusionProof, SignatureBytes, TransparencyLogEntry};

use crate::log_record::LogRecord;
use crate::prove::Broken;
use crate::{Promise, TrustRoot};

impl TrustRoot {
    /// Verifies everything that an entry shows of its inclusion. That it shows something is the caller's to check.
    pub(crate) fn check_inclusion(&self, record: &LogRecord) -> Result<(), Broken> {
        let entry = &record.entry;
        if entry.inclusion_promise.is_some() {
            self.check_promise(entry)?;
        }
        if let Some(proof) = &entry.inclusion_proof {
            self.check_proof(record, proof)?;
        }
        Ok(())
    }

    fn check_proof(&self, record: &LogRecord, proof: &InclusionProof) -> Result<(), Broken> {
        let checkpoint = proof
            .checkpoint
            .checkpoint()
            .ok_or_else(|| broken(Promise::Checkpoint, InclusionError::NoCheckpoint))?;
        let (index, size) = match record.kind.is_rekor_2() {
            true => (record.entry.log_index.get(), checkpoint.tree_size()),
            false => (proof.log_index.get(), proof.tree_size),
        };
        if !record.kind.is_rekor_2()
            && (proof.root_hash != *checkpoint.root_hash() || size != checkpoint.tree_size())
        {
            return Err(broken(Promise::Checkpoint, InclusionError::OtherTree));
        }
        let leaf = sigstore_merkle::hash_leaf(record.entry.canonicalized_body.as_bytes());
        sigstore_merkle::verify_inclusion_proof(&leaf, index, size, &proof.hashes, checkpoint.root_hash())
            .map_err(|source| Broken { promise: Promise::InclusionProof, source: Arc::new(source) })?;
        // The log that promised is the one that has to show the proof; without a promise, nothing says which log that is.
        let promised = record.entry.inclusion_promise.is_some();
        let id = record.entry.log_id.key_id.as_bytes();
        let mut logs = self.parsed.tlogs.iter().filter(|log| !promised || log.log_id.key_id.as_bytes() == id);
        match logs.any(|log| signed_checkpoint(log, checkpoint)) {
            true => Ok(()),
            false => Err(broken(Promise::Checkpoint, InclusionError::UnknownCheckpointKey)),
        }
    }

    fn check_promise(&self, entry: &TransparencyLogEntry) -> Result<(), Broken> {
        let time =
            entry.integrated_time.ok_or_else(|| broken(Promise::InclusionPromise, InclusionError::NoTime))?;
        let id = entry.log_id.key_id.as_bytes();
        let log = self.parsed.tlogs.iter().find(|log| log.log_id.key_id.as_bytes() == id);
        let log = log.ok_or_else(|| broken(Promise::KnownLog, InclusionError::UnknownLog))?;
        if !log.public_key.valid_for.is_none_or(|window| window.contains(time)) {
            return Err(broken(Promise::InclusionPromise, InclusionError::LogNotValidThen));
        }
        // RFC 8785 of four members whose values need no escapes.
        let signed = format!(
            r#"{{"body":"{}","integratedTime":{},"logID":"{}","logIndex":{}}}"#,
            entry.canonicalized_body.to_base64(),
            time.as_second(),
            hex::encode(id),
            entry.log_index.get(),
        );
        let promise =
            entry.inclusion_promise.as_ref().map(|promise| promise.signed_entry_timestamp.as_bytes());
        let signature = SignatureBytes::new(promise.unwrap_or_default().to_vec());
        let key = VerificationKey::from_spki(&log.public_key.raw_bytes);
        key.and_then(|key| key.verify(signed.as_bytes(), &signature))
            .map_err(|source| Broken { promise: Promise::InclusionPromise, source: Arc::new(source) })
    }
}

/// Whether one of the signatures under the checkpoint is by the log's key. The hint before a signature may be that of several keys.
pub(crate) fn signed_checkpoint(log: &TransparencyLog, checkpoint: &Checkpoint) -> bool {
    let Ok(key) = VerificationKey::from_spki(&log.public_key.raw_bytes) else { return false };
    let id = log.log_id.key_id.as_bytes();
    let mut lines = checkpoint.signatures().iter().filter(|line| id.starts_with(line.key_id.as_bytes()));
    lines.any(|line| key.verify(checkpoint.signed_data(), &line.signature).is_ok())
}

fn broken(promise: Promise, error: InclusionError) -> Broken {
    Broken { promise, source: Arc::new(error) }
}

/// Why a log has not committed to an entry.
#[derive(Debug, thiserror::Error)]
enum InclusionError {
    #[error("inclusion proof has no checkpoint")]
    NoCheckpoint,
    #[error("checkpoint and inclusion proof are of different trees")]
    OtherTree,
    #[error("no log of the trust root signed the checkpoint")]
    UnknownCheckpointKey,
    #[error("promise of an entry without a time")]
    NoTime,
    #[error("trust root lists no log of the promise's id")]
    UnknownLog,
    #[error("log was not valid at the time of its promise")]
    LogNotValidThen,
}
