//! What is signed in a document, in whichever form it is kept: the bytes, the signatures over them, and what lies beside.

use sigstore_types::{
    Artifact as WireArtifact, ArtifactDigest, DerCertificate, HashAlgorithm, SignatureBytes, SignatureContent,
};
use touchmark_attestation::Envelope;
use touchmark_oci::Digest;

use crate::bundle::wire_envelope;
use crate::log_record::{LogRecord, RecordError, hashedrekord_names};
use crate::prove::{self, Broken, Exhibit};
use crate::{
    Bundle, BundleContent, LegacyMaterial, PublicKey, Rejection, SignerHint, SimpleSigning, TrustRoot,
};

/// A signature and what it is over.
pub(crate) struct Signed<'a> {
    /// The exact bytes signed.
    message: Message<'a>,
    /// Any of these may be by a known key.
    pub(crate) signatures: Vec<&'a [u8]>,
    pub(crate) payload: Payload<'a>,
    pub(crate) signer: SignerHint,
    pub(crate) log_entries: usize,
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

    pub(crate) fn bundled_envelope(bundle: &'a Bundle, about: &Digest) -> Result<Self, Rejection> {
        let envelope = match bundle.content() {
            BundleContent::Envelope(envelope) => envelope,
            BundleContent::Message(_) => return Err(Rejection::BlobSignature),
        };
        let (signer, log_entries) = (bundle.signer_hint(), bundle.log_entries());
        Ok(Self { signer, log_entries, form: Form::Bundle(bundle), ..Self::envelope(envelope, about) })
    }

    pub(crate) fn legacy_envelope(
        envelope: &'a Envelope,
        material: &'a LegacyMaterial,
        about: &Digest,
    ) -> Self {
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

    pub(crate) fn simple_signing(layer: &'a SimpleSigning) -> Self {
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
    pub(crate) fn is_certified_bundle(&self) -> bool {
        matches!(self.form, Form::Bundle(bundle) if prove::is_certified(bundle.material()))
    }

    pub(crate) fn has_several(&self) -> bool {
        self.signatures.len() > 1
    }

    /// Whether the certificate is to be asked about this signature: about the only one in any case, of several about the one that its
    /// key made.
    pub(crate) fn may_be_certified(&self, signature: &[u8]) -> bool {
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

    pub(crate) fn shows_more_than_the_signer(&self) -> bool {
        match self.form {
            Form::Bare => false,
            Form::Bundle(bundle) => bundle.log_entries() + bundle.timestamps() > 0,
            Form::Legacy { material, .. } | Form::LegacyEnvelope(_, material) => !material.is_empty(),
        }
    }

    /// The signature at `place` in the protocol's own form, with what belongs to it.
    pub(crate) fn exhibit(&self, place: usize) -> Result<Exhibit<'a>, Broken> {
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
    pub(crate) fn refuse_strange_entries(&self, trust_root: &TrustRoot) -> Result<(), Broken> {
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

    pub(crate) fn is_by(&self, key: &PublicKey, signature: &[u8]) -> bool {
        match &self.message {
            Message::Borrowed(bytes) => key.signed(bytes, signature),
            Message::Encoded(bytes) => key.signed(bytes, signature),
            Message::Digest(digest) => key.signed_digest(digest, signature),
        }
    }
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
