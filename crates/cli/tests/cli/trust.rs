//! `trust init`, `update` and `show`, and what verifies by the trust root that they keep.

use serde_json::json;
use touchmark_testkit::{Clock, Fault, Identity, Misbehaviour, Options, Sigstore, TufFault, TufFile};
use touchmark_transport::{Client, ClientOptions, Method, Request};

use crate::stage::{Run, Stage, assert_follows};

const SUBJECT: &str = "https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1";
const IMAGE: &str = "oci:image:app";

/// A Sigstore with a TUF repository, and a machine that knows its first root.
struct Scene {
    stage: Stage,
    sigstore: Sigstore,
    runtime: tokio::runtime::Runtime,
}

impl Scene {
    fn new() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let sigstore = runtime.block_on(Sigstore::start(Options::at(Clock::system())));
        let stage = Stage::with_image();
        stage.write("root.json", &sigstore.tuf_root());
        stage.write("token", &sigstore.token(&Identity::uri(SUBJECT)));
        Self { stage, sigstore, runtime }
    }

    fn misbehave(&self, change: impl FnOnce(&mut Misbehaviour)) {
        let _entered = self.runtime.enter();
        self.sigstore.set(change);
    }

    fn init(&self) -> Run {
        let mirror = self.sigstore.tuf_url();
        self.stage.run(&["trust", "init", "--mirror", &mirror, "--root", "root.json"])
    }

    fn verify(&self, flags: &[&str]) -> Run {
        let issuer = self.sigstore.url();
        let identity =
            ["verify", "--certificate-identity", SUBJECT, "--certificate-oidc-issuer", &issuer, IMAGE];
        self.stage.run(&[&identity[..], flags].concat())
    }

    /// As if the mirror had been asked last when the metadata counted still.
    fn expire(&self) {
        self.misbehave(|bad| bad.tuf = vec![TufFault::Expired(TufFile::Timestamp)]);
        let url = format!("{}/timestamp.json", self.sigstore.tuf_url());
        let client = Client::new(ClientOptions::default()).unwrap();
        let fetched = client.fetch(Request::new(Method::GET, url.parse().unwrap()), 1 << 20);
        let bytes = self.runtime.block_on(fetched).unwrap().body;
        let timestamp = std::str::from_utf8(&bytes).unwrap();
        self.stage.change_kept(|kept| kept["timestamp"] = timestamp.into());
    }
}

#[test]
fn what_init_chose_verifies_and_signs_without_being_named() {
    let scene = Scene::new();
    let shown = scene.init().ok();
    assert!(shown.stdout.contains("timestamp version 1"), "{}", shown.stdout);
    scene.stage.run(&["sign", "--identity-token", "token", IMAGE]).ok();
    scene.verify(&[]).ok();
    scene.verify(&["--trusted-root", "tuf"]).ok();
    scene.verify(&["--trusted-root", "public"]).denied();
    // Within a day nobody is asked again.
    let asked = scene.sigstore.requests().len();
    scene.verify(&[]).ok();
    assert_eq!(scene.sigstore.requests().len(), asked);
}

#[test]
fn a_trust_root_is_shown_with_its_source_and_until_when_it_counts() {
    let scene = Scene::new();
    let show = |flags: &[&str]| scene.stage.run(&[&["trust", "show"], flags].concat());
    let shipped = show(&["-o", "json"]).ok().json();
    assert_follows("trust.v1.json", &shipped);
    assert_eq!(shipped["source"], json!({ "kind": "shipped", "instance": "public" }));
    assert!(show(&["--trusted-root", "tuf"]).undecided().stderr.contains("trust init"));
    scene.init().ok();
    let kept = show(&["-o", "json"]).ok().json();
    assert_follows("trust.v1.json", &kept);
    assert_eq!((&kept["source"]["kind"], &kept["stale"]), (&json!("tuf"), &json!(false)));
    assert_eq!(kept["roles"][1]["role"], "timestamp");
    scene.expire();
    let stale = show(&["-o", "json"]).ok().json();
    assert_follows("trust.v1.json", &stale);
    assert_eq!((&stale["stale"], &stale["roles"][1]["expired"]), (&json!(true), &json!(true)));
    assert!(show(&[]).ok().stdout.contains("STALE: expired"));
}

