//! What an issuer says about itself
//! ([OpenID Connect Discovery 1.0 §3](https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata)).

use serde::Deserialize;
use touchmark_transport::{Client, Method, Request, Url};

use super::{LoginEndpoint, LoginError};

/// Bytes of a discovery document. Sigstore's has 1 KB.
const MAX_DOCUMENT_BYTES: u64 = 256 << 10;

/// An issuer and its endpoints, each an address that may be asked.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) issuer: String,
    pub(super) token: Url,
    pub(super) device: Option<Url>,
    authorization: Option<Url>,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    token_endpoint: String,
    authorization_endpoint: Option<String>,
    device_authorization_endpoint: Option<String>,
}

impl Provider {
    pub(super) async fn discover(client: &Client, issuer: &Url) -> Result<Self, LoginError> {
        // Discovery 1.0 §4: a terminating slash is removed first.
        let base = issuer.as_str().trim_end_matches('/');
        let url =
            address(client, LoginEndpoint::Discovery, &format!("{base}/.well-known/openid-configuration"))?;
        let answer = client.fetch(Request::new(Method::GET, url), MAX_DOCUMENT_BYTES).await;
        let answer = answer.map_err(|source| LoginEndpoint::Discovery.unreachable(source))?;
        if !answer.status.is_success() {
            return Err(LoginEndpoint::Discovery.refused(answer.status));
        }
        let document: Document = serde_json::from_slice(&answer.body)
            .map_err(|source| LoginError::Answer { endpoint: LoginEndpoint::Discovery, source })?;
        Self::checked(client, base, document)
    }

    /// The document has to be that of the issuer that was asked (Discovery 1.0 §4.3), and its addresses ones that may be asked: a
    /// browser is not sent to a `file:` on this machine.
    fn checked(client: &Client, asked: &str, document: Document) -> Result<Self, LoginError> {
        if document.issuer.trim_end_matches('/') != asked {
            return Err(LoginError::Issuer { found: document.issuer, expected: asked.to_owned() });
        }
        let optional = |endpoint: LoginEndpoint, text: Option<String>| {
            text.map(|text| address(client, endpoint, &text)).transpose()
        };
        Ok(Self {
            token: address(client, LoginEndpoint::Token, &document.token_endpoint)?,
            device: optional(LoginEndpoint::Device, document.device_authorization_endpoint)?,
            authorization: optional(LoginEndpoint::Authorization, document.authorization_endpoint)?,
            issuer: document.issuer,
        })
    }

    /// Where people log in.
    pub(super) fn authorization(&self) -> Result<&Url, LoginError> {
        let missing = LoginError::NoEndpoint { endpoint: LoginEndpoint::Authorization };
        self.authorization.as_ref().ok_or(missing)
    }
}

/// An address that may be asked: HTTPS, or this machine.
pub(super) fn address(client: &Client, endpoint: LoginEndpoint, text: &str) -> Result<Url, LoginError> {
    let unusable = || LoginError::Address { endpoint, found: text.chars().take(200).collect() };
    let url: Url = text.parse().map_err(|_| unusable())?;
    client.check_url(&url).map_err(|_| unusable())?;
    Ok(url)
}

#[cfg(test)]
mod tests {
    use touchmark_transport::ClientOptions;

    use super::*;

    fn read(asked: &str, document: &str) -> Result<Provider, LoginError> {
        let client = Client::new(ClientOptions::default()).unwrap();
        Provider::checked(&client, asked, serde_json::from_str(document).unwrap())
    }

    #[test]
    fn a_document_is_that_of_the_issuer_that_was_asked() {
        let document = r#"{"issuer":"https://i.example/","token_endpoint":"https://i.example/t"}"#;
        let provider = read("https://i.example", document).unwrap();
        assert_eq!(provider.issuer, "https://i.example/");
        assert!(matches!(
            provider.authorization(),
            Err(LoginError::NoEndpoint { endpoint: LoginEndpoint::Authorization })
        ));
        let other = read("https://other.example", document);
        assert!(matches!(other, Err(LoginError::Issuer { found, .. }) if found == "https://i.example/"));
    }

    #[test]
    fn addresses_are_https_or_this_machine() {
        for bad in ["file:///etc/passwd", "http://i.example/auth", "javascript:alert(1)", "nothing"] {
            let document = format!(
                r#"{{"issuer":"https://i.example","token_endpoint":"https://i.example/t","authorization_endpoint":"{bad}"}}"#
            );
            let refused = read("https://i.example", &document);
            assert!(
                matches!(&refused, Err(LoginError::Address { endpoint: LoginEndpoint::Authorization, found }) if found == bad),
                "{bad}"
            );
        }
    }
}
