//! What is done to bodies on their way out.

use axum::body::{Body, Bytes};
use axum::http::Response;
use touchmark_oci::Digest;

use super::Tamper;
use super::wire::Answer;

pub(super) async fn tampered_with(answer: Answer, tamper: &Tamper) -> Answer {
    let (mut parts, body) = answer.into_parts();
    let mut bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default().to_vec();
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = value.parse() {
            parts.headers.insert(name, value);
        }
    };
    match tamper {
        Tamper::Flip => {
            if let Some(last) = bytes.last_mut() {
                *last ^= 1;
            }
        }
        Tamper::Shorten => {
            bytes.pop();
        }
        Tamper::Lengthen => bytes.push(b'!'),
        Tamper::LieInHeader => set("docker-content-digest", &Digest::of(b"a lie").to_string()),
        Tamper::MediaType(kind) => set("content-type", kind),
        Tamper::BreakOff => {
            set("content-length", &bytes.len().to_string());
            bytes.pop();
            return Response::from_parts(parts, Body::from_stream(breaking_off(bytes)));
        }
    }
    parts.headers.remove("content-length");
    Response::from_parts(parts, Body::from(bytes))
}

/// All bytes and then an error, late enough that the bytes are on their way.
pub(crate) fn breaking_off(
    bytes: Vec<u8>,
) -> impl futures_util::Stream<Item = Result<Bytes, std::io::Error>> {
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
