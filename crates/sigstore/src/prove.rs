//! Proof beyond the signature: certificates, transparency logs and timestamps, against a trust root.
//!
//! The checks themselves are `sigstore-verify`'s, with nothing switched off that the trust root has the means for. Here they are
//! applied to our documents, and what they showed becomes data. Times in the future are refused by that crate's own clock; nothing else
//! depends on it.

use std::sync::Arc;

use jiff::Timestamp;
use sigstore_crypto::VerificationKey;
use sigstore_types::{
    Bundle as Wire, Checkpoint, CheckpointData, DerPublicKey, PublicKeyIdentifier, SignatureBytes,
    SignatureContent, TransparencyLogEntry, VerificationMaterial,
    VerificationMaterialContent as MaterialContent,
};
use sigstore_verify::{
    CertificateError, Error, PublicKeyVerificationPolicy, TimestampError, TransparencyLogError,
    VerificationPolicy,
};

use crate::{
    Certificate, Inclusion, LegacyMaterialError, LogEntry, LogProof, Promise, Proof, ProvenTime, PublicKey,
    TimeSource, TrustRoot,
};

/// What is to be proven about: a bundle in the protocol's own form, and the artifact that it is about.
pub(crate) struct Exhibit<'a> {
    pub(crate) wire: Wire,
    pub(crate) artifact: sigstore_types::Artifact<'a>,
}

/// A promise that does not hold.
pub(crate) struct Broken {
    pub(crate) promise: Promise,
    pub(crate) source: Arc<dyn std::error::Error + Send + Sync>,
}

impl TrustRoot {
    /// Verifies a document that was signed with a certificate: chain, validity at every proven time, SCT, log entries,
    /// timestamps, the signature, and that all of these are about one another.
    pub(crate) fn prove_certified(&self, exhibit: Exhibit<'_>) -> Result<(Certificate, Proof), Broken> {
        let Exhibit { wire, artifact } = exhibit;
        refuse_duplicates(&wire.verification_material.tlog_entries)?;
        let mut policy = VerificationPolicy::any_identity();
        if wire.verification_material.tlog_entries.is_empty() {
            // There is no entry to verify; the proof says so, and the time has to come from a timestamp authority.
            policy = policy.skip_tlog_unsafe();
        }
        if self.parsed.ctlogs.is_empty() {
            // Nobody's promise could be verified; the proof says so.
            policy = policy.skip_sct();
        }
        let result =
            self.verifier.verify(artifact, &wire, &policy).map_err(|error| self.explain(&wire, error))?;
        let (Some(info), Some(der)) = (result.certificate(), wire.signing_certificate()) else {
            return Err(Broken::structure("bundle has no certificate"));
        };
        let mut proof = self.proof(&wire)?;
        proof.certificate_logged = result.sct_verified();
        Ok((Certificate::of(info, der), proof))
    }

    /// Verifies the log entries and timestamps beside a key's signature. Those of logs and authorities that the trust root does not
    /// list prove nothing and break nothing: a key's holder may use others.
    pub(crate) fn prove_keyed(&self, exhibit: Exhibit<'_>, key: &PublicKey) -> Result<Proof, Broken> {
        let Exhibit { mut wire, artifact } = exhibit;
        let material = &mut wire.verification_material;
        // A certificate beside a legacy signature that a known key made says nothing about the key.
        material.content = MaterialContent::PublicKey(PublicKeyIdentifier::new(""));
        let shown = material.tlog_entries.len();
        material.tlog_entries.retain(|entry| self.knows_log(entry.log_id.key_id.as_bytes()));
        let signature = signature(&wire.content);
        let timestamps = &mut material.timestamp_verification_data.rfc3161_timestamps;
        timestamps.retain(|token| self.signed_time(&token.signed_timestamp, &signature).is_ok());
        refuse_duplicates(&material.tlog_entries)?;
        let verified = material.tlog_entries.len();
        let timestamps = material.timestamp_verification_data.rfc3161_timestamps.len();
        if verified + timestamps == 0 {
            return Ok(Proof::signature_only(shown));
        }
        let mut policy = PublicKeyVerificationPolicy::new(DerPublicKey::new(key.der().to_vec()));
        if verified == 0 {
            policy = policy.skip_tlog_unsafe();
        }
        self.verifier.verify(artifact, &wire, &policy).map_err(Broken::of)?;
        let mut proof = self.proof(&wire)?;
        if verified == 0 {
            proof.log = Proof::signature_only(shown).log;
        }
        Ok(proof)
    }

