//! Log entries of every kind that public logs hold about envelopes, envelopes of several signatures, and the JSON of cosign 1 and 2 for
//! files: made with the testkit's Sigstore, verified, and then broken one promise at a time.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use touchmark_attestation::Statement;
use touchmark_oci::Digest;
use touchmark_sigstore::storage::LayerKind;
use touchmark_sigstore::{
    Artifact, BlobSignature, BlobSignatureError, Bundle, CERTIFICATE_ANNOTATION, Document, Evidence,
    EvidenceItem, Findings, Inclusion, LOG_ANNOTATION, Limits, LogProof, Origin, Place, Promise, Proof,
    PublicKey, Rejection, Signer, TIMESTAMP_ANNOTATION, TrustRoot, Verified, Verifier, WitnessKey,
};
use touchmark_testkit::Sigstore;

#[path = "support/services.rs"]
mod services;
#[path = "support/tamper.rs"]
mod tamper;
use services::*;
use tamper::{entry, flip};

fn verifier(sigstore: &Sigstore, keys: Vec<PublicKey>) -> Verifier {
    let root = TrustRoot::parse(sigstore.trusted_root().as_bytes(), &Limits::default()).unwrap();
    Verifier::new(keys, Limits::default()).with_trust_root(Arc::new(root))
}

fn verify(verifier: &Verifier, bundle: &Value) -> Result<Vec<Verified<Statement>>, Rejection> {
    let bundle = Bundle::parse(bundle.to_string().as_bytes(), &Limits::default()).unwrap();
    verifier.verify_blob_attestation(&Digest::of(ARTIFACT), &bundle)
}

fn broken<T: std::fmt::Debug>(result: Result<T, Rejection>) -> Promise {
    match result {
        Err(Rejection::NotProven { promise, .. }) => promise,
        other => panic!("{other:?}"),
    }
}

fn only(verified: &[Verified<Statement>]) -> (&Signer, &Proof) {
    assert_eq!(verified.len(), 1);
    (verified[0].signer(), verified[0].proof())
}

#[tokio::test]
async fn intoto_0_0_1_dates_and_logs_a_certificates_signature() {
    let sigstore = start(0).await;
    let holder = Holder::certified(&sigstore).await;
    let envelope = envelope(&[&holder]);
    let bundle = holder.bundle(&envelope, &[holder.intoto_v001(&envelope).await], &[]);
    let verifier = verifier(&sigstore, Vec::new());
    let verified = verify(&verifier, &bundle).unwrap();
    let (signer, proof) = only(&verified);
    let Signer::Certificate(certificate) = signer else { panic!("{signer}") };
    assert_eq!(certificate.subject().as_str(), EMAIL);
    assert_eq!((proof.logs(Inclusion::Included), proof.times.len()), (1, 1));
    assert_eq!(proof.times[0].time, sigstore.clock().now());
    assert!(proof.certificate_logged);
}

