//! in-toto statements: what is said, about which artifacts.
//!
//! [in-toto attestation 1.1, statement.md](https://github.com/in-toto/attestation/blob/v1.1.0/spec/v1/statement.md), and the older
//! [v0.1](https://github.com/in-toto/attestation/blob/v1.1.0/spec/v0.1.0/README.md), which cosign still writes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use touchmark_oci::Digest;

use crate::{Limits, Predicate};

/// The two statement types in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StatementVersion {
    /// `https://in-toto.io/Statement/v0.1`.
    #[serde(rename = "https://in-toto.io/Statement/v0.1")]
    V01,
    /// `https://in-toto.io/Statement/v1`.
    #[serde(rename = "https://in-toto.io/Statement/v1")]
    V1,
}

/// A well-formed statement. Whether anybody trustworthy said it is for `sigstore` to find out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement<P = Value> {
    #[serde(rename = "_type")]
    version: StatementVersion,
    subject: Vec<ResourceDescriptor>,
    predicate_type: String,
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    predicate: Option<P>,
}

impl<P> Statement<P> {
    /// A version 1 statement of our own making.
    pub fn new(subject: Vec<ResourceDescriptor>, predicate_type: impl Into<String>, predicate: P) -> Self {
        Self {
            version: StatementVersion::V1,
            subject,
            predicate_type: predicate_type.into(),
            predicate: Some(predicate),
        }
    }

    /// Which statement type it is.
    pub fn version(&self) -> StatementVersion {
        self.version
    }

    /// What the statement is about.
    pub fn subjects(&self) -> &[ResourceDescriptor] {
        &self.subject
    }

    /// The type of the predicate, a URI.
    pub fn predicate_type(&self) -> &str {
        &self.predicate_type
    }

    /// What is said. Absent means empty.
    pub fn predicate(&self) -> Option<&P> {
        self.predicate.as_ref()
    }

    /// Whether one of the subjects has `digest`. Names are never compared: anyone can name anything.
    pub fn is_about(&self, digest: &Digest) -> bool {
        self.subject.iter().any(|subject| subject.has_digest(digest))
    }
}

impl Statement {
    /// Parses a statement from JSON.
    ///
    /// # Errors
    /// [`StatementError`]: not JSON of a known statement type, over a limit, or without a subject that has a digest.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, StatementError> {
        let statement: Self = serde_json::from_slice(bytes)?;
        let subjects = statement.subject.len();
        if subjects > limits.max_subjects {
            return Err(StatementError::TooManySubjects { count: subjects, limit: limits.max_subjects });
        }
        if subjects == 0 {
            return Err(StatementError::NoSubject);
        }
        for subject in &statement.subject {
            let digests = subject.digest.len();
            if digests > limits.max_digests {
                return Err(StatementError::TooManyDigests { count: digests, limit: limits.max_digests });
            }
            if digests == 0 {
                return Err(StatementError::SubjectWithoutDigest {
                    name: subject.name.clone().unwrap_or_default(),
                });
            }
        }
        Ok(statement)
    }

    /// The statement with its predicate as `P`.
    ///
    /// # Errors
    /// [`StatementError::PredicateType`] when it is of another type, [`StatementError::Predicate`] when it is malformed.
    pub fn narrow<P: Predicate>(&self) -> Result<Statement<P>, StatementError> {
        if !P::TYPES.contains(&self.predicate_type.as_str()) {
            return Err(StatementError::PredicateType {
                found: self.predicate_type.clone(),
                wanted: P::TYPES,
            });
        }
        let predicate =
            P::deserialize(self.predicate.as_ref().unwrap_or(&Value::Null)).map_err(|source| {
                StatementError::Predicate { predicate_type: self.predicate_type.clone(), source }
            })?;
        Ok(Statement {
            version: self.version,
            subject: self.subject.clone(),
            predicate_type: self.predicate_type.clone(),
            predicate: Some(predicate),
        })
    }
}

impl<P: Serialize> Statement<P> {
    /// The statement as JSON: the bytes to sign.
    ///
    /// # Errors
    /// [`StatementError::Json`] when the predicate cannot be written.
    pub fn to_json(&self) -> Result<Vec<u8>, StatementError> {
        Ok(serde_json::to_vec(self)?)
    }
}

/// An artifact, by digest
/// ([in-toto attestation 1.1, resource_descriptor.md](https://github.com/in-toto/attestation/blob/v1.1.0/spec/v1/resource_descriptor.md)).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceDescriptor {
    /// What the artifact is called by whoever made the statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// Digests in lower-case hexadecimal, by algorithm name (`sha256`, `gitCommit`, …).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub digest: BTreeMap<String, String>,
    /// Where it can be had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download_location: Option<String>,
    /// Its media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Free annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, Value>,
}

impl ResourceDescriptor {
    /// An artifact known by its digest alone.
    pub fn of(digest: &Digest) -> Self {
        let digest = BTreeMap::from([(digest.algorithm().name().to_owned(), digest.hex().to_owned())]);
        Self { digest, ..Self::default() }
    }

