//! The elements of an XML manifest, one after the other, each with its place ([XML 1.0, fifth edition](https://www.w3.org/TR/xml/)).
//!
//! Entities that a document declares itself are not expanded, so a document cannot grow, and nothing outside it is ever read. Prefixes
//! of namespaces are dropped: manifests have one namespace. What is read is not kept, so memory does not grow with the number of
//! elements.

use std::borrow::Cow;

use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, BytesStart, Event as XmlEvent};
use quick_xml::{Reader, XmlVersion};

/// What a document has at a place.
pub(crate) enum Event<'a> {
    /// An element begins.
    Start(Attributes<'a>),
    /// The text of an element that has no elements in it, without white space around it. Never empty.
    Text(&'a str),
}

/// The text is not XML, or nests deeper than [`MAX_DEPTH`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

impl From<quick_xml::Error> for Malformed {
    fn from(_: quick_xml::Error) -> Self {
        Self
    }
}

/// Calls `visit` with the names of the open elements, outermost first, and what comes.
///
/// # Errors
/// [`Malformed`]. What was visited before may be from a document that makes no sense.
pub(crate) fn walk(document: &str, mut visit: impl FnMut(&[&str], Event<'_>)) -> Result<(), Malformed> {
    let mut reader = Reader::from_str(document);
    let mut open: Vec<BytesStart<'_>> = Vec::new();
    let mut text = String::new();
    let mut is_leaf = false;
    loop {
        match reader.read_event()? {
            XmlEvent::Start(start) => {
                begin(&mut open, &start, &mut visit)?;
                text.clear();
                is_leaf = true;
            }
            XmlEvent::Empty(start) => {
                begin(&mut open, &start, &mut visit)?;
                open.pop();
                is_leaf = false;
            }
            XmlEvent::End(_) => {
                let trimmed = text.trim();
                if is_leaf && !trimmed.is_empty() {
                    visit(&path(&open), Event::Text(trimmed));
                }
                open.pop();
                is_leaf = false;
            }
            XmlEvent::Text(part) => text.push_str(&part.xml10_content()),
            XmlEvent::CData(part) => text.push_str(&part.xml10_content()),
            XmlEvent::GeneralRef(reference) => append(&reference, &mut text)?,
            // A document type is passed over: its entities stay as they are written.
            XmlEvent::DocType(_) | XmlEvent::Decl(_) | XmlEvent::PI(_) | XmlEvent::Comment(_) => {}
            XmlEvent::Eof => break,
        }
    }
    if open.is_empty() { Ok(()) } else { Err(Malformed) }
}

fn begin<'a>(
    open: &mut Vec<BytesStart<'a>>,
    start: &BytesStart<'a>,
    visit: &mut impl FnMut(&[&str], Event<'_>),
) -> Result<(), Malformed> {
    if open.len() >= MAX_DEPTH || start.name().into_inner().is_empty() {
        return Err(Malformed);
    }
    open.push(start.clone());
    visit(&path(open), Event::Start(Attributes::of(start)?));
    Ok(())
}

fn path<'a>(open: &'a [BytesStart<'_>]) -> Vec<&'a str> {
    open.iter().map(|start| start.local_name().into_inner()).collect()
}

/// A character by its number or one of the five names of XML (§4.1, §4.6). Other names stay as they are.
fn append(reference: &BytesRef<'_>, text: &mut String) -> Result<(), Malformed> {
    if let Some(character) = reference.resolve_char_ref()? {
        text.push(character);
        return Ok(());
    }
    let name = reference.xml10_content();
    match resolve_xml_entity(&name) {
        Some(character) => text.push_str(character),
        None => text.extend(["&", name.as_ref(), ";"]),
    }
    Ok(())
}

/// The attributes of one element.
pub(crate) struct Attributes<'a>(Vec<(&'a str, Cow<'a, str>)>);

impl<'a> Attributes<'a> {
    fn of(start: &'a BytesStart<'_>) -> Result<Self, Malformed> {
        let attributes = start.attributes().map(|attribute| {
            let attribute = attribute.map_err(|_| Malformed)?;
            Ok((
                attribute.key.local_name().into_inner(),
                attribute.normalized_value(XmlVersion::Implicit1_0)?,
            ))
        });
        Ok(Self(attributes.collect::<Result<_, Malformed>>()?))
    }

    /// The value of the attribute of this name; letter case does not matter.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let attribute = self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        attribute.map(|(_, value)| value.as_ref())
    }
}

/// Elements within each other. Manifests stay under 20.
const MAX_DEPTH: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(document: &str) -> Result<Vec<(String, String)>, Malformed> {
        let mut texts = Vec::new();
        walk(document, |path, event| {
            if let Event::Text(text) = event {
                texts.push((path.join("/"), text.to_owned()));
            }
        })?;
        Ok(texts)
    }

    #[test]
    fn text_comes_with_its_path() {
        let document = "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY x 'y'>]><a><!-- <b>no</b> --><p:b> one &amp; &#x41;\n</p:b><c/>\
                        <d><![CDATA[<two>]]>&x;</d>tail</a>";
        let found = texts(document).unwrap();
        assert_eq!(found, [("a/b".into(), "one & A".into()), ("a/d".into(), "<two>&x;".into())]);
    }

    #[test]
    fn attributes_have_values_in_either_quotes() {
        let mut values = Vec::new();
        let document = r#"<a Include="x>&lt;" version = '1'><b other=""/></a>"#;
        walk(document, |path, event| {
            if let Event::Start(attributes) = event {
                let value = |name| attributes.value(name).map(str::to_owned);
                values.push((path.len(), value("include"), value("Version")));
            }
        })
        .unwrap();
        assert_eq!(values, [(1, Some("x><".into()), Some("1".into())), (2, None, None)]);
    }

    #[test]
    fn what_is_not_xml_is_malformed() {
        let not_xml = ["<a>", "<a></b>", "<a", "</a>", "<!-- x", "<>", "<a b='></a>", "<a>&#x110000;</a>"];
        for document in not_xml.into_iter().chain(["<a>&x</a>", "<a b='&x;'/>", "<a b=1/>"]) {
            assert_eq!(texts(document), Err(Malformed), "{document}");
        }
        assert_eq!(texts(&"<a>".repeat(MAX_DEPTH + 1)), Err(Malformed));
    }
}
