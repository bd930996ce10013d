//! From SPDX 3.0.1 in JSON-LD to [`SbomDocument`]. Packages and files become components.
//!
//! Only the form that the [specification](https://spdx.github.io/spdx-spec/v3.0.1/serializations/) asks for is read: its own context,
//! and elements in one graph.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::problem::shortened;
use super::value::{list, required, text};
use super::{Problem, ReadError};
use crate::document::TOOL;
use crate::license::Combine;
use crate::sbom_document::{Completeness, Tool};
use crate::spdx::{NO_ASSERTION, NOT_READ, SOURCE_INFO};
use crate::spdx3::CONTEXT;
use crate::{
    Component, ComponentKind, Edge, HashAlgorithm, License, Party, Property, RelationshipKind, SbomDocument,
};

/// Reads a document.
pub(super) fn read(value: &Value) -> Result<SbomDocument, ReadError> {
    check_context(value)?;
    let graph = Graph::new(value)?;
    let document = graph.document;
    let mut read = SbomDocument::named(text(document, "name").unwrap_or_else(|| "document".to_owned()));
    graph.creation(document, &mut read)?;
    let names = graph.names();
    for (address, element) in graph.components() {
        read.components.push(graph.component(element, names.get(address).cloned().unwrap_or_default())?);
    }
    graph.relationships(&names, &mut read)?;
    graph.subject(&names, &mut read);
    graph.annotations(&names, &mut read);
    Ok(read)
}

fn check_context(value: &Value) -> Result<(), ReadError> {
    let context = value.get("@context").unwrap_or(&Value::Null);
    let contexts = context.as_array().map_or(std::slice::from_ref(context), Vec::as_slice);
    if contexts.iter().any(|context| context == CONTEXT) {
        return Ok(());
    }
    let found = contexts.iter().find_map(Value::as_str).unwrap_or_default();
    Err(ReadError::UnsupportedVersion { family: "SPDX", found: shortened(found) })
}

/// Types of elements that become components.
const COMPONENTS: [&str; 4] = ["software_Package", "software_File", "ai_AIPackage", "dataset_DatasetPackage"];
/// Types that are no elements and need no address of their own.
const NO_ELEMENTS: [&str; 8] = [
    "CreationInfo",
    "Hash",
    "ExternalIdentifier",
    "ExternalRef",
    "ExternalMap",
    "DictionaryEntry",
    "NamespaceMap",
    "PackageVerificationCode",
];

struct Graph<'a> {
    elements: BTreeMap<&'a str, &'a Value>,
    document: &'a Value,
}

