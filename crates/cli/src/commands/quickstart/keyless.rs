//! `--keyless-demo`: the story with an identity in place of a key, and with a Sigstore that runs in this process.
//!
//! That Sigstore is a demonstration. It listens on loopback only, its keys are in memory only, and it certifies whomever it is asked
//! to, so nobody else can trust it; the story shows that too.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use touchmark_demo_sigstore::{ClientDocuments, Clock, Identity, Options, Sigstore};
use touchmark_oci::PinnedRef;
use touchmark_policy::{CertificateIdentity, NamedSigner, Policy, PolicySet, TextMatch, Verdict};
use touchmark_sign::keyless::{IdentityToken, KeylessSigner, SigningServices};
use touchmark_sigstore::{Certificate, LogProof, Proof, Signer, TrustRoot};
use touchmark_transport::{Client, ClientOptions};
use touchmark_verify::{GatherLimits, ImageVerifier, load_policies};

use super::story::Story;
use super::{Way, attest_and_verify, decide, sign, take_inventory};
use crate::context::Context;
use crate::files::{Readers, write_new};
use crate::keys::limits;
use crate::signing::Signing;

/// What has to be known once the story is over.
pub(super) const AFTERWARDS: &str = "that Sigstore ended with this program. What it signed can still be verified with trusted_root.json, \
                                     nothing more can be signed with it, and its identities prove nothing to anybody else.";

/// Who signs: a release workflow, as GitHub would name it.
const SUBJECT: &str = "https://github.com/example/app/.github/workflows/release.yml@refs/tags/v1";
/// Who does not.
const STRANGER: &str = "somebody@example.com";

/// Tells the story from the point where somebody has to sign.
pub(super) async fn tell(story: &mut Story<'_>, image: &PinnedRef, context: &Context) -> anyhow::Result<()> {
    let sigstore = start(story).await?;
    let issuer = sigstore.url();
    let way = identify(story, &sigstore)?;
    let sbom = take_inventory(story, image, context).await?;
    sign(story, image, &way, context).await?;
    show_proof(story, image, &way, &issuer, context).await?;
    attest_and_verify(story, image, &way, sbom, context).await?;
    refuse_a_stranger(story, image, &way, &issuer, context).await?;
    refuse_as_everybody_else(story, image, context).await
}

async fn start(story: &mut Story<'_>) -> anyhow::Result<Sigstore> {
    story.step(
        "Start a Sigstore in this process: a demonstration, whose identities prove nothing outside of it",
        &[],
    )?;
    let sigstore = Sigstore::try_start(Options::at(Clock::system())).await?;
    story.result(&format!(
        "issuer of identities, certificate authority, transparency logs and timestamps at {}",
        sigstore.url()
    ))?;
    story.result("on this machine only, with new keys that are in memory only, until this program ends")?;
    Ok(sigstore)
}

/// Has the identity's token issued, and writes what the printed commands need.
fn identify(story: &mut Story<'_>, sigstore: &Sigstore) -> anyhow::Result<Way> {
    story.step("Be somebody: a CI job gets such a token from its system, a person by logging in", &[])?;
    let ClientDocuments { trusted_root, signing_config, token } =
        sigstore.client_documents(&Identity::uri(SUBJECT))?;
    write_new(&story.path("token"), token.as_bytes(), Readers::Owner)?;
    write_new(&story.path("trusted_root.json"), trusted_root.as_bytes(), Readers::Anyone)?;
    write_new(&story.path("signing_config.json"), signing_config.as_bytes(), Readers::Anyone)?;
    story.result(&format!("identity {SUBJECT}"))?;
    story.result(&format!("says the issuer {}, in the file token", sigstore.url()))?;
    story.result("whom to ask: signing_config.json; whom to believe: trusted_root.json")?;
    let now = Timestamp::now();
    let signer = KeylessSigner::new(
        Client::new(ClientOptions::default())?,
        SigningServices::parse(signing_config.as_bytes(), now)?,
        IdentityToken::parse(&token, now)?,
    );
    let trust_root = Arc::new(TrustRoot::parse(trusted_root.as_bytes(), &limits())?);
    Ok(Way {
        signing: Signing::keyless(signer, Some(Arc::clone(&trust_root))),
        who: "that identity",
        environment: "",
        sign_with: "--identity-token token --signing-config signing_config.json --trusted-root trusted_root.json",
        verify_with: " --trusted-root trusted_root.json",
        signer: format!("identity: {{subject: \"{SUBJECT}\", issuer: \"{}\"}}", sigstore.url()),
        trust_root: Some(trust_root),
    })
}

