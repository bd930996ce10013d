//! Blobs: fetched with every byte checked, pushed once.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt};
use touchmark_oci::{Content, ContentError, Descriptor, ImageName};
use touchmark_transport::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderValue, LOCATION, RANGE};
use touchmark_transport::{Answer, Bytes, Method, RedactedUrl, Request, StatusCode, Url};

use super::RegistryClient;
use super::auth::Scopes;
use super::repository::Repository;
use crate::checked::{CheckedReader, content_error};
use crate::{At, BlobReader, Direction, Operation, ResponseFault, StoreError, Transfer, Unavailable};

const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// A started upload.
struct Upload<'a> {
    repository: &'a Repository,
    scopes: &'a Scopes,
    at: &'a At,
    url: Url,
}

impl RegistryClient {
    pub(super) async fn blob_in_memory(
        &self,
        name: &ImageName,
        blob: &Descriptor,
        max_bytes: u64,
    ) -> Result<Content, StoreError> {
        let at = At::new(Operation::FetchBlob, name.pin(blob.digest.clone()));
        if blob.size > max_bytes {
            return Err(StoreError::TooLarge { at, size: blob.size, limit: max_bytes });
        }
        let repository = self.repository(name, &at)?;
        let request = blob_request(Method::GET, &repository, blob);
        let limit = blob.size.max(self.max_error_bytes());
        let answer = self.fetch(&repository, &Scopes::pull(&repository), &at, &request, limit).await?;
        if answer.status != StatusCode::OK {
            return Err(self.refused(&repository, &at, &answer).await);
        }
        let content = Content::check(blob.clone(), answer.body.into())
            .map_err(|source| StoreError::Corrupt { at, source: Box::new(source) })?;
        self.tell(blob, Direction::Fetch, blob.size);
        Ok(content)
    }

    pub(super) async fn blob_as_stream(
        &self,
        name: &ImageName,
        blob: &Descriptor,
    ) -> Result<BlobReader, StoreError> {
        let at = At::new(Operation::FetchBlob, name.pin(blob.digest.clone()));
        let repository = self.repository(name, &at)?;
        let request = blob_request(Method::GET, &repository, blob);
        let response = self.open(&repository, &Scopes::pull(&repository), &at, &request).await?;
        if response.status() != StatusCode::OK {
            let answer = response
                .read(self.max_error_bytes())
                .await
                .map_err(|error| super::unavailable(&at, error))?;
            return Err(self.refused(&repository, &at, &answer).await);
        }
        if let Some(found) = response.content_length().filter(|length| *length != blob.size) {
            let source = ContentError::Size { digest: blob.digest.clone(), found, wanted: blob.size };
            return Err(StoreError::Corrupt { at, source: Box::new(source) });
        }
        let progress = self.shared.options.progress.as_ref().map(Arc::clone);
        Ok(Box::pin(CheckedReader::new(response.into_stream(), blob, progress)))
    }

    pub(super) async fn upload_content(&self, name: &ImageName, blob: &Content) -> Result<(), StoreError> {
        let at = At::new(Operation::PushBlob, name.pin(blob.digest().clone()));
        let repository = self.repository(name, &at)?;
        if self.is_present(&repository, blob.descriptor(), &at).await? {
            return Ok(());
        }
        let bytes = Bytes::copy_from_slice(blob.bytes());
        self.upload_at_once(&repository, blob.descriptor(), bytes, &at).await
    }

    pub(super) async fn upload_stream(
        &self,
        name: &ImageName,
        blob: &Descriptor,
        bytes: BlobReader,
    ) -> Result<(), StoreError> {
        let at = At::new(Operation::PushBlob, name.pin(blob.digest.clone()));
        let repository = self.repository(name, &at)?;
        if self.is_present(&repository, blob, &at).await? {
            return Ok(());
        }
        let mut bytes = CheckedReader::new(bytes, blob, None);
        let chunk_bytes = self.shared.options.limits.upload_chunk_bytes.max(1);
        if blob.size > chunk_bytes {
            return self.upload_in_chunks(&repository, blob, bytes, &at).await;
        }
        let whole = read_chunk(&mut bytes, blob.size.saturating_add(1), &at).await?;
        self.upload_at_once(&repository, blob, whole, &at).await
    }

