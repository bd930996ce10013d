//! `touchmark quickstart`: an image's whole way on this machine, with no server and nothing else installed.
//!
//! Every step calls what the command that it prints calls, and checks that the outcome is the one to expect.

mod image;
mod keyless;
mod story;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use touchmark_oci::{ImageRef, PinnedRef};
use touchmark_policy::{NamedSigner, Policy, PolicySet, Verdict};
use touchmark_provenance::{BuildInputs, Platform, generate};
use touchmark_sbom::{cyclonedx, spdx};
use touchmark_sign::{EncryptedKey, KeyKind, PrivateKey, Signer};
use touchmark_sigstore::TrustRoot;
use touchmark_verify::{GatherLimits, ImageVerifier, load_policies};

use self::story::Story;
use crate::attach::{self, StorageFormat};
use crate::commands::attest::state;
use crate::commands::sbom::document_options;
use crate::context::Context;
use crate::failure::Mistake;
use crate::files::{Readers, write_new};
use crate::outcome::Outcome;
use crate::signing::Signing;
use crate::source::scan_image;

/// The password of the keys that are made here. They are for trying out, and the printed commands name it.
const PASSWORD: &str = "quickstart";

/// Arguments of `quickstart`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  touchmark quickstart
  touchmark quickstart --keyless-demo
  touchmark quickstart --image docker.io/library/alpine:3.20 --dir try")]
pub(crate) struct QuickstartArgs {
    /// The image to take; a small one is shipped
    #[arg(long, value_name = "IMAGE")]
    image: Option<ImageRef>,
    /// A new or empty directory to work in; a temporary one unless given
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Sign as an identity instead of with a key, with a Sigstore that runs in this process for as long as the story takes. What it
    /// certifies proves nothing to anybody else
    #[arg(long)]
    keyless_demo: bool,
}

/// Who signs in the story, and how the printed commands say so.
struct Way {
    signing: Signing,
    /// Whom the policy names.
    who: &'static str,
    /// What commands that sign begin with.
    environment: &'static str,
    /// Their flags.
    sign_with: &'static str,
    /// The further flags of commands that verify.
    verify_with: &'static str,
    /// The signer in the policy.
    signer: String,
    /// Whose certificates count.
    trust_root: Option<Arc<TrustRoot>>,
}

/// Tells the story. It ends with 0 when every outcome is the one to expect.
pub(crate) async fn run(args: QuickstartArgs, context: &Context) -> anyhow::Result<Outcome> {
    let dir = working_directory(args.dir)?;
    let source = match args.image {
        Some(image) => image,
        None => image::shipped()?,
    };
    let mut story = Story::new(context, dir, "app".parse()?);
    story.begin()?;
    let image = take_image(&mut story, &source, context).await?;
    if args.keyless_demo {
        keyless::tell(&mut story, &image, context).await?;
    } else {
        let way = make_keys(&mut story)?;
        let sbom = take_inventory(&mut story, &image, context).await?;
        sign(&mut story, &image, &way, context).await?;
        attest_and_verify(&mut story, &image, &way, sbom, context).await?;
        distrust(&mut story, &image, context).await?;
    }
    story.end()?;
    if args.keyless_demo {
        story.note(keyless::AFTERWARDS)?;
    }
    Ok(Outcome::Done)
}

/// What is the same whoever signed: the attestations, and the decisions about the image and a copy that was tampered with.
async fn attest_and_verify(
    story: &mut Story<'_>,
    image: &PinnedRef,
    way: &Way,
    sbom: Vec<u8>,
    context: &Context,
) -> anyhow::Result<()> {
    attest(story, image, way, sbom, context).await?;
    let policies = write_policy(story, way)?;
    verify(story, image, policies.clone(), way, context).await?;
    tamper(story, image, policies, way, context).await
}

/// Kept afterwards: the printed commands work on it.
fn working_directory(chosen: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let Some(dir) = chosen else {
        return Ok(tempfile::Builder::new().prefix("touchmark-quickstart-").tempdir()?.keep());
    };
    let failed = || format!("cannot use the directory {}", dir.display());
    std::fs::create_dir_all(&dir).with_context(failed)?;
    if std::fs::read_dir(&dir).with_context(failed)?.next().is_some() {
        return Err(Mistake::new(
            format!("the directory {} is not empty", dir.display()),
            "--dir names a new directory, so that nothing of yours is overwritten",
        )
        .into());
    }
    Ok(dir)
}

