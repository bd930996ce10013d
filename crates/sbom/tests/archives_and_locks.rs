//! Real archives and lock files (`testdata/java`, `testdata/dotnet`, `testdata/locks`), as their tools wrote them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::Path;

use touchmark_sbom::{
    Compression, DirectoryEntry, DirectoryEntryKind, Element, GapReason, IdentifiedBy, Inventory, Limits,
    Package, Relationship, Subject, scan_directory, scan_layer,
};

fn read(path: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata").join(path)).unwrap()
}

/// The inventory of a directory with these files of `testdata`, under their own names.
fn inventory(paths: &[&str]) -> Inventory {
    let entry = |path: &&str| {
        let bytes = read(path);
        let size = bytes.len() as u64;
        let open = Box::new(move || Ok(Box::new(std::io::Cursor::new(bytes)) as Box<dyn Read>));
        DirectoryEntry { path: (*path).to_owned(), kind: DirectoryEntryKind::File { size, open } }
    };
    let scan = scan_directory(paths.iter().map(entry), &Limits::default()).unwrap();
    let inventory =
        Inventory::from_directory(Subject::Directory { name: "test".into() }, scan, &Limits::default());
    assert_eq!(inventory.gaps(), []);
    inventory
}

/// The inventory of an image of this layer.
fn image(layer: tar::Builder<Vec<u8>>) -> Inventory {
    let layer = layer.into_inner().unwrap();
    let scan = scan_layer(layer.as_slice(), Compression::None, None, &Limits::default()).unwrap();
    let subject = Subject::Directory { name: "test".into() };
    Inventory::from_layers(subject, vec![scan], &Limits::default())
}

fn named<'a>(inventory: &'a Inventory, name: &str) -> &'a Package {
    inventory.packages().find(|package| package.name == name).unwrap()
}

fn has_edge(inventory: &Inventory, from: &str, to: &str) -> bool {
    let from = Element::Package(named(inventory, from).id.clone());
    let to = &named(inventory, to).id;
    let is_it = |edge: &Relationship| edge.from == from && edge.to == *to;
    inventory.relationships().iter().any(is_it)
}

fn purls(inventory: &Inventory) -> BTreeSet<&str> {
    inventory.packages().filter_map(|package| package.purl.as_deref()).collect()
}

#[test]
fn jars_from_maven_central_are_named_by_their_descriptors() {
    let jars = ["jul-to-slf4j-2.0.7", "minlog-1.3.0", "shims-0.9.45", "spark-tags_2.12-3.5.3"];
    let jars = jars.map(|name| format!("java/lib/{name}.jar"));
    let found = inventory(&jars.each_ref().map(String::as_str));
    let expected = [
        "pkg:maven/com.esotericsoftware/minlog@1.3.0",
        "pkg:maven/org.apache.spark/spark-tags_2.12@3.5.3",
        "pkg:maven/org.slf4j/jul-to-slf4j@2.0.7",
        "pkg:maven/org.spark-project.spark/unused@1.0.0",
    ];
    assert_eq!(purls(&found), BTreeSet::from(expected));
    assert!(has_edge(&found, "org.apache.spark:spark-tags_2.12", "org.spark-project.spark:unused"));
    let shims = named(&found, "shims");
    assert_eq!((shims.version.as_deref(), shims.identified_by), (Some("0.9.45"), IdentifiedBy::FileName));
    let own = named(&found, "org.apache.spark:spark-tags_2.12");
    assert_eq!(own.evidence[0].path, "java/lib/spark-tags_2.12-3.5.3.jar");
}

#[test]
fn a_war_contains_its_jars_and_they_need_each_other() {
    let found = inventory(&["java/shop.war"]);
    let (outer, inner) = ("org.apache.hive:hive-shims", "org.apache.hive.shims:hive-shims-scheduler");
    assert!(
        has_edge(&found, "shop", outer) && has_edge(&found, "shop", inner) && has_edge(&found, outer, inner)
    );
    assert_eq!(named(&found, outer).evidence[0].path, "java/shop.war!/WEB-INF/lib/hive-shims-2.3.9.jar");
    assert_eq!(purls(&found).len(), 2);
}

#[test]
fn an_archive_cut_anywhere_is_a_gap_and_never_a_panic() {
    let bytes = read("java/shop.war");
    for cut in (0..bytes.len()).step_by(97) {
        let mut layer = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(cut as u64);
        layer.append_data(&mut header, "a.war", &bytes[..cut]).unwrap();
        let layer = layer.into_inner().unwrap();
        let scan = scan_layer(layer.as_slice(), Compression::None, None, &Limits::default()).unwrap();
        let subject = Subject::Directory { name: "test".into() };
        assert_ne!(Inventory::from_layers(subject, vec![scan], &Limits::default()).gaps(), [], "{cut}");
    }
}

