//! What a test table may say, and how it compares decisions.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod evidence;

use evidence::{Gathered, Key, policy};
use touchmark_policy::{
    DocumentError, Limits, TableProblem, TestFailure, TestTable, TestTableError, Verdict,
};

const GOOD: &str = "apiVersion: touchmark.dev/v1alpha1
kind: ImagePolicyTest
metadata: {name: t}
spec:
  policies: [p.yaml]
  cases:
  - name: unsigned
    image: ghcr.io/acme/app:1.0
    evidence: oci:layout:unsigned
    expect: deny
    reasons: [signature-missing]
";

fn parse(text: &str) -> Result<TestTable, TestTableError> {
    TestTable::parse(text, "t.yaml", &Limits::default())
}

fn problem(old: &str, new: &str) -> TableProblem {
    match parse(&GOOD.replace(old, new)).unwrap_err() {
        TestTableError::Problems(problems) => {
            let mut problems: Vec<_> = problems.into_iter().collect();
            assert_eq!(problems.len(), 1, "{problems:?}");
            problems.pop().unwrap()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_good_table_is_read() {
    let table = parse(GOOD).unwrap();
    assert_eq!((table.name(), table.policies()), ("t", &["p.yaml".to_owned()][..]));
    let case = &table.cases()[0];
    assert_eq!((case.expect, case.at.to_string().as_str()), (Verdict::Deny, "t.yaml:7:5"));
    assert_eq!(case.evidence.to_string(), "oci:layout:unsigned");
}

#[test]
fn tables_that_test_nothing_or_name_what_is_not_are_refused() {
    assert!(matches!(problem("[p.yaml]", "[]"), TableProblem::NoPolicies { .. }));
    let cases = &GOOD[GOOD.find("  cases:").unwrap()..];
    assert!(matches!(problem(cases, "  cases: []\n"), TableProblem::NoCases { .. }));
    let again = format!("{cases}{}", &cases["  cases:\n".len()..]);
    assert!(matches!(problem(cases, &again), TableProblem::DuplicateCase { .. }));
    assert!(matches!(problem("ghcr.io/acme/app:1.0", "a b"), TableProblem::Reference { .. }));
    assert!(matches!(problem("oci:layout:unsigned", "'oci:'"), TableProblem::Reference { .. }));
    let pinned = format!("ghcr.io/acme/app@{}", evidence::digest());
    assert!(matches!(problem("ghcr.io/acme/app:1.0", &pinned), TableProblem::PinnedImage { .. }));
    assert!(
        matches!(problem("signature-missing", "signature-mising"), TableProblem::UnknownCode { found, .. } if found == "signature-mising")
    );
}

#[test]
fn other_documents_are_refused() {
    for (old, new) in
        [("ImagePolicyTest", "ImagePolicy"), ("expect: deny", "expect: maybe"), ("v1alpha1", "v2")]
    {
        let error = parse(&GOOD.replace(old, new)).unwrap_err();
        assert!(matches!(error, TestTableError::Document(DocumentError::UnknownValue { .. })), "{error:?}");
    }
    let error = parse(&GOOD.replace("expect:", "want:")).unwrap_err();
    assert!(matches!(error, TestTableError::Document(DocumentError::UnknownField { .. })));
}

#[test]
fn a_decision_has_to_have_the_verdict_and_exactly_the_reasons() {
    let key = Key::new(1);
    let text = "{apiVersion: touchmark.dev/v1alpha1, kind: ImagePolicy, metadata: {name: p}, spec: {
        images: [{glob: '**'}], signers: [{name: a, key: {file: a.pub}}], require: [{name: s, signature: {by: [a]}}]}}";
    let unsigned = || Gathered::nothing().judged_by(vec![policy(text, &[("a", &key)])]);
    let signed = Gathered::nothing().signature(&key, &[]).judged_by(vec![policy(text, &[("a", &key)])]);
    let judge =
        |table: &str, decision: &touchmark_policy::Decision| parse(table).unwrap().cases()[0].judge(decision);
    assert_eq!(judge(GOOD, &unsigned()), Ok(()));
    assert_eq!(judge(&GOOD.replace("    reasons: [signature-missing]\n", ""), &unsigned()), Ok(()));
    let failure = judge(GOOD, &signed).unwrap_err();
    assert!(
        matches!(&failure, TestFailure::Verdict { wanted: Verdict::Deny, found: Verdict::Allow, .. }),
        "{failure}"
    );
    let other = judge(&GOOD.replace("signature-missing", "signature-invalid"), &unsigned()).unwrap_err();
    assert!(matches!(&other, TestFailure::Reasons { .. }), "{other}");
    assert!(
        judge(&GOOD.replace("[signature-missing]", "[signature-missing, evidence-omitted]"), &unsigned())
            .is_err()
    );
}
