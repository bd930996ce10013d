//! Which layer brought a package, which changed it, and which took it away.
//!
//! What is installed is compared after each layer. The layer that last wrote a database says nothing of the packages in it: every
//! installation, and every removal, writes the whole of it. After a layer only those catalogers run again whose files it touched, and what
//! all of these runs read together is bounded ([`Limits::max_history_bytes`]).

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::catalog::{self, Findings};
use crate::rootfs::Rootfs;
use crate::{Distribution, Ecosystem, Gap, GapReason, History, Limits, Package, Party, RemovedPackage};

/// What has been installed after each layer so far.
pub(crate) struct Timeline {
    catalogers: Vec<Followed>,
    gone: Vec<RemovedPackage>,
    bytes_left: u64,
    /// The first layer that was not looked at any more.
    given_up: Option<usize>,
}

/// The packages of one cataloger.
struct Followed {
    /// The bits of the files that its last runs depended on.
    uses: u64,
    packages: BTreeMap<(Ecosystem, String), Vec<Instance>>,
}

/// One package at one place. Two versions of one package side by side are two of these.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Instance {
    place: String,
    version: Option<String>,
    purl: Option<String>,
    record: u64,
    history: History,
}

impl Timeline {
    pub(crate) fn new(limits: &Limits) -> Self {
        let followed = (0..catalog::count())
            .map(|index| Followed { uses: catalog::own_bit(index), packages: BTreeMap::new() });
        Self {
            catalogers: followed.collect(),
            gone: Vec::new(),
            bytes_left: limits.max_history_bytes,
            given_up: None,
        }
    }

    /// Compares what is installed after `layer` with what was before it. `touched` has the bits of the files that the layer touched.
    pub(crate) fn observe(&mut self, layer: usize, touched: u64, root: &Rootfs, limits: &Limits) {
        if self.given_up.is_some() || (touched == 0 && layer > 0) {
            return;
        }
        let distribution = Distribution::of(root);
        let bytes = catalog::bytes_by_bit(root);
        for index in 0..self.catalogers.len() {
            if self.needs_run(index, layer, touched) && self.can_afford(index, layer, &bytes) {
                let run = catalog::run_one(index, root, distribution.as_ref(), &[], limits);
                self.compare(index, layer, &run.found, run.uses);
            }
        }
    }

    /// The same after the last layer, with what a cataloger found there.
    pub(crate) fn observe_last(&mut self, index: usize, layer: usize, found: &Findings) {
        if self.given_up.is_none() && !catalog::looks_at_others(index) {
            self.compare(index, layer, found, 0);
        }
    }

    fn needs_run(&self, index: usize, layer: usize, touched: u64) -> bool {
        // The first run also tells which files of others a cataloger looks at.
        !catalog::looks_at_others(index)
            && (layer == 0 || self.catalogers.get(index).is_some_and(|followed| followed.uses & touched != 0))
    }

    fn can_afford(&mut self, index: usize, layer: usize, bytes: &[u64; 64]) -> bool {
        let uses = self.catalogers.get(index).map_or(0, |followed| followed.uses);
        let read = bytes.iter().enumerate().filter(|(bit, _)| uses & (1 << bit) != 0).map(|(_, bytes)| bytes);
        match self.bytes_left.checked_sub(read.sum()) {
            _ if self.given_up.is_some() => false,
            Some(left) => {
                self.bytes_left = left;
                true
            }
            None => {
                self.given_up = Some(layer);
                false
            }
        }
    }

    fn compare(&mut self, index: usize, layer: usize, found: &Findings, uses: u64) {
        let Some(followed) = self.catalogers.get_mut(index) else { return };
        followed.uses |= uses;
        let mut before = std::mem::take(&mut followed.packages);
        for (key, new) in instances(&found.packages, layer) {
            let (now, gone) = follow(before.remove(&key).unwrap_or_default(), new, layer);
            self.gone.extend(gone.into_iter().map(|instance| removed(&key, instance, layer)));
            followed.packages.insert(key, now);
        }
        for (key, rest) in before {
            self.gone.extend(rest.into_iter().map(|instance| removed(&key, instance, layer)));
        }
    }