#[test]
fn no_changed_byte_of_an_archive_makes_it_fail() {
    let bytes = read("java/shop.war");
    let mut layer = tar::Builder::new(Vec::new());
    for at in (0..bytes.len()).step_by(13) {
        let mut changed = bytes.clone();
        changed[at] ^= 0x55;
        let mut header = tar::Header::new_gnu();
        header.set_size(changed.len() as u64);
        layer.append_data(&mut header, format!("{at}.war"), changed.as_slice()).unwrap();
    }
    let found = image(layer);
    assert!(found.packages().all(|package| package.purl.is_none() || package.version.is_some()));
}

#[test]
fn a_hard_link_to_what_was_not_read_is_a_gap() {
    let mut layer = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(1);
    layer.append_data(&mut header, "store/ab12", b"x".as_slice()).unwrap();
    header.set_size(0);
    header.set_entry_type(tar::EntryType::Link);
    layer.append_link(&mut header, "opt/a.jar", "store/ab12").unwrap();
    let found = image(layer);
    assert_eq!(found.gaps()[0].reason, GapReason::LinkTargetNotKept { target: "store/ab12".into() });
}

#[test]
fn a_dotnet_application_lists_its_packages() {
    let found = inventory(&["dotnet/Python.Runtime.deps.json"]);
    assert_eq!(purls(&found).len(), 9);
    assert!(has_edge(&found, "Python.Runtime", "System.Reflection.Emit"));
    assert!(has_edge(&found, "System.Memory", "System.Numerics.Vectors"));
    assert_eq!(named(&found, "System.Memory").checksums.len(), 1);
    assert!(named(&found, "Python.Runtime").is_application);
}

#[test]
fn one_tree_locked_by_seven_tools_has_the_same_packages() {
    let expected = BTreeSet::from([
        "pkg:npm/debug@4.4.3",
        "pkg:npm/fsevents@2.3.3",
        "pkg:npm/is-number@6.0.0",
        "pkg:npm/koa-compose@4.2.0",
        "pkg:npm/ms@2.1.3",
        "pkg:npm/once@1.4.0",
        "pkg:npm/wrappy@1.0.2",
    ]);
    let locks = [
        ("npm/package-lock.json", true),
        ("npm-v1/package-lock.json", true),
        ("pnpm/pnpm-lock.yaml", true),
        ("pnpm-v6/pnpm-lock.yaml", true),
        ("yarn-v1/yarn.lock", true),
        ("yarn/yarn.lock", false),
        ("bun/bun.lock", true),
    ];
    for (lock, has_checksums) in locks {
        let found = inventory(&[&format!("locks/{lock}")]);
        let purls = purls(&found);
        if has_checksums {
            assert_eq!(purls, expected, "{lock}");
        } else {
            assert!(purls.is_superset(&expected) && purls.contains("pkg:npm/node-gyp@13.1.0"), "{lock}");
        }
        assert!(has_edge(&found, "debug", "ms") && has_edge(&found, "once", "wrappy"), "{lock}");
        let with_purl = found.packages().filter(|package| package.purl.is_some());
        for package in with_purl {
            assert_eq!(package.identified_by, IdentifiedBy::LockFile);
            assert_eq!(package.checksums.len(), usize::from(has_checksums), "{lock} {}", package.name);
        }
    }
}

#[test]
fn locks_say_what_the_tree_itself_asks_for() {
    for lock in ["npm/package-lock.json", "yarn/yarn.lock", "bun/bun.lock"] {
        let (found, root) = (inventory(&[&format!("locks/{lock}")]), "shop");
        for need in ["debug", "is-number", "once", "fsevents"] {
            assert!(has_edge(&found, root, need), "{lock} {need}");
        }
        assert!(!has_edge(&found, root, "ms"), "{lock}");
        assert_eq!(named(&found, root).purl, None);
    }
}

#[test]
fn locks_in_an_image_say_nothing() {
    let mut layer = tar::Builder::new(Vec::new());
    for lock in ["npm/package-lock.json", "yarn/yarn.lock"] {
        let bytes = read(&format!("locks/{lock}"));
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        layer.append_data(&mut header, format!("app/{lock}"), bytes.as_slice()).unwrap();
    }
    assert_eq!(image(layer).packages().count(), 0);
}
