//! From a CycloneDX document to [`SbomDocument`].
//!
//! `dependencies` says that one thing leads to another and not how, so from a container or an operating system it means a part, and
//! from anything else a need. A component that nothing leads to is a part of the subject: CycloneDX lists the subject's parts.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::value::{list, text};
use super::{Origin, Problem, ReadError, ReadLimits, check, cyclonedx_version, xml, xml_document};
use crate::document::TOOL;
use crate::license::Combine;
use crate::sbom_document::{Completeness, Identity, Occurrence, Tool};
use crate::{
    Component, ComponentKind, Edge, Format, HashAlgorithm, License, Party, Property, RelationshipKind,
    SbomDocument,
};

/// Reads a document in JSON.
pub(super) fn read(value: Value) -> Result<SbomDocument, ReadError> {
    with_unread(value, BTreeMap::new())
}

/// Reads a document in XML.
pub(super) fn read_xml(bytes: &[u8], limits: &ReadLimits) -> Result<SbomDocument, ReadError> {
    let tree = xml::parse(bytes, limits)?;
    let (value, unread) = xml_document::to_json(&tree)?;
    with_unread(value, unread)
}

fn with_unread(value: Value, unread: BTreeMap<String, usize>) -> Result<SbomDocument, ReadError> {
    let missing = || ReadError::invalid("/", Problem::Missing { name: "specVersion" });
    let name = value.get("specVersion").and_then(Value::as_str).ok_or_else(missing)?;
    let version = cyclonedx_version(name)?;
    check::document(&value, version)?;
    let mut document = document(&value);
    let mut lost = BTreeMap::new();
    count_lost(&value, &mut lost);
    document.origin = Some(Origin { format: Format::CycloneDx(version), value, unread, lost });
    Ok(document)
}

fn document(bom: &Value) -> SbomDocument {
    let nothing = Value::Null;
    let metadata = bom.get("metadata").unwrap_or(&nothing);
    let mut reader = Reader { used: references(bom), components: Vec::new(), edges: BTreeSet::new() };
    let subject = metadata.get("component").map(|component| reader.component(component));
    for component in list(bom, "components") {
        reader.tree(component, None);
    }
    let mut document = SbomDocument::named(subject.as_ref().map_or("bom".to_owned(), Component::full_name));
    if let (Some(value), Some(subject)) = (metadata.get("component"), &subject) {
        for component in list(value, "components") {
            reader.tree(component, Some(&subject.id));
        }
        document.base = list(&value["pedigree"], "ancestors")
            .iter()
            .find(|ancestor| ancestor["type"] == "container")
            .map(|ancestor| reader.component(ancestor));
    }
    document.created = text(metadata, "timestamp");
    document.tools = tools(metadata);
    document.authors = list(metadata, "authors")
        .iter()
        .filter_map(|author| text(author, "name"))
        .map(Party::Person)
        .collect();
    let properties = properties(metadata).into_iter().chain(properties(bom));
    let gap = format!("{TOOL}:gap");
    let (gaps, properties): (Vec<_>, Vec<_>) = properties.partition(|property| property.name == gap);
    document.gaps = gaps.into_iter().map(|gap| gap.value).collect();
    document.properties = properties;
    document.completeness = completeness(bom);
    document.components = reader.components;
    document.edges = reader.edges;
    document.subject = subject;
    dependencies(bom, &mut document);
    document
}

/// Every reference that the document gives, so that none is given a second time.
fn references(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(members) => {
                found.extend(members.get("bom-ref").and_then(Value::as_str).map(str::to_owned));
                open.extend(members.values());
            }
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
    found
}

struct Reader {
    used: BTreeSet<String>,
    components: Vec<Component>,
    edges: BTreeSet<Edge>,
}

impl Reader {
    /// A component and those inside it.
    fn tree(&mut self, value: &Value, parent: Option<&str>) {
        let component = self.component(value);
        let id = component.id.clone();
        if let Some(parent) = parent {
            let kind = RelationshipKind::Contains;
            self.edges.insert(Edge { from: parent.to_owned(), kind, to: id.clone() });
        }
        self.components.push(component);
        for inner in list(value, "components") {
            self.tree(inner, Some(&id));
        }
    }

