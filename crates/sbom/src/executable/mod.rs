//! Dependency lists that compilers build into executables, and the versions of well-known programs, found while the file streams past.
//!
//! An ELF file's table of sections mostly stands at its end, so a reader that may not go back and may not hold the file
//! cannot look sections up by name. Instead each list is recognised by how it begins and kept; when the table comes by, it says
//! which of the finds start a section. Memory stays at one window and the lists themselves, whatever the size of the file.
//!
//! Performs no I/O but reading the stream, runs nothing, and knows nothing of packages.

mod auditable;
mod elf;
mod go;
mod known;
mod program;
mod windows;

use std::io::{self, Read};

use crate::Limits;
pub(crate) use go::GoBuildInfo;
pub(crate) use known::KnownProgram;
pub(crate) use windows::WindowsProduct;

/// What was found in an executable.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Executable {
    /// Go's build information.
    pub(crate) go: Option<GoBuildInfo>,
    /// The JSON that cargo-auditable built in.
    pub(crate) auditable: Option<Vec<u8>>,
    /// The program that it is, when its name and its bytes say so.
    pub(crate) program: Option<KnownProgram>,
    /// The product that a file of Windows says it belongs to.
    pub(crate) windows: Option<WindowsProduct>,
    /// Whether a list was left out because of [`Limits::max_section_bytes`].
    pub(crate) is_too_large: bool,
    /// Whether something like a list was found, but the file's headers could not confirm it.
    pub(crate) is_unconfirmed: bool,
}

impl Executable {
    pub(crate) fn is_empty(&self) -> bool {
        self.go.is_none() && self.auditable.is_none() && self.program.is_none() && self.windows.is_none()
    }

    /// Bytes that the finds take.
    pub(crate) fn bytes(&self) -> u64 {
        let go = self.go.as_ref().map_or(0, GoBuildInfo::bytes);
        let program = self.program.as_ref().map_or(0, |known| known.version.len());
        let windows = self.windows.as_ref().map_or(0, WindowsProduct::bytes);
        (go + self.auditable.as_ref().map_or(0, Vec::len) + program + windows) as u64
    }
}

/// Reads an executable to its end. None if it is none that may hold something; then only its first bytes were read.
///
/// Lists are looked for in ELF files. A program that its file's name promises is looked for in files of Windows and macOS too.
pub(crate) fn probe(mut content: impl Read, path: &str, limits: &Limits) -> io::Result<Option<Executable>> {
    let mut buffer = Vec::new();
    content.by_ref().take(elf::MAGIC.len() as u64).read_to_end(&mut buffer)?;
    let is_elf = buffer == elf::MAGIC;
    if !is_elf && !OTHER_MAGIC.iter().any(|magic| buffer.starts_with(magic)) {
        return Ok(None);
    }
    let program = known::Finder::of_file(path);
    content.by_ref().take(WINDOW_BYTES as u64).read_to_end(&mut buffer)?;
    let header = if is_elf { elf::FileHeader::parse(&buffer) } else { None };
    let lists = header.map(|header| Lists::new(&header, limits.max_section_bytes));
    let windows = if is_elf { None } else { windows::Finder::of_file(&buffer) };
    if lists.is_none() && (is_elf || (program.is_none() && windows.is_none())) {
        return Ok(None);
    }
    let mut finders = Finders { lists, program, windows };
    let (mut offset, mut seen) = (0_u64, 0_usize);
    loop {
        let at_end = buffer.len() < OVERLAP_BYTES + seen || buffer.len() == seen;
        finders.feed(&Window { bytes: &buffer, offset, seen, at_end });
        if at_end {
            break;
        }
        let drop = buffer.len() - OVERLAP_BYTES;
        buffer.drain(..drop);
        offset += drop as u64;
        seen = buffer.len();
        content.by_ref().take(WINDOW_BYTES as u64).read_to_end(&mut buffer)?;
    }
    Ok(Some(finders.finish()))
}

/// All that is looked for in one file.
struct Finders {
    lists: Option<Lists>,
    program: Option<known::Finder>,
    windows: Option<windows::Finder>,
}

