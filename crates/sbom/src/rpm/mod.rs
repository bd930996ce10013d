//! What rpm has installed: its database in each of the three formats it had, reduced to what an inventory needs.
//!
//! A database is mostly changelogs, scripts and indexes, and grows to a hundred mebibytes. So it is read whole when its file comes by,
//! and only this is kept. Performs no I/O.

mod berkeley;
mod header;
mod ndb;

use crate::sqlite::{Reading, Sqlite};
use crate::{GapReason, Limits};
use header::Header;

/// Where rpm's database may be: as rpm has it since ever, since Fedora 36 and in openSUSE, and in images of rpm-ostree.
pub(crate) const DIRECTORIES: [&str; 3] = ["var/lib/rpm/", "usr/lib/sysimage/rpm/", "usr/share/rpm/"];

/// The file that has it, by its format. Where there are several, rpm uses the first.
pub(crate) const FILES: [&str; 3] = ["rpmdb.sqlite", "Packages.db", "Packages"];

/// Whether a database may be at this path.
pub(crate) fn is_database(path: &str) -> bool {
    let mut places = DIRECTORIES.iter().filter_map(|directory| path.strip_prefix(directory));
    places.any(|name| FILES.contains(&name))
}

/// A database's packages, in its order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Database {
    pub(crate) packages: Vec<Installed>,
    /// What could not be read of it.
    pub(crate) gaps: Vec<GapReason>,
    bytes: u64,
    max_packages: usize,
    max_bytes: u64,
}

/// A package's header, as far as an inventory needs it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Installed {
    pub(crate) name: String,
    pub(crate) epoch: Option<u32>,
    pub(crate) version: String,
    pub(crate) release: String,
    pub(crate) architecture: Option<String>,
    pub(crate) vendor: Option<String>,
    pub(crate) packager: Option<String>,
    pub(crate) license: Option<String>,
    pub(crate) summary: Option<String>,
    pub(crate) homepage: Option<String>,
    pub(crate) source: Option<String>,
    /// Module, stream, version and context, with colons between them.
    pub(crate) module: Option<String>,
    /// What it needs: names, and paths of files.
    pub(crate) requires: Vec<String>,
    pub(crate) provides: Vec<String>,
    /// Its files, from the root.
    pub(crate) files: Vec<String>,
}

impl Database {
    /// Reads a database in the format that its first bytes tell. An empty file is an empty database.
    pub(crate) fn read(bytes: &[u8], limits: &Limits) -> Self {
        let mut database = Self {
            max_packages: limits.max_packages_per_file,
            max_bytes: limits.max_kept_bytes,
            ..Self::default()
        };
        if bytes.starts_with(Sqlite::MAGIC) {
            database.read_sqlite(bytes);
        } else if bytes.starts_with(ndb::MAGIC) {
            ndb::read(bytes, &mut database);
        } else if berkeley::is_table(bytes) {
            berkeley::read(bytes, &mut database);
        } else if !bytes.is_empty() {
            database.malformed();
        }
        database
    }

    /// Bytes that it takes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// rpm 4.18, `lib/backend/sqlite.c`: the headers are in the column `blob` of the table `Packages`.
    fn read_sqlite(&mut self, bytes: &[u8]) {
        let Some(sqlite) = Sqlite::open(bytes) else {
            return self.malformed();
        };
        let reading = sqlite.for_each_row("Packages", |_, values| match values {
            [_, crate::sqlite::Value::Blob(header), ..] => self.add(header),
            _ => self.malformed(),
        });
        if reading != Some(Reading::Whole) || !sqlite.is_whole() {
            self.malformed();
        }
    }

    /// Adds the package of a header.
    fn add(&mut self, header: &[u8]) {
        if self.packages.len() >= self.max_packages {
            return self.gap(GapReason::TooManyPackages { limit: self.max_packages });
        }
        let Some(header) = Header::parse(header) else {
            return self.malformed();
        };
        let room = self.max_bytes.saturating_sub(self.bytes);
        match Installed::from_header(&header, room) {
            Ok(package) if package.is_key() => {}
            Ok(package) if package.bytes() <= room => {
                self.bytes += package.bytes();
                self.packages.push(package);
            }
            Ok(_) => self.gap(GapReason::KeptTooMuch { limit: self.max_bytes }),
            Err(member) => self.gap(GapReason::Incomplete { format: FORMAT, member }),
        }
    }

