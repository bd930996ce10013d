//! Layers that inflate without end, lie about their sizes, or reach out of the image.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use serde_json::json;
use touchmark_oci::Digest;

use crate::images::{Entry, Layout, Shelf, gzip, header, tar};
use crate::stage::{Run, Stage};

const GZIP_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// A package database that no scan may see, because it is outside.
const STOLEN: &[u8] = b"Package: stolen\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n";
const OWN: &[u8] = b"Package: own\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n";

fn scan(stage: &Stage, layers: &[Vec<u8>]) -> Run {
    Layout::new(stage, "image").image(layers);
    stage.run("sbom -o json oci:image:app")
}

/// A stage with a package database outside every image, and its path.
fn with_secret() -> (Stage, PathBuf) {
    let stage = Stage::new();
    stage.write("outside/var/lib/dpkg/status", STOLEN);
    let path = stage.path("outside/var/lib/dpkg/status");
    (stage, path)
}

#[test]
fn a_decompression_bomb_is_given_up_on() {
    // Members of zeros, one after the other, inside the one file of an archive: 2 GiB from 2 MiB.
    let part = gzip(&vec![0; 64 << 20]);
    let mut bomb = gzip(&header("zeros", b'0', "", 2 << 30));
    (0..32).for_each(|_| bomb.extend_from_slice(&part));
    let stage = Stage::new();
    let mut layout = Layout::new(&stage, "image");
    let layer = layout.blob(GZIP_LAYER, &bomb);
    let digest = layer["digest"].as_str().unwrap().to_owned();
    layout.image_of(vec![(layer, Digest::of(b"unknown").to_string())]);
    stage.run("sbom oci:image:app").failed(&["cannot scan layer", &digest, "bytes"]);
}

#[test]
fn layers_that_are_no_archives_are_errors() {
    let honest = gzip(&tar(&[("var/lib/dpkg/status", Entry::File(OWN))]));
    let mut flipped = honest.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x55;
    for bytes in [b"garbage".to_vec(), honest[..honest.len() / 2].to_vec(), flipped, b"\x1f\x8b".to_vec()] {
        let stage = Stage::new();
        let mut layout = Layout::new(&stage, "image");
        let layer = layout.blob(GZIP_LAYER, &bytes);
        let digest = layer["digest"].as_str().unwrap().to_owned();
        layout.image_of(vec![(layer, Digest::of(b"unknown").to_string())]);
        stage.run("sbom oci:image:app").failed(&["cannot scan layer", &digest]);
    }
}

#[test]
fn a_layer_that_is_not_what_the_configuration_says_is_an_error() {
    let stage = Stage::new();
    let mut layout = Layout::new(&stage, "image");
    let layer = layout.blob(GZIP_LAYER, &gzip(&tar(&[("var/lib/dpkg/status", Entry::File(OWN))])));
    layout.image_of(vec![(layer, Digest::of(b"something else").to_string())]);
    stage.run("sbom oci:image:app").failed(&["cannot scan layer"]);
    let stage = Stage::new();
    let mut layout = Layout::new(&stage, "image");
    let layer = tar(&[]);
    let described = layout.blob("application/vnd.oci.image.layer.v1.tar", &layer);
    for size in [json!(1), json!(1_u64 << 40)] {
        let mut lying = described.clone();
        lying["size"] = size;
        layout.image_of(vec![(lying, Digest::of(&layer).to_string())]);
        stage.run("sbom oci:image:app").failed(&["oci:image"]);
    }
}

#[test]
fn entries_with_lying_sizes_are_errors() {
    for size in [1_u64 << 32, 0o77_777_777_777] {
        let mut layer = header("var/lib/dpkg/status", b'0', "", size);
        layer.extend_from_slice(OWN);
        scan(&Stage::new(), &[layer]).failed(&["cannot scan layer"]);
    }
    // A long name (GNU's `L`) that would fill the memory.
    let mut layer = header("././@LongLink", b'L', "", 8 << 30);
    layer.extend_from_slice(&[b'a'; 4096]);
    scan(&Stage::new(), &[layer]).failed(&["cannot scan layer"]);
}

#[test]
fn a_layer_that_climbs_out_reads_and_writes_nothing_outside() {
    let (stage, secret) = with_secret();
    let absolute = secret.to_str().unwrap();
    let climbing = format!("../../../../../../../../../..{absolute}");
    let before = stage.files().len();
    for layer in [
        tar(&[("var/lib/dpkg/status", Entry::Symlink(absolute))]),
        tar(&[("var/lib/dpkg/status", Entry::Symlink(&climbing))]),
        tar(&[("var/lib/dpkg/status", Entry::Hardlink(absolute))]),
        tar(&[("var/lib/dpkg/status", Entry::Hardlink(&climbing))]),
        tar(&[("var", Entry::Symlink(stage.path("outside/var").to_str().unwrap()))]),
        tar(&[("../../../../../../../tmp/evil", Entry::File(OWN))]),
        tar(&[("/tmp/evil", Entry::File(OWN))]),
        tar(&[("a/../../b", Entry::File(OWN)), ("..", Entry::Symlink("/"))]),
        tar(&[("../../.wh.etc", Entry::File(b"")), (".wh...", Entry::File(b"")), (".wh.", Entry::File(b""))]),
    ] {
        let run = scan(&stage, &[layer]).done();
        run.json();
        assert!(!run.stdout.contains("stolen"), "{}", run.stdout);
        std::fs::remove_dir_all(stage.path("image")).unwrap();
        assert_eq!(stage.files().len(), before);
    }
}

