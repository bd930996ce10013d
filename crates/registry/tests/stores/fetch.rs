//! Reading from a registry that may lie, break off, or be busy.

use tokio::io::AsyncReadExt;
use touchmark_oci::{Content, ContentError, ImageRef, ManifestError, media_type};
use touchmark_registry::{ImageStore, ResponseFault, StoreError, Unavailable};
use touchmark_testkit::{FakeRegistry, Fault, Tamper};

use crate::{blob, client, image, push_image};

#[tokio::test]
async fn a_tag_is_resolved_by_head_alone() {
    let registry = FakeRegistry::start().await;
    let manifest = push_image(&client(), &registry.name("a/b"), "x", Some("v1")).await;
    registry.forget_requests();
    let image: ImageRef = registry.name("a/b").tagged("v1".parse().unwrap());
    let pinned = client().resolve(&image).await.unwrap();
    assert_eq!(pinned.digest(), manifest.digest());
    assert_eq!(registry.requests().len(), 1, "no other request, and none to /v2/: {:?}", registry.requests());
    assert_eq!(client().fetch_manifest(&pinned).await.unwrap(), manifest);
}

#[tokio::test]
async fn a_tag_is_resolved_by_get_where_head_is_not_known() {
    let registry = FakeRegistry::start().await;
    let manifest = push_image(&client(), &registry.name("a"), "x", Some("v1")).await;
    registry.set(|knobs| knobs.faults.push(Fault::always("/manifests/", 405).on("HEAD")));
    let pinned = client().resolve(&registry.name("a").tagged("v1".parse().unwrap())).await.unwrap();
    assert_eq!(pinned.digest(), manifest.digest());
}

#[tokio::test]
async fn a_digest_header_that_does_not_match_the_bytes_is_an_error() {
    let registry = FakeRegistry::start().await;
    push_image(&client(), &registry.name("a"), "x", Some("v1")).await;
    registry.set(|knobs| knobs.tampers.push(("/manifests/".into(), Tamper::LieInHeader)));
    let error = client().fetch_tag(&registry.name("a"), &"v1".parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, StoreError::InvalidResponse { fault: ResponseFault::DigestHeader { .. }, .. }));
}

#[tokio::test]
async fn a_manifest_with_other_bytes_is_corrupt() {
    let registry = FakeRegistry::start().await;
    let manifest = push_image(&client(), &registry.name("a"), "x", None).await;
    let pinned = registry.name("a").pin(manifest.digest().clone());
    for tamper in [Tamper::Flip, Tamper::Shorten, Tamper::Lengthen] {
        registry.set(|knobs| knobs.tampers = vec![("/manifests/".into(), tamper.clone())]);
        let error = client().fetch_manifest(&pinned).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{tamper:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_manifest_served_without_its_type_says_it_itself() {
    let registry = FakeRegistry::start().await;
    let manifest = push_image(&client(), &registry.name("a"), "x", None).await;
    registry.set(|knobs| {
        knobs.tampers.push(("/manifests/".into(), Tamper::MediaType("text/plain".into())));
    });
    let found = client().fetch_manifest(&registry.name("a").pin(manifest.digest().clone())).await.unwrap();
    assert_eq!(found.media_type(), media_type::OCI_MANIFEST);
}

#[tokio::test]
async fn a_manifest_larger_than_the_limit_is_not_read() {
    let registry = FakeRegistry::start().await;
    let manifest = push_image(&client(), &registry.name("a"), "x", None).await;
    let mut options = crate::options();
    options.limits.documents.max_manifest_bytes = 10;
    let small = touchmark_registry::RegistryClient::new(options).unwrap();
    let error = small.fetch_manifest(&registry.name("a").pin(manifest.digest().clone())).await.unwrap_err();
    assert!(matches!(error, StoreError::TooLarge { limit: 10, .. }), "{error:?}");
    assert!(error.hint().is_some());
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let registry = FakeRegistry::start().await;
    let (manifest, _) = image("x");
    let name = registry.name("a");
    let error = client().resolve(&name.tagged("v1".parse().unwrap())).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound { .. }));
    assert!(error.hint().is_some());
    let error = client().fetch_manifest(&name.pin(manifest.digest().clone())).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound { .. }));
    let error = client().fetch_blob(&name, blob("x").descriptor(), 10).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound { .. }));
    assert_eq!(client().fetch_tag(&name, &"v1".parse().unwrap()).await.unwrap(), None);
}

