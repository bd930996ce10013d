//! Documents with certificates, log entries and timestamps: each promise broken is rejected as that promise, and no changed bit of what is
//! signed, logged or proven goes unnoticed. Made from the conformance suite's valid bundles.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use touchmark_oci::Digest;
use touchmark_sigstore::{
    Artifact, BlobSignature, BundleContent, Inclusion, Limits, LogProof, Promise, Proof, Rejection, Signer,
    TimeSource, TrustRoot, Verifier,
};

#[path = "support/tamper.rs"]
mod tamper;
use tamper::{entry, flip};

/// A valid bundle of the suite, with what it is about and whom it is checked against.
struct Case {
    bundle: Value,
    artifact: Vec<u8>,
    verifier: Verifier,
}

/// Who signed, and what was proven.
type Outcome = Result<(Signer, Proof), Rejection>;

impl Case {
    fn read(name: &str) -> Self {
        let suite =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/conformance/sigstore/bundle-verify");
        let read = |file: &str| std::fs::read(suite.join(name).join(file));
        let trust_root = match read("trusted_root.json") {
            Ok(json) => TrustRoot::parse(&json, &Limits::default()).unwrap(),
            Err(_) => TrustRoot::public_good().unwrap(),
        };
        Self {
            bundle: serde_json::from_slice(&read("bundle.sigstore.json").unwrap()).unwrap(),
            artifact: read("artifact").or_else(|_| std::fs::read(suite.join("a.txt"))).unwrap(),
            verifier: Verifier::new(Vec::new(), Limits::default()).with_trust_root(Arc::new(trust_root)),
        }
    }

    fn verify(&self, bundle: &Value) -> Outcome {
        let Ok(signature) = BlobSignature::parse(bundle.to_string().as_bytes(), &Limits::default()) else {
            return Err(Rejection::NotABlobSignature);
        };
        match &signature {
            BlobSignature::Bundle(bundle) if matches!(bundle.content(), BundleContent::Envelope(_)) => {
                let about = Digest::of(&self.artifact);
                let verified = self.verifier.verify_blob_attestation(&about, bundle)?;
                Ok((verified[0].signer().clone(), verified[0].proof().clone()))
            }
            _ => {
                let verified = self.verifier.verify_blob(Artifact::Bytes(&self.artifact), &signature)?;
                Ok((verified[0].signer().clone(), verified[0].proof().clone()))
            }
        }
    }

    /// The promise that is broken once `change` is made.
    fn broken(&self, change: impl FnOnce(&mut Value)) -> Promise {
        let mut changed = self.bundle.clone();
        change(&mut changed);
        match self.verify(&changed) {
            Err(Rejection::NotProven { promise, .. }) => promise,
            other => panic!("{other:?}"),
        }
    }
}

const REKOR_1: &str = "happy-path-v0.3";
const REKOR_1_DSSE: &str = "happy-path-intoto-in-dsse-v3";
const REKOR_2: &str = "rekor2-happy-path";
const REKOR_2_DSSE: &str = "rekor2-dsse-happy-path";

#[test]
fn what_was_proven_is_told() {
    let case = Case::read(REKOR_1);
    let (signer, proof) = case.verify(&case.bundle).unwrap();
    let Signer::Certificate(certificate) = signer else { panic!("{signer}") };
    assert_eq!(certificate.issuer(), Some("https://token.actions.githubusercontent.com"));
    assert!(certificate.not_before() < certificate.not_after());
    assert_eq!((proof.logs(Inclusion::Included), proof.timestamps()), (1, 0));
    assert_eq!(proof.times[0].source, TimeSource::TransparencyLog);
    assert!(proof.certificate_logged);

    let case = Case::read(REKOR_2);
    let (_, proof) = case.verify(&case.bundle).unwrap();
    assert_eq!((proof.logs(Inclusion::Included), proof.timestamps()), (1, 1));
    assert!(matches!(proof.times[0].source, TimeSource::TimestampAuthority { .. }));
}

#[test]
fn a_promise_alone_is_told_from_an_inclusion_whatever_the_bundle_calls_itself() {
    let case = Case::read(REKOR_1);
    let mut relabelled = case.bundle.clone();
    relabelled["mediaType"] = json!("application/vnd.dev.sigstore.bundle+json;version=0.1");
    entry(&mut relabelled).as_object_mut().unwrap().remove("inclusionProof");
    let (_, proof) = case.verify(&relabelled).unwrap();
    assert_eq!((proof.logs(Inclusion::Included), proof.logs(Inclusion::Promised)), (0, 1));
    // Under its own name it is not even well-formed.
    let promise = case.broken(|bundle| drop(entry(bundle).as_object_mut().unwrap().remove("inclusionProof")));
    assert_eq!(promise, Promise::Structure);
}

