//! Licences as SPDX licence expressions that are always valid
//! ([SPDX 2.3, Annex D](https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/)).

use serde::Serialize;

/// A valid SPDX licence expression, with the names that the SPDX list does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct License {
    expression: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    references: Vec<LicenseRef>,
}

/// A licence that is not on the SPDX list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LicenseRef {
    /// `LicenseRef-…`, as it stands in the expression.
    pub id: String,
    /// What the package says.
    pub name: String,
}

impl License {
    /// The expression.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// The licences in it that are not on the SPDX list.
    pub fn references(&self) -> &[LicenseRef] {
        &self.references
    }
}
