//! The list of crates in a Rust executable: zlib-compressed JSON in the section `.dep-v0`
//! ([cargo-auditable, PARSING.md](https://github.com/rust-secure-code/cargo-auditable/blob/master/PARSING.md)).

use flate2::{Decompress, FlushDecompress, Status};

use super::Window;
use super::elf::Sections;

/// Recognises zlib streams whose text starts as the list does, and inflates them as they pass.
pub(super) struct Finder {
    trial: Decompress,
    found: Vec<Candidate>,
    has_too_many: bool,
    max_bytes: usize,
}

/// One stream that starts as the list does.
struct Candidate {
    offset: u64,
    inflate: Decompress,
    text: Vec<u8>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Complete,
    Broken,
    TooLarge,
}

impl Finder {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { trial: Decompress::new(true), found: Vec::new(), has_too_many: false, max_bytes }
    }

    pub(super) fn feed(&mut self, window: &Window<'_>) {
        let (fresh, _) = window.fresh();
        for candidate in &mut self.found {
            candidate.feed(fresh, self.max_bytes);
        }
        let range = window.starts();
        let searched = window.bytes.get(range.clone()).unwrap_or_default();
        for at in memchr::memchr_iter(ZLIB_METHOD, searched) {
            let rest = window.bytes.get(range.start + at..).unwrap_or_default();
            if !self.starts_list(rest) {
                continue;
            }
            self.has_too_many |= self.found.len() >= MOST_CANDIDATES;
            if !self.has_too_many {
                let mut candidate = Candidate::new(window.file_offset(range.start + at));
                candidate.feed(rest, self.max_bytes);
                self.found.push(candidate);
            }
        }
    }

    /// Inflates the first few bytes to see whether they are the list's.
    fn starts_list(&mut self, bytes: &[u8]) -> bool {
        // RFC 1950, §2.2: the first two bytes are a multiple of 31; bit 5 of the second asks for a dictionary.
        let is_header = |flags: &u8| {
            (u16::from(ZLIB_METHOD) << 8 | u16::from(*flags)).is_multiple_of(31) && flags & 0x20 == 0
        };
        if !bytes.get(1).is_some_and(is_header) {
            return false;
        }
        self.trial.reset(true);
        let mut start = [0; LIST_START.len()];
        let input = bytes.get(..super::OVERLAP_BYTES).unwrap_or(bytes);
        let result = self.trial.decompress(input, &mut start, FlushDecompress::None);
        result.is_ok() && start == LIST_START
    }

    pub(super) fn has_found(&self) -> bool {
        !self.found.is_empty()
    }

    /// Whether finds were passed over, so that the list may be among them.
    pub(super) fn has_too_many(&self) -> bool {
        self.has_too_many
    }

    pub(super) fn is_too_large(&self) -> bool {
        self.found.iter().any(|candidate| candidate.state == State::TooLarge)
    }

    /// The list that starts a section.
    pub(super) fn finish(self, sections: &Sections) -> Option<Vec<u8>> {
        let complete = self.found.into_iter().filter(|candidate| candidate.state == State::Complete);
        complete
            .filter(|candidate| sections.start_at(candidate.offset))
            .map(|candidate| candidate.text)
            .next()
    }
}

impl Candidate {
    fn new(offset: u64) -> Self {
        Self { offset, inflate: Decompress::new(true), text: Vec::new(), state: State::Open }
    }

    fn feed(&mut self, mut bytes: &[u8], max_bytes: usize) {
        let mut chunk = [0; 8 << 10];
        while self.state == State::Open && !bytes.is_empty() {
            let (read, written) = (self.inflate.total_in(), self.inflate.total_out());
            let result = self.inflate.decompress(bytes, &mut chunk, FlushDecompress::None);
            // Both differences are at most the lengths of slices.
            let taken = (self.inflate.total_in() - read) as usize;
            let made = (self.inflate.total_out() - written) as usize;
            self.text.extend_from_slice(chunk.get(..made).unwrap_or_default());
            bytes = bytes.get(taken..).unwrap_or_default();
            self.state = match result {
                _ if self.text.len() > max_bytes => State::TooLarge,
                Ok(Status::StreamEnd) => State::Complete,
                Ok(_) if taken > 0 || made > 0 => State::Open,
                Ok(_) | Err(_) => State::Broken,
            };
        }
        if matches!(self.state, State::Broken | State::TooLarge) {
            self.text = Vec::new();
        }
    }
}

/// zlib's first byte: deflate with a window of 32 KiB.
const ZLIB_METHOD: u8 = 0x78;
/// How `serde_json` writes the list, which is what cargo-auditable uses.
const LIST_START: [u8; 12] = *b"{\"packages\":";
/// More streams than this that start as the list does are somebody's test data.
const MOST_CANDIDATES: usize = 8;
