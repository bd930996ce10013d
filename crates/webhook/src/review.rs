//! Reading an AdmissionReview
//! ([Kubernetes, "Dynamic Admission Control"](https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#webhook-request-and-response)).
//!
//! Only what the decision needs is read; the objects stay as they came until their kind says where their images are. A member
//! that is read and appears twice is refused: of two values, one would be checked and the other one run.

use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

/// A request to admit an object.
#[derive(Debug)]
pub struct Review<'a> {
    /// What the answer must repeat.
    pub uid: String,
    /// The kind of the object.
    pub kind: GroupVersionKind,
    /// The part of the object that is asked about, such as `ephemeralcontainers`.
    pub sub_resource: Option<String>,
    /// What is to be done with the object.
    pub operation: Operation,
    /// The object's namespace; empty where it has none.
    pub namespace: String,
    /// The object's name; empty where the server is to choose one.
    pub name: String,
    /// The object as it would be.
    pub object: Option<&'a RawValue>,
    /// The object as it is.
    pub old_object: Option<&'a RawValue>,
}

/// A kind, fully qualified.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct GroupVersionKind {
    /// The API group; empty for the core.
    pub group: String,
    /// The version.
    pub version: String,
    /// The kind.
    pub kind: String,
}

impl GroupVersionKind {
    /// Group and version as an object's `apiVersion` has them.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }
}

impl fmt::Display for GroupVersionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.api_version(), self.kind)
    }
}

/// What is to be done with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Operation {
    /// Make it.
    Create,
    /// Change it.
    Update,
    /// Remove it.
    Delete,
    /// Talk to it, as `kubectl exec` does.
    Connect,
}

impl Operation {
    /// The name in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Connect => "connect",
        }
    }
}

impl<'a> Review<'a> {
    /// Parses a review.
    ///
    /// # Errors
    /// [`ReviewError`]: not JSON, another API version or kind, or nothing to answer to.
    pub fn parse(body: &'a [u8]) -> Result<Self, ReviewError> {
        let wire: Wire<'a> = serde_json::from_slice(body)?;
        if (wire.api_version.as_str(), wire.kind.as_str()) != (API_VERSION, KIND) {
            let shorten = |text: String| text.chars().take(100).collect();
            return Err(ReviewError::Version {
                api_version: shorten(wire.api_version),
                kind: shorten(wire.kind),
            });
        }
        let request = wire.request.ok_or(ReviewError::NoRequest)?;
        // A uid is 36 characters; what is not like one is not repeated.
        if request.uid.is_empty() || request.uid.len() > 256 {
            return Err(ReviewError::Uid { length: request.uid.len() });
        }
        Ok(Self {
            uid: request.uid,
            kind: request.kind,
            sub_resource: request.sub_resource.filter(|name| !name.is_empty()),
            operation: request.operation,
            namespace: request.namespace.unwrap_or_default(),
            name: request.name.unwrap_or_default(),
            object: request.object,
            old_object: request.old_object,
        })
    }
}

/// The API version of the reviews that are read and answered.
pub const API_VERSION: &str = "admission.k8s.io/v1";
/// Their kind.
pub const KIND: &str = "AdmissionReview";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    api_version: String,
    kind: String,
    #[serde(borrow)]
    request: Option<WireRequest<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireRequest<'a> {
    uid: String,
    kind: GroupVersionKind,
    sub_resource: Option<String>,
    operation: Operation,
    namespace: Option<String>,
    name: Option<String>,
    #[serde(borrow)]
    object: Option<&'a RawValue>,
    #[serde(borrow)]
    old_object: Option<&'a RawValue>,
}

/// Why a body is no review that can be answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReviewError {
    /// Not JSON, or not the members of a review.
    #[error("body is no AdmissionReview")]
    Json(#[from] serde_json::Error),
    /// Another version or kind.
    #[error("body is {api_version} {kind}, expected {API_VERSION} {KIND}")]
    Version {
        /// The API version, shortened.
        api_version: String,
        /// The kind, shortened.
        kind: String,
    },
    /// A review without a request, such as an answer.
    #[error("AdmissionReview has no request")]
    NoRequest,
    /// A uid that is empty or far too long.
    #[error("uid of the AdmissionReview has {length} bytes, expected 1 to 256")]
    Uid {
        /// Its length.
        length: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const REVIEW: &str = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{
        "uid":"705ab4f5-6393-11e8-b7cc-42010a800002","kind":{"group":"apps","version":"v1","kind":"Deployment"},
        "resource":{"group":"apps","version":"v1","resource":"deployments"},"operation":"UPDATE","namespace":"web",
        "name":"app","userInfo":{"username":"admin"},"object":{"kind":"Deployment"},"oldObject":null,"dryRun":false}}"#;

    #[test]
    fn reads_a_review_and_leaves_its_object_alone() {
        let review = Review::parse(REVIEW.as_bytes()).unwrap();
        assert_eq!(review.uid, "705ab4f5-6393-11e8-b7cc-42010a800002");
        assert_eq!(review.kind.to_string(), "apps/v1 Deployment");
        assert_eq!(review.operation, Operation::Update);
        assert_eq!(review.object.unwrap().get(), r#"{"kind":"Deployment"}"#);
        assert!(review.old_object.is_none());
    }

    #[test]
    fn rejects_another_version_or_kind() {
        for (found, other) in
            [("admission.k8s.io/v1", "admission.k8s.io/v1beta1"), ("AdmissionReview", "Pod")]
        {
            let text = REVIEW.replacen(found, other, 1);
            assert!(matches!(Review::parse(text.as_bytes()), Err(ReviewError::Version { .. })));
        }
    }

    #[test]
    fn rejects_a_review_without_a_request_or_a_uid() {
        let answer = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{}}"#;
        assert!(matches!(Review::parse(answer.as_bytes()), Err(ReviewError::NoRequest)));
        for uid in [String::new(), "x".repeat(300)] {
            let text = REVIEW.replace("705ab4f5-6393-11e8-b7cc-42010a800002", &uid);
            assert!(matches!(Review::parse(text.as_bytes()), Err(ReviewError::Uid { .. })));
        }
    }

    #[test]
    fn rejects_a_member_that_appears_twice() {
        for (found, doubled) in [
            (r#""object":{"#, r#""object":{},"object":{"#),
            (r#""uid":"#, r#""uid":"a","uid":"#),
            (r#""operation":"#, r#""operation":"DELETE","operation":"#),
        ] {
            let text = REVIEW.replacen(found, doubled, 1);
            assert!(matches!(Review::parse(text.as_bytes()), Err(ReviewError::Json(_))), "{doubled}");
        }
    }

    #[test]
    fn rejects_what_is_not_json_or_lacks_members() {
        for text in [
            "",
            "[]",
            "{",
            "null",
            &REVIEW.replace("UPDATE", "PATCH"),
            &REVIEW.replace("\"operation\"", "\"o\""),
        ] {
            assert!(matches!(Review::parse(text.as_bytes()), Err(ReviewError::Json(_))), "{text:.40}");
        }
    }
}
