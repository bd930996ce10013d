//! Files: signed, verified, and denied when changed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::stage::{Stage, assert_follows};

#[test]
fn a_signed_file_verifies_until_it_changes() {
    for kind in ["ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-3072"] {
        let stage = Stage::empty();
        stage.run(&["key", "generate", "--kind", kind, "--output-key-prefix", "k"]).ok();
        stage.write("file", "content");
        stage.run(&["sign-blob", "--key", "k.key", "--bundle", "b.json", "file"]).ok();
        let verify = ["verify-blob", "--key", "k.pub", "--bundle", "b.json", "file"];
        assert!(stage.run(&verify).ok().stdout.contains("no transparency log entry was shown"));
        stage.write("file", "changed");
        stage.run(&verify).denied();
    }
}

#[test]
fn a_bare_signature_is_cosigns_base64() {
    let stage = Stage::empty();
    stage.run(&["key", "generate", "--output-key-prefix", "k"]).ok();
    stage.write("file", "content");
    stage.run(&["sign-blob", "--key", "k.key", "--output-signature", "s", "file"]).ok();
    let run = stage.run(&["verify-blob", "--key", "k.pub", "--signature", "s", "-o", "json", "file"]).ok();
    assert_follows("blob.v1.json", &run.json());
    assert_eq!(run.json()["result"]["verdict"], "allow");
    stage.run(&["key", "generate", "--output-key-prefix", "other"]).ok();
    stage.run(&["verify-blob", "--key", "other.pub", "--signature", "s", "file"]).denied();
}

const TYPE: &str = "https://example.com/t";

#[test]
fn an_attested_file_verifies_by_its_type_and_nothing_else_does() {
    let stage = Stage::empty();
    stage.run(&["key", "generate", "--output-key-prefix", "k"]).ok();
    stage.run(&["key", "generate", "--output-key-prefix", "other"]).ok();
    stage.write("file", "content");
    stage.write("changed", "changed");
    stage.write("predicate.json", r#"{"a": 1}"#);
    let attest =
        ["attest-blob", "--type", TYPE, "--predicate", "predicate.json", "--bundle", "b.json", "file"];
    stage.run(&[&attest[..], &["--key", "k.key"]].concat()).ok();
    let verify = |key: &str, wanted: &str, file: &str| {
        stage.run(&["verify-blob-attestation", "--key", key, "--bundle", "b.json", "--type", wanted, file])
    };
    let line = verify("k.pub", TYPE, "file").ok().json();
    assert_eq!(line["schema"], "touchmark.dev/attestation/v1");
    assert_eq!(line["statement"]["subject"][0]["name"], "file");
    assert_eq!(line["statement"]["predicate"]["a"], 1);
    verify("k.pub", TYPE, "changed").denied();
    verify("k.pub", "spdx", "file").denied();
    verify("other.pub", TYPE, "file").denied();
    let key = String::from_utf8(stage.read("k.key")).unwrap();
    stage.run_with(&[&attest[..], &["--key", "env://SIGNING_KEY"]].concat(), &[("SIGNING_KEY", &key)]).ok();
    verify("k.pub", TYPE, "file").ok();
}

#[test]
fn a_statement_about_the_file_is_signed_byte_for_byte() {
    let stage = Stage::empty();
    stage.run(&["key", "generate", "--output-key-prefix", "k"]).ok();
    stage.write("file", "content");
    let digest = touchmark_oci::Digest::of(b"content");
    let statement = format!(
        "{{ \"_type\": \"https://in-toto.io/Statement/v1\",\n  \"subject\": [{{\"digest\": {{\"sha256\": \"{}\"}}}}],\n  \
         \"predicateType\": \"{TYPE}\", \"predicate\": {{\"b\": 1.50}}, \"more\": true }}\n",
        digest.hex()
    );
    stage.write("statement.json", &statement);
    let attest = |file: &str| {
        let statement = ["--statement", "statement.json", "--bundle", "b.json", file];
        stage.run(&[&["attest-blob", "--key", "k.key"], &statement[..]].concat())
    };
    attest("file").ok();
    let bundle: serde_json::Value = serde_json::from_slice(&stage.read("b.json")).unwrap();
    let payload = STANDARD.decode(bundle["dsseEnvelope"]["payload"].as_str().unwrap()).unwrap();
    assert_eq!(String::from_utf8(payload).unwrap(), statement);
    let verify = ["verify-blob-attestation", "--key", "k.pub", "--bundle", "b.json", "--type", TYPE, "file"];
    stage.run(&verify).ok();
    stage.write("other", "other");
    let refused = attest("other").undecided();
    assert!(refused.stderr.contains("hint: one of its subjects"), "{}", refused.stderr);
}
