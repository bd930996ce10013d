//! The records of the zip format
//! ([APPNOTE 6.3.10](https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT), §4.3.7 to §4.3.16).

use std::hash::{DefaultHasher, Hash, Hasher};

/// `PK\3\4`: an entry's own header.
pub(super) const LOCAL: [u8; 4] = *b"PK\x03\x04";
/// `PK\1\2`: an entry of the central directory.
pub(super) const CENTRAL: [u8; 4] = *b"PK\x01\x02";
/// `PK\5\6`: the end of the central directory.
pub(super) const END: [u8; 4] = *b"PK\x05\x06";
/// `PK\6\6`: the end of the central directory in zip64.
pub(super) const END_64: [u8; 4] = *b"PK\x06\x06";
/// `PK\6\7`: where that is.
pub(super) const END_64_LOCATOR: [u8; 4] = *b"PK\x06\x07";
/// `PK\6\x08`: what is needed to decrypt the central directory.
pub(super) const EXTRA_DATA: [u8; 4] = *b"PK\x06\x08";
const DESCRIPTOR: [u8; 4] = *b"PK\x07\x08";

/// The part of an entry's header that has the same fields in both places, from the version on.
pub(super) const COMMON_BYTES: usize = 26;

/// One entry, as its own header describes it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Its name; what is not UTF-8 is replaced.
    pub(crate) name: String,
    /// How it is compressed (§4.4.5).
    pub(crate) method: u16,
    /// Whether its content is encrypted (§4.4.4, bit 0).
    pub(crate) is_encrypted: bool,
    /// Whether sizes and checksum follow the content (§4.4.4, bit 3).
    pub(super) has_descriptor: bool,
    pub(super) totals: Totals,
    /// Where its header is, from the start of the file.
    pub(super) offset: u64,
}

/// Sizes and checksum of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Totals {
    pub(crate) crc: u32,
    pub(crate) compressed: u64,
    pub(crate) uncompressed: u64,
}

/// The fields that both kinds of header have, and the lengths of name and extra field.
pub(super) struct Common {
    pub(super) flags: u16,
    pub(super) method: u16,
    totals: Totals,
    pub(super) name_bytes: u16,
    pub(super) extra_bytes: u16,
}

impl Common {
    /// From the version needed on: §4.3.7 and §4.3.12 agree up to the extra field's length.
    pub(super) fn parse(bytes: &[u8; COMMON_BYTES]) -> Self {
        let totals = Totals {
            crc: u32_at(bytes, 10),
            compressed: u32_at(bytes, 14).into(),
            uncompressed: u32_at(bytes, 18).into(),
        };
        Self {
            flags: u16_at(bytes, 2),
            method: u16_at(bytes, 4),
            totals,
            name_bytes: u16_at(bytes, 22),
            extra_bytes: u16_at(bytes, 24),
        }
    }

    /// Sizes, from the zip64 field where the header has none (§4.5.3), and the offset, which only the central directory has.
    pub(super) fn totals(&self, extra: &[u8], offset: u32) -> Option<(Totals, u64)> {
        const IN_FIELD: u64 = 0xffff_ffff;
        let (mut totals, mut offset) = (self.totals, u64::from(offset));
        let mut field = zip64_field(extra);
        for value in [&mut totals.uncompressed, &mut totals.compressed, &mut offset] {
            if *value == IN_FIELD {
                let (first, rest) = field?.split_first_chunk::<8>()?;
                *value = u64::from_le_bytes(*first);
                field = Some(rest);
            }
        }
        Some((totals, offset))
    }

    /// Whether this can be the header of an entry, for finding the first one behind a program that unpacks itself.
    pub(super) fn is_plausible(&self) -> bool {
        (1..=4096).contains(&self.name_bytes) && matches!(self.method, 0 | 8 | 9 | 12 | 14 | 93 | 95)
    }
}

fn zip64_field(mut extra: &[u8]) -> Option<&[u8]> {
    loop {
        let (head, rest) = extra.split_first_chunk::<4>()?;
        let (field, rest) = rest.split_at_checked(usize::from(u16_at(head, 2)))?;
        if u16_at(head, 0) == 1 {
            return Some(field);
        }
        extra = rest;
    }
}

/// The sizes that follow an entry's content: 32 or 64 bits wide, with or without a signature (§4.3.9), and nothing says which. It is
/// the one whose size is right and which another record follows.
pub(super) struct Descriptor {
    pub(super) bytes: usize,
    pub(super) totals: Totals,
}

impl Descriptor {
    /// The longest one, and the signature after it.
    pub(super) const MAX_BYTES: usize = 28;

    /// Reads the one at the start of `bytes`, which so many bytes of content precede.
    pub(super) fn after(compressed: u64, bytes: &[u8]) -> Option<Self> {
        let (signature, rest) = match bytes.strip_prefix(&DESCRIPTOR) {
            Some(rest) => (4, rest),
            None => (0, bytes),
        };
        let narrow = || {
            let fields = rest.first_chunk::<12>()?;
            let (crc, size, uncompressed) = (u32_at(fields, 0), u32_at(fields, 4), u32_at(fields, 8));
            let totals = Totals { crc, compressed: size.into(), uncompressed: uncompressed.into() };
            // A writer that does not use zip64 for more than 4 GiB wraps around.
            let is_size = u64::from(size) == compressed & 0xffff_ffff;
            (is_size && is_record(rest.get(12..)?)).then_some(Self { bytes: signature + 12, totals })
        };
        let wide = || {
            let fields = rest.first_chunk::<20>()?;
            let (size, uncompressed) = (u64_at(fields, 4), u64_at(fields, 12));
            let totals = Totals { crc: u32_at(fields, 0), compressed: size, uncompressed };
            (size == compressed && is_record(rest.get(20..)?))
                .then_some(Self { bytes: signature + 20, totals })
        };
        narrow().or_else(wide)
    }
}

fn is_record(bytes: &[u8]) -> bool {
    [LOCAL, CENTRAL, END, END_64, EXTRA_DATA].iter().any(|signature| bytes.starts_with(signature))
}

/// A number for an entry, to compare what its header and the central directory say.
pub(super) fn fingerprint(name: &[u8], method: u16, totals: &Totals, offset: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (name, method, totals.crc, totals.compressed, totals.uncompressed, offset).hash(&mut hasher);
    hasher.finish()
}

/// A little-endian number; zero past the end, which callers rule out by the length of what they pass.
pub(super) fn u16_at(bytes: &[u8], offset: usize) -> u16 {
    let field = bytes.get(offset..).and_then(|rest| rest.first_chunk::<2>());
    field.map_or(0, |field| u16::from_le_bytes(*field))
}

pub(super) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    let field = bytes.get(offset..).and_then(|rest| rest.first_chunk::<4>());
    field.map_or(0, |field| u32::from_le_bytes(*field))
}

pub(super) fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    let field = bytes.get(offset..).and_then(|rest| rest.first_chunk::<8>());
    field.map_or(0, |field| u64::from_le_bytes(*field))
}
