//! SBOMs: the right packages, the same bytes, and files where they were asked for.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::stage::{Stage, assert_follows, repository};

#[test]
fn the_shipped_image_has_exactly_the_packages_that_its_package_managers_say() {
    let stage = Stage::with_image();
    stage.run(&["sbom", "-o", "cyclonedx-json=c.json", "-o", "spdx-json=s.json", "oci:image:app"]).ok();
    let found: BTreeSet<(String, String)> = components(&stage)
        .iter()
        .filter_map(|component| {
            let purl = component["purl"].as_str()?;
            let ecosystem = purl.strip_prefix("pkg:")?.split('/').next()?.to_owned();
            Some((ecosystem, format!("{}@{}", name(component), component["version"].as_str()?)))
        })
        .collect();
    let expected = expected();
    let missing: Vec<_> = expected.difference(&found).collect();
    let surplus: Vec<_> = found.difference(&expected).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "missing {missing:?}, surplus {surplus:?}");
}

fn components(stage: &Stage) -> Vec<Value> {
    let document: Value = serde_json::from_slice(&stage.read("c.json")).unwrap();
    let components = document["components"].as_array().unwrap();
    components.iter().filter(|component| component["type"] != "operating-system").cloned().collect()
}

fn name(component: &Value) -> String {
    let name = component["name"].as_str().unwrap();
    match component["group"].as_str() {
        Some(group) => format!("{group}/{name}"),
        None => name.to_owned(),
    }
}

fn expected() -> BTreeSet<(String, String)> {
    let path = repository().join("testdata/images/expected.json");
    let document: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut expected = BTreeSet::new();
    for (ecosystem, packages) in document.as_object().unwrap() {
        for package in packages.as_array().into_iter().flatten() {
            let (name, version) = (package["name"].as_str().unwrap(), package["version"].as_str().unwrap());
            expected.insert((ecosystem.clone(), format!("{name}@{version}")));
        }
    }
    expected
}

#[test]
fn the_same_image_gives_the_same_bytes_wherever_it_lies() {
    let (one, two) = (Stage::with_image(), Stage::with_image());
    for format in ["cyclonedx-json", "spdx-json", "json"] {
        let first = one.run(&["sbom", "-o", format, "oci:image:app"]).ok().stdout;
        assert_eq!(first, two.run(&["sbom", "-o", format, "oci:image:app"]).ok().stdout, "{format}");
    }
}

#[test]
fn source_date_epoch_sets_the_time_and_nonsense_is_refused() {
    let stage = Stage::with_image();
    let sbom = ["sbom", "-o", "spdx-json", "oci:image:app"];
    let run = stage.run_with(&sbom, &[("SOURCE_DATE_EPOCH", "86400")]).ok();
    assert_eq!(run.json()["creationInfo"]["created"], "1970-01-02T00:00:00Z");
    stage.run_with(&sbom, &[("SOURCE_DATE_EPOCH", "yesterday")]).undecided();
}

#[test]
fn a_table_is_for_people() {
    let stage = Stage::with_image();
    let run = stage.run(&["sbom", "oci:image:app"]).ok();
    assert!(run.stdout.starts_with("NAME"), "{}", run.stdout);
    assert!(run.stdout.contains("zlib1g"), "{}", run.stdout);
}

