//! SLSA provenance 0.2 ([slsa.dev, provenance v0.2](https://slsa.dev/spec/v0.2/provenance)), as far as verification needs it.
//! Touchmark reads it and does not write it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use touchmark_attestation::{Predicate, ResourceDescriptor, predicate_types};

use crate::Builder;

/// How an artifact was built, in the older form.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ProvenanceV02 {
    /// Who ran the build.
    pub builder: Builder,
    /// A URI that says how to read the rest.
    pub build_type: String,
    /// What started the build.
    #[serde(default)]
    pub invocation: Option<Invocation>,
    /// When the build ran.
    #[serde(default)]
    pub metadata: Option<MetadataV02>,
    /// What went into the build.
    #[serde(default)]
    pub materials: Option<Vec<ResourceDescriptor>>,
}

impl Predicate for ProvenanceV02 {
    const TYPES: &'static [&'static str] = &[predicate_types::SLSA_PROVENANCE_V02];
}

/// What started a build.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Invocation {
    /// Where the build's configuration came from.
    #[serde(default)]
    pub config_source: Option<ConfigSource>,
}

/// Where the configuration of a build came from.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ConfigSource {
    /// The repository.
    #[serde(default)]
    pub uri: Option<String>,
    /// The commit, by algorithm name.
    #[serde(default)]
    pub digest: Option<BTreeMap<String, String>>,
    /// The file or job in it.
    #[serde(default)]
    pub entry_point: Option<String>,
}

/// When a build ran.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct MetadataV02 {
    /// The builder's name for this run. slsa-github-generator spells the member its own way.
    #[serde(default, alias = "buildInvocationID")]
    pub build_invocation_id: Option<String>,
    /// When it began.
    #[serde(default)]
    pub build_started_on: Option<Timestamp>,
    /// When it ended.
    #[serde(default)]
    pub build_finished_on: Option<Timestamp>,
}