    /// A chain that does not verify may be one of a certificate that was not valid then: that is another answer, and a common one.
    fn explain(&self, wire: &Wire, error: Error) -> Broken {
        let mut broken = Broken::of(error);
        let certificate = wire.signing_certificate().map(sigstore_crypto::x509::parse_certificate_info);
        if let (Promise::CertificateChain, Some(Ok(certificate)), Ok(proof)) =
            (broken.promise, certificate, self.proof(wire))
        {
            let valid =
                |time: &ProvenTime| certificate.not_before <= time.time && time.time <= certificate.not_after;
            if !proof.times.iter().all(valid) {
                broken.promise = Promise::CertificateValidity;
            }
        }
        broken
    }

    /// What a bundle proves whose every entry and timestamp has been verified.
    fn proof(&self, wire: &Wire) -> Result<Proof, Broken> {
        let material = &wire.verification_material;
        let entries =
            material.tlog_entries.iter().map(|entry| self.log_entry(entry)).collect::<Result<Vec<_>, _>>()?;
        let mut times: Vec<ProvenTime> = material.tlog_entries.iter().filter_map(promised_time).collect();
        for token in &material.timestamp_verification_data.rfc3161_timestamps {
            times.push(self.signed_time(&token.signed_timestamp, &signature(&wire.content))?);
        }
        let log = match entries.is_empty() {
            true => LogProof::NotShown,
            false => LogProof::Verified { entries },
        };
        Ok(Proof { log, times, certificate_logged: false })
    }

    /// Which log has committed to the entry, and how far. An entry beside others that shows nothing at all is not counted as one: the
    /// verifier asks for something from one of them only. Neither is the log taken from where the entry says that it is, unless its promise
    /// signs that: one proof under two names would be two witnesses.
    fn log_entry(&self, entry: &TransparencyLogEntry) -> Result<LogEntry, Broken> {
        let (log, proven) = match (&entry.inclusion_promise, &entry.inclusion_proof) {
            (Some(_), Some(_)) => (log_id(entry), Inclusion::Included),
            (Some(_), None) => (log_id(entry), Inclusion::Promised),
            (None, Some(proof)) => (self.signer_of(&proof.checkpoint)?, Inclusion::Included),
            (None, None) => {
                let source = Arc::from(Box::from("the entry has neither an inclusion proof nor a promise"));
                return Err(Broken { promise: Promise::InclusionProof, source });
            }
        };
        Ok(LogEntry { log, index: entry.log_index.get(), proven })
    }

    /// The log whose key signed the checkpoint.
    fn signer_of(&self, checkpoint: &CheckpointData) -> Result<String, Broken> {
        let parsed = checkpoint.checkpoint();
        let signed_by = |log: &&sigstore_trust_root::TransparencyLog| {
            let Ok(key) = VerificationKey::from_spki(&log.public_key.raw_bytes) else { return false };
            let valid = |parsed: &Checkpoint| {
                let hinted = |hint: &[u8]| log.log_id.key_id.as_bytes().starts_with(hint);
                let lines = parsed.signatures().iter().filter(|line| hinted(line.key_id.as_bytes()));
                lines.into_iter().any(|line| key.verify(parsed.signed_data(), &line.signature).is_ok())
            };
            parsed.is_some_and(valid)
        };
        let log = self.parsed.tlogs.iter().find(signed_by).ok_or_else(|| Broken {
            promise: Promise::Checkpoint,
            source: Arc::from(Box::from("no log of the trust root signed the checkpoint")),
        })?;
        Ok(hex::encode(log.log_id.key_id.as_bytes()))
    }

    /// Which authority signed the time: they have to be told apart, since two tokens of one authority are one witness.
    fn signed_time(
        &self,
        token: &sigstore_types::TimestampToken,
        signature: &SignatureBytes,
    ) -> Result<ProvenTime, Broken> {
        let verified =
            self.parsed.tsa_authorities().into_iter().enumerate().find_map(|(place, authority)| {
                let verified =
                    sigstore_verify::tsa::verify_timestamp_for_authority(token, signature, &authority);
                verified.ok().map(|time| (place, time))
            });
        let (authority, time) = verified.ok_or_else(|| Broken {
            promise: Promise::Timestamp,
            source: Arc::from(Box::from("no timestamp authority of the trust root signed it")),
        })?;
        Ok(ProvenTime { time, source: TimeSource::TimestampAuthority { authority } })
    }
}

