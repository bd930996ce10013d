//! From a policy as written to a policy that can be evaluated. Everything wrong is reported at once, each with its place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use touchmark_attestation::{PredicateType, predicate_types};
use touchmark_provenance::{CommitId, SourceUri};
use touchmark_sigstore::{KeyId, PublicKey};

use crate::document::{
    AttestationSpec, KeySpec, PolicyDocument, ProvenanceSpec, RequirementSpec, SignatureSpec, SignerSpec,
};
use crate::location::{Located, Location, Position};
use crate::policy::Identity;
use crate::{
    Expected, Glob, ImageGlob, Limits, Lint, Mode, NamedSigner, NoMatch, Policy, Problem, Problems,
    ProvenanceExpectations, Quorum, Requirement, SourceExpectation, Wanted,
};

/// Names longer than this are refused; the same limit as for a DNS label (RFC 1123 §2.1), which Kubernetes names have.
const MAX_NAME_BYTES: usize = 63;

/// How a key file named in a document is read.
pub type ReadKey<'a> = dyn Fn(&str) -> std::io::Result<String> + 'a;

impl PolicyDocument {
    /// Checks the document. `read_key` gives the text of a key file, named as written in the document.
    ///
    /// # Errors
    /// [`Problems`]: all that is wrong with it.
    pub fn check(&self, read_key: &ReadKey<'_>, limits: &Limits) -> Result<Policy, Problems> {
        let mut checker = Checker {
            document: self,
            read_key,
            limits,
            problems: Vec::new(),
            lints: Vec::new(),
        };
        let policy = checker.policy();
        match Problems::from_list(checker.problems) {
            Some(problems) => Err(problems),
            None => Ok(policy),
        }
    }
}

struct Checker<'a> {
    document: &'a PolicyDocument,
    read_key: &'a ReadKey<'a>,
    limits: &'a Limits,
    problems: Vec<Problem>,
    lints: Vec<Lint>,
}

/// The signers of the document by name. One whose key did not parse is `None`, so that it is not reported as unknown too.
type Signers = BTreeMap<String, Option<Arc<NamedSigner>>>;

