//! What is kept of a repository: one document, so that it is replaced as a whole or not at all.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Limits;

/// Metadata and targets as they came. Nothing in it is trusted: [`Repository::verify`](crate::Repository::verify) verifies it each time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cache {
    /// When the mirror was asked.
    pub(crate) refreshed: Timestamp,
    /// The roots after the pinned one, in order.
    pub(crate) roots: Vec<String>,
    pub(crate) timestamp: String,
    pub(crate) snapshot: String,
    pub(crate) targets: String,
    /// The targets that are used, by name.
    pub(crate) files: BTreeMap<String, String>,
}

impl Cache {
    /// Reads what [`Cache::to_json`] wrote.
    ///
    /// # Errors
    /// [`CacheError`].
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, CacheError> {
        if bytes.len() as u64 > limits.max_cache_bytes {
            return Err(CacheError::TooLarge { size: bytes.len(), limit: limits.max_cache_bytes });
        }
        let cache: Self = serde_json::from_slice(bytes)?;
        if cache.roots.len() > limits.max_roots {
            return Err(CacheError::TooManyRoots { found: cache.roots.len(), limit: limits.max_roots });
        }
        Ok(cache)
    }

    /// The document.
    ///
    /// # Errors
    /// None that is known: every member can be written.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }
}

/// Why a document is not what is kept of a repository.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// Larger than [`Limits::max_cache_bytes`].
    #[error("kept metadata has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// Bytes found.
        size: usize,
        /// The limit.
        limit: u64,
    },
    /// More roots than [`Limits::max_roots`].
    #[error("kept metadata has {found} roots, the limit is {limit}")]
    TooManyRoots {
        /// Roots found.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// Not the document.
    #[error("kept metadata is not readable")]
    Json(#[from] serde_json::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_no_cache() {
        let limits = Limits::default();
        assert!(matches!(Cache::parse(b"{}", &limits), Err(CacheError::Json(_))));
        let small = Limits { max_cache_bytes: 1, ..limits.clone() };
        assert!(matches!(Cache::parse(b"{}", &small), Err(CacheError::TooLarge { size: 2, limit: 1 })));
        let cache = Cache {
            refreshed: Timestamp::UNIX_EPOCH,
            roots: vec![String::new(); 2],
            timestamp: String::new(),
            snapshot: String::new(),
            targets: String::new(),
            files: BTreeMap::new(),
        };
        let bytes = cache.to_json().unwrap();
        assert_eq!(Cache::parse(&bytes, &limits).unwrap(), cache);
        let few = Limits { max_roots: 1, ..limits };
        assert!(matches!(Cache::parse(&bytes, &few), Err(CacheError::TooManyRoots { found: 2, limit: 1 })));
    }
}
