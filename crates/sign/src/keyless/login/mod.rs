//! Logging in, to get an identity token from a person: OpenID Connect discovery, then the authorization code flow in a browser on this
//! machine, the same with a code to paste, or the device authorization grant.
//!
//! Every flow has a proof key of its own (PKCE, [RFC 7636](https://www.rfc-editor.org/rfc/rfc7636)), so that a code that was seen on
//! its way is worth nothing. Issuer, audience, expiry and, where the flow has one, nonce of the token are checked before it is given
//! out; its signature is for Fulcio to check. Asking and showing is left to the caller.

mod device;
mod error;
mod exchange;
mod listener;
mod provider;
mod secrets;

use std::io;
use std::time::Duration;

use jiff::Timestamp;
use touchmark_transport::{Client, Url};

pub use self::device::DeviceCode;
pub use self::error::{LoginEndpoint, LoginError};
use self::exchange::Exchange;
pub use self::listener::Redirect;
use self::provider::Provider;
use self::secrets::{ProofKey, random_text};
use super::IdentityToken;

/// The claims that Fulcio reads of a person: who it is, and the email address
/// ([Fulcio 1.8, oidc.md](https://github.com/sigstore/fulcio/blob/v1.8.0/docs/oidc.md)).
const SCOPE: &str = "openid email";
/// The redirect of a code that is shown to be pasted. No specification has it any more; Sigstore's issuer (Dex) and cosign do.
const OUT_OF_BAND: &str = "urn:ietf:wg:oauth:2.0:oob";
/// Characters of a pasted code.
const MAX_CODE: usize = 4 << 10;

/// An issuer to log in with.
#[derive(Debug)]
pub struct Login {
    exchange: Exchange,
}

impl Login {
    /// Asks the issuer where its endpoints are
    /// ([OpenID Connect Discovery 1.0 §4](https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig)).
    ///
    /// # Errors
    /// [`LoginError`]; [`LoginError::Issuer`] when the document is another issuer's.
    pub async fn discover(client: Client, issuer: &Url, client_id: &str) -> Result<Self, LoginError> {
        let provider = Provider::discover(&client, issuer).await?;
        Ok(Self { exchange: Exchange { client, provider, client_id: client_id.to_owned() } })
    }

    /// Who vouches for whoever logs in.
    pub fn issuer(&self) -> &str {
        &self.exchange.provider.issuer
    }

    /// Whether there is a device flow.
    pub fn offers_device(&self) -> bool {
        self.exchange.provider.device.is_some()
    }

    /// In a browser on this machine: `open` is given the address to open and says whether it could; the answer comes back to a port on
    /// loopback ([RFC 8252 §7.3](https://www.rfc-editor.org/rfc/rfc8252#section-7.3)) within `limit`.
    ///
    /// # Errors
    /// [`LoginError`]; [`LoginError::NoBrowser`] when `open` could not.
    pub async fn in_browser(
        &self,
        limit: Duration,
        open: impl FnOnce(&Url) -> bool,
    ) -> Result<IdentityToken, LoginError> {
        let listener = listener::Listener::bind().await?;
        let asked = self.ask(listener.redirect_uri())?;
        if !open(&asked.url) {
            return Err(LoginError::NoBrowser);
        }
        let redirect = tokio::time::timeout(limit, listener.redirect(&asked.state));
        let redirect = redirect.await.map_err(|_| LoginError::TimedOut { limit })??;
        let code = redirect.into_code(&asked.state, self.issuer())?;
        self.redeem(&asked, &code).await
    }

    /// In a browser anywhere: `ask` is given the address to show, and gives the code that was pasted.
    ///
    /// # Errors
    /// [`LoginError`]; [`LoginError::Code`] when nothing usable was pasted.
    pub async fn out_of_band(
        &self,
        ask: impl FnOnce(&Url) -> io::Result<String>,
    ) -> Result<IdentityToken, LoginError> {
        let asked = self.ask(OUT_OF_BAND.to_owned())?;
        let pasted = ask(&asked.url).map_err(LoginError::Paste)?;
        let code = pasted.trim();
        if code.is_empty() || code.len() > MAX_CODE || code.contains(char::is_whitespace) {
            return Err(LoginError::Code { length: code.len() });
        }
        self.redeem(&asked, code).await
    }

    /// On another device: `show` is given the code to type there
    /// ([RFC 8628](https://www.rfc-editor.org/rfc/rfc8628)). Waits until it was typed, refused or expired.
    ///
    /// The flow has no nonce; the device code, which never leaves this process, binds the token to it.
    ///
    /// # Errors
    /// [`LoginError`]; [`LoginError::NoEndpoint`] when the issuer has no such flow.
    pub async fn by_device(&self, show: impl FnOnce(&DeviceCode)) -> Result<IdentityToken, LoginError> {
        let text = device::log_in(&self.exchange, show).await?;
        self.check(&text, None)
    }

    /// The address to log in at (RFC 6749 §4.1.1, OpenID Connect Core 1.0 §3.1.2.1, RFC 7636 §4.3).
    fn ask(&self, redirect_uri: String) -> Result<Asked, LoginError> {
        let (proof_key, state, nonce) = (ProofKey::new()?, random_text()?, random_text()?);
        let mut url = self.exchange.provider.authorization()?.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.exchange.client_id)
            .append_pair("redirect_uri", &redirect_uri)
            .append_pair("scope", SCOPE)
            .append_pair("state", &state)
            .append_pair("nonce", &nonce)
            .append_pair("code_challenge", &proof_key.challenge())
            .append_pair("code_challenge_method", "S256");
        Ok(Asked { url, redirect_uri, proof_key, state, nonce })
    }

    /// Changes the code for a token (RFC 6749 §4.1.3).
    async fn redeem(&self, asked: &Asked, code: &str) -> Result<IdentityToken, LoginError> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &asked.redirect_uri),
            ("code_verifier", asked.proof_key.verifier()),
        ];
        let text = self.exchange.token(&form).await?.map_err(exchange::OauthError::into_error)?;
        self.check(&text, Some(&asked.nonce))
    }

    fn check(&self, text: &str, nonce: Option<&str>) -> Result<IdentityToken, LoginError> {
        let token = IdentityToken::parse_for(text, &self.exchange.client_id, Timestamp::now())?;
        Ok(token.issued_by(self.issuer(), nonce)?)
    }
}

/// What was asked of the issuer, to compare the answer with.
struct Asked {
    url: Url,
    redirect_uri: String,
    proof_key: ProofKey,
    state: String,
    nonce: String,
}
