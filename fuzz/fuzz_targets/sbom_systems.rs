//! Databases of package managers of operating systems, of any bytes. The first byte chooses the path.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchmark_fuzz::inventory;

const PATHS: [&str; 8] = [
    "var/lib/rpm/rpmdb.sqlite",
    "var/lib/rpm/Packages.db",
    "var/lib/rpm/Packages",
    "var/lib/rpmmanifest/container-manifest-2",
    "var/lib/pacman/local/a-1/desc",
    "opt/conda/conda-meta/a.json",
    "nix/var/nix/db/db.sqlite",
    "usr/bin/openssl",
];

/// What a format starts with, so that the bytes come to something.
const STARTS: [&[u8]; 8] = [b"SQLite format 3\0", b"RpmP", b"", b"", b"%NAME%\na\n\n", b"{\"name\":\"a\",", b"SQLite format 3\0", b"MZ"];

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else { return };
    let choice = usize::from(*choice);
    let bytes = [STARTS[choice % PATHS.len()], rest].concat();
    inventory(&[(PATHS[choice % PATHS.len()], bytes.as_slice())]);
});
