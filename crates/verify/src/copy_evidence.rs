//! Copying an image with all that is said about it, in both of cosign's storage forms.
//!
//! The image comes first, then what refers to it, then what refers to that; the legacy tags are merged with those at the
//! destination, and the image's own tag moves last: who sees it there sees its evidence too. Nothing is verified, and nothing at the
//! destination is lost. What cannot be moved is named in the result; only a store that does not answer ends the copy.

use std::collections::HashSet;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use touchmark_oci::{Content, Digest, ImageName, PinnedRef, ReferenceError, Tag};
use touchmark_registry::{CopyReport, ImageStore, Limits, StoreError, TagChange, copy_blobs, copy_image};
use touchmark_sigstore::storage::{legacy_tags, merge_layers};

use crate::{DescendError, EvidenceKind, GatherLimits, VerifyError, descend, gather};

/// What to copy, and how much at most.
#[derive(Debug, Clone, Default)]
pub struct CopyOptions {
    /// The evidence wanted. Nothing here means everything that refers to the image, evidence or not.
    pub only: Vec<EvidenceKind>,
    /// Limits on the stores.
    pub stores: Limits,
    /// Limits on the evidence.
    pub evidence: CopyLimits,
}

/// How much evidence is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyLimits {
    /// Referrers of referrers, and so on. A signature over an SBOM is at depth 2.
    pub max_depth: usize,
    /// Referrers of the image and all its platforms together.
    pub max_referrers: usize,
    /// Manifests copied at the same time.
    pub concurrency: usize,
}

impl Default for CopyLimits {
    fn default() -> Self {
        Self { max_depth: 5, max_referrers: 10_000, concurrency: 4 }
    }
}

/// What was copied.
#[derive(Debug, Default)]
pub struct Copied {
    /// Manifests and blobs of the image and of its evidence.
    pub moved: CopyReport,
    /// Referrers, at any depth.
    pub referrers: u64,
    /// Legacy tags written, or found to be complete.
    pub legacy_tags: Vec<Tag>,
    /// What is not at the destination, and why.
    pub left: Vec<Left>,
}

/// Something that could not be copied.
#[derive(Debug)]
pub struct Left {
    /// What: an image reference.
    pub what: String,
    /// Why not.
    pub error: StoreError,
}

/// Copies `image` and its evidence to `name`, and points `tag` at it.
///
/// # Errors
/// [`CopyError`] when a store could not be asked, or there is more than the limits allow. What the source has but cannot give, and
/// what the destination refuses, is in [`Copied::left`].
pub async fn copy_with_evidence<F: ImageStore, T: ImageStore>(
    from: &F,
    image: &PinnedRef,
    to: &T,
    name: &ImageName,
    tag: Option<&Tag>,
    options: &CopyOptions,
) -> Result<Copied, CopyError> {
    let targets = descend(from, image, &options.stores.documents).await?;
    let moved = copy_image(from, image, to, name, None, &options.stores).await?;
    let mut copied = Copied { moved, ..Copied::default() };
    let copy = Copy { from, image, to, name, options };
    copy.referrers(targets.clone(), &mut copied).await?;
    for target in &targets {
        copy.legacy(target, &mut copied).await?;
    }
    if let Some(tag) = tag {
        copy.point(tag, &mut copied).await?;
    }
    Ok(copied)
}

struct Copy<'a, F, T> {
    from: &'a F,
    image: &'a PinnedRef,
    to: &'a T,
    name: &'a ImageName,
    options: &'a CopyOptions,
}