async fn take_image(
    story: &mut Story<'_>,
    source: &ImageRef,
    context: &Context,
) -> anyhow::Result<PinnedRef> {
    story.step("Take an image, and copy it so that the original stays as it is", &[])?;
    let copied = image::copy(source, &story.image_reference(), context).await?;
    story.result(&format!("{source} is now {copied}"))?;
    Ok(copied)
}

fn make_keys(story: &mut Story<'_>) -> anyhow::Result<Way> {
    let prefix = story.path("release");
    story.step(
        "Make a key to sign with",
        &["COSIGN_PASSWORD=quickstart touchmark key generate --output-key-prefix release"],
    )?;
    let key = write_key(&prefix)?;
    story.result(&format!("key {}", key.public_key().id()))?;
    Ok(Way {
        signing: Signer::from(key).into(),
        who: "that key",
        environment: "COSIGN_PASSWORD=quickstart ",
        sign_with: "--key release.key",
        verify_with: "",
        signer: "key: {file: release.pub}".to_owned(),
        trust_root: None,
    })
}

fn write_key(prefix: &Path) -> anyhow::Result<PrivateKey> {
    let key = PrivateKey::generate(KeyKind::EcdsaP256)?;
    let encrypted = EncryptedKey::encrypt(&key, PASSWORD.as_bytes())?;
    write_new(&prefix.with_extension("key"), encrypted.to_pem().as_bytes(), Readers::Owner)?;
    write_new(&prefix.with_extension("pub"), key.public_key().to_pem().as_bytes(), Readers::Anyone)?;
    Ok(key)
}

/// Gives the CycloneDX document, to be attested.
async fn take_inventory(
    story: &mut Story<'_>,
    image: &PinnedRef,
    context: &Context,
) -> anyhow::Result<Vec<u8>> {
    let (cdx, spdx_file) = (story.path("sbom.cdx.json"), story.path("sbom.spdx.json"));
    story.step(
        "List what is in it",
        &["touchmark sbom -o cyclonedx-json=sbom.cdx.json -o spdx-json=sbom.spdx.json oci:image:app"],
    )?;
    let inventory = scan_image(image, context).await?;
    let options = document_options()?;
    let sbom = cyclonedx::to_json(&inventory, &options);
    write_new(&cdx, &sbom, Readers::Anyone)?;
    write_new(&spdx_file, &spdx::to_json(&inventory, &options), Readers::Anyone)?;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for package in inventory.packages() {
        *counts.entry(package.ecosystem.name()).or_default() += 1;
    }
    let counts: Vec<String> =
        counts.iter().map(|(ecosystem, count)| format!("{count} {ecosystem}")).collect();
    story.result(&format!("{} packages: {}", inventory.packages().len(), counts.join(", ")))?;
    if !inventory.is_complete() {
        story.result(&format!(
            "{} things could not be read; the documents name them",
            inventory.gaps().len()
        ))?;
    }
    Ok(sbom)
}

async fn sign(story: &mut Story<'_>, image: &PinnedRef, way: &Way, context: &Context) -> anyhow::Result<()> {
    let Way { environment, sign_with, signing, .. } = way;
    story.step("Sign it", &[&format!("{environment}touchmark sign {sign_with} oci:image:app")])?;
    for attached in attach::sign(context, signing, image, &BTreeMap::new(), StorageFormat::Bundle).await? {
        story.result(&format!("signature {} ({})", attached.manifest, attached.place))?;
    }
    Ok(())
}

async fn attest(
    story: &mut Story<'_>,
    image: &PinnedRef,
    way: &Way,
    sbom: Vec<u8>,
    context: &Context,
) -> anyhow::Result<()> {
    let Way { environment, sign_with, signing, .. } = way;
    story.step(
        "Attest what is in it and how it was built",
        &[
            &format!("{environment}touchmark attest {sign_with} --type cyclonedx --predicate sbom.cdx.json oci:image:app"),
            &format!("{environment}touchmark provenance --builder local --attest {sign_with} oci:image:app"),
        ],
    )?;
    let sbom = state(image, &"cyclonedx".parse()?, sbom)?;
    for attached in attach::attest(context, signing, image, &sbom, StorageFormat::Bundle).await? {
        story.result(&format!("SBOM attestation {} ({})", attached.manifest, attached.place))?;
    }
    let subject = attach::subject(image);
    let inputs = BuildInputs { subjects: vec![subject], ..BuildInputs::default() };
    let provenance = generate(Platform::Local, &BTreeMap::new(), &inputs)?;
    for attached in attach::attest(context, signing, image, &provenance, StorageFormat::Bundle).await? {
        story.result(&format!("provenance attestation {} ({})", attached.manifest, attached.place))?;
    }
    story.result(&format!("the provenance names the builder {}: somebody's machine", Platform::LOCAL_BUILDER))
}

