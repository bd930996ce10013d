//! The store of pnpm, whose files are named after their content
//! ([pnpm 9, "Symlinked `node_modules` structure"](https://pnpm.io/symlinked-node-modules-structure)): `files/`, two digits of the SHA-512,
//! and the other 126.
//!
//! pnpm installs by hard links into it. An archive has a file's content under the first of its names only, and that may be the store's,
//! which says nothing; the manifest's name comes later, as a link.

use crate::path;

/// Whether this is the path of a file in a store, as far as its name tells.
pub(crate) fn is_content(path: &str) -> bool {
    let (directory, rest) = path::split(path);
    let (files, start) = path::split(directory);
    let is_hexadecimal = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    // Executables have an ending, which manifests do not.
    rest.len() == 126
        && start.len() == 2
        && is_hexadecimal(rest)
        && is_hexadecimal(start)
        && path::split(files).1 == "files"
}

/// Whether a file that begins so may be a `package.json`.
pub(crate) fn may_be_manifest(first: [u8; 1]) -> bool {
    matches!(first, [b'{' | b' ' | b'\t' | b'\r' | b'\n' | 0xef])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_store_are_known_by_their_digest() {
        let digest = "0f".repeat(63);
        assert!(is_content(&format!("root/.local/share/pnpm/store/v3/files/a0/{digest}")));
        for no in
            ["files/a0/0f".to_owned(), format!("files/a0/{digest}-exec"), format!("a0/{digest}"), digest]
        {
            assert!(!is_content(&no), "{no}");
        }
    }
}
