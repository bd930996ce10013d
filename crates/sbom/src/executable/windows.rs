//! What a program or library of Windows says of itself: its version resource
//! ([Windows, `VS_VERSIONINFO`](https://learn.microsoft.com/en-us/windows/win32/menurc/vs-versioninfo)), found by its first words while the file
//! streams past. Assemblies of .NET are left out: they have metadata of their own.

use memchr::memmem;

use super::Window;

/// The product that a file belongs to, as the file says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WindowsProduct {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) company: Option<String>,
}

impl WindowsProduct {
    pub(super) fn bytes(&self) -> usize {
        self.name.len() + self.version.len() + self.company.as_ref().map_or(0, String::len)
    }
}

pub(super) struct Finder {
    key: memmem::Finder<'static>,
    found: Option<WindowsProduct>,
}

impl Finder {
    /// A finder for a file that starts with these bytes; none if it is no native program or library of Windows.
    pub(super) fn of_file(start: &[u8]) -> Option<Self> {
        is_native(start)?
            .then(|| Self { key: memmem::Finder::new(&utf16("VS_VERSION_INFO")).into_owned(), found: None })
    }

    pub(super) fn feed(&mut self, window: &Window<'_>) {
        let range = window.starts();
        let end = (range.end + self.key.needle().len()).min(window.bytes.len());
        let searched = window.bytes.get(range.start..end).unwrap_or_default();
        if self.found.is_some() {
            return;
        }
        for at in self.key.find_iter(searched) {
            // Three 16-bit numbers stand before the key.
            let start = (range.start + at).checked_sub(BLOCK_HEADER_BYTES);
            self.found = start.and_then(|start| product(window.bytes.get(start..)?));
            if self.found.is_some() {
                break;
            }
        }
    }

    pub(super) fn finish(self) -> Option<WindowsProduct> {
        self.found
    }
}

/// Whether the headers name no runtime of .NET; none if they are not those of an image
/// ([PE format](https://learn.microsoft.com/en-us/windows/win32/debug/pe-format), "Optional Header Data Directories").
fn is_native(bytes: &[u8]) -> Option<bool> {
    const CLR_DIRECTORY: usize = 14;
    let header = usize::try_from(long(bytes, 0x3c)?).ok()?;
    if bytes.get(header..)?.get(..4)? != b"PE\0\0" {
        return None;
    }
    let optional = header + 24;
    let directories = match short(bytes, optional)? {
        0x10b => optional + 96,
        0x20b => optional + 112,
        _ => return None,
    };
    Some(long(bytes, directories + 8 * CLR_DIRECTORY)? == 0)
}

/// Reads the resource's strings. The version is the product's, or else the file's.
fn product(resource: &[u8]) -> Option<WindowsProduct> {
    let mut strings = Vec::new();
    collect(Block::parse(resource)?, 0, &mut strings);
    let value = |name: &str| {
        let found = strings.iter().find(|(key, value)| key == name && !value.is_empty());
        found.map(|(_, value)| value.clone())
    };
    let version = value("ProductVersion").as_deref().and_then(version);
    Some(WindowsProduct {
        name: value("ProductName")?,
        version: version.or_else(|| value("FileVersion").as_deref().and_then(self::version))?,
        company: value("CompanyName"),
    })
}

/// `1.2.3.4`, also written `1, 2, 3, 4`, and whatever is said after it left out.
fn version(text: &str) -> Option<String> {
    let text = text.replace(", ", ".").replace(',', ".");
    let word = text.split_whitespace().next()?;
    word.starts_with(|c: char| c.is_ascii_digit()).then(|| word.to_owned())
}

/// One block of the resource: a key, and a value or more blocks.
struct Block<'a> {
    key: String,
    value: &'a [u8],
    /// After the value.
    rest: &'a [u8],
}

const BLOCK_HEADER_BYTES: usize = 6;

impl<'a> Block<'a> {
    /// Length, length of the value, type, key up to a zero, and the value; key and value start at multiples of four bytes.
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let length = usize::from(short(bytes, 0)?);
        let (value_length, is_text) = (usize::from(short(bytes, 2)?), short(bytes, 4)? == 1);
        let block = bytes.get(..length).unwrap_or(bytes);
        let (key, end) = text(block, BLOCK_HEADER_BYTES)?;
        // Lengths of texts are counted in characters of two bytes.
        let value_bytes = if is_text { value_length * 2 } else { value_length };
        let rest = block.get(end.next_multiple_of(4)..).unwrap_or_default();
        let value = rest.get(..value_bytes).unwrap_or(rest);
        let rest = rest.get(value.len().next_multiple_of(4)..).unwrap_or_default();
        Some(Self { key, value, rest })
    }
}

