//! SPDX 3.0.1 documents in JSON-LD ([model](https://spdx.github.io/spdx-spec/v3.0.1/), profiles Core, Software and SimpleLicensing).
//!
//! Everything is an element of one graph, and every element has an address below the document's namespace, which is made from the
//! content. The time is [`spdx::created`](crate::spdx)'s. The same inventory and options give the same bytes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use touchmark_oci::Digest;

use crate::document::TOOL;
use crate::party::one_line;
use crate::sbom_document::Completeness;
use crate::spdx::{
    NOT_READ, created, described, incompleteness, license_references, namespace, safe_id, source_info,
    version,
};
use crate::{Component, License, Party, Property, RelationshipKind, SbomDocument};

pub(crate) fn document_to_json(document: &SbomDocument) -> Vec<u8> {
    // Once without a namespace, to make it from the content.
    let content = serde_json::to_vec(&Graph::new(document, "").finish()).unwrap_or_default();
    let namespace = namespace(&one_line(&document.name), &content);
    serde_json::to_vec_pretty(&Graph::new(document, &namespace).finish()).unwrap_or_default()
}

/// The version's context, which says what the members mean.
pub(crate) const CONTEXT: &str = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld";
const CREATION: &str = "_:creation";

/// Collects the elements of one document.
struct Graph<'a> {
    document: &'a SbomDocument,
    namespace: &'a str,
    elements: BTreeMap<String, Value>,
}

impl<'a> Graph<'a> {
    fn new(document: &'a SbomDocument, namespace: &'a str) -> Self {
        Self { document, namespace, elements: BTreeMap::new() }
    }

    fn finish(mut self) -> Value {
        let document = self.document;
        let creation = self.creation();
        for component in document.everything().chain(&document.base) {
            self.component(component);
        }
        self.edges();
        self.ancestry();
        for gap in &document.gaps {
            let statement = format!("{NOT_READ}{gap}");
            self.annotation("document", &statement, None);
        }
        self.property_annotation("document", &document.properties);
        let bom = self.bom();
        let document = self.spdx_document(&bom);
        let all = [creation, document].into_iter().chain(self.elements.into_values());
        json!({ "@context": CONTEXT, "@graph": all.collect::<Vec<_>>() })
    }

    fn address(&self, id: &str) -> String {
        format!("{}#{id}", self.namespace)
    }

    fn component_address(&self, component: &str) -> String {
        self.address(&format!("component-{}", safe_id(component)))
    }

    /// Adds an element, and gives its address.
    fn add(&mut self, kind: &str, id: &str, members: Value) -> String {
        let address = self.address(id);
        self.elements.entry(address.clone()).or_insert_with(|| element(kind, &address, members));
        address
    }

    fn creation(&mut self) -> Value {
        let document = self.document;
        let mut tools = Vec::new();
        for tool in &document.tools {
            let version = tool.version.iter().map(|version| format!(" {version}")).collect::<String>();
            let name = one_line(&format!("{}{version}", tool.name));
            tools.push(self.add("Tool", &format!("tool-{}", safe_id(&name)), json!({ "name": name })));
        }
        let mut authors: Vec<String> = document.authors.iter().map(|author| self.agent(author)).collect();
        if authors.is_empty() {
            // A document has an author who can act; a tool cannot.
            let name = document.tools.first().map_or(TOOL, |tool| tool.name.as_str());
            let id = format!("agent-{}", safe_id(name));
            authors.push(self.add("SoftwareAgent", &id, json!({ "name": one_line(name) })));
        }
        let mut creation = json!({
            "type": "CreationInfo", "@id": CREATION, "specVersion": "3.0.1",
            "created": created(document), "createdBy": authors,
        });
        if !tools.is_empty() {
            set(&mut creation, "createdUsing", json!(tools));
        }
        creation
    }

    fn agent(&mut self, party: &Party) -> String {
        let kind = match party {
            Party::Person(_) => "Person",
            Party::Organization(_) => "Organization",
        };
        let name = one_line(party.name());
        let id = format!("{}-{}", kind.to_lowercase(), safe_id(&name));
        self.add(kind, &id, json!({ "name": name }))
    }

