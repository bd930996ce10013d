//! Logging in: every flow gives a token, and everything that can go wrong is told as what it is.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use touchmark_sign::keyless::{IdentityToken, Login, LoginEndpoint, LoginError, TokenError};
use touchmark_testkit::{Clock, Fault, LoginFault, Options, PERSON, Sigstore};
use touchmark_transport::{Client, ClientOptions, Method, Request, RetryPolicy, Url};

const LIMIT: Duration = Duration::from_secs(30);

async fn sigstore(fault: Option<LoginFault>) -> Sigstore {
    let sigstore = Sigstore::start(Options::at(Clock::system())).await;
    sigstore.set(|wrong| wrong.login = fault);
    sigstore
}

fn client() -> Client {
    Client::new(ClientOptions { retry: RetryPolicy::never(), ..ClientOptions::default() }).unwrap()
}

async fn discover(sigstore: &Sigstore) -> Result<Login, LoginError> {
    Login::discover(client(), &sigstore.url().parse().unwrap(), "sigstore").await
}

/// A browser: asks, and goes where it is sent.
fn browse(url: &Url) -> bool {
    let url = url.clone();
    tokio::spawn(async move { client().fetch(Request::new(Method::GET, url), 1 << 20).await });
    true
}

async fn in_browser(fault: LoginFault) -> LoginError {
    let sigstore = sigstore(Some(fault)).await;
    discover(&sigstore).await.unwrap().in_browser(LIMIT, browse).await.unwrap_err()
}

async fn by_device(fault: Option<LoginFault>) -> Result<IdentityToken, LoginError> {
    let sigstore = sigstore(fault).await;
    let login = discover(&sigstore).await.unwrap();
    login.by_device(|_| ()).await
}

#[tokio::test]
async fn a_person_logs_in_with_a_browser() {
    let sigstore = sigstore(None).await;
    let login = discover(&sigstore).await.unwrap();
    let token = login.in_browser(LIMIT, browse).await.unwrap();
    assert_eq!((token.identity(), token.issuer()), (PERSON, sigstore.url().as_str()));
    assert!(login.offers_device());
}

