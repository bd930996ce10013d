//! Evidence copied from store to store, and removed.

use touchmark_oci::{Content, Descriptor, ImageIndex, ImageManifest, ImageName, PinnedRef, media_type};
use touchmark_policy::Verdict;
use touchmark_registry::{ImageStore as _, StoreError};
use touchmark_sigstore::storage::legacy_tags;
use touchmark_testkit::{FakeRegistry, Fault, Knobs, ReferrersApi};
use touchmark_verify::{
    Copied, CopyError, CopyOptions, EvidenceKind, copy_with_evidence, find_removable, gather, remove,
};

use crate::stage::{Stage, signer};

const TYPE: &str = "https://example.com/p";

fn registries() -> [Knobs; 2] {
    [Knobs::default(), without_api()]
}

fn without_api() -> Knobs {
    Knobs { referrers: ReferrersApi::Absent, ..Knobs::default() }
}

async fn copy_to(stage: &Stage, name: &ImageName, options: &CopyOptions) -> Result<Copied, CopyError> {
    let tag = "v1".parse().unwrap();
    copy_with_evidence(&stage.stores, &stage.image, &stage.stores, name, Some(&tag), options).await
}

async fn documents(stage: &Stage, image: &PinnedRef) -> usize {
    gather(&stage.stores, image, &touchmark_verify::GatherLimits::default())
        .await
        .unwrap()
        .evidence
        .items
        .len()
}

#[tokio::test]
async fn a_copy_verifies_wherever_it_goes() {
    let signer = signer();
    for from in registries() {
        for to in registries() {
            let stage = Stage::with(from.clone()).await;
            stage.sign(&signer).await;
            stage.sign_legacy(&signer).await;
            stage.attest(&signer, TYPE).await;
            let there = FakeRegistry::start_with(to).await;
            let name = there.name("prod/app");
            let copied = copy_to(&stage, &name, &CopyOptions::default()).await.unwrap();
            assert!(copied.left.is_empty(), "{copied:?}");
            assert_eq!((copied.referrers, copied.legacy_tags.len()), (2, 1));
            let image = name.pin(stage.image.digest().clone());
            assert_eq!(documents(&stage, &image).await, 3);
            let decision = stage.verifier(&signer).decide(&image.to_image_ref()).await.unwrap();
            assert_eq!(decision.verdict(), Verdict::Allow);
        }
    }
}

#[tokio::test]
async fn evidence_at_the_destination_stays() {
    let (one, other) = (signer(), signer());
    for knobs in registries() {
        let here = Stage::with(knobs.clone()).await;
        let there = Stage::with(knobs).await;
        here.sign(&one).await;
        here.sign_legacy(&one).await;
        there.sign(&other).await;
        there.sign_legacy(&other).await;
        copy_to(&here, there.image.name(), &CopyOptions::default()).await.unwrap();
        assert_eq!(documents(&there, &there.image).await, 4);
        copy_to(&here, there.image.name(), &CopyOptions::default()).await.unwrap();
        assert_eq!(documents(&there, &there.image).await, 4);
    }
}

#[tokio::test]
async fn only_what_is_wanted_is_copied() {
    let stage = Stage::new().await;
    let signer = signer();
    stage.sign(&signer).await;
    stage.sign_legacy(&signer).await;
    stage.attest(&signer, TYPE).await;
    let there = FakeRegistry::start().await;
    let options = CopyOptions { only: vec![EvidenceKind::Attestation], ..CopyOptions::default() };
    let copied = copy_to(&stage, &there.name("a"), &options).await.unwrap();
    assert_eq!((copied.referrers, copied.legacy_tags.len()), (1, 0));
}

#[tokio::test]
async fn referrers_of_referrers_and_of_platforms_go_along() {
    let stage = Stage::new().await;
    let signer = signer();
    stage.sign(&signer).await;
    let name = stage.image.name();
    let signature = stage.stores.referrers(&stage.image).await.unwrap().manifests.remove(0);
    let config = Descriptor::of(media_type::OCI_EMPTY, b"{}");
    let mut note = ImageManifest::new(config, Vec::new());
    note.subject =
        Some(Descriptor::new(signature.media_type.clone(), signature.digest.clone(), signature.size));
    stage.stores.push_manifest(name, &note.to_content(), None).await.unwrap();
    let platform = stage.stores.fetch_manifest(&stage.image).await.unwrap();
    let index = ImageIndex::new(vec![platform.descriptor().clone()]).to_content();
    stage.stores.push_manifest(name, &index, None).await.unwrap();
    let there = FakeRegistry::start_with(without_api()).await;
    let image = name.pin(index.digest().clone());
    let options = CopyOptions::default();
    let copied = copy_with_evidence(&stage.stores, &image, &stage.stores, &there.name("a"), None, &options)
        .await
        .unwrap();
    assert_eq!(copied.referrers, 2);
    let copy_of_signature = there.name("a").pin(signature.digest);
    assert_eq!(stage.stores.referrers(&copy_of_signature).await.unwrap().manifests.len(), 1);
    let shallow = CopyOptions {
        evidence: {
            let mut limits = options.evidence.clone();
            limits.max_depth = 1;
            limits
        },
        ..options
    };
    let error = copy_with_evidence(&stage.stores, &image, &stage.stores, &there.name("b"), None, &shallow)
        .await
        .unwrap_err();
    assert!(matches!(error, CopyError::TooDeep { limit: 1, .. }), "{error:?}");
}

