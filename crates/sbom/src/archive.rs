//! The tar format, entry by entry, from a stream that is read once.
//!
//! [POSIX.1-2017, pax, "ustar Interchange Format" and "pax Header Block"](https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html),
//! with GNU's long names and base-256 numbers
//! ([GNU tar 1.35, "Basic Tar Format"](https://www.gnu.org/software/tar/manual/html_node/Standard.html)).
//!
//! The fields of a header are read by the `tar` crate. Walking from header to header is done here: that crate holds extended
//! headers of any length in memory, and this walk must not. Two readers that disagree on where an entry ends see different
//! packages, so a pax `size` counts for the entry that it precedes and nothing else does.

use std::io::{self, BufRead, Read};

use tar::{EntryType, Header, PaxExtensions};

use crate::Limits;

/// Reads the entries of one archive.
pub(crate) struct Archive<R> {
    reader: R,
    max_extended_header_bytes: u64,
    /// Bytes of the current entry that were not read, and the padding after them.
    left: u64,
    padding: u64,
    entries: u64,
}

/// One entry. Its content follows in the archive.
#[derive(Debug)]
pub(crate) struct ArchiveEntry {
    pub(crate) kind: EntryKind,
    /// As written, not cleaned.
    pub(crate) path: Vec<u8>,
    /// As written, for links.
    pub(crate) link: Vec<u8>,
    pub(crate) size: u64,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryKind {
    Directory,
    File,
    SparseFile,
    Symlink,
    Hardlink,
    Other,
}

/// Why an archive cannot be walked further.
#[derive(Debug)]
pub(crate) enum ArchiveError {
    Read(io::Error),
    /// A header's checksum or numbers are wrong.
    Header,
    ExtendedHeader {
        size: u64,
    },
}

impl From<io::Error> for ArchiveError {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

/// What extended headers say about the next entry.
#[derive(Default)]
struct Extended {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: bool,
}

impl<R: BufRead> Archive<R> {
    pub(crate) fn new(reader: R, limits: &Limits) -> Self {
        let max_extended_header_bytes = limits.max_extended_header_bytes;
        Self { reader, max_extended_header_bytes, left: 0, padding: 0, entries: 0 }
    }

    /// Headers read so far.
    pub(crate) fn entries(&self) -> u64 {
        self.entries
    }

    pub(crate) fn get_ref(&self) -> &R {
        &self.reader
    }

    pub(crate) fn into_inner(self) -> R {
        self.reader
    }

    /// The next entry, or none at the end: two blocks of zeros, one, or no more bytes, as writers differ.
    pub(crate) fn next_entry(&mut self) -> Result<Option<ArchiveEntry>, ArchiveError> {
        let mut extended = Extended::default();
        loop {
            self.skip_rest()?;
            let Some(block) = self.block()? else {
                return Ok(None);
            };
            let header = Header::from_byte_slice(&block);
            if !checksum_is_right(header) {
                return Err(ArchiveError::Header);
            }
            self.entries += 1;
            let size = header.entry_size().map_err(|_| ArchiveError::Header)?;
            match header.entry_type() {
                EntryType::GNULongName => extended.path = Some(without_nul(self.extended_header(size)?)),
                EntryType::GNULongLink => extended.link = Some(without_nul(self.extended_header(size)?)),
                EntryType::XHeader => read_pax(&self.extended_header(size)?, &mut extended)?,
                EntryType::XGlobalHeader => drop(self.extended_header(size)?),
                kind => return self.entry(header, kind, size, extended).map(Some),
            }
        }
    }

    fn entry(
        &mut self,
        header: &Header,
        kind: EntryType,
        size: u64,
        extended: Extended,
    ) -> Result<ArchiveEntry, ArchiveError> {
        if kind == EntryType::GNUSparse {
            self.skip_sparse_maps(header)?;
        }
        let size = extended.size.unwrap_or(size);
        let path = extended.path.unwrap_or_else(|| header.path_bytes().into_owned());
        let kind = match kind {
            EntryType::Regular | EntryType::Continuous if extended.sparse => EntryKind::SparseFile,
            // Before POSIX a directory was a file whose name ends with a slash.
            EntryType::Regular if path.ends_with(b"/") => EntryKind::Directory,
            EntryType::Regular | EntryType::Continuous => EntryKind::File,
            EntryType::GNUSparse => EntryKind::SparseFile,
            EntryType::Directory => EntryKind::Directory,
            EntryType::Symlink => EntryKind::Symlink,
            EntryType::Link => EntryKind::Hardlink,
            _ => EntryKind::Other,
        };
        // Links, directories and devices have no content, whatever the size field says; Go's archive/tar reads them so too.
        let has_content = !matches!(kind, EntryKind::Symlink | EntryKind::Hardlink | EntryKind::Directory)
            && !matches!(header.entry_type(), EntryType::Char | EntryType::Block | EntryType::Fifo);
        let size = if has_content { size } else { 0 };
        self.expect(size);
        let link = extended.link.or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned));
        Ok(ArchiveEntry { kind, path, link: link.unwrap_or_default(), size })
    }

