//! Serving reviews over HTTPS: routes, connections, and how both end.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::FutureExt as _;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;

use crate::answer::{Refusal, Ruling};
use crate::respond::{message, respond};
use crate::timeout::budget;
use crate::{Decide, Judge, Limits, Metrics, Review};

/// What all requests share: who decides, and how much is going on.
pub struct Shared {
    decider: ArcSwapOption<Door>,
    ending: AtomicBool,
    limits: Arc<Limits>,
    metrics: Arc<Metrics>,
    requests: Semaphore,
    reviews: Semaphore,
    decisions: Arc<Semaphore>,
}

struct Door(Arc<dyn Decide>);

impl Shared {
    /// With nobody to decide yet: every review is denied.
    pub fn new(limits: Limits, metrics: Arc<Metrics>) -> Self {
        Self {
            decider: ArcSwapOption::empty(),
            ending: AtomicBool::new(false),
            requests: Semaphore::new(limits.max_requests),
            reviews: Semaphore::new(limits.max_reviews),
            decisions: Arc::new(Semaphore::new(limits.max_decisions)),
            limits: Arc::new(limits),
            metrics,
        }
    }

    /// Lets `decider` decide on the reviews to come. One that began keeps the decider that it began with.
    pub fn decide_by(&self, decider: Arc<dyn Decide>) {
        self.decider.store(Some(Arc::new(Door(decider))));
    }

    fn is_ready(&self) -> bool {
        self.decider.load().is_some() && !self.ending.load(Ordering::Relaxed)
    }

    /// Rules on a review. A panic on the way is a refusal.
    async fn rule(&self, review: &Review<'_>, deadline: Instant) -> Ruling {
        let Ok(_turn) = self.reviews.try_acquire() else {
            return Ruling::Refused(Refusal::Overloaded { limit: self.limits.max_reviews });
        };
        let Some(door) = self.decider.load_full() else {
            return Ruling::Refused(Refusal::NotReady);
        };
        let _deciding = self.metrics.deciding();
        let judge = Judge::new(Arc::clone(&door.0), Arc::clone(&self.decisions), Arc::clone(&self.limits));
        let ruling = AssertUnwindSafe(judge.rule(review, deadline)).catch_unwind().await;
        ruling.unwrap_or(Ruling::Refused(Refusal::Internal))
    }
}

/// A server on one address.
pub struct Server {
    shared: Arc<Shared>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
}

impl Server {
    /// Answers reviews, over TLS.
    pub fn reviews(shared: Arc<Shared>, listener: TcpListener, tls: TlsAcceptor) -> Self {
        let router = operations().route("/validate", post(validate)).with_state(Arc::clone(&shared));
        Self { shared, listener, tls: Some(tls), router }
    }

    /// Shows metrics and health only, without TLS.
    pub fn metrics(shared: Arc<Shared>, listener: TcpListener) -> Self {
        let router = operations().with_state(Arc::clone(&shared));
        Self { shared, listener, tls: None, router }
    }

    /// Serves until `end`, then a little longer while the cluster learns that this server is not ready, and then until the open
    /// requests are answered; but not for ever.
    pub async fn serve(self, end: impl Future<Output = ()>) {
        let limits = Arc::clone(&self.shared.limits);
        let connections = Arc::new(Semaphore::new(limits.max_connections));
        let graceful = GracefulShutdown::new();
        let last_call = async {
            end.await;
            self.shared.ending.store(true, Ordering::Relaxed);
            sleep(limits.shutdown_delay).await;
        };
        tokio::pin!(last_call);
        loop {
            let accepted = tokio::select! {
                () = &mut last_call => break,
                accepted = accept(&self.listener, &connections) => accepted,
            };
            if let Some((stream, place)) = accepted {
                let (tls, router) = (self.tls.clone(), self.router.clone());
                tokio::spawn(connect(stream, tls, router, graceful.watcher(), Arc::clone(&limits), place));
            }
        }
        drop(self.listener);
        if timeout(limits.drain_timeout, graceful.shutdown()).await.is_err() {
            tracing::warn!("requests were still open at the end");
        }
    }
}

