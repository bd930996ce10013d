//! npm packages, as installed in `node_modules`
//! ([npm 10, package.json](https://docs.npmjs.com/cli/v10/configuring-npm/package-json);
//! [Node.js 22, "Loading from node_modules folders"](https://nodejs.org/docs/latest-v22.x/api/modules.html#loading-from-node_modules-folders)).
//!
//! A dependency leads to the package that Node.js would load: the nearest `node_modules` upwards, through symbolic links. An
//! application with packages under it is reported without a purl, for it need not come from the registry that a purl would name.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::catalog::{Cataloger, Files, Findings, text, web_address};
use crate::license::{Combine, License};
use crate::purl::Purl;
use crate::{Ecosystem, GapReason, Package, PackageId, Party, path};

pub(super) struct Npm;

impl Cataloger for Npm {
    fn wants(&self, path: &str) -> bool {
        let Some(directory) = path.strip_suffix("package.json").map(|rest| rest.trim_end_matches('/')) else {
            return false;
        };
        (path == "package.json" || path.ends_with("/package.json"))
            && (is_installed(directory) || !in_node_modules(directory))
    }

    fn catalog(&self, files: &Files<'_>, found: &mut Findings) {
        let linked = linked_directories(files);
        let with_modules = directories_with_modules(files);
        let with_stores: BTreeSet<&str> =
            files.wanted().filter_map(|(path, ..)| stored(path)).map(|(home, _)| home).collect();
        let mut manifests = BTreeMap::new();
        for (path, file, bytes) in files.wanted() {
            let directory = path::parent(path);
            let role = match () {
                () if is_installed(directory) => Role::Installed,
                () if linked.contains(directory) || with_modules.contains(directory) => Role::Local,
                () if with_stores.contains(directory) => Role::Local,
                () => continue,
            };
            let Ok(Value::Object(manifest)) = serde_json::from_str(&text(bytes)) else {
                found.gap(path, GapReason::Malformed { format: FORMAT });
                continue;
            };
            if let Some(package) = package(&manifest, role, file.evidence(path)) {
                manifests.insert(path.to_owned(), (package, dependencies(&manifest)));
            }
        }
        connect(&manifests, files, found);
        found.packages.extend(manifests.into_values().map(|(package, _)| package));
    }
}

/// Where a manifest stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// In a `node_modules` directory: npm or a relative put it there.
    Installed,
    /// An application, or a workspace that is linked into one.
    Local,
}

/// Whether a directory is `…/node_modules/name` or `…/node_modules/@scope/name`.
fn is_installed(directory: &str) -> bool {
    let (parent, name) = path::split(directory);
    let (grandparent, scope) = path::split(parent);
    let in_modules = |directory: &str| path::split(directory).1 == MODULES;
    !name.is_empty()
        && !name.starts_with('.')
        && (in_modules(parent) || (scope.starts_with('@') && in_modules(grandparent)))
}

/// Whether a link's target is a `package.json` that a package has somewhere inside, which tells Node.js how to read the files beside it,
/// and the link's own place does not make it a package.
pub(super) fn is_part_of_package(target: &str, link: &str) -> bool {
    let (directory, name) = path::split(target);
    name == "package.json"
        && in_node_modules(directory)
        && !is_installed(directory)
        && !is_installed(path::parent(link))
}

fn in_node_modules(directory: &str) -> bool {
    directory.split('/').any(|part| part == MODULES)
}

/// The directories that links in `node_modules` lead to, which is how workspaces are installed.
fn linked_directories(files: &Files<'_>) -> BTreeSet<String> {
    files.symlinks().filter(|(path, _)| is_installed(path)).map(|(_, target)| target).collect()
}

/// The directories that have a `node_modules` of their own with something in it, be it links as pnpm makes them.
fn directories_with_modules(files: &Files<'_>) -> BTreeSet<String> {
    let owner = |directory: &str| {
        let parent = path::parent(directory);
        let modules = if path::split(parent).1 == MODULES { parent } else { path::parent(parent) };
        is_installed(directory).then(|| path::parent(modules).to_owned())
    };
    let unpacked = files.wanted().filter_map(|(path, ..)| owner(path::parent(path)));
    unpacked.chain(files.symlinks().filter_map(|(path, _)| owner(path))).collect()
}

