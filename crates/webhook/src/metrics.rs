//! What is counted, for Prometheus. Labels have few values, all known beforehand: none comes from a request.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::answer::Ruling;
use crate::images::Workload;
use crate::review::Review;

type Labels<const N: usize> = [(&'static str, &'static str); N];

/// All metrics of the process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    reviews: Family<Labels<3>, Counter>,
    review_duration: Histogram,
    images: Family<Labels<1>, Counter>,
    unanswerable: Family<Labels<1>, Counter>,
    in_flight: Gauge,
    reloads: Family<Labels<2>, Counter>,
    loaded: Family<Labels<1>, Gauge<f64, AtomicU64>>,
    certificate_expiry: Gauge,
}

impl Metrics {
    /// All at nothing.
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("touchmark_webhook"),
            reviews: Family::default(),
            review_duration: Histogram::new(BUCKETS),
            images: Family::default(),
            unanswerable: Family::default(),
            in_flight: Gauge::default(),
            reloads: Family::default(),
            loaded: Family::default(),
            certificate_expiry: Gauge::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("reviews", "Reviews answered, by outcome", self.reviews.clone());
        registry.register_with_unit(
            "review_duration",
            "From reading a review to its answer",
            Unit::Seconds,
            self.review_duration.clone(),
        );
        registry.register("images", "Distinct images of reviews, by outcome", self.images.clone());
        registry.register(
            "unanswerable",
            "Requests that got an HTTP error because they could not be answered as reviews",
            self.unanswerable.clone(),
        );
        registry.register("reviews_in_flight", "Reviews being decided", self.in_flight.clone());
        registry.register("reloads", "Attempts to load changed files", self.reloads.clone());
        registry.register_with_unit(
            "loaded_timestamp",
            "When what is in force was loaded",
            Unit::Seconds,
            self.loaded.clone(),
        );
        registry.register_with_unit(
            "certificate_expiry_timestamp",
            "When the certificate in force expires",
            Unit::Seconds,
            self.certificate_expiry.clone(),
        );
    }

    /// A review was answered.
    pub(crate) fn reviewed(&self, review: &Review<'_>, ruling: &Ruling, duration: Duration) {
        let kind = Workload::of(&review.kind).map_or("other", Workload::name);
        let labels = [("outcome", ruling.outcome()), ("kind", kind), ("operation", review.operation.name())];
        self.reviews.get_or_create(&labels).inc();
        self.review_duration.observe(duration.as_secs_f64());
        if let Ruling::Images(images) = ruling {
            for image in images {
                self.images.get_or_create(&[("outcome", image.outcome.name())]).inc();
            }
        }
    }

    /// A request got an HTTP error.
    pub(crate) fn refused(&self, reason: &'static str) {
        self.unanswerable.get_or_create(&[("reason", reason)]).inc();
    }

    /// A review is being decided until what is returned is dropped.
    pub(crate) fn deciding(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    /// Changed files were loaded, or not.
    pub(crate) fn reloaded(&self, what: &'static str, result: Result<Duration, ()>) {
        let label = if result.is_ok() { "ok" } else { "failed" };
        self.reloads.get_or_create(&[("what", what), ("result", label)]).inc();
        if let Ok(since_epoch) = result {
            self.loaded.get_or_create(&[("what", what)]).set(since_epoch.as_secs_f64());
        }
    }

    /// When the certificate in force expires, in seconds since 1970.
    pub(crate) fn certificate_expires(&self, timestamp: i64) {
        self.certificate_expiry.set(timestamp);
    }

    /// Everything in the OpenMetrics text format.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// A review that is being decided.
pub(crate) struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// From an answer out of the cache to the longest timeout that there is.
const BUCKETS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Exemption;

    #[test]
    fn what_is_counted_is_shown() {
        let metrics = Metrics::new();
        let body = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","operation":"DELETE",
            "kind":{"group":"evil","version":"v1","kind":"Whatever\"}"}}}"#;
        let review = Review::parse(body.as_bytes()).unwrap();
        metrics.reviewed(&review, &Ruling::Exempt(Exemption::Deletion), Duration::from_millis(3));
        metrics.refused("malformed");
        metrics.reloaded("policy", Ok(Duration::from_secs(5)));
        metrics.reloaded("certificate", Err(()));
        let deciding = metrics.deciding();
        let text = metrics.text();
        for line in [
            r#"touchmark_webhook_reviews_total{outcome="exempt",kind="other",operation="delete"} 1"#,
            r#"touchmark_webhook_unanswerable_total{reason="malformed"} 1"#,
            r#"touchmark_webhook_reloads_total{what="policy",result="ok"} 1"#,
            r#"touchmark_webhook_reloads_total{what="certificate",result="failed"} 1"#,
            "touchmark_webhook_review_duration_seconds_count 1",
            "touchmark_webhook_reviews_in_flight 1",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        drop(deciding);
        assert!(metrics.text().contains("touchmark_webhook_reviews_in_flight 0"));
    }
}
