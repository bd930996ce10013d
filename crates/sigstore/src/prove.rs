//! Proof beyond the signature: certificates, transparency logs and timestamps, against a trust root.
//!
//! The checks themselves are `sigstore-verify`'s, with nothing switched off that the trust root has the means for. Here they are
//! applied to our documents, and what they showed becomes data. Times in the future are refused by that crate's own clock; nothing else
//! depends on it.

use std::sync::Arc;

use jiff::Timestamp;
use sigstore_crypto::CertificateInfo;
use sigstore_trust_root::TransparencyLog;
use sigstore_types::{
    Bundle as Wire, CheckpointData, DerPublicKey, MediaType, PublicKeyIdentifier, Rfc3161Timestamp,
    SignatureBytes, SignatureContent, TransparencyLogEntry, VerificationMaterial,
    VerificationMaterialContent as MaterialContent,
};
use sigstore_verify::{
    CertificateError, Error, PublicKeyVerificationPolicy, TimestampError, TransparencyLogError,
    VerificationPolicy,
};
use touchmark_attestation::Envelope;

use crate::inclusion::signed_checkpoint;
use crate::log_record::{LogRecord, RecordError, SignerMaterial};
use crate::{
    Certificate, Inclusion, LegacyMaterialError, LogEntry, Promise, Proof, ProvenTime, PublicKey, TimeSource,
    TrustRoot, WitnessKey,
};

