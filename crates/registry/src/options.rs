//! What a registry client is told when it is made.

use std::fmt;
use std::sync::Arc;

use touchmark_transport::{ClientOptions, PlainHttp};

use crate::{Limits, Progress};

/// Options of [`Stores`](crate::Stores) and [`RegistryClient`](crate::RegistryClient).
#[derive(Clone, Default)]
pub struct RegistryOptions {
    /// Who we are to the registries.
    pub credentials: CredentialSource,
    /// HTTP: extra roots, proxies, timeouts, retries.
    pub http: ClientOptions,
    /// How much is read.
    pub limits: Limits,
    /// Who is told of transfers.
    pub progress: Option<Arc<dyn Progress>>,
}

impl RegistryOptions {
    /// These options, with every registry asked by plain HTTP, except at port 443. Whoever is on the way can read the
    /// credentials and choose what a tag points at.
    #[must_use]
    pub fn dangerous_plain_http(mut self) -> Self {
        self.http.plain_http = PlainHttp::DangerousAnywhere;
        self
    }
}

impl fmt::Debug for RegistryOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryOptions")
            .field("credentials", &self.credentials)
            .field("http", &self.http)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Where credentials come from.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum CredentialSource {
    /// As docker and podman keep them on this machine: `config.json`, credential helpers, `auth.json`.
    #[default]
    Machine,
    /// The text of a docker `config.json`, such as a Kubernetes pull secret. It may not name credential helpers: those are
    /// programs, and whoever writes a secret should not choose which ones run here.
    DockerConfig(Secret),
    /// One user for one registry, and nobody for the others.
    Basic {
        /// The registry, as references name it.
        registry: String,
        /// The user.
        username: String,
        /// The password or token.
        password: Secret,
    },
    /// One user for whatever registry is asked, as `--registry-username` means it. The caller sees to it that only one
    /// registry is.
    BasicEverywhere {
        /// The user.
        username: String,
        /// The password or token.
        password: Secret,
    },
    /// Nobody.
    Anonymous,
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
