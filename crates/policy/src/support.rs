//! A document that counts for a requirement: who signed it, and how far that is proven.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Serialize, Serializer};
use touchmark_sigstore::{
    Certificate, Finding, Inclusion, KeyId, LogProof, Origin, ProvenTime, Signer, TimeSource,
};

use crate::NamedSigner;
use crate::decision::origin;

/// A document that counts for a requirement.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Support {
    /// Who signed it, by the policy's name.
    pub signer: String,
    /// The key that signed it, where a key did.
    #[serde(serialize_with = "key", skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyId>,
    /// The certificate that signed it, where one did.
    #[serde(serialize_with = "certificate", skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Box<Certificate>>,
    /// Where it is.
    #[serde(serialize_with = "origin")]
    pub origin: Origin,
    /// What is known from transparency logs.
    #[serde(serialize_with = "log")]
    pub log: LogProof,
    /// The times at which the signature is proven to have existed.
    #[serde(serialize_with = "times")]
    pub times: Vec<ProvenTime>,
    /// Whether a log's promise to list the certificate was verified.
    pub certificate_logged: bool,
}

impl Support {
    pub(crate) fn of(named: &NamedSigner, finding: &Finding) -> Self {
        let proof = finding.claim.proof();
        let (key, certificate) = match finding.claim.signer() {
            Signer::Key(id) => (Some(id.clone()), None),
            Signer::Certificate(certificate) => (None, Some(certificate.clone())),
            _ => (None, None),
        };
        Self {
            signer: named.name().to_owned(),
            key,
            certificate,
            origin: finding.origin.clone(),
            log: proof.log.clone(),
            times: proof.times.clone(),
            certificate_logged: proof.certificate_logged,
        }
    }
}

impl fmt::Display for Support {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "by {:?} (", self.signer)?;
        match (&self.key, &self.certificate) {
            (Some(key), _) => write!(f, "{key}")?,
            (None, Some(certificate)) => write!(f, "certificate of {certificate}")?,
            (None, None) => f.write_str("unknown")?,
        }
        write!(f, "), {}; {}", self.origin, LogText(&self.log))?;
        self.times.iter().try_for_each(|time| write!(f, "; signed by {}", TimeText(time)))
    }
}

struct LogText<'a>(&'a LogProof);

impl fmt::Display for LogText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            LogProof::NotShown => f.write_str("no transparency log entry was shown"),
            LogProof::NotVerified { entries: 1 } => f.write_str("1 transparency log entry was not verified"),
            LogProof::NotVerified { entries } => {
                write!(f, "{entries} transparency log entries were not verified")
            }
            LogProof::Verified { entries } => {
                let included = entries.iter().filter(|entry| entry.proven == Inclusion::Included).count();
                let promised = entries.len() - included;
                write!(f, "{included} transparency log entries included, {promised} promised only")
            }
            _ => f.write_str("transparency log proof of an unknown kind"),
        }
    }
}

struct TimeText<'a>(&'a ProvenTime);

impl fmt::Display for TimeText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0.time, time_source(self.0.source))
    }
}

/// Who vouches for a time, as JSON and text have it.
fn time_source(source: TimeSource) -> &'static str {
    match source {
        TimeSource::TransparencyLog => "transparency-log",
        TimeSource::TimestampAuthority { .. } => "timestamp-authority",
        _ => "unknown",
    }
}

fn key<S: Serializer>(value: &Option<KeyId>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}

fn certificate<S: Serializer>(value: &Option<Box<Certificate>>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Text<'a> {
        subject: &'a str,
        issuer: Option<&'a str>,
        not_before: String,
        not_after: String,
        extensions: BTreeMap<&'static str, &'a str>,
    }
    let text = value.as_ref().map(|certificate| Text {
        subject: certificate.subject().as_str(),
        issuer: certificate.issuer(),
        not_before: certificate.not_before().to_string(),
        not_after: certificate.not_after().to_string(),
        extensions: certificate
            .extensions()
            .iter()
            .map(|(name, text)| (name.name(), text.as_str()))
            .collect(),
    });
    text.serialize(serializer)
}

fn times<S: Serializer>(times: &[ProvenTime], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Time {
        time: String,
        source: &'static str,
    }
    serializer.collect_seq(
        times.iter().map(|proven| Time { time: proven.time.to_string(), source: time_source(proven.source) }),
    )
}

fn log<S: Serializer>(proof: &LogProof, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Log {
        state: &'static str,
        entries: usize,
        #[serde(skip_serializing_if = "Option::is_none")]
        included: Option<usize>,
        #[serde(skip_serializing_if = "BTreeSet::is_empty")]
        witnesses: BTreeSet<String>,
    }
    let log = |state, entries, included| Log { state, entries, included, witnesses: BTreeSet::new() };
    let log = match proof {
        LogProof::NotShown => log("not-shown", 0, None),
        LogProof::NotVerified { entries } => log("not-verified", *entries, None),
        LogProof::Verified { entries } => {
            let included = entries.iter().filter(|entry| entry.proven == Inclusion::Included).count();
            let witnesses = entries.iter().flat_map(|entry| &entry.witnesses);
            let witnesses = witnesses.map(|witness| witness.name().to_owned()).collect();
            Log { witnesses, ..log("verified", entries.len(), Some(included)) }
        }
        _ => log("unknown", 0, None),
    };
    log.serialize(serializer)
}
