//! Keys: made, imported, shown, and never overwritten.

use std::os::unix::fs::PermissionsExt as _;

use crate::stage::{Stage, assert_follows};

#[test]
fn a_key_pair_is_made_encrypted_and_for_the_owner_alone() {
    for kind in ["ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-3072"] {
        let stage = Stage::empty();
        stage.run(&["key", "generate", "--kind", kind, "--output-key-prefix", "k"]).ok();
        let text = String::from_utf8(stage.read("k.key")).unwrap();
        assert!(text.starts_with("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----"), "{text}");
        assert_eq!(std::fs::metadata(stage.path("k.key")).unwrap().permissions().mode() & 0o777, 0o600);
        let public = stage.run(&["key", "public", "--key", "k.key"]).ok().stdout;
        assert_eq!(public.as_bytes(), stage.read("k.pub"));
        let inspected = stage.run(&["key", "inspect", "-o", "json", "k.pub"]).ok().json();
        assert_follows("key.v1.json", &inspected);
        assert_eq!(inspected["holds"], "public key");
        assert_follows("key.v1.json", &stage.run(&["key", "inspect", "-o", "json", "k.key"]).ok().json());
    }
}

#[test]
fn a_reference_that_is_none_and_a_service_that_is_not_there_are_errors() {
    let stage = Stage::empty();
    let run = stage.run(&["key", "public", "--key", "awskms://x"]).undecided();
    assert!(run.stderr.contains("expected awskms://[ENDPOINT]/KEY-ID"), "{}", run.stderr);
    let run = stage.run(&["key", "inspect", "hashivault://release"]).undecided();
    assert!(run.stderr.contains("VAULT_ADDR is not set"), "{}", run.stderr);
}

#[test]
fn an_existing_key_is_never_overwritten() {
    let stage = Stage::empty();
    stage.run(&["key", "generate", "--output-key-prefix", "k"]).ok();
    let before = stage.read("k.key");
    let run = stage.run(&["key", "generate", "--output-key-prefix", "k"]).undecided();
    assert!(run.stderr.contains("exists already"), "{}", run.stderr);
    assert_eq!(stage.read("k.key"), before);
}

#[test]
fn a_plain_key_is_imported_and_signs_the_same() {
    let stage = Stage::with_image();
    let plain = crate::stage::repository().join("testdata/evidence/keys/release.key");
    stage.run(&["key", "import", "--key", plain.to_str().unwrap(), "--output-key-prefix", "imported"]).ok();
    stage.run(&["sign", "--key", "imported.key", "oci:image:app"]).ok();
    let public = crate::stage::repository().join("policies/keys/example-release.pub");
    stage.run(&["verify", "--key", public.to_str().unwrap(), "oci:image:app"]).ok();
}

#[test]
fn a_wrong_password_or_none_is_told_with_a_way_out() {
    let stage = Stage::with_image();
    let sign = ["sign", "--key", "release.key", "oci:image:app"];
    let run = stage.run_with(&sign, &[("COSIGN_PASSWORD", "wrong")]).undecided();
    assert!(run.stderr.contains("wrong password") && run.stderr.contains("hint:"), "{}", run.stderr);
    stage.run_with(&sign, &[("COSIGN_PASSWORD", "wrong"), ("TOUCHMARK_PASSWORD", "test")]).ok();
}

#[test]
fn a_key_may_come_from_the_environment() {
    let stage = Stage::with_image();
    let key = String::from_utf8(stage.read("release.key")).unwrap();
    let public = String::from_utf8(stage.read("release.pub")).unwrap();
    stage.run_with(&["sign", "--key", "env://KEY", "oci:image:app"], &[("KEY", &key)]).ok();
    stage.run_with(&["verify", "--key", "env://PUB", "oci:image:app"], &[("PUB", &public)]).ok();
}

/// A key management service that answers everything with one document, as HashiCorp Vault does about a transit key.
fn vault(public_key: &str) -> String {
    use std::io::{Read as _, Write as _};
    let data = serde_json::json!({
        "type": "ecdsa-p256", "latest_version": 1, "keys": {"1": {"public_key": public_key}},
    });
    let body = serde_json::json!({ "data": data }).to_string();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    url
}

#[test]
fn a_key_elsewhere_verifies_by_its_public_half() {
    let stage = Stage::with_image();
    stage.write("file", "content");
    stage.write("predicate.json", "{}");
    stage.run(&["sign", "--key", "release.key", "oci:image:app"]).ok();
    stage.run(&["sign-blob", "--key", "release.key", "--bundle", "b.json", "file"]).ok();
    let attest =
        ["attest", "--key", "release.key", "--type", "https://a.example/t", "--predicate", "predicate.json"];
    stage.run(&[&attest[..], &["oci:image:app"]].concat()).ok();
    let key = |name: &str| String::from_utf8(stage.read(name)).unwrap();
    let (ours, theirs) = (vault(&key("release.pub")), vault(&key("other.pub")));
    for command in [
        ["verify", "oci:image:app"].as_slice(),
        &["verify-attestation", "--type", "https://a.example/t", "oci:image:app"],
        &["verify-blob", "--bundle", "b.json", "file"],
    ] {
        let run = |url: &str| {
            let variables = [("VAULT_ADDR", url), ("VAULT_TOKEN", "t")];
            stage.run_with(&[command, &["--key", "hashivault://release"]].concat(), &variables)
        };
        run(&ours).ok();
        run(&theirs).denied();
        run("http://127.0.0.1:9").undecided();
    }
}

#[test]
fn what_a_key_signed_about_an_image_is_listed_with_what_dates_it() {
    let stage = Stage::with_image();
    stage.write("predicate.json", "{}");
    stage.run(&["sign", "--key", "release.key", "oci:image:app"]).ok();
    let attest =
        ["attest", "--key", "release.key", "--type", "https://a.example/t", "--predicate", "predicate.json"];
    stage.run(&[&attest[..], &["oci:image:app"]].concat()).ok();
    stage.run(&["sign", "--key", "other.key", "oci:image:app"]).ok();
    let inspected = stage.run(&["key", "inspect", "-o", "json", "release.pub", "oci:image:app"]).ok().json();
    assert_follows("key.v1.json", &inspected);
    let kinds: Vec<_> =
        inspected["signed"].as_array().unwrap().iter().map(|one| one["kind"].clone()).collect();
    assert_eq!(kinds.len(), 2);
    assert!(kinds.contains(&"signature".into()) && kinds.contains(&"attestation".into()));
    assert_eq!(inspected["signed"][0]["times"], serde_json::json!([]));
    let text = stage.run(&["key", "inspect", "release.pub", "oci:image:app"]).ok().stdout;
    assert!(text.contains("not proven") && text.contains("https://a.example/t"), "{text}");
    stage.run(&["key", "generate", "--output-key-prefix", "unused"]).ok();
    let nothing = stage.run(&["key", "inspect", "unused.pub", "oci:image:app"]).ok().stdout;
    assert!(nothing.contains("signed nothing"), "{nothing}");
    let encrypted = stage.run(&["key", "inspect", "release.key", "oci:image:app"]).undecided();
    assert!(encrypted.stderr.contains("touchmark key public"), "{}", encrypted.stderr);
}
