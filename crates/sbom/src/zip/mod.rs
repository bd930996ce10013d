//! The zip format from a stream that is read once and cannot go back
//! ([APPNOTE 6.3.10](https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT)).
//!
//! A zip file's directory stands at its end, and programs read that. Here each entry is taken from its own header as it passes, so a file
//! of any size needs no more memory than one window; entries that nobody asks for are passed over without being decompressed, also those
//! whose size is written behind them. When the directory comes by, it must list exactly these entries: a file in which the two disagree
//! shows other content to other programs, and is an error.
//!
//! Performs no I/O but reading the stream.

mod header;
mod input;

use std::cell::Cell;
use std::io::{self, Read};

use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use memchr::memmem;

use crate::{GapReason, Limits};
pub(crate) use header::Entry;
use header::{COMMON_BYTES, Common, Descriptor, Totals, fingerprint};
pub(crate) use input::{Input, Watched};

/// What may still be read of one file, with all archives inside it.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes: Cell<u64>,
    entries: Cell<u64>,
    limits: Limits,
}

impl Budget {
    /// For a file of so many bytes.
    pub(crate) fn new(file_bytes: u64, limits: &Limits) -> Self {
        let bytes = file_bytes.saturating_mul(limits.max_archive_expansion).saturating_add(FREE_BYTES);
        Self {
            bytes: Cell::new(bytes),
            entries: Cell::new(limits.max_archive_entries),
            limits: limits.clone(),
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    fn take(budget: &Cell<u64>, count: u64) -> bool {
        let left = budget.get().checked_sub(count);
        budget.set(left.unwrap_or(0));
        left.is_some()
    }
}

/// Reads the entries of one archive.
pub(crate) struct Zip<'a, 'b> {
    input: &'b mut Input<'a>,
    budget: &'b Budget,
    /// Bytes before the first entry.
    prefix: u64,
    seen: Vec<u64>,
}

impl<'a, 'b> Zip<'a, 'b> {
    /// Starts at the first entry. A program that unpacks itself may stand before it.
    ///
    /// # Errors
    /// [`GapReason::Malformed`]: there is none.
    pub(crate) fn open(input: &'b mut Input<'a>, budget: &'b Budget) -> Result<Self, GapReason> {
        let mut zip = Self { input, budget, prefix: 0, seen: Vec::new() };
        zip.find_first()?;
        Ok(zip)
    }

    fn find_first(&mut self) -> Result<(), GapReason> {
        let head = self.input.peek(COMMON_BYTES + 4).or(Err(MALFORMED))?;
        if head.starts_with(&header::LOCAL) || head.starts_with(&header::END) {
            return Ok(());
        }
        loop {
            let window = self.input.peek(input::WINDOW_BYTES).or(Err(MALFORMED))?;
            let at_end = window.len() < input::WINDOW_BYTES;
            let found = memmem::find_iter(window, &header::LOCAL).find(|&index| {
                let common = window.get(index + 4..).and_then(|rest| rest.first_chunk());
                common.is_some_and(|common| Common::parse(common).is_plausible())
            });
            let step = found.unwrap_or(window.len().saturating_sub(COMMON_BYTES + 4));
            self.input.skip(step as u64).or(Err(MALFORMED))?;
            if found.is_some() {
                self.prefix = self.input.position();
                return Ok(());
            }
            if at_end {
                return Err(MALFORMED);
            }
        }
    }

    /// The next entry, whose content must be passed on to [`Self::skip`], [`Self::read`] or [`Self::open_content`]; none at the end,
    /// when the central directory has confirmed all of them.
    ///
    /// # Errors
    /// [`GapReason::ArchiveMismatch`], [`GapReason::ArchiveEntries`], [`GapReason::Encrypted`] when the directory is, and
    /// [`GapReason::Malformed`] for everything else, also a file that ends early.
    pub(crate) fn next_entry(&mut self) -> Result<Option<Entry>, GapReason> {
        let offset = self.input.position();
        let signature = self.input.record::<4>().or(Err(MALFORMED))?;
        if signature == header::LOCAL {
            if !Budget::take(&self.budget.entries, 1) {
                return Err(GapReason::ArchiveEntries { limit: self.budget.limits.max_archive_entries });
            }
            return self.local_header(offset).map(Some);
        }
        self.directory(signature)?;
        Ok(None)
    }

    fn local_header(&mut self, offset: u64) -> Result<Entry, GapReason> {
        let common = Common::parse(&self.input.record::<COMMON_BYTES>().or(Err(MALFORMED))?);
        let name = self.input.bytes(common.name_bytes).or(Err(MALFORMED))?;
        let extra = self.input.bytes(common.extra_bytes).or(Err(MALFORMED))?;
        // §4.4.4: with bit 13 the headers' own values are masked.
        if common.flags & 1 << 13 != 0 {
            return Err(GapReason::Encrypted);
        }
        let (totals, _) = common.totals(&extra, 0).ok_or(MALFORMED)?;
        let name = String::from_utf8_lossy(&name).into_owned();
        let (is_encrypted, has_descriptor) = (common.flags & 1 != 0, common.flags & 1 << 3 != 0);
        Ok(Entry { name, method: common.method, is_encrypted, has_descriptor, totals, offset })
    }

    /// Passes over an entry's content.
    ///
    /// # Errors
    /// [`GapReason::Malformed`].
    pub(crate) fn skip(&mut self, entry: &Entry) -> Result<(), GapReason> {
        if entry.is_open_ended() {
            let totals = self.skip_to_descriptor()?;
            self.finish(entry, totals);
            return Ok(());
        }
        self.input.skip(entry.totals.compressed).or(Err(MALFORMED))?;
        self.after_content(entry, entry.totals.compressed).map(drop)
    }

    /// An entry's content, if it is no longer than `limit`, as its checksum confirms.
    ///
    /// # Errors
    /// As [`Self::open_content`], and [`GapReason::FileTooLarge`].
    pub(crate) fn read(
        &mut self,
        entry: &Entry,
        limit: u64,
    ) -> Result<Result<Vec<u8>, GapReason>, GapReason> {
        let mut bytes = Vec::new();
        let content = self.open_content(entry, |content| content.take(limit + 1).read_to_end(&mut bytes))?;
        let (read, totals) = match content {
            Ok(content) => content,
            Err(reason) => return Ok(Err(reason)),
        };
        read.map_err(|_| self.failure())?;
        let size = bytes.len() as u64;
        if size > limit {
            return Ok(Err(GapReason::FileTooLarge { size: totals.uncompressed.max(size), limit }));
        }
        let mut crc = Crc::new();
        crc.update(&bytes);
        let is_whole = crc.sum() == totals.crc && size == totals.uncompressed;
        Ok(if is_whole { Ok(bytes) } else { Err(MALFORMED) })
    }

    /// Hands an entry's content to `visit`, which need not read all of it. An entry that cannot be read is passed over, with the inner
    /// reason.
    ///
    /// # Errors
    /// The file cannot be walked further: [`GapReason::Malformed`], or [`GapReason::ArchiveExpands`].
    pub(crate) fn open_content<T>(
        &mut self,
        entry: &Entry,
        visit: impl FnOnce(&mut dyn Read) -> T,
    ) -> Result<Result<(T, Totals), GapReason>, GapReason> {
        let is_deflated = entry.method == DEFLATED;
        let reason = match entry.method {
            _ if entry.is_encrypted => Some(GapReason::Encrypted),
            // Only deflate says itself where it ends.
            STORED if entry.is_open_ended() => Some(MALFORMED),
            STORED | DEFLATED => None,
            method => Some(GapReason::ArchiveMethod { method }),
        };
        if let Some(reason) = reason {
            self.skip(entry)?;
            return Ok(Err(reason));
        }
        let start = self.input.position();
        let known = if entry.is_open_ended() { u64::MAX } else { entry.totals.compressed };
        let budget = &self.budget.bytes;
        let mut source = Read::take(&mut *self.input, known);
        let visited = if is_deflated {
            let mut decoder = Metered { inner: DeflateDecoder::new(&mut source), budget };
            let visited = visit(&mut decoder);
            // Without a size, the end of the content is where its compression ends.
            let rest = if entry.is_open_ended() { io::copy(&mut decoder, &mut io::sink()) } else { Ok(0) };
            rest.map(|_| visited)
        } else {
            Ok(visit(&mut Metered { inner: &mut source, budget }))
        };
        let visited = visited.map_err(|_| self.failure())?;
        if self.budget.bytes.get() == 0 {
            return Err(self.expands());
        }
        let passed = self.input.position() - start;
        let compressed = if entry.is_open_ended() { passed } else { known };
        self.input.skip(compressed - passed).or(Err(MALFORMED))?;
        Ok(Ok((visited, self.after_content(entry, compressed)?)))
    }

    fn after_content(&mut self, entry: &Entry, compressed: u64) -> Result<Totals, GapReason> {
        let mut totals = entry.totals;
        if entry.has_descriptor {
            let bytes = self.input.peek(Descriptor::MAX_BYTES).or(Err(MALFORMED))?;
            let descriptor = Descriptor::after(compressed, bytes).ok_or(MALFORMED)?;
            self.input.skip(descriptor.bytes as u64).or(Err(MALFORMED))?;
            totals = Totals { compressed, ..descriptor.totals };
        }
        self.finish(entry, totals);
        Ok(totals)
    }

    /// Finds the end of content of unknown size by the descriptor that follows it: its size is the number of bytes before it. What is
    /// taken for one by chance or malice makes entries that the central directory does not confirm.
    fn skip_to_descriptor(&mut self) -> Result<Totals, GapReason> {
        /// Where the record after a descriptor without a signature stands: behind 12 or 20 bytes.
        const BACK: [usize; 3] = [0, 12, 20];
        const LONGEST: usize = 20;
        let start = self.input.position();
        loop {
            let passed = self.input.position() - start;
            let window = self.input.peek(input::WINDOW_BYTES).or(Err(MALFORMED))?;
            let at_end = window.len() < input::WINDOW_BYTES;
            let usable =
                if at_end { window.len() } else { window.len().saturating_sub(Descriptor::MAX_BYTES) };
            let marks = memmem::find_iter(window, b"PK").take_while(|&mark| mark < usable);
            let found = marks.flat_map(|mark| BACK.iter().filter_map(move |back| mark.checked_sub(*back)));
            let found = found.into_iter().find_map(|index| {
                let compressed = passed + index as u64;
                let descriptor = Descriptor::after(compressed, window.get(index..)?)?;
                Some((index, Totals { compressed, ..descriptor.totals }, descriptor.bytes))
            });
            if let Some((index, totals, bytes)) = found {
                self.input.skip((index + bytes) as u64).or(Err(MALFORMED))?;
                return Ok(totals);
            }
            if at_end {
                return Err(MALFORMED);
            }
            self.input.skip(usable.saturating_sub(LONGEST) as u64).or(Err(MALFORMED))?;
        }
    }

    fn finish(&mut self, entry: &Entry, totals: Totals) {
        self.seen.push(fingerprint(entry.name.as_bytes(), entry.method, &totals, entry.offset));
    }

    /// Reads the central directory and compares it with the entries. Where a program stands before the first entry, offsets count
    /// from the start of the file or from that entry, as writers differ.
    fn directory(&mut self, mut signature: [u8; 4]) -> Result<(), GapReason> {
        let mut listed: Vec<u64> = Vec::new();
        let mut shifted: Vec<u64> = Vec::new();
        loop {
            match signature {
                header::CENTRAL if listed.len() < self.seen.len() => {
                    let (from_start, from_first) = self.central_header()?;
                    listed.push(from_start);
                    shifted.push(from_first);
                }
                header::CENTRAL => return Err(GapReason::ArchiveMismatch),
                header::END => break,
                header::END_64 => {
                    let size = u64::from_le_bytes(self.input.record().or(Err(MALFORMED))?);
                    self.input.skip(size).or(Err(MALFORMED))?;
                }
                header::END_64_LOCATOR => self.input.skip(16).or(Err(MALFORMED))?,
                header::EXTRA_DATA => return Err(GapReason::Encrypted),
                _ => return Err(MALFORMED),
            }
            signature = self.input.record::<4>().or(Err(MALFORMED))?;
        }
        self.seen.sort_unstable();
        listed.sort_unstable();
        shifted.sort_unstable();
        if self.seen != listed && self.seen != shifted {
            return Err(GapReason::ArchiveMismatch);
        }
        self.check_end()
    }

    fn central_header(&mut self) -> Result<(u64, u64), GapReason> {
        // §4.3.12: "version made by", the common fields, then 14 more bytes that end with the offset.
        self.input.skip(2).or(Err(MALFORMED))?;
        let common = Common::parse(&self.input.record::<COMMON_BYTES>().or(Err(MALFORMED))?);
        let rest = self.input.record::<14>().or(Err(MALFORMED))?;
        let name = self.input.bytes(common.name_bytes).or(Err(MALFORMED))?;
        let extra = self.input.bytes(common.extra_bytes).or(Err(MALFORMED))?;
        self.input.skip(header::u16_at(&rest, 0).into()).or(Err(MALFORMED))?;
        let (totals, offset) = common.totals(&extra, header::u32_at(&rest, 10)).ok_or(MALFORMED)?;
        let name = String::from_utf8_lossy(&name);
        let at = |offset| fingerprint(name.as_bytes(), common.method, &totals, offset);
        Ok((at(offset), at(offset.saturating_add(self.prefix))))
    }

    /// Programs look for the end of the directory from the end of the file. A second one there would show them another archive.
    fn check_end(&mut self) -> Result<(), GapReason> {
        self.input.skip(18).or(Err(MALFORMED))?;
        loop {
            let window = self.input.peek(input::WINDOW_BYTES).or(Err(MALFORMED))?;
            if memmem::find(window, &header::END).is_some() {
                return Err(GapReason::ArchiveMismatch);
            }
            if window.len() < input::WINDOW_BYTES {
                return Ok(());
            }
            let step = window.len() - header::END.len();
            self.input.skip(step as u64).or(Err(MALFORMED))?;
        }
    }

    /// What a failed read of an entry's content means.
    fn failure(&self) -> GapReason {
        if self.budget.bytes.get() == 0 { self.expands() } else { MALFORMED }
    }

    fn expands(&self) -> GapReason {
        GapReason::ArchiveExpands { limit: self.budget.limits.max_archive_expansion }
    }
}

impl Entry {
    /// Whether only a descriptor behind the content says how long it is.
    fn is_open_ended(&self) -> bool {
        self.has_descriptor && self.totals.compressed == 0
    }
}

/// Counts what comes out against the budget, and fails when it is used up.
struct Metered<'a, R> {
    inner: R,
    budget: &'a Cell<u64>,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        if !Budget::take(self.budget, read as u64) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(read)
    }
}