#[tokio::test]
async fn each_broken_promise_beside_intoto_0_0_1_is_rejected_as_itself() {
    let sigstore = start(0).await;
    let holder = Holder::certified(&sigstore).await;
    let envelope = envelope(&[&holder]);
    let bundle = holder.bundle(&envelope, &[holder.intoto_v001(&envelope).await], &[]);
    let verifier = verifier(&sigstore, Vec::new());
    let promise = |change: &dyn Fn(&mut Value)| {
        let mut changed = bundle.clone();
        change(&mut changed);
        broken(verify(&verifier, &changed))
    };
    let set = |bundle: &mut Value| flip(&mut entry(bundle)["inclusionPromise"]["signedEntryTimestamp"]);
    assert_eq!(promise(&set), Promise::InclusionPromise);
    let time = |bundle: &mut Value| entry(bundle)["integratedTime"] = json!("1770091000");
    assert_eq!(promise(&time), Promise::InclusionPromise);
    let early = |bundle: &mut Value| entry(bundle)["integratedTime"] = json!("1000000000");
    assert_eq!(promise(&early), Promise::InclusionPromise);
    let untimed = |bundle: &mut Value| drop(entry(bundle).as_object_mut().unwrap().remove("integratedTime"));
    assert_eq!(promise(&untimed), Promise::InclusionPromise);
    let unknown = |bundle: &mut Value| entry(bundle)["logId"]["keyId"] = json!(STANDARD.encode([9; 32]));
    assert_eq!(promise(&unknown), Promise::KnownLog);
    let hash = |bundle: &mut Value| flip(&mut entry(bundle)["inclusionProof"]["hashes"][0]);
    assert_eq!(promise(&hash), Promise::InclusionProof);
    let root = |bundle: &mut Value| flip(&mut entry(bundle)["inclusionProof"]["rootHash"]);
    assert!(matches!(promise(&root), Promise::Checkpoint));
    let checkpoint = |bundle: &mut Value| {
        let text = &mut entry(bundle)["inclusionProof"]["checkpoint"]["envelope"];
        *text = json!(text.as_str().unwrap().replacen("127.0.0.1", "127.0.0.2", 1));
    };
    assert_eq!(promise(&checkpoint), Promise::Checkpoint);
    let unproven = |bundle: &mut Value| drop(entry(bundle).as_object_mut().unwrap().remove("inclusionProof"));
    assert_eq!(promise(&unproven), Promise::Structure);
    let undated =
        |bundle: &mut Value| drop(entry(bundle).as_object_mut().unwrap().remove("inclusionPromise"));
    assert_eq!(promise(&undated), Promise::ProvenTime);
    let nothing = |bundle: &mut Value| {
        entry(bundle).as_object_mut().unwrap().remove("inclusionPromise");
        entry(bundle).as_object_mut().unwrap().remove("inclusionProof");
        bundle["mediaType"] = json!("application/vnd.dev.sigstore.bundle+json;version=0.1");
    };
    assert_eq!(promise(&nothing), Promise::InclusionProof);
    let twice = |bundle: &mut Value| {
        let entries = bundle["verificationMaterial"]["tlogEntries"].as_array_mut().unwrap();
        entries.push(entries[0].clone());
    };
    assert_eq!(promise(&twice), Promise::LogEntryOnce);
    let garbled = |bundle: &mut Value| entry(bundle)["canonicalizedBody"] = json!(STANDARD.encode("{}"));
    assert_eq!(promise(&garbled), Promise::LogEntryForm);
    // Another signature by the same key over the same payload was not logged.
    let again = services::envelope(&[&holder]);
    let resigned = |bundle: &mut Value| bundle["dsseEnvelope"] = again.clone();
    assert_eq!(promise(&resigned), Promise::LogEntry);
    // The envelope logged, with a signature that the certificate's key did not make.
    let stranger = Holder::of_key(&sigstore);
    let strange = services::envelope(&[&stranger]);
    let logged = stranger.intoto_v001(&strange).await;
    let foreign = |bundle: &mut Value| {
        bundle["dsseEnvelope"] = strange.clone();
        *entry(bundle) = logged.clone();
    };
    assert_eq!(promise(&foreign), Promise::LogEntry);
}

#[tokio::test]
async fn another_known_logs_proof_does_not_stand_for_the_log_that_promised() {
    let (one, other) = (start(0).await, start(0).await);
    let holder = Holder::certified(&one).await;
    let envelope = envelope(&[&holder]);
    let promised = holder.intoto_v001(&envelope).await;
    let mut bundle = holder.bundle(&envelope, std::slice::from_ref(&promised), &[]);
    let proven = holder.at(&other).intoto_v001(&envelope).await;
    assert_eq!(promised["canonicalizedBody"], proven["canonicalizedBody"]);
    let mut root: Value = serde_json::from_str(&one.trusted_root()).unwrap();
    let others: Value = serde_json::from_str(&other.trusted_root()).unwrap();
    root["tlogs"].as_array_mut().unwrap().extend(others["tlogs"].as_array().unwrap().clone());
    let root = TrustRoot::parse(root.to_string().as_bytes(), &Limits::default()).unwrap();
    let verifier = Verifier::new(Vec::new(), Limits::default()).with_trust_root(Arc::new(root));
    assert!(verify(&verifier, &bundle).is_ok());
    entry(&mut bundle)["inclusionProof"] = proven["inclusionProof"].clone();
    assert_eq!(broken(verify(&verifier, &bundle)), Promise::Checkpoint);
}

