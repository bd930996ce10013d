//! What came back.

use std::io;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use reqwest::header::HeaderMap;
use reqwest::{StatusCode, Url};
use tokio::io::AsyncRead;
use tokio_util::io::StreamReader;

use crate::{RedactedUrl, TransportError, retry_after};

/// A body as it arrives. A pause longer than [`idle_timeout`](crate::ClientOptions::idle_timeout) ends in an error.
pub type ByteStream = Pin<Box<dyn AsyncRead + Send>>;

/// An answer whose body is still to be read.
#[derive(Debug)]
pub struct Response {
    pub(crate) inner: reqwest::Response,
    pub(crate) idle_timeout: Duration,
}

/// An answer with its body.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// Where it came from, after redirects.
    pub url: Url,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The wait that the server asks for.
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after(&self.headers, SystemTime::now())
    }
}

impl Response {
    /// The status.
    pub fn status(&self) -> StatusCode {
        self.inner.status()
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.inner.headers()
    }

    /// Where it came from, after redirects.
    pub fn url(&self) -> &Url {
        self.inner.url()
    }

    /// The length that the server announces.
    pub fn content_length(&self) -> Option<u64> {
        self.inner.content_length()
    }

    /// The whole body, if it has at most `max_bytes`.
    ///
    /// # Errors
    /// [`TransportError::TooLarge`], announced or found; [`TransportError::Timeout`]; [`TransportError::Connection`] when the
    /// connection breaks before the announced end.
    pub async fn read(mut self, max_bytes: u64) -> Result<Answer, TransportError> {
        let url = RedactedUrl::new(self.url());
        let too_large = || TransportError::TooLarge { url: url.clone(), limit: max_bytes };
        if self.content_length().is_some_and(|length| length > max_bytes) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if (body.len() as u64).saturating_add(chunk.len() as u64) > max_bytes {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(self.with_body(body.into()))
    }

    /// The status and headers only; the body is dropped.
    pub fn into_head(self) -> Answer {
        self.with_body(Bytes::new())
    }

    /// The body as it arrives.
    pub fn into_stream(self) -> ByteStream {
        Box::pin(StreamReader::new(Box::pin(self.chunks())))
    }

    fn with_body(self, body: Bytes) -> Answer {
        Answer {
            status: self.status(),
            headers: self.inner.headers().clone(),
            url: self.inner.url().clone(),
            body,
        }
    }

    fn chunks(self) -> impl Stream<Item = io::Result<Bytes>> + Send {
        stream::try_unfold(self, |mut response| async move {
            let chunk = response.chunk().await.map_err(io::Error::other)?;
            Ok(chunk.map(|chunk| (chunk, response)))
        })
        .fuse()
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, TransportError> {
        let url = RedactedUrl::new(self.url());
        match tokio::time::timeout(self.idle_timeout, self.inner.chunk()).await {
            Err(_) => Err(TransportError::Timeout { url, limit: self.idle_timeout }),
            Ok(Err(source)) => {
                Err(TransportError::Connection { url, attempts: 1, source: source.without_url() })
            }
            Ok(Ok(chunk)) => Ok(chunk),
        }
    }
}
