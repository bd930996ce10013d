//! From SPDX 2.2 and 2.3 in JSON to [`SbomDocument`]. Packages and files become components.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::problem::shortened;
use super::value::{list, required, text};
use super::{Problem, ReadError};
use crate::document::TOOL;
use crate::sbom_document::{Completeness, Tool};
use crate::spdx::{NO_ASSERTION, NOT_READ, SOURCE_INFO};
use crate::{
    Component, ComponentKind, Edge, HashAlgorithm, License, Party, Property, RelationshipKind, SbomDocument,
    SpdxVersion,
};

/// Reads a document.
pub(super) fn read(value: &Value) -> Result<(SbomDocument, SpdxVersion), ReadError> {
    let version = version(&required(value, "spdxVersion", "/")?)?;
    let mut document = SbomDocument::named(required(value, "name", "/")?);
    header(value, &mut document)?;
    let words = extracted_words(value)?;
    let mut ids = BTreeSet::from([DOCUMENT.to_owned()]);
    for (member, name) in [("packages", "name"), ("files", "fileName"), ("snippets", "name")] {
        for (index, element) in elements(value, member)?.iter().enumerate() {
            let path = format!("/{member}/{index}");
            let id = identifier(element, &path)?;
            if !ids.insert(id.clone()) {
                let problem = Problem::DuplicateId { id: shortened(&id) };
                return Err(ReadError::invalid(path, problem));
            }
            check_checksums(element, &path)?;
            if member != "snippets" {
                let name = required(element, name, &path)?;
                document.components.push(component(element, &id, name, member == "files", &words, &path)?);
            }
        }
    }
    relationships(value, &ids, &mut document)?;
    annotations(value, &mut document);
    Ok((document, version))
}

fn version(name: &str) -> Result<SpdxVersion, ReadError> {
    match name {
        "SPDX-2.2" => Ok(SpdxVersion::V2_2),
        "SPDX-2.3" => Ok(SpdxVersion::V2_3),
        _ => Err(ReadError::UnsupportedVersion { family: "SPDX", found: shortened(name) }),
    }
}

fn header(value: &Value, document: &mut SbomDocument) -> Result<(), ReadError> {
    let license = required(value, "dataLicense", "/")?;
    if license != "CC0-1.0" {
        let problem = Problem::NotAllowed { found: shortened(&license), expected: "CC0-1.0 (§6.2)" };
        return Err(ReadError::invalid("/dataLicense", problem));
    }
    required(value, "SPDXID", "/")?;
    // 2.2's schema had it as a member of `documentDescribes`' neighbours; all of the official documents have it.
    required(value, "documentNamespace", "/")?;
    let missing = || ReadError::invalid("/", Problem::Missing { name: "creationInfo" });
    let creation = value.get("creationInfo").ok_or_else(missing)?;
    let created = required(creation, "created", "/creationInfo")?;
    if created.parse::<jiff::Timestamp>().is_err() {
        let problem = Problem::NotAllowed { found: shortened(&created), expected: "a time as in RFC 3339" };
        return Err(ReadError::invalid("/creationInfo/created", problem));
    }
    document.created = Some(created);
    let creators = list(creation, "creators");
    if creators.is_empty() {
        return Err(ReadError::invalid("/creationInfo", Problem::Missing { name: "creators" }));
    }
    for creator in creators.iter().filter_map(Value::as_str) {
        match creator.strip_prefix("Tool:") {
            Some(tool) => document.tools.push(self::tool(tool.trim())),
            None => document.authors.extend(party(creator)),
        }
    }
    Ok(())
}

/// A tool is written `name-version` (§6.8). What follows the last hyphen is a version if it starts with a digit.
fn tool(text: &str) -> Tool {
    let split =
        text.rsplit_once('-').filter(|(_, version)| version.starts_with(|c: char| c.is_ascii_digit()));
    let (name, version) = split.map_or((text, None), |(name, version)| (name, Some(version.to_owned())));
    Tool { name: name.to_owned(), version }
}

/// `Person: name (address)` or `Organization: name`; none for `NOASSERTION`.
fn party(text: &str) -> Option<Party> {
    let (kind, name) = text.split_once(':')?;
    let name = name.trim().trim_end_matches("()").trim_end();
    if name.is_empty() {
        return None;
    }
    match kind.trim() {
        "Person" => Some(Party::Person(name.to_owned())),
        "Organization" => Some(Party::Organization(name.to_owned())),
        _ => None,
    }
}

fn elements<'a>(value: &'a Value, member: &'static str) -> Result<&'a [Value], ReadError> {
    match value.get(member) {
        None => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(ReadError::invalid(format!("/{member}"), Problem::WrongType { expected: "a list" })),
    }
}

