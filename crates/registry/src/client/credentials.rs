//! Who we are to a registry, as docker and podman keep it.
//!
//! The formats are read by `docker_credential`; which file, under which names, and what counts as "nobody" is decided here. Its
//! errors are mapped, because they hold a helper's whole output, where secrets may be.

use std::io::{Cursor, Read};
use std::path::PathBuf;

use docker_credential::{CredentialRetrievalError, DockerCredential};
use serde::Deserialize;
use touchmark_oci::Digest;

use crate::Limits;
use crate::options::{CredentialSource, Secret};

/// Who we are to one registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    Anonymous,
    Basic {
        username: String,
        password: Secret,
    },
    /// A refresh token, for the token server only.
    IdentityToken(Secret),
}

impl Credential {
    pub(crate) fn is_anonymous(&self) -> bool {
        *self == Self::Anonymous
    }

    /// Tells identities apart without keeping their secrets.
    pub(crate) fn fingerprint(&self) -> Digest {
        let text = match self {
            Self::Anonymous => "anonymous".to_owned(),
            Self::Basic { username, password } => format!("basic\0{username}\0{}", password.expose()),
            Self::IdentityToken(token) => format!("token\0{}", token.expose()),
        };
        Digest::of(text.as_bytes())
    }
}

/// Why configured credentials are not usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// A credential helper did not answer in time.
    #[error("the credential helper did not answer within {seconds} seconds")]
    HelperTimeout {
        /// The limit.
        seconds: u64,
    },
    /// A credential helper could not be run, failed, or answered nonsense.
    #[error("the credential helper failed")]
    Helper,
    /// Pull secrets may not name programs to run.
    #[error("the configuration names a credential helper, which is not run from here")]
    HelperNotAllowed,
    /// The file is not docker's configuration.
    #[error("{} is not a docker configuration", path.as_deref().unwrap_or("the text"))]
    Malformed {
        /// The file, if it is one.
        path: Option<String>,
    },
    /// The file is there and cannot be read.
    #[error("{path} cannot be read ({kind})")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        kind: std::io::ErrorKind,
    },
    /// The file is larger than [`Limits::max_credential_file_bytes`].
    #[error("{path} has more than {limit} bytes")]
    TooLarge {
        /// The file.
        path: String,
        /// The limit.
        limit: u64,
    },
}

/// What `source` has for `registry`.
pub(crate) async fn find(
    source: &CredentialSource,
    registry: &str,
    limits: &Limits,
) -> Result<Credential, CredentialError> {
    match source {
        CredentialSource::Anonymous => Ok(Credential::Anonymous),
        CredentialSource::Basic { registry: ours, .. } if ours != registry => Ok(Credential::Anonymous),
        CredentialSource::Basic { username, password, .. }
        | CredentialSource::BasicEverywhere { username, password } => {
            Ok(Credential::Basic { username: username.clone(), password: password.clone() })
        }
        CredentialSource::DockerConfig(text) => {
            refuse_helpers(text.expose())?;
            look_up(text.expose().as_bytes(), registry, None)
        }
        CredentialSource::Machine => on_machine(registry, limits).await,
    }
}

/// Helpers are programs that may hang, so they run on a thread that can be left behind.
async fn on_machine(registry: &str, limits: &Limits) -> Result<Credential, CredentialError> {
    let (registry, limit) = (registry.to_owned(), limits.max_credential_file_bytes);
    let search = tokio::task::spawn_blocking(move || search_files(&registry, &files(), limit));
    let seconds = limits.credential_helper_timeout.as_secs();
    match tokio::time::timeout(limits.credential_helper_timeout, search).await {
        Err(_) => Err(CredentialError::HelperTimeout { seconds }),
        Ok(Err(_)) => Err(CredentialError::Helper),
        Ok(Ok(found)) => found,
    }
}

