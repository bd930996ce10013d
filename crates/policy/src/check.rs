//! From a policy as written to a policy that can be evaluated. Everything wrong is reported at once, each with its place.

mod key;
mod requirement;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use touchmark_sigstore::{FulcioExtension, KeyId};

use crate::document::{IdentitySpec, PolicyDocument, RequirementSpec, SignerSpec};
use crate::location::{Located, Location, Position};
use crate::policy::Identity;
use crate::{
    CertificateIdentity, ImageGlob, Limits, Lint, Mode, NamedSigner, NoMatch, Policy, Problem, Problems,
    TextMatch,
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
        let mut checker =
            Checker { document: self, read_key, limits, problems: Vec::new(), lints: Vec::new() };
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
            proof: self.proof(),
            requirements,
            lints: std::mem::take(&mut self.lints),
        }
    }

    /// Notes a problem; what has it does not come to be.
    fn report<T>(&mut self, problem: Problem) -> Option<T> {
        self.problems.push(problem);
        None
    }

    fn at(&self, position: Position) -> Location {
        Location::new(&self.document.file, position)
    }

    fn check_name(&mut self, name: &Located<String>) {
        let text = name.value.as_bytes();
        let ends_well =
            |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let fits = text.len() <= MAX_NAME_BYTES
            && ends_well(text.first())
            && ends_well(text.last())
            && text.iter().all(|b| ends_well(Some(b)) || matches!(b, b'-' | b'.'));
        if !fits {
            let found = name.value.chars().take(100).collect();
            self.problems.push(Problem::Name { at: self.at(name.position), found });
        }
    }

    fn images(&mut self) -> Vec<ImageGlob> {
        let images = &self.document.written.spec.images;
        if images.value.is_empty() {
            self.problems.push(Problem::NoImages { at: self.at(images.position) });
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
            let identity = self.identity(spec);
            if signers.contains_key(&name.value) {
                let (at, name) = (self.at(name.position), name.value.clone());
                self.problems.push(Problem::DuplicateSigner { at, name });
                continue;
            }
            for trusted in identity.iter().flat_map(Identity::keys) {
                if let Some(other) = keys.insert(trusted.key().id().clone(), &name.value) {
                    let position = spec.value.key.as_ref().map_or(spec.position, |key| key.position);
                    let (at, name) = (self.at(position), name.value.clone());
                    self.problems.push(Problem::SameKey { at, name, other: other.to_owned() });
                }
            }
            let signer = identity.map(|identity| NamedSigner { name: name.value.clone(), identity });
            signers.insert(name.value.clone(), signer.map(Arc::new));
        }
        signers
    }

    fn identity(&mut self, spec: &Located<SignerSpec>) -> Option<Identity> {
        match (&spec.value.key, &spec.value.keys, &spec.value.identity) {
            (Some(key), None, None) => self.trusted_key(key).map(|key| Identity::Keys(vec![key])),
            (None, Some(keys), None) => self.trusted_keys(keys).map(Identity::Keys),
            (None, None, Some(identity)) => self.certificate(identity).map(Identity::Certificate),
            _ => self.report(Problem::SignerKind { at: self.at(spec.position) }),
        }
    }

    fn certificate(&mut self, spec: &Located<IdentitySpec>) -> Option<CertificateIdentity> {
        let IdentitySpec { subject, subject_reg_exp, issuer, issuer_reg_exp, extensions } = &spec.value;
        let subject = self.text_match("subject", spec.position, subject.as_ref(), subject_reg_exp.as_ref());
        let issuer = self.text_match("issuer", spec.position, issuer.as_ref(), issuer_reg_exp.as_ref());
        let mut wanted = BTreeMap::new();
        for (name, value) in extensions {
            let at = self.at(value.position);
            match name.parse::<FulcioExtension>() {
                Ok(name) => drop(wanted.insert(name, value.value.clone())),
                Err(source) => self.problems.push(Problem::Extension { at, source }),
            }
        }
        Some(CertificateIdentity::new(subject?, issuer?).with_extensions(wanted))
    }

    /// Exactly one of a text and an expression; empty ones would match the absent.
    fn text_match(
        &mut self,
        field: &'static str,
        position: Position,
        exact: Option<&Located<String>>,
        expression: Option<&Located<String>>,
    ) -> Option<TextMatch> {
        let written = match (exact, expression) {
            (Some(written), None) | (None, Some(written)) => written,
            _ => return self.report(Problem::IdentityText { at: self.at(position), field }),
        };
        let at = self.at(written.position);
        if written.value.is_empty() {
            return self.report(Problem::EmptyText { at });
        }
        if exact.is_some() {
            return Some(TextMatch::Exactly(written.value.clone()));
        }
        TextMatch::expression(&written.value)
            .map_or_else(|source| self.report(Problem::Expression { at, source }), Some)
    }

    fn lint_unused(&mut self, signers: &[Located<SignerSpec>], requirements: &[Located<RequirementSpec>]) {
        let used: BTreeSet<&str> = requirements.iter().flat_map(|spec| spec.value.signer_names()).collect();
        for signer in signers {
            let name = &signer.value.name;
            if !used.contains(name.value.as_str()) {
                self.lints.push(Lint::UnusedSigner { at: self.at(name.position), name: name.value.clone() });
            }
        }
    }

    fn lint_leniency(&mut self) {
        let spec = &self.document.written.spec;
        if let Some(stated) = spec.no_match.as_ref().filter(|stated| stated.value == NoMatch::Allow) {
            self.lints.push(Lint::AllowsUnmatched { at: self.at(stated.position) });
        }
        if spec.mode == Mode::Warn {
            self.lints.push(Lint::WarnsOnly { at: self.at(self.document.written.metadata.name.position) });
        }
    }
}
