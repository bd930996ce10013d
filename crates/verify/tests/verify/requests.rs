//! What a decision asks a registry for, and that asking for less changes no verdict.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use touchmark_attestation::predicate_types;
use touchmark_oci::{ImageRef, media_type};
use touchmark_policy::{CertificateIdentity, NamedSigner, Policy, TextMatch, Verdict};
use touchmark_registry::Stores;
use touchmark_sign::keyless::{IdentityToken, KeylessSigner, SigningServices};
use touchmark_sign::{Signer, image_statement, sign_image};
use touchmark_sigstore::{Limits, TrustRoot};
use touchmark_testkit::{Clock, Fault, Identity, Knobs, Meeting, Options, ReferrersApi, Sigstore};
use touchmark_transport::{Client, ClientOptions};
use touchmark_verify::{GatherLimits, ImageVerifier, gather_documents};

use crate::stage::{Stage, signer};

const KINDS: [ReferrersApi; 2] = [ReferrersApi::Served, ReferrersApi::Absent];

async fn stage(referrers: ReferrersApi) -> Stage {
    Stage::with(Knobs { referrers, ..Knobs::default() }).await
}

fn tagged(stage: &Stage) -> ImageRef {
    stage.image.name().tagged("v1".parse().unwrap())
}

/// Decides, and counts what was asked for it.
async fn cost(stage: &Stage, verifier: &ImageVerifier<Stores>, image: &ImageRef) -> (Verdict, usize) {
    stage.registry.forget_requests();
    let verdict = verifier.decide(image).await.unwrap().verdict();
    (verdict, stage.registry.requests().len())
}

/// The API, or the API and the fallback tag; for a legacy signature its tag; the bundle's manifest; the document.
#[tokio::test]
async fn a_new_digest_with_one_signature_costs_at_most_four_requests() {
    for (referrers, legacy, requests) in [
        (ReferrersApi::Served, false, 3),
        (ReferrersApi::Absent, false, 4),
        (ReferrersApi::Served, true, 3),
        (ReferrersApi::Absent, true, 4),
    ] {
        let stage = stage(referrers).await;
        let signer = signer();
        if legacy {
            stage.sign_legacy(&signer).await;
        } else {
            stage.sign(&signer).await;
        }
        // Another process: the stage's own client has talked to the registry before.
        let verifier = stage.stranger(&signer);
        let found = cost(&stage, &verifier, &stage.image.to_image_ref()).await;
        assert_eq!(found, (Verdict::Allow, requests), "{referrers:?}, legacy: {legacy}");
        // A tag is resolved by one more; and that there is no API is only found out once.
        let again = cost(&stage, &verifier, &tagged(&stage)).await;
        assert_eq!(again, (Verdict::Allow, 4), "{referrers:?}, legacy: {legacy}");
    }
}

#[tokio::test]
async fn an_identitys_signature_costs_no_more_than_a_keys() {
    let sigstore = Sigstore::start(Options::at(Clock::system())).await;
    let now = Timestamp::now();
    let token = IdentityToken::parse(&sigstore.token(&Identity::email("a@b.example")), now).unwrap();
    let services = SigningServices::parse(sigstore.signing_config(2).as_bytes(), now).unwrap();
    let keyless = KeylessSigner::new(Client::new(ClientOptions::default()).unwrap(), services, token);
    let root = Arc::new(TrustRoot::parse(sigstore.trusted_root().as_bytes(), &Limits::default()).unwrap());
    let exactly = |text: &str| TextMatch::Exactly(text.to_owned());
    let identity = CertificateIdentity::new(exactly("a@b.example"), exactly(&sigstore.url()));
    for (referrers, requests) in [(ReferrersApi::Served, 3), (ReferrersApi::Absent, 4)] {
        let stage = stage(referrers).await;
        let statement = image_statement(&stage.image, &BTreeMap::new()).to_json().unwrap();
        stage.attach(keyless.sign_payload(statement).await.unwrap()).await;
        let policy = Policy::signed_by(vec![NamedSigner::of_certificate(identity.clone())], BTreeMap::new());
        let verifier = stage.stranger_by(policy).with_trust_root(Arc::clone(&root));
        let found = cost(&stage, &verifier, &stage.image.to_image_ref()).await;
        assert_eq!(found, (Verdict::Allow, requests), "{referrers:?}");
    }
}

#[tokio::test]
async fn a_denial_costs_five_requests_and_names_all_places() {
    for referrers in KINDS {
        let stage = stage(referrers).await;
        let verifier = stage.stranger(&signer());
        let found = cost(&stage, &verifier, &stage.image.to_image_ref()).await;
        assert_eq!(found, (Verdict::Deny, 5), "{referrers:?}");
        let decision = verifier.decide(&stage.image.to_image_ref()).await.unwrap();
        assert_eq!(decision.evidence().searched.len(), 3);
    }
}

/// One way of attaching evidence each; any of them may be what a policy needs, or somebody's rubbish.
const ATTACHED: u32 = 6;

async fn attach(stage: &Stage, which: u32, ours: &Signer, theirs: &Signer) {
    match which {
        0 => stage.sign(ours).await,
        1 => stage.sign_legacy(ours).await,
        2 => stage.sign(theirs).await,
        3 => stage.sign_legacy(theirs).await,
        4 => stage.attest(ours, predicate_types::CYCLONEDX).await,
        _ => stage.attach_dangling(),
    }
}

