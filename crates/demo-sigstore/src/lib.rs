#![doc = include_str!("../README.md")]

pub mod serving;
mod sigstore;

pub use serving::Fault;
pub use sigstore::{
    Authority, ClientDocuments, Clock, Identity, LoginFault, Misbehaviour, Options, PERSON, Refusal,
    Sigstore, SigstoreError, TufFault, TufFile,
};
