//! Tables of an `SQLite` database, read from its bytes
//! ([Database File Format](https://www.sqlite.org/fileformat2.html), for `SQLite` 3).
//!
//! Only what an inventory needs: all rows of one table, in the order of the tree. No indexes, no queries, no write-ahead log: what
//! stands in a log beside the file is not seen. Each page is read at most once, so a circle of pages ends.

use std::borrow::Cow;

/// A database that starts as one.
pub(crate) struct Sqlite<'a> {
    bytes: &'a [u8],
    page_bytes: usize,
    /// Bytes of a page that are in use: extensions may reserve some at its end (§1.3.4).
    usable: usize,
}

/// One value of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Integer(i64),
    Real,
    Text(&'a [u8]),
    Blob(&'a [u8]),
}

impl<'a> Value<'a> {
    pub(crate) fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(bytes) => Some(String::from_utf8_lossy(bytes)),
            _ => None,
        }
    }

    pub(crate) fn integer(self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(number),
            _ => None,
        }
    }
}

/// Whether a table could be read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Every page was there and made sense.
    Whole,
    /// Pages were missing, in a circle, or nonsense. The rows on the others were read.
    Partial,
}

impl<'a> Sqlite<'a> {
    /// The first bytes of every database.
    pub(crate) const MAGIC: &'static [u8] = b"SQLite format 3\0";

    /// Reads the file's header (§1.3); none if it is not one.
    pub(crate) fn open(bytes: &'a [u8]) -> Option<Self> {
        bytes.strip_prefix(Self::MAGIC)?;
        let page_bytes = match big_endian(bytes, 16, 2)? {
            1 => 65_536,
            size => usize::try_from(size).ok()?,
        };
        let usable = page_bytes.checked_sub(usize::from(*bytes.get(20)?))?;
        // §1.3.2 and §1.3.4: a power of two from 512, of which at least 480 bytes are used.
        (page_bytes.is_power_of_two() && page_bytes >= 512 && usable >= 480).then_some(Self {
            bytes,
            page_bytes,
            usable,
        })
    }

    /// Whether the file has as many pages as its header says (§1.3.7); older versions left the count at zero.
    pub(crate) fn is_whole(&self) -> bool {
        let pages = big_endian(self.bytes, 28, 4).unwrap_or_default();
        self.bytes.len() as u64 >= pages.saturating_mul(self.page_bytes as u64)
    }

    /// Calls `row` with the number and the values of each row of a table. None if there is no such table.
    pub(crate) fn for_each_row(
        &self,
        table: &str,
        mut row: impl FnMut(i64, &[Value<'_>]),
    ) -> Option<Reading> {
        let mut root = None;
        // §2.6: the schema is a table on page 1: type, name, tbl_name, rootpage, sql.
        let schema = self.walk(1, &mut |_, values| {
            if let [kind, name, _, page, ..] = values {
                let is_table = kind.text().is_some_and(|kind| kind == "table");
                if is_table && name.text().is_some_and(|name| name == table) {
                    root = page.integer().and_then(|page| u32::try_from(page).ok());
                }
            }
        });
        match root {
            Some(root) => Some(self.walk(root, &mut row)),
            None if schema == Reading::Partial => Some(Reading::Partial),
            None => None,
        }
    }

    /// Visits the pages of a table's tree from its root (§1.6), left to right.
    fn walk(&self, root: u32, row: &mut dyn FnMut(i64, &[Value<'_>])) -> Reading {
        let mut walk = Walk {
            database: self,
            seen: vec![false; self.pages()],
            rest: self.bytes.len(),
            row,
            reading: Reading::Whole,
        };
        let mut open = vec![root];
        while let Some(number) = open.pop() {
            match walk.page(number) {
                Some(children) => open.extend(children.into_iter().rev()),
                None => walk.reading = Reading::Partial,
            }
        }
        walk.reading
    }

    fn pages(&self) -> usize {
        self.bytes.len().div_ceil(self.page_bytes)
    }

    /// The bytes of a page; pages are counted from 1.
    fn page(&self, number: u32) -> Option<&'a [u8]> {
        let start = usize::try_from(number).ok()?.checked_sub(1)?.checked_mul(self.page_bytes)?;
        self.bytes.get(start..start.checked_add(self.usable)?)
    }
}

/// One walk through a tree.
struct Walk<'d, 'a, 'r> {
    database: &'d Sqlite<'a>,
    seen: Vec<bool>,
    /// Bytes of rows still to come: rows do not overlap, so all together they are no longer than the file.
    rest: usize,
    row: &'r mut dyn FnMut(i64, &[Value<'_>]),
    reading: Reading,
}