impl<F: ImageStore, T: ImageStore> Copy<'_, F, T> {
    /// What refers to the images of the first level, then what refers to that.
    async fn referrers(&self, mut level: Vec<PinnedRef>, copied: &mut Copied) -> Result<(), CopyError> {
        let limits = &self.options.evidence;
        let mut seen: HashSet<Digest> = level.iter().map(|image| image.digest().clone()).collect();
        let images = seen.len();
        for depth in 0..=limits.max_depth {
            let listed: Vec<Vec<PinnedRef>> = stream::iter(level)
                .map(|subject| self.list(subject, depth))
                .buffered(limits.concurrency.max(1))
                .try_collect()
                .await?;
            let next: Vec<PinnedRef> =
                listed.into_iter().flatten().filter(|found| seen.insert(found.digest().clone())).collect();
            if seen.len() - images > limits.max_referrers {
                return Err(CopyError::TooMany { image: self.image.clone(), limit: limits.max_referrers });
            }
            if next.is_empty() {
                return Ok(());
            }
            if depth == limits.max_depth {
                break;
            }
            level = self.all(next, copied).await?;
        }
        Err(CopyError::TooDeep { image: self.image.clone(), limit: limits.max_depth })
    }

    /// What refers to `subject`: all of it, or of the first level what is wanted.
    async fn list(&self, subject: PinnedRef, depth: usize) -> Result<Vec<PinnedRef>, CopyError> {
        let pin = |digest: &Digest| subject.name().pin(digest.clone());
        if depth == 0 && !self.options.only.is_empty() {
            return self.wanted(&subject).await;
        }
        let referrers = self.from.referrers(&subject).await?;
        if referrers.truncated {
            return Err(CopyError::TooMany { image: subject, limit: referrers.manifests.len() });
        }
        Ok(referrers.manifests.iter().map(|referrer| pin(&referrer.digest)).collect())
    }

    async fn wanted(&self, subject: &PinnedRef) -> Result<Vec<PinnedRef>, CopyError> {
        let limits = GatherLimits::default();
        let gathered = gather(self.from, subject, &limits).await?;
        if !gathered.evidence.omitted.is_empty() {
            return Err(CopyError::TooMany { image: subject.clone(), limit: limits.max_documents });
        }
        let referring: HashSet<&Digest> =
            gathered.referrers.iter().map(|referrer| &referrer.digest).collect();
        let items = gathered.evidence.items.iter().filter(|item| referring.contains(&item.origin.manifest));
        // What cannot be read may be what is wanted.
        let wanted = items.filter(|item| {
            EvidenceKind::of(&item.document, &limits.documents).is_none_or(|kind| self.wants(kind))
        });
        Ok(wanted.map(|item| subject.name().pin(item.origin.manifest.clone())).collect())
    }

    fn wants(&self, kind: EvidenceKind) -> bool {
        self.options.only.is_empty() || self.options.only.contains(&kind)
    }

    /// Copies referrers side by side, and gives those that are there now.
    async fn all(&self, referrers: Vec<PinnedRef>, copied: &mut Copied) -> Result<Vec<PinnedRef>, CopyError> {
        let results: Vec<(PinnedRef, Result<CopyReport, StoreError>)> = stream::iter(referrers)
            .map(|referrer| self.one(referrer))
            .buffered(self.options.evidence.concurrency.max(1))
            .collect()
            .await;
        let mut there = Vec::new();
        for (referrer, result) in results {
            if let Some(moved) = copied.or_left(&referrer, result)? {
                copied.moved.add(&moved);
                copied.referrers += 1;
                there.push(referrer);
            }
        }
        Ok(there)
    }

    async fn one(&self, referrer: PinnedRef) -> (PinnedRef, Result<CopyReport, StoreError>) {
        let result = copy_image(self.from, &referrer, self.to, self.name, None, &self.options.stores).await;
        (referrer, result)
    }

    async fn legacy(&self, image: &PinnedRef, copied: &mut Copied) -> Result<(), CopyError> {
        let tags = legacy_tags(image.digest())?;
        let kinds = [
            (EvidenceKind::Signature, tags.signatures),
            (EvidenceKind::Attestation, tags.attestations),
            (EvidenceKind::Sbom, tags.sbom),
        ];
        for (_, tag) in kinds.into_iter().filter(|(kind, _)| self.wants(*kind)) {
            let Some(manifest) = self.from.fetch_tag(image.name(), &tag).await? else {
                continue;
            };
            let result = self.merge(image.name(), &tag, &manifest).await;
            let what = image.name().tagged(tag.clone());
            if let Some(moved) = copied.or_left(what, result)? {
                copied.moved.add(&moved);
                copied.legacy_tags.push(tag);
            }
        }
        Ok(())
    }

    /// Adds the layers under a legacy tag to those at the destination.
    async fn merge(
        &self,
        source: &ImageName,
        tag: &Tag,
        manifest: &Content,
    ) -> Result<CopyReport, StoreError> {
        let mut moved =
            copy_blobs(self.from, source, manifest, self.to, self.name, &self.options.stores).await?;
        let limits = touchmark_sigstore::Limits::default();
        let change = |existing: Option<&Content>| {
            let merged = merge_layers(existing, manifest, &limits)
                .map_err(|error| StoreError::change(self.name, error))?;
            Ok(TagChange { manifest: merged.manifest, blobs: merged.blobs })
        };
        self.to.update_tag(self.name, tag, &change).await?;
        moved.manifests += 1;
        Ok(moved)
    }

    /// Points the destination's tag at the image. A tag that does already is left alone, for it may be immutable.
    async fn point(&self, tag: &Tag, copied: &mut Copied) -> Result<(), CopyError> {
        let there = self.to.fetch_tag(self.name, tag).await?;
        if there.is_some_and(|there| there.digest() == self.image.digest()) {
            return Ok(());
        }
        let root = self.from.fetch_manifest(self.image).await?;
        let result = self.to.push_manifest(self.name, &root, Some(tag)).await;
        copied.or_left(self.name.tagged(tag.clone()), result).map(|_| ())
    }
}

