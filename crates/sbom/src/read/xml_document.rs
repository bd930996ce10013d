//! A CycloneDX document in XML, in the form of JSON. The same grammar says what both are, so XML is checked by the same rules.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::grammar::{BOM, Member, Object, Shape, Xml};
use super::problem::shortened;
use super::xml::Element;
use super::{Problem, ReadError, cyclonedx_version};
use crate::CycloneDxVersion;

/// The document, and what was left out of it, counted by where it stands: objects that are not looked into.
pub(super) fn to_json(root: &Element) -> Result<(Value, BTreeMap<String, usize>), ReadError> {
    let version = root.namespace.strip_prefix("http://cyclonedx.org/schema/bom/");
    let (Some(name), "bom") = (version, root.name.as_str()) else {
        return Err(ReadError::UnknownFormat);
    };
    let mut reader = Reader {
        version: cyclonedx_version(name)?,
        namespace: &root.namespace,
        lost: BTreeMap::new(),
        path: Vec::new(),
    };
    let mut members =
        reader.object(root, &BOM).map_err(|problem| ReadError::invalid(reader.place(), problem))?;
    members.insert("bomFormat".to_owned(), "CycloneDX".into());
    members.insert("specVersion".to_owned(), name.into());
    Ok((Value::Object(members), reader.lost))
}

/// Walks through the elements. `path` is where it stands; it is left as it is when something is wrong.
struct Reader<'a> {
    version: CycloneDxVersion,
    namespace: &'a str,
    lost: BTreeMap<String, usize>,
    path: Vec<String>,
}

impl<'a> Reader<'a> {
    fn place(&self) -> String {
        format!("/{}", self.path.join("/"))
    }

    fn object(&mut self, element: &Element, object: &Object) -> Result<Map<String, Value>, Problem> {
        let mut members = Map::new();
        for (name, text) in &element.attributes {
            let name = match name.as_str() {
                "content-type" => "contentType",
                "license-identifier" => "licenseIdentifier",
                name => name,
            };
            // The schemas let every element have more attributes.
            match find(object, name) {
                Some(member) => {
                    members.insert(member.name.to_owned(), scalar(text, &member.shape));
                }
                None => {
                    let place = format!("{}@{}", self.path.join("."), shortened(name));
                    *self.lost.entry(place).or_default() += 1;
                }
            }
        }
        let namespace: &'a str = self.namespace;
        for child in element.children.iter().filter(|child| *child.namespace == *namespace) {
            let member =
                find(object, &child.name).ok_or_else(|| Problem::Unknown { name: shortened(&child.name) })?;
            self.path.push(child.name.clone());
            self.member(child, object, member, &mut members)?;
            self.path.pop();
        }
        let text = element.text.trim();
        let takes_text = !object.text.is_empty() && !members.contains_key(object.text);
        if takes_text && (!text.is_empty() || element.children.is_empty()) {
            members.insert(object.text.to_owned(), text.into());
        }
        Ok(members)
    }

    /// Adds what a child element says to the members of its parent.
    fn member(
        &mut self,
        child: &Element,
        object: &Object,
        member: &Member,
        members: &mut Map<String, Value>,
    ) -> Result<(), Problem> {
        let value = match &member.shape {
            Shape::Any | Shape::List(Shape::Any, _) => return self.lose(),
            Shape::Object(inner) if inner.is_open => return self.lose(),
            Shape::Object(inner) => Value::Object(self.object(child, inner)?),
            Shape::List(item, Xml::Bare(_)) => {
                let value = self.item(child, item)?;
                return push(members, member.name, value);
            }
            Shape::Either(Shape::List(item, Xml::Bare(_)), _) if self.version >= CycloneDxVersion::V1_6 => {
                let value = self.item(child, item)?;
                return push(members, member.name, value);
            }
            Shape::Either(Shape::List(item, Xml::Inside(names)), _)
                if child.children.iter().any(|inner| names.contains(&inner.name.as_str())) =>
            {
                self.list(child, item, names)?
            }
            Shape::Either(_, inner) => Value::Object(self.object(child, inner)?),
            Shape::List(item, Xml::Inside(names)) => self.list(child, item, names)?,
            shape => {
                // A classification of data has the direction of its flow as an attribute.
                for (name, text) in &child.attributes {
                    if let Some(other) = find(object, name) {
                        members.insert(other.name.to_owned(), scalar(text, &other.shape));
                    }
                }
                scalar(child.text.trim(), shape)
            }
        };
        match members.insert(member.name.to_owned(), value) {
            None => Ok(()),
            Some(_) => Err(Problem::Repeated { name: member.name }),
        }
    }

