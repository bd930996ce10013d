//! Whatever a policy or a test table says, it is read and checked without a panic, and every complaint is one line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchmark_policy::{Limits, PolicyDocument, PolicySet, TestTable};

const KEY: &str = include_str!("../../policies/keys/example-release.pub");

fuzz_target!(|text: &str| {
    let limits = Limits::default();
    if let Err(error) = TestTable::parse(text, "fuzz", &limits) {
        assert!(!error.to_string().is_empty());
    }
    let documents = match PolicyDocument::parse_all(text, "fuzz", &limits) {
        Ok(documents) => documents,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let mut policies = Vec::new();
    for document in documents {
        match document.check(&|_| Ok(KEY.to_owned()), &limits) {
            Ok(policy) => policies.push(policy),
            Err(problems) => problems.iter().for_each(|problem| assert!(!problem.to_string().is_empty())),
        }
    }
    for policy in &policies {
        assert!(!policy.images().is_empty() && !policy.requirements().is_empty());
        for requirement in policy.requirements() {
            let quorum = requirement.quorum();
            assert!(quorum.at_least() > 0 && quorum.at_least() <= quorum.signers().count());
        }
    }
    let _ = PolicySet::new(policies);
});
