//! What a shell sees: help, completions, versions, usage errors.

use crate::stage::Stage;

const COMMANDS: [&str; 14] = [
    "quickstart",
    "key",
    "sign",
    "attest",
    "sign-blob",
    "verify-blob",
    "verify",
    "verify-attestation",
    "provenance",
    "sbom",
    "policy",
    "tree",
    "completions",
    "version",
];

#[test]
fn every_command_has_help_and_most_have_examples() {
    let stage = Stage::empty();
    let mut examples = 0;
    for command in COMMANDS {
        let run = stage.run(&[command, "--help"]).ok();
        assert!(run.stdout.contains("Usage: touchmark"), "{command}");
        examples += usize::from(run.stdout.contains("Example"));
    }
    assert!(examples >= 10, "{examples}");
}

#[test]
fn completions_are_written_for_each_shell() {
    let stage = Stage::empty();
    for shell in ["bash", "zsh", "fish"] {
        assert!(stage.run(&["completions", shell]).ok().stdout.contains("touchmark"), "{shell}");
    }
}

#[test]
fn versions_are_told_in_text_and_json() {
    let stage = Stage::empty();
    assert_eq!(stage.run(&["version"]).ok().stdout, format!("touchmark {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(stage.run(&["version", "-o", "json"]).ok().json()["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn bad_usage_exits_with_two() {
    let stage = Stage::empty();
    for arguments in [
        ["verify", "--nonsense"].as_slice(),
        &["verify", "UPPER CASE"],
        &["sign", "oci:image:app"],
        &["verify", "oci:image:app"],
        &["attest", "--type", "nonsense", "--predicate", "p", "oci:image:app"],
        &["verify", "--key", "awskms://x", "oci:image:app"],
        &["sbom", "-o", "nonsense", "oci:image:app"],
        &["version", "--timeout", "soon"],
    ] {
        stage.run(arguments).undecided();
    }
}