impl Finders {
    fn feed(&mut self, window: &Window<'_>) {
        if let Some(lists) = &mut self.lists {
            lists.sections.feed(window);
            lists.go.feed(window);
            lists.auditable.feed(window);
        }
        if let Some(program) = &mut self.program {
            program.feed(window);
        }
        if let Some(windows) = &mut self.windows {
            windows.feed(window);
        }
    }

    fn finish(self) -> Executable {
        let found = self.lists.map(Lists::finish).unwrap_or_default();
        let program = self.program.and_then(known::Finder::finish);
        // What a program is known for is surer than what its makers wrote beside it.
        let windows = self.windows.and_then(windows::Finder::finish).filter(|_| program.is_none());
        Executable { program, windows, ..found }
    }
}

/// The lists that compilers leave in ELF files.
struct Lists {
    sections: elf::SectionTable,
    go: go::Finder,
    auditable: auditable::Finder,
}

impl Lists {
    fn new(header: &elf::FileHeader, max_bytes: usize) -> Self {
        Self {
            sections: elf::SectionTable::new(header),
            go: go::Finder::new(max_bytes),
            auditable: auditable::Finder::new(max_bytes),
        }
    }

    fn finish(self) -> Executable {
        let (sections, go, auditable) = (self.sections.finish(), self.go, self.auditable);
        let is_too_large = go.is_too_large() || auditable.is_too_large();
        let is_unplaced = sections == elf::Sections::Unreadable && (go.has_found() || auditable.has_found());
        let is_unconfirmed = is_unplaced || go.has_too_many() || auditable.has_too_many();
        Executable {
            go: go.finish(&sections),
            auditable: auditable.finish(&sections),
            program: None,
            windows: None,
            is_too_large,
            is_unconfirmed,
        }
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
        (self.bytes.get(self.seen..).unwrap_or_default(), self.offset + self.seen as u64)
    }

    /// Where a find may begin in this window, so that each place is looked at in one window only, with enough bytes after it.
    fn starts(&self) -> std::ops::Range<usize> {
        let from = self.seen.saturating_sub(OVERLAP_BYTES);
        let to = if self.at_end { self.bytes.len() } else { self.bytes.len().saturating_sub(OVERLAP_BYTES) };
        from..to.max(from)
    }

    /// Where an index of [`Self::bytes`] is in the file.
    fn file_offset(&self, index: usize) -> u64 {
        self.offset + index as u64
    }
}

