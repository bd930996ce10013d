#![doc = include_str!("../README.md")]

mod check;
mod decision;
mod document;
mod evaluate;
mod glob;
mod identity;
mod image_glob;
mod key_window;
mod limits;
mod location;
mod policy;
mod problem;
mod proof;
mod provenance;
mod reason;
mod seen;
mod set;
mod support;
mod test_table;
mod yaml;

pub use check::ReadKey;
pub use decision::{
    Decision, EvidenceSummary, OmittedEvidence, PolicyOutcome, RejectedDocument, RequirementOutcome, Verdict,
};
pub use document::{Mode, NoMatch, PolicyDocument};
pub use glob::{Glob, GlobError};
pub use identity::{Anchored, CertificateIdentity, ExpressionError, TextMatch};
pub use image_glob::ImageGlob;
pub use key_window::{KeyWindow, TrustedKey};
pub use limits::Limits;
pub use location::{Location, Position};
pub use policy::{NamedSigner, Policy, Quorum, Requirement, RequirementKind, Wanted};
pub use problem::{Lint, Problem, Problems};
pub use proof::{ProofRequirement, ProofRequirementError};
pub use provenance::{Expected, ProvenanceExpectations, ProvenanceField, SourceExpectation};
pub use reason::{Ask, Cause, Reason};
pub use seen::{Seen, Sightings};
pub use set::{PolicySet, PolicySetError};
pub use support::Support;
pub use test_table::{TableProblem, TestCase, TestFailure, TestTable, TestTableError};
pub use yaml::{DocumentError, YamlError};
