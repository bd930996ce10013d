//! Entries of Rekor that `sigstore-verify` does not compare with what was signed: `intoto` 0.0.1 and `dsse` 0.0.2, which it does not know,
//! and entries about envelopes of several signatures, of which it expects one.
//!
//! The comparison here is of the entry's body, which the log has committed to, with the envelope. What the log has committed to is
//! checked in [`crate::inclusion`]. Bodies are as Rekor's types have them:
//! [intoto 0.0.1](https://github.com/sigstore/rekor/blob/v1.4.0/pkg/types/intoto/v0.0.1/intoto_v0_0_1_schema.json),
//! [intoto 0.0.2](https://github.com/sigstore/rekor/blob/v1.4.0/pkg/types/intoto/v0.0.2/intoto_v0_0_2_schema.json),
//! [dsse 0.0.1](https://github.com/sigstore/rekor/blob/v1.4.0/pkg/types/dsse/v0.0.1/dsse_v0_0_1_schema.json),
//! [dsse 0.0.2](https://github.com/sigstore/rekor-tiles/blob/v2.0.0/api/proto/rekor/v2/dsse.proto).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sigstore_crypto::{sha256, x509::parse_certificate_info};
use sigstore_types::{DerCertificate, HashAlgorithm, KindVersion, TransparencyLogEntry};
use sigstore_verify::rekor::body::RekorEntryBody;
use touchmark_attestation::Envelope;

/// An entry whose body is compared here.
#[derive(Debug, Clone)]
pub(crate) struct LogRecord {
    pub(crate) kind: RecordKind,
    /// The entry. Its own label is that of a kind which the protocol's crates know, and is not looked at.
    pub(crate) entry: TransparencyLogEntry,
}

/// What kind of body an entry has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordKind {
    IntotoV001,
    IntotoV002,
    DsseV001,
    DsseV002,
}

