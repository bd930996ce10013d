//! Writing which services to sign with
//! ([protobuf-specs 0.5, `SigningConfig`](https://github.com/sigstore/protobuf-specs/blob/v0.5.0/protos/sigstore_trustroot.proto)):
//! what [`SigningServices::parse`](super::SigningServices::parse) and cosign read. Performs no I/O.

use std::num::NonZeroU32;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use touchmark_transport::Url;

/// The media type of version 0.2 (protobuf-specs 0.5, `SigningConfig.media_type`).
const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.signingconfig.v0.2+json";

/// A signing configuration to write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SigningConfigDocument {
    media_type: &'static str,
    #[serde(rename = "caUrls", skip_serializing_if = "Vec::is_empty")]
    certificate_authorities: Vec<Service>,
    #[serde(rename = "oidcUrls", skip_serializing_if = "Vec::is_empty")]
    identity_providers: Vec<Service>,
    #[serde(rename = "rekorTlogUrls", skip_serializing_if = "Vec::is_empty")]
    logs: Vec<Service>,
    #[serde(rename = "rekorTlogConfig", skip_serializing_if = "Option::is_none")]
    log_selection: Option<Selection>,
    #[serde(rename = "tsaUrls", skip_serializing_if = "Vec::is_empty")]
    timestamp_authorities: Vec<Service>,
    #[serde(rename = "tsaConfig", skip_serializing_if = "Option::is_none")]
    timestamp_selection: Option<Selection>,
}

impl SigningConfigDocument {
    /// Certificate authorities (Fulcio) and OpenID Connect providers; without logs and timestamp authorities.
    pub fn new(certificate_authorities: Vec<Service>, identity_providers: Vec<Service>) -> Self {
        Self {
            media_type: MEDIA_TYPE,
            certificate_authorities,
            identity_providers,
            logs: Vec::new(),
            log_selection: None,
            timestamp_authorities: Vec::new(),
            timestamp_selection: None,
        }
    }

    /// The same with transparency logs (Rekor), and how many of them have to list a signature.
    #[must_use]
    pub fn with_logs(mut self, logs: Vec<Service>, selection: Selection) -> Self {
        self.logs = logs;
        self.log_selection = Some(selection);
        self
    }

    /// The same with timestamp authorities, and how many of them have to date a signature.
    #[must_use]
    pub fn with_timestamp_authorities(mut self, authorities: Vec<Service>, selection: Selection) -> Self {
        self.timestamp_authorities = authorities;
        self.timestamp_selection = Some(selection);
        self
    }

    /// The document.
    ///
    /// # Errors
    /// None that is known: every member can be written.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec_pretty(self)
    }
}

/// A service, who runs it, and when it may be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    url: String,
    major_api_version: u32,
    valid_for: Window,
    operator: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Window {
    start: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<Timestamp>,
}

impl Service {
    /// A service that may be used from `start` until `end`, or for good.
    pub fn new(
        url: &Url,
        version: NonZeroU32,
        start: Timestamp,
        end: Option<Timestamp>,
        operator: impl Into<String>,
    ) -> Self {
        // Clients put paths behind it: a bare host is written without the slash that the URL Standard adds.
        let url = match url.as_str() {
            text if url.path() == "/" => text.trim_end_matches('/'),
            text => text,
        };
        Self {
            url: url.to_owned(),
            major_api_version: version.get(),
            valid_for: Window { start, end },
            operator: operator.into(),
        }
    }
}

/// How many of the services of a kind take part in a signature (`ServiceSelector`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// One of them.
    Any,
    /// All of them.
    All,
    /// So many, each of another operator.
    Exact(NonZeroU32),
}

impl FromStr for Selection {
    type Err = SelectionError;

    /// `ANY`, `ALL` or `EXACT:n`, as cosign spells them.
    fn from_str(text: &str) -> Result<Self, SelectionError> {
        let unknown = || SelectionError { found: text.chars().take(100).collect() };
        match text {
            "ANY" => Ok(Self::Any),
            "ALL" => Ok(Self::All),
            _ => {
                let count = text.strip_prefix("EXACT:").and_then(|count| count.parse().ok());
                count.map(Self::Exact).ok_or_else(unknown)
            }
        }
    }
}

impl Serialize for Selection {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (selector, count) = match self {
            Self::Any => ("ANY", None),
            Self::All => ("ALL", None),
            Self::Exact(count) => ("EXACT", Some(count.get())),
        };
        Configuration { selector, count }.serialize(serializer)
    }
}

#[derive(Serialize)]
struct Configuration {
    selector: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u32>,
}

/// Does not say how many.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} does not say how many services to use, expected ANY, ALL or EXACT:n with n from 1")]
pub struct SelectionError {
    /// As written, shortened.
    pub found: String,
}

#[cfg(test)]
mod tests {
    use super::super::SigningServices;
    use super::*;

    fn service(url: &str, version: u32) -> Service {
        let start = Timestamp::UNIX_EPOCH;
        Service::new(&url.parse().unwrap(), NonZeroU32::new(version).unwrap(), start, None, url)
    }

    #[test]
    fn what_is_written_is_read() {
        let logs = vec![service("https://a.example", 2), service("https://b.example", 1)];
        let times = vec![service("https://c.example/api/v1/timestamp", 1)];
        let document = SigningConfigDocument::new(vec![service("https://ca.example", 1)], Vec::new())
            .with_logs(logs, "EXACT:2".parse().unwrap())
            .with_timestamp_authorities(times, Selection::Any);
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let json = document.to_json().unwrap();
        let services = SigningServices::parse(&json, now).unwrap();
        assert_eq!(services.logs().len(), 2);
        assert_eq!(
            services.timestamp_authorities(),
            ["https://c.example/api/v1/timestamp".parse::<Url>().unwrap()]
        );
        assert!(String::from_utf8(json).unwrap().contains("\"https://ca.example\""));
    }

    #[test]
    fn rejects_a_selection_that_says_no_number() {
        assert_eq!("ALL".parse(), Ok(Selection::All));
        for text in ["", "any", "EXACT", "EXACT:", "EXACT:0", "EXACT:-1", "EXACT:99999999999"] {
            let found = text.to_owned();
            assert_eq!(text.parse::<Selection>(), Err(SelectionError { found }));
        }
    }
}
