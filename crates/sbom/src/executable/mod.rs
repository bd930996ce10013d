//! Dependency lists that compilers build into executables, found while the file streams past.
//!
//! An ELF file's table of sections mostly stands at its end, so a reader that may not go back and may not hold the file
//! cannot look sections up by name. Instead each list is recognised by how it begins and kept; when the table comes by, it says
//! which of the finds start a section. Memory stays at one window and the lists themselves, whatever the size of the file.
//!
//! Performs no I/O but reading the stream, runs nothing, and knows nothing of packages.

mod auditable;
mod elf;
mod go;

use std::io::{self, Read};

use crate::Limits;
pub(crate) use go::GoBuildInfo;

/// What was found in an executable.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Executable {
    /// Go's build information.
    pub(crate) go: Option<GoBuildInfo>,
    /// The JSON that cargo-auditable built in.
    pub(crate) auditable: Option<Vec<u8>>,
    /// Whether a list was left out because of [`Limits::max_section_bytes`].
    pub(crate) is_too_large: bool,
    /// Whether something like a list was found, but the file's headers could not confirm it.
    pub(crate) is_unconfirmed: bool,
}

impl Executable {
    pub(crate) fn is_empty(&self) -> bool {
        self.go.is_none() && self.auditable.is_none()
    }

    /// Bytes that the finds take.
    pub(crate) fn bytes(&self) -> u64 {
        let go = self.go.as_ref().map_or(0, GoBuildInfo::bytes);
        (go + self.auditable.as_ref().map_or(0, Vec::len)) as u64
    }
}

/// Reads an executable to its end. None if it is no ELF file; then only its first bytes were read.
pub(crate) fn probe(mut content: impl Read, limits: &Limits) -> io::Result<Option<Executable>> {
    let mut buffer = Vec::new();
    content
        .by_ref()
        .take(elf::MAGIC.len() as u64)
        .read_to_end(&mut buffer)?;
    if buffer != elf::MAGIC {
        return Ok(None);
    }
    content
        .by_ref()
        .take(WINDOW_BYTES as u64)
        .read_to_end(&mut buffer)?;
    let Some(header) = elf::FileHeader::parse(&buffer) else {
        return Ok(None);
    };
    let mut sections = elf::SectionTable::new(&header);
    let mut finders = (
        go::Finder::new(limits.max_section_bytes),
        auditable::Finder::new(limits.max_section_bytes),
    );
    let (mut offset, mut seen) = (0_u64, 0_usize);
    loop {
        let at_end = buffer.len() < OVERLAP_BYTES + seen || buffer.len() == seen;
        let window = Window {
            bytes: &buffer,
            offset,
            seen,
            at_end,
        };
        sections.feed(&window);
        finders.0.feed(&window);
        finders.1.feed(&window);
        if at_end {
            break;
        }
        let drop = buffer.len() - OVERLAP_BYTES;
        buffer.drain(..drop);
        offset += drop as u64;
        seen = buffer.len();
        content
            .by_ref()
            .take(WINDOW_BYTES as u64)
            .read_to_end(&mut buffer)?;
    }
    Ok(Some(conclude(&sections.finish(), finders.0, finders.1)))
}

fn conclude(sections: &elf::Sections, go: go::Finder, auditable: auditable::Finder) -> Executable {
    let is_too_large = go.is_too_large() || auditable.is_too_large();
    let is_unplaced = *sections == elf::Sections::Unreadable && (go.has_found() || auditable.has_found());
    let is_unconfirmed = is_unplaced || go.has_too_many() || auditable.has_too_many();
    Executable {
        go: go.finish(sections),
        auditable: auditable.finish(sections),
        is_too_large,
        is_unconfirmed,
    }
}

/// A part of the file. Its last [`OVERLAP_BYTES`] come again at the start of the next one.
pub(crate) struct Window<'a> {
    pub(crate) bytes: &'a [u8],
    /// Where it starts in the file.
    offset: u64,
    /// How many of its bytes the window before had too.
    seen: usize,
    at_end: bool,
}

impl<'a> Window<'a> {
    /// The bytes that no window before had, and where they start in the file.
    fn fresh(&self) -> (&'a [u8], u64) {
        (
            self.bytes.get(self.seen..).unwrap_or_default(),
            self.offset + self.seen as u64,
        )
    }

    /// Where a find may begin in this window, so that each place is looked at in one window only, with enough bytes after it.
    fn starts(&self) -> std::ops::Range<usize> {
        let from = self.seen.saturating_sub(OVERLAP_BYTES);
        let to = if self.at_end {
            self.bytes.len()
        } else {
            self.bytes.len().saturating_sub(OVERLAP_BYTES)
        };
        from..to.max(from)
    }

    /// Where an index of [`Self::bytes`] is in the file.
    fn file_offset(&self, index: usize) -> u64 {
        self.offset + index as u64
    }
}

/// Smaller files hold no dependency list.
pub(crate) const SMALLEST_BYTES: u64 = 512;
const WINDOW_BYTES: usize = 256 << 10;
const OVERLAP_BYTES: usize = 4 << 10;
