//! Java archives and the coordinates that they have in Maven's repositories.
//!
//! A purl needs group, artifact and version, and only two things say all three: the descriptor that Maven puts into an archive
//! (`META-INF/maven/GROUP/ARTIFACT`), and an archive's place in a repository (`GROUP/ARTIFACT/VERSION`,
//! [Maven repository layout](https://maven.apache.org/repository/layout.html)), such as the one that Debian's packages keep with links to
//! their jars. A bundle's symbolic name and a file's name say what an archive is called but not its group, so an archive that is
//! known by those alone has no purl.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::maven_repository::{Place, Repositories};
use crate::catalog::{Cataloger, Files, Findings, maven_license, text, web_address};
use crate::java::{self, Coordinates, JarManifest, JavaArchive, MavenProject, Pom};
use crate::purl::Purl;
use crate::rootfs::RootFile;
use crate::{Ecosystem, Evidence, GapReason, IdentifiedBy, Package, PackageId, Party, path};

pub(super) struct Maven;

impl Cataloger for Maven {
    fn wants(&self, path: &str) -> bool {
        Repositories::wants(path) || java::descriptor_directory(path).is_some()
    }

    fn catalog(&self, files: &Files<'_>, found: &mut Findings) {
        let repositories = Repositories::read(files, found);
        let mut archives = Archives { found, members: Vec::new() };
        for (path, file, archive) in files.archives() {
            archives.add(
                &Seen { path: path.to_owned(), file, place: path::parent(path).to_owned() },
                archive,
                &repositories,
            );
        }
        for (path, file, bytes) in files.wanted() {
            if let Some(directory) = java::descriptor_directory(path) {
                archives.unpacked(directory, file.evidence(path), &text(bytes));
            }
        }
        let members = archives.members;
        connect(&members, found);
    }
}

/// An archive on its way into the inventory.
struct Seen<'a> {
    /// Its path, with the paths of the archives that it is in before it.
    path: String,
    file: &'a RootFile,
    /// The archive or directory that it is in.
    place: String,
}

impl Seen<'_> {
    fn inside(&self, path: &str) -> String {
        format!("{}!/{path}", self.path)
    }

    fn evidence(&self, path: String) -> Evidence {
        Evidence { path, layer: self.file.layer }
    }
}

/// A package and what is needed to find what it needs.
struct Member {
    id: PackageId,
    /// Group and artifact, under all names that it is known by.
    names: Vec<String>,
    path: String,
    place: String,
    needs: Vec<String>,
}

struct Archives<'a> {
    found: &'a mut Findings,
    members: Vec<Member>,
}

