//! CycloneDX documents in JSON, versions 1.5, 1.6 ([ECMA-424, 1st edition](https://ecma-international.org/publications-and-standards/standards/ecma-424/))
//! and 1.7 ([schemas](https://github.com/CycloneDX/specification/tree/1.7.1/schema)).
//!
//! The serial number is made from the document's content, and there is a timestamp only if [`DocumentOptions`] or the image gives
//! one: the same inventory and options give the same bytes. What the format has no place for is in properties that start with
//! `touchmark:`.
//!
//! What differs between the versions: 1.6 brought `acknowledgement` of licences, several identities of a component and the context
//! of an occurrence; 1.7 brought the texts of the licences in an expression.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::document::{TOOL, content_uuid};
use crate::sbom_document::{Completeness, Identity, Occurrence, Tool};
use crate::{
    Component, CycloneDxVersion, DocumentOptions, Format, Inventory, License, LicenseRef, Party, Property,
    SbomDocument,
};

/// The inventory as a JSON document of version 1.6. The same inventory and options give the same bytes.
pub fn to_json(inventory: &Inventory, options: &DocumentOptions) -> Vec<u8> {
    Format::CYCLONEDX.write(inventory, options)
}

/// The document as JSON. Versions before 1.5 are not written; they become 1.5.
pub(crate) fn document_to_json(document: &SbomDocument, version: CycloneDxVersion) -> Vec<u8> {
    let mut bom = Writer { version: version.max(CycloneDxVersion::V1_5) }.bom(document);
    // Writing strings and numbers to memory cannot fail.
    let content = serde_json::to_vec(&bom).unwrap_or_default();
    bom.serial_number = Some(format!("urn:uuid:{}", content_uuid(&content)));
    serde_json::to_vec_pretty(&bom).unwrap_or_default()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bom<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    bom_format: &'static str,
    spec_version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial_number: Option<String>,
    version: u32,
    metadata: Metadata<'a>,
    components: Vec<BomComponent<'a>>,
    dependencies: Vec<Dependency<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    compositions: Vec<Composition<'a>>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<&'a str>,
    tools: Tools<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authors: Vec<Named<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    component: Option<BomComponent<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    properties: Vec<Property>,
}

#[derive(Serialize)]
struct Tools<'a> {
    components: Vec<BomComponent<'a>>,
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct BomComponent<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "bom-ref", skip_serializing_if = "Option::is_none")]
    bom_ref: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    supplier: Option<Named<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    publisher: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hashes: Vec<Hash<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    licenses: Vec<LicenseChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    copyright: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpe: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purl: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pedigree: Option<Pedigree<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_references: Vec<ExternalReference<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<Evidence<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    properties: Vec<Property>,
}

#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct Hash<'a> {
    alg: &'static str,
    content: &'a str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum LicenseChoice<'a> {
    #[serde(rename_all = "camelCase")]
    Expression {
        expression: &'a str,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        expression_details: Vec<ExpressionDetail<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        acknowledgement: Option<&'static str>,
    },
    Named {
        license: NamedLicense<'a>,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExpressionDetail<'a> {
    license_identifier: &'a str,
    text: Text<'a>,
}

#[derive(Serialize)]
struct NamedLicense<'a> {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledgement: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Text<'a>>,
}

#[derive(Serialize)]
struct Text<'a> {
    content: &'a str,
}

#[derive(Serialize)]
struct Pedigree<'a> {
    ancestors: Vec<BomComponent<'a>>,
}

#[derive(Serialize)]
struct ExternalReference<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    url: &'a str,
}

