//! What services answer, as it is read when something is signed: for answers that were recorded. Performs no I/O.

use sigstore_types::KindVersion;
use touchmark_transport::Url;

use super::call::Service;
use super::{KeylessError, SigningService, fulcio, rekor, timestamp};

/// Which answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServiceAnswer {
    /// A certificate of Fulcio's.
    Certificate,
    /// An entry in a log of version 1.
    EntryV1,
    /// An entry in a log of version 2.
    EntryV2,
    /// A timestamp.
    Timestamp,
}

impl ServiceAnswer {
    /// Whether an answer of the service at `url` has the form that is needed. Whether what it says is true is for a verifier.
    ///
    /// # Errors
    /// [`KeylessError::Answer`].
    pub fn check(self, url: &Url, body: &[u8]) -> Result<(), KeylessError> {
        let of = |kind| Service { kind, url };
        let log = of(SigningService::TransparencyLog);
        match self {
            Self::Certificate => fulcio::read(of(SigningService::CertificateAuthority), body).map(drop),
            Self::EntryV1 => rekor::read_v1(log, body, KindVersion::DsseV001).map(drop),
            Self::EntryV2 => rekor::read_v2(log, body).map(drop),
            Self::Timestamp => timestamp::read(of(SigningService::TimestampAuthority), body).map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_none_is_told_as_one() {
        let url: Url = "https://service.example".parse().unwrap();
        let kinds = [
            ServiceAnswer::Certificate,
            ServiceAnswer::EntryV1,
            ServiceAnswer::EntryV2,
            ServiceAnswer::Timestamp,
        ];
        let certificate = br#"{"signedCertificateEmbeddedSct":{"chain":{"certificates":["no PEM"]}}}"#;
        for body in [b"".as_slice(), b"{}", b"[]", b"{\"a\":{}}", b"\xff", certificate] {
            for kind in kinds {
                assert!(
                    matches!(kind.check(&url, body), Err(KeylessError::Answer { .. })),
                    "{kind:?} {body:?}"
                );
            }
        }
    }
}