#[test]
fn each_broken_promise_is_rejected_as_itself() {
    let case = Case::read(REKOR_1);
    let set = "/verificationMaterial/tlogEntries/0/inclusionPromise/signedEntryTimestamp";
    assert_eq!(case.broken(|bundle| flip(bundle.pointer_mut(set).unwrap())), Promise::InclusionPromise);
    let hash = "/verificationMaterial/tlogEntries/0/inclusionProof/hashes/0";
    assert_eq!(case.broken(|bundle| flip(bundle.pointer_mut(hash).unwrap())), Promise::InclusionProof);
    let integrated = |bundle: &mut Value| entry(bundle)["integratedTime"] = json!("1600000000");
    assert_eq!(case.broken(integrated), Promise::InclusionPromise);
    let no_time =
        |bundle: &mut Value| drop(entry(bundle).as_object_mut().unwrap().remove("inclusionPromise"));
    assert_eq!(case.broken(no_time), Promise::ProvenTime);
    let twice = |bundle: &mut Value| {
        let entries = bundle["verificationMaterial"]["tlogEntries"].as_array_mut().unwrap();
        entries.push(entries[0].clone());
    };
    assert_eq!(case.broken(twice), Promise::LogEntryOnce);
    let unlogged = |bundle: &mut Value| bundle["verificationMaterial"]["tlogEntries"] = json!([]);
    assert!(matches!(case.broken(unlogged), Promise::Structure | Promise::ProvenTime));
    let signature = |bundle: &mut Value| flip(&mut bundle["messageSignature"]["signature"]);
    assert_eq!(case.broken(signature), Promise::Signature);

    let other = Case::read("happy-path-intoto-in-dsse-v3");
    let certificate = other.bundle["verificationMaterial"].clone();
    let swapped = |bundle: &mut Value| {
        let entries = bundle["verificationMaterial"]["tlogEntries"].clone();
        bundle["verificationMaterial"] = certificate;
        bundle["verificationMaterial"]["tlogEntries"] = entries;
    };
    let promise = case.broken(swapped);
    assert_eq!(promise, Promise::CertificateValidity);

    let case = Case::read(REKOR_2);
    let token = "/verificationMaterial/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp";
    let last_byte = |bundle: &mut Value| {
        let token = bundle.pointer_mut(token).unwrap();
        let mut bytes = STANDARD.decode(token.as_str().unwrap()).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        *token = Value::from(STANDARD.encode(bytes));
    };
    assert_eq!(case.broken(last_byte), Promise::Timestamp);
}

#[test]
fn one_entry_under_two_names_is_one_witness_and_one_that_shows_nothing_is_refused() {
    let case = Case::read(REKOR_2);
    let mut renamed = case.bundle.clone();
    let entries = renamed["verificationMaterial"]["tlogEntries"].as_array_mut().unwrap();
    let mut second = entries[0].clone();
    second["logId"]["keyId"] = json!("wNI9atQGlz+VWfO6LRygH4QUfY/8W4RFwiT5i5WRgB0=");
    entries.push(second.clone());
    if let Ok((_, proof)) = case.verify(&renamed) {
        assert_eq!(proof.logs(Inclusion::Promised), 1);
    }
    second["logIndex"] = json!("7");
    second.as_object_mut().unwrap().remove("inclusionProof");
    renamed["verificationMaterial"]["tlogEntries"][1] = second;
    assert!(case.verify(&renamed).is_err());
}

#[test]
fn invalid_cases_of_the_suite_break_the_promise_that_they_are_named_after() {
    for (name, promise) in [
        ("checkpoint-bad-keyhint_fail", Promise::Checkpoint),
        ("checkpoint-wrong-roothash_fail", Promise::Structure),
        ("invalid-checkpoint-signature_fail", Promise::Checkpoint),
        ("invalid-ct-key_fail", Promise::CertificateLogged),
        ("invalid-inclusion-proof_fail", Promise::Structure),
        ("set-invalid-signature_fail", Promise::InclusionPromise),
        ("intoto-expired-certificate_fail", Promise::CertificateValidity),
        ("intoto-log-entry-mismatch_fail", Promise::LogEntryForm),
        ("bundle-from-wrong-instance_fail", Promise::InclusionPromise),
        ("rekor2-no-timestamp_fail", Promise::ProvenTime),
        ("rekor2-timestamp-outside-trust-root-tsa-validity_fail", Promise::TimestampAuthority),
        ("wrong-hashedrekord-entry_fail", Promise::Artifact),
    ] {
        let case = Case::read(name);
        let found = case.broken(|_| {});
        assert_eq!(found, promise, "{name}");
    }
}

#[test]
fn without_a_trust_root_a_certificate_proves_nothing_and_says_whose_it_claims_to_be() {
    let mut case = Case::read(REKOR_1);
    case.verifier = Verifier::new(Vec::new(), Limits::default());
    match case.verify(&case.bundle) {
        Err(Rejection::NoTrustRoot { identity: Some(identity) }) => {
            assert!(identity.starts_with("https://github.com/"), "{identity}");
        }
        other => panic!("{other:?}"),
    }
}

