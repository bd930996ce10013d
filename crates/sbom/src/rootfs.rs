//! Layers on top of each other: the files and links that a container would see.
//!
//! Entries are applied as container runtimes apply them
//! ([image-spec 1.1, layer.md, "Applying Changesets"](https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md#applying-changesets)):
//! a name's directories are followed through symbolic links of the layers so far, never out of the root, and its last part is
//! not followed. Only kept files and symbolic links are nodes here; every other path counts as a directory.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::changes::Change;
use crate::scan::{Kept, KeptContent};
use crate::{Evidence, Gap, GapReason, LayerScan, Limits, bundle, java, path};

/// The merged view.
pub(crate) struct Rootfs {
    nodes: BTreeMap<String, Node>,
    symlinks: usize,
    max_symlinks: usize,
    /// The directory that was resolved last, and to what: entries of one directory follow each other.
    last_directory: Option<(String, String)>,
    /// The bits of files that came, changed or went, and the links that did, since they were last asked for.
    touched: u64,
    touched_links: Vec<(String, String)>,
}

/// Links of one layer that are looked behind. With more of them, everything counts as touched.
const LINKS_LOOKED_BEHIND: usize = 4096;

enum Node {
    Symlink(String),
    File(RootFile),
}

/// A kept file of the merged view.
#[derive(Clone)]
pub(crate) struct RootFile {
    pub(crate) layer: Option<usize>,
    pub(crate) kept: Kept,
}

