//! `touchmark key generate | import | public | inspect`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use touchmark_oci::ImageRef;
use touchmark_sign::{EncryptedKey, KeyFile, KeyKind, KeyReference, PrivateKey};
use touchmark_sigstore::PublicKey;

use crate::arguments::ReportFormat;
use crate::context::Context;
use crate::failure::Mistake;
use crate::files::{Readers, write_new, write_output};
use crate::keys::{KeyRef, limits, new_password};
use crate::outcome::Outcome;
use crate::render::to_stdout;
use crate::signed_by::{signed_by, to_text};
use crate::signing_key::SigningKey;
use crate::trust_source::TrustSource;

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key pair: PREFIX.key, encrypted as cosign does, and PREFIX.pub
    Generate(GenerateArgs),
    /// Encrypt an existing private key as cosign does
    Import(ImportArgs),
    /// Write the public half of a private key
    Public(PublicArgs),
    /// Say what a key file holds, and what it signed about an image
    Inspect(InspectArgs),
}

/// Arguments of `key generate`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  touchmark key generate --output-key-prefix release
  COSIGN_PASSWORD=… touchmark key generate --kind ed25519")]
pub(crate) struct GenerateArgs {
    /// Where to write: PREFIX.key and PREFIX.pub
    #[arg(long, value_name = "PREFIX", default_value = "touchmark", env = "TOUCHMARK_OUTPUT_KEY_PREFIX")]
    output_key_prefix: PathBuf,
    /// What kind of key; every cosign verifies ecdsa-p256
    #[arg(long, value_name = "KIND", default_value = "ecdsa-p256")]
    kind: Kind,
}

/// The kinds of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    EcdsaP256,
    EcdsaP384,
    Ed25519,
    #[value(name = "rsa-3072")]
    Rsa3072,
    #[value(name = "rsa-4096")]
    Rsa4096,
}

impl From<Kind> for KeyKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::EcdsaP256 => Self::EcdsaP256,
            Kind::EcdsaP384 => Self::EcdsaP384,
            Kind::Ed25519 => Self::Ed25519,
            Kind::Rsa3072 => Self::Rsa3072,
            Kind::Rsa4096 => Self::Rsa4096,
        }
    }
}

/// Arguments of `key import`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  touchmark key import --key openssl.pem --output-key-prefix release")]
pub(crate) struct ImportArgs {
    /// The private key: PKCS#8, SEC 1 or PKCS#1 PEM, or cosign's format
    #[arg(long, value_name = "KEY")]
    key: KeyRef,
    /// Where to write: PREFIX.key and PREFIX.pub
    #[arg(long, value_name = "PREFIX", default_value = "touchmark", env = "TOUCHMARK_OUTPUT_KEY_PREFIX")]
    output_key_prefix: PathBuf,
}

/// Arguments of `key public`.
#[derive(Debug, Args)]
pub(crate) struct PublicArgs {
    /// The private key: a file, or a reference such as env://NAME, awskms:///alias/NAME, hashivault://NAME or pkcs11:object=LABEL
    #[arg(long, value_name = "KEY")]
    key: KeyReference,
    /// Where to write the public key; - is standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
}

/// Arguments of `key inspect`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  touchmark key inspect release.pub
  touchmark key inspect release.pub ghcr.io/acme/app:1.4

With an image, what the key signed about it is verified and listed, with every time that a log or a timestamp authority proves.")]
pub(crate) struct InspectArgs {
    /// A key file, private or public, which needs no password; or a reference to a key elsewhere
    #[arg(value_name = "KEY")]
    key: KeyReference,
    /// An image: what the key signed about it, and when
    #[arg(value_name = "IMAGE")]
    image: Option<ImageRef>,
    /// With an image: whose logs and timestamps to trust, as --trusted-root of verify
    #[arg(long, value_name = "FILE", requires = "image", env = "TOUCHMARK_TRUSTED_ROOT")]
    trusted_root: Option<TrustSource>,
    /// How to write it
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: ReportFormat,
}

/// Runs the command.
pub(crate) async fn run(command: KeyCommand, context: &Context) -> anyhow::Result<Outcome> {
    match command {
        KeyCommand::Generate(args) => {
            refuse_existing(&args.output_key_prefix)?;
            let password = new_password()?;
            let key = PrivateKey::generate(args.kind.into())?;
            write_pair(&key, &password, &args.output_key_prefix, context)
        }
        KeyCommand::Import(args) => {
            refuse_existing(&args.output_key_prefix)?;
            let key = args.key.unlock()?;
            write_pair(&key, &new_password()?, &args.output_key_prefix, context)
        }
        KeyCommand::Public(args) => {
            let key = match read_here(&args.key) {
                Some(key) => key.unlock()?.public_key().clone(),
                None => SigningKey::open(&args.key, context).await?.public().clone(),
            };
            write_output(&args.output, key.to_pem().as_bytes())?;
            Ok(Outcome::Done)
        }
        KeyCommand::Inspect(args) => inspect(&args, context).await,
    }
}

