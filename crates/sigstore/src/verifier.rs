//! The verifier: which of the evidence is authentic and about the image asked about.

use std::sync::Arc;

use sigstore_types::{
    Artifact as WireArtifact, ArtifactDigest, DerCertificate, HashAlgorithm, SignatureBytes, SignatureContent,
};
use touchmark_attestation::{Envelope, IN_TOTO_PAYLOAD, Statement, predicate_types};
use touchmark_oci::{Digest, PinnedRef};

use crate::bundle::wire_envelope;
use crate::log_record::{LogRecord, RecordError, hashedrekord_names};
use crate::prove::{self, Broken, Exhibit};
use crate::{
    Alleged, Bundle, BundleContent, Claim, Document, Evidence, Finding, Findings, Inclusion, LegacyMaterial,
    Limits, PayloadError, Promise, Proof, PublicKey, Rejected, Rejection, Signer, SignerHint, SimpleSigning,
    TrustRoot, Verified, WitnessKey, parse_statement,
};

/// How many foreign digests a [`Rejection::WrongSubject`] names.
const SUBJECTS_SHOWN: usize = 4;

/// Verifies with a fixed set of keys and, where certificates are to count, a trust root. Pure: the same evidence gives the same
/// findings, always.
///
/// There is nothing to switch off.
#[derive(Debug, Clone)]
pub struct Verifier {
    keys: Vec<PublicKey>,
    trust_root: Option<Arc<TrustRoot>>,
    witnesses: Vec<WitnessKey>,
    limits: Limits,
}

impl Verifier {
    /// A verifier that knows `keys`. A key that is given twice counts once.
    pub fn new(keys: Vec<PublicKey>, limits: Limits) -> Self {
        let mut known: Vec<PublicKey> = Vec::with_capacity(keys.len());
        for key in keys {
            if !known.contains(&key) {
                known.push(key);
            }
        }
        Self { keys: known, trust_root: None, witnesses: Vec::new(), limits }
    }

    /// The same, trusting the authorities and logs of `trust_root`, if there is one: certificates count then, and log entries and
    /// timestamps prove.
    #[must_use]
    pub fn with_trust_root(mut self, trust_root: impl Into<Option<Arc<TrustRoot>>>) -> Self {
        self.trust_root = trust_root.into();
        self
    }

    /// The same, telling which of these witnesses signed the checkpoints of log entries.
    #[must_use]
    pub fn with_witnesses(mut self, witnesses: Vec<WitnessKey>) -> Self {
        self.witnesses = witnesses;
        self
    }

    /// The keys that it knows.
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// Verifies every document: each becomes a claim (one for each known key that signed it) or a rejection.
    pub fn verify_all(&self, evidence: Evidence) -> Findings {
        let Evidence { subject, items, searched, omitted } = evidence;
        let mut claims = Vec::new();
        let mut rejected = Vec::new();
        for item in items {
            let Judged { verified, rejections } = self.verify(&item.document, &subject);
            let found = verified.into_iter().map(|claim| Finding { origin: item.origin.clone(), claim });
            claims.extend(found);
            rejected.extend(rejections.into_iter().map(|rejection| Rejected {
                alleged: Alleged::of(&item.document),
                origin: item.origin.clone(),
                rejection,
            }));
        }
        Findings::new(subject, claims, rejected, searched, omitted)
    }

    fn verify(&self, document: &Document, subject: &PinnedRef) -> Judged<Claim> {
        let wanted = subject.digest();
        match document {
            Document::Bundle(bundle) => match Signed::bundled_envelope(bundle, wanted) {
                Ok(signed) => self.judge(&signed, |payload| self.read_claim(payload, wanted)),
                Err(rejection) => Judged::of(rejection),
            },
            Document::LegacySignature(layer) => {
                self.judge(&Signed::simple_signing(layer), |_| read_simple_signing(layer, wanted))
            }
            Document::LegacyAttestation { envelope, material } => {
                let signed = Signed::legacy_envelope(envelope, material, wanted);
                self.judge(&signed, |payload| self.read_claim(payload, wanted))
            }
            Document::Malformed(source) => Judged::of(Rejection::Malformed { source: Arc::clone(source) }),
        }
    }

