//! A reader that can look ahead, counts what has passed, and goes forward only.

use std::io::{self, BufRead, Read};

/// Remembers the stream's own failure, which is not the archive's.
pub(crate) struct Watched<R> {
    inner: R,
    failure: Option<io::Error>,
}

impl<R: Read> Watched<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, failure: None }
    }

    /// # Errors
    /// The stream failed.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.failure.map_or(Ok(()), Err)
    }
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).map_err(|error| {
            let kind = error.kind();
            if kind != io::ErrorKind::Interrupted {
                self.failure = Some(error);
            }
            kind.into()
        })
    }
}

/// Bytes on their way. Memory is one window of [`WINDOW_BYTES`].
pub(crate) struct Input<'a> {
    inner: &'a mut (dyn Read + 'a),
    buffer: Vec<u8>,
    start: usize,
    position: u64,
    is_ended: bool,
}

impl<'a> Input<'a> {
    pub(crate) fn new(inner: &'a mut (dyn Read + 'a)) -> Self {
        Self { inner, buffer: Vec::with_capacity(WINDOW_BYTES), start: 0, position: 0, is_ended: false }
    }

    /// Bytes that were consumed.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// What comes next: at least `wanted` bytes, which are no more than [`WINDOW_BYTES`]; fewer at the end only.
    pub(crate) fn peek(&mut self, wanted: usize) -> io::Result<&[u8]> {
        if self.buffered().len() < wanted && !self.is_ended {
            self.buffer.drain(..self.start);
            self.start = 0;
            let room = WINDOW_BYTES.saturating_sub(self.buffer.len());
            let read = self.inner.take(room as u64).read_to_end(&mut self.buffer)?;
            self.is_ended = read < room;
        }
        Ok(self.buffered())
    }

    fn buffered(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// The next bytes, as a record of fixed length.
    pub(crate) fn record<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut record = [0; N];
        self.read_exact(&mut record)?;
        Ok(record)
    }

    /// The next bytes, as many as a 16-bit number says.
    pub(crate) fn bytes(&mut self, count: u16) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::from(count)];
        self.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Passes over so many bytes.
    pub(crate) fn skip(&mut self, mut count: u64) -> io::Result<()> {
        while count > 0 {
            let available = self.fill_buf()?.len();
            if available == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let step = usize::try_from(count).unwrap_or(usize::MAX).min(available);
            self.consume(step);
            count -= step as u64;
        }
        Ok(())
    }
}

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Input<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.peek(1)
    }

    fn consume(&mut self, count: usize) {
        let count = count.min(self.buffered().len());
        self.start += count;
        self.position += count as u64;
    }
}

/// Bytes held at a time.
pub(crate) const WINDOW_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_ahead_consumes_nothing() {
        let bytes: Vec<u8> = (0..200_000_u32).map(|n| n as u8).collect();
        let mut source = bytes.as_slice();
        let mut input = Input::new(&mut source);
        assert_eq!(input.peek(10).unwrap()[..10], bytes[..10]);
        input.skip(65_530).unwrap();
        assert_eq!(input.peek(20).unwrap()[..20], bytes[65_530..65_550]);
        assert_eq!(input.record::<2>().unwrap(), [bytes[65_530], bytes[65_531]]);
        assert_eq!(input.position(), 65_532);
        input.skip(134_468).unwrap();
        assert!(input.peek(1).unwrap().is_empty());
        assert_eq!(input.skip(1).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
