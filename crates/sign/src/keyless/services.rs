//! Which services to sign with
//! ([protobuf-specs 0.5, `SigningConfig`](https://github.com/sigstore/protobuf-specs/blob/v0.5.0/protos/sigstore_trustroot.proto)).

use std::collections::BTreeSet;

use jiff::Timestamp;
use sigstore_trust_root::{
    ServiceConfiguration, ServiceEndpoint, ServiceSelector, SigningConfig, SigstoreInstance,
};
use touchmark_transport::Url;

/// Bytes of a signing configuration. The public good instance's has 1 KB.
const MAX_CONFIG_BYTES: usize = 1 << 20;
/// Versions of Rekor's interface that are spoken.
const LOG_VERSIONS: [u32; 2] = [1, 2];

/// A service and the version of its interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    url: Url,
    version: u32,
}

impl Endpoint {
    /// Where it is.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Its interface's major version.
    pub fn version(&self) -> u32 {
        self.version
    }
}

/// What proves a signature: all of the logs list it, and all of the timestamp authorities date it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofServices {
    logs: Vec<Endpoint>,
    timestamp_authorities: Vec<Url>,
}

impl ProofServices {
    /// Services at these addresses; each log with its interface's version.
    ///
    /// # Errors
    /// [`ServicesError::LogVersion`], or [`ServicesError::NoProof`] when there is neither a log nor an authority.
    pub fn new(logs: Vec<(Url, u32)>, timestamp_authorities: Vec<Url>) -> Result<Self, ServicesError> {
        let logs: Vec<_> = logs.into_iter().map(|(url, version)| Endpoint { url, version }).collect();
        if let Some(log) = logs.iter().find(|log| !LOG_VERSIONS.contains(&log.version)) {
            return Err(ServicesError::LogVersion { found: log.version });
        }
        if logs.is_empty() && timestamp_authorities.is_empty() {
            return Err(ServicesError::NoProof);
        }
        Ok(Self { logs, timestamp_authorities })
    }

    /// Those that a signing configuration (version 0.2) names, as they are valid at `now`: for a key, which needs no other.
    ///
    /// # Errors
    /// [`ServicesError`].
    pub fn parse(bytes: &[u8], now: Timestamp) -> Result<Self, ServicesError> {
        Self::of(&read(bytes)?, now)
    }

    fn of(config: &SigningConfig, now: Timestamp) -> Result<Self, ServicesError> {
        let (logs, selection) = (&config.rekor_tlog_urls, &config.rekor_tlog_config);
        let logs = choose(logs, selection, &LOG_VERSIONS, "transparency log", now)?;
        let timestamps = choose(&config.tsa_urls, &config.tsa_config, &[1], "timestamp authority", now)?;
        let logs = logs.into_iter().map(|log| (log.url, log.version)).collect();
        Self::new(logs, timestamps.into_iter().map(|endpoint| endpoint.url).collect())
    }

    /// List the signature, each of them.
    pub fn logs(&self) -> &[Endpoint] {
        &self.logs
    }

    /// Date the signature, each of them.
    pub fn timestamp_authorities(&self) -> &[Url] {
        &self.timestamp_authorities
    }

    /// Whether a log promises to list a signature, as the older format of cosign 1 and 2 keeps it. Version 1 does.
    pub fn gives_promise(&self) -> bool {
        self.logs.iter().any(|log| log.version == 1)
    }
}

/// The services that a keyless signature takes: a certificate authority beside what proves the signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningServices {
    certificate_authority: Url,
    identity_provider: Option<Url>,
    proof: ProofServices,
}

impl SigningServices {
    /// Services at these addresses; each log with its interface's version.
    ///
    /// # Errors
    /// [`ServicesError`]: nothing would prove when the signature was made.
    pub fn new(
        certificate_authority: Url,
        logs: Vec<(Url, u32)>,
        timestamp_authorities: Vec<Url>,
    ) -> Result<Self, ServicesError> {
        let proof = ProofServices::new(logs, timestamp_authorities);
        let proof = proof.map_err(|error| match error {
            ServicesError::NoProof => ServicesError::NoTime,
            other => other,
        })?;
        Self::dated(certificate_authority, None, proof)
    }

    /// Only version 1 of Rekor states a time (Rekor v2, README: "no integrated time").
    fn dated(
        certificate_authority: Url,
        identity_provider: Option<Url>,
        proof: ProofServices,
    ) -> Result<Self, ServicesError> {
        if proof.timestamp_authorities.is_empty() && !proof.gives_promise() {
            return Err(ServicesError::NoTime);
        }
        Ok(Self { certificate_authority, identity_provider, proof })
    }

