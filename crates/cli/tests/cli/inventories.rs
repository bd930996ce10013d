//! Inventories of images that were built on others, for several platforms, with layers that nobody can read, and of single files.

use serde_json::{Value, json};
use touchmark_oci::Digest;

use crate::made::{Entry, Layout, Shelf, describe, gzip, index, manifest, tar};
use crate::stage::Stage;

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const BASH: &str = "Package: bash\nStatus: install ok installed\nVersion: 5\nArchitecture: amd64\n\n";
const CURL: &str = "Package: curl\nStatus: install ok installed\nVersion: 8\nArchitecture: amd64\n\n";

fn database(packages: &[&str]) -> Vec<u8> {
    tar(&[("var/lib/dpkg/status", Entry::File(packages.concat().as_bytes()))])
}

/// What an image is made of: media types and bytes of its layers, its configuration's history, its manifest's annotations.
struct Made<'a> {
    tag: Option<&'a str>,
    architecture: &'a str,
    layers: Vec<(&'a str, Vec<u8>)>,
    history: Value,
    annotations: Value,
}

impl Made<'_> {
    fn of(layers: Vec<Vec<u8>>) -> Self {
        let layers = layers.into_iter().map(|layer| (LAYER, layer)).collect();
        Self { tag: Some("app"), architecture: "amd64", layers, history: json!([]), annotations: json!({}) }
    }

    fn keep(&self, layout: &mut Layout) -> Value {
        let diff_ids: Vec<String> =
            self.layers.iter().map(|(_, layer)| Digest::of(layer).to_string()).collect();
        let layers: Vec<Value> =
            self.layers.iter().map(|(media_type, layer)| layout.blob(media_type, layer)).collect();
        let config = json!({
            "architecture": self.architecture, "os": "linux", "history": self.history,
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        let config = layout.blob(CONFIG, config.to_string().as_bytes());
        let mut manifest = manifest(&config, &layers);
        manifest["annotations"] = self.annotations.clone();
        match self.tag {
            Some(tag) => layout.manifest(Some(tag), &manifest),
            None => {
                layout.blob("application/vnd.oci.image.manifest.v1+json", manifest.to_string().as_bytes())
            }
        }
    }
}

fn two_layers() -> Made<'static> {
    Made::of(vec![database(&[BASH]), database(&[BASH, CURL])])
}

fn in_base(document: &Value) -> Vec<&str> {
    let packages = document["packages"].as_array().unwrap().iter();
    packages
        .filter(|one| one["history"]["in_base"] == true)
        .map(|one| one["name"].as_str().unwrap())
        .collect()
}

#[test]
fn the_base_image_that_is_named_marks_its_packages() {
    let stage = Stage::empty();
    let mut layout = Layout::new(&stage, "image");
    two_layers().keep(&mut layout);
    Made { tag: Some("base"), ..Made::of(vec![database(&[BASH])]) }.keep(&mut layout);
    Made { tag: Some("other"), ..Made::of(vec![database(&[CURL])]) }.keep(&mut layout);
    let found = stage.run(&["sbom", "-o", "json", "--base", "oci:image:base", "oci:image:app"]).ok().json();
    assert_eq!(in_base(&found), ["bash"]);
    assert_eq!((&found["base"]["layers"], &found["base"]["recognised_by"]), (&json!(1), &json!("layers")));
    let table = stage.run(&["sbom", "--base", "oci:image:base", "oci:image:app"]).ok().stdout;
    assert!(table.contains("0 base"), "{table}");
    let wrong = stage.run(&["sbom", "--base", "oci:image:other", "oci:image:app"]).undecided();
    assert!(wrong.stderr.contains("is not the base of"), "{}", wrong.stderr);
    stage.run(&["sbom", "--base", "oci:image:base", "dir:image"]).undecided();
}

