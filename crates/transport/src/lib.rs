#![doc = include_str!("../README.md")]

mod client;
mod error;
mod host;
mod options;
mod redact;
mod request;
mod response;
mod retry;

pub use bytes::Bytes;
pub use client::Client;
pub use error::{OptionsError, TransportError};
pub use host::is_loopback;
pub use options::{ClientOptions, PlainHttp, Proxies};
pub use redact::RedactedUrl;
pub use request::Request;
pub use reqwest::header;
pub use reqwest::{Method, StatusCode, Url};
pub use response::{Answer, ByteStream, Response};
pub use retry::{RetryPolicy, retry_after};
