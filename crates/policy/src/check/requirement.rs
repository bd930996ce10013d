//! The requirements of a document: each of one kind, each with signers that can meet it.

use std::collections::BTreeSet;

use touchmark_attestation::{PredicateType, predicate_types};

use super::{Checker, Signers};
use crate::document::{AttestationSpec, ProvenanceSpec, RequirementSpec, SignatureSpec, SourceSpec};
use crate::location::Located;
use crate::{
    Expected, Glob, Lint, Problem, ProvenanceExpectations, Quorum, Requirement, SourceExpectation, Wanted,
};

impl Checker<'_> {
    pub(super) fn requirements(
        &mut self,
        specs: &Located<Vec<Located<RequirementSpec>>>,
        signers: &Signers,
    ) -> Vec<Requirement> {
        if specs.value.is_empty() {
            self.problems.push(Problem::NoRequirements { at: self.at(specs.position) });
        }
        let mut names = BTreeSet::new();
        let mut requirements = Vec::new();
        for spec in &specs.value {
            let name = &spec.value.name;
            self.check_name(name);
            if !names.insert(&name.value) {
                let (at, name) = (self.at(name.position), name.value.clone());
                self.problems.push(Problem::DuplicateRequirement { at, name });
            }
            requirements.extend(self.requirement(spec, signers));
        }
        requirements
    }

    fn requirement(&mut self, spec: &Located<RequirementSpec>, signers: &Signers) -> Option<Requirement> {
        let RequirementSpec { name, signature, attestation, provenance } = &spec.value;
        let (quorum, wanted) = match (signature, attestation, provenance) {
            (Some(signature), None, None) => self.signature(signature, signers),
            (None, Some(attestation), None) => self.attestation(attestation, signers)?,
            (None, None, Some(provenance)) => self.provenance(provenance, signers)?,
            _ => {
                let found = [signature.is_some(), attestation.is_some(), provenance.is_some()];
                let found = found.into_iter().filter(|stated| *stated).count();
                let (at, name) = (self.at(spec.position), name.value.clone());
                return self.report(Problem::RequirementKinds { at, name, found });
            }
        };
        Some(Requirement { name: name.value.clone(), quorum, wanted })
    }

    fn signature(&mut self, spec: &SignatureSpec, signers: &Signers) -> (Quorum, Wanted) {
        let quorum = self.quorum(&spec.by, spec.at_least.as_ref(), signers);
        (quorum, Wanted::Signature { annotations: spec.annotations.clone() })
    }

    fn attestation(&mut self, spec: &AttestationSpec, signers: &Signers) -> Option<(Quorum, Wanted)> {
        let quorum = self.quorum(&spec.by, spec.at_least.as_ref(), signers);
        let at = self.at(spec.predicate_type.position);
        match spec.predicate_type.value.parse::<PredicateType>() {
            Ok(predicate_type) if predicate_type.uri() == predicate_types::COSIGN_SIGN => {
                self.report(Problem::SignatureAsAttestation { at })
            }
            Ok(predicate_type) => Some((quorum, Wanted::Attestation { predicate_type })),
            Err(source) => self.report(Problem::PredicateType { at, source }),
        }
    }

    fn provenance(&mut self, spec: &ProvenanceSpec, signers: &Signers) -> Option<(Quorum, Wanted)> {
        let quorum = self.quorum(&spec.by, spec.at_least.as_ref(), signers);
        let builder = match (&spec.builder.value.id, &spec.builder.value.id_glob) {
            (Some(id), None) => self.exactly(id),
            (None, Some(glob)) => self.matching(glob),
            _ => self.report(Problem::BuilderId { at: self.at(spec.builder.position) }),
        };
        let build_type = self.optional(spec.build_type.as_ref(), Self::text);
        let source = self.optional(spec.source.as_ref(), Self::source);
        if spec.source.is_none() {
            self.lints.push(Lint::AnySource { at: self.at(spec.builder.position) });
        }
        let expectations =
            ProvenanceExpectations { builder: builder?, build_type: build_type?, source: source? };
        Some((quorum, Wanted::Provenance(expectations)))
    }

    fn source(&mut self, spec: &Located<SourceSpec>) -> Option<SourceExpectation> {
        let SourceSpec { uri, git_ref, ref_glob, commit } = &spec.value;
        let git_ref = match (git_ref, ref_glob) {
            (None, None) => Some(None),
            (Some(exact), None) => self.exactly(exact).map(Some),
            (None, Some(glob)) => self.matching(glob).map(Some),
            (Some(_), Some(_)) => self.report(Problem::TwoRefs { at: self.at(spec.position) }),
        };
        for written in spec.value.git_ref.iter().chain(ref_glob) {
            if !written.value.starts_with("refs/") && !written.value.starts_with('*') {
                self.lints
                    .push(Lint::ShortRef { at: self.at(written.position), found: written.value.clone() });
            }
        }
        let uri_at = self.at(uri.position);
        let uri = uri
            .value
            .parse()
            .map_or_else(|source| self.report(Problem::SourceUri { at: uri_at, source }), Some);
        let commit = self.optional(commit.as_ref(), |checker, written| {
            let at = checker.at(written.position);
            written.value.parse().map_or_else(|source| checker.report(Problem::Commit { at, source }), Some)
        });
        Some(SourceExpectation { uri: uri?, git_ref: git_ref?, commit: commit? })
    }

    /// Checks what is written, if anything is. `None` is a problem, `Some(None)` is nothing written.
    fn optional<W, T>(
        &mut self,
        written: Option<&W>,
        check: impl FnOnce(&mut Self, &W) -> Option<T>,
    ) -> Option<Option<T>> {
        match written {
            None => Some(None),
            Some(written) => check(self, written).map(Some),
        }
    }

    fn text(&mut self, written: &Located<String>) -> Option<String> {
        if written.value.is_empty() {
            return self.report(Problem::EmptyText { at: self.at(written.position) });
        }
        Some(written.value.clone())
    }

    fn exactly(&mut self, written: &Located<String>) -> Option<Expected> {
        self.text(written).map(Expected::Exactly)
    }

    fn matching(&mut self, written: &Located<String>) -> Option<Expected> {
        let pattern = self.text(written)?;
        match Glob::parse(&pattern) {
            Ok(glob) => Some(Expected::Matching(glob)),
            Err(source) => self.report(Problem::Glob { at: self.at(written.position), pattern, source }),
        }
    }

    fn quorum(
        &mut self,
        by: &Located<Vec<Located<String>>>,
        at_least: Option<&Located<u32>>,
        signers: &Signers,
    ) -> Quorum {
        if by.value.is_empty() {
            self.problems.push(Problem::NoSigners { at: self.at(by.position) });
        }
        let mut seen = BTreeSet::new();
        let mut named = Vec::new();
        for name in &by.value {
            let at = self.at(name.position);
            match signers.get(&name.value) {
                _ if !seen.insert(&name.value) => {
                    self.problems.push(Problem::SignerTwice { at, name: name.value.clone() });
                }
                Some(signer) => named.extend(signer.clone()),
                None => {
                    let known = signers.keys().cloned().collect();
                    self.problems.push(Problem::UnknownSigner { at, name: name.value.clone(), known });
                }
            }
        }
        Quorum { signers: named, at_least: self.at_least(at_least, seen.len()) }
    }

    fn at_least(&mut self, written: Option<&Located<u32>>, signers: usize) -> usize {
        let Some(written) = written else { return 1 };
        let wanted = usize::try_from(written.value).unwrap_or(usize::MAX);
        if wanted == 0 || wanted > signers {
            self.problems.push(Problem::AtLeast {
                at: self.at(written.position),
                wanted: written.value,
                signers,
            });
        }
        wanted
    }
}

impl RequirementSpec {
    pub(super) fn signer_names(&self) -> impl Iterator<Item = &str> {
        let lists = [
            self.signature.as_ref().map(|spec| &spec.by),
            self.attestation.as_ref().map(|spec| &spec.by),
            self.provenance.as_ref().map(|spec| &spec.by),
        ];
        lists.into_iter().flatten().flat_map(|by| by.value.iter().map(|name| name.value.as_str()))
    }
}
