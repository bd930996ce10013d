//! How much of a verification is spent in signature algorithms, which nothing can save: for bundles of each kind, the processor time
//! of a whole verification from bytes to claim, and that of the signature operations in it, counted while it runs and then
//! repeated alone. `benches/verify-in-process` runs it.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program for developers")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use sigstore_crypto::{CryptoProvider, HashContext, Result, SigningScheme, aws_lc_provider};
use sigstore_types::HashAlgorithm;
use touchmark_oci::Digest;
use touchmark_sigstore::{Artifact, BlobSignature, BundleContent, Limits, TrustRoot, Verifier};

/// One signature operation: scheme, key, what is signed, signature, and whether the second last is a digest.
type Operation = (SigningScheme, Vec<u8>, Vec<u8>, Vec<u8>, bool);

/// aws-lc-rs, writing down what it is asked to verify.
#[derive(Debug, Default)]
struct Counting {
    seen: Mutex<Option<Vec<Operation>>>,
}

impl Counting {
    fn note(&self, scheme: SigningScheme, key: &[u8], data: &[u8], signature: &[u8], is_digest: bool) {
        if let Some(seen) = self.seen.lock().unwrap().as_mut() {
            seen.push((scheme, key.to_vec(), data.to_vec(), signature.to_vec(), is_digest));
        }
    }
}

impl CryptoProvider for Counting {
    fn hash(&self, algorithm: HashAlgorithm) -> Result<Box<dyn HashContext>> {
        aws_lc_provider().hash(algorithm)
    }

    fn sha256(&self, data: &[u8]) -> [u8; 32] {
        aws_lc_provider().sha256(data)
    }

    fn verify_raw(&self, scheme: SigningScheme, key: &[u8], data: &[u8], signature: &[u8]) -> Result<()> {
        self.note(scheme, key, data, signature, false);
        aws_lc_provider().verify_raw(scheme, key, data, signature)
    }

    fn verify_prehashed(
        &self,
        scheme: SigningScheme,
        key: &[u8],
        digest: &[u8],
        signature: &[u8],
    ) -> Result<()> {
        self.note(scheme, key, digest, signature, true);
        aws_lc_provider().verify_prehashed(scheme, key, digest, signature)
    }
}

/// Processor time of this thread so far, in nanoseconds (`/proc/thread-self/schedstat`, Linux).
fn processor_time() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

/// Microseconds of one run: the best of several rounds, since others use the machine too.
fn cost(mut run: impl FnMut()) -> f64 {
    const ROUNDS: usize = 7;
    const RUNS: u64 = 300;
    let round = |_| {
        let start = processor_time();
        (0..RUNS).for_each(|_| run());
        (processor_time() - start) / RUNS
    };
    (0..ROUNDS).map(round).min().unwrap() as f64 / 1000.0
}

fn repeat(operations: &[Operation]) {
    for (scheme, key, data, signature, is_digest) in operations {
        let provider = aws_lc_provider();
        let result = match is_digest {
            true => provider.verify_prehashed(*scheme, key, data, signature),
            false => provider.verify_raw(*scheme, key, data, signature),
        };
        std::hint::black_box(result.is_ok());
    }
}

fn main() {
    let counting: &'static Counting = Box::leak(Box::default());
    sigstore_crypto::install_default_provider(counting).unwrap();
    let suite =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/conformance/sigstore/bundle-verify");
    let limits = Limits::default();
    println!("{:<28} {:>9} {:>12} {:>12} {:>8}", "bundle", "whole, µs", "operations", "alone, µs", "share");
    for case in
        ["happy-path-v0.3", "happy-path-intoto-in-dsse-v3", "rekor2-happy-path", "rekor2-dsse-happy-path"]
    {
        let trust_root = match std::fs::read(suite.join(case).join("trusted_root.json")) {
            Ok(json) => TrustRoot::parse(&json, &limits).unwrap(),
            Err(_) => TrustRoot::public_good().unwrap(),
        };
        let verifier = Verifier::new(Vec::new(), limits.clone()).with_trust_root(Arc::new(trust_root));
        let own = suite.join(case).join("artifact");
        let file = if own.exists() { own } else { suite.join("a.txt") };
        let artifact = Digest::of(&std::fs::read(file).unwrap());
        let bytes = std::fs::read(suite.join(case).join("bundle.sigstore.json")).unwrap();
        let verify = || {
            let signature = BlobSignature::parse(&bytes, &limits).unwrap();
            let claims = match &signature {
                BlobSignature::Bundle(bundle) if matches!(bundle.content(), BundleContent::Envelope(_)) => {
                    verifier.verify_blob_attestation(&artifact, bundle).unwrap().len()
                }
                _ => verifier.verify_blob(Artifact::Digest(&artifact), &signature).unwrap().len(),
            };
            assert_eq!(claims, 1);
        };
        *counting.seen.lock().unwrap() = Some(Vec::new());
        verify();
        let operations = counting.seen.lock().unwrap().take().unwrap();
        let (whole, alone) = (cost(verify), cost(|| repeat(&operations)));
        let mut kinds = BTreeMap::new();
        for operation in &operations {
            *kinds.entry(format!("{:?}", operation.0)).or_insert(0) += 1;
        }
        println!(
            "{case:<28} {whole:>9.0} {:>12} {alone:>12.0} {:>7.1}%",
            operations.len(),
            100.0 * alone / whole
        );
        let mut distinct = operations.clone();
        distinct.sort_by(|a, b| (&a.1, &a.2, &a.3).cmp(&(&b.1, &b.2, &b.3)));
        distinct.dedup();
        println!("    {kinds:?}, {} of them distinct", distinct.len());
    }
}
