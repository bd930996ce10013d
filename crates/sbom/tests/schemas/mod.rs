//! The formats' own schemas (`testdata/schemas`).

use std::path::Path;

use jsonschema::{Registry, Validator};
use serde_json::Value;

/// The schema in this file.
pub(crate) fn schema(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/schemas").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Judges CycloneDX documents of a version.
pub(crate) fn cyclonedx_validator(version: &str) -> Validator {
    let base = "http://cyclonedx.org/schema/";
    let others = [
        ("spdx.SNAPSHOT.schema.json", "cyclonedx-spdx.schema.json"),
        ("jsf-0.82.SNAPSHOT.schema.json", "cyclonedx-jsf-0.82.schema.json"),
        ("cryptography-defs.SNAPSHOT.schema.json", "cyclonedx-cryptography-defs.schema.json"),
    ];
    let schemas = others.map(|(name, file)| (format!("{base}{name}"), schema(file)));
    let mut registry = Registry::new();
    for (name, schema) in &schemas {
        registry = registry.add(name.as_str(), schema).unwrap();
    }
    let registry = registry.prepare().unwrap();
    let own = schema(&format!("cyclonedx-{version}.schema.json"));
    jsonschema::options().with_registry(&registry).build(&own).unwrap()
}