/// Whose signature an entry has to name.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SignerMaterial<'a> {
    /// The holder of a certificate, in DER.
    Certificate(&'a [u8]),
    /// The holder of a key, as SubjectPublicKeyInfo in DER.
    Key(&'a [u8]),
}

impl RecordKind {
    /// The kinds that the protocol's crates cannot even read.
    pub(crate) fn unknown_elsewhere(kind: &str, version: &str) -> Option<Self> {
        match (kind, version) {
            ("intoto", "0.0.1") => Some(Self::IntotoV001),
            ("dsse", "0.0.2") => Some(Self::DsseV002),
            _ => None,
        }
    }

    /// The kind to read an entry under, whose members are the same.
    pub(crate) fn stand_in(self) -> KindVersion {
        match self {
            Self::IntotoV001 | Self::IntotoV002 => KindVersion::IntotoV002,
            Self::DsseV001 => KindVersion::DsseV001,
            Self::DsseV002 => KindVersion::HashedRekordV002,
        }
    }

    /// As the body has it.
    fn name(self) -> (&'static str, &'static str) {
        match self {
            Self::IntotoV001 => ("intoto", "0.0.1"),
            Self::IntotoV002 => ("intoto", "0.0.2"),
            Self::DsseV001 => ("dsse", "0.0.1"),
            Self::DsseV002 => ("dsse", "0.0.2"),
        }
    }

    /// Whether entries of this kind are Rekor 2's, which takes index and root from the checkpoint and dates nothing.
    pub(crate) fn is_rekor_2(self) -> bool {
        self == Self::DsseV002
    }
}

impl LogRecord {
    /// Takes an entry out of a bundle's JSON, if it is of a kind that is read here only.
    pub(crate) fn of_json(entry: &Value) -> Option<Result<Self, serde_json::Error>> {
        let text = |name: &str| entry.get("kindVersion")?.get(name)?.as_str();
        let kind = RecordKind::unknown_elsewhere(text("kind")?, text("version")?)?;
        let mut entry = entry.clone();
        let label = serde_json::to_value(kind.stand_in());
        Some(label.and_then(|label| {
            if let Some(members) = entry.as_object_mut() {
                members.insert("kindVersion".to_owned(), label);
            }
            // By way of text, as the protocol's crates read it.
            Ok(Self { kind, entry: serde_json::from_str(&entry.to_string())? })
        }))
    }

    /// An entry about an envelope of several signatures; one that is not about an envelope's list is given back.
    pub(crate) fn of_several(entry: TransparencyLogEntry) -> Result<Self, Box<TransparencyLogEntry>> {
        match entry.kind_version {
            KindVersion::DsseV001 => Ok(Self { kind: RecordKind::DsseV001, entry }),
            KindVersion::IntotoV002 => Ok(Self { kind: RecordKind::IntotoV002, entry }),
            _ => Err(Box::new(entry)),
        }
    }

    /// Whether the body names this signature. That of `intoto` 0.0.1 names none: it has the digest of the whole envelope.
    pub(crate) fn names(&self, signature: &[u8]) -> bool {
        self.body().is_ok_and(|body| {
            body.envelope.is_some() || body.signatures.iter().any(|one| one.signature == signature)
        })
    }

    /// Whether the entry describes this signature of the envelope, by this signer.
    ///
    /// # Errors
    /// [`RecordError`]: the body cannot be read, or says something else.
    pub(crate) fn check(
        &self,
        envelope: &Envelope,
        signature: &[u8],
        signer: SignerMaterial<'_>,
    ) -> Result<(), RecordError> {
        let body = self.body()?;
        let payload = sha256(envelope.dangerous_payload());
        if body.payload.is_some_and(|hash| hash != payload.as_bytes()) {
            return Err(RecordError::Payload);
        }
        if body.payload_type.is_some_and(|found| found != envelope.payload_type()) {
            return Err(RecordError::PayloadType);
        }
        if let Some((digest, verifier)) = &body.envelope {
            if digest != sha256(&submitted(envelope)).as_bytes() {
                return Err(RecordError::Envelope);
            }
            return if signer.is(verifier) { Ok(()) } else { Err(RecordError::Verifier) };
        }
        let mut named = body.signatures.iter().filter(|one| one.signature == signature).peekable();
        if named.peek().is_none() {
            return Err(RecordError::Signature);
        }
        if named.any(|one| signer.is(&one.verifier)) { Ok(()) } else { Err(RecordError::Verifier) }
    }

    fn body(&self) -> Result<Body, RecordError> {
        let bytes = self.entry.canonicalized_body.as_bytes();
        let (kind, version) = self.kind.name();
        refuse_other_kind(bytes, kind, version)?;
        if self.kind == RecordKind::IntotoV001 {
            return intoto_v001(bytes);
        }
        let body = RekorEntryBody::from_json(bytes, kind, version)
            .map_err(|source| RecordError::Body { source: Box::new(source) })?;
        match body {
            RekorEntryBody::DsseV001(body) => {
                let payload = hash(&body.spec.payload_hash.algorithm, &body.spec.payload_hash.value)?;
                let signature = |one: sigstore_verify::rekor::body::DsseV001Signature| {
                    named(one.signature.as_bytes(), one.verifier.as_bytes())
                };
                Body::new(payload, body.spec.signatures.into_iter().map(signature))
            }
            RekorEntryBody::DsseV002(body) => {
                let body = body.spec.dsse_v002;
                only_sha256(&body.payload_hash.algorithm)?;
                Body::new(
                    body.payload_hash.digest.as_bytes().to_vec(),
                    body.signatures.into_iter().map(named_v2),
                )
            }
            RekorEntryBody::IntotoV002(body) => intoto_v002(body),
            // The kind that was asked for is one of these.
            _ => Err(RecordError::Encoding),
        }
    }
}

impl SignerMaterial<'_> {
    fn is(&self, named: &Verifier) -> bool {
        match (self, named) {
            (Self::Certificate(der), Verifier::Certificate(named)) => der == named,
            (Self::Key(spki), Verifier::Key(named)) => spki == named,
            (Self::Key(spki), Verifier::Certificate(named)) => {
                let info = parse_certificate_info(&DerCertificate::new(named.clone()));
                info.is_ok_and(|info| info.public_key.as_bytes() == *spki)
            }
            (Self::Certificate(_), Verifier::Key(_)) => false,
        }
    }
}

/// What an entry says.
struct Body {
    /// The SHA-256 digest of the payload. The oldest `intoto` entries have none.
    payload: Option<Vec<u8>>,
    payload_type: Option<String>,
    /// The SHA-256 digest of the whole envelope as it was sent, and who signed it: `intoto` 0.0.1.
    envelope: Option<(Vec<u8>, Verifier)>,
    signatures: Vec<NamedSignature>,
}

struct NamedSignature {
    signature: Vec<u8>,
    verifier: Verifier,
}

/// What verifies a signature, in DER.
enum Verifier {
    Certificate(Vec<u8>),
    Key(Vec<u8>),
}