#[tokio::test]
async fn reading_a_part_gives_the_verdict_that_reading_all_gives() {
    let (ours, theirs) = (signer(), signer());
    for referrers in KINDS {
        for combination in 0..1 << ATTACHED {
            let stage = stage(referrers).await;
            for which in (0..ATTACHED).filter(|which| combination & (1 << which) != 0) {
                attach(&stage, which, &ours, &theirs).await;
            }
            for verifier in [stage.verifier(&ours), stage.verifier_of_both(&ours, &theirs)] {
                let part = verifier.decide(&stage.image.to_image_ref()).await.unwrap();
                let (all, _) = verifier.decide_with_findings(&stage.image).await.unwrap();
                assert_eq!(part.verdict(), all.verdict(), "{referrers:?} {combination:b}");
                if part.verdict() != Verdict::Allow {
                    assert_eq!(part.reason_codes(), all.reason_codes(), "{referrers:?} {combination:b}");
                    assert_eq!(part.evidence().searched.len(), all.evidence().searched.len());
                }
            }
        }
    }
}

#[tokio::test]
async fn evidence_is_found_wherever_a_registry_that_changed_left_it() {
    let signer = signer();
    // Signed before the registry had the API, and listed by the tag only.
    let stage = stage(ReferrersApi::Absent).await;
    stage.sign(&signer).await;
    let empty = format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[]}}"#, media_type::OCI_INDEX);
    let lists_nothing = Fault::always("/referrers/", 200).header("content-type", media_type::OCI_INDEX);
    stage.registry.set(|knobs| knobs.faults.push(lists_nothing.body(&empty)));
    let verifier = stage.stranger(&signer);
    assert_eq!(cost(&stage, &verifier, &stage.image.to_image_ref()).await.0, Verdict::Allow);
    // Signed after it got the API, which this client has seen missing.
    let late = self::stage(ReferrersApi::Absent).await;
    let verifier = late.stranger(&signer);
    assert_eq!(cost(&late, &verifier, &late.image.to_image_ref()).await.0, Verdict::Deny);
    late.registry.set(|knobs| knobs.referrers = ReferrersApi::Served);
    late.attach_unlisted(sign_image(&signer, &late.image, &BTreeMap::new()).unwrap());
    assert_eq!(cost(&late, &verifier, &late.image.to_image_ref()).await.0, Verdict::Allow);
}

#[tokio::test]
async fn twenty_attestations_are_fetched_at_the_same_time() {
    let signer = signer();
    for referrers in KINDS {
        let stage = stage(referrers).await;
        for _ in 0..20 {
            stage.attest(&signer, predicate_types::CYCLONEDX).await;
        }
        // Manifests by digest are told from those by tag by the colon.
        let held = [Meeting::of(20, "/manifests/sha256:"), Meeting::of(20, "/blobs/")];
        let verifier = stage.stranger_by(Policy::attested_by(
            vec![NamedSigner::of_key(signer.public_key().clone())],
            predicate_types::CYCLONEDX.parse().unwrap(),
        ));
        stage.registry.set(|knobs| knobs.meetings.extend(held));
        let image = stage.image.to_image_ref();
        let decided = tokio::time::timeout(Duration::from_secs(60), cost(&stage, &verifier, &image)).await;
        let lists = if referrers == ReferrersApi::Served { 1 } else { 2 };
        assert_eq!(decided.expect("one after the other"), (Verdict::Allow, lists + 40), "{referrers:?}");
        assert_eq!(stage.registry.peak(), 20);
    }
}

#[tokio::test]
async fn no_more_is_fetched_at_the_same_time_than_the_limit_says() {
    let stage = Stage::new().await;
    let signer = signer();
    for _ in 0..20 {
        stage.attest(&signer, predicate_types::CYCLONEDX).await;
        stage.sign_legacy(&signer).await;
    }
    stage.registry.set(|knobs| knobs.delay = Duration::from_millis(2));
    let mut limits = GatherLimits::default();
    limits.concurrency = 3;
    stage.registry.forget_requests();
    let found = gather_documents(&stage.stores, &stage.image, &limits).await.unwrap();
    assert_eq!(found.documents.len(), 40);
    // Beside these the places are looked for: the manifest, the two lists of referrers and the two tags.
    assert!(stage.registry.peak() <= limits.concurrency + 5, "{}", stage.registry.peak());
}

#[tokio::test]
async fn documents_are_given_with_their_bytes_and_fetched_once() {
    for referrers in KINDS {
        let stage = stage(referrers).await;
        let signer = signer();
        stage.sign(&signer).await;
        stage.sign_legacy(&signer).await;
        stage.attach_dangling();
        stage.registry.forget_requests();
        let found = gather_documents(&stage.stores, &stage.image, &GatherLimits::default()).await.unwrap();
        for document in &found.documents {
            let blob = document.item.origin.blob.to_string();
            assert_eq!(stage.registry.count("GET", &blob), 1);
            if let Some((layer, content)) = &document.stored {
                assert_eq!(
                    (&layer.descriptor.digest, content.digest()),
                    (content.digest(), &document.item.origin.blob)
                );
            }
        }
        let stored = found.documents.iter().filter(|document| document.stored.is_some()).count();
        assert_eq!(stored, 2, "{referrers:?}");
    }
}
