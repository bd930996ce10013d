//! The process: what it starts, and when it ends.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio_rustls::TlsAcceptor;
use touchmark_registry::RegistryOptions;
use tracing_subscriber::EnvFilter;

use crate::trust::keep_fresh;
use crate::{
    Arguments, CertificateFiles, Certificates, Limits, LogFormat, Metrics, PolicyFiles, Server, Shared,
    TrustedRoot, Watched,
};

/// Runs the server until it is told to end. Exits 0 then, and 2 when it cannot start.
pub fn run(arguments: &Arguments) -> ExitCode {
    start_log(arguments);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime");
    match runtime.and_then(|runtime| runtime.block_on(serve(arguments))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "cannot serve");
            ExitCode::from(2)
        }
    }
}

fn start_log(arguments: &Arguments) {
    let filter = EnvFilter::try_new(&arguments.log);
    let fallback = filter.is_err();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter.unwrap_or_else(|_| EnvFilter::new("info")))
        .with_writer(std::io::stderr);
    match arguments.log_format {
        LogFormat::Json => log.json().flatten_event(true).init(),
        LogFormat::Text => log.init(),
    }
    if fallback {
        tracing::warn!(filter = ?arguments.log, "log filter is not valid, using info");
    }
}

async fn serve(arguments: &Arguments) -> anyhow::Result<()> {
    // Signals first: one that comes while policies are loaded must not be lost, nor end the process roughly.
    let (end, hangups) = (watch_for_end()?, signal(SignalKind::hangup())?);
    let metrics = Arc::new(Metrics::new());
    let limits = Limits { max_reviews: usize::from(arguments.max_reviews), ..Limits::default() };
    let shared = Arc::new(Shared::new(limits, Arc::clone(&metrics)));
    let certificates = Arc::new(Certificates::default());
    let trusted_root = TrustedRoot::named(arguments)?;
    if let Some(TrustedRoot::Tuf(state)) = &trusted_root {
        keep_fresh(state.clone(), arguments).await?;
    }
    let policy_files = policy_files(arguments, trusted_root, &shared);
    let mut policy_files = Watched::new(policy_files, Arc::clone(&metrics));
    let mut certificate_files =
        Watched::new(certificate_files(arguments, &certificates, &metrics), Arc::clone(&metrics));
    certificate_files.start().await?;
    policy_files.start().await?;

    let tls = TlsAcceptor::from(Arc::new(certificates.server_config()?));
    let reviews = Server::reviews(Arc::clone(&shared), bind(arguments.listen).await?, tls);
    let plain = match arguments.metrics_listen {
        Some(address) => Some(Server::metrics(Arc::clone(&shared), bind(address).await?)),
        None => None,
    };
    let period = Duration::from_secs(arguments.reload_seconds);
    let (policy_hangup, certificate_hangup) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    tokio::spawn(pass_on(hangups, [Arc::clone(&policy_hangup), Arc::clone(&certificate_hangup)]));
    tokio::spawn(policy_files.watch(period, policy_hangup));
    tokio::spawn(certificate_files.watch(period, certificate_hangup));
    tracing::info!(listen = %arguments.listen, "serving");
    let plain_end = ended(end.clone());
    let plain = async {
        if let Some(server) = plain {
            server.serve(plain_end).await;
        }
    };
    tokio::join!(reviews.serve(ended(end)), plain);
    tracing::info!("ended");
    Ok(())
}

fn policy_files(
    arguments: &Arguments,
    trusted_root: Option<TrustedRoot>,
    shared: &Arc<Shared>,
) -> PolicyFiles {
    let registry = RegistryOptions::default();
    let registry = if arguments.allow_http { registry.dangerous_plain_http() } else { registry };
    PolicyFiles {
        policies: arguments.policy.clone(),
        registry_ca: arguments.registry_ca.clone(),
        trusted_root,
        registry,
        shared: Arc::clone(shared),
    }
}

fn certificate_files(
    arguments: &Arguments,
    certificates: &Arc<Certificates>,
    metrics: &Arc<Metrics>,
) -> CertificateFiles {
    CertificateFiles {
        chain: arguments.tls_cert.clone(),
        key: arguments.tls_key.clone(),
        certificates: Arc::clone(certificates),
        metrics: Arc::clone(metrics),
    }
}

async fn bind(address: std::net::SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

/// Passes each SIGHUP on to all who reload.
async fn pass_on(mut hangups: Signal, reloaders: [Arc<Notify>; 2]) {
    while hangups.recv().await.is_some() {
        for reloader in &reloaders {
            reloader.notify_one();
        }
    }
}

/// Becomes true at the first SIGTERM or SIGINT.
fn watch_for_end() -> anyhow::Result<watch::Receiver<bool>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("ending");
        // Nobody listens any more only when everything ended already.
        let _ = sender.send(true);
    });
    Ok(receiver)
}

async fn ended(mut end: watch::Receiver<bool>) {
    // An error means that the sender is gone, which it is after it sent.
    let _ = end.wait_for(|ended| *ended).await;
}
