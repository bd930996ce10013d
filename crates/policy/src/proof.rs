//! How much has to be proven beyond a signature.
//!
//! Without logs or timestamps stated, a key's signature needs none, and a certificate's needs an entry that is included in a log, or a
//! timestamp authority's time: the log's bare promise (what cosign 1 and 2 store beside a legacy signature) is less, and has to be asked
//! for.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use touchmark_sigstore::{Inclusion, Proof, Signer, WitnessKey};

/// The minimum of proof. [`ProofRequirement::default`] is what the module's description says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProofRequirement {
    included: usize,
    promised: usize,
    timestamps: usize,
    certificate_logged: bool,
    witnesses: usize,
    known_witnesses: Vec<WitnessKey>,
}

impl ProofRequirement {
    /// Entries included in so many different logs.
    #[must_use]
    pub fn log(mut self, logs: usize) -> Self {
        self.included = logs;
        self
    }

    /// The promises of so many different logs; an inclusion counts as one.
    #[must_use]
    pub fn promise(mut self, logs: usize) -> Self {
        self.promised = logs;
        self
    }

    /// The times of so many different timestamp authorities.
    #[must_use]
    pub fn timestamps(mut self, authorities: usize) -> Self {
        self.timestamps = authorities;
        self
    }

    /// A signed certificate timestamp (SCT). A key has none.
    #[must_use]
    pub fn certificate_logged(mut self, wanted: bool) -> Self {
        self.certificate_logged = wanted;
        self
    }

    /// The cosignatures of so many different ones of the known witnesses, under a checkpoint that includes the signature's entry.
    #[must_use]
    pub fn witnesses(mut self, witnesses: usize) -> Self {
        self.witnesses = witnesses;
        self
    }

    /// The witnesses that count.
    #[must_use]
    pub fn with_known_witnesses(mut self, known: Vec<WitnessKey>) -> Self {
        self.known_witnesses = known;
        self
    }

    /// The witnesses that count.
    pub fn known_witnesses(&self) -> impl Iterator<Item = &WitnessKey> {
        self.known_witnesses.iter()
    }

    /// How many more witnesses are asked for than are known: while there are any, nothing can be enough.
    pub fn unknown_witnesses(&self) -> usize {
        let known: BTreeSet<&[u8]> = self.known_witnesses.iter().map(WitnessKey::key).collect();
        self.witnesses.saturating_sub(known.len())
    }

    /// Whether anything is asked for that takes a trust root to prove.
    pub fn is_stated(&self) -> bool {
        self.included + self.promised + self.timestamps + self.witnesses > 0 || self.certificate_logged
    }

    /// Whether enough is proven about a signature.
    pub fn is_met(&self, signer: &Signer, proof: &Proof) -> bool {
        self.missing(signer, proof).is_empty()
    }

    /// What is missing: each time what is wanted, and what was shown.
    pub fn missing(&self, signer: &Signer, proof: &Proof) -> Vec<(String, String)> {
        let (included, promised) = (proof.logs(Inclusion::Included), proof.logs(Inclusion::Promised));
        let timestamps = proof.timestamps();
        let counts = [
            (self.included, included, "entries included in", "log"),
            (self.promised, promised, "promises of", "log"),
            (self.timestamps, timestamps, "times of", "timestamp authority"),
            (self.witnesses, proof.witnesses(&self.known_witnesses), "cosignatures of", "known witness"),
        ];
        let short = counts.into_iter().filter(|(wanted, found, ..)| found < wanted);
        let mut missing: Vec<_> = short
            .map(|(wanted, found, what, who)| (format!("{what} {}", count(wanted, who)), count(found, who)))
            .collect();
        let by_default = self.included + self.promised + self.timestamps == 0;
        if by_default && matches!(signer, Signer::Certificate(_)) && included + timestamps == 0 {
            let wanted = "an entry included in a log, or a timestamp authority's time".to_owned();
            missing.push((wanted, format!("the promise of {} to include one", count(promised, "log"))));
        }
        if self.certificate_logged && !proof.certificate_logged {
            missing.push(("a signed certificate timestamp".to_owned(), "none that was verified".to_owned()));
        }
        missing
    }
}

fn count(number: usize, what: &str) -> String {
    match (number, what) {
        (1, what) => format!("1 {what}"),
        (number, "timestamp authority") => format!("{number} timestamp authorities"),
        (number, "known witness") => format!("{number} known witnesses"),
        (number, what) => format!("{number} {what}s"),
    }
}

/// Reads `log,timestamp,witness,sct`, each but the last with an optional `=NUMBER`.
impl FromStr for ProofRequirement {
    type Err = ProofRequirementError;

    fn from_str(text: &str) -> Result<Self, ProofRequirementError> {
        let unknown = |part: &str| ProofRequirementError { found: part.chars().take(100).collect() };
        let mut requirement = Self::default();
        for part in text.split(',') {
            let (name, number) = match part.split_once('=') {
                None => (part, None),
                Some((name, number)) => (name, Some(number.parse::<u8>().map_err(|_| unknown(part))?)),
            };
            let number_or_one = usize::from(number.unwrap_or(1));
            requirement = match (name, number) {
                ("log", _) => requirement.log(number_or_one),
                ("promise", _) => requirement.promise(number_or_one),
                ("timestamp", _) => requirement.timestamps(number_or_one),
                ("witness", _) => requirement.witnesses(number_or_one),
                ("sct", None) => requirement.certificate_logged(true),
                _ => return Err(unknown(part)),
            };
        }
        Ok(requirement)
    }
}

/// Nothing that can be required.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot require {found:?}, expected log, promise, timestamp, witness (each also with =NUMBER) or sct, separated by commas"
)]
pub struct ProofRequirementError {
    found: String,
}

impl fmt::Display for ProofRequirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { included, promised, timestamps, certificate_logged, witnesses, known_witnesses: _ } = self;
        write!(f, "log={included},promise={promised},timestamp={timestamps},witness={witnesses}")?;
        f.write_str(if *certificate_logged { ",sct" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_read_as_written() {
        let read = |text: &str| text.parse::<ProofRequirement>();
        assert_eq!(read("log").unwrap(), ProofRequirement::default().log(1));
        let all = ProofRequirement::default().log(2).promise(3).timestamps(1).certificate_logged(true);
        let all = all.witnesses(2);
        assert_eq!(read("log=2,promise=3,timestamp,sct,witness=2").unwrap(), all);
        assert_eq!(all.unknown_witnesses(), 2);
        assert!(all.is_stated() && !ProofRequirement::default().is_stated());
        for text in ["", "logs", "log=", "log=x", "log=-1", "log=256", "sct=1", "log,,sct", "log log"] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }
}
