//! Executables.

use std::io::{self, Read};

use crate::Limits;

/// Smaller files hold no dependency list.
pub(crate) const SMALLEST_BYTES: u64 = 1024;

/// What was found in an executable.
#[derive(Debug, Default)]
pub(crate) struct Executable {
    pub(crate) is_too_large: bool,
}

impl Executable {
    pub(crate) fn is_empty(&self) -> bool {
        true
    }

    pub(crate) fn bytes(&self) -> u64 {
        0
    }
}

pub(crate) fn probe(_content: impl Read, _limits: &Limits) -> io::Result<Option<Executable>> {
    Ok(None)
}
