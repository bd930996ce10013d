//! What both versions of Rekor are: a tree that grows, its checkpoints, and ways to lie about them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::keys::Key;
use super::merkle::{Hash, Tree, leaf, sha256};
use super::witness::Witness;
use super::{Misbehaviour, Refusal};

/// A log, and what its checkpoints are signed with.
pub(super) struct Log {
    pub(super) key: Key,
    /// The key that is not in the trusted root.
    wrong_key: Key,
    /// The first line of its checkpoints.
    pub(super) origin: String,
    /// The name that stands beside signatures of checkpoints.
    name: String,
    /// By which the trusted root names its key; a signature's hint is its beginning.
    pub(super) id: Hash,
    witnesses: Vec<Witness>,
    tree: Tree,
    entries: Vec<Vec<u8>>,
}

/// What shows that an entry is in a log.
pub(super) struct Shown {
    pub(super) index: usize,
    pub(super) size: usize,
    pub(super) root: Hash,
    pub(super) path: Vec<Hash>,
    pub(super) checkpoint: String,
}

impl Log {
    /// A log of Rekor v1, whose key's identifier is its digest.
    pub(super) fn v1(origin: String, name: &str) -> Result<Self, Refusal> {
        let key = Key::p256()?;
        let id = sha256(&[&key.public()?]);
        Self::new(key, Key::p256()?, origin, name, id, Vec::new())
    }

    /// A log of Rekor v2, whose key's identifier binds its name
    /// ([signed-note](https://github.com/C2SP/C2SP/blob/main/signed-note.md), signature type 1).
    pub(super) fn v2(name: &str, witnesses: Vec<Witness>) -> Result<Self, Refusal> {
        let key = Key::ed25519()?;
        let id = sha256(&[name.as_bytes(), b"\n\x01", key.public_bits()]);
        Self::new(key, Key::ed25519()?, name.to_owned(), name, id, witnesses)
    }

    fn new(
        key: Key,
        wrong_key: Key,
        origin: String,
        name: &str,
        id: Hash,
        witnesses: Vec<Witness>,
    ) -> Result<Self, Refusal> {
        let (tree, entries) = (Tree::default(), Vec::new());
        let mut log = Self { key, wrong_key, origin, name: name.to_owned(), id, witnesses, tree, entries };
        // So that every other entry has one before it, about which another tree can say something else.
        log.add(b"{}".to_vec());
        Ok(log)
    }

    /// The public keys of its witnesses.
    pub(super) fn witness_keys(&self) -> Vec<String> {
        self.witnesses.iter().map(Witness::verifier_key).collect()
    }

    /// The index of an entry that is there already.
    pub(super) fn find(&self, entry: &[u8]) -> Option<usize> {
        self.entries.iter().position(|known| known == entry)
    }

    pub(super) fn entry(&self, index: usize) -> Option<&[u8]> {
        self.entries.get(index).map(Vec::as_slice)
    }

    pub(super) fn entries(&self) -> &[Vec<u8>] {
        &self.entries
    }

    pub(super) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Keeps an entry and gives its index.
    pub(super) fn add(&mut self, entry: Vec<u8>) -> usize {
        self.tree.0.push(leaf(&entry));
        self.entries.push(entry);
        self.entries.len() - 1
    }

    /// Shows an entry, truthfully or not.
    pub(super) fn show(&self, index: usize, misbehaviour: &Misbehaviour) -> Result<Shown, Refusal> {
        let mut tree = self.tree.clone();
        if misbehaviour.split_view
            && let Some(first) = tree.0.first_mut()
        {
            *first = leaf(b"{\"another\":\"entry\"}");
        }
        let mut root = tree.root();
        if misbehaviour.wrong_root_hash {
            root = sha256(&[&root]);
        }
        let size = tree.0.len();
        let checkpoint = if misbehaviour.stale_checkpoint {
            self.checkpoint(index, &tree.first(index).root(), misbehaviour)?
        } else {
            self.checkpoint(size, &root, misbehaviour)?
        };
        Ok(Shown { index, size, root, path: tree.path(index), checkpoint })
    }

    /// The latest checkpoint.
    pub(super) fn latest(&self, misbehaviour: &Misbehaviour) -> Result<String, Refusal> {
        self.checkpoint(self.tree.0.len(), &self.tree.root(), misbehaviour)
    }

    /// A signed note over a tree's size and root
    /// ([tlog-checkpoint](https://github.com/C2SP/C2SP/blob/main/tlog-checkpoint.md)).
    fn checkpoint(&self, size: usize, root: &Hash, misbehaviour: &Misbehaviour) -> Result<String, Refusal> {
        let text = format!("{}\n{size}\n{}\n", self.origin, STANDARD.encode(root));
        let mut signature = self.id.iter().take(HINT).copied().collect::<Vec<u8>>();
        signature.extend(self.sign(text.as_bytes(), misbehaviour)?);
        let cosigned = self.witnesses.iter().map(|witness| witness.cosign(&text));
        let cosignatures = cosigned.collect::<Result<String, _>>()?;
        Ok(format!("{text}\n\u{2014} {} {}\n{cosignatures}", self.name, STANDARD.encode(signature)))
    }

    pub(super) fn sign(&self, message: &[u8], misbehaviour: &Misbehaviour) -> Result<Vec<u8>, Refusal> {
        if misbehaviour.wrong_log_key { self.wrong_key.sign(message) } else { self.key.sign(message) }
    }
}

/// Bytes of a key's identifier in front of its signature.
const HINT: usize = 4;
