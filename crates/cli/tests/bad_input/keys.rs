//! Keys that are no keys, not the right half, under another password, or made to cost their reader dearly.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::images::{Layout, Shelf};
use crate::stage::{Stage, key_pair};

/// A stage with an image, and an encrypted key pair, `k.key` and `k.pub`.
fn stage_with_key() -> Stage {
    let stage = stage_with_image();
    stage.run("key generate --output-key-prefix k").done();
    stage
}

fn stage_with_image() -> Stage {
    let stage = Stage::new();
    Layout::new(&stage, "image").image(&[]);
    stage.write("p.json", "{}");
    stage.write("blob", "blob");
    stage
}

/// Every command that uses a private key.
fn signing(key: &str) -> [String; 5] {
    [
        format!("sign --key {key} oci:image:app"),
        format!("attest --key {key} --type https://example.com/p --predicate p.json oci:image:app"),
        format!("sign-blob --key {key} --bundle out.json blob"),
        format!("key public --key {key}"),
        format!("key import --key {key} --output-key-prefix imported"),
    ]
}

/// Every command that uses a public key.
fn verifying(key: &str) -> [String; 3] {
    [
        format!("verify --key {key} oci:image:app"),
        format!("verify-attestation --key {key} --type spdx oci:image:app"),
        format!("verify-blob --key {key} --signature blob blob"),
    ]
}

#[test]
fn a_wrong_password_is_an_error_with_a_hint_and_nothing_is_written() {
    let stage = stage_with_key();
    let before = stage.files();
    for command in signing("k.key") {
        let words: Vec<&str> = command.split(' ').collect();
        let run = stage.run_with(&words, &[("COSIGN_PASSWORD", "hunter-two")], b"");
        let run = run.failed_with_hint(&["k.key", "wrong password", "COSIGN_PASSWORD"]);
        assert!(!run.stderr.contains("hunter-two"), "{}", run.stderr);
        assert!(run.stdout.is_empty());
    }
    assert_eq!(stage.files(), before);
}

#[test]
fn a_public_key_where_a_private_one_is_wanted_is_an_error_that_says_which() {
    let stage = stage_with_image();
    let before = stage.files();
    let public = key_pair().1;
    for command in signing(&public) {
        stage.run(&command).failed(&[&public, "\"PUBLIC KEY\"", "PRIVATE KEY"]);
    }
    assert_eq!(stage.files(), before);
}

#[test]
fn a_private_key_where_a_public_one_is_wanted_is_an_error_that_says_how_to_get_it() {
    let stage = stage_with_key();
    for key in [key_pair().0.as_str(), "k.key"] {
        for command in verifying(key) {
            stage.run(&command).failed(&[key, "PRIVATE KEY", "public half"]);
        }
    }
}

#[test]
fn a_file_that_is_no_key_is_an_error_that_names_it() {
    let stage = stage_with_image();
    let certificate = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    stage.write("empty", "");
    stage.write("text", "not a key");
    stage.write("binary", [0xff, 0xfe, 0x00]);
    stage.write("certificate", certificate);
    stage.write("cut", "-----BEGIN PUBLIC KEY-----\nMFkw");
    stage.write("garbage", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    stage.write("huge", "x".repeat((1 << 20) + 1));
    for name in [
        "empty",
        "text",
        "binary",
        "certificate",
        "cut",
        "garbage",
        "huge",
        "absent",
        "image",
        "/dev/zero",
        "env://NOBODY",
    ] {
        for command in signing(name).iter().chain(&verifying(name)) {
            stage.run(command).failed(&[name]);
        }
    }
}

#[test]
fn a_key_file_that_asks_for_endless_work_is_refused() {
    let stage = stage_with_key();
    let text = String::from_utf8(stage.read("k.key")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let inner = lines[1..lines.len() - 1].concat();
    let honest: Value = serde_json::from_slice(&STANDARD.decode(inner).unwrap()).unwrap();
    for (member, value) in [
        ("N", json!(1_u64 << 40)),
        ("N", json!(1 << 30)),
        ("N", json!(1)),
        ("N", json!(-1)),
        ("r", json!(1 << 30)),
        ("p", json!(1_000_000)),
    ] {
        let mut key = honest.clone();
        key["kdf"]["params"][member] = value;
        let inner = STANDARD.encode(key.to_string());
        stage.write("costly", format!("{}\n{inner}\n{}\n", lines[0], lines[lines.len() - 1]));
        stage.run("sign --key costly oci:image:app").failed(&["costly"]);
    }
}

#[test]
fn existing_key_files_are_never_overwritten() {
    let stage = Stage::new();
    for (name, other) in [("k.key", "k.pub"), ("k.pub", "k.key")] {
        stage.write(name, "mine");
        for command in [
            "key generate --output-key-prefix k".to_owned(),
            format!("key import --key {} --output-key-prefix k", key_pair().0),
        ] {
            stage.run(&command).failed_with_hint(&[name, "exists already"]);
        }
        assert_eq!(stage.read(name), b"mine");
        assert!(!stage.path(other).exists());
        std::fs::remove_file(stage.path(name)).unwrap();
    }
}