#[test]
fn links_stay_inside_the_image_that_has_them() {
    let (stage, _) = with_secret();
    let layer =
        tar(&[("var/lib/dpkg/status", Entry::Symlink("../../../../../real")), ("real", Entry::File(OWN))]);
    let run = scan(&stage, &[layer]).done();
    let gap = &run.json()["gaps"][0];
    assert_eq!((&gap["path"], &gap["target"]), (&json!("var/lib/dpkg/status"), &json!("real")));
}

#[test]
fn links_in_circles_end() {
    for layer in [
        tar(&[("var/lib/dpkg/status", Entry::Symlink("status"))]),
        tar(&[("var", Entry::Symlink("rav")), ("rav", Entry::Symlink("var"))]),
        tar(&[("var/lib", Entry::Symlink("../var/lib/dpkg/..")), ("etc", Entry::Symlink("etc/etc/etc"))]),
        tar(&[("var/lib/dpkg/status", Entry::Hardlink("var/lib/dpkg/status"))]),
        tar(&[("a", Entry::Hardlink("b")), ("b", Entry::Hardlink("a"))]),
    ] {
        scan(&Stage::new(), &[layer]).done().json();
    }
    let mut chain: Vec<(String, String)> =
        (0..500).map(|n| (format!("l{n}"), format!("l{}", n + 1))).collect();
    chain.push(("var/lib/dpkg".to_owned(), "/l0".to_owned()));
    let entries: Vec<(&str, Entry<'_>)> =
        chain.iter().map(|(name, target)| (name.as_str(), Entry::Symlink(target))).collect();
    scan(&Stage::new(), &[tar(&entries)]).done().json();
}

#[test]
fn links_out_of_a_directory_are_not_followed() {
    let (stage, secret) = with_secret();
    std::fs::create_dir_all(stage.path("root/var/lib/dpkg")).unwrap();
    symlink(&secret, stage.path("root/var/lib/dpkg/status")).unwrap();
    symlink("../../outside/var", stage.path("root/other")).unwrap();
    symlink("loop", stage.path("root/loop")).unwrap();
    symlink("..", stage.path("root/up")).unwrap();
    let run = stage.run("sbom -o json dir:root").done();
    assert!(!run.stdout.contains("stolen"), "{}", run.stdout);
    let strict = stage.run("sbom --strict -o json dir:root");
    assert!(!strict.stdout.contains("stolen"), "{}", strict.stdout);
}

#[test]
fn more_layers_than_the_configuration_knows_are_an_error() {
    let stage = Stage::new();
    let mut layout = Layout::new(&stage, "image");
    let layer = layout.blob("application/vnd.oci.image.layer.v1.tar", &tar(&[]));
    let config = layout.blob(
        "application/vnd.oci.image.config.v1+json",
        br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#,
    );
    layout.manifest(Some("app"), &crate::images::manifest(&config, &[layer]));
    stage.run("sbom oci:image:app").failed(&["1 layers", "0"]);
}

#[test]
fn archives_that_reach_out_are_errors() {
    let (stage, secret) = with_secret();
    let index = br#"{"schemaVersion":2,"manifests":[]}"#;
    for (name, archive) in [
        ("link", tar(&[("index.json", Entry::Symlink(secret.to_str().unwrap()))])),
        ("hard", tar(&[("index.json", Entry::Hardlink(secret.to_str().unwrap()))])),
        (
            "circle",
            tar(&[
                ("index.json", Entry::Symlink("index.json")),
                ("manifest.json", Entry::Symlink("manifest.json")),
            ]),
        ),
        ("climb", tar(&[("../index.json", Entry::File(index)), ("oci-layout", Entry::File(b"{}"))])),
        ("cut", tar(&[("index.json", Entry::File(index))])[..600].to_vec()),
        ("empty", tar(&[])),
        (
            "path",
            tar(&[(
                "manifest.json",
                Entry::File(
                    br#"[{"Config":"../../etc/passwd","RepoTags":["app:app"],"Layers":["/etc/passwd"]}]"#,
                ),
            )]),
        ),
    ] {
        stage.write(name, archive);
        for kind in ["oci-archive", "docker-archive"] {
            let run = stage.run(&format!("sbom -o json {kind}:{name}")).failed(&[name]);
            assert!(!run.stderr.contains("stolen"), "{}", run.stderr);
        }
    }
}
