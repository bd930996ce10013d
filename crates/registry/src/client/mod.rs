//! The registry client: [distribution-spec 1.1.1](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md).

mod auth;
mod blobs;
mod credentials;
mod deletion;
mod manifests;
mod referrers;
mod repository;
mod tags;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use serde::Deserialize;
use touchmark_oci::{Content, Descriptor, Digest, ImageName, ImageRef, PinnedRef, Tag};
use touchmark_transport::{Answer, Client, RedactedUrl, Request, Response, TransportError, Url};

pub(crate) use blobs::broken;
pub use credentials::CredentialError;
pub(crate) use manifests::own_type;
pub(crate) use referrers::{entry_of, fallback_tag, lists_nothing, without_entry};

use crate::{
    At, BlobReader, CredentialSource, ErrorCode, FirstReferrers, ImageStore, Operation, Referrers,
    ReferrersPlace, RegistryOptions, StoreError, TagChange, Unavailable,
};
use auth::{Scopes, Session};
use credentials::Credential;
use repository::Repository;

/// An OCI registry client. Cloning is cheap and shares connections, tokens and credentials.
#[derive(Clone)]
pub struct RegistryClient {
    shared: Arc<Shared>,
    source: Arc<CredentialSource>,
    credentials: Arc<Mutex<HashMap<String, Credential>>>,
}

struct Shared {
    http: Client,
    options: RegistryOptions,
    session: Session,
    turns: tags::Turns,
    /// Registries known to serve the referrers API.
    referrers_api: Mutex<HashMap<String, bool>>,
    /// Registries that last said that they have no referrers API: where to look first, never that there is nothing.
    without_api: Mutex<HashSet<String>>,
}

impl RegistryClient {
    /// A client with these options.
    ///
    /// # Errors
    /// [`StoreError::Options`].
    pub fn new(options: RegistryOptions) -> Result<Self, StoreError> {
        let http = Client::new(options.http.clone())?;
        let source = Arc::new(options.credentials.clone());
        let shared = Shared {
            http,
            options,
            session: Session::default(),
            turns: tags::Turns::default(),
            referrers_api: Mutex::default(),
            without_api: Mutex::default(),
        };
        Ok(Self { shared: Arc::new(shared), source, credentials: Arc::default() })
    }

    /// This client for someone else: connections and limits are shared. Credentials are not, and tokens are kept apart by
    /// identity.
    #[must_use]
    pub fn with_credentials(&self, credentials: CredentialSource) -> Self {
        Self { shared: Arc::clone(&self.shared), source: Arc::new(credentials), credentials: Arc::default() }
    }

    fn repository(&self, name: &ImageName, at: &At) -> Result<Repository, StoreError> {
        Repository::new(name, self.shared.options.http.plain_http, at)
    }

    /// Sends and reads the answer whole.
    async fn fetch(
        &self,
        repository: &Repository,
        scopes: &Scopes,
        at: &At,
        request: &Request,
        max_bytes: u64,
    ) -> Result<Answer, StoreError> {
        self.authorized(repository, scopes, at, request, |request| async move {
            self.shared.http.fetch(request, max_bytes).await.map_err(|error| unavailable(at, error))
        })
        .await
    }

    /// Sends; the body is read by the caller.
    async fn open(
        &self,
        repository: &Repository,
        scopes: &Scopes,
        at: &At,
        request: &Request,
    ) -> Result<Response, StoreError> {
        self.authorized(repository, scopes, at, request, |request| async move {
            self.shared.http.send(request).await.map_err(|error| unavailable(at, error))
        })
        .await
    }

    /// What an answer that is no success means.
    async fn refused(&self, repository: &Repository, at: &At, answer: &Answer) -> StoreError {
        let anonymous = self.is_anonymous(repository).await;
        refusal(at, &repository.registry, anonymous, &answer.url, answer)
    }

    fn max_error_bytes(&self) -> u64 {
        self.shared.options.limits.max_error_bytes
    }
}

/// A request that got no answer.
fn unavailable(at: &At, error: TransportError) -> StoreError {
    match error {
        TransportError::Options(source) => StoreError::Options(source),
        TransportError::TooLarge { limit, .. } => {
            StoreError::TooLarge { at: at.clone(), size: limit.saturating_add(1), limit }
        }
        other => StoreError::Unavailable { at: at.clone(), source: Unavailable::Transport(other) },
    }
}

/// What an answer that is no success means.
fn refusal(at: &At, registry: &str, anonymous: bool, url: &Url, answer: &Answer) -> StoreError {
    let (at, registry) = (at.clone(), registry.to_owned());
    let codes_found = error_codes(&answer.body);
    let status = answer.status.as_u16();
    if status == 429 || (status < 500 && codes_found.iter().any(|reason| reason.code == "TOOMANYREQUESTS")) {
        return StoreError::RateLimited { at, retry_after: answer.retry_after() };
    }
    match status {
        401 => StoreError::Unauthorized { at, registry, anonymous },
        403 => StoreError::Forbidden { at, registry, codes_found },
        404 => StoreError::NotFound { at },
        500.. => {
            let source = Unavailable::Status { url: RedactedUrl::new(url), status };
            StoreError::Unavailable { at, source }
        }
        400..500 => StoreError::Rejected { at, status, codes_found },
        _ => StoreError::InvalidResponse { at, fault: crate::ResponseFault::Status { status } },
    }
}