    /// Verifies an attestation about an artifact that is no image.
    ///
    /// # Errors
    /// The [`Rejection`] that says what does not hold.
    pub fn verify_blob_attestation(
        &self,
        artifact: &Digest,
        bundle: &Bundle,
    ) -> Result<Vec<Verified<Statement>>, Rejection> {
        self.authenticate(&Signed::bundled_envelope(bundle, artifact)?, |payload| {
            self.read_statement(payload, artifact)
        })
    }

    /// Judges every signature of a document and gives those that hold, of which there is one.
    pub(crate) fn authenticate<T: Clone>(
        &self,
        signed: &Signed<'_>,
        read: impl FnOnce(&Payload<'_>) -> Result<T, Unfit>,
    ) -> Result<Vec<Verified<T>>, Rejection> {
        let Judged { verified, rejections } = self.judge(signed, read);
        match rejections.into_iter().next().filter(|_| verified.is_empty()) {
            Some(rejection) => Err(rejection),
            None => Ok(verified),
        }
    }

    /// Finds out who signed, has the value read from what they signed, and vouches for it. Of several signatures each is judged on its
    /// own: one that does not hold takes nothing from another. Gives a claim or a rejection at least.
    ///
    /// The only caller of [`Verified::new`]. Promises 1 to 3 are kept by `signers`, promise 4 by `read`.
    fn judge<T: Clone>(
        &self,
        signed: &Signed<'_>,
        read: impl FnOnce(&Payload<'_>) -> Result<T, Unfit>,
    ) -> Judged<T> {
        let Signers { signers, mut rejections } = match self.signers(signed) {
            Ok(found) => found,
            Err(rejection) => return Judged::of(rejection),
        };
        let Some((first, _)) = signers.first() else {
            if rejections.is_empty() {
                rejections.push(self.unknown_signer(signed));
            }
            return Judged { verified: Vec::new(), rejections };
        };
        let value = match read(&signed.payload) {
            Ok(value) => value,
            Err(unfit) => return Judged::of(unfit.signed_by(first)),
        };
        let vouch = |(signer, proof)| Verified::new(value.clone(), signer, proof);
        Judged { verified: signers.into_iter().map(vouch).collect(), rejections }
    }

    /// Who made the signatures, each once and with the most that is proven about one of theirs, and why others do not hold.
    fn signers(&self, signed: &Signed<'_>) -> Result<Signers, Rejection> {
        if signed.has_several()
            && let Some(trust_root) = &self.trust_root
        {
            signed
                .refuse_strange_entries(trust_root)
                .map_err(|broken| Rejection::not_proven(None, broken))?;
        }
        let mut all = Signers::default();
        for (place, signature) in signed.signatures.iter().enumerate() {
            match self.signers_of(signed, place, signature) {
                Ok(found) => found.into_iter().for_each(|one| keep_better(&mut all.signers, one)),
                Err(rejection) => all.rejections.push(rejection),
            }
        }
        Ok(all)
    }

    /// The known keys that made this signature, or else the holder of the certificate that did, each with what more is proven. None when
    /// nobody known did.
    fn signers_of(
        &self,
        signed: &Signed<'_>,
        place: usize,
        signature: &[u8],
    ) -> Result<Vec<(Signer, Proof)>, Rejection> {
        let certified = signed.may_be_certified(signature);
        let may_be_keyed = !(certified && signed.is_certified_bundle());
        let keys = self.keys.iter().filter(|key| may_be_keyed && signed.is_by(key, signature));
        let keyed: Vec<_> = keys
            .map(|key| Ok((Signer::Key(key.id().clone()), self.proof_beside(key, signed, place)?)))
            .collect::<Result<_, Rejection>>()?;
        let SignerHint::Certificate { identity } = &signed.signer else { return Ok(keyed) };
        let Some(trust_root) = self.trust_root.as_ref().filter(|_| keyed.is_empty() && certified) else {
            return Ok(keyed);
        };
        let broken = |broken| Rejection::not_proven(identity.clone(), broken);
        let exhibit = signed.exhibit(place).map_err(broken)?;
        match trust_root.prove_certified(exhibit, &self.witnesses) {
            Ok((certificate, proof)) => Ok(vec![(Signer::Certificate(Box::new(certificate)), proof)]),
            Err(error) => Err(broken(error)),
        }
    }

    /// What the log entries and timestamps beside a key's signature prove.
    fn proof_beside(&self, key: &PublicKey, signed: &Signed<'_>, place: usize) -> Result<Proof, Rejection> {
        match &self.trust_root {
            Some(trust_root) if signed.shows_more_than_the_signer() => {
                let exhibit = signed.exhibit(place);
                let proof = exhibit.and_then(|exhibit| trust_root.prove_keyed(exhibit, key, &self.witnesses));
                proof.map_err(|broken| Rejection::not_proven(None, broken))
            }
            _ => Ok(Proof::signature_only(signed.log_entries)),
        }
    }

    fn unknown_signer(&self, signed: &Signed<'_>) -> Rejection {
        let tried = self.keys.len();
        let hint = match &signed.signer {
            SignerHint::Certificate { identity } if self.trust_root.is_some() => {
                let source =
                    Arc::from(Box::from("none of the signatures was made with the certificate's key"));
                let broken = Broken { promise: Promise::Signature, source };
                return Rejection::not_proven(identity.clone(), broken);
            }
            SignerHint::Certificate { identity } => {
                return Rejection::NoTrustRoot { identity: identity.clone() };
            }
            SignerHint::Key { hint } => hint.clone(),
        };
        let named = self.keys.iter().find(|key| Some(key.id().hint()) == hint);
        match named {
            Some(key) => {
                Rejection::SignatureInvalid { key: key.id().clone(), algorithm: key.algorithm(), tried }
            }
            None => Rejection::NoKeyMatches { hint, tried },
        }
    }

    fn read_claim(&self, payload: &Payload<'_>, wanted: &Digest) -> Result<Claim, Unfit> {
        let statement = self.read_statement(payload, wanted)?;
        if statement.predicate_type() != predicate_types::COSIGN_SIGN {
            return Ok(Claim::Attestation(statement));
        }
        let about = statement.subjects().iter().find(|subject| subject.has_digest(wanted));
        Ok(Claim::Signature { annotations: about.map(|s| s.annotations.clone()).unwrap_or_default() })
    }

    fn read_statement(&self, payload: &Payload<'_>, wanted: &Digest) -> Result<Statement, Unfit> {
        let (found, bytes) = match payload {
            Payload::Envelope { payload_type, bytes } => (*payload_type, *bytes),
            Payload::Other => ("", b"".as_slice()),
        };
        if found != IN_TOTO_PAYLOAD {
            return Err(Unfit::Type { found: found.chars().take(100).collect() });
        }
        let statement = parse_statement(bytes, &self.limits)?;
        if !statement.is_about(wanted) {
            return Err(Unfit::Subject { found: subjects(&statement), wanted: wanted.clone() });
        }
        Ok(statement)
    }
}

/// Who made a document's signatures, and why others do not hold.
#[derive(Default)]
struct Signers {
    signers: Vec<(Signer, Proof)>,
    rejections: Vec<Rejection>,
}

/// What came of a document's signatures.
struct Judged<T> {
    verified: Vec<Verified<T>>,
    rejections: Vec<Rejection>,
}

impl<T> Judged<T> {
    fn of(rejection: Rejection) -> Self {
        Self { verified: Vec::new(), rejections: vec![rejection] }
    }
}

/// Somebody who signed an envelope twice signed it once, with the better proof of the two.
fn keep_better(signers: &mut Vec<(Signer, Proof)>, (signer, proof): (Signer, Proof)) {
    let strength = |proof: &Proof| {
        (proof.logs(Inclusion::Included), proof.timestamps(), proof.logs(Inclusion::Promised))
    };
    match signers.iter_mut().find(|(known, _)| *known == signer) {
        Some((_, known)) if strength(known) < strength(&proof) => *known = proof,
        Some(_) => {}
        None => signers.push((signer, proof)),
    }
}

/// A signature and what it is over.
pub(crate) struct Signed<'a> {
    /// The exact bytes signed.
    message: Message<'a>,
    /// Any of these may be by a known key.
    signatures: Vec<&'a [u8]>,
    payload: Payload<'a>,
    signer: SignerHint,
    log_entries: usize,
    form: Form<'a>,
    /// What the whole is about, in the protocol's own form.
    artifact: WireArtifact<'a>,
}

/// Where certificate, log entries and timestamps are.
#[derive(Clone, Copy)]
enum Form<'a> {
    Bare,
    Bundle(&'a Bundle),
    Legacy { signature: &'a [u8], material: &'a LegacyMaterial },
    LegacyEnvelope(&'a Envelope, &'a LegacyMaterial),
}

/// The bytes that a signature is over.
pub(crate) enum Message<'a> {
    Borrowed(&'a [u8]),
    Encoded(Vec<u8>),
    Digest(Vec<u8>),
}

/// What the message says, once it is known to be authentic.
pub(crate) enum Payload<'a> {
    Envelope { payload_type: &'a str, bytes: &'a [u8] },
    Other,
}