impl<'a> Graph<'a> {
    fn new(value: &'a Value) -> Result<Self, ReadError> {
        let items = match value.get("@graph") {
            Some(Value::Array(items)) => items.as_slice(),
            Some(_) => {
                return Err(ReadError::invalid("/@graph", Problem::WrongType { expected: "a list" }));
            }
            None => std::slice::from_ref(value),
        };
        let mut elements = BTreeMap::new();
        let mut documents = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let path = format!("/@graph/{index}");
            let kind = required(item, "type", &path)?;
            let address = item.get("spdxId").or(item.get("@id")).and_then(Value::as_str);
            // What is no element has a name of its own in this document at most.
            let is_element = !NO_ELEMENTS.contains(&kind.as_str()) && item.get("@id").is_none();
            if is_element {
                let address = required(item, "spdxId", &path)?;
                if address.is_empty() || item.get("creationInfo").is_none() {
                    return Err(ReadError::invalid(path, Problem::Missing { name: "creationInfo" }));
                }
            }
            if let Some(address) = address
                && elements.insert(address, item).is_some()
            {
                return Err(ReadError::invalid(path, Problem::DuplicateId { id: shortened(address) }));
            }
            if kind == "SpdxDocument" {
                documents.push(item);
            }
        }
        match documents.as_slice() {
            [document] => Ok(Self { elements, document }),
            [] => Err(ReadError::invalid("/@graph", Problem::Missing { name: "SpdxDocument" })),
            _ => Err(ReadError::invalid("/@graph", Problem::Repeated { name: "SpdxDocument" })),
        }
    }

    /// The element at an address, or the one that stands in the address' place.
    fn at(&self, value: &'a Value) -> Option<&'a Value> {
        if value.is_object() { Some(value) } else { self.elements.get(value.as_str()?).copied() }
    }

    fn components(&self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let is_component = |kind: &Value| kind.as_str().is_some_and(|kind| COMPONENTS.contains(&kind));
        self.elements
            .iter()
            .filter(move |(_, element)| is_component(&element["type"]))
            .map(|(address, element)| (*address, *element))
    }

    /// A short name for each component: the end of its address, or all of it where two have the same end.
    fn names(&self) -> BTreeMap<&'a str, String> {
        let short = |address: &'a str| {
            let end = address.rsplit(['#', '/']).next().unwrap_or(address);
            let end = end.strip_prefix("component-").or(end.strip_prefix("SPDXRef-")).unwrap_or(end);
            end.to_owned()
        };
        let mut times: BTreeMap<String, usize> = BTreeMap::new();
        for (address, _) in self.components() {
            *times.entry(short(address)).or_default() += 1;
        }
        let name = |address: &'a str| match times.get(&short(address)) {
            Some(1) => (address, short(address)),
            _ => (address, address.to_owned()),
        };
        self.components().map(|(address, _)| name(address)).collect()
    }

    fn creation(&self, document: &'a Value, read: &mut SbomDocument) -> Result<(), ReadError> {
        let missing = || ReadError::invalid("/@graph", Problem::Missing { name: "CreationInfo" });
        let creation =
            document.get("creationInfo").and_then(|creation| self.at(creation)).ok_or_else(missing)?;
        let version = required(creation, "specVersion", "/@graph/creationInfo")?;
        if version != "3.0.1" {
            return Err(ReadError::UnsupportedVersion { family: "SPDX", found: shortened(&version) });
        }
        let created = required(creation, "created", "/@graph/creationInfo")?;
        if created.parse::<jiff::Timestamp>().is_err() {
            let problem =
                Problem::NotAllowed { found: shortened(&created), expected: "a time as in RFC 3339" };
            return Err(ReadError::invalid("/@graph/creationInfo", problem));
        }
        read.created = Some(created);
        let authors = list(creation, "createdBy");
        if authors.is_empty() {
            return Err(ReadError::invalid("/@graph/creationInfo", Problem::Missing { name: "createdBy" }));
        }
        read.authors = authors.iter().filter_map(|author| self.party(author)).collect();
        for tool in list(creation, "createdUsing").iter().filter_map(|tool| self.at(tool)) {
            let Some(name) = text(tool, "name") else { continue };
            let split = name.rsplit_once(' ');
            let split = split.filter(|(_, version)| version.starts_with(|c: char| c.is_ascii_digit()));
            let (name, version) =
                split.map_or((name.as_str(), None), |(name, version)| (name, Some(version)));
            read.tools.push(Tool { name: name.to_owned(), version: version.map(str::to_owned) });
        }
        Ok(())
    }

    /// A person or an organisation; none for a program.
    fn party(&self, value: &'a Value) -> Option<Party> {
        let agent = self.at(value)?;
        let name = text(agent, "name")?;
        match agent["type"].as_str()? {
            "Person" => Some(Party::Person(name)),
            "Organization" | "Agent" => Some(Party::Organization(name)),
            _ => None,
        }
    }

    fn component(&self, element: &'a Value, id: String) -> Result<Component, ReadError> {
        let is_file = element["type"] == "software_File";
        let purpose = text(element, "software_primaryPurpose").unwrap_or_default();
        let kind = match ComponentKind::from_spdx3(&purpose) {
            ComponentKind::Unstated if is_file => ComponentKind::File,
            kind => kind,
        };
        let stated = |member| text(element, member).filter(|value| value != NO_ASSERTION);
        let mut component = Component::new(id, kind, required(element, "name", "/@graph")?);
        component.version = stated("software_packageVersion");
        component.supplier = element.get("suppliedBy").and_then(|agent| self.party(agent));
        component.originator = list(element, "originatedBy").iter().find_map(|agent| self.party(agent));
        component.description = text(element, "summary").or_else(|| text(element, "description"));
        component.copyright = stated("software_copyrightText");
        component.purl = text(element, "software_packageUrl");
        component.homepage = text(element, "software_homePage");
        component.download = stated("software_downloadLocation");
        for identifier in list(element, "externalIdentifier").iter().filter_map(|found| self.at(found)) {
            let Some(name) = text(identifier, "identifier") else { continue };
            match identifier["externalIdentifierType"].as_str() {
                Some("packageUrl") => component.purl = component.purl.or(Some(name)),
                Some("cpe23" | "cpe22") => component.cpes.push(name),
                _ => {}
            }
        }
        let hashes = list(element, "verifiedUsing").iter().filter_map(|hash| self.at(hash));
        component.checksums = hashes.filter_map(checksum).collect();
        let said = text(element, "software_sourceInfo");
        component.properties = said.map(|said| Property::new(SOURCE_INFO, said)).into_iter().collect();
        Ok(component)
    }

    fn relationships(
        &self,
        names: &BTreeMap<&str, String>,
        read: &mut SbomDocument,
    ) -> Result<(), ReadError> {
        let mut base = None;
        for relationship in self.elements.values().filter(|element| is_relationship(element)) {
            let kind = required(relationship, "relationshipType", "/@graph")?;
            let from = required(relationship, "from", "/@graph")?;
            let Some(from) = names.get(from.as_str()) else { continue };
            let targets = list(relationship, "to");
            let ends = || targets.iter().filter_map(Value::as_str).filter_map(|to| names.get(to));
            let kind = match kind.as_str() {
                "contains" => RelationshipKind::Contains,
                "dependsOn" => RelationshipKind::DependsOn,
                "descendantOf" => {
                    base = ends().next().cloned().or(base);
                    continue;
                }
                "hasDeclaredLicense" | "hasConcludedLicense" => {
                    let license = targets.first().and_then(|license| self.license(license, 0));
                    let components = read.components.iter_mut();
                    for component in components.filter(|component| component.id == *from) {
                        match kind.as_str() {
                            "hasDeclaredLicense" => component.declared.clone_from(&license),
                            _ => component.concluded.clone_from(&license),
                        }
                    }
                    continue;
                }
                _ => continue,
            };
            read.edges.extend(ends().map(|to| Edge { from: from.clone(), kind, to: to.clone() }));
            match relationship["completeness"].as_str() {
                Some("incomplete") => read.completeness = Completeness::Incomplete,
                Some("complete") if read.completeness == Completeness::Unknown => {
                    read.completeness = Completeness::Complete;
                }
                _ => {}
            }
        }
        read.base = base.and_then(|id| take(read, &id));
        Ok(())
    }

    /// A licence by its address. Sets of licences may hold sets, to a depth of ten.
    fn license(&self, value: &'a Value, depth: usize) -> Option<License> {
        if depth > 10 {
            return None;
        }
        let Some(element) = self.at(value) else {
            // Listed licences have addresses of their own.
            return License::parse(value.as_str()?.strip_prefix("https://spdx.org/licenses/")?);
        };
        let members = || list(element, "expandedlicensing_member").iter();
        let several =
            |how| License::combine(members().filter_map(|member| self.license(member, depth + 1)), how);
        match element["type"].as_str()? {
            "simplelicensing_LicenseExpression" => {
                let words = self.words(element);
                License::with_words(&text(element, "simplelicensing_licenseExpression")?, &words)
            }
            "expandedlicensing_ListedLicense" => {
                let id = text(element, "spdxId")?;
                License::parse(id.rsplit('/').next().unwrap_or_default())
            }
            "expandedlicensing_CustomLicense" => {
                let content = text(element, "simplelicensing_licenseText").unwrap_or_default();
                License::of_words(&text(element, "name").unwrap_or_else(|| content.clone()), &content)
            }
            "expandedlicensing_ConjunctiveLicenseSet" => several(Combine::And),
            "expandedlicensing_DisjunctiveLicenseSet" => several(Combine::Or),
            _ => None,
        }
    }

    fn words(&self, expression: &'a Value) -> BTreeMap<String, String> {
        let entry = |entry: &'a Value| {
            let entry = self.at(entry)?;
            let text_element = self.elements.get(entry.get("value")?.as_str()?)?;
            Some((text(entry, "key")?, text(text_element, "simplelicensing_licenseText")?))
        };
        list(expression, "simplelicensing_customIdToUri").iter().filter_map(entry).collect()
    }

    /// The root of the document, or the root of the bill of materials that is.
    fn subject(&self, names: &BTreeMap<&str, String>, read: &mut SbomDocument) {
        let mut roots = list(self.document, "rootElement");
        if let [bom] = roots
            && let Some(bom) = self.at(bom)
            && matches!(bom["type"].as_str(), Some("software_Sbom" | "Bom"))
        {
            roots = list(bom, "rootElement");
        }
        if let [root] = roots
            && let Some(id) = root.as_str().and_then(|root| names.get(root))
        {
            read.subject = take(read, id);
        }
    }

    /// Gaps of the document, and properties of it and of its components.
    fn annotations(&self, names: &BTreeMap<&str, String>, read: &mut SbomDocument) {
        let annotations = self.elements.values().filter(|element| element["type"] == "Annotation");
        for annotation in annotations {
            let statement = annotation.get("statement").and_then(Value::as_str).unwrap_or_default();
            let about = annotation.get("subject").and_then(Value::as_str).unwrap_or_default();
            if let Some(gap) = statement.strip_prefix(NOT_READ) {
                read.gaps.push(gap.to_owned());
                continue;
            }
            let properties: Vec<Property> = serde_json::from_str(statement).unwrap_or_default();
            let everything = read.subject.iter_mut().chain(&mut read.components);
            let mut named = everything.filter(|component| Some(&component.id) == names.get(about));
            match named.next() {
                Some(component) => add_properties(component, properties),
                None => read.properties.extend(properties),
            }
        }
        read.gaps.sort();
        if !read.gaps.is_empty() {
            read.completeness = Completeness::Incomplete;
        }
    }
}

