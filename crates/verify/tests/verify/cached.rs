//! What is kept between requests: evidence by digest, and nothing else.

use std::time::Duration;

use touchmark_policy::Verdict;
use touchmark_testkit::Fault;
use touchmark_verify::CacheLimits;

use crate::stage::{Stage, signer};

fn keeping(denial_recheck: Duration) -> CacheLimits {
    let mut limits = CacheLimits::default();
    limits.denial_recheck = denial_recheck;
    limits
}

#[tokio::test]
async fn requests_for_one_digest_share_one_gathering() {
    let stage = Stage::new().await;
    let signer = signer();
    stage.sign(&signer).await;
    let verifier = stage.verifier(&signer).with_cache(&CacheLimits::default());
    stage.registry.forget_requests();
    let image = stage.image.to_image_ref();
    let decisions = futures_util::future::join_all((0..50).map(|_| verifier.decide(&image))).await;
    assert!(decisions.iter().all(|decision| decision.as_ref().unwrap().verdict() == Verdict::Allow));
    assert_eq!(stage.registry.count("GET", "/referrers/"), 1);
}

#[tokio::test]
async fn who_gives_up_takes_nobody_elses_answer_away() {
    let stage = Stage::new().await;
    let signer = signer();
    stage.sign(&signer).await;
    stage.registry.set(|knobs| knobs.delay = Duration::from_millis(50));
    let verifier = stage.verifier(&signer).with_cache(&CacheLimits::default());
    let image = stage.image.to_image_ref();
    let impatient = tokio::time::timeout(Duration::from_millis(20), verifier.decide(&image));
    let (gone, stayed) = tokio::join!(impatient, verifier.decide(&image));
    assert!(gone.is_err());
    assert_eq!(stayed.unwrap().verdict(), Verdict::Allow);
}

#[tokio::test]
async fn an_error_is_not_kept() {
    let stage = Stage::new().await;
    let signer = signer();
    stage.sign(&signer).await;
    let verifier = stage.verifier(&signer).with_cache(&CacheLimits::default());
    stage.registry.set(|knobs| knobs.faults.push(Fault::times("/referrers/", 503, 1)));
    assert!(verifier.decide(&stage.image.to_image_ref()).await.is_err());
    let decision = verifier.decide(&stage.image.to_image_ref()).await.unwrap();
    assert_eq!(decision.verdict(), Verdict::Allow);
}

#[tokio::test]
async fn a_denial_from_old_evidence_is_looked_at_again() {
    let stage = Stage::new().await;
    let signer = signer();
    let verifier = stage.verifier(&signer).with_cache(&keeping(Duration::ZERO));
    let image = stage.image.to_image_ref();
    assert_eq!(verifier.decide(&image).await.unwrap().verdict(), Verdict::Deny);
    stage.sign(&signer).await;
    assert_eq!(verifier.decide(&image).await.unwrap().verdict(), Verdict::Allow);
}

#[tokio::test]
async fn a_denial_from_fresh_evidence_costs_no_second_look() {
    let stage = Stage::new().await;
    let verifier = stage.verifier(&signer()).with_cache(&keeping(Duration::from_secs(3600)));
    let image = stage.image.to_image_ref();
    for _ in 0..3 {
        assert_eq!(verifier.decide(&image).await.unwrap().verdict(), Verdict::Deny);
    }
    assert_eq!(stage.registry.count("GET", "/referrers/"), 1);
}

#[tokio::test]
async fn a_tag_that_moves_is_seen_at_once() {
    let stage = Stage::new().await;
    let signer = signer();
    stage.sign(&signer).await;
    let verifier = stage.verifier(&signer).with_cache(&CacheLimits::default());
    let tagged = stage.image.name().tagged("v1".parse().unwrap());
    assert_eq!(verifier.decide(&tagged).await.unwrap().verdict(), Verdict::Allow);
    let moved = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[]}}"#,
        touchmark_oci::media_type::OCI_INDEX
    );
    stage.registry.put_manifest(
        "acme/app",
        Some("v1"),
        touchmark_oci::media_type::OCI_INDEX,
        moved.as_bytes(),
    );
    assert_eq!(verifier.decide(&tagged).await.unwrap().verdict(), Verdict::Deny);
}
