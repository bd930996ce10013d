//! The identity tokens that CI systems and clouds hand to their jobs. Variables and files are looked up by functions that the caller
//! gives; two of the providers are asked over HTTP, and SPIFFE's agent over its socket.

use serde::Deserialize;
use touchmark_transport::header::HeaderValue;
use touchmark_transport::{Client, Method, Request, StatusCode, TransportError, Url};

use super::spiffe;

/// Bytes of an answer with a token.
const MAX_ANSWER_BYTES: u64 = 256 << 10;
/// Where Kubernetes projects a token for Sigstore, as cosign expects it.
const KUBERNETES_TOKEN: &str = "/var/run/sigstore/cosign/oidc-token";
/// Buildkite's agent, which hands out the job's tokens
/// ([buildkite-agent oidc](https://buildkite.com/docs/agent/v3/cli-oidc)).
const BUILDKITE_AGENT: &str = "buildkite-agent";
/// The audience that Fulcio asks for.
const AUDIENCE: &str = "sigstore";

/// The token of the job that this is, if a provider is recognised. `variable` looks up the environment, `file` reads a file that may be
/// missing, `program` runs a program with arguments and gives what it writes if it succeeds.
///
/// # Errors
/// [`AmbientError`]: a provider is there and gives no token.
pub async fn ambient_token(
    client: &Client,
    variable: &(dyn Fn(&str) -> Option<String> + Sync),
    file: &(dyn Fn(&str) -> Option<String> + Sync),
    program: &(dyn Fn(&str, &[&str]) -> Option<String> + Sync),
) -> Result<Option<String>, AmbientError> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    // GitLab and everybody who follows its convention; CircleCI.
    if let Some(token) = set("SIGSTORE_ID_TOKEN").or_else(|| set("CIRCLE_OIDC_TOKEN_V2")) {
        return Ok(Some(token));
    }
    if let (Some(url), Some(bearer)) =
        (set("ACTIONS_ID_TOKEN_REQUEST_URL"), set("ACTIONS_ID_TOKEN_REQUEST_TOKEN"))
    {
        return github(client, &url, &bearer).await.map(Some);
    }
    if set("GITHUB_ACTIONS").is_some() {
        return Err(AmbientError::NoPermission);
    }
    if set("BUILDKITE").is_some() {
        let token = program(BUILDKITE_AGENT, &["oidc", "request-token", "--audience", AUDIENCE]);
        return token.map(Some).ok_or(AmbientError::Program { program: BUILDKITE_AGENT });
    }
    if let Some(host) = set("GCE_METADATA_HOST") {
        return google(client, &host).await.map(Some);
    }
    if let Some(path) = set("SPIFFE_JWT_FILE") {
        return file(&path).map(Some).ok_or(AmbientError::File { path });
    }
    if let Some(endpoint) = set("SPIFFE_ENDPOINT_SOCKET") {
        return spiffe::fetch(&endpoint, AUDIENCE).await.map(Some);
    }
    Ok(file(KUBERNETES_TOKEN))
}

/// GitHub Actions
/// ([OpenID Connect reference](https://docs.github.com/en/actions/reference/security/oidc)).
async fn github(client: &Client, url: &str, bearer: &str) -> Result<String, AmbientError> {
    #[derive(Deserialize)]
    struct Answer {
        value: String,
    }
    let mut url: Url = url.parse().map_err(|_| AmbientError::Address { provider: "GitHub Actions" })?;
    url.query_pairs_mut().append_pair("audience", AUDIENCE);
    let authorization = HeaderValue::from_str(&format!("Bearer {bearer}"));
    let authorization = authorization.map_err(|_| AmbientError::Address { provider: "GitHub Actions" })?;
    let request = Request::new(Method::GET, url).authorization(authorization);
    let body = ask(client, "GitHub Actions", request).await?;
    let answer: Answer = serde_json::from_slice(&body)?;
    Ok(answer.value)
}

/// Google's metadata server
/// ([identity tokens](https://cloud.google.com/compute/docs/instances/verifying-instance-identity)).
async fn google(client: &Client, host: &str) -> Result<String, AmbientError> {
    let address = format!(
        "http://{host}/computeMetadata/v1/instance/service-accounts/default/identity?audience={AUDIENCE}&format=full"
    );
    let url: Url = address.parse().map_err(|_| AmbientError::Address { provider: "Google" })?;
    let flavor = touchmark_transport::header::HeaderName::from_static("metadata-flavor");
    let request = Request::new(Method::GET, url).header(flavor, HeaderValue::from_static("Google"));
    let body = ask(client, "Google", request).await?;
    String::from_utf8(body).map_err(|_| AmbientError::Address { provider: "Google" })
}

