//! Reviews decided on by policies from files, with evidence from a registry.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use touchmark_oci::{Content, ImageManifest, PinnedRef, media_type};
use touchmark_registry::{ImageStore as _, RegistryOptions, Stores};
use touchmark_sign::{KeyKind, PrivateKey, Signer, sign_image};
use touchmark_sigstore::storage::store_bundle;
use touchmark_testkit::{FakeRegistry, Fault};
use touchmark_webhook::{Limits, PolicyFiles, Reloaded, Watched};

use crate::harness::{Running, create, message, pod};

/// A registry with images, a policy directory, and a server that decides by it.
struct Cluster {
    registry: FakeRegistry,
    stores: Stores,
    release: Signer,
    policies: tempfile::TempDir,
    watched: Watched<PolicyFiles>,
    server: Running,
}

impl Cluster {
    async fn start() -> Self {
        let registry = FakeRegistry::start().await;
        let stores = Stores::new(RegistryOptions::default()).unwrap();
        let release = signer();
        let policies = tempfile::tempdir().unwrap();
        write_policy(policies.path(), &format!("{}/acme/**", registry.host()));
        write_key(policies.path(), &release);
        let server = Running::start(Limits::default()).await;
        let files = PolicyFiles {
            policies: vec![policies.path().to_owned()],
            registry_ca: Vec::new(),
            trusted_root: None,
            registry: RegistryOptions::default(),
            shared: Arc::clone(&server.shared),
        };
        let mut watched = Watched::new(files, Arc::clone(&server.metrics));
        watched.start().await.unwrap();
        Self { registry, stores, release, policies, watched, server }
    }