    /// The same with a name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Whether this artifact has `digest`, algorithm and value.
    pub fn has_digest(&self, digest: &Digest) -> bool {
        self.digest.get(digest.algorithm().name()).is_some_and(|hex| hex == digest.hex())
    }
}

/// Why bytes are no statement, or not the one that was wanted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// Not JSON, or not the members of a statement.
    #[error("in-toto statement is not valid")]
    Json(#[from] serde_json::Error),
    /// About nothing.
    #[error("in-toto statement has no subject, expected at least one")]
    NoSubject,
    /// A subject that nothing can be compared with.
    #[error("subject {name:?} of the in-toto statement has no digest")]
    SubjectWithoutDigest {
        /// The subject's name.
        name: String,
    },
    /// More subjects than [`Limits::max_subjects`].
    #[error("in-toto statement has {count} subjects, the limit is {limit}")]
    TooManySubjects {
        /// Subjects found.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// More digests in one subject than [`Limits::max_digests`].
    #[error("a subject of the in-toto statement has {count} digests, the limit is {limit}")]
    TooManyDigests {
        /// Digests found.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// Another predicate type than the one asked for.
    #[error("in-toto statement has predicate type {found:?}, expected one of {wanted:?}")]
    PredicateType {
        /// As the statement says.
        found: String,
        /// As asked for.
        wanted: &'static [&'static str],
    },
    /// The predicate is not what its type says.
    #[error("predicate of type {predicate_type:?} is not valid")]
    Predicate {
        /// The type.
        predicate_type: String,
        /// What the JSON reader objects to.
        source: serde_json::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predicate_types;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn parse(text: &str) -> Result<Statement, StatementError> {
        Statement::parse(text.as_bytes(), &Limits::default())
    }

    fn text(version: &str, subject: &str) -> String {
        format!(
            r#"{{"_type":"https://in-toto.io/Statement/{version}","subject":[{subject}],"predicateType":"https://example.com/p","predicate":{{"a":1}}}}"#
        )
    }

    fn subject() -> String {
        format!(r#"{{"name":"x","digest":{{"sha256":"{HEX}"}}}}"#)
    }

    #[test]
    fn reads_both_statement_versions() {
        assert_eq!(parse(&text("v1", &subject())).unwrap().version(), StatementVersion::V1);
        assert_eq!(parse(&text("v0.1", &subject())).unwrap().version(), StatementVersion::V01);
        assert!(matches!(parse(&text("v2", &subject())), Err(StatementError::Json(_))));
    }

    #[test]
    fn is_about_compares_digests_with_their_algorithm() {
        let statement = parse(&text("v1", &subject())).unwrap();
        assert!(statement.is_about(&Digest::of(b"")));
        assert!(!statement.is_about(&Digest::of(b"other")));
        let forged = subject().replace("sha256", "gitCommit");
        assert!(!parse(&text("v1", &forged)).unwrap().is_about(&Digest::of(b"")));
    }

    #[test]
    fn rejects_statements_about_nothing() {
        assert!(matches!(parse(&text("v1", "")), Err(StatementError::NoSubject)));
        let error = parse(&text("v1", r#"{"name":"x","digest":{}}"#)).unwrap_err();
        assert!(matches!(error, StatementError::SubjectWithoutDigest { name } if name == "x"));
    }

    #[test]
    fn rejects_more_than_the_limits() {
        let two = text("v1", &format!("{},{}", subject(), subject()));
        let limits = Limits { max_subjects: 1, ..Limits::default() };
        let error = Statement::parse(two.as_bytes(), &limits).unwrap_err();
        assert!(matches!(error, StatementError::TooManySubjects { count: 2, limit: 1 }));
        let limits = Limits { max_digests: 0, ..Limits::default() };
        let error = Statement::parse(two.as_bytes(), &limits).unwrap_err();
        assert!(matches!(error, StatementError::TooManyDigests { count: 1, limit: 0 }));
    }

    #[derive(Debug, Deserialize)]
    struct Example {
        a: u8,
    }

    impl Predicate for Example {
        const TYPES: &'static [&'static str] = &["https://example.com/p"];
    }

    #[derive(Debug, Deserialize)]
    struct Other {}

    impl Predicate for Other {
        const TYPES: &'static [&'static str] = &[predicate_types::COSIGN_CUSTOM];
    }

    #[test]
    fn narrows_to_a_predicate_of_the_right_type_only() {
        let statement = parse(&text("v1", &subject())).unwrap();
        assert_eq!(statement.narrow::<Example>().unwrap().predicate().unwrap().a, 1);
        assert!(matches!(statement.narrow::<Other>(), Err(StatementError::PredicateType { .. })));
        let malformed = text("v1", &subject()).replace(r#""a":1"#, r#""a":"x""#);
        let error = parse(&malformed).unwrap().narrow::<Example>().unwrap_err();
        assert!(matches!(error, StatementError::Predicate { .. }));
    }
}