    fn malformed(&mut self) {
        self.gap(GapReason::Malformed { format: FORMAT });
    }

    fn gap(&mut self, reason: GapReason) {
        if !self.gaps.contains(&reason) {
            self.gaps.push(reason);
        }
    }
}

/// Tags of a header's entries (rpm 4.18, `include/rpm/rpmtag.h`).
mod tag {
    pub(super) const NAME: u32 = 1000;
    pub(super) const VERSION: u32 = 1001;
    pub(super) const RELEASE: u32 = 1002;
    pub(super) const EPOCH: u32 = 1003;
    pub(super) const SUMMARY: u32 = 1004;
    pub(super) const VENDOR: u32 = 1011;
    pub(super) const LICENSE: u32 = 1014;
    pub(super) const PACKAGER: u32 = 1015;
    pub(super) const URL: u32 = 1020;
    pub(super) const ARCHITECTURE: u32 = 1022;
    pub(super) const OLD_FILE_NAMES: u32 = 1027;
    pub(super) const SOURCE_RPM: u32 = 1044;
    pub(super) const PROVIDE_NAMES: u32 = 1047;
    pub(super) const REQUIRE_FLAGS: u32 = 1048;
    pub(super) const REQUIRE_NAMES: u32 = 1049;
    pub(super) const DIRECTORY_INDEXES: u32 = 1116;
    pub(super) const BASE_NAMES: u32 = 1117;
    pub(super) const DIRECTORY_NAMES: u32 = 1118;
    pub(super) const MODULARITY_LABEL: u32 = 5096;
}

impl Installed {
    /// What a header says. Files past `room` bytes are not looked at: the package is too large then.
    ///
    /// # Errors
    /// The tag that a package must have and this has not.
    fn from_header(header: &Header<'_>, room: u64) -> Result<Self, &'static str> {
        let text = |tag| header.text(tag).map(std::borrow::Cow::into_owned);
        Ok(Self {
            name: text(tag::NAME).ok_or("NAME")?,
            epoch: header.number(tag::EPOCH),
            version: text(tag::VERSION).ok_or("VERSION")?,
            release: text(tag::RELEASE).ok_or("RELEASE")?,
            architecture: text(tag::ARCHITECTURE),
            vendor: text(tag::VENDOR),
            packager: text(tag::PACKAGER),
            license: text(tag::LICENSE),
            summary: text(tag::SUMMARY),
            homepage: text(tag::URL),
            source: text(tag::SOURCE_RPM),
            module: text(tag::MODULARITY_LABEL),
            requires: requirements(header),
            provides: header.texts(tag::PROVIDE_NAMES).map(std::borrow::Cow::into_owned).collect(),
            files: files(header, room),
        })
    }

    /// Whether it is no package but a key that packages are signed with: rpm keeps those in the same place.
    fn is_key(&self) -> bool {
        self.name == "gpg-pubkey"
    }

    fn bytes(&self) -> u64 {
        let lists = [&self.requires, &self.provides, &self.files];
        let in_lists: usize = lists.into_iter().flatten().map(|text| text.len() + size_of::<String>()).sum();
        (in_lists + size_of::<Self>()) as u64
    }
}

/// What the package needs of others, not of rpm itself.
fn requirements(header: &Header<'_>) -> Vec<String> {
    // rpm 4.18, `include/rpm/rpmds.h`.
    const OF_RPM: u32 = 1 << 24;
    let flags = header.numbers(tag::REQUIRE_FLAGS).chain(std::iter::repeat(0));
    let names = header.texts(tag::REQUIRE_NAMES).zip(flags);
    let needed = names.filter(|(name, flags)| flags & OF_RPM == 0 && !name.starts_with("rpmlib("));
    needed.map(|(name, _)| name.into_owned()).collect()
}

/// The package's files: a list of directories, and for each file its name and which directory it is in. Packages from before rpm 4
/// have whole paths. All files may be in one directory of a long name, so what they take has nothing to do with the header's size.
fn files(header: &Header<'_>, room: u64) -> Vec<String> {
    let mut taken = 0;
    let mut fits = |path: &String| {
        let fits = taken <= room;
        taken += (path.len() + size_of::<String>()) as u64;
        fits
    };
    let directories: Vec<_> = header.texts(tag::DIRECTORY_NAMES).collect();
    let named = header.texts(tag::BASE_NAMES).zip(header.numbers(tag::DIRECTORY_INDEXES));
    let joined = named.filter_map(|(name, directory)| {
        let directory = directories.get(usize::try_from(directory).ok()?)?;
        Some(format!("{}{name}", directory.trim_start_matches('/')))
    });
    let old = header.texts(tag::OLD_FILE_NAMES).map(|path| path.trim_start_matches('/').to_owned());
    let mut files: Vec<String> =
        joined.chain(old).take_while(|path| fits(path)).filter(|path| !path.is_empty()).collect();
    files.sort();
    files.dedup();
    files
}

pub(crate) const FORMAT: &str = "rpm database";

#[cfg(test)]
mod tests {
    use super::header::tests::header;
    use super::*;
    use crate::catalog::testing::gunzip;

