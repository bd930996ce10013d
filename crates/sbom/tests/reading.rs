//! What is read, and what is refused and why.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;

use serde_json::{Value, json};
use touchmark_sbom::{
    Format, JsonError, Party, Problem, ReadError, ReadLimits, RelationshipKind, SbomDiff, SbomDocument,
    SpdxVersion, XmlError,
};

fn read(text: &str) -> Result<SbomDocument, ReadError> {
    SbomDocument::read(text.as_bytes(), &ReadLimits::default())
}

/// What is wrong with a document, and where.
fn problem(document: &str) -> (String, Problem) {
    match read(document).unwrap_err() {
        ReadError::Invalid { path, problem } => (path, problem),
        other => panic!("{other:?}"),
    }
}

fn bom(members: &str) -> String {
    format!(r#"{{"bomFormat":"CycloneDX","specVersion":"1.7",{members}}}"#)
}

#[test]
fn what_is_no_sbom_or_too_large_is_refused() {
    assert!(matches!(read("{}"), Err(ReadError::UnknownFormat)));
    assert!(matches!(read(""), Err(ReadError::UnknownFormat)));
    assert!(matches!(read("<a/>"), Err(ReadError::UnknownFormat)));
    assert!(matches!(read("words"), Err(ReadError::UnknownFormat)));
    assert!(matches!(read("<a>"), Err(ReadError::Xml(XmlError::NotOneRoot | XmlError::Syntax(_)))));
    let twice = r#"{"bomFormat":"CycloneDX","bomFormat":"CycloneDX"}"#;
    assert!(matches!(read(twice), Err(ReadError::Json(JsonError::DuplicateMember { .. }))));
    let mut limits = ReadLimits::default();
    limits.max_bytes = 1;
    assert!(matches!(SbomDocument::read(b"{}", &limits), Err(ReadError::TooLarge { bytes: 2, limit: 1 })));
    limits = ReadLimits::default();
    limits.max_depth = 1;
    let deep = SbomDocument::read(b"{\"a\":[[]]}", &limits);
    assert!(matches!(deep, Err(ReadError::Json(JsonError::TooDeep { limit: 1 }))));
}

#[test]
fn other_versions_are_refused() {
    let of = |text: &str| match read(text) {
        Err(ReadError::UnsupportedVersion { family, found }) => (family, found),
        other => panic!("{other:?}"),
    };
    assert_eq!(of(r#"{"bomFormat":"CycloneDX","specVersion":"1.2"}"#), ("CycloneDX", "1.2".into()));
    assert_eq!(of(r#"<bom xmlns="http://cyclonedx.org/schema/bom/1.1"/>"#), ("CycloneDX", "1.1".into()));
    assert_eq!(of(r#"{"spdxVersion":"SPDX-2.1"}"#), ("SPDX", "SPDX-2.1".into()));
    assert_eq!(
        of(r#"{"@context":"https://spdx.org/rdf/3.1/c"}"#),
        ("SPDX", "https://spdx.org/rdf/3.1/c".into())
    );
}

#[test]
fn a_cyclonedx_document_that_breaks_a_rule_is_refused_with_place_and_rule() {
    let component = |members: &str| bom(&format!(r#""components":[{{"type":"file","name":"a",{members}}}]"#));
    assert_eq!(
        problem(&bom(r#""components":[{"type":"file"}]"#)),
        ("/components/0".into(), Problem::Missing { name: "name" })
    );
    assert_eq!(problem(&component(r#""x":1"#)).1, Problem::Unknown { name: "x".into() });
    assert_eq!(
        problem(&component(r#""version":1"#)),
        ("/components/0/version".into(), Problem::WrongType { expected: "a text" })
    );
    let (place, wrong) = problem(&component(r#""hashes":[{"alg":"MD5","content":"z"}]"#));
    assert_eq!(place, "/components/0/hashes/0/content");
    assert!(matches!(wrong, Problem::NotAllowed { found, .. } if found == "z"));
    let both = r#""licenses":[{"license":{"id":"MIT","name":"MIT"}}]"#;
    assert_eq!(problem(&component(both)).1, Problem::NotExactlyOne { names: &["id", "name"] });
    let needs = Problem::Needs { name: "versionRange", needed: "isExternal" };
    assert_eq!(problem(&component(r#""versionRange":"vers:npm/1""#)).1, needs);
    let twice = r#""bom-ref":"r"},{"type":"file","name":"b","bom-ref":"r""#;
    assert_eq!(problem(&component(twice)).1, Problem::DuplicateId { id: "r".into() });
    let xml = r#"<bom xmlns="http://cyclonedx.org/schema/bom/1.6"><components/><components/></bom>"#;
    assert_eq!(problem(xml).1, Problem::Repeated { name: "components" });
}

fn spdx2(change: impl Fn(&mut Value)) -> String {
    let mut document = json!({
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": "x",
        "documentNamespace": "https://example.org/x",
        "creationInfo": { "created": "2026-01-02T03:04:05Z", "creators": ["Tool: t-1.0", "Person: Ann ()"] },
        "packages": [
            { "SPDXID": "SPDXRef-a", "name": "a", "downloadLocation": "NOASSERTION", "licenseDeclared": "LicenseRef-1" },
            { "SPDXID": "SPDXRef-b", "name": "b", "downloadLocation": "NONE", "versionInfo": "NOASSERTION" },
        ],
        "hasExtractedLicensingInfos": [{ "licenseId": "LicenseRef-1", "extractedText": "do good" }],
        "relationships": [
            { "spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-a" },
            { "spdxElementId": "SPDXRef-b", "relationshipType": "DEPENDENCY_OF", "relatedSpdxElement": "SPDXRef-a" },
            { "spdxElementId": "SPDXRef-b", "relationshipType": "TEST_OF", "relatedSpdxElement": "NONE" },
        ],
    });
    change(&mut document);
    document.to_string()
}

#[test]
fn spdx_2_is_read() {
    let document = read(&spdx2(|_| {})).unwrap();
    let subject = document.subject().unwrap();
    assert_eq!((subject.id.as_str(), subject.version.as_deref()), ("a", None));
    let license = subject.declared.as_ref().unwrap();
    assert_eq!((license.expression(), license.references()[0].name.as_str()), ("LicenseRef-1", "do good"));
    let edge = document.edges().next().unwrap();
    assert_eq!((edge.from.as_str(), edge.kind, edge.to.as_str()), ("a", RelationshipKind::DependsOn, "b"));
    assert_eq!(document.components()[0].version, None);
    let left_out = document.convert(Format::CYCLONEDX).left_out;
    let made =
        read(&spdx2(|document| document["packages"][1]["originator"] = "Organization: Acme".into())).unwrap();
    for format in Format::WRITTEN {
        let written = made.convert(format).bytes;
        let again = SbomDocument::read(&written, &ReadLimits::default()).unwrap();
        let originator = again.components()[0].originator.clone();
        assert_eq!(originator, Some(Party::Organization("Acme".into())), "{format}");
    }
    assert_eq!(left_out.iter().map(ToString::to_string).collect::<Vec<_>>(), ["relationships[].TEST_OF"]);
}

#[test]
fn relationships_of_the_document_and_of_snippets_lead_nowhere_in_spdx_3() {
    let document = spdx2(|document| {
        document["snippets"] = json!([{ "SPDXID": "SPDXRef-Snippet" }]);
        for end in ["SPDXRef-DOCUMENT", "SPDXRef-Snippet"] {
            let edge = json!({ "spdxElementId": end, "relationshipType": "CONTAINS", "relatedSpdxElement": "SPDXRef-a" });
            document["relationships"].as_array_mut().unwrap().push(edge);
        }
    });
    let document = read(&document).unwrap();
    assert_eq!(document.edges().len(), 1);
    let left_out = document.convert("spdx-json@3.0.1".parse().unwrap()).left_out;
    assert!(left_out.iter().any(|left_out| left_out.place == "snippets"), "{left_out:?}");
}

#[test]
fn an_spdx_2_document_that_breaks_a_rule_is_refused_with_place_and_rule() {
    let (place, wrong) = problem(&spdx2(|document| document["packages"][1]["SPDXID"] = "SPDXRef-a".into()));
    assert_eq!((place.as_str(), wrong), ("/packages/1", Problem::DuplicateId { id: "SPDXRef-a".into() }));
    let dangling = spdx2(|document| document["relationships"][1]["spdxElementId"] = "SPDXRef-c".into());
    assert_eq!(problem(&dangling).1, Problem::DanglingReference { id: "SPDXRef-c".into() });
    let missing = spdx2(|document| document["creationInfo"]["creators"] = json!([]));
    assert_eq!(problem(&missing).1, Problem::Missing { name: "creators" });
    for (pointer, value) in [
        ("/dataLicense", json!("MIT")),
        ("/creationInfo/created", json!("yesterday")),
        ("/packages/0/SPDXID", json!("SPDXRef-a_b")),
        ("/packages/0/checksums", json!([{ "algorithm": "CRC32", "checksumValue": "00" }])),
        ("/packages/0/checksums", json!([{ "algorithm": "SHA1", "checksumValue": "x" }])),
    ] {
        let broken = spdx2(|document| match document.pointer_mut(pointer) {
            Some(place) => *place = value.clone(),
            None => document["packages"][0]["checksums"] = value.clone(),
        });
        assert!(matches!(problem(&broken).1, Problem::NotAllowed { .. }), "{pointer}");
    }
    let not_a_list = spdx2(|document| document["relationships"] = json!({}));
    assert_eq!(problem(&not_a_list).1, Problem::WrongType { expected: "a list" });
}

#[test]
fn spdx_2_2_becomes_2_3_with_everything_that_it_had() {
    let old = spdx2(|document| {
        document["spdxVersion"] = "SPDX-2.2".into();
        document["packages"][0]["originator"] = "Person: Ann".into();
    });
    let document = read(&old).unwrap();
    assert_eq!(document.read_from(), Some(Format::Spdx(SpdxVersion::V2_2)));
    let converted = document.convert(Format::SPDX);
    assert_eq!(converted.left_out, []);
    let written: Value = serde_json::from_slice(&converted.bytes).unwrap();
    assert_eq!(written["spdxVersion"], "SPDX-2.3");
    assert_eq!(written["packages"][0]["originator"], "Person: Ann");
    assert_ne!(
        written["documentNamespace"], "https://example.org/x",
        "another content has another namespace"
    );
}

#[test]
fn tags_and_values_read_as_the_json_that_they_were_made_from() {
    let path = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/spdx").join(name);
    let load =
        |name| SbomDocument::read(&std::fs::read(path(name)).unwrap(), &ReadLimits::default()).unwrap();
    let (tags, json) = (load("python.spdx"), load("python.spdx.json"));
    assert_eq!(json.components().len(), 13);
    assert!(SbomDiff::between(&json, &tags).is_empty());
    assert_eq!(json.edges().collect::<Vec<_>>(), tags.edges().collect::<Vec<_>>());
    assert_eq!(json.components(), tags.components());
    let text = std::fs::read_to_string(path("python.spdx")).unwrap();
    let odd = read(&format!("{text}\nReviewer: Person: Ann\n")).unwrap().convert(Format::SPDX);
    assert_eq!(odd.left_out[0].place, "Reviewer", "also within one family what was not read is told");
    assert!(matches!(read("SPDXVersion: SPDX-2.3\nnothing\n"), Err(ReadError::TagValue { line: 2 })));
}

#[test]
fn an_spdx_3_document_that_breaks_a_rule_is_refused() {
    let document = |graph: Value| {
        json!({ "@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld", "@graph": graph }).to_string()
    };
    let creation = json!({ "type": "CreationInfo", "@id": "_:c", "specVersion": "3.0.1",
        "created": "2026-01-02T03:04:05Z", "createdBy": ["urn:a"] });
    let spdx = json!({ "type": "SpdxDocument", "spdxId": "urn:d", "creationInfo": "_:c" });
    assert!(read(&document(json!([creation, spdx]))).is_ok());
    assert_eq!(problem(&document(json!([creation]))).1, Problem::Missing { name: "SpdxDocument" });
    assert_eq!(problem(&document(json!([spdx]))).1, Problem::Missing { name: "CreationInfo" });
    assert_eq!(
        problem(&document(json!([creation, spdx, spdx]))).1,
        Problem::DuplicateId { id: "urn:d".into() }
    );
    let mut other = spdx.clone();
    other["spdxId"] = "urn:e".into();
    assert_eq!(
        problem(&document(json!([creation, spdx, other]))).1,
        Problem::Repeated { name: "SpdxDocument" }
    );
    assert_eq!(problem(&document(json!({}))).1, Problem::WrongType { expected: "a list" });
    let tool = json!({ "type": "Tool", "creationInfo": "_:c" });
    assert_eq!(problem(&document(json!([creation, spdx, tool]))).1, Problem::Missing { name: "spdxId" });
    let mut late = creation.clone();
    late["created"] = "later".into();
    assert!(matches!(problem(&document(json!([late, spdx]))).1, Problem::NotAllowed { .. }));
    let mut next = creation;
    next["specVersion"] = "3.1.0".into();
    let refused = read(&document(json!([next, spdx])));
    assert!(matches!(refused, Err(ReadError::UnsupportedVersion { family: "SPDX", .. })));
}

#[test]
fn cyclonedx_says_parts_of_a_container_and_needs_of_others() {
    let text = bom(r#""metadata":{"component":{"type":"container","name":"i","bom-ref":"i"}},
        "components":[{"type":"library","name":"a","bom-ref":"a","components":[{"type":"file","name":"f"}]},
            {"type":"library","name":"b","bom-ref":"b"},{"type":"library","name":"c"}],
        "dependencies":[{"ref":"i","dependsOn":["a"]},{"ref":"a","dependsOn":["b"]}]"#);
    let document = read(&text).unwrap();
    let edges: Vec<_> =
        document.edges().map(|edge| (edge.from.as_str(), edge.kind, edge.to.as_str())).collect();
    let id = |name: &str| {
        document.components().iter().find(|component| component.name == name).unwrap().id.as_str()
    };
    let expected = [
        ("a", RelationshipKind::Contains, id("f")),
        ("a", RelationshipKind::DependsOn, "b"),
        ("i", RelationshipKind::Contains, "a"),
        // Nothing else leads to it.
        ("i", RelationshipKind::Contains, id("c")),
    ];
    for edge in expected {
        assert!(edges.contains(&edge), "{edge:?} in {edges:?}");
    }
    assert_eq!(edges.len(), 4);
}

#[test]
fn the_time_of_the_options_is_written_and_gives_another_serial_number() {
    let text = bom(r#""serialNumber":"urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79""#);
    let mut options = touchmark_sbom::DocumentOptions::default();
    let same = read(&text).unwrap().dated(&options).convert(Format::Spdx(SpdxVersion::V2_3));
    assert!(String::from_utf8(same.bytes).unwrap().contains("1970-01-01T00:00:00Z"));
    options.source_date_epoch = Some(86_400);
    let format: Format = "cyclonedx-json@1.7".parse().unwrap();
    let dated = read(&text).unwrap().dated(&options).convert(format);
    let value: Value = serde_json::from_slice(&dated.bytes).unwrap();
    assert_eq!(value["metadata"]["timestamp"], "1970-01-02T00:00:00Z");
    assert_ne!(value["serialNumber"], "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79");
}
