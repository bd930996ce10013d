//! Rekor v1: entries with a signed promise, a proof and a time
//! ([its API](https://github.com/sigstore/rekor/blob/v1.4.0/openapi.yaml)).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use super::certificates::{key_in_pem, pem};
use super::json::{canonical, text};
use super::keys::{check, check_digest};
use super::log::Log;
use super::merkle::{leaf, sha256};
use super::{Misbehaviour, Refusal};

pub(super) struct RekorV1 {
    pub(super) log: Log,
    /// When each entry came, by index.
    times: Vec<Timestamp>,
}

/// What became of an entry that was sent.
pub(super) enum Logged {
    Created { uuid: String, entry: Value },
    Known { uuid: String },
}

impl RekorV1 {
    pub(super) fn new(host: &str, now: Timestamp) -> Result<Self, Refusal> {
        let log = Log::v1(format!("{host} - {TREE}"), host)?;
        Ok(Self { log, times: vec![now] })
    }

    /// `POST /api/v1/log/entries`.
    pub(super) fn add(
        &mut self,
        request: &Value,
        now: Timestamp,
        misbehaviour: &Misbehaviour,
    ) -> Result<Logged, Refusal> {
        let body = canonical(&canonical_body(request)?);
        if self.log.find(body.as_bytes()).is_some() {
            return Ok(Logged::Known { uuid: uuid(body.as_bytes()) });
        }
        let uuid = uuid(body.as_bytes());
        let index = self.log.add(body.into_bytes());
        self.times.push(now);
        Ok(Logged::Created { uuid, entry: self.entry(index, misbehaviour)? })
    }

    /// `GET /api/v1/log/entries/{uuid}`, with or without the tree's identifier in front.
    pub(super) fn find(&self, wanted: &str, misbehaviour: &Misbehaviour) -> Result<Value, Refusal> {
        let matches = |entry: &Vec<u8>| !wanted.is_empty() && uuid(entry).ends_with(wanted);
        let index = self.log.entries().iter().position(matches).ok_or_else(|| Refusal::not_found("entry"))?;
        self.entry(index, misbehaviour)
    }

    /// `GET /api/v1/log/entries?logIndex=`.
    pub(super) fn at(&self, index: &str, misbehaviour: &Misbehaviour) -> Result<Value, Refusal> {
        self.entry(index.parse().map_err(|_| Refusal::bad_request("not an index"))?, misbehaviour)
    }

    /// `GET /api/v1/log`.
    pub(super) fn about(&self, misbehaviour: &Misbehaviour) -> Result<Value, Refusal> {
        let tree = self.log.tree();
        Ok(json!({
            "treeID": tree_id(),
            "treeSize": tree.0.len(),
            "rootHash": hex::encode(tree.root()),
            "signedTreeHead": self.log.latest(misbehaviour)?,
            "inactiveShards": [],
        }))
    }

    /// `GET /api/v1/log/publicKey`.
    pub(super) fn public_key(&self) -> Result<String, Refusal> {
        pem("PUBLIC KEY", &self.log.key.public()?)
    }

    /// A map of one entry, by its name.
    fn entry(&self, index: usize, misbehaviour: &Misbehaviour) -> Result<Value, Refusal> {
        let missing = || Refusal::not_found("entry");
        let bytes = self.log.entry(index).ok_or_else(missing)?;
        let time = self.times.get(index).ok_or_else(missing)?.as_second();
        let shown = self.log.show(index, misbehaviour)?;
        let promised = json!({
            "body": STANDARD.encode(bytes),
            "integratedTime": time,
            "logID": hex::encode(self.log.id),
            "logIndex": index,
        });
        let promise = self.log.sign(canonical(&promised).as_bytes(), misbehaviour)?;
        let mut entry = promised;
        if let Some(entry) = entry.as_object_mut() {
            let verification = json!({
                "signedEntryTimestamp": STANDARD.encode(promise),
                "inclusionProof": {
                    "logIndex": shown.index,
                    "treeSize": shown.size,
                    "rootHash": hex::encode(shown.root),
                    "hashes": shown.path.iter().map(hex::encode).collect::<Vec<_>>(),
                    "checkpoint": shown.checkpoint,
                },
            });
            entry.insert("verification".to_owned(), verification);
        }
        Ok(json!({uuid(bytes): entry}))
    }
}

/// The tree's identifier in 16 digits, and the leaf's hash.
fn uuid(entry: &[u8]) -> String {
    format!("{}{}", tree_id(), hex::encode(leaf(entry)))
}

fn tree_id() -> String {
    format!("{TREE:016x}")
}

/// What is kept of a proposed entry whose signatures are right.
fn canonical_body(request: &Value) -> Result<Value, Refusal> {
    match (text(request, "/kind")?, text(request, "/apiVersion")?) {
        ("hashedrekord", "0.0.1") => hashedrekord(request),
        ("dsse", "0.0.1") => dsse(request),
        ("intoto", "0.0.1") => intoto_v001(request),
        ("intoto", "0.0.2") => intoto_v002(request),
        (kind, version) => Err(Refusal::bad_request(format!("no entries of kind {kind} {version} here"))),
    }
}

