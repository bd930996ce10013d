//! Kubernetes secrets, as `cosign generate-key-pair k8s://NAMESPACE/NAME` makes them:
//! [reading a Secret](https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/secret-v1/) from within a pod
//! ([access from a pod](https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/)). The private key then is in memory.

use std::collections::BTreeMap;

use serde::Deserialize;
use touchmark_sigstore::Limits;
use touchmark_transport::ClientOptions;
use zeroize::Zeroizing;

use super::exchange::Exchange;
use super::{Environment, KmsError, Service};
use crate::key_reference::KubernetesSecretReference;
use crate::{KeyFile, PrivateKey};

/// Where a pod finds its token and the cluster's certificate.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

#[derive(Deserialize)]
struct Secret {
    #[serde(default)]
    data: BTreeMap<String, String>,
}

/// The private key in a secret.
pub(super) async fn fetch(
    reference: &KubernetesSecretReference,
    exchange: Exchange,
    environment: &Environment,
) -> Result<PrivateKey, KmsError> {
    let folder = environment.value("TOUCHMARK_KUBERNETES_DIR");
    let folder = folder.as_deref().map_or(ACCOUNT, String::as_str);
    let token = exchange.read_file(format!("{folder}/token")).await?;
    let server = server(environment)?;
    let mut options: ClientOptions = exchange.options().clone();
    // `kubectl proxy` on this machine has no certificate, and needs none.
    if server.starts_with("https:") {
        let authority = exchange.read_file(format!("{folder}/ca.crt")).await?;
        options.extra_roots.push(authority.as_bytes().to_vec());
    }
    let exchange = exchange.with_options(options)?;
    let url = format!("{server}/api/v1/namespaces/{}/secrets/{}", reference.namespace, reference.name);
    let request = exchange.get(&url)?.authorization(exchange.bearer(&token)?);
    let secret: Secret = exchange.call(request).await?;
    private_key(secret)
}

/// The API server: that of the cluster that the program runs in, or `TOUCHMARK_KUBERNETES_SERVER`.
fn server(environment: &Environment) -> Result<String, KmsError> {
    if let Some(url) = environment.value("TOUCHMARK_KUBERNETES_SERVER") {
        return Ok(url.trim_end_matches('/').to_owned());
    }
    let host = environment.require("KUBERNETES_SERVICE_HOST")?;
    let port = environment.require("KUBERNETES_SERVICE_PORT")?;
    let host = if host.contains(':') { format!("[{}]", host.as_str()) } else { host.to_string() };
    Ok(format!("https://{host}:{}", port.as_str()))
}

fn private_key(mut secret: Secret) -> Result<PrivateKey, KmsError> {
    let mut text = |name: &'static str| -> Result<Option<Zeroizing<String>>, KmsError> {
        let Some(value) = secret.data.remove(name).map(Zeroizing::new) else {
            return Ok(None);
        };
        let bytes = Service::Kubernetes.base64(&value, name)?;
        String::from_utf8(bytes)
            .map(|text| Some(Zeroizing::new(text)))
            .map_err(|_| Service::Kubernetes.field(name))
    };
    let key = text("cosign.key")?.ok_or_else(|| Service::Kubernetes.field("cosign.key"))?;
    let password = text("cosign.password")?.unwrap_or_default();
    let key = KeyFile::parse(&key, &Limits::default())?.unlock(password.as_bytes())?;
    match text("cosign.pub")? {
        Some(public) if Service::Kubernetes.public_key_pem(&public)? != *key.public_key() => {
            Err(KmsError::OtherPublicKey)
        }
        _ => Ok(key),
    }
}
