#![doc = include_str!("../README.md")]

mod config;
mod content;
mod descriptor;
mod digest;
mod limits;
mod manifest;
pub mod media_type;
mod reference;

pub use config::{ConfigError, History, ImageConfig, RootFs};
pub use content::{Content, ContentError};
pub use descriptor::{Descriptor, Platform};
pub use digest::{Algorithm, Digest, DigestError, Hasher};
pub use limits::Limits;
pub use manifest::{ImageIndex, ImageManifest, Manifest, ManifestError};
pub use reference::{ImageName, ImageRef, PinnedRef, ReferenceError, Tag};
