//! Entries in Rekor's logs, version 1 and 2.
//!
//! Version 1 takes envelopes whole (`dsse` 0.0.1); version 2 takes the digest of what was signed (`hashedrekord` 0.0.2), so that a large
//! statement makes a small entry.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sigstore_rekor::{HashedRekordV2, LogEntry, RekorV2KeyDetails};
use sigstore_types::{DerCertificate, KindVersion, Sha256Hash, SignatureBytes, TransparencyLogEntry};
use touchmark_attestation::pae;
use touchmark_transport::{Answer, Client, Method, Request, StatusCode, Url};

use super::call::Service;
use super::{Endpoint, Entry, KeylessError, SigningService, sha256};

/// Has the log list the signature.
pub(super) async fn log(
    client: &Client,
    endpoint: &Endpoint,
    entry: &Entry<'_>,
    signature: &SignatureBytes,
    certificate: &DerCertificate,
) -> Result<TransparencyLogEntry, KeylessError> {
    let log = Service { kind: SigningService::TransparencyLog, url: endpoint.url() };
    match endpoint.version() {
        1 => log_v1(client, log, entry, signature, certificate).await,
        _ => log_v2(client, log, entry, signature, certificate).await,
    }
}

async fn log_v1(
    client: &Client,
    log: Service<'_>,
    entry: &Entry<'_>,
    signature: &SignatureBytes,
    certificate: &DerCertificate,
) -> Result<TransparencyLogEntry, KeylessError> {
    let verifier = STANDARD.encode(pem_of(certificate));
    let (request, kind) = match entry {
        Entry::Message { digest } => {
            let hash = json!({ "algorithm": "sha256", "value": Sha256Hash::new(*digest).to_hex() });
            let by = json!({ "content": signature, "publicKey": { "content": verifier } });
            let spec = json!({ "data": { "hash": hash }, "signature": by });
            (("hashedrekord", spec), KindVersion::HashedRekordV001)
        }
        Entry::Envelope(envelope) => {
            let envelope = serde_json::to_string(envelope).map_err(|error| log.unusable(error))?;
            let proposed = json!({ "envelope": envelope, "verifiers": [verifier] });
            (("dsse", json!({ "proposedContent": proposed })), KindVersion::DsseV001)
        }
    };
    let (name, spec) = request;
    let body = json!({ "apiVersion": "0.0.1", "kind": name, "spec": spec }).to_string().into_bytes();
    let answer = log.post(client, log.at("api/v1/log/entries")?, "application/json", body).await?;
    let answer = match existing(log, &answer)? {
        Some(url) => log.send(client, Request::new(Method::GET, url)).await?,
        None => answer,
    };
    let answer = log.success(answer)?;
    let entries: BTreeMap<String, LogEntry> =
        serde_json::from_slice(&answer.body).map_err(|error| log.unusable(error))?;
    let entry = entries.into_values().next().ok_or_else(|| log.unusable("no entry in the answer"))?;
    entry.to_bundle_entry(kind).map_err(|error| log.unusable(error))
}

/// With bare line feeds, as Rekor's clients write it: the log keeps the text, and verifiers in Python compare it with theirs.
fn pem_of(certificate: &DerCertificate) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new("CERTIFICATE", certificate.as_bytes()), config)
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

async fn log_v2(
    client: &Client,
    log: Service<'_>,
    entry: &Entry<'_>,
    signature: &SignatureBytes,
    certificate: &DerCertificate,
) -> Result<TransparencyLogEntry, KeylessError> {
    let digest = match entry {
        Entry::Message { digest } => *digest,
        Entry::Envelope(envelope) => sha256(&pae(&envelope.payload_type, envelope.payload.as_bytes())),
    };
    let details = RekorV2KeyDetails::PkixEcdsaP256Sha256;
    let record =
        HashedRekordV2::new_with_certificate(&Sha256Hash::new(digest), signature, certificate, details);
    let body = serde_json::to_vec(&record).map_err(|error| log.unusable(error))?;
    let answer = log.post(client, log.at("api/v2/log/entries")?, "application/json", body).await?;
    let answer = log.success(answer)?;
    serde_json::from_slice(&answer.body).map_err(|error| log.unusable(error))
}
