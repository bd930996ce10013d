//! A registry with an image in it, and somebody who signs.

use std::collections::BTreeMap;

use touchmark_attestation::{ResourceDescriptor, Statement};
use touchmark_oci::{Content, Descriptor, ImageManifest, PinnedRef, media_type};
use touchmark_policy::{NamedSigner, Policy, PolicySet};
use touchmark_registry::{ImageStore as _, RegistryOptions, RetryPolicy, Stores, TagChange};
use touchmark_sign::{KeyKind, PrivateKey, Signer, sign_image, sign_legacy, sign_statement};
use touchmark_sigstore::Limits;
use touchmark_sigstore::storage::{append_layer, legacy_tags, store_bundle};
use touchmark_testkit::{FakeRegistry, Knobs};
use touchmark_verify::{GatherLimits, ImageVerifier};

/// A registry with one image.
pub(crate) struct Stage {
    pub(crate) registry: FakeRegistry,
    pub(crate) stores: Stores,
    pub(crate) image: PinnedRef,
    subject: Content,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(Knobs::default()).await
    }

    pub(crate) async fn with(knobs: Knobs) -> Self {
        let registry = FakeRegistry::start_with(knobs).await;
        let name = registry.name("acme/app");
        let stores = stores();
        let config = Content::new(media_type::OCI_CONFIG, b"{}".to_vec());
        stores.push_blob(&name, &config).await.unwrap();
        let subject = ImageManifest::new(config.descriptor().clone(), Vec::new()).to_content();
        stores.push_manifest(&name, &subject, Some(&"v1".parse().unwrap())).await.unwrap();
        let image = name.pin(subject.digest().clone());
        Self { registry, stores, image, subject }
    }

    /// Attaches a signature, as a bundle.
    pub(crate) async fn sign(&self, signer: &Signer) {
        self.attach(sign_image(signer, &self.image, &BTreeMap::new()).unwrap()).await;
    }

    /// Attaches a signature, as cosign 2 does.
    pub(crate) async fn sign_legacy(&self, signer: &Signer) {
        let layer = sign_legacy(signer, &self.image, &BTreeMap::new()).unwrap();
        let tag = legacy_tags(self.image.digest()).unwrap().signatures;
        let change = |existing: Option<&Content>| {
            let stored = append_layer(existing, &layer, &Limits::default()).unwrap();
            Ok(TagChange { manifest: stored.manifest, blobs: stored.blobs })
        };
        self.stores.update_tag(self.image.name(), &tag, &change).await.unwrap();
    }

    /// Attaches a statement, as a bundle.
    pub(crate) async fn attest(&self, signer: &Signer, predicate_type: &str) {
        let subject = ResourceDescriptor::of(self.image.digest());
        let statement = Statement::new(vec![subject], predicate_type, serde_json::json!({}));
        self.attach(sign_statement(signer, &statement).unwrap()).await;
    }

    /// Attaches a bundle of any content.
    pub(crate) async fn attach(&self, bundle: Vec<u8>) {
        let stored = store_bundle(bundle, self.subject.descriptor(), None, &Limits::default()).unwrap();
        for blob in &stored.blobs {
            self.stores.push_blob(self.image.name(), blob).await.unwrap();
        }
        self.stores.push_manifest(self.image.name(), &stored.manifest, None).await.unwrap();
    }

    /// Attaches a manifest whose only layer nobody ever pushed, as a registry may have it after a clean-up.
    pub(crate) fn attach_dangling(&self) {
        let layer = Descriptor::of(touchmark_sigstore::BUNDLE_V03, b"never pushed");
        let config = Descriptor::of(media_type::OCI_EMPTY, b"{}");
        let mut manifest = ImageManifest::new(config, vec![layer]);
        manifest.subject = Some(self.subject.descriptor().clone());
        let manifest = manifest.to_content();
        self.registry.put_manifest("acme/app", None, manifest.media_type(), manifest.bytes());
    }

    /// Attaches a bundle the way a registry that lists by itself has it, with no fallback tag.
    pub(crate) fn attach_unlisted(&self, bundle: Vec<u8>) {
        let stored = store_bundle(bundle, self.subject.descriptor(), None, &Limits::default()).unwrap();
        for blob in &stored.blobs {
            self.registry.put_blob("acme/app", blob.bytes());
        }
        let manifest = stored.manifest;
        self.registry.put_manifest("acme/app", None, manifest.media_type(), manifest.bytes());
    }

    /// A verifier that wants a signature by `signer`.
    pub(crate) fn verifier(&self, signer: &Signer) -> ImageVerifier<Stores> {
        self.verifier_within(signer, GatherLimits::default())
    }

    pub(crate) fn verifier_within(&self, signer: &Signer, limits: GatherLimits) -> ImageVerifier<Stores> {
        ImageVerifier::new(self.stores.clone(), PolicySet::new(vec![signed_by(signer)]).unwrap(), limits)
    }

    /// A verifier that wants a signature by each.
    pub(crate) fn verifier_of_both(&self, one: &Signer, other: &Signer) -> ImageVerifier<Stores> {
        let text = "apiVersion: touchmark.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: both}\nspec:\n  images: [{glob: \"**\"}]\n  \
                    signers: [{name: one, key: {file: one}}, {name: other, key: {file: other}}]\n  \
                    require: [{name: signed, signature: {by: [one, other], atLeast: 2}}]\n";
        let limits = touchmark_policy::Limits::default();
        let document = touchmark_policy::PolicyDocument::parse(text, "both.yaml", &limits).unwrap();
        let key_of = |file: &str| Ok(if file == "one" { one } else { other }.public_key().to_pem());
        let policy = document.check(&key_of, &limits).unwrap();
        ImageVerifier::new(
            self.stores.clone(),
            PolicySet::new(vec![policy]).unwrap(),
            GatherLimits::default(),
        )
    }

    /// A verifier in another process: it knows nothing of the registry.
    pub(crate) fn stranger(&self, signer: &Signer) -> ImageVerifier<Stores> {
        self.stranger_by(signed_by(signer))
    }

    pub(crate) fn stranger_by(&self, policy: Policy) -> ImageVerifier<Stores> {
        ImageVerifier::new(stores(), PolicySet::new(vec![policy]).unwrap(), GatherLimits::default())
    }
}

fn signed_by(signer: &Signer) -> Policy {
    Policy::signed_by(vec![NamedSigner::of_key(signer.public_key().clone())], BTreeMap::new())
}

fn stores() -> Stores {
    let mut options = RegistryOptions {
        credentials: touchmark_registry::CredentialSource::Anonymous,
        ..RegistryOptions::default()
    };
    // Nobody else writes to the stage's registries.
    options.limits.tag_settle_delay = std::time::Duration::from_millis(1);
    options.http.retry = RetryPolicy { max_attempts: 1, ..RetryPolicy::default() };
    Stores::new(options).unwrap()
}

pub(crate) fn signer() -> Signer {
    PrivateKey::generate(KeyKind::EcdsaP256).unwrap().into()
}
