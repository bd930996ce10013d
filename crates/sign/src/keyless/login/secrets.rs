//! What is made up for one login: never used twice, and never shown.

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::LoginError;
use crate::keyless::sha256;
use crate::{GenerateError, KeyKind};

/// A proof key: whoever redeems a code shows the verifier to the challenge that it was asked with (RFC 7636 §4.1, §4.2).
pub(super) struct ProofKey {
    verifier: Zeroizing<String>,
}

impl ProofKey {
    /// Of 32 octets, as RFC 7636 §4.1 recommends.
    pub(super) fn new() -> Result<Self, LoginError> {
        Ok(Self { verifier: Zeroizing::new(random_text()?) })
    }

    pub(super) fn verifier(&self) -> &str {
        &self.verifier
    }

    /// By S256.
    pub(super) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(sha256(self.verifier.as_bytes()))
    }
}

/// 32 random octets in base64url, for what nobody may guess.
pub(super) fn random_text() -> Result<String, LoginError> {
    let mut octets = [0; 32];
    SystemRandom::new().fill(&mut octets).map_err(|_| GenerateError::of(KeyKind::EcdsaP256))?;
    Ok(URL_SAFE_NO_PAD.encode(octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_the_specifications_example() {
        // RFC 7636, appendix B.
        let key =
            ProofKey { verifier: Zeroizing::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned()) };
        assert_eq!(key.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn no_two_are_alike() {
        assert_ne!(random_text().unwrap(), random_text().unwrap());
        assert_eq!(random_text().unwrap().len(), 43);
    }
}
