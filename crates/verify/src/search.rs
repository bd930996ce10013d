//! Looks for evidence place by place, so that a caller who has seen enough need not ask for the rest.
//!
//! The order is fixed, and each place is read to its end before what it holds is judged. So what a caller sees depends on what the
//! store has, and never on which answer came first.

use std::collections::HashSet;

use touchmark_oci::{Digest, PinnedRef, Tag};
use touchmark_registry::{FirstReferrers, ImageStore, ReferrersPlace, StoreError};
use touchmark_sigstore::storage::legacy_tags;
use touchmark_sigstore::{Evidence, EvidenceItem, Place};

use crate::gather::{Bytes, Gatherer, StoredDocument};
use crate::{GatherLimits, VerifyError};

/// A search in three steps: what refers to the image by the way that the registry has; the tag `.sig`; and whatever is left, which is
/// the tag `.att`, the other way of referring, and whether the image is there at all.
pub(crate) struct Search<'a, S> {
    store: &'a S,
    subject: &'a PinnedRef,
    gatherer: Gatherer<'a, S>,
    signatures: Tag,
    attestations: Tag,
    next: Step,
    /// Where more may refer to the image.
    rest: Option<ReferrersPlace>,
    /// Referring manifests that were listed already.
    seen: HashSet<Digest>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Referrers,
    Signatures,
    Rest,
    Done,
}

impl<'a, S: ImageStore> Search<'a, S> {
    /// # Errors
    /// [`VerifyError::Reference`].
    pub(crate) fn new(
        store: &'a S,
        subject: &'a PinnedRef,
        limits: &'a GatherLimits,
    ) -> Result<Self, VerifyError> {
        let tags = legacy_tags(subject.digest())?;
        Ok(Self {
            store,
            subject,
            gatherer: Gatherer::new(store, subject, limits, Bytes::Forget),
            signatures: tags.signatures,
            attestations: tags.attestations,
            next: Step::Referrers,
            rest: None,
            seen: HashSet::new(),
        })
    }

    /// What the next step finds; `None` when all places have been read. Whoever gets to the end knows that the image is there, with
    /// the bytes that its digest says.
    ///
    /// # Errors
    /// [`VerifyError::Store`] for whatever could not be asked.
    pub(crate) async fn next(&mut self) -> Result<Option<Evidence>, VerifyError> {
        let (found, searched) = match self.next {
            Step::Referrers => {
                self.next = Step::Signatures;
                (self.first_referrers().await?, vec![Place::Referrers])
            }
            Step::Signatures => {
                self.next = Step::Rest;
                let found = self.gatherer.legacy(&self.signatures).await?;
                (found, vec![Place::LegacyTag(self.signatures.clone())])
            }
            Step::Rest => {
                self.next = Step::Done;
                let (_, attestations, referring) = tokio::try_join!(
                    self.gatherer.subject(),
                    self.gatherer.legacy(&self.attestations),
                    self.other_referrers(),
                )?;
                let found = attestations.into_iter().chain(referring).collect();
                (found, vec![Place::LegacyTag(self.attestations.clone())])
            }
            Step::Done => return Ok(None),
        };
        Ok(Some(self.evidence(found, searched)))
    }

    /// Whether all places have been read.
    pub(crate) fn is_complete(&self) -> bool {
        self.next == Step::Done
    }

    /// Bytes of documents read so far.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.gatherer.bytes_read()
    }

    async fn first_referrers(&mut self) -> Result<Vec<StoredDocument>, StoreError> {
        let FirstReferrers { found, rest } = self.store.first_referrers(self.subject).await?;
        self.rest = rest;
        self.seen.extend(found.manifests.iter().map(|referrer| referrer.digest.clone()));
        self.gatherer.referring(&found).await
    }

    async fn other_referrers(&self) -> Result<Vec<StoredDocument>, StoreError> {
        let Some(rest) = self.rest else { return Ok(Vec::new()) };
        let mut found = self.store.rest_of_referrers(self.subject, rest).await?;
        found.manifests.retain(|referrer| !self.seen.contains(&referrer.digest));
        self.gatherer.referring(&found).await
    }

    fn evidence(&self, found: Vec<StoredDocument>, searched: Vec<Place>) -> Evidence {
        let items: Vec<EvidenceItem> = found.into_iter().map(|document| document.item).collect();
        Evidence { subject: self.subject.clone(), items, searched, omitted: self.gatherer.take_omitted() }
    }
}