impl Rootfs {
    /// An empty root.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            nodes: BTreeMap::new(),
            symlinks: 0,
            max_symlinks: limits.max_symlinks,
            last_directory: None,
            touched: 0,
            touched_links: Vec::new(),
        }
    }

    /// Merges layers, lowest first. The second part is what was wrong with them.
    #[cfg(test)]
    pub(crate) fn merge(layers: Vec<LayerScan>, limits: &Limits) -> (Self, Vec<Gap>) {
        let mut root = Self::new(limits);
        let mut gaps = Vec::new();
        for (index, scan) in layers.into_iter().enumerate() {
            gaps.append(&mut root.add(scan, index));
        }
        (root, gaps)
    }

    /// Puts one more layer on top, the one of this number. Returns what was wrong with it.
    pub(crate) fn add(&mut self, scan: LayerScan, index: usize) -> Vec<Gap> {
        let layer = (!scan.is_directory).then_some(index);
        self.apply(scan, layer).into_iter().map(|gap| Gap { layer, ..gap }).collect()
    }

    /// The bits of the files that came, changed or went since this was last asked, by themselves or behind a link that did.
    pub(crate) fn take_touched(&mut self) -> u64 {
        let links = std::mem::take(&mut self.touched_links);
        let behind = links.iter().fold(0, |bits, (link, target)| bits | self.bits_behind(link, target));
        std::mem::take(&mut self.touched) | behind
    }

    /// The bits of what a link leads to. Looking at more than a few files costs more than taking all of them as touched.
    fn bits_behind(&self, link: &str, target: &str) -> u64 {
        const LOOKED_AT: usize = 64;
        let mut from_root =
            if target.starts_with('/') { String::new() } else { path::parent(link).to_owned() };
        path::push(&mut from_root, target);
        let Ok(real) = self.real_path(&from_root) else { return u64::MAX };
        let bits = |node: &Node| match node {
            Node::File(file) => file.kept.interest.bits(),
            Node::Symlink(_) => 0,
        };
        let own = self.nodes.get(&real).map_or(0, bits);
        let mut below = self.below(&real);
        let looked_at = below.by_ref().take(LOOKED_AT).fold(own, |all, (_, node)| all | bits(node));
        if below.next().is_some() { u64::MAX } else { looked_at }
    }

    /// Whiteouts concern lower layers only, so they come first, whatever the order of entries. So do directories, because one
    /// that takes the place of a lower link also takes that link out of the way of whiteouts in it.
    fn apply(&mut self, scan: LayerScan, layer: Option<usize>) -> Vec<Gap> {
        let mut gaps = scan.gaps;
        let removals = scan.changes.for_each(|path, change| match change {
            Change::Directory | Change::Whiteout | Change::Opaque => self.change(path, change, &[], layer),
            _ => Ok(()),
        });
        let additions = scan.changes.for_each(|path, change| match change {
            Change::Whiteout | Change::Opaque => Ok(()),
            _ => self.change(path, change, &scan.kept, layer),
        });
        gaps.extend(removals.into_iter().chain(additions).map(|(path, reason)| Gap::at(&path, reason)));
        gaps
    }

    fn change(
        &mut self,
        path: &str,
        change: Change<'_>,
        kept: &[Kept],
        layer: Option<usize>,
    ) -> Result<(), GapReason> {
        let real = self.entry_path(path)?;
        match change {
            Change::Directory => self.remove_node(&real),
            Change::Opaque => {
                let real = self.real_path(path)?;
                self.remove_below(&real);
            }
            Change::Whiteout | Change::Other => self.remove(&real),
            Change::Symlink(target) => self.insert(&real, Node::Symlink(target.to_owned())),
            Change::Kept(index) => {
                if let Some(kept) = kept.get(index) {
                    self.insert(&real, Node::File(RootFile { layer, kept: kept.clone() }));
                }
            }
            Change::Hardlink(target) => self.hardlink(&real, target, layer.is_none())?,
        }
        Ok(())
    }

    /// The link is another name for a file that exists already. A target that was not kept does not matter, unless this name
    /// is one that a cataloger asks for.
    fn hardlink(&mut self, real: &str, target: &str, is_directory: bool) -> Result<(), GapReason> {
        let target = self.entry_path(target)?;
        let interest = crate::catalog::interest(real, is_directory);
        let node = match self.nodes.get(&target) {
            Some(Node::Symlink(to)) => Node::Symlink(to.clone()),
            Some(Node::File(file)) => {
                let mut file = file.clone();
                if let (Some(interest), KeptContent::Bytes(_)) = (interest, &file.kept.content) {
                    file.kept.interest = interest;
                }
                Node::File(file)
            }
            None => {
                self.remove(real);
                let is_manifest = interest.is_some() && !crate::catalog::is_part_of_package(&target, real);
                let matters = is_manifest || java::is_archive(real) || bundle::is_bundle(real);
                return if matters { Err(GapReason::LinkTargetNotKept { target }) } else { Ok(()) };
            }
        };
        if target != real {
            self.insert(real, node);
        }
        Ok(())
    }

    fn insert(&mut self, real: &str, node: Node) {
        self.remove(real);
        match &node {
            Node::Symlink(target) => {
                self.symlinks += 1;
                self.last_directory = None;
                let target = target.clone();
                self.touch_link(real, target);
            }
            Node::File(file) => self.touched |= file.kept.interest.bits(),
        }
        self.nodes.insert(real.to_owned(), node);
    }

    fn remove(&mut self, real: &str) {
        // Most entries are files that nobody asked for, in places where nothing else is.
        let range = (Bound::Included(real), Bound::Unbounded);
        let first = self.nodes.range::<str, _>(range).next();
        if !first.is_some_and(|(path, _)| path.starts_with(real)) {
            return;
        }
        self.remove_node(real);
        self.remove_below(real);
    }

    fn remove_node(&mut self, real: &str) {
        match self.nodes.remove(real) {
            Some(Node::Symlink(target)) => {
                self.symlinks -= 1;
                self.last_directory = None;
                self.touch_link(real, target);
            }
            Some(Node::File(file)) => self.touched |= file.kept.interest.bits(),
            None => {}
        }
    }

    fn touch_link(&mut self, link: &str, target: String) {
        if self.touched_links.len() < LINKS_LOOKED_BEHIND {
            self.touched_links.push((link.to_owned(), target));
        } else {
            self.touched = u64::MAX;
        }
    }

    fn remove_below(&mut self, directory: &str) {
        let below: Vec<String> = self.below(directory).map(|(path, _)| path.clone()).collect();
        for path in below {
            self.remove_node(&path);
        }
    }

    /// All nodes in a directory and its directories.
    fn below<'a>(&'a self, directory: &str) -> impl Iterator<Item = (&'a String, &'a Node)> + use<'a> {
        let mut prefix = directory.to_owned();
        if !prefix.is_empty() {
            prefix.push('/');
        }
        let range = (Bound::Included(prefix.clone()), Bound::Unbounded);
        self.nodes.range::<String, _>(range).take_while(move |(path, _)| path.starts_with(&prefix))
    }

    /// Where an entry of this name goes: its directory is followed through links, its last part is not.
    fn entry_path(&mut self, path: &str) -> Result<String, GapReason> {
        if self.symlinks == 0 {
            return Ok(path.to_owned());
        }
        let (directory, name) = path::split(path);
        let mut real = match &self.last_directory {
            Some((last, real)) if last == directory => real.clone(),
            _ => {
                let real = self.real_path(directory)?;
                self.last_directory = Some((directory.to_owned(), real.clone()));
                real
            }
        };
        if !name.is_empty() {
            path::push(&mut real, name);
        }
        Ok(real)
    }

    /// Where a path leads when every link is followed, as if the root were `/`. It need not exist.
    ///
    /// # Errors
    /// [`GapReason::SymlinkLoop`].
    pub(crate) fn real_path(&self, path: &str) -> Result<String, GapReason> {
        let mut followed = 0;
        let mut real = String::new();
        let mut rest: Vec<String> = path.rsplit('/').map(str::to_owned).collect();
        while let Some(part) = rest.pop() {
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    real.truncate(real.rfind('/').unwrap_or(0));
                    continue;
                }
                name => path::push(&mut real, name),
            }
            if let Some(Node::Symlink(target)) = self.nodes.get(&real) {
                followed += 1;
                if followed > self.max_symlinks {
                    return Err(GapReason::SymlinkLoop { limit: self.max_symlinks });
                }
                real.truncate(if target.starts_with('/') { 0 } else { real.rfind('/').unwrap_or(0) });
                rest.extend(target.rsplit('/').map(str::to_owned));
            }
        }
        Ok(real)
    }

    /// Looks up a file, following links. `Ok(None)`: there is none, or none that was kept.
    ///
    /// # Errors
    /// [`GapReason::SymlinkLoop`].
    pub(crate) fn file(&self, path: &str) -> Result<Option<(String, &RootFile)>, GapReason> {
        let real = self.real_path(path)?;
        Ok(match self.nodes.get(&real) {
            Some(Node::File(file)) => Some((real, file)),
            _ => None,
        })
    }

    /// All kept files, in the order of their paths.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &RootFile)> {
        self.nodes.iter().filter_map(|(path, node)| match node {
            Node::File(file) => Some((path.as_str(), file)),
            Node::Symlink(_) => None,
        })
    }

    /// All symbolic links, in the order of their paths, with their targets as written.
    pub(crate) fn symlinks(&self) -> impl Iterator<Item = (&str, &str)> {
        self.nodes.iter().filter_map(|(path, node)| match node {
            Node::Symlink(target) => Some((path.as_str(), target.as_str())),
            Node::File(_) => None,
        })
    }
}

