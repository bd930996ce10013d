//! A layer of any bytes: it is refused, or its inventory can be written in every format.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchmark_oci::{Digest, ImageName};
use touchmark_sbom::{
    Compression, DocumentOptions, ImageSubject, Inventory, Limits, Subject, cyclonedx, json, scan_layer, spdx,
};

fuzz_target!(|data: &[u8]| {
    let mut limits = Limits::default();
    (limits.max_layer_bytes, limits.free_bytes) = (16 << 20, 1 << 20);
    let Ok((lower, upper)) = data.split_at_checked(data.len() / 2).ok_or(()) else { return };
    let scans = [data, lower, upper].into_iter();
    let scans =
        scans.filter_map(|bytes| scan_layer(bytes, Compression::Detect, None, &limits).ok()).collect();
    let subject = ImageSubject::new(&ImageName::Layout("fuzz".into()), Digest::of(data));
    let inventory = Inventory::from_layers(Subject::Image(subject), scans, &limits);
    for to_json in [cyclonedx::to_json, spdx::to_json, json::to_json] {
        serde_json::from_slice::<serde_json::Value>(&to_json(&inventory, &DocumentOptions::default()))
            .unwrap();
    }
});
