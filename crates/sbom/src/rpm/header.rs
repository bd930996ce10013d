//! One package's header, as databases keep it
//! ([rpm 4.19, "RPM v4 header format"](https://rpm-software-management.github.io/rpm/manual/format_v4.html), "Header structure": in a
//! database the magic number is left out).
//!
//! Two numbers, an index of sixteen bytes for each entry, and the entries' data. All numbers are big-endian.

use std::borrow::Cow;

/// A header whose index and data are there.
pub(super) struct Header<'a> {
    index: &'a [u8],
    data: &'a [u8],
}

/// Bytes of one entry of the index: tag, type, offset, count.
const ENTRY_BYTES: usize = 16;
/// Most entries that rpm reads (rpm 4.18, `lib/header.c`, `HEADER_TAGS_MAX`).
const MAX_ENTRIES: u32 = 0xffff;
/// Most values of one entry that rpm reads (the same, `HEADER_ARRAY_MAX`).
const MAX_VALUES: u32 = 0xf_ffff;

impl<'a> Header<'a> {
    /// Splits a header; none if its sizes do not fit its bytes. What comes after its data is not looked at.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let entries = number(bytes, 0)?;
        let data_bytes = usize::try_from(number(bytes, 4)?).ok()?;
        if entries == 0 || entries > MAX_ENTRIES {
            return None;
        }
        let rest = bytes.get(8..)?;
        let (index, rest) =
            rest.split_at_checked(usize::try_from(entries).ok()?.checked_mul(ENTRY_BYTES)?)?;
        Some(Self { index, data: rest.get(..data_bytes)? })
    }

    /// The first text of an entry that holds texts.
    pub(super) fn text(&self, tag: u32) -> Option<Cow<'a, str>> {
        self.texts(tag).next().filter(|text| !text.is_empty())
    }

    /// The texts of an entry: none when it is missing or holds something else.
    pub(super) fn texts(&self, tag: u32) -> impl Iterator<Item = Cow<'a, str>> + use<'a> {
        const STRING: u32 = 6;
        const STRING_ARRAY: u32 = 8;
        const TRANSLATED: u32 = 9;
        let (data, count) = match self.entry(tag) {
            Some((STRING, data, _)) => (data, 1),
            Some((STRING_ARRAY | TRANSLATED, data, count)) => (data, count),
            _ => (&[][..], 0),
        };
        // Every text ends with a zero byte; what stands after the last zero is none.
        let (complete, count) = match memchr::memrchr(0, data) {
            Some(end) => (data.get(..end).unwrap_or_default(), count),
            None => (&[][..], 0),
        };
        complete.split(|byte| *byte == 0).take(count).map(String::from_utf8_lossy)
    }

    /// The first number of an entry of 32-bit numbers.
    pub(super) fn number(&self, tag: u32) -> Option<u32> {
        self.numbers(tag).next()
    }

    /// The numbers of an entry of 32-bit numbers.
    pub(super) fn numbers(&self, tag: u32) -> impl Iterator<Item = u32> + use<'a> {
        const INT32: u32 = 4;
        let (data, count) = match self.entry(tag) {
            Some((INT32, data, count)) => (data, count),
            _ => (&[][..], 0),
        };
        data.chunks_exact(4).take(count).filter_map(|chunk| number(chunk, 0))
    }

    /// An entry's type, the data from its offset on, and its number of values. What was added to a package when it was installed
    /// comes after what it was built with, and counts.
    fn entry(&self, wanted: u32) -> Option<(u32, &'a [u8], usize)> {
        let mut entries = self.index.chunks_exact(ENTRY_BYTES);
        let entry = entries.rfind(|entry| number(entry, 0) == Some(wanted))?;
        let offset = usize::try_from(number(entry, 8)?).ok()?;
        let count = number(entry, 12).filter(|count| *count <= MAX_VALUES)?;
        Some((number(entry, 4)?, self.data.get(offset..)?, usize::try_from(count).ok()?))
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*field))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A header of entries: tag, type, count, data.
    pub(in crate::rpm) fn header(entries: &[(u32, u32, u32, &[u8])]) -> Vec<u8> {
        let (mut index, mut data) = (Vec::new(), Vec::new());
        for (tag, kind, count, bytes) in entries {
            while *kind == 4 && data.len() % 4 != 0 {
                data.push(0);
            }
            for field in [*tag, *kind, data.len() as u32, *count] {
                index.extend(field.to_be_bytes());
            }
            data.extend_from_slice(bytes);
        }
        let sizes = [(entries.len() as u32).to_be_bytes(), (data.len() as u32).to_be_bytes()].concat();
        [sizes, index, data].concat()
    }

    #[test]
    fn entries_are_read_by_their_types() {
        let bytes = header(&[
            (1000, 6, 1, b"name\0"),
            (1117, 8, 2, b"a\0\0"),
            (1003, 4, 2, &[0, 0, 0, 1, 0, 0, 0, 2]),
        ]);
        let header = Header::parse(&bytes).unwrap();
        assert_eq!(header.text(1000).as_deref(), Some("name"));
        assert_eq!(header.texts(1117).collect::<Vec<_>>(), ["a", ""]);
        assert_eq!(header.numbers(1003).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(header.text(1003), None, "another type");
        assert_eq!(header.number(1000), None, "another type");
    }

    #[test]
    fn the_later_of_two_entries_counts() {
        let bytes = header(&[(1000, 6, 1, b"old\0"), (1000, 6, 1, b"new\0")]);
        assert_eq!(Header::parse(&bytes).unwrap().text(1000).as_deref(), Some("new"));
    }

    #[test]
    fn a_text_without_its_end_is_none() {
        let bytes = header(&[(1000, 6, 1, b"name")]);
        assert_eq!(Header::parse(&bytes).unwrap().text(1000), None);
    }

    #[test]
    fn sizes_that_do_not_fit_make_no_header() {
        let bytes = header(&[(1000, 6, 1, b"name\0")]);
        assert!(Header::parse(&bytes[..bytes.len() - 1]).is_none());
        assert!(Header::parse(&[0xff; 64]).is_none());
        assert!(Header::parse(&[0; 64]).is_none());
    }
}
