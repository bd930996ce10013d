//! Copying, saving, loading, downloading and removing evidence.

use std::collections::BTreeSet;

use touchmark_testkit::{FakeRegistry, Fault, Knobs, ReferrersApi};

use crate::stage::{Stage, assert_follows};

const IMAGE: &str = "oci:image:app";

/// An image with two signatures, one in each storage form, and an attestation.
fn signed() -> Stage {
    let stage = Stage::with_image();
    stage.run(&["sign", "--key", "release.key", "--format", "both", IMAGE]).ok();
    stage.write("p.json", "{}");
    let attest =
        ["attest", "--key", "release.key", "--type", "https://example.com/p", "--predicate", "p.json"];
    stage.run(&[attest.as_slice(), &[IMAGE]].concat()).ok();
    stage
}

fn verifies(stage: &Stage, image: &str) {
    stage.run(&["verify", "--key", "release.pub", image]).ok();
    stage.run(&["verify-attestation", "--key", "release.pub", "--type", "https://example.com/p", image]).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_copied_saved_and_loaded_verifies() {
    let registry = FakeRegistry::start().await;
    let stage = signed();
    let there = format!("{}/prod/app:1.4", registry.host());
    let run = stage.run(&["copy", "-o", "json", IMAGE, &there]).ok();
    assert_follows("copy.v1.json", &run.json());
    assert_eq!((run.json()["referrers"].as_u64(), run.json()["legacyTags"][0].is_string()), (Some(2), true));
    verifies(&stage, &there);
    stage.run(&["save", &there, "--dir", "saved"]).ok();
    verifies(&stage, "oci:saved");
    let again = format!("{}/prod/again:2", registry.host());
    stage.run(&["load", &again, "--dir", "saved"]).ok();
    verifies(&stage, &again);
}

#[test]
fn an_index_that_was_saved_is_the_layouts_image() {
    let stage = Stage::with_image();
    let reference = format!("oci:image@{}", stage.index_of_the_image());
    stage.run(&["sign", "--recursive", "--key", "release.key", &reference]).ok();
    stage.run(&["save", &reference, "--dir", "saved"]).ok();
    stage.run(&["verify", "--recursive", "--key", "release.pub", "oci:saved"]).ok();
}

#[test]
fn a_destination_with_another_digest_is_refused() {
    let stage = Stage::with_image();
    let other = format!("oci:there@sha256:{}", "0".repeat(64));
    let run = stage.run(&["copy", IMAGE, &other]).undecided();
    assert!(run.stderr.contains("the destination names sha256:0000"), "{}", run.stderr);
}

#[test]
fn downloads_are_lines_of_what_is_stored() {
    let stage = signed();
    let run = stage.run(&["download", "signature", IMAGE]).ok();
    assert!(run.stderr.contains("nothing of this was verified"), "{}", run.stderr);
    let lines: Vec<serde_json::Value> =
        run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert!(lines.iter().any(|line| line["dsseEnvelope"].is_object()));
    assert!(lines.iter().any(|line| line["Base64Signature"].is_string() && line["Payload"].is_string()));
    let of_type = ["download", "attestation", IMAGE, "--predicate-type"];
    let run = stage.run(&[of_type.as_slice(), &["https://example.com/p"]].concat()).ok();
    assert_eq!(run.stdout.lines().count(), 1);
    stage.run(&[of_type.as_slice(), &["cyclonedx"]].concat()).denied();
    stage.run(&["download", "sbom", IMAGE]).denied();
    stage.run(&["download", "attestation", IMAGE, "-o", "a.jsonl"]).ok();
    assert!(stage.read("a.jsonl").ends_with(b"}\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_fetches_nothing_twice() {
    let stage = signed();
    for referrers in [ReferrersApi::Served, ReferrersApi::Absent] {
        let registry = FakeRegistry::start_with(Knobs { referrers, ..Knobs::default() }).await;
        let there = format!("{}/prod/app:1.4", registry.host());
        stage.run(&["copy", IMAGE, &there]).ok();
        registry.forget_requests();
        assert_eq!(stage.run(&["download", "signature", &there]).ok().stdout.lines().count(), 2);
        let asked: Vec<String> =
            registry.requests().into_iter().map(|asked| format!("{} {}", asked.method, asked.path)).collect();
        let each_once: BTreeSet<&String> = asked.iter().collect();
        assert_eq!(each_once.len(), asked.len(), "{asked:#?}");
    }
}

#[test]
fn what_is_saved_and_loaded_can_be_chosen() {
    let stage = signed();
    let kinds = |image: &str| {
        let tree = stage.run(&["tree", "-o", "json", image]).ok().json();
        let attached = tree["attached"].as_array().unwrap().clone();
        let documents = attached.iter().flat_map(|attached| attached["documents"].as_array().unwrap());
        documents.map(|document| document["kind"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    stage.run(&["save", "--only", "signatures", IMAGE, "--dir", "signatures"]).ok();
    assert_eq!(kinds("oci:signatures"), ["signature", "signature"]);
    stage.run(&["save", "--only", "attestations,sboms", IMAGE, "--dir", "others"]).ok();
    assert_eq!(kinds("oci:others"), ["attestation"]);
    stage.run(&["save", IMAGE, "--dir", "all"]).ok();
    assert_eq!(kinds("oci:all").len(), 3);
    stage.run(&["load", "oci:loaded", "--only", "attestations", "--dir", "all"]).ok();
    assert_eq!(kinds("oci:loaded"), ["attestation"]);
    stage.run(&["load", "oci:bare", "--only", "sboms", "--dir", "all"]).ok();
    assert_eq!(kinds("oci:bare"), [""; 0]);
}

#[test]
fn a_document_that_cannot_be_read_does_not_hide_the_others() {
    let stage = signed();
    let run = stage.run(&["tree", "-o", "json", IMAGE]).ok().json();
    let attached = run["attached"].as_array().unwrap();
    let first =
        attached[0]["documents"][0]["blob"].as_str().unwrap().replace("sha256:", "image/blobs/sha256/");
    std::fs::remove_file(stage.path(&first)).unwrap();
    let kind = attached[0]["documents"][0]["kind"].as_str().unwrap();
    let run = stage.run(&["download", kind, IMAGE]);
    assert!(run.stderr.contains("warning: left out: sha256:"), "{run:?}");
    assert_eq!(run.stdout.lines().count(), if kind == "signature" { 1 } else { 0 });
}

#[test]
fn clean_asks_first_and_then_leaves_nothing() {
    let stage = signed();
    let run = stage.run(&["clean", IMAGE]).undecided();
    assert!(run.stderr.contains("hint: --force"), "{}", run.stderr);
    let run = stage.run(&["clean", "--type", "attestation", "--force", "-o", "json", IMAGE]).ok();
    assert_follows("clean.v1.json", &run.json());
    assert_eq!(run.json()["removed"].as_array().unwrap().len(), 1);
    stage.run(&["verify", "--key", "release.pub", IMAGE]).ok();
    stage.run(&["clean", "--force", IMAGE]).ok();
    assert!(stage.run(&["tree", IMAGE]).ok().stdout.contains("nothing is attached"));
    assert!(stage.run(&["clean", IMAGE]).ok().stdout.contains("nothing to remove"));
}

#[tokio::test(flavor = "multi_thread")]
async fn clean_names_what_a_registry_does_not_delete() {
    let registry = FakeRegistry::start().await;
    let stage = signed();
    let there = format!("{}/prod/app:1.4", registry.host());
    stage.run(&["copy", IMAGE, &there]).ok();
    registry.set(|knobs| knobs.faults.push(Fault::always("/manifests/", 405).on("DELETE")));
    let run = stage.run(&["clean", "--force", &there]).undecided();
    assert!(run.stderr.contains("3 of 3 remain: sha256:"), "{}", run.stderr);
    assert!(run.stderr.contains("does not delete manifests (status 405)"), "{}", run.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn immutable_tags_block_a_signature_only_where_it_needs_one() {
    let registry = FakeRegistry::start().await;
    let stage = Stage::with_image();
    let there = format!("{}/prod/app:1.4", registry.host());
    stage.run(&["copy", IMAGE, &there]).ok();
    registry.set(|knobs| {
        for tag in ["/manifests/sha256-", "/manifests/1.4"] {
            knobs.faults.push(Fault::always(tag, 409).on("PUT"));
        }
    });
    for key in ["release.key", "other.key"] {
        stage.run(&["sign", "--key", key, &there]).ok();
    }
    registry.set(|knobs| knobs.referrers = ReferrersApi::Absent);
    let run = stage.run(&["sign", "--key", "release.key", &there]).undecided();
    assert!(run.stderr.contains("hint: the tag may be immutable"), "{}", run.stderr);
    assert!(run.stderr.contains("sha256-"), "{}", run.stderr);
}

#[test]
fn recursive_attesting_reaches_every_manifest_of_an_index() {
    let stage = Stage::with_image();
    let index = format!("oci:image@{}", stage.index_of_the_image());
    stage.write("p.json", "{}");
    let attest = ["attest", "-r", "--key", "release.key", "--type", "https://example.com/p", "--predicate"];
    stage.run(&[attest.as_slice(), &["p.json", &index]].concat()).ok();
    for image in [index.as_str(), IMAGE] {
        let of_type = ["verify-attestation", "--key", "release.pub", "--type", "https://example.com/p"];
        stage.run(&[of_type.as_slice(), &[image]].concat()).ok();
    }
}