#[tokio::test]
async fn a_certificate_that_does_not_hold_is_refused_beside_intoto_0_0_1_too() {
    let bundle = async |sigstore: &Sigstore| {
        let holder = Holder::certified(sigstore).await;
        let envelope = envelope(&[&holder]);
        holder.bundle(&envelope, &[holder.intoto_v001(&envelope).await], &[])
    };
    let sigstore = start(0).await;
    sigstore.set(|bad| bad.missing_sct = true);
    let unlogged = bundle(&sigstore).await;
    assert_eq!(broken(verify(&verifier(&sigstore, Vec::new()), &unlogged)), Promise::CertificateLogged);
    sigstore.set(|bad| (bad.missing_sct, bad.wrong_ct_log_key) = (false, true));
    let wrongly_logged = bundle(&sigstore).await;
    assert_eq!(broken(verify(&verifier(&sigstore, Vec::new()), &wrongly_logged)), Promise::CertificateLogged);
    // Signed after the certificate has expired.
    sigstore.set(|bad| bad.wrong_ct_log_key = false);
    let holder = Holder::certified(&sigstore).await;
    sigstore.clock().advance(jiff::SignedDuration::from_hours(1));
    let envelope = envelope(&[&holder]);
    let late = holder.bundle(&envelope, &[holder.intoto_v001(&envelope).await], &[]);
    assert_eq!(broken(verify(&verifier(&sigstore, Vec::new()), &late)), Promise::CertificateValidity);
    // By another authority.
    let other = start(0).await;
    let sound = bundle(&other).await;
    let mut root: Value = serde_json::from_str(&sigstore.trusted_root()).unwrap();
    let theirs: Value = serde_json::from_str(&other.trusted_root()).unwrap();
    root["tlogs"] = theirs["tlogs"].clone();
    let mixed = |root: &Value| {
        let root = TrustRoot::parse(root.to_string().as_bytes(), &Limits::default()).unwrap();
        Verifier::new(Vec::new(), Limits::default()).with_trust_root(Arc::new(root))
    };
    assert_eq!(broken(verify(&mixed(&root), &sound)), Promise::CertificateChain);
    root["certificateAuthorities"] = theirs["certificateAuthorities"].clone();
    assert_eq!(broken(verify(&mixed(&root), &sound)), Promise::CertificateLogged);
    root["ctlogs"] = theirs["ctlogs"].clone();
    verify(&mixed(&root), &sound).unwrap();
    root["certificateAuthorities"][0]["validFor"]["end"] = json!("2026-02-02T06:00:00Z");
    assert_eq!(broken(verify(&mixed(&root), &sound)), Promise::CertificateAuthority);
    root["certificateAuthorities"][0]["validFor"] = theirs["certificateAuthorities"][0]["validFor"].clone();
    root["tlogs"][0]["publicKey"]["validFor"]["end"] = json!("2026-02-02T06:00:00Z");
    assert_eq!(broken(verify(&mixed(&root), &sound)), Promise::InclusionPromise);
}

#[tokio::test]
async fn dsse_0_0_2_logs_a_signature_that_a_timestamp_dates() {
    let sigstore = start(0).await;
    let holder = Holder::certified(&sigstore).await;
    let envelope = envelope(&[&holder]);
    let logged = holder.dsse_v002(&envelope, &[&holder]).await;
    let token = holder.timestamp(&signature(&envelope, 0)).await;
    let bundle = holder.bundle(&envelope, &[logged], &[token]);
    let verifier = verifier(&sigstore, Vec::new());
    let verified = verify(&verifier, &bundle).unwrap();
    let (_, proof) = only(&verified);
    assert_eq!((proof.logs(Inclusion::Included), proof.timestamps(), proof.times.len()), (1, 1, 1));
    assert!(proof.certificate_logged);

    let undated = holder.bundle(&envelope, &[entry(&mut bundle.clone()).clone()], &[]);
    assert_eq!(broken(verify(&verifier, &undated)), Promise::ProvenTime);
    let mut resigned = bundle.clone();
    resigned["dsseEnvelope"] = services::envelope(&[&holder]);
    assert_eq!(broken(verify(&verifier, &resigned)), Promise::LogEntry);
    let mut moved = bundle.clone();
    entry(&mut moved)["logIndex"] = json!("0");
    assert_eq!(broken(verify(&verifier, &moved)), Promise::InclusionProof);
    let mut without = bundle.clone();
    drop(entry(&mut without)["inclusionProof"].as_object_mut().unwrap().remove("checkpoint"));
    assert_eq!(broken(verify(&verifier, &without)), Promise::Checkpoint);
    sigstore.set(|bad| bad.wrong_log_key = true);
    let forged = holder.dsse_v002(&envelope, &[&holder]).await;
    let mut forged_bundle = bundle.clone();
    *entry(&mut forged_bundle) = forged;
    assert_eq!(broken(verify(&verifier, &forged_bundle)), Promise::Checkpoint);
}

