//! Policies and certificates that change while the server runs.
//!
//! Files are read again every few seconds and compared by what they say. Watching for file events would miss what Kubernetes does to a
//! mounted Secret or ConfigMap: it renames a link (`..data`) that the files' own paths only lead through. What cannot be
//! loaded changes nothing: the old stays in force, and the failure is logged once and counted.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use jiff::Timestamp;
use rustls::sign::CertifiedKey;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};
use touchmark_oci::Digest;
use touchmark_policy::PolicySet;
use touchmark_registry::{RegistryOptions, Stores};
use touchmark_sigstore::TrustRoot;
use touchmark_verify::{CacheLimits, GatherLimits, ImageVerifier, load_policies};

use crate::metrics::Metrics;
use crate::server::Shared;
use crate::{Certificates, TrustedRoot, tls};

/// Something that is read from files and put in force.
pub trait Source: Send + Sync {
    /// What is read.
    type Read: Send;

    /// A word for logs and metrics.
    fn what(&self) -> &'static str;

    /// Reads and checks the files, and says by a digest what is in them. Blocks.
    ///
    /// # Errors
    /// Whatever is wrong with the files.
    fn read(&self) -> anyhow::Result<(Digest, Self::Read)>;

    /// Puts in force what was read. Blocks.
    ///
    /// # Errors
    /// Whatever keeps it from being used. Nothing changes then.
    fn apply(&self, read: Self::Read) -> anyhow::Result<()>;
}

/// What a look at the files led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reloaded {
    /// They say what is in force.
    Unchanged,
    /// They were put in force.
    Applied,
    /// They cannot be used; the old stays in force.
    Kept,
}

/// A source, and what of it is in force.
pub struct Watched<S> {
    source: Arc<S>,
    metrics: Arc<Metrics>,
    in_force: Option<Digest>,
    last_failure: Option<String>,
}

impl<S: Source + 'static> Watched<S> {
    /// Watches a source, of which nothing is in force yet.
    pub fn new(source: S, metrics: Arc<Metrics>) -> Self {
        Self { source: Arc::new(source), metrics, in_force: None, last_failure: None }
    }

    /// Loads the source for the first time.
    ///
    /// # Errors
    /// Whatever is wrong with it: there is nothing older to keep.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        self.load(true).await.map(drop)
    }

    /// Looks whether the files changed, and puts them in force if they did; `forced`, also if they did not.
    pub async fn look(&mut self, forced: bool) -> Reloaded {
        match self.load(forced).await {
            Ok(reloaded) => reloaded,
            Err(error) => {
                self.keep(&format!("{error:#}"), forced);
                Reloaded::Kept
            }
        }
    }

    async fn load(&mut self, forced: bool) -> anyhow::Result<Reloaded> {
        let source = Arc::clone(&self.source);
        let in_force = self.in_force.clone().filter(|_| !forced);
        let load = move || {
            let (digest, read) = source.read()?;
            let changed = in_force.as_ref() != Some(&digest);
            if changed {
                source.apply(read)?;
            }
            anyhow::Ok(changed.then_some(digest))
        };
        let changed = tokio::task::spawn_blocking(load).await.context("loading ended unexpectedly")??;
        self.last_failure = None;
        let Some(digest) = changed else {
            return Ok(Reloaded::Unchanged);
        };
        tracing::info!(what = self.source.what(), %digest, "loaded");
        self.in_force = Some(digest);
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.metrics.reloaded(self.source.what(), Ok(since_epoch));
        Ok(Reloaded::Applied)
    }

    fn keep(&mut self, failure: &str, forced: bool) {
        // Files that stay broken are looked at again and again, and complained about once.
        if forced || self.last_failure.as_deref() != Some(failure) {
            tracing::error!(
                what = self.source.what(),
                error = failure,
                "not loaded; what was in force stays"
            );
            self.metrics.reloaded(self.source.what(), Err(()));
        }
        self.last_failure = Some(failure.to_owned());
    }

    /// Looks every `period`, and when `hangup` is notified. Never ends.
    pub async fn watch(mut self, period: Duration, hangup: Arc<Notify>) {
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        loop {
            let forced = tokio::select! {
                _ = ticks.tick() => false,
                () = hangup.notified() => true,
            };
            self.look(forced).await;
        }
    }
}