/// Docker's file, then podman's, as podman itself does after its own.
fn files() -> Vec<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let docker = variable("DOCKER_CONFIG").or_else(|| variable("HOME").map(|home| home.join(".docker")));
    let podman = variable("REGISTRY_AUTH_FILE")
        .or_else(|| variable("XDG_RUNTIME_DIR").map(|dir| dir.join("containers/auth.json")));
    docker.map(|dir| dir.join("config.json")).into_iter().chain(podman).collect()
}

fn search_files(registry: &str, files: &[PathBuf], limit: u64) -> Result<Credential, CredentialError> {
    for path in files {
        let shown = path.display().to_string();
        let Some(text) = read_file(path, &shown, limit)? else {
            continue;
        };
        let found = look_up(&text, registry, Some(&shown))?;
        if !found.is_anonymous() {
            return Ok(found);
        }
    }
    Ok(Credential::Anonymous)
}

fn read_file(path: &PathBuf, shown: &str, limit: u64) -> Result<Option<Vec<u8>>, CredentialError> {
    let unreadable =
        |error: &std::io::Error| CredentialError::Unreadable { path: shown.to_owned(), kind: error.kind() };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(&error)),
    };
    let mut text = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut text).map_err(|error| unreadable(&error))?;
    if text.len() as u64 > limit {
        return Err(CredentialError::TooLarge { path: shown.to_owned(), limit });
    }
    Ok(Some(text))
}

/// Docker Hub's entries carry the name of its first API.
fn keys(registry: &str) -> Vec<String> {
    match registry {
        "docker.io" | "index.docker.io" | "registry-1.docker.io" => {
            ["https://index.docker.io/v1/", "docker.io", "registry-1.docker.io"].map(str::to_owned).to_vec()
        }
        other => vec![other.to_owned()],
    }
}

fn look_up(text: &[u8], registry: &str, path: Option<&str>) -> Result<Credential, CredentialError> {
    for key in keys(registry) {
        match docker_credential::get_credential_from_reader(Cursor::new(text), &key) {
            Ok(DockerCredential::UsernamePassword(username, password)) if !username.is_empty() => {
                return Ok(Credential::Basic { username, password: Secret::new(password) });
            }
            Ok(DockerCredential::IdentityToken(token)) if !token.is_empty() => {
                return Ok(Credential::IdentityToken(Secret::new(token)));
            }
            Ok(_) | Err(CredentialRetrievalError::NoCredentialConfigured) => {}
            Err(CredentialRetrievalError::HelperFailure { stdout, stderr, .. })
                if has_none(&stdout) || has_none(&stderr) => {}
            Err(
                CredentialRetrievalError::HelperFailure { .. }
                | CredentialRetrievalError::HelperCommunicationError
                | CredentialRetrievalError::MalformedHelperResponse,
            ) => return Err(CredentialError::Helper),
            Err(_) => {
                return Err(CredentialError::Malformed { path: path.map(str::to_owned) });
            }
        }
    }
    Ok(Credential::Anonymous)
}

/// What helpers print for a registry they know nothing of: the protocol has no other way to say it
/// ([docker-credential-helpers](https://github.com/docker/docker-credential-helpers/blob/v0.9.0/credentials/error.go)).
fn has_none(output: &str) -> bool {
    output.contains("credentials not found in native keychain")
}

