#![doc = include_str!("../README.md")]

mod descend;
mod evidence_cache;
mod gather;
mod image_verifier;
mod limits;
mod policy_files;
mod policy_tests;

pub use descend::{DescendError, descend};
pub use gather::{Gathered, gather};
pub use image_verifier::{ImageVerifier, VerifyError};
pub use limits::{CacheLimits, GatherLimits};
pub use policy_files::{PolicyFileError, load_policies};
pub use policy_tests::{PolicyTestError, TestResult, run_policy_tests};
