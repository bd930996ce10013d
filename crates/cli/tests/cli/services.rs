//! `signing-config create` and `trusted-root create`: what they write signs and verifies keyless, and mistakes are told.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use touchmark_testkit::{Clock, Identity, Options, Sigstore};

use crate::stage::Stage;

const SUBJECT: &str = "https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1";
const START: &str = "start-time=2020-01-01T00:00:00Z";

/// A Sigstore, and a stage with a token of it and a file to sign. The runtime that serves it comes along.
fn scene() -> (tokio::runtime::Runtime, Sigstore, Stage) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sigstore = runtime.block_on(Sigstore::start(Options::at(Clock::system())));
    let stage = Stage::empty();
    stage.write("token", &sigstore.token(&Identity::uri(SUBJECT)));
    stage.write("file", "content");
    (runtime, sigstore, stage)
}

fn create_config(stage: &Stage, sigstore: &Sigstore, rekor_version: u32) {
    let service =
        |url: &str, version: u32| format!("url={url},api-version={version},{START},operator=testkit");
    let (ours, timestamps) = (sigstore.url(), sigstore.timestamp_url());
    stage
        .run(&[
            "signing-config",
            "create",
            "--fulcio",
            &service(&ours, 1),
            "--oidc-provider",
            &service(&ours, 1),
            "--rekor",
            &service(&ours, rekor_version),
            "--rekor-config",
            "EXACT:1",
            "--tsa",
            &service(&timestamps, 1),
            "--tsa-config",
            "ANY",
            "--out",
            "config.json",
        ])
        .ok();
}