    fn expect(&mut self, size: u64) {
        self.left = size;
        self.padding = (BLOCK - size % BLOCK) % BLOCK;
    }

    /// One header block; none at the end. A block that is cut short is an error.
    fn block(&mut self) -> Result<Option<[u8; BLOCK as usize]>, ArchiveError> {
        let mut block = [0; BLOCK as usize];
        let mut filled = 0;
        while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.reader.read(rest) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(block.iter().any(|byte| *byte != 0).then_some(block))
    }

    fn extended_header(&mut self, size: u64) -> Result<Vec<u8>, ArchiveError> {
        if size > self.max_extended_header_bytes {
            return Err(ArchiveError::ExtendedHeader { size });
        }
        self.expect(size);
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Old GNU sparse files have more maps in blocks between header and content.
    fn skip_sparse_maps(&mut self, header: &Header) -> Result<(), ArchiveError> {
        let mut more = header.as_gnu().is_some_and(tar::GnuHeader::is_extended);
        while more {
            let block = self.block()?.ok_or(ArchiveError::Header)?;
            // GnuExtSparseHeader: 21 maps of 24 bytes, then the flag.
            more = block.get(21 * 24) == Some(&1);
        }
        Ok(())
    }

    fn skip_rest(&mut self) -> io::Result<()> {
        let mut rest = self.left + self.padding;
        while rest > 0 {
            let available = match self.reader.fill_buf() {
                Ok([]) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(bytes) => bytes.len(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let skipped = available.min(usize::try_from(rest).unwrap_or(usize::MAX));
            self.reader.consume(skipped);
            rest -= skipped as u64;
        }
        (self.left, self.padding) = (0, 0);
        Ok(())
    }
}

/// Reads the current entry's content. Bytes that the header promised and the stream lacks are an error.
impl<R: BufRead> Read for Archive<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let want = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let count = self.reader.read(buffer.get_mut(..want).unwrap_or_default())?;
        if count == 0 && want > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= count as u64;
        Ok(count)
    }
}

/// The sum of all bytes with the checksum's own field read as spaces; old writers summed signed bytes.
fn checksum_is_right(header: &Header) -> bool {
    let Ok(wanted) = header.cksum() else { return false };
    let (bytes, field) = (header.as_bytes(), &header.as_old().cksum);
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    let spaces = u32::from(b' ') * field.len() as u32;
    if sum(bytes) - sum(field) + spaces == wanted {
        return true;
    }
    let signed = |bytes: &[u8]| bytes.iter().map(|byte| i64::from(byte.cast_signed())).sum::<i64>();
    signed(bytes) - signed(field) + i64::from(spaces) == i64::from(wanted)
}

fn without_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    bytes.truncate(end);
    bytes
}

fn read_pax(bytes: &[u8], extended: &mut Extended) -> Result<(), ArchiveError> {
    for record in PaxExtensions::new(bytes) {
        let record = record.map_err(|_| ArchiveError::Header)?;
        match record.key_bytes() {
            b"path" => extended.path = Some(record.value_bytes().to_vec()),
            b"linkpath" => extended.link = Some(record.value_bytes().to_vec()),
            b"size" => {
                let size = record.value().ok().and_then(|text| text.parse().ok());
                extended.size = Some(size.ok_or(ArchiveError::Header)?);
            }
            key if key.starts_with(b"GNU.sparse.") => {
                extended.sparse = true;
                if key == b"GNU.sparse.name" {
                    extended.path = Some(record.value_bytes().to_vec());
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Archives are made of blocks of this many bytes.
const BLOCK: u64 = 512;