/// What is to be proven about: a bundle in the protocol's own form, and the artifact that it is about.
pub(crate) struct Exhibit<'a> {
    /// With one signature, and the log entries that `sigstore-verify` checks.
    pub(crate) wire: Wire,
    /// The other log entries.
    pub(crate) records: Vec<LogRecord>,
    /// The envelope with all of its signatures, where it is one.
    pub(crate) envelope: Option<&'a Envelope>,
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
    pub(crate) fn prove_certified(
        &self,
        mut exhibit: Exhibit<'_>,
        witnesses: &[WitnessKey],
    ) -> Result<(Certificate, Proof), Broken> {
        exhibit.refuse_duplicates()?;
        self.keep_own_timestamps(&mut exhibit);
        let Exhibit { mut wire, records, envelope, artifact } = exhibit;
        if records.is_empty() {
            return self.certified(&wire, artifact, witnesses);
        }
        let no_certificate = || Broken::structure("bundle has no certificate");
        let leaf = wire.signing_certificate().cloned().ok_or_else(no_certificate)?;
        let signer = SignerMaterial::Certificate(leaf.as_bytes());
        let recorded = self.prove_records(&wire, &records, envelope, signer, witnesses)?;
        wire.media_type = form_without_records(&wire)?;
        let info = sigstore_crypto::x509::parse_certificate_info(&leaf)
            .map_err(|source| Broken { promise: Promise::CertificateForm, source: Arc::new(source) })?;
        let material = &wire.verification_material;
        let issued = recorded.times.iter().map(|time| self.check_chain(&material.content, &info, time.time));
        let issued = issued.collect::<Result<Vec<_>, _>>()?;
        let (certificate, mut proof) = if shows_more_than_the_signer(material) {
            self.certified(&wire, artifact, witnesses)?
        } else {
            let issued = issued.first().ok_or_else(|| Broken {
                promise: Promise::ProvenTime,
                source: Arc::from(Box::from("no log's promise and no timestamp has a time")),
            })?;
            let logged = !self.parsed.ctlogs.is_empty();
            if logged {
                self.check_certificate_timestamp(&leaf, issued)?;
            }
            check_signature(&wire.content, &info)?;
            let proof = Proof { certificate_logged: logged, ..Proof::signature_only(0) };
            (Certificate::of(&info, &leaf), proof)
        };
        proof.add(recorded.entries, recorded.times);
        Ok((certificate, proof))
    }

    /// The same where every log entry is of a kind that `sigstore-verify` knows.
    fn certified(
        &self,
        wire: &Wire,
        artifact: sigstore_types::Artifact<'_>,
        witnesses: &[WitnessKey],
    ) -> Result<(Certificate, Proof), Broken> {
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
            self.verifier.verify(artifact, wire, &policy).map_err(|error| self.explain(wire, error))?;
        let (Some(info), Some(der)) = (result.certificate(), wire.signing_certificate()) else {
            return Err(Broken::structure("bundle has no certificate"));
        };
        let times = self.dated(wire, result.verified_timestamps())?;
        let mut proof = self.proof(wire, times, witnesses)?;
        proof.certificate_logged = result.sct_verified();
        Ok((Certificate::of(info, der), proof))
    }

    /// Verifies the log entries and timestamps beside a key's signature. Those of logs and authorities that the trust root does not
    /// list prove nothing and break nothing: a key's holder may use others.
    pub(crate) fn prove_keyed(
        &self,
        mut exhibit: Exhibit<'_>,
        key: &PublicKey,
        witnesses: &[WitnessKey],
    ) -> Result<Proof, Broken> {
        let known = |entry: &TransparencyLogEntry| self.knows_log(entry.log_id.key_id.as_bytes());
        let shown = exhibit.wire.verification_material.tlog_entries.len() + exhibit.records.len();
        exhibit.wire.verification_material.tlog_entries.retain(known);
        exhibit.records.retain(|record| known(&record.entry));
        exhibit.refuse_duplicates()?;
        let Exhibit { mut wire, records, envelope, artifact } = exhibit;
        let signature = signature(&wire.content);
        let material = &mut wire.verification_material;
        // A certificate beside a legacy signature that a known key made says nothing about the key.
        material.content = MaterialContent::PublicKey(PublicKeyIdentifier::new(""));
        // Verified once: the protocol's crate would not say by whom.
        let tokens = std::mem::take(&mut material.timestamp_verification_data.rfc3161_timestamps);
        let dated = |token: &Rfc3161Timestamp| self.signed_time(&token.signed_timestamp, &signature).ok();
        let times: Vec<_> = tokens.iter().filter_map(dated).collect();
        let signer = SignerMaterial::Key(key.der());
        let recorded = self.prove_records(&wire, &records, envelope, signer, witnesses)?;
        let verified = wire.verification_material.tlog_entries.len() + records.len();
        if !wire.verification_material.tlog_entries.is_empty() {
            let policy = PublicKeyVerificationPolicy::new(DerPublicKey::new(key.der().to_vec()));
            self.verifier.verify(artifact, &wire, &policy).map_err(Broken::of)?;
        }
        let mut proof = self.proof(&wire, times, witnesses)?;
        proof.add(recorded.entries, recorded.times);
        if verified == 0 {
            proof.log = Proof::signature_only(shown).log;
        }
        Ok(proof)
    }

    /// Verifies the entries that `sigstore-verify` does not know: that they describe the signature, and what the log has committed to.
    fn prove_records(
        &self,
        wire: &Wire,
        records: &[LogRecord],
        envelope: Option<&Envelope>,
        signer: SignerMaterial<'_>,
        witnesses: &[WitnessKey],
    ) -> Result<Recorded, Broken> {
        let mut recorded = Recorded::default();
        for record in records {
            let envelope = envelope.ok_or(RecordError::NotAnEnvelope)?;
            record.check(envelope, signature(&wire.content).as_bytes(), signer)?;
            if wire.media_type != MediaType::Bundle0_1 && record.entry.inclusion_proof.is_none() {
                return Err(Broken::structure("log entry has no inclusion proof"));
            }
            self.check_inclusion(record)?;
            recorded.entries.push(self.log_entry(&record.entry, witnesses)?);
            let time = promised_time(&record.entry).filter(|_| !record.kind.is_rekor_2());
            recorded.times.extend(time);
        }
        Ok(recorded)
    }

    /// Of an envelope with several signatures, the timestamps of the others prove nothing about this one.
    fn keep_own_timestamps(&self, exhibit: &mut Exhibit<'_>) {
        if exhibit.envelope.is_none_or(|envelope| envelope.signatures().len() < 2) {
            return;
        }
        let signature = signature(&exhibit.wire.content);
        let data = &mut exhibit.wire.verification_material.timestamp_verification_data;
        data.rfc3161_timestamps.retain(|token| self.signed_time(&token.signed_timestamp, &signature).is_ok());
    }

    /// Who signed the timestamps that `sigstore-verify` has found valid. It does not say, so each is verified once more, unless there is
    /// one authority only: then it was that one, and the times are the first of those verified.
    fn dated(&self, wire: &Wire, verified: &[Timestamp]) -> Result<Vec<ProvenTime>, Broken> {
        let tokens = &wire.verification_material.timestamp_verification_data.rfc3161_timestamps;
        let promised = wire.verification_material.tlog_entries.iter().filter_map(promised_time).count();
        let source = TimeSource::TimestampAuthority { authority: 0 };
        if self.parsed.tsa_authorities().len() == 1 && verified.len() == tokens.len() + promised {
            let times = verified.iter().take(tokens.len());
            return Ok(times.map(|time| ProvenTime { time: *time, source }).collect());
        }
        let signature = signature(&wire.content);
        tokens.iter().map(|token| self.signed_time(&token.signed_timestamp, &signature)).collect()
    }

    /// A chain that does not verify may be one of a certificate that was not valid then: that is another answer, and a common one.
    fn explain(&self, wire: &Wire, error: Error) -> Broken {
        let mut broken = Broken::of(error);
        let certificate = wire.signing_certificate().map(sigstore_crypto::x509::parse_certificate_info);
        if let (Promise::CertificateChain, Some(Ok(certificate)), Ok(times)) =
            (broken.promise, certificate, self.dated(wire, &[]))
        {
            let valid =
                |time: &ProvenTime| certificate.not_before <= time.time && time.time <= certificate.not_after;
            let promised = wire.verification_material.tlog_entries.iter().filter_map(promised_time);
            if !times.into_iter().chain(promised).all(|time| valid(&time)) {
                broken.promise = Promise::CertificateValidity;
            }
        }
        broken
    }

    /// What a bundle proves whose every entry and timestamp has been verified; `times` are the timestamps'.
    fn proof(
        &self,
        wire: &Wire,
        mut times: Vec<ProvenTime>,
        witnesses: &[WitnessKey],
    ) -> Result<Proof, Broken> {
        let entries = &wire.verification_material.tlog_entries;
        let mut proof = Proof::signature_only(0);
        times.splice(0..0, entries.iter().filter_map(promised_time));
        let entries = entries.iter().map(|entry| self.log_entry(entry, witnesses));
        proof.add(entries.collect::<Result<_, _>>()?, times);
        Ok(proof)
    }

    /// Which log has committed to the entry, and how far. An entry beside others that shows nothing at all is not counted as one: the
    /// verifier asks for something from one of them only. Neither is the log taken from where the entry says that it is, unless its promise
    /// signs that: one proof under two names would be two witnesses.
    fn log_entry(&self, entry: &TransparencyLogEntry, witnesses: &[WitnessKey]) -> Result<LogEntry, Broken> {
        let (log, proven) = match (&entry.inclusion_promise, &entry.inclusion_proof) {
            (Some(_), Some(_)) => (log_id(entry), Inclusion::Included),
            (Some(_), None) => (log_id(entry), Inclusion::Promised),
            (None, Some(proof)) => (self.signer_of(&proof.checkpoint)?, Inclusion::Included),
            (None, None) => {
                let source = Arc::from(Box::from("the entry has neither an inclusion proof nor a promise"));
                return Err(Broken { promise: Promise::InclusionProof, source });
            }
        };
        let checkpoint = entry.inclusion_proof.as_ref().and_then(|proof| proof.checkpoint.checkpoint());
        let cosigned = |witness: &&WitnessKey| checkpoint.is_some_and(|seen| witness.cosigned(seen));
        let witnesses = witnesses.iter().filter(cosigned).cloned().collect();
        Ok(LogEntry { log, index: entry.log_index.get(), proven, witnesses })
    }

    /// The log whose key signed the checkpoint.
    fn signer_of(&self, checkpoint: &CheckpointData) -> Result<String, Broken> {
        let signed_by =
            |log: &&TransparencyLog| checkpoint.checkpoint().is_some_and(|one| signed_checkpoint(log, one));
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

/// What the entries of [`LogRecord`]s prove.
#[derive(Default)]
struct Recorded {
    entries: Vec<LogEntry>,
    times: Vec<ProvenTime>,
}

impl Exhibit<'_> {
    /// One entry shown twice is a mistake or a trick: it must not count as two.
    fn refuse_duplicates(&self) -> Result<(), Broken> {
        let key =
            |entry: &TransparencyLogEntry| (entry.log_id.key_id.as_bytes().to_vec(), entry.log_index.get());
        let records = self.records.iter().map(|record| &record.entry);
        let entries: Vec<_> = self.wire.verification_material.tlog_entries.iter().chain(records).collect();
        for (place, entry) in entries.iter().enumerate() {
            if entries.iter().take(place).any(|earlier| key(earlier) == key(entry)) {
                let text = format!("entry {} of log {} is there twice", entry.log_index.get(), log_id(entry));
                return Err(Broken { promise: Promise::LogEntryOnce, source: Arc::from(Box::from(text)) });
            }
        }
        Ok(())
    }
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

/// The version whose form the rest of the document has to have. Version 0.1 asks for a promise, which may have been a record's; version
/// 0.2 is otherwise the same. Version 0.3 has no chains.
fn form_without_records(wire: &Wire) -> Result<MediaType, Broken> {
    let material = &wire.verification_material;
    match (wire.media_type, &material.content) {
        (MediaType::Bundle0_3, MaterialContent::X509CertificateChain { .. }) => {
            Err(Broken::structure("bundle of version 0.3 has a certificate chain, expected one certificate"))
        }
        (MediaType::Bundle0_1, _) if material.tlog_entries.is_empty() => Ok(MediaType::Bundle0_2),
        (version, _) => Ok(version),
    }
}

/// Whether the signature of an envelope was made with the certificate's key.
fn check_signature(content: &SignatureContent, info: &CertificateInfo) -> Result<(), Broken> {
    let SignatureContent::DsseEnvelope(envelope) = content else {
        return Err(RecordError::NotAnEnvelope.into());
    };
    let scheme = info.key_algorithm.default_signing_scheme();
    sigstore_crypto::verify_signature(&info.public_key, &envelope.pae(), &envelope.signature.sig, scheme)
        .map_err(|source| Broken { promise: Promise::Signature, source: Arc::new(source) })
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

impl From<RecordError> for Broken {
    fn from(error: RecordError) -> Self {
        let promise = match error {
            RecordError::Body { .. } | RecordError::Kind | RecordError::Encoding | RecordError::Algorithm => {
                Promise::LogEntryForm
            }
            _ => Promise::LogEntry,
        };
        Self { promise, source: Arc::new(error) }
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
