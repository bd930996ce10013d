//! The words that the formats have for the same thing: kinds of components and algorithms of checksums.
//!
//! Sources: CycloneDX 1.7 (`component.type`, `hash-alg`); SPDX 2.3 §7.24 (primary package purpose) and §7.10 (checksums); SPDX 3.0.1
//! (`Software/SoftwarePurpose`, `Core/HashAlgorithm`).

/// What a component is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ComponentKind {
    /// A program.
    Application,
    /// A framework.
    Framework,
    /// A library; also what CycloneDX recommends for what is not known better.
    Library,
    /// A container image.
    Container,
    /// A platform that runs other components.
    Platform,
    /// An operating system.
    OperatingSystem,
    /// A device.
    Device,
    /// A driver.
    DeviceDriver,
    /// Firmware.
    Firmware,
    /// A file.
    File,
    /// A model of machine learning.
    MachineLearningModel,
    /// Data.
    Data,
    /// A key, a certificate, an algorithm or a protocol.
    CryptographicAsset,
    /// Source code.
    Source,
    /// An archive.
    Archive,
    /// An installer.
    Install,
    /// Something else, as the document says.
    Other,
    /// The document does not say.
    Unstated,
}

/// A kind with its words in CycloneDX, SPDX 2.3 and SPDX 3.0.1. Where several kinds have one word, the first row is what is read.
type KindRow = (ComponentKind, &'static str, &'static str, &'static str);

const KINDS: [KindRow; 18] = [
    (ComponentKind::Application, "application", "APPLICATION", "application"),
    (ComponentKind::Framework, "framework", "FRAMEWORK", "framework"),
    (ComponentKind::Library, "library", "LIBRARY", "library"),
    (ComponentKind::Container, "container", "CONTAINER", "container"),
    (ComponentKind::OperatingSystem, "operating-system", "OPERATING_SYSTEM", "operatingSystem"),
    (ComponentKind::Device, "device", "DEVICE", "device"),
    (ComponentKind::Firmware, "firmware", "FIRMWARE", "firmware"),
    (ComponentKind::File, "file", "FILE", "file"),
    (ComponentKind::Other, "library", "OTHER", "other"),
    (ComponentKind::Source, "file", "SOURCE", "source"),
    (ComponentKind::Archive, "file", "ARCHIVE", "archive"),
    (ComponentKind::Install, "application", "INSTALL", "install"),
    (ComponentKind::Platform, "platform", "OTHER", "platform"),
    (ComponentKind::DeviceDriver, "device-driver", "OTHER", "deviceDriver"),
    (ComponentKind::MachineLearningModel, "machine-learning-model", "OTHER", "model"),
    (ComponentKind::Data, "data", "OTHER", "data"),
    (ComponentKind::CryptographicAsset, "cryptographic-asset", "OTHER", "other"),
    (ComponentKind::Unstated, "library", "", ""),
];

impl ComponentKind {
    fn row(self) -> KindRow {
        let found = KINDS.into_iter().find(|row| row.0 == self);
        found.unwrap_or((Self::Unstated, "library", "", ""))
    }

    fn find(is_it: impl Fn(&KindRow) -> bool) -> Self {
        KINDS.into_iter().find(is_it).map_or(Self::Unstated, |row| row.0)
    }

    /// CycloneDX's word.
    pub fn cyclonedx(self) -> &'static str {
        self.row().1
    }

    /// SPDX 2.3's word; empty when the document does not say.
    pub(crate) fn spdx2(self) -> &'static str {
        self.row().2
    }

    /// SPDX 3's word; empty when the document does not say.
    pub(crate) fn spdx3(self) -> &'static str {
        self.row().3
    }

    pub(crate) fn from_cyclonedx(word: &str) -> Self {
        Self::find(|row| row.1 == word)
    }

    pub(crate) fn from_spdx2(word: &str) -> Self {
        Self::find(|row| row.2 == word.replace('-', "_"))
    }

    pub(crate) fn from_spdx3(word: &str) -> Self {
        Self::find(|row| row.3 == word)
    }
}

/// An algorithm of checksums, by its row in the table of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HashAlgorithm(usize);

/// Names in CycloneDX, SPDX 2.3 and SPDX 3.0.1; empty where a format has none.
const HASHES: [(&str, &str, &str); 20] = [
    ("MD5", "MD5", "md5"),
    ("SHA-1", "SHA1", "sha1"),
    ("SHA-256", "SHA256", "sha256"),
    ("SHA-384", "SHA384", "sha384"),
    ("SHA-512", "SHA512", "sha512"),
    ("SHA3-256", "SHA3-256", "sha3_256"),
    ("SHA3-384", "SHA3-384", "sha3_384"),
    ("SHA3-512", "SHA3-512", "sha3_512"),
    ("BLAKE2b-256", "BLAKE2b-256", "blake2b256"),
    ("BLAKE2b-384", "BLAKE2b-384", "blake2b384"),
    ("BLAKE2b-512", "BLAKE2b-512", "blake2b512"),
    ("BLAKE3", "BLAKE3", "blake3"),
    ("", "SHA224", "sha224"),
    ("", "", "sha3_224"),
    ("", "MD2", "md2"),
    ("", "MD4", "md4"),
    ("", "MD6", "md6"),
    ("", "ADLER32", "adler32"),
    ("Streebog-256", "", ""),
    ("Streebog-512", "", ""),
];

impl HashAlgorithm {
    fn names(self) -> (&'static str, &'static str, &'static str) {
        HASHES.get(self.0).copied().unwrap_or_default()
    }

    fn find(is_it: impl Fn(&(&str, &str, &str)) -> bool) -> Option<Self> {
        HASHES.iter().position(is_it).map(Self)
    }

    /// CycloneDX's name, if it has one. Streebog is new in 1.7.
    pub fn cyclonedx(self) -> Option<&'static str> {
        Some(self.names().0).filter(|name| !name.is_empty())
    }

    pub(crate) fn spdx2(self) -> Option<&'static str> {
        Some(self.names().1).filter(|name| !name.is_empty())
    }

    pub(crate) fn spdx3(self) -> Option<&'static str> {
        Some(self.names().2).filter(|name| !name.is_empty())
    }

    pub(crate) fn from_cyclonedx(name: &str) -> Option<Self> {
        Self::find(|row| !name.is_empty() && row.0 == name)
    }

    pub(crate) fn from_spdx2(name: &str) -> Option<Self> {
        Self::find(|row| !name.is_empty() && row.1 == name)
    }

    pub(crate) fn from_spdx3(name: &str) -> Option<Self> {
        Self::find(|row| !name.is_empty() && row.2 == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_one_row_and_comes_back_from_spdx_3_or_is_other() {
        for (index, row) in KINDS.iter().enumerate() {
            assert!(KINDS.iter().skip(index + 1).all(|other| other.0 != row.0), "{row:?}");
            let back = ComponentKind::from_spdx3(row.3);
            assert!(back == row.0 || back == ComponentKind::Other, "{row:?}");
        }
        assert_eq!(ComponentKind::from_cyclonedx("library"), ComponentKind::Library);
        assert_eq!(ComponentKind::from_spdx2("OPERATING-SYSTEM"), ComponentKind::OperatingSystem);
    }

    #[test]
    fn a_format_without_a_name_for_an_algorithm_says_so() {
        let adler = HashAlgorithm::from_spdx2("ADLER32").unwrap();
        assert_eq!((adler.cyclonedx(), adler.spdx3()), (None, Some("adler32")));
        assert_eq!(HashAlgorithm::from_cyclonedx(""), None);
    }
}
