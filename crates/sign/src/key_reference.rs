//! Where a key is, in cosign's spellings
//! ([cosign key references](https://docs.sigstore.dev/cosign/key_management/overview/), the `ReferenceScheme` constants and regular
//! expressions of [sigstore/pkg/signature/kms](https://github.com/sigstore/sigstore/tree/main/pkg/signature/kms)).
//!
//! Parsing is strict: what is written into an address later is checked here, so that no reference can lead a request elsewhere. It
//! performs no I/O, and a reference that parses says nothing about whether there is such a key.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::pkcs11_uri::{Pkcs11Uri, Pkcs11UriError};

/// The longest reference that is read. An ARN or a resource name stays under 1,000 bytes.
const MAX_BYTES: usize = 4096;
/// Azure's clouds: Key Vault and Managed HSM. A token for one of them must not be sent anywhere else
/// ([endpoints](https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates#dns-suffixes-for-object-identifiers)).
const AZURE_SUFFIXES: [&str; 5] = [
    "vault.azure.net",
    "vault.azure.cn",
    "vault.usgovcloudapi.net",
    "managedhsm.azure.net",
    "managedhsm.usgovcloudapi.net",
];

/// Where a key is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyReference {
    /// A file: anything without a scheme.
    File(PathBuf),
    /// `env://VARIABLE`: the key's PEM is the value.
    Environment(String),
    /// `awskms://[ENDPOINT]/KEY`.
    AwsKms(AwsKmsReference),
    /// `gcpkms://projects/…`.
    GcpKms(GcpKmsReference),
    /// `azurekms://VAULT/KEY[/VERSION]`.
    AzureKms(AzureKmsReference),
    /// `hashivault://KEY`: a key of the transit engine of HashiCorp Vault or OpenBao.
    HashiVault(String),
    /// `pkcs11:…` (RFC 7512): a key in a hardware token.
    Pkcs11(Pkcs11Uri),
    /// `k8s://NAMESPACE/NAME`: a Kubernetes secret as `cosign generate-key-pair k8s://…` makes it.
    Kubernetes(KubernetesSecretReference),
}

/// A key of AWS KMS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsKmsReference {
    pub(crate) endpoint: Option<String>,
    pub(crate) key: String,
}

impl AwsKmsReference {
    /// The region in an ARN: `arn:PARTITION:kms:REGION:ACCOUNT:…`.
    pub(crate) fn region(&self) -> Option<&str> {
        self.key.strip_prefix("arn:")?.split(':').nth(2)
    }
}

/// A key of Google Cloud KMS, and the version to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GcpKmsReference {
    pub(crate) key: String,
    pub(crate) version: Option<String>,
}

/// A key of Azure Key Vault, and the version to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AzureKmsReference {
    pub(crate) host: String,
    pub(crate) key: String,
    pub(crate) version: Option<String>,
}

/// A secret with `cosign.key`, `cosign.pub` and `cosign.password`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubernetesSecretReference {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl FromStr for KeyReference {
    type Err = KeyReferenceError;

    fn from_str(text: &str) -> Result<Self, KeyReferenceError> {
        if text.len() > MAX_BYTES {
            return Err(KeyReferenceError::TooLong { size: text.len(), limit: MAX_BYTES });
        }
        if text.starts_with("pkcs11:") {
            return Ok(Self::Pkcs11(text.parse()?));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return if text.is_empty() {
                Err(KeyReferenceError::Empty)
            } else {
                Ok(Self::File(PathBuf::from(text)))
            };
        };
        let (parsed, expected) = match scheme {
            "env" => (environment(rest), "env://VARIABLE"),
            "awskms" => (aws(rest), "awskms://[ENDPOINT]/KEY-ID, an ARN or alias/NAME"),
            "gcpkms" => {
                (gcp(rest), "gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K[/cryptoKeyVersions/V]")
            }
            "azurekms" => (azure(rest), "azurekms://VAULT/KEY[/VERSION] with a vault of Azure's"),
            "hashivault" => (vault(rest), "hashivault://KEY"),
            "k8s" => (kubernetes(rest), "k8s://NAMESPACE/NAME"),
            _ => return Err(KeyReferenceError::Scheme { scheme: scheme.to_owned() }),
        };
        parsed.ok_or_else(|| KeyReferenceError::Form { reference: text.to_owned(), expected })
    }
}

fn environment(rest: &str) -> Option<KeyReference> {
    let fine = !rest.is_empty() && !rest.contains(['=', '\0']);
    fine.then(|| KeyReference::Environment(rest.to_owned()))
}

fn aws(rest: &str) -> Option<KeyReference> {
    let (endpoint, key) = rest.split_once('/')?;
    if !(endpoint.is_empty() || is_host(endpoint)) || !is_aws_key(key) {
        return None;
    }
    let endpoint = (!endpoint.is_empty()).then(|| endpoint.to_owned());
    Some(KeyReference::AwsKms(AwsKmsReference { endpoint, key: key.to_owned() }))
}