impl Archives<'_> {
    /// Adds an archive, what was merged into it, and the archives in it. Archives are no deeper than they were read.
    fn add(&mut self, seen: &Seen<'_>, archive: &JavaArchive, repositories: &Repositories) -> PackageId {
        for (path, reason) in &archive.gaps {
            let at = if path.is_empty() { seen.path.clone() } else { seen.inside(path) };
            self.found.gap(&at, reason.clone());
        }
        let own = own_project(file_stem(&seen.path), archive);
        let places = repositories.places(&seen.path);
        let package = match own.and_then(|own| archive.projects.get_key_value(own)) {
            Some((directory, project)) => self.project(seen, directory, project, true),
            None => None,
        };
        let (mut package, pom) = package.unwrap_or_else(|| match places.first() {
            Some(place) => in_repository(seen, place),
            None => (by_manifest(seen, &archive.manifest), None),
        });
        describe(&mut package, pom.as_ref(), &archive.manifest);
        let id = package.id.clone();
        let needs = pom.iter().flat_map(|pom| &pom.dependencies).map(Coordinates::name);
        let repository_needs =
            places.iter().filter_map(|place| place.pom.as_ref()).flat_map(|(pom, _)| &pom.dependencies);
        let needs: BTreeSet<String> = needs.chain(repository_needs.map(Coordinates::name)).collect();
        let names =
            std::iter::once(package.name.clone()).chain(places.iter().map(|place| place.coordinates.name()));
        self.members.push(Member {
            id: id.clone(),
            names: names.collect(),
            path: seen.path.clone(),
            place: seen.place.clone(),
            needs: needs.into_iter().collect(),
        });
        self.found.packages.push(package);
        for (directory, project) in
            archive.projects.iter().filter(|(directory, _)| Some(directory.as_str()) != own)
        {
            self.merged(seen, directory, project, &id);
        }
        for (path, nested) in &archive.nested {
            let inner = Seen { path: seen.inside(path), file: seen.file, place: seen.path.clone() };
            let inner = self.add(&inner, nested, repositories);
            self.found.contains(&id, &inner);
        }
        id
    }

    /// An archive that was unpacked: its descriptor is a file of the image.
    fn unpacked(&mut self, directory: &str, evidence: Evidence, properties: &str) {
        match java::coordinates(properties, directory) {
            Some(coordinates) => self.found.packages.push(package(&coordinates, evidence)),
            None => self.found.gap(&evidence.path, GapReason::Malformed { format: "pom.properties" }),
        }
    }

    /// A project whose classes were merged into an archive.
    fn merged(&mut self, seen: &Seen<'_>, directory: &str, project: &MavenProject, outer: &PackageId) {
        let Some((mut package, pom)) = self.project(seen, directory, project, false) else { return };
        describe(&mut package, pom.as_ref(), &JarManifest::default());
        self.found.contains(outer, &package.id);
        let needs = pom.iter().flat_map(|pom| &pom.dependencies).map(Coordinates::name);
        self.members.push(Member {
            id: package.id.clone(),
            names: vec![package.name.clone()],
            path: seen.inside(directory),
            place: seen.path.clone(),
            needs: needs.collect(),
        });
        self.found.packages.push(package);
    }

    /// The package that a descriptor in an archive names: the archive itself, or a part of it.
    fn project(
        &mut self,
        seen: &Seen<'_>,
        directory: &str,
        project: &MavenProject,
        is_archive: bool,
    ) -> Option<(Package, Option<Pom>)> {
        let coordinates = coordinates(project)?;
        let path = if is_archive { seen.path.clone() } else { seen.inside(directory) };
        if coordinates.version.is_none() {
            self.found.gap(&path, GapReason::Incomplete { format: "pom.properties", member: "version" });
        }
        let package = package(&coordinates, seen.evidence(path));
        Some((package, project.pom.clone()))
    }
}

/// What was filled in by Maven, or else what the POM itself says.
fn coordinates(project: &MavenProject) -> Option<Coordinates> {
    let of_pom = || project.pom.as_ref()?.coordinates.clone();
    project.properties.clone().or_else(of_pom)
}

/// The package that coordinates name.
pub(super) fn package(coordinates: &Coordinates, evidence: Evidence) -> Package {
    let Coordinates { group, artifact, version } = coordinates;
    let purl = version.as_deref().and_then(|version| {
        let namespace = Some(group.as_str());
        Purl { kind: "maven", namespace, name: artifact, version, qualifiers: &[], subpath: None }.to_text()
    });
    let mut package = Package::new(Ecosystem::Maven, &coordinates.name(), version.as_deref(), purl, evidence);
    package.identified_by = IdentifiedBy::Manifest;
    // The group is a name that its owner has a right to: Maven Central asks for proof of the domain.
    package.supplier = Some(Party::Organization(group.clone()));
    package
}

fn in_repository(seen: &Seen<'_>, place: &Place) -> (Package, Option<Pom>) {
    let mut package = package(&place.coordinates, seen.evidence(seen.path.clone()));
    let (pom, evidence) = place.pom.clone().unzip();
    package.evidence.extend(evidence);
    (package, pom)
}

/// An archive without coordinates: its bundle name, or else its file's name. That is no purl.
fn by_manifest(seen: &Seen<'_>, manifest: &JarManifest) -> Package {
    if let Some(plugin) = &manifest.plugin {
        return package(plugin, seen.evidence(seen.path.clone()));
    }
    let (by, name, version) = match (&manifest.bundle, &manifest.bundle_version) {
        (Some(name), Some(version)) => (IdentifiedBy::Manifest, name.as_str(), Some(version.as_str())),
        _ => {
            let (name, version) = name_and_version(file_stem(&seen.path));
            (IdentifiedBy::FileName, name, version.or(manifest.version.as_deref()))
        }
    };
    let mut package = Package::new(Ecosystem::Maven, name, version, None, seen.evidence(seen.path.clone()));
    package.identified_by = by;
    package
}