#[test]
fn a_directory_is_scanned_like_an_image() {
    let stage = Stage::empty();
    std::fs::create_dir_all(stage.path("root/node_modules/left")).unwrap();
    stage.write("root/node_modules/left/package.json", r#"{"name":"left","version":"1.2.3"}"#);
    let run = stage.run(&["sbom", "-o", "json", "dir:root"]).ok();
    assert!(run.stdout.contains("pkg:npm/left@1.2.3"), "{}", run.stdout);
}

#[test]
fn an_sbom_is_attached_signed_in_either_format() {
    for (flag, predicate_type) in [("--attest", "cyclonedx"), ("--attest=spdx-json", "spdxjson")] {
        let stage = Stage::with_image();
        let run = stage.run(&["sbom", flag, "--key", "release.key", "oci:image:app"]).ok();
        assert_eq!(run.stdout, "");
        assert!(run.stderr.contains("attached to"), "{}", run.stderr);
        let verify =
            ["verify-attestation", "--key", "release.pub", "--type", predicate_type, "oci:image:app"];
        let statement = &stage.run(&verify).ok().json()["statement"];
        assert!(statement["predicate"].to_string().contains("zlib1g"), "{statement}");
        let wrong = ["verify-attestation", "--key", "other.pub", "--type", predicate_type, "oci:image:app"];
        stage.run(&wrong).denied();
    }
}

#[test]
fn every_format_comes_from_one_scan_and_reads_as_the_same_packages() {
    let stage = Stage::with_image();
    let formats = [
        "cyclonedx-json@1.5",
        "cyclonedx-json@1.6",
        "cyclonedx-json@1.7",
        "spdx-json@2.3",
        "spdx-json@3.0.1",
    ];
    let outputs: Vec<String> = formats.iter().map(|format| format!("{format}={format}.json")).collect();
    let mut arguments = vec!["sbom", "oci:image:app", "--supplier", "Acme"];
    arguments.extend(outputs.iter().flat_map(|output| ["-o", output]));
    stage.run(&arguments).ok();
    let [first, others @ ..] = &formats;
    for other in others {
        let run = stage.run(&[
            "sbom",
            "diff",
            "--exit-code",
            &format!("{first}.json"),
            &format!("sbom:{other}.json"),
        ]);
        let run = run.ok();
        assert!(run.stdout.starts_with("0 added, 0 removed, 0 changed, "), "{other}: {}", run.stdout);
    }
    assert!(String::from_utf8(stage.read("spdx-json@2.3.json")).unwrap().contains("Organization: Acme"));
}

#[test]
fn what_a_format_has_no_place_for_is_told() {
    let stage = Stage::empty();
    stage.write(
        "a.json",
        r#"{"bomFormat":"CycloneDX","specVersion":"1.7","services":[{"name":"s"}],"citations":[],
            "components":[{"type":"library","name":"left","version":"1","purl":"pkg:npm/left@1"}]}"#,
    );
    let run = stage.run(&["sbom", "convert", "a.json", "-o", "spdx-json=a.spdx.json"]).ok();
    assert!(run.stderr.contains("spdx-json@2.3 has no place for services"), "{}", run.stderr);
    let run = stage.run(&["sbom", "convert", "--strict", "a.json", "-o", "cyclonedx-json@1.5"]).undecided();
    assert!(run.stderr.contains("cyclonedx-json@1.5 has no place for citations"), "{}", run.stderr);
    assert_eq!(run.json()["services"][0]["name"], "s");
    let run = stage.run(&["sbom", "sbom:a.spdx.json", "-o", "cyclonedx-json"]).ok();
    // What an SPDX document describes is what it is about.
    assert_eq!(run.json()["metadata"]["component"]["purl"], "pkg:npm/left@1");
    stage.run(&["sbom", "sbom:a.json", "-o", "json"]).undecided();
    stage.write("broken.json", r#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{}]}"#);
    let run = stage.run(&["sbom", "convert", "broken.json", "-o", "table"]).undecided();
    assert!(run.stderr.contains("/components/0"), "{}", run.stderr);
}

#[test]
fn differences_are_listed_and_exit_with_1_if_asked() {
    let stage = Stage::empty();
    let package = |name: &str, version: &str, layer: u32| {
        format!(
            r#"{{"type":"library","name":"{name}","version":"{version}","purl":"pkg:npm/{name}@{version}",
                "properties":[{{"name":"touchmark:layer","value":"{layer}"}}]}}"#
        )
    };
    let document = |packages: &[String]| {
        format!(r#"{{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{}]}}"#, packages.join(","))
    };
    stage.write(
        "a.json",
        &document(&[package("left", "1", 0), package("gone", "1", 2), package("same", "1", 0)]),
    );
    stage.write(
        "b.json",
        &document(&[package("left", "2", 1), package("new", "1", 3), package("same", "1", 0)]),
    );
    let run = stage.run(&["sbom", "diff", "--by-layer", "a.json", "b.json"]).ok();
    let layers: Vec<&str> =
        run.stdout.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(layers, ["1", "2", "3", "1"], "{}", run.stdout);
    assert!(run.stdout.ends_with("1 added, 1 removed, 1 changed, 1 unchanged\n"), "{}", run.stdout);
    let run = stage.run(&["sbom", "diff", "--exit-code", "-o", "json", "a.json", "b.json"]).denied();
    assert_follows("sbom-diff.v1.json", &run.json());
    assert_eq!(run.json()["changed"][0]["what"], serde_json::json!(["version", "layer"]));
    stage.run(&["sbom", "diff", "--exit-code", "a.json", "a.json"]).ok();
}
