#![doc = include_str!("../README.md")]

mod artifact;
pub mod challenge;
mod checked;
mod client;
mod copy;
mod error;
mod layout;
mod limits;
mod options;
mod progress;
mod store;
mod stores;

pub use artifact::push_artifact;
pub use client::CredentialError;
pub use client::RegistryClient;
pub use copy::{CopyReport, copy_blobs, copy_image};
pub use error::{At, ErrorCode, LayoutFault, Operation, ResponseFault, StoreError, Unavailable};
pub use layout::{ArchiveMember, ArchiveStore, LayoutStore, index_archive};
pub use limits::Limits;
pub use options::{CredentialSource, RegistryOptions, Secret};
pub use progress::{Direction, Progress, Transfer};
pub use store::{BlobReader, FirstReferrers, ImageStore, Referrers, ReferrersPlace, TagChange};
pub use stores::Stores;
pub use touchmark_transport::{ClientOptions, PlainHttp, Proxies, RetryPolicy};