    const SQLITE: &[u8] = include_bytes!("../../../../testdata/sbom/rpm/rpmdb.sqlite.gz");
    const NDB: &[u8] = include_bytes!("../../../../testdata/sbom/rpm/Packages.db.gz");
    const BERKELEY: &[u8] = include_bytes!("../../../../testdata/sbom/rpm/Packages.gz");
    /// What `rpm -qa` says: name, epoch, version and release, architecture, source, licence.
    const TRUTH: &str = include_str!("../../../../testdata/sbom/rpm/truth.tsv");

    fn read(bytes: &[u8]) -> Database {
        Database::read(bytes, &Limits::default())
    }

    fn row(package: &Installed) -> String {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        [
            package.name.clone(),
            package.epoch.map(|epoch| epoch.to_string()).unwrap_or_default(),
            format!("{}-{}", package.version, package.release),
            text(&package.architecture),
            text(&package.source),
            text(&package.license),
        ]
        .join("\t")
    }

    #[test]
    fn each_format_has_the_packages_that_rpm_lists() {
        for compressed in [SQLITE, NDB, BERKELEY] {
            let database = read(&gunzip(compressed));
            let mut rows: Vec<String> = database.packages.iter().map(row).collect();
            rows.sort();
            assert_eq!(rows, TRUTH.lines().collect::<Vec<_>>());
            assert_eq!(database.gaps, []);
        }
    }

    #[test]
    fn files_and_relations_are_whole_in_each_format() {
        for compressed in [SQLITE, NDB, BERKELEY] {
            let database = read(&gunzip(compressed));
            let named = |name: &str| database.packages.iter().find(|package| package.name == name).unwrap();
            let many = named("many-files");
            assert_eq!(many.files.len(), 400);
            assert!(many.files.contains(&"usr/share/many/dir0/file-number-399".to_owned()));
            assert_eq!(named("alpha").requires, ["/usr/bin/gamma", "beta", "libdelta.so.1()(64bit)"]);
            assert_eq!(
                named("delta-libs").provides,
                ["delta-libs", "delta-libs(x86-64)", "libdelta.so.1()(64bit)"]
            );
            assert_eq!(named("part05").module.as_deref(), Some("nodejs:18:20230101:abc"));
        }
    }

    #[test]
    fn a_database_that_was_cut_short_is_malformed_and_read_as_far_as_it_goes() {
        for compressed in [SQLITE, NDB, BERKELEY] {
            let mut bytes = gunzip(compressed);
            bytes.truncate(bytes.len() * 2 / 3);
            let database = read(&bytes);
            assert_eq!(database.gaps, [GapReason::Malformed { format: FORMAT }]);
            assert!(database.packages.len() < 25);
        }
    }

    #[test]
    fn bytes_that_are_no_database_are_malformed() {
        assert_eq!(read(b"not a database").gaps, [GapReason::Malformed { format: FORMAT }]);
        assert_eq!(read(b"RpmP").gaps, [GapReason::Malformed { format: FORMAT }]);
        assert_eq!(read(b"SQLite format 3\0").gaps, [GapReason::Malformed { format: FORMAT }]);
        assert_eq!(read(b"").gaps, []);
    }

