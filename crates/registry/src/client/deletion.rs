//! Deleting manifests, and taking them off the list of what refers to an image.
//!
//! By digest and never by tag: a tag may have moved since it was read
//! ([distribution-spec 1.1, "Content Management"](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#content-management)).

use touchmark_oci::{Digest, PinnedRef};
use touchmark_transport::{Method, Request, StatusCode};

use super::RegistryClient;
use super::auth::Scopes;
use super::referrers::{fallback_tag, lists_nothing, without_entry};
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
        let (name, digest) = (manifest.name(), manifest.digest());
        let repository = self.repository(name, at)?;
        let tag = fallback_tag(subject, at)?;
        let mut deleted = None;
        while let Some(index) = self.manifest_by_tag(&repository, &tag, at).await? {
            // A registry that still shows what it has deleted will not show another list sooner for being asked again.
            if deleted.as_ref() == Some(index.digest()) {
                break;
            }
            let is_last = lists_nothing(&without_entry(Some(&index), digest, at)?.manifest, at)?;
            if !is_last || !self.delete_list(&name.pin(index.digest().clone()), at).await? {
                return self
                    .change_tag(name, &tag, &|index| without_entry(index, digest, at))
                    .await
                    .map(|_| ());
            }
            deleted = Some(index.digest().clone());
        }
        Ok(())
    }

    /// Deletes a list that would be empty, by the digest that it was read with: a list that another writer put in its place since
    /// has another digest, and stays. `false` where the registry does not delete it.
    async fn delete_list(&self, index: &PinnedRef, at: &At) -> Result<bool, StoreError> {
        match self.delete_by_digest(index, at).await {
            Ok(()) => Ok(true),
            Err(StoreError::Undeletable { .. } | StoreError::Rejected { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