/// One entry shown twice is a mistake or a trick: it must not count as two.
fn refuse_duplicates(entries: &[TransparencyLogEntry]) -> Result<(), Broken> {
    let key = |entry: &TransparencyLogEntry| (entry.log_id.key_id.as_bytes().to_vec(), entry.log_index.get());
    for (place, entry) in entries.iter().enumerate() {
        if entries.iter().take(place).any(|earlier| key(earlier) == key(entry)) {
            let text = format!("entry {} of log {} is there twice", entry.log_index.get(), log_id(entry));
            return Err(Broken { promise: Promise::LogEntryOnce, source: Arc::from(Box::from(text)) });
        }
    }
    Ok(())
}

fn log_id(entry: &TransparencyLogEntry) -> String {
    hex::encode(entry.log_id.key_id.as_bytes())
}

/// The time that a log's promise signs. An inclusion proof covers the entry and not this time.
fn promised_time(entry: &TransparencyLogEntry) -> Option<ProvenTime> {
    let time: Timestamp = entry.integrated_time.filter(|_| entry.inclusion_promise.is_some())?;
    Some(ProvenTime { time, source: TimeSource::TransparencyLog })
}

fn signature(content: &SignatureContent) -> SignatureBytes {
    match content {
        SignatureContent::MessageSignature(message) => message.signature.clone(),
        SignatureContent::DsseEnvelope(envelope) => envelope.signature.sig.clone(),
        _ => SignatureBytes::new(Vec::new()),
    }
}

/// Whether a bundle's material has anything but the signer.
pub(crate) fn shows_more_than_the_signer(material: &VerificationMaterial) -> bool {
    !material.tlog_entries.is_empty() || !material.timestamp_verification_data.rfc3161_timestamps.is_empty()
}

/// Whether a certificate signed.
pub(crate) fn is_certified(material: &VerificationMaterial) -> bool {
    !matches!(material.content, MaterialContent::PublicKey(_))
}

impl From<LegacyMaterialError> for Broken {
    fn from(error: LegacyMaterialError) -> Self {
        Self { promise: Promise::Structure, source: Arc::new(error) }
    }
}

impl Broken {
    pub(crate) fn structure(text: &str) -> Self {
        Self { promise: Promise::Structure, source: Arc::from(Box::from(text)) }
    }

    fn of(error: Error) -> Self {
        Self { promise: promise(&error), source: Arc::new(error) }
    }
}

/// Which promise an error is about.
fn promise(error: &Error) -> Promise {
    match error {
        Error::SignatureInvalid(_) | Error::Crypto(_) => Promise::Signature,
        Error::ArtifactMismatch(_) => Promise::Artifact,
        Error::Certificate(error) => match error {
            CertificateError::Malformed(_) => Promise::CertificateForm,
            CertificateError::NoValidAuthority { .. } => Promise::CertificateAuthority,
            CertificateError::NotYetValid { .. } | CertificateError::Expired { .. } => {
                Promise::CertificateValidity
            }
            CertificateError::Sct(_) => Promise::CertificateLogged,
            _ => Promise::CertificateChain,
        },
        Error::TransparencyLog(error) => match error {
            TransparencyLogError::UnknownLog { .. } => Promise::KnownLog,
            TransparencyLogError::InclusionProof(_) => Promise::InclusionProof,
            TransparencyLogError::Checkpoint(_) => Promise::Checkpoint,
            TransparencyLogError::InclusionPromise(_) => Promise::InclusionPromise,
            TransparencyLogError::EntryMismatch(_) => Promise::LogEntry,
            TransparencyLogError::IntegratedTime(_) => Promise::IntegratedTime,
            _ => Promise::LogEntryForm,
        },
        Error::Timestamp(error) => match error {
            TimestampError::OutsideAuthorityValidity { .. } => Promise::TimestampAuthority,
            TimestampError::NoVerifiedTimestamp(_) => Promise::ProvenTime,
            _ => Promise::Timestamp,
        },
        _ => Promise::Structure,
    }
}
