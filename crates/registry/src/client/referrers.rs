//! What refers to an image: the referrers API and the fallback tag, read and written.
//!
//! [distribution-spec 1.1, "Listing
//! Referrers"](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers) and
//! ["Referrers Tag
//! Schema"](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema). Whoever wants
//! all gets both, because clients disagree about which of them a registry has, and evidence written by one must be found
//! by the other; whoever can do with a part gets one, and is told that there is another. Only "no such thing" leads from
//! one to the other: a registry that is busy or refuses has not said that there are none.

use std::collections::HashSet;

use serde_json::Value;
use touchmark_oci::{
    Content, Descriptor, Digest, ImageName, Manifest, ManifestError, PinnedRef, Tag, media_type,
};
use touchmark_transport::header::{ACCEPT, CONTENT_TYPE, HeaderValue, LINK};
use touchmark_transport::{Answer, Method, RedactedUrl, Request, StatusCode, Url};

use super::RegistryClient;
use super::auth::{Scopes, lock};
use super::repository::Repository;
use crate::challenge::next_link;
use crate::{
    At, FirstReferrers, Limits, Operation, Referrers, ReferrersPlace, ResponseFault, StoreError, TagChange,
};

/// A list under construction: each manifest once, no more than the limit.
struct Collected<'a> {
    limits: &'a Limits,
    seen: HashSet<Digest>,
    found: Referrers,
}

impl<'a> Collected<'a> {
    fn new(limits: &'a Limits) -> Self {
        Self { limits, seen: HashSet::new(), found: Referrers { manifests: Vec::new(), truncated: false } }
    }

    fn add(&mut self, manifests: Vec<Descriptor>) {
        for manifest in manifests {
            if self.seen.contains(&manifest.digest) {
                continue;
            }
            if self.found.manifests.len() >= self.limits.max_referrers {
                self.found.truncated = true;
                return;
            }
            self.seen.insert(manifest.digest.clone());
            self.found.manifests.push(manifest);
        }
    }
}

impl RegistryClient {
    pub(super) async fn all_referrers(&self, subject: &PinnedRef) -> Result<Referrers, StoreError> {
        let at = At::new(Operation::ListReferrers, subject);
        let repository = self.repository(subject.name(), &at)?;
        let tag = fallback_tag(subject.digest(), &at)?;
        // Separately limited and then merged, so that neither way can crowd out the other unnoticed.
        let (by_api, by_tag) = tokio::join!(
            self.by_api(&repository, subject.digest(), &at),
            self.by_tag(&repository, &tag, &at),
        );
        let (by_api, by_tag) = (by_api?, by_tag?);
        let mut collected = Collected::new(&self.shared.options.limits);
        for part in [by_api.unwrap_or_else(none), by_tag] {
            collected.found.truncated |= part.truncated;
            collected.add(part.manifests);
        }
        Ok(collected.found)
    }

    /// By the API, or where there is none by the fallback tag. A registry that lately said that it has none is asked for the
    /// tag at once, and the API is left for later: it may have got one since.
    pub(super) async fn referrers_by_one_way(
        &self,
        subject: &PinnedRef,
    ) -> Result<FirstReferrers, StoreError> {
        let at = At::new(Operation::ListReferrers, subject);
        let repository = self.repository(subject.name(), &at)?;
        let tag = fallback_tag(subject.digest(), &at)?;
        let known_without = lock(&self.shared.without_api).contains(&repository.registry);
        if known_without {
            let found = self.by_tag(&repository, &tag, &at).await?;
            return Ok(FirstReferrers { found, rest: Some(ReferrersPlace::Api) });
        }
        if let Some(found) = self.by_api_remembering(&repository, subject.digest(), &at).await? {
            return Ok(FirstReferrers { found, rest: Some(ReferrersPlace::FallbackTag) });
        }
        Ok(FirstReferrers { found: self.by_tag(&repository, &tag, &at).await?, rest: None })
    }

    pub(super) async fn referrers_at(
        &self,
        subject: &PinnedRef,
        place: ReferrersPlace,
    ) -> Result<Referrers, StoreError> {
        let at = At::new(Operation::ListReferrers, subject);
        let repository = self.repository(subject.name(), &at)?;
        match place {
            ReferrersPlace::Api => {
                let found = self.by_api_remembering(&repository, subject.digest(), &at).await?;
                Ok(found.unwrap_or_else(none))
            }
            ReferrersPlace::FallbackTag => {
                self.by_tag(&repository, &fallback_tag(subject.digest(), &at)?, &at).await
            }
        }
    }

