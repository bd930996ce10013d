//! From an inventory to a document. What the formats have no place for becomes properties that start with `touchmark:`.

use std::collections::BTreeSet;

use crate::document::{
    DISTRIBUTION_ID, TOOL, created, package_supplier, subject_id, subject_purl, subject_supplier,
};
use crate::sbom_document::{Completeness, Identity, Occurrence, Tool};
use crate::{
    BaseImage, Component, ComponentKind, Distribution, DocumentOptions, Edge, Element, Evidence,
    HashAlgorithm, Inventory, Package, Party, Property, RelationshipKind, RemovedPackage, SbomDocument,
    Subject,
};

impl SbomDocument {
    /// The document about an inventory. The same inventory and options give the same document.
    pub fn of_inventory(inventory: &Inventory, options: &DocumentOptions) -> Self {
        let supplied_by = subject_supplier(inventory.subject(), options);
        let mut document = Self::named(inventory.subject().name().to_owned());
        document.created = created(inventory, options);
        document.tools = vec![Tool { name: TOOL.to_owned(), version: Some(options.tool_version.clone()) }];
        document.subject = Some(subject(inventory, supplied_by.clone()));
        document.base = inventory.base().and_then(base_image);
        document.components = inventory
            .distribution()
            .map(distribution)
            .into_iter()
            .chain(inventory.packages().map(|package| component(package, inventory, supplied_by.as_ref())))
            .collect();
        document.edges = edges(inventory);
        document.gaps = inventory.gaps().iter().map(ToString::to_string).collect();
        document.properties = inventory.removed().iter().map(removed).collect();
        // No gap says that nothing was missed, not that there is nothing else: an ecosystem may be unknown here.
        document.completeness =
            if inventory.is_complete() { Completeness::Unknown } else { Completeness::Incomplete };
        document
    }
}

fn own(name: &str, value: impl Into<String>) -> Property {
    Property::new(format!("{TOOL}:{name}"), value)
}

fn subject(inventory: &Inventory, supplier: Option<Party>) -> Component {
    let subject = inventory.subject();
    let kind = match subject {
        Subject::Image(_) => ComponentKind::Container,
        Subject::Directory { .. } | Subject::File { .. } => ComponentKind::File,
    };
    let mut component = Component::new(subject_id(subject), kind, subject.name());
    component.supplier = supplier;
    component.version = subject.digest().map(ToString::to_string);
    component.checksums = subject.digest().and_then(digest_checksum).into_iter().collect();
    component.purl = subject_purl(subject);
    let layers = inventory.layers().enumerate().map(|(index, layer)| {
        let digest = layer.map_or_else(|| "not scanned".to_owned(), ToString::to_string);
        own(&format!("layer:{index}"), digest)
    });
    component.properties = layers.chain(inventory.base().into_iter().flat_map(base_properties)).collect();
    component
}

fn digest_checksum(digest: &touchmark_oci::Digest) -> Option<(HashAlgorithm, String)> {
    let name = match digest.algorithm() {
        touchmark_oci::Algorithm::Sha512 => "SHA-512",
        _ => "SHA-256",
    };
    Some((HashAlgorithm::from_cyclonedx(name)?, digest.hex().to_owned()))
}

/// What is known of the base image, as properties of the image.
fn base_properties(base: &BaseImage) -> Vec<Property> {
    let how = serde_json::to_value(base.recognised_by).ok();
    let how = how.as_ref().and_then(|how| how.as_str()).unwrap_or_default().to_owned();
    let mut properties = vec![own("base:layers", base.layers.to_string()), own("base:recognised-by", how)];
    properties.extend(base.name.iter().map(|name| own("base:name", name)));
    properties.extend(base.digest.iter().map(|digest| own("base:digest", digest.to_string())));
    properties
}

/// The base image as a component of its own, which takes a name. Its version is its digest, or else its tag.
fn base_image(base: &BaseImage) -> Option<Component> {
    let full = base.name.as_deref()?;
    let (name, tag) = match full.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') && !name.is_empty() => (name, Some(tag.to_owned())),
        _ => (full, None),
    };
    let mut component = Component::new(BASE_ID, ComponentKind::Container, name);
    component.version = base.digest.as_ref().map(ToString::to_string).or(tag);
    component.checksums = base.digest.as_ref().and_then(digest_checksum).into_iter().collect();
    component.supplier =
        name.rsplit_once('/').map(|(namespace, _)| Party::Organization(namespace.to_owned()));
    Some(component)
}

/// What the base image is called within documents.
const BASE_ID: &str = "base-image";

fn distribution(distribution: &Distribution) -> Component {
    let kind = ComponentKind::OperatingSystem;
    let mut component = Component::new(DISTRIBUTION_ID, kind, &distribution.id);
    component.supplier = distribution.vendor.clone().map(Party::Organization);
    component.version = distribution.version.clone();
    component.description = distribution.name.clone();
    component
}

