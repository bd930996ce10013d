//! Layers: what a container would see of them, and what ends a scan.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::{self, Read, Write};

use support::{Layer, inventory};
use tar::{EntryType, Header};
use touchmark_oci::{Digest, ImageName};
use touchmark_sbom::{
    Compression, Gap, GapReason, ImageSubject, Inventory, LayerScan, Limits, ScanError, Subject, scan_layer,
};

fn scan_with(bytes: &[u8], limits: &Limits) -> Result<LayerScan, ScanError> {
    scan_layer(bytes, Compression::Detect, None, limits)
}

/// `name@version` of every package.
fn packages(layers: Vec<Layer>) -> Vec<String> {
    let inventory = inventory(layers);
    let name =
        |p: &touchmark_sbom::Package| format!("{}@{}", p.name, p.version.as_deref().unwrap_or_default());
    let mut names: Vec<String> = inventory.packages().map(name).collect();
    names.sort();
    names
}

fn base() -> Layer {
    Layer::new().directory("app/").package("app/node_modules/a", "1").package("app/node_modules/b", "1")
}

#[test]
fn an_upper_file_replaces_a_lower_one() {
    assert_eq!(packages(vec![base(), Layer::new().package("app/node_modules/a", "2")]), ["a@2", "b@1"]);
}

#[test]
fn a_package_names_the_layer_that_brought_it_and_evidence_that_of_its_file() {
    let found = inventory(vec![base(), Layer::new().package("app/node_modules/a", "2")]);
    let named = |name: &str| found.packages().find(|package| package.name == name).unwrap();
    assert_eq!((named("a").layer(), named("b").layer()), (Some(0), Some(0)));
    assert_eq!((named("a").evidence[0].layer, named("b").evidence[0].layer), (Some(1), Some(0)));
}

#[test]
fn a_whiteout_hides_a_file_and_a_directory() {
    let upper = Layer::new().file("app/node_modules/a/.wh.package.json", b"");
    assert_eq!(packages(vec![base(), upper]), ["b@1"]);
    assert!(packages(vec![base(), Layer::new().file("app/.wh.node_modules", b"")]).is_empty());
}

#[test]
fn a_whiteout_concerns_lower_layers_only_whatever_the_order() {
    let after = Layer::new().package("app/node_modules/a", "2").file("app/node_modules/.wh.a", b"");
    assert_eq!(packages(vec![base(), after]), ["a@2", "b@1"]);
    let opaque = Layer::new().package("app/node_modules/a", "2").file("app/node_modules/.wh..wh..opq", b"");
    assert_eq!(packages(vec![base(), opaque]), ["a@2"]);
}

#[test]
fn an_opaque_directory_hides_what_is_in_it_and_not_what_is_named_alike() {
    let lower = base().package("app2/node_modules/c", "1");
    assert_eq!(packages(vec![lower, Layer::new().file("app/.wh..wh..opq", b"")]), ["c@1"]);
}

#[test]
fn names_of_aufs_are_no_whiteouts_and_an_empty_one_is_a_gap() {
    assert_eq!(packages(vec![base(), Layer::new().directory("app/.wh..wh.plnk/")]), ["a@1", "b@1"]);
    let found = inventory(vec![base(), Layer::new().file("app/.wh.", b"")]);
    let gap = Gap { path: Some("app/.wh.".into()), layer: Some(1), reason: GapReason::EmptyWhiteout };
    assert_eq!(found.gaps(), [gap]);
}

#[test]
fn a_plain_file_in_place_of_a_directory_hides_what_was_in_it() {
    assert!(packages(vec![base(), Layer::new().file("app", b"now a file")]).is_empty());
}

#[test]
fn entries_go_where_links_of_lower_layers_lead() {
    let lower = || Layer::new().package("usr/app/node_modules/a", "1").symlink("app", "/usr/app");
    assert_eq!(packages(vec![lower(), Layer::new().package("app/node_modules/a", "2")]), ["a@2"]);
    assert!(packages(vec![lower(), Layer::new().file("app/.wh.node_modules", b"")]).is_empty());
}

#[test]
fn a_directory_in_place_of_a_link_leaves_what_the_link_led_to() {
    let lower = Layer::new().package("usr/app/node_modules/a", "1").symlink("app", "usr/app");
    let upper = Layer::new().directory("app/").file("app/.wh.node_modules", b"");
    assert_eq!(packages(vec![lower, upper]), ["a@1"]);
}

fn linked() -> Layer {
    let store = Layer::new().package("store/node_modules/a", "1");
    store.hardlink("app/node_modules/x/package.json", "store/node_modules/a/package.json")
}

