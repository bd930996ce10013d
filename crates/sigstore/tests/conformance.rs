//! The public Sigstore conformance suite's verification cases (testdata/conformance/sigstore), each by file and by digest.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use touchmark_oci::Digest;
use touchmark_sigstore::{
    Artifact, BlobSignature, BundleContent, Inclusion, Limits, PublicKey, Signer, TrustRoot, Verified,
    Verifier,
};

const IDENTITY: &str = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
const ISSUER: &str = "https://token.actions.githubusercontent.com";

/// As many as the suite has.
const CASES: usize = 70;

fn suite() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/conformance/sigstore/bundle-verify")
}

fn text(path: &Path) -> Option<String> {
    Some(String::from_utf8(std::fs::read(path).ok()?).unwrap().trim().to_owned())
}

/// Who signed, and whether a log has it: what the suite asks for.
fn signed_by<T>(verified: &[Verified<T>], keyed: bool, identity: &str, issuer: &str) -> Result<(), String> {
    let proven = |one: &&Verified<T>| match one.signer() {
        Signer::Key(_) => keyed,
        Signer::Certificate(holder) => {
            holder.subject().as_str() == identity
                && holder.issuer() == Some(issuer)
                && one.proof().logs(Inclusion::Promised) > 0
        }
        _ => false,
    };
    verified.iter().find(proven).map(|_| ()).ok_or_else(|| "signed by somebody else".to_owned())
}

fn verify(case: &Path, by_digest: bool) -> Result<(), String> {
    let limits = Limits::default();
    let artifact_file = Some(case.join("artifact")).filter(|file| file.exists());
    let bytes = std::fs::read(artifact_file.unwrap_or_else(|| suite().join("a.txt"))).unwrap();
    let digest = Digest::of(&bytes);
    let identity = text(&case.join("identity")).unwrap_or_else(|| IDENTITY.to_owned());
    let issuer = text(&case.join("issuer")).unwrap_or_else(|| ISSUER.to_owned());
    let key = text(&case.join("key.pub")).map(|pem| pem.parse::<PublicKey>()).transpose();
    let keys: Vec<PublicKey> = key.map_err(|error| format!("{error:?}"))?.into_iter().collect();
    let trust_root = match std::fs::read(case.join("trusted_root.json")) {
        Ok(json) => TrustRoot::parse(&json, &limits).map_err(|error| error.to_string())?,
        Err(_) => TrustRoot::public_good().unwrap(),
    };
    let keyed = !keys.is_empty();
    let verifier = Verifier::new(keys, limits.clone()).with_trust_root(Arc::new(trust_root));
    let bundle = std::fs::read(case.join("bundle.sigstore.json")).unwrap();
    let signature = BlobSignature::parse(&bundle, &limits).map_err(|error| error.to_string())?;
    let rejected = |rejection| format!("{rejection:?}");
    match &signature {
        BlobSignature::Bundle(bundle) if matches!(bundle.content(), BundleContent::Envelope(_)) => {
            let verified = verifier.verify_blob_attestation(&digest, bundle).map_err(rejected)?;
            signed_by(&verified, keyed, &identity, &issuer)
        }
        _ => {
            let artifact = if by_digest { Artifact::Digest(&digest) } else { Artifact::Bytes(&bytes) };
            let verified = verifier.verify_blob(artifact, &signature).map_err(rejected)?;
            signed_by(&verified, keyed, &identity, &issuer)
        }
    }
}

#[test]
fn every_case_of_the_suite_is_decided_as_the_suite_says() {
    let mut cases = 0;
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(suite()).unwrap() {
        let case = entry.unwrap().path();
        if !case.is_dir() {
            continue;
        }
        cases += 1;
        let must_fail = case.file_name().unwrap().to_string_lossy().ends_with("_fail");
        for by_digest in [false, true] {
            let result = verify(&case, by_digest);
            if result.is_err() != must_fail {
                wrong.push(format!("{} (by digest: {by_digest}): {result:?}", case.display()));
            }
        }
    }
    assert_eq!((cases, wrong), (CASES, Vec::new()));
}