    fn component(&mut self, value: &Value) -> Component {
        let id = text(value, "bom-ref").unwrap_or_else(|| self.new_id());
        let kind = ComponentKind::from_cyclonedx(value["type"].as_str().unwrap_or_default());
        let mut component = Component::new(id, kind, text(value, "name").unwrap_or_default());
        component.group = text(value, "group");
        component.version = text(value, "version");
        component.supplier =
            value.get("supplier").and_then(|supplier| text(supplier, "name")).map(Party::Organization);
        component.originator = originator(value);
        component.description = text(value, "description");
        component.copyright = text(value, "copyright");
        component.checksums = list(value, "hashes").iter().filter_map(checksum).collect();
        component.purl = text(value, "purl");
        component.cpes = text(value, "cpe").into_iter().collect();
        component.homepage = external_reference(value, "website");
        component.download = external_reference(value, "distribution");
        component.identity = value.pointer("/evidence/identity").and_then(identity);
        component.occurrences =
            list(&value["evidence"], "occurrences").iter().filter_map(occurrence).collect();
        let (own, other) = split_properties(properties(value));
        component.properties = other;
        component.cpes.extend(own.iter().filter(|(name, _)| name == "cpe").map(|(_, cpe)| cpe.clone()));
        let words = own.into_iter().collect();
        component.declared = license(value, "declared", &words);
        component.concluded = license(value, "concluded", &words);
        component
    }

    fn new_id(&mut self) -> String {
        let mut number = self.used.len();
        loop {
            let id = format!("component-{number}");
            if self.used.insert(id.clone()) {
                return id;
            }
            number += 1;
        }
    }
}

/// Properties that stand for something that has a place of its own here, without the tool's name; and the others.
fn split_properties(properties: Vec<Property>) -> (Vec<(String, String)>, Vec<Property>) {
    let mut own = Vec::new();
    let mut other = Vec::new();
    for property in properties {
        let name = property.name.strip_prefix(TOOL).and_then(|name| name.strip_prefix(':'));
        match name.filter(|name| *name == "cpe" || name.starts_with("LicenseRef-")) {
            Some(name) => own.push((name.to_owned(), property.value)),
            None => other.push(property),
        }
    }
    (own, other)
}

fn properties(value: &Value) -> Vec<Property> {
    let property = |property: &Value| {
        let value = property.get("value").and_then(Value::as_str).unwrap_or_default();
        Some(Property::new(text(property, "name")?, value))
    };
    list(value, "properties").iter().filter_map(property).collect()
}

fn checksum(value: &Value) -> Option<(HashAlgorithm, String)> {
    let algorithm = HashAlgorithm::from_cyclonedx(value.get("alg")?.as_str()?)?;
    Some((algorithm, text(value, "content")?.to_ascii_lowercase()))
}

/// The publisher, or else the author.
fn originator(value: &Value) -> Option<Party> {
    let publisher = text(value, "publisher").map(Party::Organization);
    publisher.or_else(|| text(value, "author").map(Party::Person))
}

fn external_reference(value: &Value, kind: &str) -> Option<String> {
    let references = list(value, "externalReferences");
    references.iter().find(|reference| reference["type"] == kind).and_then(|found| text(found, "url"))
}

/// One identity, or the first of several.
fn identity(value: &Value) -> Option<Identity> {
    let value = value.as_array().map_or(Some(value), |several| several.first())?;
    let method = list(value, "methods").first()?;
    let confidence = method.get("confidence").or(value.get("confidence"))?.as_f64()?;
    Some(Identity {
        technique: text(method, "technique")?,
        // A number from 0 to 1, of which a few digits mean something.
        #[expect(clippy::cast_possible_truncation, reason = "a few digits are enough")]
        confidence: confidence as f32,
        value: text(method, "value"),
    })
}

fn occurrence(value: &Value) -> Option<Occurrence> {
    Some(Occurrence { location: text(value, "location")?, context: text(value, "additionalContext") })
}

/// The licences with this acknowledgement; those without one count as declared.
fn license(component: &Value, acknowledgement: &str, words: &BTreeMap<String, String>) -> Option<License> {
    let stated = |choice: &Value| {
        let place = choice.get("license").unwrap_or(choice);
        text(place, "acknowledgement").unwrap_or_else(|| "declared".to_owned())
    };
    let choices = list(component, "licenses").iter().filter(|choice| stated(choice) == acknowledgement);
    let licenses = choices.filter_map(|choice| match choice.get("license") {
        Some(license) => one_license(license),
        None => License::with_words(&text(choice, "expression")?, &detail_words(choice, words)),
    });
    License::combine(licenses, Combine::And)
}

fn one_license(license: &Value) -> Option<License> {
    let name = text(license, "id").or_else(|| text(license, "name"))?;
    let is_plain = license["text"].get("encoding").is_none();
    match text(&license["text"], "content").filter(|_| is_plain && license.get("id").is_none()) {
        Some(content) => License::of_words(&name, &content),
        None => License::parse(&name),
    }
}

/// The words of the document's properties, and those that 1.7 has with the expression.
fn detail_words(choice: &Value, words: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let details = list(choice, "expressionDetails")
        .iter()
        .filter_map(|detail| Some((text(detail, "licenseIdentifier")?, text(&detail["text"], "content")?)));
    words.clone().into_iter().chain(details).collect()
}

