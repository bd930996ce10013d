//! The program as a whole: arguments in, standard output, standard error and exit code out.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod blobs;
mod conformance;
mod images;
mod inventories;
mod keyless;
mod keys;
mod large;
#[path = "../bad_input/images.rs"]
#[allow(dead_code, clippy::allow_attributes, reason = "the other test program uses the rest")]
mod made;
mod moving;
mod offline;
mod policies;
mod sboms;
mod services;
mod shell;
mod stage;
mod story;
mod trust;