fn pem(label: &str, raw: &Value) -> String {
    let bytes = STANDARD.decode(raw["rawBytes"].as_str().unwrap()).unwrap();
    let text = STANDARD.encode(bytes);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// Takes a trust root to pieces, and puts it together with the command.
fn recreate_root(stage: &Stage, root: &Value, sigstore: &Sigstore) {
    let chain = |of: &Value| -> String {
        of["certChain"]["certificates"]
            .as_array()
            .unwrap()
            .iter()
            .map(|raw| pem("CERTIFICATE", raw))
            .collect()
    };
    stage.write("fulcio.pem", &chain(&root["certificateAuthorities"][0]));
    stage.write("tsa.pem", &chain(&root["timestampAuthorities"][0]));
    for (name, key) in
        [("rekor1", &root["tlogs"][0]), ("rekor2", &root["tlogs"][1]), ("ct", &root["ctlogs"][0])]
    {
        stage.write(&format!("{name}.pub"), &pem("PUBLIC KEY", &key["publicKey"]));
    }
    let url = sigstore.url();
    // The origin is the host without its port, as it is in the names of Sigstore's own logs.
    let host = url.trim_start_matches("http://").split(':').next().unwrap();
    stage
        .run(&[
            "trusted-root",
            "create",
            "--fulcio",
            &format!("url={url},certificate-chain=fulcio.pem,{START}"),
            "--rekor",
            &format!("url={url},public-key=rekor1.pub,{START}"),
            "--rekor",
            &format!("url={url},public-key=rekor2.pub,{START},origin={host}"),
            "--ctfe",
            &format!("url={url},public-key=ct.pub,{START}"),
            "--tsa",
            &format!("url={},certificate-chain=tsa.pem", sigstore.timestamp_url()),
            "--out",
            "root.json",
        ])
        .ok();
}

#[test]
fn a_created_configuration_signs_and_a_created_root_verifies() {
    for rekor_version in [1, 2] {
        let (_runtime, sigstore, stage) = scene();
        create_config(&stage, &sigstore, rekor_version);
        let root: Value = serde_json::from_str(&sigstore.trusted_root()).unwrap();
        recreate_root(&stage, &root, &sigstore);
        let created: Value = serde_json::from_slice(&stage.read("root.json")).unwrap();
        assert_eq!(created["mediaType"], root["mediaType"]);
        for (kind, index) in [("tlogs", 0), ("tlogs", 1), ("ctlogs", 0)] {
            let (created, original) = (&created[kind][index], &root[kind][index]);
            assert_eq!(created["logId"], original["logId"], "{kind} {index}");
            assert_eq!(created["publicKey"]["keyDetails"], original["publicKey"]["keyDetails"]);
        }
        let sign = ["sign-blob", "--identity-token", "token", "--bundle", "b.json", "file"];
        let with = ["--signing-config", "config.json", "--trusted-root", "root.json"];
        stage.run(&[&sign[..], &with].concat()).ok();
        let verify = ["verify-blob", "--bundle", "b.json", "--trusted-root", "root.json", "file"];
        let issuer = sigstore.url();
        let by = ["--certificate-identity", SUBJECT, "--certificate-oidc-issuer", &issuer];
        stage.run(&[&verify[..], &by].concat()).ok();
        stage.write("file", "changed");
        stage.run(&[&verify[..], &by].concat()).denied();
    }
}

#[test]
fn a_service_that_is_not_described_well_is_refused_with_what_is_expected() {
    let stage = Stage::empty();
    let good = format!("url=https://a.example,api-version=1,{START},operator=a");
    let wrongs = [
        ("url=https://a.example", "api-version is missing"),
        ("url=https://a.example,api-version=0,start-time=2020-01-01T00:00:00Z,operator=a", "a number from 1"),
        ("url=https://a.example,api-version=1,start-time=now,operator=a", "expected a time"),
        ("url=a,api-version=1,start-time=2020-01-01T00:00:00Z,operator=a", "expected such as https://"),
        ("nonsense", "expected key=value"),
        ("url=https://a.example,colour=red", "is not known"),
    ];
    for (wrong, told) in wrongs {
        let run = stage.run(&["signing-config", "create", "--fulcio", wrong]).undecided();
        assert!(run.stderr.contains(told) && run.stderr.contains("hint: --fulcio url="), "{}", run.stderr);
    }
    let logs = ["signing-config", "create", "--fulcio", &good, "--rekor", &good];
    stage.run(&logs).undecided();
    let run = stage.run(&[&logs[..], &["--rekor-config", "EXACT:0"]].concat()).undecided();
    assert!(run.stderr.contains("hint: --rekor-config ANY, ALL or EXACT:N"), "{}", run.stderr);
    let run = stage.run(&[&logs[..], &["--rekor-config", "ALL"]].concat()).ok();
    assert_eq!(run.json()["rekorTlogConfig"]["selector"], "ALL");
}

#[test]
fn a_root_of_what_is_no_key_or_chain_is_refused() {
    let (_runtime, sigstore, stage) = scene();
    let root: Value = serde_json::from_str(&sigstore.trusted_root()).unwrap();
    let chain = root["certificateAuthorities"][0]["certChain"]["certificates"].as_array().unwrap();
    let backwards: String = chain.iter().rev().map(|raw| pem("CERTIFICATE", raw)).collect();
    stage.write("backwards.pem", &backwards);
    let create =
        |flag: &str, spec: &str| stage.run(&["trusted-root", "create", flag, spec]).undecided().stderr;
    let told = create("--fulcio", "url=https://a.example,certificate-chain=backwards.pem");
    assert!(told.contains("expected each to be issued by the next"), "{told}");
    let told = create("--fulcio", "url=https://a.example,certificate-chain=file");
    assert!(told.contains("there is no certificate"), "{told}");
    let told = create("--rekor", "url=https://a.example,public-key=backwards.pem");
    assert!(told.contains("start-time is missing") && told.contains("hint: --rekor url="), "{told}");
    create("--rekor", &format!("url=https://a.example,public-key=backwards.pem,{START}"));
    create("--ctfe", &format!("url=https://a.example,public-key=absent.pub,{START}"));
    stage.run(&["trusted-root", "create"]).undecided();
}
