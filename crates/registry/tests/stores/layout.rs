//! Layouts: what others can read, and what must not be read.

use std::fs;
use std::path::Path;

use touchmark_oci::{Content, Descriptor, ImageManifest, ImageName, ImageRef, Tag, media_type};
use touchmark_registry::{ImageStore, LayoutFault, LayoutStore, Limits, StoreError, push_artifact};

use crate::{artifact, blob, image, push_image, reader};

struct Layout {
    dir: tempfile::TempDir,
    store: LayoutStore,
    name: ImageName,
}

fn layout() -> Layout {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("layout").display().to_string();
    Layout { store: LayoutStore::new(&path, Limits::default()), name: ImageName::Layout(path), dir }
}

impl Layout {
    fn path(&self) -> &Path {
        self.store.path()
    }

    fn reference(&self, rest: &str) -> ImageRef {
        format!("oci:{}{rest}", self.path().display()).parse().unwrap()
    }

    fn blob_path(&self, content: &Content) -> std::path::PathBuf {
        self.path().join("blobs/sha256").join(content.digest().hex())
    }
}

#[tokio::test]
async fn a_layout_is_made_when_it_is_first_written() {
    let layout = layout();
    let error = layout.store.resolve(&layout.reference("")).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound { .. }));
    let pushed = push_image(&layout.store, &layout.name, "x", Some("v1")).await;
    assert_eq!(
        fs::read_to_string(layout.path().join("oci-layout")).unwrap(),
        r#"{"imageLayoutVersion":"1.0.0"}"#
    );
    for reference in ["", ":v1"] {
        let pinned = layout.store.resolve(&layout.reference(reference)).await.unwrap();
        assert_eq!(pinned.digest(), pushed.digest());
        assert_eq!(layout.store.fetch_manifest(&pinned).await.unwrap(), pushed);
    }
    assert_eq!(layout.store.fetch_tag(&layout.name, &"v2".parse().unwrap()).await.unwrap(), None);
    let names: Vec<_> = fs::read_dir(layout.path().join("blobs/sha256")).unwrap().flatten().collect();
    assert_eq!(names.len(), 3, "no temporary files are left: {names:?}");
}

#[tokio::test]
async fn a_directory_with_other_things_is_not_made_into_a_layout() {
    let layout = layout();
    fs::create_dir(layout.path()).unwrap();
    fs::write(layout.path().join("letter.txt"), "dear").unwrap();
    let error = layout.store.push_blob(&layout.name, &blob("x")).await.unwrap_err();
    assert!(matches!(error, StoreError::InvalidLayout { fault: LayoutFault::NoLayout, .. }), "{error:?}");
    let error = layout.store.resolve(&layout.reference("")).await.unwrap_err();
    assert!(matches!(error, StoreError::InvalidLayout { fault: LayoutFault::NoLayout, .. }), "{error:?}");
}

#[tokio::test]
async fn several_images_are_listed_and_referrers_are_no_images() {
    let layout = layout();
    let first = push_image(&layout.store, &layout.name, "1", Some("v1")).await;
    let (manifest, blobs) = artifact("fine", &first);
    push_artifact(&layout.store, &layout.name, &manifest.to_content(), &blobs).await.unwrap();
    let legacy = Tag::for_digest(first.digest(), ".sig").unwrap();
    push_image(&layout.store, &layout.name, "legacy", Some(legacy.as_str())).await;
    let pinned = layout.store.resolve(&layout.reference("")).await.unwrap();
    assert_eq!(pinned.digest(), first.digest());
    let second = push_image(&layout.store, &layout.name, "2", None).await;
    let error = layout.store.resolve(&layout.reference("")).await.unwrap_err();
    assert!(error.hint().is_some());
    let StoreError::Ambiguous { found, .. } = error else { panic!("{error:?}") };
    assert_eq!(found, ["v1".to_owned(), second.digest().to_string()]);
}

#[tokio::test]
async fn referrers_are_found_by_subject_and_by_the_fallback_tag() {
    let layout = layout();
    let subject = push_image(&layout.store, &layout.name, "x", Some("v1")).await;
    let pinned = layout.name.pin(subject.digest().clone());
    assert_eq!(layout.store.referrers(&pinned).await.unwrap().manifests, []);
    let (manifest, blobs) = artifact("1", &subject);
    push_artifact(&layout.store, &layout.name, &manifest.to_content(), &blobs).await.unwrap();
    let other = Descriptor::of(media_type::OCI_MANIFEST, b"elsewhere");
    let index =
        touchmark_oci::ImageIndex::new(vec![other.clone(), manifest.to_content().descriptor().clone()]);
    let tag = Tag::for_digest(subject.digest(), "").unwrap();
    layout.store.push_manifest(&layout.name, &index.to_content(), Some(&tag)).await.unwrap();
    let found = layout.store.referrers(&pinned).await.unwrap();
    assert_eq!(found.manifests.len(), 2, "each once");
    assert_eq!(found.manifests[0].artifact_type.as_deref(), Some("application/x-evidence"));
    assert!(!found.truncated);
    let mut limits = Limits::default();
    limits.max_referrers = 1;
    let few = LayoutStore::new(layout.path(), limits).referrers(&pinned).await.unwrap();
    assert_eq!((few.manifests.len(), few.truncated), (1, true));
}

