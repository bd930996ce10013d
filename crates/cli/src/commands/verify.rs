//! `touchmark verify IMAGE…`: the decision, by policy files or by keys.

use std::path::PathBuf;

use clap::Args;
use futures_util::stream::{self, StreamExt as _};
use serde_json::{Value, json};
use touchmark_oci::{ImageRef, Limits};
use touchmark_policy::{Decision, Policy, PolicySet, Verdict};
use touchmark_registry::{ImageStore as _, Stores};
use touchmark_verify::{GatherLimits, ImageVerifier, descend, load_policies};

use crate::annotations::{Annotation, to_map};
use crate::arguments::ReportFormat;
use crate::context::Context;
use crate::decision;
use crate::failure::{self, Mistake};
use crate::outcome::Outcome;
use crate::render::{to_stderr, to_stdout};
use crate::signers::{SignerArgs, TrustArgs};

/// Images decided about at the same time.
const CONCURRENCY: usize = 8;

/// Arguments of `verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  touchmark verify --policy policies/ ghcr.io/acme/app@sha256:…
  touchmark verify --key release.pub ghcr.io/acme/app:1.4
  touchmark verify --key awskms:///alias/release ghcr.io/acme/app:1.4
  touchmark verify --certificate-identity-regexp 'https://github.com/acme/app/.+@refs/tags/.+' \
    --certificate-oidc-issuer https://token.actions.githubusercontent.com ghcr.io/acme/app:1.4
  touchmark verify --policy release.yaml -o json ghcr.io/acme/app:1.4 | jq '.results[].decision.verdict'

--key alone asks for a signature by that key. It asks for no transparency log entry, and says that none was shown.")]
pub(crate) struct VerifyArgs {
    /// The images to decide about
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<ImageRef>,
    /// A policy file, or a directory of them; all that match an image must be satisfied
    #[arg(long, value_name = "FILE", conflicts_with_all = ["keys", "certificate_identities"], env = "TOUCHMARK_POLICY")]
    policy: Vec<PathBuf>,
    #[command(flatten)]
    signers: SignerArgs,
    #[command(flatten)]
    trust: TrustArgs,
    /// Without --policy: an annotation that must have been signed along
    #[arg(short, long = "annotation", value_name = "NAME=VALUE", conflicts_with = "policy")]
    annotations: Vec<Annotation>,
    /// Decide about every manifest of an index too
    #[arg(short, long)]
    recursive: bool,
    /// How to write the decisions
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: ReportFormat,
}

/// An image and what came of it.
type Judged = (String, anyhow::Result<Decision>);

/// Decides about all images; the worst outcome is the command's.
pub(crate) async fn run(args: VerifyArgs, context: &Context) -> anyhow::Result<Outcome> {
    let policies = policies(&args, context).await?;
    for policy in policies.policies() {
        policy.lints().iter().for_each(|lint| context.warn(&lint.to_string()));
    }
    let trust_root = args.trust.for_policies(&policies, context).await?;
    let verifier = ImageVerifier::new(context.stores().clone(), policies, GatherLimits::default())
        .with_trust_root(trust_root);
    let judged = {
        let _step = context.progress().step("verifying");
        let targets = targets(&args, context).await;
        judge(&verifier, targets).await
    };
    match args.output {
        ReportFormat::Json => to_stdout(&to_json(&judged)?)?,
        ReportFormat::Text => print_text(&judged, context)?,
    }
    Ok(judged.iter().map(|(_, result)| outcome(result)).max().unwrap_or(Outcome::Undecided))
}

async fn policies(args: &VerifyArgs, context: &Context) -> anyhow::Result<PolicySet> {
    if args.policy.is_empty() {
        let signers = args.signers.load(context).await?;
        if signers.is_empty() {
            return Err(Mistake::new(
                "nothing to verify by",
                "--policy FILE, --key KEY, or --certificate-identity and --certificate-oidc-issuer say what is wanted",
            )
            .into());
        }
        let policy = Policy::signed_by(signers, to_map(&args.annotations)).with_proof(args.trust.proof()?);
        return Ok(PolicySet::new(vec![policy])?);
    }
    if args.trust.require.is_some() || !args.trust.witness.is_empty() {
        return Err(Mistake::new(
            "--require or --witness beside --policy",
            "the policy's proof and witnesses say how much has to be proven",
        )
        .into());
    }
    Ok(PolicySet::new(load_policies(&args.policy, &touchmark_policy::Limits::default())?)?)
}

/// The images asked about, and with `--recursive` those under them.
async fn targets(args: &VerifyArgs, context: &Context) -> Vec<anyhow::Result<ImageRef>> {
    if !args.recursive {
        return args.images.iter().cloned().map(Ok).collect();
    }
    let mut targets = Vec::new();
    for image in &args.images {
        match expand(image, context.stores()).await {
            Ok(found) => targets.extend(found.into_iter().map(Ok)),
            Err(error) => targets.push(Err(error.context(image.to_string()))),
        }
    }
    targets
}

async fn expand(image: &ImageRef, stores: &Stores) -> anyhow::Result<Vec<ImageRef>> {
    let pinned = stores.resolve(image).await?;
    let found = descend(stores, &pinned, &Limits::default()).await?;
    Ok(found.iter().map(touchmark_oci::PinnedRef::to_image_ref).collect())
}

async fn judge(verifier: &ImageVerifier<Stores>, targets: Vec<anyhow::Result<ImageRef>>) -> Vec<Judged> {
    stream::iter(targets)
        .map(|target| async move {
            match target {
                Ok(image) => (image.to_string(), verifier.decide(&image).await.map_err(Into::into)),
                Err(error) => (error.to_string(), Err(error)),
            }
        })
        .buffered(CONCURRENCY)
        .collect()
        .await
}

fn outcome(result: &anyhow::Result<Decision>) -> Outcome {
    match result.as_ref().map(Decision::verdict) {
        Ok(Verdict::Allow | Verdict::Warn) => Outcome::Done,
        Ok(Verdict::Deny) => Outcome::Denied,
        Err(_) => Outcome::Undecided,
    }
}

fn print_text(judged: &[Judged], context: &Context) -> anyhow::Result<()> {
    for (image, result) in judged {
        match result {
            Ok(decided) => to_stdout(decision::to_text(decided, context.stdout_style()).as_bytes())?,
            Err(error) => {
                to_stderr(&format!("could not decide about {}", crate::render::harmless(image)));
                to_stderr(&failure::describe(error, context.stderr_style()));
            }
        }
        if matches!(result, Ok(decided) if decided.verdict() == Verdict::Warn) {
            context.warn(&format!("{image} does not satisfy a policy that warns"));
        }
    }
    Ok(())
}

fn to_json(judged: &[Judged]) -> anyhow::Result<Vec<u8>> {
    let results: Vec<Value> = judged
        .iter()
        .map(|(image, result)| match result {
            Ok(decision) => Ok(json!({ "image": image, "decision": serde_json::to_value(decision)? })),
            Err(error) => Ok(json!({ "image": image, "error": failure::to_json(error) })),
        })
        .collect::<Result<_, serde_json::Error>>()?;
    let report = json!({ "schema": "touchmark.dev/verify/v1", "results": results });
    Ok(format!("{report:#}\n").into_bytes())
}
