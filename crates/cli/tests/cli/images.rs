//! Signing, attesting, verifying and looking at images in a layout.

use crate::stage::{Stage, assert_follows, repository};

const IMAGE: &str = "oci:image:app";

#[test]
fn what_is_signed_verifies_with_that_key_and_no_other() {
    for format in ["bundle", "legacy", "both"] {
        let stage = Stage::with_image();
        stage.run(&["verify", "--key", "release.pub", IMAGE]).denied();
        stage.run(&["sign", "--key", "release.key", "--format", format, IMAGE]).ok();
        let run = stage.run(&["verify", "--key", "release.pub", IMAGE]).ok();
        assert!(run.stdout.contains("no transparency log entry was shown"), "{}", run.stdout);
        let run = stage.run(&["verify", "--key", "other.pub", IMAGE]).denied();
        assert!(run.stdout.contains("signature-wrong-key"), "{}", run.stdout);
    }
}

#[test]
fn annotations_are_signed_and_can_be_asked_for() {
    let stage = Stage::with_image();
    stage.run(&["sign", "--key", "release.key", "-a", "env=prod", IMAGE]).ok();
    stage.run(&["verify", "--key", "release.pub", "-a", "env=prod", IMAGE]).ok();
    let run = stage.run(&["verify", "--key", "release.pub", "-a", "env=dev", IMAGE]).denied();
    assert!(run.stdout.contains("signature-annotation-mismatch"), "{}", run.stdout);
}

#[test]
fn the_worst_of_several_images_is_the_exit_code_and_json_tells_each() {
    let stage = Stage::with_image();
    stage.run(&["sign", "--key", "release.key", IMAGE]).ok();
    let evidence = repository().join("testdata/evidence").display().to_string();
    let (unsigned, absent) = (format!("oci:{evidence}:unsigned"), format!("oci:{evidence}:absent"));
    let both = stage.run(&["verify", "--key", "release.pub", "-o", "json", IMAGE, &unsigned]).denied();
    assert_follows("verify.v1.json", &both.json());
    let run = stage.run(&["verify", "--key", "release.pub", "-o", "json", IMAGE, &unsigned, &absent]);
    assert_eq!(run.code, Some(2));
    let report = run.json();
    assert_follows("verify.v1.json", &report);
    assert_eq!(report["results"][0]["decision"]["verdict"], "allow");
    assert_eq!(report["results"][1]["decision"]["verdict"], "deny");
    assert!(report["results"][2]["error"]["message"].is_string());
}

