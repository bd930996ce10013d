//! What a verified signing certificate says about its holder
//! ([Fulcio 1.8, oid-info.md](https://github.com/sigstore/fulcio/blob/v1.8.0/docs/oid-info.md)).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use sigstore_crypto::{CertificateInfo, SubjectAltName};
use sigstore_types::DerCertificate;
use x509_parser::prelude::{FromDer as _, GeneralName, ParsedExtension, X509Certificate};

/// The OID of Fulcio's `otherName`, which holds a user name (oid-info.md, 1.3.6.1.4.1.57264.1.7).
const OTHER_NAME: &str = "1.3.6.1.4.1.57264.1.7";

/// The holder of a certificate that was verified: it chains to the trust root and was valid when it signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    subject: SubjectName,
    issuer: Option<String>,
    extensions: BTreeMap<FulcioExtension, String>,
    not_before: Timestamp,
    not_after: Timestamp,
}

/// How long a certificate in DER says that it is valid (RFC 5280 §4.1.2.5), to plan by: nobody has verified it. `None` when it is no
/// certificate, or ends before it begins.
pub fn alleged_lifetime(der: &[u8]) -> Option<Duration> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let validity = certificate.validity();
    let seconds = validity.not_after.timestamp().checked_sub(validity.not_before.timestamp())?;
    u64::try_from(seconds).ok().map(Duration::from_secs)
}

/// The name in a certificate's subjectAltName (RFC 5280 §4.2.1.6).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubjectName {
    /// An email address: a person.
    Email(String),
    /// A URI: a workload, such as a CI job.
    Uri(String),
    /// A user name, in Fulcio's `otherName`.
    UserName(String),
    /// None that is known.
    Absent,
}

impl SubjectName {
    /// The name, whatever its kind; empty when there is none.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Email(name) | Self::Uri(name) | Self::UserName(name) => name,
            Self::Absent => "",
        }
    }
}

impl Certificate {
    /// What a verified certificate says. The caller has verified it.
    pub(crate) fn of(info: &CertificateInfo, der: &DerCertificate) -> Self {
        let subject = match &info.identity {
            Some(SubjectAltName::Email(name)) => SubjectName::Email(name.clone()),
            Some(SubjectAltName::Uri(name)) => SubjectName::Uri(name.clone()),
            _ => other_name(der.as_bytes()).map_or(SubjectName::Absent, SubjectName::UserName),
        };
        Self {
            subject,
            issuer: info.issuer.clone(),
            extensions: extensions(info),
            not_before: info.not_before,
            not_after: info.not_after,
        }
    }

    /// Who it was issued to.
    pub fn subject(&self) -> &SubjectName {
        &self.subject
    }

    /// The OpenID Connect issuer that vouched for the subject.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// What the issuer's token said about the CI job.
    pub fn extension(&self, extension: FulcioExtension) -> Option<&str> {
        self.extensions.get(&extension).map(String::as_str)
    }

    /// All that the issuer's token said about the CI job.
    pub fn extensions(&self) -> &BTreeMap<FulcioExtension, String> {
        &self.extensions
    }

    /// When it began to be valid.
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// When it ceased to be valid.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.subject {
            SubjectName::Absent => f.write_str("nobody named")?,
            subject => f.write_str(subject.as_str())?,
        }
        match &self.issuer {
            Some(issuer) => write!(f, " (issuer {issuer})"),
            None => f.write_str(" (no issuer)"),
        }
    }
}

/// Declares the extensions with their names in policies and where the certificate reader has them.
macro_rules! fulcio_extensions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal in $($field:ident).+;)+) => {
        /// A claim about the CI job that Fulcio copied from its token, under the arc 1.3.6.1.4.1.57264.1.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum FulcioExtension { $($(#[$doc])* $variant,)+ }

        impl FulcioExtension {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name in policies and reports: Fulcio's, in camel case.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }

        fn extensions(info: &CertificateInfo) -> BTreeMap<FulcioExtension, String> {
            let claims = &info.ci_claims;
            let all = [$((FulcioExtension::$variant, &claims.$($field).+),)+];
            all.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect()
        }
    };
}