/// What this tool writes as `sourceInfo` can be made again from the properties.
fn add_properties(component: &mut Component, properties: Vec<Property>) {
    component.properties.extend(properties);
    if component.property(&format!("{TOOL}:ecosystem")).is_some() {
        component.properties.retain(|property| property.name != SOURCE_INFO);
    }
}

fn is_relationship(element: &Value) -> bool {
    matches!(element["type"].as_str(), Some("Relationship" | "LifecycleScopedRelationship"))
}

fn checksum(hash: &Value) -> Option<(HashAlgorithm, String)> {
    let algorithm = HashAlgorithm::from_spdx3(hash.get("algorithm")?.as_str()?)?;
    Some((algorithm, text(hash, "hashValue")?.to_ascii_lowercase()))
}

fn take(read: &mut SbomDocument, id: &str) -> Option<Component> {
    let index = read.components.iter().position(|component| component.id == id)?;
    Some(read.components.remove(index))
}

/// Counts what [`SbomDocument`] has no place for: elements of other types and relationships of other kinds.
pub(super) fn lost(value: &Value) -> BTreeMap<String, usize> {
    const KEPT: [&str; 14] = [
        "SpdxDocument",
        "software_Sbom",
        "Bom",
        "Relationship",
        "LifecycleScopedRelationship",
        "Annotation",
        "Person",
        "Organization",
        "Agent",
        "SoftwareAgent",
        "Tool",
        "simplelicensing_LicenseExpression",
        "simplelicensing_SimpleLicensingText",
        "expandedlicensing_ListedLicense",
    ];
    const EDGES: [&str; 5] =
        ["contains", "dependsOn", "descendantOf", "hasDeclaredLicense", "hasConcludedLicense"];
    let kept: BTreeSet<&str> = KEPT.into_iter().chain(COMPONENTS).chain(NO_ELEMENTS).collect();
    let mut lost = BTreeMap::new();
    for element in list(value, "@graph") {
        let kind = element["type"].as_str().unwrap_or_default();
        if !kept.contains(kind) {
            *lost.entry(shortened(kind)).or_default() += 1;
        }
        let edge = element["relationshipType"].as_str().unwrap_or_default();
        if is_relationship(element) && !EDGES.contains(&edge) {
            *lost.entry(format!("Relationship {}", shortened(edge))).or_default() += 1;
        }
    }
    lost
}
