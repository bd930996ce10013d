//! Copying between stores of every kind.

use touchmark_oci::{Content, Descriptor, ImageIndex, ImageName, media_type};
use touchmark_registry::{ImageStore, Limits, StoreError, Stores, copy_image};
use touchmark_testkit::FakeRegistry;

use crate::{image, options, push_image};

fn stores() -> Stores {
    Stores::new(options()).unwrap()
}

/// An index of an index of two images.
async fn nested<S: ImageStore>(store: &S, name: &ImageName, depth: usize) -> Content {
    let mut entries: Vec<Descriptor> = Vec::new();
    for text in ["one", "two"] {
        entries.push(push_image(store, name, text, None).await.descriptor().clone());
    }
    let mut root = ImageIndex::new(entries).to_content();
    store.push_manifest(name, &root, None).await.unwrap();
    for _ in 1..depth {
        root = ImageIndex::new(vec![root.descriptor().clone()]).to_content();
        store.push_manifest(name, &root, None).await.unwrap();
    }
    root
}

#[tokio::test]
async fn an_index_is_copied_with_all_that_it_names_and_the_tag_last() {
    let (here, there) = (FakeRegistry::start().await, FakeRegistry::start().await);
    let stores = stores();
    let (from, to) = (here.name("a"), there.name("b"));
    let root = nested(&stores, &from, 2).await;
    let tag = "v1".parse().unwrap();
    let pinned = from.pin(root.digest().clone());
    let report = copy_image(&stores, &pinned, &stores, &to, Some(&tag), &Limits::default()).await.unwrap();
    assert_eq!((report.manifests, report.blobs, report.mounted), (4, 4, 0));
    assert_eq!(there.tag("b", "v1").unwrap(), root.bytes());
    let last = there.requests().into_iter().rfind(|seen| seen.method == "PUT").unwrap();
    assert!(last.path.ends_with("/manifests/v1"), "{last:?}");
}

#[tokio::test]
async fn blobs_are_mounted_within_a_registry() {
    let registry = FakeRegistry::start().await;
    let stores = stores();
    let (from, to) = (registry.name("a"), registry.name("b"));
    let manifest = push_image(&stores, &from, "x", None).await;
    let pinned = from.pin(manifest.digest().clone());
    let report = copy_image(&stores, &pinned, &stores, &to, None, &Limits::default()).await.unwrap();
    assert_eq!((report.blobs, report.mounted), (0, 2));
    assert_eq!(registry.count("GET", "/blobs/"), 0);
}

#[tokio::test]
async fn an_image_goes_from_a_registry_to_a_layout_and_back() {
    let registry = FakeRegistry::start().await;
    let dir = tempfile::tempdir().unwrap();
    let stores = stores();
    let layout = ImageName::Layout(dir.path().join("layout").display().to_string());
    let root = nested(&stores, &registry.name("a"), 1).await;
    let tag = "v1".parse().unwrap();
    let pinned = registry.name("a").pin(root.digest().clone());
    copy_image(&stores, &pinned, &stores, &layout, Some(&tag), &Limits::default()).await.unwrap();
    assert_eq!(stores.fetch_tag(&layout, &tag).await.unwrap().unwrap(), root);
    let back = registry.name("c");
    let from_layout = layout.pin(root.digest().clone());
    copy_image(&stores, &from_layout, &stores, &back, Some(&tag), &Limits::default()).await.unwrap();
    assert_eq!(registry.tag("c", "v1").unwrap(), root.bytes());
}

#[tokio::test]
async fn indexes_nested_too_deep_are_refused() {
    let registry = FakeRegistry::start().await;
    let stores = stores();
    let limits = Limits::default();
    let root = nested(&stores, &registry.name("a"), limits.documents.max_index_depth + 1).await;
    let pinned = registry.name("a").pin(root.digest().clone());
    let error = copy_image(&stores, &pinned, &stores, &registry.name("b"), None, &limits).await.unwrap_err();
    assert!(matches!(error, StoreError::TooDeep { .. }) && error.hint().is_some(), "{error:?}");
}

#[tokio::test]
async fn more_bytes_of_manifests_than_the_limit_are_not_gathered() {
    let registry = FakeRegistry::start().await;
    let stores = stores();
    let root = nested(&stores, &registry.name("a"), 1).await;
    let pinned = registry.name("a").pin(root.digest().clone());
    let mut limits = Limits::default();
    limits.max_walk_bytes = root.bytes().len() as u64 + 1;
    let error = copy_image(&stores, &pinned, &stores, &registry.name("b"), None, &limits).await.unwrap_err();
    assert!(matches!(error, StoreError::TooLarge { .. }), "{error:?}");
}

#[tokio::test]
async fn nothing_that_points_at_something_missing_is_left_behind() {
    let registry = FakeRegistry::start().await;
    let stores = stores();
    let (manifest, _) = image("x");
    registry.put_manifest("a", None, media_type::OCI_MANIFEST, manifest.bytes());
    let pinned = registry.name("a").pin(manifest.digest().clone());
    let error = copy_image(&stores, &pinned, &stores, &registry.name("b"), None, &Limits::default())
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::NotFound { .. }));
    assert_eq!(registry.count("PUT", "/v2/b/manifests/"), 0);
}
