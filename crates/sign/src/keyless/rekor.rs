//! Entries in Rekor's logs, version 1 and 2.
//!
//! Version 1 takes envelopes whole (`dsse` 0.0.1); version 2 takes the digest of what was signed (`hashedrekord` 0.0.2), so that a large
//! statement makes a small entry.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sigstore_rekor::{HashedRekordV2, LogEntry, RekorV2KeyDetails};
use sigstore_types::{DerPublicKey, KindVersion, Sha256Hash, SignatureBytes, TransparencyLogEntry};
use touchmark_attestation::{IN_TOTO_PAYLOAD, pae};
use touchmark_sigstore::{KeyAlgorithm, PublicKey};
use touchmark_transport::{Answer, Client, Method, Request, StatusCode, Url};

use super::call::Service;
use super::signed::{Content, SignedBy, certificate_pem};
use super::{Endpoint, KeylessError, SigningService, sha256};

/// Has the log list the signature.
pub(super) async fn log(
    client: &Client,
    endpoint: &Endpoint,
    content: &Content,
    by: &SignedBy,
) -> Result<TransparencyLogEntry, KeylessError> {
    let log = Service { kind: SigningService::TransparencyLog, url: endpoint.url() };
    match endpoint.version() {
        1 => {
            let (request, kind) = entry_v1(content, by);
            let answer = submit(client, log, "api/v1/log/entries", request.to_string().into_bytes()).await?;
            read_v1(log, &answer.body, kind)
        }
        _ => {
            let request = serde_json::to_vec(&entry_v2(content, by)).map_err(|error| log.unusable(error))?;
            let answer = submit(client, log, "api/v2/log/entries", request).await?;
            read_v2(log, &answer.body)
        }
    }
}

/// Whether the log takes a signature by such a key over such a content. A log knows the digest of a file only, and Ed25519 signs the file;
/// of P-384, version 1 expects SHA-256 and verifiers SHA-384; the requests for version 2 are written for P-256.
pub(super) fn check_key(log: &Endpoint, content: &Content, key: &PublicKey) -> Result<(), KeylessError> {
    let envelope = matches!(content, Content::Envelope { .. });
    let taken = match key.algorithm() {
        KeyAlgorithm::EcdsaP256 => true,
        KeyAlgorithm::Rsa { .. } => log.version() == 1,
        KeyAlgorithm::Ed25519 => log.version() == 1 && envelope,
        _ => false,
    };
    if taken {
        return Ok(());
    }
    Err(KeylessError::KeyNotTaken { algorithm: key.algorithm(), version: log.version() })
}

/// Posts an entry. A log of version 1 that has it already says where, which is as good.
async fn submit(
    client: &Client,
    log: Service<'_>,
    path: &str,
    body: Vec<u8>,
) -> Result<Answer, KeylessError> {
    let answer = log.post(client, log.at(path)?, "application/json", body).await?;
    let answer = match existing(log, &answer)? {
        Some(url) => log.send(client, Request::new(Method::GET, url)).await?,
        None => answer,
    };
    log.success(answer)
}

/// Where the entry is that the log already had: a request that was repeated finds its own. Only on the log's own host.
fn existing(log: Service<'_>, answer: &Answer) -> Result<Option<Url>, KeylessError> {
    if answer.status != StatusCode::CONFLICT {
        return Ok(None);
    }
    let Some(location) = answer.header("location") else { return Ok(None) };
    let url = log.url.join(location).map_err(|error| log.unusable(error))?;
    if url.origin() != log.url.origin() {
        return Err(log.unusable("the log says that the entry is on another host"));
    }
    Ok(Some(url))
}

fn entry_v1(content: &Content, by: &SignedBy) -> (Value, KindVersion) {
    let verifier = STANDARD.encode(match by {
        SignedBy::Certificate { leaf, .. } => certificate_pem(leaf),
        SignedBy::Key(key) => key.to_pem(),
    });
    let (name, spec, kind) = match content {
        Content::Message { digest, signature } => {
            let hash = json!({ "algorithm": "sha256", "value": Sha256Hash::new(*digest).to_hex() });
            let public = json!({ "content": verifier });
            let by = json!({ "content": STANDARD.encode(signature), "publicKey": public });
            let spec = json!({ "data": { "hash": hash }, "signature": by });
            ("hashedrekord", spec, KindVersion::HashedRekordV001)
        }
        Content::Envelope { json: envelope, .. } => {
            let envelope = String::from_utf8_lossy(envelope);
            let proposed = json!({ "envelope": envelope, "verifiers": [verifier] });
            ("dsse", json!({ "proposedContent": proposed }), KindVersion::DsseV001)
        }
    };
    (json!({ "apiVersion": "0.0.1", "kind": name, "spec": spec }), kind)
}

/// The entry in an answer of version 1, as it is in a bundle.
pub(super) fn read_v1(
    log: Service<'_>,
    body: &[u8],
    kind: KindVersion,
) -> Result<TransparencyLogEntry, KeylessError> {
    let entries: BTreeMap<String, LogEntry> =
        serde_json::from_slice(body).map_err(|error| log.unusable(error))?;
    let entry = entries.into_values().next().ok_or_else(|| log.unusable("no entry in the answer"))?;
    entry.to_bundle_entry(kind).map_err(|error| log.unusable(error))
}

fn entry_v2(content: &Content, by: &SignedBy) -> HashedRekordV2 {
    let (digest, signature) = match content {
        Content::Message { digest, signature } => (*digest, signature),
        Content::Envelope { payload, signature, .. } => (sha256(&pae(IN_TOTO_PAYLOAD, payload)), signature),
    };
    let (digest, signature) = (Sha256Hash::new(digest), SignatureBytes::new(signature.clone()));
    let details = RekorV2KeyDetails::PkixEcdsaP256Sha256;
    match by {
        SignedBy::Certificate { leaf, .. } => {
            HashedRekordV2::new_with_certificate(&digest, &signature, leaf, details)
        }
        SignedBy::Key(key) => {
            let key = DerPublicKey::new(key.der().to_vec());
            HashedRekordV2::new_with_public_key(&digest, &signature, &key, details)
        }
    }
}

/// The entry in an answer of version 2.
pub(super) fn read_v2(log: Service<'_>, body: &[u8]) -> Result<TransparencyLogEntry, KeylessError> {
    serde_json::from_slice(body).map_err(|error| log.unusable(error))
}
