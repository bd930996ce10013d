//! The stores, against a registry in this process, directories and archives. No network but loopback.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test helper that cannot go on fails the test"
)]

mod archive;
mod auth;
mod copy;
mod fetch;
mod layout;
mod push;
mod referrers;
mod tags;

use std::time::Duration;

use touchmark_oci::{Content, Descriptor, ImageManifest, ImageName, media_type};
use touchmark_registry::{
    BlobReader, CredentialSource, ImageStore, Limits, RegistryClient, RegistryOptions, RetryPolicy, Secret,
};

/// Options that wait for next to nothing.
fn options() -> RegistryOptions {
    let mut limits = Limits::default();
    limits.tag_settle_delay = Duration::from_millis(1);
    let mut options =
        RegistryOptions { credentials: CredentialSource::Anonymous, limits, ..RegistryOptions::default() };
    options.http.retry = RetryPolicy {
        max_attempts: 3,
        base_delay: Duration::from_millis(1),
        max_delay: Duration::from_millis(2),
        max_total: Duration::from_secs(20),
    };
    options
}

fn client() -> RegistryClient {
    RegistryClient::new(options()).unwrap()
}

fn client_as(user: &str, password: &str) -> RegistryClient {
    client().with_credentials(CredentialSource::BasicEverywhere {
        username: user.into(),
        password: Secret::new(password),
    })
}

fn blob(text: &str) -> Content {
    Content::new("application/octet-stream", text.as_bytes().to_vec())
}

fn reader(bytes: &[u8]) -> BlobReader {
    Box::pin(std::io::Cursor::new(bytes.to_vec()))
}

/// An image with one layer, and its blobs.
fn image(text: &str) -> (Content, Vec<Content>) {
    let config = Content::new(media_type::OCI_CONFIG, format!("{{\"config\":\"{text}\"}}").into_bytes());
    let layer = Content::new(media_type::OCI_LAYER, text.as_bytes().to_vec());
    let manifest = ImageManifest::new(config.descriptor().clone(), vec![layer.descriptor().clone()]);
    (manifest.to_content(), vec![config, layer])
}

/// An artifact about `subject`.
fn artifact(text: &str, subject: &Content) -> (ImageManifest, Vec<Content>) {
    let config = Content::new(media_type::OCI_EMPTY, b"{}".to_vec());
    let layer = Content::new("application/x-evidence", text.as_bytes().to_vec());
    let mut manifest = ImageManifest::new(config.descriptor().clone(), vec![layer.descriptor().clone()]);
    manifest.artifact_type = Some("application/x-evidence".into());
    manifest.annotations.insert("says".into(), text.into());
    let about = subject.descriptor();
    manifest.subject = Some(Descriptor::new(about.media_type.clone(), about.digest.clone(), about.size));
    (manifest, vec![config, layer])
}

/// Pushes an image and returns its manifest.
async fn push_image<S: ImageStore>(store: &S, name: &ImageName, text: &str, tag: Option<&str>) -> Content {
    let (manifest, blobs) = image(text);
    for blob in &blobs {
        store.push_blob(name, blob).await.unwrap();
    }
    let tag = tag.map(|tag| tag.parse().unwrap());
    store.push_manifest(name, &manifest, tag.as_ref()).await.unwrap();
    manifest
}
