//! What SLSA provenance has to say, and whether it does
//! ([SLSA 1.1, "Verifying artifacts", step 2](https://slsa.dev/spec/v1.1/verifying-artifacts#step-2-check-expectations)).
//!
//! An expectation that a build type gives no answer to is not met: absence is never taken for consent.

use std::fmt;

use serde::Serialize;
use touchmark_provenance::{BuildFacts, CommitId, SourceGap, SourceUri};

use crate::Glob;

/// What provenance has to say, all of it in one statement.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProvenanceExpectations {
    /// Who built it: `builder.id`.
    pub builder: Expected,
    /// How to read it: `buildType`, compared whole.
    pub build_type: Option<String>,
    /// What was built.
    pub source: Option<SourceExpectation>,
}

/// The repository that has to have been built.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SourceExpectation {
    /// Which repository.
    pub uri: SourceUri,
    /// Which branch or tag.
    pub git_ref: Option<Expected>,
    /// Which commit.
    pub commit: Option<CommitId>,
}

/// A text to compare with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// This text.
    Exactly(String),
    /// A text that fits.
    Matching(Glob),
}

impl Expected {
    fn accepts(&self, found: &str) -> bool {
        match self {
            Self::Exactly(text) => text == found,
            Self::Matching(glob) => glob.matches(found),
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(text) => f.write_str(text),
            Self::Matching(glob) => write!(f, "{glob} (pattern)"),
        }
    }
}

/// What of the provenance an expectation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ProvenanceField {
    /// `builder.id`.
    Builder,
    /// `buildType`.
    BuildType,
    /// The source repository.
    Source,
    /// The branch or tag.
    Ref,
    /// The commit.
    Commit,
}

impl fmt::Display for ProvenanceField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Builder => "builder",
            Self::BuildType => "build type",
            Self::Source => "source",
            Self::Ref => "source ref",
            Self::Commit => "source commit",
        })
    }
}

/// An expectation that a statement does not meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unmet {
    pub(crate) field: ProvenanceField,
    pub(crate) wanted: String,
    pub(crate) found: Found,
}

/// What a statement says instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// Something else.
    Other(String),
    /// Nothing.
    Nothing,
    /// Nothing that can be read, and why.
    Unknown(SourceGap),
}

impl ProvenanceExpectations {
    /// What of this `facts` do not meet.
    pub(crate) fn unmet(&self, facts: &BuildFacts) -> Vec<Unmet> {
        let builder = compare(ProvenanceField::Builder, &self.builder, Some(&facts.builder_id));
        let build_type = self.build_type.as_ref().and_then(|wanted| {
            compare(ProvenanceField::BuildType, &Expected::Exactly(wanted.clone()), Some(&facts.build_type))
        });
        let source = self.source.iter().flat_map(|source| source.unmet(facts));
        builder.into_iter().chain(build_type).chain(source).collect()
    }
}

impl SourceExpectation {
    fn unmet(&self, facts: &BuildFacts) -> Vec<Unmet> {
        let uri = |found| Unmet { field: ProvenanceField::Source, wanted: self.uri.to_string(), found };
        let source = match &facts.source {
            Ok(source) if source.uri == self.uri => source,
            Ok(source) => return vec![uri(Found::Other(source.uri.to_string()))],
            Err(gap) => return vec![uri(Found::Unknown(gap.clone()))],
        };
        let git_ref = self.git_ref.as_ref();
        let git_ref =
            git_ref.and_then(|wanted| compare(ProvenanceField::Ref, wanted, source.git_ref.as_deref()));
        let commit = self.commit.as_ref().and_then(|wanted| {
            let found = source.commit.as_ref().map(CommitId::as_str);
            compare(ProvenanceField::Commit, &Expected::Exactly(wanted.to_string()), found)
        });
        git_ref.into_iter().chain(commit).collect()
    }
}

fn compare(field: ProvenanceField, wanted: &Expected, found: Option<&str>) -> Option<Unmet> {
    let found = found.filter(|found| !found.is_empty());
    if found.is_some_and(|found| wanted.accepts(found)) {
        return None;
    }
    let found = found.map_or(Found::Nothing, |found| Found::Other(found.to_owned()));
    Some(Unmet { field, wanted: wanted.to_string(), found })
}
