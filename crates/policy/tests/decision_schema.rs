//! Real decisions follow `docs/schemas/decision.v1.json`, and the schema refuses what is none.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod evidence;

use evidence::{BUILDER, Gathered, Key, SOURCE, digest, github_provenance, policy};
use serde_json::{Value, json};
use touchmark_policy::{Decision, PolicySet};

const SCHEMA: &str = include_str!("../../../docs/schemas/decision.v1.json");

const POLICY: &str = "
apiVersion: touchmark.dev/v1alpha1
kind: ImagePolicy
metadata: {name: p}
spec:
  images: [{glob: 'ghcr.io/acme/**'}]
  signers: [{name: a, key: {file: a.pub}}]
  require:
  - {name: s, signature: {by: [a], annotations: {env: prod}}}
  - {name: t, attestation: {by: [a], type: cyclonedx}}
  - {name: b, provenance: {by: [a], builder: {id: x}, source: {uri: 'https://github.com/acme/app'}}}
";

fn set() -> PolicySet {
    PolicySet::new(vec![policy(POLICY, &[("a", &Key::new(1))])]).unwrap()
}

fn decisions() -> Vec<Decision> {
    let key = Key::new(1);
    let image = evidence::image();
    let elsewhere = format!("oci:dir@{}", digest()).parse().unwrap();
    let full = || {
        let provenance = github_provenance(BUILDER, SOURCE, "refs/heads/main");
        Gathered::nothing().signature(&key, &[("env", json!("prod"))]).sbom(&key).provenance(&key, provenance)
    };
    vec![
        Gathered::nothing().judged_as(&image, &set()),
        full().judged_as(&image, &set()),
        full().garbage().signature(&Key::new(9), &[]).omitted().judged_as(&image, &set()),
        full().judged_as(&elsewhere, &set()),
        Gathered::nothing().legacy_signature(&key, &digest()).judged_as(&image, &set()),
        (0..17)
            .fold(Gathered::nothing(), |found, _| found.signature(&Key::new(9), &[]))
            .judged_as(&image, &set()),
    ]
}

fn schema() -> jsonschema::Validator {
    jsonschema::draft202012::new(&serde_json::from_str(SCHEMA).unwrap()).unwrap()
}

#[test]
fn every_decision_follows_the_schema() {
    let schema = schema();
    for decision in decisions() {
        let value = serde_json::to_value(&decision).unwrap();
        let errors: Vec<String> = schema.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?} in {value:#}");
    }
}

#[test]
fn every_member_that_is_written_is_described() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    for decision in decisions() {
        assert_described(&serde_json::to_value(&decision).unwrap(), &schema, &schema, "decision");
    }
}

fn assert_described(value: &Value, schema: &Value, root: &Value, path: &str) {
    let schema = match schema.get("$ref").and_then(Value::as_str) {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    };
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let described = schema.pointer(&format!("/properties/{name}"));
                let described = described.unwrap_or_else(|| panic!("{path}.{name} is not in the schema"));
                assert_described(member, described, root, &format!("{path}.{name}"));
            }
        }
        Value::Array(items) => {
            for item in items {
                assert_described(item, &schema["items"], root, path);
            }
        }
        _ => {}
    }
}

#[test]
fn the_schema_refuses_decisions_that_contradict_themselves() {
    let schema = schema();
    let good = serde_json::to_value(&decisions()[1]).unwrap();
    for (pointer, value) in [
        ("/schema", json!("touchmark.dev/decision/v2")),
        ("/verdict", json!("pass")),
        ("/image", json!("ghcr.io/acme/app:1.0")),
        ("/policies/0/requirements/0/support", json!([])),
        ("/policies/0/requirements", json!([])),
        ("/policies/0/requirements/2/reasons", json!([])),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        assert!(!schema.is_valid(&bad), "{pointer}");
    }
}
