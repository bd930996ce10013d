//! Copying an image with all that it is made of, bytes exact.

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use touchmark_oci::{Content, Descriptor, ImageName, Manifest, PinnedRef, Tag};

use crate::{At, ImageStore, Limits, Operation, StoreError};

/// What a copy moved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CopyReport {
    /// Manifests and indexes written.
    pub manifests: u64,
    /// Blobs written or found there already.
    pub blobs: u64,
    /// Blobs that the registry took over from another of its repositories.
    pub mounted: u64,
}

/// Copies `image` from one store to `name` in another: every blob, then each manifest after what it names, and the tag last, so
/// that a crash leaves nothing that points at something missing. What refers to the image is not copied.
///
/// Layers with a media type that says they may not be distributed are copied like all others.
///
/// # Errors
/// As the stores', and [`StoreError::TooDeep`] for indexes within indexes.
pub async fn copy_image<F: ImageStore, T: ImageStore>(
    from: &F,
    image: &PinnedRef,
    to: &T,
    name: &ImageName,
    tag: Option<&Tag>,
    limits: &Limits,
) -> Result<CopyReport, StoreError> {
    let copy = Copy { from, source: image.name(), to, name, limits };
    let mut report = CopyReport::default();
    let root = from.fetch_manifest(image).await?;
    for manifest in copy.children_first(root).await? {
        copy.blobs_of(&manifest, &mut report).await?;
        let tag = if manifest.digest() == image.digest() { tag } else { None };
        to.push_manifest(name, &manifest, tag).await?;
        report.manifests += 1;
    }
    Ok(report)
}

/// Copies the blobs that `manifest`, of `source`, names to `name` in another store, and not the manifest.
///
/// # Errors
/// As the stores', and [`StoreError::Manifest`].
pub async fn copy_blobs<F: ImageStore, T: ImageStore>(
    from: &F,
    source: &ImageName,
    manifest: &Content,
    to: &T,
    name: &ImageName,
    limits: &Limits,
) -> Result<CopyReport, StoreError> {
    let mut report = CopyReport::default();
    Copy { from, source, to, name, limits }.blobs_of(manifest, &mut report).await?;
    Ok(report)
}

impl CopyReport {
    /// Counts what another copy moved too.
    pub fn add(&mut self, other: &Self) {
        self.manifests += other.manifests;
        self.blobs += other.blobs;
        self.mounted += other.mounted;
    }
}

struct Copy<'a, F, T> {
    from: &'a F,
    source: &'a ImageName,
    to: &'a T,
    name: &'a ImageName,
    limits: &'a Limits,
}

impl<F: ImageStore, T: ImageStore> Copy<'_, F, T> {
    /// `root` and all manifests under it, each once, in an order in which each comes after those that it names.
    async fn children_first(&self, root: Content) -> Result<Vec<Content>, StoreError> {
        let limits = &self.limits.documents;
        let mut ordered: Vec<Content> = Vec::new();
        let mut level = vec![root];
        let mut depth = 0;
        let mut total: u64 = 0;
        while !level.is_empty() {
            if depth > limits.max_index_depth {
                let at = self.at(level.first().map(Content::descriptor));
                return Err(StoreError::TooDeep { at, limit: limits.max_index_depth });
            }
            let mut next: Vec<Content> = Vec::new();
            for manifest in level {
                for child in self.children(&manifest)? {
                    let known = next.iter().any(|seen| *seen.digest() == child.digest);
                    if !known {
                        next.push(self.from.fetch_manifest(&self.source.pin(child.digest)).await?);
                    }
                }
                // A manifest found again further down moves down: it must come before all that name it.
                total = total.saturating_add(manifest.bytes().len() as u64);
                if total > self.limits.max_walk_bytes {
                    let at = self.at(Some(manifest.descriptor()));
                    return Err(StoreError::TooLarge { at, size: total, limit: self.limits.max_walk_bytes });
                }
                ordered.retain(|seen| seen.digest() != manifest.digest());
                ordered.push(manifest);
            }
            level = next;
            depth += 1;
        }
        ordered.reverse();
        Ok(ordered)
    }

    fn children(&self, manifest: &Content) -> Result<Vec<Descriptor>, StoreError> {
        Ok(match self.parse(manifest)? {
            Manifest::Index(index) => index.manifests,
            Manifest::Image(_) => Vec::new(),
        })
    }

    async fn blobs_of(&self, manifest: &Content, report: &mut CopyReport) -> Result<(), StoreError> {
        let Manifest::Image(image) = self.parse(manifest)? else {
            return Ok(());
        };
        let blobs: Vec<Descriptor> = std::iter::once(image.config).chain(image.layers).collect();
        let mounted: Vec<bool> = stream::iter(blobs)
            .map(|blob| self.blob(blob))
            .buffer_unordered(self.limits.max_parallel_blobs.max(1))
            .try_collect()
            .await?;
        let taken_over = mounted.iter().filter(|mounted| **mounted).count() as u64;
        report.mounted += taken_over;
        report.blobs += mounted.len() as u64 - taken_over;
        Ok(())
    }

    /// Copies a blob. Whether the registry took it over from its other repository.
    async fn blob(&self, blob: Descriptor) -> Result<bool, StoreError> {
        if self.is_same_registry() && self.to.mount_blob(self.name, &blob, self.source).await? {
            return Ok(true);
        }
        let bytes = self.from.open_blob(self.source, &blob).await?;
        self.to.push_blob_stream(self.name, &blob, bytes).await?;
        Ok(false)
    }

    fn is_same_registry(&self) -> bool {
        self.source.registry().is_some() && self.source.registry() == self.name.registry()
    }

    fn parse(&self, manifest: &Content) -> Result<Manifest, StoreError> {
        Manifest::parse(manifest, &self.limits.documents).map_err(|source| StoreError::Manifest {
            at: self.at(Some(manifest.descriptor())),
            source: Box::new(source),
        })
    }

    fn at(&self, descriptor: Option<&Descriptor>) -> At {
        match descriptor {
            Some(descriptor) => At::new(Operation::Copy, self.source.pin(descriptor.digest.clone())),
            None => At::new(Operation::Copy, self.source),
        }
    }
}
