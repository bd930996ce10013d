//! Certificates from Fulcio
//! ([fulcio.proto v2, `CreateSigningCertificate`](https://github.com/sigstore/fulcio/blob/v1.8.0/fulcio.proto)).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;
use sigstore_types::DerCertificate;
use touchmark_transport::{Client, Url};

use super::call::Service;
use super::{IdentityToken, KeylessError, SigningService};
use crate::{PrivateKey, SignatureFormat};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    signed_certificate_embedded_sct: Option<Chain>,
    signed_certificate_detached_sct: Option<Chain>,
}

#[derive(Deserialize)]
struct Chain {
    chain: Certificates,
}

#[derive(Deserialize)]
struct Certificates {
    certificates: Vec<String>,
}

/// A certificate for the key, in the name of the token, and those above it. Possession of the key is proven by a signature over the
/// token's subject.
pub(super) async fn certificates(
    client: &Client,
    authority: &Url,
    token: &IdentityToken,
    key: &PrivateKey,
) -> Result<Vec<DerCertificate>, KeylessError> {
    let authority = Service { kind: SigningService::CertificateAuthority, url: authority };
    let possession = key.sign(token.proof_of_possession().as_bytes(), SignatureFormat::Bundle)?;
    let request = json!({
        "credentials": { "oidcIdentityToken": token.expose_secret() },
        "publicKeyRequest": {
            "publicKey": { "algorithm": "ECDSA", "content": key.public_key().to_pem() },
            "proofOfPossession": STANDARD.encode(possession),
        },
    });
    let url = authority.at("api/v2/signingCert")?;
    let body = request.to_string().into_bytes();
    let answer = authority.post(client, url, "application/json", body).await?;
    let answer = authority.success(answer)?;
    read(authority, &answer.body)
}

/// The certificates in an answer: one at least, the new one first.
pub(super) fn read(authority: Service<'_>, body: &[u8]) -> Result<Vec<DerCertificate>, KeylessError> {
    let parsed: Answer = serde_json::from_slice(body).map_err(|error| authority.unusable(error))?;
    let chain = parsed.signed_certificate_embedded_sct.or(parsed.signed_certificate_detached_sct);
    let certificates = chain.map(|chain| chain.chain.certificates).unwrap_or_default();
    if certificates.is_empty() {
        return Err(authority.unusable("no certificate in the answer"));
    }
    let der = |text: &String| {
        let block = pem::parse(text).map_err(|error| authority.unusable(error))?;
        Ok(DerCertificate::new(block.into_contents()))
    };
    certificates.iter().map(der).collect()
}
