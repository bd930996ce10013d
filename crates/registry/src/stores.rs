//! The store that a reference asks for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use touchmark_oci::{Content, Descriptor, Digest, ImageName, ImageRef, PinnedRef, Tag};

use crate::{
    ArchiveStore, BlobReader, FirstReferrers, ImageStore, LayoutStore, Limits, Referrers, ReferrersPlace,
    RegistryClient, RegistryOptions, StoreError, TagChange,
};

/// All stores behind one: registries by one client, layouts and archives opened when first asked for and kept open. Cloning is
/// cheap and shares them.
#[derive(Clone)]
pub struct Stores {
    registry: RegistryClient,
    layouts: Arc<Mutex<HashMap<String, Arc<LayoutStore>>>>,
    archives: Arc<Mutex<HashMap<ImageName, Arc<ArchiveStore>>>>,
    limits: Limits,
}

enum Place {
    Registry(RegistryClient),
    Layout(Arc<LayoutStore>),
    Archive(Arc<ArchiveStore>),
}

impl Stores {
    /// Stores with these options.
    ///
    /// # Errors
    /// [`StoreError::Options`].
    pub fn new(options: RegistryOptions) -> Result<Self, StoreError> {
        let limits = options.limits.clone();
        let registry = RegistryClient::new(options)?;
        Ok(Self { registry, layouts: Arc::default(), archives: Arc::default(), limits })
    }

    /// The registry client.
    pub fn registry(&self) -> &RegistryClient {
        &self.registry
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    async fn place(&self, name: &ImageName) -> Result<Place, StoreError> {
        match name {
            ImageName::Repository { .. } => Ok(Place::Registry(self.registry.clone())),
            ImageName::Layout(path) => {
                let mut layouts = self.layouts.lock().unwrap_or_else(PoisonError::into_inner);
                let store = layouts
                    .entry(path.clone())
                    .or_insert_with(|| Arc::new(LayoutStore::new(path, self.limits.clone())));
                Ok(Place::Layout(Arc::clone(store)))
            }
            ImageName::OciArchive(_) | ImageName::DockerArchive(_) => {
                if let Some(store) = self.opened(name) {
                    return Ok(Place::Archive(store));
                }
                let store = Arc::new(ArchiveStore::open(name, self.limits.clone()).await?);
                let mut archives = self.archives.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(Place::Archive(Arc::clone(archives.entry(name.clone()).or_insert(store))))
            }
        }
    }

    fn opened(&self, name: &ImageName) -> Option<Arc<ArchiveStore>> {
        self.archives.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}

/// Calls the same method on whichever store `$name` is kept in.
macro_rules! at_place {
    ($self:ident, $name:expr, $method:ident($($argument:expr),*)) => {
        match $self.place($name).await? {
            Place::Registry(store) => store.$method($($argument),*).await,
            Place::Layout(store) => store.$method($($argument),*).await,
            Place::Archive(store) => store.$method($($argument),*).await,
        }
    };
}

impl ImageStore for Stores {
    async fn resolve(&self, image: &ImageRef) -> Result<PinnedRef, StoreError> {
        at_place!(self, image.name(), resolve(image))
    }

    async fn fetch_manifest(&self, image: &PinnedRef) -> Result<Content, StoreError> {
        at_place!(self, image.name(), fetch_manifest(image))
    }

    async fn fetch_tag(&self, name: &ImageName, tag: &Tag) -> Result<Option<Content>, StoreError> {
        at_place!(self, name, fetch_tag(name, tag))
    }

    async fn fetch_blob(
        &self,
        name: &ImageName,
        blob: &Descriptor,
        max_bytes: u64,
    ) -> Result<Content, StoreError> {
        at_place!(self, name, fetch_blob(name, blob, max_bytes))
    }

    async fn open_blob(&self, name: &ImageName, blob: &Descriptor) -> Result<BlobReader, StoreError> {
        at_place!(self, name, open_blob(name, blob))
    }

    async fn referrers(&self, subject: &PinnedRef) -> Result<Referrers, StoreError> {
        at_place!(self, subject.name(), referrers(subject))
    }

    async fn first_referrers(&self, subject: &PinnedRef) -> Result<FirstReferrers, StoreError> {
        at_place!(self, subject.name(), first_referrers(subject))
    }

    async fn rest_of_referrers(
        &self,
        subject: &PinnedRef,
        rest: ReferrersPlace,
    ) -> Result<Referrers, StoreError> {
        at_place!(self, subject.name(), rest_of_referrers(subject, rest))
    }

    async fn push_blob(&self, name: &ImageName, blob: &Content) -> Result<(), StoreError> {
        at_place!(self, name, push_blob(name, blob))
    }

    async fn mount_blob(
        &self,
        name: &ImageName,
        blob: &Descriptor,
        from: &ImageName,
    ) -> Result<bool, StoreError> {
        at_place!(self, name, mount_blob(name, blob, from))
    }

    async fn push_blob_stream(
        &self,
        name: &ImageName,
        blob: &Descriptor,
        bytes: BlobReader,
    ) -> Result<(), StoreError> {
        at_place!(self, name, push_blob_stream(name, blob, bytes))
    }

    async fn push_manifest(
        &self,
        name: &ImageName,
        manifest: &Content,
        tag: Option<&Tag>,
    ) -> Result<(), StoreError> {
        at_place!(self, name, push_manifest(name, manifest, tag))
    }

    async fn update_tag(
        &self,
        name: &ImageName,
        tag: &Tag,
        change: &(dyn Fn(Option<&Content>) -> Result<TagChange, StoreError> + Send + Sync),
    ) -> Result<Content, StoreError> {
        at_place!(self, name, update_tag(name, tag, change))
    }

    async fn delete_manifest(
        &self,
        manifest: &PinnedRef,
        subject: Option<&Digest>,
    ) -> Result<(), StoreError> {
        at_place!(self, manifest.name(), delete_manifest(manifest, subject))
    }
}
