//! A digest that is computed beside the work that makes the bytes.
//!
//! Inflating a layer takes three times as long as hashing what comes out, and the two together are most of what a scan does. So blocks are
//! handed to a thread that only hashes. Where no thread can be had, they are hashed on the way.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use touchmark_oci::{Algorithm, Digest, Hasher};

/// Blocks that may wait to be hashed, before the one who makes them waits too.
const WAITING_BLOCKS: usize = 2;

/// Hashes blocks in the order in which they come.
pub(crate) enum Digester {
    Beside { blocks: SyncSender<Arc<Vec<u8>>>, thread: JoinHandle<Digest> },
    Inline(Hasher),
}

impl Digester {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        let (blocks, waiting) = sync_channel::<Arc<Vec<u8>>>(WAITING_BLOCKS);
        let hash = move || {
            let mut hasher = Hasher::new(algorithm);
            waiting.into_iter().for_each(|block| hasher.update(&block));
            hasher.finish()
        };
        match thread::Builder::new().name("digest".to_owned()).spawn(hash) {
            Ok(thread) => Self::Beside { blocks, thread },
            Err(_) => Self::Inline(Hasher::new(algorithm)),
        }
    }

    /// Adds a block, all of it.
    pub(crate) fn update(&mut self, block: &Arc<Vec<u8>>) {
        match self {
            // The other end is gone only if hashing panicked, and then there is no digest to wait for.
            Self::Beside { blocks, .. } => drop(blocks.send(Arc::clone(block))),
            Self::Inline(hasher) => hasher.update(block),
        }
    }

    /// The digest of all blocks; none if the thread came to nothing.
    pub(crate) fn finish(self) -> Option<Digest> {
        match self {
            Self::Beside { blocks, thread } => {
                drop(blocks);
                thread.join().ok()
            }
            Self::Inline(hasher) => Some(hasher.finish()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_hashed_in_their_order_beside_and_inline() {
        let blocks: Vec<Arc<Vec<u8>>> = (0..100_u8).map(|n| Arc::new(vec![n; 1000])).collect();
        let all: Vec<u8> = blocks.iter().flat_map(|block| block.iter().copied()).collect();
        for mut digester in
            [Digester::new(Algorithm::Sha256), Digester::Inline(Hasher::new(Algorithm::Sha256))]
        {
            blocks.iter().for_each(|block| digester.update(block));
            assert_eq!(digester.finish(), Some(Digest::of(&all)));
        }
    }
}
