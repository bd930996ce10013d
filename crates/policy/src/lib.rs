#![doc = include_str!("../README.md")]

mod check;
mod decision;
mod document;
mod evaluate;
mod glob;
mod limits;
mod location;
mod policy;
mod problem;
mod provenance;
mod reason;
mod set;
mod yaml;

pub use check::ReadKey;
pub use decision::{
    Decision, EvidenceSummary, OmittedEvidence, PolicyOutcome, RejectedDocument, RequirementOutcome, Support,
    Verdict,
};
pub use document::{Mode, NoMatch, PolicyDocument};
pub use glob::{Glob, GlobError, ImageGlob};
pub use limits::Limits;
pub use location::{Location, Position};
pub use policy::{NamedSigner, Policy, Quorum, Requirement, RequirementKind, Wanted};
pub use problem::{Lint, Problem, Problems};
pub use provenance::{Expected, ProvenanceExpectations, ProvenanceField, SourceExpectation};
pub use reason::{Ask, Cause, Reason, Seen};
pub use set::{PolicySet, PolicySetError};
pub use yaml::{DocumentError, YamlError};
