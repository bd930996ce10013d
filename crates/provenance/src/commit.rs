//! Git commits, and what is known about a checkout.

use std::fmt;
use std::str::FromStr;

/// A git commit id: 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal digits. An abbreviated id is none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommitId(String);

impl CommitId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CommitId {
    type Err = CommitError;

    fn from_str(text: &str) -> Result<Self, CommitError> {
        let is_hex = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if is_hex && matches!(text.len(), 40 | 64) {
            Ok(Self(text.to_owned()))
        } else {
            Err(CommitError { text: text.chars().take(100).collect() })
        }
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is no full commit id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a git commit id of 40 or 64 lower-case hex digits")]
pub struct CommitError {
    text: String,
}

/// What git knows about the directory that was built from. The caller asks git; this crate reads no files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitFacts {
    /// The commit that is checked out.
    pub commit: CommitId,
    /// The URL of the remote, as git has it. Credentials in it are dropped before anything is written.
    pub remote: Option<String>,
    /// The full name of the branch or tag that is checked out, such as `refs/heads/main`.
    pub git_ref: Option<String>,
    /// Whether the directory differs from the commit.
    pub dirty: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_a_full_lower_case_object_id() {
        for text in ["c27d339ee6075c1f744c5d4b200f7901aad2c369", &"a".repeat(64)] {
            assert_eq!(text.parse::<CommitId>().unwrap().as_str(), text);
        }
        for text in ["", "c27d339", &"A".repeat(40), &"g".repeat(40), &"a".repeat(41)] {
            assert!(text.parse::<CommitId>().is_err(), "{text:?}");
        }
    }
}
