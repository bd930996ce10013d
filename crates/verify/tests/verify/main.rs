//! The one door, end to end in one process: sign, push, gather, verify, decide.
#![expect(clippy::unwrap_used, reason = "a test helper that cannot go on fails the test")]

mod cached;
mod decided;
mod moved;
mod requests;
mod shipped;
mod stage;
