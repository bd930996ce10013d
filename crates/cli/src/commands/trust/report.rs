//! What a trust root is, in words and in JSON (docs/schemas/trust.v1.json).

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use touchmark_oci::Digest;
use touchmark_tuf::{RoleState, TRUSTED_ROOT, Trusted};

use crate::arguments::ReportFormat;
use crate::signers::TrustRootRef;
use crate::trust_source::{Kept, Origin, Trust};

/// How a kind is called in JSON and in words.
const KINDS: [(&str, &str); 4] = [
    ("certificateAuthorities", "certificate authorities"),
    ("certificateLogs", "certificate transparency logs"),
    ("transparencyLogs", "transparency logs"),
    ("timestampAuthorities", "timestamp authorities"),
];

/// The report, and with `changes` what is new since before.
pub(super) fn report(trust: &Trust, changes: bool, format: ReportFormat) -> String {
    match format {
        ReportFormat::Json => format!("{:#}\n", to_json(trust, changes)),
        ReportFormat::Text => to_text(trust, changes),
    }
}

fn counts(trust: &Trust) -> [usize; 4] {
    let summary = trust.root.summary();
    [
        summary.certificate_authorities,
        summary.certificate_logs,
        summary.transparency_logs,
        summary.timestamp_authorities,
    ]
}

fn to_json(trust: &Trust, changes: bool) -> Value {
    let holds: Map<_, _> = KINDS
        .iter()
        .zip(counts(trust))
        .map(|((name, _), count)| ((*name).to_owned(), json!(count)))
        .collect();
    let mut report = json!({
        "schema": "touchmark.dev/trust/v1",
        "id": trust.root.id().to_string(),
        "holds": holds,
    });
    let Some(members) = report.as_object_mut() else { return report };
    let source = match &trust.origin {
        Origin::Given(TrustRootRef::File(path)) => {
            json!({ "kind": "file", "path": path.display().to_string() })
        }
        Origin::Given(shipped) => json!({ "kind": "shipped", "instance": shipped.to_string() }),
        Origin::Tuf(kept) => {
            members.extend(freshness(kept));
            if changes {
                members.insert("changes".to_owned(), changed(kept));
            }
            json!({
                "kind": "tuf",
                "mirror": kept.repository.mirror().to_string(),
                "root": kept.repository.root_digest().to_string(),
            })
        }
    };
    members.insert("source".to_owned(), source);
    report
}

fn freshness(kept: &Kept) -> Map<String, Value> {
    let (trusted, now) = (&kept.current.trusted, Timestamp::now());
    let role = |state: &RoleState| {
        json!({
            "role": state.role.name(),
            "version": state.version,
            "expires": state.expires.to_string(),
            "expired": state.is_expired(now),
        })
    };
    let mut members = Map::new();
    members.insert("refreshed".to_owned(), trusted.refreshed().to_string().into());
    members.insert("stale".to_owned(), (!trusted.expired(now).is_empty()).into());
    members.insert("roles".to_owned(), trusted.roles().iter().map(role).collect());
    members
}

/// The roles with another version than before, and whether the trust root is another one.
fn changed(kept: &Kept) -> Value {
    let versions = steps(kept).into_iter().map(|(before, now)| {
        json!({ "what": now.role.name(), "from": before.map(|state| state.version), "to": now.version })
    });
    let mut changes: Vec<Value> = versions.collect();
    let digest = |trusted: &Trusted| Digest::of(trusted.target(TRUSTED_ROOT).unwrap_or_default()).to_string();
    let (from, to) = (kept.current.before.as_ref().map(digest), digest(&kept.current.trusted));
    if from.as_ref() != Some(&to) {
        changes.push(json!({ "what": TRUSTED_ROOT, "from": from, "to": to }));
    }
    changes.into()
}

/// What each role that has changed had before, if anything, and has now.
fn steps(kept: &Kept) -> Vec<(Option<RoleState>, RoleState)> {
    let before = |now: &RoleState| {
        let roles = kept.current.before.as_ref()?.roles();
        roles.iter().copied().find(|state| state.role == now.role)
    };
    let all = kept.current.trusted.roles().iter().map(|now| (before(now), *now));
    all.filter(|(before, now)| before.as_ref() != Some(now)).collect()
}

fn to_text(trust: &Trust, changes: bool) -> String {
    let mut text = match &trust.origin {
        Origin::Given(TrustRootRef::File(path)) => {
            format!("trust root {} ({})\n", path.display(), trust.root.id())
        }
        Origin::Given(shipped) => format!(
            "trust root {shipped} ({})\n  as shipped with this version; touchmark trust init keeps it fresh\n",
            trust.root.id()
        ),
        Origin::Tuf(kept) => {
            let mirror = kept.repository.mirror();
            let mut text = format!("trust root of {mirror} ({})\n", trust.root.id());
            push_freshness(&mut text, kept);
            if changes {
                push_changes(&mut text, kept);
            }
            text
        }
    };
    for ((_, words), count) in KINDS.iter().zip(counts(trust)) {
        text.push_str(&format!("  {count:>3} {words}\n"));
    }
    text
}

fn push_freshness(text: &mut String, kept: &Kept) {
    let (trusted, now) = (&kept.current.trusted, Timestamp::now());
    text.push_str(&format!("  follows from root.json {}\n", kept.repository.root_digest()));
    text.push_str(&format!("  refreshed {}\n", trusted.refreshed()));
    for state in trusted.roles() {
        let word = if state.is_expired(now) { "STALE: expired" } else { "expires" };
        text.push_str(&format!(
            "    {:<9} version {:<4} {word} {}\n",
            state.role.name(),
            state.version,
            state.expires
        ));
    }
}

fn push_changes(text: &mut String, kept: &Kept) {
    let steps = steps(kept);
    if steps.is_empty() {
        text.push_str("  nothing is new\n");
    }
    for (before, now) in steps {
        let before = before.map_or_else(|| "none".to_owned(), |state| state.version.to_string());
        text.push_str(&format!("  new: {} version {before} -> {}\n", now.role, now.version));
    }
}
