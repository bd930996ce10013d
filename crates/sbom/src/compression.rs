//! What a layer's media type says.

use touchmark_oci::media_type;

/// How a layer is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, of any number of members.
    Gzip,
    /// Zstandard, of any number of frames.
    Zstd,
    /// As its first bytes say. Archives written by `docker save` do not name it.
    Detect,
}

impl Compression {
    /// The compression that a layer's media type names, or none if it names no layer that can be scanned.
    pub fn of_media_type(media_type: &str) -> Option<Self> {
        match suffix(media_type)? {
            "" => Some(Self::None),
            ".gzip" | "+gzip" => Some(Self::Gzip),
            ".zstd" | "+zstd" => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// Whether a media type names an encrypted layer, which nobody reads without its key
/// ([ocicrypt 1.2, spec](https://github.com/containers/ocicrypt/blob/v1.2.1/docs/spec.md): `+encrypted` after the compression).
pub fn is_encrypted_layer(media_type: &str) -> bool {
    suffix(media_type).is_some_and(|suffix| suffix.ends_with("+encrypted"))
}

/// Whether a media type names a layer that need not be where the image is: licences of some base images forbid copies of it
/// ([image-spec 1.1, layer.md, "Non-Distributable Layers"](https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md#non-distributable-layers)).
pub fn is_foreign_layer(media_type: &str) -> bool {
    [DOCKER_FOREIGN, NON_DISTRIBUTABLE].iter().any(|base| media_type.starts_with(base))
}

fn suffix(media_type: &str) -> Option<&str> {
    let bases = [media_type::OCI_LAYER, NON_DISTRIBUTABLE, DOCKER, DOCKER_FOREIGN];
    bases.iter().find_map(|base| media_type.strip_prefix(base))
}

const DOCKER: &str = "application/vnd.docker.image.rootfs.diff.tar";
const DOCKER_FOREIGN: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar";
const NON_DISTRIBUTABLE: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_name_the_compression() {
        let of = Compression::of_media_type;
        assert_eq!(of("application/vnd.oci.image.layer.v1.tar"), Some(Compression::None));
        assert_eq!(of("application/vnd.oci.image.layer.v1.tar+zstd"), Some(Compression::Zstd));
        assert_eq!(of("application/vnd.docker.image.rootfs.diff.tar.gzip"), Some(Compression::Gzip));
        assert_eq!(of("application/vnd.wasm.content.layer.v1+wasm"), None);
        assert_eq!(of("application/vnd.oci.image.layer.v1.tar+gzip+encrypted"), None);
    }

    #[test]
    fn encrypted_and_foreign_layers_are_told_apart() {
        assert!(is_encrypted_layer("application/vnd.oci.image.layer.v1.tar+gzip+encrypted"));
        assert!(is_encrypted_layer("application/vnd.oci.image.layer.v1.tar+encrypted"));
        assert!(!is_encrypted_layer("application/vnd.oci.image.layer.v1.tar+gzip"));
        assert!(!is_encrypted_layer("text/plain+encrypted"));
        assert!(is_foreign_layer("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"));
        assert!(is_foreign_layer("application/vnd.oci.image.layer.nondistributable.v1.tar"));
        assert!(!is_foreign_layer("application/vnd.docker.image.rootfs.diff.tar.gzip"));
    }
}
