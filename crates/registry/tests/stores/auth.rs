//! Who is told what.

use std::collections::BTreeMap;
use std::time::Duration;

use touchmark_registry::{CredentialSource, ImageStore, RegistryClient, ResponseFault, Secret, StoreError};
use touchmark_testkit::{Auth, FakeRegistry, Fault, Knobs, Location, Recorded};

use crate::{blob, client, client_as, push_image};

fn users() -> BTreeMap<String, String> {
    BTreeMap::from([("alice".into(), "secret".into()), ("bob".into(), "other".into())])
}

fn bearer() -> Auth {
    Auth::Bearer {
        users: users(),
        refresh_tokens: vec!["refresh".into()],
        anonymous_pull: false,
        realm: None,
    }
}

async fn registry(auth: Auth) -> FakeRegistry {
    FakeRegistry::start_with(Knobs { auth, ..Knobs::default() }).await
}

fn config(registry: &FakeRegistry, entry: &str) -> RegistryClient {
    let text = format!(r#"{{"auths":{{"{}":{entry}}}}}"#, registry.host());
    client().with_credentials(CredentialSource::DockerConfig(Secret::new(text)))
}

fn authorized(requests: &[Recorded]) -> usize {
    requests.iter().filter(|request| request.authorization.is_some()).count()
}

#[tokio::test]
async fn basic_credentials_are_sent_once_they_are_asked_for() {
    let registry = registry(Auth::Basic(users())).await;
    let client = client_as("alice", "secret");
    let pushed = push_image(&client, &registry.name("a"), "x", Some("v1")).await;
    assert_eq!(registry.requests()[0].authorization, None, "the first request is anonymous");
    let anonymous = registry.requests().len() - authorized(&registry.requests());
    assert_eq!(anonymous, 1, "what a registry asks for is remembered");
    let found = client.fetch_tag(&registry.name("a"), &"v1".parse().unwrap()).await.unwrap();
    assert_eq!(found.unwrap(), pushed);
}

#[tokio::test]
async fn first_requests_side_by_side_are_all_authorized() {
    for auth in [Auth::Basic(users()), bearer()] {
        let registry = registry(auth).await;
        push_image(&client_as("alice", "secret"), &registry.name("a"), "x", Some("v1")).await;
        // All of them are on their way before the first is answered.
        registry.set(|knobs| knobs.delay = Duration::from_millis(50));
        let client = client_as("alice", "secret");
        let (name, tag) = (registry.name("a"), "v1".parse().unwrap());
        let found = tokio::join!(
            client.fetch_tag(&name, &tag),
            client.fetch_tag(&name, &tag),
            client.fetch_tag(&name, &tag),
            client.fetch_tag(&name, &tag),
        );
        for answer in [found.0, found.1, found.2, found.3] {
            assert!(answer.unwrap().is_some());
        }
    }
}

#[tokio::test]
async fn wrong_credentials_and_none_are_told_apart() {
    for auth in [Auth::Basic(users()), bearer()] {
        let registry = registry(auth).await;
        let tag = "v1".parse().unwrap();
        let error = client().fetch_tag(&registry.name("a"), &tag).await.unwrap_err();
        assert!(matches!(&error, StoreError::Unauthorized { anonymous: true, .. }), "{error:?}");
        assert!(error.hint().unwrap().contains("docker login"));
        let error = client_as("alice", "wrong").fetch_tag(&registry.name("a"), &tag).await.unwrap_err();
        assert!(matches!(&error, StoreError::Unauthorized { anonymous: false, .. }), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("wrong"));
    }
}

#[tokio::test]
async fn a_token_is_fetched_once_for_each_scope() {
    let registry = registry(bearer()).await;
    let client = client_as("alice", "secret");
    push_image(&client, &registry.name("a"), "x", Some("v1")).await;
    for _ in 0..3 {
        client.fetch_tag(&registry.name("a"), &"v1".parse().unwrap()).await.unwrap().unwrap();
    }
    let scopes: Vec<String> = registry
        .requests()
        .iter()
        .filter(|seen| seen.path == "/token")
        .map(|seen| seen.query.clone())
        .collect();
    assert_eq!(scopes.len(), 2, "{scopes:?}");
    assert!(scopes[0].contains("service=fake") && scopes[0].contains("pull%2Cpush"), "{scopes:?}");
}

#[tokio::test]
async fn a_public_image_is_pulled_with_an_anonymous_token() {
    let auth = Auth::Bearer { users: users(), refresh_tokens: vec![], anonymous_pull: true, realm: None };
    let registry = registry(auth).await;
    let pushed = push_image(&client_as("alice", "secret"), &registry.name("a"), "x", Some("v1")).await;
    let found = client().fetch_tag(&registry.name("a"), &"v1".parse().unwrap()).await.unwrap();
    assert_eq!(found.unwrap(), pushed);
    let error = client().push_blob(&registry.name("a"), &blob("y")).await.unwrap_err();
    assert!(matches!(error, StoreError::Unauthorized { anonymous: true, .. }), "{error:?}");
}

#[tokio::test]
async fn an_identity_token_goes_to_the_token_server_by_post_only() {
    let registry = registry(bearer()).await;
    let client = config(&registry, r#"{"identitytoken":"refresh"}"#);
    assert_eq!(client.fetch_tag(&registry.name("a"), &"v1".parse().unwrap()).await.unwrap(), None);
    assert_eq!(registry.count("POST", "/token"), 1);
    assert!(registry.requests().iter().all(|seen| !seen.query.contains("refresh")));
}

#[tokio::test]
async fn no_identity_borrows_the_token_of_another() {
    let registry = registry(bearer()).await;
    let shared = client_as("alice", "secret");
    shared.fetch_tag(&registry.name("a"), &"v1".parse().unwrap()).await.unwrap();
    let stranger = shared.with_credentials(CredentialSource::Anonymous);
    let error = stranger.fetch_tag(&registry.name("a"), &"v1".parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unauthorized { anonymous: true, .. }), "{error:?}");
    let bob = shared.with_credentials(CredentialSource::BasicEverywhere {
        username: "bob".into(),
        password: Secret::new("other"),
    });
    bob.fetch_tag(&registry.name("a"), &"v1".parse().unwrap()).await.unwrap();
    let tokens: Vec<_> = registry
        .requests()
        .into_iter()
        .filter_map(|seen| seen.authorization.filter(|given| given.starts_with("Bearer ")))
        .collect();
    assert_ne!(tokens.first(), tokens.last());
}

#[tokio::test]
async fn credentials_do_not_follow_a_redirect_to_another_host() {
    let storage = FakeRegistry::start().await;
    let registry = registry(Auth::Basic(users())).await;
    let wanted = blob("hello");
    registry.put_blob("a", wanted.bytes());
    storage.put_blob("a", wanted.bytes());
    registry.set(|knobs| knobs.redirect_blobs = Some(format!("http://{}", storage.host())));
    let client = client_as("alice", "secret");
    assert_eq!(client.fetch_blob(&registry.name("a"), wanted.descriptor(), 10).await.unwrap(), wanted);
    assert_eq!(authorized(&registry.requests()), 1);
    assert_eq!(storage.requests().len(), 1);
    assert_eq!(authorized(&storage.requests()), 0);
}

#[tokio::test]
async fn credentials_do_not_follow_an_upload_to_another_host() {
    let storage = FakeRegistry::start().await;
    let registry = registry(Auth::Basic(users())).await;
    registry.set(|knobs| knobs.location = Location::Elsewhere(format!("http://{}", storage.host())));
    // The storage asks who it is, too, and must not be told either.
    storage.set(|knobs| knobs.auth = Auth::Basic(users()));
    let error = client_as("alice", "secret").push_blob(&registry.name("a"), &blob("x")).await.unwrap_err();
    assert!(matches!(error, StoreError::Unauthorized { .. }), "{error:?}");
    assert_eq!(storage.requests().len(), 1);
    assert_eq!(authorized(&storage.requests()), 0);
}

#[tokio::test]
async fn credentials_are_not_sent_to_a_token_server_by_plain_http() {
    let auth = Auth::Bearer {
        users: users(),
        refresh_tokens: vec![],
        anonymous_pull: false,
        realm: Some("http://auth.example/token".into()),
    };
    let registry = registry(auth).await;
    let error = client_as("alice", "secret")
        .fetch_tag(&registry.name("a"), &"v1".parse().unwrap())
        .await
        .unwrap_err();
    let refused =
        matches!(error, StoreError::InvalidResponse { fault: ResponseFault::RefusedUrl { .. }, .. });
    assert!(refused, "{error:?}");
}

#[tokio::test]
async fn credentials_that_cannot_be_read_are_an_error_not_nobody() {
    let registry = registry(Auth::Basic(users())).await;
    let client = config(&registry, r#"{"auth":"!!"}"#);
    let error = client.fetch_tag(&registry.name("a"), &"v1".parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, StoreError::Credentials { .. }), "{error:?}");
}

#[tokio::test]
async fn a_token_server_without_a_token_and_one_that_is_busy_are_errors() {
    let registry = registry(bearer()).await;
    let client = client_as("alice", "secret");
    let tag = "v1".parse().unwrap();
    registry.set(|knobs| knobs.faults = vec![Fault::always("/token", 200).body("{}")]);
    let error = client.fetch_tag(&registry.name("a"), &tag).await.unwrap_err();
    assert!(matches!(error, StoreError::InvalidResponse { fault: ResponseFault::NoToken, .. }), "{error:?}");
    registry.set(|knobs| knobs.faults = vec![Fault::always("/token", 429).header("retry-after", "999")]);
    let error = client.fetch_tag(&registry.name("a"), &tag).await.unwrap_err();
    assert!(matches!(error, StoreError::RateLimited { .. }), "{error:?}");
}

#[tokio::test]
async fn a_registry_that_asks_for_ever_more_is_asked_three_times_at_most() {
    let registry = registry(bearer()).await;
    let host = registry.host();
    let theirs = format!("Bearer realm=\"http://{host}/token\",scope=\"repository:other:pull\"");
    registry.set(|knobs| knobs.faults = vec![Fault::always("/v2/", 401).header("www-authenticate", &theirs)]);
    let client = client_as("alice", "secret");
    let error = client.fetch_tag(&registry.name("a"), &"v1".parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unauthorized { .. }), "{error:?}");
    assert_eq!(registry.count("GET", "/v2/"), 3);
}

#[tokio::test]
async fn a_registry_that_does_not_ask_is_told_nothing() {
    let registry = registry(Auth::None).await;
    push_image(&client_as("alice", "secret"), &registry.name("a"), "x", Some("v1")).await;
    assert_eq!(authorized(&registry.requests()), 0);
}