impl Copied {
    /// The result; what is only about one thing is written down, and the rest goes on.
    fn or_left<R>(
        &mut self,
        what: impl std::fmt::Display,
        result: Result<R, StoreError>,
    ) -> Result<Option<R>, CopyError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if is_about_one_thing(&error) => {
                self.left.push(Left { what: what.to_string(), error });
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether an error says something about what was to be copied, rather than about the store.
fn is_about_one_thing(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::NotFound { .. }
            | StoreError::Corrupt { .. }
            | StoreError::Manifest { .. }
            | StoreError::TooLarge { .. }
            | StoreError::TooDeep { .. }
            | StoreError::Rejected { .. }
            | StoreError::Change { .. }
    )
}

/// Why a copy ended before its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// A store could not be asked, or refuses us.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The manifests of the image could not be listed.
    #[error(transparent)]
    Descend(Box<DescendError>),
    /// The evidence could not be read, to choose from it.
    #[error(transparent)]
    Gather(#[from] VerifyError),
    /// The image's digest makes no legacy tag.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// More referrers than [`CopyLimits::max_referrers`], or than the store lists.
    #[error("more than {limit} manifests refer to {image}")]
    TooMany {
        /// The image.
        image: PinnedRef,
        /// The limit.
        limit: usize,
    },
    /// Referrers of referrers, deeper than [`CopyLimits::max_depth`].
    #[error("what refers to {image} is nested deeper than {limit}")]
    TooDeep {
        /// The image.
        image: PinnedRef,
        /// The limit.
        limit: usize,
    },
}

impl From<DescendError> for CopyError {
    fn from(error: DescendError) -> Self {
        Self::Descend(Box::new(error))
    }
}

impl CopyError {
    /// What the user could do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Descend(error) => error.hint(),
            Self::Gather(error) => error.hint(),
            Self::TooMany { .. } | Self::TooDeep { .. } => {
                Some("no image needs this much evidence; the repository may be under attack".to_owned())
            }
            Self::Reference(_) => None,
        }
    }
}
