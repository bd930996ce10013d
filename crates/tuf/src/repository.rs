//! Which repository: a mirror, and the root that is trusted beforehand.

use sigstore_tuf::TrustedMetadataSet;
use touchmark_oci::Digest;
use touchmark_transport::Url;

use crate::{Limits, Role, TufError};

/// Where Sigstore's public good instance publishes (`sigstore/root-signing`, README).
const PUBLIC_MIRROR: &str = "https://tuf-repo-cdn.sigstore.dev/";
/// Where its staging instance does (`sigstore/root-signing-staging`, README).
const STAGING_MIRROR: &str = "https://tuf-repo-cdn.sigstage.dev/";

const PUBLIC_ROOT: &[u8] = include_bytes!("../roots/public.root.json");
const STAGING_ROOT: &[u8] = include_bytes!("../roots/staging.root.json");

/// A mirror, and the root from which everything that it serves has to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    mirror: Url,
    root: Vec<u8>,
    digest: Digest,
}

impl Repository {
    /// The repository at `mirror`, trusting `root`, the bytes of a `root.json`. That root is right because whoever calls this says so;
    /// all that is checked is that it can be used. It may have expired as long as newer ones follow from it (§5.3.10).
    ///
    /// # Errors
    /// [`TufError::TooLarge`], [`TufError::Unreadable`], [`TufError::Signatures`].
    pub fn new(mirror: &Url, root: Vec<u8>, limits: &Limits) -> Result<Self, TufError> {
        let file = || "root.json".to_owned();
        if root.len() as u64 > limits.max_root_bytes {
            return Err(TufError::TooLarge { file: file(), limit: limits.max_root_bytes });
        }
        TrustedMetadataSet::from_root(&root).map_err(|error| TufError::of(error, &file(), Role::Root))?;
        Ok(Self::trusting(mirror.clone(), root))
    }

    /// Sigstore's public good instance, from its own mirror or another, with the root that is shipped.
    pub fn public_good(mirror: Option<Url>) -> Option<Self> {
        Some(Self::trusting(mirror.or_else(|| PUBLIC_MIRROR.parse().ok())?, PUBLIC_ROOT.to_vec()))
    }

    /// Sigstore's staging instance, from its own mirror or another, with the root that is shipped.
    pub fn staging(mirror: Option<Url>) -> Option<Self> {
        Some(Self::trusting(mirror.or_else(|| STAGING_MIRROR.parse().ok())?, STAGING_ROOT.to_vec()))
    }

    /// Files are below the mirror's path, which therefore ends in a slash.
    fn trusting(mut mirror: Url, root: Vec<u8>) -> Self {
        if !mirror.path().ends_with('/') {
            let path = format!("{}/", mirror.path());
            mirror.set_path(&path);
        }
        let digest = Digest::of(&root);
        Self { mirror, root, digest }
    }

    /// Where the files are.
    pub fn mirror(&self) -> &Url {
        &self.mirror
    }

    /// The root that is trusted beforehand.
    pub fn root(&self) -> &[u8] {
        &self.root
    }

    /// The digest of that root.
    pub fn root_digest(&self) -> &Digest {
        &self.digest
    }

    /// The name of its folder: another for another mirror or root, and readable.
    pub(crate) fn folder(&self) -> String {
        let host = self.mirror.host_str().unwrap_or_default();
        let host = host.replace(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '-', "_");
        let identity = Digest::of(format!("{}\n{}", self.mirror, self.digest).as_bytes());
        // 64 bits tell the few repositories of a machine apart; what is in the folder is compared, too.
        format!("{host}-{}", identity.hex().get(..16).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_roots_can_be_used() {
        for repository in [Repository::public_good(None), Repository::staging(None)] {
            let repository = repository.unwrap();
            let again =
                Repository::new(repository.mirror(), repository.root().to_vec(), &Limits::default()).unwrap();
            assert_eq!(again, repository);
        }
    }

    #[test]
    fn mirrors_and_roots_have_folders_of_their_own() {
        let at = |url: &str| Repository::public_good(Some(url.parse().unwrap())).unwrap();
        assert_eq!(at("https://a.example/tuf"), at("https://a.example/tuf/"));
        let folders =
            [at("https://a.example/"), at("https://a.example/tuf"), at("https://a.example:8443/"), {
                Repository::staging(Some("https://a.example/".parse().unwrap())).unwrap()
            }];
        let names: std::collections::BTreeSet<String> = folders.iter().map(Repository::folder).collect();
        assert_eq!(names.len(), 4, "{names:?}");
        assert!(at("http://[::1]:80/").folder().starts_with("___1_-"));
    }

    #[test]
    fn refuses_what_is_no_root() {
        let mirror: Url = "https://a.example/".parse().unwrap();
        let new = |root: &[u8], limits: &Limits| Repository::new(&mirror, root.to_vec(), limits).unwrap_err();
        let limits = Limits::default();
        assert!(matches!(new(b"{}", &limits), TufError::Unreadable { .. }));
        let unsigned =
            String::from_utf8(PUBLIC_ROOT.to_vec()).unwrap().replace("\"sig\": \"30", "\"sig\": \"31");
        assert!(matches!(
            new(unsigned.as_bytes(), &limits),
            TufError::Signatures { role: Role::Root, found: 0, .. }
        ));
        let small = Limits { max_root_bytes: 1, ..limits };
        assert!(matches!(new(PUBLIC_ROOT, &small), TufError::TooLarge { limit: 1, .. }));
    }
}
