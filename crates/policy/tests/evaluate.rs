//! What a policy set decides, and the reasons it gives. The evidence is really signed and really verified.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod evidence;

use std::collections::BTreeMap;

use evidence::{
    BUILDER, COMMIT, Gathered, Key, SOURCE, WORKFLOW, digest, github_provenance, image, policy, signature_of,
    statement,
};
use serde_json::{Value, json};
use touchmark_attestation::{pae, predicate_types};
use touchmark_oci::{Digest, PinnedRef};
use touchmark_policy::{Decision, NamedSigner, NoMatch, Policy, PolicySet, PolicySetError, Reason, Verdict};

/// A policy over `ghcr.io/acme/**` with signers `a`, `b` and `c` and these requirements.
fn acme(name: &str, extra: &str, require: &str) -> Policy {
    let text = format!(
        "apiVersion: touchmark.dev/v1alpha1
kind: ImagePolicy
metadata: {{name: {name}}}
spec:
  images: [{{glob: ghcr.io/acme/**}}]
  signers:
  - {{name: a, key: {{file: a.pub}}}}
  - {{name: b, key: {{file: b.pub}}}}
  - {{name: c, key: {{file: c.pub}}}}
{extra}
  require:
{require}
"
    );
    policy(&text, &[("a", &a()), ("b", &b()), ("c", &c())])
}

fn a() -> Key {
    Key::new(1)
}

fn b() -> Key {
    Key::new(2)
}

fn c() -> Key {
    Key::new(3)
}

fn stranger() -> Key {
    Key::new(9)
}

fn signed() -> Policy {
    acme("signed", "", "  - {name: signed, signature: {by: [a]}}")
}

fn codes(decision: &Decision) -> Vec<&'static str> {
    decision.reason_codes().into_iter().collect()
}

fn denied(decision: &Decision, code: &str) {
    assert_eq!(decision.verdict(), Verdict::Deny);
    assert_eq!(codes(decision), [code]);
}

fn allowed(decision: &Decision) {
    assert_eq!((decision.verdict(), codes(decision)), (Verdict::Allow, vec![]));
}

#[test]
fn a_signature_by_the_signer_satisfies_in_both_storage_forms() {
    allowed(&Gathered::nothing().signature(&a(), &[]).judged_by(vec![signed()]));
    allowed(&Gathered::nothing().legacy_signature(&a(), &digest()).judged_by(vec![signed()]));
}

#[test]
fn the_decision_says_who_signed_where_and_that_no_log_entry_was_shown() {
    let decision = Gathered::nothing().signature(&a(), &[]).judged_by(vec![signed()]);
    let support = &decision.policies()[0].requirements[0].support;
    assert_eq!(support.len(), 1);
    assert_eq!((support[0].signer.as_str(), &support[0].key), ("a", &Some(a().public.id().clone())));
    assert!(support[0].to_string().ends_with("no transparency log entry was shown"), "{}", support[0]);
}

#[test]
fn no_evidence_is_missing_evidence() {
    denied(&Gathered::nothing().judged_by(vec![signed()]), "signature-missing");
}

#[test]
fn an_attestation_is_no_signature() {
    let decision = Gathered::nothing().sbom(&a()).judged_by(vec![signed()]);
    denied(&decision, "signature-missing");
    let reason = decision.all_reasons().next().unwrap();
    assert_eq!(reason.seen()[0].value, "attestation of type https://cyclonedx.org/bom");
}

#[test]
fn a_signature_is_no_attestation() {
    let require = "  - {name: sbom, attestation: {type: cyclonedx, by: [a]}}";
    let decision = Gathered::nothing().signature(&a(), &[]).judged_by(vec![acme("p", "", require)]);
    denied(&decision, "attestation-missing");
}

#[test]
fn another_key_is_a_wrong_key_whether_the_policy_knows_it_or_not() {
    let unknown = Gathered::nothing().signature(&stranger(), &[]).judged_by(vec![signed()]);
    denied(&unknown, "signature-wrong-key");
    let known = Gathered::nothing().signature(&b(), &[]).judged_by(vec![signed()]);
    denied(&known, "signature-wrong-key");
    assert_eq!(known.all_reasons().next().unwrap().seen()[0].signer.as_deref(), Some("b"));
}

#[test]
fn a_changed_document_a_foreign_subject_and_garbage_are_different_answers() {
    let payload = signature_of(&digest(), &[]).to_json().unwrap();
    let changed =
        Gathered::nothing().raw_bundle(&a().public, evidence::IN_TOTO, &payload, &a().sign(b"other"));
    denied(&changed.judged_by(vec![signed()]), "signature-invalid");
    let foreign = Gathered::nothing().legacy_signature(&a(), &Digest::of(b"another image"));
    denied(&foreign.judged_by(vec![signed()]), "signature-wrong-subject");
    denied(&Gathered::nothing().garbage().judged_by(vec![signed()]), "signature-unreadable");
    let odd =
        Gathered::nothing().raw_bundle(&a().public, "text/plain", b"x", &a().sign(&pae("text/plain", b"x")));
    denied(&odd.judged_by(vec![signed()]), "signature-unreadable");
}

#[test]
fn a_rejected_document_explains_the_absence_of_what_it_says_it_is_and_no_other() {
    let all = "  - {name: s, signature: {by: [a]}}
  - {name: t, attestation: {type: cyclonedx, by: [a]}}
  - {name: p, provenance: {by: [a], builder: {id: x}}}";
    let judge = |gathered: Gathered| gathered.judged_by(vec![acme("p", "", all)]);
    let provenance = github_provenance(BUILDER, SOURCE, "refs/heads/main");
    for (gathered, wanted) in [
        (
            Gathered::nothing().signature(&stranger(), &[]),
            ["attestation-missing", "provenance-missing", "signature-wrong-key"],
        ),
        (
            Gathered::nothing().sbom(&stranger()),
            ["attestation-wrong-key", "provenance-missing", "signature-missing"],
        ),
        (
            Gathered::nothing().provenance(&stranger(), provenance),
            ["attestation-missing", "provenance-wrong-key", "signature-missing"],
        ),
        (
            Gathered::nothing().garbage(),
            ["attestation-unreadable", "provenance-unreadable", "signature-unreadable"],
        ),
    ] {
        let decision = judge(gathered);
        assert_eq!(decision.verdict(), Verdict::Deny);
        assert_eq!(codes(&decision), wanted);
    }
}

#[test]
fn a_reason_lists_few_of_a_thousand_documents_and_counts_the_rest() {
    let by_strangers = (0..1000).fold(Gathered::nothing(), |found, _| found.signature(&stranger(), &[]));
    let by_others = (0..20).fold(Gathered::nothing(), |found, _| found.signature(&b(), &[]));
    for (gathered, more) in [(by_strangers, 984), (by_others, 4)] {
        let decision = gathered.judged_by(vec![signed()]);
        denied(&decision, "signature-wrong-key");
        let reason = decision.all_reasons().next().unwrap();
        assert_eq!((reason.seen().len(), reason.more_seen()), (16, more));
        assert!(reason.to_string().ends_with(&format!(" and {more} more")));
        assert!(reason.to_string().len() < 10_000, "{reason}");
    }
}

#[test]
fn a_certificate_is_said_to_be_beyond_us() {
    let bundle = json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": { "certificate": { "rawBytes": "MAA=" }, "tlogEntries": [] },
        "dsseEnvelope": { "payload": "e30=", "payloadType": evidence::IN_TOTO, "signatures": [{ "sig": "AA==" }] },
    });
    let bytes = serde_json::to_vec(&bundle).unwrap();
    let limits = touchmark_sigstore::Limits::default();
    let kind = touchmark_sigstore::storage::LayerKind::Bundle;
    let document = touchmark_sigstore::Document::read(kind, &bytes, &BTreeMap::new(), &limits);
    let gathered = Gathered::nothing().item(touchmark_sigstore::Place::Referrers, document);
    denied(&gathered.judged_by(vec![signed()]), "signature-keyless");
}

#[test]
fn a_good_document_counts_whatever_lies_beside_it() {
    let gathered = Gathered::nothing().garbage().signature(&stranger(), &[]).signature(&a(), &[]).omitted();
    allowed(&gathered.judged_by(vec![signed()]));
}

#[test]
fn what_was_not_read_is_said_only_when_something_is_missing() {
    let decision = Gathered::nothing().omitted().judged_by(vec![signed()]);
    assert_eq!(codes(&decision), ["evidence-omitted", "signature-missing"]);
    assert_eq!(decision.evidence().omitted[0].count, 7);
}

#[test]
fn a_legacy_attestation_that_proves_nothing_does_not_make_a_signature_wrong() {
    let key = stranger();
    let payload = statement(&digest(), predicate_types::CYCLONEDX, json!({})).to_json().unwrap();
    let envelope = json!({
        "payload": base64(&payload), "payloadType": evidence::IN_TOTO,
        "signatures": [{ "sig": base64(&key.sign(&pae(evidence::IN_TOTO, &payload))) }],
    });
    let bytes = serde_json::to_vec(&envelope).unwrap();
    let limits = touchmark_sigstore::Limits::default();
    let kind = touchmark_sigstore::storage::LayerKind::Envelope;
    let document = touchmark_sigstore::Document::read(kind, &bytes, &BTreeMap::new(), &limits);
    let require =
        "  - {name: s, signature: {by: [a]}}\n  - {name: t, attestation: {type: cyclonedx, by: [a]}}";
    let gathered = Gathered::nothing().item(evidence::legacy(".att"), document);
    let decision = gathered.judged_by(vec![acme("p", "", require)]);
    assert_eq!(codes(&decision), ["attestation-wrong-key", "signature-missing"]);
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[test]
fn annotations_have_to_be_signed_and_equal() {
    let require = "  - {name: s, signature: {by: [a], annotations: {env: prod}}}";
    let judge = |annotations: &[(&str, Value)]| {
        Gathered::nothing().signature(&a(), annotations).judged_by(vec![acme("p", "", require)])
    };
    allowed(&judge(&[("env", json!("prod")), ("more", json!("x"))]));
    for wrong in [&[][..], &[("env", json!("dev"))], &[("env", json!(["prod"]))], &[("Env", json!("prod"))]] {
        denied(&judge(wrong), "signature-annotation-mismatch");
    }
    let two = Gathered::nothing()
        .signature(&a(), &[("env", json!("dev"))])
        .signature(&a(), &[("env", json!("prod"))]);
    allowed(&two.judged_by(vec![acme("p", "", require)]));
}

#[test]
fn annotations_of_two_signatures_do_not_add_up() {
    let require = "  - {name: s, signature: {by: [a], annotations: {env: prod, team: x}}}";
    let two = Gathered::nothing()
        .signature(&a(), &[("env", json!("prod"))])
        .signature(&a(), &[("team", json!("x"))]);
    denied(&two.judged_by(vec![acme("p", "", require)]), "signature-annotation-mismatch");
}

#[test]
fn at_least_counts_different_signers() {
    let two_of_three = || vec![acme("p", "", "  - {name: s, signature: {by: [a, b, c], atLeast: 2}}")];
    let one = || Gathered::nothing().signature(&a(), &[]);
    denied(&one().judged_by(two_of_three()), "signature-too-few-signers");
    denied(
        &one().signature(&a(), &[]).legacy_signature(&a(), &digest()).judged_by(two_of_three()),
        "signature-too-few-signers",
    );
    allowed(&one().signature(&c(), &[]).judged_by(two_of_three()));
    let with_stranger = one().signature(&stranger(), &[]).judged_by(two_of_three());
    assert_eq!(codes(&with_stranger), ["signature-too-few-signers", "signature-wrong-key"]);
}

#[test]
fn signers_are_alternatives_without_at_least() {
    let either = || vec![acme("p", "", "  - {name: s, signature: {by: [a, b]}}")];
    allowed(&Gathered::nothing().signature(&b(), &[]).judged_by(either()));
    denied(&Gathered::nothing().signature(&c(), &[]).judged_by(either()), "signature-wrong-key");
}

#[test]
fn at_least_holds_for_attestations_too() {
    let policies =
        || vec![acme("p", "", "  - {name: s, attestation: {type: cyclonedx, by: [a, b], atLeast: 2}}")];
    denied(&Gathered::nothing().sbom(&a()).judged_by(policies()), "attestation-too-few-signers");
    allowed(&Gathered::nothing().sbom(&a()).sbom(&b()).judged_by(policies()));
}

#[test]
fn an_attestation_counts_for_its_own_type_only() {
    let policies =
        || vec![acme("p", "", "  - {name: s, attestation: {type: https://example.com/scan/v1, by: [a]}}")];
    allowed(
        &Gathered::nothing()
            .attestation(&a(), "https://example.com/scan/v1", json!({}))
            .judged_by(policies()),
    );
    denied(
        &Gathered::nothing()
            .attestation(&a(), "https://example.com/scan/v11", json!({}))
            .judged_by(policies()),
        "attestation-missing",
    );
    denied(
        &Gathered::nothing()
            .attestation(&b(), "https://example.com/scan/v1", json!({}))
            .judged_by(policies()),
        "attestation-wrong-key",
    );
}

#[test]
fn every_requirement_and_every_matching_policy_has_to_be_satisfied() {
    let both = "  - {name: s, signature: {by: [a]}}\n  - {name: t, attestation: {type: cyclonedx, by: [a]}}";
    denied(
        &Gathered::nothing().signature(&a(), &[]).judged_by(vec![acme("p", "", both)]),
        "attestation-missing",
    );
    allowed(&Gathered::nothing().signature(&a(), &[]).sbom(&a()).judged_by(vec![acme("p", "", both)]));
    let by_b = acme("other", "", "  - {name: s, signature: {by: [b]}}");
    let decision = Gathered::nothing().signature(&a(), &[]).judged_by(vec![signed(), by_b]);
    denied(&decision, "signature-wrong-key");
    assert_eq!(decision.policies().iter().map(|policy| policy.satisfied).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn a_warning_policy_never_denies_and_never_excuses_another() {
    let warn = || acme("warn", "  mode: warn", "  - {name: s, signature: {by: [b]}}");
    let decision = Gathered::nothing().judged_by(vec![warn()]);
    assert_eq!((decision.verdict(), codes(&decision)), (Verdict::Warn, vec!["signature-missing"]));
    assert_eq!(Gathered::nothing().judged_by(vec![warn(), signed()]).verdict(), Verdict::Deny);
    assert_eq!(
        Gathered::nothing().signature(&a(), &[]).judged_by(vec![signed(), warn()]).verdict(),
        Verdict::Warn
    );
    allowed(&Gathered::nothing().signature(&b(), &[]).judged_by(vec![warn()]));
}

#[test]
fn an_image_that_no_policy_matches_gets_the_strictest_answer_stated_and_deny_by_default() {
    let elsewhere: PinnedRef = format!("quay.io/acme/app@{}", digest()).parse().unwrap();
    let stating = |name: &str, stated: &str| {
        let extra = if stated.is_empty() { String::new() } else { format!("  noMatch: {stated}") };
        acme(name, &extra, "  - {name: s, signature: {by: [a]}}")
    };
    for (stated, wanted, answer) in [
        (&["", ""][..], Verdict::Deny, NoMatch::Deny),
        (&["allow", ""], Verdict::Allow, NoMatch::Allow),
        (&["allow", "warn"], Verdict::Warn, NoMatch::Warn),
        (&["allow", "deny", "warn"], Verdict::Deny, NoMatch::Deny),
    ] {
        let policies =
            stated.iter().enumerate().map(|(i, stated)| stating(&format!("p{i}"), stated)).collect();
        let decision = Gathered::nothing()
            .signature(&a(), &[])
            .judged_as(&elsewhere, &PolicySet::new(policies).unwrap());
        assert_eq!((decision.verdict(), decision.no_match()), (wanted, Some(answer)), "{stated:?}");
        assert_eq!(codes(&decision), ["no-policy-matches"]);
    }
}

#[test]
fn evidence_about_another_image_is_never_used() {
    let set = PolicySet::new(vec![signed()]).unwrap();
    let other = image().name().pin(Digest::of(b"another image"));
    denied(&Gathered::nothing().signature(&a(), &[]).judged_as(&other, &set), "evidence-for-another-image");
}

#[test]
fn a_set_needs_policies_with_names_of_their_own() {
    assert_eq!(PolicySet::new(Vec::new()).unwrap_err(), PolicySetError::Empty);
    let error = PolicySet::new(vec![signed(), signed()]).unwrap_err();
    assert_eq!(error, PolicySetError::DuplicateName { name: "signed".into() });
}

#[test]
fn the_keys_of_a_set_are_given_once() {
    let set =
        PolicySet::new(vec![signed(), acme("other", "", "  - {name: s, signature: {by: [a]}}")]).unwrap();
    assert_eq!(set.public_keys().len(), 3);
}

#[test]
fn policies_of_the_command_line_match_every_image() {
    let by_key = |annotations: &[(&str, &str)]| {
        let annotations =
            annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        vec![Policy::signed_by(
            [a(), a(), b()].map(|key| NamedSigner::of_key(key.public)).to_vec(),
            annotations,
        )]
    };
    allowed(&Gathered::nothing().signature(&b(), &[]).judged_by(by_key(&[])));
    denied(
        &Gathered::nothing().signature(&b(), &[]).judged_by(by_key(&[("x", "y")])),
        "signature-annotation-mismatch",
    );
    denied(&Gathered::nothing().sbom(&a()).judged_by(by_key(&[])), "signature-missing");
    let attested =
        vec![Policy::attested_by(vec![NamedSigner::of_key(a().public)], "cyclonedx".parse().unwrap())];
    allowed(&Gathered::nothing().sbom(&a()).judged_by(attested));
    denied(
        &Gathered::nothing().judged_by(vec![Policy::signed_by(Vec::new(), BTreeMap::new())]),
        "signature-missing",
    );
}

fn built(expectations: &str) -> Vec<Policy> {
    vec![acme("built", "", &format!("  - {{name: built, provenance: {{by: [a], {expectations}}}}}"))]
}

fn judge_build(expectations: &str, predicate: Value) -> Decision {
    Gathered::nothing().provenance(&a(), predicate).judged_by(built(expectations))
}

#[test]
fn provenance_is_compared_field_by_field() {
    let good = || github_provenance(BUILDER, SOURCE, "refs/heads/main");
    for met in [
        format!("builder: {{id: '{BUILDER}'}}"),
        "builder: {idGlob: 'https://github.com/actions/runner/*'}".to_owned(),
        format!("builder: {{id: '{BUILDER}'}}, buildType: '{WORKFLOW}'"),
        format!(
            "builder: {{id: '{BUILDER}'}}, source: {{uri: 'git+https://github.com/acme/app.git', ref: refs/heads/main}}"
        ),
        format!(
            "builder: {{id: '{BUILDER}'}}, source: {{uri: {SOURCE}, refGlob: 'refs/heads/*', commit: {COMMIT}}}"
        ),
    ] {
        allowed(&judge_build(&met, good()));
    }
    for (unmet, code) in [
        ("builder: {id: 'https://github.com/actions/runner'}".to_owned(), "provenance-builder-mismatch"),
        ("builder: {idGlob: 'https://github.com/*'}".to_owned(), "provenance-builder-mismatch"),
        (format!("builder: {{id: '{BUILDER}'}}, buildType: '{WORKFLOW}/'"), "provenance-build-type-mismatch"),
        (format!("builder: {{id: '{BUILDER}'}}, source: {{uri: {SOURCE}2}}"), "provenance-source-mismatch"),
        (
            format!("builder: {{id: '{BUILDER}'}}, source: {{uri: {SOURCE}, ref: refs/tags/v1}}"),
            "provenance-ref-mismatch",
        ),
        (
            format!("builder: {{id: '{BUILDER}'}}, source: {{uri: {SOURCE}, refGlob: 'refs/tags/*'}}"),
            "provenance-ref-mismatch",
        ),
        (
            format!("builder: {{id: '{BUILDER}'}}, source: {{uri: {SOURCE}, commit: {}}}", "0".repeat(40)),
            "provenance-commit-mismatch",
        ),
    ] {
        denied(&judge_build(&unmet, good()), code);
    }
}

#[test]
fn version_0_2_provenance_counts_too() {
    let predicate = json!({
        "builder": { "id": BUILDER },
        "buildType": "https://mobyproject.org/buildkit@v1",
        "invocation": { "configSource": { "uri": format!("{SOURCE}#refs/heads/main"), "digest": { "sha1": COMMIT } } },
    });
    let expectations = format!(
        "builder: {{id: '{BUILDER}'}}, source: {{uri: {SOURCE}, ref: refs/heads/main, commit: {COMMIT}}}"
    );
    let judge = |predicate| {
        let gathered = Gathered::nothing().attestation(&a(), predicate_types::SLSA_PROVENANCE_V02, predicate);
        gathered.judged_by(built(&expectations))
    };
    allowed(&judge(predicate.clone()));
    let mut other = predicate;
    other["builder"]["id"] = json!("https://evil.example");
    denied(&judge(other), "provenance-builder-mismatch");
}

#[test]
fn what_provenance_does_not_tell_is_never_taken_as_met() {
    let nobody = github_provenance("", SOURCE, "refs/heads/main");
    denied(&judge_build("builder: {idGlob: '**'}", nobody), "provenance-builder-unknown");
    let mut no_type = github_provenance(BUILDER, SOURCE, "refs/heads/main");
    no_type["buildDefinition"]["buildType"] = json!("");
    denied(
        &judge_build(&format!("builder: {{id: '{BUILDER}'}}, buildType: x"), no_type),
        "provenance-build-type-unknown",
    );
    let with_source = format!("builder: {{id: '{BUILDER}'}}, source: {{uri: {SOURCE}}}");
    let mut unknown_type = github_provenance(BUILDER, SOURCE, "refs/heads/main");
    unknown_type["buildDefinition"]["buildType"] = json!("https://example.com/my-builder/v1");
    denied(&judge_build(&with_source, unknown_type), "provenance-source-unknown");
    let mut silent = github_provenance(BUILDER, SOURCE, "refs/heads/main");
    silent["buildDefinition"]["externalParameters"] = json!({});
    denied(&judge_build(&with_source, silent), "provenance-source-unknown");
    let mut no_commit = github_provenance(BUILDER, SOURCE, "refs/heads/main");
    no_commit["buildDefinition"]["resolvedDependencies"] = json!([]);
    let with_commit = format!("builder: {{id: '{BUILDER}'}}, source: {{uri: {SOURCE}, commit: {COMMIT}}}");
    denied(&judge_build(&with_commit, no_commit.clone()), "provenance-commit-unknown");
    no_commit["buildDefinition"]["externalParameters"]["workflow"].as_object_mut().unwrap().remove("ref");
    let with_ref = format!("builder: {{id: '{BUILDER}'}}, source: {{uri: {SOURCE}, ref: refs/heads/main}}");
    denied(&judge_build(&with_ref, no_commit), "provenance-ref-unknown");
}

#[test]
fn facts_of_two_statements_do_not_add_up() {
    let expectations = format!("builder: {{id: '{BUILDER}'}}, source: {{uri: {SOURCE}}}");
    let right_builder = github_provenance(BUILDER, "https://github.com/evil/app", "refs/heads/main");
    let right_source = github_provenance("https://evil.example", SOURCE, "refs/heads/main");
    let gathered =
        Gathered::nothing().provenance(&a(), right_builder.clone()).provenance(&a(), right_source.clone());
    let decision = gathered.judged_by(built(&expectations));
    assert_eq!(decision.verdict(), Verdict::Deny);
    assert_eq!(codes(&decision), ["provenance-builder-mismatch", "provenance-source-mismatch"]);
    let good = github_provenance(BUILDER, SOURCE, "refs/heads/main");
    let gathered = Gathered::nothing()
        .provenance(&a(), right_builder)
        .provenance(&a(), good)
        .provenance(&a(), right_source);
    allowed(&gathered.judged_by(built(&expectations)));
}

#[test]
fn provenance_by_another_missing_and_malformed_are_different_answers() {
    let expectations = format!("builder: {{id: '{BUILDER}'}}");
    let by_b = Gathered::nothing().provenance(&b(), github_provenance(BUILDER, SOURCE, "refs/heads/main"));
    denied(&by_b.judged_by(built(&expectations)), "provenance-wrong-key");
    denied(&Gathered::nothing().sbom(&a()).judged_by(built(&expectations)), "provenance-missing");
    denied(&judge_build(&expectations, json!({ "buildDefinition": 1 })), "provenance-malformed");
    let vsa = Gathered::nothing().attestation(&a(), predicate_types::SLSA_VSA_V1, json!({}));
    denied(&vsa.judged_by(built(&expectations)), "provenance-missing");
}

#[test]
fn a_flood_of_documents_makes_no_flood_of_reasons() {
    let mut gathered = Gathered::nothing();
    for _ in 0..50 {
        gathered = gathered.garbage();
    }
    let decision = gathered.judged_by(vec![signed()]);
    let seen: usize = decision.all_reasons().map(|reason: &Reason| reason.seen().len()).sum();
    assert_eq!((seen, decision.evidence().rejected.len()), (16, 50));
}

#[test]
fn every_reason_reads_as_one_line_and_has_a_listed_code() {
    let gathered = Gathered::nothing().garbage().signature(&stranger(), &[]).signature(&b(), &[]).omitted();
    let decision = gathered.judged_by(vec![signed()]);
    for reason in decision.all_reasons() {
        assert!(Reason::CODES.contains(&reason.code()), "{}", reason.code());
        let text = reason.to_string();
        assert!(!text.contains('\n') && !text.is_empty(), "{text}");
    }
    assert!(Reason::CODES.is_sorted());
}