/// A key id, `alias/NAME`, or the ARN of either
/// ([KeyId](https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id)).
fn is_aws_key(key: &str) -> bool {
    let Some(arn) = key.strip_prefix("arn:") else {
        return is_aws_alias(key) || is_aws_id(key);
    };
    let mut parts = arn.splitn(5, ':');
    let partition = parts.next().is_some_and(|part| part == "aws" || part.starts_with("aws-"));
    let service = parts.next() == Some("kms");
    let region = parts.next().is_some_and(is_region);
    let account =
        parts.next().is_some_and(|part| part.len() == 12 && part.bytes().all(|b| b.is_ascii_digit()));
    let resource = parts
        .next()
        .is_some_and(|part| is_aws_alias(part) || part.strip_prefix("key/").is_some_and(is_aws_id));
    partition && service && region && account && resource
}

fn is_aws_id(text: &str) -> bool {
    let hexadecimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let lengths: Vec<_> = text.split('-').map(str::len).collect();
    text.strip_prefix("mrk-").is_some_and(|id| id.len() == 32 && hexadecimal(id))
        || (lengths == [8, 4, 4, 4, 12] && text.split('-').all(hexadecimal))
}

fn is_aws_alias(text: &str) -> bool {
    text.strip_prefix("alias/").is_some_and(|name| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_-".contains(&byte))
    })
}

/// Whether the text can stand in the name of a regional host.
pub(crate) fn is_region(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 32
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn gcp(rest: &str) -> Option<KeyReference> {
    let parts: Vec<_> = rest.split('/').collect();
    let (names, version) = match parts.as_slice() {
        [names @ .., "cryptoKeyVersions" | "versions", version] if names.len() == 8 => {
            (names, Some(*version))
        }
        names => (names, None),
    };
    let ["projects", project, "locations", location, "keyRings", ring, "cryptoKeys", key] = names else {
        return None;
    };
    // Projects of a domain are called `example.com:name`.
    let fine = is_segment(&project.replace(':', ""))
        && [location, ring, key].into_iter().all(|part| is_segment(part));
    let numeric = version.is_none_or(|version| {
        (1..=19).contains(&version.len()) && version.bytes().all(|byte| byte.is_ascii_digit())
    });
    (fine && numeric).then(|| {
        KeyReference::GcpKms(GcpKmsReference { key: names.join("/"), version: version.map(str::to_owned) })
    })
}

fn azure(rest: &str) -> Option<KeyReference> {
    let mut parts = rest.split('/');
    let (vault, key, version) = (parts.next()?, parts.next()?, parts.next());
    let host = if is_label(vault) { format!("{vault}.vault.azure.net") } else { vault.to_ascii_lowercase() };
    let known = touchmark_transport::is_loopback(host_name(&host))
        || AZURE_SUFFIXES.iter().any(|suffix| {
            host.strip_suffix(suffix).and_then(|rest| rest.strip_suffix('.')).is_some_and(is_label)
        });
    let fine =
        is_host(&host) && known && is_label(key) && version.is_none_or(is_label) && parts.next().is_none();
    fine.then(|| {
        KeyReference::AzureKms(AzureKmsReference {
            host,
            key: key.to_owned(),
            version: version.map(str::to_owned),
        })
    })
}

/// As sigstore has it: `\w(([\w-.]+)?\w)?`.
fn vault(rest: &str) -> Option<KeyReference> {
    let word = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    let fine = is_segment(rest) && word(rest.chars().next()) && word(rest.chars().next_back());
    fine.then(|| KeyReference::HashiVault(rest.to_owned()))
}

/// Names of Kubernetes objects are DNS subdomains (RFC 1123).
fn kubernetes(rest: &str) -> Option<KeyReference> {
    let (namespace, name) = rest.split_once('/')?;
    let labels = |text: &str| {
        text.len() <= 253
            && text.split('.').all(is_label)
            && !text.bytes().any(|byte| byte.is_ascii_uppercase())
    };
    (labels(namespace) && labels(name)).then(|| {
        KeyReference::Kubernetes(KubernetesSecretReference {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        })
    })
}

/// Letters, digits and inner hyphens.
fn is_label(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// One segment of a path, and not one that leads upwards.
fn is_segment(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('.')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// `NAME[:PORT]`, without user, path or query.
fn is_host(text: &str) -> bool {
    let (name, port) = text.split_once(':').unwrap_or((text, "443"));
    name.split('.').all(is_label) && port.parse::<u16>().is_ok()
}

/// A host without its port.
pub(crate) fn host_name(host: &str) -> &str {
    host.split_once(':').map_or(host, |(name, _)| name)
}

impl fmt::Display for KeyReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "env://{name}"),
            Self::AwsKms(AwsKmsReference { endpoint, key }) => {
                write!(f, "awskms://{}/{key}", endpoint.as_deref().unwrap_or_default())
            }
            Self::GcpKms(GcpKmsReference { key, version }) => {
                write!(f, "gcpkms://{key}")?;
                version.iter().try_for_each(|version| write!(f, "/cryptoKeyVersions/{version}"))
            }
            Self::AzureKms(AzureKmsReference { host, key, version }) => {
                write!(f, "azurekms://{host}/{key}")?;
                version.iter().try_for_each(|version| write!(f, "/{version}"))
            }
            Self::HashiVault(key) => write!(f, "hashivault://{key}"),
            Self::Pkcs11(uri) => uri.fmt(f),
            Self::Kubernetes(KubernetesSecretReference { namespace, name }) => {
                write!(f, "k8s://{namespace}/{name}")
            }
        }
    }
}

