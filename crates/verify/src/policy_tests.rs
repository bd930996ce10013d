//! Runs the test table of a policy through the same door as everything else.

use std::path::{Path, PathBuf};

use touchmark_oci::{ImageName, ImageRef};
use touchmark_policy::{Limits, PolicySet, PolicySetError, TestCase, TestFailure, TestTable, TestTableError};
use touchmark_registry::ImageStore;

use crate::policy_files::read_text;
use crate::{GatherLimits, ImageVerifier, PolicyFileError, VerifyError, load_policies};

/// What came of one case of a table.
#[derive(Debug)]
pub struct TestResult {
    /// What the case is called.
    pub name: String,
    /// How the decision differs from what the case expects, if it does.
    pub outcome: Result<(), TestFailure>,
}

/// Runs the table in `path`. Policies and local evidence that it names are beside it.
///
/// # Errors
/// [`PolicyTestError`]: the table or a policy is not usable, or evidence could not be read. A case that fails is no error.
pub async fn run_policy_tests<S: ImageStore>(
    store: S,
    path: &Path,
) -> Result<Vec<TestResult>, PolicyTestError> {
    let limits = Limits::default();
    let text = read_text(path, limits.max_file_bytes)
        .map_err(|source| PolicyTestError::Read { path: path.to_owned(), source })?;
    let table = TestTable::parse(&text, &path.display().to_string(), &limits)?;
    let directory = path.parent().unwrap_or(Path::new(""));
    let files: Vec<PathBuf> = table.policies().iter().map(|file| directory.join(file)).collect();
    let policies = PolicySet::new(load_policies(&files, &limits)?)?;
    let verifier = ImageVerifier::new(store, policies, GatherLimits::default());
    let mut results = Vec::new();
    for case in table.cases() {
        let evidence = beside(directory, &case.evidence);
        let decision = verifier
            .decide_as(&case.image, &evidence)
            .await
            .map_err(|source| PolicyTestError::Evidence { case: case.name.clone(), source })?;
        results.push(result(case, case.judge(&decision)));
    }
    Ok(results)
}

fn result(case: &TestCase, outcome: Result<(), TestFailure>) -> TestResult {
    TestResult { name: case.name.clone(), outcome }
}

/// A local image is named relative to the table.
fn beside(directory: &Path, image: &ImageRef) -> ImageRef {
    let join = |path: &String| directory.join(path).display().to_string();
    let name = match image.name() {
        ImageName::Layout(path) => ImageName::Layout(join(path)),
        ImageName::OciArchive(path) => ImageName::OciArchive(join(path)),
        ImageName::DockerArchive(path) => ImageName::DockerArchive(join(path)),
        repository => repository.clone(),
    };
    image.with_name(name)
}

/// Why a table could not be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyTestError {
    /// The table could not be read.
    #[error("cannot read the test table {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The table is not valid.
    #[error(transparent)]
    Table(#[from] TestTableError),
    /// A policy that it names is not usable.
    #[error(transparent)]
    Policy(#[from] PolicyFileError),
    /// The policies cannot be in force together.
    #[error(transparent)]
    Set(#[from] PolicySetError),
    /// The evidence of a case could not be read.
    #[error("cannot judge the case {case:?}")]
    Evidence {
        /// The case.
        case: String,
        /// Why.
        source: VerifyError,
    },
}
