//! Registries that do not answer, answer with "no", or do not stop.

use std::collections::BTreeMap;
use std::net::TcpListener;

use serde_json::json;
use tokio::runtime::Runtime;
use touchmark_oci::media_type;
use touchmark_testkit::{Auth, FakeRegistry, Fault, ReferrersApi, Tamper};

use crate::images::{Shelf, manifest};
use crate::stage::{Run, Stage, key_pair};

/// A registry that serves until it is dropped, on threads of its own.
fn serving() -> (Runtime, FakeRegistry) {
    let runtime = Runtime::new().unwrap();
    let registry = runtime.block_on(FakeRegistry::start());
    (runtime, registry)
}

/// A registry with an image, `app:app`, that the key has signed.
fn serving_signed() -> (Runtime, FakeRegistry) {
    let (runtime, registry) = serving();
    (&registry).image(&[]);
    let run = format!("sign --key {} {}/app:app", key_pair().0, registry.host());
    Stage::new().run(&run).done();
    (runtime, registry)
}

fn verify(registry: &FakeRegistry) -> Run {
    Stage::new().run(&format!("verify -o json --key {} {}/app:app", key_pair().1, registry.host()))
}

/// Answers so from now on. Tags with evidence are asked for once the registry has said that it has no referrers API.
fn refuse(registry: &FakeRegistry, path: &str, fault: Fault) {
    let tag = path == "/manifests/sha256-";
    registry.set(|knobs| {
        knobs.faults = vec![fault];
        knobs.referrers = if tag { ReferrersApi::Absent } else { ReferrersApi::Served };
    });
}

/// What `verify` must not say of evidence that it could not ask for.
#[track_caller]
fn says_nothing_about_evidence(run: &Run) {
    for word in ["-missing", "deny", "decision", "no signature", "not signed"] {
        assert!(!run.stdout.contains(word) && !run.stderr.contains(word), "{word}: {run:#?}");
    }
}

/// `verify` tells errors in its report; `tree` tells them on standard error.
fn tree(registry: &FakeRegistry) -> Run {
    Stage::new().run(&format!("tree {}/app:app", registry.host()))
}

#[test]
fn a_registry_that_is_not_there_is_an_error_with_a_hint() {
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let stage = Stage::new();
    let (private, public) = key_pair();
    let image = format!("127.0.0.1:{port}/app:1");
    // Each waits for its retries, about three seconds.
    for command in [format!("sign --key {private} {image}"), format!("verify --key {public} {image}")] {
        stage.run(&command).failed_with_hint(&[&image, "could not be asked"]);
    }
}

#[test]
fn a_rate_limit_is_named_and_never_taken_for_an_absence() {
    let (_runtime, registry) = serving_signed();
    for path in ["/manifests/app", "/referrers/", "/manifests/sha256-", "/blobs/"] {
        refuse(&registry, path, Fault::always(path, 429).header("retry-after", "3600"));
        let run = verify(&registry);
        says_nothing_about_evidence(&run);
        let error = &run.json()["results"][0]["error"];
        assert!(error.to_string().contains("rate limited"), "{path}: {error:#}");
        assert!(error["hint"].as_str().unwrap().contains("3600 seconds"), "{path}: {error:#}");
        tree(&registry).failed_with_hint(&["rate limited", "3600 seconds"]);
    }
    registry.set(|knobs| (knobs.faults, knobs.referrers) = (Vec::new(), ReferrersApi::Served));
    verify(&registry).done();
}

#[test]
fn a_rate_limit_that_passes_is_waited_for() {
    let (_runtime, registry) = serving_signed();
    registry.set(|knobs| knobs.faults = vec![Fault::times("/referrers/", 429, 1).header("retry-after", "0")]);
    verify(&registry).done();
}

#[test]
fn a_server_error_is_never_taken_for_an_absence() {
    let (_runtime, registry) = serving_signed();
    for (path, status) in [("/referrers/", 500), ("/manifests/sha256-", 403), ("/referrers/", 401)] {
        refuse(&registry, path, Fault::always(path, status));
        let run = verify(&registry);
        says_nothing_about_evidence(&run);
        assert!(run.json()["results"][0]["error"]["message"].is_string());
        tree(&registry).failed(&[&registry.host()]);
    }
}

