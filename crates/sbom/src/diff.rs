//! What is different between two documents.
//!
//! Two components are the same thing when their package URLs agree but for version and qualifiers, or, without package URLs, when
//! their kinds and names agree. Files that are no packages are not compared: some documents list them all, others none.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::document::TOOL;
use crate::{Component, ComponentKind, HashAlgorithm, License, SbomDocument};

/// The differences, ordered. Written as in `docs/schemas/sbom-diff.v1.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SbomDiff {
    /// Only in the second.
    pub added: Vec<Item>,
    /// Only in the first.
    pub removed: Vec<Item>,
    /// In both, and different.
    pub changed: Vec<Changed>,
    /// How many are in both, and the same.
    pub unchanged: usize,
}

/// One component of one document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct Item {
    /// Its name, with its group.
    pub name: String,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its package URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purl: Option<String>,
    /// Its licence as declared, or else as concluded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// The layer that brought it, where the document says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<usize>,
}

/// A component that is in both documents.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct Changed {
    /// As the first has it.
    pub before: Item,
    /// As the second has it.
    pub after: Item,
    /// What is different.
    pub what: Vec<Change>,
}

/// What can be different.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Change {
    /// The version.
    Version,
    /// The licence.
    License,
    /// The layer.
    Layer,
    /// A checksum that both documents have.
    Checksum,
}

impl SbomDiff {
    /// Compares two documents. The subjects are not compared: they are different images as a rule.
    pub fn between(before: &SbomDocument, after: &SbomDocument) -> Self {
        let (mut old, mut new) = (by_key(before), by_key(after));
        let keys: BTreeSet<Key> = old.keys().chain(new.keys()).cloned().collect();
        let mut diff = Self { added: Vec::new(), removed: Vec::new(), changed: Vec::new(), unchanged: 0 };
        for key in keys {
            diff.compare(old.remove(&key).unwrap_or_default(), new.remove(&key).unwrap_or_default());
        }
        diff.added.sort();
        diff.removed.sort();
        diff.changed.sort();
        diff
    }

    /// Whether there is no difference.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }

    /// Compares the components of one key: first those of one version, then the others in the order of their versions.
    fn compare(&mut self, old: Vec<&Component>, mut new: Vec<&Component>) {
        let mut left = Vec::new();
        for before in old {
            match new.iter().position(|after| after.version == before.version) {
                Some(index) => self.pair(before, new.remove(index)),
                None => left.push(before),
            }
        }
        let pairs = left.len().min(new.len());
        for (before, after) in left.drain(..pairs).zip(new.drain(..pairs)).collect::<Vec<_>>() {
            self.pair(before, after);
        }
        self.removed.extend(left.into_iter().map(Item::of));
        self.added.extend(new.into_iter().map(Item::of));
    }

    fn pair(&mut self, before: &Component, after: &Component) {
        let (old, new) = (Item::of(before), Item::of(after));
        let differs = [
            (Change::Version, old.version != new.version),
            (Change::License, old.license != new.license),
            // A document that does not know of layers says nothing about them.
            (Change::Layer, old.layer.is_some() && new.layer.is_some() && old.layer != new.layer),
            (Change::Checksum, old.version == new.version && has_other_checksum(before, after)),
        ];
        let what: Vec<Change> =
            differs.into_iter().filter(|(_, differs)| *differs).map(|(what, _)| what).collect();
        match what.is_empty() {
            true => self.unchanged += 1,
            false => self.changed.push(Changed { before: old, after: new, what }),
        }
    }
}

impl Item {
    fn of(component: &Component) -> Self {
        let license = component.declared.as_ref().or(component.concluded.as_ref());
        Self {
            name: component.full_name(),
            version: component.version.clone(),
            purl: component.purl.clone(),
            license: license.map(License::expression).map(str::to_owned),
            layer: component.property(&format!("{TOOL}:layer")).and_then(|layer| layer.parse().ok()),
        }
    }
}

/// What makes two components the same thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Purl(String),
    Name(&'static str, String),
}

impl Key {
    fn of(component: &Component) -> Self {
        match &component.purl {
            Some(purl) => Self::Purl(without_version(purl).to_owned()),
            None => Self::Name(component.kind.cyclonedx(), component.full_name()),
        }
    }
}

/// Type, namespace and name. In what comes before the version a purl writes `@` as `%40`.
fn without_version(purl: &str) -> &str {
    let end = purl.find(['@', '?', '#']).unwrap_or(purl.len());
    purl.get(..end).unwrap_or(purl)
}