impl<'a> Walk<'_, 'a, '_> {
    /// The bytes of a page that was not read before.
    fn fresh_page(&mut self, number: u32) -> Option<&'a [u8]> {
        let seen = self.seen.get_mut(usize::try_from(number).ok()?.checked_sub(1)?)?;
        if std::mem::replace(seen, true) {
            return None;
        }
        self.database.page(number)
    }

    /// Reads one page: its rows if it is a leaf, or else the numbers of the pages below it.
    fn page(&mut self, number: u32) -> Option<Vec<u32>> {
        const INTERIOR: u8 = 5;
        const LEAF: u8 = 13;
        let page = self.fresh_page(number)?;
        // The file's header stands before that of the first page.
        let header = if number == 1 { 100 } else { 0 };
        let kind = *page.get(header)?;
        let cells = usize::try_from(big_endian(page, header + 3, 2)?).ok()?;
        let pointers = header + if kind == INTERIOR { 12 } else { 8 };
        let cell =
            |index: usize| big_endian(page, pointers + 2 * index, 2).and_then(|at| usize::try_from(at).ok());
        match kind {
            INTERIOR => {
                let left = (0..cells).map(|index| page_number(page, cell(index)?));
                let mut children = left.collect::<Option<Vec<_>>>()?;
                children.push(page_number(page, header + 8)?);
                Some(children)
            }
            LEAF => {
                for index in 0..cells {
                    if cell(index).and_then(|at| self.cell(page, at)).is_none() {
                        self.reading = Reading::Partial;
                    }
                }
                Some(Vec::new())
            }
            _ => None,
        }
    }

    /// One cell of a leaf: length, row number, and the row, which may go on in overflow pages.
    fn cell(&mut self, page: &'a [u8], at: usize) -> Option<()> {
        let (length, at) = varint(page, at)?;
        let (number, at) = varint(page, at)?;
        let length = usize::try_from(length).ok()?;
        self.rest = self.rest.checked_sub(length)?;
        let local = self.local_bytes(length);
        let start = page.get(at..at.checked_add(local)?)?;
        let payload = if local == length {
            Cow::Borrowed(start)
        } else {
            Cow::Owned(self.overflow(start, page_number(page, at + local)?, length)?)
        };
        (self.row)(number.cast_signed(), &values(&payload)?);
        Some(())
    }

    /// How many bytes of a row stand in the leaf (§1.6, "Let X be U-35").
    fn local_bytes(&self, length: usize) -> usize {
        let usable = self.database.usable;
        if length <= usable - 35 {
            return length;
        }
        let least = (usable - 12) * 32 / 255 - 23;
        let fitting = least + (length - least) % (usable - 4);
        if fitting <= usable - 35 { fitting } else { least }
    }

    /// Puts a row together from its start and its chain of overflow pages (§1.7).
    fn overflow(&mut self, start: &[u8], first: u32, length: usize) -> Option<Vec<u8>> {
        let mut payload = start.to_vec();
        let mut next = first;
        while payload.len() < length {
            let page = self.fresh_page(next)?;
            next = page_number(page, 0)?;
            let rest = page.get(4..)?;
            payload.extend_from_slice(rest.get(..length - payload.len()).unwrap_or(rest));
        }
        Some(payload)
    }
}

/// The values of a row (§2.1).
fn values(payload: &[u8]) -> Option<Vec<Value<'_>>> {
    let (header_bytes, mut at) = varint(payload, 0)?;
    let header_bytes = usize::try_from(header_bytes).ok()?;
    let mut body = payload.get(header_bytes..)?;
    let mut values = Vec::new();
    while at < header_bytes {
        let (kind, next) = varint(payload, at)?;
        at = next;
        let (value, rest) = value(kind, body)?;
        values.push(value);
        body = rest;
    }
    Some(values)
}

/// One value by its serial type, and what follows it.
fn value(kind: u64, body: &[u8]) -> Option<(Value<'_>, &[u8])> {
    let length = match kind {
        0 | 8 | 9 => 0,
        1..=4 => kind,
        5 => 6,
        6 | 7 => 8,
        10 | 11 => return None,
        _ => (kind - 12) / 2,
    };
    let (field, rest) = body.split_at_checked(usize::try_from(length).ok()?)?;
    let value = match kind {
        0 => Value::Null,
        1..=6 => Value::Integer(signed(field)),
        7 => Value::Real,
        8 => Value::Integer(0),
        9 => Value::Integer(1),
        _ if kind.is_multiple_of(2) => Value::Blob(field),
        _ => Value::Text(field),
    };
    Some((value, rest))
}

/// A big-endian number in two's complement.
fn signed(field: &[u8]) -> i64 {
    let start = if field.first().is_some_and(|byte| byte & 0x80 != 0) { -1 } else { 0 };
    field.iter().fold(start, |sum: i64, byte| sum << 8 | i64::from(*byte))
}