#[test]
fn a_hard_link_is_another_name_for_the_same_content() {
    assert_eq!(inventory(vec![linked()]).packages().next().unwrap().evidence.len(), 2);
    let removed = Layer::new().file("store/node_modules/.wh.a", b"");
    assert_eq!(packages(vec![linked(), removed]), ["a@1"], "one name is left");
}

#[test]
fn a_hard_link_to_content_that_was_not_kept_is_a_gap() {
    let store = Layer::new().file("store/ab12", br#"{"name":"a","version":"1"}"#);
    let layer = store.hardlink("node_modules/a/package.json", "store/ab12");
    let reason = GapReason::LinkTargetNotKept { target: "store/ab12".into() };
    assert_eq!(inventory(vec![layer]).gaps()[0].reason, reason);
}

#[test]
fn manifests_are_found_through_links_into_a_store_that_names_files_after_their_content() {
    let stored = format!("root/.local/share/pnpm/store/v3/files/a0/{}", "0f".repeat(63));
    // The header's own fields are too short for the path.
    let mut layer = tar::Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    let manifest = br#"{"name":"a","version":"1"}"#;
    header.set_mode(0o644);
    header.set_size(manifest.len() as u64);
    layer.append_data(&mut header, &stored, &manifest[..]).unwrap();
    let mut link = Header::new_gnu();
    link.set_entry_type(EntryType::Link);
    link.set_size(0);
    layer.append_link(&mut link, "usr/src/app/node_modules/a/package.json", &stored).unwrap();
    let scan = scan_with(&layer.into_inner().unwrap(), &Limits::default()).unwrap();
    let subject = ImageSubject::new(&ImageName::Layout("app".into()), Digest::of(b""));
    let found = Inventory::from_layers(Subject::Image(subject), vec![scan], &Limits::default());
    assert_eq!(found.gaps(), []);
    assert_eq!(found.packages().map(|package| package.name.as_str()).collect::<Vec<_>>(), ["a"]);
}

#[test]
fn a_hard_link_to_a_part_of_a_package_is_no_gap_unless_it_makes_a_package() {
    let part = "node_modules/a/esm/package.json";
    let base = || Layer::new().file(part, br#"{"type":"module"}"#);
    assert_eq!(inventory(vec![base().hardlink("copy/a/esm/package.json", part)]).gaps(), []);
    assert_eq!(inventory(vec![base().hardlink("node_modules/b/package.json", part)]).gaps().len(), 1);
}

#[test]
fn a_bundles_packages_go_when_it_goes() {
    let bundle = |version: &str| {
        let manifest = format!(r#"{{"name":"a","version":"{version}"}}"#);
        Layer::new().file(".yarn/cache/a.zip", &zip("node_modules/a/package.json", manifest.as_bytes()))
    };
    assert_eq!(packages(vec![bundle("1")]), ["a@1"]);
    assert_eq!(packages(vec![bundle("1"), bundle("2")]), ["a@2"]);
    assert!(packages(vec![bundle("1"), Layer::new().file(".yarn/cache/.wh.a.zip", b"")]).is_empty());
    assert!(packages(vec![bundle("1"), Layer::new().file(".yarn/cache/.wh..wh..opq", b"")]).is_empty());
    assert_eq!(packages(vec![Layer::new().file(".yarn/cache/a.zip", b"PK\x03\x04")]), [""; 0]);
}

/// A zip file of one entry, which is not compressed.
fn zip(name: &str, content: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(content);
    let size = (content.len() as u32).to_le_bytes();
    let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    common.extend([crc.sum().to_le_bytes(), size, size].concat());
    common.extend([name.len() as u8, 0, 0, 0]);
    let mut bytes = [b"PK\x03\x04", common.as_slice(), name.as_bytes(), content].concat();
    let start = bytes.len() as u32;
    bytes.extend([b"PK\x01\x02\x14\0", common.as_slice(), &[0; 14], name.as_bytes()].concat());
    let length = bytes.len() as u32 - start;
    bytes.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    bytes.extend([length.to_le_bytes(), start.to_le_bytes()].concat());
    bytes.extend([0, 0]);
    bytes
}

#[test]
fn names_and_links_never_leave_the_root() {
    let status = b"Package: a\nStatus: install ok installed\nVersion: 1\n";
    let escaping = Layer::new().file("../../var/lib/dpkg/status", status);
    assert_eq!(packages(vec![escaping]), ["a@1"], "cleaned as container runtimes clean it");
    let linked = Layer::new().file("x/status", status).symlink("var/lib/dpkg", "../../../../../x");
    let reason = GapReason::LinkTargetNotKept { target: "x/status".into() };
    assert_eq!(inventory(vec![linked]).gaps()[0].reason, reason);
}

#[test]
fn circles_of_links_end_and_are_gaps() {
    let layer = Layer::new().symlink("var/lib/dpkg", "dpkg2").symlink("var/lib/dpkg2", "dpkg");
    let found = inventory(vec![layer.file("var/lib/dpkg/x", b"")]);
    assert!(!found.is_complete());
    assert!(found.gaps().iter().all(|gap| gap.reason == GapReason::SymlinkLoop { limit: 40 }));
}

#[test]
fn two_scans_of_the_same_bytes_make_the_same_inventory() {
    assert_eq!(inventory(vec![base()]), inventory(vec![base()]));
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn every_compression_gives_the_same_diff_id() {
    let plain = base().bytes();
    let (first, second) = plain.split_at(700);
    let members = [gzip(first), gzip(second)].concat();
    let zstd = zstd::encode_all(plain.as_slice(), 1).unwrap();
    // zstd:chunked: a table of contents in a skippable frame behind the layer's (RFC 8878, §3.1.2), and frames of their own.
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0], b"toc!".as_slice()].concat();
    let frame = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
    let chunked = [skippable.clone(), frame(first), skippable.clone(), frame(second), skippable].concat();
    let diff_id = Digest::of(&plain);
    for (bytes, compression) in [
        (&plain, Compression::None),
        (&gzip(&plain), Compression::Gzip),
        (&members, Compression::Gzip),
        (&zstd, Compression::Zstd),
        (&zstd, Compression::Detect),
        (&chunked, Compression::Zstd),
        (&members, Compression::Detect),
    ] {
        let scan = scan_layer(bytes.as_slice(), compression, Some(&diff_id), &Limits::default()).unwrap();
        assert_eq!(scan.diff_id(), Some(&diff_id));
        assert_eq!(scan.bytes(), plain.len() as u64);
    }
}

#[test]
fn rejects_bytes_with_another_diff_id() {
    let bytes = base().bytes();
    let error = scan_layer(bytes.as_slice(), Compression::None, Some(&Digest::of(b"")), &Limits::default());
    assert!(matches!(error, Err(ScanError::DiffId { .. })));
}

#[test]
fn rejects_a_stream_that_ends_early() {
    let plain = base().bytes();
    let compressed = gzip(&plain);
    for cut in [&plain[..600], &plain[..1024 + 20], &compressed[..compressed.len() - 9]] {
        assert!(matches!(scan_with(cut, &Limits::default()), Err(ScanError::Read { .. })), "{}", cut.len());
    }
}

#[test]
fn rejects_a_size_that_the_stream_does_not_have() {
    let mut header = Header::new_gnu();
    header.set_path("node_modules/a/package.json").unwrap();
    header.set_size(1 << 20);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend([b' '; 1024]);
    assert!(matches!(scan_with(&bytes, &Limits::default()), Err(ScanError::Read { .. })));
}

#[test]
fn rejects_what_is_no_archive() {
    assert!(matches!(scan_with(&[b'x'; 512], &Limits::default()), Err(ScanError::Header { offset: 512 })));
    let mut wrong = base().bytes();
    wrong[0] ^= 1;
    assert!(matches!(scan_with(&wrong, &Limits::default()), Err(ScanError::Header { .. })), "checksum");
}

fn limited(set: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    set(&mut limits);
    limits
}

#[test]
fn rejects_what_expands_too_far() {
    let bomb = gzip(&vec![0; 2 << 20]);
    let size = limited(|limits| limits.max_layer_bytes = 1 << 20);
    assert!(matches!(scan_with(&bomb, &size), Err(ScanError::TooLarge { limit }) if limit == 1 << 20));
    let ratio = limited(|limits| (limits.free_bytes, limits.max_expansion) = (1 << 20, 100));
    assert!(matches!(scan_with(&bomb, &ratio), Err(ScanError::Expansion { limit: 100, .. })));
}

#[test]
fn rejects_more_entries_paths_and_headers_than_the_limits() {
    let bytes = base().bytes();
    let entries = limited(|limits| limits.max_entries = 2);
    assert!(matches!(scan_with(&bytes, &entries), Err(ScanError::TooManyEntries { limit: 2 })));
    let index = limited(|limits| limits.max_index_bytes = 10);
    assert!(matches!(scan_with(&bytes, &index), Err(ScanError::IndexTooLarge { limit: 10 })));
    let long = Layer::new().entry(EntryType::GNULongName, "x", "", &[b'a'; 2000]).file("x", b"").bytes();
    let header = limited(|limits| limits.max_extended_header_bytes = 1000);
    assert!(matches!(scan_with(&long, &header), Err(ScanError::ExtendedHeader { size: 2000, .. })));
}

#[test]
fn names_of_gnu_and_pax_headers_are_read() {
    let path = format!("{}/node_modules/a/package.json", "d".repeat(150));
    let gnu = Layer::new().entry(EntryType::GNULongName, "././@LongLink", "", path.as_bytes());
    let manifest: &[u8] = br#"{"name":"a","version":"1"}"#;
    assert_eq!(packages(vec![gnu.file("short", manifest)]), ["a@1"]);
    let record = format!("{} path={path}\n", path.len() + 10);
    let pax = Layer::new().entry(EntryType::XHeader, "PaxHeaders/x", "", record.as_bytes());
    assert_eq!(packages(vec![pax.file("short", manifest)]), ["a@1"]);
}

#[test]
fn what_is_too_large_or_too_long_is_a_gap() {
    let bytes = base().bytes();
    let gap = |limits: Limits| scan_with(&bytes, &limits).unwrap().gaps()[0].reason.clone();
    let file = gap(limited(|limits| limits.max_file_bytes = 4));
    assert_eq!(file, GapReason::FileTooLarge { size: 26, limit: 4 });
    let kept = gap(limited(|limits| limits.max_kept_bytes = 30));
    assert_eq!(kept, GapReason::KeptTooMuch { limit: 30 });
    let path = gap(limited(|limits| limits.max_path_bytes = 10));
    assert!(matches!(path, GapReason::PathTooLong { limit: 10, .. }));
}

#[test]
fn a_path_of_64_kib_is_a_gap_and_the_rest_is_read() {
    let long = format!("{}/node_modules/b/package.json", "d/".repeat(32 << 10));
    let gnu = Layer::new().entry(EntryType::GNULongName, "././@LongLink", "", long.as_bytes());
    let layer = gnu.package("app/node_modules/lost", "1").package("app/node_modules/a", "1");
    let found = inventory(vec![layer]);
    let reason = GapReason::PathTooLong { bytes: long.len(), limit: 4096 };
    assert!(matches!(found.gaps(), [only] if only.reason == reason), "{:?}", found.gaps());
    assert_eq!(found.packages().map(|package| package.name.as_str()).collect::<Vec<_>>(), ["a"]);
    // A link that leads to such a path is one too.
    let to = Layer::new().entry(EntryType::GNULongLink, "././@LongLink", "", long.as_bytes());
    let found = inventory(vec![to.symlink("app/current", "short").package("app/node_modules/a", "1")]);
    assert!(matches!(found.gaps(), [only] if only.reason == reason), "{:?}", found.gaps());
}

#[test]
fn whiteouts_of_the_root_and_of_what_is_not_there_do_no_harm() {
    let tricks =
        [".wh..", ".wh...", "a/.wh..", ".wh..wh..wh.x", "x/.wh.y", "../.wh.app", "app/../.wh.nothing"];
    for trick in tricks {
        let found = packages(vec![base(), Layer::new().file(trick, b"")]);
        let is_app = trick == "../.wh.app";
        assert_eq!(found.is_empty(), is_app, "{trick} left {found:?}");
    }
}

#[test]
fn a_sparse_database_is_a_gap() {
    let layer = Layer::new().entry(EntryType::GNUSparse, "var/lib/dpkg/status", "", b"");
    assert_eq!(inventory(vec![layer]).gaps()[0].reason, GapReason::Sparse);
}

#[test]
fn a_layer_that_was_not_scanned_is_a_gap() {
    let subject = ImageSubject::new(&ImageName::Layout("app".into()), Digest::of(b""));
    let layers = vec![LayerScan::not_scanned(None)];
    let found = Inventory::from_layers(Subject::Image(subject), layers, &Limits::default());
    assert_eq!(found.gaps(), [Gap { path: None, layer: Some(0), reason: GapReason::LayerNotScanned }]);
}

#[test]
fn a_layer_that_could_not_be_scanned_says_why() {
    for reason in [GapReason::LayerEncrypted, GapReason::LayerElsewhere] {
        let subject = ImageSubject::new(&ImageName::Layout("app".into()), Digest::of(b""));
        let layers = vec![LayerScan::unread(None, reason.clone())];
        let found = Inventory::from_layers(Subject::Image(subject), layers, &Limits::default());
        assert_eq!(found.gaps(), [Gap { path: None, layer: Some(0), reason }]);
    }
}

#[test]
fn a_failing_reader_is_an_error_with_its_source() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    let error = scan_layer(Failing, Compression::None, None, &Limits::default()).unwrap_err();
    assert!(
        matches!(error, ScanError::Read { offset: 0, source } if source.kind() == io::ErrorKind::ConnectionReset)
    );
}
