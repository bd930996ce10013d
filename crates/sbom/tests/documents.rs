//! Documents about real package databases (`testdata/sbom`), judged by the formats' own schemas (`testdata/schemas`).

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use serde_json::Value;
use touchmark_oci::{Digest, ImageName};
use touchmark_sbom::{
    Compression, CycloneDxVersion, DirectoryEntry, DirectoryEntryKind, DocumentOptions, Ecosystem, Format,
    ImageSubject, Inventory, LayerScan, Limits, Party, ReadLimits, SbomDiff, SbomDocument, Subject,
    cyclonedx, json, scan_directory, scan_layer, spdx,
};

mod schemas;

use schemas::{cyclonedx_validator, schema};

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata")
}

fn walk(top: &Path, below: &str, entries: &mut Vec<DirectoryEntry<'static>>) {
    let listed = fs::read_dir(top.join(below)).unwrap();
    let mut names: Vec<String> =
        listed.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    for name in names {
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        let full = top.join(&path);
        let metadata = fs::symlink_metadata(&full).unwrap();
        if metadata.is_dir() {
            entries.push(DirectoryEntry { path: path.clone(), kind: DirectoryEntryKind::Directory });
            walk(top, &path, entries);
        } else if metadata.is_symlink() {
            let target = fs::read_link(&full).unwrap().to_str().unwrap().to_owned();
            entries.push(DirectoryEntry { path, kind: DirectoryEntryKind::Symlink { target } });
        } else {
            let open = Box::new(move || Ok(Box::new(File::open(full)?) as Box<dyn Read>));
            let kind = DirectoryEntryKind::File { size: metadata.len(), open };
            entries.push(DirectoryEntry { path, kind });
        }
    }
}

fn real() -> Inventory {
    let mut entries = Vec::new();
    walk(&testdata().join("sbom"), "", &mut entries);
    for entry in &mut entries {
        // The Debian files stand in a directory of their own; an image has them at its root.
        entry.path = entry.path.strip_prefix("debian/").unwrap_or(&entry.path).to_owned();
    }
    let scan = scan_directory(entries, &Limits::default()).unwrap();
    Inventory::from_directory(Subject::Directory { name: "fixtures".into() }, scan, &Limits::default())
}

fn broken_image() -> Inventory {
    let image = ImageName::Repository { registry: "ghcr.io".into(), repository: "acme/app".into() };
    let created = Some("2024-05-06T07:08:09.123456789Z".into());
    let subject = ImageSubject::new(&image, Digest::of(b"m")).with_created(created);
    let empty = scan_layer([0; 1024].as_slice(), Compression::None, None, &Limits::default()).unwrap();
    let layers = vec![empty, LayerScan::not_scanned(Some(Digest::of(b"x")))];
    Inventory::from_layers(Subject::Image(subject), layers, &Limits::default())
}

fn assert_valid(validator: &Validator, document: &[u8]) {
    let document: Value = serde_json::from_slice(document).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&document)
        .map(|error| format!("{error} at {}", error.instance_path()))
        .collect();
    assert_eq!(errors, Vec::<String>::new());
}

#[test]
fn cyclonedx_documents_are_valid() {
    for version in [CycloneDxVersion::V1_5, CycloneDxVersion::V1_6, CycloneDxVersion::V1_7] {
        let validator = cyclonedx_validator(version.name());
        for inventory in [real(), broken_image()] {
            let document = Format::CycloneDx(version).write(&inventory, &DocumentOptions::default());
            assert_valid(&validator, &document);
        }
        let nothing = serde_json::json!({ "bomFormat": "CycloneDX" });
        assert!(!validator.is_valid(&nothing), "the schema is in force");
    }
}

#[test]
fn spdx_documents_are_valid() {
    let validator = jsonschema::validator_for(&schema("spdx-2.3.schema.json")).unwrap();
    for inventory in [real(), broken_image()] {
        assert_valid(&validator, &spdx::to_json(&inventory, &DocumentOptions::default()));
    }
    assert!(!validator.is_valid(&serde_json::json!({ "spdxVersion": "SPDX-2.3" })), "the schema is in force");
}

#[test]
fn the_inventory_as_json_follows_its_schema() {
    let path = testdata().join("../docs/schemas/sbom.v1.json");
    let validator = jsonschema::validator_for(&parsed(&fs::read(path).unwrap())).unwrap();
    for inventory in [real(), broken_image()] {
        assert_valid(&validator, &json::to_json(&inventory, &DocumentOptions::default()));
    }
    assert!(!validator.is_valid(&serde_json::json!({ "schemaVersion": 2 })), "the schema is in force");
}

