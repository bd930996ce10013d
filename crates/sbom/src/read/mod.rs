//! Reading documents that others wrote: CycloneDX 1.3 to 1.7 in JSON and XML, SPDX 2.2 and 2.3 in JSON and as tags with values,
//! SPDX 3.0.1 in JSON.
//!
//! A document is refused if it breaks its format's rules. Of one in JSON everything is kept, also what is not understood here, for
//! writing it again in its own family.

mod check;
mod cyclonedx;
mod grammar;
mod problem;
mod spdx2;
mod spdx3;
mod strict_json;
mod tag_value;
mod value;
mod xml;
mod xml_document;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{CycloneDxVersion, Format, SbomDocument, SpdxVersion};

pub use problem::{Problem, ReadError};
pub use strict_json::JsonError;
pub use xml::XmlError;

/// Bounds on what is read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadLimits {
    /// Bytes of a document. 256 MiB: syft's SPDX document of a 1.6 GB image has 20 MiB.
    pub max_bytes: usize,
    /// Levels of nesting in JSON and XML. 100: the deepest of the official documents has 17, and serde_json stops at 128.
    pub max_depth: usize,
    /// Elements of an XML document, which take many times their bytes. 2,000,000: 100,000 components with twenty each.
    pub max_elements: usize,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self { max_bytes: 256 << 20, max_depth: 100, max_elements: 2_000_000 }
    }
}

impl SbomDocument {
    /// Reads a document of any format that is known here, which its bytes say.
    ///
    /// # Errors
    ///
    /// If it is too large, of no known format or version, or breaks its format's rules.
    pub fn read(bytes: &[u8], limits: &ReadLimits) -> Result<Self, ReadError> {
        if bytes.len() > limits.max_bytes {
            return Err(ReadError::TooLarge { bytes: bytes.len(), limit: limits.max_bytes });
        }
        let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{') => read_json(text, limits),
            Some(b'<') => cyclonedx::read_xml(text, limits),
            Some(_) if tag_value::is_tag_value(text) => {
                let (value, unread) = tag_value::to_json(text)?;
                read_spdx2(value, unread)
            }
            _ => Err(ReadError::UnknownFormat),
        }
    }
}

fn read_json(bytes: &[u8], limits: &ReadLimits) -> Result<SbomDocument, ReadError> {
    let value = strict_json::parse(bytes, limits.max_depth)?;
    if value.get("bomFormat").is_some() || value.get("specVersion").is_some() {
        return cyclonedx::read(value);
    }
    if value.get("spdxVersion").is_some() {
        return read_spdx2(value, BTreeMap::new());
    }
    if value.get("@context").is_some() {
        let document = spdx3::read(&value)?;
        let format = Format::Spdx(SpdxVersion::V3_0_1);
        let lost = spdx3::lost(&value);
        return Ok(with_origin(document, Origin { format, value, unread: BTreeMap::new(), lost }));
    }
    Err(ReadError::UnknownFormat)
}

fn read_spdx2(value: Value, unread: BTreeMap<String, usize>) -> Result<SbomDocument, ReadError> {
    let (document, version) = spdx2::read(&value)?;
    let lost = spdx2::lost(&value);
    Ok(with_origin(document, Origin { format: Format::Spdx(version), value, unread, lost }))
}

fn with_origin(mut document: SbomDocument, origin: Origin) -> SbomDocument {
    document.origin = Some(origin);
    document
}

/// What a document was read from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Origin {
    pub(crate) format: Format,
    /// The whole document. Of one in XML, what was read of it, in the form of JSON.
    pub(crate) value: Value,
    /// What was not read of it at all, counted by where it stands. Nothing of JSON.
    pub(crate) unread: BTreeMap<String, usize>,
    /// What else it has that has no place in [`SbomDocument`], counted likewise.
    pub(crate) lost: BTreeMap<String, usize>,
}

impl Origin {
    pub(crate) fn format(&self) -> Format {
        self.format
    }
}

pub(crate) use check::downgrade;

/// The version that CycloneDX calls by this name.
fn cyclonedx_version(name: &str) -> Result<CycloneDxVersion, ReadError> {
    CycloneDxVersion::ALL.into_iter().find(|version| version.name() == name).ok_or_else(|| {
        ReadError::UnsupportedVersion { family: "CycloneDX", found: name.chars().take(32).collect() }
    })
}