#[tokio::test]
async fn a_keys_signature_is_logged_in_every_kind_and_an_entry_about_another_key_is_refused() {
    let sigstore = start(0).await;
    let (holder, other) = (Holder::of_key(&sigstore), Holder::of_key(&sigstore));
    let verifier = verifier(&sigstore, vec![holder.public()]);
    let (mine, theirs) = (envelope(&[&holder]), envelope(&[&other]));
    let kinds = [
        (holder.intoto_v001(&mine).await, other.intoto_v001(&theirs).await),
        (holder.intoto_v002(&mine, &[&holder]).await, other.intoto_v002(&theirs, &[&other]).await),
        (holder.dsse_v001(&mine, &[&holder]).await, other.dsse_v001(&theirs, &[&other]).await),
        (holder.dsse_v002(&mine, &[&holder]).await, other.dsse_v002(&theirs, &[&other]).await),
    ];
    for (logged, foreign) in kinds {
        let verified = verify(&verifier, &holder.bundle(&mine, &[logged], &[])).unwrap();
        assert_eq!(only(&verified).1.logs(Inclusion::Included), 1);
        let found = broken(verify(&verifier, &holder.bundle(&mine, &[foreign], &[])));
        assert_eq!(found, Promise::LogEntry);
    }
    // Without a trust root, nobody has verified the entry.
    let alone = Verifier::new(vec![holder.public()], Limits::default());
    let mine = envelope(&[&holder]);
    let bundle = holder.bundle(&mine, &[holder.intoto_v001(&mine).await], &[]);
    let verified = verify(&alone, &bundle).unwrap();
    assert_eq!(only(&verified).1.log, LogProof::NotVerified { entries: 1 });
}

#[tokio::test]
async fn an_entry_about_an_envelope_says_nothing_about_a_file() {
    let sigstore = start(0).await;
    let holder = Holder::of_key(&sigstore);
    let envelope = envelope(&[&holder]);
    let mut bundle = holder.bundle(&envelope, &[holder.intoto_v001(&envelope).await], &[]);
    bundle.as_object_mut().unwrap().remove("dsseEnvelope");
    bundle["messageSignature"] = json!({"signature": STANDARD.encode(holder.sign(ARTIFACT))});
    let signature = BlobSignature::parse(bundle.to_string().as_bytes(), &Limits::default()).unwrap();
    let verifier = verifier(&sigstore, vec![holder.public()]);
    let result = verifier.verify_blob(Artifact::Bytes(ARTIFACT), &signature);
    assert_eq!(broken(result), Promise::LogEntry);
}

#[tokio::test]
async fn an_old_attestation_with_an_intoto_0_0_1_entry_is_verified_by_its_promise() {
    let sigstore = start(0).await;
    let holder = Holder::certified(&sigstore).await;
    let envelope = envelope(&[&holder]);
    let logged = holder.intoto_v001(&envelope).await;
    let findings = verify_annotated(&verifier(&sigstore, Vec::new()), &holder, &envelope, &logged, None);
    assert_eq!(findings.claims().len(), 1, "{:?}", findings.rejected());
    let proof = findings.claims()[0].claim.proof();
    assert_eq!((proof.logs(Inclusion::Included), proof.logs(Inclusion::Promised)), (0, 1));
    // A timestamp beside the promise is one more witness of the time.
    let token = holder.timestamp(&signature(&envelope, 0)).await;
    let entry = holder.intoto_v001(&services::envelope(&[&holder])).await;
    let dated = |entry: &Value| {
        let annotation = json!({"SignedRFC3161Timestamp": STANDARD.encode(&token)}).to_string();
        verify_annotated(&verifier(&sigstore, Vec::new()), &holder, &envelope, entry, Some(annotation))
    };
    assert!(dated(&entry).claims().is_empty(), "the entry is about another envelope");
    let findings = dated(&logged);
    let proof = findings.claims()[0].claim.proof();
    assert_eq!((proof.times.len(), proof.timestamps(), proof.certificate_logged), (2, 1, true));
}