impl RootFile {
    /// The whole content, if that is what was kept.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        match &self.kept.content {
            KeptContent::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// This file as evidence.
    pub(crate) fn evidence(&self, path: &str) -> Evidence {
        Evidence { path: path.to_owned(), layer: self.layer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::Scanner;

    fn layer(limits: &Limits, fill: impl FnOnce(&mut Scanner<'_>)) -> LayerScan {
        let mut scanner = Scanner::new(limits, false);
        fill(&mut scanner);
        scanner.scan
    }

    #[test]
    fn what_came_changed_or_went_is_touched_also_behind_links() {
        let limits = Limits::default();
        let mut root = Rootfs::new(&limits);
        let mut touched = |fill: &dyn Fn(&mut Scanner<'_>)| {
            root.add(layer(&limits, fill), 0);
            root.take_touched()
        };
        let manifest = "store/node_modules/a/package.json";
        let npm = crate::catalog::interest(manifest, false).unwrap().bits();
        let add = |scanner: &mut Scanner<'_>| scanner.file(manifest, 2, b"{}".as_slice()).unwrap();
        assert_eq!(touched(&add), npm);
        assert_eq!(touched(&|scanner| scanner.push("app/other", Change::Other)), 0);
        assert_eq!(touched(&|scanner| scanner.push("app/node_modules", Change::Symlink("../store"))), npm);
        assert_eq!(touched(&|scanner| scanner.push("app/node_modules", Change::Symlink("../empty"))), npm);
        assert_eq!(touched(&|scanner| scanner.push("app/node_modules", Change::Whiteout)), 0);
        assert_eq!(touched(&|scanner| scanner.push("loop", Change::Symlink("loop"))), u64::MAX);
        assert_eq!(touched(&|scanner| scanner.push("store", Change::Whiteout)), npm);
    }
}