    async fn by_api_remembering(
        &self,
        repository: &Repository,
        subject: &Digest,
        at: &At,
    ) -> Result<Option<Referrers>, StoreError> {
        let found = self.by_api(repository, subject, at).await?;
        let mut without_api = lock(&self.shared.without_api);
        match &found {
            Some(_) => without_api.remove(&repository.registry),
            None => without_api.insert(repository.registry.clone()),
        };
        drop(without_api);
        Ok(found)
    }

    /// By the API; `None` when the registry has none.
    async fn by_api(
        &self,
        repository: &Repository,
        subject: &Digest,
        at: &At,
    ) -> Result<Option<Referrers>, StoreError> {
        let limits = &self.shared.options.limits;
        let mut collected = Collected::new(limits);
        let mut url = repository.url(&format!("referrers/{subject}"));
        for page in 0..limits.max_pages {
            let answer = match self.referrers_page(repository, url.clone(), at).await {
                // No honest page is this long, and what came before it is still true.
                Err(StoreError::TooLarge { .. }) => break,
                other => other?,
            };
            if page == 0 && has_no_api(&answer) {
                return Ok(None);
            }
            if answer.status != StatusCode::OK {
                return Err(self.refused(repository, at, &answer).await);
            }
            collected.add(index_entries(&answer, at)?);
            if collected.found.truncated {
                return Ok(Some(collected.found));
            }
            match next_page(repository, &answer, at)? {
                Some(next) => url = next,
                None => return Ok(Some(collected.found)),
            }
        }
        collected.found.truncated = true;
        Ok(Some(collected.found))
    }

    async fn referrers_page(&self, repository: &Repository, url: Url, at: &At) -> Result<Answer, StoreError> {
        let request =
            Request::new(Method::GET, url).header(ACCEPT, HeaderValue::from_static(media_type::OCI_INDEX));
        let max_bytes = self.shared.options.limits.max_page_bytes;
        self.fetch(repository, &Scopes::pull(repository), at, &request, max_bytes).await
    }

    async fn by_tag(&self, repository: &Repository, tag: &Tag, at: &At) -> Result<Referrers, StoreError> {
        let mut collected = Collected::new(&self.shared.options.limits);
        match self.manifest_by_tag(repository, tag, at).await {
            Ok(None) => {}
            Ok(Some(index)) => collected.add(entries(&index, at)?),
            Err(StoreError::TooLarge { .. }) => collected.found.truncated = true,
            Err(error) => return Err(error),
        }
        Ok(collected.found)
    }

    /// After a push: makes sure that the manifest is found by its subject. A registry that promises to list it
    /// (`OCI-Subject`) is believed if it has the API at all, which some that promise don't; one that has the API and
    /// did not promise is asked; and for all others the fallback tag is written.
    pub(super) async fn list_under(
        &self,
        name: &ImageName,
        subject: &Descriptor,
        manifest: &Content,
        parsed: &Manifest,
        promised: Option<Digest>,
    ) -> Result<(), StoreError> {
        let at = At::new(Operation::PushManifest, name.pin(manifest.digest().clone()));
        let repository = self.repository(name, &at)?;
        let promised = promised.is_some_and(|promise| promise == subject.digest);
        let known = lock(&self.shared.referrers_api).get(&repository.registry).copied();
        let listed = match (promised, known) {
            (true, Some(has_api)) => has_api,
            (false, Some(false)) => false,
            _ => {
                let found = self.by_api(&repository, &subject.digest, &at).await?;
                lock(&self.shared.referrers_api).insert(repository.registry.clone(), found.is_some());
                found.is_some_and(|found| {
                    promised || found.manifests.iter().any(|entry| entry.digest == *manifest.digest())
                })
            }
        };
        if listed {
            return Ok(());
        }
        let tag = fallback_tag(&subject.digest, &at)?;
        let entry = entry_of(manifest, parsed);
        let limit = self.shared.options.limits.max_page_bytes;
        self.change_tag(name, &tag, &|index| with_entry(index, &entry, limit, &at)).await.map(|_| ())
    }
}

fn none() -> Referrers {
    Referrers { manifests: Vec::new(), truncated: false }
}

pub(crate) fn fallback_tag(subject: &Digest, at: &At) -> Result<Tag, StoreError> {
    Tag::for_digest(subject, "").map_err(|source| StoreError::Tag { at: at.clone(), source })
}

/// Whether an answer says that there is no referrers API: 404, what older registries say to a path they don't know
/// (400, 405, 406), or a page for people. Never 401, 403, 429 or 5xx: those say nothing about whether there are
/// referrers.
fn has_no_api(answer: &Answer) -> bool {
    match answer.status.as_u16() {
        404..=406 => true,
        400 => super::error_codes(&answer.body).iter().all(|reason| reason.code != "TOOMANYREQUESTS"),
        200 => answer.header(CONTENT_TYPE.as_str()).is_some_and(|served| served.starts_with("text/html")),
        _ => false,
    }
}

