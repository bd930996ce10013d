//! Whether what was verified about a file is by whom it should be, with as much proof as is asked for. Images go through policies; for files,
//! the named signers and `--require` are the whole policy.

use touchmark_policy::{NamedSigner, ProofRequirement};
use touchmark_sigstore::{Rejection, Verified};

/// Why a file's signature or attestation is not accepted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// It proves nothing.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// It is authentic, and by somebody else.
    #[error("signed by {found}, expected {}", wanted.join(" or "))]
    WrongSigner {
        /// Who signed.
        found: String,
        /// Who should have.
        wanted: Vec<String>,
    },
    /// It is by the right signer, and less is proven than asked for.
    #[error("signed by {signer}; expected {wanted}, found {found}")]
    ProofTooWeak {
        /// Who signed.
        signer: String,
        /// The proof asked for.
        wanted: String,
        /// The proof shown.
        found: String,
    },
}

/// Those of the verified that count: one at least, or the reason why none does.
pub(crate) fn accept<T>(
    verified: Result<Vec<Verified<T>>, Rejection>,
    signers: &[NamedSigner],
    proof: &ProofRequirement,
) -> Result<Vec<Verified<T>>, Refusal> {
    let mut accepted = Vec::new();
    let mut refusal = None;
    for one in verified? {
        match judge(&one, signers, proof) {
            Ok(()) => accepted.push(one),
            // The first is as good a reason as the last, but a weak proof says more than a stranger.
            Err(reason @ Refusal::ProofTooWeak { .. }) => refusal = Some(reason),
            Err(reason) => refusal = refusal.or(Some(reason)),
        }
    }
    match refusal {
        Some(reason) if accepted.is_empty() => Err(reason),
        _ => Ok(accepted),
    }
}

fn judge<T>(one: &Verified<T>, signers: &[NamedSigner], proof: &ProofRequirement) -> Result<(), Refusal> {
    if !signers.iter().any(|signer| signer.is(one.signer())) {
        let wanted = signers.iter().map(|signer| signer.name().to_owned()).collect();
        return Err(Refusal::WrongSigner { found: one.signer().to_string(), wanted });
    }
    match proof.missing(one.signer(), one.proof()).into_iter().next() {
        Some((wanted, found)) => {
            Err(Refusal::ProofTooWeak { signer: one.signer().to_string(), wanted, found })
        }
        None => Ok(()),
    }
}

/// An error with its causes, in one line.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(error.source(), |error| error.source());
    std::iter::once(error.to_string()).chain(sources.map(ToString::to_string)).collect::<Vec<_>>().join(": ")
}
