//! The four roles of a repository ([TUF 1.0.33 §2.1](https://theupdateframework.github.io/specification/v1.0.33/#roles-and-pki)).

use std::fmt;

use jiff::Timestamp;

/// Who signs a part of the metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Says which keys the roles have.
    Root,
    /// Says which snapshot is the newest, and does so often.
    Timestamp,
    /// Says which metadata belongs together.
    Snapshot,
    /// Says what the files are.
    Targets,
}

impl Role {
    /// All of them, in the order in which they are verified.
    pub const ALL: [Self; 4] = [Self::Root, Self::Timestamp, Self::Snapshot, Self::Targets];

    /// Its name in metadata.
    pub fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Timestamp => "timestamp",
            Self::Snapshot => "snapshot",
            Self::Targets => "targets",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a role has signed last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoleState {
    /// The role.
    pub role: Role,
    /// The version of its metadata.
    pub version: u64,
    /// Until when it counts.
    pub expires: Timestamp,
}

impl RoleState {
    /// Whether it counts no more at `now`.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires < now
    }
}

impl fmt::Display for RoleState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} version {} expires {}", self.role, self.version, self.expires)
    }
}