fn hashedrekord(request: &Value) -> Result<Value, Refusal> {
    let digest = text(request, "/spec/data/hash/value")?;
    let signature = text(request, "/spec/signature/content")?;
    let verifier = text(request, "/spec/signature/publicKey/content")?;
    let bytes = hex::decode(digest).map_err(|_| Refusal::bad_request("not a digest"))?;
    check_digest(&verifier_key(verifier)?, &bytes, &base64(signature)?)
        .map_err(|_| Refusal::bad_request("invalid signature when validating ASN.1 encoded signature"))?;
    Ok(json!({
        "apiVersion": "0.0.1",
        "kind": "hashedrekord",
        "spec": {
            "data": {"hash": {"algorithm": "sha256", "value": digest}},
            "signature": {"content": signature, "publicKey": {"content": verifier}},
        },
    }))
}

fn dsse(request: &Value) -> Result<Value, Refusal> {
    let written = text(request, "/spec/proposedContent/envelope")?;
    let verifiers = list(request, "/spec/proposedContent/verifiers");
    let envelope: Value = envelope(written)?;
    let payload = base64(text(&envelope, "/payload")?)?;
    let signed = pre_authentication_encoding(text(&envelope, "/payloadType")?, &payload);
    let by = |signature: &Value| {
        let signature = text(signature, "/sig")?;
        let bytes = base64(signature)?;
        let made = |verifier: &&Value| {
            let key = verifier.as_str().map(verifier_key);
            key.is_some_and(|key| key.is_ok_and(|key| check(&key, &signed, &bytes).is_ok()))
        };
        let verifier = verifiers.iter().find(made).ok_or_else(not_verified)?;
        Ok(json!({"signature": signature, "verifier": verifier}))
    };
    let signatures = list(&envelope, "/signatures").iter().map(by).collect::<Result<Vec<_>, Refusal>>()?;
    Ok(json!({
        "apiVersion": "0.0.1",
        "kind": "dsse",
        "spec": {
            "envelopeHash": hash(written.as_bytes()),
            "payloadHash": hash(&payload),
            "signatures": signatures,
        },
    }))
}

/// Keeps the digest of the envelope, and none of its signatures.
fn intoto_v001(request: &Value) -> Result<Value, Refusal> {
    let written = text(request, "/spec/content/envelope")?;
    let verifier = text(request, "/spec/publicKey")?;
    let envelope = envelope(written)?;
    let payload = base64(text(&envelope, "/payload")?)?;
    let signed = pre_authentication_encoding(text(&envelope, "/payloadType")?, &payload);
    let key = verifier_key(verifier)?;
    let made = |signature: &Value| {
        let signature = text(signature, "/sig").and_then(base64);
        signature.is_ok_and(|signature| check(&key, &signed, &signature).is_ok())
    };
    if !list(&envelope, "/signatures").iter().any(made) {
        return Err(not_verified());
    }
    Ok(json!({
        "apiVersion": "0.0.1",
        "kind": "intoto",
        "spec": {
            "content": {"hash": hash(written.as_bytes()), "payloadHash": hash(&payload)},
            "publicKey": verifier,
        },
    }))
}

/// Takes payload and signatures in base64 twice, as its clients send them.
fn intoto_v002(request: &Value) -> Result<Value, Refusal> {
    let envelope = request.pointer("/spec/content/envelope").unwrap_or(&Value::Null);
    let twice = |encoded: &str| {
        let once = String::from_utf8(base64(encoded)?).map_err(|_| Refusal::bad_request("not base64"))?;
        base64(&once)
    };
    let payload_type = text(envelope, "/payloadType")?;
    let payload = twice(text(envelope, "/payload")?)?;
    let signed = pre_authentication_encoding(payload_type, &payload);
    for signature in list(envelope, "/signatures") {
        let key = verifier_key(text(signature, "/publicKey")?)?;
        check(&key, &signed, &twice(text(signature, "/sig")?)?).map_err(|_| not_verified())?;
    }
    Ok(json!({
        "apiVersion": "0.0.2",
        "kind": "intoto",
        "spec": {"content": {
            "envelope": {"payloadType": payload_type, "signatures": list(envelope, "/signatures")},
            "hash": hash(envelope.to_string().as_bytes()),
            "payloadHash": hash(&payload),
        }},
    }))
}

fn envelope(written: &str) -> Result<Value, Refusal> {
    serde_json::from_str(written).map_err(|_| Refusal::bad_request("the envelope is not JSON"))
}

pub(super) fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn hash(bytes: &[u8]) -> Value {
    json!({"algorithm": "sha256", "value": hex::encode(sha256(&[bytes]))})
}

fn not_verified() -> Refusal {
    Refusal::bad_request("could not verify envelope")
}

fn verifier_key(content: &str) -> Result<SubjectPublicKeyInfoOwned, Refusal> {
    let pem = String::from_utf8(base64(content)?).map_err(|_| Refusal::bad_request("not a PEM block"))?;
    key_in_pem(&pem)
}

pub(super) fn base64(text: &str) -> Result<Vec<u8>, Refusal> {
    STANDARD.decode(text).map_err(|_| Refusal::bad_request("not base64"))
}

/// What a DSSE signature is over ([DSSE v1.0, protocol](https://github.com/secure-systems-lab/dsse/blob/v1.0.0/protocol.md)).
pub(super) fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut encoded = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    encoded.extend(payload);
    encoded
}

/// An arbitrary name for the one tree.
const TREE: u64 = 3_904_496_407_287_907_110;