    /// Those that a signing configuration (version 0.2) names, as they are valid at `now`.
    ///
    /// # Errors
    /// [`ServicesError`].
    pub fn parse(bytes: &[u8], now: Timestamp) -> Result<Self, ServicesError> {
        let config = read(bytes)?;
        let every = ServiceConfiguration::default();
        let authority = choose(&config.ca_urls, &every, &[1], "certificate authority", now)?;
        let provider = choose(&config.oidc_urls, &every, &[1], "identity provider", now)?;
        let Some(authority) = authority.into_iter().next() else {
            return Err(ServicesError::TooFew { what: "certificate authority", wanted: 1, found: 0 });
        };
        let provider = provider.into_iter().next().map(|endpoint| endpoint.url);
        let proof = ProofServices::of(&config, now).map_err(|error| match error {
            ServicesError::NoProof => ServicesError::NoTime,
            other => other,
        })?;
        Self::dated(authority.url, provider, proof)
    }

    /// The public good instance's as they were when this version was made.
    ///
    /// # Errors
    /// [`ServicesError`] once none of them is valid any more.
    pub fn public_good(now: Timestamp) -> Result<Self, ServicesError> {
        let text = SigstoreInstance::PublicGood.embedded_signing_config_json().unwrap_or_default();
        Self::parse(text.as_bytes(), now)
    }

    /// Issues the certificate.
    pub fn certificate_authority(&self) -> &Url {
        &self.certificate_authority
    }

    /// Where people log in, if the configuration names one.
    pub fn identity_provider(&self) -> Option<&Url> {
        self.identity_provider.as_ref()
    }

    /// What proves the signature.
    pub fn proof(&self) -> &ProofServices {
        &self.proof
    }

    /// List the signature, each of them.
    pub fn logs(&self) -> &[Endpoint] {
        self.proof.logs()
    }

    /// Date the signature, each of them.
    pub fn timestamp_authorities(&self) -> &[Url] {
        self.proof.timestamp_authorities()
    }
}

fn read(bytes: &[u8]) -> Result<SigningConfig, ServicesError> {
    if bytes.len() > MAX_CONFIG_BYTES {
        return Err(ServicesError::TooLarge { size: bytes.len(), limit: MAX_CONFIG_BYTES });
    }
    SigningConfig::from_json(std::str::from_utf8(bytes)?)
        .map_err(|source| ServicesError::Config { source: source.into() })
}

/// The endpoints to use: of those valid now, the highest version that is spoken of each operator, and as many operators as asked for.
fn choose(
    endpoints: &[ServiceEndpoint],
    config: &ServiceConfiguration,
    versions: &[u32],
    what: &'static str,
    now: Timestamp,
) -> Result<Vec<Endpoint>, ServicesError> {
    let mut usable: Vec<&ServiceEndpoint> = endpoints
        .iter()
        .filter(|endpoint| endpoint.valid_for.contains(now) && versions.contains(&endpoint.major_api_version))
        .collect();
    // Stable: within a version the order of the document stands.
    usable.sort_by_key(|endpoint| std::cmp::Reverse(endpoint.major_api_version));
    let mut operators = BTreeSet::new();
    usable.retain(|endpoint| {
        operators.insert(endpoint.operator.clone().unwrap_or_else(|| endpoint.url.clone()))
    });
    let wanted = match (config.selector, config.count) {
        (ServiceSelector::Any, _) => usable.len().min(1),
        (ServiceSelector::All, _) => usable.len(),
        (ServiceSelector::Exact, Some(count)) if count > 0 => usize::try_from(count).unwrap_or(usize::MAX),
        _ => return Err(ServicesError::Selector { what }),
    };
    if usable.len() < wanted {
        return Err(ServicesError::TooFew { what, wanted, found: usable.len() });
    }
    let chosen = usable.into_iter().take(wanted);
    chosen
        .map(|endpoint| Ok(Endpoint { url: url(&endpoint.url)?, version: endpoint.major_api_version }))
        .collect()
}

fn url(text: &str) -> Result<Url, ServicesError> {
    text.parse().map_err(|_| ServicesError::Url { found: text.chars().take(200).collect() })
}

