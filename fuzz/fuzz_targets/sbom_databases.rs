//! Package databases of any bytes, at every path that a cataloger reads. The first byte chooses the path.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchmark_fuzz::inventory;
use touchmark_sbom::{DocumentOptions, cyclonedx, json, spdx};

const PATHS: [&str; 10] = [
    "var/lib/dpkg/status",
    "var/lib/dpkg/status.d/a",
    "var/lib/dpkg/info/a.list",
    "usr/share/doc/a/copyright",
    "lib/apk/db/installed",
    "app/node_modules/a/package.json",
    "app/package.json",
    "usr/lib/python3/site-packages/a.dist-info/METADATA",
    "etc/os-release",
    "usr/bin/program",
];

/// Gives the other files something to belong to.
const STATUS: &[u8] = b"Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n";

fuzz_target!(|data: &[u8]| {
    let Some((choice, bytes)) = data.split_first() else { return };
    let path = PATHS[usize::from(*choice) % PATHS.len()];
    let files = [("var/lib/dpkg/status", STATUS), ("app/node_modules/b/package.json", b"{}"), (path, bytes)];
    let inventory = inventory(&files);
    for to_json in [cyclonedx::to_json, spdx::to_json, json::to_json] {
        serde_json::from_slice::<serde_json::Value>(&to_json(&inventory, &DocumentOptions::default()))
            .unwrap();
    }
});