fn index_entries(answer: &Answer, at: &At) -> Result<Vec<Descriptor>, StoreError> {
    let served = answer.header(CONTENT_TYPE.as_str()).unwrap_or_default();
    let served = served.split(';').next().unwrap_or_default().trim();
    if !media_type::is_index(served) && served != "application/json" {
        let fault = ResponseFault::NoIndex { media_type: served.chars().take(100).collect() };
        return Err(StoreError::InvalidResponse { at: at.clone(), fault });
    }
    entries(&Content::new(media_type::OCI_INDEX, answer.body.to_vec()), at)
}

/// The entries of an index of referrers. How many there may be is the list's limit, not the document's.
fn entries(index: &Content, at: &At) -> Result<Vec<Descriptor>, StoreError> {
    let mut limits = touchmark_oci::Limits::default();
    limits.max_descriptors = usize::MAX;
    limits.max_manifest_bytes = u64::MAX;
    match Manifest::parse(index, &limits) {
        Ok(Manifest::Index(index)) => Ok(index.manifests),
        Ok(Manifest::Image(_)) => {
            let fault = ResponseFault::NoIndex { media_type: index.media_type().to_owned() };
            Err(StoreError::InvalidResponse { at: at.clone(), fault })
        }
        Err(source) => Err(unreadable(at, source)),
    }
}

fn unreadable(at: &At, source: ManifestError) -> StoreError {
    StoreError::Manifest { at: at.clone(), source: Box::new(source) }
}

/// The next page, which must be the same registry's.
fn next_page(repository: &Repository, answer: &Answer, at: &At) -> Result<Option<Url>, StoreError> {
    let Some(target) = answer.header(LINK.as_str()).and_then(next_link) else {
        return Ok(None);
    };
    let url = repository.target(&answer.url, target);
    match url {
        Some(url) if repository.is_own(&url) => Ok(Some(url)),
        Some(url) => {
            let fault = ResponseFault::RefusedUrl { url: RedactedUrl::new(&url) };
            Err(StoreError::InvalidResponse { at: at.clone(), fault })
        }
        None => Err(StoreError::InvalidResponse { at: at.clone(), fault: ResponseFault::NoLocation }),
    }
}

/// The entry of a manifest in an index of referrers: with its artifact type, or else its configuration's type, and its
/// annotations.
pub(crate) fn entry_of(manifest: &Content, parsed: &Manifest) -> Descriptor {
    let (artifact_type, annotations) = match parsed {
        Manifest::Image(image) => {
            let kind = image.artifact_type.clone().filter(|kind| !kind.is_empty());
            (kind.or_else(|| Some(image.config.media_type.clone())), image.annotations.clone())
        }
        Manifest::Index(index) => (index.artifact_type.clone(), index.annotations.clone()),
    };
    let mut entry = manifest.descriptor().clone();
    entry.artifact_type = artifact_type;
    entry.annotations = annotations;
    entry
}

/// An index with one entry more, and all others as they were, whatever members they have. The same bytes if it is there.
fn with_entry(
    index: Option<&Content>,
    entry: &Descriptor,
    limit: u64,
    at: &At,
) -> Result<TagChange, StoreError> {
    let manifest = match index {
        None => touchmark_oci::ImageIndex::new(vec![entry.clone()]).to_content(),
        Some(index) if entries(index, at)?.iter().any(|old| old.digest == entry.digest) => index.clone(),
        Some(index) => {
            let json = |source| unreadable(at, ManifestError::Json(source));
            let mut document: Value = serde_json::from_slice(index.bytes()).map_err(json)?;
            let added = serde_json::to_value(entry).map_err(json)?;
            match document.get_mut("manifests") {
                Some(Value::Array(manifests)) => manifests.push(added),
                Some(null) => *null = Value::Array(vec![added]),
                None => {
                    // `entries` read this as an index, so it is an object.
                    let members = document.as_object_mut();
                    members.map(|members| members.insert("manifests".to_owned(), Value::Array(vec![added])));
                }
            }
            let bytes = serde_json::to_vec(&document).map_err(json)?;
            Content::new(index.media_type(), bytes)
        }
    };
    let size = manifest.bytes().len() as u64;
    if size > limit {
        return Err(StoreError::TooLarge { at: at.clone(), size, limit });
    }
    Ok(TagChange { manifest, blobs: Vec::new() })
}

/// Whether an index has no entries.
pub(crate) fn lists_nothing(index: &Content, at: &At) -> Result<bool, StoreError> {
    Ok(entries(index, at)?.is_empty())
}

