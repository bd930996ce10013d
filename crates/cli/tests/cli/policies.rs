//! Policies: checked, tested, and wrong ones refused with their place.

use crate::stage::{Stage, repository};

#[test]
fn the_shipped_policies_are_valid_and_pass_their_tables() {
    let stage = Stage::empty();
    let policies = repository().join("policies");
    let run = stage.run(&["policy", "check", policies.to_str().unwrap()]).ok();
    assert!(run.stdout.contains("keyed-supply-chain"), "{}", run.stdout);
    let table = policies.join("keyed-release.test.yaml");
    let run = stage.run(&["policy", "test", table.to_str().unwrap()]).ok();
    assert!(run.stdout.ends_with("7 of 7 cases passed\n"), "{}", run.stdout);
}

#[test]
fn a_failing_case_is_denied() {
    let stage = Stage::empty();
    let policy = repository().join("policies/keyed-release.yaml");
    let evidence = repository().join("testdata/evidence");
    stage.write(
        "t.test.yaml",
        &format!(
            "apiVersion: touchmark.dev/v1alpha1\nkind: ImagePolicyTest\nmetadata: {{name: t}}\nspec:\n  policies: ['{}']\n  cases:\n  - \
             {{name: c, image: 'ghcr.io/touchmark/a:1', evidence: 'oci:{}:unsigned', expect: allow}}\n",
            policy.display(),
            evidence.display()
        ),
    );
    let run = stage.run(&["policy", "test", "t.test.yaml"]).denied();
    assert!(run.stdout.contains("signature-missing"), "{}", run.stdout);
}

#[test]
fn an_unknown_field_is_refused_with_its_line_and_column() {
    let stage = Stage::empty();
    let text = std::fs::read_to_string(repository().join("policies/keyed-release.yaml")).unwrap();
    stage.write("p.yaml", &text.replace("spec:\n", "spec:\n  moood: enforce\n"));
    let line = text.lines().position(|line| line == "spec:").unwrap() + 2;
    let run = stage.run(&["policy", "check", "p.yaml"]).undecided();
    assert!(run.stderr.contains(&format!("p.yaml:{line}:3")), "{}", run.stderr);
}
