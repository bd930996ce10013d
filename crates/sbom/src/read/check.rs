//! Whether a CycloneDX document keeps its version's rules, and what an older version lacks.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::grammar::{BOM, LICENSE_CHOICE, Object, Shape, Words};
use super::problem::shortened;
use super::{Problem, ReadError};
use crate::CycloneDxVersion;

/// Checks a whole document against the grammar of its version.
pub(super) fn document(value: &Value, version: CycloneDxVersion) -> Result<(), ReadError> {
    let mut check = Check { version, seen: BTreeSet::new(), path: Vec::new() };
    check.object(value, &BOM).map_err(|problem| ReadError::invalid(check.place(), problem))
}

/// Walks through a document. `path` is where it stands; it is left as it is when something is wrong.
struct Check {
    version: CycloneDxVersion,
    seen: BTreeSet<String>,
    path: Vec<String>,
}

impl Check {
    fn place(&self) -> String {
        if self.path.is_empty() { "/".to_owned() } else { format!("/{}", self.path.join("/")) }
    }

    fn object(&mut self, value: &Value, object: &Object) -> Result<(), Problem> {
        let members = value.as_object().ok_or(Problem::WrongType { expected: "an object" })?;
        for member in object.members.iter().filter(|member| member.required) {
            if !members.contains_key(member.name) {
                return Err(Problem::Missing { name: member.name });
            }
        }
        for (name, value) in members {
            let known = object.members.iter().find(|member| member.name == name);
            match known.filter(|member| member.since <= self.version) {
                Some(member) => {
                    self.path.push(name.clone());
                    self.shape(value, &member.shape)?;
                    self.path.pop();
                }
                // The schema of 1.3 lets every object have more members.
                None if self.version == CycloneDxVersion::V1_3 => {}
                None if object.is_open && known.is_none() => {}
                None => return Err(Problem::Unknown { name: shortened(name) }),
            }
        }
        if let Some(id) = members.get("bom-ref").and_then(Value::as_str)
            && members.contains_key("name")
            && !self.seen.insert(id.to_owned())
        {
            return Err(Problem::DuplicateId { id: shortened(id) });
        }
        (object.rule)(members, self.version).map_or(Ok(()), Err)
    }

    fn shape(&mut self, value: &Value, shape: &Shape) -> Result<(), Problem> {
        let fits = |is_it, expected| if is_it { Ok(()) } else { Err(Problem::WrongType { expected }) };
        match shape {
            Shape::Any => Ok(()),
            Shape::Text => fits(value.is_string(), "a text"),
            Shape::Flag => fits(value.is_boolean(), "true or false"),
            Shape::Integer => fits(value.is_i64() || value.is_u64(), "a whole number"),
            Shape::Number => fits(value.is_number(), "a number"),
            Shape::RefOrObject if self.version >= CycloneDxVersion::V1_7 => Ok(()),
            Shape::Ref | Shape::RefOrObject => {
                words(value, "a name that is not empty", |text| !text.is_empty())
            }
            Shape::Time => words(value, "a time as in RFC 3339", |text| text.parse::<Timestamp>().is_ok()),
            Shape::Hex => words(value, "a checksum in hexadecimal digits", is_checksum),
            Shape::Serial => words(value, "a UUID as a URN", is_serial),
            Shape::LicenseId => words(value, "an identifier of the SPDX licence list", is_license_id),
            Shape::Word(allowed) => {
                let known = |text: &str| is_word(allowed, text, self.version);
                words(value, "a word that this version has there", known)
            }
            Shape::Object(object) => self.object(value, object),
            Shape::List(item, _) => self.list(value, item),
            Shape::Either(list, _) if value.is_array() => self.shape(value, list),
            Shape::Either(_, object) => self.object(value, object),
        }
    }

    fn list(&mut self, value: &Value, item: &Shape) -> Result<(), Problem> {
        let items = value.as_array().ok_or(Problem::WrongType { expected: "a list" })?;
        if has_mixed_licenses(items, item, self.version) {
            return Err(Problem::NotExactlyOne { names: &["license", "expression"] });
        }
        for (index, value) in items.iter().enumerate() {
            self.path.push(index.to_string());
            self.shape(value, item)?;
            self.path.pop();
        }
        Ok(())
    }
}

