//! Policy documents from files, with the key files that they name.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use touchmark_policy::{DocumentError, Limits, Policy, PolicyDocument, Problems};

/// Reads and checks the policies in `paths`: files, or directories whose `.yaml` and `.yml` files are policies (but not their test
/// tables, `*.test.yaml`). Key files are read from beside the document that names them.
///
/// # Errors
/// [`PolicyFileError`]: the first file that cannot be read or is no valid policy, or no policy at all.
pub fn load_policies(paths: &[PathBuf], limits: &Limits) -> Result<Vec<Policy>, PolicyFileError> {
    let mut policies = Vec::new();
    for path in paths {
        let files = policy_files(path)?;
        if files.is_empty() {
            return Err(PolicyFileError::Empty { path: path.clone() });
        }
        for file in files {
            policies.extend(load_file(&file, limits)?);
        }
    }
    Ok(policies)
}

/// The policy files that a path stands for, in order of their names.
fn policy_files(path: &Path) -> Result<Vec<PathBuf>, PolicyFileError> {
    let failed = |source| PolicyFileError::Read { path: path.to_owned(), source };
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?.path();
        if is_policy_file(&entry) {
            files.push(entry);
        }
    }
    files.sort();
    Ok(files)
}

/// Kubernetes mounts config maps as links beside hidden directories, so names that begin with a dot are left out.
fn is_policy_file(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let stem = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"));
    stem.is_some_and(|stem| !stem.starts_with('.') && !stem.ends_with(".test")) && path.is_file()
}

fn load_file(path: &Path, limits: &Limits) -> Result<Vec<Policy>, PolicyFileError> {
    let text = read_text(path, limits.max_file_bytes)
        .map_err(|source| PolicyFileError::Read { path: path.to_owned(), source })?;
    let name = path.display().to_string();
    let documents = PolicyDocument::parse_all(&text, &name, limits)?;
    let directory = path.parent().unwrap_or(Path::new(""));
    let read_key = |file: &str| read_text(&directory.join(file), limits.max_key_bytes);
    documents
        .iter()
        .map(|document| document.check(&read_key, limits).map_err(PolicyFileError::from))
        .collect()
}

/// Reads at most one byte more than the limit, which is enough for the parser to say that it is too much.
pub(crate) fn read_text(path: &Path, max_bytes: usize) -> std::io::Result<String> {
    let mut text = String::new();
    let limit = u64::try_from(max_bytes).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)?.take(limit).read_to_string(&mut text)?;
    Ok(text)
}

/// Why policies could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyFileError {
    /// A file that could not be read.
    #[error("cannot read the policy {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A directory without a policy.
    #[error("no policy is in {}, expected files named *.yaml or *.yml", path.display())]
    Empty {
        /// The directory.
        path: PathBuf,
    },
    /// A file that is no policy document.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A policy document that cannot be evaluated.
    #[error(transparent)]
    Problems(#[from] Problems),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_stands_for_its_policies() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["b.yaml", "a.yml", "a.test.yaml", ".hidden.yaml", "note.txt"] {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        let files = policy_files(directory.path()).unwrap();
        let names: Vec<_> = files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["a.yml", "b.yaml"]);
    }

    #[test]
    fn rejects_an_absent_file_and_an_empty_directory() {
        let directory = tempfile::tempdir().unwrap();
        let limits = Limits::default();
        let empty = load_policies(&[directory.path().to_owned()], &limits);
        assert!(matches!(empty, Err(PolicyFileError::Empty { .. })));
        let absent = load_policies(&[directory.path().join("none.yaml")], &limits);
        assert!(matches!(absent, Err(PolicyFileError::Read { .. })));
    }
}
