//! How a failure is told: the operation, the causes once each, and a way out.

use std::time::Duration;

use serde_json::{Value, json};
use touchmark_registry::StoreError;
use touchmark_verify::{CopyError, DescendError, VerifyError};

use crate::render::{Style, Tone, harmless, to_stderr};
use crate::trust_source;

/// `--timeout` passed before the command was done.
#[derive(Debug, thiserror::Error)]
#[error("not done within {} s", limit.as_secs())]
pub(crate) struct TimedOut {
    /// The time allowed.
    pub(crate) limit: Duration,
}

/// Something that a user can mend, with how.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Mistake {
    message: String,
    hint: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Mistake {
    /// What was found and what was wanted, and a way out.
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into(), source: None }
    }

    /// The same, with what it came from.
    pub(crate) fn from_error(
        source: impl std::error::Error + Send + Sync + 'static,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { source: Some(Box::new(source)), ..Self::new(message, hint) }
    }
}

/// Writes an error to stderr.
pub(crate) fn report(error: &anyhow::Error, style: Style) {
    to_stderr(&describe(error, style));
}

/// The message, its causes and its hint, one a line.
pub(crate) fn describe(error: &anyhow::Error, style: Style) -> String {
    let mut text = style.paint(Tone::Bad, "error:");
    for (index, message) in messages(error).iter().enumerate() {
        text.push_str(if index == 0 { " " } else { "\n  caused by: " });
        text.push_str(&harmless(message));
    }
    if let Some(hint) = hint(error) {
        text.push_str(&format!("\n{} {}", style.paint(Tone::Strong, "hint:"), harmless(&hint)));
    }
    text
}

/// The same for programs: `message`, `causes` and, where there is one, `hint`.
pub(crate) fn to_json(error: &anyhow::Error) -> Value {
    let mut messages = messages(error).into_iter();
    let mut object = json!({ "message": messages.next(), "causes": messages.collect::<Vec<_>>() });
    if let (Some(hint), Some(object)) = (hint(error), object.as_object_mut()) {
        object.insert("hint".to_owned(), hint.into());
    }
    object
}

/// The error and its causes, each once: a transparent wrapper says what its source says.
fn messages(error: &anyhow::Error) -> Vec<String> {
    let mut messages: Vec<String> = error.chain().map(ToString::to_string).collect();
    messages.dedup();
    messages
}

/// The first way out that an error in the chain knows. A transparent error stands in the chain for the one it wraps.
pub(crate) fn hint(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| {
        if let Some(mistake) = cause.downcast_ref::<Mistake>() {
            Some(mistake.hint.clone())
        } else if cause.is::<TimedOut>() {
            Some("a larger --timeout waits longer; -v shows what it waits for".to_owned())
        } else if let Some(store) = cause.downcast_ref::<StoreError>() {
            store.hint()
        } else if let Some(verify) = cause.downcast_ref::<VerifyError>() {
            verify.hint()
        } else if let Some(copy) = cause.downcast_ref::<CopyError>() {
            copy.hint()
        } else if let Some(hint) = trust_source::hint(cause) {
            Some(hint.to_owned())
        } else {
            cause.downcast_ref::<DescendError>().and_then(DescendError::hint)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_once_and_the_hint_last() {
        let error =
            anyhow::Error::new(Mistake::new("no key", "touchmark key generate makes one")).context("sign");
        assert_eq!(
            describe(&error, Style::plain()),
            "error: sign\n  caused by: no key\nhint: touchmark key generate makes one"
        );
    }
}
