//! A decision as text: what was asked for, what was found, and where.
//!
//! Digests are cut to twelve digits, but for the image's own; the JSON output has them in full.

use touchmark_policy::{Decision, Mode, PolicyOutcome, Reason, RequirementOutcome, Sightings, Verdict};

use crate::render::{Style, Tone, harmless, log_note, short_digests};

/// The decision, for people. Foreign text in it is harmless.
pub(crate) fn to_text(decision: &Decision, style: Style) -> String {
    let (tone, word) = verdict(decision.verdict());
    let mut text = format!("{} {}\n", style.paint(tone, word), decision.image());
    for reason in decision.reasons() {
        push_reason(&mut text, reason, 2, style);
    }
    for policy in decision.policies() {
        push_policy(&mut text, policy, style);
    }
    text
}

/// The verdict in one word.
pub(crate) fn verdict(verdict: Verdict) -> (Tone, &'static str) {
    match verdict {
        Verdict::Allow => (Tone::Good, "allowed"),
        Verdict::Warn => (Tone::Caution, "allowed with a warning"),
        Verdict::Deny => (Tone::Bad, "denied"),
    }
}

fn push_policy(text: &mut String, policy: &PolicyOutcome, style: Style) {
    let mode = match policy.mode {
        Mode::Warn => " (warns only)",
        _ => "",
    };
    text.push_str(&format!("  policy {}{mode}\n", harmless(&policy.name)));
    for requirement in &policy.requirements {
        push_requirement(text, requirement, style);
    }
}

fn push_requirement(text: &mut String, requirement: &RequirementOutcome, style: Style) {
    let (tone, mark) = if requirement.satisfied { (Tone::Good, "ok") } else { (Tone::Bad, "no") };
    text.push_str(&format!("    {} {}\n", style.paint(tone, mark), harmless(&requirement.name)));
    for support in requirement.support.iter().take(Sightings::MAX_LISTED) {
        let times = support.times.iter().map(|proven| format!("signed by {}", proven.time));
        let lines = [format!("by {}, in {}", support.signer, support.origin), log_note(&support.log)];
        for line in lines.into_iter().chain(times) {
            text.push_str(&format!("       {}\n", style.paint(Tone::Faint, &detail(&line))));
        }
    }
    // Anyone can attach an authentic document again and again.
    match requirement.support.len().saturating_sub(Sightings::MAX_LISTED) {
        0 => {}
        more => text.push_str(&format!("       and {more} more\n")),
    }
    for reason in &requirement.reasons {
        push_reason(text, reason, 7, style);
    }
}

fn push_reason(text: &mut String, reason: &Reason, indent: usize, style: Style) {
    let code = style.paint(Tone::Bad, reason.code());
    text.push_str(&format!("{:indent$}{code}\n", ""));
    if let Some(wanted) = reason.wanted() {
        text.push_str(&format!("{:indent$}  wanted  {}\n", "", detail(&wanted)));
    }
    for seen in reason.seen() {
        let by = seen.signer.as_ref().map(|signer| format!(", by {signer}")).unwrap_or_default();
        text.push_str(&format!("{:indent$}  seen    {}\n", "", detail(&format!("{}{by}", seen.value))));
        text.push_str(&format!("{:indent$}  in      {}\n", "", detail(&seen.origin.to_string())));
    }
    if reason.more_seen() > 0 {
        text.push_str(&format!("{:indent$}  and {} more\n", "", reason.more_seen()));
    }
    if reason.seen().is_empty() {
        text.push_str(&format!("{:indent$}  {}\n", "", detail(&reason.to_string())));
    }
}

fn detail(text: &str) -> String {
    short_digests(&harmless(text))
}
