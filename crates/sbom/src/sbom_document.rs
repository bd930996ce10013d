//! An SBOM, whatever its format: components, what holds between them, and what is missing.
//!
//! Every document that is written is a projection of one of these, and every document that is read becomes one. So all formats have
//! the same components and the same edges.

use std::collections::BTreeSet;

use crate::document::epoch;
use crate::read::Origin;
use crate::{ComponentKind, DocumentOptions, Format, HashAlgorithm, License, Party, RelationshipKind};

/// An SBOM. Ordered, so that one content has one document in each format.
#[derive(Debug, Clone, PartialEq)]
pub struct SbomDocument {
    pub(crate) name: String,
    pub(crate) created: Option<String>,
    pub(crate) tools: Vec<Tool>,
    pub(crate) authors: Vec<Party>,
    pub(crate) subject: Option<Component>,
    pub(crate) components: Vec<Component>,
    pub(crate) base: Option<Component>,
    pub(crate) edges: BTreeSet<Edge>,
    pub(crate) gaps: Vec<String>,
    pub(crate) properties: Vec<Property>,
    pub(crate) completeness: Completeness,
    pub(crate) origin: Option<Origin>,
}

impl SbomDocument {
    pub(crate) fn named(name: String) -> Self {
        Self {
            name,
            created: None,
            tools: Vec::new(),
            authors: Vec::new(),
            subject: None,
            components: Vec::new(),
            base: None,
            edges: BTreeSet::new(),
            gaps: Vec::new(),
            properties: Vec::new(),
            completeness: Completeness::Unknown,
            origin: None,
        }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When it says it was made, in RFC 3339.
    pub fn created(&self) -> Option<&str> {
        self.created.as_deref()
    }

    /// What it is about, if it says.
    pub fn subject(&self) -> Option<&Component> {
        self.subject.as_ref()
    }

    /// Everything that it names beside the subject.
    pub fn components(&self) -> &[Component] {
        &self.components
    }

    /// The edges, ordered.
    pub fn edges(&self) -> impl ExactSizeIterator<Item = &Edge> {
        self.edges.iter()
    }

    /// What it says is missing.
    pub fn gaps(&self) -> &[String] {
        &self.gaps
    }

    /// The format it was read from; none if it was made here.
    pub fn read_from(&self) -> Option<Format> {
        self.origin.as_ref().map(Origin::format)
    }

    /// Says that it was made when the options say, if they say so.
    #[must_use]
    pub fn dated(mut self, options: &DocumentOptions) -> Self {
        self.created = epoch(options).or(self.created);
        self
    }

    /// Subject and components.
    pub(crate) fn everything(&self) -> impl Iterator<Item = &Component> {
        self.subject.iter().chain(&self.components)
    }
}

/// Whether a document names everything that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Completeness {
    /// It says that it does.
    Complete,
    /// It says that something is missing.
    Incomplete,
    /// It does not say, or says that it is not known.
    Unknown,
}

/// A program that made a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) version: Option<String>,
}

/// One thing that a document names.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Component {
    /// Its name within the document.
    pub id: String,
    /// What it is.
    pub kind: ComponentKind,
    /// The group before its name, where the format keeps them apart.
    pub group: Option<String>,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Option<String>,
    /// Who supplies it.
    pub supplier: Option<Party>,
    /// Who made it, where that is told apart.
    pub originator: Option<Party>,
    /// What it is, in one line.
    pub description: Option<String>,
    /// Its copyright notice.
    pub copyright: Option<String>,
    /// Checksums in hexadecimal digits.
    pub checksums: Vec<(HashAlgorithm, String)>,
    /// Its licence as it declares it.
    pub declared: Option<License>,
    /// Its licence as the document's author concluded it.
    pub concluded: Option<License>,
    /// Its package URL.
    pub purl: Option<String>,
    /// Names in the CPE dictionary's form.
    pub cpes: Vec<String>,
    /// Its home page.
    pub homepage: Option<String>,
    /// Where it can be had.
    pub download: Option<String>,
    /// How it was identified.
    pub identity: Option<Identity>,
    /// Where it was seen.
    pub occurrences: Vec<Occurrence>,
    /// What the format has no word for.
    pub properties: Vec<Property>,
}

impl Component {
    pub(crate) fn new(id: impl Into<String>, kind: ComponentKind, name: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            kind,
            group: None,
            name: name.into(),
            version: None,
            supplier: None,
            originator: None,
            description: None,
            copyright: None,
            checksums: Vec::new(),
            declared: None,
            concluded: None,
            purl: None,
            cpes: Vec::new(),
            homepage: None,
            download: None,
            identity: None,
            occurrences: Vec::new(),
            properties: Vec::new(),
        }
    }

    /// The value of a property.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.iter().find(|property| property.name == name).map(|property| property.value.as_str())
    }

    /// The name with its group before it, in the form of a package URL.
    pub fn full_name(&self) -> String {
        match &self.group {
            Some(group) if !group.is_empty() => format!("{group}/{}", self.name),
            _ => self.name.clone(),
        }
    }
}

/// How a component was identified.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Identity {
    /// In CycloneDX's words (`evidence.identity.methods.technique`).
    pub technique: String,
    /// From 0 to 1.
    pub confidence: f32,
    /// The evidence, such as a file's path.
    pub value: Option<String>,
}

/// Where a component was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Occurrence {
    /// The file, with a leading slash in an image.
    pub location: String,
    /// More about the place, such as the layer.
    pub context: Option<String>,
}

/// A name and a value.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Property {
    /// Its name, with a namespace before a colon.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl Property {
    pub(crate) fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// One edge between two components, by their identifiers. The subject is one of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// The start.
    pub from: String,
    /// What holds.
    pub kind: RelationshipKind,
    /// The end.
    pub to: String,
}
