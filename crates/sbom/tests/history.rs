//! Which layers brought, changed and removed packages, in layers of the shapes that builds leave.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use support::{Layer, inventory};
use touchmark_oci::{Digest, ImageName};
use touchmark_sbom::{
    BaseEvidence, BaseImage, Compression, Gap, GapReason, History, ImageSubject, Inventory, Limits, Subject,
    scan_layer,
};

/// dpkg's database with these packages, `name version`.
fn dpkg(layer: Layer, packages: &[&str]) -> Layer {
    let stanza = |package: &&str| {
        let (name, version) = package.split_once(' ').unwrap();
        format!(
            "Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n\
             Maintainer: A B <a@example.org>\n\n"
        )
    };
    layer.file("var/lib/dpkg/status", packages.iter().map(stanza).collect::<String>().as_bytes())
}

/// What a package's history says: introduced in, changed in.
fn history(inventory: &Inventory, name: &str) -> (usize, Vec<usize>) {
    let package = inventory.packages().find(|package| package.name == name).unwrap();
    let history = package.history.as_ref().unwrap();
    (history.introduced, history.changed.clone())
}

/// `name version introduced removed` of what is gone.
fn removed(inventory: &Inventory) -> Vec<String> {
    let tell = |gone: &touchmark_sbom::RemovedPackage| {
        let version = gone.version.as_deref().unwrap_or_default();
        format!("{} {version} {} {}", gone.name, gone.introduced, gone.removed)
    };
    inventory.removed().iter().map(tell).collect()
}

#[test]
fn a_purge_writes_the_whole_database_and_changes_nothing_but_what_it_removes() {
    let found = inventory(vec![
        dpkg(Layer::new(), &["libc6 2.36", "bash 5.2"]),
        dpkg(Layer::new(), &["libc6 2.36", "bash 5.2", "wget 1.21", "curl 7.88"]),
        dpkg(Layer::new(), &["bash 5.2", "libc6 2.36", "curl 7.88"]),
    ]);
    assert_eq!(history(&found, "libc6"), (0, vec![]));
    assert_eq!(history(&found, "curl"), (1, vec![]));
    assert_eq!(removed(&found), ["wget 1.21 1 2"]);
}

#[test]
fn an_upgrade_changes_and_a_later_layer_that_only_touches_the_database_does_not() {
    let found = inventory(vec![
        dpkg(Layer::new(), &["openssl 3.0.1", "bash 5.2"]),
        dpkg(Layer::new(), &["openssl 3.0.2", "bash 5.2"]),
        dpkg(Layer::new(), &["openssl 3.0.2", "bash 5.2"]),
    ]);
    assert_eq!(history(&found, "openssl"), (0, vec![1]));
    assert_eq!(history(&found, "bash"), (0, vec![]));
    assert!(found.removed().is_empty());
}

#[test]
fn what_comes_back_counts_from_when_it_came_back_and_is_not_removed() {
    let base = || dpkg(Layer::new(), &["bash 5.2", "curl 7.88"]);
    let without = || dpkg(Layer::new(), &["bash 5.2"]);
    let found = inventory(vec![base(), without(), base()]);
    assert_eq!(history(&found, "curl"), (2, vec![]));
    assert!(found.removed().is_empty());
    let newer = dpkg(Layer::new(), &["bash 5.2", "curl 8.0"]);
    let found = inventory(vec![base(), without(), newer]);
    assert_eq!(history(&found, "curl"), (2, vec![]));
    assert!(found.removed().is_empty(), "another version took its place");
}

#[test]
fn whiteouts_and_opaque_directories_remove_packages() {
    let tree = || {
        let layer = Layer::new().directory("app/").package("app/node_modules/a", "1");
        layer.package("app/node_modules/b", "1").package("app/node_modules/b/node_modules/a", "2")
    };
    let found = inventory(vec![tree(), Layer::new().file("app/.wh.node_modules", b"")]);
    assert_eq!(removed(&found), ["a 1 0 1", "a 2 0 1", "b 1 0 1"]);
    let opaque = Layer::new().file("app/.wh..wh..opq", b"").package("app/node_modules/b", "1");
    let found = inventory(vec![tree(), opaque]);
    assert_eq!(history(&found, "b"), (0, vec![]), "the same again in the same place");
    assert_eq!(removed(&found), ["a 1 0 1", "a 2 0 1"]);
    let whole = Layer::new().file(".wh..wh..opq", b"");
    assert_eq!(inventory(vec![tree(), whole]).removed().len(), 3);
}

