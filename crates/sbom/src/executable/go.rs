//! The build information in a Go executable
//! ([Go 1.25, debug/buildinfo](https://github.com/golang/go/blob/go1.25.0/src/debug/buildinfo/buildinfo.go)).
//!
//! Since Go 1.18 it is two strings after a header. Before, the header held two pointers: the string of modules is then found by
//! the markers around it, and the toolchain's version, which has none, is not.

use memchr::memmem;

use super::Window;
use super::elf::Sections;

/// What a Go toolchain wrote into an executable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct GoBuildInfo {
    /// Such as `go1.22.1`; none before Go 1.18.
    pub(crate) version: Option<String>,
    /// Lines of modules and build settings. Empty when the program was built without modules.
    pub(crate) modules: String,
}

impl GoBuildInfo {
    pub(super) fn bytes(&self) -> usize {
        self.modules.len() + self.version.as_ref().map_or(0, String::len)
    }
}

/// Recognises the header and the string of modules.
pub(super) struct Finder {
    header: memmem::Finder<'static>,
    marker: memmem::Finder<'static>,
    headers: Vec<Capture>,
    modules: Option<Capture>,
    has_too_many: bool,
    max_bytes: usize,
}

/// Bytes from some place of the file on, until they are enough.
struct Capture {
    offset: u64,
    bytes: Vec<u8>,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Open,
    Inline(GoBuildInfo),
    Pointers,
    Modules(String),
    Broken,
    TooLarge,
}

impl Finder {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            header: memmem::Finder::new(MAGIC),
            marker: memmem::Finder::new(&MODULES_START),
            headers: Vec::new(),
            modules: None,
            has_too_many: false,
            max_bytes,
        }
    }

    pub(super) fn feed(&mut self, window: &Window<'_>) {
        let (fresh, _) = window.fresh();
        for capture in &mut self.headers {
            capture.feed(fresh, self.max_bytes, read_header);
        }
        if let Some(capture) = &mut self.modules {
            capture.feed(fresh, self.max_bytes, read_modules);
        }
        self.find_headers(window);
        self.find_modules(window);
    }

    fn find_headers(&mut self, window: &Window<'_>) {
        let range = window.starts();
        let reach = (range.end + MAGIC.len() - 1).min(window.bytes.len());
        for at in self.header.find_iter(window.bytes.get(range.start..reach).unwrap_or_default()) {
            let offset = window.file_offset(range.start + at);
            if !offset.is_multiple_of(ALIGNMENT) {
                continue;
            }
            self.has_too_many |= self.headers.len() >= MOST_HEADERS;
            if !self.has_too_many {
                let rest = window.bytes.get(range.start + at..).unwrap_or_default();
                self.headers.push(Capture::start(offset, rest, self.max_bytes, read_header));
            }
        }
    }

    fn find_modules(&mut self, window: &Window<'_>) {
        if matches!(&self.modules, Some(Capture { state: State::Open | State::Modules(_), .. })) {
            return;
        }
        let range = window.starts();
        let reach = (range.end + MODULES_START.len() - 1).min(window.bytes.len());
        if let Some(at) = self.marker.find(window.bytes.get(range.start..reach).unwrap_or_default()) {
            let rest = window.bytes.get(range.start + at..).unwrap_or_default();
            let offset = window.file_offset(range.start + at);
            self.modules = Some(Capture::start(offset, rest, self.max_bytes, read_modules));
        }
    }

    pub(super) fn has_found(&self) -> bool {
        self.headers.iter().any(|capture| capture.state != State::Broken)
    }

    /// Whether finds were passed over, so that the information may be among them.
    pub(super) fn has_too_many(&self) -> bool {
        self.has_too_many
    }

    pub(super) fn is_too_large(&self) -> bool {
        self.headers.iter().any(|capture| capture.state == State::TooLarge)
    }

    /// The information that lies in writable data, where the toolchain puts it. A program that reads such information has the
    /// header's text among its constants.
    pub(super) fn finish(self, sections: &Sections) -> Option<GoBuildInfo> {
        let is_placed = |offset| sections.writable_at(offset) || *sections == Sections::None;
        let modules = match self.modules {
            Some(Capture { state: State::Modules(text), .. }) => text,
            _ => String::new(),
        };
        self.headers.into_iter().filter(|capture| is_placed(capture.offset)).find_map(|capture| match capture
            .state
        {
            State::Inline(info) => Some(info),
            State::Pointers => Some(GoBuildInfo { version: None, modules: modules.clone() }),
            _ => None,
        })
    }
}

