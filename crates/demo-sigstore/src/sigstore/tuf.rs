//! The TUF repository from which clients get the trusted root
//! ([TUF 1.0.33](https://theupdateframework.github.io/specification/v1.0.33/), with consistent snapshots).

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Refusal;
use super::json::canonical;
use super::keys::Key;
use super::merkle::sha256;
use super::misbehaviour::{TufFault, TufFile};
use super::trust::written;

/// One key for all roles, and another with each new root.
pub(super) struct Repository {
    roots: Vec<(Key, Timestamp)>,
    /// Of timestamp, snapshot and targets.
    version: u64,
    published: Timestamp,
}

/// What a request sees: the targets, and what is done wrong at the time.
pub(super) struct View<'a> {
    pub(super) targets: &'a [(&'a str, String)],
    pub(super) faults: &'a [TufFault],
    pub(super) now: Timestamp,
}

impl View<'_> {
    fn has(&self, fault: TufFault) -> bool {
        self.faults.contains(&fault)
    }
}

impl Repository {
    pub(super) fn new(started: Timestamp) -> Result<Self, Refusal> {
        Ok(Self { roots: vec![(Key::ed25519()?, started)], version: 1, published: started })
    }

    /// Signs timestamp, snapshot and targets anew, with the next version.
    pub(super) fn publish(&mut self, now: Timestamp) {
        self.version += 1;
        self.published = now;
    }

    /// Makes another root with another key for all roles, and signs everything with it.
    pub(super) fn rotate(&mut self, now: Timestamp) -> Result<(), Refusal> {
        self.roots.push((Key::ed25519()?, now));
        self.publish(now);
        Ok(())
    }

    /// `1.root.json`, which clients have beforehand (§5.3).
    pub(super) fn root(&self) -> Result<String, Refusal> {
        self.root_of(1, &View { targets: &[], faults: &[], now: self.published })
    }

    /// The file of this name below the repository's URL.
    pub(super) fn file(&self, name: &str, view: &View<'_>) -> Result<String, Refusal> {
        let missing = || Refusal::not_found("file");
        if name == "timestamp.json" {
            return self.timestamp(view);
        }
        if let Some(target) = name.strip_prefix("targets/") {
            return target_of(target, view).ok_or_else(missing);
        }
        let (version, role) = name.split_once('.').ok_or_else(missing)?;
        let version: u64 = version.parse().map_err(|_| missing())?;
        let known = (1..=self.version).contains(&version);
        match role {
            "root.json" => self.root_of(version, view),
            "snapshot.json" if known => served(TufFile::Snapshot, view, |view| self.snapshot(version, view)),
            "targets.json" if known => served(TufFile::Targets, view, |view| self.targets(version, view)),
            _ => Err(missing()),
        }
    }

    /// Signed by the key of the root before, and by its own (§5.3.4).
    fn root_of(&self, version: u64, view: &View<'_>) -> Result<String, Refusal> {
        let position = usize::try_from(version).ok().and_then(|version| version.checked_sub(1));
        let position = position.ok_or_else(|| Refusal::not_found("root"))?;
        // An attacker who serves an old root as the next.
        let again = view.has(TufFault::Rollback(TufFile::Root)) && position == self.roots.len();
        let position = if again { position - 1 } else { position };
        let (key, issued) = self.roots.get(position).ok_or_else(|| Refusal::not_found("root"))?;
        let role = json!({"keyids": [key_id(key)], "threshold": 1});
        let expires = expiry(TufFile::Root, *issued, ROOT_LIFETIME, view);
        let signed = json!({
            "_type": "root", "spec_version": SPEC, "version": position + 1, "expires": written(expires),
            "consistent_snapshot": true,
            "keys": {key_id(key): public_key(key)},
            "roles": {"root": role, "timestamp": role, "snapshot": role, "targets": role},
        });
        let before = position.checked_sub(1).and_then(|before| self.roots.get(before));
        let signers: Vec<&Key> = before.into_iter().map(|(key, _)| key).chain([key]).collect();
        // The root that clients have is right: what is wrong comes later.
        let unsigned = position > 0 && view.has(TufFault::Unsigned(TufFile::Root));
        envelope(&signed, if unsigned { &[] } else { &signers })
    }

    fn timestamp(&self, view: &View<'_>) -> Result<String, Refusal> {
        let version = self.version_of(TufFile::Timestamp, view);
        let snapshot = self.version_of(TufFile::Snapshot, view);
        let described = meta("snapshot.json", snapshot, &self.snapshot(snapshot, view)?);
        self.signed(TufFile::Timestamp, version, TIMESTAMP_LIFETIME, json!({"meta": described}), view)
    }

