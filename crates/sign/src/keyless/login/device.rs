//! The device authorization grant ([RFC 8628](https://www.rfc-editor.org/rfc/rfc8628)): a code is shown here and typed elsewhere.

use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;
use touchmark_transport::Url;
use zeroize::Zeroizing;

use super::exchange::{Exchange, OauthError, readable};
use super::provider::address;
use super::secrets::ProofKey;
use super::{LoginEndpoint, LoginError, SCOPE};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Between two questions, where the server does not say (RFC 8628 §3.2).
const DEFAULT_INTERVAL: u64 = 5;
/// What `slow_down` adds, for good (RFC 8628 §3.5).
const SLOWER: Duration = Duration::from_secs(5);
/// No server is asked more often, whatever it says.
const MIN_INTERVAL: Duration = Duration::from_millis(250);
/// No code is waited for longer, whatever the server says.
const MAX_LIFETIME: Duration = Duration::from_secs(30 * 60);

/// A code to type on another device. Its texts come from the issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCode {
    /// What to type.
    pub user_code: String,
    /// Where to type it.
    pub verification_url: Url,
    /// The same with the code in it, where the issuer gives one.
    pub complete_url: Option<Url>,
    /// How long it is good for.
    pub lifetime: Duration,
}

/// RFC 8628 §3.2. Google writes `verification_url`.
#[derive(Deserialize)]
struct Answer {
    device_code: String,
    user_code: String,
    #[serde(alias = "verification_url")]
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: u64,
    interval: Option<u64>,
}

/// The identity token, once the code was typed. The proof key is more than RFC 8628 asks for; Sigstore's issuer holds a client to it.
pub(super) async fn log_in(
    exchange: &Exchange,
    show: impl FnOnce(&DeviceCode),
) -> Result<Zeroizing<String>, LoginError> {
    let endpoint = LoginEndpoint::Device;
    let url = exchange.provider.device.as_ref().ok_or(LoginError::NoEndpoint { endpoint })?;
    let proof_key = ProofKey::new()?;
    let challenge = proof_key.challenge();
    let form = [("scope", SCOPE), ("code_challenge", &challenge), ("code_challenge_method", "S256")];
    let answer: Answer = exchange.post(endpoint, url, &form).await?.map_err(OauthError::into_error)?;
    let code = shown(exchange, &answer)?;
    show(&code);
    let form = [
        ("grant_type", GRANT),
        ("device_code", &answer.device_code),
        ("code_verifier", proof_key.verifier()),
    ];
    let mut pace = Pace::new(answer.interval, code.lifetime);
    loop {
        pace.wait().await?;
        match exchange.token(&form).await? {
            Ok(token) => return Ok(token),
            Err(refusal) => pace.after(refusal)?,
        }
    }
}

fn shown(exchange: &Exchange, answer: &Answer) -> Result<DeviceCode, LoginError> {
    let address = |text: &String| address(&exchange.client, LoginEndpoint::Device, text);
    Ok(DeviceCode {
        user_code: readable(&answer.user_code),
        verification_url: address(&answer.verification_uri)?,
        complete_url: answer.verification_uri_complete.as_ref().map(address).transpose()?,
        lifetime: Duration::from_secs(answer.expires_in).min(MAX_LIFETIME),
    })
}

/// How often the server is asked, and until when.
struct Pace {
    interval: Duration,
    end: Instant,
}

impl Pace {
    fn new(seconds: Option<u64>, lifetime: Duration) -> Self {
        let interval =
            Duration::from_secs(seconds.unwrap_or(DEFAULT_INTERVAL)).clamp(MIN_INTERVAL, MAX_LIFETIME);
        Self { interval, end: Instant::now() + lifetime }
    }

    async fn wait(&self) -> Result<(), LoginError> {
        let next = Instant::now() + self.interval;
        if next > self.end {
            return Err(LoginError::Expired);
        }
        tokio::time::sleep_until(next).await;
        Ok(())
    }

    /// RFC 8628 §3.5.
    fn after(&mut self, refusal: OauthError) -> Result<(), LoginError> {
        match refusal.error.as_str() {
            "authorization_pending" => {}
            "slow_down" => self.interval += SLOWER,
            _ => return Err(refusal.into_error()),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(error: &str) -> OauthError {
        OauthError { error: error.to_owned(), error_description: "because".to_owned() }
    }

    #[test]
    fn a_server_is_asked_as_often_as_it_wants_and_slower_when_it_says_so() {
        let mut pace = Pace::new(None, MAX_LIFETIME);
        assert_eq!(pace.interval, Duration::from_secs(5));
        pace.after(refusal("authorization_pending")).unwrap();
        assert_eq!(pace.interval, Duration::from_secs(5));
        pace.after(refusal("slow_down")).unwrap();
        pace.after(refusal("slow_down")).unwrap();
        assert_eq!(pace.interval, Duration::from_secs(15));
        assert_eq!(Pace::new(Some(0), MAX_LIFETIME).interval, MIN_INTERVAL);
        assert_eq!(Pace::new(Some(u64::MAX), MAX_LIFETIME).interval, MAX_LIFETIME);
    }

    #[tokio::test]
    async fn a_code_ends_when_it_is_refused_or_too_old() {
        let mut pace = Pace::new(Some(1), Duration::ZERO);
        assert!(matches!(pace.wait().await, Err(LoginError::Expired)));
        assert!(matches!(pace.after(refusal("access_denied")), Err(LoginError::Denied)));
        assert!(matches!(pace.after(refusal("expired_token")), Err(LoginError::Expired)));
        let other = pace.after(refusal("invalid_grant"));
        assert!(
            matches!(other, Err(LoginError::Oauth { code, description }) if code == "invalid_grant" && description == "because")
        );
    }
}
