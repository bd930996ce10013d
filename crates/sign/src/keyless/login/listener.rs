//! The port on loopback that the browser is sent back to ([RFC 8252 §7.3](https://www.rfc-editor.org/rfc/rfc8252#section-7.3)).
//!
//! One request is answered with what it was for; whatever else asks (a speculative connection, an icon) is told that there is nothing.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use touchmark_transport::Url;

use super::LoginError;
use super::exchange::OauthError;

/// The path of the redirect, as cosign's and sigstore-python's.
const PATH: &str = "/auth/callback";
/// Bytes of a request's head. Browsers send two thousand.
const MAX_HEAD_BYTES: usize = 16 << 10;
/// How long a connection may take to ask.
const MAX_HEAD_TIME: Duration = Duration::from_secs(10);
/// Connections at a time. Browsers open a few ahead of need.
const MAX_CONNECTIONS: usize = 16;

/// What the browser came back with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redirect {
    code: Option<String>,
    state: Option<String>,
    issuer: Option<String>,
    error: Option<String>,
    error_description: String,
}

impl Redirect {
    /// Reads a request's head (RFC 9112 §3): `None` when it is not for the redirect.
    pub fn parse(head: &[u8]) -> Option<Self> {
        let line = head.split(|byte| matches!(byte, b'\r' | b'\n')).next()?;
        let mut words = std::str::from_utf8(line).ok()?.split(' ');
        let (Some("GET"), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return None;
        };
        if !version.starts_with("HTTP/1.") || !target.starts_with('/') {
            return None;
        }
        let url: Url = format!("http://localhost{target}").parse().ok()?;
        if url.path() != PATH {
            return None;
        }
        let mut redirect = Self::default();
        for (name, value) in url.query_pairs() {
            let value = value.into_owned();
            match name.as_ref() {
                "code" => redirect.code = Some(value),
                "state" => redirect.state = Some(value),
                "iss" => redirect.issuer = Some(value),
                "error" => redirect.error = Some(value),
                "error_description" => redirect.error_description = value,
                _ => {}
            }
        }
        Some(redirect)
    }

    /// The code, if this answers what was asked with `state`. Another state is somebody else's login, put upon this one (RFC 6749
    /// §10.12); another issuer is one that was not asked (RFC 9207 §2.4).
    pub(super) fn into_code(self, state: &str, issuer: &str) -> Result<String, LoginError> {
        if self.state.as_deref() != Some(state) {
            return Err(LoginError::State);
        }
        if let Some(found) = self.issuer.filter(|found| found != issuer) {
            return Err(LoginError::Issuer { found, expected: issuer.to_owned() });
        }
        if let Some(error) = self.error {
            return Err(OauthError { error, error_description: self.error_description }.into_error());
        }
        self.code.ok_or(LoginError::Code { length: 0 })
    }
}

/// A port that waits for the browser.
pub(super) struct Listener {
    socket: TcpListener,
    port: u16,
}

impl Listener {
    pub(super) async fn bind() -> Result<Self, LoginError> {
        let socket = TcpListener::bind(("127.0.0.1", 0)).await.map_err(LoginError::Listen)?;
        let port = socket.local_addr().map_err(LoginError::Listen)?.port();
        Ok(Self { socket, port })
    }

    /// By name, because that is what Sigstore's issuer is known to accept. Whoever else listens under it gets a code that is worth
    /// nothing without the proof key.
    pub(super) fn redirect_uri(&self) -> String {
        format!("http://localhost:{}{PATH}", self.port)
    }

    /// Waits for the redirect. The page says whether it is the one with this `state`.
    pub(super) async fn redirect(&self, state: &str) -> Result<Redirect, LoginError> {
        let mut connections: JoinSet<Option<Redirect>> = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.socket.accept(), if connections.len() < MAX_CONNECTIONS => {
                    let (stream, _) = accepted.map_err(LoginError::Listen)?;
                    connections.spawn(serve(stream, state.to_owned()));
                }
                Some(done) = connections.join_next(), if !connections.is_empty() => {
                    if let Ok(Some(redirect)) = done {
                        return Ok(redirect);
                    }
                }
            }
        }
    }
}

async fn serve(mut stream: TcpStream, state: String) -> Option<Redirect> {
    let head = tokio::time::timeout(MAX_HEAD_TIME, read_head(&mut stream)).await.ok()??;
    let redirect = Redirect::parse(&head);
    let (status, text) = match &redirect {
        None => ("404 Not Found", "There is nothing here."),
        Some(found) if found.state.as_deref() != Some(state.as_str()) => {
            ("400 Bad Request", "This answers another login. touchmark did not use it.")
        }
        Some(found) if found.error.is_some() => {
            ("200 OK", "The login was refused. You can close this and return to the terminal.")
        }
        Some(_) => ("200 OK", "touchmark has what it needs. You can close this and return to the terminal."),
    };
    // Whether the browser still listens is its own business.
    let _ = stream.write_all(page(status, text).as_bytes()).await;
    let _ = stream.shutdown().await;
    redirect
}

/// Up to the empty line; `None` when there is none in time, or in that many bytes.
async fn read_head(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        if head.len() > MAX_HEAD_BYTES || stream.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    Some(head)
}

/// A page that loads nothing, is kept nowhere, and tells no other page the address with the code.
fn page(status: &str, text: &str) -> String {
    let body = format!("<!doctype html><meta charset=utf-8><title>touchmark</title><p>{text}</p>\n");
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\ncache-control: no-store\r\n\
         content-security-policy: default-src 'none'\r\nreferrer-policy: no-referrer\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(target: &str) -> Option<Redirect> {
        Redirect::parse(format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes())
    }

    #[test]
    fn only_a_get_of_the_redirects_path_is_the_redirect() {
        assert!(parse("/auth/callback?code=a").is_some());
        for other in
            ["/", "/favicon.ico", "/auth/callback/x", "//evil/auth/callback", "http://x/auth/callback"]
        {
            assert_eq!(parse(other), None, "{other}");
        }
        for head in
            ["", "GET", "POST /auth/callback HTTP/1.1", "GET /auth/callback", "GET /auth/callback HTTP/2 x"]
        {
            assert_eq!(Redirect::parse(head.as_bytes()), None, "{head}");
        }
        assert_eq!(Redirect::parse(b"GET /auth/callback?\xff HTTP/1.1\r\n"), None);
    }

    #[test]
    fn a_code_is_taken_with_the_right_state_and_issuer_only() {
        let read =
            |query: &str| parse(&format!("/auth/callback?{query}")).unwrap().into_code("s", "https://i");
        assert_eq!(read("code=a%2Fb&state=s").unwrap(), "a/b");
        assert_eq!(read("code=a&state=s&iss=https%3A%2F%2Fi").unwrap(), "a");
        assert!(matches!(read("code=a"), Err(LoginError::State)));
        assert!(matches!(read("code=a&state=t"), Err(LoginError::State)));
        assert!(matches!(read("code=a&state=s&iss=https://other"), Err(LoginError::Issuer { .. })));
        assert!(matches!(read("error=access_denied&state=s"), Err(LoginError::Denied)));
        assert!(matches!(read("state=s"), Err(LoginError::Code { length: 0 })));
        let other = read("error=server_error&error_description=it+%1Bbroke&state=s");
        assert!(matches!(other, Err(LoginError::Oauth { description, .. }) if description == "it broke"));
    }
}
