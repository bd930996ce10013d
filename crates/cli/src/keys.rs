//! Keys as the command line names them, and passwords from where cosign looks for them.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context as _;
use clap::Args;
use touchmark_sign::{DecryptError, KeyFile, KeyReference, KeyReferenceError, PrivateKey};
use touchmark_sigstore::{Limits, PublicKey};
use zeroize::Zeroizing;

use crate::context::Context;
use crate::failure::Mistake;
use crate::files::{is_dash, read_input};
use crate::signing_key::SigningKey;

/// Where a key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyRef {
    /// In a file.
    File(PathBuf),
    /// In an environment variable: `env://NAME`.
    Environment(String),
    /// In a key management service or a hardware token.
    Elsewhere(Box<KeyReference>),
}

impl FromStr for KeyRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once("://") {
            Some(("env", name)) if !name.is_empty() => Ok(Self::Environment(name.to_owned())),
            Some(_) => elsewhere(text),
            None if text.starts_with("pkcs11:") => elsewhere(text),
            None if text.is_empty() => {
                Err("key reference is empty, expected a file or env://NAME".to_owned())
            }
            None => Ok(Self::File(PathBuf::from(text))),
        }
    }
}

fn elsewhere(text: &str) -> Result<KeyRef, String> {
    text.parse()
        .map(|reference| KeyRef::Elsewhere(Box::new(reference)))
        .map_err(|error: KeyReferenceError| error.to_string())
}

impl std::fmt::Display for KeyRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "env://{name}"),
            Self::Elsewhere(reference) => write!(f, "{reference}"),
        }
    }
}

impl KeyRef {
    /// The private key, decrypted.
    pub(crate) fn unlock(&self) -> anyhow::Result<PrivateKey> {
        unlocked(self).with_context(|| format!("cannot use the key {self}"))
    }

    /// The key's text. Of a private key, so it is overwritten when dropped.
    pub(crate) fn read(&self) -> anyhow::Result<Zeroizing<String>> {
        match self {
            Self::File(path) => {
                let bytes = read_input(path, limits().max_key_text_bytes as u64)?;
                let text = String::from_utf8(bytes).map_err(|error| error.utf8_error());
                Ok(Zeroizing::new(text.with_context(|| format!("{self} is not a PEM file"))?))
            }
            Self::Environment(name) => {
                let value = std::env::var(name).with_context(|| format!("environment variable {name}"))?;
                Ok(Zeroizing::new(value))
            }
            Self::Elsewhere(_) => Err(Mistake::new(
                format!("{self} has no text to read"),
                "touchmark key public --key REFERENCE writes its public key to a file",
            )
            .into()),
        }
    }
}

fn unlocked(reference: &KeyRef) -> anyhow::Result<PrivateKey> {
    let file = KeyFile::parse(&reference.read()?, &limits())?;
    let password = match &file {
        KeyFile::Encrypted(_) => existing_password()?,
        KeyFile::Plain(_) => Zeroizing::default(),
    };
    file.unlock(password.as_bytes()).map_err(|error| match error {
        DecryptError::WrongPassword => Mistake::from_error(
            error,
            "wrong password",
            "COSIGN_PASSWORD or TOUCHMARK_PASSWORD holds the password, or is unset to be asked",
        )
        .into(),
        other => other.into(),
    })
}

/// `--key` of the commands that verify.
#[derive(Debug, Clone, Args)]
pub(crate) struct VerificationKeyArgs {
    /// A public key to verify with: a file, env://NAME, or a reference to a key elsewhere (docs/keys.md), which is asked for its public
    /// half. Of several, any one may have signed
    #[arg(long = "key", value_name = "KEY", env = "TOUCHMARK_VERIFICATION_KEY")]
    pub(crate) keys: Vec<KeyRef>,
}

impl VerificationKeyArgs {
    /// The keys. A private key is read for its public half when it needs no password.
    pub(crate) async fn load(&self, context: &Context) -> anyhow::Result<Vec<PublicKey>> {
        let mut keys = Vec::new();
        for reference in &self.keys {
            if let KeyRef::Elsewhere(reference) = reference {
                keys.push(SigningKey::open(reference, context).await?.public().clone());
                continue;
            }
            let found = reference.read().and_then(|text| Ok(PublicKey::parse_pem_all(&text, &limits())?));
            keys.extend(found.with_context(|| format!("cannot use the key {reference}"))?);
        }
        Ok(keys)
    }
}

/// The password of a key that exists.
fn existing_password() -> anyhow::Result<Zeroizing<String>> {
    match password_from_environment() {
        Some(password) => Ok(password),
        None => prompt("Password for the private key: "),
    }
}

/// The password for a new key, asked for twice.
pub(crate) fn new_password() -> anyhow::Result<Zeroizing<String>> {
    if let Some(password) = password_from_environment() {
        return Ok(password);
    }
    let password = prompt("Password for the new private key: ")?;
    if prompt("The same again: ")? != password {
        return Err(Mistake::new("the two passwords differ", "nothing was written; try again").into());
    }
    Ok(password)
}

/// An empty variable is an empty password, as cosign has it.
fn password_from_environment() -> Option<Zeroizing<String>> {
    ["TOUCHMARK_PASSWORD", "COSIGN_PASSWORD"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok())
        .map(Zeroizing::new)
}

fn prompt(question: &str) -> anyhow::Result<Zeroizing<String>> {
    let terminal = console::Term::stderr();
    if !terminal.is_term() {
        return Err(Mistake::new(
            "the key needs a password, and there is no terminal to ask on",
            "COSIGN_PASSWORD or TOUCHMARK_PASSWORD holds the password; empty is a password too",
        )
        .into());
    }
    terminal.write_str(question)?;
    Ok(Zeroizing::new(terminal.read_secure_line()?))
}

/// Limits on keys and bundles.
pub(crate) fn limits() -> Limits {
    Limits::default()
}

/// Whether both keys would be read from standard input, which is there once.
pub(crate) fn reads_stdin(key: &KeyRef) -> bool {
    matches!(key, KeyRef::File(path) if is_dash(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_references_are_files_or_variables() {
        assert_eq!("a/b.key".parse(), Ok(KeyRef::File("a/b.key".into())));
        assert_eq!("env://KEY".parse(), Ok(KeyRef::Environment("KEY".into())));
        for text in ["", "env://", "nothing://x"] {
            assert!(text.parse::<KeyRef>().is_err(), "{text:?}");
        }
    }
}