#[test]
fn attestations_are_found_by_type_and_printed() {
    for format in ["bundle", "legacy"] {
        let stage = Stage::with_image();
        stage.write("p.json", r#"{"a": 1.50}"#);
        let attest =
            ["attest", "--key", "release.key", "--format", format, "--type", "https://example.com/p"];
        stage.run(&[attest.as_slice(), &["--predicate", "p.json", IMAGE]].concat()).ok();
        let verify = ["verify-attestation", "--key", "release.pub", "--type"];
        let run = stage.run(&[verify.as_slice(), &["https://example.com/p", IMAGE]].concat()).ok();
        assert_follows("attestation.v1.json", &run.json());
        assert_eq!(run.json()["statement"]["predicate"]["a"], 1.5);
        let run = stage.run(&[verify.as_slice(), &["cyclonedx", IMAGE]].concat()).denied();
        assert!(run.stdout.is_empty());
        stage.run(&["verify", "--key", "release.pub", IMAGE]).denied();
    }
}

#[test]
fn provenance_names_the_image_and_can_be_attested() {
    let stage = Stage::with_image();
    let run = stage.run(&["provenance", IMAGE]).ok();
    assert!(run.stderr.contains("somebody's machine"), "{}", run.stderr);
    let statement = run.json();
    assert_eq!(statement["predicateType"], "https://slsa.dev/provenance/v1");
    assert_eq!(
        statement["predicate"]["runDetails"]["builder"]["id"],
        "https://touchmark.dev/builders/local/v1"
    );
    stage.write("statement.json", &run.stdout);
    stage.run(&["attest", "--key", "release.key", "--statement", "statement.json", IMAGE]).ok();
    stage.run(&["verify-attestation", "--key", "release.pub", "--type", "slsaprovenance1", IMAGE]).ok();
}

#[test]
fn a_statements_predicate_is_signed_as_it_is_written() {
    let stage = Stage::with_image();
    let statement = stage.run(&["provenance", IMAGE]).ok().stdout;
    let (head, tail) = statement.split_once("\"predicate\": {").unwrap();
    stage.write("s.json", &format!("{head}\"predicate\": {{\"x\": 1.50,{tail}"));
    stage.run(&["attest", "--key", "release.key", "--statement", "s.json", IMAGE]).ok();
    let blobs = std::fs::read_dir(stage.path("image/blobs/sha256")).unwrap();
    let bundles = blobs.filter_map(|blob| {
        let bundle: serde_json::Value =
            serde_json::from_slice(&std::fs::read(blob.unwrap().path()).ok()?).ok()?;
        let payload = bundle["dsseEnvelope"]["payload"].as_str()?.to_owned();
        Some(
            String::from_utf8(
                base64::Engine::decode(&base64::engine::general_purpose::STANDARD, payload).ok()?,
            )
            .unwrap(),
        )
    });
    assert!(bundles.into_iter().any(|payload| payload.contains("\"x\": 1.50")));
}

#[test]
fn a_statement_about_another_image_is_not_signed() {
    let stage = Stage::with_image();
    let statement = stage.run(&["provenance", IMAGE]).ok().stdout;
    let digest = statement.find("\"sha256\": \"").unwrap() + "\"sha256\": \"".len();
    let mut other = statement;
    other.replace_range(digest..digest + 4, "0000");
    stage.write("other.json", &other);
    let run = stage.run(&["attest", "--key", "release.key", "--statement", "other.json", IMAGE]).undecided();
    assert!(run.stderr.contains("is not about"), "{}", run.stderr);
}

#[test]
fn provenance_without_the_platforms_variables_names_them() {
    let stage = Stage::with_image();
    let run = stage.run(&["provenance", "--builder", "github", IMAGE]).undecided();
    assert!(run.stderr.contains("GITHUB_SHA"), "{}", run.stderr);
    assert!(run.stderr.contains("hint:"), "{}", run.stderr);
}

#[test]
fn tree_shows_both_storage_forms() {
    let stage = Stage::with_image();
    assert!(stage.run(&["tree", IMAGE]).ok().stdout.contains("nothing is attached"));
    stage.run(&["sign", "--key", "release.key", "--format", "both", IMAGE]).ok();
    let run = stage.run(&["tree", "-o", "json", IMAGE]).ok();
    assert_follows("tree.v1.json", &run.json());
    let attached = run.json()["attached"].as_array().unwrap().clone();
    assert_eq!(attached.len(), 2, "{}", run.stdout);
    assert!(attached.iter().all(|manifest| manifest["documents"][0]["kind"] == "signature"));
    assert!(stage.run(&["tree", IMAGE]).ok().stdout.contains(".sig"));
}

#[test]
fn recursive_signing_reaches_every_manifest_of_an_index() {
    let stage = Stage::with_image();
    let index = stage.index_of_the_image();
    let reference = format!("oci:image@{index}");
    stage.run(&["sign", "--key", "release.key", &reference]).ok();
    stage.run(&["verify", "--key", "release.pub", &reference]).ok();
    stage.run(&["verify", "--recursive", "--key", "release.pub", &reference]).denied();
    stage.run(&["sign", "--recursive", "--key", "release.key", &reference]).ok();
    let run = stage.run(&["verify", "--recursive", "--key", "release.pub", "-o", "json", &reference]).ok();
    assert_eq!(run.json()["results"].as_array().unwrap().len(), 2);
}
