//! Writing a document in another format.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::document::content_uuid;
use crate::read::{Origin, downgrade};
use crate::{CycloneDxVersion, Format, SbomDocument, SpdxVersion};

/// A document as written, and what its format had no place for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Converted {
    /// The document.
    pub bytes: Vec<u8>,
    /// What was left out.
    pub left_out: Vec<LeftOut>,
}

/// Something that a document had and another format has no place for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct LeftOut {
    /// Where it stood.
    pub place: String,
    /// How often.
    pub times: usize,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.times {
            1 => write!(f, "{}", self.place),
            times => write!(f, "{} ({times} times)", self.place),
        }
    }
}

impl SbomDocument {
    /// Writes the document. One that was read is written again in its own family with everything that it had, but for what an older
    /// version does not have; in the other family with what both have. The same document gives the same bytes.
    pub fn convert(&self, format: Format) -> Converted {
        match (&self.origin, format) {
            (Some(origin), Format::CycloneDx(to)) if matches!(origin.format, Format::CycloneDx(_)) => {
                rewrite_cyclonedx(origin, to.max(CycloneDxVersion::V1_5), self.created.as_deref())
            }
            (Some(origin), Format::Spdx(to)) if is_same_spdx(origin, to) => rewrite_spdx(origin, to, self),
            (origin, _) => Converted {
                bytes: format.write_document(self),
                left_out: origin.iter().flat_map(|origin| left_out([&origin.unread, &origin.lost])).collect(),
            },
        }
    }
}

fn left_out<const N: usize>(lost: [&BTreeMap<String, usize>; N]) -> Vec<LeftOut> {
    let left_out = |(place, times): (&String, &usize)| LeftOut { place: place.clone(), times: *times };
    lost.into_iter().flatten().map(left_out).collect()
}

/// SPDX 2.2 and 2.3 are one model, 3.0.1 is another.
fn is_same_spdx(origin: &Origin, to: SpdxVersion) -> bool {
    matches!(origin.format, Format::Spdx(from)
        if (from == SpdxVersion::V3_0_1) == (to == SpdxVersion::V3_0_1))
}

fn rewrite_cyclonedx(origin: &Origin, to: CycloneDxVersion, created: Option<&str>) -> Converted {
    let mut value = origin.value.clone();
    let taken = downgrade(&mut value, to);
    if let Some(members) = value.as_object_mut() {
        if origin.format != Format::CycloneDx(to) {
            members.insert("$schema".to_owned(), to.schema().into());
        }
        members.insert("specVersion".to_owned(), to.name().into());
    }
    let was = value.pointer("/metadata/timestamp").and_then(Value::as_str);
    if let Some(created) = created.filter(|created| was != Some(created)) {
        set(&mut value, &["metadata", "timestamp"], created);
    }
    // Another content under the same serial number would be a lie, unless its version counted up.
    if value != origin.value {
        let content = serde_json::to_vec(&value).unwrap_or_default();
        set(&mut value, &["serialNumber"], &format!("urn:uuid:{}", content_uuid(&content)));
    }
    Converted {
        bytes: serde_json::to_vec_pretty(&value).unwrap_or_default(),
        left_out: left_out([&origin.unread, &taken]),
    }
}

/// Sets a member of an object, and makes the objects on the way to it.
fn set(value: &mut Value, path: &[&str], text: &str) {
    let mut place = value;
    for name in path {
        let Some(members) = place.as_object_mut() else { return };
        place = members.entry(*name).or_insert_with(|| Value::Object(serde_json::Map::new()));
    }
    *place = text.into();
}

fn rewrite_spdx(origin: &Origin, to: SpdxVersion, document: &SbomDocument) -> Converted {
    let mut value = origin.value.clone();
    let is_2 = to != SpdxVersion::V3_0_1;
    if is_2 {
        set(&mut value, &["spdxVersion"], "SPDX-2.3");
        if let Some(created) = &document.created {
            set(&mut value, &["creationInfo", "created"], created);
        }
    }
    if is_2 && value != origin.value {
        let content = serde_json::to_vec(&value).unwrap_or_default();
        set(&mut value, &["documentNamespace"], &crate::spdx::namespace(&document.name, &content));
    }
    let bytes = serde_json::to_vec_pretty(&value).unwrap_or_default();
    Converted { bytes, left_out: left_out([&origin.unread]) }
}