#[test]
fn update_says_what_is_new() {
    let scene = Scene::new();
    assert!(scene.stage.run(&["trust", "update"]).undecided().stderr.contains("trust init"));
    scene.init().ok();
    assert!(scene.stage.run(&["trust", "update"]).ok().stdout.contains("nothing is new"));
    {
        let _entered = scene.runtime.enter();
        scene.sigstore.rotate_tuf_root();
    }
    let updated = scene.stage.run(&["trust", "update", "-o", "json"]).ok().json();
    assert_follows("trust.v1.json", &updated);
    let changes = updated["changes"].as_array().unwrap();
    assert!(changes.contains(&json!({ "what": "root", "from": 1, "to": 2 })), "{changes:#?}");
    // What the mirror refuses to give is exit 2, though what is kept is good.
    scene.misbehave(|bad| bad.tuf = vec![TufFault::Rollback(TufFile::Timestamp)]);
    let refused = scene.stage.run(&["trust", "update"]).undecided();
    assert!(refused.stderr.contains("older than version 2"), "{}", refused.stderr);
    assert!(refused.stderr.contains("hint: what the mirror serves"), "{}", refused.stderr);
}

#[test]
fn a_mirror_that_is_down_is_a_warning_until_what_is_kept_expires() {
    let scene = Scene::new();
    scene.init().ok();
    scene.stage.run(&["sign", "--identity-token", "token", IMAGE]).ok();
    scene.misbehave(|bad| bad.faults = vec![Fault::times("/tuf/", 404, u32::MAX)]);
    scene.stage.age_kept();
    let warned = scene.verify(&[]).ok();
    assert!(warned.stderr.contains("warning: the trust root was not refreshed"), "{}", warned.stderr);
    scene.misbehave(|bad| bad.faults.clear());
    scene.expire();
    scene.misbehave(|bad| bad.faults = vec![Fault::times("/tuf/", 404, u32::MAX)]);
    let stale = scene.verify(&[]).undecided();
    assert!(stale.stderr.contains("timestamp expired 20"), "{}", stale.stderr);
    assert!(stale.stderr.contains("hint: touchmark trust update"), "{}", stale.stderr);
    let offline = scene.verify(&["--offline"]).ok();
    assert!(
        offline.stderr.contains("warning: the trust root is stale: timestamp expired"),
        "{}",
        offline.stderr
    );
}

#[test]
fn a_place_that_cannot_be_written_to_is_read_and_the_rest_kept_in_memory() {
    let scene = Scene::new();
    scene.init().ok();
    scene.stage.run(&["sign", "--identity-token", "token", IMAGE]).ok();
    scene.stage.age_kept();
    // Whoever runs this may write anywhere, but not into a lock that is a directory.
    let lock = scene.stage.kept().join("lock");
    std::fs::remove_file(&lock).unwrap();
    std::fs::create_dir(&lock).unwrap();
    let verified = scene.verify(&[]).ok();
    assert_eq!(verified.stderr.matches("refreshed for this run only").count(), 1, "{}", verified.stderr);
    let update = scene.stage.run(&["trust", "update"]).undecided();
    assert!(update.stderr.contains("TOUCHMARK_TUF_ROOT"), "{}", update.stderr);
}

