//! The verifier: which of the evidence is authentic and about the image asked about.

use std::sync::Arc;

use touchmark_attestation::{Envelope, IN_TOTO_PAYLOAD, Statement, predicate_types};
use touchmark_oci::{Digest, PinnedRef};

use crate::{
    Alleged, Bundle, BundleContent, Claim, Document, Evidence, Finding, Findings, Limits, LogProof,
    PayloadError, Proof, PublicKey, Rejected, Rejection, Signer, SignerHint, SimpleSigning, Verified,
    parse_statement,
};

/// How many foreign digests a [`Rejection::WrongSubject`] names.
const SUBJECTS_SHOWN: usize = 4;

/// Verifies with a fixed set of keys. Pure: the same evidence gives the same findings, always.
///
/// There is nothing to switch off.
#[derive(Debug, Clone)]
pub struct Verifier {
    keys: Vec<PublicKey>,
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
        Self { keys: known, limits }
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
            match self.verify(&item.document, &subject) {
                Ok(found) => {
                    claims.extend(
                        found.into_iter().map(|claim| Finding { origin: item.origin.clone(), claim }),
                    );
                }
                Err(rejection) => rejected.push(Rejected {
                    alleged: Alleged::of(&item.document),
                    origin: item.origin,
                    rejection,
                }),
            }
        }
        Findings::new(subject, claims, rejected, searched, omitted)
    }

    fn verify(&self, document: &Document, subject: &PinnedRef) -> Result<Vec<Verified<Claim>>, Rejection> {
        let wanted = subject.digest();
        match document {
            Document::Bundle(bundle) => self
                .authenticate(&Signed::bundled_envelope(bundle)?, |payload| self.read_claim(payload, wanted)),
            Document::LegacySignature(layer) => {
                self.authenticate(&Signed::simple_signing(layer), |_| read_simple_signing(layer, wanted))
            }
            Document::LegacyAttestation(envelope) => {
                self.authenticate(&Signed::envelope(envelope), |payload| self.read_claim(payload, wanted))
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
        self.authenticate(&Signed::bundled_envelope(bundle)?, |payload| {
            self.read_statement(payload, artifact)
        })
    }

    /// Finds out which known keys signed, has the value read from what they signed, and vouches for it.
    ///
    /// The only caller of [`Verified::new`]. Promise 1 is kept by `signers`, promise 4 by `read`; promises 2 and 3 are empty: nothing
    /// signed with a certificate comes here, and no log entry counts as proof.
    pub(crate) fn authenticate<T: Clone>(
        &self,
        signed: &Signed<'_>,
        read: impl FnOnce(&Payload<'_>) -> Result<T, Unfit>,
    ) -> Result<Vec<Verified<T>>, Rejection> {
        let signers: Vec<&PublicKey> = self.keys.iter().filter(|key| signed.is_by(key)).collect();
        let first = signers.first().ok_or_else(|| self.unknown_signer(signed))?;
        let value = read(&signed.payload).map_err(|unfit| unfit.signed_by(first))?;
        let log = match signed.log_entries {
            0 => LogProof::NotShown,
            entries => LogProof::NotVerified { entries },
        };
        let vouch = |key: &&PublicKey| {
            Verified::new(value.clone(), Signer::Key(key.id().clone()), Proof::new(log.clone()))
        };
        Ok(signers.iter().map(vouch).collect())
    }

    fn unknown_signer(&self, signed: &Signed<'_>) -> Rejection {
        let tried = self.keys.len();
        let hint = match &signed.signer {
            SignerHint::Certificate { identity } => {
                return Rejection::KeylessNotSupported { identity: identity.clone() };
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
    pub(crate) fn new(
        message: Message<'a>,
        signature: &'a [u8],
        signer: SignerHint,
        log_entries: usize,
    ) -> Self {
        Self { message, signatures: vec![signature], payload: Payload::Other, signer, log_entries }
    }

    fn bundled_envelope(bundle: &'a Bundle) -> Result<Self, Rejection> {
        let signer = bundle.signer_hint();
        if let SignerHint::Certificate { identity } = signer {
            return Err(Rejection::KeylessNotSupported { identity });
        }
        let envelope = match bundle.content() {
            BundleContent::Envelope(envelope) => envelope,
            BundleContent::Message(_) => return Err(Rejection::BlobSignature),
        };
        let count = envelope.signatures().len();
        if count != 1 {
            return Err(Rejection::SignatureCount { count });
        }
        Ok(Self { signer, log_entries: bundle.log_entries(), ..Self::envelope(envelope) })
    }

    fn envelope(envelope: &'a Envelope) -> Self {
        Self {
            message: Message::Encoded(envelope.pae()),
            signatures: envelope
                .signatures()
                .iter()
                .map(|signature| signature.signature.as_slice())
                .collect(),
            payload: Payload::Envelope {
                payload_type: envelope.payload_type(),
                bytes: envelope.dangerous_payload(),
            },
            signer: SignerHint::Key { hint: None },
            log_entries: 0,
        }
    }

    fn simple_signing(layer: &'a SimpleSigning) -> Self {
        let message = Message::Borrowed(layer.dangerous_payload());
        Self::new(message, layer.signature(), layer.signer_hint(), usize::from(layer.has_log_entry()))
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
    fn signed_by(self, key: &PublicKey) -> Rejection {
        let signer = key.id().clone();
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