/// Shows the certificate, the log entry and the time of the signature.
async fn show_proof(
    story: &mut Story<'_>,
    image: &PinnedRef,
    way: &Way,
    issuer: &str,
    context: &Context,
) -> anyhow::Result<()> {
    story.step(
        "See what the signature proves, by naming the identity on the command line",
        &[&by_identity(SUBJECT, issuer)],
    )?;
    let verifier =
        ImageVerifier::new(context.stores().clone(), signed_by(SUBJECT, issuer)?, GatherLimits::default())
            .with_trust_root(way.trust_root.clone());
    let (decision, findings) = verifier.decide_with_findings(image).await?;
    story.decision(&decision)?;
    let claim = findings.claims().first().context("nothing that was signed verifies")?;
    let Signer::Certificate(certificate) = claim.claim.signer() else {
        bail!("the signature is by {}, expected a certificate", claim.claim.signer());
    };
    for line in proof_lines(certificate, claim.claim.proof()) {
        story.result(&line)?;
    }
    Ok(())
}

fn proof_lines(certificate: &Certificate, proof: &Proof) -> Vec<String> {
    let logged = if proof.certificate_logged { ", which a certificate log promised to list" } else { "" };
    let mut lines = vec![
        format!("certificate for {}{logged}", certificate.subject().as_str()),
        format!(
            "valid from {} to {}, for this one signature",
            certificate.not_before(),
            certificate.not_after()
        ),
    ];
    if let LogProof::Verified { entries } = &proof.log {
        lines.extend(
            entries
                .iter()
                .map(|entry| format!("entry {} of the transparency log {:.12}", entry.index, entry.log)),
        );
    }
    lines
}

async fn refuse_a_stranger(
    story: &mut Story<'_>,
    image: &PinnedRef,
    way: &Way,
    issuer: &str,
    context: &Context,
) -> anyhow::Result<()> {
    story.step("Verify the original by somebody else's identity", &[&by_identity(STRANGER, issuer)])?;
    let policies = signed_by(STRANGER, issuer)?;
    decide(story, image, policies, way.trust_root.clone(), Verdict::Deny, context).await
}

/// Everybody else trusts Sigstore's public services, or his own.
async fn refuse_as_everybody_else(
    story: &mut Story<'_>,
    image: &PinnedRef,
    context: &Context,
) -> anyhow::Result<()> {
    story.step(
        "Verify it as everybody else does, by Sigstore's public trust root: these identities prove nothing there",
        &["touchmark verify --policy policy.yaml oci:image:app"],
    )?;
    let policies = load_policies(&[story.path("policy.yaml")], &touchmark_policy::Limits::default())?;
    let public = Arc::new(TrustRoot::public_good()?);
    decide(story, image, PolicySet::new(policies)?, Some(public), Verdict::Deny, context).await
}

fn by_identity(subject: &str, issuer: &str) -> String {
    format!(
        "touchmark verify --certificate-identity {subject} --certificate-oidc-issuer {issuer} --trusted-root trusted_root.json oci:image:app"
    )
}

fn signed_by(subject: &str, issuer: &str) -> anyhow::Result<PolicySet> {
    let exactly = |text: &str| TextMatch::Exactly(text.to_owned());
    let identity = CertificateIdentity::new(exactly(subject), exactly(issuer));
    Ok(PolicySet::new(vec![Policy::signed_by(vec![NamedSigner::of_certificate(identity)], BTreeMap::new())])?)
}