/// A manifest without name and version is a part of some package, not a package.
fn package(manifest: &Map<String, Value>, role: Role, evidence: crate::Evidence) -> Option<Package> {
    let member = |name: &str| {
        manifest.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
    };
    let (name, version) = (member("name")?, member("version"));
    if role == Role::Installed {
        version?;
    }
    let (namespace, last) = match name.split_once('/') {
        Some((scope, last)) => (Some(scope), last),
        None => (None, name),
    };
    let purl = version.filter(|_| role == Role::Installed).and_then(|version| {
        Purl { kind: "npm", namespace, name: last, version, qualifiers: &[], subpath: None }.to_text()
    });
    let mut package = Package::new(Ecosystem::Npm, name, version, purl, evidence);
    package.is_application = role == Role::Local;
    package.license = license(manifest);
    package.supplier = supplier(manifest);
    package.homepage = member("homepage").and_then(web_address);
    package.description = member("description").map(str::to_owned);
    Some(package)
}

/// `license` as an expression, or in the old forms: an object with `type`, a list of those, `licenses`.
fn license(manifest: &Map<String, Value>) -> Option<License> {
    let value = manifest.get("license").or_else(|| manifest.get("licenses"))?;
    let one = |value: &Value| value.as_str().or_else(|| value.get("type")?.as_str()).and_then(License::parse);
    match value {
        Value::Array(all) => License::combine(all.iter().filter_map(one), Combine::Or),
        single => one(single),
    }
}

/// The author; or else the first of those named beside them; or else whoever the repository belongs to.
fn supplier(manifest: &Map<String, Value>) -> Option<Party> {
    let first = |member: &str| manifest.get(member)?.as_array()?.iter().find_map(party);
    let author = manifest.get("author").and_then(party);
    author
        .or_else(|| first("maintainers"))
        .or_else(|| first("contributors"))
        .or_else(|| repository_owner(manifest))
}

/// `owner/name`, `github:owner/name` or an address such as `git+https://github.com/owner/name.git`.
fn repository_owner(manifest: &Map<String, Value>) -> Option<Party> {
    let repository = manifest.get("repository")?;
    let text = repository.as_str().or_else(|| repository.get("url")?.as_str())?;
    let path = match text.split_once("://") {
        Some((_, rest)) => rest.split_once('/')?.1,
        None => text.rsplit(':').next()?,
    };
    let owner = path.split('/').next().filter(|owner| !owner.is_empty() && path.contains('/'))?;
    Some(Party::Organization(owner.to_owned()))
}

/// `Name <mail> (address)`, or an object with these.
fn party(value: &Value) -> Option<Party> {
    match value {
        Value::String(text) => Party::parse(text.split('(').next().unwrap_or(text)),
        Value::Object(person) => {
            let name = person.get("name").and_then(Value::as_str).unwrap_or_default();
            let address = person.get("email").and_then(Value::as_str).unwrap_or_default();
            Party::parse(&format!("{name} <{address}>"))
        }
        _ => None,
    }
}

/// The names that a manifest depends on. Development dependencies of installed packages are not installed.
fn dependencies(manifest: &Map<String, Value>) -> Vec<String> {
    let members = ["dependencies", "optionalDependencies", "peerDependencies"];
    let all = members.into_iter().filter_map(|member| manifest.get(member)?.as_object());
    let names: BTreeSet<&String> = all.flat_map(Map::keys).collect();
    names.into_iter().cloned().collect()
}

/// For a manifest in a store of Yarn's Plug'n'Play, the directory that the store is in and the name that it is loaded by
/// ([Yarn 4, `cacheFolder` and `pnpUnpluggedFolder`](https://yarnpkg.com/configuration/yarnrc)).
fn stored(path: &str) -> Option<(&str, &str)> {
    let (home, rest) =
        path.strip_prefix(".yarn/").map(|rest| ("", rest)).or_else(|| path.split_once("/.yarn/"))?;
    let is_store = ["cache/", "unplugged/", "berry/cache/"].iter().any(|store| rest.starts_with(store));
    let directory = path::parent(path);
    let (_, name) = directory.rsplit_once("/node_modules/")?;
    (is_store && is_installed(directory)).then_some((home, name))
}

