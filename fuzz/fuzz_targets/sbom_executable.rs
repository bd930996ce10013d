//! Executables: a valid ELF header and table of sections around any bytes, so that what is found in them counts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchmark_fuzz::inventory;

fuzz_target!(|data: &[u8]| {
    inventory(&[("usr/bin/program", elf(data).as_slice())]);
});

/// A 64-bit little-endian file with one writable section that holds `data` from byte 512 on.
fn elf(data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(512, 0);
    bytes.extend_from_slice(data);
    let table = bytes.len() as u64;
    bytes[0x28..0x30].copy_from_slice(&table.to_le_bytes());
    bytes[0x3a..0x3e].copy_from_slice(&[64, 0, 1, 0]);
    let mut section = [0; 64];
    section[4] = 1;
    section[8] = 3;
    section[0x18..0x20].copy_from_slice(&512_u64.to_le_bytes());
    section[0x20..0x28].copy_from_slice(&(data.len() as u64).to_le_bytes());
    bytes.extend(section);
    bytes
}
