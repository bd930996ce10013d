//! Pushing a small artifact whole.

use touchmark_oci::{Content, ImageName, PinnedRef};

use crate::{ImageStore, StoreError};

/// Pushes blobs, then the manifest that names them, by digest. A crash in between leaves blobs that nothing names, never a
/// manifest without its blobs.
///
/// # Errors
/// As [`ImageStore::push_blob`] and [`ImageStore::push_manifest`].
pub async fn push_artifact<S: ImageStore>(
    store: &S,
    name: &ImageName,
    manifest: &Content,
    blobs: &[Content],
) -> Result<PinnedRef, StoreError> {
    for blob in blobs {
        store.push_blob(name, blob).await?;
    }
    store.push_manifest(name, manifest, None).await?;
    Ok(name.pin(manifest.digest().clone()))
}
