//! Keyless, with a whole Sigstore in this process: signed by an identity, verified by it, and by nobody else.

use serde_json::Value;
use touchmark_testkit::{Clock, Identity, LoginFault, Misbehaviour, Options, PERSON, Sigstore};

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
fn identities_sign_in_the_older_format_too() {
    let scene = Scene::new(1);
    scene.stage.write("predicate.json", r#"{"a":1}"#);
    let about = ["attest", "--type", "https://example.com/t", "--predicate", "predicate.json"];
    scene.sign(&["sign", "--format", "legacy", "-a", "env=prod", IMAGE]).ok();
    scene.sign(&[&about[..], &["--format", "legacy", IMAGE]].concat()).ok();
    let verify = |more: &[&str], subject| {
        scene.verify(&[&["verify", "--require", "promise,timestamp,sct"], more, &[IMAGE]].concat(), subject)
    };
    let allowed = verify(&["-o", "json"], SUBJECT).ok().json();
    let support = &allowed["results"][0]["decision"]["policies"][0]["requirements"][0]["support"][0];
    assert_eq!(support["certificate"]["subject"], SUBJECT);
    verify(&[], "a@b.example").denied();
    let attested = ["verify-attestation", "--type", "https://example.com/t", "--require", "promise", IMAGE];
    assert_eq!(scene.verify(&attested, SUBJECT).ok().json()["statement"]["predicate"]["a"], 1);
}

#[test]
fn both_formats_hold_at_once() {
    let scene = Scene::new(1);
    scene.sign(&["sign", "--format", "both", IMAGE]).ok();
    let tree = scene.stage.run(&["tree", "-o", "json", IMAGE]).ok().json().to_string();
    assert!(tree.contains("bundle.v0.3") && tree.contains(".sig"), "{tree}");
    scene.verify(&["verify", "--require", "log", IMAGE], SUBJECT).ok();
}

#[test]
fn the_older_format_without_a_promise_is_refused_before_anything_is_logged_or_attached() {
    let scene = Scene::new(2);
    for format in ["legacy", "both"] {
        let refused = scene.sign(&["sign", "--format", format, IMAGE]).undecided();
        assert!(refused.stderr.contains("--format bundle"), "{}", refused.stderr);
    }
    assert_eq!(scene.sigstore.requests(), Vec::<String>::new());
}

#[test]
fn a_promise_that_does_not_hold_is_not_stored_in_the_older_format() {
    let scene = Scene::new(1);
    scene.misbehave(|wrong| wrong.wrong_log_key = true);
    scene.sign(&["sign", "--format", "legacy", IMAGE]).undecided();
    let tree = scene.stage.run(&["tree", "-o", "json", IMAGE]).ok().json().to_string();
    assert!(!tree.contains(".sig"), "{tree}");
}

/// Arguments that sign with the key `release`, and have that logged and dated.
fn logged<'a>(command: &[&'a str]) -> Vec<&'a str> {
    let with = ["--key", "release.key", "--signing-config", "signing_config.json"];
    [command, &with, &["--trusted-root", "trusted_root.json"]].concat()
}

#[test]
fn what_a_key_signs_is_logged_and_dated_where_services_are_named() {
    for rekor_version in [1, 2] {
        let scene = Scene::new(rekor_version);
        scene.stage.write("file", "content");
        let run = |command: &[&str]| scene.stage.run(&logged(command));
        run(&["sign", IMAGE]).ok();
        run(&["sign-blob", "--bundle", "b.json", "file"]).ok();
        let by =
            ["--key", "release.pub", "--trusted-root", "trusted_root.json", "--require", "log,timestamp"];
        scene.stage.run(&[&["verify", IMAGE], &by[..]].concat()).ok();
        scene.stage.run(&[&["verify-blob", "--bundle", "b.json", "file"], &by[..]].concat()).ok();
        assert!(!scene.sigstore.requests().iter().any(|asked| asked.contains("signingCert")));
    }
}

