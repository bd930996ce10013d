//! Writing the answer to a review
//! ([Kubernetes, "Response"](https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#response)).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::answer::{ImageOutcome, ImageRuling, Ruling};
use crate::review::{API_VERSION, KIND};

/// Bytes of the whole message, which ends up on somebody's terminal and in events (1 kB each is shown by most tools).
const MAX_MESSAGE_BYTES: usize = 4096;
/// Bytes of what is said about one image.
const MAX_IMAGE_BYTES: usize = 1024;
/// Characters of one warning: "Individual warning messages over 256 characters may be truncated by the API server".
const MAX_WARNING_CHARS: usize = 256;
/// Characters of all warnings: "If more than 4096 characters of warning messages are added … additional warning messages are
/// ignored".
const MAX_WARNINGS_CHARS: usize = 4096;

/// The answer to the review with this uid, as JSON.
pub fn respond(uid: &str, ruling: &Ruling) -> Vec<u8> {
    let allowed = ruling.is_allowed();
    let status = (!allowed).then(|| Status { code: 403, reason: "Forbidden", message: message(ruling) });
    let response =
        Response { uid, allowed, status, warnings: warnings(ruling), audit_annotations: annotations(ruling) };
    let answer = Answer { api_version: API_VERSION, kind: KIND, response };
    // Strings, numbers and a map with string keys: writing them to memory cannot fail.
    serde_json::to_vec(&answer).unwrap_or_default()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: Response<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    audit_annotations: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
struct Status {
    code: u16,
    reason: &'static str,
    message: String,
}

/// Why an object is not admitted: each image that is not allowed, and why. Empty when all are.
pub(crate) fn message(ruling: &Ruling) -> String {
    match ruling {
        Ruling::Exempt(_) => String::new(),
        Ruling::Refused(refusal) => bounded(&chain(refusal), MAX_MESSAGE_BYTES),
        Ruling::Images(images) => image_messages(images),
    }
}

fn image_messages(images: &[ImageRuling]) -> String {
    if images.is_empty() {
        return "no image was decided on".to_owned();
    }
    let bad: Vec<_> = images.iter().filter(|image| !image.outcome.is_allowed()).collect();
    let mut text = String::new();
    for (index, image) in bad.iter().enumerate() {
        let line = bounded(&image_message(image), MAX_IMAGE_BYTES);
        if text.len() + line.len() > MAX_MESSAGE_BYTES {
            // Writing to a string cannot fail.
            let _ = write!(text, "; and {} more images", bad.len() - index);
            break;
        }
        if !text.is_empty() {
            text.push_str("; ");
        }
        text.push_str(&line);
    }
    text
}

fn image_message(image: &ImageRuling) -> String {
    let why = match &image.outcome {
        ImageOutcome::Allowed(_) => "allowed".to_owned(),
        ImageOutcome::Warned(reasons) | ImageOutcome::Denied { reasons, .. } => reasons.join("; "),
        ImageOutcome::Unpinned(error) => chain(error),
        ImageOutcome::Undecided(why) => format!("could not decide: {why}"),
        ImageOutcome::Late => "could not decide in time; try again".to_owned(),
        ImageOutcome::Failed => "could not decide: the webhook failed internally".to_owned(),
    };
    format!("image {:?} ({}): {why}", bounded(&image.reference, 512), image.place)
}

fn warnings(ruling: &Ruling) -> Vec<String> {
    let Ruling::Images(images) = ruling else {
        return Vec::new();
    };
    let mut left = MAX_WARNINGS_CHARS;
    let mut warnings = Vec::new();
    for image in images {
        let ImageOutcome::Warned(reasons) = &image.outcome else {
            continue;
        };
        for reason in reasons {
            let warning: String =
                format!("{}: {reason}", image.reference).chars().take(MAX_WARNING_CHARS).collect();
            let count = warning.chars().count();
            if count > left {
                return warnings;
            }
            left -= count;
            warnings.push(warning);
        }
    }
    warnings
}

/// What the API server writes to its audit log, under the webhook's name.
fn annotations(ruling: &Ruling) -> BTreeMap<&'static str, String> {
    let mut annotations = BTreeMap::from([("outcome", ruling.outcome().to_owned())]);
    if let Ruling::Images(images) = ruling {
        let codes = reason_codes(images).join(",");
        if !codes.is_empty() {
            annotations.insert("reasons", bounded(&codes, MAX_IMAGE_BYTES));
        }
    }
    annotations
}

