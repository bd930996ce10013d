//! Archives: read where they lie, and never out of themselves.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use touchmark_oci::{ImageName, ImageRef, Manifest, media_type};
use touchmark_registry::{
    ArchiveStore, ImageStore, LayoutFault, LayoutStore, Limits, StoreError, Stores, index_archive,
};

use crate::{blob, options, push_image};

enum Member<'a> {
    File(&'a str, &'a [u8]),
    Symlink(&'a str, &'a str),
}

fn tar(members: &[Member<'_>]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for member in members {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        match member {
            Member::File(path, bytes) => {
                header.set_size(bytes.len() as u64);
                // Not by `append_data`, which refuses the names that a hostile archive has.
                header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
                header.set_cksum();
                builder.append(&header, *bytes).unwrap();
            }
            Member::Symlink(path, target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_size(0);
                builder.append_link(&mut header, path, target).unwrap();
            }
        }
    }
    builder.into_inner().unwrap()
}

fn write(dir: &tempfile::TempDir, bytes: &[u8]) -> PathBuf {
    let path = dir.path().join("a.tar");
    fs::write(&path, bytes).unwrap();
    path
}

async fn open(name: fn(String) -> ImageName, path: &Path) -> Result<ArchiveStore, StoreError> {
    ArchiveStore::open(&name(path.display().to_string()), Limits::default()).await
}

/// What `docker save` writes, in its older form where layers may be links.
fn docker(tags: &str) -> Vec<u8> {
    let manifest = format!(
        r#"[{{"Config":"c.json","RepoTags":{tags},"Layers":["1/layer.tar","2/layer.tar","3.tar.gz"]}}]"#
    );
    tar(&[
        Member::File("manifest.json", manifest.as_bytes()),
        Member::File("c.json", br#"{"os":"linux"}"#),
        Member::File("1/layer.tar", b"layer one"),
        Member::Symlink("2/layer.tar", "../1/layer.tar"),
        Member::File("3.tar.gz", b"\x1f\x8bcompressed"),
    ])
}

#[tokio::test]
async fn a_layout_in_an_archive_reads_like_a_layout() {
    let dir = tempfile::tempdir().unwrap();
    let layout = dir.path().join("layout");
    let name = ImageName::Layout(layout.display().to_string());
    let pushed = push_image(&LayoutStore::new(&layout, Limits::default()), &name, "x", Some("v1")).await;
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_dir_all(".", &layout).unwrap();
    let path = write(&dir, &builder.into_inner().unwrap());
    let stores = Stores::new(options()).unwrap();
    for rest in ["", ":v1"] {
        let image: ImageRef = format!("oci-archive:{}{rest}", path.display()).parse().unwrap();
        let pinned = stores.resolve(&image).await.unwrap();
        assert_eq!(stores.fetch_manifest(&pinned).await.unwrap(), pushed);
        let Manifest::Image(parsed) = Manifest::parse(&pushed, &touchmark_oci::Limits::default()).unwrap()
        else {
            panic!("expected an image")
        };
        let layer = stores.fetch_blob(pinned.name(), &parsed.layers[0], 10).await.unwrap();
        assert_eq!(layer.bytes(), b"x");
        assert_eq!(stores.referrers(&pinned).await.unwrap().manifests, []);
    }
}

#[tokio::test]
async fn dockers_archive_is_shown_as_a_layout() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(&dir, &docker(r#"["acme/app:v1","acme/app:latest"]"#));
    let store = open(ImageName::DockerArchive, &path).await.unwrap();
    let name = ImageName::DockerArchive(path.display().to_string());
    let content = store.fetch_tag(&name, &"v1".parse().unwrap()).await.unwrap().unwrap();
    let Manifest::Image(image) = Manifest::parse(&content, &touchmark_oci::Limits::default()).unwrap() else {
        panic!("expected an image")
    };
    assert_eq!(image.layers.len(), 3);
    assert_eq!(image.layers[0].digest, image.layers[1].digest, "a link is the layer that it leads to");
    assert_eq!(image.layers[0].media_type, media_type::OCI_LAYER);
    assert_eq!(image.layers[2].media_type, media_type::OCI_LAYER_GZIP);
    let config = store.fetch_blob(&name, &image.config, 100).await.unwrap();
    assert_eq!(config.bytes(), br#"{"os":"linux"}"#);
    let mut stream = store.open_blob(&name, &image.layers[1]).await.unwrap();
    let mut bytes = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut bytes).await.unwrap();
    assert_eq!(bytes, b"layer one");
    let only: ImageRef = format!("docker-archive:{}", path.display()).parse().unwrap();
    assert_eq!(store.resolve(&only).await.unwrap().digest(), content.digest());
}

#[tokio::test]
async fn a_tag_that_two_repositories_have_is_ambiguous() {
    let dir = tempfile::tempdir().unwrap();
    let manifest =
        br#"[{"Config":"c","RepoTags":["a:1"],"Layers":[]},{"Config":"d","RepoTags":["b:1"],"Layers":null}]"#;
    let bytes =
        tar(&[Member::File("manifest.json", manifest), Member::File("c", b"{}"), Member::File("d", b"{ }")]);
    let path = write(&dir, &bytes);
    let store = open(ImageName::DockerArchive, &path).await.unwrap();
    let image: ImageRef = format!("docker-archive:{}:1", path.display()).parse().unwrap();
    let StoreError::Ambiguous { found, .. } = store.resolve(&image).await.unwrap_err() else { panic!() };
    assert_eq!(found, ["a:1", "b:1"]);
}

#[tokio::test]
async fn dockers_archive_without_its_parts_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let fault = async |members: &[Member<'_>]| {
        let path = write(&dir, &tar(members));
        match open(ImageName::DockerArchive, &path).await.map(|_| ()).unwrap_err() {
            StoreError::InvalidLayout { fault, .. } => fault,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(fault(&[]).await, LayoutFault::NoLayout);
    assert_eq!(fault(&[Member::File("manifest.json", b"{")]).await, LayoutFault::Json);
    let manifest = br#"[{"Config":"c","Layers":["/etc/passwd","../../etc/passwd"]}]"#;
    let members = [Member::File("manifest.json", manifest), Member::File("c", b"{}")];
    assert_eq!(fault(&members).await, LayoutFault::DanglingLink, "names are looked up in the archive only");
}

#[tokio::test]
async fn an_archive_cannot_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(&dir, &docker("null"));
    let store = open(ImageName::DockerArchive, &path).await.unwrap();
    let name = ImageName::DockerArchive(path.display().to_string());
    let error = store.push_blob(&name, &blob("x")).await.unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }) && error.hint().is_some());
    assert!(matches!(
        store.push_manifest(&name, &crate::image("x").0, None).await,
        Err(StoreError::ReadOnly { .. })
    ));
}

