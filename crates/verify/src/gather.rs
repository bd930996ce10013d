//! Collects everything that is attached to an image, in both of cosign's storage forms, without believing any of it.

use std::sync::Mutex;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use touchmark_oci::{Content, Descriptor, Digest, Manifest, PinnedRef, Tag};
use touchmark_registry::{ImageStore, StoreError};
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
    /// Bytes of documents read for it.
    pub bytes: u64,
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
    let tags = legacy_tags(subject.digest())?;
    let gatherer = Gatherer { store, subject, limits, shared: Mutex::default() };
    let (subject_content, (referrers, referred), signatures, attestations) = tokio::try_join!(
        store.fetch_manifest(subject),
        gatherer.referrers(),
        gatherer.legacy(&tags.signatures),
        gatherer.legacy(&tags.attestations),
    )?;
    let searched =
        vec![Place::Referrers, Place::LegacyTag(tags.signatures), Place::LegacyTag(tags.attestations)];
    let items = [referred, signatures, attestations].into_iter().flatten().collect();
    let Shared { bytes, omitted } = gatherer.into_shared();
    let evidence = Evidence { subject: subject.clone(), items, searched, omitted };
    Ok(Gathered { subject: subject_content, referrers, evidence, bytes })
}

struct Gatherer<'a, S> {
    store: &'a S,
    subject: &'a PinnedRef,
    limits: &'a GatherLimits,
    shared: Mutex<Shared>,
}

/// What the concurrent fetches of one image keep together.
#[derive(Default)]
struct Shared {
    bytes: u64,
    omitted: Vec<Omission>,
}

impl<S: ImageStore> Gatherer<'_, S> {
    /// The referrers, and the evidence among them.
    async fn referrers(&self) -> Result<(Vec<Descriptor>, Vec<EvidenceItem>), StoreError> {
        let referrers = self.store.referrers(self.subject).await?;
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
        let items = stream::iter(digests)
            .map(|digest| self.referrer(digest))
            .buffered(self.limits.concurrency)
            .try_collect::<Vec<_>>()
            .await?;
        Ok((referrers.manifests, items.into_iter().flatten().collect()))
    }

    async fn referrer(&self, digest: Digest) -> Result<Vec<EvidenceItem>, StoreError> {
        let referrer = self.subject.name().pin(digest.clone());
        match self.store.fetch_manifest(&referrer).await {
            Ok(manifest) => self.documents(&Place::Referrers, &manifest).await,
            Err(error) => {
                let origin = Origin { place: Place::Referrers, manifest: digest.clone(), blob: digest };
                Ok(vec![unreadable(origin, error)?])
            }
        }
    }

    async fn legacy(&self, tag: &Tag) -> Result<Vec<EvidenceItem>, StoreError> {
        match self.store.fetch_tag(self.subject.name(), tag).await? {
            Some(manifest) => self.documents(&Place::LegacyTag(tag.clone()), &manifest).await,
            None => Ok(Vec::new()),
        }
    }

    /// The documents of one manifest of evidence. A manifest that is something else has none.
    async fn documents(&self, place: &Place, content: &Content) -> Result<Vec<EvidenceItem>, StoreError> {
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
        let items = stream::iter(found.layers)
            .map(|layer| self.document(place, content.digest(), layer))
            .buffered(self.limits.concurrency)
            .try_collect::<Vec<_>>()
            .await?;
        Ok(items.into_iter().flatten().collect())
    }

    async fn document(
        &self,
        place: &Place,
        manifest: &Digest,
        layer: Layer,
    ) -> Result<Option<EvidenceItem>, StoreError> {
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
        let content = match self.store.fetch_blob(self.subject.name(), &layer.descriptor, limit).await {
            Ok(content) => content,
            Err(error) => return unreadable(origin, error).map(Some),
        };
        let annotations = &layer.descriptor.annotations;
        let document = Document::read(layer.kind, content.bytes(), annotations, &self.limits.documents);
        Ok(Some(EvidenceItem { origin, document }))
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

    fn into_shared(self) -> Shared {
        self.shared.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// An error that says what the store has is a finding; any other says that the store could not be asked.
fn unreadable(origin: Origin, error: StoreError) -> Result<EvidenceItem, StoreError> {
    let reason = match error {
        StoreError::NotFound { .. } => DocumentError::Missing { digest: origin.blob.clone() },
        StoreError::Corrupt { source, .. } => DocumentError::Content(*source),
        StoreError::Manifest { source, .. } => DocumentError::Manifest(*source),
        StoreError::TooLarge { size, limit, .. } => DocumentError::TooLarge { size, limit },
        undecided => return Err(undecided),
    };
    Ok(malformed(origin, reason))
}

fn malformed(origin: Origin, reason: DocumentError) -> EvidenceItem {
    EvidenceItem { origin, document: Document::malformed(reason) }
}
