//! Collects everything that is attached to an image, in both of cosign's storage forms, without believing any of it.

use std::sync::Mutex;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::sync::Semaphore;
use touchmark_oci::{Content, Descriptor, Digest, Manifest, PinnedRef, Tag};
use touchmark_registry::{ImageStore, Referrers, StoreError};
use touchmark_sigstore::storage::{Layer, find_layers, legacy_tags};
use touchmark_sigstore::{Document, DocumentError, Evidence, EvidenceItem, Omission, Origin, Place};

use crate::{GatherLimits, VerifyError};

/// What was gathered about one image.
#[derive(Debug)]
pub struct Gathered {
    /// The image's manifest, as it is in the store.
    pub subject: Content,
    /// All that refers to it, whether or not it is evidence. Their artifact types are hints.
    pub referrers: Vec<Descriptor>,
    /// The evidence.
    pub evidence: Evidence,
}

/// The evidence about one image with the bytes that it was read from.
#[derive(Debug)]
pub struct GatheredDocuments {
    /// What was found.
    pub documents: Vec<StoredDocument>,
    /// What is there but was not read because a limit was reached.
    pub omitted: Vec<Omission>,
}

/// A document, and how it is stored.
#[derive(Debug)]
pub struct StoredDocument {
    /// What it is, or why it cannot be read.
    pub item: EvidenceItem,
    /// Its layer and bytes; `None` when they could not be had.
    pub stored: Option<(Layer, Content)>,
}

/// All evidence about `subject` that the store has and the limits allow. The subject itself must be there, with the bytes that its
/// digest says.
///
/// What is listed but missing, or other than its descriptor says, becomes a malformed document: somebody's dangling entry must
/// not hide what else is there. A store that does not answer fails the whole: an absence is only reported when it was seen.
///
/// # Errors
/// [`VerifyError::Store`] for whatever could not be asked.
pub async fn gather<S: ImageStore>(
    store: &S,
    subject: &PinnedRef,
    limits: &GatherLimits,
) -> Result<Gathered, VerifyError> {
    let gatherer = Gatherer::new(store, subject, limits, Bytes::Forget);
    let All { subject: subject_content, referrers, documents, searched } = gatherer.all().await?;
    let items = documents.into_iter().map(|document| document.item).collect();
    let evidence = Evidence { subject: subject.clone(), items, searched, omitted: gatherer.take_omitted() };
    Ok(Gathered { subject: subject_content, referrers, evidence })
}

/// The same as [`gather`], with the bytes of every document, each fetched once.
///
/// # Errors
/// As [`gather`].
pub async fn gather_documents<S: ImageStore>(
    store: &S,
    subject: &PinnedRef,
    limits: &GatherLimits,
) -> Result<GatheredDocuments, VerifyError> {
    let gatherer = Gatherer::new(store, subject, limits, Bytes::Keep);
    let documents = gatherer.all().await?.documents;
    Ok(GatheredDocuments { documents, omitted: gatherer.take_omitted() })
}

/// Whether the bytes of documents are wanted once they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bytes {
    Keep,
    Forget,
}

/// Reads the places where evidence is. The limits hold for all that one gatherer reads.
pub(crate) struct Gatherer<'a, S> {
    store: &'a S,
    subject: &'a PinnedRef,
    limits: &'a GatherLimits,
    bytes: Bytes,
    requests: Semaphore,
    shared: Mutex<Shared>,
}

/// What the concurrent fetches of one image keep together.
#[derive(Default)]
struct Shared {
    bytes: u64,
    omitted: Vec<Omission>,
}

/// What is in all places.
struct All {
    subject: Content,
    referrers: Vec<Descriptor>,
    documents: Vec<StoredDocument>,
    searched: Vec<Place>,
}

impl<'a, S: ImageStore> Gatherer<'a, S> {
    pub(crate) fn new(store: &'a S, subject: &'a PinnedRef, limits: &'a GatherLimits, bytes: Bytes) -> Self {
        let requests = Semaphore::new(limits.concurrency.max(1));
        Self { store, subject, limits, bytes, requests, shared: Mutex::default() }
    }

    async fn all(&self) -> Result<All, VerifyError> {
        let tags = legacy_tags(self.subject.digest())?;
        let (subject, (referrers, referring), signatures, attestations) = tokio::try_join!(
            self.subject(),
            self.all_referrers(),
            self.legacy(&tags.signatures),
            self.legacy(&tags.attestations),
        )?;
        let documents = [referring, signatures, attestations].into_iter().flatten().collect();
        let tags = [tags.signatures, tags.attestations].map(Place::LegacyTag);
        let searched = [Place::Referrers].into_iter().chain(tags).collect();
        Ok(All { subject, referrers, documents, searched })
    }

    /// The image's manifest.
    pub(crate) async fn subject(&self) -> Result<Content, StoreError> {
        self.store.fetch_manifest(self.subject).await
    }

    /// The referrers, and the evidence among them.
    async fn all_referrers(&self) -> Result<(Vec<Descriptor>, Vec<StoredDocument>), StoreError> {
        let referrers = self.store.referrers(self.subject).await?;
        let documents = self.referring(&referrers).await?;
        Ok((referrers.manifests, documents))
    }