#[tokio::test]
async fn what_is_no_archive_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let absent = open(ImageName::OciArchive, &dir.path().join("absent")).await.map(|_| ()).unwrap_err();
    assert!(matches!(absent, StoreError::NotFound { .. }));
    let path = write(&dir, b"\x1f\x8b....");
    let error = open(ImageName::OciArchive, &path).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, StoreError::InvalidLayout { fault: LayoutFault::Compressed, .. }));
    assert!(error.hint().is_some());
    let path = write(&dir, &[b'x'; 2048]);
    let error = open(ImageName::OciArchive, &path).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error:?}");
    let error = open(ImageName::Layout, &path).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, StoreError::WrongStore { .. }));
}

#[test]
fn names_and_links_that_lead_out_are_left_out() {
    let bytes = tar(&[
        Member::File("../outside", b"x"),
        Member::File("/absolute", b"x"),
        Member::Symlink("link", "../../etc/passwd"),
        Member::Symlink("loop", "loop"),
        Member::File("./in/./side", b"x"),
    ]);
    let found = index_archive(&mut Cursor::new(bytes), &Limits::default()).unwrap();
    let paths: Vec<&str> = found.iter().map(|member| member.path.as_str()).collect();
    assert_eq!(paths, ["absolute", "in/side"]);
}

#[test]
fn too_many_entries_and_too_few_bytes_are_errors() {
    let bytes = tar(&[Member::File("a", b"x"), Member::File("b", b"x")]);
    let mut limits = Limits::default();
    limits.max_archive_entries = 1;
    let error = index_archive(&mut Cursor::new(&bytes), &limits).unwrap_err();
    assert!(matches!(
        error,
        StoreError::InvalidLayout { fault: LayoutFault::TooManyEntries { limit: 1 }, .. }
    ));
    let cut = &bytes[..512];
    let error = index_archive(&mut Cursor::new(cut), &Limits::default()).unwrap_err();
    assert!(matches!(error, StoreError::InvalidLayout { fault: LayoutFault::Truncated, .. }), "{error:?}");
}