/// An element of an SPDX 3 graph names only elements that are there.
#[test]
fn every_address_in_spdx_3_leads_to_an_element() {
    for inventory in [real(), broken_image()] {
        let format: Format = "spdx-json@3.0.1".parse().unwrap();
        let document = parsed(&format.write(&inventory, &DocumentOptions::default()));
        let elements = || all(&document, "@graph");
        let known: BTreeSet<&str> = elements().filter_map(|element| element["spdxId"].as_str()).collect();
        assert_eq!(known.len() + 1, elements().count(), "all but the creation have an address of their own");
        let spdx_document = elements().find(|element| element["type"] == "SpdxDocument").unwrap();
        let listed: BTreeSet<&str> = all(spdx_document, "element").filter_map(Value::as_str).collect();
        assert_eq!(listed.len(), known.len() - 1, "the document lists every element but itself");
        let single = ["from", "subject", "suppliedBy", "dataLicense"];
        let several = ["to", "element", "rootElement"];
        for element in elements() {
            let one = single.iter().filter_map(|member| element[*member].as_str());
            let more = several.iter().flat_map(|member| all(element, member)).filter_map(Value::as_str);
            for address in one.chain(more) {
                assert!(known.contains(address), "{address} of {element}");
            }
        }
    }
}

/// What holds between components, by the identifiers that every format has alike.
fn edges(document: &SbomDocument) -> BTreeSet<(String, String)> {
    document.edges().map(|edge| (edge.from.clone(), edge.to.clone())).collect()
}

#[test]
fn what_is_written_in_any_format_reads_as_the_same_graph() {
    for inventory in [real(), broken_image()] {
        let options = DocumentOptions::default();
        let original = SbomDocument::of_inventory(&inventory, &options);
        for format in Format::WRITTEN {
            let read =
                SbomDocument::read(&format.write(&inventory, &options), &ReadLimits::default()).unwrap();
            assert_eq!(read.read_from(), Some(format));
            assert_eq!(edges(&read), edges(&original), "{format}");
            assert_eq!(read.gaps(), original.gaps(), "{format}");
            assert_eq!(read.subject().unwrap().id, original.subject().unwrap().id, "{format}");
            let ids = |document: &SbomDocument| -> BTreeSet<String> {
                document.components().iter().map(|component| component.id.clone()).collect()
            };
            assert_eq!(ids(&read), ids(&original), "{format}");
            for component in read.components() {
                let before = original.components().iter().find(|before| before.id == component.id).unwrap();
                assert_eq!(component.purl, before.purl, "{format}");
                assert_eq!(component.version, before.version, "{format}");
                assert_eq!(component.declared, before.declared, "{format}");
                assert_eq!(component.properties, before.properties, "{format}");
            }
            assert!(SbomDiff::between(&original, &read).is_empty(), "{format}");
        }
    }
}

#[test]
fn a_document_that_goes_through_the_other_family_and_back_has_the_same_packages() {
    let limits = ReadLimits::default();
    let original = cyclonedx::to_json(&real(), &DocumentOptions::default());
    for between in ["spdx-json@2.3", "spdx-json@3.0.1"] {
        let there = SbomDocument::read(&original, &limits).unwrap().convert(between.parse().unwrap());
        assert_eq!(there.left_out, [], "{between}");
        let back = SbomDocument::read(&there.bytes, &limits).unwrap().convert(Format::CYCLONEDX);
        let (before, after) = (parsed(&original), parsed(&back.bytes));
        assert_eq!(before["dependencies"], after["dependencies"], "{between}");
        let purls = |document: &Value| -> BTreeSet<String> {
            all(document, "components").map(|component| component["purl"].to_string()).collect()
        };
        assert_eq!(purls(&before), purls(&after), "{between}");
    }
}

#[test]
fn real_databases_are_read_whole() {
    let inventory = real();
    assert_eq!(inventory.gaps(), []);
    assert_eq!(inventory.distribution().unwrap().id, "debian");
    let mut counts = BTreeMap::new();
    for package in inventory.packages() {
        *counts.entry(package.ecosystem).or_insert(0) += 1;
    }
    // As many as the package managers list: testdata/sbom/README.md.
    let expected = [(Ecosystem::Deb, 20), (Ecosystem::Npm, 60), (Ecosystem::Pypi, 13), (Ecosystem::Cargo, 3)];
    assert_eq!(counts, BTreeMap::from(expected));
}

