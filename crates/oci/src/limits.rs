//! How much is read from outside before giving up.

/// Limits on image documents and on walks over them. Anyone can push anything to a public repository, so every read has one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one manifest or index. 4 MiB: what the distribution specification asks registries to accept
    /// ([1.1, "Pushing Manifests"](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-manifests)).
    pub max_manifest_bytes: u64,
    /// Bytes of one image configuration.
    pub max_config_bytes: u64,
    /// Entries of one index, or layers of one manifest. cosign stops at 1,000 layers too.
    pub max_descriptors: usize,
    /// How many indexes may be nested before an image manifest must come.
    pub max_index_depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_manifest_bytes: 4 << 20,
            max_config_bytes: 4 << 20,
            max_descriptors: 10_000,
            max_index_depth: 4,
        }
    }
}
