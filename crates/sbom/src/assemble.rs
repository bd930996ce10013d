//! From scans to an inventory: merge the layers, run the catalogers, and make one connected, ordered graph of what they found.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::{Discriminant, discriminant};

use touchmark_oci::Digest;

use crate::catalog::{self, Findings};
use crate::history::Timeline;
use crate::rootfs::Rootfs;
use crate::{
    Distribution, Element, Gap, GapReason, History, Inventory, LayerScan, Limits, Package, PackageId,
    Relationship, RelationshipKind, Subject,
};

/// Makes an inventory of an image while its layers come in, lowest first, so that what a layer replaces is not held longer than needed.
pub struct Assembly {
    limits: Limits,
    root: Rootfs,
    layers: Vec<Option<Digest>>,
    timeline: Timeline,
    gaps: Vec<Gap>,
}

impl Assembly {
    /// Nothing yet.
    pub fn new(limits: &Limits) -> Self {
        Self {
            limits: limits.clone(),
            root: Rootfs::new(limits),
            layers: Vec::new(),
            timeline: Timeline::new(limits),
            gaps: Vec::new(),
        }
    }

    /// Puts a layer on top of those before.
    pub fn add(&mut self, layer: LayerScan) {
        let index = self.layers.len();
        // The last layer is compared by the run that makes the inventory.
        if let Some(before) = index.checked_sub(1) {
            self.timeline.observe(before, self.root.take_touched(), &self.root, &self.limits);
        }
        self.layers.push(layer.diff_id.clone());
        self.gaps.append(&mut self.root.add(layer, index));
    }

    /// The inventory of all layers together.
    pub fn finish(mut self, subject: Subject) -> Inventory {
        let layers = std::mem::take(&mut self.layers);
        self.conclude(subject, layers, true)
    }

    fn conclude(self, subject: Subject, layers: Vec<Option<Digest>>, is_image: bool) -> Inventory {
        let Self { limits, root, mut timeline, mut gaps, .. } = self;
        let distribution = Distribution::of(&root);
        let mut found = Findings::new(&limits);
        for index in 0..catalog::count() {
            let run = catalog::run_one(index, &root, distribution.as_ref(), &found.packages, &limits);
            if let Some(last) = layers.len().checked_sub(1) {
                timeline.observe_last(index, last, &run.found);
            }
            found.append(run.found);
        }
        gaps.append(&mut found.gaps);
        let mut packages = std::mem::take(&mut found.packages);
        let (removed, gap) = if is_image { timeline.finish(&mut packages) } else { (Vec::new(), None) };
        gaps.extend(gap);
        let packages = merged(packages);
        let relationships = relationships(&packages, found, &root);
        Inventory {
            subject,
            distribution,
            layers,
            packages,
            relationships,
            removed,
            base: None,
            gaps: summarized(gaps),
        }
    }
}

/// The inventory of a directory.
pub(crate) fn directory(subject: Subject, scan: LayerScan, limits: &Limits) -> Inventory {
    let mut assembly = Assembly::new(limits);
    assembly.gaps = assembly.root.add(scan, 0);
    assembly.conclude(subject, Vec::new(), false)
}

/// One package for each identifier. A package that is there several times has evidence for each place.
fn merged(packages: Vec<Package>) -> BTreeMap<PackageId, Package> {
    let mut by_id: BTreeMap<PackageId, Package> = BTreeMap::new();
    for package in packages {
        match by_id.get_mut(&package.id) {
            None => {
                by_id.insert(package.id.clone(), package);
            }
            Some(known) => {
                known.evidence.extend(package.evidence);
                known.history = together(known.history.take(), package.history);
                known.is_application |= package.is_application;
                known.license = known.license.take().or(package.license);
                known.supplier = known.supplier.take().or(package.supplier);
                if known.checksums.is_empty() {
                    known.checksums = package.checksums;
                }
                known.identified_by = known.identified_by.min(package.identified_by);
            }
        }
    }
    for package in by_id.values_mut().filter(|package| package.evidence.len() > 1) {
        let mut seen = BTreeSet::new();
        package.evidence.retain(|evidence| seen.insert(evidence.clone()));
    }
    by_id
}

/// A package that is at several places has been there since it came to the first of them.
fn together(one: Option<History>, other: Option<History>) -> Option<History> {
    let (one, other) = match (one, other) {
        (Some(one), Some(other)) => (one, other),
        (one, other) => return one.or(other),
    };
    let introduced = one.introduced.min(other.introduced);
    let changed: BTreeSet<usize> = one.changed.into_iter().chain(other.changed).collect();
    let changed = changed.into_iter().filter(|layer| *layer > introduced).collect();
    Some(History { introduced, changed, in_base: false })
}

fn relationships(
    packages: &BTreeMap<PackageId, Package>,
    found: Findings,
    root: &Rootfs,
) -> Vec<Relationship> {
    let mut edges: BTreeSet<(PackageId, RelationshipKind, PackageId)> = found.edges.into_iter().collect();
    edges.extend(ownership(packages, root));
    edges.retain(|(from, _, to)| packages.contains_key(from) && packages.contains_key(to));
    let roots = roots(packages, &edges);
    let to_root = |to| Relationship { from: Element::Subject, kind: RelationshipKind::Contains, to };
    let from_subject = roots.into_iter().map(to_root);
    let between =
        edges.into_iter().map(|(from, kind, to)| Relationship { from: Element::Package(from), kind, to });
    from_subject.chain(between).collect()
}

