//! Who answers what, and how an answer is spoilt on its way.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use futures_util::stream::{self, StreamExt as _};
use serde_json::Value;

use crate::serving::{Answer, breaking_off, lock, respond, take_fault};

use super::json::{parse, text};
use super::misbehaviour::TufFault;
use super::rekor_v1::Logged;
use super::tuf::View;
use super::{Misbehaviour, Parts, Refusal, Shared, fulcio, login, oidc, trust};

/// A request, taken apart.
struct Asked {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

pub(super) async fn answer(
    State(state): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    lock(&state.requests).push(format!("{method} {}", uri.path()));
    let misbehaviour = lock(&state.misbehaviour).clone();
    if !misbehaviour.delay.is_zero() {
        tokio::time::sleep(misbehaviour.delay).await;
    }
    let fault = take_fault(&mut lock(&state.misbehaviour).faults, method.as_str(), uri.path());
    if let Some(fault) = fault {
        return fault;
    }
    let asked = Asked { method, uri, headers, body };
    let answer = state.route(&asked, &misbehaviour).unwrap_or_else(|refusal| refusal.answer());
    if misbehaviour.cut_off.iter().any(|part| asked.uri.path().contains(part)) {
        return cut_off(answer).await;
    }
    answer
}

impl Shared {
    fn route(&self, asked: &Asked, bad: &Misbehaviour) -> Result<Answer, Refusal> {
        let Asked { method, uri, body, .. } = asked;
        let path = uri.path();
        let mut parts = lock(&self.parts);
        let now = self.clock.now();
        match (method.as_str(), path) {
            ("GET", "/.well-known/openid-configuration") => {
                Ok(answer_json(200, &oidc::configuration(&self.url, bad.login)))
            }
            ("GET", "/auth") => parts.logins.authorize(uri, bad),
            ("POST", "/device/code") => Ok(answer_json(200, &parts.logins.device(&self.url, body)?)),
            ("POST", "/token") => {
                let Parts { logins, issuer, .. } = &mut *parts;
                login::token(logins, issuer, &self.url, body, now, bad)
            }
            ("GET", "/keys") => Ok(answer_json(200, &parts.issuer.keys())),
            ("POST", "/api/v2/signingCert") => {
                Ok(answer_json(200, &self.signing_certificate(&parts, asked, &parse(body)?, bad)?))
            }
            ("POST", "/api/v1/signingCert") => {
                let request = fulcio::request_of_version_1(&parse(body)?)?;
                let chain = self.signing_certificate(&parts, asked, &request, bad)?;
                let kind = ("content-type", "application/pem-certificate-chain".to_owned());
                Ok(respond(201, &[kind], fulcio::answer_of_version_1(&chain)))
            }
            ("GET", "/api/v2/trustBundle") => Ok(answer_json(200, &parts.fulcio.trust_bundle()?)),
            ("GET", "/api/v2/configuration") => Ok(answer_json(200, &fulcio::configuration(&self.url))),
            ("POST", "/api/v1/log/entries") => Ok(logged(parts.rekor_v1.add(&parse(body)?, now, bad)?)),
            ("GET", "/api/v1/log/entries") => {
                let index = uri.query().and_then(|query| query.strip_prefix("logIndex=")).unwrap_or_default();
                Ok(answer_json(200, &parts.rekor_v1.at(index, bad)?))
            }
            ("GET", "/api/v1/log") => Ok(answer_json(200, &parts.rekor_v1.about(bad)?)),
            ("GET", "/api/v1/log/publicKey") => {
                Ok(typed("application/x-pem-file", parts.rekor_v1.public_key()?.into_bytes()))
            }
            ("POST", "/api/v2/log/entries") => Ok(answer_json(201, &parts.rekor_v2.add(&parse(body)?, bad)?)),
            ("GET", "/api/v2/checkpoint") => {
                Ok(typed("text/plain; charset=utf-8", parts.rekor_v2.log.latest(bad)?.into_bytes()))
            }
            ("POST", "/api/v1/timestamp") => {
                Ok(typed("application/timestamp-reply", parts.timestamps.reply(body, now)?))
            }
            ("GET", "/api/v1/timestamp/certchain") => {
                Ok(typed("application/pem-certificate-chain", parts.timestamps.chain()?.into_bytes()))
            }
            ("GET", _) => self.file(&parts, path, bad),
            _ => Err(Refusal::not_found("path")),
        }
    }

