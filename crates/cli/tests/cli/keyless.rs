//! Keyless, with a whole Sigstore in this process: signed by an identity, verified by it, and by nobody else.

use serde_json::Value;
use touchmark_testkit::{Clock, Identity, Misbehaviour, Options, Sigstore};

use crate::stage::{Run, Stage, assert_follows};

const SUBJECT: &str = "https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1";
const IMAGE: &str = "oci:image:app";

/// An image, a Sigstore, and what the program needs to know of it in files.
struct Scene {
    stage: Stage,
    sigstore: Sigstore,
    runtime: tokio::runtime::Runtime,
}

impl Scene {
    fn new(rekor_version: u32) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let options = Options { clock: Clock::system(), witnesses: 2, ..Options::at(Clock::system()) };
        let sigstore = runtime.block_on(Sigstore::start(options));
        let stage = Stage::with_image();
        stage.write("trusted_root.json", &sigstore.trusted_root());
        stage.write("signing_config.json", &sigstore.signing_config(rekor_version));
        stage.write("token", &sigstore.token(&Identity::uri(SUBJECT)));
        Self { stage, sigstore, runtime }
    }

    fn misbehave(&self, change: impl FnOnce(&mut Misbehaviour)) {
        let _entered = self.runtime.enter();
        self.sigstore.set(change);
    }

    fn sign(&self, command: &[&str]) -> Run {
        let keyless = [
            "--identity-token",
            "token",
            "--signing-config",
            "signing_config.json",
            "--trusted-root",
            "trusted_root.json",
        ];
        self.stage.run(&[command, &keyless].concat())
    }

    fn verify(&self, command: &[&str], subject: &str) -> Run {
        let issuer = self.sigstore.url();
        let identity = [
            "--certificate-identity",
            subject,
            "--certificate-oidc-issuer",
            issuer.as_str(),
            "--trusted-root",
            "trusted_root.json",
        ];
        self.stage.run(&[command, &identity].concat())
    }
}

#[test]
fn an_image_signed_by_an_identity_is_allowed_for_it_and_for_nobody_else() {
    for rekor_version in [1, 2] {
        let scene = Scene::new(rekor_version);
        scene.sign(&["sign", IMAGE]).ok();
        let allowed = scene.verify(&["verify", "-o", "json", IMAGE], SUBJECT).ok().json();
        assert_follows("verify.v1.json", &allowed);
        let support = &allowed["results"][0]["decision"]["policies"][0]["requirements"][0]["support"][0];
        assert_eq!(support["certificate"]["subject"], SUBJECT);
        assert_eq!((&support["log"]["state"], &support["log"]["included"]), (&"verified".into(), &1.into()));
        assert_eq!(support["certificateLogged"], true);
        let denied = scene.verify(&["verify", IMAGE], "https://github.com/acme/other").denied();
        assert!(denied.stdout.contains("signature-wrong-identity"), "{}", denied.stdout);
        assert!(denied.stdout.contains(SUBJECT), "who signed is shown: {}", denied.stdout);
        // Without the trust root of this instance the certificate is nobody's.
        let untrusted =
            ["verify", "--certificate-identity", SUBJECT, "--certificate-oidc-issuer", "x", IMAGE];
        assert!(scene.stage.run(&untrusted).denied().stdout.contains("signature-not-proven"));
    }
}

#[test]
fn more_proof_can_be_asked_for_than_was_shown() {
    let scene = Scene::new(2);
    scene.sign(&["sign", IMAGE]).ok();
    for enough in ["log", "timestamp", "log=1,timestamp=1,sct"] {
        scene.verify(&["verify", "--require", enough, IMAGE], SUBJECT).ok();
    }
    for too_much in ["log=2", "timestamp=2"] {
        let denied = scene.verify(&["verify", "--require", too_much, IMAGE], SUBJECT).denied();
        assert!(denied.stdout.contains("signature-proof-too-weak"), "{}", denied.stdout);
    }
}

#[test]
fn witnesses_count_when_their_keys_are_named() {
    let scene = Scene::new(2);
    scene.sign(&["sign", IMAGE]).ok();
    let keys = scene.sigstore.witness_keys();
    let [one, two] = [keys[0].as_str(), keys[1].as_str()];
    let both = ["verify", "--require", "witness=2", "--witness", one, "--witness", two, IMAGE];
    scene.verify(&both, SUBJECT).ok();
    // The same key twice is one, which cannot be two.
    let twice = ["verify", "--require", "witness=2", "--witness", one, "--witness", one, IMAGE];
    assert!(scene.verify(&twice, SUBJECT).undecided().stderr.contains("1 more witnesses"));
    scene.verify(&["verify", "--require", "witness", IMAGE], SUBJECT).undecided();
    scene.verify(&["verify", "--witness", "nobody", IMAGE], SUBJECT).undecided();
    let other =
        scene.runtime.block_on(Sigstore::start(Options { witnesses: 1, ..Options::at(Clock::system()) }));
    let strange = other.witness_keys();
    let stranger = ["verify", "--require", "witness", "--witness", strange[0].as_str(), IMAGE];
    let denied = scene.verify(&stranger, SUBJECT).denied();
    assert!(denied.stdout.contains("signature-proof-too-weak"), "{}", denied.stdout);
    assert!(denied.stdout.contains("1 known witness"), "{}", denied.stdout);
}

