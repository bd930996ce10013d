//! The test table of a policy: which image, judged by which evidence, has to get which answer.
//!
//! Reading and comparing happen here; whoever runs a table fetches the evidence.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use touchmark_oci::{ImageRef, ReferenceError};

use crate::document::{ApiVersion, Metadata};
use crate::location::{Located, Location, Position};
use crate::problem::{HasLocation, Problems};
use crate::{Decision, DocumentError, Limits, Reason, Verdict, yaml};

/// A checked test table. Files and evidence are named as written: relative to the table.
#[derive(Debug, Clone, PartialEq)]
pub struct TestTable {
    name: String,
    policies: Vec<String>,
    cases: Vec<TestCase>,
}

impl TestTable {
    /// Reads and checks the one document of a file. `file` is what the file is called in errors.
    ///
    /// # Errors
    /// [`TestTableError`].
    pub fn parse(text: &str, file: &str, limits: &Limits) -> Result<Self, TestTableError> {
        let file: Arc<str> = file.into();
        let written: Written = yaml::parse_one(text, &file, limits)?;
        let mut checker = Checker { file, problems: Vec::new() };
        let table = checker.table(&written);
        match Problems::from_list(checker.problems) {
            Some(problems) => Err(TestTableError::Problems(problems)),
            None => Ok(table),
        }
    }

    /// What the table is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The policy files that are in force together.
    pub fn policies(&self) -> &[String] {
        &self.policies
    }

    /// The cases, in the order of the table.
    pub fn cases(&self) -> &[TestCase] {
        &self.cases
    }
}

/// One image and the answer that it has to get.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TestCase {
    /// What the case is called.
    pub name: String,
    /// The name by which policies are selected. It has no digest: the evidence's is used.
    pub image: ImageRef,
    /// The image whose evidence is judged.
    pub evidence: ImageRef,
    /// The answer.
    pub expect: Verdict,
    /// Exactly these reason codes, when stated.
    pub reasons: Option<BTreeSet<String>>,
    /// Where the case is written.
    pub at: Location,
}

impl TestCase {
    /// Compares a decision with what is expected.
    ///
    /// # Errors
    /// [`TestFailure`]: another verdict, or other reasons.
    pub fn judge(&self, decision: &Decision) -> Result<(), TestFailure> {
        let codes = || decision.reason_codes().into_iter().map(str::to_owned).collect();
        if decision.verdict() != self.expect {
            let (wanted, found) = (self.expect, decision.verdict());
            return Err(TestFailure::Verdict { at: self.at.clone(), wanted, found, reasons: codes() });
        }
        match &self.reasons {
            Some(wanted) if *wanted != codes() => {
                Err(TestFailure::Reasons { at: self.at.clone(), wanted: wanted.clone(), found: codes() })
            }
            _ => Ok(()),
        }
    }
}

/// How a decision differs from what its case expects.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TestFailure {
    /// Another verdict.
    #[error("{at}: verdict is {found} ({}), expected {wanted}", list(reasons))]
    Verdict {
        /// The case.
        at: Location,
        /// The verdict expected.
        wanted: Verdict,
        /// The verdict found.
        found: Verdict,
        /// The reasons found.
        reasons: BTreeSet<String>,
    },
    /// The same verdict for other reasons.
    #[error("{at}: reasons are {}, expected {}", list(found), list(wanted))]
    Reasons {
        /// The case.
        at: Location,
        /// The codes expected.
        wanted: BTreeSet<String>,
        /// The codes found.
        found: BTreeSet<String>,
    },
}