/// A language's package whose file belongs to a package of the operating system or of conda is a part of that package.
fn ownership(
    packages: &BTreeMap<PackageId, Package>,
    root: &Rootfs,
) -> Vec<(PackageId, RelationshipKind, PackageId)> {
    let lists_files = |package: &&Package| package.ecosystem.lists_files();
    let mut by_file: BTreeMap<&str, Vec<&PackageId>> = BTreeMap::new();
    for package in packages.values().filter(|package| !lists_files(package)) {
        for evidence in &package.evidence {
            by_file.entry(&evidence.path).or_default().push(&package.id);
        }
    }
    if by_file.is_empty() {
        return Vec::new();
    }
    let mut edges = Vec::new();
    for owner in packages.values().filter(lists_files) {
        for file in &owner.files {
            // The list says `/lib/x` where `/lib` has become a link.
            let Ok(real) = root.real_path(file) else { continue };
            let owned = by_file.get(real.as_str()).into_iter().flatten();
            edges.extend(owned.map(|part| (owner.id.clone(), RelationshipKind::Contains, (*part).clone())));
        }
    }
    edges
}

/// What hangs directly under the subject: packages that nothing leads to, and for each circle that nothing leads into, its first
/// package. So everything can be reached, and the tree stays as narrow as what is known allows.
fn roots(
    packages: &BTreeMap<PackageId, Package>,
    edges: &BTreeSet<(PackageId, RelationshipKind, PackageId)>,
) -> Vec<PackageId> {
    let mut next: BTreeMap<&PackageId, Vec<&PackageId>> = BTreeMap::new();
    for (from, _, to) in edges {
        next.entry(from).or_default().push(to);
    }
    let led_to: BTreeSet<&PackageId> = edges.iter().map(|(_, _, to)| to).collect();
    let mut reached = BTreeSet::new();
    let mut roots = Vec::new();
    let unled = packages.keys().filter(|id| !led_to.contains(id));
    for id in unled.chain(packages.keys()) {
        if reached.contains(id) {
            continue;
        }
        roots.push(id.clone());
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            if reached.insert(id) {
                open.extend(next.get(id).into_iter().flatten().copied());
            }
        }
    }
    roots.sort();
    roots
}

/// Each gap once, in order; of one kind no more than a hundred by name, and how many more there are.
fn summarized(mut gaps: Vec<Gap>) -> Vec<Gap> {
    const NAMED: usize = 100;
    gaps.sort();
    gaps.dedup();
    let mut by_kind: Vec<(Discriminant<GapReason>, Vec<Gap>)> = Vec::new();
    for gap in gaps {
        let kind = discriminant(&gap.reason);
        match by_kind.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, of_kind)) => of_kind.push(gap),
            None => by_kind.push((kind, vec![gap])),
        }
    }
    let mut summary = Vec::new();
    for (_, mut of_kind) in by_kind {
        let count = of_kind.len().saturating_sub(NAMED);
        of_kind.truncate(NAMED);
        if count > 0 {
            let layer = of_kind.last().and_then(|gap| gap.layer);
            of_kind.push(Gap { path: None, layer, reason: GapReason::More { count } });
        }
        summary.append(&mut of_kind);
    }
    summary
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::testing::scan;

    const METADATA: &str = "opt/lib/python3/site-packages/words-1.0.dist-info/METADATA";

    /// Who is said to contain the Python package at [`METADATA`], with these files and links beside it.
    fn owners(files: &[(&str, &str)], links: &[(&str, &str)]) -> Vec<String> {
        let mut files: Vec<(&str, &[u8])> =
            files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
        files.push((METADATA, b"Name: words\nVersion: 1.0\n"));
        let subject = Subject::Directory { name: "root".into() };
        let inventory = directory(subject, scan(&files, links), &Limits::default());
        let words = inventory.packages().find(|package| package.name == "words").unwrap();
        let to_words = inventory.relationships().iter().filter(|edge| edge.to == words.id);
        let named = |edge: &Relationship| match &edge.from {
            Element::Subject => "root".to_owned(),
            Element::Package(id) => {
                inventory.packages().find(|package| package.id == *id).unwrap().name.clone()
            }
        };
        to_words.map(named).collect()
    }

    #[test]
    fn a_package_whose_files_a_system_package_lists_is_a_part_of_it() {
        let status =
            "Package: python3-words\nStatus: install ok installed\nVersion: 1.0-1\nArchitecture: all\n";
        let list = format!("/.\n/lib/{}\n", METADATA.trim_start_matches("opt/lib/"));
        let files =
            [("var/lib/dpkg/status", status), ("var/lib/dpkg/info/python3-words.list", list.as_str())];
        assert_eq!(owners(&files, &[("lib", "opt/lib")]), ["python3-words"]);
        assert_eq!(owners(&files, &[]), ["root"]);
    }

    #[test]
    fn a_package_whose_files_an_environment_of_conda_lists_is_a_part_of_it() {
        let inside = METADATA.trim_start_matches("opt/");
        let record =
            format!(r#"{{"name":"words-of-conda","version":"1.0","build":"py_0","files":["{inside}"]}}"#);
        let record = record.as_str();
        assert_eq!(owners(&[("opt/conda-meta/words-1.0-py_0.json", record)], &[]), ["words-of-conda"]);
        assert_eq!(owners(&[("srv/conda-meta/words-1.0-py_0.json", record)], &[]), ["root"]);
    }
}