fn parsed(document: &[u8]) -> Value {
    serde_json::from_slice(document).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn all<'a>(document: &'a Value, member: &str) -> impl Iterator<Item = &'a Value> {
    document[member].as_array().into_iter().flatten()
}

fn reached(from: &str, next: &BTreeMap<String, Vec<String>>) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from.to_owned()];
    while let Some(place) = open.pop() {
        if reached.insert(place.clone()) {
            open.extend(next.get(&place).into_iter().flatten().cloned());
        }
    }
    reached
}

#[test]
fn every_package_has_a_path_from_the_root_in_both_formats() {
    let inventory = real();
    let bom = parsed(&cyclonedx::to_json(&inventory, &DocumentOptions::default()));
    let targets = |dependency| all(dependency, "dependsOn").map(text).collect();
    let next =
        all(&bom, "dependencies").map(|dependency| (text(&dependency["ref"]), targets(dependency))).collect();
    let mut named: BTreeSet<String> =
        all(&bom, "components").map(|component| text(&component["bom-ref"])).collect();
    named.insert("directory".into());
    assert_eq!(reached("directory", &next), named);

    let document = parsed(&spdx::to_json(&inventory, &DocumentOptions::default()));
    let mut next: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for edge in all(&document, "relationships") {
        next.entry(text(&edge["spdxElementId"])).or_default().push(text(&edge["relatedSpdxElement"]));
    }
    let mut named: BTreeSet<String> =
        all(&document, "packages").map(|package| text(&package["SPDXID"])).collect();
    named.insert("SPDXRef-DOCUMENT".into());
    assert_eq!(reached("SPDXRef-DOCUMENT", &next), named);
}

#[test]
fn the_same_content_gives_the_same_bytes() {
    let options = DocumentOptions::default();
    for to_json in [cyclonedx::to_json, spdx::to_json, json::to_json] {
        assert_eq!(to_json(&real(), &options), to_json(&real(), &options));
    }
}

#[test]
fn another_content_has_another_serial_and_namespace() {
    let options = DocumentOptions::default();
    let serial = |inventory| text(&parsed(&cyclonedx::to_json(inventory, &options))["serialNumber"]);
    let namespace = |inventory| text(&parsed(&spdx::to_json(inventory, &options))["documentNamespace"]);
    assert_ne!(serial(&real()), serial(&broken_image()));
    assert_ne!(namespace(&real()), namespace(&broken_image()));
}

#[test]
fn times_come_from_the_image_or_the_options_and_never_from_the_clock() {
    let mut options = DocumentOptions::default();
    let created = |inventory: &Inventory, options: &_| {
        text(&parsed(&spdx::to_json(inventory, options))["creationInfo"]["created"])
    };
    assert_eq!(created(&real(), &options), "1970-01-01T00:00:00Z");
    assert_eq!(created(&broken_image(), &options), "2024-05-06T07:08:09Z");
    options.source_date_epoch = Some(1_700_000_000);
    assert_eq!(created(&broken_image(), &options), "2023-11-14T22:13:20Z");
    let bom = parsed(&cyclonedx::to_json(&real(), &DocumentOptions::default()));
    assert!(bom["metadata"].get("timestamp").is_none());
}

#[test]
fn a_broken_scan_never_looks_clean() {
    let (inventory, options) = (broken_image(), DocumentOptions::default());
    let bom = parsed(&cyclonedx::to_json(&inventory, &options));
    assert_eq!(bom["compositions"][0]["aggregate"], "incomplete");
    assert_eq!(bom["metadata"]["properties"][0]["value"], "layer was not scanned (layer 1)");
    let document = parsed(&spdx::to_json(&inventory, &options));
    assert_eq!(document["annotations"][0]["comment"], "not read: layer was not scanned (layer 1)");
    let own = parsed(&json::to_json(&inventory, &options));
    assert_eq!(own["complete"], false);
    assert_eq!(own["gaps"][0]["reason"], "layer-not-scanned");
}

#[test]
fn the_image_is_named_by_purl_and_supplied_by_its_namespace_or_as_told() {
    let mut options = DocumentOptions::default();
    let root =
        |options: &_| parsed(&cyclonedx::to_json(&broken_image(), options))["metadata"]["component"].clone();
    let purl = format!("pkg:oci/app@{}?repository_url=ghcr.io/acme/app", Digest::of(b"m"));
    assert_eq!(root(&options)["purl"], purl);
    assert_eq!(root(&options)["supplier"]["name"], "ghcr.io/acme");
    options.supplier = Some(Party::Organization("Acme".into()));
    assert_eq!(root(&options)["supplier"]["name"], "Acme");
}