/// A number of one to nine bytes, seven bits in each but the ninth, and where it ends (§1.6).
fn varint(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut number = 0_u64;
    for index in 0..8 {
        let byte = *bytes.get(at + index)?;
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((number, at + index + 1));
        }
    }
    Some((number << 8 | u64::from(*bytes.get(at + 8)?), at + 9))
}

fn big_endian(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let field = bytes.get(at..at.checked_add(width)?)?;
    Some(field.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

fn page_number(bytes: &[u8], at: usize) -> Option<u32> {
    u32::try_from(big_endian(bytes, at, 4)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A database of two pages of 512 bytes: the schema with one table, and that table with one row.
    fn database(row: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 1024];
        bytes[..16].copy_from_slice(Sqlite::MAGIC);
        bytes[16..18].copy_from_slice(&512_u16.to_be_bytes());
        bytes[28..32].copy_from_slice(&2_u32.to_be_bytes());
        leaf(&mut bytes, 100, 400, b"\x11\x01\x06\x17\x0f\x0f\x01\x00tablett\x02");
        leaf(&mut bytes, 512, 400, row);
        bytes
    }

    fn leaf(bytes: &mut [u8], header: usize, cell: u16, content: &[u8]) {
        bytes[header] = 13;
        bytes[header + 4] = 1;
        bytes[header + 8..header + 10].copy_from_slice(&cell.to_be_bytes());
        let start = header / 512 * 512 + usize::from(cell);
        bytes[start..start + content.len()].copy_from_slice(content);
    }

    fn rows(bytes: &[u8]) -> (Option<Reading>, Vec<(i64, String)>) {
        let mut found = Vec::new();
        let reading = Sqlite::open(bytes).unwrap().for_each_row("t", |number, values| {
            found.push((number, format!("{values:?}")));
        });
        (reading, found)
    }

    #[test]
    fn a_row_has_its_number_and_values() {
        let (reading, found) = rows(&database(b"\x0a\x07\x06\x00\x01\x09\x0f\x10\xffa\x05\x06"));
        assert_eq!(reading, Some(Reading::Whole));
        assert_eq!(found, [(7, "[Null, Integer(-1), Integer(1), Text([97]), Blob([5, 6])]".to_owned())]);
    }

    #[test]
    fn a_table_that_is_not_there_is_none() {
        let bytes = database(b"\x02\x07\x02\x00");
        assert_eq!(Sqlite::open(&bytes).unwrap().for_each_row("other", |_, _| {}), None);
    }

    #[test]
    fn a_row_that_leaves_its_page_makes_the_reading_partial() {
        assert_eq!(rows(&database(b"\x70\x07\x02\x00")), (Some(Reading::Partial), Vec::new()));
    }

    #[test]
    fn a_circle_of_pages_ends() {
        let mut bytes = database(b"\x02\x07\x02\x00");
        bytes[512] = 5;
        bytes[512 + 4] = 0;
        bytes[512 + 8..512 + 12].copy_from_slice(&2_u32.to_be_bytes());
        assert_eq!(rows(&bytes), (Some(Reading::Partial), Vec::new()));
    }

    #[test]
    fn rows_that_share_their_bytes_do_not_multiply() {
        let mut bytes = database(b"\x70\x07\x02\x0c");
        bytes[512 + 3..512 + 5].copy_from_slice(&100_u16.to_be_bytes());
        for cell in 0..100 {
            bytes[512 + 8 + 2 * cell..512 + 10 + 2 * cell].copy_from_slice(&250_u16.to_be_bytes());
        }
        bytes[512 + 250..512 + 254].copy_from_slice(b"\x70\x07\x02\x0c");
        let (reading, found) = rows(&bytes);
        assert_eq!((reading, found.len()), (Some(Reading::Partial), 9));
    }

    #[test]
    fn a_file_that_was_cut_short_is_not_whole() {
        let mut bytes = database(b"\x02\x07\x02\x00");
        assert!(Sqlite::open(&bytes).unwrap().is_whole());
        bytes.truncate(600);
        assert!(!Sqlite::open(&bytes).unwrap().is_whole());
        assert_eq!(rows(&bytes).0, Some(Reading::Partial));
    }

    #[test]
    fn nonsense_about_pages_is_no_database() {
        let mut bytes = database(b"");
        bytes[16..18].copy_from_slice(&511_u16.to_be_bytes());
        assert!(Sqlite::open(&bytes).is_none());
        assert!(Sqlite::open(b"SQLite").is_none());
    }

    #[test]
    fn long_numbers_have_nine_bytes() {
        assert_eq!(varint(&[0xff; 9], 0), Some((u64::MAX, 9)));
        assert_eq!(varint(&[0x81, 0x00], 0), Some((128, 2)));
        assert_eq!(varint(&[0x81], 0), None);
    }
}