/// `SPDXRef-` and letters, digits, dots and hyphens (§7.2).
fn identifier(element: &Value, path: &str) -> Result<String, ReadError> {
    let id = required(element, "SPDXID", path)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let is_it = id.strip_prefix(PREFIX).is_some_and(|rest| !rest.is_empty() && rest.chars().all(allowed));
    let expected = "SPDXRef- with letters, digits, dots and hyphens";
    let problem = || Problem::NotAllowed { found: shortened(&id), expected };
    if is_it { Ok(id) } else { Err(ReadError::invalid(format!("{path}/SPDXID"), problem())) }
}

fn check_checksums(element: &Value, path: &str) -> Result<(), ReadError> {
    for (index, checksum) in list(element, "checksums").iter().enumerate() {
        let path = format!("{path}/checksums/{index}");
        let algorithm = required(checksum, "algorithm", &path)?;
        if HashAlgorithm::from_spdx2(&algorithm).is_none() {
            let problem =
                Problem::NotAllowed { found: shortened(&algorithm), expected: "an algorithm of SPDX" };
            return Err(ReadError::invalid(path, problem));
        }
        let hex = required(checksum, "checksumValue", &path)?;
        if hex.is_empty() || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let problem = Problem::NotAllowed { found: shortened(&hex), expected: "hexadecimal digits" };
            return Err(ReadError::invalid(path, problem));
        }
    }
    Ok(())
}

fn component(
    element: &Value,
    id: &str,
    name: String,
    is_file: bool,
    words: &BTreeMap<String, String>,
    path: &str,
) -> Result<Component, ReadError> {
    if !is_file {
        required(element, "downloadLocation", path)?;
    }
    let purpose = text(element, "primaryPackagePurpose").unwrap_or_default();
    let kind = if is_file { ComponentKind::File } else { ComponentKind::from_spdx2(&purpose) };
    let stated =
        |member: &str| text(element, member).filter(|value| value != NO_ASSERTION && value != "NONE");
    let license = |member| stated(member).and_then(|license| License::with_words(&license, words));
    let mut component = Component::new(id.strip_prefix(PREFIX).unwrap_or(id), kind, name);
    component.version = stated("versionInfo");
    component.supplier = stated("supplier").as_deref().and_then(party);
    component.originator = stated("originator").as_deref().and_then(party);
    component.description = text(element, "summary").or_else(|| text(element, "description"));
    component.copyright = stated("copyrightText");
    component.checksums = list(element, "checksums").iter().filter_map(checksum).collect();
    component.declared = license("licenseDeclared");
    component.concluded = license("licenseConcluded");
    component.homepage = stated("homepage");
    component.download = stated("downloadLocation");
    for reference in list(element, "externalRefs") {
        let Some(locator) = text(reference, "referenceLocator") else { continue };
        match reference["referenceType"].as_str() {
            Some("purl") => component.purl = component.purl.or(Some(locator)),
            Some("cpe23Type" | "cpe22Type") => component.cpes.push(locator),
            _ => {}
        }
    }
    component.properties = list(element, "annotations").iter().flat_map(annotated).collect();
    // What this tool writes there can be made again from the properties and the occurrences.
    let ours = component.property(&format!("{TOOL}:ecosystem")).is_some();
    let said = text(element, "sourceInfo").filter(|_| !ours);
    component.properties.extend(said.map(|said| Property::new(SOURCE_INFO, said)));
    Ok(component)
}

fn checksum(value: &Value) -> Option<(HashAlgorithm, String)> {
    let algorithm = HashAlgorithm::from_spdx2(value.get("algorithm")?.as_str()?)?;
    Some((algorithm, text(value, "checksumValue")?.to_ascii_lowercase()))
}

/// The properties that an annotation carries as a JSON list of names and values.
fn annotated(annotation: &Value) -> Vec<Property> {
    let comment = annotation.get("comment").and_then(Value::as_str).unwrap_or_default();
    serde_json::from_str(comment).unwrap_or_default()
}

/// The words of each `LicenseRef-`.
fn extracted_words(value: &Value) -> Result<BTreeMap<String, String>, ReadError> {
    let mut words = BTreeMap::new();
    for (index, license) in elements(value, "hasExtractedLicensingInfos")?.iter().enumerate() {
        let path = format!("/hasExtractedLicensingInfos/{index}");
        let id = required(license, "licenseId", &path)?;
        words.insert(id, required(license, "extractedText", &path)?);
    }
    Ok(words)
}