    /// Asks the registry to take a blob over from another of its repositories. It may decline by starting an upload, which is
    /// then called off, and it may not be asked to where we may not read.
    pub(super) async fn mount(
        &self,
        name: &ImageName,
        blob: &Descriptor,
        from: &ImageName,
    ) -> Result<bool, StoreError> {
        let at = At::new(Operation::PushBlob, name.pin(blob.digest.clone()));
        let repository = self.repository(name, &at)?;
        let Some(source) = from.repository().filter(|_| from.registry() == name.registry()) else {
            return Ok(false);
        };
        if self.is_present(&repository, blob, &at).await? {
            return Ok(true);
        }
        let mut url = repository.url("blobs/uploads/");
        url.query_pairs_mut().append_pair("mount", &blob.digest.to_string()).append_pair("from", source);
        let scopes = Scopes::push(&repository).and_pull_of(source);
        let request = Request::new(Method::POST, url).repeatable(true);
        let answer = self.fetch(&repository, &scopes, &at, &request, self.max_error_bytes()).await?;
        match answer.status {
            StatusCode::CREATED => {
                self.tell(blob, Direction::Present, blob.size);
                Ok(true)
            }
            StatusCode::ACCEPTED => {
                if let Ok(url) = upload_location(&repository, &answer, &at) {
                    Upload { repository: &repository, scopes: &scopes, at: &at, url }.call_off(self).await;
                }
                Ok(false)
            }
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                Err(self.refused(&repository, &at, &answer).await)
            }
            _ => Ok(false),
        }
    }

    async fn is_present(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        at: &At,
    ) -> Result<bool, StoreError> {
        let request = blob_request(Method::HEAD, repository, blob);
        let answer = self.fetch(repository, &Scopes::push(repository), at, &request, 0).await?;
        match answer.status {
            StatusCode::OK => {
                self.tell(blob, Direction::Present, blob.size);
                Ok(true)
            }
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(self.refused(repository, at, &answer).await),
        }
    }

    async fn start_upload<'a>(
        &self,
        repository: &'a Repository,
        scopes: &'a Scopes,
        at: &'a At,
    ) -> Result<Upload<'a>, StoreError> {
        // Doing this twice leaves an upload that nothing is sent to, which registries clean up.
        let request = Request::new(Method::POST, repository.url("blobs/uploads/")).repeatable(true);
        let answer = self.fetch(repository, scopes, at, &request, self.max_error_bytes()).await?;
        if answer.status != StatusCode::ACCEPTED {
            return Err(self.refused(repository, at, &answer).await);
        }
        let url = upload_location(repository, &answer, at)?;
        Ok(Upload { repository, scopes, at, url })
    }

    async fn upload_at_once(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        bytes: Bytes,
        at: &At,
    ) -> Result<(), StoreError> {
        let scopes = Scopes::push(repository);
        let upload = self.start_upload(repository, &scopes, at).await?;
        upload.finish(self, blob, bytes).await?;
        self.tell(blob, Direction::Push, blob.size);
        Ok(())
    }

    async fn upload_in_chunks<R: AsyncRead + Unpin>(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        mut bytes: R,
        at: &At,
    ) -> Result<(), StoreError> {
        let scopes = Scopes::push(repository);
        let mut upload = self.start_upload(repository, &scopes, at).await?;
        let mut done: u64 = 0;
        // `bytes` is checked, so it ends exactly at `size` or in an error: every pass makes progress.
        while done < blob.size {
            let wanted = self.shared.options.limits.upload_chunk_bytes.max(1);
            let sent = match read_chunk(&mut bytes, wanted, at).await {
                Ok(chunk) => {
                    let count = chunk.len() as u64;
                    upload.send_chunk(self, chunk, done).await.map(|()| count)
                }
                Err(error) => Err(error),
            };
            match sent {
                Ok(count) => done += count,
                Err(error) => {
                    upload.call_off(self).await;
                    return Err(error);
                }
            }
            self.tell(blob, Direction::Push, done);
        }
        upload.finish(self, blob, Bytes::new()).await
    }

    fn tell(&self, blob: &Descriptor, direction: Direction, done: u64) {
        if let Some(progress) = &self.shared.options.progress {
            progress.advanced(&Transfer { digest: &blob.digest, direction, done, total: blob.size });
        }
    }
}