impl<'a> Signed<'a> {
    /// A signature over a file, with no more than the signature.
    pub(crate) fn bare(message: Message<'a>, signature: &'a [u8], artifact: WireArtifact<'a>) -> Self {
        Self {
            message,
            signatures: vec![signature],
            payload: Payload::Other,
            signer: SignerHint::Key { hint: None },
            log_entries: 0,
            form: Form::Bare,
            artifact,
        }
    }

    /// A signature over a file, in a bundle.
    pub(crate) fn bundled_message(
        bundle: &'a Bundle,
        signature: &'a [u8],
        message: Message<'a>,
        artifact: WireArtifact<'a>,
    ) -> Self {
        Self {
            signer: bundle.signer_hint(),
            log_entries: bundle.log_entries(),
            form: Form::Bundle(bundle),
            ..Self::bare(message, signature, artifact)
        }
    }

    fn bundled_envelope(bundle: &'a Bundle, about: &Digest) -> Result<Self, Rejection> {
        let envelope = match bundle.content() {
            BundleContent::Envelope(envelope) => envelope,
            BundleContent::Message(_) => return Err(Rejection::BlobSignature),
        };
        let (signer, log_entries) = (bundle.signer_hint(), bundle.log_entries());
        Ok(Self { signer, log_entries, form: Form::Bundle(bundle), ..Self::envelope(envelope, about) })
    }