fn describe(package: &mut Package, pom: Option<&Pom>, manifest: &JarManifest) {
    let of_bundle = || manifest.license.as_deref().and_then(maven_license::of_bundle);
    package.license = pom.and_then(maven_license::of_project).or_else(of_bundle);
    let declared = pom.and_then(|pom| pom.supplier.as_deref()).or(manifest.vendor.as_deref());
    package.supplier = declared.and_then(Party::parse).or(package.supplier.take());
    package.homepage = pom.and_then(|pom| web_address(pom.url.as_deref()?));
    let first_line =
        |text: &str| text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned);
    let title = pom.and_then(|pom| pom.description.as_deref().or(pom.title.as_deref()));
    package.description = title.and_then(first_line);
}

/// Which of the descriptors in an archive is the archive's own: the one that its file's name or its manifest agrees with. The others
/// came with classes that were merged into it.
fn own_project<'a>(stem: &str, archive: &'a JavaArchive) -> Option<&'a str> {
    let is_alone = archive.projects.len() == 1;
    let scored = archive.projects.iter().filter_map(|(directory, project)| {
        let coordinates = coordinates(project)?;
        let score = agreement(stem, &archive.manifest, &coordinates, is_alone);
        (score > 0).then_some(((score, coordinates.artifact.len()), directory.as_str()))
    });
    scored.max_by_key(|(score, _)| *score).map(|(_, directory)| directory)
}

fn agreement(stem: &str, manifest: &JarManifest, coordinates: &Coordinates, is_alone: bool) -> u8 {
    let Coordinates { group, artifact, version } = coordinates;
    let version = version.as_deref().unwrap_or_default();
    let has_version = |found: &Option<String>| found.as_deref() == Some(version);
    let rest = stem.strip_prefix(artifact.as_str());
    let bundle = manifest.bundle.as_deref();
    let is_bundle = bundle == Some(artifact) || bundle == Some(&format!("{group}.{artifact}"));
    match rest {
        Some(rest)
            if rest
                .strip_prefix('-')
                .is_some_and(|rest| !version.is_empty() && rest.starts_with(version)) =>
        {
            4
        }
        Some("") => 3,
        Some(rest) if rest.starts_with(['-', '.', '_']) || rest.starts_with(|c: char| c.is_ascii_digit()) => {
            2
        }
        _ if is_bundle || manifest.title.as_deref() == Some(artifact) => 2,
        _ if is_alone && (has_version(&manifest.version) || has_version(&manifest.bundle_version)) => 1,
        _ => 0,
    }
}

