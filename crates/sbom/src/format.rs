//! The formats that documents are written in.

use std::fmt;
use std::str::FromStr;

use crate::{DocumentOptions, Inventory, SbomDocument, cyclonedx, spdx, spdx3};

/// A format with its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Format {
    /// CycloneDX in JSON.
    CycloneDx(CycloneDxVersion),
    /// SPDX in JSON.
    Spdx(SpdxVersion),
}

/// The versions of CycloneDX, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CycloneDxVersion {
    /// 1.3; read only.
    V1_3,
    /// 1.4; read only.
    V1_4,
    /// 1.5.
    V1_5,
    /// 1.6, which is ECMA-424.
    V1_6,
    /// 1.7.
    V1_7,
}

impl CycloneDxVersion {
    pub(crate) const ALL: [Self; 5] = [Self::V1_3, Self::V1_4, Self::V1_5, Self::V1_6, Self::V1_7];

    /// As documents write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::V1_3 => "1.3",
            Self::V1_4 => "1.4",
            Self::V1_5 => "1.5",
            Self::V1_6 => "1.6",
            Self::V1_7 => "1.7",
        }
    }

    /// Where the schema has its name.
    pub(crate) fn schema(self) -> &'static str {
        match self {
            Self::V1_3 => "http://cyclonedx.org/schema/bom-1.3.schema.json",
            Self::V1_4 => "http://cyclonedx.org/schema/bom-1.4.schema.json",
            Self::V1_5 => "http://cyclonedx.org/schema/bom-1.5.schema.json",
            Self::V1_6 => "http://cyclonedx.org/schema/bom-1.6.schema.json",
            Self::V1_7 => "http://cyclonedx.org/schema/bom-1.7.schema.json",
        }
    }
}

/// The versions of SPDX, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SpdxVersion {
    /// 2.2; read only.
    V2_2,
    /// 2.3.
    V2_3,
    /// 3.0.1.
    V3_0_1,
}

impl SpdxVersion {
    /// The number.
    pub fn name(self) -> &'static str {
        match self {
            Self::V2_2 => "2.2",
            Self::V2_3 => "2.3",
            Self::V3_0_1 => "3.0.1",
        }
    }
}

impl Format {
    /// CycloneDX 1.6: the version that is an ECMA standard, and the newest that most readers know.
    pub const CYCLONEDX: Self = Self::CycloneDx(CycloneDxVersion::V1_6);
    /// SPDX 2.3: the version that most readers know.
    pub const SPDX: Self = Self::Spdx(SpdxVersion::V2_3);

    /// The formats that are written.
    pub const WRITTEN: [Self; 5] = [
        Self::CycloneDx(CycloneDxVersion::V1_5),
        Self::CYCLONEDX,
        Self::CycloneDx(CycloneDxVersion::V1_7),
        Self::SPDX,
        Self::Spdx(SpdxVersion::V3_0_1),
    ];

    /// The document about an inventory. The same inventory and options give the same bytes.
    pub fn write(self, inventory: &Inventory, options: &DocumentOptions) -> Vec<u8> {
        self.write_document(&SbomDocument::of_inventory(inventory, options))
    }

    /// The document in this format. A version that is read only is written in the next one that is not.
    pub(crate) fn write_document(self, document: &SbomDocument) -> Vec<u8> {
        match self {
            Self::CycloneDx(version) => cyclonedx::document_to_json(document, version),
            Self::Spdx(SpdxVersion::V2_2 | SpdxVersion::V2_3) => spdx::document_to_json(document),
            Self::Spdx(SpdxVersion::V3_0_1) => spdx3::document_to_json(document),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CycloneDx(version) => write!(f, "cyclonedx-json@{}", version.name()),
            Self::Spdx(version) => write!(f, "spdx-json@{}", version.name()),
        }
    }
}

/// A name that is no format that is written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not a format, expected cyclonedx-json[@1.5|@1.6|@1.7] or spdx-json[@2.3|@3.0.1]")]
pub struct UnknownFormat {
    /// What was found.
    pub found: String,
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        match text {
            "cyclonedx-json" => Ok(Self::CYCLONEDX),
            "spdx-json" => Ok(Self::SPDX),
            _ => Self::WRITTEN
                .into_iter()
                .find(|format| format.to_string() == text)
                .ok_or_else(|| UnknownFormat { found: text.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for format in Format::WRITTEN {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        assert_eq!("cyclonedx-json".parse(), Ok(Format::CYCLONEDX));
        let found = "spdx-json@2.2".to_owned();
        assert_eq!("spdx-json@2.2".parse::<Format>(), Err(UnknownFormat { found }));
    }
}
