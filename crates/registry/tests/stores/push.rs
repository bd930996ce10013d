//! Writing to a registry.

use std::sync::{Arc, Mutex};

use touchmark_registry::{
    Direction, ImageStore, Progress, RegistryClient, ResponseFault, StoreError, Transfer, Unavailable,
    push_artifact,
};
use touchmark_testkit::{FakeRegistry, Fault, Location};

use crate::{artifact, blob, client, image, options, push_image, reader};

fn in_chunks_of(bytes: u64) -> RegistryClient {
    let mut options = options();
    options.limits.upload_chunk_bytes = bytes;
    RegistryClient::new(options).unwrap()
}

#[tokio::test]
async fn a_blob_is_pushed_once() {
    let registry = FakeRegistry::start().await;
    let name = registry.name("a/b");
    client().push_blob(&name, &blob("hello")).await.unwrap();
    client().push_blob(&name, &blob("hello")).await.unwrap();
    client().push_blob_stream(&name, blob("hello").descriptor(), reader(b"hello")).await.unwrap();
    assert_eq!(registry.count("PUT", "/uploads/"), 1);
    assert_eq!(client().fetch_blob(&name, blob("hello").descriptor(), 10).await.unwrap(), blob("hello"));
}

#[tokio::test]
async fn uploads_go_on_where_the_registry_says() {
    for location in [Location::Relative, Location::Absolute] {
        let registry = FakeRegistry::start().await;
        registry.set(|knobs| knobs.location = location.clone());
        client().push_blob(&registry.name("a"), &blob("hello")).await.unwrap();
        let put = registry.requests().into_iter().find(|seen| seen.method == "PUT").unwrap();
        assert!(put.query.starts_with("state=a%2Fb&digest="), "{put:?}");
    }
}

#[tokio::test]
async fn an_answer_without_a_location_is_an_error() {
    let registry = FakeRegistry::start().await;
    registry.set(|knobs| knobs.location = Location::Missing);
    let error = client().push_blob(&registry.name("a"), &blob("hello")).await.unwrap_err();
    assert!(matches!(error, StoreError::InvalidResponse { fault: ResponseFault::NoLocation, .. }));
}

#[tokio::test]
async fn a_location_is_not_followed_out_of_http() {
    let registry = FakeRegistry::start().await;
    registry.set(|knobs| knobs.location = Location::Elsewhere("ftp://storage.example".into()));
    let error = client().push_blob(&registry.name("a"), &blob("hello")).await.unwrap_err();
    assert!(matches!(error, StoreError::InvalidResponse { fault: ResponseFault::RefusedUrl { .. }, .. }));
}

#[tokio::test]
async fn a_manifest_is_stored_though_the_answer_lacks_a_location() {
    let registry = FakeRegistry::start().await;
    registry.set(|knobs| knobs.faults.push(Fault::always("/manifests/", 201).on("PUT")));
    let (manifest, _) = image("x");
    client().push_manifest(&registry.name("a"), &manifest, None).await.unwrap();
}

#[tokio::test]
async fn large_blobs_go_in_chunks() {
    let registry = FakeRegistry::start().await;
    let name = registry.name("a");
    let text = "x".repeat(25);
    let client = in_chunks_of(10);
    client.push_blob_stream(&name, blob(&text).descriptor(), reader(text.as_bytes())).await.unwrap();
    assert_eq!(registry.count("PATCH", "/uploads/"), 3);
    assert_eq!(client.fetch_blob(&name, blob(&text).descriptor(), 30).await.unwrap(), blob(&text));
}

#[tokio::test]
async fn a_stream_of_other_bytes_is_never_finished() {
    let registry = FakeRegistry::start().await;
    let name = registry.name("a");
    let wanted = blob(&"x".repeat(25));
    for sent in ["x".repeat(24), "x".repeat(26), "y".repeat(25)] {
        for chunk in [10, 100] {
            let push = in_chunks_of(chunk);
            let error =
                push.push_blob_stream(&name, wanted.descriptor(), reader(sent.as_bytes())).await.unwrap_err();
            assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
        }
    }
    assert_eq!(registry.count("PUT", "/uploads/"), 0);
    assert!(registry.count("DELETE", "/uploads/") > 0, "started uploads are called off");
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_never_finished() {
    let registry = FakeRegistry::start().await;
    let wanted = blob("hello");
    let broken = broken_reader();
    let error =
        client().push_blob_stream(&registry.name("a"), wanted.descriptor(), broken).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Unavailable { source: Unavailable::Interrupted(_), .. }),
        "{error:?}"
    );
    assert_eq!(registry.count("PUT", ""), 0);
}

