//! Rekor v2: entries with a proof, and the log's tiles
//! ([its API](https://github.com/sigstore/rekor-tiles/blob/v2.0.0/api/proto/rekor/v2/rekor_service.proto)).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use der::Decode;
use serde_json::{Value, json};
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use super::certificates::key_in_certificate;
use super::clock::Clock;
use super::json::{canonical, text};
use super::keys::{check, check_digest};
use super::log::Log;
use super::merkle::sha256;
use super::rekor_v1::{base64, list, pre_authentication_encoding};
use super::witness::Witness;
use super::{Misbehaviour, Refusal};

pub(super) struct RekorV2 {
    pub(super) log: Log,
}

impl RekorV2 {
    pub(super) fn new(host: &str, witnesses: usize, clock: &Clock) -> Result<Self, Refusal> {
        let witnesses = (1..=witnesses).map(|number| Witness::new(number, clock));
        Ok(Self { log: Log::v2(host, witnesses.collect::<Result<_, _>>()?)? })
    }

    /// `POST /api/v2/log/entries`: a `TransparencyLogEntry`.
    pub(super) fn add(&mut self, request: &Value, misbehaviour: &Misbehaviour) -> Result<Value, Refusal> {
        let (kind, body) = canonical_body(request)?;
        let body = canonical(&body).into_bytes();
        let encoded = STANDARD.encode(&body);
        let index = match self.log.find(&body) {
            Some(known) => known,
            None => self.log.add(body),
        };
        let shown = self.log.show(index, misbehaviour)?;
        Ok(json!({
            "logIndex": index.to_string(),
            "logId": {"keyId": STANDARD.encode(self.log.id)},
            "kindVersion": {"kind": kind, "version": "0.0.2"},
            "inclusionProof": {
                "logIndex": index.to_string(),
                "rootHash": STANDARD.encode(shown.root),
                "treeSize": shown.size.to_string(),
                "hashes": shown.path.iter().map(|hash| STANDARD.encode(hash)).collect::<Vec<_>>(),
                "checkpoint": {"envelope": shown.checkpoint},
            },
            "canonicalizedBody": encoded,
        }))
    }

    /// `GET /api/v2/tile/…`: a level's tile, or a bundle of entries
    /// ([tlog-tiles](https://github.com/C2SP/C2SP/blob/main/tlog-tiles.md)).
    pub(super) fn tile(&self, path: &str) -> Result<Vec<u8>, Refusal> {
        let missing = || Refusal::not_found("tile");
        let (level, rest) = path.split_once('/').ok_or_else(missing)?;
        let (index, width) = tile_name(rest).ok_or_else(missing)?;
        let bytes = if level == "entries" {
            let entries = self.log.entries().iter().skip(index.saturating_mul(256)).take(width);
            entries.flat_map(|entry| entry_in_bundle(entry)).collect::<Vec<u8>>()
        } else {
            let level = level.parse().ok().filter(|level| *level < 8).ok_or_else(missing)?;
            self.log.tree().tile(level, index).into_iter().take(width).flatten().collect()
        };
        if bytes.is_empty() { Err(missing()) } else { Ok(bytes) }
    }
}

/// The index and width in `x001/234` or `x001/234.p/5`.
fn tile_name(path: &str) -> Option<(usize, usize)> {
    let (path, width) = match path.split_once(".p/") {
        Some((path, width)) => (path, width.parse().ok()?),
        None => (path, 256),
    };
    let digits: String = path.chars().filter(|character| !matches!(character, 'x' | '/')).collect();
    Some((digits.parse().ok()?, width))
}

/// An entry behind its length in two bytes.
fn entry_in_bundle(entry: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(entry.len()).unwrap_or(u16::MAX).to_be_bytes().to_vec();
    bytes.extend(entry);
    bytes
}

/// The kind and what is kept of a request whose signatures are right.
fn canonical_body(request: &Value) -> Result<(&'static str, Value), Refusal> {
    if let Some(request) = request.get("hashedRekordRequestV002") {
        return Ok(("hashedrekord", hashedrekord(request)?));
    }
    match request.get("dsseRequestV002") {
        Some(request) => Ok(("dsse", dsse(request)?)),
        None => Err(Refusal::bad_request("no entries of this kind here")),
    }
}

fn hashedrekord(request: &Value) -> Result<Value, Refusal> {
    let digest = text(request, "/digest")?;
    let signature = text(request, "/signature/content")?;
    let verifier = request.pointer("/signature/verifier").unwrap_or(&Value::Null);
    check_digest(&verifier_key(verifier)?, &base64(digest)?, &base64(signature)?)
        .map_err(|_| Refusal::bad_request("verifying signature"))?;
    Ok(json!({
        "apiVersion": "0.0.2",
        "kind": "hashedrekord",
        "spec": {"hashedRekordV002": {
            "data": {"algorithm": "SHA2_256", "digest": digest},
            "signature": {"content": signature, "verifier": verifier},
        }},
    }))
}

fn dsse(request: &Value) -> Result<Value, Refusal> {
    let payload = base64(text(request, "/envelope/payload")?)?;
    let signed = pre_authentication_encoding(text(request, "/envelope/payloadType")?, &payload);
    let verifiers = list(request, "/verifiers");
    let by = |signature: &Value| {
        let signature = text(signature, "/sig")?;
        let bytes = base64(signature)?;
        let made =
            |verifier: &&Value| verifier_key(verifier).is_ok_and(|key| check(&key, &signed, &bytes).is_ok());
        let verifier = verifiers.iter().find(made);
        let verifier = verifier.ok_or_else(|| Refusal::bad_request("verifying signature"))?;
        Ok(json!({"content": signature, "verifier": verifier}))
    };
    let signatures = list(request, "/envelope/signatures").iter().map(by);
    Ok(json!({
        "apiVersion": "0.0.2",
        "kind": "dsse",
        "spec": {"dsseV002": {
            "payloadHash": {"algorithm": "SHA2_256", "digest": STANDARD.encode(sha256(&[&payload]))},
            "signatures": signatures.collect::<Result<Vec<_>, Refusal>>()?,
        }},
    }))
}

fn verifier_key(verifier: &Value) -> Result<SubjectPublicKeyInfoOwned, Refusal> {
    match text(verifier, "/x509Certificate/rawBytes") {
        Ok(certificate) => key_in_certificate(&base64(certificate)?),
        Err(_) => Ok(SubjectPublicKeyInfoOwned::from_der(&base64(text(verifier, "/publicKey/rawBytes")?)?)?),
    }
}
