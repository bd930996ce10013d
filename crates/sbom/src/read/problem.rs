//! Why a document is refused.

use super::{JsonError, XmlError};

/// Why a document could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// More bytes than [`ReadLimits::max_bytes`](super::ReadLimits::max_bytes).
    #[error("document has {bytes} bytes, the limit is {limit}")]
    TooLarge {
        /// The document's bytes.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Neither CycloneDX nor SPDX.
    #[error("document is neither CycloneDX nor SPDX")]
    UnknownFormat,
    /// A version that is not read.
    #[error("{family} {found:?} is not read")]
    UnsupportedVersion {
        /// CycloneDX or SPDX.
        family: &'static str,
        /// The version that was found, shortened.
        found: String,
    },
    /// Not unambiguous JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// Not XML that is read.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// A line of tags and values that is neither.
    #[error("line {line} has no tag and value")]
    TagValue {
        /// The line, counted from 1.
        line: usize,
    },
    /// The document breaks a rule of its format.
    #[error("{path}: {problem}")]
    Invalid {
        /// Where, as in a JSON pointer.
        path: String,
        /// What is wrong.
        problem: Problem,
    },
}

impl ReadError {
    pub(super) fn invalid(path: impl Into<String>, problem: Problem) -> Self {
        Self::Invalid { path: path.into(), problem }
    }
}

/// What is wrong at a place in a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Something that must be there is not.
    #[error("{name:?} is missing")]
    Missing {
        /// The member.
        name: &'static str,
    },
    /// Something is there that the format's version does not have.
    #[error("{name:?} does not belong there")]
    Unknown {
        /// The member, shortened.
        name: String,
    },
    /// Another type of value.
    #[error("expected {expected}")]
    WrongType {
        /// What was expected.
        expected: &'static str,
    },
    /// A value that is not one of those that are allowed.
    #[error("{found:?} is not {expected}")]
    NotAllowed {
        /// What was found, shortened.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
    /// Two things that exclude each other, or neither of two of which one must be there.
    #[error("expected exactly one of {names:?}")]
    NotExactlyOne {
        /// Their names.
        names: &'static [&'static str],
    },
    /// A member that asks for another.
    #[error("{name:?} asks for {needed:?}")]
    Needs {
        /// The member that is there.
        name: &'static str,
        /// The member that must be.
        needed: &'static str,
    },
    /// An element that is there more than once.
    #[error("{name:?} is there more than once")]
    Repeated {
        /// The element.
        name: &'static str,
    },
    /// An identifier that is given twice.
    #[error("identifier {id:?} is given twice")]
    DuplicateId {
        /// The identifier, shortened.
        id: String,
    },
    /// A reference to nothing.
    #[error("reference to {id:?}, which is nowhere in the document")]
    DanglingReference {
        /// The identifier, shortened.
        id: String,
    },
}

/// At most 64 characters of a text, for messages.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}