#[test]
fn files_and_attestations_are_signed_by_identities_too() {
    let scene = Scene::new(1);
    scene.stage.write("file", "content");
    scene.stage.write("predicate.json", r#"{"a":1}"#);
    scene.sign(&["sign-blob", "--bundle", "b.json", "file"]).ok();
    let blob = ["verify-blob", "--bundle", "b.json", "file"];
    scene.verify(&blob, SUBJECT).ok();
    let stranger = scene.verify(&blob, "a@b.example").denied();
    assert!(stranger.stdout.contains("expected a@b.example"), "{}", stranger.stdout);
    scene.stage.write("file", "changed");
    scene.verify(&blob, SUBJECT).denied();
    scene.sign(&["attest", "--type", "https://example.com/t", "--predicate", "predicate.json", IMAGE]).ok();
    let attestation = ["verify-attestation", "--type", "https://example.com/t", IMAGE];
    let line = scene.verify(&attestation, SUBJECT).ok().json();
    assert_follows("attestation.v1.json", &line);
    assert_eq!(line["statement"]["predicate"]["a"], 1);
    scene.verify(&attestation, "a@b.example").denied();
}

#[test]
fn files_are_attested_by_identities_too() {
    for rekor_version in [1, 2] {
        let scene = Scene::new(rekor_version);
        scene.stage.write("file", "content");
        scene.stage.write("predicate.json", r#"{"a":1}"#);
        let about = ["--type", "https://example.com/t", "--predicate", "predicate.json"];
        scene.sign(&[&["attest-blob", "--bundle", "b.json", "file"], &about[..]].concat()).ok();
        let verify = |wanted: &'static str| {
            ["verify-blob-attestation", "--bundle", "b.json", "--type", wanted, "file"]
        };
        let line = scene.verify(&verify("https://example.com/t"), SUBJECT).ok().json();
        assert_eq!(line["statement"]["predicate"]["a"], 1);
        scene.verify(&verify("https://example.com/t"), "a@b.example").denied();
        scene.verify(&verify("spdx"), SUBJECT).denied();
        scene.stage.write("file", "changed");
        scene.verify(&verify("https://example.com/t"), SUBJECT).denied();
    }
}

#[test]
fn what_a_service_got_wrong_is_noticed_before_anything_is_attached() {
    let wrongs: [fn(&mut Misbehaviour); 4] = [
        |wrong| wrong.wrong_root_hash = true,
        |wrong| wrong.wrong_log_key = true,
        |wrong| wrong.missing_sct = true,
        |wrong| wrong.wrong_ct_log_key = true,
    ];
    for wrong in wrongs {
        let scene = Scene::new(2);
        scene.misbehave(wrong);
        scene.sign(&["sign", IMAGE]).undecided();
        let tree: Value = scene.stage.run(&["tree", "-o", "json", IMAGE]).ok().json();
        assert!(!tree.to_string().contains("bundle.v0.3"), "{tree:#}");
    }
}

#[test]
fn the_older_format_is_refused_before_anything_is_logged_or_attached() {
    let scene = Scene::new(1);
    for format in ["legacy", "both"] {
        let refused = scene.sign(&["sign", "--format", format, IMAGE]).undecided();
        assert!(refused.stderr.contains("--format bundle"), "{}", refused.stderr);
    }
    assert_eq!(scene.sigstore.requests(), Vec::<String>::new());
}

#[test]
fn policies_name_identities() {
    let scene = Scene::new(2);
    scene.sign(&["sign", IMAGE]).ok();
    let policy = |subject: &str, proof: &str| {
        format!(
            "apiVersion: touchmark.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {{name: p}}\nspec:\n  images: [{{glob: '**'}}]\n  {proof}\n  \
             signers:\n    - name: ci\n      identity: {{subjectRegExp: '{subject}', issuer: '{}'}}\n  require:\n    - {{name: signed, signature: {{by: [ci]}}}}\n",
            scene.sigstore.url()
        )
    };
    let verify =
        || scene.stage.run(&["verify", "--policy", "p.yaml", "--trusted-root", "trusted_root.json", IMAGE]);
    scene.stage.write("p.yaml", &policy(r"https://github\.com/acme/app/.+@refs/tags/v.*", ""));
    verify().ok();
    scene.stage.write("p.yaml", &policy(r"https://github\.com/acme/app", ""));
    assert!(verify().denied().stdout.contains("signature-wrong-identity"));
    scene.stage.write("p.yaml", &policy(r"https://.*", "proof: {log: 1, timestamp: 1, sct: true}"));
    verify().ok();
    scene.stage.write("p.yaml", &policy(r"https://.*", "proof: {log: 2}"));
    assert!(verify().denied().stdout.contains("signature-proof-too-weak"));
}

#[test]
fn a_token_that_is_none_is_refused_before_anybody_is_asked() {
    let scene = Scene::new(2);
    scene.stage.write("token", "not a token");
    scene.sign(&["sign", IMAGE]).undecided();
    assert_eq!(scene.sigstore.requests(), Vec::<String>::new());
    let nothing = scene.stage.run(&["sign", IMAGE]).undecided();
    assert!(nothing.stderr.contains("--identity-token"), "{}", nothing.stderr);
}

#[test]
fn a_trust_root_is_shown_and_one_that_is_none_is_refused() {
    let stage = Stage::empty();
    for known in ["public", "staging"] {
        let shown = stage.run(&["trust", "show", "--trusted-root", known, "-o", "json"]).ok().json();
        assert_follows("trust.v1.json", &shown);
        assert!(shown["holds"]["transparencyLogs"].as_u64().unwrap() > 0);
    }
    assert!(stage.run(&["trust", "show"]).ok().stdout.contains("certificate authorities"));
    stage.write("root.json", "{}");
    let refused = stage.run(&["trust", "show", "--trusted-root", "root.json"]).undecided();
    assert!(refused.stderr.contains("root.json"), "{}", refused.stderr);
    stage.run(&["trust", "show", "--trusted-root", "missing.json"]).undecided();
}
