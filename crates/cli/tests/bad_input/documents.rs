//! Documents that are not JSON, not what their digest or size says, not there, or nested without end.

use serde_json::{Value, json};
use touchmark_oci::{Digest, media_type};
use touchmark_testkit::{FakeRegistry, Tamper};

use crate::images::{Layout, Shelf, describe, index, manifest};
use crate::stage::{Stage, key_pair};

/// `verify` with a key, of an image in the layout `image`.
fn verify(stage: &Stage, image: &str) -> crate::stage::Run {
    stage.run(&format!("verify --key {} {image}", key_pair().1))
}

#[test]
fn an_index_of_a_layout_that_is_no_json_is_an_error_for_every_command() {
    let stage = Stage::new();
    Layout::new(&stage, "image").image(&[]);
    let (private, public) = key_pair();
    stage.write("p.json", "{}");
    let commands = [
        format!("verify --key {public} oci:image:app"),
        format!("verify-attestation --key {public} --type spdx oci:image:app"),
        format!("sign --key {private} oci:image:app"),
        format!("attest --key {private} --type https://example.com/p --predicate p.json oci:image:app"),
        "tree oci:image:app".to_owned(),
        "sbom oci:image:app".to_owned(),
        "provenance oci:image:app".to_owned(),
    ];
    for garbage in ["", "{", "\u{feff}{}", "[]", "nul", r#"{"schemaVersion":2,"manifests":{}}"#] {
        stage.write("image/index.json", garbage);
        let before = stage.files();
        for command in &commands {
            stage.run(command).failed(&["oci:image", "index.json"]);
        }
        assert_eq!(stage.files(), before);
        assert_eq!(stage.read("image/index.json"), garbage.as_bytes());
    }
}

