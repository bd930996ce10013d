//! AWS credentials, in the order of AWS's SDKs
//! ([credential providers](https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html)): variables, a web identity
//! (IRSA), the endpoint of a container (ECS, EKS Pod Identity), the instance (IMDSv2). Profiles in files are not read.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::Mutex;
use touchmark_transport::header::{HeaderName, HeaderValue};
use touchmark_transport::{Method, Request, is_loopback};
use zeroize::Zeroizing;

use super::exchange::{Exchange, secret};
use super::sigv4::Credentials;
use super::{Environment, KmsError, Service};
use crate::percent;

/// Temporary credentials are valid for 15 minutes at least; they are fetched anew long before.
const KEPT: Duration = Duration::from_secs(300);
/// Where ECS gives credentials ([task IAM roles](https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html)).
const ECS: &str = "http://169.254.170.2";
/// Where an instance gives them ([IMDSv2](https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-v2-how-it-works.html)).
const IMDS: &str = "http://169.254.169.254";
const ROLE_PATH: &str = "latest/meta-data/iam/security-credentials/";

/// Where credentials come from, and those that are still good.
pub(super) struct AwsCredentials {
    exchange: Exchange,
    environment: Environment,
    region: String,
    kept: Mutex<Option<(Credentials, Instant)>>,
}

/// As containers and instances give them.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Temporary {
    access_key_id: String,
    #[serde(deserialize_with = "secret")]
    secret_access_key: Zeroizing<String>,
    #[serde(alias = "SessionToken")]
    #[serde(deserialize_with = "secret")]
    token: Zeroizing<String>,
}

/// As STS gives them ([AssumeRoleWithWebIdentity](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html)).
#[derive(Deserialize)]
struct AssumedRole {
    #[serde(rename = "AssumeRoleWithWebIdentityResponse")]
    response: AssumedRoleResponse,
}

#[derive(Deserialize)]
struct AssumedRoleResponse {
    #[serde(rename = "AssumeRoleWithWebIdentityResult")]
    result: AssumedRoleResult,
}

#[derive(Deserialize)]
struct AssumedRoleResult {
    #[serde(rename = "Credentials")]
    credentials: Temporary,
}

impl From<Temporary> for Credentials {
    fn from(found: Temporary) -> Self {
        Self {
            access_key_id: found.access_key_id,
            secret_access_key: found.secret_access_key,
            session_token: Some(found.token),
        }
    }
}

impl AwsCredentials {
    pub(super) fn new(exchange: Exchange, environment: Environment, region: String) -> Self {
        Self { exchange, environment, region, kept: Mutex::new(None) }
    }

    /// Credentials that are good now.
    pub(super) async fn current(&self) -> Result<Credentials, KmsError> {
        let mut kept = self.kept.lock().await;
        if let Some((credentials, since)) = &*kept
            && since.elapsed() < KEPT
        {
            return Ok(credentials.clone());
        }
        let credentials = self.find().await?;
        *kept = Some((credentials.clone(), Instant::now()));
        Ok(credentials)
    }

    async fn find(&self) -> Result<Credentials, KmsError> {
        if let Some(id) = self.environment.value("AWS_ACCESS_KEY_ID") {
            return Ok(Credentials {
                access_key_id: id.to_string(),
                secret_access_key: self.environment.require("AWS_SECRET_ACCESS_KEY")?,
                session_token: self.environment.value("AWS_SESSION_TOKEN"),
            });
        }
        if let Some(file) = self.environment.value("AWS_WEB_IDENTITY_TOKEN_FILE") {
            return self.web_identity(&file).await;
        }
        if let Some(url) = self.container_url()? {
            return self.container(&url).await;
        }
        if self.environment.value("AWS_EC2_METADATA_DISABLED").is_some_and(|value| *value == "true") {
            return Err(KmsError::NoCredentials { service: Service::Aws });
        }
        self.instance().await
    }

    async fn web_identity(&self, file: &str) -> Result<Credentials, KmsError> {
        let token = self.exchange.read_file(file).await?;
        let role = self.environment.require("AWS_ROLE_ARN")?;
        let session = self.environment.value("AWS_ROLE_SESSION_NAME");
        let session = match session {
            Some(session) => session.to_string(),
            None => format!("touchmark-{}", Timestamp::now().as_second()),
        };
        let body = percent::form(&[
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", "2011-06-15"),
            ("RoleArn", &role),
            ("RoleSessionName", &session),
            ("WebIdentityToken", &token),
        ]);
        let domain = if self.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let url = self.environment.first(&["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"]);
        let url = url.map_or_else(|| format!("https://sts.{}.{domain}/", self.region), |url| url.to_string());
        let request = self.exchange.post(&url, "application/x-www-form-urlencoded", body)?;
        Ok(self.exchange.call::<AssumedRole>(request).await?.response.result.credentials.into())
    }

    /// The container's endpoint. As in the SDKs, plain HTTP is for this machine and its host only.
    fn container_url(&self) -> Result<Option<String>, KmsError> {
        if let Some(path) = self.environment.value("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
            return Ok(Some(format!("{ECS}/{}", path.trim_start_matches('/'))));
        }
        let name = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
        let Some(url) = self.environment.value(name) else {
            return Ok(None);
        };
        let parsed = self.exchange.url(&url)?;
        let host = parsed.host_str().unwrap_or_default();
        let near = is_loopback(host) || is_link_local(host);
        if parsed.scheme() == "https" || near {
            return Ok(Some(url.to_string()));
        }
        Err(KmsError::VariableValue { name, expected: "https, or an address of this machine or its host" })
    }

    async fn container(&self, url: &str) -> Result<Credentials, KmsError> {
        let token = match self.environment.value("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
            Some(file) => Some(self.exchange.read_file(&*file).await?),
            None => self.environment.value("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
        };
        let host = self.exchange.with_host()?;
        let mut request = host.get(url)?;
        if let Some(token) = token {
            request = request.authorization(host.header_value(&token)?);
        }
        Ok(host.call::<Temporary>(request).await?.into())
    }

    async fn instance(&self) -> Result<Credentials, KmsError> {
        let host = self.exchange.with_host()?;
        let base = self.environment.value("AWS_EC2_METADATA_SERVICE_ENDPOINT");
        let base = base.as_deref().map_or(IMDS, |base| base.trim_end_matches('/'));
        let request = Request::new(Method::PUT, host.url(&format!("{base}/latest/api/token"))?).header(
            HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds"),
            HeaderValue::from_static("600"),
        );
        let token = host.header_value(&host.call_text(request).await?)?;
        let with_token = |path: &str| -> Result<Request, KmsError> {
            let name = HeaderName::from_static("x-aws-ec2-metadata-token");
            Ok(host.get(&format!("{base}/{ROLE_PATH}{path}"))?.header(name, token.clone()))
        };
        let roles = host.call_text(with_token("")?).await?;
        let role = roles.lines().next().ok_or(KmsError::NoCredentials { service: Service::Aws })?;
        Ok(host.call::<Temporary>(with_token(&percent::encode(role))?).await?.into())
    }
}

/// 169.254.0.0/16, and the one IPv6 address that EKS uses.
fn is_link_local(host: &str) -> bool {
    match host.trim_matches(['[', ']']).parse() {
        Ok(IpAddr::V4(address)) => address.is_link_local(),
        Ok(IpAddr::V6(address)) => address == std::net::Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
        Err(_) => false,
    }
}
