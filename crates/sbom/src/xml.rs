//! XML, as much of it as manifests of packages use ([XML 1.0, fifth edition](https://www.w3.org/TR/xml/)): elements, attributes and text.
//!
//! Entities that a document declares itself are not expanded, so a document cannot grow, and nothing outside it is ever read. Prefixes
//! of namespaces are dropped: manifests have one namespace.

use std::borrow::Cow;

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

/// Calls `visit` with the names of the open elements, outermost first, and what comes.
///
/// # Errors
/// [`Malformed`]. What was visited before may be from a document that makes no sense.
pub(crate) fn read<'a>(
    document: &'a str,
    mut visit: impl FnMut(&[&'a str], Event<'_>),
) -> Result<(), Malformed> {
    let mut open: Vec<&'a str> = Vec::new();
    let mut text = String::new();
    let mut is_leaf = false;
    let mut rest = document;
    while let Some((before, after)) = rest.split_once('<') {
        append(before, &mut text);
        rest = match after.as_bytes().first() {
            Some(b'!') => markup_declaration(after, &mut text)?,
            Some(b'?') => after_mark(after, "?>")?,
            Some(b'/') => {
                let (name, after) =
                    after.strip_prefix('/').and_then(|tag| tag.split_once('>')).ok_or(Malformed)?;
                let trimmed = text.trim();
                if is_leaf && !trimmed.is_empty() {
                    visit(&open, Event::Text(trimmed));
                }
                if open.pop() != Some(local(name)) {
                    return Err(Malformed);
                }
                is_leaf = false;
                after
            }
            _ => {
                let (tag, after) = start_tag(after)?;
                let (tag, is_empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
                let end = tag.find(|c: char| c.is_ascii_whitespace()).unwrap_or(tag.len());
                let (name, attributes) = tag.split_at_checked(end).ok_or(Malformed)?;
                if name.is_empty() || open.len() >= MAX_DEPTH {
                    return Err(Malformed);
                }
                open.push(local(name));
                visit(&open, Event::Start(Attributes { text: attributes }));
                text.clear();
                is_leaf = !is_empty;
                if is_empty {
                    open.pop();
                }
                after
            }
        };
    }
    if open.is_empty() { Ok(()) } else { Err(Malformed) }
}

/// The attributes of one element.
pub(crate) struct Attributes<'a> {
    text: &'a str,
}

impl<'a> Attributes<'a> {
    /// The value of the attribute of this name; letter case does not matter.
    pub(crate) fn value(&self, name: &str) -> Option<Cow<'a, str>> {
        let mut rest = self.text;
        while let Some((key, after)) = rest.split_once('=') {
            let after = after.trim_start();
            let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            let (value, after) = after.get(1..)?.split_once(quote)?;
            if local(key).eq_ignore_ascii_case(name) {
                return Some(unescaped(value));
            }
            rest = after;
        }
        None
    }
}

/// A start tag's inside and what follows it. A `>` in an attribute's value does not end it.
fn start_tag(text: &str) -> Result<(&str, &str), Malformed> {
    let mut quote = None;
    for (index, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => {
                return Ok((text.get(..index).ok_or(Malformed)?, text.get(index + 1..).ok_or(Malformed)?));
            }
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
    }
    Err(Malformed)
}

/// A comment, a CDATA section, whose text counts, or a document type, which is passed over.
fn markup_declaration<'a>(text: &'a str, content: &mut String) -> Result<&'a str, Malformed> {
    if let Some(comment) = text.strip_prefix("!--") {
        return after_mark(comment, "-->");
    }
    if let Some(section) = text.strip_prefix("![CDATA[") {
        let (literal, after) = section.split_once("]]>").ok_or(Malformed)?;
        content.push_str(literal);
        return Ok(after);
    }
    let end = text.find(['>', '[']).ok_or(Malformed)?;
    let after = text.get(end + 1..).ok_or(Malformed)?;
    if text.get(end..).is_some_and(|rest| rest.starts_with('[')) {
        return after_mark(after_mark(after, "]")?, ">");
    }
    Ok(after)
}

fn after_mark<'a>(text: &'a str, mark: &str) -> Result<&'a str, Malformed> {
    text.split_once(mark).map(|(_, after)| after).ok_or(Malformed)
}

fn local(name: &str) -> &str {
    let name = name.trim();
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

fn append(text: &str, content: &mut String) {
    if !text.is_empty() {
        content.push_str(&unescaped(text));
    }
}

/// The five entities of XML and numbers of characters (§4.1, §4.6). Others stay as they are.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let entity = after.split_once(';').and_then(|(name, after)| Some((character(name)?, after)));
        match entity {
            Some((character, after)) => {
                plain.push(character);
                rest = after;
            }
            None => {
                plain.push('&');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

fn character(entity: &str) -> Option<char> {
    Some(match entity {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = entity.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)?
        }
    })
}

/// Elements within each other. Manifests stay under 20.
const MAX_DEPTH: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(document: &str) -> Result<Vec<(String, String)>, Malformed> {
        let mut texts = Vec::new();
        read(document, |path, event| {
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
        read(document, |path, event| {
            if let Event::Start(attributes) = event {
                let value = |name| attributes.value(name).map(Cow::into_owned);
                values.push((path.len(), value("include"), value("Version")));
            }
        })
        .unwrap();
        assert_eq!(values, [(1, Some("x><".into()), Some("1".into())), (2, None, None)]);
    }

    #[test]
    fn what_is_not_xml_is_malformed() {
        for document in ["<a>", "<a></b>", "<a", "</a>", "<!-- x", "<>", "<a b='></a>"] {
            assert_eq!(texts(document), Err(Malformed), "{document}");
        }
        assert_eq!(texts(&"<a>".repeat(MAX_DEPTH + 1)), Err(Malformed));
    }
}