#[derive(Serialize)]
struct Evidence<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<Identities<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    occurrences: Vec<SeenAt<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Identities<'a> {
    /// Until 1.5.
    One(IdentityEvidence<'a>),
    /// Since 1.6.
    Several([IdentityEvidence<'a>; 1]),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct IdentityEvidence<'a> {
    field: &'static str,
    confidence: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    concluded_value: Option<&'a str>,
    methods: [IdentityMethod<'a>; 1],
}

#[derive(Serialize)]
struct IdentityMethod<'a> {
    technique: &'a str,
    confidence: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SeenAt<'a> {
    location: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_context: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dependency<'a> {
    #[serde(rename = "ref")]
    reference: &'a str,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    depends_on: BTreeSet<&'a str>,
}

#[derive(Serialize)]
struct Composition<'a> {
    aggregate: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    assemblies: Vec<&'a str>,
}

/// Writes one version.
struct Writer {
    version: CycloneDxVersion,
}

impl Writer {
    fn bom<'a>(&self, document: &'a SbomDocument) -> Bom<'a> {
        let aggregate = match document.completeness {
            Completeness::Complete => "complete",
            Completeness::Incomplete => "incomplete",
            Completeness::Unknown => "unknown",
        };
        let assemblies = document.subject.iter().map(|subject| subject.id.as_str()).collect();
        Bom {
            schema: self.version.schema(),
            bom_format: "CycloneDX",
            spec_version: self.version.name(),
            serial_number: None,
            version: 1,
            metadata: self.metadata(document),
            components: document.components.iter().map(|component| self.component(component)).collect(),
            dependencies: dependencies(document),
            compositions: vec![Composition { aggregate, assemblies }],
        }
    }

    fn metadata<'a>(&self, document: &'a SbomDocument) -> Metadata<'a> {
        let gaps = document.gaps.iter().map(|gap| Property::new(format!("{TOOL}:gap"), gap));
        let ancestors = document.base.iter().map(|base| self.component(base)).collect::<Vec<_>>();
        let component = document.subject.as_ref().map(|subject| BomComponent {
            pedigree: (!ancestors.is_empty()).then_some(Pedigree { ancestors }),
            ..self.component(subject)
        });
        Metadata {
            timestamp: document.created.as_deref(),
            tools: Tools { components: document.tools.iter().map(tool).collect() },
            authors: document.authors.iter().map(named).collect(),
            component,
            properties: gaps.chain(document.properties.iter().cloned()).collect(),
        }
    }

    fn component<'a>(&self, component: &'a Component) -> BomComponent<'a> {
        let license = component
            .declared
            .as_ref()
            .map(|license| self.license(license, "declared"))
            .or_else(|| component.concluded.as_ref().map(|license| self.license(license, "concluded")));
        let (author, publisher) = match &component.originator {
            Some(Party::Person(name)) => (Some(name.as_str()), None),
            Some(Party::Organization(name)) => (None, Some(name.as_str())),
            None => (None, None),
        };
        let reference =
            |kind, url: &'a Option<String>| url.iter().map(move |url| ExternalReference { kind, url });
        BomComponent {
            kind: self.kind(component),
            bom_ref: Some(&component.id),
            supplier: component.supplier.as_ref().map(named),
            author,
            publisher,
            group: component.group.as_deref(),
            name: &component.name,
            version: component.version.as_deref(),
            description: component.description.as_deref(),
            hashes: self.hashes(component),
            licenses: license.into_iter().collect(),
            copyright: component.copyright.as_deref(),
            cpe: component.cpes.first().map(String::as_str),
            purl: component.purl.as_deref(),
            pedigree: None,
            external_references: reference("website", &component.homepage)
                .chain(reference("distribution", &component.download))
                .collect(),
            evidence: self.evidence(component),
            properties: self.properties(component),
        }
    }

    fn kind(&self, component: &Component) -> &'static str {
        match component.kind.cyclonedx() {
            "cryptographic-asset" if self.version < CycloneDxVersion::V1_6 => "data",
            kind => kind,
        }
    }

    fn hashes<'a>(&self, component: &'a Component) -> Vec<Hash<'a>> {
        let is_known = |name: &&str| self.version >= CycloneDxVersion::V1_7 || !name.starts_with("Streebog");
        let hash = |(algorithm, content): &'a (crate::HashAlgorithm, String)| {
            Some(Hash { alg: algorithm.cyclonedx().filter(is_known)?, content })
        };
        component.checksums.iter().filter_map(hash).collect()
    }

    /// A licence that is nothing but a name has its name here rather than our identifier for it.
    fn license<'a>(&self, license: &'a License, acknowledgement: &'static str) -> LicenseChoice<'a> {
        let acknowledgement = (self.version >= CycloneDxVersion::V1_6).then_some(acknowledgement);
        match license.references() {
            [only] if only.id == license.expression() => {
                let title = only.name.lines().next().unwrap_or_default();
                let short: String = title.chars().take(120).collect();
                let text = (short != only.name).then_some(Text { content: &only.name });
                let name = if short.is_empty() { only.id.clone() } else { short };
                LicenseChoice::Named { license: NamedLicense { name, acknowledgement, text } }
            }
            references => {
                let detail = |reference: &'a LicenseRef| ExpressionDetail {
                    license_identifier: &reference.id,
                    text: Text { content: &reference.name },
                };
                let in_place = self.version >= CycloneDxVersion::V1_7;
                LicenseChoice::Expression {
                    expression: license.expression(),
                    expression_details: references.iter().filter(|_| in_place).map(detail).collect(),
                    acknowledgement,
                }
            }
        }
    }

    fn evidence<'a>(&self, component: &'a Component) -> Option<Evidence<'a>> {
        let identity = component.identity.as_ref().map(|identity| self.identity(component, identity));
        let occurrences: Vec<_> =
            component.occurrences.iter().map(|occurrence| self.seen_at(occurrence)).collect();
        (identity.is_some() || !occurrences.is_empty()).then_some(Evidence { identity, occurrences })
    }

    fn identity<'a>(&self, component: &'a Component, identity: &'a Identity) -> Identities<'a> {
        let is_new = self.version >= CycloneDxVersion::V1_6;
        let method = IdentityMethod {
            technique: &identity.technique,
            confidence: identity.confidence,
            value: identity.value.as_deref(),
        };
        let evidence = IdentityEvidence {
            field: if component.purl.is_some() { "purl" } else { "name" },
            confidence: identity.confidence,
            concluded_value: Some(component.purl.as_deref().unwrap_or(&component.name)).filter(|_| is_new),
            methods: [method],
        };
        if is_new { Identities::Several([evidence]) } else { Identities::One(evidence) }
    }

    fn seen_at<'a>(&self, occurrence: &'a Occurrence) -> SeenAt<'a> {
        let is_new = self.version >= CycloneDxVersion::V1_6;
        let additional_context = occurrence.context.as_deref().filter(|_| is_new);
        SeenAt { location: &occurrence.location, additional_context }
    }

    /// The component's own, the names in the CPE dictionary past the first, and the words of licences that the version has no other
    /// place for.
    fn properties(&self, component: &Component) -> Vec<Property> {
        let cpes = component.cpes.iter().skip(1).map(|cpe| Property::new(format!("{TOOL}:cpe"), cpe));
        let is_elsewhere = |license: &&License| {
            self.version >= CycloneDxVersion::V1_7
                || matches!(license.references(), [only] if only.id == license.expression())
        };
        let license = component.declared.as_ref().or(component.concluded.as_ref());
        let words =
            license.filter(|license| !is_elsewhere(license)).into_iter().flat_map(License::references);
        let words = words.map(|reference| Property::new(format!("{TOOL}:{}", reference.id), &reference.name));
        component.properties.iter().cloned().chain(cpes).chain(words).collect()
    }
}

fn tool(tool: &Tool) -> BomComponent<'_> {
    let version = tool.version.as_deref();
    BomComponent { kind: "application", name: &tool.name, version, ..BomComponent::default() }
}

fn named(party: &Party) -> Named<'_> {
    Named { name: party.name() }
}

/// One entry for everything that has a reference, so that an entry without targets says that it has none.
fn dependencies(document: &SbomDocument) -> Vec<Dependency<'_>> {
    let mut targets: BTreeMap<&str, BTreeSet<&str>> =
        document.everything().map(|component| (component.id.as_str(), BTreeSet::new())).collect();
    for edge in &document.edges {
        if targets.contains_key(edge.to.as_str())
            && let Some(known) = targets.get_mut(edge.from.as_str())
        {
            known.insert(&edge.to);
        }
    }
    targets.into_iter().map(|(reference, depends_on)| Dependency { reference, depends_on }).collect()
}
