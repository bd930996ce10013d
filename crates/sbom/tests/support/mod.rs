//! Layers and images that tests make up.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    clippy::indexing_slicing,
    reason = "each test program uses a part"
)]

use tar::{Builder, EntryType, Header};
use touchmark_oci::{Digest, ImageName};
use touchmark_sbom::{Compression, ImageSubject, Inventory, Limits, Subject, scan_layer};

/// A layer in the making.
pub struct Layer(Builder<Vec<u8>>);

impl Layer {
    pub fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    pub fn entry(mut self, kind: EntryType, path: &str, link: &str, content: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        // Written straight into the fields, because the writer refuses names that attack readers.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        self.0.append(&header, content).unwrap();
        self
    }

    pub fn file(self, path: &str, content: &[u8]) -> Self {
        self.entry(EntryType::Regular, path, "", content)
    }

    pub fn package(self, directory: &str, version: &str) -> Self {
        let name = directory.rsplit('/').next().unwrap();
        let manifest = format!(r#"{{"name":"{name}","version":"{version}"}}"#);
        self.file(&format!("{directory}/package.json"), manifest.as_bytes())
    }

    pub fn symlink(self, path: &str, target: &str) -> Self {
        self.entry(EntryType::Symlink, path, target, b"")
    }

    pub fn hardlink(self, path: &str, target: &str) -> Self {
        self.entry(EntryType::Link, path, target, b"")
    }

    pub fn directory(self, path: &str) -> Self {
        self.entry(EntryType::Directory, path, "", b"")
    }

    pub fn bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

/// The inventory of an image of these layers, lowest first.
pub fn inventory(layers: Vec<Layer>) -> Inventory {
    let limits = Limits::default();
    let scans = layers
        .into_iter()
        .map(|layer| scan_layer(layer.bytes().as_slice(), Compression::Detect, None, &limits).unwrap())
        .collect();
    let subject = ImageSubject::new(&ImageName::Layout("app".into()), Digest::of(b""));
    Inventory::from_layers(Subject::Image(subject), scans, &limits)
}
