//! Fulcio: certificates of ten minutes for whoever has a token and a key
//! ([its API, version 2](https://github.com/sigstore/fulcio/blob/v1.8.0/fulcio.proto)).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use der::asn1::{Ia5String, Utf8StringRef};
use der::{Decode, Encode};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;
use x509_cert::request::CertReq;
use x509_cert::spki::SubjectPublicKeyInfoOwned;
use x509_cert::time::Validity;

use super::certificates::{
    CODE_SIGNING, Certified, Subject, certificate_pem, extension, key_in_pem, pem, raw_extension,
    signer_extensions, validity,
};
use super::ct_log::CtLog;
use super::json::text;
use super::keys::{Key, check};
use super::{Misbehaviour, Refusal};

pub(super) struct Fulcio {
    pub(super) root: Certified,
    pub(super) intermediate: Certified,
}

impl Fulcio {
    pub(super) fn new(validity: Validity) -> Result<Self, Refusal> {
        let root = Certified::root("CN=fulcio root,O=touchmark testkit", Key::p384()?, validity)?;
        let name = "CN=fulcio,O=touchmark testkit";
        let intermediate = root.intermediate(name, Key::p384()?, validity, CODE_SIGNING)?;
        Ok(Self { root, intermediate })
    }

    /// `POST /api/v2/signingCert`, by someone whose token has these claims.
    pub(super) fn signing_certificate(
        &self,
        request: &Value,
        claims: &Map<String, Value>,
        ct_log: &CtLog,
        now: Timestamp,
        misbehaviour: &Misbehaviour,
    ) -> Result<Value, Refusal> {
        let claim = |name: &str| claims.get(name).and_then(Value::as_str);
        let holder = claim("email").or_else(|| claim("sub")).unwrap_or_default();
        let key = proven_key(request, holder)?;
        let lifetime = misbehaviour.certificate_lifetime.map_or(Ok(LIFETIME), SignedDuration::try_from);
        let lifetime = lifetime.map_err(|_| Refusal::internal("no such lifetime"))?;
        let subject = Subject { name: Name::default(), key, validity: validity(now, lifetime)? };
        let mut tbs = self.intermediate.to_be_signed(subject, extensions(claims)?)?;
        let kind = if misbehaviour.missing_sct {
            "signedCertificateDetachedSct"
        } else {
            let promise = ct_log.promise(&tbs, &self.intermediate, now, misbehaviour.wrong_ct_log_key)?;
            tbs.extensions.get_or_insert_default().push(promise);
            "signedCertificateEmbeddedSct"
        };
        let certificate = self.intermediate.issue(tbs)?;
        let chain = [&certificate, &self.intermediate.certificate, &self.root.certificate];
        let pems = chain.into_iter().map(certificate_pem).collect::<Result<Vec<_>, _>>()?;
        Ok(json!({kind: {"chain": {"certificates": pems}}}))
    }

    /// `GET /api/v2/trustBundle`.
    pub(super) fn trust_bundle(&self) -> Result<Value, Refusal> {
        let chain = [&self.intermediate.certificate, &self.root.certificate];
        let pems = chain.into_iter().map(certificate_pem).collect::<Result<Vec<_>, _>>()?;
        Ok(json!({"chains": [{"certificates": pems}]}))
    }
}

/// `GET /api/v2/configuration`.
pub(super) fn configuration(issuer: &str) -> Value {
    json!({"issuers": [{
        "issuerUrl": issuer,
        "audience": "sigstore",
        "challengeClaim": "sub",
        "spiffeTrustDomain": "",
    }]})
}

/// What cosign 1 and 2 ask for, as a request of version 2: a key in PEM or DER and the proof beside it, or a signing request
/// ([its API, version 1](https://github.com/sigstore/fulcio/blob/v1.8.0/fulcio_legacy.proto)).
pub(super) fn request_of_version_1(request: &Value) -> Result<Value, Refusal> {
    if let Some(signed) = request.get("certificateSigningRequest").filter(|signed| signed.is_string()) {
        return Ok(json!({"certificateSigningRequest": signed}));
    }
    let content = text(request, "/publicKey/content")?;
    let bytes = STANDARD.decode(content).map_err(|_| Refusal::bad_request("The public key is not base64"))?;
    let key = match String::from_utf8(bytes) {
        Ok(written) => written,
        Err(error) => pem("PUBLIC KEY", error.as_bytes())?,
    };
    let proof = text(request, "/signedEmailAddress")?;
    Ok(json!({"publicKeyRequest": {"publicKey": {"content": key}, "proofOfPossession": proof}}))
}