fn component(package: &Package, inventory: &Inventory, supplied_by: Option<&Party>) -> Component {
    let kind = if package.is_application { ComponentKind::Application } else { ComponentKind::Library };
    let mut component = Component::new(package.id.to_string(), kind, &package.name);
    component.version = package.version.clone();
    component.supplier = package_supplier(package, supplied_by);
    component.description = package.description.clone();
    let checksum = |checksum: &crate::Checksum| {
        Some((HashAlgorithm::from_cyclonedx(checksum.algorithm.name())?, checksum.hex.clone()))
    };
    component.checksums = package.checksums.iter().filter_map(checksum).collect();
    component.declared = package.license.clone();
    component.purl = package.purl.clone();
    component.cpes = package.cpes.clone();
    component.homepage = package.homepage.clone();
    component.identity = Some(Identity {
        technique: package.identified_by.technique().to_owned(),
        confidence: package.identified_by.confidence(),
        value: package.evidence.first().map(|evidence| format!("/{}", evidence.path)),
    });
    component.occurrences = package.evidence.iter().map(|evidence| occurrence(evidence, inventory)).collect();
    component.properties = properties(package);
    component
}

fn occurrence(evidence: &Evidence, inventory: &Inventory) -> Occurrence {
    let context = |index: usize| {
        let digest = inventory.layers().nth(index).flatten();
        digest.map_or_else(|| format!("layer {index}"), |digest| format!("layer {index} ({digest})"))
    };
    Occurrence { location: format!("/{}", evidence.path), context: evidence.layer.map(context) }
}

fn properties(package: &Package) -> Vec<Property> {
    let mut properties = vec![own("ecosystem", package.ecosystem.name())];
    let how = serde_json::to_value(package.identified_by).ok();
    properties.extend(how.as_ref().and_then(|how| how.as_str()).map(|how| own("identified-by", how)));
    properties.extend(package.layer().map(|layer| own("layer", layer.to_string())));
    if let Some(history) = &package.history {
        let changed: Vec<String> = history.changed.iter().map(ToString::to_string).collect();
        if !changed.is_empty() {
            properties.push(own("layers:changed", changed.join(",")));
        }
        properties.push(own("in-base", history.in_base.to_string()));
    }
    if let Some(source) = &package.source {
        properties.push(own("source:name", &source.name));
        properties.extend(source.version.iter().map(|version| own("source:version", version)));
    }
    properties
}

fn removed(package: &RemovedPackage) -> Property {
    let what = package.purl.clone().unwrap_or_else(|| {
        let version = package.version.as_deref().unwrap_or("without a version");
        format!("{} {} {version}", package.ecosystem.name(), package.name)
    });
    let (introduced, removed) = (package.introduced, package.removed);
    own("removed", format!("{what} (brought by layer {introduced}, removed by layer {removed})"))
}

