//! DSSE envelopes and in-toto statements: read within the limits or refused; what was read is written as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchmark_attestation::{Envelope, Limits, PredicateType, Statement};

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    if let Ok(envelope) = Envelope::parse(bytes, &limits) {
        let again = Envelope::parse(&envelope.to_json(), &limits).expect("what was written is an envelope");
        assert_eq!(again.dangerous_payload(), envelope.dangerous_payload());
        assert_eq!(again.pae(), envelope.pae());
        assert_eq!(again.signatures().len(), envelope.signatures().len());
        assert!(!envelope.signatures().is_empty());
        let _ = Statement::parse(envelope.dangerous_payload(), &limits);
    }
    if let Ok(statement) = Statement::parse(bytes, &limits) {
        assert!(!statement.subjects().is_empty());
        let _ = statement.predicate_type().parse::<PredicateType>();
        assert!(statement.to_json().is_ok());
    }
});
