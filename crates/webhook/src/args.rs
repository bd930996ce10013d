//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Admits to a Kubernetes cluster what the policies allow, and nothing else.
#[derive(Debug, Parser)]
#[command(name = "touchmark-webhook", version, max_term_width = 110)]
pub struct Arguments {
    /// Policy file, or directory of policy files; may be given several times
    #[arg(long, required = true, value_name = "FILE", env = "TOUCHMARK_POLICY", value_delimiter = ',')]
    pub policy: Vec<PathBuf>,
    /// Certificate chain of the server, in PEM
    #[arg(long, value_name = "FILE", env = "TOUCHMARK_TLS_CERT")]
    pub tls_cert: PathBuf,
    /// Private key of the certificate, in PEM
    #[arg(long, value_name = "FILE", env = "TOUCHMARK_TLS_KEY")]
    pub tls_key: PathBuf,
    /// Address to serve on, with TLS
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8443", env = "TOUCHMARK_LISTEN")]
    pub listen: SocketAddr,
    /// Address to serve /metrics, /livez and /readyz on without TLS, beside the main one
    #[arg(long, value_name = "ADDRESS", env = "TOUCHMARK_METRICS_LISTEN")]
    pub metrics_listen: Option<SocketAddr>,
    /// How often to look whether policies or certificate changed
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600), env = "TOUCHMARK_RELOAD_SECONDS")]
    pub reload_seconds: u64,
    /// How many reviews to decide at the same time; one more is denied
    #[arg(long, value_name = "COUNT", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..), env = "TOUCHMARK_MAX_REVIEWS")]
    pub max_reviews: u16,
    /// Trust the CA certificates in this PEM file for registries, beside the system's
    #[arg(long, value_name = "FILE", env = "TOUCHMARK_REGISTRY_CA", value_delimiter = ',')]
    pub registry_ca: Vec<PathBuf>,
    /// Whose certificates, logs and timestamps to trust: a trusted_root.json, or tuf for what touchmark trust init chose in --tuf-root;
    /// without it, Sigstore's public instance as this version knows it, where a policy needs one
    #[arg(long, value_name = "FILE", env = "TOUCHMARK_TRUSTED_ROOT")]
    pub trusted_root: Option<PathBuf>,
    /// Where touchmark trust init keeps the TUF repository, and where the webhook keeps what is newest of it
    #[arg(long, value_name = "DIRECTORY", env = "TOUCHMARK_TUF_ROOT")]
    pub tuf_root: Option<PathBuf>,
    /// Speak plain HTTP to registries that are not on this machine
    #[arg(long, env = "TOUCHMARK_ALLOW_HTTP")]
    pub allow_http: bool,
    /// How to write the log
    #[arg(long, value_enum, default_value = "json", env = "TOUCHMARK_LOG_FORMAT")]
    pub log_format: LogFormat,
    /// What to log, such as info or touchmark_webhook=debug
    #[arg(long, value_name = "FILTER", default_value = "info", env = "TOUCHMARK_LOG")]
    pub log: String,
}

/// How to write the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object per line
    Json,
    /// For people
    Text,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        use clap::CommandFactory as _;
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_policy_and_a_certificate_are_needed() {
        let parse =
            |arguments: &[&str]| Arguments::try_parse_from([&["touchmark-webhook"], arguments].concat());
        let tls = ["--tls-cert", "c", "--tls-key", "k"];
        assert!(parse(&tls).is_err());
        assert!(parse(&["--policy", "p"]).is_err());
        let arguments = parse(&[&tls[..], &["--policy", "a", "--policy", "b"]].concat()).unwrap();
        assert_eq!(arguments.policy.len(), 2);
        assert_eq!(arguments.listen.to_string(), "0.0.0.0:8443");
    }
}
