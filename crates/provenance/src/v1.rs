//! SLSA provenance 1.x ([slsa.dev, provenance v1.1](https://slsa.dev/spec/v1.1/provenance)).
//!
//! Members that the specification does not have are ignored when reading, as its parsing rules ask
//! ([in-toto attestation 1.1, parsing rules](https://github.com/in-toto/attestation/blob/v1.1.0/spec/v1/README.md#parsing-rules)).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use touchmark_attestation::{Predicate, ResourceDescriptor, predicate_types};

/// How an artifact was built, as its builder tells it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Provenance {
    /// What was asked for.
    pub build_definition: BuildDefinition,
    /// What happened.
    pub run_details: RunDetails,
}

impl Predicate for Provenance {
    const TYPES: &'static [&'static str] = &[predicate_types::SLSA_PROVENANCE_V1];
}

/// The inputs of a build.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildDefinition {
    /// A URI that says how to read the parameters.
    pub build_type: String,
    /// What a user of the builder could choose. A consumer has to check all of it.
    pub external_parameters: Map<String, Value>,
    /// What only the builder's operator could choose.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "Map::is_empty")]
    pub internal_parameters: Map<String, Value>,
    /// What was fetched for the build: sources, base images, tools.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "Vec::is_empty")]
    pub resolved_dependencies: Vec<ResourceDescriptor>,
}

/// One run of a build.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunDetails {
    /// Who ran it.
    pub builder: Builder,
    /// Which run it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BuildMetadata>,
    /// What else came out.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "Vec::is_empty")]
    pub byproducts: Vec<ResourceDescriptor>,
}

/// The platform that ran a build.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Builder {
    /// A URI that stands for the builder, and for how far it is to be trusted.
    pub id: String,
    /// Versions of the builder's parts.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "BTreeMap::is_empty")]
    pub version: BTreeMap<String, String>,
    /// What the builder itself was made of.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "Vec::is_empty")]
    pub builder_dependencies: Vec<ResourceDescriptor>,
}

/// Which run of a build it was.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildMetadata {
    /// The builder's name for this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invocation_id: Option<String>,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_on: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_on: Option<Timestamp>,
}

/// Writers in Go leave `null` where nothing is listed.
fn null_is_empty<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
