//! What every command is given: the stores, and how to speak to the user.

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use touchmark_registry::{CredentialSource, RegistryOptions, Secret, Stores};
use touchmark_transport::{Client, ClientOptions};
use tracing_subscriber::EnvFilter;

use crate::arguments::{ColorChoice, Common};
use crate::files::read_input;
use crate::progress::Progress;
use crate::render::{Style, Tone, to_stderr};

/// Bytes of one file of CA certificates. Mozilla's whole list takes 220 KB.
const MAX_CA_BYTES: u64 = 4 << 20;

/// What every command is given.
pub(crate) struct Context {
    common: Common,
    http: ClientOptions,
    stores: Stores,
    progress: Arc<Progress>,
}

impl Context {
    /// Reads the files that the common flags name and sets up the stores. Contacts nobody.
    pub(crate) fn new(common: Common) -> anyhow::Result<Self> {
        if common.verbose > 0 {
            tell_requests(common.color);
        }
        let shown =
            !common.quiet && common.verbose == 0 && !common.no_progress && std::io::stderr().is_terminal();
        let progress = Arc::new(Progress::new(shown));
        let options = registry_options(&common, &progress)?;
        let http = options.http.clone();
        let stores = Stores::new(options).with_context(|| told_files(&common))?;
        Ok(Self { common, http, stores, progress })
    }

    /// Whether nothing may be sent.
    pub(crate) fn is_offline(&self) -> bool {
        self.common.offline
    }

    /// A client for services that are named by their addresses, which the flags for registries do not concern.
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        Ok(Client::new(ClientOptions { offline: self.common.offline, ..ClientOptions::default() })?)
    }

    /// A client for mirrors of trust roots, which are asked as registries are: whoever runs one of his own has both under one
    /// certificate authority, and what a mirror says is signed.
    pub(crate) fn mirror_client(&self) -> anyhow::Result<Client> {
        Ok(Client::new(self.http.clone())?)
    }

    /// The directory that `--tuf-root` names.
    pub(crate) fn tuf_root(&self) -> Option<&Path> {
        self.common.tuf_root.as_deref()
    }

    /// Where images are.
    pub(crate) fn stores(&self) -> &Stores {
        &self.stores
    }

    /// The display of long work.
    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// How results look.
    pub(crate) fn stdout_style(&self) -> Style {
        Style::for_stdout(self.common.color)
    }

    /// How messages look.
    pub(crate) fn stderr_style(&self) -> Style {
        Style::for_stderr(self.common.color)
    }

    /// Tells the user something worth knowing, unless he wants quiet.
    pub(crate) fn note(&self, text: &str) {
        if !self.common.quiet {
            self.progress.suspend(|| to_stderr(text));
        }
    }

    /// Tells the user something that he has to do, quiet or not.
    pub(crate) fn ask(&self, text: &str) {
        self.progress.suspend(|| to_stderr(text));
    }

    /// Tells the user of a failure, already described.
    pub(crate) fn fail(&self, described: &str) {
        self.progress.suspend(|| to_stderr(described));
    }

    /// Tells the user something that he must know.
    pub(crate) fn warn(&self, text: &str) {
        let mark = self.stderr_style().paint(Tone::Caution, "warning:");
        self.progress.suspend(|| to_stderr(&format!("{mark} {text}")));
    }
}

/// `-v`: each request and its status on standard error. URLs are redacted where they are logged.
fn tell_requests(color: ColorChoice) {
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("touchmark=debug,touchmark_transport=debug"))
        .with_writer(std::io::stderr)
        .with_ansi(Style::for_stderr(color).is_colored())
        .with_target(false)
        .without_time();
    // Fails when there is one already, and that one will do.
    let _ = subscriber.try_init();
}

/// What the stores were made from that can be wrong.
fn told_files(common: &Common) -> String {
    let files: Vec<_> = common.registry_ca.iter().map(|path| path.display().to_string()).collect();
    format!("cannot use the options for registries (--registry-ca {})", files.join(", "))
}

fn registry_options(common: &Common, progress: &Arc<Progress>) -> anyhow::Result<RegistryOptions> {
    let mut options = RegistryOptions::default();
    options.http.offline = common.offline;
    for path in &common.registry_ca {
        options.http.extra_roots.push(read_input(path, MAX_CA_BYTES)?);
    }
    if let (Some(username), Some(password)) = (&common.registry_username, &common.registry_password) {
        options.credentials =
            CredentialSource::BasicEverywhere { username: username.clone(), password: Secret::new(password) };
    }
    options.progress = Some(Arc::clone(progress) as Arc<_>);
    Ok(if common.allow_http { options.dangerous_plain_http() } else { options })
}
