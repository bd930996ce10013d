//! The one door, end to end in one process: sign, push, gather, verify, decide.

mod cached;
mod decided;
mod shipped;
mod stage;