#[test]
fn json_nested_without_end_is_an_error() {
    let stage = Stage::new();
    Layout::new(&stage, "image").image(&[]);
    let deep = format!("{}{}", "[".repeat(1 << 20), "]".repeat(1 << 20));
    stage.write("image/index.json", format!(r#"{{"manifests":{deep}}}"#));
    verify(&stage, "oci:image:app").failed(&["index.json"]);
    let stage = Stage::new();
    let mut layout = Layout::new(&stage, "image");
    let bytes = format!(r#"{{"schemaVersion":2,"layers":{deep}}}"#);
    layout.keep_manifest(Some("app"), media_type::OCI_MANIFEST, bytes.as_bytes());
    verify(&stage, "oci:image:app").failed(&["manifest"]);
    stage.run("sbom oci:image:app").failed(&["manifest"]);
}

#[test]
fn a_manifest_that_is_none_is_an_error_where_it_has_to_be_read() {
    for garbage in [
        "{".to_owned(),
        "{}".to_owned(),
        "null".to_owned(),
        r#"{"schemaVersion":1}"#.to_owned(),
        r#"{"schemaVersion":2,"config":{"mediaType":"x","digest":"sha256:../../../etc/passwd","size":1},"layers":[]}"#.to_owned(),
        r#"{"schemaVersion":2,"config":{"mediaType":"x","digest":"md5:d41d8cd98f00b204e9800998ecf8427e","size":1},"layers":[]}"#.to_owned(),
        format!(r#"{{"schemaVersion":2,"config":{{"mediaType":"x","digest":"{}","size":-1}},"layers":[]}}"#, Digest::of(b"")),
        format!(r#"{{"schemaVersion":2,"config":{{"mediaType":"x","digest":"{}","size":1e400}},"layers":[]}}"#, Digest::of(b"")),
    ] {
        let stage = Stage::new();
        let mut layout = Layout::new(&stage, "image");
        layout.keep_manifest(Some("app"), media_type::OCI_MANIFEST, garbage.as_bytes());
        let digest = Digest::of(garbage.as_bytes()).to_string();
        stage.run("sbom oci:image:app").failed(&["manifest", &digest]);
        stage
            .run(&format!("verify --recursive --key {} oci:image:app", key_pair().1))
            .failed(&["manifest", &digest]);
    }
}

#[test]
fn a_manifest_beside_the_image_that_is_none_is_told_by_its_own_digest() {
    let stage = Stage::new();
    let mut layout = Layout::new(&stage, "image");
    layout.image(&[]);
    layout.keep_manifest(Some("other"), media_type::OCI_MANIFEST, b"garbage");
    let digest = Digest::of(b"garbage").to_string();
    verify(&stage, "oci:image:app").failed(&["not a usable manifest", &digest]);
}

#[test]
fn a_layout_that_lies_about_digest_or_size_of_an_image_is_an_error() {
    let stage = Stage::new();
    let mut layout = Layout::new(&stage, "image");
    let image = layout.image(&[]);
    let path = layout.path_of(&image);
    let honest = std::fs::read(&path).unwrap();
    let mut flipped = honest.clone();
    flipped[5] ^= 1;
    for bytes in [&honest[..honest.len() - 1], &flipped, b"", &[honest.as_slice(), b" "].concat()] {
        std::fs::write(&path, bytes).unwrap();
        let said = image["digest"].as_str().unwrap();
        verify(&stage, "oci:image:app").failed(&[said]);
        stage.run(&format!("sign --key {} oci:image:app", key_pair().0)).failed(&[said]);
    }
    std::fs::remove_file(&path).unwrap();
    verify(&stage, "oci:image:app").failed(&["not found"]);
}

#[test]
fn an_index_entry_with_a_lying_size_or_digest_is_an_error() {
    for (member, lie) in [
        ("size", json!(3)),
        ("size", json!(u64::MAX)),
        ("size", json!(-1)),
        ("digest", json!(Digest::of(b"another").to_string())),
        ("digest", json!("sha256:../../../../etc/passwd")),
        ("digest", json!("sha256:E3B0")),
    ] {
        let stage = Stage::new();
        let mut layout = Layout::new(&stage, "image");
        let mut entry = layout.manifest(None, &manifest(&describe(media_type::OCI_CONFIG, b"{}"), &[]));
        entry["annotations"] = json!({ "org.opencontainers.image.ref.name": "lie" });
        entry[member] = lie;
        layout.list(Some(entry));
        verify(&stage, "oci:image:lie").failed(&["oci:image"]);
    }
}

#[test]
fn evidence_that_is_garbage_truncated_or_missing_is_a_denial_and_hides_nothing() {
    let stage = Stage::new();
    let mut layout = Layout::new(&stage, "image");
    let image = layout.image(&[]);
    layout.attach(&image, b"{\"mediaType\":");
    verify(&stage, "oci:image:app").denied("signature-unreadable");
    layout.attach(&image, b"truncated later");
    let truncated = layout.path_of(&describe("", b"truncated later"));
    std::fs::write(truncated, b"truncated").unwrap();
    layout.attach(&image, b"gone later");
    std::fs::remove_file(layout.path_of(&describe("", b"gone later"))).unwrap();
    let referrer = layout.attach(&image, b"without its manifest");
    std::fs::remove_file(layout.path_of(&referrer)).unwrap();
    let run = stage.run(&format!("verify -o json --key {} oci:image:app", key_pair().1));
    let run = run.denied("signature-unreadable");
    let rejected = &run.json()["results"][0]["decision"]["evidence"]["rejected"];
    // The layout does not know what the manifest that is gone was about.
    assert_eq!(rejected.as_array().unwrap().len(), 3, "{rejected:#}");
    stage.run(&format!("sign --key {} oci:image:app", key_pair().0)).done();
    verify(&stage, "oci:image:app").done();
    stage.run("tree oci:image:app").done();
}

#[test]
fn a_thousand_foreign_documents_make_no_long_denial() {
    let stage = Stage::new();
    let mut layout = Layout::new(&stage, "image");
    let image = layout.image(&[]);
    let config = layout.blob(media_type::OCI_EMPTY, b"{}");
    let layers: Vec<Value> = (0..999)
        .map(|number| layout.blob(crate::images::BUNDLE, format!("garbage {number}").as_bytes()))
        .collect();
    let mut referrer = manifest(&config, &layers);
    referrer["subject"] = image;
    layout.manifest(None, &referrer);
    let run = verify(&stage, "oci:image:app").denied("and 983 more");
    assert!(run.stdout.lines().count() < 60, "{}", run.stdout);
}

#[test]
fn one_signature_attached_again_and_again_makes_no_long_answer() {
    let stage = Stage::new();
    let mut layout = Layout::new(&stage, "image");
    let image = layout.image(&[]);
    stage.run(&format!("sign --key {} oci:image:app", key_pair().0)).done();
    let bundle = std::fs::read_dir(stage.path("image/blobs/sha256"))
        .unwrap()
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .find(|bytes| bytes.windows(12).any(|window| window == b"dsseEnvelope"))
        .unwrap();
    let described = describe(crate::images::BUNDLE, &bundle);
    let config = layout.blob(media_type::OCI_EMPTY, b"{}");
    let mut referrer = manifest(&config, &vec![described; 500]);
    referrer["subject"] = image;
    layout.manifest(None, &referrer);
    let run = verify(&stage, "oci:image:app").done();
    assert!(run.stdout.contains(" more\n"), "{}", run.stdout);
    assert!(run.stdout.lines().count() < 60, "{}", run.stdout);
}

#[test]
fn a_registry_that_gives_other_bytes_than_asked_for_is_an_error() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let registry = runtime.block_on(FakeRegistry::start());
    let image = (&registry).image(&[]);
    let stage = Stage::new();
    let digest = image["digest"].as_str().unwrap();
    let reference = format!("{}/app@{digest}", registry.host());
    for tamper in [Tamper::Flip, Tamper::Shorten, Tamper::Lengthen] {
        registry.set(|knobs| knobs.tampers = vec![(format!("/manifests/{digest}"), tamper)]);
        stage
            .run(&format!("sbom {reference}"))
            .failed(&[digest, "the store gave other bytes than asked for"]);
    }
    registry.set(|knobs| knobs.tampers = vec![("/manifests/app".to_owned(), Tamper::LieInHeader)]);
    stage.run(&format!("sbom {}/app:app", registry.host())).failed(&[&registry.host()]);
    registry.set(|knobs| knobs.tampers = vec![("/blobs/".to_owned(), Tamper::Flip)]);
    stage.run(&format!("sbom {reference}")).failed(&["the store gave other bytes than asked for"]);
}

#[test]
fn indexes_in_indexes_without_end_are_given_up_on() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let registry = runtime.block_on(FakeRegistry::start());
    let mut shelf = &registry;
    let mut inner = shelf.image(&[]);
    for _ in 0..1000 {
        inner = shelf.manifest(Some("deep"), &index(&[inner]));
    }
    let stage = Stage::new();
    let image = format!("{}/app:deep", registry.host());
    let (private, public) = key_pair();
    for command in [
        format!("sbom {image}"),
        format!("verify --recursive --key {public} {image}"),
        format!("sign --recursive --key {private} {image}"),
    ] {
        registry.forget_requests();
        stage.run(&command).failed(&["nested deeper than 4"]);
        assert!(registry.count("GET", "/manifests/") < 20, "{command}");
        assert_eq!(registry.count("PUT", ""), 0, "{command}");
        assert_eq!(registry.count("POST", ""), 0, "{command}");
    }
}

#[test]
fn an_index_as_wide_as_it_may_be_at_every_level_is_given_up_on() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let registry = runtime.block_on(FakeRegistry::start());
    let mut shelf = &registry;
    let absent = |number: usize| describe(media_type::OCI_MANIFEST, number.to_string().as_bytes());
    let entries: Vec<Value> = (0..10_001).map(absent).collect();
    shelf.manifest(Some("wide"), &index(&entries));
    let run =
        Stage::new().run(&format!("verify --recursive --key {} {}/app:wide", key_pair().1, registry.host()));
    run.failed(&["10000"]);
    assert!(registry.requests().len() < 10);
}