/// Why there are no services to sign with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServicesError {
    /// Longer than any configuration.
    #[error("signing configuration has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// Bytes found.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// Not text.
    #[error("signing configuration is not UTF-8")]
    Utf8(#[from] std::str::Utf8Error),
    /// Not a signing configuration of version 0.2.
    #[error("signing configuration is not valid, expected version 0.2")]
    Config {
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Not a URL.
    #[error("service has the address {found:?}, expected a URL")]
    Url {
        /// As written, shortened.
        found: String,
    },
    /// How many to use is not said.
    #[error(
        "signing configuration does not say how many of the kind {what} to use, expected ANY, ALL or EXACT with a count"
    )]
    Selector {
        /// The kind of service.
        what: &'static str,
    },
    /// Fewer than have to be used.
    #[error("{found} services of the kind {what} are usable now, expected {wanted}")]
    TooFew {
        /// The kind of service.
        what: &'static str,
        /// Wanted.
        wanted: usize,
        /// Found.
        found: usize,
    },
    /// A version that is not spoken.
    #[error("transparency log has interface version {found}, expected 1 or 2")]
    LogVersion {
        /// The version.
        found: u32,
    },
    /// Nothing that states a time.
    #[error(
        "nothing would prove when the signature was made: expected a timestamp authority, or a log of version 1"
    )]
    NoTime,
    /// Nothing that proves anything.
    #[error("there is neither a transparency log nor a timestamp authority to use")]
    NoProof,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str, version: u32, operator: &str, end: &str) -> serde_json::Value {
        serde_json::json!({
            "url": url, "majorApiVersion": version, "operator": operator,
            "validFor": { "start": "2020-01-01T00:00:00Z", "end": end },
        })
    }

    fn parse(rekor_config: &serde_json::Value) -> Result<SigningServices, ServicesError> {
        let later = "2030-01-01T00:00:00Z";
        let config = serde_json::json!({
            "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
            "caUrls": [endpoint("https://ca", 1, "a", later)],
            "rekorTlogUrls": [
                endpoint("https://old", 1, "a", later), endpoint("https://new", 2, "a", later),
                endpoint("https://other", 1, "b", later), endpoint("https://gone", 2, "c", "2021-01-01T00:00:00Z"),
                endpoint("https://future", 3, "d", later),
            ],
            "rekorTlogConfig": rekor_config,
            "tsaUrls": [endpoint("https://tsa", 1, "a", later)],
            "tsaConfig": { "selector": "ANY" },
        });
        SigningServices::parse(config.to_string().as_bytes(), "2026-01-01T00:00:00Z".parse().unwrap())
    }

    fn logs(services: &SigningServices) -> Vec<(&str, u32)> {
        services.logs().iter().map(|log| (log.url().host_str().unwrap(), log.version())).collect()
    }

    #[test]
    fn as_many_logs_are_chosen_as_are_asked_for_each_of_another_operator() {
        let any = parse(&serde_json::json!({ "selector": "ANY" })).unwrap();
        assert_eq!(logs(&any), [("new", 2)]);
        let all = parse(&serde_json::json!({ "selector": "ALL" })).unwrap();
        assert_eq!(logs(&all), [("new", 2), ("other", 1)]);
        let exact = parse(&serde_json::json!({ "selector": "EXACT", "count": 2 })).unwrap();
        assert_eq!(logs(&exact), logs(&all));
        let three = parse(&serde_json::json!({ "selector": "EXACT", "count": 3 }));
        assert!(matches!(three, Err(ServicesError::TooFew { wanted: 3, found: 2, .. })));
        let none = parse(&serde_json::json!({ "selector": "EXACT" }));
        assert!(matches!(none, Err(ServicesError::Selector { .. })));
    }

    #[test]
    fn a_signature_that_nothing_dates_is_refused_before_it_is_made() {
        let url = |text: &str| text.parse::<Url>().unwrap();
        let undated = SigningServices::new(url("https://ca"), vec![(url("https://log"), 2)], Vec::new());
        assert!(matches!(undated, Err(ServicesError::NoTime)));
        assert!(SigningServices::new(url("https://ca"), vec![(url("https://log"), 1)], Vec::new()).is_ok());
        let unknown = SigningServices::new(url("https://ca"), vec![(url("https://log"), 3)], Vec::new());
        assert!(matches!(unknown, Err(ServicesError::LogVersion { found: 3 })));
    }

    #[test]
    fn a_key_needs_a_log_or_an_authority_and_no_time() {
        let url = |text: &str| text.parse::<Url>().unwrap();
        let log = ProofServices::new(vec![(url("https://log"), 2)], Vec::new()).unwrap();
        assert!(!log.gives_promise());
        assert!(ProofServices::new(vec![(url("https://log"), 1)], Vec::new()).unwrap().gives_promise());
        assert!(ProofServices::new(Vec::new(), vec![url("https://tsa")]).is_ok());
        assert!(matches!(ProofServices::new(Vec::new(), Vec::new()), Err(ServicesError::NoProof)));
        let unsigned = SigningServices::new(url("https://ca"), Vec::new(), Vec::new());
        assert!(matches!(unsigned, Err(ServicesError::NoTime)));
    }

    #[test]
    fn refuses_what_is_no_configuration() {
        let parse = |bytes: &[u8]| SigningServices::parse(bytes, Timestamp::UNIX_EPOCH);
        assert!(matches!(parse(b"{"), Err(ServicesError::Config { .. })));
        assert!(matches!(parse(b"\xff"), Err(ServicesError::Utf8(_))));
        assert!(matches!(parse(&vec![b' '; MAX_CONFIG_BYTES + 1]), Err(ServicesError::TooLarge { .. })));
    }
}