#[tokio::test]
async fn a_chain_in_a_bundle_of_version_0_3_is_refused_beside_intoto_0_0_1_too() {
    let sigstore = start(0).await;
    let holder = Holder::certified(&sigstore).await;
    let envelope = envelope(&[&holder]);
    let mut bundle = holder.bundle(&envelope, &[holder.intoto_v001(&envelope).await], &[]);
    let material = bundle["verificationMaterial"].as_object_mut().unwrap();
    let certificate = material.remove("certificate").unwrap();
    material.insert("x509CertificateChain".to_owned(), json!({"certificates": [certificate]}));
    let verifier = verifier(&sigstore, Vec::new());
    assert_eq!(broken(verify(&verifier, &bundle)), Promise::Structure);
    bundle["mediaType"] = json!("application/vnd.dev.sigstore.bundle+json;version=0.2");
    verify(&verifier, &bundle).unwrap();
}

/// What comes of an envelope as cosign 1 and 2 store it.
fn verify_annotated(
    verifier: &Verifier,
    holder: &Holder<'_>,
    envelope: &Value,
    entry: &Value,
    timestamp: Option<String>,
) -> Findings {
    let certificate = String::from_utf8(STANDARD.decode(holder.pem()).unwrap()).unwrap();
    let mut annotations = BTreeMap::from([
        (CERTIFICATE_ANNOTATION.to_owned(), certificate),
        (LOG_ANNOTATION.to_owned(), rekor_bundle(entry).to_string()),
    ]);
    annotations.extend(timestamp.map(|text| (TIMESTAMP_ANNOTATION.to_owned(), text)));
    let document =
        Document::read(LayerKind::Envelope, go(envelope).as_bytes(), &annotations, &Limits::default());
    let subject = format!("registry.example/app@{}", Digest::of(ARTIFACT)).parse().unwrap();
    let blob = Digest::of(b"the document");
    let origin = Origin { place: Place::Referrers, manifest: blob.clone(), blob };
    let items = vec![EvidenceItem { origin, document }];
    verifier.verify_all(Evidence { subject, items, searched: vec![Place::Referrers], omitted: Vec::new() })
}

/// The promise of an entry as cosign 1 and 2 keep it.
fn rekor_bundle(entry: &Value) -> Value {
    let number = |name: &str| entry[name].as_str().unwrap().parse::<u64>().unwrap();
    let id = STANDARD.decode(entry["logId"]["keyId"].as_str().unwrap()).unwrap();
    json!({
        "SignedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"],
        "Payload": {
            "body": entry["canonicalizedBody"], "integratedTime": number("integratedTime"),
            "logIndex": number("logIndex"), "logID": hex::encode(id),
        },
    })
}

