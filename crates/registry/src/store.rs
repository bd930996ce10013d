//! The one interface to wherever images are kept.

use std::future::Future;
use std::pin::Pin;

use tokio::io::AsyncRead;
use touchmark_oci::{Content, Descriptor, Digest, ImageName, ImageRef, PinnedRef, Tag};

use crate::StoreError;

/// A blob as it arrives. Reading to the end checks size and digest: bytes that are not those described end in an
/// [`std::io::Error`] of kind `InvalidData`, never in a clean end of file.
pub type BlobReader = Pin<Box<dyn AsyncRead + Send>>;

/// A place that keeps images and what is said about them: a registry, an OCI layout, an archive.
///
/// Everything fetched is checked against its digest and within [`touchmark_oci::Limits`] before it is returned.
/// `NotFound` means that the store answered and has no such thing; a store that could not answer says so with another
/// error, and "no" is never guessed.
pub trait ImageStore: Send + Sync {
    /// Finds what a reference points at now. A reference with a digest is itself the answer, without a request.
    fn resolve(&self, image: &ImageRef) -> impl Future<Output = Result<PinnedRef, StoreError>> + Send;

    /// The manifest or index with that digest.
    fn fetch_manifest(&self, image: &PinnedRef) -> impl Future<Output = Result<Content, StoreError>> + Send;

    /// What `tag` points at now, or `None` when the store has no such tag.
    fn fetch_tag(
        &self,
        name: &ImageName,
        tag: &Tag,
    ) -> impl Future<Output = Result<Option<Content>, StoreError>> + Send;

    /// A small blob in memory: at most `max_bytes`, whatever its descriptor says.
    fn fetch_blob(
        &self,
        name: &ImageName,
        blob: &Descriptor,
        max_bytes: u64,
    ) -> impl Future<Output = Result<Content, StoreError>> + Send;

    /// A blob of any size, as a stream.
    fn open_blob(
        &self,
        name: &ImageName,
        blob: &Descriptor,
    ) -> impl Future<Output = Result<BlobReader, StoreError>> + Send;

    /// Everything that refers to `subject`, by the referrers API and the fallback tag, whatever its artifact type.
    fn referrers(&self, subject: &PinnedRef) -> impl Future<Output = Result<Referrers, StoreError>> + Send;

    /// What the first place to look has of that, for callers that can do with a part: the referrers API, or else the fallback
    /// tag. [`FirstReferrers::rest`] says where the rest would be; [`Self::rest_of_referrers`] looks there.
    fn first_referrers(
        &self,
        subject: &PinnedRef,
    ) -> impl Future<Output = Result<FirstReferrers, StoreError>> + Send {
        async { Ok(FirstReferrers { found: self.referrers(subject).await?, rest: None }) }
    }

    /// What [`Self::first_referrers`] left, in the place that it named.
    fn rest_of_referrers(
        &self,
        subject: &PinnedRef,
        rest: ReferrersPlace,
    ) -> impl Future<Output = Result<Referrers, StoreError>> + Send {
        let _ = rest;
        self.referrers(subject)
    }

    /// Stores a blob, unless it is there already.
    fn push_blob(
        &self,
        name: &ImageName,
        blob: &Content,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Makes a blob of `from`, another repository of the same registry, one of `name` too, without moving it. `false`
    /// where the store cannot do that, or did not: then the blob has to be pushed.
    fn mount_blob(
        &self,
        name: &ImageName,
        blob: &Descriptor,
        from: &ImageName,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send {
        let _ = (name, blob, from);
        async { Ok(false) }
    }

    /// Stores a blob of any size from a stream, unless it is there already.
    fn push_blob_stream(
        &self,
        name: &ImageName,
        blob: &Descriptor,
        bytes: BlobReader,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Stores a manifest whose blobs are all there, and points `tag` at it. A manifest with a `subject` becomes one of its
    /// referrers, in the fallback tag too where the store has no referrers API.
    fn push_manifest(
        &self,
        name: &ImageName,
        manifest: &Content,
        tag: Option<&Tag>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Changes what `tag` points at: read, `change`, write, read back, and again when another writer came between, so that
    /// concurrent changes that add to a manifest lose nothing. `change` may be called several times and must give a manifest
    /// that contains what it was given; returning the same bytes means that nothing is left to do.
    fn update_tag(
        &self,
        name: &ImageName,
        tag: &Tag,
        change: &(dyn Fn(Option<&Content>) -> Result<TagChange, StoreError> + Send + Sync),
    ) -> impl Future<Output = Result<Content, StoreError>> + Send;

    /// Forgets a manifest and every tag that points at it; one that is gone already is done. `subject` is what it refers to, if
    /// anything: it is taken off the fallback tag's list too. Blobs stay, for others may use them.
    fn delete_manifest(
        &self,
        manifest: &PinnedRef,
        subject: Option<&Digest>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// A manifest for a tag to point at, with those of its blobs that may not be in the store yet. They are pushed first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagChange {
    /// The new manifest.
    pub manifest: Content,
    /// Blobs that the manifest needs.
    pub blobs: Vec<Content>,
}

/// What refers to an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referrers {
    /// The referring manifests, each once. Their artifact types and annotations are hints that registries get wrong.
    pub manifests: Vec<Descriptor>,
    /// Whether a limit cut the list off.
    pub truncated: bool,
}

/// The first part of what refers to an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstReferrers {
    /// The part.
    pub found: Referrers,
    /// Where the rest may be; `None` when nowhere else.
    pub rest: Option<ReferrersPlace>,
}

/// Where a registry keeps what refers to an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReferrersPlace {
    /// The referrers API.
    Api,
    /// The fallback tag, named after the image's digest.
    FallbackTag,
}
