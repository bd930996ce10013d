//! The one door, end to end in one process: sign, push, gather, verify, decide.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test helper that cannot go on fails the test"
)]

mod cached;
mod decided;
mod shipped;
mod stage;
