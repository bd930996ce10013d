//! An index and the manifests under it, for `--recursive`.

use std::collections::HashSet;

use touchmark_oci::{Limits, Manifest, ManifestError, PinnedRef};
use touchmark_registry::{ImageStore, StoreError};

/// `image` and every manifest below it, each once, an index before its entries.
///
/// # Errors
/// [`DescendError`]: the store could not give a manifest, a manifest is malformed, or indexes are nested too deep.
pub async fn descend<S: ImageStore>(
    store: &S,
    image: &PinnedRef,
    limits: &Limits,
) -> Result<Vec<PinnedRef>, DescendError> {
    let mut found = vec![image.clone()];
    let mut seen = HashSet::from([image.digest().clone()]);
    let mut level = vec![image.clone()];
    for _ in 0..=limits.max_index_depth {
        let mut next = Vec::new();
        for parent in &level {
            for child in children(store, parent, limits).await? {
                if seen.insert(child.digest().clone()) {
                    next.push(child);
                }
            }
            if found.len() + next.len() > limits.max_descriptors {
                return Err(DescendError::TooMany { image: image.clone(), limit: limits.max_descriptors });
            }
        }
        if next.is_empty() {
            return Ok(found);
        }
        found.extend(next.iter().cloned());
        level = next;
    }
    Err(DescendError::TooDeep { image: image.clone(), limit: limits.max_index_depth })
}

/// The entries of an index; none for an image manifest.
async fn children<S: ImageStore>(
    store: &S,
    parent: &PinnedRef,
    limits: &Limits,
) -> Result<Vec<PinnedRef>, DescendError> {
    let content = store.fetch_manifest(parent).await?;
    let manifest = Manifest::parse(&content, limits)
        .map_err(|source| DescendError::Manifest { image: parent.clone(), source })?;
    Ok(match manifest {
        Manifest::Image(_) => Vec::new(),
        Manifest::Index(index) => {
            index.manifests.into_iter().map(|entry| parent.name().pin(entry.digest)).collect()
        }
    })
}

/// Why the manifests under an image could not be listed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DescendError {
    /// The store could not give a manifest.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A manifest is malformed.
    #[error("cannot read the manifest of {image}")]
    Manifest {
        /// Which.
        image: PinnedRef,
        /// Why.
        source: ManifestError,
    },
    /// Indexes within indexes, deeper than [`Limits::max_index_depth`].
    #[error("indexes under {image} are nested deeper than {limit}")]
    TooDeep {
        /// The outermost.
        image: PinnedRef,
        /// The limit.
        limit: usize,
    },
    /// More manifests than [`Limits::max_descriptors`].
    #[error("more than {limit} manifests are under {image}")]
    TooMany {
        /// The outermost.
        image: PinnedRef,
        /// The limit.
        limit: usize,
    },
}

impl DescendError {
    /// What the user could do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
            _ => None,
        }
    }
}