fn refuse_helpers(text: &str) -> Result<(), CredentialError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Helpers {
        creds_store: Option<serde::de::IgnoredAny>,
        cred_helpers: Option<serde::de::IgnoredAny>,
    }
    let found: Helpers = serde_json::from_str(text).map_err(|_| CredentialError::Malformed { path: None })?;
    if found.creds_store.is_some() || found.cred_helpers.is_some() {
        return Err(CredentialError::HelperNotAllowed);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> CredentialSource {
        CredentialSource::DockerConfig(Secret::new(text))
    }

    async fn find_in(text: &str, registry: &str) -> Result<Credential, CredentialError> {
        find(&config(text), registry, &Limits::default()).await
    }

    // base64 of "alice:secret"
    const AUTH: &str = "YWxpY2U6c2VjcmV0";

    fn alice() -> Credential {
        Credential::Basic { username: "alice".into(), password: Secret::new("secret") }
    }

    #[tokio::test]
    async fn finds_the_entry_of_the_registry_and_no_other() {
        let text = format!(r#"{{"auths":{{"ghcr.io":{{"auth":"{AUTH}"}}}}}}"#);
        assert_eq!(find_in(&text, "ghcr.io").await.unwrap(), alice());
        assert_eq!(find_in(&text, "ghcr.io.evil.example").await.unwrap(), Credential::Anonymous);
    }

    #[tokio::test]
    async fn docker_hub_is_found_under_its_old_name() {
        let text = format!(r#"{{"auths":{{"https://index.docker.io/v1/":{{"auth":"{AUTH}"}}}}}}"#);
        assert_eq!(find_in(&text, "docker.io").await.unwrap(), alice());
    }

    #[tokio::test]
    async fn identity_tokens_are_told_from_passwords() {
        let found =
            find_in(r#"{"auths":{"a.azurecr.io":{"identitytoken":"t"}}}"#, "a.azurecr.io").await.unwrap();
        assert_eq!(found, Credential::IdentityToken(Secret::new("t")));
    }

    #[tokio::test]
    async fn a_pull_secret_cannot_choose_programs_to_run() {
        let error = find_in(r#"{"credHelpers":{"x":"evil"}}"#, "x").await.unwrap_err();
        assert_eq!(error, CredentialError::HelperNotAllowed);
        let error = find_in(r#"{"credsStore":"evil"}"#, "x").await.unwrap_err();
        assert_eq!(error, CredentialError::HelperNotAllowed);
    }

    #[tokio::test]
    async fn a_configuration_that_is_none_is_an_error_not_nobody() {
        assert_eq!(find_in("{", "x").await.unwrap_err(), CredentialError::Malformed { path: None });
        let bad = r#"{"auths":{"x":{"auth":"!!"}}}"#;
        assert_eq!(find_in(bad, "x").await.unwrap_err(), CredentialError::Malformed { path: None });
    }

    #[tokio::test]
    async fn explicit_credentials_are_for_their_registry_only() {
        let source = CredentialSource::Basic {
            registry: "ghcr.io".into(),
            username: "alice".into(),
            password: Secret::new("secret"),
        };
        assert_eq!(find(&source, "ghcr.io", &Limits::default()).await.unwrap(), alice());
        assert_eq!(find(&source, "quay.io", &Limits::default()).await.unwrap(), Credential::Anonymous);
    }

    #[test]
    fn files_are_searched_in_order_and_may_be_absent() {
        let dir = tempfile::tempdir().unwrap();
        let (absent, first, second) = (dir.path().join("a"), dir.path().join("b"), dir.path().join("c"));
        std::fs::write(&first, "{}").unwrap();
        std::fs::write(&second, format!(r#"{{"auths":{{"r":{{"auth":"{AUTH}"}}}}}}"#)).unwrap();
        let files = [absent, first.clone(), second];
        assert_eq!(search_files("r", &files, 1 << 20).unwrap(), alice());
        assert!(matches!(search_files("r", &files, 1), Err(CredentialError::TooLarge { .. })));
        std::fs::write(&first, "nonsense").unwrap();
        assert!(matches!(
            search_files("r", &files, 1 << 20),
            Err(CredentialError::Malformed { path: Some(_) })
        ));
        let unreadable = [dir.path().to_path_buf()];
        assert!(matches!(search_files("r", &unreadable, 1), Err(CredentialError::Unreadable { .. })));
    }

    #[test]
    fn a_helper_that_cannot_be_run_is_an_error() {
        let text = br#"{"credHelpers":{"r":"touchmark-no-such-helper"}}"#;
        assert_eq!(look_up(text, "r", None).unwrap_err(), CredentialError::Helper);
    }

    #[test]
    fn identities_have_different_fingerprints_and_secrets_are_not_shown() {
        let other = Credential::Basic { username: "alice".into(), password: Secret::new("other") };
        assert_ne!(alice().fingerprint(), other.fingerprint());
        assert!(!format!("{:?}", alice()).contains("secret"));
    }
}