async fn ask(client: &Client, provider: &'static str, request: Request) -> Result<Vec<u8>, AmbientError> {
    let answer = client.fetch(request, MAX_ANSWER_BYTES).await;
    let answer = answer.map_err(|source| AmbientError::Transport { provider, source: Box::new(source) })?;
    match answer.status {
        status if status.is_success() => Ok(answer.body.to_vec()),
        status => Err(AmbientError::Refused { provider, status }),
    }
}

/// Why a provider that is there gives no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AmbientError {
    /// GitHub's job may not ask for a token.
    #[error("this GitHub Actions job may ask for no identity token, expected the permission id-token: write")]
    NoPermission,
    /// An address that is none.
    #[error("{provider} gives an address or a token that cannot be used")]
    Address {
        /// Which provider.
        provider: &'static str,
    },
    /// A file that cannot be read.
    #[error("token file {path} cannot be read")]
    File {
        /// The file.
        path: String,
    },
    /// A program that gives no token.
    #[error("{program} gives no identity token")]
    Program {
        /// The program.
        program: &'static str,
    },
    /// SPIFFE's agent could not be asked.
    #[error("cannot ask the SPIFFE agent at {path} for an identity token")]
    Socket {
        /// Its socket.
        path: String,
        /// What went wrong.
        source: std::io::Error,
    },
    /// SPIFFE's agent refused.
    #[error("the SPIFFE agent refused an identity token with the gRPC status {status}")]
    Grpc {
        /// gRPC's number for it; 7 is "permission denied".
        status: u32,
    },
    /// SPIFFE's agent gave none.
    #[error("the SPIFFE agent's answer has no identity token")]
    NoSvid,
    /// A provider that could not be asked.
    #[error("cannot ask {provider} for an identity token")]
    Transport {
        /// Which provider.
        provider: &'static str,
        /// What went wrong.
        source: Box<TransportError>,
    },
    /// A provider that refused.
    #[error("{provider} answered {status} where an identity token was expected")]
    Refused {
        /// Which provider.
        provider: &'static str,
        /// The status.
        status: StatusCode,
    },
    /// An answer that is none.
    #[error("answer with the identity token is not valid")]
    Answer(#[from] serde_json::Error),
}

#[cfg(test)]
mod tests {
    use touchmark_transport::ClientOptions;

    use super::*;

    async fn token(
        variables: &[(&str, &str)],
        files: &[(&str, &str)],
    ) -> Result<Option<String>, AmbientError> {
        let look = |table: &[(&str, &str)], name: &str| {
            table.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        let client = Client::new(ClientOptions::default()).unwrap();
        // A program is a file here, named by what is run.
        let program = |name: &str, arguments: &[&str]| look(files, &[&[name], arguments].concat().join(" "));
        ambient_token(&client, &|name| look(variables, name), &|path| look(files, path), &program).await
    }

    #[tokio::test]
    async fn each_provider_is_recognised_by_what_it_sets() {
        assert_eq!(token(&[], &[]).await.unwrap(), None);
        assert_eq!(token(&[("SIGSTORE_ID_TOKEN", "a")], &[]).await.unwrap().as_deref(), Some("a"));
        assert_eq!(token(&[("CIRCLE_OIDC_TOKEN_V2", "b")], &[]).await.unwrap().as_deref(), Some("b"));
        assert_eq!(token(&[], &[(KUBERNETES_TOKEN, "c")]).await.unwrap().as_deref(), Some("c"));
        let agent = [("buildkite-agent oidc request-token --audience sigstore", "e")];
        assert_eq!(token(&[("BUILDKITE", "true")], &agent).await.unwrap().as_deref(), Some("e"));
        assert_eq!(token(&[], &agent).await.unwrap(), None);
        assert!(matches!(token(&[("BUILDKITE", "true")], &[]).await, Err(AmbientError::Program { .. })));
        let socket = [("SPIFFE_ENDPOINT_SOCKET", "unix:///no/such/socket")];
        assert!(matches!(token(&socket, &[]).await, Err(AmbientError::Socket { .. })));
        let spiffe = [("SPIFFE_JWT_FILE", "/f")];
        assert_eq!(token(&spiffe, &[("/f", "d")]).await.unwrap().as_deref(), Some("d"));
        assert!(matches!(token(&spiffe, &[]).await, Err(AmbientError::File { .. })));
        assert!(matches!(token(&[("GITHUB_ACTIONS", "true")], &[]).await, Err(AmbientError::NoPermission)));
    }
}