/// Members that nothing signs; README.md says why changing them gains nothing.
fn nothing_signs(path: &str) -> bool {
    ["/mediaType", "/keyid", "/hint", "/kindVersion/kind", "/kindVersion/version"].iter().any(|end| path.ends_with(end))
        // Rekor v2 takes index, size and root from the checkpoint; these repeat them.
        || ["/inclusionProof/logIndex", "/inclusionProof/treeSize", "/inclusionProof/rootHash"].iter().any(|end| path.ends_with(end))
        || path.ends_with("/integratedTime")
        || path.ends_with("/logId/keyId")
}

/// The names in a checkpoint's signature lines, and the lines of others than the log: signatures are looked up by key hint, and witnesses'
/// are not relied on.
fn names_a_cosigner(path: &str, text: &str, byte: usize) -> bool {
    let Some((signed, lines)) = text.split_once("\n\n").filter(|_| path.ends_with("/checkpoint/envelope"))
    else {
        return false;
    };
    let log_line = lines.lines().next().unwrap();
    let log_signature = signed.len() + 2 + log_line.rfind(' ').unwrap()..signed.len() + 2 + log_line.len();
    byte > signed.len() && !log_signature.contains(&byte)
}

/// Every leaf of the document, by its JSON pointer.
fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| leaves(value, &format!("{path}/{name}"), found));
        }
        Value::Array(values) => {
            values
                .iter()
                .enumerate()
                .for_each(|(place, value)| leaves(value, &format!("{path}/{place}"), found));
        }
        Value::String(_) => found.push(path.to_owned()),
        _ => {}
    }
}

/// The text with one bit flipped: of the decoded bytes where it is base64, else of the text itself.
fn flipped(text: &str, bit: usize) -> Option<String> {
    let decoded = STANDARD.decode(text).ok().filter(|bytes| bytes.len() > 8);
    let mut bytes = decoded.clone().unwrap_or_else(|| text.as_bytes().to_vec());
    *bytes.get_mut(bit / 8)? ^= 1 << (bit % 8);
    match decoded {
        Some(_) => Some(STANDARD.encode(bytes)),
        None => String::from_utf8(bytes).ok(),
    }
}

/// Tries every `step`th bit of everything in the bundle, and gives how many changes were tried and which went unnoticed.
fn unnoticed(case: &Case, step: usize) -> (usize, Vec<String>) {
    let (original, original_proof) = case.verify(&case.bundle).unwrap();
    let mut paths = Vec::new();
    leaves(&case.bundle, "", &mut paths);
    let (mut tried, mut found) = (0, Vec::new());
    let mut changed = case.bundle.clone();
    for path in paths.iter().filter(|path| !nothing_signs(path)) {
        let text = case.bundle.pointer(path).unwrap().as_str().unwrap().to_owned();
        for bit in (0..text.len() * 8).step_by(step) {
            let Some(other) = flipped(&text, bit).filter(|_| !names_a_cosigner(path, &text, bit / 8)) else {
                continue;
            };
            *changed.pointer_mut(path).unwrap() = Value::from(other);
            tried += 1;
            // A token carries certificates that nobody reads, since the authority's own are trusted: its time is what counts.
            let harmless = |proof: &Proof| path.ends_with("/signedTimestamp") && *proof == original_proof;
            if case.verify(&changed).is_ok_and(|(signer, proof)| signer == original && !harmless(&proof)) {
                found.push(format!("{path} bit {bit}"));
            }
        }
        *changed.pointer_mut(path).unwrap() = Value::from(text);
    }
    (tried, found)
}

#[test]
fn no_changed_bit_of_a_bundle_goes_unnoticed() {
    let results: Vec<_> = std::thread::scope(|scope| {
        let start = |name: &'static str| scope.spawn(move || (name, unnoticed(&Case::read(name), STEP)));
        let started: Vec<_> = [REKOR_1, REKOR_1_DSSE, REKOR_2, REKOR_2_DSSE].map(start).into();
        started.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut tried = 0;
    for (name, (count, found)) in results {
        tried += count;
        assert_eq!(found, Vec::<String>::new(), "{name}");
    }
    println!("{tried} changes tried");
    assert!(tried >= LEAST, "{tried}");
}

/// Every second bit.
const STEP: usize = 2;
/// Of the four bundles together.
const LEAST: usize = 100_000;

#[test]
fn a_keyed_signature_beside_an_entry_of_a_foreign_log_is_not_logged() {
    let case = Case::read("managed-key-happy-path");
    let pem = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../testdata/conformance/sigstore/bundle-verify/managed-key-happy-path/key.pub"),
    );
    let key: touchmark_sigstore::PublicKey = pem.unwrap().parse().unwrap();
    let verifier =
        |root: TrustRoot| Verifier::new(vec![key.clone()], Limits::default()).with_trust_root(Arc::new(root));
    let log = |verifier: Verifier| {
        let case = Case { bundle: case.bundle.clone(), artifact: case.artifact.clone(), verifier };
        case.verify(&case.bundle).unwrap().1.log
    };
    assert!(matches!(log(verifier(TrustRoot::public_good().unwrap())), LogProof::Verified { .. }));
    assert_eq!(log(verifier(TrustRoot::staging().unwrap())), LogProof::NotVerified { entries: 1 });
}
