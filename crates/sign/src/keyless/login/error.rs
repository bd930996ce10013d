//! Why nobody logged in.

use std::fmt;
use std::io;
use std::time::Duration;

use touchmark_transport::{StatusCode, TransportError};

use crate::GenerateError;
use crate::keyless::TokenError;

/// Which of an issuer's endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoginEndpoint {
    /// The discovery document.
    Discovery,
    /// Where people log in.
    Authorization,
    /// Where codes for other devices come from.
    Device,
    /// Where codes are changed for tokens.
    Token,
}

impl LoginEndpoint {
    pub(super) fn unreachable(self, source: TransportError) -> LoginError {
        LoginError::Transport { endpoint: self, source: Box::new(source) }
    }

    pub(super) fn refused(self, status: StatusCode) -> LoginError {
        LoginError::Refused { endpoint: self, status }
    }
}

impl fmt::Display for LoginEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Discovery => "discovery document",
            Self::Authorization => "authorization endpoint",
            Self::Device => "device authorization endpoint",
            Self::Token => "token endpoint",
        })
    }
}

/// Why nobody logged in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// The issuer could not be asked.
    #[error("cannot ask the issuer's {endpoint}")]
    Transport {
        /// What of it.
        endpoint: LoginEndpoint,
        /// What went wrong.
        source: Box<TransportError>,
    },
    /// The issuer refused, and not in the words of OAuth.
    #[error("the issuer's {endpoint} answered {status}")]
    Refused {
        /// What of it.
        endpoint: LoginEndpoint,
        /// The status.
        status: StatusCode,
    },
    /// An answer that is none.
    #[error("the issuer's {endpoint} gave an answer that is not valid")]
    Answer {
        /// What of it.
        endpoint: LoginEndpoint,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Another issuer than the one that was asked.
    #[error("issuer is {found:?}, expected {expected:?}")]
    Issuer {
        /// Who it says it is.
        found: String,
        /// Who was asked.
        expected: String,
    },
    /// The issuer does not have it.
    #[error("the issuer has no {endpoint}")]
    NoEndpoint {
        /// What.
        endpoint: LoginEndpoint,
    },
    /// An address that may not be asked.
    #[error("the issuer's {endpoint} has the address {found:?}, expected one with https")]
    Address {
        /// What of it.
        endpoint: LoginEndpoint,
        /// As written, shortened.
        found: String,
    },
    /// No port to wait on.
    #[error("cannot listen on this machine for the browser's answer")]
    Listen(#[source] io::Error),
    /// No browser to open.
    #[error("no browser can be opened")]
    NoBrowser,
    /// The browser never came back.
    #[error("nobody logged in within {} s", limit.as_secs())]
    TimedOut {
        /// How long it was waited for.
        limit: Duration,
    },
    /// An answer to another login.
    #[error("the browser came back with an answer to another login")]
    State,
    /// No code that could be redeemed.
    #[error("a code of {length} characters is none")]
    Code {
        /// Its length.
        length: usize,
    },
    /// Nothing could be read from the terminal.
    #[error("cannot read the code")]
    Paste(#[source] io::Error),
    /// Whoever was asked to log in refused.
    #[error("the login was refused")]
    Denied,
    /// Nobody typed the code in time.
    #[error("the code expired before anybody logged in with it")]
    Expired,
    /// Another refusal.
    #[error("the issuer refused: {code} {description}")]
    Oauth {
        /// OAuth's word for it.
        code: String,
        /// What the issuer says about it.
        description: String,
    },
    /// An answer without an identity token.
    #[error("the issuer gave no identity token")]
    NoToken,
    /// A token that is not for this login.
    #[error("the issuer gave an identity token that cannot be used")]
    Token(#[from] TokenError),
    /// No randomness.
    #[error(transparent)]
    Generate(#[from] GenerateError),
}
