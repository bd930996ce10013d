//! Streams that end in an error if they are not what was asked for.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};
use touchmark_oci::{ContentError, Descriptor, Digest, Hasher};

use crate::{Direction, Progress, Transfer};

/// Reads a blob and hashes it on the way. The last bytes are handed out only once the digest of all of them matches, and a
/// stream that is too short or goes on for too long ends in [`io::ErrorKind::InvalidData`] with a [`ContentError`] in it.
pub(crate) struct CheckedReader<R> {
    inner: R,
    digest: Digest,
    size: u64,
    done: u64,
    hasher: Option<Hasher>,
    /// What was wrong, once something was: nothing that follows can make it right.
    failed: Option<ContentError>,
    progress: Option<Arc<dyn Progress>>,
}

impl<R: AsyncRead + Unpin> CheckedReader<R> {
    pub(crate) fn new(inner: R, blob: &Descriptor, progress: Option<Arc<dyn Progress>>) -> Self {
        let hasher = Some(Hasher::new(blob.digest.algorithm()));
        Self { inner, digest: blob.digest.clone(), size: blob.size, done: 0, hasher, failed: None, progress }
    }

    fn take_in(&mut self, bytes: &[u8]) -> Result<(), ContentError> {
        self.done = self.done.saturating_add(bytes.len() as u64);
        if self.done > self.size {
            return Err(self.wrong_size());
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
        if self.done == self.size { self.check_digest() } else { Ok(()) }
    }

    fn check_digest(&mut self) -> Result<(), ContentError> {
        let Some(hasher) = self.hasher.take() else {
            return Ok(());
        };
        let found = hasher.finish();
        if found == self.digest {
            return Ok(());
        }
        Err(ContentError::Digest { found, wanted: self.digest.clone() })
    }

    fn end(&mut self) -> Result<(), ContentError> {
        if self.done < self.size {
            return Err(self.wrong_size());
        }
        self.check_digest()
    }

    fn wrong_size(&self) -> ContentError {
        ContentError::Size { digest: self.digest.clone(), found: self.done, wanted: self.size }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for CheckedReader<R> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(error) = &this.failed {
            return Poll::Ready(Err(invalid_data(error.clone())));
        }
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(cx, buf))?;
        let new = buf.filled().get(before..).unwrap_or_default();
        let checked = if new.is_empty() { this.end() } else { this.take_in(new) };
        if let Err(error) = checked {
            buf.set_filled(before);
            this.failed = Some(error.clone());
            return Poll::Ready(Err(invalid_data(error)));
        }
        if let Some(progress) = &this.progress
            && buf.filled().len() > before
        {
            progress.advanced(&Transfer {
                digest: &this.digest,
                direction: Direction::Fetch,
                done: this.done,
                total: this.size,
            });
        }
        Poll::Ready(Ok(()))
    }
}

fn invalid_data(error: ContentError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// The difference that a [`CheckedReader`] found, out of an error of one.
pub(crate) fn content_error(error: &io::Error) -> Option<&ContentError> {
    error.get_ref()?.downcast_ref()
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    async fn read(described: &[u8], sent: &'static [u8]) -> Result<Vec<u8>, ContentError> {
        let mut reader = CheckedReader::new(sent, &Descriptor::of("a/b", described), None);
        let mut bytes = Vec::new();
        match reader.read_to_end(&mut bytes).await {
            Ok(_) => Ok(bytes),
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::InvalidData);
                assert!(
                    reader.read(&mut [0; 1]).await.is_err(),
                    "an error must not be followed by a clean end"
                );
                Err(content_error(&error).unwrap().clone())
            }
        }
    }

    #[tokio::test]
    async fn bytes_that_match_pass() {
        assert_eq!(read(b"hello", b"hello").await.unwrap(), b"hello");
        assert_eq!(read(b"", b"").await.unwrap(), b"");
    }

    #[tokio::test]
    async fn a_short_stream_is_no_clean_end() {
        assert!(matches!(read(b"hello", b"hell").await, Err(ContentError::Size { found: 4, wanted: 5, .. })));
    }

    #[tokio::test]
    async fn a_long_stream_is_an_error() {
        assert!(matches!(read(b"hell", b"hello").await, Err(ContentError::Size { wanted: 4, .. })));
    }

    #[tokio::test]
    async fn the_last_bytes_of_other_content_are_never_handed_out() {
        assert!(matches!(read(b"hello", b"hellO").await, Err(ContentError::Digest { .. })));
        let mut reader = CheckedReader::new(&b"hellO"[..], &Descriptor::of("a/b", b"hello"), None);
        assert!(reader.read_exact(&mut [0; 5]).await.is_err());
    }
}
