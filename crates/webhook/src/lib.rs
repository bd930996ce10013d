#![doc = include_str!("../README.md")]

mod answer;
mod args;
mod decide;
mod images;
mod judge;
mod limits;
mod metrics;
mod reload;
mod respond;
mod review;
mod run;
mod server;
mod timeout;
mod tls;
mod trust;

pub use answer::{Exemption, ImageOutcome, ImageRuling, Refusal, Ruling};
pub use args::{Arguments, LogFormat};
pub use decide::{Decide, DecideFuture, ImageAnswer, Undecided};
pub use images::{FoundImage, ObjectError, PinError, Workload, same_images};
pub use judge::Judge;
pub use limits::Limits;
pub use metrics::Metrics;
pub use reload::{CertificateFiles, PolicyFiles, Reloaded, Source, Watched};
pub use respond::respond;
pub use review::{API_VERSION, GroupVersionKind, KIND, Operation, Review, ReviewError};
pub use run::run;
pub use server::{Server, Shared};
pub use tls::{CertificateError, Certificates};
pub use trust::TrustedRoot;
