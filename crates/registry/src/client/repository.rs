//! Where a repository's registry is asked.

use touchmark_oci::ImageName;
use touchmark_transport::{PlainHttp, Url, is_loopback};

use crate::{At, StoreError};

/// One repository of one registry, with the registry's address.
#[derive(Debug, Clone)]
pub(super) struct Repository {
    pub(super) registry: String,
    pub(super) path: String,
    base: Url,
}

impl Repository {
    /// # Errors
    /// [`StoreError::WrongStore`] for a name that is no repository's.
    pub(super) fn new(name: &ImageName, plain_http: PlainHttp, at: &At) -> Result<Self, StoreError> {
        let ImageName::Repository { registry, repository } = name else {
            return Err(StoreError::WrongStore { at: at.clone() });
        };
        let host = host(registry);
        let scheme = if is_plain(host, plain_http) { "http" } else { "https" };
        let base = Url::parse(&format!("{scheme}://{host}/"))
            .map_err(|_| StoreError::WrongStore { at: at.clone() })?;
        Ok(Self { registry: registry.clone(), path: repository.clone(), base })
    }

    /// The address of `path` under this repository, such as `manifests/latest`.
    pub(super) fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("/v2/{}/{path}", self.path));
        url
    }

    /// Whether `url` is the registry itself, to which credentials may go.
    pub(super) fn is_own(&self, url: &Url) -> bool {
        url.origin() == self.base.origin()
    }

    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    /// What a `Location` or `Link` of this registry means. Registries behind a proxy that ends TLS name themselves by
    /// plain HTTP; the registry's own scheme is kept for its own host.
    pub(super) fn target(&self, base: &Url, text: &str) -> Option<Url> {
        let mut url = base.join(text).ok()?;
        if url.host() == self.base.host()
            && url.scheme() != self.base.scheme()
            && url.port() == self.base.port()
        {
            url.set_scheme(self.base.scheme()).ok()?;
        }
        Some(url)
    }
}

/// Docker Hub is asked at another host than it is named by.
fn host(registry: &str) -> &str {
    match registry {
        "docker.io" | "index.docker.io" => "registry-1.docker.io",
        other => other,
    }
}

/// This machine is asked by plain HTTP, other hosts only where that is allowed; none at the port of HTTPS.
fn is_plain(host: &str, plain_http: PlainHttp) -> bool {
    if host.ends_with(":443") {
        return false;
    }
    is_loopback(host) || plain_http == PlainHttp::DangerousAnywhere
}

#[cfg(test)]
mod tests {
    use crate::Operation;

    use super::*;

    fn url(reference: &str, plain_http: PlainHttp) -> String {
        let image: touchmark_oci::ImageRef = reference.parse().unwrap();
        let at = At::new(Operation::Resolve, &image);
        Repository::new(image.name(), plain_http, &at).unwrap().url("manifests/x").to_string()
    }

    #[test]
    fn docker_hub_is_asked_where_it_serves() {
        let found = url("debian", PlainHttp::Loopback);
        assert_eq!(found, "https://registry-1.docker.io/v2/library/debian/manifests/x");
    }

    #[test]
    fn only_this_machine_is_asked_by_plain_http() {
        assert_eq!(url("127.0.0.1:5000/a", PlainHttp::Loopback), "http://127.0.0.1:5000/v2/a/manifests/x");
        assert_eq!(url("localhost:443/a", PlainHttp::Loopback), "https://localhost/v2/a/manifests/x");
        assert_eq!(
            url("reg.example:5000/a", PlainHttp::Loopback),
            "https://reg.example:5000/v2/a/manifests/x"
        );
        assert_eq!(
            url("reg.example:5000/a", PlainHttp::DangerousAnywhere),
            "http://reg.example:5000/v2/a/manifests/x"
        );
    }

    #[test]
    fn a_location_keeps_the_registrys_scheme() {
        let image: touchmark_oci::ImageRef = "reg.example/a".parse().unwrap();
        let at = At::new(Operation::PushBlob, &image);
        let repository = Repository::new(image.name(), PlainHttp::Loopback, &at).unwrap();
        let base = repository.url("blobs/uploads/");
        let target = |text| repository.target(&base, text).unwrap().to_string();
        assert_eq!(target("/v2/a/blobs/uploads/1?x=y"), "https://reg.example/v2/a/blobs/uploads/1?x=y");
        assert_eq!(target("http://reg.example/u"), "https://reg.example/u");
        assert_eq!(target("http://storage.example/u"), "http://storage.example/u");
    }

    #[test]
    fn a_layout_is_no_repository() {
        let name = ImageName::Layout("dir".into());
        let error =
            Repository::new(&name, PlainHttp::Loopback, &At::new(Operation::Open, &name)).unwrap_err();
        assert!(matches!(error, StoreError::WrongStore { .. }));
    }
}