#[tokio::test]
async fn what_cannot_be_copied_is_named_and_the_rest_is_copied() {
    let stage = Stage::new().await;
    stage.attach_dangling();
    stage.sign(&signer()).await;
    let there = FakeRegistry::start().await;
    let copied = copy_to(&stage, &there.name("a"), &CopyOptions::default()).await.unwrap();
    assert_eq!(copied.referrers, 1);
    assert!(matches!(copied.left[0].error, StoreError::NotFound { .. }), "{copied:?}");
}

#[tokio::test]
async fn an_immutable_tag_does_not_hold_up_the_evidence() {
    let stage = Stage::new().await;
    stage.sign(&signer()).await;
    let there = FakeRegistry::start().await;
    there.set(|knobs| knobs.faults.push(Fault::always("/manifests/v1", 409).on("PUT")));
    let copied = copy_to(&stage, &there.name("a"), &CopyOptions::default()).await.unwrap();
    assert_eq!((copied.referrers, copied.left.len()), (1, 1));
    assert!(copied.left[0].what.ends_with(":v1"));
    assert!(matches!(copied.left[0].error, StoreError::Rejected { status: 409, .. }));
}

#[tokio::test]
async fn a_busy_registry_ends_the_copy_and_nothing_is_taken_for_absent() {
    for path in ["/referrers/", ".sig"] {
        let stage = Stage::new().await;
        stage.sign(&signer()).await;
        stage.registry.set(|knobs| knobs.faults.push(Fault::always(path, 429)));
        let there = FakeRegistry::start().await;
        let error = copy_to(&stage, &there.name("a"), &CopyOptions::default()).await.unwrap_err();
        assert!(matches!(error, CopyError::Store(StoreError::RateLimited { .. })), "{error:?}");
        assert!(there.tag("a", "v1").is_none());
    }
}

#[tokio::test]
async fn an_image_and_its_evidence_go_through_a_layout() {
    let stage = Stage::with(without_api()).await;
    let signer = signer();
    stage.sign(&signer).await;
    stage.sign_legacy(&signer).await;
    let dir = tempfile::tempdir().unwrap();
    let layout = ImageName::Layout(dir.path().join("saved").display().to_string());
    copy_to(&stage, &layout, &CopyOptions::default()).await.unwrap();
    let image = layout.pin(stage.image.digest().clone());
    assert_eq!(documents(&stage, &image).await, 2);
    let there = FakeRegistry::start().await;
    let back = there.name("a");
    let options = CopyOptions::default();
    copy_with_evidence(&stage.stores, &image, &stage.stores, &back, None, &options).await.unwrap();
    assert_eq!(documents(&stage, &back.pin(image.digest().clone())).await, 2);
}

#[tokio::test]
async fn removal_takes_what_was_asked_for_and_leaves_the_rest() {
    for knobs in registries() {
        let stage = Stage::with(knobs).await;
        let signer = signer();
        stage.sign(&signer).await;
        stage.sign_legacy(&signer).await;
        stage.attest(&signer, TYPE).await;
        for (kinds, left) in [(vec![EvidenceKind::Signature], 1), (EvidenceKind::ALL.to_vec(), 0)] {
            let found = find_removable(&stage.stores, &stage.image, &kinds).await.unwrap().found;
            for removable in &found {
                remove(&stage.stores, removable).await.unwrap();
            }
            assert_eq!(documents(&stage, &stage.image).await, left);
        }
        assert!(stage.stores.referrers(&stage.image).await.unwrap().manifests.is_empty());
        stage.stores.fetch_manifest(&stage.image).await.unwrap();
    }
}

fn listed(stage: &Stage) -> Option<usize> {
    let tag = touchmark_oci::Tag::for_digest(stage.image.digest(), "").unwrap();
    let index: serde_json::Value =
        serde_json::from_slice(&stage.registry.tag("acme/app", tag.as_str())?).unwrap();
    Some(index.get("manifests")?.as_array().unwrap().len())
}

