//! What `docker save` writes, shown as a layout.
//!
//! `manifest.json` lists images by the names of their configuration and layer files ([docker image spec 1.2, "Combined
//! Image JSON + Filesystem Changeset Format"](https://github.com/moby/docker-image-spec/blob/v1.3.1/v1.2.md)). There is
//! no manifest in the archive, so one is made: OCI, layers as they are, digests computed from the bytes.

use std::io::Read;

use serde::Deserialize;
use touchmark_oci::{Algorithm, Descriptor, Digest, Hasher, ImageManifest, media_type};

use super::files::{Archive, FileError, Member, Opened};
use super::index::Index;
use super::reader::blob_path;
use crate::Limits;
use crate::error::LayoutFault;

const MANIFEST: &str = "manifest.json";

/// Why an archive is not docker's.
#[derive(Debug)]
pub(super) enum DockerFault {
    /// A file of it cannot be had.
    File { error: FileError },
    /// A file of it is something else.
    Layout { path: String, fault: LayoutFault },
}

impl From<FileError> for DockerFault {
    fn from(error: FileError) -> Self {
        Self::File { error }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Image {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Option<Vec<String>>,
}

/// Adds to an archive of docker's what a layout has, in memory.
pub(super) fn show_as_layout(archive: &mut Archive, limits: &Limits) -> Result<(), DockerFault> {
    let json = |_| DockerFault::Layout { path: MANIFEST.to_owned(), fault: LayoutFault::Json };
    let text = match archive.open(MANIFEST) {
        Ok(opened) => opened.read(limits.max_layout_document_bytes)?,
        Err(FileError::Absent) => {
            return Err(DockerFault::Layout { path: MANIFEST.to_owned(), fault: LayoutFault::NoLayout });
        }
        Err(error) => return Err(error.into()),
    };
    let images: Vec<Image> = serde_json::from_slice(&text).map_err(json)?;
    let mut index = Index::empty();
    for image in &images {
        let manifest = add_image(archive, image, limits)?;
        // Whole names: two repositories may have the same tag, and then the tag alone does not say which is meant.
        let names = image.repo_tags.as_deref().unwrap_or_default();
        if names.is_empty() {
            index.put_named(manifest.clone(), None).map_err(json)?;
        }
        for name in names {
            index.put_named(manifest.clone(), Some(name)).map_err(json)?;
        }
    }
    archive.made.insert("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec());
    archive.made.insert("index.json".to_owned(), index.to_bytes().map_err(json)?);
    Ok(())
}

fn add_image(archive: &mut Archive, image: &Image, limits: &Limits) -> Result<Descriptor, DockerFault> {
    let layers = image.layers.as_deref().unwrap_or_default();
    if layers.len() > limits.documents.max_descriptors {
        let fault = LayoutFault::TooManyEntries { limit: limits.documents.max_descriptors };
        return Err(DockerFault::Layout { path: MANIFEST.to_owned(), fault });
    }
    let config = add_file(archive, &image.config, Some(media_type::OCI_CONFIG))?;
    let layers: Result<Vec<_>, _> = layers.iter().map(|path| add_file(archive, path, None)).collect();
    let manifest = ImageManifest::new(config, layers?).to_content();
    let descriptor = manifest.descriptor().clone();
    archive.made.insert(blob_path(manifest.digest()), manifest.into_bytes());
    Ok(descriptor)
}

/// Describes a file of the archive, and makes it a blob. Without a media type it is a layer.
fn add_file(archive: &mut Archive, path: &str, kind: Option<&str>) -> Result<Descriptor, DockerFault> {
    let missing = || DockerFault::Layout { path: path.to_owned(), fault: LayoutFault::DanglingLink };
    let member: Member = *archive.members.get(path).ok_or_else(missing)?;
    let Opened::File { file, size } = archive.open(path)? else {
        return Err(missing());
    };
    let (digest, gzip) = hash(file.take(size)).map_err(|error| DockerFault::File { error: error.into() })?;
    let layer = if gzip { media_type::OCI_LAYER_GZIP } else { media_type::OCI_LAYER };
    archive.members.insert(blob_path(&digest), member);
    Ok(Descriptor::new(kind.unwrap_or(layer), digest, size))
}

/// The digest of all bytes, and whether they begin as gzip does.
fn hash(mut bytes: impl Read) -> std::io::Result<(Digest, bool)> {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut buffer = vec![0; 64 << 10];
    let mut gzip = None;
    loop {
        let count = bytes.read(&mut buffer)?;
        let read = buffer.get(..count).unwrap_or_default();
        if read.is_empty() {
            return Ok((hasher.finish(), gzip.unwrap_or(false)));
        }
        gzip.get_or_insert(read.starts_with(b"\x1f\x8b"));
        hasher.update(read);
    }
}
