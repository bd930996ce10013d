//! How much of a policy document is read before giving up.

/// Limits on policy documents and test tables. Policies come from people, but also from pull requests and config maps.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one file. 1 MiB: what a Kubernetes `ConfigMap` can hold
    /// ([ConfigMap, "Motivation"](https://kubernetes.io/docs/concepts/configuration/configmap/#motivation)).
    pub max_file_bytes: usize,
    /// YAML documents in one file.
    pub max_documents: usize,
    /// Mappings and sequences inside each other. A policy document needs eight.
    pub max_depth: usize,
    /// Scalars, mappings and sequences in one file, before aliases are expanded.
    pub max_nodes: usize,
    /// Uses of YAML aliases in one file.
    pub max_aliases: usize,
    /// Parser events that expanded aliases may cost: the bound on a "billion laughs".
    pub max_alias_events: usize,
    /// Bytes of one public key file. An RSA-4096 key takes 800.
    pub max_key_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_file_bytes: 1 << 20,
            max_documents: 64,
            max_depth: 16,
            max_nodes: 50_000,
            max_aliases: 256,
            max_alias_events: 50_000,
            max_key_bytes: 64 << 10,
        }
    }
}
