//! `touchmark verify-attestation IMAGE --type T --key KEY`: the statements that hold.

use clap::Args;
use serde_json::json;
use touchmark_attestation::{PredicateType, Statement};
use touchmark_oci::ImageRef;
use touchmark_policy::{Policy, PolicySet, Verdict};
use touchmark_registry::ImageStore as _;
use touchmark_sigstore::{Claim, Finding, Findings};
use touchmark_verify::{GatherLimits, ImageVerifier};

use crate::context::Context;
use crate::decision;
use crate::outcome::Outcome;
use crate::render::{log_note, to_stderr, to_stdout};
use crate::signers::{SignerArgs, TrustArgs};

/// Arguments of `verify-attestation`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  touchmark verify-attestation --key release.pub --type slsaprovenance1 ghcr.io/acme/app:1.4 | jq .statement.predicate

Each statement that holds is one line of JSON on standard output (docs/schemas/attestation.v1.json).")]
pub(crate) struct VerifyAttestationArgs {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: ImageRef,
    #[command(flatten)]
    signers: SignerArgs,
    #[command(flatten)]
    trust: TrustArgs,
    /// The predicate's type: a URI or one of cosign's names
    #[arg(long = "type", value_name = "TYPE")]
    predicate_type: PredicateType,
}

/// Decides as `verify` does, and prints the statements that satisfied.
pub(crate) async fn run(args: VerifyAttestationArgs, context: &Context) -> anyhow::Result<Outcome> {
    let signers = args.signers.require(context).await?;
    let proof = args.trust.proof()?;
    let policy = Policy::attested_by(signers.clone(), args.predicate_type.clone()).with_proof(proof.clone());
    let policies = PolicySet::new(vec![policy])?;
    let trust_root = args.trust.for_policies(&policies, context).await?;
    let verifier = ImageVerifier::new(context.stores().clone(), policies, GatherLimits::default())
        .with_trust_root(trust_root);
    let image = context.stores().resolve(&args.image).await?;
    let (decision, findings) = verifier.decide_with_findings(&image).await?;
    if decision.verdict() == Verdict::Deny {
        to_stderr(decision::to_text(&decision, context.stderr_style()).trim_end());
        return Ok(Outcome::Denied);
    }
    let counts = |finding: &Finding| {
        let by_signer = signers.iter().any(|signer| signer.is(finding.claim.signer()));
        by_signer && proof.is_met(finding.claim.signer(), finding.claim.proof())
    };
    for (finding, statement) in
        statements(&findings, &args.predicate_type).filter(|(finding, _)| counts(finding))
    {
        to_stdout(line(finding, statement).as_bytes())?;
    }
    Ok(Outcome::Done)
}

fn statements<'a>(
    findings: &'a Findings,
    wanted: &PredicateType,
) -> impl Iterator<Item = (&'a Finding, &'a Statement)> {
    findings.claims().iter().filter_map(move |finding| match &*finding.claim {
        Claim::Attestation(statement) if statement.predicate_type() == wanted.uri() => {
            Some((finding, statement))
        }
        _ => None,
    })
}

fn line(finding: &Finding, statement: &Statement) -> String {
    let line = json!({
        "schema": "touchmark.dev/attestation/v1",
        "statement": statement,
        "signer": finding.claim.signer().to_string(),
        "log": log_note(&finding.claim.proof().log),
        "origin": finding.origin.to_string(),
    });
    format!("{line}\n")
}