/// Gathers the strings of the blocks below: the resource, its strings, a language's table, a string.
fn collect(block: Block<'_>, depth: usize, strings: &mut Vec<(String, String)>) {
    const STRING_DEPTH: usize = 3;
    if depth == STRING_DEPTH {
        let value = text(block.value, 0).map(|(value, _)| value.trim().to_owned());
        strings.push((block.key, value.unwrap_or_default()));
        return;
    }
    let mut rest = block.rest;
    while let (Some(length), Some(child)) = (short(rest, 0), Block::parse(rest)) {
        let is_of_interest = depth > 0 || child.key == "StringFileInfo";
        if is_of_interest {
            collect(child, depth + 1, strings);
        }
        if usize::from(length) < BLOCK_HEADER_BYTES {
            return;
        }
        rest = rest.get(usize::from(length).next_multiple_of(4)..).unwrap_or_default();
    }
}

/// Text of 16-bit characters up to a zero or the end, and where it ends.
fn text(bytes: &[u8], at: usize) -> Option<(String, usize)> {
    let pairs = bytes.get(at..)?.chunks_exact(2);
    let characters = pairs.filter_map(|pair| short(pair, 0));
    let units: Vec<u16> = characters.take_while(|unit| *unit != 0).take(MAX_CHARACTERS).collect();
    let end = at + 2 * units.len() + 2;
    Some((String::from_utf16_lossy(&units), end))
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk::<2>()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk::<4>()?))
}

/// More than any name or version has.
const MAX_CHARACTERS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use crate::executable::probe;

    fn block(key: &str, is_text: bool, value: &[u8], children: &[Vec<u8>]) -> Vec<u8> {
        let value_length = if is_text { value.len() / 2 } else { value.len() };
        let mut bytes = vec![0, 0];
        bytes.extend((value_length as u16).to_le_bytes());
        bytes.extend(u16::from(is_text).to_le_bytes());
        bytes.extend(utf16(key));
        bytes.extend([0, 0]);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend_from_slice(value);
        for child in children {
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            bytes.extend_from_slice(child);
        }
        let length = bytes.len() as u16;
        bytes[..2].copy_from_slice(&length.to_le_bytes());
        bytes
    }

    fn file(strings: &[(&str, &str)], clr: u32) -> Vec<u8> {
        let string = |(key, value): &(&str, &str)| block(key, true, &utf16(&format!("{value}\0")), &[]);
        let table = block("040904b0", true, &[], &strings.iter().map(string).collect::<Vec<_>>());
        let info = block("StringFileInfo", true, &[], &[table]);
        let resource = block("VS_VERSION_INFO", false, &[0; 52], &[info]);
        let mut bytes = b"MZ".to_vec();
        bytes.resize(0x800, 0);
        bytes[0x3c] = 0x80;
        bytes[0x80..0x84].copy_from_slice(b"PE\0\0");
        bytes[0x98..0x9a].copy_from_slice(&0x20b_u16.to_le_bytes());
        bytes[0x98 + 112 + 112..][..4].copy_from_slice(&clr.to_le_bytes());
        bytes.extend(resource);
        bytes.resize(bytes.len() + 600, 0);
        bytes
    }

    fn found(bytes: &[u8]) -> Option<WindowsProduct> {
        probe(bytes, "a.dll", &Limits::default()).unwrap().and_then(|found| found.windows)
    }

    #[test]
    fn the_resource_names_product_version_and_company() {
        let strings = [
            ("CompanyName", "Example, Inc."),
            ("ProductName", "Frob Suite"),
            ("ProductVersion", "1, 2, 3, 4"),
        ];
        let product = found(&file(&strings, 0)).unwrap();
        assert_eq!((product.name.as_str(), product.version.as_str()), ("Frob Suite", "1.2.3.4"));
        assert_eq!(product.company.as_deref(), Some("Example, Inc."));
    }

    #[test]
    fn the_files_version_counts_where_the_product_has_none() {
        let strings = [("FileVersion", "5.6 (x64)"), ("ProductName", "Frob"), ("ProductVersion", "unknown")];
        assert_eq!(found(&file(&strings, 0)).unwrap().version, "5.6");
    }

    #[test]
    fn assemblies_and_files_that_say_too_little_are_left_alone() {
        let strings = [("ProductName", "Frob"), ("ProductVersion", "1.0")];
        assert_eq!(found(&file(&strings, 1)), None, ".NET");
        assert_eq!(found(&file(&strings[1..], 0)), None, "no name");
        assert_eq!(found(&file(&strings[..1], 0)), None, "no version");
        let mut no_image = file(&strings, 0);
        no_image[0x80] = b'X';
        assert_eq!(found(&no_image), None);
    }

    #[test]
    fn no_changed_byte_of_a_resource_makes_it_panic_or_hang() {
        let bytes = file(&[("ProductName", "Frob"), ("ProductVersion", "1.0")], 0);
        for at in 0x800..bytes.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut changed = bytes.clone();
                changed[at] = value;
                found(&changed);
            }
        }
    }
}
