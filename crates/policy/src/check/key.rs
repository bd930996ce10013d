//! The keys of a document and when they count, the witnesses, and how much proof is asked for.

use std::collections::BTreeSet;

use jiff::Timestamp;
use touchmark_sigstore::{PublicKey, WitnessKey};

use super::Checker;
use crate::document::KeySpec;
use crate::location::Located;
use crate::{KeyWindow, Problem, ProofRequirement, TrustedKey};

impl Checker<'_> {
    pub(super) fn trusted_keys(&mut self, specs: &Located<Vec<Located<KeySpec>>>) -> Option<Vec<TrustedKey>> {
        if specs.value.is_empty() {
            return self.report(Problem::NoKeys { at: self.at(specs.position) });
        }
        // Everything wrong is reported, not the first of it.
        let keys: Vec<_> = specs.value.iter().map(|spec| self.trusted_key(spec)).collect();
        keys.into_iter().collect()
    }

    pub(super) fn trusted_key(&mut self, spec: &Located<KeySpec>) -> Option<TrustedKey> {
        let (key, window) = (self.key(spec), self.window(spec));
        Some(TrustedKey { key: key?, window: window? })
    }

    /// The window, if the key has one.
    fn window(&mut self, spec: &Located<KeySpec>) -> Option<Option<KeyWindow>> {
        let KeySpec { valid_from, valid_until, undated, .. } = &spec.value;
        if let (None, None, Some(undated)) = (valid_from, valid_until, undated) {
            return self.report(Problem::UndatedWithoutWindow { at: self.at(undated.position) });
        }
        if valid_from.is_none() && valid_until.is_none() {
            return Some(None);
        }
        let (from, until) = (self.time(valid_from.as_ref()), self.time(valid_until.as_ref()));
        let (from, until) = (from?, until?);
        if from.zip(until).is_some_and(|(from, until)| until < from) {
            return self.report(Problem::WindowEmpty { at: self.at(spec.position) });
        }
        let undated = undated.as_ref().is_some_and(|undated| undated.value);
        Some(Some(KeyWindow { from, until, undated }))
    }

    fn time(&mut self, written: Option<&Located<String>>) -> Option<Option<Timestamp>> {
        let Some(written) = written else { return Some(None) };
        match written.value.parse() {
            Ok(time) => Some(Some(time)),
            Err(source) => self.report(Problem::Time { at: self.at(written.position), source }),
        }
    }

    fn key(&mut self, spec: &Located<KeySpec>) -> Option<PublicKey> {
        let (text, position) = match (&spec.value.file, &spec.value.data) {
            (Some(file), None) => (self.key_file(file)?, file.position),
            (None, Some(data)) => (data.value.clone(), data.position),
            _ => {
                self.problems.push(Problem::KeySource { at: self.at(spec.position) });
                return None;
            }
        };
        let limits = touchmark_sigstore::Limits::default();
        match PublicKey::parse_pem(&text, &limits) {
            Ok(key) => Some(key),
            Err(source) => {
                self.problems.push(Problem::Key { at: self.at(position), source });
                None
            }
        }
    }

    fn key_file(&mut self, file: &Located<String>) -> Option<String> {
        let limit = self.limits.max_key_bytes;
        let problem = match (self.read_key)(&file.value) {
            Ok(text) if text.len() <= limit => return Some(text),
            Ok(text) => Problem::KeyFileTooLarge { at: self.at(file.position), found: text.len(), limit },
            Err(source) => Problem::KeyFile { at: self.at(file.position), file: file.value.clone(), source },
        };
        self.problems.push(problem);
        None
    }

    /// How much has to be proven about every signature.
    pub(super) fn proof(&mut self) -> ProofRequirement {
        let known = self.witnesses();
        let Some(spec) = &self.document.written.spec.proof else { return ProofRequirement::default() };
        let number = |written: Option<u8>| usize::from(written.unwrap_or_default());
        let wanted = spec.witnesses.as_ref().map_or(0, |written| usize::from(written.value));
        let requirement = ProofRequirement::default()
            .log(number(spec.log))
            .promise(number(spec.promise))
            .timestamps(number(spec.timestamp))
            .certificate_logged(spec.sct)
            .witnesses(wanted)
            .with_known_witnesses(known);
        let missing = requirement.unknown_witnesses();
        if let Some(written) = spec.witnesses.as_ref().filter(|_| missing > 0) {
            let at = self.at(written.position);
            self.problems.push(Problem::TooFewWitnesses { at, wanted, known: wanted - missing });
        }
        requirement
    }

    fn witnesses(&mut self) -> Vec<WitnessKey> {
        let mut known = BTreeSet::new();
        for written in &self.document.written.spec.witnesses {
            match written.value.parse::<WitnessKey>() {
                Ok(key) => drop(known.insert(key)),
                Err(source) => {
                    self.problems.push(Problem::Witness { at: self.at(written.position), source });
                }
            }
        }
        known.into_iter().collect()
    }
}
