//! Files that cannot be read or written, and standard input.

use crate::images::{Layout, Shelf};
use crate::stage::{Stage, key_pair};

fn stage() -> Stage {
    let stage = Stage::new();
    Layout::new(&stage, "image").image(&[]);
    stage.write("blob", "blob");
    stage
}

#[test]
fn what_cannot_be_written_is_an_error_and_nothing_is_left() {
    let stage = stage();
    let before = stage.files();
    let key = key_pair().0;
    for target in ["none/out", "image", "blob/out", "/dev/full"] {
        for command in [
            format!("sbom -o json={target} oci:image:app"),
            format!("sign-blob --key {key} --bundle {target} blob"),
            format!("sign-blob --key {key} --output-signature {target} blob"),
            format!("key public --key {key} --output {target}"),
            format!("provenance --output {target} oci:image:app"),
        ] {
            stage.run(&command).failed(&[target]);
        }
    }
    let generate = "key generate --output-key-prefix none/k";
    stage.run(generate).failed(&["none/k"]);
    assert_eq!(stage.files(), before);
}

#[test]
fn a_file_that_stands_where_the_output_goes_survives_a_failure() {
    let stage = stage();
    stage.write("out", "mine");
    std::fs::remove_file(stage.path("image/index.json")).unwrap();
    stage.run("sbom -o json=out oci:image:app").failed(&["oci:image"]);
    stage.run(&format!("sign-blob --key {} --bundle out none", key_pair().0)).failed(&["none"]);
    assert_eq!(stage.read("out"), b"mine");
}

#[test]
fn standard_input_and_output_stand_for_files() {
    let stage = stage();
    let (private, public) = key_pair();
    let sign = ["sign-blob", "--key", &private, "--bundle", "-", "-"];
    let bundle = stage.run_with(&sign, &[], b"from a pipe").done();
    bundle.json();
    stage.write("bundle", &bundle.stdout);
    let verify = ["verify-blob", "--key", &public, "--bundle", "bundle", "-"];
    stage.run_with(&verify, &[], b"from a pipe").done();
    stage.run_with(&verify, &[], b"from another pipe").denied("denied");
    let key = std::fs::read(&private).unwrap();
    let sign = ["sign-blob", "--key", "-", "--bundle", "out", "blob"];
    stage.run_with(&sign, &[], &key).done();
    let both = ["sign-blob", "--key", "-", "--bundle", "out", "-"];
    stage.run_with(&both, &[], &key).failed_with_hint(&["standard input"]);
    let both = ["verify-blob", "--key", "-", "--bundle", "bundle", "-"];
    stage.run_with(&both, &[], &key).failed_with_hint(&["standard input"]);
}

#[test]
fn predicates_and_statements_that_are_none_are_not_signed() {
    let stage = stage();
    let attest = format!("attest --key {} ", key_pair().0);
    let before = stage.files().len();
    for text in [
        "",
        "{",
        "nul",
        r#"{"a":1}{"b":2}"#,
        r#"{"a":1,"a":2}"#,
        r#""\ud800""#,
        &format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000)),
    ] {
        stage.write("p", text);
        for flags in ["--type https://example.com/p --predicate p", "--statement p"] {
            stage.run(&format!("{attest}{flags} oci:image:app")).failed(&[]);
        }
    }
    stage.run(&format!("{attest}--type nonsense --predicate p oci:image:app")).usage(&["nonsense"]);
    assert_eq!(stage.files().len(), before + 1);
}

#[test]
fn signatures_of_files_that_are_none_are_errors() {
    let stage = stage();
    let public = key_pair().1;
    for text in ["{", "{}", "not base64!", r#"{"base64Signature":1}"#, "\u{feff}{}"] {
        stage.write("s", text);
        for flag in ["--bundle", "--signature"] {
            stage.run(&format!("verify-blob --key {public} {flag} s blob")).failed(&["s"]);
        }
    }
}

#[test]
fn references_that_are_none_are_usage_errors() {
    let stage = stage();
    for image in ["", ":", "oci:", "UPPER/case", "a@sha256:12", "http://example.com/a", "a:b:c:d", "-x"] {
        stage.run_with(&["tree", image], &[], b"").usage(&[]);
    }
    stage.run(&format!("verify --key {} oci:none:app", key_pair().1)).failed(&["oci:none"]);
    stage.run("tree oci-archive:none").failed(&["none"]);
    stage.run("tree docker-archive:blob").failed(&["blob"]);
    stage.run("tree oci-archive:blob").failed(&["blob"]);
    stage.run("tree oci-archive:/dev/zero").failed(&["/dev/zero"]);
}
