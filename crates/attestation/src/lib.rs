#![doc = include_str!("../README.md")]

mod envelope;
mod limits;
mod predicate;
mod statement;

pub use envelope::{Envelope, EnvelopeError, EnvelopeSignature, IN_TOTO_PAYLOAD, pae};
pub use limits::Limits;
pub use predicate::{Predicate, PredicateType, PredicateTypeError, predicate_types};
pub use statement::{ResourceDescriptor, Statement, StatementError, StatementVersion};
