//! What refers to an image: found and left so that others find it, and never silently nothing.

use serde_json::Value;
use touchmark_oci::{Content, ImageIndex, PinnedRef, Tag, media_type};
use touchmark_registry::{ImageStore, RegistryClient, ResponseFault, StoreError, Unavailable, push_artifact};
use touchmark_testkit::{FakeRegistry, Fault, Knobs, ReferrersApi};

use crate::{artifact, client, options, push_image};

async fn registry(referrers: ReferrersApi) -> FakeRegistry {
    FakeRegistry::start_with(Knobs { referrers, ..Knobs::default() }).await
}

/// An image with `count` artifacts about it.
async fn signed(registry: &FakeRegistry, count: usize) -> (PinnedRef, Content) {
    let subject = push_image(&client(), &registry.name("a"), "x", None).await;
    for number in 0..count {
        let (manifest, blobs) = artifact(&number.to_string(), &subject);
        push_artifact(&client(), &registry.name("a"), &manifest.to_content(), &blobs).await.unwrap();
    }
    (registry.name("a").pin(subject.digest().clone()), subject)
}

fn fallback(registry: &FakeRegistry, image: &PinnedRef) -> Option<Value> {
    let tag = Tag::for_digest(image.digest(), "").unwrap();
    registry.tag("a", tag.as_str()).map(|bytes| serde_json::from_slice(&bytes).unwrap())
}

#[tokio::test]
async fn referrers_are_found_whatever_the_registry_can_do() {
    for (api, written) in [
        (ReferrersApi::Served, false),
        (ReferrersApi::Unannounced, false),
        (ReferrersApi::OnlyAnnounced, true),
        (ReferrersApi::Absent, true),
    ] {
        let registry = registry(api).await;
        let (image, _) = signed(&registry, 2).await;
        let found = client().referrers(&image).await.unwrap();
        assert_eq!((found.manifests.len(), found.truncated), (2, false), "{api:?}");
        assert_eq!(fallback(&registry, &image).is_some(), written, "{api:?}");
        for entry in &found.manifests {
            assert_eq!(entry.artifact_type.as_deref(), Some("application/x-evidence"));
            assert!(entry.annotations.contains_key("says"), "{api:?}: {entry:?}");
        }
    }
}

#[tokio::test]
async fn an_image_without_referrers_has_none() {
    for api in [ReferrersApi::Served, ReferrersApi::Absent] {
        let registry = registry(api).await;
        let (image, _) = signed(&registry, 0).await;
        assert_eq!(client().referrers(&image).await.unwrap().manifests, []);
    }
}

#[tokio::test]
async fn those_found_both_ways_are_listed_once() {
    let registry = registry(ReferrersApi::Absent).await;
    let (image, subject) = signed(&registry, 2).await;
    registry.set(|knobs| knobs.referrers = ReferrersApi::Served);
    let (manifest, blobs) = artifact("later", &subject);
    push_artifact(&client(), &registry.name("a"), &manifest.to_content(), &blobs).await.unwrap();
    assert_eq!(client().referrers(&image).await.unwrap().manifests.len(), 3);
}

#[tokio::test]
async fn a_registry_that_cannot_say_has_not_said_that_there_are_none() {
    for api in [ReferrersApi::Served, ReferrersApi::Absent] {
        for path in ["/referrers/", "/manifests/sha256-"] {
            let registry = registry(api).await;
            let (image, _) = signed(&registry, 1).await;
            let list = async |status| {
                registry
                    .set(|knobs| knobs.faults = vec![Fault::always(path, status).header("retry-after", "0")]);
                client().referrers(&image).await.unwrap_err()
            };
            assert!(matches!(list(429).await, StoreError::RateLimited { .. }));
            assert!(matches!(list(403).await, StoreError::Forbidden { .. }));
            assert!(matches!(list(401).await, StoreError::Unauthorized { .. }));
            let error = list(503).await;
            assert!(matches!(error, StoreError::Unavailable { source: Unavailable::Status { .. }, .. }));
        }
    }
}

#[tokio::test]
async fn rate_limits_under_another_status_are_no_missing_api() {
    let registry = registry(ReferrersApi::Served).await;
    let (image, _) = signed(&registry, 1).await;
    let body = r#"{"errors":[{"code":"TOOMANYREQUESTS"}]}"#;
    registry.set(|knobs| knobs.faults = vec![Fault::always("/referrers/", 400).body(body)]);
    assert!(matches!(client().referrers(&image).await, Err(StoreError::RateLimited { .. })));
}

#[tokio::test]
async fn a_push_is_no_success_while_the_listing_is_unknown() {
    let registry = registry(ReferrersApi::Served).await;
    let (_, subject) = signed(&registry, 0).await;
    registry.set(|knobs| knobs.faults = vec![Fault::always("/referrers/", 429).header("retry-after", "999")]);
    let (manifest, blobs) = artifact("x", &subject);
    let error =
        push_artifact(&client(), &registry.name("a"), &manifest.to_content(), &blobs).await.unwrap_err();
    assert!(matches!(error, StoreError::RateLimited { .. }));
}

