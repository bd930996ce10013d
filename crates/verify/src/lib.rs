#![doc = include_str!("../README.md")]

mod copy_evidence;
mod descend;
mod evidence_cache;
mod gather;
mod image_verifier;
mod kind;
mod limits;
mod policy_files;
mod policy_tests;
mod remove_evidence;
mod search;

pub use copy_evidence::{Copied, CopyError, CopyLimits, CopyOptions, Left, copy_with_evidence};
pub use descend::{DescendError, descend};
pub use gather::{Gathered, GatheredDocuments, StoredDocument, gather, gather_documents};
pub use image_verifier::{ImageVerifier, VerifyError};
pub use kind::{EvidenceKind, predicate_type};
pub use limits::{CacheLimits, GatherLimits};
pub use policy_files::{PolicyFileError, load_policies};
pub use policy_tests::{PolicyTestError, TestResult, run_policy_tests};
pub use remove_evidence::{Removable, Removables, find_removable, remove};
