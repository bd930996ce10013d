//! Paths inside an image: always relative to its root, with `/` between parts, and never above it.

/// The path without empty parts, `.` and `..`, cleaned as if the root were its own parent, so that it cannot lead outside.
///
/// Container runtimes clean the names of layer entries the same way before they join them to the root.
pub(crate) fn clean(path: &str) -> String {
    join("", path)
}

/// `path` as seen from the directory `base`, which is clean. An absolute path starts at the root.
pub(crate) fn join(base: &str, path: &str) -> String {
    let mut clean = String::with_capacity(base.len() + path.len() + 1);
    if !path.starts_with('/') {
        clean.push_str(base);
    }
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => clean.truncate(clean.rfind('/').unwrap_or(0)),
            name => push(&mut clean, name),
        }
    }
    clean
}

/// Adds one part to a clean path.
pub(crate) fn push(path: &mut String, name: &str) {
    if !path.is_empty() {
        path.push('/');
    }
    path.push_str(name);
}

/// Directory and last part. The root's directory is the root.
pub(crate) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Directory of a clean path.
pub(crate) fn parent(path: &str) -> &str {
    split(path).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_never_leads_above_the_root() {
        assert_eq!(clean("../../etc/passwd"), "etc/passwd");
        assert_eq!(clean("/a/./b//../../../c"), "c");
        assert_eq!(clean(".."), "");
        assert_eq!(join("usr/lib", "../../../../x"), "x");
    }

    #[test]
    fn joining_keeps_the_base_unless_the_path_is_absolute() {
        assert_eq!(join("usr/lib", "libc.so"), "usr/lib/libc.so");
        assert_eq!(join("usr/lib", "../share"), "usr/share");
        assert_eq!(join("usr/lib", "/etc/os-release"), "etc/os-release");
    }

    #[test]
    fn splitting_finds_the_directory() {
        assert_eq!(split("a/b/c"), ("a/b", "c"));
        assert_eq!(split("a"), ("", "a"));
        assert_eq!(parent("a/b"), "a");
    }
}
