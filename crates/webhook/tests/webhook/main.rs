//! The server as the API server meets it: over HTTPS on loopback.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod harness;
mod registry;
mod reviews;
mod trust;
