//! A blob for code that blocks: a task reads and checks it ahead, so that hashing what comes in and inflating it go on side by side.

use std::io::{self, Read};

use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;
use touchmark_registry::BlobReader;

/// Bytes read at once. tokio hands each read of a file to another thread, which pays from some tens of KiB on.
const CHUNK_BYTES: usize = 256 << 10;
/// Chunks that may wait to be used.
const WAITING_CHUNKS: usize = 4;

/// The bytes of a blob, with the error that ended it, if one did.
pub(crate) struct ReadAhead {
    chunks: mpsc::Receiver<io::Result<Vec<u8>>>,
    chunk: Vec<u8>,
    at: usize,
    is_ended: bool,
}

impl ReadAhead {
    /// Starts reading. Reading ends with the blob, or when nobody wants it any more.
    pub(crate) fn new(mut blob: BlobReader) -> Self {
        let (sender, chunks) = mpsc::channel(WAITING_CHUNKS);
        tokio::spawn(async move {
            loop {
                let mut chunk = Vec::with_capacity(CHUNK_BYTES);
                let read = blob.read_buf(&mut chunk).await;
                let is_last = !matches!(read, Ok(1..));
                if sender.send(read.map(|_| chunk)).await.is_err() || is_last {
                    return;
                }
            }
        });
        Self { chunks, chunk: Vec::new(), at: 0, is_ended: false }
    }
}

impl Read for ReadAhead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.chunk.len() && !self.is_ended {
            // An empty chunk is the end; a task that went away without one was cancelled.
            let next = self.chunks.blocking_recv();
            self.chunk = next.unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()))?;
            self.at = 0;
            self.is_ended = self.chunk.is_empty();
        }
        let mut rest = self.chunk.get(self.at..).unwrap_or_default();
        let count = Read::read(&mut rest, buffer)?;
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(blob: BlobReader) -> (Vec<u8>, Option<io::ErrorKind>) {
        let mut reader = ReadAhead::new(blob);
        let read = move || {
            let mut bytes = Vec::new();
            let error = reader.read_to_end(&mut bytes).err().map(|error| error.kind());
            (bytes, error)
        };
        tokio::task::spawn_blocking(read).await.unwrap()
    }

    #[tokio::test]
    async fn all_bytes_come_in_their_order() {
        let bytes: Vec<u8> = (0..3 * CHUNK_BYTES + 5).map(|n| (n % 251) as u8).collect();
        assert_eq!(read(Box::pin(io::Cursor::new(bytes.clone()))).await, (bytes, None));
        assert_eq!(read(Box::pin(tokio::io::empty())).await, (Vec::new(), None));
    }

    #[tokio::test]
    async fn an_error_comes_after_the_bytes_before_it() {
        let failing = begins_and_fails();
        let (bytes, error) = read(failing).await;
        assert_eq!((bytes.as_slice(), error), (b"begin".as_slice(), Some(io::ErrorKind::InvalidData)));
    }

    fn begins_and_fails() -> BlobReader {
        let (mut writer, reader) = tokio::io::duplex(64);
        tokio::spawn(async move {
            use tokio::io::AsyncWriteExt as _;
            let _ = writer.write_all(b"begin").await;
        });
        Box::pin(reader.chain(Failing))
    }

    struct Failing;

    impl tokio::io::AsyncRead for Failing {
        fn poll_read(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            _: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<io::Result<()>> {
            std::task::Poll::Ready(Err(io::ErrorKind::InvalidData.into()))
        }
    }
}
