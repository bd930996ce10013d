//! What clients are told of all this: whom to trust, and whom to ask
//! ([trusted root and signing config](https://github.com/sigstore/protobuf-specs/blob/v0.5.0/protos/sigstore_trustroot.proto)).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::certificates::Certified;
use super::keys::Key;
use super::log::Log;
use super::merkle::{Hash, sha256};
use super::{Authority, Misbehaviour, Parts, Refusal};

/// `trusted_root.json`.
pub(super) fn trusted_root(
    parts: &Parts,
    url: &str,
    now: Timestamp,
    misbehaviour: &Misbehaviour,
) -> Result<Value, Refusal> {
    let window = |authority: Authority| {
        let start = parts.started.saturating_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN);
        let end = now.saturating_sub(SignedDuration::from_hours(1)).unwrap_or(Timestamp::MIN);
        if misbehaviour.expired.contains(&authority) {
            json!({"start": written(start), "end": written(end)})
        } else {
            json!({"start": written(start)})
        }
    };
    let ct_log = &parts.ct_log.key;
    Ok(json!({
        "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "tlogs": [
            rekor(&parts.rekor_v1.log, url, &window(Authority::RekorV1))?,
            rekor(&parts.rekor_v2.log, url, &window(Authority::RekorV2))?,
        ],
        "certificateAuthorities": [authority(
            "fulcio",
            url,
            &[&parts.fulcio.intermediate, &parts.fulcio.root],
            &window(Authority::Certificates),
        )?],
        "ctlogs": [log(ct_log, &sha256(&[&ct_log.public()?]), url, &window(Authority::CtLog))?],
        "timestampAuthorities": [authority(
            "tsa",
            &timestamp_url(url),
            &[&parts.timestamps.signer, &parts.timestamps.root],
            &window(Authority::Timestamps),
        )?],
    }))
}

/// `signing_config.v0.2.json`, with the Rekor of this version.
pub(super) fn signing_config(started: Timestamp, url: &str, rekor: u32) -> Value {
    let service = |url: &str, version: u32| {
        json!([{
            "url": url,
            "majorApiVersion": version,
            "validFor": {"start": written(started)},
            "operator": "touchmark testkit",
        }])
    };
    json!({
        "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
        "caUrls": service(url, 1),
        "oidcUrls": service(url, 1),
        "rekorTlogUrls": service(url, rekor),
        "tsaUrls": service(&timestamp_url(url), 1),
        "rekorTlogConfig": {"selector": "ANY"},
        "tsaConfig": {"selector": "ANY"},
    })
}

fn rekor(of: &Log, url: &str, window: &Value) -> Result<Value, Refusal> {
    log(&of.key, &of.id, url, window)
}

fn log(key: &Key, id: &Hash, url: &str, window: &Value) -> Result<Value, Refusal> {
    Ok(json!({
        "baseUrl": url,
        "hashAlgorithm": "SHA2_256",
        "publicKey": {
            "rawBytes": STANDARD.encode(key.public()?),
            "keyDetails": key.details(),
            "validFor": window,
        },
        "logId": {"keyId": STANDARD.encode(id)},
    }))
}

fn authority(name: &str, url: &str, chain: &[&Certified], window: &Value) -> Result<Value, Refusal> {
    let raw = |certified: &&Certified| Ok(json!({"rawBytes": STANDARD.encode(certified.der()?)}));
    let certificates = chain.iter().map(raw).collect::<Result<Vec<_>, Refusal>>()?;
    Ok(json!({
        "subject": {"organization": "touchmark testkit", "commonName": name},
        "uri": url,
        "certChain": {"certificates": certificates},
        "validFor": window,
    }))
}

pub(super) fn timestamp_url(url: &str) -> String {
    format!("{url}/api/v1/timestamp")
}

/// RFC 3339 in whole seconds.
pub(super) fn written(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