    /// The evidence in manifests that refer to the image.
    pub(crate) async fn referring(&self, referrers: &Referrers) -> Result<Vec<StoredDocument>, StoreError> {
        let listed = referrers.manifests.len();
        if referrers.truncated || listed > self.limits.max_documents {
            self.omit(&Place::Referrers, listed.saturating_sub(self.limits.max_documents).max(1));
        }
        let digests: Vec<Digest> = referrers
            .manifests
            .iter()
            .take(self.limits.max_documents)
            .map(|descriptor| descriptor.digest.clone())
            .collect();
        let documents = stream::iter(digests)
            .map(|digest| self.referrer(digest))
            .buffered(self.limits.concurrency.max(1))
            .try_collect::<Vec<_>>()
            .await?;
        Ok(documents.into_iter().flatten().collect())
    }

    async fn referrer(&self, digest: Digest) -> Result<Vec<StoredDocument>, StoreError> {
        let referrer = self.subject.name().pin(digest.clone());
        let fetched = {
            let _turn = self.requests.acquire().await;
            self.store.fetch_manifest(&referrer).await
        };
        match fetched {
            Ok(manifest) => self.documents(&Place::Referrers, &manifest).await,
            Err(error) => {
                let origin = Origin { place: Place::Referrers, manifest: digest.clone(), blob: digest };
                Ok(vec![unreadable(origin, error)?])
            }
        }
    }

    /// The evidence under a legacy tag.
    pub(crate) async fn legacy(&self, tag: &Tag) -> Result<Vec<StoredDocument>, StoreError> {
        match self.store.fetch_tag(self.subject.name(), tag).await? {
            Some(manifest) => self.documents(&Place::LegacyTag(tag.clone()), &manifest).await,
            None => Ok(Vec::new()),
        }
    }

    /// The documents of one manifest of evidence. A manifest that is something else has none.
    async fn documents(&self, place: &Place, content: &Content) -> Result<Vec<StoredDocument>, StoreError> {
        let manifest = match Manifest::parse(content, &touchmark_oci::Limits::default()) {
            Ok(Manifest::Image(manifest)) => manifest,
            Ok(Manifest::Index(_)) => return Ok(Vec::new()),
            Err(error) => {
                let digest = content.digest().clone();
                let origin = Origin { place: place.clone(), manifest: digest.clone(), blob: digest };
                return Ok(vec![malformed(origin, error.into())]);
            }
        };
        let found = find_layers(&manifest, &self.limits.documents);
        if found.omitted > 0 {
            self.omit(place, found.omitted);
        }
        let documents = stream::iter(found.layers)
            .map(|layer| self.document(place, content.digest(), layer))
            .buffered(self.limits.concurrency.max(1))
            .try_collect::<Vec<_>>()
            .await?;
        Ok(documents.into_iter().flatten().collect())
    }

    async fn document(
        &self,
        place: &Place,
        manifest: &Digest,
        layer: Layer,
    ) -> Result<Option<StoredDocument>, StoreError> {
        let blob = layer.descriptor.digest.clone();
        let origin = Origin { place: place.clone(), manifest: manifest.clone(), blob };
        let (size, limit) = (layer.descriptor.size, self.limits.max_document_bytes);
        if size > limit {
            return Ok(Some(malformed(origin, DocumentError::TooLarge { size, limit })));
        }
        if !self.reserve(size) {
            self.omit(place, 1);
            return Ok(None);
        }
        let fetched = {
            let _turn = self.requests.acquire().await;
            self.store.fetch_blob(self.subject.name(), &layer.descriptor, limit).await
        };
        let content = match fetched {
            Ok(content) => content,
            Err(error) => return unreadable(origin, error).map(Some),
        };
        let annotations = &layer.descriptor.annotations;
        let document = Document::read(layer.kind, content.bytes(), annotations, &self.limits.documents);
        let stored = (self.bytes == Bytes::Keep).then_some((layer, content));
        Ok(Some(StoredDocument { item: EvidenceItem { origin, document }, stored }))
    }

    /// Counts `bytes` against the limit of the image; false when there is no room.
    fn reserve(&self, bytes: u64) -> bool {
        let mut shared = self.lock();
        let total = shared.bytes.saturating_add(bytes);
        if total > self.limits.max_total_bytes {
            return false;
        }
        shared.bytes = total;
        true
    }

    fn omit(&self, place: &Place, count: usize) {
        let mut shared = self.lock();
        match shared.omitted.iter_mut().find(|omission| omission.place == *place) {
            Some(omission) => omission.count = omission.count.saturating_add(count),
            None => shared.omitted.push(Omission {
                place: place.clone(),
                count,
                limit: self.limits.max_documents,
            }),
        }
    }

    /// A panic elsewhere leaves numbers behind that are still right.
    fn lock(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// What was not read since this was last asked.
    pub(crate) fn take_omitted(&self) -> Vec<Omission> {
        std::mem::take(&mut self.lock().omitted)
    }

    /// Bytes of documents read so far.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.lock().bytes
    }
}

/// An error that says what the store has is a finding; any other says that the store could not be asked.
fn unreadable(origin: Origin, error: StoreError) -> Result<StoredDocument, StoreError> {
    let reason = match error {
        StoreError::NotFound { .. } => DocumentError::Missing { digest: origin.blob.clone() },
        StoreError::Corrupt { source, .. } => DocumentError::Content(*source),
        StoreError::Manifest { source, .. } => DocumentError::Manifest(*source),
        StoreError::TooLarge { size, limit, .. } => DocumentError::TooLarge { size, limit },
        undecided => return Err(undecided),
    };
    Ok(malformed(origin, reason))
}

fn malformed(origin: Origin, reason: DocumentError) -> StoredDocument {
    StoredDocument { item: EvidenceItem { origin, document: Document::malformed(reason) }, stored: None }
}