    /// Gives each package of the last run its history. Where nothing is known it stays without one, which is a gap.
    pub(crate) fn finish(self, packages: &mut [Package]) -> (Vec<RemovedPackage>, Option<Gap>) {
        if let Some(layer) = self.given_up {
            let gap = Gap { path: None, layer: Some(layer), reason: GapReason::HistoryTooLong };
            return (Vec::new(), Some(gap));
        }
        // One name may be at very many places, so each is looked up and not searched for.
        let mut known = BTreeMap::new();
        for (key, instances) in self.catalogers.into_iter().flat_map(|followed| followed.packages) {
            for Instance { place, version, history, .. } in instances {
                known.insert((key.0, key.1.clone(), version, place), history);
            }
        }
        for package in packages.iter_mut() {
            let key = (package.ecosystem, package.name.clone(), package.version.clone(), place(package));
            package.history = known.get(&key).cloned().or_else(|| by_file(package));
        }
        (still_gone(self.gone, packages), None)
    }
}

/// The history of a package that no cataloger was followed for: it came with its file.
fn by_file(package: &Package) -> Option<History> {
    let introduced = package.layer()?;
    Some(History { introduced, changed: Vec::new(), in_base: false })
}

/// Without those that came back, as they were or in another version.
fn still_gone(gone: Vec<RemovedPackage>, packages: &[Package]) -> Vec<RemovedPackage> {
    let mut versions = BTreeSet::new();
    let mut newest: BTreeMap<(Ecosystem, &str), usize> = BTreeMap::new();
    for package in packages {
        versions.insert((package.ecosystem, package.name.as_str(), package.version.as_deref()));
        let introduced = package.history.as_ref().map_or(0, |history| history.introduced);
        let newest = newest.entry((package.ecosystem, &package.name)).or_default();
        *newest = introduced.max(*newest);
    }
    let came_back = |gone: &RemovedPackage| {
        versions.contains(&(gone.ecosystem, gone.name.as_str(), gone.version.as_deref()))
            || newest.get(&(gone.ecosystem, gone.name.as_str())).is_some_and(|layer| *layer >= gone.removed)
    };
    let mut by_version = BTreeMap::new();
    for gone in gone.into_iter().filter(|gone| !came_back(gone)) {
        let key = (gone.ecosystem, gone.name.clone(), gone.version.clone());
        match by_version.get_mut(&key) {
            None => drop(by_version.insert(key, gone)),
            // It was at several places, or went and came several times.
            Some(known) => {
                let known: &mut RemovedPackage = known;
                known.introduced = known.introduced.min(gone.introduced);
                known.removed = known.removed.max(gone.removed);
            }
        }
    }
    let mut gone: Vec<RemovedPackage> = by_version.into_values().collect();
    gone.sort();
    gone
}

fn removed(key: &(Ecosystem, String), instance: Instance, layer: usize) -> RemovedPackage {
    RemovedPackage {
        ecosystem: key.0,
        name: key.1.clone(),
        version: instance.version,
        purl: instance.purl,
        introduced: instance.history.introduced,
        removed: layer,
    }
}

fn instances(packages: &[Package], layer: usize) -> BTreeMap<(Ecosystem, String), Vec<Instance>> {
    let mut all: BTreeMap<_, Vec<Instance>> = BTreeMap::new();
    for package in packages {
        all.entry((package.ecosystem, package.name.clone())).or_default().push(Instance {
            place: place(package),
            version: package.version.clone(),
            purl: package.purl.clone(),
            record: record(package),
            history: History { introduced: layer, changed: Vec::new(), in_base: false },
        });
    }
    all
}

/// Where a package is: the file that says so, and its architecture, because one database has packages of several.
fn place(package: &Package) -> String {
    let path = package.evidence.first().map_or("", |evidence| &evidence.path);
    match &package.architecture {
        Some(architecture) => format!("{path}\n{architecture}"),
        None => path.to_owned(),
    }
}

