//! What servers in a process answer with, as faulty as asked: the parts that the Sigstore here shares with other servers for tests.

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::body::{Body, Bytes};
use axum::http::{Response, StatusCode};

/// An answer.
pub type Answer = Response<Body>;

/// An answer to give instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Of requests with this method, or any.
    pub method: Option<String>,
    /// Of requests whose path has this in it.
    pub path: String,
    /// The status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
    /// How often; `u32::MAX` for always.
    pub times: u32,
}

impl Fault {
    /// A status, always.
    pub fn always(path: &str, status: u16) -> Self {
        Self::times(path, status, u32::MAX)
    }

    /// A status, some times.
    pub fn times(path: &str, status: u16, times: u32) -> Self {
        Self { method: None, path: path.to_owned(), status, headers: Vec::new(), body: String::new(), times }
    }

    /// Only for requests with this method.
    #[must_use]
    pub fn on(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a body.
    #[must_use]
    pub fn body(mut self, body: &str) -> Self {
        self.body = body.to_owned();
        self
    }
}

/// An answer with this status, these headers and this body.
pub fn respond(status: u16, headers: &[(&str, String)], body: impl Into<Body>) -> Answer {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (axum::http::HeaderName::try_from(*name), value.parse()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// The answer of the first fault that matches, which has then happened once.
pub fn take_fault(faults: &mut [Fault], method: &str, path: &str) -> Option<Answer> {
    let fault = faults.iter_mut().find(|fault| {
        fault.times > 0
            && path.contains(&fault.path)
            && fault.method.as_deref().is_none_or(|only| only == method)
    })?;
    if fault.times != u32::MAX {
        fault.times -= 1;
    }
    let headers: Vec<(&str, String)> =
        fault.headers.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    Some(respond(fault.status, &headers, fault.body.clone()))
}

/// All bytes and then an error, late enough that the bytes are on their way.
pub fn breaking_off(bytes: Vec<u8>) -> impl futures_util::Stream<Item = Result<Bytes, std::io::Error>> {
    futures_util::stream::unfold(Some(bytes), |bytes| async move {
        match bytes {
            Some(bytes) => Some((Ok(Bytes::from(bytes)), None)),
            None => {
                tokio::task::yield_now().await;
                Some((Err(std::io::Error::other("broken off")), None))
            }
        }
    })
}

/// The lock, whoever panicked while holding it.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The pairs of a query or form.
pub fn pairs(text: &str) -> Vec<(String, String)> {
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (unescape(name), unescape(value))
    };
    text.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let code = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
                bytes.extend(code.and_then(|hex| u8::from_str_radix(hex, 16).ok()));
                rest = tail.get(2..).unwrap_or_default();
            }
            other => bytes.push(*other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
