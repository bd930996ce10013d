//! Writes zip files for tests, as faulty as asked.

use std::io::Write;

use flate2::Crc;
use flate2::write::DeflateEncoder;

/// How an entry is written.
#[derive(Clone, Copy)]
pub(crate) struct Style {
    pub(crate) method: u16,
    pub(crate) flags: u16,
    /// Bytes of the descriptor behind the content: 0, 12, 16, 20 or 24.
    pub(crate) descriptor: usize,
    pub(crate) is_zip64: bool,
    pub(crate) is_listed: bool,
    /// Added to the checksum.
    pub(crate) crc_error: u32,
}

pub(crate) const STORED: Style =
    Style { method: 0, flags: 0, descriptor: 0, is_zip64: false, is_listed: true, crc_error: 0 };
pub(crate) const DEFLATED: Style = Style { method: 8, ..STORED };
/// As Java's own tools write.
pub(crate) const STREAMED: Style = Style { method: 8, flags: 8, descriptor: 16, ..STORED };

#[derive(Default)]
pub(crate) struct ZipWriter {
    pub(crate) bytes: Vec<u8>,
    pub(crate) directory: Vec<u8>,
    /// Where offsets count from.
    pub(crate) base: usize,
    pub(crate) entries: u16,
}

impl ZipWriter {
    pub(crate) fn add(&mut self, name: &str, content: &[u8], style: Style) -> &mut Self {
        let offset = self.bytes.len() - self.base;
        let mut crc = Crc::new();
        crc.update(content);
        let crc = crc.sum().wrapping_add(style.crc_error);
        let packed = if style.method == 8 { deflated(content) } else { content.to_vec() };
        let (size, packed_size) = (content.len() as u64, packed.len() as u64);
        let is_open = style.flags & 8 != 0;
        let totals = if is_open { (0, 0, 0) } else { (crc, packed_size, size) };
        self.bytes.extend(b"PK\x03\x04");
        self.bytes.extend(common(name, style, totals));
        self.bytes.extend(name.as_bytes());
        self.bytes.extend(zip64(style, totals.1, totals.2));
        self.bytes.extend(&packed);
        let descriptor = match style.descriptor {
            20 | 24 => [&crc.to_le_bytes()[..], &packed_size.to_le_bytes(), &size.to_le_bytes()].concat(),
            _ => [crc, packed_size as u32, size as u32].map(u32::to_le_bytes).concat(),
        };
        match style.descriptor {
            0 => {}
            16 | 24 => self.bytes.extend([b"PK\x07\x08", &descriptor[..]].concat()),
            _ => self.bytes.extend(descriptor),
        }
        if style.is_listed {
            self.entries += 1;
            self.directory.extend(b"PK\x01\x02\x14\x00");
            self.directory.extend(common(name, style, (crc, packed_size, size)));
            self.directory.extend([0; 10]);
            self.directory.extend((offset as u32).to_le_bytes());
            self.directory.extend(name.as_bytes());
            self.directory.extend(zip64(style, packed_size, size));
        }
        self
    }

    pub(crate) fn finish(&self) -> Vec<u8> {
        let mut end = b"PK\x05\x06\0\0\0\0".to_vec();
        end.extend([self.entries, self.entries].map(u16::to_le_bytes).concat());
        end.extend((self.directory.len() as u32).to_le_bytes());
        end.extend(((self.bytes.len() - self.base) as u32).to_le_bytes());
        end.extend([0; 2]);
        [&self.bytes[..], &self.directory, &end].concat()
    }
}

/// One archive of entries in one style.
pub(crate) fn zip(entries: &[(&str, &[u8])], style: Style) -> Vec<u8> {
    let mut writer = ZipWriter::default();
    for (name, content) in entries {
        writer.add(name, content, style);
    }
    writer.finish()
}

fn common(name: &str, style: Style, (crc, packed, size): (u32, u64, u64)) -> Vec<u8> {
    let shown = |size: u64| if style.is_zip64 { u32::MAX } else { size as u32 };
    let extra = if style.is_zip64 { 20_u16 } else { 0 };
    let mut header = [20, style.flags, style.method, 0, 0].map(u16::to_le_bytes).concat();
    header.extend([crc, shown(packed), shown(size)].map(u32::to_le_bytes).concat());
    header.extend([name.len() as u16, extra].map(u16::to_le_bytes).concat());
    header
}

fn zip64(style: Style, packed: u64, size: u64) -> Vec<u8> {
    let field = [size, packed].map(u64::to_le_bytes).concat();
    if style.is_zip64 { [&[1, 0, 16, 0], &field[..]].concat() } else { Vec::new() }
}

fn deflated(content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}