    fn component(&mut self, component: &Component) {
        let mut members = json!({ "name": one_line(&component.full_name()) });
        let mut text = |member: &str, value: Option<String>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                set(&mut members, member, Value::String(value));
            }
        };
        text("software_packageVersion", Some(version(component)));
        text("software_packageUrl", component.purl.clone());
        text("software_homePage", component.homepage.clone());
        text("software_downloadLocation", component.download.clone());
        text("software_primaryPurpose", Some(component.kind.spdx3().to_owned()));
        text("software_sourceInfo", source_info(component));
        text("software_copyrightText", component.copyright.clone());
        text("summary", component.description.as_deref().map(one_line));
        if let Some(supplier) = &component.supplier {
            let agent = self.agent(supplier);
            set(&mut members, "suppliedBy", Value::String(agent));
        }
        if let Some(originator) = &component.originator {
            let agent = self.agent(originator);
            set(&mut members, "originatedBy", json!([agent]));
        }
        set_list(&mut members, "externalIdentifier", identifiers(component));
        set_list(&mut members, "verifiedUsing", hashes(component));
        let id = format!("component-{}", safe_id(&component.id));
        self.add("software_Package", &id, members);
        self.license(component, "hasDeclaredLicense", component.declared.as_ref());
        self.license(component, "hasConcludedLicense", component.concluded.as_ref());
        self.property_annotation(&id, &component.properties);
    }

    /// The expression, the words that its `LicenseRef-` stand for, and the edge to it.
    fn license(&mut self, component: &Component, kind: &str, license: Option<&License>) {
        let Some(license) = license else { return };
        let words = license_references(self.document);
        let mut entries = Vec::new();
        for reference in license.references() {
            // As the words are the document's, the same `LicenseRef-` has the same words everywhere.
            let text = words.get(reference.id.as_str()).copied().unwrap_or(&reference.name);
            let members = json!({
                "name": one_line(text).chars().take(120).collect::<String>(),
                "simplelicensing_licenseText": text,
            });
            let address = self.add("simplelicensing_SimpleLicensingText", &safe_id(&reference.id), members);
            entries.push(json!({ "type": "DictionaryEntry", "key": reference.id, "value": address }));
        }
        let mut members = json!({ "simplelicensing_licenseExpression": license.expression() });
        set_list(&mut members, "simplelicensing_customIdToUri", entries);
        let id = format!("license-{}", safe_id(license.expression()));
        let license = self.add("simplelicensing_LicenseExpression", &id, members);
        let from = self.component_address(&component.id);
        self.relationship(&safe_id(&component.id), kind, &from, &BTreeSet::from([license]));
    }

    fn relationship(&mut self, start: &str, kind: &str, from: &str, to: &BTreeSet<String>) {
        let members = json!({ "from": from, "relationshipType": kind, "to": to });
        self.add("Relationship", &format!("{kind}-{start}"), members);
    }

    fn edges(&mut self) {
        let mut targets: BTreeMap<(&str, &str), BTreeSet<String>> = BTreeMap::new();
        for edge in &self.document.edges {
            let kind = match edge.kind {
                RelationshipKind::Contains => "contains",
                RelationshipKind::DependsOn => "dependsOn",
            };
            let to = self.component_address(&edge.to);
            targets.entry((&edge.from, kind)).or_default().insert(to);
        }
        for ((from, kind), to) in targets {
            let address = self.component_address(from);
            self.relationship(&safe_id(from), kind, &address, &to);
        }
        self.completeness();
    }

    /// Says of what the subject contains that it is complete, or is not.
    fn completeness(&mut self) {
        let Some(subject) = &self.document.subject else { return };
        let word = match self.document.completeness {
            Completeness::Complete => "complete",
            Completeness::Incomplete => "incomplete",
            Completeness::Unknown => "noAssertion",
        };
        let address = self.address(&format!("contains-{}", safe_id(&subject.id)));
        if let Some(relationship) = self.elements.get_mut(&address) {
            set(relationship, "completeness", Value::String(word.to_owned()));
        }
    }

    fn ancestry(&mut self) {
        let (Some(subject), Some(base)) = (&self.document.subject, &self.document.base) else { return };
        let (from, to) = (self.component_address(&subject.id), self.component_address(&base.id));
        self.relationship(&safe_id(&subject.id), "descendantOf", &from, &BTreeSet::from([to]));
    }

    fn annotation(&mut self, subject: &str, statement: &str, content_type: Option<&str>) {
        let digest = Digest::of(format!("{subject}\n{statement}").as_bytes());
        let id = format!("annotation-{}", digest.hex().get(..16).unwrap_or_default());
        let mut members = json!({
            "annotationType": "other", "subject": self.address(subject), "statement": statement,
        });
        if let Some(content_type) = content_type {
            set(&mut members, "contentType", json!(content_type));
        }
        self.add("Annotation", &id, members);
    }

    fn property_annotation(&mut self, subject: &str, properties: &[Property]) {
        if !properties.is_empty() {
            let statement = serde_json::to_string(properties).unwrap_or_default();
            self.annotation(subject, &statement, Some("application/json"));
        }
    }

    /// The bill of materials, and its address.
    fn bom(&mut self) -> String {
        let roots: Vec<String> =
            described(self.document).into_iter().map(|id| self.component_address(id)).collect();
        let parts: BTreeSet<String> =
            self.document.everything().map(|component| self.component_address(&component.id)).collect();
        let mut members = json!({ "name": one_line(&self.document.name) });
        if !roots.is_empty() {
            set(&mut members, "rootElement", json!(roots));
            set(&mut members, "element", json!(parts));
        }
        self.add("software_Sbom", "sbom", members)
    }

    fn spdx_document(&mut self, bom: &str) -> Value {
        let terms = json!({ "simplelicensing_licenseExpression": "CC0-1.0" });
        let data_license = self.add("simplelicensing_LicenseExpression", "license-CC0-1.0", terms);
        let address = self.address("document");
        let mut members = json!({
            "name": one_line(&self.document.name),
            "dataLicense": data_license,
            "profileConformance": ["core", "software", "simpleLicensing"],
            "rootElement": [bom],
            "element": self.elements.keys().collect::<Vec<_>>(),
        });
        if let Some(comment) = incompleteness(self.document) {
            set(&mut members, "comment", Value::String(comment));
        }
        element("SpdxDocument", &address, members)
    }
}