fn write_policy(story: &mut Story<'_>, way: &Way) -> anyhow::Result<PolicySet> {
    let path = story.path("policy.yaml");
    story.step(
        &format!("Say what an image must have: a signature, an SBOM and provenance, all by {}", way.who),
        &["touchmark policy check policy.yaml"],
    )?;
    write_new(&path, policy_text(&way.signer).as_bytes(), Readers::Anyone)?;
    let policies = load_policies(&[path], &touchmark_policy::Limits::default())?;
    story.result("valid")?;
    Ok(PolicySet::new(policies)?)
}

fn policy_text(signer: &str) -> String {
    format!(
        "\
apiVersion: touchmark.dev/v1alpha1
kind: ImagePolicy
metadata:
  name: quickstart
spec:
  mode: enforce
  images:
    - glob: \"oci:**\"
  signers:
    - name: release
      {signer}
  require:
    - name: signed
      signature:
        by: [release]
    - name: inventoried
      attestation:
        type: cyclonedx
        by: [release]
    - name: built-here
      provenance:
        by: [release]
        builder:
          id: {builder}
",
        builder = Platform::LOCAL_BUILDER
    )
}

async fn verify(
    story: &mut Story<'_>,
    image: &PinnedRef,
    policies: PolicySet,
    way: &Way,
    context: &Context,
) -> anyhow::Result<()> {
    let command = format!("touchmark verify --policy policy.yaml{} oci:image:app", way.verify_with);
    story.step("Verify it", &[&command])?;
    decide(story, image, policies, way.trust_root.clone(), Verdict::Allow, context).await
}

async fn tamper(
    story: &mut Story<'_>,
    image: &PinnedRef,
    policies: PolicySet,
    way: &Way,
    context: &Context,
) -> anyhow::Result<()> {
    story.step(
        "Tamper with a copy: make it run as root, and attach the signatures of the original",
        &[&format!("touchmark verify --policy policy.yaml{} oci:tampered:app", way.verify_with)],
    )?;
    let tampered = image::tamper(image, &story.tampered_reference(), context).await?;
    decide(story, &tampered, policies, way.trust_root.clone(), Verdict::Deny, context).await
}

async fn distrust(story: &mut Story<'_>, image: &PinnedRef, context: &Context) -> anyhow::Result<()> {
    let prefix = story.path("other");
    story.step(
        "Verify the original with somebody else's key",
        &[
            "COSIGN_PASSWORD=quickstart touchmark key generate --output-key-prefix other",
            "touchmark verify --key other.pub oci:image:app",
        ],
    )?;
    let other = write_key(&prefix)?;
    let policy = Policy::signed_by(vec![NamedSigner::of_key(other.public_key().clone())], BTreeMap::new());
    decide(story, image, PolicySet::new(vec![policy])?, None, Verdict::Deny, context).await
}

/// Decides, shows the decision, and fails when it is not the one to expect.
async fn decide(
    story: &mut Story<'_>,
    image: &PinnedRef,
    policies: PolicySet,
    trust_root: Option<Arc<TrustRoot>>,
    expected: Verdict,
    context: &Context,
) -> anyhow::Result<()> {
    let verifier = ImageVerifier::new(context.stores().clone(), policies, GatherLimits::default())
        .with_trust_root(trust_root);
    let decision = verifier.decide(&image.to_image_ref()).await?;
    story.decision(&decision)?;
    if decision.verdict() != expected {
        let found = decision.verdict();
        return Err(Mistake::new(
            format!("the verdict on {image} is {found}, expected {expected}"),
            "this is a fault of touchmark: please report it with the output above",
        )
        .into());
    }
    Ok(())
}