/// What any broken zip file is. The stream's own failures are noticed by whoever made it; to the archive it ends early.
pub(crate) const MALFORMED: GapReason = GapReason::Malformed { format: "zip" };

/// §4.4.5.
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// What may be decompressed of the smallest file: a few manifests of the largest size that is read.
const FREE_BYTES: u64 = 16 << 20;

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests {
    use super::testing::{DEFLATED, STORED, STREAMED, Style, ZipWriter, zip};
    use super::*;

    type Contents = Vec<(String, Result<Vec<u8>, GapReason>)>;

    /// Reads the entries whose names start with `r` and passes over the others.
    fn walk(bytes: &[u8], limits: &Limits) -> (Contents, Result<(), GapReason>) {
        let mut contents = Vec::new();
        let mut source = bytes;
        let mut input = Input::new(&mut source);
        let budget = Budget::new(bytes.len() as u64, limits);
        let mut walk = || {
            let mut zip = Zip::open(&mut input, &budget)?;
            while let Some(entry) = zip.next_entry()? {
                if entry.name.starts_with('r') {
                    contents.push((entry.name.clone(), zip.read(&entry, limits.max_manifest_bytes)?));
                } else {
                    zip.skip(&entry)?;
                }
            }
            Ok(())
        };
        let result = walk();
        (contents, result)
    }

    fn result(bytes: &[u8]) -> Result<(), GapReason> {
        walk(bytes, &Limits::default()).1
    }

    fn noise(count: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn every_way_to_say_a_size_is_read_and_passed_over() {
        let long = noise(200_000);
        let ways = [(8, 12), (8, 16), (8, 20), (8, 24), (0, 0)];
        for (flags, descriptor) in ways {
            for method in [8, 0] {
                let style = Style { method, flags, descriptor, ..STORED };
                let read = if method == 0 && flags != 0 { "skipped" } else { "read" };
                let bytes = zip(&[("a", &long), (read, &long), ("b", b"PK"), ("empty", b"")], style);
                let (contents, result) = walk(&bytes, &Limits::default());
                assert_eq!(result, Ok(()), "{flags} {descriptor} {method}");
                assert!(contents.iter().all(|(_, content)| content.as_ref() == Ok(&long)));
                assert_eq!(contents.len(), usize::from(read == "read"));
            }
        }
        let zip64 = Style { is_zip64: true, ..DEFLATED };
        assert_eq!(
            walk(&zip(&[("r", b"x")], zip64), &Limits::default()).0,
            [("r".into(), Ok(b"x".to_vec()))]
        );
    }

    #[test]
    fn a_program_may_stand_before_the_archive() {
        let program = [b"#!/bin/sh\nPK\x03\x04".as_slice(), &noise(100_000)].concat();
        for base in [0, program.len()] {
            let mut writer = ZipWriter { bytes: program.clone(), base, ..ZipWriter::default() };
            let (contents, result) = walk(&writer.add("r", b"x", STREAMED).finish(), &Limits::default());
            assert_eq!((contents.len(), result), (1, Ok(())));
        }
        assert_eq!(result(&program), Err(MALFORMED));
        assert_eq!(result(b""), Err(MALFORMED));
        assert_eq!(result(&ZipWriter::default().finish()), Ok(()));
    }

    #[test]
    fn a_directory_that_disagrees_is_found() {
        let hidden = Style { is_listed: false, ..STORED };
        let mut writer = ZipWriter::default();
        writer.add("a", b"1", STORED).add("r", b"2", hidden);
        assert_eq!(result(&writer.finish()), Err(GapReason::ArchiveMismatch), "an entry too many");
        let (mut writer, mut other) = (ZipWriter::default(), ZipWriter::default());
        writer.add("a", b"1", hidden);
        writer.directory = other.add("x", b"1", STORED).add("a", b"1", STORED).directory.clone();
        assert_eq!(result(&writer.finish()), Err(GapReason::ArchiveMismatch), "an entry too few");
        writer.directory = ZipWriter::default().add("x", b"1", STORED).directory.clone();
        assert_eq!(result(&writer.finish()), Err(GapReason::ArchiveMismatch), "another name");
        let twice = [zip(&[("a", b"1")], STORED), zip(&[("r", b"2")], STORED)].concat();
        assert_eq!(result(&twice), Err(GapReason::ArchiveMismatch), "two archives");
    }

    #[test]
    fn a_file_that_ends_early_is_malformed() {
        let bytes = zip(&[("a", b"123"), ("r", b"456")], STREAMED);
        for cut in 0..bytes.len() - 1 {
            assert_eq!(result(&bytes[..cut]), Err(MALFORMED), "{cut}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_said_and_passed_over() {
        let of = |style: Style| {
            let mut writer = ZipWriter::default();
            let (contents, result) =
                walk(&writer.add("r", b"x", style).add("b", b"y", STORED).finish(), &Limits::default());
            assert_eq!(result, Ok(()));
            contents.into_iter().next().unwrap().1.unwrap_err()
        };
        assert_eq!(of(Style { flags: 1, ..DEFLATED }), GapReason::Encrypted);
        assert_eq!(of(Style { method: 12, ..STORED }), GapReason::ArchiveMethod { method: 12 });
        assert_eq!(of(Style { crc_error: 1, ..DEFLATED }), MALFORMED);
        assert_eq!(of(Style { method: 0, ..STREAMED }), MALFORMED, "stored, and nothing says how long");
        assert_eq!(
            result(&zip(&[("r", b"x")], Style { flags: 1 << 13, ..STORED })),
            Err(GapReason::Encrypted)
        );
        let limits = Limits { max_manifest_bytes: 2, ..Limits::default() };
        let contents = walk(&zip(&[("r", b"123")], STORED), &limits).0;
        assert_eq!(contents[0].1, Err(GapReason::FileTooLarge { size: 3, limit: 2 }));
    }

    #[test]
    fn limits_hold() {
        let limits = Limits { max_archive_entries: 1, ..Limits::default() };
        let bytes = zip(&[("a", b""), ("b", b"")], STORED);
        assert_eq!(walk(&bytes, &limits).1, Err(GapReason::ArchiveEntries { limit: 1 }));
        let bomb = zip(&[("r", &vec![0; 20 << 20])], STREAMED);
        let limits = Limits { max_archive_expansion: 2, ..Limits::default() };
        assert_eq!(walk(&bomb, &limits).1, Err(GapReason::ArchiveExpands { limit: 2 }));
    }

    #[test]
    fn content_that_looks_like_a_descriptor_hides_nothing() {
        // Stored content that holds a descriptor of itself, and an entry after it.
        let mut fake = ZipWriter::default();
        fake.add("x", b"1", Style { method: 0, ..STREAMED });
        let inside = fake.bytes[31..].to_vec();
        let inside = [b"1", &inside[1..], b"PK\x03\x04"].concat();
        let bytes = zip(&[("a", &inside), ("r", b"2")], Style { method: 0, ..STREAMED });
        assert_ne!(result(&bytes), Ok(()));
    }
}