    /// What has a name in the path.
    fn file(&self, parts: &Parts, path: &str, bad: &Misbehaviour) -> Result<Answer, Refusal> {
        if let Some(uuid) = path.strip_prefix("/api/v1/log/entries/") {
            return Ok(answer_json(200, &parts.rekor_v1.find(uuid, bad)?));
        }
        if let Some(tile) = path.strip_prefix("/api/v2/tile/") {
            return Ok(typed("application/octet-stream", parts.rekor_v2.tile(tile)?));
        }
        let name = path.strip_prefix("/tuf/").ok_or_else(|| Refusal::not_found("path"))?;
        let root = trust::trusted_root(parts, &self.url, self.clock.now(), bad)?.to_string();
        let config = trust::signing_config(parts.started, &self.url, 2).to_string();
        let mut targets = vec![("trusted_root.json", root), ("signing_config.v0.2.json", config)];
        targets.retain(|(name, _)| {
            !bad.tuf.iter().any(|fault| matches!(fault, TufFault::Unlisted(n) if n == name))
        });
        let view = View { targets: &targets, faults: &bad.tuf, now: self.clock.now() };
        let content = parts.tuf.file(name, &view)?;
        Ok(withheld(name, content, bad))
    }

    /// The token comes in the request or, from sigstore-go, as a bearer's.
    fn signing_certificate(
        &self,
        parts: &Parts,
        asked: &Asked,
        request: &Value,
        bad: &Misbehaviour,
    ) -> Result<Value, Refusal> {
        let now = self.clock.now();
        let header = asked.headers.get("authorization").and_then(|header| header.to_str().ok());
        let token = match header.and_then(|header| header.strip_prefix("Bearer ")) {
            Some(token) => token,
            None => text(request, "/credentials/oidcIdentityToken")?,
        };
        let claims = parts.issuer.claims(&self.url, token, now)?;
        parts.fulcio.signing_certificate(request, &claims, &parts.ct_log, now, bad)
    }
}

/// As Rekor v1 answers: an equivalent entry is a conflict, and where it is to be found.
fn logged(logged: Logged) -> Answer {
    let location = |uuid: &str| ("location", format!("/api/v1/log/entries/{uuid}"));
    match logged {
        Logged::Created { uuid, entry } => {
            let headers = [location(&uuid), ("content-type", "application/json".to_owned()), ("etag", uuid)];
            respond(201, &headers, entry.to_string())
        }
        Logged::Known { uuid } => {
            let message =
                format!("an equivalent entry already exists in the transparency log with UUID {uuid}");
            let mut answer = Refusal::new(409, message).answer();
            let (name, value) = location(&uuid);
            if let Ok(value) = value.parse() {
                answer.headers_mut().insert(name, value);
            }
            answer
        }
    }
}

fn answer_json(status: u16, body: &Value) -> Answer {
    respond(status, &[("content-type", "application/json".to_owned())], body.to_string())
}

fn typed(kind: &str, body: Vec<u8>) -> Answer {
    respond(200, &[("content-type", kind.to_owned())], body)
}

/// A file of the TUF repository, sent whole, for ever or a byte at a time.
fn withheld(name: &str, content: String, bad: &Misbehaviour) -> Answer {
    let headers = [("content-type", "application/json".to_owned())];
    let endless = bad.tuf.iter().any(|fault| matches!(fault, TufFault::Endless(file) if file.is(name)));
    if endless {
        let spaces = Bytes::from_static(&[b' '; 4096]);
        let stream = stream::iter(std::iter::repeat(Ok::<_, std::convert::Infallible>(spaces)));
        return respond(200, &headers, Body::from_stream(stream));
    }
    let dripping = bad.tuf.iter().any(|fault| matches!(fault, TufFault::Dripping(file) if file.is(name)));
    if dripping {
        let drops = stream::iter(content.into_bytes()).then(|byte| async move {
            tokio::time::sleep(DRIP).await;
            Ok::<_, std::convert::Infallible>(Bytes::copy_from_slice(&[byte]))
        });
        return respond(200, &headers, Body::from_stream(drops));
    }
    typed("application/json", content.into_bytes())
}

/// Between two bytes of a file that drips: short enough that no pause is suspicious.
const DRIP: Duration = Duration::from_millis(20);

/// The first half of an answer, under the length of the whole.
async fn cut_off(answer: Answer) -> Answer {
    let (mut parts, body) = answer.into_parts();
    let mut bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default().to_vec();
    parts.headers.insert("content-length", bytes.len().into());
    bytes.truncate(bytes.len() / 2);
    Response::from_parts(parts, Body::from_stream(breaking_off(bytes)))
}
