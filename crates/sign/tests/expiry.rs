//! Certificates that expire while a service lets wait: renewed once, and never used after their time.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use jiff::Timestamp;
use touchmark_sign::keyless::{IdentityToken, KeylessError, KeylessSigner, SigningServices};
use touchmark_testkit::{Clock, Fault, Identity, Options, Sigstore};
use touchmark_transport::{Client, ClientOptions};

/// How long its certificates are valid here.
const LIFETIME: Duration = Duration::from_secs(2);

async fn sigstore() -> (Sigstore, KeylessSigner) {
    let sigstore = Sigstore::start(Options::at(Clock::system())).await;
    sigstore.set(|wrong| wrong.certificate_lifetime = Some(LIFETIME));
    let now = Timestamp::now();
    let services = SigningServices::parse(sigstore.signing_config(2).as_bytes(), now).unwrap();
    let token = IdentityToken::parse(&sigstore.token(&Identity::email("a@b.example")), now).unwrap();
    let signer = KeylessSigner::new(Client::new(ClientOptions::default()).unwrap(), services, token);
    (sigstore, signer)
}

fn certificates(sigstore: &Sigstore) -> usize {
    sigstore.requests().iter().filter(|asked| asked.contains("signingCert")).count()
}

#[tokio::test]
async fn a_certificate_that_expired_while_a_log_was_busy_is_renewed() {
    let (sigstore, signer) = sigstore().await;
    let busy = Fault::times("/api/v2/log/entries", 429, 1).header("retry-after", "3");
    sigstore.set(|wrong| wrong.faults = vec![busy]);
    signer.sign_blob(b"content").await.unwrap();
    assert_eq!(certificates(&sigstore), 2);
}

#[tokio::test]
async fn a_log_that_stays_busy_gets_no_signature_under_an_expired_certificate() {
    let (sigstore, signer) = sigstore().await;
    let busy = Fault::always("/api/v2/log/entries", 429).header("retry-after", "3");
    sigstore.set(|wrong| wrong.faults = vec![busy]);
    let refused = signer.sign_blob(b"content").await.unwrap_err();
    assert!(
        matches!(refused, KeylessError::CertificateExpired { lifetime: LIFETIME, certificates: 2 }),
        "{refused:?}"
    );
    assert!(refused.hint().is_some());
    assert!(!sigstore.requests().iter().any(|asked| asked.contains("timestamp")));
}

#[tokio::test]
async fn a_certificate_in_time_is_the_only_one() {
    let (sigstore, signer) = sigstore().await;
    signer.sign_blob(b"content").await.unwrap();
    assert_eq!(certificates(&sigstore), 1);
}
