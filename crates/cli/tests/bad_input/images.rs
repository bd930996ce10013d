//! Images built by hand, as wrong as asked, in a layout or in a registry.

use std::io::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};
use touchmark_oci::{Digest, media_type};
use touchmark_testkit::FakeRegistry;

use crate::stage::Stage;

/// Where an image is put together.
pub(crate) trait Shelf {
    fn keep_blob(&mut self, bytes: &[u8]);
    fn keep_manifest(&mut self, tag: Option<&str>, media_type: &str, bytes: &[u8]);

    /// Keeps a blob and describes it.
    fn blob(&mut self, media_type: &str, bytes: &[u8]) -> Value {
        self.keep_blob(bytes);
        describe(media_type, bytes)
    }

    /// Keeps a manifest and describes it.
    fn manifest(&mut self, tag: Option<&str>, manifest: &Value) -> Value {
        let media_type = manifest["mediaType"].as_str().unwrap().to_owned();
        let bytes = manifest.to_string();
        self.keep_manifest(tag, &media_type, bytes.as_bytes());
        describe(&media_type, bytes.as_bytes())
    }

    /// Keeps an image of these layers, under the tag `app`.
    fn image(&mut self, layers: &[Vec<u8>]) -> Value {
        let layers = layers
            .iter()
            .map(|layer| {
                let digest = Digest::of(layer).to_string();
                (self.blob("application/vnd.oci.image.layer.v1.tar", layer), digest)
            })
            .collect();
        self.image_of(layers)
    }

    /// Keeps an image of described layers, each with the digest of what is in it, under the tag `app`.
    fn image_of(&mut self, layers: Vec<(Value, String)>) -> Value {
        let (layers, diff_ids): (Vec<Value>, Vec<String>) = layers.into_iter().unzip();
        let config = json!({
            "architecture": "amd64", "os": "linux", "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        let config = self.blob(media_type::OCI_CONFIG, config.to_string().as_bytes());
        self.manifest(Some("app"), &manifest(&config, &layers))
    }

    /// Keeps a manifest that refers to the image, with one layer of evidence.
    fn attach(&mut self, subject: &Value, bytes: &[u8]) -> Value {
        let layer = self.blob(BUNDLE, bytes);
        let config = self.blob(media_type::OCI_EMPTY, b"{}");
        let mut referrer = manifest(&config, &[layer]);
        referrer["subject"] = subject.clone();
        referrer["artifactType"] = BUNDLE.into();
        self.manifest(None, &referrer)
    }
}

pub(crate) const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

pub(crate) fn describe(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": Digest::of(bytes).to_string(), "size": bytes.len() })
}

pub(crate) fn manifest(config: &Value, layers: &[Value]) -> Value {
    json!({ "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": config, "layers": layers })
}

pub(crate) fn index(entries: &[Value]) -> Value {
    json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": entries })
}

/// A layout directory on a stage.
pub(crate) struct Layout {
    directory: PathBuf,
    entries: Vec<Value>,
}

impl Layout {
    pub(crate) fn new(stage: &Stage, name: &str) -> Self {
        let directory = stage.path(name);
        std::fs::create_dir_all(directory.join("blobs/sha256")).unwrap();
        std::fs::write(directory.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        let mut layout = Self { directory, entries: Vec::new() };
        layout.list(None);
        layout
    }

    /// Lists an entry as it is, whatever it says.
    pub(crate) fn list(&mut self, entry: Option<Value>) {
        self.entries.extend(entry);
        let index = index(&self.entries).to_string();
        std::fs::write(self.directory.join("index.json"), index).unwrap();
    }

    /// Where a described blob is.
    pub(crate) fn path_of(&self, described: &Value) -> PathBuf {
        let digest = described["digest"].as_str().unwrap();
        self.directory.join("blobs").join(digest.replace(':', "/"))
    }
}

impl Shelf for Layout {
    fn keep_blob(&mut self, bytes: &[u8]) {
        std::fs::write(self.path_of(&describe("", bytes)), bytes).unwrap();
    }

    fn keep_manifest(&mut self, tag: Option<&str>, media_type: &str, bytes: &[u8]) {
        self.keep_blob(bytes);
        let mut entry = describe(media_type, bytes);
        if let Some(tag) = tag {
            entry["annotations"] = json!({ "org.opencontainers.image.ref.name": tag });
        }
        self.list(Some(entry));
    }
}

impl Shelf for &FakeRegistry {
    fn keep_blob(&mut self, bytes: &[u8]) {
        self.put_blob("app", bytes);
    }

    fn keep_manifest(&mut self, tag: Option<&str>, media_type: &str, bytes: &[u8]) {
        self.put_manifest("app", tag, media_type, bytes);
    }
}

/// What an entry of a tar archive is.
pub(crate) enum Entry<'a> {
    File(&'a [u8]),
    Symlink(&'a str),
    Hardlink(&'a str),
}

/// A tar archive with names and targets as they are, which honest tools refuse to write.
pub(crate) fn tar(entries: &[(&str, Entry<'_>)]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, entry) in entries {
        let (kind, target, bytes) = match entry {
            Entry::File(bytes) => (b'0', "", *bytes),
            Entry::Hardlink(target) => (b'1', *target, b"".as_slice()),
            Entry::Symlink(target) => (b'2', *target, b"".as_slice()),
        };
        archive.extend(header(name, kind, target, bytes.len() as u64));
        archive.extend_from_slice(bytes);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

/// A header of the tar format (POSIX.1-1988, ustar).
pub(crate) fn header(name: &str, kind: u8, target: &str, size: u64) -> Vec<u8> {
    let mut header = vec![0; 512];
    let mut put = |at: usize, text: &str| header.splice(at..at + text.len(), text.bytes()).for_each(drop);
    put(0, name);
    put(100, "0000644\0");
    put(124, &format!("{size:011o}\0"));
    put(136, "00000000000\0");
    put(148, "        ");
    put(157, target);
    put(257, "ustar\u{0}00");
    header[156] = kind;
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header.splice(148..156, format!("{sum:06o}\0 ").bytes());
    header
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