#[test]
fn a_registry_that_wants_a_login_says_so_with_a_hint() {
    let users = BTreeMap::from([("user".to_owned(), "secret-word".to_owned())]);
    for auth in [
        Auth::Basic(users.clone()),
        Auth::Bearer { users, refresh_tokens: Vec::new(), anonymous_pull: false, realm: None },
    ] {
        let (_runtime, registry) = serving_signed();
        registry.set(|knobs| knobs.auth = auth);
        tree(&registry).failed_with_hint(&["does not accept anonymous access", "docker login"]);
        says_nothing_about_evidence(&verify(&registry));
        let with = |password: &str| {
            let login = format!("--registry-username user --registry-password {password}");
            Stage::new().run(&format!("{login} tree {}/app:app", registry.host()))
        };
        let run = with("wrong-word").failed_with_hint(&["does not accept the credentials"]);
        assert!(!run.stderr.contains("wrong-word"), "{}", run.stderr);
        with("secret-word").done();
    }
}

#[test]
fn pages_of_referrers_without_end_are_given_up_on_and_it_is_said() {
    let (_runtime, registry) = serving();
    (&registry).image(&[]);
    registry.set(|knobs| knobs.endless_pages = true);
    verify(&registry).denied("signature-missing").denied("evidence-omitted");
    assert_eq!(registry.count("GET", "/referrers/"), 100);
}

#[test]
fn a_million_referrers_cost_no_more_than_a_thousand() {
    let (_runtime, registry) = serving();
    let mut shelf = &registry;
    let image = shelf.image(&[]);
    let config = shelf.blob(media_type::OCI_EMPTY, b"{}");
    for number in 0..1100 {
        let mut referrer = manifest(&config, &[]);
        referrer["subject"] = image.clone();
        referrer["annotations"] = json!({ "number": number.to_string() });
        shelf.manifest(None, &referrer);
    }
    registry.set(|knobs| {
        knobs.page_size = 500;
        knobs.endless_pages = true;
    });
    verify(&registry).denied("signature-missing").denied("evidence-omitted");
    assert!(registry.count("GET", "/referrers/") <= 3);
    assert!(registry.count("GET", "/manifests/") <= 1010);
}

#[test]
fn a_fallback_index_that_is_garbage_is_an_error() {
    let (_runtime, registry) = serving();
    registry.set(|knobs| knobs.referrers = ReferrersApi::Absent);
    let mut shelf = &registry;
    let image = shelf.image(&[]);
    let tag = image["digest"].as_str().unwrap().replace(':', "-");
    for garbage in ["{", "{}", r#"{"schemaVersion":2,"manifests":[{"digest":"sha256:x"}]}"#] {
        shelf.keep_manifest(Some(&tag), media_type::OCI_INDEX, garbage.as_bytes());
        says_nothing_about_evidence(&verify(&registry));
        let stage = Stage::new();
        let sign = format!("sign --key {} {}/app:app", key_pair().0, registry.host());
        stage.run(&sign).failed(&[&registry.host()]);
        assert_eq!(registry.tag("app", &tag).unwrap(), garbage.as_bytes());
    }
}

#[test]
fn a_blob_that_breaks_off_is_an_error() {
    let (_runtime, registry) = serving_signed();
    registry.set(|knobs| knobs.tampers = vec![("/blobs/".to_owned(), Tamper::BreakOff)]);
    says_nothing_about_evidence(&verify(&registry));
}

#[test]
fn a_push_that_is_refused_leaves_no_manifest() {
    for status in [403, 413] {
        let (_runtime, registry) = serving();
        (&registry).image(&[]);
        registry.set(|knobs| knobs.faults = vec![Fault::always("/blobs/uploads", status)]);
        for format in ["bundle", "legacy", "both"] {
            let sign = format!("sign --format {format} --key {} {}/app:app", key_pair().0, registry.host());
            Stage::new().run(&sign).failed(&[&registry.host()]);
        }
        assert_eq!(registry.count("PUT", "/manifests/"), 0);
    }
}

#[test]
fn a_next_page_elsewhere_is_not_followed() {
    let (_runtime, registry) = serving();
    let (_other_runtime, other) = serving();
    (&registry).image(&[]);
    registry.set(|knobs| {
        knobs.endless_pages = true;
        knobs.next_page = Some(format!("http://{}/v2/app/referrers/x", other.host()));
    });
    let run = verify(&registry);
    assert!(run.json()["results"][0]["error"].is_object(), "{run:#?}");
    assert_eq!(other.requests().len(), 0);
}
