//! The events: what happened, and how it is told.

use tracing::{error, info, warn};

use super::Metrics;
use crate::base::RouteName;

/// Something that happened. It knows which line and which metric tell it.
pub trait Event {
    /// Writes the line and counts.
    fn tell(self, metrics: &Metrics);
}

/// A request was denied.
pub struct RequestDenied<'a> {
    /// The stable code.
    pub code: &'static str,
    /// The route that decided.
    pub route: &'a RouteName,
    /// What the answer bears.
    pub reference: &'a str,
}

impl Event for RequestDenied<'_> {
    fn tell(self, metrics: &Metrics) {
        metrics.requests.denied.with_label_values(&[self.route.as_str(), self.code]).inc();
        info!(event = "request_denied", code = self.code, route = %self.route, reference = self.reference);
    }
}

/// A request that was no request we take: somebody looks at a page that says so, with a reference.
pub struct FaultShown<'a> {
    /// The stable code.
    pub code: &'static str,
    /// What the page bears.
    pub reference: &'a str,
}

impl Event for FaultShown<'_> {
    fn tell(self, _: &Metrics) {
        info!(event = "fault_shown", code = self.code, reference = self.reference);
    }
}

/// Another configuration is in force.
pub struct ConfigReloaded {
    /// How many providers have valid keys in it.
    pub usable: usize,
    /// How many providers it names.
    pub providers: usize,
}

impl Event for ConfigReloaded {
    fn tell(self, metrics: &Metrics) {
        metrics.state.reloads.with_label_values(&["done"]).inc();
        metrics.state.reload_good.set(1);
        info!(event = "config_reloaded", providers = self.providers, usable = self.usable);
    }
}

/// A configuration was refused: the one before it stays in force.
pub struct ConfigRefused<'a> {
    /// Every problem.
    pub problems: &'a [String],
}

impl Event for ConfigRefused<'_> {
    fn tell(self, metrics: &Metrics) {
        metrics.state.reloads.with_label_values(&["refused"]).inc();
        metrics.state.reload_good.set(0);
        for problem in self.problems {
            error!(event = "config_refused", detail = problem, "the configuration before it stays in force");
        }
    }
}

/// A request came with headers that fold to ours.
pub struct ForgedHeaders {
    /// How many were removed.
    pub count: usize,
}

impl Event for ForgedHeaders {
    fn tell(self, metrics: &Metrics) {
        metrics.requests.forged_headers.inc_by(self.count as u64);
        // The names and values are the sender's: a count is all that is told.
        info!(event = "forged_headers", count = self.count);
    }
}

/// A request came with a `traceparent` that is none.
pub struct BadTrace;

impl Event for BadTrace {
    fn tell(self, metrics: &Metrics) {
        // What it says is the sender's, and it is no decision: counted only.
        metrics.requests.bad_traces.inc();
    }
}

/// A proxy asked about a request in a way that nothing could be decided on (forward-auth).
pub struct AskedInVain<'a> {
    /// How it asked: a word of a closed set.
    pub dialect: &'static str,
    /// The stable code.
    pub code: &'static str,
    /// What is wrong with the question, in our words.
    pub detail: &'static str,
    /// What the answer bears.
    pub reference: &'a str,
}

impl Event for AskedInVain<'_> {
    fn tell(self, metrics: &Metrics) {
        metrics.requests.asked_in_vain.with_label_values(&[self.dialect, self.code]).inc();
        warn!(
            event = "asked_in_vain",
            code = self.code,
            dialect = self.dialect,
            reference = self.reference,
            detail = self.detail
        );
    }
}

/// The e-service did not answer.
pub struct UpstreamFailed<'a> {
    /// What failed, in our words.
    pub cause: &'a str,
    /// What the person can quote.
    pub reference: &'a str,
}

impl Event for UpstreamFailed<'_> {
    fn tell(self, metrics: &Metrics) {
        metrics.requests.upstream_failures.inc();
        warn!(event = "upstream_failed", code = "upstream_failed", cause = self.cause, reference = self.reference);
    }
}

/// An answer, a WebSocket or a connection was ended before its own end.
pub struct StreamCut {
    /// Why: a word of a closed set.
    pub why: &'static str,
}

impl Event for StreamCut {
    fn tell(self, metrics: &Metrics) {
        metrics.requests.streams_cut.with_label_values(&[self.why]).inc();
        info!(event = "stream_cut", why = self.why);
    }
}
