//! `index.json` of a layout: which images are in it, and by which tags.
//!
//! Kept as the JSON it came as, so that members and entries of other tools survive a change here
//! ([image-spec 1.1, image-layout.md](https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md)).

use serde_json::Value;
use touchmark_oci::{Descriptor, Digest, Tag, media_type};

/// The annotation that holds the tag.
pub(super) const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// A parsed `index.json`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Index {
    document: serde_json::Map<String, Value>,
    entries: Vec<Descriptor>,
}

impl Index {
    /// An index of nothing.
    pub(super) fn empty() -> Self {
        let mut document = serde_json::Map::new();
        document.insert("schemaVersion".into(), 2.into());
        document.insert("mediaType".into(), media_type::OCI_INDEX.into());
        document.insert("mediaType".into(), media_type::OCI_INDEX.into());
        document.insert("manifests".into(), Value::Array(Vec::new()));
        Self { document, entries: Vec::new() }
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let mut document: serde_json::Map<String, Value> = serde_json::from_slice(bytes)?;
        let manifests = document.entry("manifests").or_insert_with(|| Value::Array(Vec::new()));
        if manifests.is_null() {
            *manifests = Value::Array(Vec::new());
        }
        let entries = serde_json::from_value(manifests.clone())?;
        Ok(Self { document, entries })
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&self.document)
    }

    pub(super) fn entries(&self) -> &[Descriptor] {
        &self.entries
    }

    /// The entry with that digest.
    pub(super) fn by_digest(&self, digest: &Digest) -> Option<&Descriptor> {
        self.entries.iter().find(|entry| entry.digest == *digest)
    }

    /// The entries that a tag may mean: its own, or those that carry a whole reference that ends in it, as containerd and
    /// docker write them.
    pub(super) fn tagged(&self, tag: &str) -> Vec<&Descriptor> {
        let name = |entry: &&Descriptor| ref_name(entry).is_some_and(|name| name == tag);
        let exact: Vec<_> = self.entries.iter().filter(name).collect();
        if !exact.is_empty() {
            return exact;
        }
        let suffix = format!(":{tag}");
        self.entries
            .iter()
            .filter(|entry| ref_name(entry).is_some_and(|name| name.ends_with(&suffix)))
            .collect()
    }

    /// Adds an entry, under a tag or none. The tag is taken off what had it; an entry for the same digest without a tag is
    /// replaced. Whether anything changed.
    pub(super) fn put(&mut self, entry: Descriptor, tag: Option<&Tag>) -> Result<bool, serde_json::Error> {
        self.put_named(entry, tag.map(Tag::as_str))
    }

    /// Removes the entries of a digest, under whatever tags. Whether there were any.
    pub(super) fn remove(&mut self, digest: &Digest) -> bool {
        let keeps: Vec<bool> = self.entries.iter().map(|entry| entry.digest != *digest).collect();
        self.keep(&keeps);
        keeps.contains(&false)
    }

    /// Keeps the entries of which `keeps` says so.
    fn keep(&mut self, keeps: &[bool]) {
        if let Some(Value::Array(manifests)) = self.document.get_mut("manifests") {
            let mut keep = keeps.iter();
            manifests.retain(|_| keep.next().copied().unwrap_or(true));
        }
        let mut keep = keeps.iter();
        self.entries.retain(|_| keep.next().copied().unwrap_or(true));
    }

    /// [`Index::put`], under any name.
    pub(super) fn put_named(
        &mut self,
        mut entry: Descriptor,
        name: Option<&str>,
    ) -> Result<bool, serde_json::Error> {
        match name {
            Some(name) => {
                entry.annotations.insert(REF_NAME.to_owned(), name.to_owned());
            }
            None if self.by_digest(&entry.digest).is_some() => return Ok(false),
            None => {
                entry.annotations.remove(REF_NAME);
            }
        }
        if self.entries.contains(&entry) {
            return Ok(false);
        }
        let added = serde_json::to_value(&entry)?;
        let keeps: Vec<bool> = self.entries.iter().map(|old| !replaces(&entry, old, name)).collect();
        self.keep(&keeps);
        let Some(Value::Array(manifests)) = self.document.get_mut("manifests") else {
            return Ok(false);
        };
        manifests.push(added);
        self.entries.push(entry);
        Ok(true)
    }
}