#[tokio::test]
async fn a_registry_that_is_busy_refuses_or_is_broken_has_not_said_no() {
    let registry = FakeRegistry::start().await;
    let name = registry.name("a");
    let fetch = async |status: u16| {
        registry.set(|knobs| {
            let fault = Fault::always("", status).header("retry-after", "0");
            knobs.faults = vec![fault.body(r#"{"errors":[{"code":"DENIED","message":"no"}]}"#)];
        });
        client().fetch_tag(&name, &"v1".parse().unwrap()).await.unwrap_err()
    };
    let error = fetch(429).await;
    assert!(
        matches!(error, StoreError::RateLimited { .. }) && error.is_temporary() && error.hint().is_some()
    );
    let error = fetch(403).await;
    assert!(error.to_string().contains("DENIED (no)"), "{error}");
    assert!(matches!(error, StoreError::Forbidden { .. }));
    let error = fetch(500).await;
    assert!(matches!(error, StoreError::Unavailable { source: Unavailable::Status { status: 500, .. }, .. }));
    assert!(matches!(fetch(418).await, StoreError::Rejected { status: 418, .. }));
    assert!(matches!(fetch(401).await, StoreError::Unauthorized { anonymous: true, .. }));
    assert!(matches!(
        fetch(204).await,
        StoreError::InvalidResponse { fault: ResponseFault::Status { .. }, .. }
    ));
}

#[tokio::test]
async fn what_passes_is_tried_again_and_what_asks_to_wait_is_waited_for() {
    let registry = FakeRegistry::start().await;
    let manifest = push_image(&client(), &registry.name("a"), "x", Some("v1")).await;
    registry.forget_requests();
    registry.set(|knobs| {
        knobs.faults = vec![Fault::times("", 503, 1), Fault::times("", 429, 1).header("retry-after", "0")];
    });
    let found = client().fetch_tag(&registry.name("a"), &"v1".parse().unwrap()).await.unwrap();
    assert_eq!(found.unwrap(), manifest);
    assert_eq!(registry.requests().len(), 3);
}

#[tokio::test]
async fn a_wait_that_is_too_long_is_told_and_not_waited() {
    let registry = FakeRegistry::start().await;
    registry.set(|knobs| {
        knobs.faults.push(Fault::always("", 429).header("retry-after", "3600"));
    });
    let error = client().fetch_tag(&registry.name("a"), &"v1".parse().unwrap()).await.unwrap_err();
    let StoreError::RateLimited { retry_after, .. } = &error else { panic!("{error:?}") };
    assert_eq!(retry_after.unwrap().as_secs(), 3600);
    assert_eq!(registry.requests().len(), 1);
}

#[tokio::test]
async fn nothing_listening_is_unavailable() {
    let registry = FakeRegistry::start().await;
    let name = registry.name("a");
    drop(registry);
    tokio::task::yield_now().await;
    let error = client().fetch_tag(&name, &"v1".parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { source: Unavailable::Transport(_), .. }), "{error:?}");
    assert!(error.hint().is_some());
}

#[tokio::test]
async fn a_blob_is_checked_in_memory_and_as_a_stream() {
    let registry = FakeRegistry::start().await;
    let name = registry.name("a");
    let wanted = blob("hello, world");
    registry.put_blob("a", wanted.bytes());
    assert_eq!(client().fetch_blob(&name, wanted.descriptor(), 100).await.unwrap(), wanted);
    for tamper in [Tamper::Flip, Tamper::Shorten, Tamper::Lengthen] {
        registry.set(|knobs| knobs.tampers = vec![("/blobs/".into(), tamper.clone())]);
        let error = client().fetch_blob(&name, wanted.descriptor(), 100).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{tamper:?}: {error:?}");
        match client().open_blob(&name, wanted.descriptor()).await {
            Err(error) => assert!(matches!(error, StoreError::Corrupt { .. }), "{tamper:?}: {error:?}"),
            Ok(mut stream) => {
                let error = stream.read_to_end(&mut Vec::new()).await.unwrap_err();
                assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "{tamper:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_blob_that_breaks_off_is_no_clean_end() {
    let registry = FakeRegistry::start().await;
    let wanted = blob("hello, world");
    registry.put_blob("a", wanted.bytes());
    registry.set(|knobs| knobs.tampers = vec![("/blobs/".into(), Tamper::BreakOff)]);
    let mut stream = client().open_blob(&registry.name("a"), wanted.descriptor()).await.unwrap();
    assert!(stream.read_to_end(&mut Vec::new()).await.is_err());
    let error = client().fetch_blob(&registry.name("a"), wanted.descriptor(), 100).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert_eq!(registry.count("GET", "/blobs/"), 1 + 3, "in memory it is fetched again");
}

#[tokio::test]
async fn a_descriptors_size_is_a_limit_before_anything_is_fetched() {
    let registry = FakeRegistry::start().await;
    let wanted = blob("hello");
    let error = client().fetch_blob(&registry.name("a"), wanted.descriptor(), 4).await.unwrap_err();
    assert!(matches!(error, StoreError::TooLarge { size: 5, limit: 4, .. }));
    assert_eq!(registry.requests().len(), 0);
}

#[tokio::test]
async fn a_lying_descriptor_is_found_out() {
    let registry = FakeRegistry::start().await;
    let wanted = blob("hello");
    registry.put_blob("a", wanted.bytes());
    let mut lying = wanted.descriptor().clone();
    lying.size = 4;
    let error = client().fetch_blob(&registry.name("a"), &lying, 100).await.unwrap_err();
    let StoreError::Corrupt { source, .. } = error else { panic!("{error:?}") };
    assert!(matches!(*source, ContentError::Size { found: 5, wanted: 4, .. }));
}

#[tokio::test]
async fn a_manifest_that_is_none_cannot_be_pushed() {
    let registry = FakeRegistry::start().await;
    let nonsense = Content::new(media_type::OCI_MANIFEST, b"{".to_vec());
    let error = client().push_manifest(&registry.name("a"), &nonsense, None).await.unwrap_err();
    let StoreError::Manifest { source, .. } = error else { panic!("{error:?}") };
    assert!(matches!(*source, ManifestError::Json(_)));
}
