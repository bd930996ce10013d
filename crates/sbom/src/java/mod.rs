//! Java archives, reduced to the few facts that say what they are: the metadata that Maven leaves, the manifest, and the same of every
//! archive inside. So a jar of any size takes no more memory than its facts.
//!
//! Performs no I/O but reading the stream, and decides nothing: which fact names the archive is the cataloger's business.

mod manifest;
mod pom;
mod properties;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, Read};

use crate::zip::{Budget, Entry, Input, Watched, Zip};
use crate::{GapReason, Limits};
pub(crate) use manifest::JarManifest;
pub(crate) use pom::{Coordinates, Pom};
pub(crate) use properties::coordinates;

/// What is kept of one archive.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct JavaArchive {
    /// Its manifest's main section.
    pub(crate) manifest: JarManifest,
    /// What Maven left of the archive itself and of those that were merged into it, by the directory that it is in.
    pub(crate) projects: BTreeMap<String, MavenProject>,
    /// The archives inside, with their paths.
    pub(crate) nested: Vec<(String, JavaArchive)>,
    /// Whether something in it is Java's: some of the endings belong to other formats too.
    pub(crate) is_java: bool,
    /// What could not be read, with its path in the archive, which is empty for the archive itself.
    pub(crate) gaps: Vec<(String, GapReason)>,
    /// Bytes that all of this takes, with the archives inside; known of the outermost only.
    pub(crate) bytes: u64,
}

/// What Maven writes into an archive (`META-INF/maven/GROUP/ARTIFACT`,
/// [Maven Archiver 3.6, `addMavenDescriptor`](https://maven.apache.org/shared/maven-archiver/)).
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct MavenProject {
    /// From `pom.properties`, which Maven fills in.
    pub(crate) properties: Option<Coordinates>,
    /// From `pom.xml`, which stands there as its author wrote it.
    pub(crate) pom: Option<Pom>,
}

/// Whether a file with this name is looked into.
pub(crate) fn is_archive(path: &str) -> bool {
    extension(path).is_some_and(|ending| ENDINGS.iter().any(|(known, _)| known.eq_ignore_ascii_case(ending)))
}

/// Whether an ending is Java's alone, so that a file that is something else is broken.
fn is_certain(path: &str) -> bool {
    let is_certain = |ending: &str| {
        ENDINGS.iter().any(|(known, is_certain)| *is_certain && known.eq_ignore_ascii_case(ending))
    };
    extension(path).is_some_and(is_certain)
}

fn extension(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map(|(_, ending)| ending)
}

/// Endings of Java's archives, and whether nothing else has them. `rar` is a resource adapter (Jakarta Connectors 2.1, §20) or
/// quite another archive, `par` may be Perl's, `nar` Nix's.
const ENDINGS: [(&str, bool); 10] = [
    ("jar", true),
    ("war", true),
    ("ear", true),
    ("hpi", true),
    ("jpi", true),
    ("sar", false),
    ("par", false),
    ("nar", false),
    ("kar", false),
    ("rar", false),
];

/// Reads an archive to its end and returns its facts with the bytes that they take; none when it is something else that has such a name.
///
/// # Errors
/// The stream's own. What is wrong with the archive is a gap in it.
pub(crate) fn reduce(
    content: impl Read,
    path: &str,
    size: u64,
    max_kept_bytes: u64,
    limits: &Limits,
) -> io::Result<Option<JavaArchive>> {
    let mut source = Watched::new(content);
    let reducer = Reducer {
        budget: Budget::new(size, limits),
        kept: Cell::new(0),
        max_kept_bytes,
        is_full: Cell::new(false),
    };
    let archive = reducer.archive(&mut source, path, 1);
    source.finish()?;
    Ok(archive.map(|mut archive| {
        if reducer.is_full.get() {
            archive.gaps.push((String::new(), GapReason::KeptTooMuch { limit: limits.max_kept_bytes }));
        }
        archive.bytes = reducer.kept.get();
        archive
    }))
}

struct Reducer {
    budget: Budget,
    kept: Cell<u64>,
    max_kept_bytes: u64,
    /// Whether something was left out because of that.
    is_full: Cell<bool>,
}