impl Body {
    fn new(
        payload: Vec<u8>,
        signatures: impl Iterator<Item = Result<NamedSignature, RecordError>>,
    ) -> Result<Self, RecordError> {
        let signatures = signatures.collect::<Result<_, _>>()?;
        Ok(Self { payload: Some(payload), payload_type: None, envelope: None, signatures })
    }
}

/// Nothing signs the label beside an entry; the body's own is what the log has committed to.
fn refuse_other_kind(bytes: &[u8], kind: &str, version: &str) -> Result<(), RecordError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Label {
        kind: String,
        api_version: String,
    }
    let label: Label =
        serde_json::from_slice(bytes).map_err(|source| RecordError::Body { source: Box::new(source) })?;
    match (label.kind, label.api_version) {
        (found, at) if found == kind && at == version => Ok(()),
        _ => Err(RecordError::Kind),
    }
}

/// `spec.content` has no envelope: Rekor keeps its digest and leaves the signatures out.
fn intoto_v001(bytes: &[u8]) -> Result<Body, RecordError> {
    #[derive(Deserialize)]
    struct Wire {
        spec: Spec,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Spec {
        content: Content,
        public_key: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Content {
        hash: Hash,
        payload_hash: Option<Hash>,
    }
    #[derive(Deserialize)]
    struct Hash {
        algorithm: HashAlgorithm,
        value: String,
    }
    let Wire { spec } =
        serde_json::from_slice(bytes).map_err(|source| RecordError::Body { source: Box::new(source) })?;
    let read = |written: &Hash| hash(&written.algorithm, &written.value);
    let verifier = verifier(&STANDARD.decode(&spec.public_key).map_err(|_| RecordError::Encoding)?)?;
    Ok(Body {
        payload: spec.content.payload_hash.as_ref().map(read).transpose()?,
        payload_type: None,
        envelope: Some((read(&spec.content.hash)?, verifier)),
        signatures: Vec::new(),
    })
}

fn intoto_v002(body: sigstore_verify::rekor::body::IntotoV002Body) -> Result<Body, RecordError> {
    let content = body.spec.content;
    let payload = hash(&content.payload_hash.algorithm, content.payload_hash.value.as_str())?;
    let signatures = content.envelope.signatures.into_iter().map(|one| {
        // Rekor encodes the signature's base64 once more.
        let signature = STANDARD.decode(one.sig.as_bytes()).map_err(|_| RecordError::Encoding)?;
        named(&signature, one.public_key.as_bytes())
    });
    Ok(Body { payload_type: Some(content.envelope.payload_type), ..Body::new(payload, signatures)? })
}

fn named(signature: &[u8], pem: &[u8]) -> Result<NamedSignature, RecordError> {
    Ok(NamedSignature { signature: signature.to_vec(), verifier: verifier(pem)? })
}

fn named_v2(one: sigstore_verify::rekor::body::DsseV002Signature) -> Result<NamedSignature, RecordError> {
    let signature = one.content.as_bytes().to_vec();
    let verifier = match (one.verifier.x509_certificate, one.verifier.public_key) {
        (Some(certificate), None) => Verifier::Certificate(certificate.raw_bytes.as_bytes().to_vec()),
        (None, Some(key)) => Verifier::Key(key.raw_bytes.as_bytes().to_vec()),
        _ => return Err(RecordError::Encoding),
    };
    Ok(NamedSignature { signature, verifier })
}

fn verifier(pem: &[u8]) -> Result<Verifier, RecordError> {
    let block = pem::parse(pem).map_err(|_| RecordError::Encoding)?;
    match block.tag() {
        "CERTIFICATE" => Ok(Verifier::Certificate(block.into_contents())),
        "PUBLIC KEY" => Ok(Verifier::Key(block.into_contents())),
        _ => Err(RecordError::Encoding),
    }
}

fn hash(algorithm: &HashAlgorithm, value: &str) -> Result<Vec<u8>, RecordError> {
    only_sha256(algorithm)?;
    hex::decode(value).map_err(|_| RecordError::Encoding)
}

fn only_sha256(algorithm: &HashAlgorithm) -> Result<(), RecordError> {
    match algorithm {
        HashAlgorithm::Sha2256 => Ok(()),
        _ => Err(RecordError::Algorithm),
    }
}

/// The envelope as Go writes it and cosign 1 and 2 send it to the log: the digest in an `intoto` 0.0.1 entry is of these bytes. An
/// envelope that somebody wrote in another way is not found again, and its entry does not count.
fn submitted(envelope: &Envelope) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire<'a> {
        payload_type: &'a str,
        payload: String,
        signatures: Vec<Signature<'a>>,
    }
    #[derive(Serialize)]
    struct Signature<'a> {
        keyid: &'a str,
        sig: String,
    }
    let signatures = envelope.signatures().iter().map(|one| Signature {
        keyid: one.key_id.as_deref().unwrap_or_default(),
        sig: STANDARD.encode(&one.signature),
    });
    let wire = Wire {
        payload_type: envelope.payload_type(),
        payload: STANDARD.encode(envelope.dangerous_payload()),
        signatures: signatures.collect(),
    };
    // Writing strings to memory cannot fail.
    serde_json::to_vec(&wire).unwrap_or_default()
}

