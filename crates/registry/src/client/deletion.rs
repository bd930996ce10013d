//! Deleting manifests, and taking them off the list of what refers to an image.
//!
//! By digest and never by tag: a tag may have moved since it was read
//! ([distribution-spec 1.1, "Content Management"](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#content-management)).

use touchmark_oci::{Digest, PinnedRef};
use touchmark_transport::{Method, Request, StatusCode};

use super::RegistryClient;
use super::auth::Scopes;
use super::referrers::{fallback_tag, without_entry};
use crate::{At, Operation, StoreError};

impl RegistryClient {
    /// Deletes, then takes off the list: a crash in between leaves an entry that readers tell as missing, never evidence that
    /// no list has.
    pub(super) async fn delete_listed(
        &self,
        manifest: &PinnedRef,
        subject: Option<&Digest>,
    ) -> Result<(), StoreError> {
        let at = At::new(Operation::Delete, manifest);
        self.delete_by_digest(manifest, &at).await?;
        match subject {
            Some(subject) => self.take_off_the_list(manifest, subject, &at).await,
            None => Ok(()),
        }
    }

    async fn delete_by_digest(&self, manifest: &PinnedRef, at: &At) -> Result<(), StoreError> {
        let repository = self.repository(manifest.name(), at)?;
        let url = repository.url(&format!("manifests/{}", manifest.digest()));
        let request = Request::new(Method::DELETE, url);
        let scopes = Scopes::delete(&repository);
        let answer = self.fetch(&repository, &scopes, at, &request, self.max_error_bytes()).await?;
        match answer.status {
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(()),
            status if status.is_success() => Ok(()),
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => Err(StoreError::Undeletable {
                at: at.clone(),
                registry: repository.registry,
                status: answer.status.as_u16(),
            }),
            _ => Err(self.refused(&repository, at, &answer).await),
        }
    }

    async fn take_off_the_list(
        &self,
        manifest: &PinnedRef,
        subject: &Digest,
        at: &At,
    ) -> Result<(), StoreError> {
        let repository = self.repository(manifest.name(), at)?;
        let tag = fallback_tag(subject, at)?;
        if self.manifest_by_tag(&repository, &tag, at).await?.is_none() {
            return Ok(());
        }
        let digest = manifest.digest();
        self.change_tag(manifest.name(), &tag, &|index| without_entry(index, digest, at)).await.map(|_| ())
    }
}