/// The packages of each store by name. A name with several versions leads nowhere: which of them is loaded stands in code only.
fn stores(
    manifests: &BTreeMap<String, (Package, Vec<String>)>,
) -> BTreeMap<(&str, &str), Option<&PackageId>> {
    let mut stores = BTreeMap::new();
    for (path, (package, _)) in manifests {
        if let Some(place) = stored(path) {
            stores.entry(place).and_modify(|known| *known = None).or_insert(Some(&package.id));
        }
    }
    stores
}

fn connect(manifests: &BTreeMap<String, (Package, Vec<String>)>, files: &Files<'_>, found: &mut Findings) {
    let stores = stores(manifests);
    for (path, (package, dependencies)) in manifests {
        let directory = path::parent(path);
        for name in dependencies {
            if let Some(target) = resolve(directory, name, manifests, &stores, files) {
                found.depends(&package.id, target);
            }
        }
    }
}

/// What `require(name)` loads from a directory.
fn resolve<'a>(
    directory: &str,
    name: &str,
    manifests: &'a BTreeMap<String, (Package, Vec<String>)>,
    stores: &BTreeMap<(&str, &str), Option<&'a PackageId>>,
    files: &Files<'_>,
) -> Option<&'a PackageId> {
    if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return None;
    }
    let mut upwards = Some(directory);
    while let Some(place) = upwards {
        if path::split(place).1 != MODULES {
            let candidate = path::join(place, &format!("{MODULES}/{name}/package.json"));
            let real = files.at(&candidate).map(|(real, _, _)| real);
            if let Some((package, _)) = real.and_then(|real| manifests.get(&real)) {
                return Some(&package.id);
            }
        }
        if let Some(only) = stores.get(&(place, name)) {
            return *only;
        }
        upwards = (!place.is_empty()).then(|| path::parent(place));
    }
    None
}

