//! Logging in with the issuer: the authorization code flow with a proof key (RFC 6749 §4.1, RFC 7636), and the device flow (RFC 8628).
//! Whoever is asked to log in does so at once, as [`PERSON`]; what a client asks with is checked.

use std::collections::BTreeMap;

use axum::http::Uri;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::merkle::sha256;
use super::oidc::Issuer;
use super::{Identity, LoginFault, Misbehaviour, Refusal};
use crate::serving::{Answer, pairs, respond};

/// The email address of whoever logs in.
pub const PERSON: &str = "person@example.com";

const CLIENT: &str = "sigstore";
const OUT_OF_BAND: &str = "urn:ietf:wg:oauth:2.0:oob";
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The logins that were begun.
#[derive(Default)]
pub(super) struct Logins {
    begun: u64,
    codes: BTreeMap<String, Asked>,
    devices: BTreeMap<String, Device>,
}

/// What a code was asked with.
struct Asked {
    redirect: String,
    challenge: String,
    nonce: Option<String>,
}

struct Device {
    challenge: String,
    asked: u32,
}

impl Logins {
    /// `GET /auth`.
    pub(super) fn authorize(&mut self, uri: &Uri, bad: &Misbehaviour) -> Result<Answer, Refusal> {
        let query = Form::of(uri.query().unwrap_or_default());
        query.expect("response_type", "code")?;
        query.client()?;
        query.expect("code_challenge_method", "S256")?;
        let redirect = query.text("redirect_uri")?;
        let port = redirect.strip_prefix("http://localhost:").and_then(|rest| rest.split_once('/'));
        if redirect != OUT_OF_BAND && port.is_none_or(|(port, _)| port.parse::<u16>().is_err()) {
            return Err(Refusal::bad_request("Unregistered redirect_uri"));
        }
        if !query.text("scope")?.split(' ').any(|scope| scope == "openid") {
            return Err(Refusal::bad_request("Missing required scope(s) [\"openid\"]."));
        }
        let code = self.next("code");
        let state = match bad.login {
            Some(LoginFault::WrongState) => "another",
            _ => query.text("state")?,
        };
        let answer = match bad.login {
            Some(LoginFault::Denied) => "error=access_denied".to_owned(),
            _ => format!("code={code}"),
        };
        let (redirect, challenge) = (redirect.to_owned(), query.text("code_challenge")?.to_owned());
        let location = format!("{redirect}?{answer}&state={state}");
        let shown = redirect == OUT_OF_BAND;
        let nonce = query.get("nonce").map(str::to_owned);
        self.codes.insert(code.clone(), Asked { redirect, challenge, nonce });
        if shown {
            return Ok(respond(200, &[("content-type", "text/plain".to_owned())], code));
        }
        Ok(respond(303, &[("location", location)], ""))
    }

    /// `POST /device/code`.
    pub(super) fn device(&mut self, url: &str, body: &[u8]) -> Result<Value, Refusal> {
        let form = Form::of(&String::from_utf8_lossy(body));
        form.client()?;
        form.expect("code_challenge_method", "S256")?;
        let code = self.next("device");
        let challenge = form.text("code_challenge")?.to_owned();
        self.devices.insert(code.clone(), Device { challenge, asked: 0 });
        Ok(json!({
            "device_code": code,
            "user_code": "WDJB-MJHT",
            "verification_uri": format!("{url}/device"),
            "verification_uri_complete": format!("{url}/device?user_code=WDJB-MJHT"),
            "expires_in": 300,
            "interval": 0,
        }))
    }

    /// `POST /token`: the claims of the token, beside whoever logs in, or the word of OAuth for why not.
    fn redeem(&mut self, form: &Form, bad: &Misbehaviour) -> Result<Option<String>, &'static str> {
        match form.get("grant_type") {
            Some("authorization_code") => {
                let code =
                    form.get("code").and_then(|code| self.codes.remove(code)).ok_or("invalid_grant")?;
                if form.get("redirect_uri") != Some(&code.redirect) || !form.proves(&code.challenge) {
                    return Err("invalid_grant");
                }
                Ok(code.nonce)
            }
            Some(DEVICE_GRANT) => {
                let known = form.get("device_code").and_then(|code| self.devices.get_mut(code));
                let device = known.ok_or("invalid_grant")?;
                device.asked += 1;
                match bad.login {
                    _ if device.asked == 1 => return Err("authorization_pending"),
                    Some(LoginFault::SlowDown) if device.asked == 2 => return Err("slow_down"),
                    Some(LoginFault::Denied) => return Err("access_denied"),
                    Some(LoginFault::Expired) => return Err("expired_token"),
                    _ => {}
                }
                if form.proves(&device.challenge) { Ok(None) } else { Err("invalid_grant") }
            }
            _ => Err("unsupported_grant_type"),
        }
    }

    fn next(&mut self, what: &str) -> String {
        self.begun += 1;
        format!("{what}-{}", self.begun)
    }
}

/// `POST /token`.
pub(super) fn token(
    logins: &mut Logins,
    issuer: &Issuer,
    url: &str,
    body: &[u8],
    now: Timestamp,
    bad: &Misbehaviour,
) -> Result<Answer, Refusal> {
    let form = Form::of(&String::from_utf8_lossy(body));
    form.client()?;
    let headers = [("content-type", "application/json".to_owned())];
    let nonce = match logins.redeem(&form, bad) {
        Ok(nonce) => nonce,
        Err(error) => return Ok(respond(400, &headers, json!({ "error": error }).to_string())),
    };
    let nonce = match bad.login {
        Some(LoginFault::WrongNonce) => Some("another".to_owned()),
        _ => nonce,
    };
    let person = Identity::email(PERSON);
    let person = match nonce {
        Some(nonce) => person.claim("nonce", nonce),
        None => person,
    };
    let person = match bad.login {
        Some(LoginFault::WrongAudience) => person.claim("aud", "another"),
        _ => person,
    };
    let by = if bad.login == Some(LoginFault::WrongIssuer) { "https://another.example" } else { url };
    let then = match bad.login {
        Some(LoginFault::OldToken) => Timestamp::UNIX_EPOCH,
        _ => now,
    };
    let answer = match bad.login {
        Some(LoginFault::NoToken) => json!({ "access_token": "none", "token_type": "bearer" }),
        _ => json!({
            "access_token": "none",
            "token_type": "bearer",
            "id_token": issuer.token(by, &person, then)?,
        }),
    };
    Ok(respond(200, &headers, answer.to_string()))
}

/// A query or a form.
struct Form(BTreeMap<String, String>);

impl Form {
    fn of(text: &str) -> Self {
        Self(pairs(text).into_iter().collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn text(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| Refusal::bad_request(format!("no {name}")))
    }

    fn expect(&self, name: &str, wanted: &str) -> Result<(), Refusal> {
        match self.text(name)? {
            found if found == wanted => Ok(()),
            found => Err(Refusal::bad_request(format!("{name} is {found}, expected {wanted}"))),
        }
    }

    fn client(&self) -> Result<(), Refusal> {
        match self.text("client_id")? {
            CLIENT => Ok(()),
            other => Err(Refusal::new(401, format!("Invalid client_id ({other})."))),
        }
    }

    /// RFC 7636 §4.6.
    fn proves(&self, challenge: &str) -> bool {
        self.get("code_verifier")
            .is_some_and(|verifier| URL_SAFE_NO_PAD.encode(sha256(&[verifier.as_bytes()])) == challenge)
    }
}
