//! AWS Signature Version 4
//! ([Create a signed AWS API request](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html)).
//!
//! Only what KMS needs: a body, no query string to speak of, and every header that is given signed. Pure: the time is an argument.

use aws_lc_rs::digest;
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use zeroize::Zeroizing;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Credentials, long-lived or temporary.
#[derive(Clone)]
pub(super) struct Credentials {
    pub(super) access_key_id: String,
    pub(super) secret_access_key: Zeroizing<String>,
    pub(super) session_token: Option<Zeroizing<String>>,
}

/// What is signed.
pub(super) struct Signable<'a> {
    pub(super) method: &'a str,
    /// Percent-encoded, from the first slash.
    pub(super) path: &'a str,
    /// Percent-encoded and sorted.
    pub(super) query: &'a str,
    /// Names in lower case, sorted, with `host` and `x-amz-date` among them.
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: &'a [u8],
}

/// Where and when.
pub(super) struct Scope<'a> {
    /// `YYYYMMDD'T'HHMMSS'Z'`.
    pub(super) time: &'a str,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
}

impl Scope<'_> {
    fn date(&self) -> &str {
        self.time.split('T').next().unwrap_or_default()
    }

    fn text(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.date(), self.region, self.service)
    }
}

/// The value of the `Authorization` header.
pub(super) fn authorization(request: &Signable<'_>, scope: &Scope<'_>, credentials: &Credentials) -> String {
    let hashed = digest(canonical_request(request).as_bytes());
    let to_sign = format!("{ALGORITHM}\n{}\n{}\n{hashed}", scope.time, scope.text());
    let signature = lower_hex(hmac(signing_key(scope, credentials).as_ref(), &to_sign).as_ref());
    format!(
        "{ALGORITHM} Credential={}/{}, SignedHeaders={}, Signature={signature}",
        credentials.access_key_id,
        scope.text(),
        signed_headers(request)
    )
}

fn canonical_request(request: &Signable<'_>) -> String {
    let headers: String =
        request.headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
    format!(
        "{}\n{}\n{}\n{headers}\n{}\n{}",
        request.method,
        request.path,
        request.query,
        signed_headers(request),
        digest(request.body)
    )
}

fn signed_headers(request: &Signable<'_>) -> String {
    let names: Vec<_> = request.headers.iter().map(|(name, _)| *name).collect();
    names.join(";")
}

fn signing_key(scope: &Scope<'_>, credentials: &Credentials) -> hmac::Tag {
    let secret = Zeroizing::new(format!("AWS4{}", credentials.secret_access_key.as_str()));
    let date = hmac(secret.as_bytes(), scope.date());
    let region = hmac(date.as_ref(), scope.region);
    let service = hmac(region.as_ref(), scope.service);
    hmac(service.as_ref(), "aws4_request")
}

fn hmac(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(HMAC_SHA256, key), text.as_bytes())
}

fn digest(bytes: &[u8]) -> String {
    lower_hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn lower_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The vectors are those of AWS's `aws-sig-v4-test-suite`, whose credentials are in its documentation and open nothing.
#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "20150830T123600Z";

    fn signature(method: &str, query: &str, headers: &[(&str, &str)], body: &str) -> String {
        let credentials = Credentials {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: Zeroizing::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned()),
            session_token: None,
        };
        let scope = Scope { time: TIME, region: "us-east-1", service: "service" };
        let request = Signable { method, path: "/", query, headers, body: body.as_bytes() };
        let value = authorization(&request, &scope, &credentials);
        let prefix =
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=";
        assert!(value.starts_with(prefix), "{value}");
        value.rsplit('=').next().unwrap().to_owned()
    }

    const HEADERS: [(&str, &str); 2] = [("host", "example.amazonaws.com"), ("x-amz-date", TIME)];

    #[test]
    fn get_vanilla() {
        assert_eq!(
            signature("GET", "", &HEADERS, ""),
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
        );
    }

    #[test]
    fn get_vanilla_query_order_key_case() {
        assert_eq!(
            signature("GET", "Param1=value1&Param2=value2", &HEADERS, ""),
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"
        );
    }

    #[test]
    fn post_vanilla() {
        assert_eq!(
            signature("POST", "", &HEADERS, ""),
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
        );
    }

    #[test]
    fn post_x_www_form_urlencoded() {
        let headers = [("content-type", "application/x-www-form-urlencoded"), HEADERS[0], HEADERS[1]];
        assert_eq!(
            signature("POST", "", &headers, "Param1=value1"),
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"
        );
    }
}