fn relationships(
    value: &Value,
    ids: &BTreeSet<String>,
    document: &mut SbomDocument,
) -> Result<(), ReadError> {
    let mut described: Vec<String> =
        list(value, "documentDescribes").iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let mut ancestor = None;
    for (index, relationship) in elements(value, "relationships")?.iter().enumerate() {
        let path = format!("/relationships/{index}");
        let from = required(relationship, "spdxElementId", &path)?;
        let to = required(relationship, "relatedSpdxElement", &path)?;
        let kind = required(relationship, "relationshipType", &path)?;
        for end in [&from, &to] {
            let is_elsewhere =
                matches!(end.as_str(), NO_ASSERTION | "NONE") || end.starts_with("DocumentRef-");
            if !is_elsewhere && !ids.contains(end) {
                let problem = Problem::DanglingReference { id: shortened(end) };
                return Err(ReadError::invalid(path, problem));
            }
        }
        match kind.as_str() {
            "DESCRIBES" if from == DOCUMENT => described.push(to),
            "DESCRIBED_BY" if to == DOCUMENT => described.push(from),
            "DESCENDANT_OF" => ancestor = Some(to),
            _ => document.edges.extend(edge(&from, &kind, &to)),
        }
    }
    // Files that a package of version 2.2 has.
    for package in list(value, "packages") {
        for file in list(package, "hasFiles").iter().filter_map(Value::as_str) {
            document.edges.extend(edge(&text(package, "SPDXID").unwrap_or_default(), "CONTAINS", file));
        }
    }
    // The document itself and snippets are no components.
    let components: BTreeSet<&str> =
        document.components.iter().map(|component| component.id.as_str()).collect();
    document.edges.retain(|edge| components.contains(&*edge.from) && components.contains(&*edge.to));
    described.dedup();
    if let [only] = described.as_slice() {
        document.subject = take(document, only);
    }
    document.base = ancestor.and_then(|id| take(document, &id));
    Ok(())
}

fn take(document: &mut SbomDocument, id: &str) -> Option<Component> {
    let id = id.strip_prefix(PREFIX)?;
    let index = document.components.iter().position(|component| component.id == id)?;
    Some(document.components.remove(index))
}

/// The relationships that [`SbomDocument`] has, in the direction that it has them.
fn edge(from: &str, kind: &str, to: &str) -> Option<Edge> {
    let (from, kind, to) = match kind {
        "CONTAINS" => (from, RelationshipKind::Contains, to),
        "CONTAINED_BY" => (to, RelationshipKind::Contains, from),
        "DEPENDS_ON" => (from, RelationshipKind::DependsOn, to),
        "DEPENDENCY_OF" | "RUNTIME_DEPENDENCY_OF" => (to, RelationshipKind::DependsOn, from),
        _ => return None,
    };
    let id = |id: &str| Some(id.strip_prefix(PREFIX)?.to_owned());
    Some(Edge { from: id(from)?, kind, to: id(to)? })
}

/// Gaps and properties of the document.
fn annotations(value: &Value, document: &mut SbomDocument) {
    for annotation in list(value, "annotations") {
        let comment = annotation.get("comment").and_then(Value::as_str).unwrap_or_default();
        match comment.strip_prefix(NOT_READ) {
            Some(gap) => document.gaps.push(gap.to_owned()),
            None => document.properties.extend(annotated(annotation)),
        }
    }
    if !document.gaps.is_empty() {
        document.completeness = Completeness::Incomplete;
    }
}

const KEPT_OF_DOCUMENT: [&str; 12] = [
    "spdxVersion",
    "dataLicense",
    "SPDXID",
    "name",
    "documentNamespace",
    "creationInfo",
    "documentDescribes",
    "packages",
    "files",
    "relationships",
    "hasExtractedLicensingInfos",
    "annotations",
];
const KEPT_OF_ELEMENT: [&str; 21] = [
    "SPDXID",
    "name",
    "fileName",
    "versionInfo",
    "supplier",
    "originator",
    "downloadLocation",
    "filesAnalyzed",
    "checksums",
    "homepage",
    "sourceInfo",
    "licenseConcluded",
    "licenseDeclared",
    "copyrightText",
    "summary",
    "description",
    "primaryPackagePurpose",
    "externalRefs",
    "annotations",
    "hasFiles",
    "fileTypes",
];

/// Counts what [`SbomDocument`] has no place for.
pub(super) fn lost(value: &Value) -> BTreeMap<String, usize> {
    let mut lost = BTreeMap::new();
    let names = |value: &Value| -> Vec<String> {
        value.as_object().into_iter().flat_map(Map::keys).cloned().collect()
    };
    for name in names(value).into_iter().filter(|name| !KEPT_OF_DOCUMENT.contains(&name.as_str())) {
        *lost.entry(name).or_default() += 1;
    }
    for member in ["packages", "files"] {
        for element in list(value, member) {
            for name in names(element).into_iter().filter(|name| !KEPT_OF_ELEMENT.contains(&name.as_str())) {
                *lost.entry(format!("{member}[].{name}")).or_default() += 1;
            }
        }
    }
    for relationship in list(value, "relationships") {
        let kind = text(relationship, "relationshipType").unwrap_or_default();
        if relationship.get("comment").is_some() {
            *lost.entry("relationships[].comment".to_owned()).or_default() += 1;
        }
        let is_kept = matches!(kind.as_str(), "DESCRIBES" | "DESCRIBED_BY" | "DESCENDANT_OF");
        if !is_kept && edge("SPDXRef-a", &kind, "SPDXRef-b").is_none() {
            *lost.entry(format!("relationships[].{}", shortened(&kind))).or_default() += 1;
        }
    }
    lost
}

const DOCUMENT: &str = "SPDXRef-DOCUMENT";
const PREFIX: &str = "SPDXRef-";
