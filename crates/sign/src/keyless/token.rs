//! Identity tokens (OpenID Connect Core 1.0 §2): who the certificate will be for. Read to know and to explain; Fulcio verifies them.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;
use zeroize::Zeroizing;

/// Bytes of a token. GitHub's have two thousand.
const MAX_TOKEN_BYTES: usize = 64 << 10;
/// The audience that Fulcio asks for.
const AUDIENCE: &str = "sigstore";

/// A token that is well formed, for Sigstore, and not expired. Secret: whoever has it can sign in its name.
pub struct IdentityToken {
    text: Zeroizing<String>,
    claims: Claims,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    exp: i64,
    aud: Audience,
    email: Option<String>,
    nonce: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn names(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Several(names) => names,
        }
    }
}

impl IdentityToken {
    /// Reads a token for Sigstore; `now` is the time.
    ///
    /// # Errors
    /// [`TokenError`]: not a token, for another audience, or expired.
    pub fn parse(text: &str, now: Timestamp) -> Result<Self, TokenError> {
        Self::parse_for(text, AUDIENCE, now)
    }

    /// Reads a token for `audience`, as an instance of one's own may want it; `now` is the time.
    ///
    /// # Errors
    /// [`TokenError`]: not a token, for another audience, or expired.
    pub fn parse_for(text: &str, audience: &str, now: Timestamp) -> Result<Self, TokenError> {
        let text = text.trim();
        if text.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLarge { size: text.len(), limit: MAX_TOKEN_BYTES });
        }
        let mut parts = text.split('.');
        let (Some(_), Some(payload), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenError::Form);
        };
        let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('='))?;
        let claims: Claims = serde_json::from_slice(&payload)?;
        if !claims.aud.names().iter().any(|name| name == audience) {
            let found = claims.aud.names().to_vec();
            return Err(TokenError::Audience { found, expected: audience.to_owned() });
        }
        let expired = Timestamp::from_second(claims.exp).map_err(|_| TokenError::Form)?;
        if expired <= now {
            return Err(TokenError::Expired { at: expired, now });
        }
        Ok(Self { text: Zeroizing::new(text.to_owned()), claims })
    }

    /// The token, if `issuer` gave it for the login with this nonce (OpenID Connect Core 1.0 §3.1.3.7, 2 and 11).
    pub(super) fn issued_by(self, issuer: &str, nonce: Option<&str>) -> Result<Self, TokenError> {
        if self.claims.iss != issuer {
            return Err(TokenError::Issuer { found: self.claims.iss, expected: issuer.to_owned() });
        }
        if nonce.is_some() && self.claims.nonce.as_deref() != nonce {
            return Err(TokenError::Nonce);
        }
        Ok(self)
    }

    /// Who vouches for the identity.
    pub fn issuer(&self) -> &str {
        &self.claims.iss
    }

    /// Who it is: the email address, or else the subject.
    pub fn identity(&self) -> &str {
        self.claims.email.as_deref().unwrap_or(&self.claims.sub)
    }

    /// What Fulcio wants signed as proof that the requester holds the key: the email address where the token has one, else the subject.
    pub(super) fn proof_of_possession(&self) -> &str {
        self.identity()
    }

    /// The token.
    pub(super) fn expose_secret(&self) -> &str {
        &self.text
    }
}

/// Without the token.
impl fmt::Debug for IdentityToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityToken")
            .field("issuer", &self.claims.iss)
            .field("identity", &self.identity())
            .finish_non_exhaustive()
    }
}

/// Why a text is no identity token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Longer than any token.
    #[error("identity token has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// Bytes found.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// Not three parts, or a time that no calendar has.
    #[error("identity token is no JSON Web Token, expected three parts separated by dots")]
    Form,
    /// Not base64.
    #[error("claims of the identity token are not base64")]
    Base64(#[from] base64::DecodeError),
    /// Not the claims.
    #[error("claims of the identity token are not valid")]
    Claims(#[from] serde_json::Error),
    /// For somebody else.
    #[error("identity token is for {found:?}, expected {expected:?}")]
    Audience {
        /// Whom it is for.
        found: Vec<String>,
        /// Whom it has to be for.
        expected: String,
    },
    /// By somebody else.
    #[error("identity token is by {found:?}, expected {expected:?}")]
    Issuer {
        /// Who it is by.
        found: String,
        /// Who was asked.
        expected: String,
    },
    /// For another login.
    #[error("identity token is for another login: its nonce is not the one that was asked with")]
    Nonce,
    /// Too old.
    #[error("identity token expired at {at}, it is {now}")]
    Expired {
        /// When it did.
        at: Timestamp,
        /// Now.
        now: Timestamp,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("e30.{}.AAAA", URL_SAFE_NO_PAD.encode(claims))
    }

    fn parse(claims: &str) -> Result<IdentityToken, TokenError> {
        IdentityToken::parse(&token(claims), Timestamp::from_second(1000).unwrap())
    }

    #[test]
    fn the_email_address_is_who_signs_and_else_the_subject() {
        let person = r#"{"iss":"https://i","sub":"1","aud":"sigstore","exp":2000,"email":"a@b"}"#;
        assert_eq!(parse(person).unwrap().identity(), "a@b");
        let job = r#"{"iss":"https://i","sub":"repo:a/b","aud":["x","sigstore"],"exp":2000}"#;
        let job = parse(job).unwrap();
        assert_eq!((job.identity(), job.issuer()), ("repo:a/b", "https://i"));
        assert!(!format!("{job:?}").contains("e30"));
    }

    #[test]
    fn a_token_of_another_issuer_or_login_is_not_this_logins() {
        let claims = r#"{"iss":"https://i","sub":"1","aud":"sigstore","exp":2000,"nonce":"n"}"#;
        let token = || parse(claims).unwrap();
        assert!(token().issued_by("https://i", Some("n")).is_ok());
        assert!(token().issued_by("https://i", None).is_ok());
        assert!(matches!(token().issued_by("https://i/", Some("n")), Err(TokenError::Issuer { .. })));
        assert!(matches!(token().issued_by("https://i", Some("m")), Err(TokenError::Nonce)));
        let without = parse(r#"{"iss":"https://i","sub":"1","aud":"sigstore","exp":2000}"#).unwrap();
        assert!(matches!(without.issued_by("https://i", Some("n")), Err(TokenError::Nonce)));
    }

    #[test]
    fn refuses_what_fulcio_would_refuse_and_says_why() {
        let old = r#"{"iss":"i","sub":"s","aud":"sigstore","exp":1000}"#;
        assert!(matches!(parse(old), Err(TokenError::Expired { .. })));
        let other = r#"{"iss":"i","sub":"s","aud":"kubernetes","exp":2000}"#;
        assert!(matches!(parse(other), Err(TokenError::Audience { found, .. }) if found == ["kubernetes"]));
        assert!(matches!(parse("{}"), Err(TokenError::Claims(_))));
        let now = Timestamp::from_second(0).unwrap();
        for text in ["", "a.b", "a.b.c.d"] {
            assert!(matches!(IdentityToken::parse(text, now), Err(TokenError::Form)), "{text}");
        }
        assert!(matches!(IdentityToken::parse("a.*.c", now), Err(TokenError::Base64(_))));
        let long = "x".repeat(MAX_TOKEN_BYTES + 1);
        assert!(matches!(IdentityToken::parse(&long, now), Err(TokenError::TooLarge { .. })));
    }
}
