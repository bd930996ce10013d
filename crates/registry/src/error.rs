//! Why a store could not do something, grouped by what the caller would do about it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use touchmark_oci::{ContentError, ImageName, ManifestError, ReferenceError};
use touchmark_transport::{OptionsError, RedactedUrl, TransportError};

use crate::client::CredentialError;

/// What was being done, and to what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At {
    /// What was being done.
    pub operation: Operation,
    /// To what: an image reference, which holds no secrets.
    pub reference: String,
}

impl At {
    /// For an operation on `reference`.
    pub fn new(operation: Operation, reference: impl fmt::Display) -> Self {
        Self { operation, reference: reference.to_string() }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.operation, self.reference)
    }
}

/// What a store does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// Finding what a reference points at.
    Resolve,
    /// Reading a manifest or index.
    FetchManifest,
    /// Reading what a tag points at.
    FetchTag,
    /// Reading a blob.
    FetchBlob,
    /// Listing what refers to an image.
    ListReferrers,
    /// Writing a blob.
    PushBlob,
    /// Writing a manifest.
    PushManifest,
    /// Changing what a tag points at.
    UpdateTag,
    /// Asking a token server.
    LogIn,
    /// Opening a layout or archive.
    Open,
    /// Copying an image.
    Copy,
    /// Deleting a manifest.
    Delete,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "resolve",
            Self::FetchManifest => "fetch manifest",
            Self::FetchTag => "fetch tag",
            Self::FetchBlob => "fetch blob",
            Self::ListReferrers => "list referrers of",
            Self::PushBlob => "push blob",
            Self::PushManifest => "push manifest",
            Self::UpdateTag => "update tag",
            Self::LogIn => "log in for",
            Self::Open => "open",
            Self::Copy => "copy",
            Self::Delete => "delete",
        })
    }
}

