//! Maven repositories in an image: an archive's place in one says its coordinates
//! ([Maven repository layout](https://maven.apache.org/repository/layout.html): `GROUP/ARTIFACT/VERSION/ARTIFACT-VERSION.jar`).
//!
//! Debian's Java packages keep one of links to their jars, with the POMs
//! ([Debian policy for Java, §2.5](https://www.debian.org/doc/packaging-manuals/java-policy/)); Maven keeps one of what it fetched,
//! and Gradle a cache in a layout of its own (`GROUP/ARTIFACT/VERSION/SHA1/FILE`).

use std::collections::BTreeMap;

use crate::catalog::{Files, Findings, text};
use crate::java::{self, Coordinates, Pom};
use crate::{Evidence, GapReason, path};

/// What repositories say, by the path of the archive.
#[derive(Default)]
pub(super) struct Repositories {
    places: BTreeMap<String, Vec<Place>>,
}

/// An archive's place in a repository.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) coordinates: Coordinates,
    /// The POM beside it, and where that is.
    pub(super) pom: Option<(Pom, Evidence)>,
}

impl Repositories {
    /// The POMs of Debian's repository. Archives in the others have theirs inside.
    pub(super) fn wants(path: &str) -> bool {
        path.starts_with(DEBIAN) && path.ends_with(".pom")
    }

    pub(super) fn read(files: &Files<'_>, found: &mut Findings) -> Self {
        let mut poms = BTreeMap::new();
        for (path, file, bytes) in files.wanted().filter(|(path, _, _)| Self::wants(path)) {
            match Pom::parse(&text(bytes)) {
                Some(pom) => {
                    poms.insert(path, (pom, file.evidence(path)));
                }
                None => found.gap(path, GapReason::Malformed { format: "pom.xml" }),
            }
        }
        let mut all = Self::default();
        let mut add = |at: &str, real: &str| {
            let Some(coordinates) = coordinates_at(at) else { return };
            let beside = at.rsplit_once('.').and_then(|(stem, _)| files.at(&format!("{stem}.pom")));
            let pom = beside.and_then(|(real, _, _)| poms.get(real.as_str()).cloned());
            all.places.entry(real.to_owned()).or_default().push(Place { coordinates, pom });
        };
        for (path, _, _) in files.archives() {
            add(path, path);
        }
        for (link, target) in files.symlinks().filter(|(link, _)| java::is_archive(link)) {
            add(link, &target);
        }
        all.order();
        all
    }

    /// What is known of an archive, the likeliest first: what is named like its file.
    pub(super) fn places(&self, path: &str) -> &[Place] {
        self.places.get(path).map(Vec::as_slice).unwrap_or_default()
    }

    fn order(&mut self) {
        for (path, places) in &mut self.places {
            let name = path::split(path).1;
            places.sort_by_cached_key(|place| {
                let is_named_so = name.strip_prefix(place.coordinates.artifact.as_str());
                let is_named_so = is_named_so.is_some_and(|rest| rest.starts_with(['-', '.']));
                (place.coordinates.version.is_none(), !is_named_so, place.coordinates.clone())
            });
        }
    }
}

/// The coordinates that a place in a repository says.
fn coordinates_at(path: &str) -> Option<Coordinates> {
    if let Some((_, below)) = path.split_once("modules-2/files-2.1/") {
        let parts: Vec<&str> = below.split('/').collect();
        let [group, artifact, version, _sha1, file] = parts.as_slice() else { return None };
        return named(group, artifact, version, file);
    }
    let below =
        path.strip_prefix(DEBIAN).or_else(|| path.split_once(".m2/repository/").map(|(_, below)| below))?;
    let (directory, file) = path::split(below);
    let (directory, version) = directory.rsplit_once('/')?;
    let (group, artifact) = directory.rsplit_once('/')?;
    named(&group.replace('/', "."), artifact, version, file)
}

/// The file must be named so too. Debian has each artifact a second time in a version that is called `debian`, which is none.
fn named(group: &str, artifact: &str, version: &str, file: &str) -> Option<Coordinates> {
    file.strip_prefix(artifact)?.strip_prefix('-')?.strip_prefix(version)?;
    Coordinates::new(group, artifact, Some(version).filter(|version| *version != "debian"))
}

const DEBIAN: &str = "usr/share/maven-repo/";

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &str) -> Option<String> {
        coordinates_at(path).map(|found| format!("{}@{}", found.name(), found.version.unwrap_or_default()))
    }

    #[test]
    fn a_place_in_a_repository_says_the_coordinates() {
        let debian = "usr/share/maven-repo/org/a/b/1.0/b-1.0.jar";
        assert_eq!(at(debian).as_deref(), Some("org.a:b@1.0"));
        assert_eq!(at("usr/share/maven-repo/org/a/b/debian/b-debian.jar").as_deref(), Some("org.a:b@"));
        assert_eq!(at("root/.m2/repository/org/a/b/1.0/b-1.0-linux.jar").as_deref(), Some("org.a:b@1.0"));
        let gradle = "root/.gradle/caches/modules-2/files-2.1/org.a/b/1.0/0123/b-1.0.jar";
        assert_eq!(at(gradle).as_deref(), Some("org.a:b@1.0"));
    }

    #[test]
    fn other_places_say_nothing() {
        assert_eq!(at("opt/lib/org/a/b/1.0/b-1.0.jar"), None);
        assert_eq!(at("usr/share/maven-repo/org/a/b/1.0/c-1.0.jar"), None);
        assert_eq!(at("usr/share/maven-repo/b-1.0.jar"), None);
    }
}