impl Reducer {
    /// `path` has the paths of the archives around this one before its own.
    fn archive(&self, content: &mut dyn Read, path: &str, depth: usize) -> Option<JavaArchive> {
        let mut archive = JavaArchive::default();
        let mut input = Input::new(content);
        let is_zip = input.peek(2).is_ok_and(|head| head.starts_with(b"PK"));
        if !is_zip && !is_certain(path) {
            return None;
        }
        if let Err(reason) = self.entries(&mut input, &mut archive, path, depth) {
            self.gap("", reason, &mut archive);
        }
        let is_java = is_certain(path) || archive.is_java || !archive.projects.is_empty();
        is_java.then_some(archive)
    }

    fn entries(
        &self,
        input: &mut Input<'_>,
        archive: &mut JavaArchive,
        path: &str,
        depth: usize,
    ) -> Result<(), GapReason> {
        let mut zip = Zip::open(input, &self.budget)?;
        while let Some(entry) = zip.next_entry()? {
            match Part::of(&entry.name) {
                Part::Nested => self.nested(&mut zip, &entry, archive, path, depth)?,
                Part::Other => zip.skip(&entry)?,
                Part::Class => {
                    archive.is_java = true;
                    zip.skip(&entry)?;
                }
                part => {
                    let limit = self.budget.limits().max_manifest_bytes;
                    match zip.read(&entry, limit)? {
                        Ok(bytes) => self.metadata(part, &entry.name, &bytes, archive),
                        Err(reason) => self.gap(&entry.name, reason, archive),
                    }
                }
            }
        }
        Ok(())
    }

    fn nested(
        &self,
        zip: &mut Zip<'_, '_>,
        entry: &Entry,
        archive: &mut JavaArchive,
        path: &str,
        depth: usize,
    ) -> Result<(), GapReason> {
        let (limits, name) = (self.budget.limits(), &entry.name);
        let path = format!("{path}!/{name}");
        let too_far = if depth >= limits.max_archive_depth {
            Some(GapReason::ArchiveTooDeep { limit: limits.max_archive_depth })
        } else if path.len() > limits.max_path_bytes {
            Some(GapReason::PathTooLong { bytes: path.len(), limit: limits.max_path_bytes })
        } else {
            None
        };
        if let Some(reason) = too_far {
            self.gap(name, reason, archive);
            return zip.skip(entry);
        }
        match zip.open_content(entry, |content| self.archive(content, &path, depth + 1))? {
            Ok((Some(nested), _)) if self.keep(path.len()) => archive.nested.push((name.clone(), nested)),
            Ok(_) => {}
            Err(reason) => self.gap(name, reason, archive),
        }
        Ok(())
    }

    fn metadata(&self, part: Part<'_>, name: &str, bytes: &[u8], archive: &mut JavaArchive) {
        archive.is_java = true;
        let text = crate::catalog::text(bytes);
        match part {
            Part::Manifest => {
                let manifest = JarManifest::parse(&text);
                if self.keep(manifest.bytes()) {
                    archive.manifest = manifest;
                }
            }
            Part::Properties(directory) => match coordinates(&text, directory) {
                Some(coordinates) if self.keep(coordinates.bytes() + directory.len()) => {
                    archive.project(directory).properties = Some(coordinates);
                }
                Some(_) => {}
                None => self.gap(name, GapReason::Malformed { format: "pom.properties" }, archive),
            },
            Part::Pom(directory) => match Pom::parse(&text) {
                Some(pom) if self.keep(pom.bytes() + directory.len()) => {
                    archive.project(directory).pom = Some(pom);
                }
                Some(_) => {}
                None => self.gap(name, GapReason::Malformed { format: "pom.xml" }, archive),
            },
            Part::Nested | Part::Class | Part::Other => {}
        }
    }

    /// Counts what is kept. What is too much is said once, of the outermost archive.
    fn keep(&self, bytes: usize) -> bool {
        let kept = self.kept.get() + (bytes + OVERHEAD_BYTES) as u64;
        if kept > self.max_kept_bytes {
            self.is_full.set(true);
            return false;
        }
        self.kept.set(kept);
        true
    }