/// The policies, the keys that they name, and the registries' certificate authorities: all that an image verifier is made of.
pub struct PolicyFiles {
    /// Policy files, or directories of them.
    pub policies: Vec<PathBuf>,
    /// Certificate authorities for registries, in PEM.
    pub registry_ca: Vec<PathBuf>,
    /// Where the trust root is; without it, the public good instance where a policy needs one.
    pub trusted_root: Option<TrustedRoot>,
    /// How registries are spoken to.
    pub registry: RegistryOptions,
    /// Where the verifier is used.
    pub shared: Arc<Shared>,
}

impl Source for PolicyFiles {
    type Read = (PolicySet, Vec<Vec<u8>>, Option<Arc<TrustRoot>>);

    fn what(&self) -> &'static str {
        "policy"
    }

    fn read(&self) -> anyhow::Result<(Digest, Self::Read)> {
        let policies = PolicySet::new(load_policies(&self.policies, &touchmark_policy::Limits::default())?)?;
        let roots = self.registry_ca.iter().map(|path| read(path)).collect::<anyhow::Result<Vec<_>>>()?;
        // The derived form lists every member of every policy, and each key by its digest: it changes when they do, whichever
        // file they come from.
        let trust_root = self.trust_root(&policies)?;
        let told = format!("{policies:?} {roots:?} {trust_root:?}");
        Ok((Digest::of(told.as_bytes()), (policies, roots, trust_root)))
    }

    fn apply(&self, (policies, roots, trust_root): Self::Read) -> anyhow::Result<()> {
        for policy in policies.policies() {
            for lint in policy.lints() {
                tracing::warn!(policy = policy.name(), "{lint}");
            }
        }
        let mut registry = self.registry.clone();
        registry.http.extra_roots.extend(roots);
        let verifier = ImageVerifier::new(Stores::new(registry)?, policies, GatherLimits::default())
            .with_trust_root(trust_root);
        self.shared.decide_by(Arc::new(verifier.with_cache(&CacheLimits::default())));
        Ok(())
    }
}

impl PolicyFiles {
    fn trust_root(&self, policies: &PolicySet) -> anyhow::Result<Option<Arc<TrustRoot>>> {
        let root = match &self.trusted_root {
            Some(place) => place.read(Timestamp::now())?,
            None if policies.needs_trust_root() => TrustRoot::public_good()?,
            None => return Ok(None),
        };
        Ok(Some(Arc::new(root)))
    }
}

/// The server's certificate and its key.
pub struct CertificateFiles {
    /// The chain, in PEM.
    pub chain: PathBuf,
    /// The key, in PEM.
    pub key: PathBuf,
    /// Where the certificate is used.
    pub certificates: Arc<Certificates>,
    /// Where its expiry is shown.
    pub metrics: Arc<Metrics>,
}

impl Source for CertificateFiles {
    type Read = CertifiedKey;

    fn what(&self) -> &'static str {
        "certificate"
    }

    fn read(&self) -> anyhow::Result<(Digest, CertifiedKey)> {
        let (chain, key) = (read(&self.chain)?, read(&self.key)?);
        let context = || format!("certificate {} with key {}", self.chain.display(), self.key.display());
        let certificate = tls::certified_key(&chain, &key).with_context(context)?;
        Ok((Digest::of(&[chain, key].concat()), certificate))
    }

    fn apply(&self, certificate: CertifiedKey) -> anyhow::Result<()> {
        let expiry = tls::expiry(&certificate)?;
        self.certificates.replace(certificate);
        self.metrics.certificate_expires(expiry);
        Ok(())
    }
}

/// A file of which nobody expects much.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    const MAX_BYTES: u64 = 1 << 20;
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let size = file.take(MAX_BYTES + 1).read_to_end(&mut bytes);
    let size = size.with_context(|| format!("cannot read {}", path.display()))?;
    anyhow::ensure!(size as u64 <= MAX_BYTES, "{} has more than {MAX_BYTES} bytes", path.display());
    Ok(bytes)
}
