//! Reading documents that others wrote.

use serde_json::Value;

use crate::Format;

/// What a document was read from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Origin {
    pub(crate) format: Format,
    pub(crate) value: Value,
}

impl Origin {
    pub(crate) fn format(&self) -> Format {
        self.format
    }
}