/// Why a store could not do something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store answered, and has no such thing.
    #[error("{at}: not found")]
    NotFound {
        /// What was being done.
        at: At,
    },
    /// Several images, and nothing that says which.
    #[error("{at}: there are {} images, expected one or a tag; found {}", found.len(), found.join(", "))]
    Ambiguous {
        /// What was being done.
        at: At,
        /// The images: tags, or digests where there is none.
        found: Vec<String>,
    },
    /// The registry wants to know who we are, or does not believe it.
    #[error("{at}: {registry} does not accept {}", if *anonymous { "anonymous access" } else { "the credentials" })]
    Unauthorized {
        /// What was being done.
        at: At,
        /// The registry.
        registry: String,
        /// Whether no credentials were found.
        anonymous: bool,
    },
    /// The registry knows who we are, and refuses.
    #[error("{at}: {registry} refuses access{}", codes(codes_found))]
    Forbidden {
        /// What was being done.
        at: At,
        /// The registry.
        registry: String,
        /// The reasons it gave.
        codes_found: Vec<ErrorCode>,
    },
    /// Too many requests, and the retries are used up.
    #[error("{at}: rate limited by the registry")]
    RateLimited {
        /// What was being done.
        at: At,
        /// How long the registry asks to wait.
        retry_after: Option<Duration>,
    },
    /// No usable answer now; later there may be one.
    #[error("{at}: could not be asked")]
    Unavailable {
        /// What was being done.
        at: At,
        /// What came instead of an answer.
        source: Unavailable,
    },
    /// The store gave other bytes than those asked for.
    #[error("{at}: the store gave other bytes than asked for")]
    Corrupt {
        /// What was being done.
        at: At,
        /// The difference.
        source: Box<ContentError>,
    },
    /// A manifest that cannot be read.
    #[error("{at}: not a usable manifest")]
    Manifest {
        /// What was being done.
        at: At,
        /// What is wrong with it.
        source: Box<ManifestError>,
    },
    /// More than a limit allows.
    #[error("{at}: has {size} bytes or more, the limit is {limit}")]
    TooLarge {
        /// What was being done.
        at: At,
        /// Bytes announced or found.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// Indexes within indexes, deeper than [`touchmark_oci::Limits::max_index_depth`].
    #[error("{at}: indexes are nested more than {limit} deep")]
    TooDeep {
        /// What was being done.
        at: At,
        /// The limit.
        limit: usize,
    },
    /// The store cannot be written to.
    #[error("{at}: the store is read-only")]
    ReadOnly {
        /// What was being done.
        at: At,
    },
    /// Other writers came between every time.
    #[error("{at}: other writers came between {attempts} times")]
    Conflict {
        /// What was being done.
        at: At,
        /// Attempts made.
        attempts: u32,
    },
    /// The registry will not have it: an immutable tag, a manifest it considers invalid.
    #[error("{at}: refused with status {status}{}", codes(codes_found))]
    Rejected {
        /// What was being done.
        at: At,
        /// The HTTP status.
        status: u16,
        /// The reasons it gave.
        codes_found: Vec<ErrorCode>,
    },
    /// An answer that the protocol does not have.
    #[error("{at}: {fault}")]
    InvalidResponse {
        /// What was being done.
        at: At,
        /// What is wrong with it.
        fault: ResponseFault,
    },
    /// A layout or archive with something in it that does not belong there.
    #[error("{at}: {} is not usable: {fault}", path.display())]
    InvalidLayout {
        /// What was being done.
        at: At,
        /// Where in the layout.
        path: PathBuf,
        /// What is wrong with it.
        fault: LayoutFault,
    },
    /// A file could not be read or written.
    #[error("{at}: {}", path.display())]
    Io {
        /// What was being done.
        at: At,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Credentials are configured but cannot be had.
    #[error("{at}: credentials for {registry} are not usable")]
    Credentials {
        /// What was being done.
        at: At,
        /// The registry.
        registry: String,
        /// What is wrong with them.
        source: CredentialError,
    },
    /// The options do not make an HTTP client.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// A digest from which no tag can be made.
    #[error("{at}: no tag can be made of the digest")]
    Tag {
        /// What was being done.
        at: At,
        /// What is wrong with it.
        source: ReferenceError,
    },
    /// A store of one kind was asked for a name of another.
    #[error("{at}: not kept in this store")]
    WrongStore {
        /// What was being done.
        at: At,
    },
    /// The registry deletes nothing for anybody.
    #[error("{at}: {registry} does not delete manifests (status {status})")]
    Undeletable {
        /// What was being done.
        at: At,
        /// The registry.
        registry: String,
        /// The HTTP status.
        status: u16,
    },
    /// The caller's change to a tag could not be made.
    #[error("{at}: the change could not be made")]
    Change {
        /// What was being done.
        at: At,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StoreError {
    /// For the `change` of [`ImageStore::update_tag`](crate::ImageStore::update_tag), when what the tag points at cannot be
    /// changed as wanted.
    pub fn change(name: &ImageName, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Change { at: At::new(Operation::UpdateTag, name), source: source.into() }
    }

    /// What the user could do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotFound { at } if at.operation == Operation::Resolve => {
                "check the name and tag; a private registry may say this to anonymous users, too".into()
            }
            Self::Ambiguous { .. } => "name one of them with :TAG or @DIGEST".into(),
            Self::Unauthorized { registry, anonymous: true, .. } => {
                format!("log in with `docker login {registry}`, or give a user name and password")
            }
            Self::Unauthorized { registry, .. } => {
                format!("the credentials for {registry} may have expired; log in again")
            }
            Self::Forbidden { registry, .. } => {
                format!("ask the owner of the repository on {registry} for access")
            }
            Self::RateLimited { retry_after: Some(wait), .. } => {
                format!("try again in {} seconds; logging in often raises the limit", wait.as_secs())
            }
            Self::RateLimited { .. } => "try again later; logging in often raises the limit".into(),
            Self::Unavailable { source: Unavailable::Transport(source), .. } => {
                return transport_hint(source);
            }
            Self::Unavailable { .. } => "try again later".into(),
            Self::Credentials { registry, .. } => {
                format!("run `docker login {registry}` again, or give a user name and password")
            }
            Self::ReadOnly { .. } => "copy the image to a registry or an oci: directory first".into(),
            Self::Conflict { .. } => "try again when fewer writers are at work".into(),
            Self::Rejected { at, .. } if at.operation == Operation::UpdateTag => {
                "the tag may be immutable; where a registry has no referrers API, evidence is listed under tags named sha256-…, \
                 which must stay mutable"
                    .into()
            }
            Self::Rejected { status: 409, .. } => {
                "the tag may be immutable; allow it to be overwritten".into()
            }
            Self::Undeletable { .. } => {
                "enable deletion on the registry, or delete it by the registry's own means".into()
            }
            Self::InvalidLayout { fault: LayoutFault::Compressed, .. } => {
                "decompress the archive first".into()
            }
            Self::TooLarge { .. } | Self::TooDeep { .. } => {
                "no image needs this much; the repository may be under attack".into()
            }
            _ => return None,
        })
    }

    /// Whether the same call could succeed later without anything else changing.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Unavailable { .. } | Self::Conflict { .. })
    }
}

