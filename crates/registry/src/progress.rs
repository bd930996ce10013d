//! Who wants to know how far a transfer is.

use touchmark_oci::Digest;

/// Told while blobs move. Calls come from the task that moves the blob, so they must be quick.
pub trait Progress: Send + Sync {
    /// `transfer` is as far as it says.
    fn advanced(&self, transfer: &Transfer<'_>);
}

/// One blob on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer<'a> {
    /// Which blob.
    pub digest: &'a Digest,
    /// Which way it goes.
    pub direction: Direction,
    /// Bytes moved so far.
    pub done: u64,
    /// Bytes in all.
    pub total: u64,
}

/// Which way a blob goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the store.
    Fetch,
    /// To the store.
    Push,
    /// It was there already, or another repository of the registry gave it.
    Present,
}
