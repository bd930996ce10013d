//! A TUF repository over real HTTP, and a client that believes nothing.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod repository;
mod stage;
mod state;
