//! Manifests: by digest, by tag, and pushed.

use serde::Deserialize;
use touchmark_oci::{
    Algorithm, Content, Descriptor, Digest, ImageName, ImageRef, Manifest, PinnedRef, Tag, media_type,
};
use touchmark_transport::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use touchmark_transport::{Answer, Bytes, Method, Request, StatusCode};

use super::RegistryClient;
use super::auth::Scopes;
use super::repository::Repository;
use crate::{At, Operation, ResponseFault, StoreError};

/// The digest that a registry says the body has. Never trusted where there is a body to hash.
const CONTENT_DIGEST: &str = "docker-content-digest";
/// Says that the registry will list the pushed manifest as a referrer.
const OCI_SUBJECT: &str = "oci-subject";

impl RegistryClient {
    /// Asks by `HEAD`, which registries count less, and by `GET` where the answer to that has no digest. The digest of
    /// a `HEAD` is no more than where the registry says that the tag points, as much as that of a `GET`; what is
    /// fetched by it is checked.
    pub(super) async fn resolve_image(&self, image: &ImageRef) -> Result<PinnedRef, StoreError> {
        if let Some(pinned) = image.as_pinned() {
            return Ok(pinned);
        }
        let at = At::new(Operation::Resolve, image);
        let Some(tag) = image.tag() else {
            return Err(StoreError::NotFound { at });
        };
        let repository = self.repository(image.name(), &at)?;
        let request = manifest_request(Method::HEAD, &repository, tag.as_str());
        let answer = self.fetch(&repository, &Scopes::pull(&repository), &at, &request, 0).await?;
        match answer.status {
            StatusCode::OK => {
                if let Some(Ok(digest)) = answer.header(CONTENT_DIGEST).map(str::parse) {
                    return Ok(image.pin(digest));
                }
            }
            StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {}
            _ => return Err(self.refused(&repository, &at, &answer).await),
        }
        let found = self.manifest_by_tag(&repository, tag, &at).await?;
        let content = found.ok_or(StoreError::NotFound { at })?;
        Ok(image.pin(content.digest().clone()))
    }

    pub(super) async fn manifest_by_digest(&self, image: &PinnedRef) -> Result<Content, StoreError> {
        let at = At::new(Operation::FetchManifest, image);
        let repository = self.repository(image.name(), &at)?;
        let answer = self.manifest_answer(&repository, &image.digest().to_string(), &at).await?;
        if answer.status != StatusCode::OK {
            return Err(self.refused(&repository, &at, &answer).await);
        }
        let descriptor =
            Descriptor::new(served_type(&answer), image.digest().clone(), answer.body.len() as u64);
        Content::check(descriptor, answer.body.into())
            .map_err(|source| StoreError::Corrupt { at, source: Box::new(source) })
    }