    fn legacy_envelope(envelope: &'a Envelope, material: &'a LegacyMaterial, about: &Digest) -> Self {
        let (signer, log_entries) = (material.signer_hint(), material.log_entries());
        let form = Form::LegacyEnvelope(envelope, material);
        Self { signer, log_entries, form, ..Self::envelope(envelope, about) }
    }

    fn envelope(envelope: &'a Envelope, about: &Digest) -> Self {
        let (payload_type, bytes) = (envelope.payload_type(), envelope.dangerous_payload());
        Self {
            message: Message::Encoded(envelope.pae()),
            signatures: envelope.signatures().iter().map(|one| one.signature.as_slice()).collect(),
            payload: Payload::Envelope { payload_type, bytes },
            signer: SignerHint::Key { hint: None },
            log_entries: 0,
            form: Form::Bare,
            artifact: wire_digest(about),
        }
    }

    fn simple_signing(layer: &'a SimpleSigning) -> Self {
        let payload = layer.dangerous_payload();
        let (message, artifact) = (Message::Borrowed(payload), WireArtifact::Blob(payload));
        Self::legacy(message, layer.signature(), layer.material(), artifact)
    }

    /// A signature with certificate and log entry beside it, as cosign 1 and 2 keep them.
    pub(crate) fn legacy(
        message: Message<'a>,
        signature: &'a [u8],
        material: &'a LegacyMaterial,
        artifact: WireArtifact<'a>,
    ) -> Self {
        Self {
            signer: material.signer_hint(),
            log_entries: material.log_entries(),
            form: Form::Legacy { signature, material },
            ..Self::bare(message, signature, artifact)
        }
    }