    /// Pushes an image that is like no other.
    async fn push(&self, name: &str) -> PinnedRef {
        let repository = self.registry.name(&format!("acme/{name}"));
        let config = Content::new(media_type::OCI_CONFIG, format!(r#"{{"name":"{name}"}}"#).into_bytes());
        self.stores.push_blob(&repository, &config).await.unwrap();
        let manifest = ImageManifest::new(config.descriptor().clone(), Vec::new()).to_content();
        self.stores.push_manifest(&repository, &manifest, None).await.unwrap();
        repository.pin(manifest.digest().clone())
    }

    async fn sign(&self, image: &PinnedRef, signer: &Signer) {
        let bundle = sign_image(signer, image, &BTreeMap::new()).unwrap();
        let subject = self.stores.fetch_manifest(image).await.unwrap();
        let stored =
            store_bundle(bundle, subject.descriptor(), None, &touchmark_sigstore::Limits::default()).unwrap();
        for blob in &stored.blobs {
            self.stores.push_blob(image.name(), blob).await.unwrap();
        }
        self.stores.push_manifest(image.name(), &stored.manifest, None).await.unwrap();
    }

    async fn ask(&self, image: impl ToString) -> Value {
        self.server.ask(&create(&pod(&[&image.to_string()]))).await
    }

    async fn allows(&self, image: impl ToString) -> bool {
        self.ask(image).await["response"]["allowed"] == true
    }
}

fn signer() -> Signer {
    Signer::Key(PrivateKey::generate(KeyKind::EcdsaP256).unwrap())
}

fn write_key(directory: &Path, signer: &Signer) {
    std::fs::write(directory.join("release.pub"), signer.public_key().to_pem()).unwrap();
}

fn write_policy(directory: &Path, glob: &str) {
    let text = format!(
        "apiVersion: touchmark.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {{name: release}}\nspec:\n  images: [{{glob: \"{glob}\"}}]\n  \
         signers: [{{name: release, key: {{file: release.pub}}}}]\n  require:\n    - {{name: signed, signature: {{by: [release]}}}}\n"
    );
    std::fs::write(directory.join("policy.yaml"), text).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_release_key_signed_is_admitted_and_nothing_else() {
    let cluster = Cluster::start().await;
    let (signed, unsigned, other) =
        (cluster.push("signed").await, cluster.push("unsigned").await, cluster.push("other").await);
    cluster.sign(&signed, &cluster.release).await;
    cluster.sign(&other, &signer()).await;
    assert!(cluster.allows(&signed).await);
    let answer = cluster.ask(&unsigned).await;
    assert_eq!(answer["response"]["allowed"], false);
    assert_eq!(answer["response"]["auditAnnotations"]["reasons"], "signature-missing", "{answer}");
    let answer = cluster.ask(&other).await;
    assert_eq!(answer["response"]["auditAnnotations"]["reasons"], "signature-wrong-key", "{answer}");
    // The signature is about one digest; its name helps no other.
    let swapped = signed.name().pin(unsigned.digest().clone());
    assert!(!cluster.allows(&swapped).await);
    // No policy is about this name.
    let elsewhere = format!("{}/elsewhere/signed@{}", cluster.registry.host(), signed.digest());
    assert!(!cluster.allows(elsewhere).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_is_refused_without_asking_the_registry() {
    let cluster = Cluster::start().await;
    let signed = cluster.push("signed").await;
    cluster.sign(&signed, &cluster.release).await;
    cluster.registry.forget_requests();
    let answer = cluster.ask(format!("{}:v1", signed.name())).await;
    assert!(message(&answer).contains("image must be pinned by digest"), "{answer}");
    assert_eq!(cluster.registry.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_signed_by_now_is_admitted_at_the_next_try() {
    let cluster = Cluster::start().await;
    let image = cluster.push("late").await;
    assert!(!cluster.allows(&image).await);
    cluster.sign(&image, &cluster.release).await;
    // A policy that is loaded anew begins without evidence; waiting for it to age is another test's business.
    let mut cluster = cluster;
    assert_eq!(cluster.watched.look(true).await, Reloaded::Applied);
    assert!(cluster.allows(&image).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_refuses_is_no_denial_by_policy_and_no_permission() {
    let cluster = Cluster::start().await;
    let signed = cluster.push("signed").await;
    cluster.sign(&signed, &cluster.release).await;
    cluster.registry.set(|knobs| knobs.faults = vec![Fault::always("/v2/", 403)]);
    let answer = cluster.ask(&signed).await;
    assert_eq!(answer["response"]["allowed"], false);
    assert!(message(&answer).contains("could not decide"), "{answer}");
    assert_eq!(answer["response"]["auditAnnotations"]["outcome"], "undecided");
    // And it was not remembered.
    cluster.registry.set(|knobs| knobs.faults.clear());
    assert!(cluster.allows(&signed).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_hangs_is_answered_for_before_the_deadline() {
    let cluster = Cluster::start().await;
    let signed = cluster.push("signed").await;
    cluster.sign(&signed, &cluster.release).await;
    cluster.registry.set(|knobs| knobs.delay = Duration::from_secs(3600));
    let begun = Instant::now();
    let body = create(&pod(&[&signed.to_string()])).to_string();
    let (_, answer) = cluster.server.post("/validate?timeout=1s", body).await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert!(message(&answer).contains("could not decide in time"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_in_the_same_file_is_in_force_at_the_next_look() {
    let mut cluster = Cluster::start().await;
    let (old, new) = (cluster.push("old").await, cluster.push("new").await);
    let next = signer();
    cluster.sign(&old, &cluster.release).await;
    cluster.sign(&new, &next).await;
    assert_eq!(cluster.watched.look(false).await, Reloaded::Unchanged);
    assert!(cluster.allows(&old).await && !cluster.allows(&new).await);
    write_key(cluster.policies.path(), &next);
    assert_eq!(cluster.watched.look(false).await, Reloaded::Applied);
    assert!(!cluster.allows(&old).await && cluster.allows(&new).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_cannot_be_used_changes_nothing_and_is_counted_once() {
    let mut cluster = Cluster::start().await;
    let (signed, unsigned) = (cluster.push("signed").await, cluster.push("unsigned").await);
    cluster.sign(&signed, &cluster.release).await;
    let policy = cluster.policies.path().join("policy.yaml");
    let good = std::fs::read(&policy).unwrap();
    for broken in ["", "kind: ImagePolicy", "spec: [", "\u{0}"] {
        std::fs::write(&policy, broken).unwrap();
        assert_eq!(cluster.watched.look(false).await, Reloaded::Kept, "{broken:?}");
        assert_eq!(cluster.watched.look(false).await, Reloaded::Kept, "{broken:?}");
    }
    std::fs::remove_file(&policy).unwrap();
    assert_eq!(cluster.watched.look(false).await, Reloaded::Kept);
    assert!(cluster.allows(&signed).await && !cluster.allows(&unsigned).await);
    assert_eq!(cluster.server.read("/readyz").await.0, 200);
    let text = cluster.server.metrics.text();
    assert!(text.contains(r#"reloads_total{what="policy",result="failed"} 5"#), "{text}");
    std::fs::write(&policy, good).unwrap();
    assert_eq!(cluster.watched.look(false).await, Reloaded::Unchanged);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_by_renaming_a_link_is_seen() {
    use std::os::unix::fs::symlink;
    let cluster = Cluster::start().await;
    let image = cluster.push("signed").await;
    cluster.sign(&image, &cluster.release).await;
    // As the kubelet mounts a config map: the files are links through `..data`, which is renamed over.
    let mount = tempfile::tempdir().unwrap();
    let version = |name: &str, glob: &str| {
        let directory = mount.path().join(name);
        std::fs::create_dir(&directory).unwrap();
        write_policy(&directory, glob);
        write_key(&directory, &cluster.release);
        symlink(name, mount.path().join("..new")).unwrap();
        std::fs::rename(mount.path().join("..new"), mount.path().join("..data")).unwrap();
    };
    version("..1", "nowhere.test/**");
    for file in ["policy.yaml", "release.pub"] {
        symlink(Path::new("..data").join(file), mount.path().join(file)).unwrap();
    }
    let files = PolicyFiles {
        policies: vec![mount.path().to_owned()],
        registry_ca: Vec::new(),
        trusted_root: None,
        registry: RegistryOptions::default(),
        shared: Arc::clone(&cluster.server.shared),
    };
    let mut watched = Watched::new(files, Arc::clone(&cluster.server.metrics));
    watched.start().await.unwrap();
    assert!(!cluster.allows(&image).await);
    version("..2", &format!("{}/**", cluster.registry.host()));
    assert_eq!(watched.look(false).await, Reloaded::Applied);
    assert!(cluster.allows(&image).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_does_not_start_without_a_usable_policy() {
    let server = Running::start(Limits::default()).await;
    let empty = tempfile::tempdir().unwrap();
    let files = PolicyFiles {
        policies: vec![empty.path().to_owned()],
        registry_ca: Vec::new(),
        trusted_root: None,
        registry: RegistryOptions::default(),
        shared: Arc::clone(&server.shared),
    };
    let error = Watched::new(files, Arc::clone(&server.metrics)).start().await.unwrap_err();
    assert!(error.to_string().contains("no policy is in"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evidence_that_came_too_late_is_there_at_the_next_try() {
    let cluster = Cluster::start().await;
    let signed = cluster.push("signed").await;
    cluster.sign(&signed, &cluster.release).await;
    cluster.registry.forget_requests();
    cluster.registry.set(|knobs| knobs.delay = Duration::from_millis(400));
    let body = create(&pod(&[&signed.to_string()])).to_string();
    let (_, answer) = cluster.server.post("/validate?timeout=600ms", body).await;
    assert!(answer.contains("could not decide in time"), "{answer}");
    assert!(cluster.allows(&signed).await);
    // The second request waited for what the first one had begun.
    assert_eq!(cluster.registry.count("GET", "/referrers/"), 1);
}
