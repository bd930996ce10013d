//! SPDX 2.3 documents in JSON ([specification](https://spdx.github.io/spdx-spec/v2.3/),
//! [schema](https://github.com/spdx/spdx-spec/blob/v2.3/schemas/spdx-schema.json)).
//!
//! The namespace is made from the document's content. SPDX asks for a creation time: without one in [`DocumentOptions`] or the
//! image it is 1970-01-01T00:00:00Z, never the clock. So the same inventory and options give the same bytes. What the format has no
//! place for is in an annotation of the package: a JSON list of names and values.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use touchmark_oci::Digest;

use crate::document::{TOOL, content_uuid, in_seconds};
use crate::party::one_line;
use crate::sbom_document::{Completeness, Occurrence, Tool};
use crate::{
    Component, DocumentOptions, Format, Inventory, License, Party, Property, RelationshipKind, SbomDocument,
};

/// The inventory as a JSON document of version 2.3. The same inventory and options give the same bytes.
pub fn to_json(inventory: &Inventory, options: &DocumentOptions) -> Vec<u8> {
    Format::SPDX.write(inventory, options)
}

pub(crate) fn document_to_json(document: &SbomDocument) -> Vec<u8> {
    let mut written = SpdxDocument::of(document);
    // Writing strings and numbers to memory cannot fail.
    let content = serde_json::to_vec(&written).unwrap_or_default();
    written.document_namespace = namespace(&written.name, &content);
    serde_json::to_vec_pretty(&written).unwrap_or_default()
}

/// A namespace that belongs to this content alone.
pub(crate) fn namespace(name: &str, content: &[u8]) -> String {
    let allowed = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '-' }
    };
    let name: String = name.chars().map(allowed).collect();
    format!("https://spdx.org/spdxdocs/{name}-{}", content_uuid(content))
}

/// When the document says it was made, in whole seconds of UTC (§6.9).
pub(crate) fn created(document: &SbomDocument) -> String {
    let time = document.created.as_deref().and_then(|time| time.parse().ok());
    in_seconds(time.unwrap_or(Timestamp::UNIX_EPOCH))
}