    #[test]
    fn a_chain_of_overflow_pages_that_is_a_circle_ends() {
        let mut bytes = gunzip(BERKELEY);
        // Each overflow page's next page is itself.
        for page in 0..bytes.len() / 4096 {
            if bytes[page * 4096 + 25] == 7 {
                let next = (page as u32).to_le_bytes();
                bytes[page * 4096 + 16..page * 4096 + 20].copy_from_slice(&next);
            }
        }
        assert_eq!(read(&bytes).gaps, [GapReason::Malformed { format: FORMAT }]);
    }

    #[test]
    fn no_changed_byte_of_a_database_makes_it_panic() {
        for compressed in [SQLITE, NDB, BERKELEY] {
            let bytes = gunzip(compressed);
            // A prime step, so that all places within a page are met.
            for at in (0..bytes.len()).step_by(5003).chain(0..128) {
                let mut changed = bytes.clone();
                changed[at] ^= 0xff;
                read(&changed);
            }
        }
    }

    #[test]
    fn a_header_without_a_name_or_version_is_incomplete() {
        let mut database = Database { max_packages: 10, max_bytes: 100, ..Database::default() };
        database.add(&header(&[(tag::NAME, 6, 1, b"x\0")]));
        assert_eq!(database.gaps, [GapReason::Incomplete { format: FORMAT, member: "VERSION" }]);
        database.add(b"");
        assert_eq!(database.gaps[1], GapReason::Malformed { format: FORMAT });
    }

    #[test]
    fn more_packages_than_the_limit_are_said() {
        let limits = Limits { max_packages_per_file: 3, ..Limits::default() };
        let database = Database::read(&gunzip(NDB), &limits);
        assert_eq!(database.packages.len(), 3);
        assert_eq!(database.gaps, [GapReason::TooManyPackages { limit: 3 }]);
    }

    #[test]
    fn packages_that_take_more_than_the_limit_are_said() {
        let limits = Limits { max_kept_bytes: 9000, ..Limits::default() };
        let database = Database::read(&gunzip(NDB), &limits);
        assert!(!database.packages.is_empty() && database.bytes() <= 9000);
        assert_eq!(database.gaps, [GapReason::KeptTooMuch { limit: 9000 }]);
    }

    #[test]
    fn files_in_a_directory_of_a_long_name_do_not_multiply() {
        let directory = format!("/{}/\0", "d".repeat(100_000));
        let names = b"a\0".repeat(100_000);
        let bytes = header(&[
            (tag::DIRECTORY_NAMES, 8, 1, directory.as_bytes()),
            (tag::BASE_NAMES, 8, 100_000, &names),
            (tag::DIRECTORY_INDEXES, 4, 100_000, &vec![0; 400_000]),
        ]);
        let header = Header::parse(&bytes).unwrap();
        let room = 1_000_000;
        assert!(files(&header, room).len() <= 11);
    }

    #[test]
    fn slots_that_share_a_blob_do_not_multiply() {
        let mut bytes = gunzip(NDB);
        // All slots of the first page point to the largest package.
        let largest = (32..4096)
            .step_by(16)
            .max_by_key(|at| bytes[at + 12..at + 16].iter().rev().fold(0, |n, b| n << 8 | u32::from(*b)));
        let slot = bytes[largest.unwrap()..largest.unwrap() + 16].to_vec();
        for at in (32..4096).step_by(16) {
            bytes[at..at + 16].copy_from_slice(&slot);
        }
        let database = read(&bytes);
        assert!(database.packages.len() < 5);
        assert_eq!(database.gaps, [GapReason::Malformed { format: FORMAT }]);
    }

    #[test]
    fn packages_of_rpm_3_have_whole_paths() {
        let bytes = header(&[(tag::OLD_FILE_NAMES, 8, 2, b"/etc/b\0/etc/a\0")]);
        assert_eq!(files(&Header::parse(&bytes).unwrap(), 1000), ["etc/a", "etc/b"]);
    }
}
