//! The image configuration, as far as inventory and audit read it.

use serde::{Deserialize, Serialize};

use crate::descriptor::null_as_default;
use crate::{Digest, Limits};

/// An image configuration
/// ([image-spec 1.1, config.md](https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md)); members not named here are skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// As Go's `GOARCH`.
    #[serde(default)]
    pub architecture: String,
    /// As Go's `GOOS`.
    #[serde(default)]
    pub os: String,
    /// When the image was made, RFC 3339; a claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The layers, uncompressed.
    pub rootfs: RootFs,
    /// How each layer was made; a claim.
    #[serde(default, deserialize_with = "null_as_default")]
    pub history: Vec<History>,
}

/// The digests of the uncompressed layers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Digests of the layers' tar archives, lowest first.
    #[serde(default, deserialize_with = "null_as_default")]
    pub diff_ids: Vec<Digest>,
}

/// One step of an image's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The command that made the layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// Whether the step made no layer.
    #[serde(default)]
    pub empty_layer: bool,
}

impl ImageConfig {
    /// Parses a configuration.
    ///
    /// # Errors
    /// [`ConfigError`]: too large, or not the JSON of a configuration.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, ConfigError> {
        let size = bytes.len() as u64;
        if size > limits.max_config_bytes {
            return Err(ConfigError::TooLarge { size, limit: limits.max_config_bytes });
        }
        Ok(serde_json::from_slice(bytes)?)
    }
}

/// Why bytes are no image configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Larger than [`Limits::max_config_bytes`].
    #[error("image configuration has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// Bytes found.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// Not JSON, or not the members of a configuration.
    #[error("image configuration is not valid")]
    Json(#[from] serde_json::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_diff_ids_and_history() {
        let text = format!(
            r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{}"]}},"history":[{{"created_by":"x"}}]}}"#,
            Digest::of(b"")
        );
        let config = ImageConfig::parse(text.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(config.rootfs.diff_ids, [Digest::of(b"")]);
        assert_eq!(config.history[0].created_by.as_deref(), Some("x"));
    }

    #[test]
    fn rejects_what_is_too_large_or_no_configuration() {
        let limits = Limits { max_config_bytes: 1, ..Limits::default() };
        assert!(matches!(ImageConfig::parse(b"{}", &limits), Err(ConfigError::TooLarge { .. })));
        assert!(matches!(ImageConfig::parse(b"{}", &Limits::default()), Err(ConfigError::Json(_))));
    }
}