#[tokio::test]
async fn each_of_several_signatures_is_judged_on_its_own() {
    let sigstore = start(0).await;
    let (one, two, stranger) =
        (Holder::of_key(&sigstore), Holder::of_key(&sigstore), Holder::of_key(&sigstore));
    let envelope = envelope(&[&one, &stranger, &two, &one]);
    let logged = one.dsse_v001(&services::envelope(&[&one]), &[&one]).await;
    let verifier = verifier(&sigstore, vec![one.public(), two.public()]);
    let verified = verify(&verifier, &one.bundle(&envelope, &[], &[])).unwrap();
    let signers: Vec<_> = verified.iter().map(|one| one.signer().clone()).collect();
    let wanted = [&one, &two].map(|key| Signer::Key(key.public().id().clone()));
    assert_eq!(signers, wanted);

    // An entry about one of them proves that one.
    let all = [&one, &stranger, &two, &one];
    for entry in [
        one.dsse_v001(&envelope, &all).await,
        one.intoto_v002(&envelope, &all).await,
        one.dsse_v002(&envelope, &all).await,
    ] {
        let verified = verify(&verifier, &one.bundle(&envelope, &[entry], &[])).unwrap();
        let logs: Vec<_> = verified.iter().map(|one| one.proof().logs(Inclusion::Included)).collect();
        assert_eq!(logs, [1, 1]);
    }
    let message = touchmark_attestation::pae(
        "application/vnd.in-toto+json",
        &STANDARD.decode(envelope["payload"].as_str().unwrap()).unwrap(),
    );
    let digest = sigstore_crypto::sha256(&message);
    let second = two.hashedrekord_v002(digest.as_bytes(), &signature(&envelope, 2)).await;
    let verified = verify(&verifier, &one.bundle(&envelope, &[second], &[])).unwrap();
    let logs: Vec<_> = verified.iter().map(|one| one.proof().logs(Inclusion::Included)).collect();
    assert_eq!(logs, [0, 1]);
    // One about none of them is about something else.
    assert_eq!(broken(verify(&verifier, &one.bundle(&envelope, &[logged], &[]))), Promise::LogEntry);
    let token = one.timestamp(&signature(&envelope, 2)).await;
    let verified = verify(&verifier, &one.bundle(&envelope, &[], &[token])).unwrap();
    let timestamps: Vec<_> = verified.iter().map(|one| one.proof().timestamps()).collect();
    assert_eq!(timestamps, [0, 1]);
}

#[tokio::test]
async fn a_certificate_signs_one_of_several_signatures_and_known_keys_the_others() {
    let sigstore = start(0).await;
    let (certified, keyed) = (Holder::certified(&sigstore).await, Holder::of_key(&sigstore));
    let envelope = envelope(&[&keyed, &certified]);
    let entry = keyed.dsse_v001(&envelope, &[&keyed, &certified]).await;
    let bundle = certified.bundle(&envelope, &[entry], &[]);
    let both = verifier(&sigstore, vec![keyed.public()]);
    let verified = verify(&both, &bundle).unwrap();
    assert_eq!(verified[0].signer(), &Signer::Key(keyed.public().id().clone()));
    assert!(matches!(verified[1].signer(), Signer::Certificate(_)));
    assert_eq!(verified.len(), 2);
    assert_eq!(verify(&verifier(&sigstore, Vec::new()), &bundle).unwrap().len(), 1);
    // The certificate's own signature that does not hold takes nothing from the key's.
    let undated = certified.bundle(&envelope, &[], &[]);
    let verified = verify(&both, &undated).unwrap();
    assert_eq!(only(&verified).0, &Signer::Key(keyed.public().id().clone()));
    // A certificate whose key made none of the signatures says nothing.
    let others = services::envelope(&[&keyed, &keyed]);
    let promise = broken(verify(&verifier(&sigstore, Vec::new()), &certified.bundle(&others, &[], &[])));
    assert_eq!(promise, Promise::Signature);
    // intoto 0.0.1 names a signer and not a signature, and so proves one of the two.
    let old = certified.bundle(&envelope, &[certified.intoto_v001(&envelope).await], &[]);
    let verified = verify(&verifier(&sigstore, Vec::new()), &old).unwrap();
    assert!(matches!(only(&verified).0, Signer::Certificate(_)));
}