#[test]
fn the_base_image_that_annotations_name_is_looked_up_where_the_image_is() {
    let stage = Stage::empty();
    let mut layout = Layout::new(&stage, "image");
    let base = Made { tag: Some("base"), ..Made::of(vec![database(&[BASH])]) }.keep(&mut layout);
    let annotations = |digest: &Value| {
        json!({ "org.opencontainers.image.base.name": "registry.example/debian:12",
                "org.opencontainers.image.base.digest": digest })
    };
    Made { annotations: annotations(&base["digest"]), ..two_layers() }.keep(&mut layout);
    let found = stage.run(&["sbom", "-o", "json", "oci:image:app"]).ok().json();
    assert_eq!(in_base(&found), ["bash"]);
    assert_eq!(found["base"]["recognised_by"], "annotations");
    assert_eq!(found["base"]["name"], "registry.example/debian:12");
    // One that is not here is told, with no layers.
    let absent = json!(Digest::of(b"absent"));
    let mut layout = Layout::new(&stage, "elsewhere");
    Made { annotations: annotations(&absent), ..two_layers() }.keep(&mut layout);
    let found = stage.run(&["sbom", "-o", "json", "oci:elsewhere:app"]).ok().json();
    assert_eq!((&found["base"]["layers"], &found["base"]["digest"]), (&json!(0), &absent));
    assert!(in_base(&found).is_empty());
}

#[test]
fn without_either_the_builds_history_suggests_the_base() {
    let stage = Stage::empty();
    let history = json!([
        { "created_by": "# debian.sh" },
        { "created_by": "/bin/sh -c #(nop)  CMD [\"bash\"]", "empty_layer": true },
        { "created_by": "RUN apt-get install curl" },
    ]);
    Made { history, ..two_layers() }.keep(&mut Layout::new(&stage, "image"));
    let found = stage.run(&["sbom", "-o", "json", "oci:image:app"]).ok().json();
    assert_eq!(in_base(&found), ["bash"]);
    assert_eq!(found["base"]["recognised_by"], "build-history");
}

#[test]
fn removed_packages_are_listed_when_asked_for() {
    let stage = Stage::empty();
    Made::of(vec![database(&[BASH, CURL]), database(&[BASH])]).keep(&mut Layout::new(&stage, "image"));
    let table = stage.run(&["sbom", "--removed", "oci:image:app"]).ok().stdout;
    assert!(table.contains("curl") && !table.contains("bash"), "{table}");
    let found = stage.run(&["sbom", "-o", "json", "oci:image:app"]).ok().json();
    assert_eq!(found["removed"][0]["name"], "curl");
}

#[test]
fn every_platform_of_an_index_has_a_document_of_its_own() {
    let stage = Stage::empty();
    let mut layout = Layout::new(&stage, "image");
    let mut entries = Vec::new();
    for (architecture, package) in [("amd64", BASH), ("arm64", CURL), ("unknown", BASH)] {
        let image = Made { tag: None, architecture, ..Made::of(vec![database(&[package])]) };
        let mut entry = image.keep(&mut layout);
        let os = if architecture == "unknown" { "unknown" } else { "linux" };
        entry["platform"] = json!({ "architecture": architecture, "os": os });
        entries.push(entry);
    }
    layout.manifest(Some("app"), &index(&entries));
    stage
        .run(&["sbom", "--platform", "all", "-o", "json={platform}.json", "-o", "table", "oci:image:app"])
        .ok();
    let read = |name: &str| serde_json::from_slice::<Value>(&stage.read(name)).unwrap();
    assert_eq!(read("linux-amd64.json")["packages"][0]["name"], "bash");
    assert_eq!(read("linux-arm64.json")["packages"][0]["name"], "curl");
    assert!(!stage.path("unknown-unknown.json").exists());
    let one = stage.run(&["sbom", "--platform", "linux/arm64", "-o", "json", "oci:image:app"]).ok().json();
    assert_eq!(one["packages"][0]["name"], "curl");
    let mixed = stage.run(&["sbom", "--platform", "all", "-o", "json=one.json", "oci:image:app"]).undecided();
    assert!(mixed.stderr.contains("{platform}"), "{}", mixed.stderr);
    assert!(!stage.path("one.json").exists());
}

