//! What is done to bodies on their way out.

use axum::body::Body;
use axum::http::Response;
use touchmark_demo_sigstore::serving::{Answer, breaking_off};
use touchmark_oci::Digest;

use super::Tamper;

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
