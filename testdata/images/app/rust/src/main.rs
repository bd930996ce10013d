//! The program of the quickstart image: greets, and says which version of itself it is.

fn main() {
    let version = semver::Version::parse(env!("CARGO_PKG_VERSION")).expect("cargo checks versions");
    let mut digits = itoa::Buffer::new();
    let major = digits.format(version.major);
    println!("hello from greeting {major}.{}, known as {}", version.minor, hex::encode("greeting"));
}
