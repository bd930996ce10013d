//! The client against a server on loopback that counts what it is asked.
#![expect(clippy::unwrap_used, reason = "a test helper that cannot go on fails the test")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request as Incoming;
use axum::http::{Response as Outgoing, StatusCode};
use tokio::io::AsyncReadExt;
use touchmark_transport::header::HeaderValue;
use touchmark_transport::{
    Client, ClientOptions, Method, OptionsError, PlainHttp, Proxies, Request, RetryPolicy, TransportError,
    Url,
};

/// A server, by what it does with the number of a request and the request.
struct Server {
    origin: String,
    seen: Arc<Mutex<Vec<Incoming>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    async fn start(answer: impl Fn(usize, &Incoming) -> Outgoing<Body> + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Incoming>>> = Arc::default();
        let (answer, kept) = (Arc::new(answer), Arc::clone(&seen));
        let router = Router::new().fallback(move |request: Incoming| {
            let (answer, kept) = (Arc::clone(&answer), Arc::clone(&kept));
            async move {
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
                let request = Incoming::from_parts(parts, Body::from(body));
                let mut kept = kept.lock().unwrap();
                let response = answer(kept.len(), &request);
                kept.push(request);
                response
            }
        });
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { origin, seen, task }
    }

    fn url(&self, path: &str) -> Url {
        format!("{}{path}", self.origin).parse().unwrap()
    }

    fn get(&self, path: &str) -> Request {
        Request::new(Method::GET, self.url(path))
    }

    fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    fn authorized(&self) -> usize {
        self.seen.lock().unwrap().iter().filter(|seen| seen.headers().contains_key("authorization")).count()
    }
}

fn status(code: u16) -> Outgoing<Body> {
    Outgoing::builder().status(code).body(Body::empty()).unwrap()
}

fn redirect(code: u16, to: &str) -> Outgoing<Body> {
    Outgoing::builder().status(code).header("location", to).body(Body::empty()).unwrap()
}

fn text(body: &str) -> Outgoing<Body> {
    Outgoing::new(Body::from(body.to_owned()))
}

fn options() -> ClientOptions {
    let retry = RetryPolicy {
        max_attempts: 3,
        base_delay: Duration::from_millis(1),
        max_delay: Duration::from_millis(2),
        max_total: Duration::from_secs(5),
    };
    ClientOptions { retry, ..ClientOptions::default() }
}

fn client() -> Client {
    Client::new(options()).unwrap()
}

fn secret() -> HeaderValue {
    HeaderValue::from_static("Basic c2VjcmV0")
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    for code in [429, 500, 502, 503, 504] {
        let server = Server::start(move |count, _| if count == 0 { status(code) } else { text("ok") }).await;
        let answer = client().fetch(server.get("/"), 10).await.unwrap();
        assert_eq!((&answer.body[..], server.count()), (&b"ok"[..], 2), "{code}");
    }
}

#[tokio::test]
async fn attempts_end_with_the_last_answer() {
    let server = Server::start(|_, _| status(503)).await;
    assert_eq!(client().fetch(server.get("/"), 10).await.unwrap().status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(server.count(), 3);
}

#[tokio::test]
async fn what_may_not_be_done_twice_is_not_tried_again_unless_it_was_not_done() {
    let server = Server::start(|_, _| status(500)).await;
    let post = Request::new(Method::POST, server.url("/")).body(Bytes::from_static(b"x"));
    client().fetch(post.clone(), 10).await.unwrap();
    assert_eq!(server.count(), 1);
    client().fetch(post.repeatable(true), 10).await.unwrap();
    assert_eq!(server.count(), 1 + 3);
    let server = Server::start(|_, _| status(429)).await;
    client().fetch(Request::new(Method::POST, server.url("/")), 10).await.unwrap();
    assert_eq!(server.count(), 3, "429 says that nothing was done");
}

#[tokio::test]
async fn a_longer_wait_than_the_limit_is_not_waited_for() {
    let wait = || Outgoing::builder().status(429).header("retry-after", "60").body(Body::empty()).unwrap();
    let server = Server::start(move |_, _| wait()).await;
    let answer = client().fetch(server.get("/"), 10).await.unwrap();
    assert_eq!((answer.retry_after(), server.count()), (Some(Duration::from_secs(60)), 1));
}

#[tokio::test]
async fn nothing_listening_is_tried_again_and_then_an_error() {
    let server = Server::start(|_, _| status(200)).await;
    let url = server.url("/path?secret=1");
    drop(server);
    tokio::task::yield_now().await;
    let error = client().fetch(Request::new(Method::POST, url), 10).await.unwrap_err();
    assert!(matches!(error, TransportError::Connection { attempts: 3, .. }), "{error:?}");
    let mut chain = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        chain.push_str(&cause.to_string());
        source = cause.source();
    }
    assert!(!chain.contains("secret"), "{chain}");
}