    pub(super) async fn manifest_by_tag(
        &self,
        repository: &Repository,
        tag: &Tag,
        at: &At,
    ) -> Result<Option<Content>, StoreError> {
        let answer = self.manifest_answer(repository, tag.as_str(), at).await?;
        match answer.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            _ => return Err(self.refused(repository, at, &answer).await),
        }
        let digest = computed_digest(&answer, at)?;
        let descriptor = Descriptor::new(served_type(&answer), digest, answer.body.len() as u64);
        Content::check(descriptor, answer.body.into())
            .map(Some)
            .map_err(|source| StoreError::Corrupt { at: at.clone(), source: Box::new(source) })
    }

    async fn manifest_answer(
        &self,
        repository: &Repository,
        reference: &str,
        at: &At,
    ) -> Result<Answer, StoreError> {
        let request = manifest_request(Method::GET, repository, reference);
        let max_bytes = self.shared.options.limits.documents.max_manifest_bytes;
        self.fetch(repository, &Scopes::pull(repository), at, &request, max_bytes).await
    }

    /// Pushes a manifest, and sees to it that it is found by its subject.
    pub(super) async fn push_with_subject(
        &self,
        name: &ImageName,
        manifest: &Content,
        tag: Option<&Tag>,
    ) -> Result<(), StoreError> {
        let at = At::new(Operation::PushManifest, name.pin(manifest.digest().clone()));
        let parsed = Manifest::parse(manifest, &self.shared.options.limits.documents)
            .map_err(|source| StoreError::Manifest { at: at.clone(), source: Box::new(source) })?;
        let repository = self.repository(name, &at)?;
        let promised = self.put_manifest(&repository, manifest, tag, &at).await?;
        match parsed.subject() {
            Some(subject) => self.list_under(name, subject, manifest, &parsed, promised).await,
            None => Ok(()),
        }
    }

    /// Puts a manifest, and returns the subject that the registry says it will list it under.
    pub(super) async fn put_manifest(
        &self,
        repository: &Repository,
        manifest: &Content,
        tag: Option<&Tag>,
        at: &At,
    ) -> Result<Option<Digest>, StoreError> {
        let digest = manifest.digest().to_string();
        let reference = tag.map_or(digest.as_str(), Tag::as_str);
        let content_type = HeaderValue::from_str(manifest.media_type())
            .unwrap_or(HeaderValue::from_static(media_type::OCI_MANIFEST));
        let request = Request::new(Method::PUT, repository.url(&format!("manifests/{reference}")))
            .header(CONTENT_TYPE, content_type)
            .body(Bytes::copy_from_slice(manifest.bytes()));
        let scopes = Scopes::push(repository);
        let answer = self.fetch(repository, &scopes, at, &request, self.max_error_bytes()).await?;
        if !answer.status.is_success() {
            return Err(self.refused(repository, at, &answer).await);
        }
        // A registry that stored something else than it was sent would say so here.
        if let Some(header) = answer.header(CONTENT_DIGEST)
            && header.parse::<Digest>().is_ok_and(|stored| differs(&stored, manifest.digest()))
        {
            let fault = ResponseFault::DigestHeader { header: header.to_owned(), body: digest };
            return Err(StoreError::InvalidResponse { at: at.clone(), fault });
        }
        Ok(answer.header(OCI_SUBJECT).and_then(|subject| subject.parse().ok()))
    }
}

fn differs(one: &Digest, other: &Digest) -> bool {
    one.algorithm() == other.algorithm() && one != other
}

fn manifest_request(method: Method, repository: &Repository, reference: &str) -> Request {
    let accepted = HeaderValue::from_str(&media_type::MANIFESTS.join(", "))
        .unwrap_or(HeaderValue::from_static(media_type::OCI_MANIFEST));
    Request::new(method, repository.url(&format!("manifests/{reference}"))).header(ACCEPT, accepted)
}

/// The digest of the body. A header that says something else means that one of them was changed on the way.
fn computed_digest(answer: &Answer, at: &At) -> Result<Digest, StoreError> {
    let header = answer.header(CONTENT_DIGEST);
    let claimed = header.and_then(|text| text.parse::<Digest>().ok());
    let algorithm = claimed.as_ref().map_or(Algorithm::Sha256, Digest::algorithm);
    let computed = Digest::of_with(algorithm, &answer.body);
    match (header, claimed) {
        (Some(header), Some(claimed)) if claimed != computed => {
            let fault = ResponseFault::DigestHeader { header: header.to_owned(), body: computed.to_string() };
            Err(StoreError::InvalidResponse { at: at.clone(), fault })
        }
        _ => Ok(computed),
    }
}

/// The media type that a manifest was served as. Where a registry names none that a manifest can have, the document's own
/// counts; it is under the digest, as the header is not.
fn served_type(answer: &Answer) -> String {
    let served = answer.header(CONTENT_TYPE.as_str()).unwrap_or_default();
    let served = served.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if media_type::is_index(&served) || media_type::is_image_manifest(&served) {
        return served;
    }
    own_type(&answer.body).unwrap_or(served)
}

/// The media type that a document says it has, or that its members show.
pub(crate) fn own_type(document: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Typed {
        media_type: Option<String>,
        manifests: Option<serde::de::IgnoredAny>,
        config: Option<serde::de::IgnoredAny>,
    }
    let typed: Typed = serde_json::from_slice(document).ok()?;
    typed.media_type.or_else(|| match (typed.manifests, typed.config) {
        (Some(_), None) => Some(media_type::OCI_INDEX.to_owned()),
        (None, Some(_)) => Some(media_type::OCI_MANIFEST.to_owned()),
        _ => None,
    })
}
