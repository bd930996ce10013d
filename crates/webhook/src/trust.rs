//! The trust root: a file, or what is kept of a TUF repository, whose mirror is asked in the background.
//!
//! Policies are loaded with what is on the disk, and a look at it costs no request: what was fetched is found there at the next look, like
//! any other file that changed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::time::{MissedTickBehavior, interval};
use touchmark_sigstore::TrustRoot;
use touchmark_transport::{Client, ClientOptions, PlainHttp};
use touchmark_tuf::{Limits, Network, State, TRUSTED_ROOT, current};

use crate::Arguments;
use crate::reload::read;

/// How often it is looked whether it is time to ask the mirror. It is asked once a day, and each time after it failed.
const LOOK: Duration = Duration::from_secs(3600);

/// Where the trust root is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustedRoot {
    /// A `trusted_root.json`.
    File(PathBuf),
    /// The default repository of this directory.
    Tuf(State),
}

impl TrustedRoot {
    /// What the command line names.
    pub(crate) fn named(arguments: &Arguments) -> anyhow::Result<Option<Self>> {
        let Some(path) = &arguments.trusted_root else { return Ok(None) };
        if path != Path::new("tuf") {
            return Ok(Some(Self::File(path.clone())));
        }
        let directory = arguments.tuf_root.as_ref();
        let directory = directory.context("--trusted-root tuf needs --tuf-root, where it is kept")?;
        Ok(Some(Self::Tuf(State::at(directory))))
    }

    /// Reads and verifies it. Asks nobody, and does not return what counts no more: whoever keeps the old one in force then says so.
    ///
    /// # Errors
    /// Whatever keeps it from being used.
    pub(crate) fn read(&self, now: Timestamp) -> anyhow::Result<TrustRoot> {
        let parse = |bytes: &[u8]| TrustRoot::parse(bytes, &touchmark_sigstore::Limits::default());
        match self {
            Self::File(path) => {
                let root = parse(&read(path)?);
                root.with_context(|| format!("cannot use the trust root {}", path.display()))
            }
            Self::Tuf(state) => {
                let directory = state.directory().display();
                let limits = Limits::default();
                let repository = state.default_repository(&limits)?;
                let repository = repository.with_context(|| {
                    format!("no TUF repository was chosen in {directory}: touchmark trust init chooses one")
                })?;
                let kept = state.load(&repository, &limits)?;
                let kept = kept.with_context(|| format!("nothing is kept of {}", repository.mirror()))?;
                let trusted = repository.verify(&kept)?;
                if let Some(role) = trusted.expired(now).first() {
                    anyhow::bail!(
                        "the trust root of {} is stale: {} expired {}",
                        repository.mirror(),
                        role.role,
                        role.expires
                    );
                }
                Ok(parse(trusted.target(TRUSTED_ROOT).unwrap_or_default())?)
            }
        }
    }
}

/// Asks the mirror when it is time, once before this returns and then for as long as the process lives. Failures are logged.
pub(crate) async fn keep_fresh(state: State, arguments: &Arguments) -> anyhow::Result<()> {
    let mut options = ClientOptions::default();
    if arguments.allow_http {
        options.plain_http = PlainHttp::DangerousAnywhere;
    }
    for path in &arguments.registry_ca {
        options.extra_roots.push(read(path)?);
    }
    let client = Client::new(options)?;
    refresh(&state, &client).await;
    tokio::spawn(async move {
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        loop {
            ticks.tick().await;
            refresh(&state, &client).await;
        }
    });
    Ok(())
}

async fn refresh(state: &State, client: &Client) {
    let limits = Limits::default();
    // What is wrong with the directory is told by who reads it.
    let Ok(Some(repository)) = state.default_repository(&limits) else { return };
    let network = Network::WhenStale(client);
    match current(&repository, Some(state), network, &limits, Timestamp::now()).await {
        Ok(current) => {
            for note in current.notes {
                tracing::warn!(error = format!("{:#}", anyhow::Error::from(note)), "trust root");
            }
        }
        Err(error) => {
            tracing::error!(error = format!("{:#}", anyhow::Error::from(error)), "trust root not refreshed");
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn tuf_needs_a_directory_and_everything_else_is_a_file() {
        let named = |flags: &[&str]| {
            let needed = ["touchmark-webhook", "--policy", "p", "--tls-cert", "c", "--tls-key", "k"];
            let arguments = Arguments::try_parse_from([&needed[..], flags].concat()).unwrap();
            TrustedRoot::named(&arguments)
        };
        assert_eq!(named(&[]).unwrap(), None);
        assert_eq!(named(&["--trusted-root", "x"]).unwrap(), Some(TrustedRoot::File("x".into())));
        assert!(named(&["--trusted-root", "tuf"]).unwrap_err().to_string().contains("--tuf-root"));
        let kept = named(&["--trusted-root", "tuf", "--tuf-root", "d"]).unwrap();
        assert_eq!(kept, Some(TrustedRoot::Tuf(State::at("d"))));
    }
}