fn element(kind: &str, address: &str, members: Value) -> Value {
    let mut element = json!({ "type": kind, "spdxId": address, "creationInfo": CREATION });
    if let (Some(element), Value::Object(members)) = (element.as_object_mut(), members) {
        element.extend(members);
    }
    element
}

fn set(object: &mut Value, member: &str, value: Value) {
    object.as_object_mut().unwrap_or(&mut Map::new()).insert(member.to_owned(), value);
}

fn set_list(object: &mut Value, member: &str, list: Vec<Value>) {
    if !list.is_empty() {
        set(object, member, Value::Array(list));
    }
}

fn identifiers(component: &Component) -> Vec<Value> {
    let identifier = |kind: &str, text: &str| json!({ "type": "ExternalIdentifier", "externalIdentifierType": kind, "identifier": text });
    let purl = component.purl.iter().map(|purl| identifier("packageUrl", purl));
    let cpes = component.cpes.iter().map(|cpe| {
        let kind = if cpe.starts_with("cpe:2.3:") { "cpe23" } else { "cpe22" };
        identifier(kind, cpe)
    });
    purl.chain(cpes).collect()
}

fn hashes(component: &Component) -> Vec<Value> {
    let hash = |(algorithm, value): &(crate::HashAlgorithm, String)| {
        Some(json!({ "type": "Hash", "algorithm": algorithm.spdx3()?, "hashValue": value }))
    };
    component.checksums.iter().filter_map(hash).collect()
}