#[tokio::test]
async fn a_list_of_nothing_is_not_left_behind() {
    let stage = Stage::with(without_api()).await;
    let signer = signer();
    stage.sign(&signer).await;
    stage.attest(&signer, TYPE).await;
    let found = find_removable(&stage.stores, &stage.image, &EvidenceKind::ALL).await.unwrap().found;
    remove(&stage.stores, &found[0]).await.unwrap();
    assert_eq!(listed(&stage), Some(1));
    remove(&stage.stores, &found[1]).await.unwrap();
    assert_eq!(listed(&stage), None);
    // The entry of evidence that somebody deleted before: the list goes all the same.
    stage.sign(&signer).await;
    let found = find_removable(&stage.stores, &stage.image, &EvidenceKind::ALL).await.unwrap().found;
    stage.registry.set(|knobs| {
        let path = format!("/manifests/{}", found[0].manifest);
        knobs.faults.push(Fault::times(&path, 404, 1).on("DELETE"));
    });
    remove(&stage.stores, &found[0]).await.unwrap();
    assert_eq!(listed(&stage), None);
}

#[tokio::test]
async fn a_list_that_a_registry_does_not_delete_is_left_empty() {
    let stage = Stage::with(without_api()).await;
    stage.sign(&signer()).await;
    let found = find_removable(&stage.stores, &stage.image, &EvidenceKind::ALL).await.unwrap().found;
    let tag = touchmark_oci::Tag::for_digest(stage.image.digest(), "").unwrap();
    let list = stage.stores.fetch_tag(stage.image.name(), &tag).await.unwrap().unwrap();
    let path = format!("/manifests/{}", list.digest());
    stage.registry.set(|knobs| knobs.faults.push(Fault::always(&path, 405).on("DELETE")));
    remove(&stage.stores, &found[0]).await.unwrap();
    assert_eq!(listed(&stage), Some(0));
    // One that refuses everything decides for itself what that means.
    stage.sign(&signer()).await;
    let found = find_removable(&stage.stores, &stage.image, &EvidenceKind::ALL).await.unwrap().found;
    let list = stage.stores.fetch_tag(stage.image.name(), &tag).await.unwrap().unwrap();
    let path = format!("/manifests/{}", list.digest());
    stage.registry.set(|knobs| knobs.faults.push(Fault::always(&path, 503).on("DELETE")));
    let error = remove(&stage.stores, &found[0]).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert_eq!(listed(&stage), Some(1));
}

#[tokio::test]
async fn a_layouts_list_of_nothing_goes_too() {
    let dir = tempfile::tempdir().unwrap();
    let layout = ImageName::Layout(dir.path().join("saved").display().to_string());
    let stage = Stage::new().await;
    stage.sign(&signer()).await;
    copy_to(&stage, &layout, &CopyOptions::default()).await.unwrap();
    let image = layout.pin(stage.image.digest().clone());
    let referrers = stage.stores.referrers(&image).await.unwrap().manifests;
    // As other tools write it into layouts.
    let tag = touchmark_oci::Tag::for_digest(image.digest(), "").unwrap();
    let list = ImageIndex::new(referrers.clone()).to_content();
    stage.stores.push_manifest(&layout, &list, Some(&tag)).await.unwrap();
    let evidence = layout.pin(referrers[0].digest.clone());
    stage.stores.delete_manifest(&evidence, Some(image.digest())).await.unwrap();
    assert_eq!(stage.stores.fetch_tag(&layout, &tag).await.unwrap(), None);
    assert_eq!(stage.stores.referrers(&image).await.unwrap().manifests, []);
}

#[tokio::test]
async fn the_image_itself_is_never_removed() {
    let stage = Stage::new().await;
    let subject: Content = stage.stores.fetch_manifest(&stage.image).await.unwrap();
    let tags = legacy_tags(stage.image.digest()).unwrap();
    for tag in [tags.signatures, tags.sbom] {
        stage.stores.push_manifest(stage.image.name(), &subject, Some(&tag)).await.unwrap();
    }
    let found = find_removable(&stage.stores, &stage.image, &EvidenceKind::ALL).await.unwrap();
    assert_eq!(found.found, []);
}

#[tokio::test]
async fn a_registry_that_deletes_nothing_says_so() {
    let stage = Stage::new().await;
    stage.sign(&signer()).await;
    stage.registry.set(|knobs| knobs.faults.push(Fault::always("/manifests/", 405).on("DELETE")));
    let found = find_removable(&stage.stores, &stage.image, &EvidenceKind::ALL).await.unwrap().found;
    let error = remove(&stage.stores, &found[0]).await.unwrap_err();
    assert!(matches!(error, StoreError::Undeletable { status: 405, .. }), "{error:?}");
    assert!(error.hint().is_some());
}