/// What programs of Windows, and of macOS in both byte orders and for several processors, start with.
const OTHER_MAGIC: [&[u8]; 6] = [
    b"MZ",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
];
/// Smaller files hold no dependency list.
pub(crate) const SMALLEST_BYTES: u64 = 512;
const WINDOW_BYTES: usize = 256 << 10;
const OVERLAP_BYTES: usize = 4 << 10;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const WRITABLE: u64 = 3;
    const READ_ONLY: u64 = 2;
    const LIST: &str = r#"{"packages":[]}"#;

    /// A 64-bit little-endian file: each part starts at a multiple of 16 and is a section if it has flags.
    fn elf(parts: &[(&[u8], Option<u64>)]) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
        bytes.resize(SMALLEST_BYTES as usize, 0);
        let mut table = Vec::new();
        for (part, flags) in parts {
            bytes.resize(bytes.len().next_multiple_of(16), 0);
            if let Some(flags) = flags {
                let mut section = [0_u8; 64];
                section[4] = 1;
                section[8..16].copy_from_slice(&flags.to_le_bytes());
                section[0x18..0x20].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
                section[0x20..0x28].copy_from_slice(&(part.len() as u64).to_le_bytes());
                table.push(section);
            }
            bytes.extend_from_slice(part);
        }
        let offset = bytes.len() as u64;
        bytes[0x28..0x30].copy_from_slice(&offset.to_le_bytes());
        bytes[0x3a] = 64;
        bytes[0x3c] = table.len() as u8;
        bytes.extend(table.concat());
        bytes
    }

    fn probed(bytes: &[u8]) -> Executable {
        probe(bytes, "a", &Limits::default()).unwrap().unwrap()
    }

    fn go_inline(modules: &str) -> Vec<u8> {
        let mut bytes = b"\xff Go buildinf:\x08\x02".to_vec();
        bytes.resize(32, 0);
        let marked = [&[0x30; 16], modules.as_bytes(), &[0xf9; 16]].concat();
        for text in [b"go1.22.1".as_slice(), &marked] {
            bytes.extend([(text.len() & 0x7f) as u8 | 0x80, (text.len() >> 7) as u8]);
            bytes.extend_from_slice(text);
        }
        bytes
    }

    fn go_pointers(modules: &str) -> (Vec<u8>, Vec<u8>) {
        let mut header = b"\xff Go buildinf:\x08\x00".to_vec();
        header.resize(32, 0);
        let start =
            [0x30, 0x77, 0xaf, 0x0c, 0x92, 0x74, 0x08, 0x02, 0x41, 0xe1, 0xc1, 0x07, 0xe6, 0xd6, 0x18, 0xe6];
        let end =
            [0xf9, 0x32, 0x43, 0x31, 0x86, 0x18, 0x20, 0x72, 0x00, 0x82, 0x42, 0x10, 0x41, 0x16, 0xd8, 0xf2];
        (header, [&start, modules.as_bytes(), &end].concat())
    }

    fn zlib(text: &str) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn lists_are_found_wherever_windows_end() {
        let (go, rust) = (go_inline("mod\tm\tv1.0.0\t\n"), zlib(LIST));
        for padding in [0, WINDOW_BYTES - 600, WINDOW_BYTES - 16, WINDOW_BYTES, 3 * WINDOW_BYTES + 4096] {
            let filler = vec![b'x'; padding];
            let bytes = elf(&[(&filler, None), (&go, Some(WRITABLE)), (&rust, Some(READ_ONLY))]);
            let found = probed(&bytes);
            let info = found.go.unwrap();
            assert_eq!(
                (info.version.as_deref(), info.modules.as_str()),
                (Some("go1.22.1"), "mod\tm\tv1.0.0\t\n")
            );
            assert_eq!(found.auditable.as_deref(), Some(LIST.as_bytes()), "{padding}");
        }
    }

    #[test]
    fn a_header_among_constants_is_not_build_information() {
        let go = go_inline("mod\tm\tv1.0.0\t\n");
        assert_eq!(probed(&elf(&[(&go, Some(READ_ONLY))])).go, None);
    }

    #[test]
    fn a_list_that_starts_no_section_is_somebodys_data() {
        let inside = [b"0123456789abcdef".as_slice(), &zlib(LIST)].concat();
        assert_eq!(probed(&elf(&[(&inside, Some(READ_ONLY))])).auditable, None);
    }

    #[test]
    fn modules_before_go_1_18_are_found_by_their_markers() {
        let (header, modules) = go_pointers("path\tm\nmod\tm\tv1.0.0\t\n");
        let found = probed(&elf(&[(&modules, Some(READ_ONLY)), (&header, Some(WRITABLE))])).go.unwrap();
        assert_eq!(found, GoBuildInfo { version: None, modules: "path\tm\nmod\tm\tv1.0.0\t\n".into() });
    }

    #[test]
    fn a_list_over_the_limit_is_left_out_and_said() {
        let limits = Limits { max_section_bytes: 100, ..Limits::default() };
        let long = format!(r#"{{"packages":[{}]}}"#, " ".repeat(1000));
        let found = probe(elf(&[(&zlib(&long), Some(READ_ONLY))]).as_slice(), "a", &limits).unwrap().unwrap();
        assert!(found.is_too_large && found.is_empty());
    }

    #[test]
    fn finds_that_the_headers_cannot_confirm_are_said() {
        let mut cut = elf(&[(&zlib(LIST), Some(READ_ONLY))]);
        cut.truncate(cut.len() - 1);
        assert!(probed(&cut).is_unconfirmed);
        let list = zlib(LIST);
        let many: Vec<(&[u8], Option<u64>)> = (0..20).map(|_| (list.as_slice(), None)).collect();
        assert!(probed(&elf(&many)).is_unconfirmed, "more than are kept");
    }

    #[test]
    fn other_files_are_left_alone() {
        assert_eq!(probe(b"#!/bin/sh".as_slice(), "a", &Limits::default()).unwrap(), None);
        assert_eq!(probe(b"\x7fELF".as_slice(), "a", &Limits::default()).unwrap(), None);
        assert_eq!(probe(b"".as_slice(), "a", &Limits::default()).unwrap(), None);
    }
}