#[tokio::test]
async fn blobs_are_checked_on_their_way_in_and_out() {
    let layout = layout();
    let wanted = blob("hello");
    let push = |bytes: &[u8]| layout.store.push_blob_stream(&layout.name, wanted.descriptor(), reader(bytes));
    for lie in [&b"hell"[..], b"hello!", b"hellO"] {
        assert!(matches!(push(lie).await, Err(StoreError::Corrupt { .. })));
        assert!(!layout.blob_path(&wanted).exists());
    }
    push(b"hello").await.unwrap();
    assert_eq!(layout.store.fetch_blob(&layout.name, wanted.descriptor(), 5).await.unwrap(), wanted);
    let error = layout.store.fetch_blob(&layout.name, wanted.descriptor(), 4).await.unwrap_err();
    assert!(matches!(error, StoreError::TooLarge { size: 5, limit: 4, .. }));
    fs::write(layout.blob_path(&wanted), "hellO").unwrap();
    let error = layout.store.fetch_blob(&layout.name, wanted.descriptor(), 5).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }));
    let mut stream = layout.store.open_blob(&layout.name, wanted.descriptor()).await.unwrap();
    assert!(tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut Vec::new()).await.is_err());
    fs::write(layout.blob_path(&wanted), "hello and more").unwrap();
    assert!(matches!(
        layout.store.open_blob(&layout.name, wanted.descriptor()).await.map(|_| ()),
        Err(StoreError::Corrupt { .. })
    ));
}

#[cfg(unix)]
#[tokio::test]
async fn links_that_lead_out_of_the_layout_are_not_followed() {
    let layout = layout();
    layout.store.push_blob(&layout.name, &blob("x")).await.unwrap();
    let secret = blob("top secret");
    let outside = layout.dir.path().join("secret");
    fs::write(&outside, secret.bytes()).unwrap();
    std::os::unix::fs::symlink(&outside, layout.blob_path(&secret)).unwrap();
    let error = layout.store.fetch_blob(&layout.name, secret.descriptor(), 100).await.unwrap_err();
    assert!(matches!(error, StoreError::InvalidLayout { fault: LayoutFault::Escapes, .. }), "{error:?}");
    assert!(layout.store.open_blob(&layout.name, secret.descriptor()).await.is_err());
}

#[cfg(unix)]
#[tokio::test]
async fn nothing_is_written_through_a_link_that_leads_out() {
    let layout = layout();
    layout.store.push_blob(&layout.name, &blob("x")).await.unwrap();
    let outside = layout.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::remove_dir_all(layout.path().join("blobs")).unwrap();
    std::os::unix::fs::symlink(&outside, layout.path().join("blobs")).unwrap();
    let error = layout.store.push_blob(&layout.name, &blob("y")).await.unwrap_err();
    assert!(matches!(error, StoreError::InvalidLayout { fault: LayoutFault::Escapes, .. }), "{error:?}");
}

#[tokio::test]
async fn a_directory_in_a_blobs_place_is_no_blob() {
    let layout = layout();
    layout.store.push_blob(&layout.name, &blob("x")).await.unwrap();
    fs::create_dir(layout.blob_path(&blob("y"))).unwrap();
    let error = layout.store.fetch_blob(&layout.name, blob("y").descriptor(), 100).await.unwrap_err();
    assert!(matches!(error, StoreError::InvalidLayout { fault: LayoutFault::NoFile, .. }), "{error:?}");
}

#[tokio::test]
async fn a_lying_entry_and_a_broken_index_are_found_out() {
    let layout = layout();
    let pushed = push_image(&layout.store, &layout.name, "x", Some("v1")).await;
    let index = layout.path().join("index.json");
    let text = fs::read_to_string(&index).unwrap();
    let size = format!("\"size\":{}", pushed.bytes().len());
    assert!(text.contains(&size), "{text}");
    fs::write(&index, text.replace(&size, "\"size\":3")).unwrap();
    let error = layout.store.fetch_manifest(&layout.name.pin(pushed.digest().clone())).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    fs::write(&index, "{").unwrap();
    let error = layout.store.resolve(&layout.reference(":v1")).await.unwrap_err();
    assert!(matches!(error, StoreError::InvalidLayout { fault: LayoutFault::Json, .. }), "{error:?}");
    let mut limits = Limits::default();
    limits.max_layout_document_bytes = 0;
    let error = LayoutStore::new(layout.path(), limits).resolve(&layout.reference(":v1")).await.unwrap_err();
    assert!(matches!(error, StoreError::TooLarge { limit: 0, .. }), "{error:?}");
}

#[tokio::test]
async fn a_child_of_an_index_is_found_by_its_digest() {
    let layout = layout();
    let (child, blobs) = image("x");
    for blob in &blobs {
        layout.store.push_blob(&layout.name, blob).await.unwrap();
    }
    layout.store.push_blob(&layout.name, &child).await.unwrap();
    let index = touchmark_oci::ImageIndex::new(vec![child.descriptor().clone()]);
    layout
        .store
        .push_manifest(&layout.name, &index.to_content(), Some(&"v1".parse().unwrap()))
        .await
        .unwrap();
    let found = layout.store.fetch_manifest(&layout.name.pin(child.digest().clone())).await.unwrap();
    assert_eq!(found, child);
}

#[tokio::test]
async fn another_layouts_name_is_not_answered() {
    let (one, other) = (layout(), layout());
    let error = one.store.push_blob(&other.name, &blob("x")).await.unwrap_err();
    assert!(matches!(error, StoreError::WrongStore { .. }));
}

#[tokio::test]
async fn a_manifest_that_is_none_is_not_stored() {
    let layout = layout();
    let mut nonsense = ImageManifest::new(Descriptor::of("a/b", b""), vec![]);
    nonsense.schema_version = 1;
    let error = layout.store.push_manifest(&layout.name, &nonsense.to_content(), None).await.unwrap_err();
    assert!(matches!(error, StoreError::Manifest { .. }));
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_where_the_layout_should_be_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file").display().to_string();
    fs::write(&path, "x").unwrap();
    let store = LayoutStore::new(&path, Limits::default());
    let error = store.push_blob(&ImageName::Layout(path), &blob("x")).await.unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error:?}");
}
