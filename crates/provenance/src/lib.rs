#![doc = include_str!("../README.md")]

mod build_type;
mod commit;
mod environment;
mod facts;
mod generate;
mod material;
mod source;
mod v02;
mod v1;

pub use build_type::BuildType;
pub use commit::{CommitError, CommitId, GitFacts};
pub use facts::{BuildFacts, SlsaVersion, Source, SourceGap};
pub use generate::{BuildInputs, GenerateError, Platform, PlatformError, generate};
pub use material::{Material, MaterialError};
pub use source::{SourceLocation, SourceUri, SourceUriError};
pub use v1::{BuildDefinition, BuildMetadata, Builder, Provenance, RunDetails};
pub use v02::{ConfigSource, Invocation, MetadataV02, ProvenanceV02};