#[test]
fn what_a_key_signs_in_the_older_format_is_logged_too() {
    let scene = Scene::new(1);
    scene.stage.write("predicate.json", r#"{"a":1}"#);
    scene.stage.run(&logged(&["sign", "--format", "legacy", IMAGE])).ok();
    let about = ["--type", "https://example.com/t", "--predicate", "predicate.json", IMAGE];
    scene.stage.run(&logged(&[&["attest", "--format", "legacy"], &about[..]].concat())).ok();
    let by = ["--key", "release.pub", "--trusted-root", "trusted_root.json", IMAGE, "--require"];
    scene.stage.run(&[&["verify"], &by[..], &["promise,timestamp"]].concat()).ok();
    let attested = ["verify-attestation", "--type", "https://example.com/t"];
    scene.stage.run(&[&attested[..], &by, &["promise"]].concat()).ok();
}

#[test]
fn a_key_needs_no_signing_config_and_its_log_has_to_be_known() {
    let scene = Scene::new(1);
    let url = scene.sigstore.url();
    let by_url = ["sign", "--key", "release.key", "--rekor-url", url.as_str(), IMAGE];
    let signed = scene.stage.run(&[&by_url[..], &["--trusted-root", "trusted_root.json"]].concat()).ok();
    assert!(!signed.stderr.contains("warning: without --trusted-root"), "{}", signed.stderr);
    let unknown = scene.stage.run(&[&by_url[..], &["--trusted-root", "public"]].concat()).undecided();
    assert!(unknown.stderr.contains("knows no transparency log"), "{}", unknown.stderr);
    assert!(scene.stage.run(&by_url).ok().stderr.contains("warning: without --trusted-root"));
    let lonely = scene.stage.run(&["sign", "--rekor-url", &url, IMAGE]).undecided();
    assert!(lonely.stderr.contains("--fulcio-url"), "{}", lonely.stderr);
}

#[test]
fn what_a_log_does_not_take_is_refused_before_it_is_asked() {
    let scene = Scene::new(2);
    scene.stage.run(&["key", "generate", "--kind", "ed25519", "--output-key-prefix", "other-kind"]).ok();
    let with = ["--key", "other-kind.key", "--signing-config", "signing_config.json"];
    let refused = scene.stage.run(&[&["sign", IMAGE], &with[..]].concat()).undecided();
    assert!(refused.stderr.contains("takes no such signature by an"), "{}", refused.stderr);
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

/// A browser for the program: it says where it was sent, and somebody else goes there.
fn with_browser(scene: &Scene, arguments: &[&str]) -> Run {
    use std::os::unix::fs::PermissionsExt as _;
    scene.stage.write("browser", "#!/bin/sh\nprintf %s \"$1\" > address.part && mv address.part address\n");
    let script = scene.stage.path("browser");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let address = scene.stage.path("address");
    let visit = async {
        let url = loop {
            match std::fs::read_to_string(&address) {
                Ok(text) => break text.parse().unwrap(),
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            }
        };
        let client = touchmark_transport::Client::new(touchmark_transport::ClientOptions::default()).unwrap();
        let request = touchmark_transport::Request::new(touchmark_transport::Method::GET, url);
        client.fetch(request, 1 << 20).await.unwrap()
    };
    std::thread::scope(|scope| {
        scope.spawn(|| scene.runtime.block_on(async { tokio::time::timeout(LIMIT, visit).await.unwrap() }));
        scene.stage.run_with(arguments, &[("BROWSER", script.to_str().unwrap())])
    })
}

const LIMIT: std::time::Duration = std::time::Duration::from_secs(60);
const LOGIN: [&str; 5] =
    ["--signing-config", "signing_config.json", "--trusted-root", "trusted_root.json", "--oidc-flow"];

#[test]
fn whoever_logs_in_signs() {
    let scene = Scene::new(2);
    let by = |flow| [&["sign", IMAGE], &LOGIN[..], &[flow]].concat();
    let signed = with_browser(&scene, &by("browser")).ok();
    assert!(signed.stderr.contains(PERSON), "{}", signed.stderr);
    let shown = scene.stage.run(&by("device")).ok();
    assert!(shown.stderr.contains("WDJB-MJHT"), "{}", shown.stderr);
    scene.verify(&["verify", IMAGE], PERSON).ok();
}

#[test]
fn nobody_is_asked_to_log_in_where_nobody_is() {
    let scene = Scene::new(2);
    for flow in ["auto", "token", "oob"] {
        let told = scene.stage.run(&[&["sign", IMAGE], &LOGIN[..], &[flow]].concat()).undecided();
        assert!(told.stderr.contains("hint: --key KEY"), "{}", told.stderr);
    }
    assert_eq!(scene.sigstore.requests(), Vec::<String>::new());
}

#[test]
fn a_login_that_fails_signs_nothing_and_says_why() {
    let scene = Scene::new(2);
    let by = |flow| [&["sign", IMAGE], &LOGIN[..], &[flow]].concat();
    let none = scene.stage.run(&by("browser")).undecided();
    assert!(none.stderr.contains("--oidc-flow device"), "{}", none.stderr);
    scene.misbehave(|wrong| wrong.login = Some(LoginFault::NoDevice));
    let none = scene.stage.run(&by("device")).undecided();
    assert!(none.stderr.contains("another --oidc-flow"), "{}", none.stderr);
    scene.misbehave(|wrong| wrong.login = Some(LoginFault::Denied));
    let refused = scene.stage.run(&by("device")).undecided();
    assert!(refused.stderr.contains("the login was refused"), "{}", refused.stderr);
    let elsewhere = [&by("device")[..], &["--oidc-issuer", "http://127.0.0.1:1"]].concat();
    let told = scene.stage.run(&elsewhere).undecided();
    assert!(told.stderr.contains("http://127.0.0.1:1"), "{}", told.stderr);
    assert!(!scene.sigstore.requests().iter().any(|asked| asked.contains("signingCert")));
}

#[test]
fn a_job_of_buildkites_gets_its_token_from_the_agent() {
    use std::os::unix::fs::PermissionsExt as _;
    let scene = Scene::new(2);
    scene.stage.write(
        "buildkite-agent",
        "#!/bin/sh\n[ \"$*\" = 'oidc request-token --audience sigstore' ] && [ -s token ] && cat token\n",
    );
    let agent = scene.stage.path("buildkite-agent");
    std::fs::set_permissions(&agent, std::fs::Permissions::from_mode(0o755)).unwrap();
    let folder = agent.parent().unwrap().to_str().unwrap();
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap());
    let job = [("BUILDKITE", "true"), ("PATH", path.as_str())];
    let arguments = [&["sign", IMAGE], &LOGIN[..], &["token"]].concat();
    scene.stage.run_with(&arguments, &job).ok();
    scene.verify(&["verify", IMAGE], SUBJECT).ok();
    scene.stage.write("token", "");
    let told = scene.stage.run_with(&arguments, &job).undecided();
    assert!(told.stderr.contains("buildkite-agent gives no identity token"), "{}", told.stderr);
}