    fn list(&mut self, element: &Element, item: &Shape, names: &[&str]) -> Result<Value, Problem> {
        let mut items = Vec::new();
        let namespace: &'a str = self.namespace;
        for child in element.children.iter().filter(|child| *child.namespace == *namespace) {
            if !names.contains(&child.name.as_str()) {
                return Err(Problem::Unknown { name: shortened(&child.name) });
            }
            self.path.push(child.name.clone());
            items.push(self.item(child, item)?);
            self.path.pop();
        }
        // The XML schemas before 1.7 let an expression stand alone only, also where those of JSON do not.
        let is_alone = items.len() < 2 || self.version >= CycloneDxVersion::V1_7;
        if !is_alone
            && element.name == "licenses"
            && items.iter().any(|item| item.get("expression").is_some())
        {
            return Err(Problem::NotExactlyOne { names: &["license", "expression"] });
        }
        Ok(Value::Array(items))
    }

    fn item(&mut self, element: &Element, item: &Shape) -> Result<Value, Problem> {
        match item {
            // A choice has no element of its own: what is chosen stands there.
            Shape::Object(choice) if element.name == "license" => match find(choice, "license") {
                Some(Member { shape: Shape::Object(license), name, .. }) => {
                    let license = Value::Object(self.object(element, license)?);
                    Ok(Value::Object(Map::from_iter([((*name).to_owned(), license)])))
                }
                _ => Ok(Value::Object(self.object(element, choice)?)),
            },
            Shape::Object(object) => Ok(Value::Object(self.object(element, object)?)),
            shape => Ok(scalar(element.attribute("ref").unwrap_or(element.text.trim()), shape)),
        }
    }

    fn lose(&mut self) -> Result<(), Problem> {
        *self.lost.entry(self.path.join(".")).or_default() += 1;
        Ok(())
    }
}

/// The member of this name, or the list whose items have it.
fn find<'a>(object: &'a Object, name: &str) -> Option<&'a Member> {
    let is_item = |member: &&Member| match &member.shape {
        Shape::List(_, Xml::Bare(item)) | Shape::Either(Shape::List(_, Xml::Bare(item)), _) => *item == name,
        _ => false,
    };
    let named = object.members.iter().find(|member| member.name == name && !is_bare_other(member, name));
    named.or_else(|| object.members.iter().find(is_item))
}

/// Whether the member is a list whose items have another name: then no element has the list's own.
fn is_bare_other(member: &Member, name: &str) -> bool {
    matches!(&member.shape, Shape::List(_, Xml::Bare(item)) if *item != name)
}

fn push(members: &mut Map<String, Value>, name: &str, value: Value) -> Result<(), Problem> {
    let list = members.entry(name).or_insert_with(|| Value::Array(Vec::new()));
    if let Some(items) = list.as_array_mut() {
        items.push(value);
    }
    Ok(())
}

/// Text as the value that JSON has for it; what is none stays text, and the check refuses it.
fn scalar(text: &str, shape: &Shape) -> Value {
    match (shape, text.trim()) {
        (Shape::Flag, "true" | "1") => true.into(),
        (Shape::Flag, "false" | "0") => false.into(),
        (Shape::Integer, number) => number.parse::<i64>().map_or_else(|_| text.into(), Value::from),
        (Shape::Number, number) => number.parse::<f64>().map_or_else(|_| text.into(), Value::from),
        _ => text.into(),
    }
}
