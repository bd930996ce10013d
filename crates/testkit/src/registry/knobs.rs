//! What a [`FakeRegistry`](super::FakeRegistry) can be told.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Barrier;
use touchmark_demo_sigstore::Fault;

/// How a [`FakeRegistry`](super::FakeRegistry) behaves.
#[derive(Debug, Clone)]
pub struct Knobs {
    /// Whether and how the referrers API is served.
    pub referrers: ReferrersApi,
    /// Referrers on one page.
    pub page_size: usize,
    /// Whether each page of referrers has a next one, for ever.
    pub endless_pages: bool,
    /// Where the next page of referrers is said to be, instead of here.
    pub next_page: Option<String>,
    /// Who may do what.
    pub auth: Auth,
    /// Answers to give instead, the first that matches.
    pub faults: Vec<Fault>,
    /// What is done to bodies on their way out.
    pub tampers: Vec<(String, Tamper)>,
    /// Where uploads go on.
    pub location: Location,
    /// Whether blobs can be mounted.
    pub mounts: bool,
    /// `scheme://host` to which `GET`s of blobs are redirected.
    pub redirect_blobs: Option<String>,
    /// After a tag was written, these bytes take its place, once each: another writer came between.
    pub overwrites: HashMap<String, VecDeque<Vec<u8>>>,
    /// How long every answer takes.
    pub delay: Duration,
    /// Requests that are answered together or never.
    pub meetings: Vec<Meeting>,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            referrers: ReferrersApi::Served,
            page_size: 1_000,
            endless_pages: false,
            next_page: None,
            auth: Auth::None,
            faults: Vec::new(),
            tampers: Vec::new(),
            location: Location::Relative,
            mounts: true,
            redirect_blobs: None,
            overwrites: HashMap::new(),
            delay: Duration::ZERO,
            meetings: Vec::new(),
        }
    }
}

/// Whether and how the referrers API is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReferrersApi {
    /// As specified.
    Served,
    /// Served, but a push is not answered with `OCI-Subject`.
    Unannounced,
    /// Not served, but a push is answered with `OCI-Subject`.
    OnlyAnnounced,
    /// Not at all.
    Absent,
}

/// Who may do what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// Anyone anything.
    None,
    /// These users anything, by `Basic`.
    Basic(BTreeMap<String, String>),
    /// These users anything, by a token from `/token` here.
    Bearer {
        /// Users and their passwords.
        users: BTreeMap<String, String>,
        /// Refresh tokens that are as good.
        refresh_tokens: Vec<String>,
        /// Whether anyone may pull, with an anonymous token.
        anonymous_pull: bool,
        /// The token server, instead of this one.
        realm: Option<String>,
    },
}

/// Requests that wait until so many of them are there. A client that asks one after the other waits for ever.
#[derive(Debug, Clone)]
pub struct Meeting {
    pub(super) path: String,
    pub(super) all_there: Arc<Barrier>,
}

impl Meeting {
    /// Of `count` requests whose path has this in it.
    pub fn of(count: usize, path: &str) -> Self {
        Self { path: path.to_owned(), all_there: Arc::new(Barrier::new(count)) }
    }
}

/// What is done to a body on its way out, where the path has the text beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tamper {
    /// The last byte is another.
    Flip,
    /// The last byte is missing.
    Shorten,
    /// There is a byte more.
    Lengthen,
    /// The connection breaks before the end, which is announced right.
    BreakOff,
    /// `Docker-Content-Digest` says something else.
    LieInHeader,
    /// The media type is another.
    MediaType(String),
}

/// Where uploads go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A path.
    Relative,
    /// A URL.
    Absolute,
    /// Nowhere.
    Missing,
    /// At another `scheme://host`.
    Elsewhere(String),
}

/// A request as it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The query, if any.
    pub query: String,
    /// The `Authorization` header, if any.
    pub authorization: Option<String>,
}
