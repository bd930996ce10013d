//! Removing what is attached to an image, in both storage forms. What is not evidence stays, and so does the image, whatever its
//! legacy tags point at.

use std::collections::HashSet;

use touchmark_oci::{Digest, PinnedRef};
use touchmark_registry::{ImageStore, StoreError};
use touchmark_sigstore::storage::legacy_tags;
use touchmark_sigstore::{EvidenceItem, Place};

use crate::{EvidenceKind, GatherLimits, VerifyError, gather};

/// Evidence that can be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removable {
    /// What it is about.
    pub subject: PinnedRef,
    /// The manifest that holds it.
    pub manifest: Digest,
    /// How it is attached.
    pub place: Place,
}

/// What there is to remove from one image.
#[derive(Debug, Default)]
pub struct Removables {
    /// The manifests that hold nothing but what was asked for.
    pub found: Vec<Removable>,
    /// Whether there is more than was listed.
    pub truncated: bool,
}

/// Finds the evidence of these kinds. A manifest that also holds other kinds, or cannot be read, is only found when all kinds are
/// asked for.
///
/// # Errors
/// [`VerifyError`] when the store could not be asked.
pub async fn find_removable<S: ImageStore>(
    store: &S,
    image: &PinnedRef,
    kinds: &[EvidenceKind],
) -> Result<Removables, VerifyError> {
    let limits = GatherLimits::default();
    let gathered = gather(store, image, &limits).await?;
    let evidence = gathered.evidence;
    let removable = |manifest: &Digest, place: Place| Removable {
        subject: image.clone(),
        manifest: manifest.clone(),
        place,
    };
    let mut found = Vec::new();
    let mut seen = HashSet::from([image.digest().clone()]);
    for item in &evidence.items {
        let manifest = &item.origin.manifest;
        let holds = |other: &&EvidenceItem| other.origin.manifest == *manifest;
        let all = evidence.items.iter().filter(holds).all(|item| is_wanted(item, kinds, &limits));
        if seen.insert(manifest.clone()) && all {
            found.push(removable(manifest, item.origin.place.clone()));
        }
    }
    let tag = legacy_tags(image.digest())?.sbom;
    if kinds.contains(&EvidenceKind::Sbom)
        && let Some(sbom) = store.fetch_tag(image.name(), &tag).await?
        && seen.insert(sbom.digest().clone())
    {
        found.push(removable(sbom.digest(), Place::LegacyTag(tag)));
    }
    Ok(Removables { found, truncated: !evidence.omitted.is_empty() })
}

fn is_wanted(item: &EvidenceItem, kinds: &[EvidenceKind], limits: &GatherLimits) -> bool {
    match EvidenceKind::of(&item.document, &limits.documents) {
        Some(kind) => kinds.contains(&kind),
        None => EvidenceKind::ALL.iter().all(|kind| kinds.contains(kind)),
    }
}

/// Removes it, and takes a referrer off the list of its subject.
///
/// # Errors
/// As [`ImageStore::delete_manifest`].
pub async fn remove<S: ImageStore>(store: &S, removable: &Removable) -> Result<(), StoreError> {
    let subject = match removable.place {
        Place::Referrers => Some(removable.subject.digest()),
        Place::LegacyTag(_) => None,
    };
    store.delete_manifest(&removable.subject.name().pin(removable.manifest.clone()), subject).await
}
