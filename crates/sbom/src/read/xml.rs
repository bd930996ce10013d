//! XML as a tree: elements, attributes without a namespace, and text. No document type, so no entities of the document's own.

use quick_xml::NsReader;
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};

/// One element.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) namespace: String,
    /// Attributes without a namespace.
    pub(super) attributes: Vec<(String, String)>,
    pub(super) text: String,
    pub(super) children: Vec<Self>,
}

impl Element {
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Why bytes are not XML that is read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum XmlError {
    /// Not XML.
    #[error("not valid XML")]
    Syntax(#[from] quick_xml::Error),
    /// An attribute that is not one.
    #[error("not valid XML")]
    Attribute(#[from] quick_xml::events::attributes::AttrError),
    /// Not UTF-8, the encoding that is read.
    #[error("XML is not in UTF-8")]
    NotUtf8(#[from] std::str::Utf8Error),
    /// A document type declaration, which can make a small file large.
    #[error("XML has a document type declaration")]
    DocumentType,
    /// An entity that XML itself does not have.
    #[error("XML entity {name:?} is not known")]
    UnknownEntity {
        /// The entity, shortened.
        name: String,
    },
    /// Nested deeper than the limit.
    #[error("XML is nested deeper than {limit} levels")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// No element, or more than one at the top.
    #[error("XML has not exactly one element at its top")]
    NotOneRoot,
}

/// Reads a document.
pub(super) fn parse(bytes: &[u8], max_depth: usize) -> Result<Element, XmlError> {
    let mut reader = NsReader::from_str(std::str::from_utf8(bytes)?);
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    loop {
        let (namespace, event) = reader.read_resolved_event()?;
        match event {
            Event::Start(start) => {
                if open.len() >= max_depth {
                    return Err(XmlError::TooDeep { limit: max_depth });
                }
                open.push(element(&start, &namespace)?);
            }
            Event::Empty(start) => close(element(&start, &namespace)?, &mut open, &mut root)?,
            Event::End(_) => {
                let element = open.pop().ok_or(XmlError::NotOneRoot)?;
                close(element, &mut open, &mut root)?;
            }
            Event::Text(text) => add(&mut open, &text.xml10_content()),
            Event::CData(text) => add(&mut open, &text.xml10_content()),
            Event::GeneralRef(reference) => match reference.resolve_char_ref()? {
                Some(character) => add(&mut open, character.encode_utf8(&mut [0; 4])),
                None => add(&mut open, predefined(&reference.xml10_content())?),
            },
            Event::DocType(_) => return Err(XmlError::DocumentType),
            Event::Eof => break,
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
        }
    }
    root.filter(|_| open.is_empty()).ok_or(XmlError::NotOneRoot)
}

fn close(element: Element, open: &mut [Element], root: &mut Option<Element>) -> Result<(), XmlError> {
    match open.last_mut() {
        Some(parent) => parent.children.push(element),
        None if root.is_none() => *root = Some(element),
        None => return Err(XmlError::NotOneRoot),
    }
    Ok(())
}

fn add(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

fn element(start: &BytesStart<'_>, namespace: &ResolveResult<'_>) -> Result<Element, XmlError> {
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute?;
        if attribute.key.prefix().is_none() && attribute.key.into_inner() != "xmlns" {
            let value = attribute.normalized_value(XmlVersion::Implicit1_0)?;
            attributes.push((attribute.key.into_inner().to_owned(), value.into_owned()));
        }
    }
    let namespace = match namespace {
        ResolveResult::Bound(Namespace(name)) => (*name).to_owned(),
        _ => String::new(),
    };
    let name = start.local_name().into_inner().to_owned();
    Ok(Element { name, namespace, attributes, ..Element::default() })
}

fn predefined(name: &str) -> Result<&'static str, XmlError> {
    resolve_xml_entity(name).ok_or_else(|| XmlError::UnknownEntity { name: name.chars().take(64).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_attributes_and_text_are_read() {
        let text = br#"<?xml version="1.0"?><a xmlns="n" xmlns:x="m" b="1&amp;2" x:c="3">t&lt;&#65;<![CDATA[<]]><d/></a>"#;
        let root = parse(text, 4).unwrap();
        assert_eq!((root.name.as_str(), root.namespace.as_str(), root.text.as_str()), ("a", "n", "t<A<"));
        assert_eq!(root.attributes, [("b".to_owned(), "1&2".to_owned())]);
        assert_eq!(root.children.len(), 1);
    }

    #[test]
    fn a_document_type_is_refused() {
        let bomb = br#"<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>"#;
        assert!(matches!(parse(bomb, 4), Err(XmlError::DocumentType)));
        assert!(matches!(parse(b"<a>&b;</a>", 4), Err(XmlError::UnknownEntity { name }) if name == "b"));
    }

    #[test]
    fn depth_and_number_of_roots_are_limited() {
        assert!(matches!(parse(b"<a><b><c/></b></a>", 1), Err(XmlError::TooDeep { limit: 1 })));
        assert!(matches!(parse(b"<a/><b/>", 4), Err(XmlError::NotOneRoot)));
        assert!(matches!(parse(b"", 4), Err(XmlError::NotOneRoot)));
        assert!(matches!(parse(b"<a>", 4), Err(XmlError::NotOneRoot | XmlError::Syntax(_))));
    }

    #[test]
    fn what_is_not_xml_is_refused() {
        assert!(matches!(parse(b"<a></b>", 4), Err(XmlError::Syntax(_))));
        assert!(matches!(parse(b"<a b=1/>", 4), Err(XmlError::Attribute(_))));
        assert!(matches!(parse(b"<a>&#x110000;</a>", 4), Err(XmlError::Syntax(_))));
        assert!(matches!(parse(b"<a b='&x;'/>", 4), Err(XmlError::Syntax(_))));
        assert!(matches!(parse(b"<a>\xFF</a>", 4), Err(XmlError::NotUtf8(_))));
    }
}
