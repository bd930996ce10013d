//! Reading YAML within limits, with every complaint at a line and a column.
//!
//! Stricter than YAML itself: unknown and repeated fields, merge keys (`<<`) and tags of one's own are refused, because each
//! of them is a way to write a policy that does not say what it seems to say.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_saphyr::{
    DuplicateKeyPolicy, MergeKeyPolicy, MessageFormatter as _, Options, UserMessageFormatter,
};

use crate::Limits;
use crate::location::{Location, Position};

/// Reads all documents of one file.
pub(crate) fn parse_all<T: DeserializeOwned>(
    text: &str,
    file: &Arc<str>,
    limits: &Limits,
) -> Result<Vec<T>, DocumentError> {
    if text.len() > limits.max_file_bytes {
        let (found, limit) = (text.len(), limits.max_file_bytes);
        return Err(DocumentError::TooLarge { at: whole(file), found, limit });
    }
    let documents: Vec<T> = serde_saphyr::from_multiple_with_options(text, options(limits))
        .map_err(|error| DocumentError::from_yaml(error, file))?;
    match documents.len() {
        0 => Err(DocumentError::Empty { at: whole(file) }),
        found if found > limits.max_documents => {
            Err(DocumentError::TooManyDocuments { at: whole(file), found, limit: limits.max_documents })
        }
        _ => Ok(documents),
    }
}

/// Reads the one document of a file.
pub(crate) fn parse_one<T: DeserializeOwned>(
    text: &str,
    file: &Arc<str>,
    limits: &Limits,
) -> Result<T, DocumentError> {
    let mut documents = parse_all(text, file, limits)?;
    match (documents.pop(), documents.len()) {
        (Some(document), 0) => Ok(document),
        (_, others) => Err(DocumentError::TooManyDocuments { at: whole(file), found: others + 1, limit: 1 }),
    }
}

fn whole(file: &Arc<str>) -> Location {
    Location { file: file.clone(), position: None }
}

fn options(limits: &Limits) -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: limits.max_depth,
            flow_nesting_limit: limits.max_depth,
            max_nodes: limits.max_nodes,
            max_events: limits.max_nodes.saturating_mul(3),
            max_documents: limits.max_documents.saturating_add(1),
            max_aliases: limits.max_aliases,
            max_anchors: limits.max_aliases,
            max_recorded_anchor_events: limits.max_alias_events,
            max_recorded_anchor_bytes: limits.max_file_bytes,
            max_total_scalar_bytes: limits.max_file_bytes,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: limits.max_alias_events,
            max_replay_stack_depth: limits.max_depth,
            max_alias_expansions_per_anchor: limits.max_aliases,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        reject_unsupported_tags: true,
        strict_booleans: true,
        with_snippet: false,
    }
}

/// Why a file is no document of the kind that was wanted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// Larger than [`Limits::max_file_bytes`].
    #[error("{at}: file has {found} bytes, the limit is {limit}")]
    TooLarge {
        /// The file.
        at: Location,
        /// Bytes found.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// Nothing but space and comments.
    #[error("{at}: file holds no document")]
    Empty {
        /// The file.
        at: Location,
    },
    /// More documents than wanted.
    #[error("{at}: file holds {found} documents, the limit is {limit}")]
    TooManyDocuments {
        /// The file.
        at: Location,
        /// Documents found.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// A limit on depth, nodes or aliases.
    #[error("{at}: document is beyond the limits on depth, size and aliases")]
    Limit {
        /// Where it was reached.
        at: Location,
        /// Which one.
        source: YamlError,
    },
    /// A field that the document kind does not have.
    #[error("{at}: unknown field {field:?}, expected {}", one_of(expected))]
    UnknownField {
        /// Where.
        at: Location,
        /// The field.
        field: String,
        /// The fields that there are.
        expected: Vec<&'static str>,
    },
    /// A field that has to be there and is not.
    #[error("{at}: field {field:?} is missing")]
    MissingField {
        /// The mapping that lacks it.
        at: Location,
        /// The field.
        field: &'static str,
    },
    /// A field twice in one mapping.
    #[error("{at}: field {field:?} is stated twice")]
    DuplicateField {
        /// The second one.
        at: Location,
        /// The field.
        field: String,
    },
    /// A word where only certain words mean something.
    #[error("{at}: found {found:?}, expected {}", one_of(expected))]
    UnknownValue {
        /// Where.
        at: Location,
        /// The word.
        found: String,
        /// The words that there are.
        expected: Vec<&'static str>,
    },
    /// Not YAML, or of another shape.
    #[error("{at}: document is not readable")]
    Yaml {
        /// Where.
        at: Location,
        /// What the reader objects to.
        source: YamlError,
    },
}

impl DocumentError {
    /// Where the trouble is.
    pub fn at(&self) -> &Location {
        match self {
            Self::TooLarge { at, .. }
            | Self::Empty { at }
            | Self::TooManyDocuments { at, .. }
            | Self::Limit { at, .. }
            | Self::UnknownField { at, .. }
            | Self::MissingField { at, .. }
            | Self::DuplicateField { at, .. }
            | Self::UnknownValue { at, .. }
            | Self::Yaml { at, .. } => at,
        }
    }

    fn from_yaml(error: serde_saphyr::Error, file: &Arc<str>) -> Self {
        use serde_saphyr::Error as Yaml;
        let position = error.location().map(Position::of).filter(|position| position.line > 0);
        let at = Location { file: file.clone(), position };
        match error {
            Yaml::SerdeUnknownField { field, expected, .. } => Self::UnknownField { at, field, expected },
            Yaml::SerdeMissingField { field, .. } => Self::MissingField { at, field },
            Yaml::DuplicateMappingKey { key, .. } => {
                Self::DuplicateField { at, field: key.unwrap_or_else(|| "<<".into()) }
            }
            Yaml::SerdeUnknownVariant { variant, expected, .. } => {
                Self::UnknownValue { at, found: variant, expected }
            }
            error @ (Yaml::Budget { .. }
            | Yaml::AliasReplayCounterOverflow { .. }
            | Yaml::AliasReplayLimitExceeded { .. }
            | Yaml::AliasExpansionLimitExceeded { .. }
            | Yaml::AliasReplayStackDepthExceeded { .. }) => {
                Self::Limit { at, source: YamlError(Box::new(error)) }
            }
            error => Self::Yaml { at, source: YamlError(Box::new(error)) },
        }
    }
}

fn one_of(words: &[&str]) -> String {
    match words {
        [] => "nothing here".into(),
        [word] => format!("{word:?}"),
        words => format!("one of {}", words.join(", ")),
    }
}

/// What the YAML reader objects to.
#[derive(Debug, thiserror::Error)]
#[error("{}", UserMessageFormatter.format_message(.0).escape_debug())]
pub struct YamlError(Box<serde_saphyr::Error>);
