//! Hash tables of Berkeley DB, in `Packages`, as Red Hat had them up to Enterprise Linux 8
//! (Berkeley DB 5.3, `dbinc/db_page.h`: the format has no other description).
//!
//! The first page tells the size of pages and their number. Pages of the hash table hold pairs of a key and a value; long values
//! are in chains of overflow pages. All pages are looked at, so the buckets do not matter, and each overflow page is read at
//! most once, so a circle ends.

use super::Database;

/// The magic number of hash tables, at byte 12, in the byte order of the machine that wrote it.
const MAGIC: u32 = 0x0006_1561;
const PAGE_HEADER_BYTES: usize = 26;

/// How numbers are written.
#[derive(Debug, Clone, Copy)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn of(bytes: &[u8]) -> Option<Self> {
        [Self::Little, Self::Big].into_iter().find(|order| order.long(bytes, 12) == Some(MAGIC))
    }

    fn long(self, bytes: &[u8], at: usize) -> Option<u32> {
        let field = *bytes.get(at..)?.first_chunk::<4>()?;
        Some(match self {
            Self::Little => u32::from_le_bytes(field),
            Self::Big => u32::from_be_bytes(field),
        })
    }

    fn short(self, bytes: &[u8], at: usize) -> Option<usize> {
        let field = *bytes.get(at..)?.first_chunk::<2>()?;
        Some(usize::from(match self {
            Self::Little => u16::from_le_bytes(field),
            Self::Big => u16::from_be_bytes(field),
        }))
    }
}

/// Whether these are the first bytes of a hash table.
pub(super) fn is_table(bytes: &[u8]) -> bool {
    Order::of(bytes).is_some()
}

/// Reads all packages. Pages and values that make no sense make the database malformed; the others are read.
pub(super) fn read(bytes: &[u8], database: &mut Database) {
    let Some(mut table) = Table::open(bytes) else {
        return database.malformed();
    };
    if bytes.len() < table.page_bytes * table.seen.len() {
        database.malformed();
    }
    for number in 1..table.seen.len() {
        if table.hash_page(number, database).is_none() {
            database.malformed();
        }
    }
}

struct Table<'a> {
    bytes: &'a [u8],
    order: Order,
    page_bytes: usize,
    /// Which overflow pages were read; as long as the table has pages.
    seen: Vec<bool>,
}

impl<'a> Table<'a> {
    /// Reads the first page; none if it makes no sense, or if the table is encrypted or has checksums, which rpm never asked for.
    fn open(bytes: &'a [u8]) -> Option<Self> {
        let order = Order::of(bytes)?;
        let page_bytes = usize::try_from(order.long(bytes, 20)?).ok()?;
        let (encryption, flags) = (bytes.get(24)?, bytes.get(26)?);
        // `DB_MIN_PGSIZE` and `DB_MAX_PGSIZE`.
        if !(512..=65_536).contains(&page_bytes) || *encryption != 0 || flags & 1 != 0 {
            return None;
        }
        let last = usize::try_from(order.long(bytes, 32)?).ok()?;
        // No more pages than there are bytes for, and one, so that a table that was cut short is known as such.
        let pages = last.saturating_add(1).min(bytes.len() / page_bytes + 1);
        Some(Self { bytes, order, page_bytes, seen: vec![false; pages] })
    }

    fn page(&self, number: usize) -> Option<&'a [u8]> {
        let start = number.checked_mul(self.page_bytes)?;
        self.bytes.get(start..start.checked_add(self.page_bytes)?)
    }

    /// Reads the values of one page, if it is of the hash table.
    fn hash_page(&mut self, number: usize, database: &mut Database) -> Option<()> {
        const HASH_UNSORTED: u8 = 2;
        const HASH: u8 = 13;
        let page = self.page(number)?;
        if !matches!(*page.get(25)?, HASH_UNSORTED | HASH) {
            return Some(());
        }
        let entries = self.order.short(page, 20)?;
        // Items grow from the page's end down, each ending where the one before starts.
        let mut ends = self.page_bytes;
        for index in 0..entries {
            let starts = self.order.short(page, PAGE_HEADER_BYTES + 2 * index)?;
            let item = page.get(starts..ends)?;
            ends = starts;
            // Keys and values take turns.
            if index % 2 == 1 {
                match self.value(item) {
                    // Under the key 0 stands the number that the next package will have.
                    Some(value) if value.len() <= 4 => {}
                    Some(value) => database.add(&value),
                    None => database.malformed(),
                }
            }
        }
        Some(())
    }

    /// A value that stands in its page, or in a chain of overflow pages.
    fn value(&mut self, item: &'a [u8]) -> Option<std::borrow::Cow<'a, [u8]>> {
        const ON_PAGE: u8 = 1;
        const OFF_PAGE: u8 = 3;
        match *item.first()? {
            ON_PAGE => Some(item.get(1..)?.into()),
            OFF_PAGE => {
                let first = self.order.long(item, 4)?;
                let length = usize::try_from(self.order.long(item, 8)?).ok()?;
                Some(self.overflow(first, length)?.into())
            }
            _ => None,
        }
    }

    fn overflow(&mut self, first: u32, length: usize) -> Option<Vec<u8>> {
        const OVERFLOW: u8 = 7;
        let mut value = Vec::new();
        let mut next = first;
        while value.len() < length {
            let number = usize::try_from(next).ok()?;
            if std::mem::replace(self.seen.get_mut(number)?, true) {
                return None;
            }
            let page = self.page(number)?;
            if *page.get(25)? != OVERFLOW {
                return None;
            }
            let used = self.order.short(page, 22)?;
            value.extend_from_slice(page.get(PAGE_HEADER_BYTES..)?.get(..used)?);
            next = self.order.long(page, 16)?;
        }
        (value.len() == length).then_some(value)
    }
}