/// Whether a `hashedrekord` names this signature.
pub(crate) fn hashedrekord_names(entry: &TransparencyLogEntry, signature: &[u8]) -> bool {
    match RekorEntryBody::parse(&entry.canonicalized_body, entry.kind_version) {
        Ok(RekorEntryBody::HashedRekordV001(body)) => body.spec.signature.content.as_bytes() == signature,
        Ok(RekorEntryBody::HashedRekordV002(body)) => {
            body.spec.hashed_rekord_v002.signature.content.as_bytes() == signature
        }
        _ => false,
    }
}

/// Why an entry does not describe a signature.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("body of the log entry is not what its kind promises")]
    Body { source: Box<dyn std::error::Error + Send + Sync> },
    #[error("body of the log entry is of another kind than the entry says")]
    Kind,
    #[error("a digest, signature, key or certificate in the log entry is not encoded as it should be")]
    Encoding,
    #[error("log entry has a digest of another algorithm than SHA-256")]
    Algorithm,
    #[error("log entries of this kind are about envelopes, and this is a signature over a file")]
    NotAnEnvelope,
    #[error("log entry is about another payload")]
    Payload,
    #[error("log entry is about a payload of another type")]
    PayloadType,
    #[error("log entry is about another envelope, or one that was written in another way")]
    Envelope,
    #[error("log entry names another signature")]
    Signature,
    #[error("log entry names another key or certificate")]
    Verifier,
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sigstore_types::{CanonicalizedBody, LogId, LogIndex, LogKeyId};
    use touchmark_attestation::EnvelopeSignature;

    use super::*;

    const KEY: SignerMaterial<'_> = SignerMaterial::Key(b"key");

    fn envelope() -> Envelope {
        let signature = EnvelopeSignature { key_id: None, signature: b"signature".to_vec() };
        Envelope::new("text/plain", b"payload".to_vec(), vec![signature])
    }

    fn record(kind: RecordKind, body: &Value) -> LogRecord {
        let (name, version) = kind.name();
        let mut body = body.clone();
        body["kind"] = json!(name);
        body["apiVersion"] = json!(version);
        let (index, log) = (LogIndex::new(7).unwrap(), LogId::new(LogKeyId::from_bytes(&[0; 32])));
        let body = CanonicalizedBody::new(body.to_string().into_bytes());
        LogRecord { kind, entry: TransparencyLogEntry::new(index, log, kind.stand_in(), body) }
    }

    fn check(record: &LogRecord, signer: SignerMaterial<'_>) -> Result<(), RecordError> {
        record.check(&envelope(), b"signature", signer)
    }

    fn pem(tag: &str, content: &[u8]) -> String {
        STANDARD.encode(pem::encode(&pem::Pem::new(tag, content)))
    }

    fn sha256_of(bytes: &[u8]) -> Value {
        json!({"algorithm": "sha256", "value": hex::encode(sha256(bytes).as_bytes())})
    }

    fn intoto_v001_body() -> Value {
        json!({"spec": {
            "content": {"hash": sha256_of(&submitted(&envelope())), "payloadHash": sha256_of(b"payload")},
            "publicKey": pem("PUBLIC KEY", b"key"),
        }})
    }

    fn intoto_v002_body() -> Value {
        let twice = STANDARD.encode(STANDARD.encode(b"signature"));
        let signatures = json!([{"sig": twice, "publicKey": pem("PUBLIC KEY", b"key")}]);
        json!({"spec": {"content": {
            "envelope": {"payloadType": "text/plain", "signatures": signatures},
            "hash": sha256_of(b""), "payloadHash": sha256_of(b"payload"),
        }}})
    }

    fn dsse_v002_body() -> Value {
        let digest = STANDARD.encode(sha256(b"payload").as_bytes());
        let verifier = json!({"keyDetails": "x", "publicKey": {"rawBytes": STANDARD.encode(b"key")}});
        json!({"spec": {"dsseV002": {
            "payloadHash": {"algorithm": "SHA2_256", "digest": digest},
            "signatures": [{"content": STANDARD.encode(b"signature"), "verifier": verifier}],
        }}})
    }

    #[test]
    fn an_entry_describes_the_signature_that_it_is_about() {
        check(&record(RecordKind::IntotoV001, &intoto_v001_body()), KEY).unwrap();
        check(&record(RecordKind::IntotoV002, &intoto_v002_body()), KEY).unwrap();
        check(&record(RecordKind::DsseV002, &dsse_v002_body()), KEY).unwrap();
        // The oldest entries have no digest of the payload; that of the envelope covers it.
        let mut oldest = intoto_v001_body();
        oldest["spec"]["content"].as_object_mut().unwrap().remove("payloadHash");
        check(&record(RecordKind::IntotoV001, &oldest), KEY).unwrap();
    }

    #[test]
    fn whatever_an_entry_says_otherwise_is_an_error_of_its_own() {
        let changed = |kind, mut body: Value, pointer: &str, value: Value| {
            *body.pointer_mut(pointer).unwrap() = value;
            check(&record(kind, &body), KEY).unwrap_err()
        };
        let (v001, v002, rekor_2) = (RecordKind::IntotoV001, RecordKind::IntotoV002, RecordKind::DsseV002);
        let other = sha256_of(b"other");
        let error = changed(v001, intoto_v001_body(), "/spec/content/hash", other.clone());
        assert!(matches!(error, RecordError::Envelope));
        let error = changed(v001, intoto_v001_body(), "/spec/content/payloadHash", other.clone());
        assert!(matches!(error, RecordError::Payload));
        let error = changed(v001, intoto_v001_body(), "/spec/publicKey", json!(pem("PUBLIC KEY", b"other")));
        assert!(matches!(error, RecordError::Verifier));
        let error = changed(v001, intoto_v001_body(), "/spec/publicKey", json!(pem("PRIVATE KEY", b"key")));
        assert!(matches!(error, RecordError::Encoding));
        let error = changed(v001, intoto_v001_body(), "/spec/content/hash/algorithm", json!("sha512"));
        assert!(matches!(error, RecordError::Algorithm));
        let error = changed(v001, intoto_v001_body(), "/spec", json!({}));
        assert!(matches!(error, RecordError::Body { .. }));
        let error = changed(v002, intoto_v002_body(), "/spec/content/envelope/payloadType", json!("a/b"));
        assert!(matches!(error, RecordError::PayloadType));
        let once = json!(STANDARD.encode(b"*"));
        let error = changed(v002, intoto_v002_body(), "/spec/content/envelope/signatures/0/sig", once);
        assert!(matches!(error, RecordError::Encoding));
        let theirs = json!(STANDARD.encode(b"theirs"));
        let error = changed(rekor_2, dsse_v002_body(), "/spec/dsseV002/signatures/0/content", theirs);
        assert!(matches!(error, RecordError::Signature));
        let error =
            changed(rekor_2, dsse_v002_body(), "/spec/dsseV002/payloadHash/algorithm", json!("SHA2_512"));
        assert!(matches!(error, RecordError::Algorithm));
        let nobody = json!({"keyDetails": "x"});
        let error = changed(rekor_2, dsse_v002_body(), "/spec/dsseV002/signatures/0/verifier", nobody);
        assert!(matches!(error, RecordError::Encoding));
    }

    #[test]
    fn a_body_is_of_the_kind_that_the_log_committed_to_and_not_of_another_label() {
        let mut record = record(RecordKind::IntotoV002, &intoto_v002_body());
        record.kind = RecordKind::IntotoV001;
        assert!(matches!(check(&record, KEY), Err(RecordError::Kind)));
    }

    #[test]
    fn a_key_where_a_certificate_signed_is_another_signer() {
        let record = record(RecordKind::IntotoV001, &intoto_v001_body());
        let error = check(&record, SignerMaterial::Certificate(b"key")).unwrap_err();
        assert!(matches!(error, RecordError::Verifier));
    }
}
