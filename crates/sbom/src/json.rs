//! The inventory itself as JSON, with everything that the standard formats have no place for.
//!
//! `schemaVersion` counts up with every change that a reader could trip over; new members do not count.

use serde::Serialize;

use crate::document::{TOOL, created};
use crate::{
    BaseImage, Distribution, DocumentOptions, Gap, Inventory, Package, Relationship, RemovedPackage, Subject,
};

/// The version of the schema that [`to_json`] writes.
pub const SCHEMA_VERSION: u32 = 1;

/// The inventory as a JSON document. The same inventory and options give the same bytes.
pub fn to_json(inventory: &Inventory, options: &DocumentOptions) -> Vec<u8> {
    let document = Document {
        schema_version: SCHEMA_VERSION,
        tool: Tool { name: TOOL, version: &options.tool_version },
        created: created(inventory, options),
        subject: inventory.subject(),
        distribution: inventory.distribution(),
        layers: inventory.layers().map(|layer| layer.map(ToString::to_string)).collect(),
        base: inventory.base(),
        complete: inventory.is_complete(),
        packages: inventory.packages().collect(),
        relationships: inventory.relationships(),
        removed: inventory.removed(),
        gaps: inventory.gaps(),
    };
    // Writing strings and numbers to memory cannot fail.
    serde_json::to_vec_pretty(&document).unwrap_or_default()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema_version: u32,
    tool: Tool<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    subject: &'a Subject,
    #[serde(skip_serializing_if = "Option::is_none")]
    distribution: Option<&'a Distribution>,
    layers: Vec<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base: Option<&'a BaseImage>,
    complete: bool,
    packages: Vec<&'a Package>,
    relationships: &'a [Relationship],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    removed: &'a [RemovedPackage],
    gaps: &'a [Gap],
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'static str,
    version: &'a str,
}
