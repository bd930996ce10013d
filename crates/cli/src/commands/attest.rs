//! `touchmark attest IMAGE --type T --predicate FILE`.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use jiff::Timestamp;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use touchmark_attestation::{PredicateType, ResourceDescriptor, Statement, predicate_types};
use touchmark_oci::{ImageRef, Limits, PinnedRef};
use touchmark_registry::ImageStore as _;
use touchmark_sigstore::parse_statement;
use touchmark_verify::descend;

use crate::attach::{self, StorageFormat, report_attached};
use crate::commands::sign::warn_about_tag;
use crate::context::Context;
use crate::failure::Mistake;
use crate::files::{MAX_DOCUMENT_BYTES, read_input};
use crate::keys::limits;
use crate::outcome::Outcome;
use crate::signing::SigningArgs;

/// Arguments of `attest`.
#[derive(Debug, Args)]
#[command(after_help = "\
TYPE is a predicate type URI or one of cosign's names: custom, cyclonedx, link, openvex, slsaprovenance (0.2), slsaprovenance1,
spdx, spdxjson, vuln; and vsa.

Examples:
  touchmark attest --key release.key --type cyclonedx --predicate app.cdx.json ghcr.io/acme/app@sha256:…
  touchmark provenance ghcr.io/acme/app@sha256:… | touchmark attest --key release.key --statement - ghcr.io/acme/app@sha256:…")]
pub(crate) struct AttestArgs {
    /// The image that the statement is about
    #[arg(value_name = "IMAGE")]
    image: ImageRef,
    #[command(flatten)]
    key: SigningArgs,
    /// The predicate's type
    #[arg(long = "type", value_name = "TYPE", required_unless_present = "statement")]
    predicate_type: Option<PredicateType>,
    /// The predicate, a JSON file; - is standard input
    #[arg(long, value_name = "FILE", required_unless_present = "statement")]
    predicate: Option<PathBuf>,
    /// A whole in-toto statement instead; the image must be among its subjects
    #[arg(long, value_name = "FILE", conflicts_with_all = ["predicate", "predicate_type"])]
    statement: Option<PathBuf>,
    /// How to store the attestation
    #[arg(long, value_name = "FORMAT", default_value = "bundle", env = "TOUCHMARK_FORMAT")]
    format: StorageFormat,
    /// Attest every manifest of an index too, each with a statement of its own
    #[arg(short, long, conflicts_with = "statement")]
    recursive: bool,
}

/// Signs the statement and attaches it.
pub(crate) async fn run(args: AttestArgs, context: &Context) -> anyhow::Result<Outcome> {
    let image = context.stores().resolve(&args.image).await?;
    warn_about_tag(context, &args.image, &image);
    let attached = match (&args.statement, &args.predicate_type, &args.predicate) {
        (Some(statement), ..) => {
            let statement = read_statement(statement, &image)?;
            attach::attest(context, &args.key.load(context).await?, &image, &statement, args.format).await?
        }
        (None, Some(predicate_type), Some(predicate)) => {
            let bytes = read_input(predicate, MAX_DOCUMENT_BYTES)?;
            let unusable = || format!("cannot use the predicate {}", predicate.display());
            let signer = args.key.load(context).await?;
            if args.recursive {
                for part in descend(context.stores(), &image, &Limits::default()).await?.iter().skip(1) {
                    let statement = state(part, predicate_type, bytes.clone()).with_context(unusable)?;
                    let attached = attach::attest(context, &signer, part, &statement, args.format).await?;
                    report_attached(context, part, &attached);
                }
            }
            let statement = state(&image, predicate_type, bytes).with_context(unusable)?;
            attach::attest(context, &signer, &image, &statement, args.format).await?
        }
        // clap asks for one or the other.
        _ => return Err(Mistake::new("nothing to attest", "--type and --predicate, or --statement").into()),
    };
    report_attached(context, &image, &attached);
    Ok(Outcome::Done)
}

/// A statement about `image`, with the predicate's bytes as they are.
pub(crate) fn state(
    image: &PinnedRef,
    predicate_type: &PredicateType,
    predicate: Vec<u8>,
) -> anyhow::Result<Statement<Box<RawValue>>> {
    state_about(attach::subject(image), predicate_type, predicate)
}

/// The same about any subject.
pub(crate) fn state_about(
    subject: ResourceDescriptor,
    predicate_type: &PredicateType,
    predicate: Vec<u8>,
) -> anyhow::Result<Statement<Box<RawValue>>> {
    let text = String::from_utf8(predicate).map_err(|error| error.utf8_error()).context("not UTF-8 text")?;
    let predicate = if predicate_type.uri() == predicate_types::COSIGN_CUSTOM {
        // cosign's `custom` holds any text: pkg/cosign/attestation.CosignPredicate.
        to_raw_value(&json!({ "Data": text, "Timestamp": Timestamp::now().to_string() }))?
    } else {
        object(&text)?
    };
    Ok(Statement::new(vec![subject], predicate_type.uri(), predicate))
}

/// Predicates are JSON objects (in-toto attestation 1.1, statement.md, "predicate").
fn object(text: &str) -> anyhow::Result<Box<RawValue>> {
    let raw: Box<RawValue> = serde_json::from_str(text).context("not JSON")?;
    if !raw.get().starts_with('{') {
        return Err(Mistake::new(
            "the predicate is not a JSON object",
            "--type custom wraps any text; every other type is an object",
        )
        .into());
    }
    Ok(raw)
}

/// A statement about `image`, with the predicate's bytes as they are.
fn read_statement(path: &Path, image: &PinnedRef) -> anyhow::Result<Statement<Box<RawValue>>> {
    let bytes = read_input(path, MAX_DOCUMENT_BYTES)?;
    let statement = parse_statement(&bytes, &limits())
        .with_context(|| format!("cannot use the statement {}", path.display()))?;
    if !statement.is_about(image.digest()) {
        return Err(Mistake::new(
            format!("the statement {} is not about {image}", path.display()),
            format!("one of its subjects must have the digest {}", image.digest()),
        )
        .into());
    }
    Ok(serde_json::from_slice(&bytes)?)
}

#[cfg(test)]
mod tests {
    use touchmark_oci::Digest;

    use super::*;

    fn image() -> PinnedRef {
        let image: ImageRef = "ghcr.io/acme/app:1".parse().unwrap();
        image.pin(Digest::of(b"x"))
    }

    #[test]
    fn the_predicates_bytes_are_signed_as_they_are() {
        let statement =
            state(&image(), &"cyclonedx".parse().unwrap(), br#"{"b": 1.50, "a":2}"#.to_vec()).unwrap();
        let text = String::from_utf8(statement.to_json().unwrap()).unwrap();
        assert!(text.contains(r#""predicate":{"b": 1.50, "a":2}"#), "{text}");
    }

    #[test]
    fn custom_wraps_any_text() {
        let statement = state(&image(), &"custom".parse().unwrap(), b"hello".to_vec()).unwrap();
        assert!(statement.predicate().unwrap().get().contains(r#""Data":"hello""#));
    }

    #[test]
    fn rejects_a_predicate_that_is_no_object() {
        let error = state(&image(), &"cyclonedx".parse().unwrap(), b"[]".to_vec()).unwrap_err();
        assert!(error.is::<Mistake>());
        assert!(state(&image(), &"cyclonedx".parse().unwrap(), b"{".to_vec()).is_err());
    }
}