/// Tools as a list, and since 1.5 as components and services.
fn tools(metadata: &Value) -> Vec<Tool> {
    let tools = metadata.get("tools").unwrap_or(&Value::Null);
    let old = tools.as_array().into_iter().flatten();
    let new = list(tools, "components").iter().chain(list(tools, "services"));
    let tool = |tool: &Value| Some(Tool { name: text(tool, "name")?, version: text(tool, "version") });
    old.chain(new).filter_map(tool).collect()
}

fn completeness(bom: &Value) -> Completeness {
    let aggregates: Vec<&str> = list(bom, "compositions")
        .iter()
        .filter_map(|composition| composition["aggregate"].as_str())
        .collect();
    if aggregates.iter().any(|aggregate| aggregate.starts_with("incomplete")) {
        return Completeness::Incomplete;
    }
    let is_complete = !aggregates.is_empty() && aggregates.iter().all(|aggregate| *aggregate == "complete");
    if is_complete { Completeness::Complete } else { Completeness::Unknown }
}

fn dependencies(bom: &Value, document: &mut SbomDocument) {
    let kinds: BTreeMap<String, ComponentKind> =
        document.everything().map(|component| (component.id.clone(), component.kind)).collect();
    for dependency in list(bom, "dependencies") {
        let Some(from) = text(dependency, "ref") else { continue };
        let Some(kind) = kinds.get(&from) else { continue };
        let kind = match kind {
            ComponentKind::Container | ComponentKind::OperatingSystem => RelationshipKind::Contains,
            _ => RelationshipKind::DependsOn,
        };
        for to in list(dependency, "dependsOn").iter().filter_map(Value::as_str) {
            if kinds.contains_key(to) {
                document.edges.insert(Edge { from: from.clone(), kind, to: to.to_owned() });
            }
        }
    }
    let Some(subject) = document.subject.as_ref().map(|subject| subject.id.clone()) else { return };
    let reached: BTreeSet<String> = document.edges.iter().map(|edge| edge.to.clone()).collect();
    for component in document.components.iter().filter(|component| !reached.contains(&component.id)) {
        let kind = RelationshipKind::Contains;
        document.edges.insert(Edge { from: subject.clone(), kind, to: component.id.clone() });
    }
}

/// Members that have a place in [`SbomDocument`], or that only say what the document is.
const KEPT_OF_BOM: [&str; 10] = [
    "$schema",
    "bomFormat",
    "specVersion",
    "serialNumber",
    "version",
    "metadata",
    "components",
    "dependencies",
    "compositions",
    "properties",
];
const KEPT_OF_METADATA: [&str; 5] = ["timestamp", "tools", "authors", "component", "properties"];
const KEPT_OF_COMPONENT: [&str; 19] = [
    "author",
    "publisher",
    "type",
    "bom-ref",
    "supplier",
    "group",
    "name",
    "version",
    "description",
    "hashes",
    "licenses",
    "copyright",
    "cpe",
    "purl",
    "pedigree",
    "externalReferences",
    "components",
    "evidence",
    "properties",
];

/// Counts what [`SbomDocument`] has no place for.
fn count_lost(bom: &Value, lost: &mut BTreeMap<String, usize>) {
    let mut count = |place: String, times: usize| {
        if times > 0 {
            *lost.entry(place).or_default() += times;
        }
    };
    let names = |value: &Value| -> Vec<String> {
        value.as_object().into_iter().flat_map(Map::keys).cloned().collect()
    };
    for name in names(bom).into_iter().filter(|name| !KEPT_OF_BOM.contains(&name.as_str())) {
        count(name, 1);
    }
    let metadata = bom.get("metadata").unwrap_or(&Value::Null);
    for name in names(metadata).into_iter().filter(|name| !KEPT_OF_METADATA.contains(&name.as_str())) {
        count(format!("metadata.{name}"), 1);
    }
    let mut open: Vec<&Value> = list(bom, "components").iter().chain(metadata.get("component")).collect();
    while let Some(component) = open.pop() {
        for name in names(component) {
            let is_second = name == "author" && component.get("publisher").is_some();
            if is_second || !KEPT_OF_COMPONENT.contains(&name.as_str()) {
                count(format!("components[].{name}"), 1);
            }
        }
        let references = list(component, "externalReferences").iter();
        let others = references
            .filter(|reference| !["website", "distribution"].iter().any(|kind| reference["type"] == *kind));
        count("components[].externalReferences[]".to_owned(), others.count());
        for name in ["licenses", "copyright", "callstack"] {
            count(
                format!("components[].evidence.{name}"),
                usize::from(component["evidence"].get(name).is_some()),
            );
        }
        open.extend(list(component, "components"));
    }
}