impl Capture {
    fn start(offset: u64, bytes: &[u8], max_bytes: usize, read: fn(&[u8]) -> State) -> Self {
        let mut capture = Self { offset, bytes: Vec::new(), state: State::Open };
        capture.feed(bytes, max_bytes, read);
        capture
    }

    fn feed(&mut self, bytes: &[u8], max_bytes: usize, read: fn(&[u8]) -> State) {
        if self.state != State::Open {
            return;
        }
        self.bytes.extend_from_slice(bytes);
        self.state = match read(&self.bytes) {
            State::Open if self.bytes.len() > max_bytes => State::TooLarge,
            state => state,
        };
        if self.state != State::Open {
            self.bytes = Vec::new();
        }
    }
}

/// Reads what follows the magic: pointer size, flags, and from byte 32 on two strings with their lengths before them.
fn read_header(bytes: &[u8]) -> State {
    const INLINE: u8 = 2;
    let (Some(pointer_bytes), Some(flags)) = (bytes.get(14), bytes.get(15)) else {
        return State::Open;
    };
    if flags & INLINE == 0 {
        return if matches!(pointer_bytes, 4 | 8) && flags & !1 == 0 {
            State::Pointers
        } else {
            State::Broken
        };
    }
    let strings = bytes.get(HEADER_BYTES..).unwrap_or_default();
    let (version, rest) = match string(strings) {
        Ok(parts) => parts,
        Err(state) => return state,
    };
    let (modules, _) = match string(rest) {
        Ok(parts) => parts,
        Err(state) => return state,
    };
    let Ok(version) = std::str::from_utf8(version) else {
        return State::Broken;
    };
    if !version.starts_with("go") && !version.starts_with("devel") {
        return State::Broken;
    }
    State::Inline(GoBuildInfo { version: Some(version.to_owned()), modules: without_markers(modules) })
}

/// A length in base 128 (encoding/binary's Uvarint), then as many bytes.
fn string(bytes: &[u8]) -> Result<(&[u8], &[u8]), State> {
    let (mut length, mut used) = (0_usize, 0);
    loop {
        let byte = *bytes.get(used).ok_or(State::Open)?;
        length |= usize::from(byte & 0x7f) << (7 * used);
        used += 1;
        if byte < 0x80 {
            break;
        }
        if used > 4 {
            return Err(State::Broken);
        }
    }
    let rest = bytes.get(used..).unwrap_or_default();
    rest.split_at_checked(length).ok_or(State::Open)
}

/// The text between the two markers of 16 bytes; text without them is not module information.
fn without_markers(bytes: &[u8]) -> String {
    let inner = bytes.len().checked_sub(16).and_then(|end| bytes.get(16..end)).unwrap_or_default();
    String::from_utf8_lossy(inner).into_owned()
}

fn read_modules(bytes: &[u8]) -> State {
    let text = bytes.get(MODULES_START.len()..).unwrap_or_default();
    match memmem::find(text, &MODULES_END) {
        Some(end) => match std::str::from_utf8(text.get(..end).unwrap_or_default()) {
            Ok(text) if text.starts_with("path\t") || text.starts_with("mod\t") => {
                State::Modules(text.to_owned())
            }
            _ => State::Broken,
        },
        None => State::Open,
    }
}

const MAGIC: &[u8] = b"\xff Go buildinf:";
const ALIGNMENT: u64 = 16;
const HEADER_BYTES: usize = 32;
const MOST_HEADERS: usize = 8;
// cmd/go/internal/modload/build.go: infoStart and infoEnd.
const MODULES_START: [u8; 16] =
    [0x30, 0x77, 0xaf, 0x0c, 0x92, 0x74, 0x08, 0x02, 0x41, 0xe1, 0xc1, 0x07, 0xe6, 0xd6, 0x18, 0xe6];
const MODULES_END: [u8; 16] =
    [0xf9, 0x32, 0x43, 0x31, 0x86, 0x18, 0x20, 0x72, 0x00, 0x82, 0x42, 0x10, 0x41, 0x16, 0xd8, 0xf2];