fn list(codes: &BTreeSet<String>) -> String {
    match codes.len() {
        0 => "no reason".into(),
        _ => codes.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    #[expect(dead_code, reason = "there is one version; reading it refuses all others")]
    api_version: ApiVersion,
    #[expect(dead_code, reason = "there is one kind; reading it refuses all others")]
    kind: Kind,
    metadata: Metadata,
    spec: Spec,
}

#[derive(Debug, Deserialize)]
enum Kind {
    ImagePolicyTest,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Spec {
    policies: Located<Vec<String>>,
    cases: Located<Vec<Located<CaseSpec>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CaseSpec {
    name: Located<String>,
    image: Located<String>,
    evidence: Located<String>,
    expect: Expect,
    #[serde(default)]
    reasons: Option<Vec<Located<String>>>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Expect {
    Allow,
    Warn,
    Deny,
}

impl From<Expect> for Verdict {
    fn from(expect: Expect) -> Self {
        match expect {
            Expect::Allow => Self::Allow,
            Expect::Warn => Self::Warn,
            Expect::Deny => Self::Deny,
        }
    }
}

struct Checker {
    file: Arc<str>,
    problems: Vec<TableProblem>,
}

impl Checker {
    fn table(&mut self, written: &Written) -> TestTable {
        let Spec { policies, cases } = &written.spec;
        if policies.value.is_empty() {
            self.problems.push(TableProblem::NoPolicies { at: self.at(policies.position) });
        }
        if cases.value.is_empty() {
            self.problems.push(TableProblem::NoCases { at: self.at(cases.position) });
        }
        let mut names = BTreeSet::new();
        for case in &cases.value {
            let name = &case.value.name;
            if !names.insert(&name.value) {
                let (at, name) = (self.at(name.position), name.value.clone());
                self.problems.push(TableProblem::DuplicateCase { at, name });
            }
        }
        TestTable {
            name: written.metadata.name.value.clone(),
            policies: policies.value.clone(),
            cases: cases.value.iter().filter_map(|case| self.case(case)).collect(),
        }
    }

    fn at(&self, position: Position) -> Location {
        Location::new(&self.file, position)
    }

    fn case(&mut self, case: &Located<CaseSpec>) -> Option<TestCase> {
        let spec = &case.value;
        let image = self.reference(&spec.image);
        let evidence = self.reference(&spec.evidence);
        if image.as_ref().is_some_and(|image| image.digest().is_some()) {
            self.problems.push(TableProblem::PinnedImage { at: self.at(spec.image.position) });
        }
        for code in spec.reasons.iter().flatten() {
            if !Reason::CODES.contains(&code.value.as_str()) {
                let (at, found) = (self.at(code.position), code.value.clone());
                self.problems.push(TableProblem::UnknownCode { at, found });
            }
        }
        let codes = |written: &Vec<Located<String>>| written.iter().map(|code| code.value.clone()).collect();
        Some(TestCase {
            name: spec.name.value.clone(),
            image: image?,
            evidence: evidence?,
            expect: spec.expect.into(),
            reasons: spec.reasons.as_ref().map(codes),
            at: self.at(case.position),
        })
    }

    fn reference(&mut self, written: &Located<String>) -> Option<ImageRef> {
        match written.value.parse() {
            Ok(reference) => Some(reference),
            Err(source) => {
                self.problems.push(TableProblem::Reference { at: self.at(written.position), source });
                None
            }
        }
    }
}

/// Why a file is no test table.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TestTableError {
    /// Not a document of that kind.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// One, with mistakes in it.
    #[error(transparent)]
    Problems(Problems<TableProblem>),
}

/// One thing that is wrong with a test table.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableProblem {
    /// A table that tests no policy.
    #[error("{at}: policies is empty, expected at least one file")]
    NoPolicies {
        /// Where.
        at: Location,
    },
    /// A table that tests nothing.
    #[error("{at}: cases is empty, expected at least one")]
    NoCases {
        /// Where.
        at: Location,
    },
    /// Two cases of one name.
    #[error("{at}: there is a case named {name:?} already")]
    DuplicateCase {
        /// The second one.
        at: Location,
        /// Their name.
        name: String,
    },
    /// Not an image reference.
    #[error("{at}: not an image reference")]
    Reference {
        /// Where.
        at: Location,
        /// What is wrong with it.
        source: ReferenceError,
    },
    /// A digest in the name to be judged by.
    #[error("{at}: image has a digest, expected a name: the digest is that of the evidence")]
    PinnedImage {
        /// Where.
        at: Location,
    },
    /// A reason that no decision can have.
    #[error("{at}: {found:?} is not a reason code")]
    UnknownCode {
        /// Where.
        at: Location,
        /// The code.
        found: String,
    },
}

impl HasLocation for TableProblem {
    fn at(&self) -> &Location {
        match self {
            Self::NoPolicies { at }
            | Self::NoCases { at }
            | Self::DuplicateCase { at, .. }
            | Self::Reference { at, .. }
            | Self::PinnedImage { at }
            | Self::UnknownCode { at, .. } => at,
        }
    }
}