#[test]
fn layers_that_nobody_can_read_here_are_named_and_strict_refuses() {
    let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    for (media_type, reason, present) in [
        ("application/vnd.oci.image.layer.v1.tar+gzip+encrypted", "layer-encrypted", true),
        ("application/vnd.wasm.content.layer.v1+wasm", "layer-not-scanned", true),
        (foreign, "layer-elsewhere", false),
    ] {
        let stage = Stage::empty();
        let mut layout = Layout::new(&stage, "image");
        let mut image = two_layers();
        let unreadable = gzip(b"not for us");
        let path = layout.path_of(&describe("", &unreadable));
        image.layers.push((media_type, unreadable));
        image.keep(&mut layout);
        if !present {
            std::fs::remove_file(path).unwrap();
        }
        let run = stage.run(&["sbom", "-o", "json", "oci:image:app"]).ok();
        assert_eq!(run.json()["gaps"], json!([{ "layer": 2, "reason": reason }]), "{media_type}");
        assert!(run.stderr.contains("incomplete: 1 things"), "{}", run.stderr);
        let table = stage.run(&["-q", "sbom", "oci:image:app"]).ok();
        assert!(table.stderr.trim_end().ends_with("packages may be missing"), "{}", table.stderr);
        stage.run(&["sbom", "--strict", "oci:image:app"]).undecided();
        stage.run(&["sbom", "--strict", "--attest", "--key", "none.key", "oci:image:app"]).undecided();
    }
}

#[test]
fn a_foreign_layer_that_is_there_is_read_like_any_other() {
    let stage = Stage::empty();
    let mut image = two_layers();
    image.layers[0].0 = "application/vnd.oci.image.layer.nondistributable.v1.tar";
    image.keep(&mut Layout::new(&stage, "image"));
    let found = stage.run(&["sbom", "--strict", "-o", "json", "oci:image:app"]).ok().json();
    assert_eq!(found["packages"].as_array().unwrap().len(), 2);
}

#[test]
fn a_single_file_is_scanned_and_named_by_its_digest() {
    let stage = Stage::empty();
    std::fs::create_dir(stage.path("six.egg-info")).unwrap();
    stage.write("six-1.16.egg-info", "Name: six\nVersion: 1.16\n");
    let run = stage.run(&["sbom", "--strict", "-o", "json", "file:six-1.16.egg-info"]).ok();
    let found = run.json();
    assert_eq!(found["packages"][0]["purl"], "pkg:pypi/six@1.16");
    let digest = Digest::of(b"Name: six\nVersion: 1.16\n").to_string();
    assert_eq!(found["subject"], json!({ "kind": "file", "name": "six-1.16.egg-info", "digest": digest }));
    for format in ["cyclonedx-json", "spdx-json"] {
        let document = stage.run(&["sbom", "-o", format, "file:six-1.16.egg-info"]).ok().stdout;
        assert!(document.contains("pkg:pypi/six@1.16"), "{document}");
    }
    stage.write("notes.txt", "nothing of the kind");
    let run = stage.run(&["sbom", "-o", "json", "file:notes.txt"]).ok();
    assert_eq!(run.json()["gaps"], json!([{ "reason": "not-recognised" }]));
    stage.run(&["sbom", "--strict", "file:notes.txt"]).undecided();
    for source in ["file:absent", "file:six.egg-info", "file:/dev/zero"] {
        stage.run(&["sbom", source]).undecided();
    }
}

#[test]
fn only_images_have_a_place_for_attestations() {
    let stage = Stage::empty();
    stage.write("six-1.16.egg-info", "Name: six\nVersion: 1.16\n");
    let run = stage.run(&["sbom", "--attest", "file:six-1.16.egg-info"]).undecided();
    assert!(run.stderr.contains("no place to attach"), "{}", run.stderr);
    stage.run(&["sbom", "--attest=table", "oci:image:app"]).undecided();
}

#[test]
fn a_pipe_in_a_directory_is_passed_by() {
    let stage = Stage::empty();
    std::fs::create_dir_all(stage.path("root/node_modules/a")).unwrap();
    let made =
        std::process::Command::new("mkfifo").arg(stage.path("root/node_modules/a/package.json")).status();
    assert!(made.unwrap().success());
    let found = stage.run(&["sbom", "--strict", "-o", "json", "dir:root"]).ok().json();
    assert_eq!(found["packages"], json!([]));
}
