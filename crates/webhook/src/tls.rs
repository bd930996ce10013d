//! The server's certificate, which can be changed while connections are made.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// The certificate in force. A connection keeps the one that it began with.
#[derive(Debug, Default)]
pub struct Certificates {
    current: ArcSwapOption<CertifiedKey>,
}

impl Certificates {
    /// Puts a certificate in force for the connections to come. Before the first one, none can be made.
    pub fn replace(&self, certificate: CertifiedKey) {
        self.current.store(Some(Arc::new(certificate)));
    }

    /// How the server speaks TLS: 1.2 or 1.3 with this certificate, then HTTP/2 or HTTP/1.1.
    ///
    /// # Errors
    /// [`CertificateError::Tls`] when the crypto library does not have both versions.
    pub fn server_config(self: &Arc<Self>) -> Result<ServerConfig, CertificateError> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current.load_full()
    }
}

/// Reads a certificate chain and its key, both in PEM, and checks that they belong together.
///
/// # Errors
/// [`CertificateError`]: not PEM, nothing in it, or a key of another certificate.
pub(crate) fn certified_key(chain: &[u8], key: &[u8]) -> Result<CertifiedKey, CertificateError> {
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(chain).collect::<Result<_, _>>().map_err(CertificateError::Chain)?;
    if chain.is_empty() {
        return Err(CertificateError::NoCertificate);
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(CertificateError::Key)?;
    Ok(CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())?)
}

/// When the certificate expires, in seconds since 1970.
///
/// # Errors
/// [`CertificateError::X509`] when it cannot be read.
pub(crate) fn expiry(certificate: &CertifiedKey) -> Result<i64, CertificateError> {
    let first = certificate.cert.first().ok_or(CertificateError::NoCertificate)?;
    let (_, parsed) = x509_parser::parse_x509_certificate(first)
        .map_err(|error| CertificateError::X509(x509_parser::error::X509Error::from(error)))?;
    Ok(parsed.validity().not_after.timestamp())
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The certificate file is not PEM.
    #[error("certificate is not valid PEM")]
    Chain(#[source] pem::Error),
    /// The certificate file has no certificate.
    #[error("certificate file has no certificate, expected at least one in PEM")]
    NoCertificate,
    /// The key file is not PEM, or has no key.
    #[error("key file has no private key in PEM")]
    Key(#[source] pem::Error),
    /// The certificate is no X.509 certificate.
    #[error("certificate cannot be read")]
    X509(#[source] x509_parser::error::X509Error),
    /// The key is of an unknown kind, or belongs to another certificate.
    #[error("certificate and key cannot be used")]
    Tls(#[from] rustls::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn a_certificate_and_its_key_are_read_with_the_expiry() {
        let (chain, key) = pair();
        let certificate = certified_key(chain.as_bytes(), key.as_bytes()).unwrap();
        // rcgen's default, the year 4096.
        assert!(expiry(&certificate).unwrap() > 60_000_000_000);
    }

    #[test]
    fn rejects_the_key_of_another_certificate() {
        let ((chain, _), (_, key)) = (pair(), pair());
        let error = certified_key(chain.as_bytes(), key.as_bytes()).unwrap_err();
        assert!(matches!(error, CertificateError::Tls(rustls::Error::InconsistentKeys(_))), "{error:?}");
    }

    #[test]
    fn rejects_files_without_what_they_should_have() {
        let (chain, key) = pair();
        let (chain, key) = (chain.as_bytes(), key.as_bytes());
        assert!(matches!(certified_key(b"", key), Err(CertificateError::NoCertificate)));
        assert!(matches!(certified_key(key, key), Err(CertificateError::NoCertificate)));
        assert!(matches!(certified_key(chain, b""), Err(CertificateError::Key(_))));
        let broken = b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
        assert!(matches!(certified_key(broken, key), Err(CertificateError::Chain(_))));
        let nonsense = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(certified_key(nonsense, key), Err(CertificateError::Tls(_))));
    }

    #[test]
    fn rejects_to_tell_when_nonsense_expires() {
        let key = rcgen::KeyPair::generate().unwrap().serialize_der().try_into().unwrap();
        let key = aws_lc_rs::default_provider().key_provider.load_private_key(key).unwrap();
        let nonsense = CertifiedKey::new(vec![CertificateDer::from(vec![0; 3])], Arc::clone(&key));
        assert!(matches!(expiry(&nonsense), Err(CertificateError::X509(_))));
        assert!(matches!(expiry(&CertifiedKey::new(Vec::new(), key)), Err(CertificateError::NoCertificate)));
    }
}
