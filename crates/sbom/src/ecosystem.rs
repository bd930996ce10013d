//! The ecosystems that packages belong to, by the names that package URLs use for them.

use serde::Serialize;

/// The package manager or language that a package belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Ecosystem {
    /// Debian and its relatives.
    Deb,
    /// Alpine and its relatives.
    Apk,
    /// Red Hat, SUSE and their relatives.
    Rpm,
    /// Arch Linux and its relatives.
    Alpm,
    /// Node.js.
    Npm,
    /// Python.
    Pypi,
    /// Rust.
    Cargo,
    /// Go.
    Golang,
    /// Java and the other languages of its virtual machine.
    Maven,
    /// .NET.
    Nuget,
    /// Ruby.
    Gem,
    /// PHP.
    Composer,
    /// Swift.
    Swift,
    /// Swift and Objective-C, by `CocoaPods`.
    Cocoapods,
    /// Dart and Flutter.
    Pub,
    /// Erlang and Elixir.
    Hex,
    /// C and C++, by Conan.
    Conan,
    /// Conda.
    Conda,
    /// Nix.
    Nix,
    /// GitHub, for the actions that workflows use.
    Github,
    /// No package manager: a program known by its own bytes.
    Generic,
}

impl Ecosystem {
    /// The name, which is also the type of its package URLs
    /// ([purl types](https://github.com/package-url/purl-spec/blob/main/PURL-TYPES.rst)).
    pub fn name(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Apk => "apk",
            Self::Rpm => "rpm",
            Self::Alpm => "alpm",
            Self::Npm => "npm",
            Self::Pypi => "pypi",
            Self::Cargo => "cargo",
            Self::Golang => "golang",
            Self::Maven => "maven",
            Self::Nuget => "nuget",
            Self::Gem => "gem",
            Self::Composer => "composer",
            Self::Swift => "swift",
            Self::Cocoapods => "cocoapods",
            Self::Pub => "pub",
            Self::Hex => "hex",
            Self::Conan => "conan",
            Self::Conda => "conda",
            Self::Nix => "nix",
            Self::Github => "github",
            Self::Generic => "generic",
        }
    }

    /// Whether its packages list the files that belong to them, also those that are packages of a language.
    pub fn lists_files(self) -> bool {
        matches!(self, Self::Deb | Self::Apk | Self::Rpm | Self::Alpm | Self::Conda)
    }
}
