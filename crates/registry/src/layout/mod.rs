//! Layouts and archives.
use crate::{At, BlobReader, ImageStore, Operation, Referrers, StoreError, TagChange};
use touchmark_oci::{Content, Descriptor, ImageName, ImageRef, PinnedRef, Tag};

fn pending(name: impl std::fmt::Display) -> StoreError {
    StoreError::WrongStore {
        at: At::new(Operation::Open, name),
    }
}

use crate::Limits;
use std::path::PathBuf;

/// An OCI image layout directory.
pub struct LayoutStore {
    _path: PathBuf,
    _limits: Limits,
}

impl LayoutStore {
    /// A layout at `path`. Nothing is read yet; a layout that is not there is made when something is first pushed.
    pub fn new(path: impl Into<PathBuf>, limits: Limits) -> Self {
        Self {
            _path: path.into(),
            _limits: limits,
        }
    }
}
impl ImageStore for LayoutStore {
    async fn resolve(&self, image: &ImageRef) -> Result<PinnedRef, StoreError> {
        Err(pending(image))
    }
    async fn fetch_manifest(&self, image: &PinnedRef) -> Result<Content, StoreError> {
        Err(pending(image))
    }
    async fn fetch_tag(&self, name: &ImageName, _: &Tag) -> Result<Option<Content>, StoreError> {
        Err(pending(name))
    }
    async fn fetch_blob(&self, name: &ImageName, _: &Descriptor, _: u64) -> Result<Content, StoreError> {
        Err(pending(name))
    }
    async fn open_blob(&self, name: &ImageName, _: &Descriptor) -> Result<BlobReader, StoreError> {
        Err(pending(name))
    }
    async fn referrers(&self, subject: &PinnedRef) -> Result<Referrers, StoreError> {
        Err(pending(subject))
    }
    async fn push_blob(&self, name: &ImageName, _: &Content) -> Result<(), StoreError> {
        Err(pending(name))
    }
    async fn push_blob_stream(
        &self,
        name: &ImageName,
        _: &Descriptor,
        _: BlobReader,
    ) -> Result<(), StoreError> {
        Err(pending(name))
    }
    async fn push_manifest(&self, name: &ImageName, _: &Content, _: Option<&Tag>) -> Result<(), StoreError> {
        Err(pending(name))
    }
    async fn update_tag(
        &self,
        name: &ImageName,
        _: &Tag,
        _: &(dyn Fn(Option<&Content>) -> Result<TagChange, StoreError> + Send + Sync),
    ) -> Result<Content, StoreError> {
        Err(pending(name))
    }
}

/// A tar archive, read only.
pub struct ArchiveStore {
    _name: ImageName,
}

impl ArchiveStore {
    /// Opens an `oci-archive:` or `docker-archive:`.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::InvalidLayout`], [`StoreError::WrongStore`].
    pub async fn open(name: &ImageName, _limits: Limits) -> Result<Self, StoreError> {
        Ok(Self { _name: name.clone() })
    }
}
impl ImageStore for ArchiveStore {
    async fn resolve(&self, image: &ImageRef) -> Result<PinnedRef, StoreError> {
        Err(pending(image))
    }
    async fn fetch_manifest(&self, image: &PinnedRef) -> Result<Content, StoreError> {
        Err(pending(image))
    }
    async fn fetch_tag(&self, name: &ImageName, _: &Tag) -> Result<Option<Content>, StoreError> {
        Err(pending(name))
    }
    async fn fetch_blob(&self, name: &ImageName, _: &Descriptor, _: u64) -> Result<Content, StoreError> {
        Err(pending(name))
    }
    async fn open_blob(&self, name: &ImageName, _: &Descriptor) -> Result<BlobReader, StoreError> {
        Err(pending(name))
    }
    async fn referrers(&self, subject: &PinnedRef) -> Result<Referrers, StoreError> {
        Err(pending(subject))
    }
    async fn push_blob(&self, name: &ImageName, _: &Content) -> Result<(), StoreError> {
        Err(pending(name))
    }
    async fn push_blob_stream(
        &self,
        name: &ImageName,
        _: &Descriptor,
        _: BlobReader,
    ) -> Result<(), StoreError> {
        Err(pending(name))
    }
    async fn push_manifest(&self, name: &ImageName, _: &Content, _: Option<&Tag>) -> Result<(), StoreError> {
        Err(pending(name))
    }
    async fn update_tag(
        &self,
        name: &ImageName,
        _: &Tag,
        _: &(dyn Fn(Option<&Content>) -> Result<TagChange, StoreError> + Send + Sync),
    ) -> Result<Content, StoreError> {
        Err(pending(name))
    }
}