#[tokio::test]
async fn the_old_json_for_files_holds_a_certificate_and_its_log_entry() {
    let sigstore = start(0).await;
    let holder = Holder::certified(&sigstore).await;
    let signature = holder.sign(ARTIFACT);
    let entry = holder.hashedrekord_v001(ARTIFACT, &signature).await;
    let old = json!({
        "base64Signature": STANDARD.encode(&signature), "cert": holder.pem(), "rekorBundle": rekor_bundle(&entry),
    });
    let judge = |old: &Value, artifact: &[u8], keys: Vec<PublicKey>| {
        let signature = BlobSignature::parse(old.to_string().as_bytes(), &Limits::default()).unwrap();
        verifier(&sigstore, keys).verify_blob(Artifact::Bytes(artifact), &signature)
    };
    let verified = judge(&old, ARTIFACT, Vec::new()).unwrap();
    let Signer::Certificate(certificate) = verified[0].signer() else { panic!() };
    assert_eq!(certificate.subject().as_str(), EMAIL);
    assert_eq!(verified[0].proof().logs(Inclusion::Promised), 1);
    assert!(matches!(broken(judge(&old, b"other", Vec::new())), Promise::Signature));
    let mut unlogged = old.clone();
    unlogged["rekorBundle"] = Value::Null;
    assert_eq!(broken(judge(&unlogged, ARTIFACT, Vec::new())), Promise::Structure);
    let mut promise = old.clone();
    flip(&mut promise["rekorBundle"]["SignedEntryTimestamp"]);
    assert_eq!(broken(judge(&promise, ARTIFACT, Vec::new())), Promise::InclusionPromise);
    // A key where the certificate belongs is nobody's, unless the verifier knows it already.
    let keyed = Holder::of_key(&sigstore);
    let mut bare = old.clone();
    bare["base64Signature"] = json!(STANDARD.encode(keyed.sign(ARTIFACT)));
    bare["cert"] = json!(keyed.pem());
    let rejection = judge(&bare, ARTIFACT, Vec::new()).unwrap_err();
    assert!(matches!(rejection, Rejection::NoKeyMatches { hint: None, tried: 0 }), "{rejection:?}");
    bare["rekorBundle"] = Value::Null;
    assert_eq!(judge(&bare, ARTIFACT, vec![keyed.public()]).unwrap().len(), 1);
    bare["cert"] = json!(STANDARD.encode("no PEM"));
    let error = BlobSignature::parse(bare.to_string().as_bytes(), &Limits::default()).unwrap_err();
    assert!(matches!(error, BlobSignatureError::Certificate { .. }));
}

#[tokio::test]
async fn witnesses_are_counted_by_their_keys() {
    let sigstore = start(2).await;
    let holder = Holder::of_key(&sigstore);
    let envelope = envelope(&[&holder]);
    let bundle = holder.bundle(&envelope, &[holder.dsse_v002(&envelope, &[&holder]).await], &[]);
    let known: Vec<WitnessKey> = sigstore.witness_keys().iter().map(|key| key.parse().unwrap()).collect();
    let stranger: WitnessKey = start(1).await.witness_keys()[0].parse().unwrap();
    let count = |bundle: &Value, witnesses: &[WitnessKey]| {
        let verifier = verifier(&sigstore, vec![holder.public()]).with_witnesses(witnesses.to_vec());
        verify(&verifier, bundle).unwrap()[0].proof().witnesses(witnesses)
    };
    assert_eq!(count(&bundle, &known), 2);
    assert_eq!(count(&bundle, &known[..1]), 1);
    // The same witness known twice, or signing twice, is one.
    assert_eq!(count(&bundle, &[known[0].clone(), known[0].clone()]), 1);
    let text =
        entry(&mut bundle.clone())["inclusionProof"]["checkpoint"]["envelope"].as_str().unwrap().to_owned();
    let with = |text: &str| {
        let mut changed = bundle.clone();
        entry(&mut changed)["inclusionProof"]["checkpoint"]["envelope"] = json!(text);
        changed
    };
    let line = text.lines().find(|line| line.contains("witness-1")).unwrap();
    assert_eq!(count(&with(&format!("{text}{line}\n")), &known[..1]), 1);
    // Another key under the same name is another witness.
    assert_eq!(stranger.name(), known[0].name());
    assert_eq!(count(&bundle, &[stranger]), 0);
    // A cosignature of another checkpoint, one moved in time, and one cut short.
    holder.dsse_v002(&services::envelope(&[&holder]), &[&holder]).await;
    let later = holder.dsse_v002(&services::envelope(&[&holder]), &[&holder]).await;
    let other = later["inclusionProof"]["checkpoint"]["envelope"].as_str().unwrap();
    let foreign = other.lines().find(|line| line.contains("witness-1")).unwrap();
    assert_eq!(count(&with(&text.replace(line, foreign)), &known), 1);
    let (head, encoded) = line.rsplit_once(' ').unwrap();
    let mut bytes = STANDARD.decode(encoded).unwrap();
    bytes[11] ^= 1;
    let moved = format!("{head} {}", STANDARD.encode(&bytes));
    assert_eq!(count(&with(&text.replace(line, &moved)), &known), 1);
    let cut = format!("{head} {}", STANDARD.encode(&bytes[..9]));
    assert_eq!(count(&with(&text.replace(line, &cut)), &known), 1);
}
