//! What a policy document may say, and what is said about one that says it wrong.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod evidence;

use evidence::Key;
use touchmark_policy::{
    DocumentError, GlobError, Limits, Lint, Mode, NoMatch, Policy, PolicyDocument, Position, Problem,
    Problems, RequirementKind,
};

const GOOD: &str = "apiVersion: touchmark.dev/v1alpha1
kind: ImagePolicy
metadata: {name: release}
spec:
  images:
  - glob: ghcr.io/acme/**
  signers:
  - name: release
    key: {file: a.pub}
  - name: backup
    key: {file: b.pub}
  require:
  - name: signed
    signature: {by: [release, backup]}
";

fn parse(text: &str) -> Result<PolicyDocument, DocumentError> {
    PolicyDocument::parse(text, "p.yaml", &Limits::default())
}

fn check_with(text: &str, limits: &Limits) -> Result<Policy, Problems> {
    let read = |file: &str| match file {
        "a.pub" => Ok(Key::new(1).pem()),
        "b.pub" => Ok(Key::new(2).pem()),
        "two.pub" => Ok(Key::new(1).pem() + &Key::new(2).pem()),
        _ => Err(std::io::ErrorKind::NotFound.into()),
    };
    parse(text).unwrap().check(&read, limits)
}

fn check(text: &str) -> Result<Policy, Problems> {
    check_with(text, &Limits::default())
}

/// The only problem of [`GOOD`] with `old` made `new`, and its line.
fn problem(old: &str, new: &str) -> (Problem, u64) {
    assert!(GOOD.contains(old), "{old}");
    let mut problems = check(&GOOD.replace(old, new)).unwrap_err().into_iter().collect::<Vec<_>>();
    let problem = problems.pop().unwrap();
    assert!(problems.is_empty(), "{problems:?}");
    let line = problem.location().position.unwrap().line;
    (problem, line)
}

macro_rules! assert_problem {
    ($old:expr => $new:expr, $pattern:pat, line $line:expr) => {
        let (problem, line) = problem($old, $new);
        assert!(matches!(problem, $pattern), "{problem:?}");
        assert_eq!(line, $line, "{problem}");
    };
}

#[test]
fn a_good_document_becomes_a_policy() {
    let policy = check(GOOD).unwrap();
    assert_eq!((policy.name(), policy.mode(), policy.no_match()), ("release", Mode::Enforce, None));
    assert_eq!(policy.requirements()[0].kind(), RequirementKind::Signature);
    assert_eq!(policy.requirements()[0].quorum().at_least(), 1);
    assert_eq!(policy.signers().count(), 2);
    assert_eq!(policy.lints(), []);
    assert_eq!(parse(GOOD).unwrap().key_files().collect::<Vec<_>>(), ["a.pub", "b.pub"]);
}

#[test]
fn every_field_is_read() {
    let key = Key::new(1).pem().replace('\n', "\n        ");
    let policy = check(&format!(
        "apiVersion: touchmark.dev/v1alpha1
kind: ImagePolicy
metadata: {{name: all}}
spec:
  mode: warn
  images: [{{glob: 'ghcr.io/acme/**'}}, {{glob: 'quay.io/acme/*'}}]
  noMatch: allow
  signers:
  - name: a
    key:
      data: |
        {key}
  - {{name: b, key: {{file: b.pub}}}}
  require:
  - {{name: s, signature: {{by: [a, b], atLeast: 2, annotations: {{env: prod, tier: 1}}}}}}
  - {{name: t, attestation: {{by: [a], type: spdx}}}}
  - name: p
    provenance:
      by: [b]
      builder: {{idGlob: 'https://example.com/*'}}
      buildType: https://example.com/type
      source: {{uri: 'git+https://github.com/acme/app', refGlob: 'refs/tags/v*', commit: {commit}}}
",
        commit = "a".repeat(40)
    ))
    .unwrap();
    assert_eq!((policy.mode(), policy.no_match()), (Mode::Warn, Some(NoMatch::Allow)));
    assert_eq!(policy.images().len(), 2);
    let kinds: Vec<_> = policy.requirements().iter().map(|requirement| requirement.kind().name()).collect();
    assert_eq!(kinds, ["signature", "attestation", "provenance"]);
    assert_eq!(policy.lints().len(), 2);
}

#[test]
fn one_file_may_hold_several_policies_but_parse_wants_one() {
    let two = format!("{GOOD}---\n{}", GOOD.replace("name: release}", "name: other}"));
    let names = |text: &str| -> Vec<String> {
        let documents = PolicyDocument::parse_all(text, "p.yaml", &Limits::default()).unwrap();
        documents.iter().map(|document| document.name().to_owned()).collect()
    };
    assert_eq!(names(&two), ["release", "other"]);
    assert!(matches!(parse(&two), Err(DocumentError::TooManyDocuments { found: 2, limit: 1, .. })));
}

#[test]
fn unknown_fields_are_refused_with_line_and_column_at_every_level() {
    for (old, new, field, line) in [
        ("kind: ImagePolicy", "kind: ImagePolicy\nextra: 1", "extra", 3),
        ("name: release}", "name: release, labels: {}}", "labels", 3),
        ("  images:", "  namespaces: [prod]\n  images:", "namespaces", 5),
        ("ghcr.io/acme/**", "ghcr.io/acme/**\n    regex: x", "regex", 7),
        ("    key: {file: a.pub}", "    keyless: {}\n    key: {file: a.pub}", "keyless", 9),
        ("file: a.pub", "kms: a", "kms", 9),
        ("    signature:", "    vulnerabilities: {}\n    signature:", "vulnerabilities", 14),
        ("signature: {by:", "signature: {atleast: 2, by:", "atleast", 14),
    ] {
        let error = parse(&GOOD.replace(old, new)).unwrap_err();
        assert!(
            matches!(&error, DocumentError::UnknownField { field: found, .. } if found == field),
            "{error:?}"
        );
        let position = error.at().position.unwrap();
        assert_eq!(position.line, line, "{error}");
        assert!(
            position.column > 0
                && error.to_string().starts_with(&format!("p.yaml:{line}:{}: ", position.column))
        );
    }
}

#[test]
fn other_kinds_versions_and_words_are_refused_with_those_there_are() {
    for (old, new, found) in [
        ("v1alpha1", "v1", "touchmark.dev/v1"),
        ("ImagePolicy", "ClusterImagePolicy", "ClusterImagePolicy"),
        ("  images:", "  mode: audit\n  images:", "audit"),
        ("  images:", "  noMatch: pass\n  images:", "pass"),
    ] {
        let error = parse(&GOOD.replace(old, new)).unwrap_err();
        assert!(
            matches!(&error, DocumentError::UnknownValue { found: word, .. } if word == found),
            "{error:?}"
        );
    }
}

#[test]
fn missing_and_repeated_fields_are_refused() {
    let missing = |text: String, name: &str| {
        let error = parse(&text).unwrap_err();
        assert!(matches!(&error, DocumentError::MissingField { field, .. } if *field == name), "{error:?}");
    };
    missing(GOOD.replace("metadata: {name: release}\n", ""), "metadata");
    missing(GOOD.replace("apiVersion: touchmark.dev/v1alpha1\n", ""), "apiVersion");
    missing(GOOD.replace("    signature: {by: [release, backup]}", "    signature: {}"), "by");
    missing(
        GOOD.replace(
            "  - name: signed\n    signature: {by: [release, backup]}",
            "  - signature: {by: [release]}",
        ),
        "name",
    );
    let error =
        parse(&GOOD.replace("kind: ImagePolicy", "kind: ImagePolicy\nkind: ImagePolicy")).unwrap_err();
    assert!(matches!(&error, DocumentError::DuplicateField { field, .. } if field == "kind"), "{error:?}");
}

#[test]
fn what_is_not_the_yaml_of_a_policy_is_refused() {
    for text in [
        "spec: [",
        "\t- x",
        "just text",
        "[1, 2]",
        &GOOD.replace("by: [release, backup]", "by: release"),
        &GOOD.replace("name: signed", "name: !odd signed"),
        &GOOD.replace("name: signed", "name:"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(matches!(error, DocumentError::Yaml { .. }), "{text} {error:?}");
    }
    for text in ["", "# nothing\n", "---\n---\n"] {
        assert!(matches!(parse(text), Err(DocumentError::Empty { .. })), "{text:?}");
    }
}

#[test]
fn merge_keys_are_refused() {
    let text = GOOD
        .replace("metadata: {name: release}", "metadata: &m {name: release}")
        .replace("  images:", "  <<: *m\n  images:");
    assert!(matches!(parse(&text), Err(DocumentError::Yaml { .. })));
}

#[test]
fn large_deep_long_and_exploding_files_are_refused_at_once() {
    let large = format!("# {}\n{GOOD}", "x".repeat(10 << 20));
    assert!(matches!(parse(&large), Err(DocumentError::TooLarge { limit: 1_048_576, .. })));
    for deep in [GOOD.replace("{name: release}", &("[".repeat(5000) + &"]".repeat(5000))), {
        let nested: String = (0..2000).map(|i| format!("{}-\n", " ".repeat(i % 400))).collect();
        format!("{GOOD}extra:\n{nested}")
    }] {
        assert!(matches!(
            parse(&deep),
            Err(DocumentError::Limit { .. }
                | DocumentError::Yaml { .. }
                | DocumentError::UnknownField { .. })
        ));
    }
    let many = GOOD.replace("  - glob: ghcr.io/acme/**\n", &"  - glob: a/b\n".repeat(60_000));
    assert!(matches!(parse(&many), Err(DocumentError::Limit { .. })));
    let documents = format!("{GOOD}---\n").repeat(65);
    let error = PolicyDocument::parse_all(&documents, "p.yaml", &Limits::default()).unwrap_err();
    assert!(
        matches!(error, DocumentError::Limit { .. } | DocumentError::TooManyDocuments { .. }),
        "{error:?}"
    );
}

#[test]
fn alias_bombs_are_refused() {
    let mut bomb = String::from(
        "apiVersion: touchmark.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: x}\nspec:\n  images:\n",
    );
    bomb.push_str("  - &l0 {glob: a/b}\n");
    for level in 1..12 {
        let again = vec![format!("*l{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("  - &l{level} [{again}]\n"));
    }
    assert!(parse(&bomb).is_err());
    let wide = GOOD.replace(
        "  - glob: ghcr.io/acme/**\n",
        &format!("  - &g {{glob: ghcr.io/acme/**}}\n{}", "  - *g\n".repeat(300)),
    );
    assert!(matches!(parse(&wide), Err(DocumentError::Limit { .. })));
    let few = GOOD.replace(
        "  - glob: ghcr.io/acme/**\n",
        &format!("  - &g {{glob: ghcr.io/acme/**}}\n{}", "  - *g\n".repeat(3)),
    );
    assert_eq!(check(&few).unwrap().images().len(), 4);
}

#[test]
fn names_are_like_those_of_kubernetes() {
    for name in ["''", "Release", "-a", "a-", "a_b", "'a b'"] {
        assert_problem!("name: signed" => &format!("name: {name}"), Problem::Name { .. }, line 13);
    }
    assert_problem!("{name: release}" => &format!("{{name: {}}}", "a".repeat(64)), Problem::Name { .. }, line 3);
}

#[test]
fn images_have_to_be_patterns_that_can_match() {
    assert_problem!("  images:\n  - glob: ghcr.io/acme/**" => "  images: []", Problem::NoImages { .. }, line 5);
    assert_problem!("ghcr.io/acme/**" => "ghcr.io/acme/app:v1", Problem::Glob { source: GlobError::HasTag, .. }, line 6);
}

#[test]
fn requirements_have_to_be_of_one_kind_each_under_a_name_of_its_own() {
    assert_problem!("  require:\n  - name: signed\n    signature: {by: [release, backup]}" => "  require: []", Problem::NoRequirements { .. }, line 12);
    let twice =
        "  - name: signed\n    signature: {by: [release]}\n  - name: signed\n    signature: {by: [backup]}";
    assert_problem!("  - name: signed\n    signature: {by: [release, backup]}" => twice, Problem::DuplicateRequirement { .. }, line 15);
    assert_problem!("    signature: {by: [release, backup]}" => "", Problem::RequirementKinds { found: 0, .. }, line 13);
    let both = "    signature: {by: [release]}\n    attestation: {by: [backup], type: spdx}";
    assert_problem!("    signature: {by: [release, backup]}" => both, Problem::RequirementKinds { found: 2, .. }, line 13);
}

#[test]
fn signers_have_to_have_a_name_and_one_key_of_their_own() {
    assert_problem!("  require:" => "  - {name: release, key: {file: a.pub}}\n  require:", Problem::DuplicateSigner { .. }, line 12);
    assert_problem!("file: b.pub" => "file: a.pub", Problem::SameKey { .. }, line 11);
    assert_problem!("{file: b.pub}" => "{}", Problem::KeySource { .. }, line 11);
    assert_problem!("{file: b.pub}" => "{file: b.pub, data: x}", Problem::KeySource { .. }, line 11);
    assert_problem!("file: b.pub" => "file: none.pub", Problem::KeyFile { .. }, line 11);
    assert_problem!("file: b.pub" => "file: two.pub", Problem::Key { .. }, line 11);
    assert_problem!("file: b.pub" => "data: not a key", Problem::Key { .. }, line 11);
    let mut limits = Limits::default();
    limits.max_key_bytes = 10;
    let problems = check_with(GOOD, &limits).unwrap_err();
    assert!(problems.iter().all(|problem| matches!(problem, Problem::KeyFileTooLarge { limit: 10, .. })));
}

#[test]
fn identities_have_to_state_subject_and_issuer_each_in_one_way() {
    let key = "key: {file: b.pub}";
    let with = |text: &str| format!("identity: {{{text}}}");
    let issuer = "issuer: https://i.example";
    assert_problem!(key => "", Problem::SignerKind { .. }, line 10);
    assert_problem!(key => &format!("{key}\n    identity: {{subject: a, {issuer}}}"), Problem::SignerKind { .. }, line 10);
    assert_problem!(key => &with("subject: a"), Problem::IdentityText { field: "issuer", .. }, line 11);
    assert_problem!(key => &with(issuer), Problem::IdentityText { field: "subject", .. }, line 11);
    let twice = with(&format!("subject: a, subjectRegExp: b, {issuer}"));
    assert_problem!(key => &twice, Problem::IdentityText { field: "subject", .. }, line 11);
    assert_problem!(key => &with(&format!("subject: '', {issuer}")), Problem::EmptyText { .. }, line 11);
    assert_problem!(key => &with(&format!("subjectRegExp: '(', {issuer}")), Problem::Expression { .. }, line 11);
    let unknown = with(&format!("subject: a, {issuer}, extensions: {{sourceRepositoryURI: x}}"));
    assert_problem!(key => &unknown, Problem::Extension { .. }, line 11);
}

#[test]
fn keys_count_at_times_that_there_are() {
    let with = |window: &str| format!("{{file: b.pub, {window}}}");
    let key = "{file: b.pub}";
    let good = "keys: [{file: b.pub, validFrom: 2026-01-01T00:00:00Z, validUntil: 2026-12-31T00:00:00+01:00, undated: true}]";
    check(&GOOD.replace("key: {file: b.pub}", good)).unwrap();
    assert_problem!("key: {file: b.pub}" => "keys: []", Problem::NoKeys { .. }, line 11);
    assert_problem!("key: {file: b.pub}" => "keys: [{file: b.pub}, {file: b.pub}]", Problem::SameKey { .. }, line 10);
    assert_problem!("    key: {file: b.pub}" => "    key: {file: b.pub}\n    keys: [{file: b.pub}]", Problem::SignerKind { .. }, line 10);
    assert_problem!(key => &with("validFrom: yesterday"), Problem::Time { .. }, line 11);
    assert_problem!(key => &with("validFrom: 2026-01-01"), Problem::Time { .. }, line 11);
    let backwards = with("validFrom: 2026-02-01T00:00:00Z, validUntil: 2026-01-01T00:00:00Z");
    assert_problem!(key => &backwards, Problem::WindowEmpty { .. }, line 11);
    assert_problem!(key => &with("undated: true"), Problem::UndatedWithoutWindow { .. }, line 11);
}

#[test]
fn witnesses_have_keys_and_no_more_are_asked_for_than_there_are() {
    let key = "w.example+fd0a1844+BAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH";
    let with = |extra: &str| format!("  {extra}\n  require:");
    assert_problem!("  require:" => &with("witnesses: [nobody]"), Problem::Witness { .. }, line 12);
    assert_problem!("  require:" => &with("proof: {witnesses: 1}"), Problem::TooFewWitnesses { wanted: 1, known: 0, .. }, line 12);
    let twice = format!("witnesses: [{key}, {key}]\n  proof: {{witnesses: 2}}");
    assert_problem!("  require:" => &with(&twice), Problem::TooFewWitnesses { wanted: 2, known: 1, .. }, line 13);
}

#[test]
fn requirements_have_to_name_signers_that_can_meet_them() {
    assert_problem!("[release, backup]" => "[]", Problem::NoSigners { .. }, line 14);
    assert_problem!("[release, backup]" => "[release, backup, nobody]", Problem::UnknownSigner { .. }, line 14);
    assert_problem!("[release, backup]" => "[release, backup, release]", Problem::SignerTwice { .. }, line 14);
    assert_problem!("[release, backup]" => "[release, backup], atLeast: 3", Problem::AtLeast { wanted: 3, signers: 2, .. }, line 14);
    assert_problem!("[release, backup]" => "[release, backup], atLeast: 0", Problem::AtLeast { wanted: 0, .. }, line 14);
    assert!(matches!(
        parse(&GOOD.replace("[release, backup]", "[release], atLeast: -1")),
        Err(DocumentError::Yaml { .. })
    ));
}

#[test]
fn attestations_have_to_have_a_type_that_is_no_signature() {
    let with = |text: &str| format!("    attestation: {{by: [release, backup], type: '{text}'}}");
    let signature = "    signature: {by: [release, backup]}";
    assert_problem!(signature => &with("sbom"), Problem::PredicateType { .. }, line 14);
    assert_problem!(signature => &with("https://sigstore.dev/cosign/sign/v1"), Problem::SignatureAsAttestation { .. }, line 14);
}

#[test]
fn provenance_has_to_say_what_is_expected_in_one_way() {
    let with = |text: &str| format!("    provenance: {{by: [release, backup], {text}}}");
    let signature = "    signature: {by: [release, backup]}";
    let source = |text: &str| with(&format!("builder: {{id: x}}, source: {{{text}}}"));
    assert_problem!(signature => &with("builder: {}"), Problem::BuilderId { .. }, line 14);
    assert_problem!(signature => &with("builder: {id: ''}"), Problem::EmptyText { .. }, line 14);
    assert_problem!(signature => &with("builder: {id: x, idGlob: y}"), Problem::BuilderId { .. }, line 14);
    assert_problem!(signature => &with("builder: {idGlob: '***'}"), Problem::Glob { source: GlobError::ThreeStars, .. }, line 14);
    assert_problem!(signature => &source("uri: acme/app"), Problem::SourceUri { .. }, line 14);
    assert_problem!(signature => &source("uri: 'https://github.com/acme/app@main'"), Problem::SourceUri { .. }, line 14);
    assert_problem!(signature => &source("uri: 'https://github.com/acme/app', ref: a, refGlob: b"), Problem::TwoRefs { .. }, line 14);
    assert_problem!(signature => &source("uri: 'https://github.com/acme/app', commit: abc"), Problem::Commit { .. }, line 14);
    let error = parse(&GOOD.replace(signature, &with("buildType: x"))).unwrap_err();
    assert!(matches!(error, DocumentError::MissingField { field: "builder", .. }), "{error:?}");
}

#[test]
fn all_problems_are_reported_in_the_order_of_the_document() {
    let text = GOOD
        .replace("ghcr.io/acme/**", "ghcr.io")
        .replace("b.pub", "none.pub")
        .replace("[release, backup]", "[release, nobody]");
    let problems = check(&text).unwrap_err();
    let lines: Vec<u64> = problems.iter().map(|problem| problem.location().position.unwrap().line).collect();
    assert_eq!(lines, [6, 11, 14]);
    assert!(problems.to_string().ends_with("(and 2 more problems)"), "{problems}");
}

#[test]
fn what_is_probably_not_meant_is_pointed_out() {
    let lints = |old: &str, new: &str| check(&GOOD.replace(old, new)).unwrap().lints().to_vec();
    assert!(
        matches!(&lints("by: [release, backup]", "by: [release]")[..], [Lint::UnusedSigner { name, .. }] if name == "backup")
    );
    assert!(matches!(lints("  images:", "  noMatch: allow\n  images:")[..], [Lint::AllowsUnmatched { .. }]));
    assert!(matches!(lints("  images:", "  mode: warn\n  images:")[..], [Lint::WarnsOnly { .. }]));
    let signature = "    signature: {by: [release, backup]}";
    let provenance =
        |text: &str| format!("    provenance: {{by: [release, backup], builder: {{id: x}}{text}}}");
    assert!(matches!(lints(signature, &provenance(""))[..], [Lint::AnySource { .. }]));
    let short = lints(signature, &provenance(", source: {uri: 'https://github.com/acme/app', ref: main}"));
    assert!(matches!(&short[..], [Lint::ShortRef { .. }]), "{short:?}");
    assert_eq!(short[0].at().position.unwrap(), Position { line: 14, column: 109 }, "{}", short[0]);
}