#[tokio::test]
async fn the_page_says_that_it_can_be_closed_and_other_requests_do_not_end_the_login() {
    let sigstore = sigstore(None).await;
    let login = discover(&sigstore).await.unwrap();
    let (send, page) = tokio::sync::oneshot::channel();
    let open = |url: &Url| {
        let (_, redirect) = url.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap();
        let icon: Url = redirect.replace("/auth/callback", "/favicon.ico").parse().unwrap();
        let url = url.clone();
        tokio::spawn(async move {
            let icon = client().fetch(Request::new(Method::GET, icon), 1 << 20).await.unwrap();
            let page = client().fetch(Request::new(Method::GET, url), 1 << 20).await.unwrap();
            send.send((icon, page)).unwrap();
        });
        true
    };
    login.in_browser(LIMIT, open).await.unwrap();
    let (icon, page) = page.await.unwrap();
    assert_eq!(icon.status.as_u16(), 404);
    assert!(String::from_utf8_lossy(&page.body).contains("You can close this"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_is_pasted_logs_in_and_nothing_else_does() {
    let sigstore = sigstore(None).await;
    let login = discover(&sigstore).await.unwrap();
    let ask = |url: &Url| {
        let asked = async { client().fetch(Request::new(Method::GET, url.clone()), 100).await.unwrap() };
        let page = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(asked));
        Ok(format!("{}\n", String::from_utf8_lossy(&page.body)))
    };
    let token = login.out_of_band(ask).await;
    assert_eq!(token.unwrap().identity(), PERSON);
    let wrong = login.out_of_band(|_| Ok("wrong".to_owned())).await;
    assert!(matches!(wrong, Err(LoginError::Oauth { code, .. }) if code == "invalid_grant"));
    for text in ["", " \n", "two words"] {
        let none = login.out_of_band(|_| Ok(text.to_owned())).await;
        assert!(matches!(none, Err(LoginError::Code { .. })), "{text:?}");
    }
    let closed = login.out_of_band(|_| Err(std::io::ErrorKind::UnexpectedEof.into())).await;
    assert!(matches!(closed, Err(LoginError::Paste(_))));
}

#[tokio::test]
async fn a_person_logs_in_on_another_device() {
    let sigstore = sigstore(None).await;
    let login = discover(&sigstore).await.unwrap();
    let mut shown = None;
    let token = login.by_device(|code| shown = Some(code.clone())).await.unwrap();
    assert_eq!(token.identity(), PERSON);
    let shown = shown.unwrap();
    assert_eq!(shown.user_code, "WDJB-MJHT");
    assert_eq!(shown.verification_url.as_str(), format!("{}/device", sigstore.url()));
    assert_eq!(sigstore.requests().iter().filter(|asked| *asked == "POST /token").count(), 2);
}

#[tokio::test]
async fn a_device_that_is_told_to_asks_less_often() {
    let started = std::time::Instant::now();
    by_device(Some(LoginFault::SlowDown)).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test]
async fn an_answer_to_another_login_is_not_used() {
    assert!(matches!(in_browser(LoginFault::WrongState).await, LoginError::State));
    assert!(matches!(in_browser(LoginFault::WrongNonce).await, LoginError::Token(TokenError::Nonce)));
}

#[tokio::test]
async fn a_token_for_or_by_somebody_else_or_too_old_is_not_used() {
    let told = in_browser(LoginFault::WrongAudience).await;
    assert!(matches!(told, LoginError::Token(TokenError::Audience { found, .. }) if found == ["another"]));
    let told = in_browser(LoginFault::WrongIssuer).await;
    assert!(matches!(told, LoginError::Token(TokenError::Issuer { .. })));
    assert!(matches!(in_browser(LoginFault::OldToken).await, LoginError::Token(TokenError::Expired { .. })));
    assert!(matches!(in_browser(LoginFault::NoToken).await, LoginError::NoToken));
    let told = by_device(Some(LoginFault::WrongIssuer)).await;
    assert!(matches!(told, Err(LoginError::Token(TokenError::Issuer { .. }))));
}

#[tokio::test]
async fn a_refusal_is_told_as_one_and_an_expired_code_too() {
    assert!(matches!(in_browser(LoginFault::Denied).await, LoginError::Denied));
    assert!(matches!(by_device(Some(LoginFault::Denied)).await, Err(LoginError::Denied)));
    assert!(matches!(by_device(Some(LoginFault::Expired)).await, Err(LoginError::Expired)));
}

#[tokio::test]
async fn an_issuer_without_a_device_flow_and_a_machine_without_a_browser_are_told() {
    let sigstore = sigstore(Some(LoginFault::NoDevice)).await;
    let login = discover(&sigstore).await.unwrap();
    assert!(!login.offers_device());
    let device = LoginEndpoint::Device;
    assert!(
        matches!(login.by_device(|_| ()).await, Err(LoginError::NoEndpoint { endpoint }) if endpoint == device)
    );
    assert!(matches!(login.in_browser(LIMIT, |_| false).await, Err(LoginError::NoBrowser)));
    let limit = Duration::from_millis(50);
    assert!(matches!(login.in_browser(limit, |_| true).await, Err(LoginError::TimedOut { .. })));
}

#[tokio::test]
async fn an_issuer_that_cannot_be_asked_or_answers_nonsense_is_told() {
    let sigstore = sigstore(Some(LoginFault::WrongDocument)).await;
    assert!(matches!(discover(&sigstore).await, Err(LoginError::Issuer { .. })));
    sigstore.set(|wrong| wrong.faults = vec![Fault::always("/.well-known", 200).body("{")]);
    let endpoint = LoginEndpoint::Discovery;
    assert!(
        matches!(discover(&sigstore).await, Err(LoginError::Answer { endpoint: found, .. }) if found == endpoint)
    );
    sigstore.set(|wrong| wrong.faults = vec![Fault::always("/.well-known", 404)]);
    assert!(
        matches!(discover(&sigstore).await, Err(LoginError::Refused { endpoint: found, .. }) if found == endpoint)
    );
    let nobody = Login::discover(client(), &"http://127.0.0.1:1".parse().unwrap(), "sigstore").await;
    assert!(matches!(nobody, Err(LoginError::Transport { endpoint: found, .. }) if found == endpoint));
    let elsewhere = Login::discover(client(), &"http://issuer.example".parse().unwrap(), "sigstore").await;
    assert!(matches!(elsewhere, Err(LoginError::Address { endpoint: found, .. }) if found == endpoint));
}
