//! The policies that are shipped give the answers in their test tables.

use std::path::Path;

use touchmark_registry::{RegistryOptions, Stores};
use touchmark_verify::{PolicyTestError, run_policy_tests};

fn policies() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies")
}

fn stores() -> Stores {
    Stores::new(RegistryOptions::default()).unwrap()
}

#[tokio::test]
async fn every_shipped_policy_passes_its_table() {
    let mut tables = 0;
    for entry in std::fs::read_dir(policies()).unwrap() {
        let path = entry.unwrap().path();
        let Some(name) = path.to_str().and_then(|path| path.strip_suffix(".test.yaml")) else {
            continue;
        };
        assert!(Path::new(&format!("{name}.yaml")).is_file(), "{name}.yaml");
        for result in run_policy_tests(stores(), &path).await.unwrap() {
            assert_eq!(result.outcome, Ok(()), "{name}: {}", result.name);
        }
        tables += 1;
    }
    assert_eq!(tables, 3);
}

#[tokio::test]
async fn a_table_that_expects_something_else_fails() {
    let directory = tempfile::tempdir().unwrap();
    let policy = policies().join("keyed-release.yaml");
    let evidence = policies().join("../testdata/evidence");
    let table = format!(
        "apiVersion: touchmark.dev/v1alpha1\nkind: ImagePolicyTest\nmetadata: {{name: wrong}}\nspec:\n  policies: ['{}']\n  cases:\n    \
         - {{name: unsigned, image: 'ghcr.io/touchmark/app:1', evidence: 'oci:{}:unsigned', expect: allow}}\n",
        policy.display(),
        evidence.display()
    );
    let path = directory.path().join("wrong.test.yaml");
    std::fs::write(&path, table).unwrap();
    let results = run_policy_tests(stores(), &path).await.unwrap();
    assert!(results[0].outcome.is_err());
}

#[tokio::test]
async fn a_table_without_its_evidence_is_an_error_and_no_pass() {
    let directory = tempfile::tempdir().unwrap();
    let policy = policies().join("keyed-release.yaml");
    let table = format!(
        "apiVersion: touchmark.dev/v1alpha1\nkind: ImagePolicyTest\nmetadata: {{name: none}}\nspec:\n  policies: ['{}']\n  cases:\n    \
         - {{name: none, image: 'ghcr.io/touchmark/app:1', evidence: 'oci:nowhere:x', expect: deny}}\n",
        policy.display()
    );
    let path = directory.path().join("none.test.yaml");
    std::fs::write(&path, table).unwrap();
    let error = run_policy_tests(stores(), &path).await.unwrap_err();
    assert!(matches!(error, PolicyTestError::Evidence { .. }), "{error}");
    let error = run_policy_tests(stores(), &directory.path().join("absent")).await.unwrap_err();
    assert!(matches!(error, PolicyTestError::Read { .. }), "{error}");
}