/// An identifier of letters, digits, dots and hyphens, as SPDX 2.3 §7.2 asks. Another one is replaced by what it has of those and its
/// digest, so that two stay two.
pub(crate) fn safe_id(id: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    if !id.is_empty() && id.chars().all(allowed) {
        return id.to_owned();
    }
    let safe: String = id.chars().map(|c| if allowed(c) { c } else { '-' }).take(64).collect();
    let digest = Digest::of(id.as_bytes());
    format!("{}-{}", safe.trim_matches('-'), digest.hex().get(..16).unwrap_or_default())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SpdxDocument {
    spdx_version: &'static str,
    data_license: &'static str,
    #[serde(rename = "SPDXID")]
    id: &'static str,
    name: String,
    document_namespace: String,
    creation_info: CreationInfo,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    packages: Vec<SpdxPackage>,
    relationships: Vec<SpdxRelationship>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    has_extracted_licensing_infos: Vec<ExtractedLicense>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    annotations: Vec<Annotation>,
}

#[derive(Serialize)]
struct CreationInfo {
    created: String,
    creators: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SpdxPackage {
    #[serde(rename = "SPDXID")]
    id: String,
    name: String,
    version_info: String,
    supplier: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    originator: Option<String>,
    download_location: String,
    files_analyzed: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checksums: Vec<Checksum>,
    #[serde(skip_serializing_if = "Option::is_none")]
    homepage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_info: Option<String>,
    license_concluded: String,
    license_declared: String,
    copyright_text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    primary_package_purpose: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_refs: Vec<ExternalRef>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    annotations: Vec<Annotation>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Checksum {
    algorithm: &'static str,
    checksum_value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExternalRef {
    reference_category: &'static str,
    reference_type: &'static str,
    reference_locator: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SpdxRelationship {
    spdx_element_id: String,
    relationship_type: &'static str,
    related_spdx_element: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExtractedLicense {
    license_id: String,
    name: String,
    extracted_text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Annotation {
    annotation_date: String,
    annotation_type: &'static str,
    annotator: String,
    comment: String,
}

/// Who annotates, and when.
struct Annotator {
    date: String,
    name: String,
}

impl Annotator {
    fn says(&self, comment: String) -> Annotation {
        Annotation {
            annotation_date: self.date.clone(),
            annotation_type: "OTHER",
            annotator: self.name.clone(),
            comment,
        }
    }

    /// Properties as one annotation; none without properties.
    fn properties(&self, properties: &[Property]) -> Option<Annotation> {
        (!properties.is_empty()).then(|| self.says(serde_json::to_string(properties).unwrap_or_default()))
    }
}

impl SpdxDocument {
    fn of(document: &SbomDocument) -> Self {
        let tools = document.tools.iter().map(|tool| format!("Tool: {}", tool_name(tool)));
        let authors = document.authors.iter().map(|party| party_text(Some(party)));
        let mut creators: Vec<String> = tools.chain(authors).collect();
        if creators.is_empty() {
            creators.push(format!("Tool: {TOOL}"));
        }
        let name = creators.first().cloned().unwrap_or_default();
        let annotator = Annotator { date: created(document), name };
        let gaps = document.gaps.iter().map(|gap| annotator.says(format!("{NOT_READ}{gap}")));
        let everything = document.subject.iter().chain(&document.base).chain(&document.components);
        Self {
            spdx_version: "SPDX-2.3",
            data_license: "CC0-1.0",
            id: DOCUMENT,
            name: one_line(&document.name),
            document_namespace: String::new(),
            comment: incompleteness(document),
            packages: everything.map(|component| SpdxPackage::of(component, &annotator)).collect(),
            relationships: relationships(document),
            has_extracted_licensing_infos: extracted_licenses(document),
            annotations: gaps.chain(annotator.properties(&document.properties)).collect(),
            creation_info: CreationInfo { created: created(document), creators },
        }
    }
}

/// SPDX 2.3 §6.8: a tool is written `name-version`.
fn tool_name(tool: &Tool) -> String {
    let version = tool.version.iter().map(|version| format!("-{version}"));
    one_line(&format!("{}{}", tool.name, version.collect::<String>()))
}

/// The sentence that says that a document is incomplete.
pub(crate) fn incompleteness(document: &SbomDocument) -> Option<String> {
    let count = document.gaps.len();
    match (count, document.completeness) {
        (0, Completeness::Incomplete) => Some("This document is incomplete.".to_owned()),
        (0, _) => None,
        _ => Some(format!(
            "This document is incomplete: {count} things could not be read, see its annotations."
        )),
    }
}

impl SpdxPackage {
    fn of(component: &Component, annotator: &Annotator) -> Self {
        let license =
            |license: Option<&License>| license.map_or(NO_ASSERTION, License::expression).to_owned();
        let checksum = |(algorithm, value): &(crate::HashAlgorithm, String)| {
            Some(Checksum { algorithm: algorithm.spdx2()?, checksum_value: value.clone() })
        };
        Self {
            id: element_id(&component.id),
            name: one_line(&component.full_name()),
            version_info: version(component),
            supplier: party_text(component.supplier.as_ref()),
            originator: component.originator.as_ref().map(|party| party_text(Some(party))),
            download_location: component.download.as_deref().map_or(NO_ASSERTION.to_owned(), one_line),
            files_analyzed: false,
            checksums: component.checksums.iter().filter_map(checksum).collect(),
            homepage: component.homepage.clone(),
            source_info: source_info(component),
            license_concluded: license(component.concluded.as_ref()),
            license_declared: license(component.declared.as_ref()),
            copyright_text: component.copyright.clone().unwrap_or_else(|| NO_ASSERTION.to_owned()),
            summary: component.description.as_deref().map(one_line),
            primary_package_purpose: Some(component.kind.spdx2()).filter(|purpose| !purpose.is_empty()),
            external_refs: external_refs(component),
            annotations: annotator.properties(&component.properties).into_iter().collect(),
        }
    }
}

fn external_refs(component: &Component) -> Vec<ExternalRef> {
    let purl = component.purl.iter().map(|purl| ExternalRef {
        reference_category: "PACKAGE-MANAGER",
        reference_type: "purl",
        reference_locator: purl.clone(),
    });
    let cpes = component.cpes.iter().map(|cpe| ExternalRef {
        reference_category: "SECURITY",
        reference_type: if cpe.starts_with("cpe:2.3:") { "cpe23Type" } else { "cpe22Type" },
        reference_locator: cpe.clone(),
    });
    purl.chain(cpes).collect()
}

/// `Person: name (address)` or `Organization: name (address)`
/// ([SPDX 2.3, §7.5](https://spdx.github.io/spdx-spec/v2.3/package-information/#75-package-supplier-field)).
fn party_text(party: Option<&Party>) -> String {
    match party {
        None => NO_ASSERTION.to_owned(),
        Some(Party::Person(name)) => format!("Person: {}", one_line(name)),
        Some(Party::Organization(name)) => format!("Organization: {}", one_line(name)),
    }
}

/// The version. An unknown one is said to be unknown, as the supplier is, rather than left out: the NTIA's minimum elements
/// ([2021, "Known Unknowns"](https://www.ntia.gov/report/2021/minimum-elements-software-bill-materials-sbom)) ask for that.
pub(crate) fn version(component: &Component) -> String {
    component.version.as_deref().map_or_else(|| NO_ASSERTION.to_owned(), one_line)
}

/// Where the component was seen, and what it was built from.
pub(crate) fn source_info(component: &Component) -> Option<String> {
    let place = |seen: &Occurrence| match &seen.context {
        Some(context) => format!("{} in {context}", seen.location),
        None => seen.location.clone(),
    };
    let places: Vec<String> = component.occurrences.iter().map(place).collect();
    let built_from = component.property("touchmark:source:name").map(|name| {
        let version = component.property("touchmark:source:version").unwrap_or_default();
        format!("built from source package {name} {version}")
    });
    let found = (!places.is_empty()).then(|| format!("found by {}", places.join(", ")));
    let said = component.property(SOURCE_INFO).map(str::to_owned);
    let parts: Vec<String> = said.into_iter().chain(found).chain(built_from).collect();
    (!parts.is_empty()).then(|| one_line(&parts.join("; ")))
}

fn relationships(document: &SbomDocument) -> Vec<SpdxRelationship> {
    let edge = |from: &str, kind, to: &str| SpdxRelationship {
        spdx_element_id: from.to_owned(),
        relationship_type: kind,
        related_spdx_element: element_id(to),
    };
    let described = described(document).into_iter().map(|id| edge(DOCUMENT, "DESCRIBES", id));
    let ancestry = document.subject.iter().zip(&document.base);
    let ancestry = ancestry.map(|(subject, base)| edge(&element_id(&subject.id), "DESCENDANT_OF", &base.id));
    let edges = document.edges.iter().map(|relationship| {
        let kind = match relationship.kind {
            RelationshipKind::Contains => "CONTAINS",
            RelationshipKind::DependsOn => "DEPENDS_ON",
        };
        edge(&element_id(&relationship.from), kind, &relationship.to)
    });
    described.chain(ancestry).chain(edges).collect()
}

/// What the document is about: its subject, or else everything that nothing else leads to.
pub(crate) fn described(document: &SbomDocument) -> Vec<&str> {
    if let Some(subject) = &document.subject {
        return vec![&subject.id];
    }
    let targets: std::collections::BTreeSet<&str> =
        document.edges.iter().map(|edge| edge.to.as_str()).collect();
    let ids = || document.components.iter().map(|component| component.id.as_str());
    let roots: Vec<&str> = ids().filter(|id| !targets.contains(id)).collect();
    if roots.is_empty() { ids().take(1).collect() } else { roots }
}

/// Each `LicenseRef-` once, with the package's own words.
fn extracted_licenses(document: &SbomDocument) -> Vec<ExtractedLicense> {
    let extracted = license_references(document).into_iter().map(|(id, text)| ExtractedLicense {
        license_id: id.to_owned(),
        name: one_line(text).chars().take(120).collect(),
        extracted_text: text.to_owned(),
    });
    extracted.collect()
}

pub(crate) fn license_references(document: &SbomDocument) -> BTreeMap<&str, &str> {
    document
        .everything()
        .flat_map(|component| component.declared.iter().chain(&component.concluded))
        .flat_map(License::references)
        .map(|reference| (reference.id.as_str(), reference.name.as_str()))
        .collect()
}

fn element_id(id: &str) -> String {
    format!("SPDXRef-{}", safe_id(id))
}

const DOCUMENT: &str = "SPDXRef-DOCUMENT";
pub(crate) const NO_ASSERTION: &str = "NOASSERTION";
/// Before what could not be read.
pub(crate) const NOT_READ: &str = "not read: ";
/// Where `sourceInfo` of a document that was read is kept.
pub(crate) const SOURCE_INFO: &str = "spdx:sourceInfo";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ComponentKind;

    #[test]
    fn identifiers_have_only_what_spdx_allows_and_stay_apart() {
        assert_eq!(safe_id("deb-a.b-1"), "deb-a.b-1");
        assert!(safe_id("pkg:npm/a@1").starts_with("pkg-npm-a-1-"));
        assert_ne!(safe_id("a/b"), safe_id("a_b"));
        assert_ne!(safe_id(""), "");
    }

    #[test]
    fn times_are_whole_seconds_of_utc() {
        let mut document = SbomDocument::named("x".into());
        assert_eq!(created(&document), "1970-01-01T00:00:00Z");
        document.created = Some("2020-04-13T20:20:39.5+02:00".into());
        assert_eq!(created(&document), "2020-04-13T18:20:39Z");
    }

    #[test]
    fn a_document_without_a_subject_describes_what_nothing_leads_to() {
        let mut document = SbomDocument::named("x".into());
        document.components = ["a", "b"].map(|id| Component::new(id, ComponentKind::Library, id)).to_vec();
        let edge = |from: &str, to: &str| crate::Edge {
            from: from.into(),
            kind: RelationshipKind::DependsOn,
            to: to.into(),
        };
        document.edges.insert(edge("a", "b"));
        assert_eq!(described(&document), ["a"]);
        document.edges.insert(edge("b", "a"));
        assert_eq!(described(&document), ["a"]);
    }
}
