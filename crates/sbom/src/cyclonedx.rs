//! CycloneDX 1.6 documents in JSON ([ECMA-424, 1st edition](https://ecma-international.org/publications-and-standards/standards/ecma-424/);
//! [schema](https://cyclonedx.org/schema/bom-1.6.schema.json)).
//!
//! The serial number is made from the document's content, and there is a timestamp only if [`DocumentOptions`] or the image gives
//! one: the same inventory and options give the same bytes. What the format has no place for is in properties that start with
//! `touchmark:`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::document::{
    DISTRIBUTION_ID, TOOL, content_uuid, created, package_supplier, subject_id, subject_purl,
    subject_supplier,
};
use crate::{Distribution, DocumentOptions, Element, Evidence, Inventory, License, Package, Party, Subject};

/// The inventory as a JSON document. The same inventory and options give the same bytes.
pub fn to_json(inventory: &Inventory, options: &DocumentOptions) -> Vec<u8> {
    let mut bom = Bom::of(inventory, options);
    // Writing strings and numbers to memory cannot fail.
    let content = serde_json::to_vec(&bom).unwrap_or_default();
    bom.serial_number = Some(format!("urn:uuid:{}", content_uuid(&content)));
    serde_json::to_vec_pretty(&bom).unwrap_or_default()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bom {
    #[serde(rename = "$schema")]
    schema: &'static str,
    bom_format: &'static str,
    spec_version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial_number: Option<String>,
    version: u32,
    metadata: Metadata,
    components: Vec<Component>,
    dependencies: Vec<Dependency>,
    compositions: Vec<Composition>,
}

#[derive(Serialize)]
struct Metadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<String>,
    tools: Tools,
    component: Component,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    properties: Vec<Property>,
}

#[derive(Serialize)]
struct Tools {
    components: Vec<Component>,
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct Component {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "bom-ref", skip_serializing_if = "Option::is_none")]
    bom_ref: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    supplier: Option<Named>,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hashes: Vec<Hash>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    licenses: Vec<LicenseChoice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purl: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_references: Vec<ExternalReference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<Occurrences>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    properties: Vec<Property>,
}

#[derive(Serialize)]
struct Named {
    name: String,
}