/// The reasons in an error answer: a few, short, and without control characters, for they are shown.
fn error_codes(body: &[u8]) -> Vec<ErrorCode> {
    const MAX_REASONS: usize = 3;
    const MAX_CHARS: usize = 200;
    #[derive(Deserialize)]
    struct Body {
        #[serde(default)]
        errors: Vec<Reason>,
    }
    #[derive(Deserialize)]
    struct Reason {
        #[serde(default)]
        code: String,
        message: Option<String>,
    }
    let shown = |text: &str| text.chars().filter(|c| !c.is_control()).take(MAX_CHARS).collect::<String>();
    let Ok(body) = serde_json::from_slice::<Body>(body) else {
        return Vec::new();
    };
    let reasons = body.errors.iter().take(MAX_REASONS);
    reasons
        .map(|reason| ErrorCode {
            code: shown(&reason.code),
            message: shown(reason.message.as_deref().unwrap_or_default()),
        })
        .collect()
}

impl ImageStore for RegistryClient {
    async fn resolve(&self, image: &ImageRef) -> Result<PinnedRef, StoreError> {
        self.resolve_image(image).await
    }

    async fn fetch_manifest(&self, image: &PinnedRef) -> Result<Content, StoreError> {
        self.manifest_by_digest(image).await
    }

    async fn fetch_tag(&self, name: &ImageName, tag: &Tag) -> Result<Option<Content>, StoreError> {
        let at = At::new(Operation::FetchTag, name.tagged(tag.clone()));
        let repository = self.repository(name, &at)?;
        self.manifest_by_tag(&repository, tag, &at).await
    }

    async fn fetch_blob(
        &self,
        name: &ImageName,
        blob: &Descriptor,
        max_bytes: u64,
    ) -> Result<Content, StoreError> {
        self.blob_in_memory(name, blob, max_bytes).await
    }

    async fn open_blob(&self, name: &ImageName, blob: &Descriptor) -> Result<BlobReader, StoreError> {
        self.blob_as_stream(name, blob).await
    }

    async fn referrers(&self, subject: &PinnedRef) -> Result<Referrers, StoreError> {
        self.all_referrers(subject).await
    }

    async fn first_referrers(&self, subject: &PinnedRef) -> Result<FirstReferrers, StoreError> {
        self.referrers_by_one_way(subject).await
    }

    async fn rest_of_referrers(
        &self,
        subject: &PinnedRef,
        rest: ReferrersPlace,
    ) -> Result<Referrers, StoreError> {
        self.referrers_at(subject, rest).await
    }

    async fn push_blob(&self, name: &ImageName, blob: &Content) -> Result<(), StoreError> {
        self.upload_content(name, blob).await
    }

    async fn mount_blob(
        &self,
        name: &ImageName,
        blob: &Descriptor,
        from: &ImageName,
    ) -> Result<bool, StoreError> {
        self.mount(name, blob, from).await
    }

    async fn push_blob_stream(
        &self,
        name: &ImageName,
        blob: &Descriptor,
        bytes: BlobReader,
    ) -> Result<(), StoreError> {
        self.upload_stream(name, blob, bytes).await
    }

    async fn push_manifest(
        &self,
        name: &ImageName,
        manifest: &Content,
        tag: Option<&Tag>,
    ) -> Result<(), StoreError> {
        self.push_with_subject(name, manifest, tag).await
    }

    async fn update_tag(
        &self,
        name: &ImageName,
        tag: &Tag,
        change: &(dyn Fn(Option<&Content>) -> Result<TagChange, StoreError> + Send + Sync),
    ) -> Result<Content, StoreError> {
        self.change_tag(name, tag, change).await
    }

    async fn delete_manifest(
        &self,
        manifest: &PinnedRef,
        subject: Option<&Digest>,
    ) -> Result<(), StoreError> {
        self.delete_listed(manifest, subject).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_few_short_and_harmless_to_show() {
        let long = "x".repeat(1000);
        let body = format!(
            r#"{{"errors":[{{"code":"A","message":"a\u001b[2Jb"}},{{"code":"{long}"}},{{}},{{}},{{}}]}}"#
        );
        let found = error_codes(body.as_bytes());
        assert_eq!(found.len(), 3);
        assert_eq!(found[0].message, "a[2Jb");
        assert_eq!(found[1].code.len(), 200);
        assert_eq!(error_codes(b"<html>"), []);
    }
}
