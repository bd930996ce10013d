//! Where a trust root comes from: a file, this program, or a TUF repository that `trust init` chose. Which one is used without being named
//! is decided here, and here alone.

use std::convert::Infallible;
use std::error::Error;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context as _;
use jiff::Timestamp;
use touchmark_sign::keyless::SigningServices;
use touchmark_sigstore::TrustRoot;
use touchmark_transport::TransportError;
use touchmark_tuf::{
    Current, CurrentError, Limits, Network, Note, Repository, SIGNING_CONFIG, State, StateError,
    TRUSTED_ROOT, TufError, current,
};

use crate::accept::told;
use crate::context::Context;
use crate::failure::Mistake;
use crate::keys::limits;
use crate::signers::TrustRootRef;

/// What `--trusted-root` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TrustSource {
    /// `tuf`: the repository that `trust init` chose.
    Tuf,
    /// A file, or what is shipped.
    Given(TrustRootRef),
}

impl FromStr for TrustSource {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "tuf" { Ok(Self::Tuf) } else { text.parse().map(Self::Given) }
    }
}

/// A trust root, and where it is from.
#[derive(Debug)]
pub(crate) struct Trust {
    pub(crate) root: TrustRoot,
    pub(crate) origin: Origin,
}

/// Where a trust root is from.
#[derive(Debug)]
pub(crate) enum Origin {
    /// A file, or shipped.
    Given(TrustRootRef),
    /// A repository, and what is kept of it.
    Tuf(Box<Kept>),
}

/// A repository, and what is known of it.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) repository: Repository,
    pub(crate) current: Current,
}

impl Trust {
    /// What is named; without a name what `trust init` chose, and without that Sigstore's public root as it is shipped. A repository's
    /// mirror is asked when it is time, and what is worth knowing is told.
    pub(crate) async fn load(named: Option<&TrustSource>, context: &Context) -> anyhow::Result<Self> {
        let client = context.mirror_client()?;
        let network = if context.is_offline() { Network::Offline } else { Network::WhenStale(&client) };
        let trust = Self::find(named, network, context).await?;
        trust.tell(context);
        Ok(trust)
    }

    /// The same as it is here, without asking anybody or telling anything.
    pub(crate) async fn as_kept(named: Option<&TrustSource>, context: &Context) -> anyhow::Result<Self> {
        Self::find(named, Network::Offline, context).await
    }

    async fn find(
        named: Option<&TrustSource>,
        network: Network<'_>,
        context: &Context,
    ) -> anyhow::Result<Self> {
        let repository = match named {
            Some(TrustSource::Given(reference)) => return Self::given(reference.clone()),
            Some(TrustSource::Tuf) => Some(chosen(context)?),
            None => default_repository(context)?,
        };
        match repository {
            Some(repository) => Self::of(repository, network, context).await,
            None => Self::given(TrustRootRef::Public),
        }
    }

    /// What follows from the repository's root.
    pub(crate) async fn of(
        repository: Repository,
        network: Network<'_>,
        context: &Context,
    ) -> anyhow::Result<Self> {
        let state = state(context);
        let unusable = || format!("cannot use the TUF repository {}", repository.mirror());
        let now = Timestamp::now();
        let current = current(&repository, state.as_ref(), network, &Limits::default(), now)
            .await
            .with_context(unusable)?;
        let bytes = current.trusted.target(TRUSTED_ROOT).unwrap_or_default();
        let root = TrustRoot::parse(bytes, &limits()).with_context(unusable)?;
        Ok(Self { root, origin: Origin::Tuf(Box::new(Kept { repository, current })) })
    }

    fn given(reference: TrustRootRef) -> anyhow::Result<Self> {
        Ok(Self { root: reference.load()?, origin: Origin::Given(reference) })
    }

    /// What whoever relies on it should know.
    pub(crate) fn tell(&self, context: &Context) {
        if let Origin::Tuf(kept) = &self.origin {
            kept.current.notes.iter().for_each(|note| context.warn(&told(note)));
        }
    }

    /// Whether it is from a repository.
    pub(crate) fn is_kept(&self) -> bool {
        matches!(self.origin, Origin::Tuf(_))
    }

