//! What is read from provenance that others wrote.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use touchmark_attestation::{Limits, Statement, StatementError};
use touchmark_oci::Digest;
use touchmark_provenance::{BuildFacts, SlsaVersion, SourceGap};

const GITHUB: &str = include_str!("data/github-actions-v1.json");
const GENERATOR: &str = include_str!("data/slsa-github-generator-v02.json");
const GITLAB: &str = include_str!("data/gitlab-runner-v02.json");
const BUILDKIT: &str = include_str!("data/buildkit-v1.json");

fn statement(text: &str) -> Statement {
    Statement::parse(text.as_bytes(), &Limits::default()).unwrap()
}

fn facts(text: &str) -> BuildFacts {
    BuildFacts::of(&statement(text)).unwrap()
}

/// The facts of a statement in which the member at `pointer` is another one.
fn facts_with(text: &str, pointer: &str, value: Value) -> Result<BuildFacts, StatementError> {
    let mut json: Value = serde_json::from_str(text).unwrap();
    *json.pointer_mut(pointer).unwrap() = value;
    BuildFacts::of(&statement(&json.to_string()))
}

#[test]
fn reads_what_actions_attest_writes() {
    let facts = facts(GITHUB);
    assert_eq!(facts.version, SlsaVersion::V1);
    assert_eq!(facts.build_type, "https://actions.github.io/buildtypes/workflow/v1");
    assert!(facts.builder_id.starts_with("https://github.com/loosebazooka/aa-test/"), "{}", facts.builder_id);
    assert_eq!(facts.entry_point.as_deref(), Some(".github/workflows/provenance.yaml"));
    let source = facts.source.clone().unwrap();
    assert_eq!(source.uri, "https://github.com/loosebazooka/aa-test".parse().unwrap());
    assert_eq!(source.git_ref.as_deref(), Some("refs/heads/main"));
    assert_eq!(source.commit.unwrap().as_str(), facts.materials[0].digest["gitCommit"]);
}

#[test]
fn reads_what_slsa_github_generator_writes() {
    let facts = facts(GENERATOR);
    assert_eq!(facts.version, SlsaVersion::V02);
    let source = facts.source.unwrap();
    assert_eq!(source.uri.to_string(), "https://github.com/slsa-framework/example-package");
    assert_eq!(source.git_ref.as_deref(), Some("refs/tags/v14.2"));
    assert_eq!(source.commit.unwrap().as_str(), "4d329c75e7ec1725f7c9ce917a8799d408d06be3");
    assert_eq!(facts.invocation_id.as_deref(), Some("13530999644-1"));
}

#[test]
fn reads_what_gitlab_runner_writes_and_its_misnamed_commit() {
    let facts = facts(GITLAB);
    let source = facts.source.unwrap();
    assert_eq!(source.uri.to_string(), "https://gitlab.com/ggeorgiev_gitlab/playground");
    assert_eq!(source.commit.unwrap().as_str(), "f0582e2c9a16b5cc2cde90e8be8f1b50fd67c631");
    assert_eq!(source.git_ref, None);
    assert_eq!(facts.entry_point.as_deref(), Some("whoami shell"));
}

#[test]
fn reads_what_buildkit_writes_with_its_null_members() {
    let facts = facts(BUILDKIT);
    let source = facts.source.unwrap();
    assert_eq!(source.uri.to_string(), "https://github.com/moby/buildkit");
    assert_eq!(source.git_ref.as_deref(), Some("refs/tags/v0.11.0"));
    assert_eq!(source.commit.unwrap().as_str(), "4b220de5058abfd01ff619c9d2ff6b09a049bea0");
    assert_eq!(facts.started_on.unwrap().to_string(), "2022-12-16T15:52:33.012345678Z");
    assert!(facts.materials.is_empty());
}

#[test]
fn the_source_of_an_unknown_build_type_is_not_guessed() {
    let build_type = json!("https://tekton.dev/chains/v2/slsa");
    let v1 = facts_with(GITHUB, "/predicate/buildDefinition/buildType", build_type.clone()).unwrap();
    assert!(
        matches!(&v1.source, Err(SourceGap::UnknownBuildType { build_type }) if build_type.contains("tekton"))
    );
    let v02 = facts_with(GENERATOR, "/predicate/buildType", build_type).unwrap();
    assert!(matches!(v02.source, Err(SourceGap::UnknownBuildType { .. })));
    // What was used is still known, and is less.
    let repository = "https://github.com/loosebazooka/aa-test.git".parse().unwrap();
    assert_eq!(v1.materials_from(&repository).len(), 1);
    assert!(v1.materials_from(&"https://github.com/loosebazooka/aa".parse().unwrap()).is_empty());
}

#[test]
fn a_source_that_is_not_stated_or_malformed_says_which_member() {
    let repository = "/predicate/buildDefinition/externalParameters/workflow/repository";
    for value in [json!(""), json!(null), json!(["https://github.com/a/b"])] {
        let gap = facts_with(GITHUB, repository, value).unwrap().source.unwrap_err();
        assert_eq!(gap, SourceGap::NotStated { member: "externalParameters.workflow.repository" });
    }
    let gap = facts_with(GITHUB, repository, json!("loosebazooka/aa-test")).unwrap().source.unwrap_err();
    assert!(matches!(gap, SourceGap::Malformed { member: "externalParameters.workflow.repository", .. }));
}

#[test]
fn the_commit_of_another_ref_or_repository_is_not_the_sources() {
    let uri = "/predicate/buildDefinition/resolvedDependencies/0/uri";
    for other in [
        "git+https://github.com/loosebazooka/aa-test@refs/heads/other",
        "git+https://github.com/evil/aa-test@refs/heads/main",
    ] {
        let source = facts_with(GITHUB, uri, json!(other)).unwrap().source.unwrap();
        assert_eq!(source.commit, None, "{other}");
    }
}

#[test]
fn two_commits_for_one_source_are_none() {
    let mut json: Value = serde_json::from_str(GITHUB).unwrap();
    let dependencies = json.pointer_mut("/predicate/buildDefinition/resolvedDependencies").unwrap();
    let mut second = dependencies[0].clone();
    second["digest"]["gitCommit"] = json!("a".repeat(40));
    dependencies.as_array_mut().unwrap().push(second);
    let source = facts(&json.to_string()).source.unwrap();
    assert_eq!(source.commit, None);
}

#[test]
fn a_material_is_found_by_its_digest() {
    let digest = Digest::of(b"base image");
    assert!(!facts(GITHUB).has_material(&digest));
    let with = facts_with(
        GITHUB,
        "/predicate/buildDefinition/resolvedDependencies/0/digest",
        json!({ "sha256": digest.hex() }),
    );
    assert!(with.unwrap().has_material(&digest));
}

#[test]
fn what_is_no_provenance_is_refused() {
    let other =
        BuildFacts::of(&statement(&GITHUB.replace("slsa.dev/provenance/v1", "example.com/p"))).unwrap_err();
    assert!(matches!(other, StatementError::PredicateType { wanted, .. } if wanted.len() == 2));
    for (pointer, value) in [
        ("/predicate/runDetails/builder", json!({})),
        ("/predicate/buildDefinition/buildType", json!(1)),
        ("/predicate", json!(null)),
    ] {
        assert!(
            matches!(facts_with(GITHUB, pointer, value), Err(StatementError::Predicate { .. })),
            "{pointer}"
        );
    }
    assert!(matches!(
        facts_with(GENERATOR, "/predicate/builder", json!({})),
        Err(StatementError::Predicate { .. })
    ));
}
