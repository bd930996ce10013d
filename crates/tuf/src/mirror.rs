//! One file from a mirror, within its limit.

use touchmark_transport::{Client, Method, RedactedUrl, Request, StatusCode, TransportError, Url};

use crate::TufError;

/// Where the files are, and how they are asked for.
pub(crate) struct Mirror<'a> {
    pub(crate) client: &'a Client,
    pub(crate) url: &'a Url,
}

impl Mirror<'_> {
    /// A file that must be there.
    pub(crate) async fn require(&self, file: &str, max_bytes: u64) -> Result<String, TufError> {
        let missing = TufError::Missing { url: RedactedUrl::new(&self.address(file)) };
        self.fetch(file, max_bytes).await?.ok_or(missing)
    }

    /// A file, or `None` when there is none. Metadata is JSON, and so are the targets: text, or nothing that can be used.
    pub(crate) async fn fetch(&self, file: &str, max_bytes: u64) -> Result<Option<String>, TufError> {
        let url = self.address(file);
        let redacted = RedactedUrl::new(&url);
        let answer = self.client.fetch(Request::new(Method::GET, url), max_bytes).await;
        let answer = answer.map_err(|error| match error {
            TransportError::TooLarge { limit, .. } => TufError::TooLarge { file: file.to_owned(), limit },
            other => TufError::Fetch { file: file.to_owned(), source: Box::new(other) },
        })?;
        match answer.status {
            StatusCode::OK => {}
            // Object stores that do not let everybody list them answer 403 for what is not there.
            StatusCode::NOT_FOUND | StatusCode::FORBIDDEN | StatusCode::GONE => return Ok(None),
            status => return Err(TufError::Status { url: redacted, status }),
        }
        let text = String::from_utf8(answer.body.into())
            .map_err(|source| TufError::Unreadable { file: file.to_owned(), source: Box::new(source) })?;
        Ok(Some(text))
    }

    /// Names of files are made here, of numbers, digests and fixed names: appending them to the path is all there is to it.
    fn address(&self, file: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}{file}", self.url.path()));
        url
    }
}
