//! A trust root that is kept from a TUF repository.

use std::sync::Arc;

use jiff::Timestamp;
use touchmark_registry::RegistryOptions;
use touchmark_testkit::{Clock, Options, Sigstore, TufFault, TufFile};
use touchmark_transport::{Client, ClientOptions};
use touchmark_tuf::{Limits as TufLimits, Network, Repository, State, current};
use touchmark_webhook::{Limits, PolicyFiles, Reloaded, TrustedRoot, Watched};

use crate::harness::Running;

const POLICY: &str = "\
apiVersion: touchmark.dev/v1alpha1
kind: ImagePolicy
metadata: {name: keyless}
spec:
  images: [{glob: '**'}]
  signers:
    - name: ci
      identity: {subject: 'https://github.com/acme/app', issuer: 'https://issuer.example'}
  require:
    - {name: signed, signature: {by: [ci]}}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_fetched_is_put_in_force_and_what_is_stale_is_not() {
    let sigstore = Sigstore::start(Options::at(Clock::system())).await;
    let server = Running::start(Limits::default()).await;
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("policy.yaml"), POLICY).unwrap();
    let state = State::at(directory.path().join("tuf"));
    let start = || {
        let files = PolicyFiles {
            policies: vec![directory.path().join("policy.yaml")],
            registry_ca: Vec::new(),
            trusted_root: Some(TrustedRoot::Tuf(state.clone())),
            registry: RegistryOptions::default(),
            shared: Arc::clone(&server.shared),
        };
        Watched::new(files, Arc::clone(&server.metrics))
    };
    let unchosen = start().start().await.unwrap_err();
    assert!(unchosen.to_string().contains("touchmark trust init"), "{unchosen}");

    let limits = TufLimits::default();
    let root = sigstore.tuf_root().into_bytes();
    let repository = Repository::new(&sigstore.tuf_url().parse().unwrap(), root, &limits).unwrap();
    state.choose(&repository).unwrap();
    let unfetched = start().start().await.unwrap_err();
    assert!(unfetched.to_string().contains("nothing is kept"), "{unfetched}");

    let client = Client::new(ClientOptions::default()).unwrap();
    let refresh = async |now: Timestamp| {
        current(&repository, Some(&state), Network::Always(&client), &limits, now).await.unwrap();
    };
    let now = Timestamp::now();
    refresh(now).await;
    let mut watched = start();
    watched.start().await.unwrap();
    assert_eq!(watched.look(false).await, Reloaded::Unchanged);

    // Another trust root is found by the next look.
    sigstore.set(|bad| {
        bad.expired.insert(touchmark_testkit::Authority::CtLog);
    });
    sigstore.publish_tuf();
    refresh(now).await;
    assert_eq!(watched.look(false).await, Reloaded::Applied);

    // Metadata that counted two hours ago and counts no more: the old stays, and nothing starts with it.
    sigstore.set(|bad| bad.tuf = vec![TufFault::Expired(TufFile::Timestamp)]);
    sigstore.publish_tuf();
    refresh(now - jiff::SignedDuration::from_hours(2)).await;
    assert_eq!(watched.look(false).await, Reloaded::Kept);
    let stale = start().start().await.unwrap_err();
    assert!(stale.to_string().contains("is stale: timestamp expired"), "{stale}");
}