    /// Gaps are kept too, and a small archive can have many.
    fn gap(&self, name: &str, reason: GapReason, archive: &mut JavaArchive) {
        let shown: String = name.chars().take(SHOWN_CHARS).collect();
        if self.keep(shown.len()) {
            archive.gaps.push((shown, reason));
        }
    }
}

impl JavaArchive {
    fn project(&mut self, directory: &str) -> &mut MavenProject {
        self.projects.entry(directory.to_owned()).or_default()
    }
}

/// What an entry of an archive is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part<'a> {
    Manifest,
    /// `pom.properties`, with its directory.
    Properties(&'a str),
    /// `pom.xml`, with its directory.
    Pom(&'a str),
    Nested,
    Class,
    Other,
}

impl<'a> Part<'a> {
    fn of(name: &'a str) -> Self {
        if name == "META-INF/MANIFEST.MF" {
            return Self::Manifest;
        }
        if is_archive(name) {
            return Self::Nested;
        }
        if name.ends_with(".class") {
            return Self::Class;
        }
        let (directory, file) = name.rsplit_once('/').unwrap_or(("", name));
        match file {
            "pom.properties" if is_maven_directory(directory) => Self::Properties(directory),
            "pom.xml" if is_maven_directory(directory) => Self::Pom(directory),
            _ => Self::Other,
        }
    }
}

/// `META-INF/maven/GROUP/ARTIFACT`, at the top or where fat archives keep their own classes
/// ([Spring Boot 3.4, "Nested JARs"](https://docs.spring.io/spring-boot/specification/executable-jar/nested-jars.html); Jakarta Servlet 6.0, §10.5).
fn is_maven_directory(directory: &str) -> bool {
    let directory = ["BOOT-INF/classes/", "WEB-INF/classes/"]
        .iter()
        .find_map(|classes| directory.strip_prefix(classes))
        .unwrap_or(directory);
    let below = directory.strip_prefix("META-INF/maven/");
    below.is_some_and(|below| below.split('/').filter(|part| !part.is_empty()).count() == 2)
}

/// The directory of a `pom.properties` that stands where an archive was unpacked.
pub(crate) fn descriptor_directory(path: &str) -> Option<&str> {
    let directory = path.strip_suffix("/pom.properties")?;
    let start = directory.rfind("META-INF/maven/")?;
    directory.get(start..).filter(|directory| is_maven_directory(directory))
}

/// What a kept record takes beside its text.
const OVERHEAD_BYTES: usize = 512;
/// Characters of an entry's name that a gap shows.
const SHOWN_CHARS: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zip::testing::{DEFLATED, STORED, STREAMED, zip};

    const PROPERTIES: &[u8] = b"groupId=g\nartifactId=a\nversion=1\n";

    fn reduced(bytes: &[u8], path: &str) -> Option<JavaArchive> {
        let limits = Limits::default();
        reduce(bytes, path, bytes.len() as u64, limits.max_kept_bytes, &limits).unwrap()
    }

    fn nested(levels: usize) -> Vec<u8> {
        let innermost = zip(&[("META-INF/maven/g/a/pom.properties", PROPERTIES)], DEFLATED);
        (1..levels).fold(innermost, |inner, level| {
            zip(&[("inner.jar", &inner), ("X.class", b"")], [DEFLATED, STREAMED, STORED][level % 3])
        })
    }

    #[test]
    fn archives_are_found_fifty_deep_and_no_deeper() {
        let of = |levels| {
            let outermost = reduced(&nested(levels), "a.jar").unwrap();
            let (mut depth, mut archive) = (1, &outermost);
            while let Some((_, inner)) = archive.nested.first() {
                (depth, archive) = (depth + 1, inner);
            }
            (depth, archive.projects.len(), archive.gaps.clone())
        };
        assert_eq!(of(50), (50, 1, vec![]));
        assert_eq!(of(51), (50, 0, vec![("inner.jar".into(), GapReason::ArchiveTooDeep { limit: 50 })]));
    }

    #[test]
    fn a_broken_archive_inside_is_a_gap_and_the_rest_is_read() {
        let entries: [(&str, &[u8]); 2] =
            [("lib/broken.jar", b"PK\x03\x04"), ("META-INF/maven/g/a/pom.properties", PROPERTIES)];
        let found = reduced(&zip(&entries, STREAMED), "a.war").unwrap();
        assert_eq!(found.nested[0].1.gaps, [(String::new(), GapReason::Malformed { format: "zip" })]);
        assert_eq!(found.projects.len(), 1);
    }

    #[test]
    fn metadata_that_makes_no_sense_is_a_gap() {
        let entries: [(&str, &[u8]); 2] =
            [("META-INF/maven/g/$/pom.properties", b"x"), ("META-INF/maven/g/a/pom.xml", b"<a")];
        let gaps = reduced(&zip(&entries, DEFLATED), "a.jar").unwrap().gaps;
        assert_eq!(gaps[0].1, GapReason::Malformed { format: "pom.properties" });
        assert_eq!(gaps[1].1, GapReason::Malformed { format: "pom.xml" });
    }

    #[test]
    fn only_javas_own_endings_promise_an_archive() {
        assert_eq!(reduced(b"Rar!", "a.rar"), None);
        assert_eq!(reduced(&zip(&[("META.yml", b"")], DEFLATED), "a.par"), None);
        assert!(reduced(&zip(&[("ra/X.class", b"")], DEFLATED), "a.rar").is_some());
        assert_eq!(reduced(b"", "a.jar").unwrap().gaps.len(), 1);
        assert!(is_archive("x/A.JAR") && !is_archive("x/.jar") && !is_archive("jar"));
    }

    #[test]
    fn no_more_is_kept_than_may_be() {
        let bytes = zip(&[("META-INF/maven/g/a/pom.properties", PROPERTIES)], DEFLATED);
        let limits = Limits::default();
        let found = reduce(bytes.as_slice(), "a.jar", 0, 100, &limits).unwrap().unwrap();
        assert_eq!((found.bytes, found.projects.len()), (0, 0));
        assert_eq!(found.gaps, [(String::new(), GapReason::KeptTooMuch { limit: limits.max_kept_bytes })]);
        let broken: [(&str, &[u8]); 2] = [("a.jar", b""), ("b.jar", b"")];
        let bytes = zip(&broken, DEFLATED);
        let found = reduce(bytes.as_slice(), "a.jar", 0, 1200, &limits).unwrap().unwrap();
        assert!(found.bytes <= 1200 && found.nested.len() == 1, "gaps count too");
        assert_eq!(found.gaps.len(), 1);
    }

    #[test]
    fn paths_do_not_grow_with_depth_beyond_the_limit() {
        let name = format!("{}.jar", "x".repeat(3000));
        let inner = zip(&[(name.as_str(), b"".as_slice())], DEFLATED);
        let bytes = zip(&[(name.as_str(), inner.as_slice())], DEFLATED);
        let found = reduced(&bytes, "a.jar").unwrap();
        let (shown, reason) = &found.nested[0].1.gaps[0];
        assert_eq!(shown.len(), SHOWN_CHARS);
        assert!(matches!(reason, GapReason::PathTooLong { limit: 4096, .. }));
    }

    #[test]
    fn the_streams_own_failure_is_not_the_archives() {
        struct Failing;
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::ConnectionReset.into())
            }
        }
        let limits = Limits::default();
        let error = reduce(Failing, "a.jar", 10, 100, &limits).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    #[test]
    fn descriptors_count_where_classes_are() {
        assert_eq!(Part::of("META-INF/maven/g/a/pom.xml"), Part::Pom("META-INF/maven/g/a"));
        let classes = "BOOT-INF/classes/META-INF/maven/g/a";
        assert_eq!(Part::of(&format!("{classes}/pom.properties")), Part::Properties(classes));
        assert_eq!(Part::of("x/META-INF/maven/g/a/pom.properties"), Part::Other);
        assert_eq!(Part::of("META-INF/maven/a/pom.properties"), Part::Other);
        assert_eq!(Part::of("META-INF/versions/9/X.class"), Part::Class);
    }
}