/// The index without the entry for `digest`, as it came but for that.
pub(crate) fn without_entry(
    index: Option<&Content>,
    digest: &Digest,
    at: &At,
) -> Result<TagChange, StoreError> {
    let manifest = match index {
        None => touchmark_oci::ImageIndex::new(Vec::new()).to_content(),
        Some(index) if entries(index, at)?.iter().all(|entry| entry.digest != *digest) => index.clone(),
        Some(index) => {
            let json = |source| unreadable(at, ManifestError::Json(source));
            let mut document: Value = serde_json::from_slice(index.bytes()).map_err(json)?;
            let wanted = digest.to_string();
            let is_other =
                |entry: &Value| entry.get("digest").and_then(Value::as_str) != Some(wanted.as_str());
            if let Some(Value::Array(manifests)) = document.get_mut("manifests") {
                manifests.retain(is_other);
            }
            Content::new(index.media_type(), serde_json::to_vec(&document).map_err(json)?)
        }
    };
    Ok(TagChange { manifest, blobs: Vec::new() })
}

#[cfg(test)]
mod tests {
    use touchmark_oci::ImageManifest;

    use super::*;

    fn at() -> At {
        At::new(Operation::ListReferrers, "x")
    }

    fn entry(text: &[u8]) -> Descriptor {
        Descriptor::of(media_type::OCI_MANIFEST, text)
    }

    #[test]
    fn an_entry_is_added_once_and_the_others_keep_all_their_members() {
        let first = with_entry(None, &entry(b"a"), 10_000, &at()).unwrap().manifest;
        let text = String::from_utf8(first.into_bytes())
            .unwrap()
            .replace("\"size\":1", "\"size\":1,\"urls\":[\"u\"]");
        let first = Content::new(media_type::OCI_INDEX, text.into_bytes());
        let second = with_entry(Some(&first), &entry(b"b"), 10_000, &at()).unwrap().manifest;
        assert_eq!(entries(&second, &at()).unwrap().len(), 2);
        assert!(String::from_utf8_lossy(second.bytes()).contains("\"urls\":[\"u\"]"));
        let third = with_entry(Some(&second), &entry(b"b"), 10_000, &at()).unwrap().manifest;
        assert_eq!(third, second);
    }

    #[test]
    fn an_entry_is_taken_off_and_the_others_stay() {
        let first = with_entry(None, &entry(b"a"), 10_000, &at()).unwrap().manifest;
        let both = with_entry(Some(&first), &entry(b"b"), 10_000, &at()).unwrap().manifest;
        let left = without_entry(Some(&both), &Digest::of(b"b"), &at()).unwrap().manifest;
        assert_eq!(entries(&left, &at()).unwrap(), entries(&first, &at()).unwrap());
        assert_eq!(without_entry(Some(&left), &Digest::of(b"b"), &at()).unwrap().manifest, left);
        let none = without_entry(None, &Digest::of(b"b"), &at()).unwrap().manifest;
        assert!(entries(&none, &at()).unwrap().is_empty());
    }

    #[test]
    fn an_index_without_a_list_gets_one() {
        let empty = Content::new(media_type::OCI_INDEX, br#"{"schemaVersion":2,"manifests":null}"#.to_vec());
        let index = with_entry(Some(&empty), &entry(b"a"), 10_000, &at()).unwrap().manifest;
        assert_eq!(entries(&index, &at()).unwrap().len(), 1);
    }

    #[test]
    fn a_fallback_tag_that_is_no_index_is_neither_read_nor_overwritten() {
        let image = ImageManifest::new(Descriptor::of(media_type::OCI_CONFIG, b"{}"), vec![]).to_content();
        let error = with_entry(Some(&image), &entry(b"a"), 10_000, &at()).unwrap_err();
        assert!(matches!(error, StoreError::InvalidResponse { fault: ResponseFault::NoIndex { .. }, .. }));
    }

    #[test]
    fn an_index_does_not_grow_beyond_what_would_be_read_back() {
        assert!(matches!(with_entry(None, &entry(b"a"), 10, &at()), Err(StoreError::TooLarge { .. })));
    }

    #[test]
    fn an_entry_says_what_kind_of_artifact_it_is() {
        let mut image = ImageManifest::new(Descriptor::of("application/x-config", b"{}"), vec![]);
        image.annotations.insert("k".into(), "v".into());
        let content = image.to_content();
        let found = entry_of(&content, &Manifest::Image(image.clone()));
        assert_eq!(found.artifact_type.as_deref(), Some("application/x-config"));
        assert_eq!(found.annotations["k"], "v");
        image.artifact_type = Some("application/x-kind".into());
        let found = entry_of(&image.to_content(), &Manifest::Image(image.clone()));
        assert_eq!(found.artifact_type.as_deref(), Some("application/x-kind"));
    }
}