fn replaces(entry: &Descriptor, old: &Descriptor, name: Option<&str>) -> bool {
    let same_name = name.is_some() && ref_name(old) == name;
    same_name || (old.digest == entry.digest && ref_name(old).is_none())
}

pub(super) fn ref_name(entry: &Descriptor) -> Option<&str> {
    entry.annotations.get(REF_NAME).map(String::as_str)
}

/// Whether a tag holds evidence about an image rather than an image: `sha256-<hex>`, also with a suffix such as `.sig`.
pub(super) fn is_evidence_tag(tag: &str) -> bool {
    let rest = tag.strip_prefix("sha256-").or_else(|| tag.strip_prefix("sha512-"));
    rest.and_then(|rest| rest.split_at_checked(64)).is_some_and(|(hex, rest)| {
        hex.bytes().all(|b| b.is_ascii_hexdigit()) && (rest.is_empty() || rest.starts_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> Descriptor {
        Descriptor::of(media_type::OCI_MANIFEST, text.as_bytes())
    }

    fn tag(text: &str) -> Tag {
        text.parse().unwrap()
    }

    #[test]
    fn a_tag_moves_and_the_other_entries_keep_all_their_members() {
        let text = format!(
            r#"{{"schemaVersion":2,"x-mine":1,"manifests":[{{"mediaType":"a/b","digest":"{}","size":1,"urls":["u"]}}]}}"#,
            Digest::of(b"old")
        );
        let mut index = Index::parse(text.as_bytes()).unwrap();
        assert!(index.put(entry("a"), Some(&tag("v1"))).unwrap());
        assert!(index.put(entry("b"), Some(&tag("v1"))).unwrap());
        let again = Index::parse(&index.to_bytes().unwrap()).unwrap();
        assert_eq!(again, index);
        assert_eq!(again.tagged("v1").len(), 1);
        assert_eq!(again.tagged("v1")[0].digest, entry("b").digest);
        let text = String::from_utf8(again.to_bytes().unwrap()).unwrap();
        assert!(text.contains("x-mine") && text.contains("\"urls\":[\"u\"]"), "{text}");
    }

    #[test]
    fn putting_the_same_again_changes_nothing() {
        let mut index = Index::empty();
        assert!(index.put(entry("a"), None).unwrap());
        assert!(!index.put(entry("a"), None).unwrap());
        assert!(index.put(entry("a"), Some(&tag("v1"))).unwrap());
        assert!(!index.put(entry("a"), Some(&tag("v1"))).unwrap());
        assert_eq!(index.entries().len(), 1);
        assert!(index.put(entry("a"), Some(&tag("v2"))).unwrap());
        assert_eq!(index.entries().len(), 2, "two tags may mean one image");
    }

    #[test]
    fn whole_references_are_found_by_their_tag() {
        let mut named = entry("a");
        named.annotations.insert(REF_NAME.into(), "ghcr.io/acme/app:v1".into());
        let text = format!(r#"{{"manifests":[{}]}}"#, serde_json::to_string(&named).unwrap());
        let index = Index::parse(text.as_bytes()).unwrap();
        assert_eq!(index.tagged("v1").len(), 1);
        assert_eq!(index.tagged("1").len(), 0);
    }

    #[test]
    fn evidence_tags_are_told_from_others() {
        let hex = "a".repeat(64);
        assert!(is_evidence_tag(&format!("sha256-{hex}")));
        assert!(is_evidence_tag(&format!("sha256-{hex}.sig")));
        for other in
            ["sha256-abc".to_owned(), format!("sha256-{hex}x"), "latest".to_owned(), format!("v{hex}")]
        {
            assert!(!is_evidence_tag(&other), "{other}");
        }
    }
}