fn by_key(document: &SbomDocument) -> BTreeMap<Key, Vec<&Component>> {
    let mut by_key: BTreeMap<Key, Vec<&Component>> = BTreeMap::new();
    let is_package =
        |component: &&Component| component.purl.is_some() || component.kind != ComponentKind::File;
    for component in document.components().iter().filter(is_package) {
        by_key.entry(Key::of(component)).or_default().push(component);
    }
    for components in by_key.values_mut() {
        components.sort_by(|a, b| (&a.version, &a.id).cmp(&(&b.version, &b.id)));
    }
    by_key
}

/// Whether both have checksums of one algorithm, and none of them is the same. Documents may have several of one.
fn has_other_checksum(before: &Component, after: &Component) -> bool {
    let (before, after) = (by_algorithm(before), by_algorithm(after));
    let mut both = before.iter().filter_map(|(algorithm, values)| Some((values, after.get(algorithm)?)));
    both.any(|(before, after)| before.is_disjoint(after))
}

fn by_algorithm(component: &Component) -> BTreeMap<HashAlgorithm, BTreeSet<String>> {
    let mut values: BTreeMap<HashAlgorithm, BTreeSet<String>> = BTreeMap::new();
    for (algorithm, value) in &component.checksums {
        values.entry(*algorithm).or_default().insert(value.to_ascii_lowercase());
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Property;

    fn package(name: &str, version: &str) -> Component {
        let mut component = Component::new(format!("{name}{version}"), ComponentKind::Library, name);
        component.version = Some(version.into());
        component.purl = Some(format!("pkg:npm/%40a/{name}@{version}?x=y"));
        component
    }

    fn diff(before: &[Component], after: &[Component]) -> SbomDiff {
        let document = |components: &[Component]| {
            let mut document = SbomDocument::named("x".into());
            document.components = components.to_vec();
            document
        };
        SbomDiff::between(&document(before), &document(after))
    }

    #[test]
    fn a_new_version_is_a_change() {
        let found = diff(&[package("a", "1"), package("b", "1")], &[package("a", "2"), package("b", "1")]);
        assert_eq!((found.added.len(), found.removed.len(), found.unchanged), (0, 0, 1));
        assert_eq!(found.changed[0].what, [Change::Version]);
    }

    #[test]
    fn a_second_version_is_an_addition() {
        let found = diff(&[package("a", "1")], &[package("a", "1"), package("a", "2")]);
        assert_eq!((found.added.len(), found.changed.len(), found.unchanged), (1, 0, 1));
        assert!(!found.is_empty());
    }

    #[test]
    fn licence_layer_and_checksum_are_compared() {
        let (mut before, mut after) = (package("a", "1"), package("a", "1"));
        after.declared = License::parse("MIT");
        before.properties = vec![Property::new("touchmark:layer", "0")];
        after.properties = vec![Property::new("touchmark:layer", "2")];
        let md5 = HashAlgorithm::from_cyclonedx("MD5").unwrap();
        before.checksums = vec![(md5, "aa".into())];
        after.checksums = vec![(md5, "AB".into())];
        let found = diff(&[before], &[after]);
        assert_eq!(found.changed[0].what, [Change::License, Change::Layer, Change::Checksum]);
    }

    #[test]
    fn several_checksums_of_one_algorithm_are_the_same_where_one_is() {
        let md5 = HashAlgorithm::from_cyclonedx("MD5").unwrap();
        let with = |values: &[&str]| {
            let checksums = values.iter().map(|value| (md5, (*value).to_owned())).collect();
            [Component { checksums, ..package("a", "1") }]
        };
        assert!(diff(&with(&["aa", "bb"]), &with(&["aa", "bb"])).is_empty());
        assert!(diff(&with(&["aa", "bb"]), &with(&["BB"])).is_empty());
        assert_eq!(diff(&with(&["aa", "bb"]), &with(&["cc"])).changed[0].what, [Change::Checksum]);
    }

    #[test]
    fn without_a_purl_kind_and_name_say_what_it_is() {
        let thing = |kind, name| Component::new("x", kind, name);
        let found = diff(&[thing(ComponentKind::Framework, "a")], &[thing(ComponentKind::Library, "a")]);
        assert_eq!((found.added.len(), found.removed.len()), (1, 1));
        assert!(
            diff(&[thing(ComponentKind::Framework, "a")], &[thing(ComponentKind::Framework, "a")]).is_empty()
        );
        assert!(diff(&[thing(ComponentKind::File, "a")], &[]).is_empty());
    }
}
