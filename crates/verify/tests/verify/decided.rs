//! What is allowed, what is denied, and what cannot be decided.

use touchmark_attestation::predicate_types;
use touchmark_policy::{Decision, Verdict};
use touchmark_registry::StoreError;
use touchmark_testkit::{Fault, Knobs, ReferrersApi, Tamper};
use touchmark_verify::{GatherLimits, VerifyError};

use crate::stage::{Stage, signer};

fn codes(decision: &Decision) -> Vec<&str> {
    decision.reason_codes().into_iter().collect()
}

#[tokio::test]
async fn a_signed_image_is_allowed_in_either_format_and_on_either_kind_of_registry() {
    for referrers in [ReferrersApi::Served, ReferrersApi::Absent] {
        for legacy in [false, true] {
            let stage = Stage::with(Knobs { referrers, ..Knobs::default() }).await;
            let signer = signer();
            if legacy {
                stage.sign_legacy(&signer).await;
            } else {
                stage.sign(&signer).await;
            }
            let decision = stage.verifier(&signer).decide(&stage.image.to_image_ref()).await.unwrap();
            assert_eq!(decision.verdict(), Verdict::Allow, "{referrers:?}, legacy: {legacy}");
        }
    }
}

#[tokio::test]
async fn a_tag_is_resolved_and_the_digest_is_what_the_decision_names() {
    let stage = Stage::new().await;
    let signer = signer();
    stage.sign(&signer).await;
    let tagged = stage.image.name().tagged("v1".parse().unwrap());
    let decision = stage.verifier(&signer).decide(&tagged).await.unwrap();
    assert_eq!(decision.image().digest(), stage.image.digest());
}

#[tokio::test]
async fn an_image_with_nothing_is_denied_and_the_places_searched_are_named() {
    let stage = Stage::new().await;
    let decision = stage.verifier(&signer()).decide(&stage.image.to_image_ref()).await.unwrap();
    assert_eq!(codes(&decision), ["signature-missing"]);
    assert_eq!(decision.evidence().searched.len(), 3);
}

#[tokio::test]
async fn an_sbom_attestation_is_no_signature() {
    let stage = Stage::new().await;
    let signer = signer();
    stage.attest(&signer, predicate_types::CYCLONEDX).await;
    let decision = stage.verifier(&signer).decide(&stage.image.to_image_ref()).await.unwrap();
    assert_eq!(codes(&decision), ["signature-missing"]);
}

#[tokio::test]
async fn somebody_elses_signature_is_denied_as_that() {
    let stage = Stage::new().await;
    stage.sign(&signer()).await;
    let decision = stage.verifier(&signer()).decide(&stage.image.to_image_ref()).await.unwrap();
    assert_eq!(codes(&decision), ["signature-wrong-key"]);
}

#[tokio::test]
async fn a_registry_that_limits_or_fails_decides_nothing() {
    for path in ["/referrers/", "/manifests/sha256-", ".sig", ".att", "/blobs/"] {
        for status in [429, 500, 503] {
            let stage = Stage::new().await;
            // Somebody else's signature: every place is asked.
            stage.sign(&signer()).await;
            stage.registry.set(|knobs| knobs.faults.push(Fault::always(path, status)));
            let error = stage.verifier(&signer()).decide(&stage.image.to_image_ref()).await.unwrap_err();
            let VerifyError::Store(error) = error else { panic!("{path} {status}: {error}") };
            let limited = matches!(error, StoreError::RateLimited { .. });
            assert_eq!(limited, status == 429, "{path} {status}: {error}");
        }
    }
}

#[tokio::test]
async fn an_image_that_is_not_there_or_not_itself_decides_nothing() {
    let stage = Stage::new().await;
    stage.sign(&signer()).await;
    let signer = signer();
    let absent = stage.image.name().pin(touchmark_oci::Digest::of(b"absent"));
    let error = stage.verifier(&signer).decide(&absent.to_image_ref()).await.unwrap_err();
    assert!(matches!(error, VerifyError::Store(StoreError::NotFound { .. })), "{error}");

    let path = format!("/manifests/{}", stage.image.digest());
    stage.registry.set(|knobs| knobs.tampers.push((path, Tamper::Flip)));
    let error = stage.verifier(&signer).decide(&stage.image.to_image_ref()).await.unwrap_err();
    assert!(matches!(error, VerifyError::Store(StoreError::Corrupt { .. })), "{error}");
}

#[tokio::test]
async fn a_dangling_or_altered_referrer_hides_nothing_and_is_reported() {
    let stage = Stage::new().await;
    let signer = signer();
    stage.attach_dangling();
    stage.sign(&signer).await;
    let decision = stage.verifier(&signer).decide(&stage.image.to_image_ref()).await.unwrap();
    assert_eq!(decision.verdict(), Verdict::Allow);
    assert_eq!(decision.evidence().rejected.len(), 1);

    stage.registry.set(|knobs| knobs.tampers.push(("/blobs/".into(), Tamper::Flip)));
    let decision = stage.verifier(&signer).decide(&stage.image.to_image_ref()).await.unwrap();
    assert_eq!(codes(&decision), ["signature-unreadable"]);
}

#[tokio::test]
async fn evidence_over_a_limit_is_left_out_and_that_is_said() {
    let stage = Stage::new().await;
    let signer = signer();
    for _ in 0..3 {
        stage.sign(&signer).await;
    }
    let mut limits = GatherLimits::default();
    limits.max_total_bytes = 10;
    let verifier = stage.verifier_within(&signer, limits);
    let decision = verifier.decide(&stage.image.to_image_ref()).await.unwrap();
    assert_eq!(codes(&decision), ["evidence-omitted", "signature-missing"]);

    let mut limits = GatherLimits::default();
    limits.max_documents = 1;
    let verifier = stage.verifier_within(&signer, limits);
    let decision = verifier.decide(&stage.image.to_image_ref()).await.unwrap();
    assert_eq!(decision.verdict(), Verdict::Allow);
    assert_eq!(decision.evidence().omitted[0].count, 2);

    let mut limits = GatherLimits::default();
    limits.max_document_bytes = 10;
    let verifier = stage.verifier_within(&signer, limits);
    let decision = verifier.decide(&stage.image.to_image_ref()).await.unwrap();
    assert_eq!(codes(&decision), ["signature-unreadable"]);
}

#[tokio::test]
async fn nobody_is_asked_about_an_image_that_no_policy_is_about() {
    let stage = Stage::new().await;
    let text = "apiVersion: touchmark.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: other}\nspec:\n  images: [{glob: \"ghcr.io/other/**\"}]\n  \
                signers: [{name: release, key: {file: release.pub}}]\n  require: [{name: signed, signature: {by: [release]}}]\n";
    let limits = touchmark_policy::Limits::default();
    let document = touchmark_policy::PolicyDocument::parse(text, "other.yaml", &limits).unwrap();
    let key = signer().public_key().to_pem();
    let policy = document.check(&|_| Ok(key.clone()), &limits).unwrap();
    let policies = touchmark_policy::PolicySet::new(vec![policy]).unwrap();
    let verifier =
        touchmark_verify::ImageVerifier::new(stage.stores.clone(), policies, GatherLimits::default());
    stage.registry.forget_requests();
    let decision = verifier.decide(&stage.image.to_image_ref()).await.unwrap();
    assert_eq!(codes(&decision), ["no-policy-matches"]);
    assert_eq!(stage.registry.requests(), []);
}
