//! SPDX 2.3 documents in JSON ([specification](https://spdx.github.io/spdx-spec/v2.3/),
//! [schema](https://github.com/spdx/spdx-spec/blob/v2.3/schemas/spdx-schema.json)).
//!
//! The namespace is made from the document's content. SPDX asks for a creation time: without one in [`DocumentOptions`] or the
//! image it is 1970-01-01T00:00:00Z, never the clock. So the same inventory and options give the same bytes.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::document::{
    DISTRIBUTION_ID, TOOL, content_uuid, created, package_supplier, subject_id, subject_purl,
    subject_supplier,
};
use crate::party::one_line;
use crate::{
    Distribution, DocumentOptions, Element, Inventory, License, Package, Party, RelationshipKind, Subject,
};

/// The inventory as a JSON document. The same inventory and options give the same bytes.
pub fn to_json(inventory: &Inventory, options: &DocumentOptions) -> Vec<u8> {
    let mut document = SpdxDocument::of(inventory, options);
    // Writing strings and numbers to memory cannot fail.
    let content = serde_json::to_vec(&document).unwrap_or_default();
    let allowed = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '-' }
    };
    let name: String = document.name.chars().map(allowed).collect();
    document.document_namespace = format!("https://spdx.org/spdxdocs/{name}-{}", content_uuid(&content));
    serde_json::to_vec_pretty(&document).unwrap_or_default()
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
    #[serde(skip_serializing_if = "Option::is_none")]
    version_info: Option<String>,
    supplier: String,
    download_location: &'static str,
    files_analyzed: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checksums: Vec<Checksum>,
    #[serde(skip_serializing_if = "Option::is_none")]
    homepage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_info: Option<String>,
    license_concluded: &'static str,
    license_declared: String,
    copyright_text: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
    primary_package_purpose: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_refs: Vec<ExternalRef>,
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

impl SpdxDocument {
    fn of(inventory: &Inventory, options: &DocumentOptions) -> Self {
        let created = created(inventory, options).unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned());
        let tool = format!("Tool: {TOOL}-{}", options.tool_version);
        let supplied_by = subject_supplier(inventory.subject(), options);
        let subject = SpdxPackage::subject(inventory.subject(), supplied_by.as_ref());
        let distribution = inventory.distribution().map(SpdxPackage::distribution);
        let packages =
            inventory.packages().map(|package| SpdxPackage::package(package, supplied_by.as_ref()));
        let annotation = |gap: &crate::Gap| Annotation {
            annotation_date: created.clone(),
            annotation_type: "OTHER",
            annotator: tool.clone(),
            comment: format!("not read: {gap}"),
        };
        Self {
            spdx_version: "SPDX-2.3",
            data_license: "CC0-1.0",
            id: DOCUMENT,
            name: one_line(inventory.subject().name()),
            document_namespace: String::new(),
            comment: incompleteness(inventory),
            packages: [subject].into_iter().chain(distribution).chain(packages).collect(),
            relationships: relationships(inventory),
            has_extracted_licensing_infos: extracted_licenses(inventory),
            annotations: inventory.gaps().iter().map(annotation).collect(),
            creation_info: CreationInfo { created, creators: vec![tool] },
        }
    }
}

fn incompleteness(inventory: &Inventory) -> Option<String> {
    let count = inventory.gaps().len();
    (count > 0).then(|| {
        format!("This document is incomplete: {count} things could not be read, see its annotations.")
    })
}

impl SpdxPackage {
    fn new(id: &str, name: &str, purpose: &'static str) -> Self {
        Self {
            id: element_id(id),
            name: one_line(name),
            version_info: None,
            supplier: NO_ASSERTION.to_owned(),
            download_location: NO_ASSERTION,
            files_analyzed: false,
            checksums: Vec::new(),
            homepage: None,
            source_info: None,
            license_concluded: NO_ASSERTION,
            license_declared: NO_ASSERTION.to_owned(),
            copyright_text: NO_ASSERTION,
            summary: None,
            primary_package_purpose: purpose,
            external_refs: Vec::new(),
        }
    }

    fn subject(subject: &Subject, supplied_by: Option<&Party>) -> Self {
        let purpose = match subject {
            Subject::Image(_) => "CONTAINER",
            Subject::Directory { .. } => "OTHER",
            Subject::File { .. } => "FILE",
        };
        let checksum = |digest: &touchmark_oci::Digest| Checksum {
            algorithm: match digest.algorithm() {
                touchmark_oci::Algorithm::Sha512 => "SHA512",
                _ => "SHA256",
            },
            checksum_value: digest.hex().to_owned(),
        };
        Self {
            version_info: subject.digest().map(ToString::to_string),
            supplier: supplier(supplied_by),
            checksums: subject.digest().map(checksum).into_iter().collect(),
            external_refs: subject_purl(subject).map(ExternalRef::purl).into_iter().collect(),
            ..Self::new(subject_id(subject), subject.name(), purpose)
        }
    }