#[derive(Serialize)]
struct Hash {
    alg: &'static str,
    content: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum LicenseChoice {
    Expression { expression: String, acknowledgement: &'static str },
    Named { license: NamedLicense },
}

#[derive(Serialize)]
struct NamedLicense {
    name: String,
    acknowledgement: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Text>,
}

#[derive(Serialize)]
struct Text {
    content: String,
}

#[derive(Serialize)]
struct ExternalReference {
    #[serde(rename = "type")]
    kind: &'static str,
    url: String,
}

#[derive(Serialize)]
struct Occurrences {
    occurrences: Vec<Occurrence>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Occurrence {
    location: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_context: Option<String>,
}

#[derive(Serialize)]
struct Property {
    name: String,
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dependency {
    #[serde(rename = "ref")]
    reference: String,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    depends_on: BTreeSet<String>,
}

#[derive(Serialize)]
struct Composition {
    aggregate: &'static str,
    assemblies: Vec<&'static str>,
}

impl Bom {
    fn of(inventory: &Inventory, options: &DocumentOptions) -> Self {
        let supplied_by = subject_supplier(inventory.subject(), options);
        let distribution = inventory.distribution().map(Component::distribution);
        let packages = inventory.packages().map(|package| {
            let supplier = package_supplier(package, supplied_by.as_ref()).map(Named::of);
            Component { supplier, ..Component::package(package, inventory) }
        });
        // No gap says that nothing was missed, not that there is nothing else: an ecosystem may be unknown here.
        let aggregate = if inventory.is_complete() { "unknown" } else { "incomplete" };
        Self {
            schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
            bom_format: "CycloneDX",
            spec_version: "1.6",
            serial_number: None,
            version: 1,
            metadata: Metadata::of(inventory, options),
            components: distribution.into_iter().chain(packages).collect(),
            dependencies: dependencies(inventory),
            compositions: vec![Composition { aggregate, assemblies: vec![subject_id(inventory.subject())] }],
        }
    }
}

impl Metadata {
    fn of(inventory: &Inventory, options: &DocumentOptions) -> Self {
        let tool = Component {
            kind: "application",
            name: TOOL.to_owned(),
            version: Some(options.tool_version.clone()),
            ..Component::default()
        };
        let gaps = inventory.gaps().iter().map(|gap| Property::new("gap", gap.to_string()));
        Self {
            timestamp: created(inventory, options),
            tools: Tools { components: vec![tool] },
            component: Component {
                supplier: subject_supplier(inventory.subject(), options).as_ref().map(Named::of),
                ..Component::subject(inventory)
            },
            properties: gaps.collect(),
        }
    }
}

impl Named {
    fn of(party: &Party) -> Self {
        Self { name: party.name().to_owned() }
    }
}

impl Property {
    fn new(name: &str, value: impl Into<String>) -> Self {
        Self { name: format!("{TOOL}:{name}"), value: value.into() }
    }
}

impl Component {
    fn subject(inventory: &Inventory) -> Self {
        let subject = inventory.subject();
        let layers = inventory.layers().enumerate().map(|(index, layer)| {
            let digest = layer.map_or_else(|| "not scanned".to_owned(), ToString::to_string);
            Property::new(&format!("layer:{index}"), digest)
        });
        let hash = |digest: &touchmark_oci::Digest| Hash {
            alg: match digest.algorithm() {
                touchmark_oci::Algorithm::Sha512 => "SHA-512",
                _ => "SHA-256",
            },
            content: digest.hex().to_owned(),
        };
        Self {
            kind: match subject {
                Subject::Image(_) => "container",
                Subject::Directory { .. } | Subject::File { .. } => "file",
            },
            bom_ref: Some(subject_id(subject).to_owned()),
            name: subject.name().to_owned(),
            version: subject.digest().map(ToString::to_string),
            hashes: subject.digest().map(hash).into_iter().collect(),
            purl: subject_purl(subject),
            properties: layers.collect(),
            ..Self::default()
        }
    }

    fn distribution(distribution: &Distribution) -> Self {
        Self {
            kind: "operating-system",
            bom_ref: Some(DISTRIBUTION_ID.to_owned()),
            name: distribution.id.clone(),
            supplier: distribution.vendor.clone().map(|name| Named { name }),
            version: distribution.version.clone(),
            description: distribution.name.clone(),
            ..Self::default()
        }
    }

    fn package(package: &Package, inventory: &Inventory) -> Self {
        let occurrences =
            package.evidence.iter().map(|evidence| Occurrence::of(evidence, inventory)).collect();
        let homepage =
            package.homepage.iter().map(|url| ExternalReference { kind: "website", url: url.clone() });
        Self {
            kind: if package.is_application { "application" } else { "library" },
            bom_ref: Some(package.id.to_string()),
            name: package.name.clone(),
            version: package.version.clone(),
            description: package.description.clone(),
            licenses: package.license.as_ref().map(LicenseChoice::of).into_iter().collect(),
            purl: package.purl.clone(),
            external_references: homepage.collect(),
            evidence: Some(Occurrences { occurrences }),
            properties: properties(package),
            ..Self::default()
        }
    }
}

impl Occurrence {
    fn of(evidence: &Evidence, inventory: &Inventory) -> Self {
        let context = |index: usize| {
            let digest = inventory.layers().nth(index).flatten();
            digest.map_or_else(|| format!("layer {index}"), |digest| format!("layer {index} ({digest})"))
        };
        Self { location: format!("/{}", evidence.path), additional_context: evidence.layer.map(context) }
    }
}

impl LicenseChoice {
    /// A licence that is nothing but a name has its name here rather than our identifier for it.
    fn of(license: &License) -> Self {
        const DECLARED: &str = "declared";
        match license.references() {
            [only] if only.id == license.expression() => {
                let title = only.name.lines().next().unwrap_or_default();
                let short: String = title.chars().take(120).collect();
                let text = (short != only.name).then(|| Text { content: only.name.clone() });
                let name = if short.is_empty() { only.id.clone() } else { short };
                Self::Named { license: NamedLicense { name, acknowledgement: DECLARED, text } }
            }
            _ => Self::Expression { expression: license.expression().to_owned(), acknowledgement: DECLARED },
        }
    }
}

fn properties(package: &Package) -> Vec<Property> {
    let mut properties = vec![Property::new("ecosystem", package.ecosystem.name())];
    if let Some(layer) = package.layer() {
        properties.push(Property::new("layer", layer.to_string()));
    }
    if let Some(source) = &package.source {
        properties.push(Property::new("source:name", &source.name));
        properties.extend(source.version.iter().map(|version| Property::new("source:version", version)));
    }
    let references = package.license.iter().flat_map(License::references);
    properties.extend(references.map(|reference| Property::new(&reference.id, &reference.name)));
    properties
}

/// One entry for everything that has a reference, so that an entry without targets says that it has none.
fn dependencies(inventory: &Inventory) -> Vec<Dependency> {
    let subject = subject_id(inventory.subject()).to_owned();
    let mut targets: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    targets.entry(subject.clone()).or_default();
    if inventory.distribution().is_some() {
        targets.entry(subject.clone()).or_default().insert(DISTRIBUTION_ID.to_owned());
        targets.entry(DISTRIBUTION_ID.to_owned()).or_default();
    }
    for package in inventory.packages() {
        targets.entry(package.id.to_string()).or_default();
    }
    for relationship in inventory.relationships() {
        let from = match &relationship.from {
            Element::Subject => subject.clone(),
            Element::Package(id) => id.to_string(),
        };
        targets.entry(from).or_default().insert(relationship.to.to_string());
    }
    targets.into_iter().map(|(reference, depends_on)| Dependency { reference, depends_on }).collect()
}
