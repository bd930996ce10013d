//! Java archives and bundles of packages: any bytes as an archive, and as a piece of metadata in a valid one. The first byte chooses.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchmark_fuzz::inventory;

const MEMBERS: [&str; 6] = [
    "META-INF/MANIFEST.MF",
    "META-INF/maven/g/a/pom.properties",
    "META-INF/maven/g/a/pom.xml",
    "WEB-INF/lib/a.jar",
    "node_modules/a/package.json",
    ".deps/a.whl/a.dist-info/METADATA",
];

const PATHS: [&str; 3] = ["a.war", ".yarn/cache/a.zip", "a.pex"];

fuzz_target!(|data: &[u8]| {
    let Some((choice, bytes)) = data.split_first() else { return };
    let archive = match MEMBERS.get(usize::from(*choice) % (MEMBERS.len() + 1)) {
        Some(name) => zip(name.as_bytes(), bytes),
        None => bytes.to_vec(),
    };
    inventory(&PATHS.map(|path| (path, archive.as_slice())));
});

/// An archive of one entry, not compressed.
fn zip(name: &[u8], content: &[u8]) -> Vec<u8> {
    let size = (content.len() as u32).to_le_bytes();
    let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    common.extend([crc(content).to_le_bytes(), size, size].concat());
    common.extend([name.len() as u8, 0, 0, 0]);
    let mut bytes = [b"PK\x03\x04", common.as_slice(), name, content].concat();
    let start = bytes.len() as u32;
    bytes.extend([b"PK\x01\x02\x14\0", common.as_slice(), &[0; 14], name].concat());
    let length = bytes.len() as u32 - start;
    bytes.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    bytes.extend([length.to_le_bytes(), start.to_le_bytes()].concat());
    bytes.extend([0, 0]);
    bytes
}

fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    let over = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc));
    !bytes.iter().fold(!0, over)
}