    fn distribution(distribution: &Distribution) -> Self {
        Self {
            version_info: distribution.version.clone(),
            supplier: supplier(distribution.vendor.clone().map(Party::Organization).as_ref()),
            summary: distribution.name.clone(),
            ..Self::new(DISTRIBUTION_ID, &distribution.id, "OPERATING_SYSTEM")
        }
    }

    fn package(package: &Package, supplied_by: Option<&Party>) -> Self {
        let purpose = if package.is_application { "APPLICATION" } else { "LIBRARY" };
        let declared = package.license.as_ref().map(License::expression);
        Self {
            version_info: package.version.clone(),
            supplier: supplier(package_supplier(package, supplied_by)),
            homepage: package.homepage.clone(),
            source_info: Some(source_info(package)),
            license_declared: declared.unwrap_or(NO_ASSERTION).to_owned(),
            summary: package.description.as_deref().map(one_line),
            external_refs: package.purl.clone().map(ExternalRef::purl).into_iter().collect(),
            ..Self::new(package.id.as_str(), &package.name, purpose)
        }
    }
}

impl ExternalRef {
    fn purl(purl: String) -> Self {
        Self { reference_category: "PACKAGE-MANAGER", reference_type: "purl", reference_locator: purl }
    }
}

/// `Person: name (address)` or `Organization: name (address)`
/// ([SPDX 2.3, §7.5](https://spdx.github.io/spdx-spec/v2.3/package-information/#75-package-supplier-field)).
fn supplier(party: Option<&Party>) -> String {
    match party {
        None => NO_ASSERTION.to_owned(),
        Some(Party::Person(name)) => format!("Person: {}", one_line(name)),
        Some(Party::Organization(name)) => format!("Organization: {}", one_line(name)),
    }
}

/// Where the package was seen, and what it was built from.
fn source_info(package: &Package) -> String {
    let places = package.evidence.iter().map(|evidence| match evidence.layer {
        Some(layer) => format!("/{} in layer {layer}", evidence.path),
        None => format!("/{}", evidence.path),
    });
    let mut info = format!("found by {}", places.collect::<Vec<_>>().join(", "));
    if let Some(source) = &package.source {
        let version = source.version.as_deref().unwrap_or_default();
        info.push_str(&format!("; built from source package {} {version}", source.name));
    }
    one_line(&info)
}

fn relationships(inventory: &Inventory) -> Vec<SpdxRelationship> {
    let subject = element_id(subject_id(inventory.subject()));
    let edge = |from: &str, kind, to: String| SpdxRelationship {
        spdx_element_id: from.to_owned(),
        relationship_type: kind,
        related_spdx_element: to,
    };
    let mut edges = vec![edge(DOCUMENT, "DESCRIBES", subject.clone())];
    if inventory.distribution().is_some() {
        edges.push(edge(&subject, "CONTAINS", element_id(DISTRIBUTION_ID)));
    }
    edges.extend(inventory.relationships().iter().map(|relationship| {
        let from = match &relationship.from {
            Element::Subject => subject.clone(),
            Element::Package(id) => element_id(id.as_str()),
        };
        let kind = match relationship.kind {
            RelationshipKind::Contains => "CONTAINS",
            RelationshipKind::DependsOn => "DEPENDS_ON",
        };
        edge(&from, kind, element_id(relationship.to.as_str()))
    }));
    edges
}

/// Each `LicenseRef-` once, with the package's own words.
fn extracted_licenses(inventory: &Inventory) -> Vec<ExtractedLicense> {
    let references =
        inventory.packages().filter_map(|package| package.license.as_ref()).flat_map(License::references);
    let by_id: BTreeMap<&str, &str> =
        references.map(|reference| (reference.id.as_str(), reference.name.as_str())).collect();
    let extracted = by_id.into_iter().map(|(id, text)| ExtractedLicense {
        license_id: id.to_owned(),
        name: one_line(text).chars().take(120).collect(),
        extracted_text: text.to_owned(),
    });
    extracted.collect()
}

fn element_id(id: &str) -> String {
    format!("SPDXRef-{id}")
}

const DOCUMENT: &str = "SPDXRef-DOCUMENT";
const NO_ASSERTION: &str = "NOASSERTION";
