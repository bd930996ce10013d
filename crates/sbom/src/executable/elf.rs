//! The parts of an ELF file that say where its sections are
//! ([System V ABI, gABI 4.1, "ELF Header" and "Section Header"](https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html)).

use super::Window;

pub(super) const MAGIC: &[u8] = b"\x7fELF";

/// Where the table of sections is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileHeader {
    layout: Layout,
    table_offset: u64,
    entry_bytes: usize,
    entries: usize,
}

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Layout {
    is_64_bit: bool,
    is_big_endian: bool,
}

impl FileHeader {
    /// Reads the file header; none if the file is too short or says nonsense about itself.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let is_64_bit = match bytes.get(4)? {
            1 => false,
            2 => true,
            _ => return None,
        };
        let is_big_endian = match bytes.get(5)? {
            1 => false,
            2 => true,
            _ => return None,
        };
        let layout = Layout { is_64_bit, is_big_endian };
        let (table, entry) = if is_64_bit { (0x28, 0x3a) } else { (0x20, 0x2e) };
        Some(Self {
            layout,
            table_offset: layout.word(bytes, table)?,
            entry_bytes: usize::try_from(layout.number(bytes, entry, 2)?).ok()?,
            entries: usize::try_from(layout.number(bytes, entry + 2, 2)?).ok()?,
        })
    }
}

impl Layout {
    fn number(self, bytes: &[u8], at: usize, width: usize) -> Option<u64> {
        let field = bytes.get(at..at.checked_add(width)?)?;
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        Some(if self.is_big_endian { field.iter().fold(0, add) } else { field.iter().rev().fold(0, add) })
    }

    /// A number as wide as an address.
    fn word(self, bytes: &[u8], at: usize) -> Option<u64> {
        self.number(bytes, at, if self.is_64_bit { 8 } else { 4 })
    }
}

/// Catches the table of sections when it comes by.
pub(super) struct SectionTable {
    header: FileHeader,
    bytes: Vec<u8>,
}

impl SectionTable {
    pub(super) fn new(header: &FileHeader) -> Self {
        Self { header: *header, bytes: Vec::new() }
    }

    pub(super) fn feed(&mut self, window: &Window<'_>) {
        let (bytes, offset) = window.fresh();
        let wanted = self.header.table_offset.saturating_add(self.bytes.len() as u64);
        let missing = (self.header.entry_bytes * self.header.entries).saturating_sub(self.bytes.len());
        let Some(start) = wanted.checked_sub(offset).and_then(|start| usize::try_from(start).ok()) else {
            return;
        };
        let found = bytes.get(start..).unwrap_or_default();
        self.bytes.extend_from_slice(found.get(..missing).unwrap_or(found));
    }

    pub(super) fn finish(self) -> Sections {
        let header = self.header;
        if header.entries == 0 {
            // Stripped of sections, or with more of them than the field can say (gABI: then e_shnum is 0, e_shoff is not).
            return if header.table_offset == 0 { Sections::None } else { Sections::Unreadable };
        }
        let smallest = if header.layout.is_64_bit { 64 } else { 40 };
        if header.entry_bytes < smallest || self.bytes.len() < header.entry_bytes * header.entries {
            return Sections::Unreadable;
        }
        let sections =
            self.bytes.chunks(header.entry_bytes).filter_map(|entry| Section::parse(header.layout, entry));
        Sections::Known(sections.collect())
    }
}

/// What the table of sections says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sections {
    Known(Vec<Section>),
    None,
    Unreadable,
}

/// One section that has bytes in the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Section {
    offset: u64,
    size: u64,
    is_writable: bool,
}

impl Section {
    fn parse(layout: Layout, entry: &[u8]) -> Option<Self> {
        const NO_BITS: u64 = 8;
        const WRITE: u64 = 1;
        let word = if layout.is_64_bit { 8 } else { 4 };
        let kind = layout.number(entry, 4, 4)?;
        let flags = layout.word(entry, 8)?;
        let offset = layout.word(entry, 8 + 2 * word)?;
        let size = layout.word(entry, 8 + 3 * word)?;
        (kind != NO_BITS && size > 0).then_some(Self { offset, size, is_writable: flags & WRITE != 0 })
    }
}

impl Sections {
    /// Whether a section starts at this place of the file.
    pub(super) fn start_at(&self, offset: u64) -> bool {
        matches!(self, Self::Known(sections) if sections.iter().any(|section| section.offset == offset))
    }

    /// Whether this place of the file is in a section of data that the program can write.
    pub(super) fn writable_at(&self, offset: u64) -> bool {
        let holds =
            |s: &Section| s.is_writable && offset.checked_sub(s.offset).is_some_and(|into| into < s.size);
        matches!(self, Self::Known(sections) if sections.iter().any(holds))
    }
}
