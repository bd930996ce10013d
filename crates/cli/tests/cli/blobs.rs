//! Files: signed, verified, and denied when changed.

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
