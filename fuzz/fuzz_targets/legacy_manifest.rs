//! Manifests under legacy tags: a layer is added to whatever is there, or it is refused; nothing that was there is lost.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchmark_oci::{Content, ImageManifest, media_type};
use touchmark_sigstore::Limits;
use touchmark_sigstore::storage::{LegacyLayer, append_layer, find_layers};

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    let content = Content::new(media_type::OCI_MANIFEST, bytes.to_vec());
    let layer = LegacyLayer::signature(b"payload".to_vec(), b"signature");
    let Ok(stored) = append_layer(Some(&content), &layer, &limits) else { return };
    let before: ImageManifest = serde_json::from_slice(bytes).expect("it was read");
    let after: ImageManifest = serde_json::from_slice(stored.manifest.bytes()).expect("it was written");
    assert_eq!(after.layers[..before.layers.len()], before.layers);
    let found = find_layers(&after, &limits).layers;
    assert!(found.iter().any(|found| found.descriptor.digest == *layer.blob().digest()));
    let again = append_layer(Some(&stored.manifest), &layer, &limits).expect("it was written here");
    assert_eq!(again.manifest, stored.manifest);
});