/// The chain alone, in PEM.
pub(super) fn answer_of_version_1(chain: &Value) -> String {
    let chains = chain.as_object().into_iter().flat_map(|kinds| kinds.values());
    let certificates = chains.filter_map(|chain| chain.pointer("/chain/certificates")?.as_array()).flatten();
    certificates.filter_map(Value::as_str).collect()
}

/// The key of a request, which its sender has: it signed the token's holder, or the whole of a signing request.
fn proven_key(request: &Value, holder: &str) -> Result<SubjectPublicKeyInfoOwned, Refusal> {
    let refused = || Refusal::bad_request("The signature supplied in the request could not be verified");
    let decode = |text: &str| STANDARD.decode(text).map_err(|_| refused());
    if let Some(request) = request.get("certificateSigningRequest").and_then(Value::as_str) {
        let (_, bytes) = der::pem::decode_vec(&decode(request)?).map_err(|_| refused())?;
        let request = CertReq::from_der(&bytes)?;
        check(&request.info.public_key, &request.info.to_der()?, request.signature.raw_bytes())
            .map_err(|_| refused())?;
        return Ok(request.info.public_key);
    }
    let key = key_in_pem(text(request, "/publicKeyRequest/publicKey/content")?)?;
    let proof = decode(text(request, "/publicKeyRequest/proofOfPossession")?)?;
    check(&key, holder.as_bytes(), &proof).map_err(|_| refused())?;
    Ok(key)
}

/// What [Fulcio's certificate specification](https://github.com/sigstore/fulcio/blob/v1.8.0/docs/certificate-specification.md)
/// wants in a leaf, but for the timestamp.
fn extensions(claims: &Map<String, Value>) -> Result<Vec<Extension>, Refusal> {
    let claim = |name: &str| claims.get(name).and_then(Value::as_str);
    let issuer = claim("iss").unwrap_or_default();
    let name = match (claim("email"), claim("job_workflow_ref")) {
        (Some(email), _) => GeneralName::Rfc822Name(Ia5String::new(email)?),
        (None, Some(workflow)) => {
            GeneralName::UniformResourceIdentifier(Ia5String::new(&format!("{GITHUB}/{workflow}"))?)
        }
        (None, None) => {
            GeneralName::UniformResourceIdentifier(Ia5String::new(claim("sub").unwrap_or_default())?)
        }
    };
    let mut extensions = signer_extensions(CODE_SIGNING, false)?;
    extensions.push(extension(&SubjectAltName(vec![name]), SUBJECT_ALTERNATIVE_NAME, true)?);
    extensions.push(raw_extension(issuer.as_bytes(), &format!("{FULCIO}.1"), false)?);
    for (number, name) in OLD_CLAIMS {
        if let Some(value) = claim(name) {
            extensions.push(raw_extension(value.as_bytes(), &format!("{FULCIO}.{number}"), false)?);
        }
    }
    extensions.push(extension(&Utf8StringRef::new(issuer)?, &format!("{FULCIO}.8"), false)?);
    for (number, value) in build_claims(claims) {
        extensions.push(extension(&Utf8StringRef::new(&value)?, &format!("{FULCIO}.{number}"), false)?);
    }
    Ok(extensions)
}

/// The numbers 9 to 22 below Fulcio's, from the claims of GitHub's tokens.
fn build_claims(claims: &Map<String, Value>) -> Vec<(u8, String)> {
    let claim = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    let url = |name: &str| claim(name).map(|value| format!("{GITHUB}/{value}"));
    let run = || {
        let (repository, run) = (url("repository")?, claim("run_id")?);
        let attempt = claim("run_attempt").unwrap_or_else(|| "1".to_owned());
        Some(format!("{repository}/actions/runs/{run}/attempts/{attempt}"))
    };
    let all = [
        (9, url("job_workflow_ref")),
        (10, claim("job_workflow_sha")),
        (11, claim("runner_environment")),
        (12, url("repository")),
        (13, claim("sha")),
        (14, claim("ref")),
        (15, claim("repository_id")),
        (16, url("repository_owner")),
        (17, claim("repository_owner_id")),
        (18, url("workflow_ref")),
        (19, claim("workflow_sha")),
        (20, claim("event_name")),
        (21, run()),
        (22, claim("repository_visibility")),
    ];
    all.into_iter().filter_map(|(number, value)| Some((number, value?))).collect()
}

const LIFETIME: SignedDuration = SignedDuration::from_mins(10);
const GITHUB: &str = "https://github.com";
const FULCIO: &str = "1.3.6.1.4.1.57264.1";
const SUBJECT_ALTERNATIVE_NAME: &str = "2.5.29.17";
/// Numbers that came before 9 to 22 and are still written, as plain text.
const OLD_CLAIMS: [(u8, &str); 5] =
    [(2, "event_name"), (3, "sha"), (4, "workflow"), (5, "repository"), (6, "ref")];