#[test]
fn two_versions_of_one_package_have_histories_of_their_own() {
    let base = Layer::new().package("node_modules/ms", "2.0.0");
    let other = Layer::new().package("node_modules/debug/node_modules/ms", "2.1.0");
    let upgrade = Layer::new().package("node_modules/ms", "3.0.0");
    let found = inventory(vec![base, other, upgrade]);
    let histories: Vec<(Option<&str>, Option<&History>)> =
        found.packages().map(|package| (package.version.as_deref(), package.history.as_ref())).collect();
    let of = |version: &str| histories.iter().find(|(known, _)| *known == Some(version)).unwrap().1.unwrap();
    assert_eq!((of("3.0.0").introduced, of("3.0.0").changed.as_slice()), (0, [2].as_slice()));
    assert_eq!((of("2.1.0").introduced, of("2.1.0").changed.as_slice()), (1, [].as_slice()));
    assert!(found.removed().is_empty());
}

#[test]
fn a_new_version_in_another_directory_is_an_upgrade() {
    let site = "usr/lib/python3/dist-packages";
    let wheel = |layer: Layer, version: &str| {
        let metadata = format!("Name: flask\nVersion: {version}\n");
        layer.file(&format!("{site}/flask-{version}.dist-info/METADATA"), metadata.as_bytes())
    };
    let upgrade = wheel(Layer::new(), "3.1").file(&format!("{site}/.wh.flask-3.0.dist-info"), b"");
    let found = inventory(vec![wheel(Layer::new(), "3.0"), upgrade]);
    assert_eq!(history(&found, "flask"), (0, vec![1]));
    assert!(found.removed().is_empty());
}

#[test]
fn packages_of_the_base_that_later_layers_left_alone_are_marked() {
    let found = inventory(vec![
        dpkg(Layer::new(), &["libc6 2.36", "bash 5.2"]),
        dpkg(Layer::new(), &["libc6 2.37", "bash 5.2", "curl 7.88"]),
    ]);
    let layers: Vec<Digest> = found.layers().flatten().cloned().collect();
    let base = BaseImage::below(&layers[..1], &layers, BaseEvidence::Layers).unwrap();
    let found = found.with_base(base);
    let in_base = |name: &str| {
        found.packages().find(|package| package.name == name).unwrap().history.as_ref().unwrap().in_base
    };
    assert!(in_base("bash"));
    assert!(!in_base("libc6"), "another version than the base's");
    assert!(!in_base("curl"));
    assert_eq!(found.base().unwrap().layers, 1);
}

#[test]
fn comparing_layers_is_bounded_and_what_is_not_compared_is_a_gap() {
    let mut limits = Limits::default();
    limits.max_history_bytes = 200;
    let layer = || dpkg(Layer::new(), &["bash 5.2"]).bytes();
    let scans = (0..4).map(|_| scan_layer(layer().as_slice(), Compression::None, None, &limits).unwrap());
    let subject = ImageSubject::new(&ImageName::Layout("app".into()), Digest::of(b""));
    let found = Inventory::from_layers(Subject::Image(subject), scans.collect(), &limits);
    let gap = Gap { path: None, layer: Some(2), reason: GapReason::HistoryTooLong };
    assert!(matches!(found.gaps(), [only] if only.reason == gap.reason), "{:?}", found.gaps());
    assert_eq!(found.packages().next().unwrap().history, None);
}

#[test]
fn a_directory_has_no_history() {
    let scan = touchmark_sbom::scan_directory(Vec::new(), &Limits::default()).unwrap();
    let subject = Subject::Directory { name: "x".into() };
    let found = Inventory::from_directory(subject, scan, &Limits::default());
    assert_eq!(found.layers().count(), 0);
}
