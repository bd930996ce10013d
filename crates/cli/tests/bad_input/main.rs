//! Bad input, one test for each way in which it is bad: the program ends in time and memory, says what is wrong and where, and
//! leaves nothing half-written.
#![expect(clippy::panic, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod documents;
mod files;
mod images;
mod keys;
mod layers;
mod policies;
mod registries;
mod stage;
