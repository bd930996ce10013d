//! How much is read from an image before giving up.

/// Limits on layers and on what is kept of them. Anyone can push anything to a public repository, so every read has one.
///
/// What goes over a limit is never silently dropped: it ends the scan with a [`ScanError`](crate::ScanError), or it is a
/// [`Gap`](crate::Gap) in the inventory and in every document made from it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Uncompressed bytes of one layer. 64 GiB: several times the largest images in use (CUDA and ROCm, 10 to 25 GB).
    pub max_layer_bytes: u64,
    /// Uncompressed bytes for each compressed byte, once [`free_bytes`](Self::free_bytes) have come out. Deflate cannot pass
    /// 1,032; real layers stay under 10, and layers of empty files under 60.
    pub max_expansion: u64,
    /// Uncompressed bytes that come before [`max_expansion`](Self::max_expansion) is looked at.
    pub free_bytes: u64,
    /// Entries of one layer, or of a directory.
    pub max_entries: u64,
    /// Bytes of one path or link target; longer ones are gaps. Linux's `PATH_MAX`.
    pub max_path_bytes: usize,
    /// Bytes of one extended header of the tar format, which carries long names. They are held in memory.
    pub max_extended_header_bytes: u64,
    /// Bytes that the list of one layer's paths may take, after front coding.
    pub max_index_bytes: usize,
    /// Bytes of one package database or manifest; larger ones are gaps.
    pub max_file_bytes: u64,
    /// Bytes of one rpm database. It is in memory while it is read, and then reduced to names, versions, relations and files.
    /// 256 MiB: several times that of an image with all of a desktop in it.
    pub max_database_bytes: u64,
    /// Bytes of one dependency list in an executable, uncompressed. 8 MiB: what `auditable-info` allows.
    pub max_section_bytes: usize,
    /// Bytes kept of one layer; what comes after is a gap.
    pub max_kept_bytes: u64,
    /// Entries of one archive such as a jar, with those of all archives in it. The largest fat jars have 150,000.
    pub max_archive_entries: u64,
    /// Bytes decompressed of one archive for each of its bytes, with all archives in it and after the first 16 MiB. An archive is
    /// decompressed where its metadata and other archives are, so real ones stay near one for each level.
    pub max_archive_expansion: u64,
    /// Archives within each other. Real ones stay under five.
    pub max_archive_depth: usize,
    /// Bytes of one manifest in an archive, uncompressed. The largest parent POMs have 200 KB.
    pub max_manifest_bytes: u64,
    /// Bytes of databases and manifests read again to learn which layer brought what; after them the history is a gap. 1 GiB: the
    /// databases of hundreds of layers, or ten times all that the limits let one layer keep.
    pub max_history_bytes: u64,
    /// Symbolic links followed for one path. Linux stops at 40 too (`MAXSYMLINKS`).
    pub max_symlinks: usize,
    /// Packages that one file may bring, and gaps that are listed one by one.
    pub max_packages_per_file: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_layer_bytes: 64 << 30,
            max_expansion: 400,
            free_bytes: 1 << 30,
            max_entries: 5_000_000,
            max_path_bytes: 4096,
            max_extended_header_bytes: 1 << 20,
            max_index_bytes: 64 << 20,
            max_file_bytes: 32 << 20,
            max_database_bytes: 256 << 20,
            max_section_bytes: 8 << 20,
            max_kept_bytes: 96 << 20,
            max_archive_entries: 500_000,
            max_archive_expansion: 20,
            max_archive_depth: 50,
            max_manifest_bytes: 1 << 20,
            max_history_bytes: 1 << 30,
            max_symlinks: 40,
            max_packages_per_file: 100_000,
        }
    }
}
