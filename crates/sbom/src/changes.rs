//! The list of what one layer does, in the order of its entries, held compactly.
//!
//! Every entry is needed when layers are put on top of each other: a plain file that nobody reads may replace a directory
//! of packages, and a name may lead through a symbolic link that only a lower layer has. So the list keeps all paths, each
//! as the number of bytes it shares with the one before and the bytes that differ: about a dozen bytes per file of a real layer.

use crate::gap::GapReason;

/// What an entry does at its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change<'a> {
    /// A directory, which leaves an existing one as it is.
    Directory,
    /// Anything else whose content does not matter.
    Other,
    /// A file that was kept; its number among the kept ones.
    Kept(usize),
    /// A symbolic link.
    Symlink(&'a str),
    /// A hard link.
    Hardlink(&'a str),
    /// What lower layers have at this path is gone.
    Whiteout,
    /// What lower layers have in this directory is gone.
    Opaque,
}

/// The list.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    bytes: Vec<u8>,
    last_path: String,
    count: u64,
}

impl Changes {
    /// Adds one entry at a clean path.
    pub(crate) fn push(&mut self, path: &str, change: Change<'_>) {
        let shared = shared_prefix(&self.last_path, path);
        let (kind, extra) = match change {
            Change::Directory => (0, None),
            Change::Other => (1, None),
            Change::Kept(index) => {
                self.head(2, path, shared);
                self.number(index);
                return;
            }
            Change::Symlink(target) => (3, Some(target)),
            Change::Hardlink(target) => (4, Some(target)),
            Change::Whiteout => (5, None),
            Change::Opaque => (6, None),
        };
        self.head(kind, path, shared);
        if let Some(target) = extra {
            self.text(target);
        }
    }

    fn head(&mut self, kind: u8, path: &str, shared: usize) {
        self.count += 1;
        self.bytes.push(kind);
        self.number(shared);
        self.text(path.get(shared..).unwrap_or_default());
        self.last_path.truncate(shared);
        self.last_path.push_str(path.get(shared..).unwrap_or_default());
    }

    /// Little-endian base 128.
    fn number(&mut self, mut value: usize) {
        while value >= 0x80 {
            self.bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    fn text(&mut self, text: &str) {
        self.number(text.len());
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// Bytes that the list takes.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// How many entries there are.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Calls `visit` with each entry, in order.
    pub(crate) fn for_each(
        &self,
        mut visit: impl FnMut(&str, Change<'_>) -> Result<(), GapReason>,
    ) -> Vec<(String, GapReason)> {
        let mut gaps = Vec::new();
        let mut reader = Reader { rest: &self.bytes };
        let mut path = String::new();
        while let Some(kind) = reader.byte() {
            path.truncate(reader.number());
            path.push_str(reader.text());
            let change = match kind {
                0 => Change::Directory,
                2 => Change::Kept(reader.number()),
                3 => Change::Symlink(reader.text()),
                4 => Change::Hardlink(reader.text()),
                5 => Change::Whiteout,
                6 => Change::Opaque,
                _ => Change::Other,
            };
            if let Err(reason) = visit(&path, change) {
                gaps.push((path.clone(), reason));
            }
        }
        gaps
    }
}

/// Bytes that two texts begin with alike, cut back to a character's border.
fn shared_prefix(left: &str, right: &str) -> usize {
    let mut shared = left.bytes().zip(right.bytes()).take_while(|(a, b)| a == b).count();
    while !right.is_char_boundary(shared) || !left.is_char_boundary(shared) {
        shared -= 1;
    }
    shared
}

/// Reads what [`Changes`] itself wrote, so malformed bytes cannot occur; they would read as empty.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn number(&mut self) -> usize {
        let (mut value, mut shift) = (0, 0);
        while let Some(byte) = self.byte() {
            value |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                break;
            }
        }
        value
    }

    fn text(&mut self) -> &'a str {
        let length = self.number();
        let (text, rest) = self.rest.split_at_checked(length).unwrap_or_default();
        self.rest = rest;
        std::str::from_utf8(text).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(changes: &Changes) -> Vec<(String, String)> {
        let mut all = Vec::new();
        changes.for_each(|path, change| {
            all.push((path.to_owned(), format!("{change:?}")));
            Ok(())
        });
        all
    }

    #[test]
    fn entries_come_back_in_order() {
        let mut changes = Changes::default();
        let entries = [
            ("usr", Change::Directory),
            ("usr/lib/libc.so", Change::Symlink("libc.so.6")),
            ("usr/lib/libé.so", Change::Kept(300)),
            ("usr/lib/libè.so", Change::Hardlink("usr/lib/libé.so")),
            ("usr/x", Change::Whiteout),
            ("", Change::Opaque),
        ];
        for (path, change) in entries {
            changes.push(path, change);
        }
        let expected: Vec<_> = entries.map(|(p, c)| (p.to_owned(), format!("{c:?}"))).to_vec();
        assert_eq!(read(&changes), expected);
        assert_eq!(changes.count(), 6);
    }

    #[test]
    fn long_common_paths_cost_little() {
        let mut changes = Changes::default();
        for n in 0..1000 {
            changes.push(&format!("usr/share/a/rather/long/directory/name/file{n:04}"), Change::Other);
        }
        assert!(changes.size() < 7_000, "{}", changes.size());
    }

    proptest! {
        #[test]
        fn any_paths_come_back(paths in proptest::collection::vec("\\PC{0,20}", 0..20)) {
            let mut changes = Changes::default();
            for path in &paths {
                changes.push(path, Change::Other);
            }
            let back: Vec<String> = read(&changes).into_iter().map(|(path, _)| path).collect();
            prop_assert_eq!(back, paths);
        }
    }
}