fn transport_hint(error: &TransportError) -> Option<String> {
    match error {
        TransportError::Offline { .. } => {
            Some("save the image first where there is a network, and use the copy (oci:DIRECTORY)".into())
        }
        TransportError::PlainHttp { .. } => Some("allow plain HTTP for this registry explicitly".into()),
        TransportError::Connection { .. } | TransportError::Timeout { .. } => {
            Some("check the registry's name, the network, and proxy settings".into())
        }
        _ => None,
    }
}

/// What came instead of an answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// Nothing.
    #[error(transparent)]
    Transport(TransportError),
    /// A status of 500 or above, and the retries are used up.
    #[error("{url} answers with status {status}")]
    Status {
        /// The URL.
        url: RedactedUrl,
        /// The HTTP status.
        status: u16,
    },
    /// A blob broke off.
    #[error("the transfer broke off")]
    Interrupted(#[source] std::io::Error),
}

/// An answer that the protocol does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseFault {
    /// A status that means nothing here.
    Status {
        /// The HTTP status.
        status: u16,
    },
    /// No `Location`, where the upload must go on.
    NoLocation,
    /// A `Location`, next page or token server that must not be asked.
    RefusedUrl {
        /// The URL.
        url: RedactedUrl,
    },
    /// A header with another digest than the body has.
    DigestHeader {
        /// The digest in the header.
        header: String,
        /// The digest of the body.
        body: String,
    },
    /// A list of referrers that is no index.
    NoIndex {
        /// Its media type.
        media_type: String,
    },
    /// A token server's answer without a token.
    NoToken,
    /// A challenge that asks for nothing known.
    Challenge {
        /// The challenge's scheme.
        scheme: String,
    },
}

impl fmt::Display for ResponseFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status { status } => write!(f, "unexpected status {status}"),
            Self::NoLocation => f.write_str("the answer lacks the Location of the upload"),
            Self::RefusedUrl { url } => write!(f, "the answer points to {url}, which is not followed"),
            Self::DigestHeader { header, body } => {
                write!(f, "the answer says that its digest is {header}, but it is {body}")
            }
            Self::NoIndex { media_type } => write!(f, "the list is {media_type:?}, expected an image index"),
            Self::NoToken => f.write_str("the token server's answer has no token"),
            Self::Challenge { scheme } => {
                write!(f, "asks to authenticate by {scheme:?}, expected Basic or Bearer")
            }
        }
    }
}

/// What is wrong with a layout or archive.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LayoutFault {
    /// No `oci-layout` file of version 1.0.0.
    NoLayout,
    /// Not the JSON that belongs there.
    Json,
    /// A link that leads out of the layout.
    Escapes,
    /// Not a regular file.
    NoFile,
    /// Links that lead to nowhere.
    DanglingLink,
    /// More entries than [`Limits::max_archive_entries`](crate::Limits::max_archive_entries).
    TooManyEntries {
        /// The limit.
        limit: usize,
    },
    /// Compressed; blobs can only be found in a plain tar archive.
    Compressed,
    /// Not what it says.
    Truncated,
}

impl fmt::Display for LayoutFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLayout => f.write_str("no OCI image layout of version 1.0.0"),
            Self::Json => f.write_str("not the JSON that belongs there"),
            Self::Escapes => f.write_str("leads out of the layout"),
            Self::NoFile => f.write_str("not a regular file"),
            Self::DanglingLink => f.write_str("a link to nowhere"),
            Self::TooManyEntries { limit } => write!(f, "more than {limit} entries"),
            Self::Compressed => f.write_str("compressed, expected a plain tar archive"),
            Self::Truncated => f.write_str("ends too early"),
        }
    }
}

/// A reason in a registry's error answer ([distribution-spec 1.1, "Error
/// Codes"](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorCode {
    /// Such as `DENIED`.
    pub code: String,
    /// What the registry adds, shortened.
    pub message: String,
}

fn codes(found: &[ErrorCode]) -> String {
    let mut text = String::new();
    for (index, reason) in found.iter().enumerate() {
        text.push_str(if index == 0 { ": " } else { "; " });
        text.push_str(&reason.code);
        if !reason.message.is_empty() {
            text.push_str(" (");
            text.push_str(&reason.message);
            text.push(')');
        }
    }
    text
}