/// Accepts a connection once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, place)),
        Err(error) => {
            // Out of file descriptors, or a connection that is gone already. Trying at once would spin.
            tracing::warn!(%error, "cannot accept a connection");
            sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

async fn connect(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    router: Router,
    watcher: Watcher,
    limits: Arc<Limits>,
    _place: OwnedSemaphorePermit,
) {
    // Without it small answers may wait for acknowledgements; where it cannot be set, they do.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        return serve_connection(stream, false, router, watcher, &limits).await;
    };
    match timeout(limits.header_timeout, tls.accept(stream)).await {
        Ok(Ok(stream)) => {
            let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            serve_connection(stream, is_http2, router, watcher, &limits).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
        Err(_) => tracing::debug!("TLS handshake took too long"),
    }
}

/// Serves the requests of one connection. The version is known: guessing it would read without a timeout.
async fn serve_connection<I>(stream: I, is_http2: bool, router: Router, watcher: Watcher, limits: &Limits)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let builder = auto::Builder::new(TokioExecutor::new());
    let mut builder = if is_http2 { builder.http2_only() } else { builder.http1_only() };
    let max_header_bytes = usize::try_from(limits.max_header_bytes).unwrap_or(usize::MAX);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(max_header_bytes);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.header_timeout)
        .keep_alive_timeout(limits.header_timeout)
        .max_concurrent_streams(limits.max_streams)
        .max_header_list_size(limits.max_header_bytes);
    let connection =
        builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)).into_owned();
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "connection ended");
    }
}

fn operations() -> Router<Arc<Shared>> {
    Router::new()
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(show_metrics))
}

async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    if shared.is_ready() {
        "ok".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready").into_response()
    }
}

async fn show_metrics(State(shared): State<Arc<Shared>>) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, OPEN_METRICS)], shared.metrics.text()).into_response()
}

/// Answers a review. What cannot be answered as one gets an HTTP error, which the API server treats by the webhook's
/// `failurePolicy`.
async fn validate(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let begun = Instant::now();
    let deadline = begun + budget(query.as_deref(), &shared.limits);
    let Ok(_place) = shared.requests.try_acquire() else {
        return refuse(
            &shared,
            StatusCode::SERVICE_UNAVAILABLE,
            "overloaded",
            "too many requests at the same time",
        );
    };
    let body = match read_body(&shared, &headers, body, deadline).await {
        Ok(body) => body,
        Err(response) => return response,
    };
    let review = match Review::parse(&body) {
        Ok(review) => review,
        Err(error) => {
            let text = format!("{:#}", anyhow::Error::new(error));
            return refuse(&shared, StatusCode::BAD_REQUEST, "malformed", &text);
        }
    };
    let ruling = shared.rule(&review, deadline).await;
    let duration = begun.elapsed();
    shared.metrics.reviewed(&review, &ruling, duration);
    log(&review, &ruling, duration);
    ([(CONTENT_TYPE, "application/json")], respond(&review.uid, &ruling)).into_response()
}

async fn read_body(
    shared: &Shared,
    headers: &HeaderMap,
    body: Body,
    deadline: Instant,
) -> Result<Bytes, Response> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        let text = "expected content type application/json";
        return Err(refuse(shared, StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", text));
    }
    match timeout_at(deadline, to_bytes(body, shared.limits.max_body_bytes)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => {
            let text = format!("body broke off or has more than {} bytes", shared.limits.max_body_bytes);
            Err(refuse(shared, StatusCode::PAYLOAD_TOO_LARGE, "body", &text))
        }
        Err(_) => Err(refuse(shared, StatusCode::REQUEST_TIMEOUT, "slow", "body did not arrive in time")),
    }
}

fn refuse(shared: &Shared, status: StatusCode, reason: &'static str, text: &str) -> Response {
    shared.metrics.refused(reason);
    tracing::warn!(status = status.as_u16(), reason, text, "request refused");
    (status, text.to_owned()).into_response()
}

/// One line per review. The log's formats quote what comes from the request, so that it cannot pretend to be another line.
fn log(review: &Review<'_>, ruling: &Ruling, duration: Duration) {
    let images: Vec<_> = match ruling {
        Ruling::Images(images) => images.iter().map(|image| image.reference.as_str()).collect(),
        Ruling::Exempt(_) | Ruling::Refused(_) => Vec::new(),
    };
    tracing::info!(
        uid = review.uid.as_str(),
        kind = review.kind.to_string().as_str(),
        sub_resource = review.sub_resource.as_deref(),
        operation = review.operation.name(),
        namespace = review.namespace.as_str(),
        name = review.name.as_str(),
        allowed = ruling.is_allowed(),
        outcome = ruling.outcome(),
        images = images.join(" ").as_str(),
        reasons = message(ruling).as_str(),
        milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        "review"
    );
}