    fn snapshot(&self, version: u64, view: &View<'_>) -> Result<String, Refusal> {
        let targets = match self.version_of(TufFile::Targets, view) {
            older if older < self.version => older,
            _ => version,
        };
        let described = meta("targets.json", targets, &self.targets(targets, view)?);
        self.signed(TufFile::Snapshot, version, LIFETIME, json!({"meta": described}), view)
    }

    fn targets(&self, version: u64, view: &View<'_>) -> Result<String, Refusal> {
        let listed: serde_json::Map<String, Value> =
            view.targets.iter().map(|(name, content)| ((*name).to_owned(), described(content))).collect();
        self.signed(TufFile::Targets, version, LIFETIME, json!({"targets": listed}), view)
    }

    /// The version that is given out: the first, for who rolls back.
    fn version_of(&self, file: TufFile, view: &View<'_>) -> u64 {
        if view.has(TufFault::Rollback(file)) { 1 } else { self.version }
    }

    fn signed(
        &self,
        file: TufFile,
        version: u64,
        lifetime: SignedDuration,
        mut signed: Value,
        view: &View<'_>,
    ) -> Result<String, Refusal> {
        let expires = expiry(file, self.published, lifetime, view);
        if let Some(signed) = signed.as_object_mut() {
            signed.insert("_type".to_owned(), file.role().into());
            signed.insert("spec_version".to_owned(), SPEC.into());
            signed.insert("version".to_owned(), version.into());
            signed.insert("expires".to_owned(), written(expires).into());
        }
        let key = self.roots.last().map(|(key, _)| key);
        let signers: Vec<&Key> = key.filter(|_| !view.has(TufFault::Unsigned(file))).into_iter().collect();
        envelope(&signed, &signers)
    }
}

/// What is served is what is described, or something else that is as well signed.
fn served(
    file: TufFile,
    view: &View<'_>,
    make: impl Fn(&View<'_>) -> Result<String, Refusal>,
) -> Result<String, Refusal> {
    if !view.has(TufFault::WrongHash(file)) {
        return make(view);
    }
    let others: Vec<_> = view.targets.iter().take(1).cloned().collect();
    let later = view.now.saturating_add(SignedDuration::from_secs(1)).unwrap_or(view.now);
    make(&View { targets: &others, faults: &[TufFault::Expired(file)], now: later })
}

fn expiry(file: TufFile, issued: Timestamp, lifetime: SignedDuration, view: &View<'_>) -> Timestamp {
    if view.has(TufFault::Expired(file)) {
        return view.now.saturating_sub(SignedDuration::from_hours(1)).unwrap_or(Timestamp::MIN);
    }
    issued.saturating_add(lifetime).unwrap_or(Timestamp::MAX)
}

/// A target by its name with its digest in front (§6.2).
fn target_of(path: &str, view: &View<'_>) -> Option<String> {
    let (digest, name) = path.split_once('.')?;
    let (_, content) = view.targets.iter().find(|(known, _)| *known == name)?;
    let asked = hex::encode(sha256(&[content.as_bytes()])) == digest;
    // One more space leaves the length wrong, too, so one becomes another.
    let wrong = || content.replacen("touchmark", "touchmarK", 1);
    asked.then(|| if view.has(TufFault::WrongHash(TufFile::Target)) { wrong() } else { content.clone() })
}

/// §4.2.1: a signature is over the canonical form of what is signed.
fn envelope(signed: &Value, signers: &[&Key]) -> Result<String, Refusal> {
    let signatures = signers
        .iter()
        .map(|key| {
            let signature = key.sign(canonical(signed).as_bytes())?;
            Ok(json!({"keyid": key_id(key), "sig": hex::encode(signature)}))
        })
        .collect::<Result<Vec<_>, Refusal>>()?;
    Ok(canonical(&json!({"signed": signed, "signatures": signatures})))
}

fn public_key(key: &Key) -> Value {
    let public = hex::encode(key.public_bits());
    json!({"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": public}})
}

fn key_id(key: &Key) -> String {
    hex::encode(sha256(&[canonical(&public_key(key)).as_bytes()]))
}

fn described(content: &str) -> Value {
    json!({"length": content.len(), "hashes": {"sha256": hex::encode(sha256(&[content.as_bytes()]))}})
}

fn meta(name: &str, version: u64, content: &str) -> Value {
    let mut description = described(content);
    if let Some(description) = description.as_object_mut() {
        description.insert("version".to_owned(), version.into());
    }
    json!({name: description})
}

const SPEC: &str = "1.0.33";
/// As the public good instance has them, roughly: the timestamp is short-lived.
const ROOT_LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 365);
const LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 90);
const TIMESTAMP_LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 7);
