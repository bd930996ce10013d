//! Keys that are trusted for a time: rotation keeps one signer's name while its keys change.
//!
//! A key signs whenever its holder likes, so that what it signed counts by when that is proven to have happened: by a log's promise or a
//! timestamp authority. A signature that nothing dates may have been made after the window by whoever found the key, and does not
//! count, unless the policy accepts it for as long as the window is open.

use std::fmt;

use jiff::Timestamp;
use touchmark_sigstore::{ProvenTime, PublicKey};

/// A key, and when what it signs counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedKey {
    pub(crate) key: PublicKey,
    pub(crate) window: Option<KeyWindow>,
}

impl TrustedKey {
    /// A key that counts whenever it signed.
    pub fn always(key: PublicKey) -> Self {
        Self { key, window: None }
    }

    /// The key.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// When it counts; always, if there is no window.
    pub fn window(&self) -> Option<&KeyWindow> {
        self.window.as_ref()
    }
}

/// A time that begins, ends or both; both ends are within.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyWindow {
    pub(crate) from: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
    /// Whether a signature without a proven time counts while the window is open.
    pub(crate) undated: bool,
}

/// Why a signature does not fall into a key's window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Untimely {
    /// It is proven to have existed at a time when the key did not count.
    Outside(Timestamp),
    /// Nothing proves when it was made.
    NotProven,
}

impl KeyWindow {
    /// Whether a time falls into it.
    pub fn contains(&self, time: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= time) && self.until.is_none_or(|until| time <= until)
    }

    /// Whether a signature counts that existed at these times: all of them have to fall into the window, as they have to into a
    /// certificate's, so that one authority with a wrong clock is not enough.
    pub(crate) fn check(&self, times: &[ProvenTime], now: Timestamp) -> Result<(), Untimely> {
        if let Some(outside) = times.iter().find(|proven| !self.contains(proven.time)) {
            return Err(Untimely::Outside(outside.time));
        }
        match times.is_empty() && !(self.undated && self.contains(now)) {
            true => Err(Untimely::NotProven),
            false => Ok(()),
        }
    }
}

impl fmt::Display for KeyWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.from, self.until) {
            (Some(from), Some(until)) => write!(f, "from {from} until {until}"),
            (Some(from), None) => write!(f, "from {from}"),
            (None, Some(until)) => write!(f, "until {until}"),
            (None, None) => f.write_str("at any time"),
        }
    }
}

#[cfg(test)]
mod tests {
    use touchmark_sigstore::TimeSource;

    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("{text}T00:00:00Z").parse().unwrap()
    }

    #[test]
    fn every_proven_time_has_to_fall_into_the_window_whose_ends_are_within() {
        let window =
            KeyWindow { from: Some(at("2025-01-01")), until: Some(at("2025-12-31")), undated: false };
        let check = |days: &[&str], now: &str| {
            let times: Vec<_> =
                days.iter().map(|day| ProvenTime::new(at(day), TimeSource::TransparencyLog)).collect();
            window.check(&times, at(now))
        };
        assert_eq!(check(&["2025-01-01", "2025-12-31"], "2030-01-01"), Ok(()));
        assert_eq!(
            check(&["2025-06-01", "2026-01-01"], "2025-06-01"),
            Err(Untimely::Outside(at("2026-01-01")))
        );
        assert_eq!(check(&["2024-12-31"], "2025-06-01"), Err(Untimely::Outside(at("2024-12-31"))));
        assert_eq!(check(&[], "2025-06-01"), Err(Untimely::NotProven));
    }

    #[test]
    fn what_nothing_dates_counts_only_where_that_is_stated_and_while_the_window_is_open() {
        let window = KeyWindow { from: Some(at("2025-01-01")), until: None, undated: true };
        assert_eq!(window.check(&[], at("2025-06-01")), Ok(()));
        assert_eq!(window.check(&[], at("2024-06-01")), Err(Untimely::NotProven));
    }
}
