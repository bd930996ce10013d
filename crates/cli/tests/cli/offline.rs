//! `--offline`: no packet leaves, whatever is asked; and who is asked otherwise.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use touchmark_testkit::{Clock, FakeRegistry, Identity, Options, Sigstore};

use crate::stage::Stage;

const SUBJECT: &str = "https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1";
const IMAGE: &str = "oci:image:app";

/// A listener that counts who comes, and the address of it.
fn counter() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        for _ in listener.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    (address, count)
}

/// An image that is signed and attested keyless and by key, a blob, and the trust root kept from a repository that is gone then.
fn scene() -> (Stage, String) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sigstore = runtime.block_on(Sigstore::start(Options::at(Clock::system())));
    let stage = Stage::with_image();
    stage.write("root.json", &sigstore.tuf_root());
    stage.write("token", &sigstore.token(&Identity::uri(SUBJECT)));
    stage.write("file", "content");
    stage.write("predicate.json", r#"{"a":1}"#);
    stage.run(&["trust", "init", "--mirror", &sigstore.tuf_url(), "--root", "root.json"]).ok();
    let about = ["--type", "https://example.com/t", "--predicate", "predicate.json"];
    for signer in [["--identity-token", "token"], ["--key", "release.key"]] {
        stage.run(&[&["sign", IMAGE], &signer[..]].concat()).ok();
        stage.run(&[&["attest", IMAGE], &about[..], &signer[..]].concat()).ok();
    }
    stage.run(&["sign-blob", "--identity-token", "token", "--bundle", "b.json", "file"]).ok();
    stage
        .run(
            &[&["attest-blob", "--identity-token", "token", "--bundle", "a.json", "file"], &about[..]]
                .concat(),
        )
        .ok();
    (stage, sigstore.url())
}

/// What reads and verifies, by key and keyless.
fn commands(issuer: &str) -> Vec<Vec<&str>> {
    let identity = ["--certificate-identity", SUBJECT, "--certificate-oidc-issuer", issuer];
    let typed = ["--type", "https://example.com/t"];
    vec![
        [&["verify", IMAGE], &identity[..]].concat(),
        vec!["verify", "--key", "release.pub", IMAGE],
        [&["verify-attestation", IMAGE], &typed[..], &identity[..]].concat(),
        [&["verify-blob", "--bundle", "b.json", "file"], &identity[..]].concat(),
        [&["verify-blob-attestation", "--bundle", "a.json", "file"], &typed[..], &identity[..]].concat(),
        vec!["sbom", IMAGE],
        vec!["tree", IMAGE],
        vec!["download", "signature", IMAGE],
        vec!["trust", "show"],
        vec!["save", IMAGE, "--dir", "saved"],
    ]
}

#[test]
fn everything_that_is_here_is_verified_with_no_network_at_all() {
    let (stage, issuer) = scene();
    for command in commands(&issuer) {
        stage.run(&[&["--offline"], &command[..]].concat()).ok();
    }
    // A network without interfaces, not even loopback: an address that is tried at all is an error.
    let unshare = || {
        let mut command = std::process::Command::new("unshare");
        command.args(["--map-root-user", "--net"]);
        command
    };
    if !unshare().arg("true").status().is_ok_and(|status| status.success()) {
        return;
    }
    std::fs::remove_dir_all(stage.path("saved")).unwrap();
    for command in commands(&issuer) {
        let output = unshare()
            .arg(env!("CARGO_BIN_EXE_touchmark"))
            .arg("--offline")
            .args(&command)
            .current_dir(stage.path("."))
            .env("HOME", stage.path("."))
            .output()
            .unwrap();
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn nobody_is_asked_offline_whatever_is_wanted() {
    let (stage, issuer) = scene();
    let (address, count) = counter();
    let proxy = format!("http://{address}");
    let variables = [
        ("HTTP_PROXY", proxy.as_str()),
        ("HTTPS_PROXY", proxy.as_str()),
        ("ALL_PROXY", proxy.as_str()),
        ("http_proxy", proxy.as_str()),
        ("https_proxy", proxy.as_str()),
    ];
    let registry = format!("{address}/app:v1");
    let mut refused = vec![
        vec!["verify", "--key", "release.pub", &registry],
        vec!["tree", &registry],
        vec!["sbom", &registry],
        vec!["download", "signature", &registry],
        vec!["save", &registry, "--dir", "elsewhere"],
        vec!["copy", IMAGE, &registry],
        vec!["sign", "--key", "release.key", &registry],
        vec!["verify", "--key", "release.pub", "ghcr.io/acme/app:v1"],
        vec!["trust", "update"],
        vec!["trust", "init"],
        vec!["key", "public", "--key", "hashivault://release"],
    ];
    refused.push(
        [&["sign", IMAGE, "--identity-token", "token", "--fulcio-url"], &[proxy.as_str()][..]].concat(),
    );
    refused.last_mut().unwrap().extend(["--rekor-url", proxy.as_str()]);
    let vault = [("VAULT_ADDR", proxy.as_str()), ("VAULT_TOKEN", "t"), ("TOUCHMARK_OFFLINE", "true")];
    for command in &refused {
        let run = stage.run_with(command, &[&variables[..], &vault].concat()).undecided();
        assert!(run.stderr.contains("offline"), "{command:?}: {}", run.stderr);
        assert!(run.stderr.contains("hint:"), "{command:?}: {}", run.stderr);
    }
    let hint = stage.run_with(&["--offline", "verify", "--key", "release.pub", &registry], &[]).undecided();
    assert!(hint.stderr.contains("oci:DIRECTORY"), "{}", hint.stderr);
    for command in commands(&issuer) {
        stage.run_with(&[&["--offline"], &command[..]].concat(), &variables).ok();
    }
    assert_eq!(count.load(Ordering::SeqCst), 0);
    // The same commands without --offline would have come.
    stage
        .run_with(&["verify", "--timeout", "1s", "--key", "release.pub", "ghcr.io/acme/app:v1"], &variables)
        .undecided();
    assert!(count.load(Ordering::SeqCst) > 0);
}

#[test]
fn what_a_key_signed_is_verified_by_asking_the_registry_and_nobody_else() {
    let (stage, issuer) = scene();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let registry = runtime.block_on(FakeRegistry::start());
    let image = format!("{}/app:v1", registry.host());
    stage.run(&["copy", IMAGE, &image]).ok();
    let (address, count) = counter();
    let proxy = format!("http://{address}");
    let variables =
        [("HTTP_PROXY", proxy.as_str()), ("HTTPS_PROXY", proxy.as_str()), ("ALL_PROXY", proxy.as_str())];
    let before = registry.requests().len();
    // The trust root that is kept is old: whoever needs it asks its mirror, which is gone, and says so.
    stage.age_kept();
    let keyed = stage.run_with(&["verify", "--key", "release.pub", &image], &variables).ok();
    assert!(!keyed.stderr.contains("trust root"), "{}", keyed.stderr);
    let keyless = ["verify", "--certificate-identity", SUBJECT, "--certificate-oidc-issuer", &issuer, &image];
    let keyless = stage.run_with(&keyless, &variables).ok();
    assert!(keyless.stderr.contains("trust root was not refreshed"), "{}", keyless.stderr);
    assert!(registry.requests().len() > before);
    assert_eq!(count.load(Ordering::SeqCst), 0);
}
