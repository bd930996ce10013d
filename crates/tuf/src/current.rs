//! The trust root to use now: what was kept while it is fresh, and what the mirror has otherwise.

use jiff::{SignedDuration, Timestamp};
use touchmark_transport::Client;

use crate::{Cache, Limits, Repository, RoleState, State, StateError, Trusted, TufError};

/// How long after a refresh the mirror is not asked again. A day: the public good instance signs its timestamp anew every few days, and
/// a verifier that runs a thousand times a day asks once.
pub const FRESH_FOR: SignedDuration = SignedDuration::from_hours(24);

/// Whether a mirror may be asked.
#[derive(Debug, Clone, Copy)]
pub enum Network<'a> {
    /// No.
    Offline,
    /// When it is time.
    WhenStale(&'a Client),
    /// In any case.
    Always(&'a Client),
}

/// What to trust now, and what to tell about it.
#[derive(Debug)]
pub struct Current {
    /// What follows from the pinned root.
    pub trusted: Trusted,
    /// What it was before a mirror was asked, where one was and there was anything.
    pub before: Option<Trusted>,
    /// What whoever relies on it should know.
    pub notes: Vec<Note>,
}

/// Something that does not keep the trust root from being used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Note {
    /// What was kept counts still, and the mirror could not say whether there is something newer.
    #[error("the trust root was not refreshed, and is used as of {as_of}")]
    NotRefreshed {
        /// When it was refreshed last.
        as_of: Timestamp,
        /// Why it was not now.
        source: TufError,
    },
    /// The mirror has answered, and the answer cannot be kept. It will be asked again next time.
    #[error("the trust root was refreshed for this run only")]
    NotKept {
        /// Why.
        source: StateError,
    },
    /// What was kept cannot be used, and the mirror was asked for all of it.
    #[error("what was kept of the trust root cannot be used")]
    Damaged {
        /// What is wrong with it.
        source: KeptError,
    },
    /// No mirror may be asked, and what was kept counts no more: there may be something newer.
    #[error("the trust root is stale: {role} expired {expires}, last refreshed {as_of}", role = role.role, expires = role.expires)]
    Stale {
        /// What expired.
        role: RoleState,
        /// When it was refreshed last.
        as_of: Timestamp,
    },
}

/// What is wrong with what was kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeptError {
    /// It cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// It does not follow from the pinned root.
    #[error(transparent)]
    Untrusted(#[from] TufError),
}

/// Why there is nothing to trust.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CurrentError {
    /// Nothing was kept, and no mirror may be asked.
    #[error("nothing is kept of the trust root, and the mirror may not be asked")]
    Nothing,
    /// What was kept cannot be used, and no mirror may be asked.
    #[error("what was kept of the trust root cannot be used, and the mirror may not be asked")]
    Damaged(#[source] KeptError),
    /// The mirror cannot be used, and what was kept counts no more.
    #[error("the trust root is stale ({role} expired {expires}) and was not refreshed", role = role.role, expires = role.expires)]
    Stale {
        /// What expired.
        role: RoleState,
        /// Why it was not refreshed.
        source: TufError,
    },
    /// The mirror cannot be used, and nothing was kept.
    #[error("the trust root could not be fetched")]
    Refresh(#[source] TufError),
}

/// The trust root of a repository at `now`. Without a `state`, nothing is kept.
///
/// What was kept is verified afresh. It is used as it is within [`FRESH_FOR`]; after that, the mirror is asked, and when that fails, what was kept
/// goes on to be used until it expires, with a [`Note`].
///
/// # Errors
/// [`CurrentError`].
pub async fn current(
    repository: &Repository,
    state: Option<&State>,
    network: Network<'_>,
    limits: &Limits,
    now: Timestamp,
) -> Result<Current, CurrentError> {
    let kept = kept(repository, state, limits);
    let client = match network {
        Network::Offline => return offline(kept, now),
        Network::WhenStale(_) if is_fresh(&kept, now) => return offline(kept, now),
        Network::WhenStale(client) | Network::Always(client) => client,
    };
    let (kept, damage) = match kept {
        Ok(kept) => (kept, None),
        Err(source) => (None, Some(Note::Damaged { source })),
    };
    let cache = kept.as_ref().map(|(cache, _)| cache);
    let refreshed = repository.refresh(cache, client, limits, now).await;
    let before = kept.map(|(_, trusted)| trusted);
    match refreshed {
        Ok((cache, trusted)) => {
            let not_kept = state.and_then(|state| state.keep(repository, &cache, limits).err());
            let not_kept = not_kept.map(|source| Note::NotKept { source });
            Ok(Current { trusted, before, notes: damage.into_iter().chain(not_kept).collect() })
        }
        Err(source) => fall_back(before, source, now),
    }
}

type Kept = Result<Option<(Cache, Trusted)>, KeptError>;

fn kept(repository: &Repository, state: Option<&State>, limits: &Limits) -> Kept {
    let Some(state) = state else { return Ok(None) };
    let Some(cache) = state.load(repository, limits)? else { return Ok(None) };
    let trusted = repository.verify(&cache)?;
    Ok(Some((cache, trusted)))
}

/// A time of refresh that has not come yet proves nothing about it.
fn is_fresh(kept: &Kept, now: Timestamp) -> bool {
    let Ok(Some((_, trusted))) = kept else { return false };
    let age = now.duration_since(trusted.refreshed());
    trusted.expired(now).is_empty() && !age.is_negative() && age < FRESH_FOR
}

fn offline(kept: Kept, now: Timestamp) -> Result<Current, CurrentError> {
    let (_, trusted) = kept.map_err(CurrentError::Damaged)?.ok_or(CurrentError::Nothing)?;
    let as_of = trusted.refreshed();
    let notes = trusted.expired(now).into_iter().map(|role| Note::Stale { role, as_of }).collect();
    Ok(Current { trusted, before: None, notes })
}

fn fall_back(kept: Option<Trusted>, source: TufError, now: Timestamp) -> Result<Current, CurrentError> {
    let Some(trusted) = kept else { return Err(CurrentError::Refresh(source)) };
    match trusted.expired(now).into_iter().next() {
        Some(role) => Err(CurrentError::Stale { role, source }),
        None => {
            let as_of = trusted.refreshed();
            let before = Some(trusted.clone());
            Ok(Current { trusted, before, notes: vec![Note::NotRefreshed { as_of, source }] })
        }
    }
}