fulcio_extensions! {
    /// `.2`, deprecated: the event that triggered the workflow.
    GithubWorkflowTrigger = "githubWorkflowTrigger" in deprecated_github.workflow_trigger;
    /// `.3`, deprecated: the commit.
    GithubWorkflowSha = "githubWorkflowSha" in deprecated_github.workflow_sha;
    /// `.4`, deprecated: the workflow's name.
    GithubWorkflowName = "githubWorkflowName" in deprecated_github.workflow_name;
    /// `.5`, deprecated: owner and name of the repository.
    GithubWorkflowRepository = "githubWorkflowRepository" in deprecated_github.workflow_repository;
    /// `.6`, deprecated: the ref.
    GithubWorkflowRef = "githubWorkflowRef" in deprecated_github.workflow_ref;
    /// `.9`: the build instructions that signed, with their ref.
    BuildSignerUri = "buildSignerUri" in build_signer_uri;
    /// `.10`: the commit of those.
    BuildSignerDigest = "buildSignerDigest" in build_signer_digest;
    /// `.11`: `github-hosted` or `self-hosted`.
    RunnerEnvironment = "runnerEnvironment" in runner_environment;
    /// `.12`: the repository that was built.
    SourceRepositoryUri = "sourceRepositoryUri" in source_repository_uri;
    /// `.13`: the commit that was built.
    SourceRepositoryDigest = "sourceRepositoryDigest" in source_repository_digest;
    /// `.14`: the ref that was built.
    SourceRepositoryRef = "sourceRepositoryRef" in source_repository_ref;
    /// `.15`: the repository's number, which outlives its name.
    SourceRepositoryIdentifier = "sourceRepositoryIdentifier" in source_repository_identifier;
    /// `.16`: the repository's owner.
    SourceRepositoryOwnerUri = "sourceRepositoryOwnerUri" in source_repository_owner_uri;
    /// `.17`: the owner's number, which outlives the name.
    SourceRepositoryOwnerIdentifier = "sourceRepositoryOwnerIdentifier" in source_repository_owner_identifier;
    /// `.18`: the top-level build instructions.
    BuildConfigUri = "buildConfigUri" in build_config_uri;
    /// `.19`: the commit of those.
    BuildConfigDigest = "buildConfigDigest" in build_config_digest;
    /// `.20`: the event that triggered the build.
    BuildTrigger = "buildTrigger" in build_trigger;
    /// `.21`: the run.
    RunInvocationUri = "runInvocationUri" in run_invocation_uri;
    /// `.22`: `public`, `private` or `internal`.
    SourceRepositoryVisibility = "sourceRepositoryVisibility" in source_repository_visibility_at_signing;
    /// `.23`: the environment that the job deploys to.
    DeploymentEnvironment = "deploymentEnvironment" in deployment_environment;
    /// `.24`: the subject of the token.
    TokenSubject = "tokenSubject" in token_subject;
}

impl fmt::Display for FulcioExtension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for FulcioExtension {
    type Err = UnknownExtension;

    fn from_str(text: &str) -> Result<Self, UnknownExtension> {
        let found = Self::ALL.iter().find(|extension| extension.name() == text);
        found.copied().ok_or_else(|| UnknownExtension { name: text.chars().take(100).collect() })
    }
}

/// No such extension.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no certificate extension is called {name:?}, expected one of {}", known())]
pub struct UnknownExtension {
    name: String,
}

fn known() -> String {
    let names: Vec<_> = FulcioExtension::ALL.iter().map(|extension| extension.name()).collect();
    names.join(", ")
}

/// The user name in Fulcio's `otherName`: a UTF8String in an explicit `[0]` (RFC 5280 §4.2.1.6).
fn other_name(der: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let names = certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(names) => Some(names),
        _ => None,
    })?;
    names.general_names.iter().find_map(|name| match name {
        GeneralName::OtherName(oid, value) if oid.to_id_string() == OTHER_NAME => utf8_in_context(value),
        _ => None,
    })
}

/// The text of `[0] EXPLICIT UTF8String` with lengths below 128 bytes, which is what a user name has.
fn utf8_in_context(der: &[u8]) -> Option<String> {
    let inner = match der {
        [0xa0, length, inner @ ..] if usize::from(*length) == inner.len() => inner,
        other => other,
    };
    match inner {
        [0x0c, length, text @ ..] if *length < 0x80 && usize::from(*length) == text.len() => {
            String::from_utf8(text.to_vec()).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_known_by_their_names() {
        for extension in FulcioExtension::ALL {
            assert_eq!(extension.name().parse(), Ok(*extension));
        }
        let error = "sourceRepositoryURI".parse::<FulcioExtension>().unwrap_err();
        assert!(error.to_string().contains("sourceRepositoryUri"));
    }

    #[test]
    fn a_user_name_is_read_from_its_wrapping() {
        assert_eq!(utf8_in_context(b"\xa0\x05\x0c\x03bob").as_deref(), Some("bob"));
        assert_eq!(utf8_in_context(b"\x0c\x03bob").as_deref(), Some("bob"));
        assert_eq!(utf8_in_context(b"\xa0\x05\x0c\x04bob"), None);
        assert_eq!(utf8_in_context(b""), None);
    }
}
