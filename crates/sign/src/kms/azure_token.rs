//! Tokens for Azure, in the order of
//! [DefaultAzureCredential](https://learn.microsoft.com/azure/developer/go/azidentity-credential-chains): a client secret, a workload
//! identity's file, the managed identity of an App Service or of the machine. The signed-in user of `az` is not asked.

use serde::Deserialize;
use touchmark_transport::header::{HeaderName, HeaderValue};
use zeroize::Zeroizing;

use super::exchange::{Exchange, secret};
use super::kept_token::KeptToken;
use super::{Environment, KmsError, Service};
use crate::percent;

const AUTHORITY: &str = "https://login.microsoftonline.com";
/// The instance's own service
/// ([managed identities](https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token)).
const IMDS: &str = "http://169.254.169.254";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Where tokens come from, and one that is still good.
pub(super) struct AzureToken {
    exchange: Exchange,
    environment: Environment,
    resource: String,
    kept: KeptToken,
}

#[derive(Deserialize)]
struct TokenAnswer {
    #[serde(deserialize_with = "secret")]
    access_token: Zeroizing<String>,
}

impl AzureToken {
    /// Tokens for the vault at `host`, good for all vaults of its cloud.
    pub(super) fn new(exchange: Exchange, environment: Environment, host: &str) -> Self {
        let cloud = host.split_once('.').map_or(host, |(_, cloud)| cloud);
        let resource = format!("https://{cloud}");
        Self { exchange, environment, resource, kept: KeptToken::default() }
    }

    /// A token that is good now.
    pub(super) async fn current(&self) -> Result<Zeroizing<String>, KmsError> {
        self.kept.get(self.find()).await
    }

    async fn find(&self) -> Result<Zeroizing<String>, KmsError> {
        if let Some(secret) = self.environment.value("AZURE_CLIENT_SECRET") {
            return self.client(&[("client_secret", &secret)]).await;
        }
        if let Some(file) = self.environment.value("AZURE_FEDERATED_TOKEN_FILE") {
            let assertion = self.exchange.read_file(&*file).await?;
            return self
                .client(&[("client_assertion_type", ASSERTION), ("client_assertion", &assertion)])
                .await;
        }
        match self.environment.value("IDENTITY_ENDPOINT") {
            Some(endpoint) => self.app_service(&endpoint).await,
            None => self.machine().await,
        }
    }

    /// [Client credentials](https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow).
    async fn client(&self, proof: &[(&str, &str)]) -> Result<Zeroizing<String>, KmsError> {
        let tenant = self.environment.require("AZURE_TENANT_ID")?;
        let client = self.environment.require("AZURE_CLIENT_ID")?;
        let authority = self.environment.value("AZURE_AUTHORITY_HOST");
        let authority = authority.as_deref().map_or(AUTHORITY, |url| url.trim_end_matches('/'));
        let scope = format!("{}/.default", self.resource);
        let mut pairs =
            vec![("client_id", client.as_str()), ("grant_type", "client_credentials"), ("scope", &scope)];
        pairs.extend_from_slice(proof);
        let url = format!("{authority}/{}/oauth2/v2.0/token", percent::encode(&tenant));
        let request = self.exchange.post(&url, "application/x-www-form-urlencoded", percent::form(&pairs))?;
        Ok(self.exchange.call::<TokenAnswer>(request).await?.access_token)
    }

    /// [App Service and Functions](https://learn.microsoft.com/azure/app-service/overview-managed-identity).
    async fn app_service(&self, endpoint: &str) -> Result<Zeroizing<String>, KmsError> {
        let secret = self.environment.require("IDENTITY_HEADER")?;
        let host = self.exchange.with_host()?;
        let request = host
            .get(&format!("{endpoint}?{}", self.query("2019-08-01")))?
            .header(HeaderName::from_static("x-identity-header"), host.header_value(&secret)?);
        Ok(host.call::<TokenAnswer>(request).await?.access_token)
    }

    async fn machine(&self) -> Result<Zeroizing<String>, KmsError> {
        let host = self.exchange.with_host()?;
        let base = self.environment.value("AZURE_POD_IDENTITY_AUTHORITY_HOST");
        let base = base.as_deref().map_or(IMDS, |base| base.trim_end_matches('/'));
        let request = host
            .get(&format!("{base}/metadata/identity/oauth2/token?{}", self.query("2018-02-01")))?
            .header(HeaderName::from_static("metadata"), HeaderValue::from_static("true"));
        match host.call::<TokenAnswer>(request).await {
            Ok(answer) => Ok(answer.access_token),
            // Away from Azure there is no such host, which is no news.
            Err(KmsError::Transport { .. }) => Err(KmsError::NoCredentials { service: Service::Azure }),
            Err(error) => Err(error),
        }
    }

    fn query(&self, version: &str) -> String {
        let client = self.environment.value("AZURE_CLIENT_ID");
        let mut pairs = vec![("api-version", version), ("resource", self.resource.as_str())];
        pairs.extend(client.as_deref().map(|client| ("client_id", client.as_str())));
        percent::form(&pairs)
    }
}