    /// The services that its repository names to sign with.
    pub(crate) fn services(&self, now: Timestamp) -> anyhow::Result<SigningServices> {
        let Origin::Tuf(kept) = &self.origin else { return Ok(SigningServices::public_good(now)?) };
        let mirror = kept.repository.mirror();
        let Some(bytes) = kept.current.trusted.target(SIGNING_CONFIG) else {
            return Err(Mistake::new(
                format!("the TUF repository {mirror} has no {SIGNING_CONFIG}"),
                "--signing-config FILE, or --fulcio-url and --rekor-url, name the services",
            )
            .into());
        };
        SigningServices::parse(bytes, now)
            .with_context(|| format!("cannot use the {SIGNING_CONFIG} of {mirror}"))
    }
}

/// The repository that `trust init` chose.
pub(crate) fn chosen(context: &Context) -> anyhow::Result<Repository> {
    default_repository(context)?.ok_or_else(|| {
        Mistake::new(
            "no TUF repository was chosen",
            "touchmark trust init chooses Sigstore's public one, or --mirror URL another; --tuf-root says where it is kept",
        )
        .into()
    })
}

fn default_repository(context: &Context) -> anyhow::Result<Option<Repository>> {
    let Some(state) = state(context) else { return Ok(None) };
    let chosen = state.default_repository(&Limits::default());
    chosen.with_context(|| format!("cannot tell which trust root {} has", state.directory().display()))
}

/// Where trust roots are kept, unless there is no such place: then they are not.
pub(crate) fn state(context: &Context) -> Option<State> {
    if let Some(directory) = context.tuf_root() {
        return Some(State::at(directory));
    }
    // A relative path counts as none (XDG Base Directory Specification 0.8).
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let data = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")))?;
    Some(State::at(data.join("touchmark/tuf")))
}

/// A way out, where this error is one about trust roots.
pub(crate) fn hint(cause: &(dyn Error + 'static)) -> Option<&'static str> {
    // A source in a box is an error of its own.
    let boxed = || cause.downcast_ref::<Box<TransportError>>().map(Box::as_ref);
    if let Some(TransportError::Offline { .. }) = cause.downcast_ref().or_else(boxed) {
        return Some(ASK);
    }
    if let Some(error) = cause.downcast_ref::<StateError>() {
        return Some(match error {
            StateError::Write { .. } => "--tuf-root, or TOUCHMARK_TUF_ROOT, names another directory",
            _ => "touchmark trust init chooses the repository anew",
        });
    }
    if let Some(Note::NotRefreshed { source, .. }) = cause.downcast_ref::<Note>() {
        return Some(refresh_hint(source));
    }
    Some(match cause.downcast_ref::<CurrentError>()? {
        CurrentError::Nothing => "touchmark trust update fetches it, where there is a network",
        CurrentError::Damaged(_) => "touchmark trust update fetches it anew, where there is a network",
        CurrentError::Stale { .. } => {
            "touchmark trust update tries again; --offline uses what is kept all the same; --trusted-root FILE names another trust root"
        }
        CurrentError::Refresh(source) => refresh_hint(source),
        _ => return None,
    })
}

/// Whether it is the way to the mirror, or what it serves.
fn refresh_hint(error: &TufError) -> &'static str {
    match error {
        TufError::Fetch { source, .. } if matches!(**source, TransportError::Offline { .. }) => ASK,
        TufError::Fetch { .. }
        | TufError::Status { .. }
        | TufError::Missing { .. }
        | TufError::TooSlow { .. } => {
            "check the mirror's address, the network and proxy settings; --trusted-root FILE names another trust root"
        }
        _ => {
            "what the mirror serves is not what the pinned root vouches for: ask who runs it; trust init --mirror URL names another"
        }
    }
}

/// The way out of [`TransportError::Offline`].
const ASK: &str = "without --offline it is asked";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tuf_is_a_source_and_everything_else_is_given() {
        assert_eq!("tuf".parse(), Ok(TrustSource::Tuf));
        assert_eq!("public".parse(), Ok(TrustSource::Given(TrustRootRef::Public)));
        assert_eq!("./tuf".parse(), Ok(TrustSource::Given(TrustRootRef::File("./tuf".into()))));
    }
}
