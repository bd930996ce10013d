//! A Merkle tree over the entries of a log (RFC 6962 §2.1).

use aws_lc_rs::digest::{SHA256, digest};

pub(super) type Hash = [u8; 32];

/// The hashes of a tree's leaves, in order.
#[derive(Clone, Default)]
pub(super) struct Tree(pub(super) Vec<Hash>);

impl Tree {
    pub(super) fn root(&self) -> Hash {
        root(&self.0)
    }

    /// The tree as it was when it had so many leaves.
    pub(super) fn first(&self, size: usize) -> Self {
        Self(self.0.iter().take(size).copied().collect())
    }

    /// What proves that a leaf is in the tree, from the bottom up (§2.1.1).
    pub(super) fn path(&self, index: usize) -> Vec<Hash> {
        path(&self.0, index)
    }

    /// The hashes in a tile of a level, 256 or fewer
    /// ([tlog-tiles](https://github.com/C2SP/C2SP/blob/main/tlog-tiles.md)).
    pub(super) fn tile(&self, level: u32, index: usize) -> Vec<Hash> {
        let width = TILE.saturating_pow(level);
        let complete = self.0.chunks_exact(width).map(root);
        complete.skip(index.saturating_mul(TILE)).take(TILE).collect()
    }
}

pub(super) fn leaf(entry: &[u8]) -> Hash {
    sha256(&[&[0], entry])
}

pub(super) fn sha256(parts: &[&[u8]]) -> Hash {
    let mut hash = [0; 32];
    for (to, from) in hash.iter_mut().zip(digest(&SHA256, &parts.concat()).as_ref()) {
        *to = *from;
    }
    hash
}

fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => sha256(&[]),
        [only] => *only,
        more => {
            let (left, right) = more.split_at(split(more.len()));
            sha256(&[&[1], &root(left), &root(right)])
        }
    }
}

fn path(leaves: &[Hash], index: usize) -> Vec<Hash> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut below, beside) = match index.checked_sub(left.len()) {
        None => (path(left, index), root(right)),
        Some(index) => (path(right, index), root(left)),
    };
    below.push(beside);
    below
}

/// The largest power of two below `count`, which is at least 2.
fn split(count: usize) -> usize {
    count.div_ceil(2).next_power_of_two()
}

/// Hashes in a full tile.
const TILE: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_at_the_largest_smaller_power_of_two() {
        let splits: Vec<usize> = (2..10).map(split).collect();
        assert_eq!(splits, [1, 2, 2, 4, 4, 4, 4, 8]);
    }

    #[test]
    fn the_root_of_the_reference_tree_is_as_published() {
        // The inputs and roots of certificate-transparency's merkle_tree_test.cc.
        let inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"];
        let tree = Tree(inputs.iter().map(|input| leaf(&hex::decode(input).unwrap())).collect());
        let roots = [
            (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
            (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
            (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
            (7, "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
        ];
        for (size, root) in roots {
            assert_eq!(hex::encode(tree.first(size).root()), root, "{size}");
        }
    }
}
