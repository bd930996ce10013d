//! XML as a tree: elements, attributes without a namespace, and text. No document type, so no entities of the document's own.

use std::sync::Arc;

use quick_xml::NsReader;
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};

use crate::read::ReadLimits;

/// One element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) namespace: Arc<str>,
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
    /// More elements than the limit: each takes many times the bytes that it is written with.
    #[error("XML has more than {limit} elements")]
    TooManyElements {
        /// The limit.
        limit: usize,
    },
    /// No element, or more than one at the top.
    #[error("XML has not exactly one element at its top")]
    NotOneRoot,
}

/// Reads a document.
pub(super) fn parse(bytes: &[u8], limits: &ReadLimits) -> Result<Element, XmlError> {
    let (max_depth, max_elements) = (limits.max_depth, limits.max_elements);
    let mut elements = 0;
    let mut last_namespace: Arc<str> = Arc::from("");
    let mut reader = NsReader::from_str(std::str::from_utf8(bytes)?);
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    loop {
        let (namespace, event) = reader.read_resolved_event()?;
        if matches!(event, Event::Start(_) | Event::Empty(_)) {
            elements += 1;
            if elements > max_elements {
                return Err(XmlError::TooManyElements { limit: max_elements });
            }
            keep_namespace(&namespace, &mut last_namespace);
        }
        match event {
            Event::Start(start) => {
                if open.len() >= max_depth {
                    return Err(XmlError::TooDeep { limit: max_depth });
                }
                open.push(element(&start, &last_namespace)?);
            }
            Event::Empty(start) => close(element(&start, &last_namespace)?, &mut open, &mut root)?,
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

/// Elements of one namespace share its name, which may be long.
fn keep_namespace(found: &ResolveResult<'_>, last: &mut Arc<str>) {
    let name = match found {
        ResolveResult::Bound(Namespace(name)) => *name,
        _ => "",
    };
    if **last != *name {
        *last = Arc::from(name);
    }
}

fn element(start: &BytesStart<'_>, namespace: &Arc<str>) -> Result<Element, XmlError> {
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute?;
        if attribute.key.prefix().is_none() && attribute.key.into_inner() != "xmlns" {
            let value = attribute.normalized_value(XmlVersion::Implicit1_0)?;
            attributes.push((attribute.key.into_inner().to_owned(), value.into_owned()));
        }
    }
    let name = start.local_name().into_inner().to_owned();
    Ok(Element {
        name,
        namespace: Arc::clone(namespace),
        attributes,
        text: String::new(),
        children: Vec::new(),
    })
}

fn predefined(name: &str) -> Result<&'static str, XmlError> {
    resolve_xml_entity(name).ok_or_else(|| XmlError::UnknownEntity { name: name.chars().take(64).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn depth(max_depth: usize) -> ReadLimits {
        ReadLimits { max_depth, ..ReadLimits::default() }
    }

    #[test]
    fn elements_attributes_and_text_are_read() {
        let text = br#"<?xml version="1.0"?><a xmlns="n" xmlns:x="m" b="1&amp;2" x:c="3">t&lt;&#65;<![CDATA[<]]><d/></a>"#;
        let root = parse(text, &depth(4)).unwrap();
        assert_eq!((root.name.as_str(), &*root.namespace, root.text.as_str()), ("a", "n", "t<A<"));
        assert_eq!(root.attributes, [("b".to_owned(), "1&2".to_owned())]);
        assert_eq!(root.children.len(), 1);
    }

    #[test]
    fn a_document_type_is_refused() {
        let bomb = br#"<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>"#;
        assert!(matches!(parse(bomb, &depth(4)), Err(XmlError::DocumentType)));
        assert!(
            matches!(parse(b"<a>&b;</a>", &depth(4)), Err(XmlError::UnknownEntity { name }) if name == "b")
        );
    }

    #[test]
    fn depth_and_number_of_roots_are_limited() {
        assert!(matches!(parse(b"<a><b><c/></b></a>", &depth(1)), Err(XmlError::TooDeep { limit: 1 })));
        assert!(matches!(parse(b"<a/><b/>", &depth(4)), Err(XmlError::NotOneRoot)));
        assert!(matches!(parse(b"", &depth(4)), Err(XmlError::NotOneRoot)));
        assert!(matches!(parse(b"<a>", &depth(4)), Err(XmlError::NotOneRoot | XmlError::Syntax(_))));
    }

    #[test]
    fn what_is_not_xml_is_refused() {
        assert!(matches!(parse(b"<a></b>", &depth(4)), Err(XmlError::Syntax(_))));
        assert!(matches!(parse(b"<a b=1/>", &depth(4)), Err(XmlError::Attribute(_))));
        assert!(matches!(parse(b"<a>&#x110000;</a>", &depth(4)), Err(XmlError::Syntax(_))));
        assert!(matches!(parse(b"<a b='&x;'/>", &depth(4)), Err(XmlError::Syntax(_))));
        assert!(matches!(parse(b"<a>\xFF</a>", &depth(4)), Err(XmlError::NotUtf8(_))));
    }

    #[test]
    fn the_number_of_elements_is_limited() {
        let limits = ReadLimits { max_elements: 2, ..ReadLimits::default() };
        assert!(parse(b"<a><b/></a>", &limits).is_ok());
        let many = parse(b"<a><b/><b/></a>", &limits);
        assert!(matches!(many, Err(XmlError::TooManyElements { limit: 2 })));
    }
}
