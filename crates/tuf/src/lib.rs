#![doc = include_str!("../README.md")]

mod cache;
mod current;
mod error;
mod limits;
mod mirror;
mod refresh;
mod repository;
mod role;
mod state;
mod trusted;
mod walk;

pub use cache::{Cache, CacheError};
pub use current::{Current, CurrentError, FRESH_FOR, KeptError, Network, Note, current};
pub use error::TufError;
pub use limits::Limits;
pub use repository::Repository;
pub use role::{Role, RoleState};
pub use state::{State, StateError};
pub use trusted::{SIGNING_CONFIG, TRUSTED_ROOT, Trusted};