fn write_pair(key: &PrivateKey, password: &str, prefix: &Path, context: &Context) -> anyhow::Result<Outcome> {
    let encrypted = EncryptedKey::encrypt(key, password.as_bytes())?;
    if password.is_empty() {
        context.warn("the password is empty: whoever reads the file can sign");
    }
    let (private, public) = pair(prefix);
    write_new(&private, encrypted.to_pem().as_bytes(), Readers::Owner)?;
    if let Err(error) = write_new(&public, key.public_key().to_pem().as_bytes(), Readers::Anyone) {
        // Half a pair would stand in the way of the next attempt.
        let _ = std::fs::remove_file(&private);
        return Err(error);
    }
    context.note(&format!("private key: {}", private.display()));
    context.note(&format!("public key:  {} ({})", public.display(), key.public_key().id()));
    Ok(Outcome::Done)
}

/// Before anyone is asked for a password twice.
fn refuse_existing(prefix: &Path) -> Result<(), Mistake> {
    let (private, public) = pair(prefix);
    match [private, public].into_iter().find(|path| path.exists()) {
        Some(path) => Err(Mistake::new(
            format!("{} exists already", path.display()),
            "another --output-key-prefix writes other files; nothing was overwritten",
        )),
        None => Ok(()),
    }
}

fn pair(prefix: &Path) -> (PathBuf, PathBuf) {
    let with = |suffix: &str| {
        let mut name = prefix.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    (with(".key"), with(".pub"))
}

/// The reference, if the key's text is to be read by this program itself.
fn read_here(reference: &KeyReference) -> Option<KeyRef> {
    match reference {
        KeyReference::File(path) => Some(KeyRef::File(path.clone())),
        KeyReference::Environment(name) => Some(KeyRef::Environment(name.clone())),
        _ => None,
    }
}

async fn inspect(args: &InspectArgs, context: &Context) -> anyhow::Result<Outcome> {
    let (holds, keys) = match read_here(&args.key) {
        Some(key) => describe(&key.read()?)?,
        None => (
            "private key, kept elsewhere",
            vec![SigningKey::open(&args.key, context).await?.public().clone()],
        ),
    };
    let signed = match &args.image {
        Some(_) if keys.is_empty() => {
            return Err(Mistake::new(
                format!("{} is encrypted, and its public half cannot be had without the password", args.key),
                "touchmark key public --key KEY writes it to a file, which key inspect takes with the image",
            )
            .into());
        }
        Some(image) => Some(signed_by(&keys, image, args.trusted_root.as_ref(), context).await?),
        None => None,
    };
    let report = match args.output {
        ReportFormat::Json => {
            let keys: Vec<_> = keys
                .iter()
                .map(|key| json!({ "algorithm": key.algorithm().to_string(), "id": key.id().to_string(), "hint": key.id().hint() }))
                .collect();
            let mut report = json!({ "schema": "touchmark.dev/key/v1", "holds": holds, "publicKeys": keys });
            if let (Some(signed), Some(members)) = (&signed, report.as_object_mut()) {
                members.insert("signed".to_owned(), serde_json::to_value(signed)?);
            }
            format!("{report:#}\n")
        }
        ReportFormat::Text => {
            let mut report = format!("{holds}\n");
            for key in &keys {
                report.push_str(&format!(
                    "  algorithm  {}\n  id         {}\n  hint       {}\n",
                    key.algorithm(),
                    key.id(),
                    key.id().hint()
                ));
            }
            report.push_str(&signed.as_deref().map(to_text).unwrap_or_default());
            report
        }
    };
    to_stdout(report.as_bytes())?;
    Ok(Outcome::Done)
}

/// What the text holds, and the public keys that can be had without a password.
fn describe(text: &str) -> anyhow::Result<(&'static str, Vec<PublicKey>)> {
    if text.contains("PRIVATE KEY-----") {
        return Ok(match KeyFile::parse(text, &limits())? {
            KeyFile::Encrypted(_) => ("private key, encrypted (cosign's format)", Vec::new()),
            KeyFile::Plain(key) => ("private key, not encrypted", vec![key.public_key().clone()]),
        });
    }
    Ok(("public key", PublicKey::parse_pem_all(text, &limits())?))
}