#[tokio::test]
async fn a_page_for_people_is_no_api_and_other_types_are_an_error() {
    let registry = registry(ReferrersApi::Absent).await;
    let (image, _) = signed(&registry, 1).await;
    let page = Fault::always("/referrers/", 200).header("content-type", "text/html; charset=utf-8");
    registry.set(|knobs| knobs.faults = vec![page.body("<html>")]);
    assert_eq!(client().referrers(&image).await.unwrap().manifests.len(), 1);
    let page = Fault::always("/referrers/", 200).header("content-type", "application/x-other");
    registry.set(|knobs| knobs.faults = vec![page.body("{}")]);
    let error = client().referrers(&image).await.unwrap_err();
    assert!(matches!(error, StoreError::InvalidResponse { fault: ResponseFault::NoIndex { .. }, .. }));
    let page = Fault::always("/referrers/", 200).header("content-type", media_type::OCI_INDEX);
    registry.set(|knobs| knobs.faults = vec![page.body("{")]);
    assert!(matches!(client().referrers(&image).await, Err(StoreError::Manifest { .. })));
}

#[tokio::test]
async fn all_pages_are_read() {
    let registry = registry(ReferrersApi::Served).await;
    let (image, _) = signed(&registry, 5).await;
    registry.set(|knobs| knobs.page_size = 2);
    assert_eq!(client().referrers(&image).await.unwrap().manifests.len(), 5);
    assert!(registry.count("GET", "/referrers/") >= 3);
}

#[tokio::test]
async fn pages_of_another_host_are_not_read() {
    let other = FakeRegistry::start().await;
    let registry = registry(ReferrersApi::Served).await;
    let (image, _) = signed(&registry, 1).await;
    registry.set(|knobs| {
        knobs.endless_pages = true;
        knobs.next_page = Some(format!("http://{}/v2/a/referrers/x", other.host()));
    });
    let error = client().referrers(&image).await.unwrap_err();
    assert!(matches!(error, StoreError::InvalidResponse { fault: ResponseFault::RefusedUrl { .. }, .. }));
    assert_eq!(other.requests().len(), 0);
}

#[tokio::test]
async fn pages_without_end_end_at_the_limit() {
    let registry = registry(ReferrersApi::Served).await;
    let (image, _) = signed(&registry, 1).await;
    registry.set(|knobs| knobs.endless_pages = true);
    registry.forget_requests();
    let mut options = options();
    options.limits.max_pages = 7;
    let found = RegistryClient::new(options).unwrap().referrers(&image).await.unwrap();
    assert_eq!((found.manifests.len(), found.truncated), (1, true));
    assert_eq!(registry.count("GET", "/referrers/"), 7);
}

#[tokio::test]
async fn more_referrers_than_the_limit_are_cut_off_and_it_shows() {
    for api in [ReferrersApi::Served, ReferrersApi::Absent] {
        let registry = registry(api).await;
        let (image, _) = signed(&registry, 4).await;
        let mut few = options();
        few.limits.max_referrers = 3;
        let found = RegistryClient::new(few).unwrap().referrers(&image).await.unwrap();
        assert_eq!((found.manifests.len(), found.truncated), (3, true), "{api:?}");
        let mut short = options();
        short.limits.max_page_bytes = 200;
        short.limits.documents.max_manifest_bytes = 200;
        let found = RegistryClient::new(short).unwrap().referrers(&image).await.unwrap();
        assert_eq!((found.manifests.len(), found.truncated), (0, true), "{api:?}");
    }
}

#[tokio::test]
async fn a_fallback_tag_that_is_an_image_is_an_error_and_stays() {
    let registry = registry(ReferrersApi::Absent).await;
    let (image, subject) = signed(&registry, 0).await;
    let tag = Tag::for_digest(image.digest(), "").unwrap();
    registry.put_manifest("a", Some(tag.as_str()), media_type::OCI_MANIFEST, subject.bytes());
    let error = client().referrers(&image).await.unwrap_err();
    assert!(matches!(error, StoreError::InvalidResponse { fault: ResponseFault::NoIndex { .. }, .. }));
    let (manifest, blobs) = artifact("x", &subject);
    push_artifact(&client(), &registry.name("a"), &manifest.to_content(), &blobs).await.unwrap_err();
    assert_eq!(registry.tag("a", tag.as_str()).unwrap(), subject.bytes());
}

#[tokio::test]
async fn an_index_can_refer_too() {
    let registry = registry(ReferrersApi::Absent).await;
    let (image, subject) = signed(&registry, 0).await;
    let mut index = ImageIndex::new(vec![]);
    index.subject = Some(subject.descriptor().clone());
    index.artifact_type = Some("application/x-set".into());
    client().push_manifest(&registry.name("a"), &index.to_content(), None).await.unwrap();
    let found = client().referrers(&image).await.unwrap();
    assert_eq!(found.manifests[0].artifact_type.as_deref(), Some("application/x-set"));
}

#[tokio::test]
async fn what_a_registry_can_do_is_asked_once() {
    let registry = registry(ReferrersApi::Served).await;
    let (_, subject) = signed(&registry, 0).await;
    registry.forget_requests();
    let client = client();
    for text in ["1", "2", "3"] {
        let (manifest, blobs) = artifact(text, &subject);
        push_artifact(&client, &registry.name("a"), &manifest.to_content(), &blobs).await.unwrap();
    }
    assert_eq!(registry.count("GET", "/referrers/"), 1);
}