fn edges(inventory: &Inventory) -> BTreeSet<Edge> {
    let subject = subject_id(inventory.subject());
    let of_distribution = inventory.distribution().map(|_| Edge {
        from: subject.to_owned(),
        kind: RelationshipKind::Contains,
        to: DISTRIBUTION_ID.to_owned(),
    });
    let between = inventory.relationships().iter().map(|relationship| Edge {
        from: match &relationship.from {
            Element::Subject => subject.to_owned(),
            Element::Package(id) => id.to_string(),
        },
        kind: relationship.kind,
        to: relationship.to.to_string(),
    });
    of_distribution.into_iter().chain(between).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use touchmark_oci::{Digest, ImageName};

    use super::*;
    use crate::{
        BaseEvidence, Checksum, ChecksumAlgorithm, Ecosystem, Format, History, ImageSubject, License, Limits,
        Relationship,
    };

    /// An image with a base, a package about which everything is known, and one that was removed.
    fn full() -> Inventory {
        let name = ImageName::Repository { registry: "r.example".into(), repository: "a/b".into() };
        let subject = Subject::Image(ImageSubject::new(&name, Digest::of(b"image")));
        let mut inventory = Inventory::from_layers(subject, Vec::new(), &Limits::default());
        inventory.base = Some(BaseImage {
            name: Some("docker.io/library/debian:12".into()),
            digest: Some(Digest::of(b"base")),
            layers: 1,
            recognised_by: BaseEvidence::Annotations,
        });
        let evidence = Evidence { path: "var/lib/dpkg/status".into(), layer: Some(0) };
        let purl = Some("pkg:deb/debian/a@1".to_owned());
        let mut package = Package::new(Ecosystem::Deb, "a", Some("1"), purl, evidence);
        package.cpes = vec!["cpe:2.3:a:x:a:1:*:*:*:*:*:*:*".into(), "cpe:2.3:a:y:a:1:*:*:*:*:*:*:*".into()];
        package.checksums = Checksum::new(ChecksumAlgorithm::Md5, &"0".repeat(32)).into_iter().collect();
        package.license = License::parse("MIT");
        package.history = Some(History { introduced: 0, changed: vec![1, 2], in_base: false });
        let contains =
            Relationship { from: Element::Subject, kind: RelationshipKind::Contains, to: package.id.clone() };
        inventory.relationships.push(contains);
        inventory.packages.insert(package.id.clone(), package);
        inventory.removed.push(RemovedPackage {
            ecosystem: Ecosystem::Deb,
            name: "gone".into(),
            version: None,
            purl: None,
            introduced: 0,
            removed: 2,
        });
        inventory
    }

    fn written(format: &str) -> Value {
        let format: Format = format.parse().unwrap();
        serde_json::from_slice(&format.write(&full(), &DocumentOptions::default())).unwrap()
    }

    fn value<'a>(properties: &'a Value, name: &str) -> &'a str {
        let found = properties.as_array().unwrap().iter().find(|property| property["name"] == name);
        found.unwrap()["value"].as_str().unwrap()
    }

    #[test]
    fn cyclonedx_has_everything_in_its_place() {
        let bom = written("cyclonedx-json@1.6");
        let package = &bom["components"][0];
        assert_eq!(package["hashes"][0]["alg"], "MD5");
        assert_eq!(package["cpe"], "cpe:2.3:a:x:a:1:*:*:*:*:*:*:*");
        assert_eq!(value(&package["properties"], "touchmark:cpe"), "cpe:2.3:a:y:a:1:*:*:*:*:*:*:*");
        assert_eq!(value(&package["properties"], "touchmark:layers:changed"), "1,2");
        assert_eq!(value(&package["properties"], "touchmark:in-base"), "false");
        assert_eq!(value(&package["properties"], "touchmark:identified-by"), "manifest");
        assert_eq!(package["evidence"]["identity"][0]["methods"][0]["value"], "/var/lib/dpkg/status");
        let image = &bom["metadata"]["component"];
        assert_eq!(image["pedigree"]["ancestors"][0]["name"], "docker.io/library/debian");
        assert_eq!(value(&image["properties"], "touchmark:base:recognised-by"), "annotations");
        let removed = value(&bom["metadata"]["properties"], "touchmark:removed");
        assert_eq!(removed, "deb gone without a version (brought by layer 0, removed by layer 2)");
    }

    #[test]
    fn what_a_version_of_cyclonedx_does_not_have_is_not_written() {
        let package = |version: &str| written(&format!("cyclonedx-json@{version}"))["components"][0].clone();
        let old = package("1.5");
        assert_eq!(old["evidence"]["identity"]["field"], "purl");
        assert!(old["evidence"]["identity"].get("concludedValue").is_none());
        assert!(old["evidence"]["occurrences"][0].get("additionalContext").is_none());
        assert!(old["licenses"][0].get("acknowledgement").is_none());
        for version in ["1.6", "1.7"] {
            let new = package(version);
            assert_eq!(new["evidence"]["identity"][0]["concludedValue"], "pkg:deb/debian/a@1");
            assert_eq!(new["evidence"]["occurrences"][0]["additionalContext"], "layer 0");
            assert_eq!(new["licenses"][0]["acknowledgement"], "declared");
        }
    }

    #[test]
    fn spdx_2_has_everything_in_its_place() {
        let document = written("spdx-json@2.3");
        let [image, base, package] = document["packages"].as_array().unwrap().as_slice() else {
            unreachable!("an image, its base and a package: {document}")
        };
        assert_eq!(base["versionInfo"], Digest::of(b"base").to_string());
        assert_eq!(package["checksums"][0]["algorithm"], "MD5");
        let kinds: Vec<&Value> = package["externalRefs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|reference| &reference["referenceType"])
            .collect();
        assert_eq!(kinds, ["purl", "cpe23Type", "cpe23Type"]);
        let properties: Value =
            serde_json::from_str(package["annotations"][0]["comment"].as_str().unwrap()).unwrap();
        assert_eq!(value(&properties, "touchmark:layers:changed"), "1,2");
        let descends = document["relationships"]
            .as_array()
            .unwrap()
            .iter()
            .find(|relationship| relationship["relationshipType"] == "DESCENDANT_OF");
        let descends = descends.unwrap();
        assert_eq!(
            (&descends["spdxElementId"], &descends["relatedSpdxElement"]),
            (&image["SPDXID"], &base["SPDXID"])
        );
    }

    #[test]
    fn spdx_3_has_everything_in_its_place() {
        let document = written("spdx-json@3.0.1");
        let elements = document["@graph"].as_array().unwrap();
        let find =
            |member: &str, text: &str| elements.iter().find(|element| element[member] == text).unwrap();
        let package = find("name", "a");
        assert_eq!(package["verifiedUsing"][0]["algorithm"], "md5");
        assert_eq!(package["externalIdentifier"][1]["externalIdentifierType"], "cpe23");
        assert_eq!(
            find("relationshipType", "descendantOf")["to"][0],
            find("name", "docker.io/library/debian")["spdxId"]
        );
        assert_eq!(find("relationshipType", "hasDeclaredLicense")["from"], package["spdxId"]);
        assert_eq!(find("relationshipType", "contains")["completeness"], "noAssertion");
    }
}