#[tokio::test]
async fn a_silent_server_is_not_waited_for_for_ever() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let options = ClientOptions {
        idle_timeout: Duration::from_millis(1),
        connect_timeout: Duration::from_millis(20),
        retry: RetryPolicy::never(),
        ..options()
    };
    let error = Client::new(options).unwrap().fetch(Request::new(Method::GET, url), 10).await.unwrap_err();
    assert!(matches!(error, TransportError::Timeout { .. }), "{error:?}");
}

#[tokio::test]
async fn redirects_are_followed_within_the_limit() {
    let server = Server::start(|_, request| match request.uri().path() {
        "/a" => redirect(302, "/b"),
        "/b" => redirect(307, "/c?x=y"),
        "/c" => text("there"),
        _ => redirect(302, "/loop"),
    })
    .await;
    let answer = client().fetch(server.get("/a"), 10).await.unwrap();
    assert_eq!(&answer.body[..], b"there");
    assert_eq!(answer.url, server.url("/c?x=y"));
    let limited = ClientOptions { max_redirects: 4, ..options() };
    let error = Client::new(limited).unwrap().fetch(server.get("/loop"), 10).await.unwrap_err();
    assert!(matches!(error, TransportError::TooManyRedirects { limit: 4, .. }));
}

#[tokio::test]
async fn a_redirect_that_would_change_a_method_is_the_callers_to_see() {
    let server = Server::start(|_, _| redirect(302, "/b")).await;
    let put = Request::new(Method::PUT, server.url("/a")).body(Bytes::from_static(b"x"));
    assert_eq!(client().fetch(put, 10).await.unwrap().status, StatusCode::FOUND);
}

#[tokio::test]
async fn credentials_stay_with_their_origin() {
    let other = Server::start(|_, _| text("there")).await;
    let to = other.origin.clone();
    let server = Server::start(move |_, request| match request.uri().path() {
        "/same" => redirect(307, "/away"),
        _ => redirect(307, &to),
    })
    .await;
    let request = server.get("/same").authorization(secret());
    assert_eq!(&client().fetch(request, 10).await.unwrap().body[..], b"there");
    assert_eq!((server.authorized(), other.count(), other.authorized()), (2, 1, 0));
}

#[tokio::test]
async fn credentials_in_a_redirects_url_are_not_used() {
    let server = Server::start(|count, request| {
        let host = request.headers()["host"].to_str().unwrap();
        if count == 0 { redirect(307, &format!("http://user:pass@{host}/b")) } else { text("there") }
    })
    .await;
    client().fetch(server.get("/"), 10).await.unwrap();
    assert_eq!((server.count(), server.authorized()), (2, 0));
}

#[tokio::test]
async fn redirects_out_of_http_and_to_plain_http_are_refused() {
    for (to, plain) in [("ftp://127.0.0.1/", false), ("http://192.0.2.1/", true)] {
        let server = Server::start(move |_, _| redirect(302, to)).await;
        let error = client().fetch(server.get("/"), 10).await.unwrap_err();
        match plain {
            true => assert!(matches!(error, TransportError::PlainHttp { .. }), "{error:?}"),
            false => assert!(matches!(error, TransportError::Scheme { .. }), "{error:?}"),
        }
    }
    let server = Server::start(|_, _| redirect(302, "http://[")).await;
    assert!(matches!(client().fetch(server.get("/"), 10).await, Err(TransportError::NoLocation { .. })));
}