/// What a package's record says, as a number that lives as long as this process. Licence texts and file lists lie in files of their
/// own, which images are often slimmed by, so they do not count.
fn record(package: &Package) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&package.version, &package.architecture, &package.homepage, &package.description).hash(&mut hasher);
    package.source.as_ref().map(|source| (&source.name, &source.version)).hash(&mut hasher);
    (package.supplier.as_ref().map(Party::name), &package.checksums).hash(&mut hasher);
    hasher.finish()
}

/// Which of the packages of one name before is which of those now: the same version at the same place, then whatever is at the same
/// place, then the others in their order. The second part is what has no successor.
fn follow(mut old: Vec<Instance>, mut new: Vec<Instance>, layer: usize) -> (Vec<Instance>, Vec<Instance>) {
    let by_place = |one: &Instance| (one.place.clone(), None);
    let by_version = |one: &Instance| (one.place.clone(), Some(one.version.clone()));
    let mut now = pair(&mut old, &mut new, layer, by_version);
    now.extend(pair(&mut old, &mut new, layer, by_place));
    now.extend(pair(&mut old, &mut new, layer, |_| (String::new(), None)));
    now.append(&mut new);
    (now, old)
}

/// Takes out of both lists those that have the same key, and hands their histories on.
fn pair(
    old: &mut Vec<Instance>,
    new: &mut Vec<Instance>,
    layer: usize,
    key: impl Fn(&Instance) -> (String, Option<Option<String>>),
) -> Vec<Instance> {
    if old.is_empty() || new.is_empty() {
        return Vec::new();
    }
    let mut by_key: BTreeMap<_, Vec<Instance>> = BTreeMap::new();
    for instance in old.drain(..).rev() {
        by_key.entry(key(&instance)).or_default().push(instance);
    }
    let mut paired = Vec::new();
    for mut instance in std::mem::take(new) {
        match by_key.get_mut(&key(&instance)).and_then(Vec::pop) {
            None => new.push(instance),
            Some(before) => {
                let is_same = before.version == instance.version && before.record == instance.record;
                instance.history = before.history;
                if !is_same {
                    instance.history.changed.push(layer);
                }
                paired.push(instance);
            }
        }
    }
    old.extend(by_key.into_values().flat_map(|rest| rest.into_iter().rev()));
    paired
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(place: &str, version: &str, introduced: usize) -> Instance {
        Instance {
            place: place.into(),
            version: Some(version.into()),
            purl: None,
            record: 0,
            history: History { introduced, changed: Vec::new(), in_base: false },
        }
    }

    fn told(mut instances: Vec<Instance>) -> Vec<(String, String, usize, Vec<usize>)> {
        instances.sort_by(|a, b| a.place.cmp(&b.place));
        let tell = |one: Instance| {
            (one.place, one.version.unwrap_or_default(), one.history.introduced, one.history.changed)
        };
        instances.into_iter().map(tell).collect()
    }

    #[test]
    fn two_versions_side_by_side_have_histories_of_their_own() {
        let old = vec![instance("a", "1", 0), instance("b", "2", 1)];
        let new = vec![instance("b", "3", 5), instance("a", "1", 5), instance("c", "1", 5)];
        let (now, gone) = follow(old, new, 5);
        let expected = [
            ("a".into(), "1".into(), 0, vec![]),
            ("b".into(), "3".into(), 1, vec![5]),
            ("c".into(), "1".into(), 5, vec![]),
        ];
        assert_eq!(told(now), expected);
        assert_eq!(gone, []);
    }

    #[test]
    fn a_package_that_moved_is_still_itself() {
        let (now, gone) = follow(vec![instance("x/1.0", "1", 0)], vec![instance("x/2.0", "2", 3)], 3);
        assert_eq!(told(now), [("x/2.0".into(), "2".into(), 0, vec![3])]);
        assert_eq!(gone, []);
    }

    #[test]
    fn what_has_no_successor_is_gone() {
        let old = vec![instance("a", "1", 0), instance("b", "1", 0)];
        let (now, gone) = follow(old, vec![instance("b", "1", 2)], 2);
        assert_eq!(told(now), [("b".into(), "1".into(), 0, vec![])]);
        assert_eq!(told(gone), [("a".into(), "1".into(), 0, vec![])]);
    }
}
