//! A layer's bytes: decompressed, counted, bounded and hashed while they pass.

use std::io::{self, BufReader, Chain, Cursor, Read};

use flate2::bufread::MultiGzDecoder;
use touchmark_oci::{Algorithm, Digest, Hasher};

use crate::{Compression, Limits, ScanError};

/// The uncompressed bytes of a layer, as a reader that fails when a limit is passed.
pub(crate) struct Uncompressed<R: Read> {
    inner: Decoder<R>,
    hasher: Hasher,
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
        Ok(Self { inner, hasher: Hasher::new(algorithm), bytes: 0, limits: limits.clone(), stopped: None })
    }

    /// Uncompressed bytes so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads what is left, so that the digest covers it, and returns the digest of everything.
    pub(crate) fn finish(mut self) -> Result<(Digest, u64), ScanError> {
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            match self.read(&mut buffer) {
                Ok(0) => return Ok((self.hasher.finish(), self.bytes)),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.explain(error)),
            }
        }
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

impl<R: Read> Read for Uncompressed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.inner {
            Decoder::Plain(source) => source.read(buffer),
            Decoder::Gzip(decoder) => decoder.read(buffer),
            Decoder::Zstd(decoder) => decoder.read(buffer),
        }?;
        self.bytes += count as u64;
        self.check_limits()?;
        self.hasher.update(buffer.get(..count).unwrap_or_default());
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
