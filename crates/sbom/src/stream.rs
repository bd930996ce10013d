//! A layer's bytes: decompressed, counted, bounded and hashed while they pass.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;
use touchmark_oci::{Algorithm, Digest};

use crate::digester::Digester;
use crate::{Compression, Limits, ScanError};

/// The uncompressed bytes of a layer, as a reader that fails when a limit is passed. They come in blocks, so that decoder and digest have
/// long runs to work on however short the reads are.
pub(crate) struct Uncompressed<R: Read> {
    inner: Decoder<R>,
    digester: Digester,
    /// The block that is being read, and how much of it has been.
    block: Arc<Vec<u8>>,
    at: usize,
    /// Blocks that may still be with the digester.
    spare: VecDeque<Arc<Vec<u8>>>,
    /// Uncompressed bytes, to the end of the block.
    bytes: u64,
    limits: Limits,
    stopped: Option<Stop>,
}

/// The limit that ended a stream.
#[derive(Debug, Clone, Copy)]
enum Stop {
    Size,
    Expansion,
}

type Source<R> = BufReader<Counted<Chain<Cursor<Vec<u8>>, R>>>;

enum Decoder<R: Read> {
    Plain(Source<R>),
    Gzip(Box<MultiGzDecoder<Source<R>>>),
    Zstd(zstd::stream::read::Decoder<'static, Source<R>>),
}

impl<R: Read> Uncompressed<R> {
    /// Starts reading. [`Compression::Detect`] looks at the first four bytes.
    pub(crate) fn new(
        mut reader: R,
        compression: Compression,
        limits: &Limits,
        algorithm: Algorithm,
    ) -> io::Result<Self> {
        let (head, compression) = match compression {
            Compression::Detect => {
                let mut head = Vec::with_capacity(4);
                reader.by_ref().take(4).read_to_end(&mut head)?;
                let found = detect(&head);
                (head, found)
            }
            named => (Vec::new(), named),
        };
        let source = Counted { inner: Cursor::new(head).chain(reader), bytes: 0 };
        let source = BufReader::with_capacity(BUFFER_BYTES, source);
        let inner = match compression {
            Compression::Gzip => Decoder::Gzip(Box::new(MultiGzDecoder::new(source))),
            Compression::Zstd => Decoder::Zstd(zstd::stream::read::Decoder::with_buffer(source)?),
            Compression::None | Compression::Detect => Decoder::Plain(source),
        };
        Ok(Self {
            inner,
            digester: Digester::new(algorithm),
            block: Arc::default(),
            at: 0,
            spare: VecDeque::new(),
            bytes: 0,
            limits: limits.clone(),
            stopped: None,
        })
    }

    /// Uncompressed bytes read so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes - (self.block.len() - self.at) as u64
    }

    /// Reads what is left, so that the digest covers it, and returns the digest of everything.
    pub(crate) fn finish(mut self) -> Result<(Digest, u64), ScanError> {
        loop {
            match self.fill_buf().map(<[u8]>::len) {
                Ok(0) => break,
                Ok(count) => self.consume(count),
                Err(error) => return Err(self.explain(error)),
            }
        }
        let bytes = self.bytes;
        let digest = self.digester.finish();
        let failed = || ScanError::Read { offset: bytes, source: io::ErrorKind::Other.into() };
        Ok((digest.ok_or_else(failed)?, bytes))
    }

    /// What a failed read means: a limit of ours, or the stream itself.
    pub(crate) fn explain(&self, source: io::Error) -> ScanError {
        match self.stopped {
            Some(Stop::Size) => ScanError::TooLarge { limit: self.limits.max_layer_bytes },
            Some(Stop::Expansion) => {
                ScanError::Expansion { limit: self.limits.max_expansion, bytes: self.bytes }
            }
            None => ScanError::Read { offset: self.bytes, source },
        }
    }

    fn compressed_bytes(&self) -> u64 {
        match &self.inner {
            Decoder::Plain(source) => source.get_ref().bytes,
            Decoder::Gzip(decoder) => decoder.get_ref().get_ref().bytes,
            Decoder::Zstd(decoder) => decoder.get_ref().get_ref().bytes,
        }
    }

    fn check_limits(&mut self) -> io::Result<()> {
        let free = self.bytes <= self.limits.free_bytes;
        if self.bytes > self.limits.max_layer_bytes {
            self.stopped = Some(Stop::Size);
        } else if !free && self.bytes / self.compressed_bytes().max(1) > self.limits.max_expansion {
            self.stopped = Some(Stop::Expansion);
        }
        match self.stopped {
            Some(_) => Err(io::Error::from(io::ErrorKind::QuotaExceeded)),
            None => Ok(()),
        }
    }
}

impl<R: Read> Uncompressed<R> {
    /// Makes the next block. At the end it is empty.
    fn advance(&mut self) -> io::Result<()> {
        // A block that was hashed is used again.
        let is_free = |block: &mut Arc<Vec<u8>>| Arc::get_mut(block).is_some();
        let mut next = match self.spare.front_mut().is_some_and(is_free) {
            true => self.spare.pop_front().unwrap_or_default(),
            false => Arc::default(),
        };
        let filled = match Arc::get_mut(&mut next) {
            Some(buffer) => self.fill(buffer),
            None => Ok(()),
        };
        self.spare.push_back(std::mem::replace(&mut self.block, next));
        self.at = 0;
        filled?;
        if !self.block.is_empty() {
            self.digester.update(&self.block);
        }
        Ok(())
    }

    /// What was decoded before an error counts as read, so that the error says how far it came.
    fn fill(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
        buffer.resize(BUFFER_BYTES, 0);
        let mut filled = 0;
        let ended = loop {
            let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) else { break Ok(()) };
            let count = match &mut self.inner {
                Decoder::Plain(source) => source.read(rest),
                Decoder::Gzip(decoder) => decoder.read(rest),
                Decoder::Zstd(decoder) => decoder.read(rest),
            };
            match count {
                Ok(0) => break Ok(()),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        buffer.truncate(filled);
        self.bytes += filled as u64;
        ended?;
        self.check_limits()
    }
}

impl<R: Read> BufRead for Uncompressed<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.block.len() {
            self.advance()?;
        }
        Ok(self.block.get(self.at..).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.at = self.at.saturating_add(count).min(self.block.len());
    }
}

impl<R: Read> Read for Uncompressed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

/// By magic number: [RFC 1952, §2.3.1](https://www.rfc-editor.org/rfc/rfc1952#section-2.3.1),
/// [RFC 8878, §3.1.1](https://www.rfc-editor.org/rfc/rfc8878#section-3.1.1).
fn detect(head: &[u8]) -> Compression {
    match head {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd] => Compression::Zstd,
        _ => Compression::None,
    }
}

struct Counted<R> {
    inner: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.bytes += count as u64;
        Ok(count)
    }
}

const BUFFER_BYTES: usize = 128 << 10;