/// The codes of all reasons, each once.
pub(crate) fn reason_codes(images: &[ImageRuling]) -> Vec<&'static str> {
    let mut found: Vec<&'static str> = Vec::new();
    for image in images {
        match &image.outcome {
            ImageOutcome::Denied { codes, .. } => found.extend(codes),
            ImageOutcome::Allowed(_) | ImageOutcome::Warned(_) => {}
            other => found.push(other.name()),
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

/// At most `max_bytes` of a text, without control characters: it may have come from anywhere.
fn bounded(text: &str, max_bytes: usize) -> String {
    const CUT: &str = "…";
    let mut clean = String::new();
    for c in text.chars() {
        if clean.len() + c.len_utf8() + CUT.len() > max_bytes {
            clean.push_str(CUT);
            break;
        }
        clean.push(if c.is_control() { ' ' } else { c });
    }
    clean
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::answer::{Exemption, Refusal};
    use crate::images::PinError;

    fn image(reference: &str, outcome: ImageOutcome) -> ImageRuling {
        ImageRuling { reference: reference.into(), place: "spec.containers[0]".into(), outcome }
    }

    fn json(ruling: &Ruling) -> Value {
        serde_json::from_slice(&respond("the-uid", ruling)).unwrap()
    }

    #[test]
    fn an_exemption_is_an_explicit_yes() {
        let answer = json(&Ruling::Exempt(Exemption::SameImages));
        let wanted = serde_json::json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "response": {"uid": "the-uid", "allowed": true, "auditAnnotations": {"outcome": "exempt"}},
        });
        assert_eq!(answer, wanted);
    }

    #[test]
    fn a_denial_names_each_image_and_its_reason() {
        let denied =
            ImageOutcome::Denied { reasons: vec!["no signature".into()], codes: vec!["signature-missing"] };
        let ruling = Ruling::Images(vec![
            image("a", denied),
            image("b", ImageOutcome::Unpinned(PinError::Tag)),
            image("c", ImageOutcome::Late),
        ]);
        let response = &json(&ruling)["response"];
        assert_eq!(response["allowed"], false);
        assert_eq!(response["status"]["code"], 403);
        let message = response["status"]["message"].as_str().unwrap();
        assert!(
            message.starts_with(r#"image "a" (spec.containers[0]): no signature; image "b" "#),
            "{message}"
        );
        assert!(
            message.contains("image must be pinned by digest") && message.contains("in time"),
            "{message}"
        );
        assert_eq!(response["auditAnnotations"]["reasons"], "late,signature-missing,unpinned");
    }

    #[test]
    fn warnings_are_given_and_kept_short() {
        let reasons = (0..100).map(|index| format!("{index} {}", "x".repeat(300))).collect();
        let answer = json(&Ruling::Images(vec![image("a", ImageOutcome::Warned(reasons))]));
        assert_eq!(answer["response"]["allowed"], true);
        let warnings = answer["response"]["warnings"].as_array().unwrap();
        assert_eq!(warnings.len(), 16);
        assert!(warnings.iter().all(|warning| warning.as_str().unwrap().chars().count() <= 256));
    }

    #[test]
    fn a_message_is_bounded_and_has_no_control_characters() {
        let reason = format!("\u{1b}[31mred\n{}", "y".repeat(100_000));
        let many = (0..100)
            .map(|index| image(&format!("i{index}"), ImageOutcome::Undecided(reason.clone())))
            .collect();
        let message = message(&Ruling::Images(many));
        assert!(message.len() < MAX_MESSAGE_BYTES + 64, "{}", message.len());
        assert!(message.ends_with("more images") && !message.contains(char::is_control), "{message}");
    }

    #[test]
    fn a_refusal_says_why_with_its_causes() {
        let kind = serde_json::from_str(r#"{"group":"","version":"v1","kind":"Secret"}"#).unwrap();
        let response = &json(&Ruling::Refused(Refusal::UnknownKind { kind }))["response"];
        assert!(response["status"]["message"].as_str().unwrap().starts_with("v1 Secret is not a kind"));
        let broken: Refusal =
            serde_json::from_str::<u8>("x").map_err(crate::ObjectError::from).unwrap_err().into();
        assert!(message(&Ruling::Refused(broken)).starts_with("object cannot be read: expected value"));
    }

    #[test]
    fn no_decision_at_all_is_a_denial() {
        let response = &json(&Ruling::Images(Vec::new()))["response"];
        assert_eq!(response["allowed"], false);
        assert_eq!(response["status"]["message"], "no image was decided on");
    }

    #[test]
    fn nothing_is_said_against_images_that_are_allowed() {
        let warned = image("a", ImageOutcome::Warned(vec!["no signature".into()]));
        assert_eq!(message(&Ruling::Images(vec![warned])), "");
    }
}