    /// A bundle with a certificate is by its holder, whatever else the key in it belongs to.
    fn is_certified_bundle(&self) -> bool {
        matches!(self.form, Form::Bundle(bundle) if prove::is_certified(bundle.material()))
    }

    fn has_several(&self) -> bool {
        self.signatures.len() > 1
    }

    /// Whether the certificate is to be asked about this signature: about the only one in any case, of several about the one that its
    /// key made.
    fn may_be_certified(&self, signature: &[u8]) -> bool {
        if !self.has_several() {
            return matches!(self.signer, SignerHint::Certificate { .. });
        }
        let Some(leaf) = self.certificate() else { return false };
        let Ok(info) = sigstore_crypto::x509::parse_certificate_info(&leaf) else { return false };
        let key = PublicKey::from_der(info.public_key.as_bytes());
        key.is_ok_and(|key| self.is_by(&key, signature))
    }

    fn certificate(&self) -> Option<DerCertificate> {
        match self.form {
            Form::Bare => None,
            Form::Bundle(bundle) => bundle.to_wire(0)?.signing_certificate().cloned(),
            Form::Legacy { material, .. } | Form::LegacyEnvelope(_, material) => material.certificate(),
        }
    }

    fn shows_more_than_the_signer(&self) -> bool {
        match self.form {
            Form::Bare => false,
            Form::Bundle(bundle) => bundle.log_entries() + bundle.timestamps() > 0,
            Form::Legacy { material, .. } | Form::LegacyEnvelope(_, material) => !material.is_empty(),
        }
    }