impl Upload<'_> {
    /// One chunk ([distribution-spec 1.1, "Pushing a blob in
    /// chunks"](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-a-blob-in-chunks)).
    async fn send_chunk(
        &mut self,
        client: &RegistryClient,
        chunk: Bytes,
        start: u64,
    ) -> Result<(), StoreError> {
        let end = start.saturating_add(chunk.len() as u64).saturating_sub(1);
        let range =
            HeaderValue::from_str(&format!("{start}-{end}")).unwrap_or(HeaderValue::from_static("0-0"));
        let request = Request::new(Method::PATCH, self.url.clone())
            .header(CONTENT_TYPE, OCTETS)
            .header(CONTENT_RANGE, range)
            .body(chunk);
        let answer = self.send(client, &request).await?;
        if answer.status != StatusCode::ACCEPTED && answer.status != StatusCode::NO_CONTENT {
            return Err(client.refused(self.repository, self.at, &answer).await);
        }
        if let Some(stored) = answer.header(RANGE.as_str())
            && stored.rsplit('-').next().and_then(|end| end.parse::<u64>().ok()) != Some(end)
        {
            let fault = ResponseFault::Status { status: answer.status.as_u16() };
            return Err(StoreError::InvalidResponse { at: self.at.clone(), fault });
        }
        // The specification wants a `Location` in every answer; without one the upload goes on where it was.
        if answer.headers.contains_key(LOCATION) {
            self.url = upload_location(self.repository, &answer, self.at)?;
        }
        Ok(())
    }

    /// The end, with all or the last bytes.
    async fn finish(
        self,
        client: &RegistryClient,
        blob: &Descriptor,
        bytes: Bytes,
    ) -> Result<(), StoreError> {
        let mut url = self.url.clone();
        url.query_pairs_mut().append_pair("digest", &blob.digest.to_string());
        let request = Request::new(Method::PUT, url).header(CONTENT_TYPE, OCTETS).body(bytes);
        let answer = self.send(client, &request).await?;
        if answer.status.is_success() {
            return Ok(());
        }
        Err(client.refused(self.repository, self.at, &answer).await)
    }

    /// Tells the registry that nothing more comes. It finds out by itself if this fails.
    async fn call_off(self, client: &RegistryClient) {
        let request = Request::new(Method::DELETE, self.url.clone());
        let _ = self.send(client, &request).await;
    }

    async fn send(&self, client: &RegistryClient, request: &Request) -> Result<Answer, StoreError> {
        client.fetch(self.repository, self.scopes, self.at, request, client.max_error_bytes()).await
    }
}

fn blob_request(method: Method, repository: &Repository, blob: &Descriptor) -> Request {
    Request::new(method, repository.url(&format!("blobs/{}", blob.digest)))
}

/// Where an upload goes on: anywhere the registry says, but by HTTPS if it is itself asked by that.
fn upload_location(repository: &Repository, answer: &Answer, at: &At) -> Result<Url, StoreError> {
    let invalid = |fault| StoreError::InvalidResponse { at: at.clone(), fault };
    let text = answer.header(LOCATION.as_str()).ok_or_else(|| invalid(ResponseFault::NoLocation))?;
    let url = repository.target(&answer.url, text).ok_or_else(|| invalid(ResponseFault::NoLocation))?;
    let secure = repository.base().scheme() == "https";
    if (secure && url.scheme() != "https") || !matches!(url.scheme(), "http" | "https") {
        return Err(invalid(ResponseFault::RefusedUrl { url: RedactedUrl::new(&url) }));
    }
    Ok(url)
}

/// Up to `max_bytes`, fewer only at the end.
async fn read_chunk<R: AsyncRead + Unpin>(
    bytes: &mut R,
    max_bytes: u64,
    at: &At,
) -> Result<Bytes, StoreError> {
    let mut chunk = Vec::new();
    match bytes.take(max_bytes).read_to_end(&mut chunk).await {
        Ok(_) => Ok(chunk.into()),
        Err(error) => Err(broken(at, error)),
    }
}

/// A stream that broke off or lied.
pub(crate) fn broken(at: &At, error: std::io::Error) -> StoreError {
    match content_error(&error) {
        Some(found) => StoreError::Corrupt { at: at.clone(), source: Box::new(found.clone()) },
        None => StoreError::Unavailable { at: at.clone(), source: Unavailable::Interrupted(error) },
    }
}
