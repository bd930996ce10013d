//! The type that says "authentic".

use std::ops::Deref;

use crate::{Proof, Signer};

/// A claim that holds. Having one means:
///
/// 1. the signature covers exactly the bytes that the claim was read from, and checks with the signer's key;
/// 2. where a certificate signed, it chains to the trust root and was valid at every proven time, of which there is one at least;
/// 3. every log entry counted as proof is included in its log and describes this signature and payload;
/// 4. the image asked about is the claim's subject.
///
/// Only the verifier makes one. It can be read and not changed:
///
/// ```compile_fail
/// fn forge(claim: touchmark_sigstore::Claim) -> touchmark_sigstore::Verified<touchmark_sigstore::Claim> {
///     touchmark_sigstore::Verified { value: claim }
/// }
/// ```
///
/// ```compile_fail
/// fn change(claim: &mut touchmark_sigstore::Verified<Vec<u8>>) {
///     claim.push(0);
/// }
/// ```
///
/// ```compile_fail
/// fn read(text: &str) -> touchmark_sigstore::Verified<String> {
///     serde_json::from_str(text).unwrap()
/// }
/// ```
#[derive(Debug)]
pub struct Verified<T> {
    value: T,
    signer: Signer,
    proof: Proof,
}

impl<T> Verified<T> {
    /// Called in one place: where the promises were checked.
    pub(crate) fn new(value: T, signer: Signer, proof: Proof) -> Self {
        Self { value, signer, proof }
    }

    /// Who signed.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// How far that is proven.
    pub fn proof(&self) -> &Proof {
        &self.proof
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}
