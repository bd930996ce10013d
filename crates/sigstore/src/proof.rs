//! How far a claim is proven beyond its signature. A policy sets the minimum; this only says what was shown and held.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::WitnessKey;

/// What was proven besides the signature.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Proof {
    /// What is known from transparency logs.
    pub log: LogProof,
    /// When the signature is proven to have existed, each with who says so.
    pub times: Vec<ProvenTime>,
    /// Whether a certificate transparency log promised to list the certificate (an SCT, RFC 6962 §3).
    pub certificate_logged: bool,
}

/// What is known from transparency logs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogProof {
    /// No entry was shown.
    NotShown,
    /// Entries were shown and nobody verified them: no trusted log is theirs.
    NotVerified {
        /// How many.
        entries: usize,
    },
    /// Every entry was verified against the trust root, and describes this signature.
    Verified {
        /// The entries, none of them twice.
        entries: Vec<LogEntry>,
    },
}

/// A verified entry of a transparency log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogEntry {
    /// The log's key id, in hexadecimal.
    pub log: String,
    /// Its index in the log.
    pub index: u64,
    /// How it was proven.
    pub proven: Inclusion,
    /// The known witnesses that signed the checkpoint in which it is included.
    pub witnesses: Vec<WitnessKey>,
}

/// How much a log has committed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Inclusion {
    /// The log signed a promise to include the entry (Rekor's signed entry timestamp), and showed no proof that it did.
    Promised,
    /// The entry is in the tree whose head the log signed (RFC 6962 §2.1.1).
    Included,
}

/// A time at which the signature existed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProvenTime {
    /// The time.
    pub time: Timestamp,
    /// Who vouches for it.
    pub source: TimeSource,
}

impl ProvenTime {
    /// A time and who vouches for it. Saying so proves nothing: only the verifier's are looked at.
    pub fn new(time: Timestamp, source: TimeSource) -> Self {
        Self { time, source }
    }
}

/// Who vouches for a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeSource {
    /// A transparency log, by its signed entry timestamp.
    TransparencyLog,
    /// A timestamp authority (RFC 3161), by its place in the trust root: two tokens of one authority are one witness.
    TimestampAuthority {
        /// The place.
        authority: usize,
    },
}

impl Proof {
    /// Nothing but the signature; `entries` were shown and not verified.
    pub(crate) fn signature_only(entries: usize) -> Self {
        let log = match entries {
            0 => LogProof::NotShown,
            entries => LogProof::NotVerified { entries },
        };
        Self { log, times: Vec::new(), certificate_logged: false }
    }

    /// Adds verified entries and times.
    pub(crate) fn add(&mut self, mut more: Vec<LogEntry>, times: Vec<ProvenTime>) {
        self.times.extend(times);
        match &mut self.log {
            LogProof::Verified { entries } => entries.append(&mut more),
            _ if more.is_empty() => {}
            log => *log = LogProof::Verified { entries: more },
        }
    }

    /// How many of these witnesses signed a checkpoint in which the signature's entry is included, each by its key: one under two names is
    /// one.
    pub fn witnesses(&self, known: &[WitnessKey]) -> usize {
        let LogProof::Verified { entries } = &self.log else { return 0 };
        let included = entries.iter().filter(|entry| entry.proven == Inclusion::Included);
        let seen = included.flat_map(|entry| &entry.witnesses).filter(|witness| known.contains(witness));
        seen.map(WitnessKey::key).collect::<BTreeSet<_>>().len()
    }

    /// How many different logs have at least committed so much to the signature.
    pub fn logs(&self, least: Inclusion) -> usize {
        let LogProof::Verified { entries } = &self.log else { return 0 };
        let counted = entries.iter().filter(|entry| entry.proven >= least);
        counted.map(|entry| &entry.log).collect::<BTreeSet<_>>().len()
    }

    /// How many different timestamp authorities signed a time.
    pub fn timestamps(&self) -> usize {
        let authorities = self.times.iter().filter_map(|time| match time.source {
            TimeSource::TimestampAuthority { authority } => Some(authority),
            TimeSource::TransparencyLog => None,
        });
        authorities.collect::<BTreeSet<_>>().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(log: &str, index: u64, proven: Inclusion) -> LogEntry {
        LogEntry { log: log.to_owned(), index, proven, witnesses: Vec::new() }
    }

    #[test]
    fn two_entries_of_one_log_are_one_witness() {
        let entries = vec![
            entry("a", 1, Inclusion::Included),
            entry("a", 2, Inclusion::Included),
            entry("b", 1, Inclusion::Promised),
        ];
        let proof = Proof { log: LogProof::Verified { entries }, ..Proof::signature_only(0) };
        assert_eq!((proof.logs(Inclusion::Included), proof.logs(Inclusion::Promised)), (1, 2));
    }

    #[test]
    fn two_tokens_of_one_authority_are_one_witness_and_a_log_is_none() {
        let of = |source| ProvenTime { time: Timestamp::UNIX_EPOCH, source };
        let authority = |authority| of(TimeSource::TimestampAuthority { authority });
        let times = vec![authority(0), authority(0), of(TimeSource::TransparencyLog)];
        let proof = Proof { times, ..Proof::signature_only(3) };
        assert_eq!((proof.timestamps(), proof.logs(Inclusion::Promised)), (1, 0));
    }
}
