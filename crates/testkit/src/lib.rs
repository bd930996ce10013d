#![doc = include_str!("../README.md")]

mod registry;
mod sigstore;

pub use registry::{Auth, FakeRegistry, Fault, Knobs, Location, Recorded, ReferrersApi, Tamper};
pub use sigstore::{Authority, Clock, Identity, LoginFault, Misbehaviour, Options, PERSON, Sigstore};
