//! The verifier: which of the evidence is authentic and about the image asked about.

use std::sync::Arc;

use sigstore_types::{
    Artifact as WireArtifact, ArtifactDigest, HashAlgorithm, SignatureBytes, SignatureContent,
};
use touchmark_attestation::{Envelope, IN_TOTO_PAYLOAD, Statement, predicate_types};
use touchmark_oci::{Digest, PinnedRef};

use crate::bundle::wire_envelope;
use crate::prove::{self, Broken, Exhibit};
use crate::{
    Alleged, Bundle, BundleContent, Claim, Document, Evidence, Findings, LegacyMaterial, Limits,
    PayloadError, Proof, PublicKey, Rejected, Rejection, Signer, SignerHint, SimpleSigning, TrustRoot,
    Verified, parse_statement,
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
        Self { keys: known, trust_root: None, limits }
    }

    /// The same, trusting the authorities and logs of `trust_root`: certificates count then, and log entries and timestamps prove.
    #[must_use]
    pub fn with_trust_root(mut self, trust_root: Arc<TrustRoot>) -> Self {
        self.trust_root = Some(trust_root);
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
            match self.verify(&item.document, findings.subject()) {
                Ok(found) => findings.add_claims(&item.origin, found),
                Err(rejection) => findings.add_rejected(Rejected {
                    alleged: Alleged::of(&item.document),
                    origin: item.origin,
                    rejection,
                }),
            }
        }
        findings.add_places(searched, omitted);
    }

    fn verify(&self, document: &Document, subject: &PinnedRef) -> Result<Vec<Verified<Claim>>, Rejection> {
        let wanted = subject.digest();
        match document {
            Document::Bundle(bundle) => self
                .authenticate(&Signed::bundled_envelope(bundle, wanted)?, |payload| {
                    self.read_claim(payload, wanted)
                }),
            Document::LegacySignature(layer) => {
                self.authenticate(&Signed::simple_signing(layer), |_| read_simple_signing(layer, wanted))
            }
            Document::LegacyAttestation { envelope, material } => {
                let signed = Signed::legacy_envelope(envelope, material, wanted);
                self.authenticate(&signed, |payload| self.read_claim(payload, wanted))
            }
            Document::Malformed(source) => Err(Rejection::Malformed { source: Arc::clone(source) }),
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

    /// Finds out who signed, has the value read from what they signed, and vouches for it.
    ///
    /// The only caller of [`Verified::new`]. Promises 1 to 3 are kept by `signers`, promise 4 by `read`.
    pub(crate) fn authenticate<T: Clone>(
        &self,
        signed: &Signed<'_>,
        read: impl FnOnce(&Payload<'_>) -> Result<T, Unfit>,
    ) -> Result<Vec<Verified<T>>, Rejection> {
        let signers = self.signers(signed)?;
        let (first, _) = signers.first().ok_or_else(|| self.unknown_signer(signed))?;
        let value = read(&signed.payload).map_err(|unfit| unfit.signed_by(first))?;
        let vouch = |(signer, proof)| Verified::new(value.clone(), signer, proof);
        Ok(signers.into_iter().map(vouch).collect())
    }

    /// The known keys that made the signature, or else the holder of the certificate that did, each with what more is proven. None
    /// when nobody known did.
    fn signers(&self, signed: &Signed<'_>) -> Result<Vec<(Signer, Proof)>, Rejection> {
        let keys = self.keys.iter().filter(|key| !signed.is_certified_bundle() && signed.is_by(key));
        let keyed: Vec<_> = keys
            .map(|key| Ok((Signer::Key(key.id().clone()), self.proof_beside(key, signed)?)))
            .collect::<Result<_, Rejection>>()?;
        let SignerHint::Certificate { identity } = &signed.signer else { return Ok(keyed) };
        let Some(trust_root) = self.trust_root.as_ref().filter(|_| keyed.is_empty()) else {
            return Ok(keyed);
        };
        let broken = |broken| Rejection::not_proven(identity.clone(), broken);
        let exhibit = signed.exhibit().map_err(broken)?;
        match trust_root.prove_certified(exhibit) {
            Ok((certificate, proof)) => Ok(vec![(Signer::Certificate(Box::new(certificate)), proof)]),
            Err(error) => Err(broken(error)),
        }
    }

    /// What the log entries and timestamps beside a key's signature prove.
    fn proof_beside(&self, key: &PublicKey, signed: &Signed<'_>) -> Result<Proof, Rejection> {
        match &self.trust_root {
            Some(trust_root) if signed.shows_more_than_the_signer() => {
                let proof = signed.exhibit().and_then(|exhibit| trust_root.prove_keyed(exhibit, key));
                proof.map_err(|broken| Rejection::not_proven(None, broken))
            }
            _ => Ok(Proof::signature_only(signed.log_entries)),
        }
    }

    fn unknown_signer(&self, signed: &Signed<'_>) -> Rejection {
        let tried = self.keys.len();
        let hint = match &signed.signer {
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
    LegacySignature(&'a SimpleSigning),
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
        let count = envelope.signatures().len();
        if count != 1 {
            return Err(Rejection::SignatureCount { count });
        }
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
        Self {
            signer: layer.material().signer_hint(),
            log_entries: layer.material().log_entries(),
            form: Form::LegacySignature(layer),
            ..Self::bare(Message::Borrowed(payload), layer.signature(), WireArtifact::Blob(payload))
        }
    }

    /// A bundle with a certificate is by its holder, whatever else the key in it belongs to.
    fn is_certified_bundle(&self) -> bool {
        matches!(self.form, Form::Bundle(bundle) if prove::is_certified(bundle.material()))
    }

    fn shows_more_than_the_signer(&self) -> bool {
        match self.form {
            Form::Bare => false,
            Form::Bundle(bundle) => prove::shows_more_than_the_signer(bundle.material()),
            Form::LegacySignature(layer) => !layer.material().is_empty(),
            Form::LegacyEnvelope(_, material) => !material.is_empty(),
        }
    }

    /// The whole in the protocol's own form.
    fn exhibit(&self) -> Result<Exhibit<'a>, Broken> {
        let wire = match self.form {
            Form::Bare => None,
            Form::Bundle(bundle) => bundle.to_wire(),
            Form::LegacySignature(layer) => {
                let signature = SignatureBytes::new(layer.signature().to_vec());
                let message = sigstore_types::MessageSignature::new(signature);
                Some(layer.material().lift(SignatureContent::MessageSignature(message))?)
            }
            Form::LegacyEnvelope(envelope, material) => wire_envelope(envelope)
                .map(|envelope| material.lift(SignatureContent::DsseEnvelope(envelope)))
                .transpose()?,
        };
        let wire = wire.ok_or_else(|| {
            Broken::structure("log entries and timestamps can belong to one signature only")
        })?;
        Ok(Exhibit { wire, artifact: self.artifact.clone() })
    }

    fn is_by(&self, key: &PublicKey) -> bool {
        self.signatures.iter().any(|signature| match &self.message {
            Message::Borrowed(bytes) => key.signed(bytes, signature),
            Message::Encoded(bytes) => key.signed(bytes, signature),
            Message::Digest(digest) => key.signed_digest(digest, signature),
        })
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