/// A stream that is an error from its first byte.
fn broken_reader() -> touchmark_registry::BlobReader {
    struct Broken;
    impl tokio::io::AsyncRead for Broken {
        fn poll_read(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            _: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            std::task::Poll::Ready(Err(std::io::Error::other("broken")))
        }
    }
    Box::pin(Broken)
}

#[test]
fn options_that_make_no_client_are_an_error() {
    let mut options = options();
    options.http.extra_roots.push(b"no certificate".to_vec());
    assert!(matches!(RegistryClient::new(options).map(|_| ()), Err(StoreError::Options(_))));
}

#[tokio::test]
async fn a_refused_chunk_is_an_error() {
    let registry = FakeRegistry::start().await;
    registry.set(|knobs| knobs.faults.push(Fault::always("/uploads/", 416).on("PATCH")));
    let text = "x".repeat(25);
    let error = in_chunks_of(10)
        .push_blob_stream(&registry.name("a"), blob(&text).descriptor(), reader(text.as_bytes()))
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Rejected { status: 416, .. }));
}

#[tokio::test]
async fn a_blob_is_mounted_from_another_repository() {
    let registry = FakeRegistry::start().await;
    client().push_blob(&registry.name("a"), &blob("x")).await.unwrap();
    let (to, from) = (registry.name("b"), registry.name("a"));
    assert!(client().mount_blob(&to, blob("x").descriptor(), &from).await.unwrap());
    registry.set(|knobs| knobs.mounts = false);
    client().push_blob(&from, &blob("y")).await.unwrap();
    registry.forget_requests();
    assert!(!client().mount_blob(&to, blob("y").descriptor(), &from).await.unwrap());
    assert_eq!(registry.count("DELETE", "/uploads/"), 1, "an upload that was started instead is called off");
    registry.set(|knobs| {
        knobs.faults.push(Fault::always("/uploads/", 429).header("retry-after", "999"));
    });
    let error = client().mount_blob(&to, blob("z").descriptor(), &from).await.unwrap_err();
    assert!(matches!(error, StoreError::RateLimited { .. }));
}

#[tokio::test]
async fn an_immutable_tag_says_so() {
    let registry = FakeRegistry::start().await;
    let refusal = Fault::always("/manifests/", 409).on("PUT");
    registry.set(|knobs| {
        knobs.faults.push(refusal.body(r#"{"errors":[{"code":"TAG_IMMUTABLE"}]}"#));
    });
    let (manifest, _) = image("x");
    let tag = "v1".parse().unwrap();
    let error = client().push_manifest(&registry.name("a"), &manifest, Some(&tag)).await.unwrap_err();
    assert!(error.to_string().contains("TAG_IMMUTABLE") && error.hint().is_some(), "{error}");
}

#[tokio::test]
async fn an_artifact_is_pushed_blobs_first() {
    let registry = FakeRegistry::start().await;
    let subject = push_image(&client(), &registry.name("a"), "x", None).await;
    registry.forget_requests();
    let (manifest, blobs) = artifact("fine", &subject);
    push_artifact(&client(), &registry.name("a"), &manifest.to_content(), &blobs).await.unwrap();
    let puts: Vec<String> =
        registry.requests().into_iter().filter(|seen| seen.method == "PUT").map(|seen| seen.path).collect();
    assert_eq!(puts.len(), 3);
    assert!(puts[2].contains("/manifests/"), "{puts:?}");
}

#[derive(Default)]
struct Seen(Mutex<Vec<(Direction, u64, u64)>>);

impl Progress for Seen {
    fn advanced(&self, transfer: &Transfer<'_>) {
        self.0.lock().unwrap().push((transfer.direction, transfer.done, transfer.total));
    }
}

#[tokio::test]
async fn progress_is_told() {
    let registry = FakeRegistry::start().await;
    let seen = Arc::new(Seen::default());
    let mut options = options();
    options.limits.upload_chunk_bytes = 3;
    options.progress = Some(seen.clone());
    let client = RegistryClient::new(options).unwrap();
    let name = registry.name("a");
    client.push_blob_stream(&name, blob("hello").descriptor(), reader(b"hello")).await.unwrap();
    client.push_blob(&name, &blob("hello")).await.unwrap();
    client.fetch_blob(&name, blob("hello").descriptor(), 5).await.unwrap();
    let seen = seen.0.lock().unwrap().clone();
    assert_eq!(
        seen,
        [
            (Direction::Push, 3, 5),
            (Direction::Push, 5, 5),
            (Direction::Present, 5, 5),
            (Direction::Fetch, 5, 5)
        ]
    );
}