    /// The signature at `place` in the protocol's own form, with what belongs to it.
    fn exhibit(&self, place: usize) -> Result<Exhibit<'a>, Broken> {
        let mut exhibit = self.everything(place)?;
        if let Some(signature) = self.signatures.get(place).filter(|_| self.has_several()) {
            let entries = &mut exhibit.wire.verification_material.tlog_entries;
            entries.retain(|entry| hashedrekord_names(entry, signature));
            exhibit.records.retain(|record| record.names(signature));
        }
        Ok(exhibit)
    }

    /// The same with all log entries, whichever of the signatures they are about.
    fn everything(&self, place: usize) -> Result<Exhibit<'a>, Broken> {
        let missing = || Broken::structure("there is nothing that log entries or timestamps could be about");
        let (mut wire, mut records) = match self.form {
            Form::Bare => return Err(missing()),
            Form::Bundle(bundle) => (bundle.to_wire(place).ok_or_else(missing)?, bundle.records().to_vec()),
            Form::Legacy { signature, material } => {
                let message = sigstore_types::MessageSignature::new(SignatureBytes::new(signature.to_vec()));
                material.lift(SignatureContent::MessageSignature(message))?
            }
            Form::LegacyEnvelope(envelope, material) => {
                let envelope = wire_envelope(envelope, place).ok_or_else(missing)?;
                material.lift(SignatureContent::DsseEnvelope(envelope))?
            }
        };
        if self.has_several() {
            let entries = &mut wire.verification_material.tlog_entries;
            for entry in std::mem::take(entries) {
                match LogRecord::of_several(entry) {
                    Ok(record) => records.push(record),
                    Err(entry) => entries.push(*entry),
                }
            }
        }
        Ok(Exhibit { wire, records, envelope: self.envelope_itself(), artifact: self.artifact.clone() })
    }

    fn envelope_itself(&self) -> Option<&'a Envelope> {
        match self.form {
            Form::LegacyEnvelope(envelope, _) => Some(envelope),
            Form::Bundle(bundle) => match bundle.content() {
                BundleContent::Envelope(envelope) => Some(envelope),
                BundleContent::Message(_) => None,
            },
            Form::Bare | Form::Legacy { .. } => None,
        }
    }

    /// An entry of a known log that is about none of several signatures is about another envelope.
    fn refuse_strange_entries(&self, trust_root: &TrustRoot) -> Result<(), Broken> {
        if !self.shows_more_than_the_signer() {
            return Ok(());
        }
        let exhibit = self.everything(0)?;
        let known = |id: &sigstore_types::LogId| trust_root.knows_log(id.key_id.as_bytes());
        let named = |names: &dyn Fn(&[u8]) -> bool| self.signatures.iter().any(|signature| names(signature));
        let entries = &exhibit.wire.verification_material.tlog_entries;
        let strange = entries
            .iter()
            .any(|entry| known(&entry.log_id) && !named(&|signature| hashedrekord_names(entry, signature)))
            || exhibit
                .records
                .iter()
                .any(|record| known(&record.entry.log_id) && !named(&|signature| record.names(signature)));
        match strange {
            true => Err(RecordError::Signature.into()),
            false => Ok(()),
        }
    }

    fn is_by(&self, key: &PublicKey, signature: &[u8]) -> bool {
        match &self.message {
            Message::Borrowed(bytes) => key.signed(bytes, signature),
            Message::Encoded(bytes) => key.signed(bytes, signature),
            Message::Digest(digest) => key.signed_digest(digest, signature),
        }
    }
}

/// Why what a known key signed is not what was wanted.
pub(crate) enum Unfit {
    Type { found: String },
    Malformed(PayloadError),
    Subject { found: Vec<String>, wanted: Digest },
}

impl From<PayloadError> for Unfit {
    fn from(source: PayloadError) -> Self {
        Self::Malformed(source)
    }
}

impl Unfit {
    fn signed_by(self, signer: &Signer) -> Rejection {
        let signer = signer.clone();
        match self {
            Self::Type { found } => Rejection::WrongPayloadType { signer, found, wanted: IN_TOTO_PAYLOAD },
            Self::Malformed(source) => Rejection::MalformedPayload { signer, source: Arc::new(source) },
            Self::Subject { found, wanted } => Rejection::WrongSubject { signer, found, wanted },
        }
    }
}

fn read_simple_signing(layer: &SimpleSigning, wanted: &Digest) -> Result<Claim, Unfit> {
    if layer.digest() != wanted {
        return Err(Unfit::Subject { found: vec![layer.digest().to_string()], wanted: wanted.clone() });
    }
    Ok(Claim::Signature { annotations: layer.annotations() })
}

/// A digest in the protocol's own form.
pub(crate) fn wire_digest(digest: &Digest) -> WireArtifact<'static> {
    // A digest is hexadecimal by construction, and of its algorithm's length.
    let bytes = hex::decode(digest.hex()).unwrap_or_default();
    let algorithm = match bytes.len() {
        64 => HashAlgorithm::Sha2512,
        48 => HashAlgorithm::Sha2384,
        _ => HashAlgorithm::Sha2256,
    };
    match ArtifactDigest::new(algorithm, bytes) {
        Ok(digest) => WireArtifact::Digest(digest),
        // Cannot happen by the lines above; nothing has the digest of no bytes under this signature.
        Err(_) => WireArtifact::Blob(&[]),
    }
}

fn subjects(statement: &Statement) -> Vec<String> {
    let digests = statement.subjects().iter().flat_map(|subject| &subject.digest);
    digests.take(SUBJECTS_SHOWN).map(|(algorithm, hex)| format!("{algorithm}:{hex}")).collect()
}
