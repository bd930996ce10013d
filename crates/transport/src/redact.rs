//! URLs that may be shown.

use std::fmt;

use reqwest::Url;

/// A URL for messages and logs: without user, password, query and fragment, where secrets travel (signed storage URLs
/// carry theirs in the query).
#[derive(Clone, PartialEq, Eq)]
pub struct RedactedUrl(String);

impl RedactedUrl {
    /// What may be shown of `url`.
    pub fn new(url: &Url) -> Self {
        let host = url.host_str().unwrap_or("");
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let query = if url.query().is_some() { "?…" } else { "" };
        Self(format!("{}://{host}{port}{}{query}", url.scheme(), url.path()))
    }
}

impl fmt::Display for RedactedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RedactedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_password_query_and_fragment_are_left_out() {
        let url = Url::parse("https://user:secret@host.example:8443/a/b?sig=hidden#part").unwrap();
        assert_eq!(RedactedUrl::new(&url).to_string(), "https://host.example:8443/a/b?…");
        assert!(!format!("{:?}", RedactedUrl::new(&url)).contains("secret"));
    }
}
