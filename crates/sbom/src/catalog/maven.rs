//! Java archives and the coordinates that they have in Maven's repositories.
//!
//! A purl needs group, artifact and version, and only two things say all three: the descriptor that Maven puts into an archive
//! (`META-INF/maven/GROUP/ARTIFACT`), and an archive's place in a repository (`GROUP/ARTIFACT/VERSION`,
//! [Maven repository layout](https://maven.apache.org/repository/layout.html)), such as the one that Debian's packages keep with links to
//! their jars. A bundle's symbolic name and a file's name say what an archive is called but not its group, so an archive that is
//! known by those alone has no purl.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::maven_repository::{Place, Repositories};
use crate::catalog::{Cataloger, Files, Findings, maven_license, web_address};
use crate::java::{Coordinates, JarManifest, JavaArchive, MavenProject, Pom};
use crate::purl::Purl;
use crate::rootfs::RootFile;
use crate::{Ecosystem, Evidence, GapReason, IdentifiedBy, Package, PackageId, Party, path};

pub(super) struct Maven;

impl Cataloger for Maven {
    fn wants(&self, path: &str) -> bool {
        Repositories::wants(path)
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

fn package(coordinates: &Coordinates, evidence: Evidence) -> Package {
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
        (score > 0).then(|| ((score, coordinates.artifact.len()), directory.as_str()))
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