/// A file's name without directories and ending.
fn file_stem(path: &str) -> &str {
    let name = path::split(path).1;
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// `name-1.2.3` as name and version: the version starts at the first part that starts with a digit.
fn name_and_version(stem: &str) -> (&str, Option<&str>) {
    let is_start = |&(index, _): &(usize, &str)| {
        index > 0 && stem.as_bytes().get(index + 1).is_some_and(u8::is_ascii_digit)
    };
    match stem.match_indices('-').find(is_start) {
        Some((index, _)) => (stem.get(..index).unwrap_or(stem), stem.get(index + 1..)),
        None => (stem, None),
    }
}

/// An artifact needs others by group and name. It gets them from inside itself, from beside it, from around that, and else from wherever
/// there is just one.
fn connect(members: &[Member], found: &mut Findings) {
    let mut by_name: BTreeMap<&str, Vec<&Member>> = BTreeMap::new();
    for member in members {
        for name in &member.names {
            by_name.entry(name).or_default().push(member);
        }
    }
    for member in members {
        for need in &member.needs {
            let candidates = by_name.get(need.as_str()).map(Vec::as_slice).unwrap_or_default();
            if let Some(id) = choose(member, candidates) {
                found.depends(&member.id, id);
            }
        }
    }
}

fn choose<'a>(member: &Member, candidates: &[&'a Member]) -> Option<&'a PackageId> {
    let in_place =
        |place: &str| candidates.iter().find(|candidate| candidate.place == place).map(|found| &found.id);
    if let Some(id) = in_place(&member.path) {
        return Some(id);
    }
    let mut place = member.place.as_str();
    loop {
        if let Some(id) = in_place(place) {
            return Some(id);
        }
        match place.rsplit_once("!/") {
            Some((outer, _)) => place = outer,
            None => break,
        }
    }
    let mut ids = candidates.iter().map(|candidate| &candidate.id);
    let first = ids.next()?;
    ids.all(|id| id == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::testing::{catalog, catalog_with_links};
    use crate::zip::testing::{DEFLATED, STREAMED, zip};

    fn properties(coordinates: &str) -> (String, Vec<u8>) {
        let parts: Vec<&str> = coordinates.split(':').collect();
        let path = format!("META-INF/maven/{}/{}/pom.properties", parts[0], parts[1]);
        (path, format!("groupId={}\nartifactId={}\nversion={}\n", parts[0], parts[1], parts[2]).into_bytes())
    }

    fn pom(coordinates: &str, needs: &[&str]) -> (String, Vec<u8>) {
        let element = |coordinates: &str| {
            let parts: Vec<&str> = coordinates.split(':').collect();
            format!("<groupId>{}</groupId><artifactId>{}</artifactId>", parts[0], parts[1])
        };
        let needs: String =
            needs.iter().map(|need| format!("<dependency>{}</dependency>", element(need))).collect();
        let version = coordinates.rsplit(':').next().unwrap();
        let text = format!(
            "<project>{}<version>{version}</version><dependencies>{needs}</dependencies></project>",
            element(coordinates)
        );
        (properties(coordinates).0.replace("pom.properties", "pom.xml"), text.into_bytes())
    }

    fn jar(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
        let entries: Vec<(&str, &[u8])> =
            entries.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        zip(&entries, STREAMED)
    }

    #[test]
    fn the_descriptor_that_is_named_like_the_file_is_the_archives_own() {
        let bytes = jar(&[properties("g:app:1.0"), properties("h:app-core:2.0"), properties("h:part:3")]);
        let found = catalog(&[("opt/app-1.0.jar", &bytes)]);
        assert_eq!(found.named("g:app").evidence[0].path, "opt/app-1.0.jar");
        assert_eq!(found.named("g:app").purl.as_deref(), Some("pkg:maven/g/app@1.0"));
        assert!(found.has_edge("g:app", "h:app-core") && found.has_edge("g:app", "h:part"));
        assert_eq!(found.named("h:part").evidence[0].path, "opt/app-1.0.jar!/META-INF/maven/h/part");
        let found = catalog(&[("opt/app-core.jar", &bytes)]);
        assert!(found.has_edge("h:app-core", "g:app"));
    }

    #[test]
    fn a_renamed_jar_is_known_by_its_manifest_or_not_at_all() {
        let manifest = |text: &str| ("META-INF/MANIFEST.MF".to_owned(), text.as_bytes().to_vec());
        let own = jar(&[manifest("Implementation-Version: 1.0\n"), properties("g:shop:1.0")]);
        let found = catalog(&[("app.jar", &own)]);
        assert_eq!((found.packages.len(), found.named("g:shop").evidence[0].path.as_str()), (1, "app.jar"));
        let merged = jar(&[manifest("Implementation-Version: 7\n"), properties("g:part:1.0")]);
        let found = catalog(&[("app.jar", &merged)]);
        assert!(found.has_edge("app", "g:part"));
        assert_eq!(
            (found.named("app").purl.as_deref(), found.named("app").version.as_deref()),
            (None, Some("7"))
        );
    }

    #[test]
    fn a_name_without_a_group_is_no_purl() {
        let manifest = "Bundle-SymbolicName: org.a.b\nBundle-Version: 1.2\nImplementation-Vendor-Id: org.a\n";
        let bundle = jar(&[("META-INF/MANIFEST.MF".into(), manifest.into())]);
        let found = catalog(&[("b-1.2.jar", &bundle), ("c-2.0-rc1.jar", &jar(&[]))]);
        let (bundle, file) = (found.named("org.a.b"), found.named("c"));
        assert_eq!((bundle.purl.as_deref(), bundle.identified_by), (None, IdentifiedBy::Manifest));
        assert_eq!((file.purl.as_deref(), file.identified_by), (None, IdentifiedBy::FileName));
        assert_eq!(file.version.as_deref(), Some("2.0-rc1"));
    }

    #[test]
    fn a_place_in_debians_repository_says_the_coordinates() {
        let (_, pom_a) = pom("g:a:1.0", &["g:b"]);
        let repository = "usr/share/maven-repo/g";
        let (in_a, in_b) =
            (format!("{repository}/a/1.0/a-1.0"), format!("{repository}/b/debian/b-debian.jar"));
        let other_b = format!("{repository}/b/2.1/b-2.1.jar");
        let pom_path = format!("{in_a}.pom");
        let empty = jar(&[]);
        let files: [(&str, &[u8]); 3] =
            [("usr/share/java/a.jar", &empty), ("usr/share/java/b.jar", &empty), (&pom_path, &pom_a)];
        let links = [
            (format!("{in_a}.jar"), "../../../../java/a.jar"),
            (in_b, "/usr/share/java/b.jar"),
            (other_b, "/usr/share/java/b.jar"),
        ];
        let links: Vec<(&str, &str)> = links.iter().map(|(link, target)| (link.as_str(), *target)).collect();
        let found = catalog_with_links(&files, &links);
        assert_eq!(found.named("g:a").purl.as_deref(), Some("pkg:maven/g/a@1.0"));
        assert_eq!(found.named("g:a").evidence[1].path, pom_path);
        assert_eq!(found.named("g:b").purl.as_deref(), Some("pkg:maven/g/b@2.1"), "`debian` is no version");
        assert!(found.has_edge("g:a", "g:b"));
        assert_eq!(found.packages.len(), 2);
    }

    #[test]
    fn dependencies_are_looked_for_from_the_inside_out() {
        let lib = |version: &str| jar(&[properties(&format!("g:lib:{version}"))]);
        let user = jar(&[properties("g:user:1"), pom("g:user:1", &["g:lib", "g:far", "g:twice"])]);
        let war = zip(&[("WEB-INF/lib/lib-1.jar", &lib("1")), ("WEB-INF/lib/user-1.jar", &user)], DEFLATED);
        let files: [(&str, Vec<u8>); 5] = [
            ("a/app.war", war),
            ("a/lib-2.jar", lib("2")),
            ("b/far-1.jar", jar(&[properties("g:far:1")])),
            ("b/twice-1.jar", jar(&[properties("g:twice:1")])),
            ("b/twice-2.jar", jar(&[properties("g:twice:2")])),
        ];
        let files = files.each_ref().map(|(path, bytes)| (*path, bytes.as_slice()));
        let found = catalog(&files);
        let needs: Vec<&str> = found
            .edges
            .iter()
            .filter(|(from, _, _)| *from == found.named("g:user").id)
            .map(|(_, _, to)| {
                found.packages.iter().find(|package| package.id == *to).unwrap().purl.as_deref().unwrap()
            })
            .collect();
        assert_eq!(needs, ["pkg:maven/g/far@1", "pkg:maven/g/lib@1"], "two of one name elsewhere are none");
        assert!(found.has_edge("app", "g:user"));
        assert_eq!(found.named("g:user").evidence[0].path, "a/app.war!/WEB-INF/lib/user-1.jar");
    }

    #[test]
    fn an_unpacked_archive_is_known_by_its_descriptor() {
        let (path, bytes) = properties("g:a:1.0");
        let found = catalog(&[(&format!("srv/app/{path}"), &bytes)]);
        assert_eq!(found.named("g:a").purl.as_deref(), Some("pkg:maven/g/a@1.0"));
        let found = catalog(&[(&format!("srv/app/{}", path.replace("/a/", "/$/")), b"artifactId=$")]);
        assert_eq!(found.gaps[0].reason, GapReason::Malformed { format: "pom.properties" });
    }

    #[test]
    fn a_descriptor_without_version_is_a_gap() {
        let found = catalog(&[("a.jar", &jar(&[properties("g:a:${project.version}")]))]);
        assert_eq!(found.named("g:a").purl, None);
        assert_eq!(
            found.gaps[0].reason,
            GapReason::Incomplete { format: "pom.properties", member: "version" }
        );
    }

    #[test]
    fn gaps_of_inner_archives_name_their_place() {
        let outer = zip(&[("lib/x.jar", b"PK\x03\x04")], DEFLATED);
        let found = catalog(&[("a.war", &outer)]);
        assert_eq!(found.gaps[0].path.as_deref(), Some("a.war!/lib/x.jar"));
    }

    #[test]
    fn a_file_name_is_split_where_the_version_starts() {
        assert_eq!(name_and_version("a-b-1.2-x"), ("a-b", Some("1.2-x")));
        assert_eq!(name_and_version("a-b"), ("a-b", None));
        assert_eq!(name_and_version("-1"), ("-1", None));
    }
}
