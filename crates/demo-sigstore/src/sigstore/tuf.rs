//! The TUF repository from which clients get the trusted root
//! ([TUF 1.0.33](https://theupdateframework.github.io/specification/v1.0.33/), with consistent snapshots).

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Refusal;
use super::json::canonical;
use super::keys::Key;
use super::merkle::sha256;
use super::trust::written;

/// One key for all roles.
pub(super) struct Repository {
    key: Key,
    started: Timestamp,
}

impl Repository {
    pub(super) fn new(started: Timestamp) -> Result<Self, Refusal> {
        Ok(Self { key: Key::ed25519()?, started })
    }

    /// `root.json`, which clients have beforehand (§5.3).
    pub(super) fn root(&self) -> Result<String, Refusal> {
        let role = json!({"keyids": [self.key_id()], "threshold": 1});
        let mut signed = self.metadata("root");
        if let Some(signed) = signed.as_object_mut() {
            signed.insert("consistent_snapshot".to_owned(), true.into());
            signed.insert("keys".to_owned(), json!({self.key_id(): self.public_key()}));
            let roles = json!({"root": role, "timestamp": role, "snapshot": role, "targets": role});
            signed.insert("roles".to_owned(), roles);
        }
        self.signed(&signed)
    }

    /// The file of this name below the repository's URL, when these are the targets.
    pub(super) fn file(&self, name: &str, targets: &[(&str, String)]) -> Result<String, Refusal> {
        let listed: serde_json::Map<String, Value> =
            targets.iter().map(|(name, content)| ((*name).to_owned(), described(content))).collect();
        let targets_json = self.with("targets", "targets", Value::Object(listed))?;
        let snapshot = self.with("snapshot", "meta", meta("targets.json", &targets_json))?;
        match name {
            "1.root.json" => self.root(),
            "1.targets.json" => Ok(targets_json),
            "1.snapshot.json" => Ok(snapshot),
            "timestamp.json" => self.with("timestamp", "meta", meta("snapshot.json", &snapshot)),
            other => target(other, targets).ok_or_else(|| Refusal::not_found("file")),
        }
    }

    fn with(&self, role: &str, field: &str, value: Value) -> Result<String, Refusal> {
        let mut signed = self.metadata(role);
        if let Some(signed) = signed.as_object_mut() {
            signed.insert(field.to_owned(), value);
        }
        self.signed(&signed)
    }

    fn metadata(&self, role: &str) -> Value {
        let expires = self.started.saturating_add(LIFETIME).unwrap_or(Timestamp::MAX);
        json!({"_type": role, "spec_version": "1.0.33", "version": 1, "expires": written(expires)})
    }

    /// §4.2.1: a signature is over the canonical form of what is signed.
    fn signed(&self, signed: &Value) -> Result<String, Refusal> {
        let signature = self.key.sign(canonical(signed).as_bytes())?;
        let signatures = json!([{"keyid": self.key_id(), "sig": hex::encode(signature)}]);
        Ok(canonical(&json!({"signed": signed, "signatures": signatures})))
    }

    fn public_key(&self) -> Value {
        let public = hex::encode(self.key.public_bits());
        json!({"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": public}})
    }

    fn key_id(&self) -> String {
        hex::encode(sha256(&[canonical(&self.public_key()).as_bytes()]))
    }
}

/// A target by its name with its digest in front (§6.2).
fn target(path: &str, targets: &[(&str, String)]) -> Option<String> {
    let (digest, name) = path.strip_prefix("targets/")?.split_once('.')?;
    let (_, content) = targets.iter().find(|(known, _)| *known == name)?;
    (hex::encode(sha256(&[content.as_bytes()])) == digest).then(|| content.clone())
}

fn described(content: &str) -> Value {
    json!({"length": content.len(), "hashes": {"sha256": hex::encode(sha256(&[content.as_bytes()]))}})
}

fn meta(name: &str, content: &str) -> Value {
    let mut description = described(content);
    if let Some(description) = description.as_object_mut() {
        description.insert("version".to_owned(), 1.into());
    }
    json!({name: description})
}

const LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 365);
