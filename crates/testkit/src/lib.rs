#![doc = include_str!("../README.md")]

mod registry;

pub use registry::{Auth, FakeRegistry, Knobs, Location, Meeting, Recorded, ReferrersApi, Tamper};
pub use touchmark_demo_sigstore::{
    Authority, Clock, Fault, Identity, LoginFault, Misbehaviour, Options, PERSON, Sigstore, SigstoreError,
    TufFault, TufFile,
};