/// Why a text is no key reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyReferenceError {
    /// Nothing.
    #[error("key reference is empty, expected a file or a reference such as env://VARIABLE")]
    Empty,
    /// Longer than any real one.
    #[error("key reference has {size} bytes, the limit is {limit}")]
    TooLong {
        /// Bytes found.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// A scheme that is not known.
    #[error(
        "key reference {scheme}:// is not supported, expected a file, env, awskms, gcpkms, azurekms, hashivault, k8s or pkcs11"
    )]
    Scheme {
        /// What is before `://`.
        scheme: String,
    },
    /// Not the form that the scheme has.
    #[error("key reference {reference:?} is not valid, expected {expected}")]
    Form {
        /// The reference.
        reference: String,
        /// The form.
        expected: &'static str,
    },
    /// A `pkcs11:` URI that is not one.
    #[error("pkcs11 URI is not valid")]
    Pkcs11(#[from] Pkcs11UriError),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<KeyReference, KeyReferenceError> {
        text.parse()
    }

    #[test]
    fn references_are_written_as_they_were_read() {
        for text in [
            "a/b.key",
            "env://COSIGN_PRIVATE_KEY",
            "awskms:///1234abcd-12ab-34cd-56ef-1234567890ab",
            "awskms:///mrk-1234abcd12ab34cd56ef1234567890ab",
            "awskms:///alias/release/app",
            "awskms:///arn:aws:kms:us-east-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "awskms://localhost:4566/arn:aws-us-gov:kms:us-gov-west-1:111122223333:alias/app",
            "gcpkms://projects/p-1/locations/global/keyRings/r/cryptoKeys/k",
            "gcpkms://projects/p-1/locations/global/keyRings/r/cryptoKeys/k/cryptoKeyVersions/12",
            "azurekms://acme.vault.azure.net/release",
            "azurekms://acme.vault.azure.net/release/0123456789abcdef",
            "hashivault://release-key.v1",
            "k8s://build/cosign-key",
        ] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn short_forms_are_written_in_full() {
        assert_eq!(parse("azurekms://acme/k").unwrap().to_string(), "azurekms://acme.vault.azure.net/k");
        let gcp = "gcpkms://projects/p/locations/l/keyRings/r/cryptoKeys/k/versions/1";
        assert!(parse(gcp).unwrap().to_string().ends_with("/cryptoKeyVersions/1"));
    }

    #[test]
    fn references_that_would_lead_elsewhere_are_refused() {
        for text in [
            "env://",
            "awskms://alias/x",
            "awskms:///key",
            "awskms:///alias/../x",
            "awskms://user@host/alias/x",
            "awskms:///arn:aws:kms:evil.example/:111122223333:alias/x",
            "gcpkms://projects/p/locations/l/keyRings/r",
            "gcpkms://projects/p/locations/l/keyRings/../cryptoKeys/k",
            "gcpkms://projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/x",
            "azurekms://evil.example/k",
            "azurekms://vault.azure.net.evil.example/k",
            "azurekms://evilvault.azure.net/k",
            "azurekms://acme/k/v/w",
            "azurekms://acme/k?x=y",
            "hashivault://../sys",
            "hashivault://a/b",
            "k8s://a",
            "k8s://a/b/c",
            "k8s://A/b",
        ] {
            assert!(matches!(parse(text), Err(KeyReferenceError::Form { .. })), "{text}");
        }
        assert_eq!(parse(""), Err(KeyReferenceError::Empty));
        assert!(matches!(parse("gitlab://x"), Err(KeyReferenceError::Scheme { .. })));
        assert!(matches!(parse(&"a".repeat(5000)), Err(KeyReferenceError::TooLong { .. })));
        assert!(matches!(parse("pkcs11:"), Err(KeyReferenceError::Pkcs11(_))));
    }

    #[test]
    fn the_region_of_an_arn_is_known() {
        let KeyReference::AwsKms(aws) =
            parse("awskms:///arn:aws:kms:eu-west-1:111122223333:alias/x").unwrap()
        else {
            panic!("no AWS reference");
        };
        assert_eq!(aws.region(), Some("eu-west-1"));
    }
}