#[test]
fn the_root_is_pinned_by_the_file_or_by_its_digest() {
    let scene = Scene::new();
    let (mirror, run) = (scene.sigstore.tuf_url(), |flags: &[&str]| {
        scene.stage.run_with(&[&["trust", "init"], flags].concat(), &[("TOUCHMARK_TUF_ROOT", "kept")])
    });
    let url = format!("{mirror}/1.root.json");
    let digest = touchmark_oci::Digest::of(scene.sigstore.tuf_root().as_bytes());
    let other = touchmark_oci::Digest::of(b"other").to_string();
    let unpinned = run(&["--mirror", &mirror, "--root", &url]).undecided();
    assert!(unpinned.stderr.contains("--root-checksum"), "{}", unpinned.stderr);
    for root in ["root.json", &url] {
        let wrong = run(&["--mirror", &mirror, "--root", root, "--root-checksum", &other]).undecided();
        assert!(wrong.stderr.contains(&format!("expected {other}")), "{}", wrong.stderr);
    }
    assert!(!scene.stage.path("kept").exists(), "nothing is chosen when something is wrong");
    for checksum in [digest.to_string(), digest.hex().to_owned()] {
        run(&["--mirror", &mirror, "--root", &url, "--root-checksum", &checksum]).ok();
    }
    assert!(scene.stage.path("kept/default.json").exists());
    // The root that is shipped is another instance's, and nothing here follows from it.
    let foreign = run(&["--mirror", &mirror]).undecided();
    assert!(foreign.stderr.contains("cannot use the TUF repository"), "{}", foreign.stderr);
    scene.stage.write("bad.json", "{}");
    run(&["--mirror", &mirror, "--root", "bad.json"]).undecided();
    run(&["--root-checksum", &other]).undecided();
}

#[test]
fn a_choice_that_cannot_be_told_is_not_taken_for_none() {
    let scene = Scene::new();
    scene.init().ok();
    scene.stage.write(".local/share/touchmark/tuf/default.json", "{");
    let lost = scene.verify(&[]).undecided();
    assert!(lost.stderr.contains("default.json") && lost.stderr.contains("hint:"), "{}", lost.stderr);
}

#[test]
fn processes_that_refresh_at_once_leave_it_whole() {
    let scene = Scene::new();
    scene.init().ok();
    for _ in 0..3 {
        {
            let _entered = scene.runtime.enter();
            scene.sigstore.publish_tuf();
        }
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| scene.stage.run(&["trust", "update"]).ok());
            }
        });
    }
    let shown = scene.stage.run(&["trust", "show", "-o", "json"]).ok().json();
    assert_eq!(shown["roles"][1]["version"], 4);
    let files = std::fs::read_dir(scene.stage.kept()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut files: Vec<_> = files.map(|name| name.into_string().unwrap()).collect();
    files.sort();
    assert_eq!(files, ["cache.v1.json", "lock", "repository.json", "root.json"]);
}

#[test]
fn services_that_the_repository_does_not_name_are_asked_for() {
    let scene = Scene::new();
    scene.misbehave(|bad| bad.tuf = vec![TufFault::Unlisted("signing_config.v0.2.json")]);
    scene.init().ok();
    let unnamed = scene.stage.run(&["sign", "--identity-token", "token", IMAGE]).undecided();
    assert!(unnamed.stderr.contains("hint: --signing-config"), "{}", unnamed.stderr);
    scene.stage.write("config.json", &scene.sigstore.signing_config(2));
    let named = ["sign", "--identity-token", "token", "--signing-config", "config.json", IMAGE];
    assert!(scene.stage.run(&named).ok().stderr.contains("without --trusted-root"));
    assert!(
        !scene.stage.run(&[&named[..], &["--trusted-root", "tuf"]].concat()).ok().stderr.contains("warning")
    );
}

#[test]
fn without_a_place_to_keep_it_the_shipped_one_is_used_and_init_says_so() {
    let stage = Stage::empty();
    let homeless = [("HOME", ""), ("XDG_DATA_HOME", "relative")];
    let init = stage.run_with(&["trust", "init"], &homeless).undecided();
    assert!(init.stderr.contains("--tuf-root"), "{}", init.stderr);
    assert!(stage.run_with(&["trust", "show"], &homeless).ok().stdout.contains("as shipped"));
    assert!(!stage.path("relative").exists());
}