/// In 1.5 and 1.6 an expression stands alone (`licenseChoice` of the schemas).
fn has_mixed_licenses(items: &[Value], item: &Shape, version: CycloneDxVersion) -> bool {
    let is_choice = matches!(item, Shape::Object(object) if std::ptr::eq(*object, &LICENSE_CHOICE));
    let is_strict = matches!(version, CycloneDxVersion::V1_5 | CycloneDxVersion::V1_6);
    is_choice && is_strict && items.len() > 1 && items.iter().any(|item| item.get("expression").is_some())
}

fn words(value: &Value, expected: &'static str, is_it: impl Fn(&str) -> bool) -> Result<(), Problem> {
    let text = value.as_str().ok_or(Problem::WrongType { expected: "a text" })?;
    if is_it(text) { Ok(()) } else { Err(Problem::NotAllowed { found: shortened(text), expected }) }
}

fn is_word(words: &Words, text: &str, version: CycloneDxVersion) -> bool {
    words.words.iter().any(|(word, since)| *word == text && *since <= version)
}

/// As many digits as MD5, SHA-1, SHA-256, SHA-384 or SHA-512 give (`hash-content` of the schemas).
pub(super) fn is_checksum(text: &str) -> bool {
    matches!(text.len(), 32 | 40 | 64 | 96 | 128) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `urn:uuid:` and a UUID in lower-case digits (`serialNumber` of the schemas).
fn is_serial(text: &str) -> bool {
    let is_group = |(group, digits): (&str, usize)| {
        group.len() == digits && group.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    text.strip_prefix("urn:uuid:").is_some_and(|uuid| {
        uuid.split('-').count() == 5 && uuid.split('-').zip([8, 4, 4, 4, 12]).all(is_group)
    })
}

fn is_license_id(text: &str) -> bool {
    let listed = spdx::identifiers::LICENSES.iter().any(|license| license.name == text);
    listed || spdx::identifiers::EXCEPTIONS.iter().any(|exception| exception.name == text)
}

/// What the shapes of an object's members do not say.
pub(super) mod rules {
    use super::{CycloneDxVersion, Map, Problem, Value};

    type Members = Map<String, Value>;

    pub(in crate::read) fn none(_: &Members, _: CycloneDxVersion) -> Option<Problem> {
        None
    }

    fn exactly_one(members: &Members, names: &'static [&'static str]) -> Option<Problem> {
        let count = names.iter().filter(|name| members.contains_key(**name)).count();
        (count != 1).then_some(Problem::NotExactlyOne { names })
    }

    /// `license`: an identifier or a name.
    pub(in crate::read) fn license(members: &Members, _: CycloneDxVersion) -> Option<Problem> {
        exactly_one(members, &["id", "name"])
    }

    /// `licenseChoice`: a licence or an expression.
    pub(in crate::read) fn license_choice(members: &Members, _: CycloneDxVersion) -> Option<Problem> {
        exactly_one(members, &["license", "expression"])
    }

    /// `component`, 1.7: a version or a range of versions, and a range only of what is not delivered with the subject.
    pub(in crate::read) fn component(members: &Members, _: CycloneDxVersion) -> Option<Problem> {
        members.get("versionRange")?;
        if members.contains_key("version") {
            return Some(Problem::NotExactlyOne { names: &["version", "versionRange"] });
        }
        let is_external = members.get("isExternal").and_then(Value::as_bool) == Some(true);
        (!is_external).then_some(Problem::Needs { name: "versionRange", needed: "isExternal" })
    }

    /// `property`: a name, since 1.6.
    pub(in crate::read) fn property(members: &Members, version: CycloneDxVersion) -> Option<Problem> {
        let is_missing = version >= CycloneDxVersion::V1_6 && !members.contains_key("name");
        is_missing.then_some(Problem::Missing { name: "name" })
    }

    /// `citation`: where it stands, and whose it is.
    pub(in crate::read) fn citation(members: &Members, _: CycloneDxVersion) -> Option<Problem> {
        let has = |name| members.contains_key(name);
        exactly_one(members, &["pointers", "expressions"]).or_else(|| {
            (!has("attributedTo") && !has("process")).then_some(Problem::Missing { name: "attributedTo" })
        })
    }
}

/// Takes out of a document what a version does not have, and counts it by where it stood.
pub(crate) fn downgrade(value: &mut Value, version: CycloneDxVersion) -> BTreeMap<String, usize> {
    let mut taken = BTreeMap::new();
    downgrade_object(value, &BOM, version, "", &mut taken);
    taken
}

fn downgrade_object(
    value: &mut Value,
    object: &Object,
    version: CycloneDxVersion,
    place: &str,
    taken: &mut BTreeMap<String, usize>,
) {
    let Some(members) = value.as_object_mut() else { return };
    members.retain(|name, value| {
        let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
        let known = object.members.iter().find(|member| member.name == name);
        let keep = match known {
            Some(member) if member.since > version => false,
            Some(member) => downgrade_shape(value, &member.shape, version, &place, taken),
            None => true,
        };
        if !keep {
            *taken.entry(place).or_default() += 1;
        }
        keep
    });
}

/// False when the version has no place for the value at all.
fn downgrade_shape(
    value: &mut Value,
    shape: &Shape,
    version: CycloneDxVersion,
    place: &str,
    taken: &mut BTreeMap<String, usize>,
) -> bool {
    match shape {
        Shape::Word(words) => {
            let text = value.as_str().unwrap_or_default().to_owned();
            if is_word(words, &text, version) {
                return true;
            }
            let Some(instead) = words.instead else { return false };
            *taken.entry(format!("{place}={text}")).or_default() += 1;
            *value = Value::String(instead.to_owned());
        }
        Shape::Object(object) => downgrade_object(value, object, version, place, taken),
        Shape::List(item, _) => {
            let place = format!("{place}[]");
            unmix_licenses(value, item, version, &place, taken);
            let items = value.as_array_mut().into_iter().flatten();
            items.for_each(|value| {
                downgrade_shape(value, item, version, &place, taken);
            });
            let Some(items) = value.as_array_mut() else { return true };
            let before = items.len();
            match item {
                Shape::Object(object) => items.retain(|item| has_required(item, object)),
                Shape::RefOrObject if version < CycloneDxVersion::V1_7 => items.retain(Value::is_string),
                _ => {}
            }
            if items.len() < before {
                *taken.entry(place).or_default() += before - items.len();
            }
        }
        Shape::Either(list, object) => match value {
            // Several identities are new in 1.6; the first is the surest.
            Value::Array(items) if place.ends_with("identity") && version < CycloneDxVersion::V1_6 => {
                if items.len() > 1 {
                    *taken.entry(format!("{place}[]")).or_default() += items.len() - 1;
                }
                items.truncate(1);
                let Some(only) = items.pop() else { return false };
                *value = only;
                downgrade_object(value, object, version, place, taken);
            }
            Value::Array(_) => return downgrade_shape(value, list, version, place, taken),
            _ => downgrade_object(value, object, version, place, taken),
        },
        _ => {}
    }
    true
}

/// Of licences and expressions that may not stand beside each other, the first expression says most.
fn unmix_licenses(
    value: &mut Value,
    item: &Shape,
    version: CycloneDxVersion,
    place: &str,
    taken: &mut BTreeMap<String, usize>,
) {
    let Some(items) = value.as_array_mut() else { return };
    if has_mixed_licenses(items, item, version) {
        *taken.entry(place.to_owned()).or_default() += items.len() - 1;
        let first = items.iter().position(|item| item.get("expression").is_some()).unwrap_or_default();
        items.swap(0, first);
        items.truncate(1);
    }
}

fn has_required(item: &Value, object: &Object) -> bool {
    object.members.iter().all(|member| !member.required || item.get(member.name).is_some())
}
