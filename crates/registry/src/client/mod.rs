//! The registry client.
use crate::{At, BlobReader, ImageStore, Operation, Referrers, StoreError, TagChange};
use touchmark_oci::{Content, Descriptor, ImageName, ImageRef, PinnedRef, Tag};

fn pending(name: impl std::fmt::Display) -> StoreError {
    StoreError::WrongStore {
        at: At::new(Operation::Open, name),
    }
}

use crate::{CredentialSource, RegistryOptions};
use std::sync::Arc;

/// Why credentials are not usable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// A credential helper did not answer in time.
    #[error("the credential helper did not answer within {seconds} seconds")]
    Timeout {
        /// The limit.
        seconds: u64,
    },
}

/// An OCI registry client. Cloning is cheap and shares connections and tokens.
#[derive(Clone)]
pub struct RegistryClient {
    options: Arc<RegistryOptions>,
}

impl RegistryClient {
    /// A client with these options.
    ///
    /// # Errors
    /// [`StoreError::Options`].
    pub fn new(options: RegistryOptions) -> Result<Self, StoreError> {
        Ok(Self {
            options: Arc::new(options),
        })
    }

    /// This client for someone else: connections and limits are shared, credentials and tokens are not.
    #[must_use]
    pub fn with_credentials(&self, credentials: CredentialSource) -> Self {
        let mut options = (*self.options).clone();
        options.credentials = credentials;
        Self {
            options: Arc::new(options),
        }
    }
}

impl ImageStore for RegistryClient {
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
