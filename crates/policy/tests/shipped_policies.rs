//! The policies in `policies/` are valid, and their test tables hold, judged by evidence that is signed here with the example keys.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod evidence;

use std::path::{Path, PathBuf};

use evidence::{COMMIT, Gathered, Key, WORKFLOW, digest};
use serde_json::json;
use touchmark_policy::{Limits, PolicyDocument, PolicySet, TestTable};

const REPOSITORY: &str = "https://github.com/touchmark/touchmark";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn key(name: &str) -> Key {
    let private = root().join(format!("testdata/evidence/keys/{name}.key"));
    let public = match name {
        "other" => root().join("testdata/evidence/keys/other.pub"),
        name => root().join(format!("policies/keys/example-{name}.pub")),
    };
    Key::from_pem(&read(&private), &read(&public))
}

fn built_by(gathered: Gathered, workflow: &str) -> Gathered {
    let builder = format!("{REPOSITORY}/.github/workflows/{workflow}@refs/tags/v1.0.0");
    let provenance = json!({
        "buildDefinition": {
            "buildType": WORKFLOW,
            "externalParameters": {
                "workflow": { "ref": "refs/tags/v1.0.0", "repository": REPOSITORY, "path": format!(".github/workflows/{workflow}") },
            },
            "resolvedDependencies": [
                { "uri": format!("git+{REPOSITORY}@refs/tags/v1.0.0"), "digest": { "gitCommit": COMMIT } },
            ],
        },
        "runDetails": { "builder": { "id": builder } },
    });
    let release = key("release");
    gathered.signature(&release, &[]).sbom(&release).provenance(&release, provenance)
}

/// What each tag of the evidence layout holds.
fn evidence_at(tag: &str) -> Gathered {
    let nothing = Gathered::nothing;
    match tag {
        "unsigned" => nothing(),
        "signed" => nothing().signature(&key("release"), &[]),
        "signed-other" => nothing().signature(&key("other"), &[]),
        "sbom-only" => nothing().sbom(&key("release")),
        "complete" => built_by(nothing(), "release.yml"),
        "wrong-builder" => built_by(nothing(), "nightly.yml"),
        "two-of-three" => nothing().signature(&key("alice"), &[]).legacy_signature(&key("carol"), &digest()),
        "one-of-three" => nothing().signature(&key("bob"), &[]),
        other => panic!("no evidence {other}"),
    }
}

fn policies_in(file: &Path) -> Vec<touchmark_policy::Policy> {
    let limits = Limits::default();
    let documents = PolicyDocument::parse_all(&read(file), &file.display().to_string(), &limits).unwrap();
    let read_key = |name: &str| std::fs::read_to_string(file.with_file_name(name));
    documents.iter().map(|document| document.check(&read_key, &limits).unwrap()).collect()
}

fn files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join("policies")).unwrap();
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .collect();
    files.sort();
    files
}

#[test]
fn every_policy_is_valid_and_has_a_table() {
    let policies: Vec<_> =
        files().into_iter().filter(|path| !path.to_string_lossy().ends_with(".test.yaml")).collect();
    assert!(policies.len() >= 3);
    for path in policies {
        assert!(!policies_in(&path).is_empty());
        assert!(path.with_extension("test.yaml").exists(), "{} has no test table", path.display());
    }
}

#[test]
fn every_table_holds() {
    let tables: Vec<_> =
        files().into_iter().filter(|path| path.to_string_lossy().ends_with(".test.yaml")).collect();
    assert!(tables.len() >= 3);
    for path in tables {
        let table = TestTable::parse(&read(&path), &path.display().to_string(), &Limits::default()).unwrap();
        let policies =
            table.policies().iter().flat_map(|file| policies_in(&path.with_file_name(file))).collect();
        let set = PolicySet::new(policies).unwrap();
        for case in table.cases() {
            let evidence = evidence_at(case.evidence.tag().unwrap().as_str());
            let decision = evidence.judged_as(&case.image.pin(digest()), &set);
            case.judge(&decision).unwrap_or_else(|failure| panic!("{}: {failure}", case.name));
        }
    }
}