impl Checker<'_> {
    fn policy(&mut self) -> Policy {
        let spec = &self.document.written.spec;
        let name = &self.document.written.metadata.name;
        self.check_name(name);
        let images = self.images();
        let signers = self.signers(&spec.signers);
        let requirements = self.requirements(&spec.require, &signers);
        self.lint_unused(&spec.signers, &spec.require.value);
        self.lint_leniency();
        Policy {
            name: name.value.clone(),
            mode: spec.mode,
            images,
            no_match: spec.no_match.as_ref().map(|stated| stated.value),
            signers: signers.into_values().flatten().collect(),
            requirements,
            lints: std::mem::take(&mut self.lints),
        }
    }

    fn at(&self, position: Position) -> Location {
        let position = (position.line > 0).then_some(position);
        Location {
            file: self.document.file.clone(),
            position,
        }
    }

    fn check_name(&mut self, name: &Located<String>) {
        let text = name.value.as_bytes();
        let ends_well =
            |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let fits = text.len() <= MAX_NAME_BYTES
            && ends_well(text.first())
            && ends_well(text.last())
            && text
                .iter()
                .all(|b| ends_well(Some(b)) || matches!(b, b'-' | b'.'));
        if !fits {
            let found = name.value.chars().take(100).collect();
            self.problems.push(Problem::Name {
                at: self.at(name.position),
                found,
            });
        }
    }

    fn images(&mut self) -> Vec<ImageGlob> {
        let images = &self.document.written.spec.images;
        if images.value.is_empty() {
            self.problems.push(Problem::NoImages {
                at: self.at(images.position),
            });
        }
        let mut globs = Vec::new();
        for image in &images.value {
            match ImageGlob::parse(&image.glob.value) {
                Ok(glob) => globs.push(glob),
                Err(source) => {
                    let (at, pattern) = (self.at(image.glob.position), image.glob.value.clone());
                    self.problems.push(Problem::Glob { at, pattern, source });
                }
            }
        }
        globs
    }

    fn signers(&mut self, specs: &[Located<SignerSpec>]) -> Signers {
        let mut signers = Signers::new();
        let mut keys: BTreeMap<KeyId, &str> = BTreeMap::new();
        for spec in specs {
            let name = &spec.value.name;
            self.check_name(name);
            let key = self.key(&spec.value.key);
            if signers.contains_key(&name.value) {
                let (at, name) = (self.at(name.position), name.value.clone());
                self.problems.push(Problem::DuplicateSigner { at, name });
                continue;
            }
            if let Some(other) = key
                .as_ref()
                .and_then(|key| keys.insert(key.id().clone(), &name.value))
            {
                let (at, name) = (self.at(spec.value.key.position), name.value.clone());
                self.problems.push(Problem::SameKey {
                    at,
                    name,
                    other: other.to_owned(),
                });
            }
            let signer = key.map(|key| NamedSigner {
                name: name.value.clone(),
                identity: Identity::Key(key),
            });
            signers.insert(name.value.clone(), signer.map(Arc::new));
        }
        signers
    }

    fn key(&mut self, spec: &Located<KeySpec>) -> Option<PublicKey> {
        let (text, position) = match (&spec.value.file, &spec.value.data) {
            (Some(file), None) => (self.key_file(file)?, file.position),
            (None, Some(data)) => (data.value.clone(), data.position),
            _ => {
                self.problems.push(Problem::KeySource {
                    at: self.at(spec.position),
                });
                return None;
            }
        };
        let limits = touchmark_sigstore::Limits::default();
        match PublicKey::parse_pem(&text, &limits) {
            Ok(key) => Some(key),
            Err(source) => {
                self.problems.push(Problem::Key {
                    at: self.at(position),
                    source,
                });
                None
            }
        }
    }

    fn key_file(&mut self, file: &Located<String>) -> Option<String> {
        let limit = self.limits.max_key_bytes;
        let problem = match (self.read_key)(&file.value) {
            Ok(text) if text.len() <= limit => return Some(text),
            Ok(text) => Problem::KeyFileTooLarge {
                at: self.at(file.position),
                found: text.len(),
                limit,
            },
            Err(source) => Problem::KeyFile {
                at: self.at(file.position),
                file: file.value.clone(),
                source,
            },
        };
        self.problems.push(problem);
        None
    }

    fn requirements(
        &mut self,
        specs: &Located<Vec<Located<RequirementSpec>>>,
        signers: &Signers,
    ) -> Vec<Requirement> {
        if specs.value.is_empty() {
            self.problems.push(Problem::NoRequirements {
                at: self.at(specs.position),
            });
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
        let RequirementSpec {
            name,
            signature,
            attestation,
            provenance,
        } = &spec.value;
        let (quorum, wanted) = match (signature, attestation, provenance) {
            (Some(signature), None, None) => self.signature(signature, signers),
            (None, Some(attestation), None) => self.attestation(attestation, signers)?,
            (None, None, Some(provenance)) => self.provenance(provenance, signers)?,
            _ => {
                let found = [signature.is_some(), attestation.is_some(), provenance.is_some()];
                let found = found.into_iter().filter(|stated| *stated).count();
                let (at, name) = (self.at(spec.position), name.value.clone());
                self.problems.push(Problem::RequirementKinds { at, name, found });
                return None;
            }
        };
        Some(Requirement {
            name: name.value.clone(),
            quorum,
            wanted,
        })
    }

    fn signature(&mut self, spec: &SignatureSpec, signers: &Signers) -> (Quorum, Wanted) {
        let quorum = self.quorum(&spec.by, spec.at_least.as_ref(), signers);
        (
            quorum,
            Wanted::Signature {
                annotations: spec.annotations.clone(),
            },
        )
    }

    fn attestation(&mut self, spec: &AttestationSpec, signers: &Signers) -> Option<(Quorum, Wanted)> {
        let quorum = self.quorum(&spec.by, spec.at_least.as_ref(), signers);
        let at = self.at(spec.predicate_type.position);
        match spec.predicate_type.value.parse::<PredicateType>() {
            Ok(predicate_type) if predicate_type.uri() == predicate_types::COSIGN_SIGN => {
                self.problems.push(Problem::SignatureAsAttestation { at });
                None
            }
            Ok(predicate_type) => Some((quorum, Wanted::Attestation { predicate_type })),
            Err(source) => {
                self.problems.push(Problem::PredicateType { at, source });
                None
            }
        }
    }

    fn provenance(&mut self, spec: &ProvenanceSpec, signers: &Signers) -> Option<(Quorum, Wanted)> {
        let quorum = self.quorum(&spec.by, spec.at_least.as_ref(), signers);
        let builder = &spec.builder;
        let builder = match (&builder.value.id, &builder.value.id_glob) {
            (Some(id), None) => Expected::Exactly(id.value.clone()),
            (None, Some(glob)) => Expected::Matching(self.glob(glob)?),
            _ => {
                self.problems.push(Problem::BuilderId {
                    at: self.at(builder.position),
                });
                return None;
            }
        };
        let source = match &spec.source {
            Some(source) => Some(self.source(source)?),
            None => {
                self.lints.push(Lint::AnySource {
                    at: self.at(spec.builder.position),
                });
                None
            }
        };
        let build_type = spec.build_type.as_ref().map(|written| written.value.clone());
        Some((
            quorum,
            Wanted::Provenance(ProvenanceExpectations {
                builder,
                build_type,
                source,
            }),
        ))
    }

    fn source(&mut self, spec: &Located<crate::document::SourceSpec>) -> Option<SourceExpectation> {
        let git_ref = match (&spec.value.git_ref, &spec.value.ref_glob) {
            (None, None) => None,
            (Some(exact), None) => Some(Expected::Exactly(exact.value.clone())),
            (None, Some(glob)) => Some(Expected::Matching(self.glob(glob)?)),
            (Some(_), Some(_)) => {
                self.problems.push(Problem::TwoRefs {
                    at: self.at(spec.position),
                });
                return None;
            }
        };
        let uri = match spec.value.uri.value.parse::<SourceUri>() {
            Ok(uri) => uri,
            Err(source) => {
                self.problems.push(Problem::SourceUri {
                    at: self.at(spec.value.uri.position),
                    source,
                });
                return None;
            }
        };
        let commit = match &spec.value.commit {
            None => None,
            Some(written) => match written.value.parse::<CommitId>() {
                Ok(commit) => Some(commit),
                Err(source) => {
                    self.problems.push(Problem::Commit {
                        at: self.at(written.position),
                        source,
                    });
                    return None;
                }
            },
        };
        Some(SourceExpectation { uri, git_ref, commit })
    }

    fn glob(&mut self, written: &Located<String>) -> Option<Glob> {
        match Glob::parse(&written.value) {
            Ok(glob) => Some(glob),
            Err(source) => {
                let (at, pattern) = (self.at(written.position), written.value.clone());
                self.problems.push(Problem::Glob { at, pattern, source });
                None
            }
        }
    }

    fn quorum(
        &mut self,
        by: &Located<Vec<Located<String>>>,
        at_least: Option<&Located<u32>>,
        signers: &Signers,
    ) -> Quorum {
        if by.value.is_empty() {
            self.problems.push(Problem::NoSigners {
                at: self.at(by.position),
            });
        }
        let mut seen = BTreeSet::new();
        let mut named = Vec::new();
        for name in &by.value {
            if !seen.insert(&name.value) {
                let (at, name) = (self.at(name.position), name.value.clone());
                self.problems.push(Problem::SignerTwice { at, name });
                continue;
            }
            match signers.get(&name.value) {
                Some(signer) => named.extend(signer.clone()),
                None => {
                    let known = signers.keys().cloned().collect();
                    let (at, name) = (self.at(name.position), name.value.clone());
                    self.problems.push(Problem::UnknownSigner { at, name, known });
                }
            }
        }
        Quorum {
            signers: named,
            at_least: self.at_least(at_least, seen.len()),
        }
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

    fn lint_unused(&mut self, signers: &[Located<SignerSpec>], requirements: &[Located<RequirementSpec>]) {
        let used: BTreeSet<&str> = requirements
            .iter()
            .flat_map(|spec| spec.value.signer_names())
            .collect();
        for signer in signers {
            let name = &signer.value.name;
            if !used.contains(name.value.as_str()) {
                self.lints.push(Lint::UnusedSigner {
                    at: self.at(name.position),
                    name: name.value.clone(),
                });
            }
        }
    }

    fn lint_leniency(&mut self) {
        let spec = &self.document.written.spec;
        if let Some(stated) = spec
            .no_match
            .as_ref()
            .filter(|stated| stated.value == NoMatch::Allow)
        {
            self.lints.push(Lint::AllowsUnmatched {
                at: self.at(stated.position),
            });
        }
        if spec.mode == Mode::Warn {
            self.lints.push(Lint::WarnsOnly {
                at: self.at(self.document.written.metadata.name.position),
            });
        }
    }
}

impl RequirementSpec {
    fn signer_names(&self) -> impl Iterator<Item = &str> {
        let lists = [
            self.signature.as_ref().map(|spec| &spec.by),
            self.attestation.as_ref().map(|spec| &spec.by),
            self.provenance.as_ref().map(|spec| &spec.by),
        ];
        lists
            .into_iter()
            .flatten()
            .flat_map(|by| by.value.iter().map(|name| name.value.as_str()))
    }
}
