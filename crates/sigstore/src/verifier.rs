//! The verifier: which of the evidence is authentic and about the image asked about.

use std::sync::Arc;

use touchmark_attestation::{IN_TOTO_PAYLOAD, Statement, predicate_types};
use touchmark_oci::{Digest, PinnedRef};

use crate::prove::Broken;
use crate::signed::{Payload, Signed};
use crate::{
    Alleged, Bundle, Claim, Document, Evidence, Findings, Inclusion, Limits, PayloadError, Promise, Proof,
    PublicKey, Rejected, Rejection, Signer, SignerHint, SimpleSigning, TrustRoot, Verified, WitnessKey,
    parse_statement,
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
        let mut findings =
            Findings::new(evidence.subject.clone(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
        self.verify_more(&mut findings, evidence);
        findings
    }

    /// Verifies more evidence about the image that `findings` are about, and adds what comes of it. What is about another image is
    /// rejected, whatever image `evidence` says it was found for.
    pub fn verify_more(&self, findings: &mut Findings, evidence: Evidence) {
        let Evidence { subject: _, items, searched, omitted } = evidence;
        for item in items {
            let Judged { verified, rejections } = self.verify(&item.document, findings.subject());
            findings.add_claims(&item.origin, verified);
            for rejection in rejections {
                findings.add_rejected(Rejected {
                    alleged: Alleged::of(&item.document),
                    origin: item.origin.clone(),
                    rejection,
                });
            }
        }
        findings.add_places(searched, omitted);
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

fn subjects(statement: &Statement) -> Vec<String> {
    let digests = statement.subjects().iter().flat_map(|subject| &subject.digest);
    digests.take(SUBJECTS_SHOWN).map(|(algorithm, hex)| format!("{algorithm}:{hex}")).collect()
}
