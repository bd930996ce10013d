//! Decisions that hang on what was proven beyond a signature: keys that count for a time, and witnesses. The proof is the testkit's
//! Sigstore's, and really verified.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod evidence;
#[allow(dead_code, clippy::allow_attributes, reason = "each test file uses its own part")]
#[path = "../../sigstore/tests/support/services.rs"]
mod services;

use std::collections::BTreeMap;
use std::sync::Arc;

use evidence::{Gathered, image, signature_of};
use services::{Holder, signature, signed, start};
use touchmark_policy::{Decision, Limits, Policy, PolicyDocument, PolicySet, Verdict};
use touchmark_sigstore::storage::LayerKind;
use touchmark_sigstore::{Document, Place, TrustRoot, Verifier};
use touchmark_testkit::Sigstore;

/// A signature of the image, dated or not, by each holder.
async fn signatures(holders: &[&Holder<'_>], dated: bool) -> Gathered {
    let mut gathered = Gathered::nothing();
    for holder in holders {
        let statement = String::from_utf8(signature_of(&evidence::digest(), &[]).to_json().unwrap()).unwrap();
        let envelope = signed(&statement, &[holder]);
        let mut tokens = Vec::new();
        if dated {
            tokens.push(holder.timestamp(&signature(&envelope, 0)).await);
        }
        gathered = bundle(gathered, &holder.bundle(&envelope, &[], &tokens));
    }
    gathered
}

fn bundle(gathered: Gathered, bundle: &serde_json::Value) -> Gathered {
    let limits = touchmark_sigstore::Limits::default();
    let bytes = bundle.to_string();
    let document = Document::read(LayerKind::Bundle, bytes.as_bytes(), &BTreeMap::new(), &limits);
    gathered.item(Place::Referrers, document)
}

fn policy(signers: &str, extra: &str, require: &str, keys: &[&Holder<'_>]) -> Policy {
    let text = format!(
        "apiVersion: touchmark.dev/v1alpha1
kind: ImagePolicy
metadata: {{name: timed}}
spec:
  images: [{{glob: ghcr.io/acme/**}}]
{extra}
  signers:
{signers}
  require:
  - {{name: signed, signature: {{{require}}}}}
"
    );
    let read = |file: &str| {
        let place = file.trim_start_matches('k').parse::<usize>().unwrap();
        Ok(keys[place].public().to_pem())
    };
    PolicyDocument::parse(&text, "p.yaml", &Limits::default())
        .unwrap()
        .check(&read, &Limits::default())
        .unwrap()
}

fn decide(sigstore: &Sigstore, gathered: Gathered, policy: Policy, now: &str) -> Decision {
    let set = PolicySet::new(vec![policy]).unwrap();
    assert!(set.needs_trust_root());
    let limits = touchmark_sigstore::Limits::default();
    let root = TrustRoot::parse(sigstore.trusted_root().as_bytes(), &limits).unwrap();
    let verifier = Verifier::new(set.public_keys(), limits).with_witnesses(set.witnesses());
    let findings = verifier.with_trust_root(Arc::new(root)).verify_all(gathered.0);
    set.evaluate(&image(), &findings, now.parse().unwrap())
}

fn codes(decision: &Decision) -> Vec<&'static str> {
    decision.reason_codes().into_iter().collect()
}

/// The services' clock stands at 2026-02-03.
const LATER: &str = "2027-01-01T00:00:00Z";

#[tokio::test]
async fn a_key_counts_by_when_its_signature_is_proven_to_have_been_made() {
    let sigstore = start(0).await;
    let holder = Holder::of_key(&sigstore);
    let judge = async |window: &str, dated: bool, now: &str| {
        let signers = format!("  - {{name: release, key: {{file: k0, {window}}}}}");
        let policy = policy(&signers, "", "by: [release]", &[&holder]);
        codes(&decide(&sigstore, signatures(&[&holder], dated).await, policy, now))
    };
    assert!(judge("validFrom: 2026-01-01T00:00:00Z", true, LATER).await.is_empty());
    let open = "validFrom: 2026-01-01T00:00:00Z, validUntil: 2026-03-01T00:00:00Z";
    assert!(judge(open, true, LATER).await.is_empty());
    let outside = ["signature-key-not-valid-then"];
    assert_eq!(judge("validUntil: 2026-02-01T00:00:00Z", true, LATER).await, outside);
    assert_eq!(judge("validFrom: 2026-03-01T00:00:00Z", true, LATER).await, outside);
    // Nothing dates it: it does not count, open window or not, unless the policy says so.
    let undated = ["signature-time-not-proven"];
    assert_eq!(judge("validFrom: 2026-01-01T00:00:00Z", false, LATER).await, undated);
    let accepted = "validUntil: 2026-12-01T00:00:00Z, undated: true";
    assert!(judge(accepted, false, "2026-11-01T00:00:00Z").await.is_empty());
    assert_eq!(judge(accepted, false, LATER).await, undated);
    // A proven time is not outweighed by leniency about absent ones.
    assert_eq!(
        judge("validUntil: 2026-02-01T00:00:00Z, undated: true", true, "2026-01-01T00:00:00Z").await,
        outside
    );
}

#[tokio::test]
async fn rotated_keys_are_one_signer() {
    let sigstore = start(0).await;
    let (old, new, other) = (Holder::of_key(&sigstore), Holder::of_key(&sigstore), Holder::of_key(&sigstore));
    let signers = "  - name: release
    keys:
    - {file: k0, validUntil: 2026-02-28T00:00:00Z}
    - {file: k1, validFrom: 2026-02-01T00:00:00Z}
  - {name: other, key: {file: k2}}";
    let keys = [&old, &new, &other];
    let two = || policy(signers, "", "by: [release, other], atLeast: 2", &keys);
    let decision = decide(&sigstore, signatures(&[&old, &new], true).await, two(), LATER);
    assert_eq!(codes(&decision), ["signature-too-few-signers"]);
    let decision = decide(&sigstore, signatures(&[&new, &other], true).await, two(), LATER);
    assert_eq!(decision.verdict(), Verdict::Allow);
    let one = || policy(signers, "", "by: [release]", &keys);
    for holder in [&old, &new] {
        let decision = decide(&sigstore, signatures(&[holder], true).await, one(), LATER);
        assert_eq!(decision.verdict(), Verdict::Allow);
    }
}

#[tokio::test]
async fn witnesses_are_counted_among_those_that_the_policy_names() {
    let sigstore = start(2).await;
    let holder = Holder::of_key(&sigstore);
    let keys = sigstore.witness_keys();
    let strangers = start(2).await.witness_keys();
    let judge = async |witnesses: &[String], wanted: usize| {
        let listed: String = witnesses.iter().map(|key| format!("  - {key}\n")).collect();
        let extra = format!("  witnesses:\n{listed}  proof: {{witnesses: {wanted}}}");
        let policy = policy("  - {name: release, key: {file: k0}}", &extra, "by: [release]", &[&holder]);
        let statement = String::from_utf8(signature_of(&evidence::digest(), &[]).to_json().unwrap()).unwrap();
        let envelope = signed(&statement, &[&holder]);
        let entry = holder.dsse_v002(&envelope, &[&holder]).await;
        let gathered = bundle(Gathered::nothing(), &holder.bundle(&envelope, &[entry], &[]));
        decide(&sigstore, gathered, policy, LATER)
    };
    let allowed = judge(&keys, 2).await;
    assert_eq!(allowed.verdict(), Verdict::Allow);
    let told = serde_json::to_value(&allowed).unwrap();
    let log = &told["policies"][0]["requirements"][0]["support"][0]["log"];
    assert_eq!(log["witnesses"], serde_json::json!(["witness-1.example", "witness-2.example"]));
    let one_of_each = [keys[0].clone(), strangers[1].clone()];
    assert_eq!(judge(&one_of_each, 1).await.verdict(), Verdict::Allow);
    assert_eq!(codes(&judge(&one_of_each, 2).await), ["signature-proof-too-weak"]);
    assert_eq!(codes(&judge(&strangers, 1).await), ["signature-proof-too-weak"]);
}