const MODULES: &str = "node_modules";
const FORMAT: &str = "package.json";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::testing::{catalog, catalog_with_links};

    #[test]
    fn only_directories_of_node_modules_are_packages() {
        assert!(is_installed("a/node_modules/b"));
        assert!(is_installed("node_modules/@s/b"));
        assert!(!is_installed("node_modules/b/lib"));
        assert!(!is_installed("node_modules/.bin"));
        assert!(!is_installed("node_modules"));
        assert!(!Npm.wants("node_modules/b/lib/package.json"));
        assert!(!Npm.wants("app/xpackage.json"));
    }

    #[test]
    fn a_manifest_without_version_is_no_package() {
        let found = catalog(&[("node_modules/a/package.json", br#"{"name":"a"}"#)]);
        assert!(found.packages.is_empty());
        assert_eq!(found.gaps, []);
    }

    #[test]
    fn dependencies_lead_to_what_node_would_load() {
        let files: [(&str, &[u8]); 4] = [
            (
                "app/node_modules/a/package.json",
                br#"{"name":"a","version":"1.0.0","dependencies":{"b":"*","@s/c":"*"}}"#,
            ),
            ("app/node_modules/a/node_modules/b/package.json", br#"{"name":"b","version":"1.0.0"}"#),
            ("app/node_modules/b/package.json", br#"{"name":"b-outer","version":"2.0.0"}"#),
            ("app/node_modules/@s/c/package.json", br#"{"name":"@s/c","version":"3.0.0"}"#),
        ];
        let found = catalog(&files);
        assert!(found.has_edge("a", "b"));
        assert!(found.has_edge("a", "@s/c"));
        assert!(!found.has_edge("a", "b-outer"));
        assert_eq!(found.named("@s/c").purl.as_deref(), Some("pkg:npm/%40s/c@3.0.0"));
    }

    #[test]
    fn an_application_is_reported_without_purl() {
        let files: [(&str, &[u8]); 3] = [
            ("app/package.json", br#"{"name":"shop","version":"1.0.0","dependencies":{"b":"*"}}"#),
            ("app/node_modules/b/package.json", br#"{"name":"b","version":"2.0.0"}"#),
            ("other/package.json", br#"{"name":"unused","version":"1.0.0"}"#),
        ];
        let found = catalog(&files);
        assert_eq!(found.packages.len(), 2);
        assert_eq!(found.named("shop").purl, None);
        assert!(found.has_edge("shop", "b"));
    }

    #[test]
    fn linked_packages_are_found_through_their_links() {
        let files: [(&str, &[u8]); 3] = [
            (
                "node_modules/.pnpm/a@1/node_modules/a/package.json",
                br#"{"name":"a","version":"1.0.0","dependencies":{"w":"*"}}"#,
            ),
            ("packages/w/package.json", br#"{"name":"w"}"#),
            ("package.json", br#"{"name":"shop","dependencies":{"a":"*"}}"#),
        ];
        let links = [
            ("node_modules/.pnpm/a@1/node_modules/w", "../../../../packages/w"),
            ("node_modules/a", ".pnpm/a@1/node_modules/a"),
        ];
        let found = catalog_with_links(&files, &links);
        assert!(found.has_edge("a", "w"));
        assert!(found.has_edge("shop", "a"));
    }

    #[test]
    fn packages_in_a_store_of_yarn_are_found_packed_and_unplugged() {
        let files: [(&str, &[u8]); 4] = [
            ("app/package.json", br#"{"name":"shop","version":"1.0.0","dependencies":{"a":"*","two":"*"}}"#),
            (
                "app/.yarn/cache/a-npm-1.zip/node_modules/a/package.json",
                br#"{"name":"a","version":"1.0.0","dependencies":{"@s/b":"*"}}"#,
            ),
            (
                "app/.yarn/unplugged/@s-b-npm-2/node_modules/@s/b/package.json",
                br#"{"name":"@s/b","version":"2.0.0"}"#,
            ),
            ("app/.yarn/releases/node_modules/x/package.json", br#"{"name":"x","version":"1.0.0"}"#),
        ];
        let found = catalog(&files);
        assert_eq!(found.named("shop").purl, None);
        assert!(found.has_edge("shop", "a"));
        assert!(found.has_edge("a", "@s/b"));
    }

    #[test]
    fn of_two_versions_in_a_store_none_is_guessed() {
        let files: [(&str, &[u8]); 3] = [
            (
                ".yarn/cache/a.zip/node_modules/a/package.json",
                br#"{"name":"a","version":"1","dependencies":{"b":"*"}}"#,
            ),
            (".yarn/cache/b1.zip/node_modules/b/package.json", br#"{"name":"b","version":"1"}"#),
            (".yarn/cache/b2.zip/node_modules/b/package.json", br#"{"name":"b","version":"2"}"#),
        ];
        let found = catalog(&files);
        assert_eq!(found.packages.len(), 3);
        assert_eq!(found.edges, []);
    }

    #[test]
    fn old_forms_of_licence_and_author_are_read() {
        let manifest = br#"{"name":"a","version":"1","licenses":[{"type":"MIT"},{"type":"Apache-2.0"}],"author":{"name":"Ann"}}"#;
        let found = catalog(&[("node_modules/a/package.json", manifest)]);
        assert_eq!(found.named("a").license.as_ref().unwrap().expression(), "Apache-2.0 OR MIT");
        assert_eq!(found.named("a").supplier, Some(Party::Person("Ann".into())));
    }

    #[test]
    fn without_an_author_the_repositorys_owner_is_the_supplier() {
        let owner = |repository: &str| {
            let manifest = serde_json::from_str(&format!(r#"{{"repository":{repository}}}"#)).unwrap();
            supplier(&manifest).map(|party| party.name().to_owned())
        };
        assert_eq!(owner(r#"{"url":"git+https://github.com/koajs/koa.git"}"#).as_deref(), Some("koajs"));
        assert_eq!(owner(r#""vercel/ms""#).as_deref(), Some("vercel"));
        assert_eq!(owner(r#""github:vercel/ms""#).as_deref(), Some("vercel"));
        assert_eq!(owner(r#""nonsense""#), None);
    }

    #[test]
    fn a_manifest_that_is_not_json_is_a_gap() {
        let found = catalog(&[("node_modules/a/package.json", b"{")]);
        assert_eq!(found.gaps[0].reason, GapReason::Malformed { format: FORMAT });
    }
}
