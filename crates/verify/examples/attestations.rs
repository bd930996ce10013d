//! How long deciding takes about an image with one attestation and about one with many, on a registry whose every answer takes a
//! while: `cargo run --release -p touchmark-verify --example attestations -- [RUNS]`.
//!
//! Both images are in one registry, in this process, without the referrers API; each decision is made by a client that has not
//! talked to it before. The two are decided about in turn; the medians and their ratio are printed.
#![expect(clippy::print_stdout, reason = "a program that says what it measured")]

use std::error::Error;
use std::time::{Duration, Instant};

use touchmark_attestation::{ResourceDescriptor, Statement, predicate_types};
use touchmark_oci::{Content, Descriptor, ImageManifest, ImageName, ImageRef, media_type};
use touchmark_policy::{NamedSigner, Policy, PolicySet, Verdict};
use touchmark_registry::{CredentialSource, RegistryOptions, Stores, push_artifact};
use touchmark_sign::{KeyKind, PrivateKey, Signer, sign_statement};
use touchmark_sigstore::Limits;
use touchmark_sigstore::storage::store_bundle;
use touchmark_testkit::{FakeRegistry, Knobs, ReferrersApi};
use touchmark_verify::{GatherLimits, ImageVerifier};

const ROUND_TRIP: Duration = Duration::from_millis(50);
const MANY: usize = 20;
const DEFAULT_RUNS: usize = 10;

type Failure = Box<dyn Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let runs = std::env::args().nth(1).map_or(Ok(DEFAULT_RUNS), |text| text.parse())?;
    let registry =
        FakeRegistry::start_with(Knobs { referrers: ReferrersApi::Absent, ..Knobs::default() }).await;
    let signer: Signer = PrivateKey::generate(KeyKind::EcdsaP256)?.into();
    let one = attested(&registry.name("one"), 1, &signer).await?;
    let many = attested(&registry.name("many"), MANY, &signer).await?;
    registry.set(|knobs| knobs.delay = ROUND_TRIP);
    let (mut of_one, mut of_many) = (Vec::new(), Vec::new());
    for _ in 0..runs.max(1) {
        of_one.push(decide(&one, &signer).await?);
        of_many.push(decide(&many, &signer).await?);
    }
    let (of_one, of_many) = (median(of_one), median(of_many));
    println!("medians of {} decisions each, {} ms round trip", runs.max(1), ROUND_TRIP.as_millis());
    println!(" 1 attestation   {of_one:7.1} ms");
    println!("{MANY:2} attestations  {of_many:7.1} ms   ratio {:.2}", of_many / of_one);
    Ok(())
}

fn stores() -> Result<Stores, Failure> {
    let mut options =
        RegistryOptions { credentials: CredentialSource::Anonymous, ..RegistryOptions::default() };
    options.limits.tag_settle_delay = Duration::from_millis(1);
    Ok(Stores::new(options)?)
}

/// An image with so many attestations.
async fn attested(name: &ImageName, count: usize, signer: &Signer) -> Result<ImageRef, Failure> {
    let stores = stores()?;
    let config = Content::new(media_type::OCI_CONFIG, b"{}".to_vec());
    let subject = ImageManifest::new(config.descriptor().clone(), Vec::new()).to_content();
    push_artifact(&stores, name, &subject, &[config]).await?;
    for number in 0..count {
        attach(&stores, name, subject.descriptor(), number, signer).await?;
    }
    Ok(name.pin(subject.digest().clone()).to_image_ref())
}

async fn attach(
    stores: &Stores,
    name: &ImageName,
    subject: &Descriptor,
    number: usize,
    signer: &Signer,
) -> Result<(), Failure> {
    let about = vec![ResourceDescriptor::of(&subject.digest)];
    let statement =
        Statement::new(about, predicate_types::CYCLONEDX, serde_json::json!({ "number": number }));
    let bundle = sign_statement(signer, &statement)?;
    let stored = store_bundle(bundle, subject, None, &Limits::default())?;
    push_artifact(stores, name, &stored.manifest, &stored.blobs).await?;
    Ok(())
}

/// Milliseconds that it takes to allow the image.
async fn decide(image: &ImageRef, signer: &Signer) -> Result<f64, Failure> {
    let signers = vec![NamedSigner::of_key(signer.public_key().clone())];
    let policy = Policy::attested_by(signers, predicate_types::CYCLONEDX.parse()?);
    let verifier = ImageVerifier::new(stores()?, PolicySet::new(vec![policy])?, GatherLimits::default());
    let started = Instant::now();
    let decision = verifier.decide(image).await?;
    let took = started.elapsed();
    match decision.verdict() {
        Verdict::Allow => Ok(took.as_secs_f64() * 1000.0),
        verdict => Err(format!("the verdict on {image} is {verdict}, expected allow").into()),
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}