#[tokio::test]
async fn plain_http_is_for_this_machine() {
    let url: Url = "http://registry.example/".parse().unwrap();
    let error = client().fetch(Request::new(Method::GET, url.clone()), 10).await.unwrap_err();
    assert!(matches!(error, TransportError::PlainHttp { .. }));
    let open = Client::new(ClientOptions { plain_http: PlainHttp::DangerousAnywhere, ..options() }).unwrap();
    assert!(open.check_url(&url).is_ok());
}

#[tokio::test]
async fn bodies_are_read_up_to_the_limit() {
    let server = Server::start(|_, request| match request.uri().path() {
        "/known" => text("12345"),
        _ => {
            let pieces = (0..5).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(b"1")));
            Outgoing::new(Body::from_stream(futures_util::stream::iter(pieces)))
        }
    })
    .await;
    for path in ["/known", "/chunked"] {
        assert_eq!(&client().fetch(server.get(path), 5).await.unwrap().body[..].len(), &5);
        let error = client().fetch(server.get(path), 4).await.unwrap_err();
        assert!(matches!(error, TransportError::TooLarge { limit: 4, .. }), "{path}: {error:?}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_fetched_again() {
    let server = Server::start(|count, _| {
        let broken = Err(std::io::Error::other("broken"));
        let pieces = vec![Ok(Bytes::from_static(b"12")), if count == 0 { broken } else { Ok("3".into()) }];
        Outgoing::new(Body::from_stream(futures_util::stream::iter(pieces)))
    })
    .await;
    assert_eq!(&client().fetch(server.get("/"), 10).await.unwrap().body[..], b"123");
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn a_stream_is_read_as_it_comes() {
    let server = Server::start(|_, _| text("hello")).await;
    let response = client().send(server.get("/")).await.unwrap();
    assert_eq!(response.content_length(), Some(5));
    let mut body = String::new();
    response.into_stream().read_to_string(&mut body).await.unwrap();
    assert_eq!(body, "hello");
}

#[tokio::test]
async fn bodies_of_requests_arrive_again_with_each_attempt() {
    let server = Server::start(|count, request| {
        assert_eq!(request.headers()["content-length"], "4");
        status(if count == 0 { 500 } else { 201 })
    })
    .await;
    let put = Request::new(Method::PUT, server.url("/")).body(Bytes::from_static(b"data"));
    assert_eq!(client().fetch(put, 10).await.unwrap().status, StatusCode::CREATED);
    let seen = std::mem::take(&mut *server.seen.lock().unwrap());
    assert_eq!(seen.len(), 2);
    for request in seen {
        assert_eq!(&axum::body::to_bytes(request.into_body(), 10).await.unwrap()[..], b"data");
    }
}

#[test]
fn extra_roots_must_be_certificates() {
    let with =
        |pem: &[u8]| Client::new(ClientOptions { extra_roots: vec![pem.to_vec()], ..options() }).map(|_| ());
    assert!(matches!(with(b"nothing"), Err(OptionsError::NoCertificate { position: 1 })));
    let broken = b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n";
    assert!(matches!(with(broken), Err(OptionsError::Certificate { position: 1, .. })));
}

#[tokio::test]
async fn without_proxies_the_client_still_works() {
    let server = Server::start(|_, _| text("ok")).await;
    let client = Client::new(ClientOptions { proxies: Proxies::None, ..options() }).unwrap();
    assert!(client.fetch(server.get("/"), 10).await.is_ok());
}

#[tokio::test]
async fn nobody_is_asked_while_offline() {
    let server = Server::start(|_, _| Outgoing::new(Body::empty())).await;
    let client = Client::new(ClientOptions { offline: true, ..options() }).unwrap();
    let refused = client.fetch(server.get("/x?secret"), 10).await.unwrap_err();
    assert!(matches!(refused, TransportError::Offline { .. }), "{refused:?}");
    assert_eq!(server.seen.lock().unwrap().len(), 0);
    // No name is looked up either: this one would be said not to exist.
    let unknown = Request::new(Method::GET, "https://nowhere.invalid/".parse().unwrap());
    assert!(matches!(client.send(unknown).await.unwrap_err(), TransportError::Offline { .. }));
}
