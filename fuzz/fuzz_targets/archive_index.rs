//! Where in a tar archive its files are: always within it, under names that stay within it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let limits = touchmark_registry::Limits::default();
    let Ok(members) = touchmark_registry::index_archive(&mut std::io::Cursor::new(bytes), &limits) else {
        return;
    };
    for member in members {
        assert!(member.offset + member.size <= bytes.len() as u64);
        assert!(!member.path.starts_with('/') && member.path.split('/').all(|part| part != ".."));
    }
});
