//! What becomes of requests: the families that the hot path counts in. Their children are resolved at load time, so that
//! a request takes no lock and allocates nothing for them.

use std::collections::HashMap;
use std::time::Instant;

use prometheus::{Error, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge};

use super::catalogue::{Families, Label};
use crate::base::RouteName;

/// What became of a request: each request has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The e-service answered.
    Forwarded,
    /// A proxy that asks us was told yes (forward-auth).
    Allowed,
    /// Without a session where one is needed.
    NeedsLogin,
    /// With a session that the route does not take.
    StepUp,
    /// Refused for another reason: a token, both credentials.
    Refused,
    /// Nothing could be decided, or done: the store, no keys, no room, our own fault.
    Unavailable,
    /// The request itself is none that we take.
    Invalid,
    /// The e-service gave no answer.
    UpstreamFailed,
    /// The client went away, or was too slow, before there was an answer.
    Abandoned,
    /// One of our own paths answered.
    Own,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Forwarded,
        Self::Allowed,
        Self::NeedsLogin,
        Self::StepUp,
        Self::Refused,
        Self::Unavailable,
        Self::Invalid,
        Self::UpstreamFailed,
        Self::Abandoned,
        Self::Own,
    ];

    /// The label's value.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::Allowed => "allowed",
            Self::NeedsLogin => "needs_login",
            Self::StepUp => "step_up",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
            Self::Invalid => "invalid",
            Self::UpstreamFailed => "upstream_failed",
            Self::Abandoned => "abandoned",
            Self::Own => "own",
        }
    }
}

/// Our own paths, and requests that no route was found for: no route of a configuration has such a name.
const ELSEWHERE: &str = "(none)";

/// From a few microseconds, which deciding takes, to what people notice.
const DECISION: [f64; 12] =
    [0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.005, 0.025, 0.1, 1.0];

/// What e-services take.
const UPSTREAM: [f64; 13] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// The children of one route.
#[derive(Clone)]
struct Children {
    outcomes: [IntCounter; Outcome::ALL.len()],
    upstream: Histogram,
}

/// The families.
#[derive(Clone)]
pub struct RequestMetrics {
    total: IntCounterVec,
    upstream: HistogramVec,
    decision: Histogram,
    /// Requests being answered now.
    pub in_flight: IntGauge,
    upstream_in_flight: IntGauge,
    pub(super) denied: IntCounterVec,
    pub(super) forged_headers: IntCounter,
    pub(super) upstream_failures: IntCounter,
    pub(super) streams_cut: IntCounterVec,
    pub(super) bad_traces: IntCounter,
    pub(super) asked_in_vain: IntCounterVec,
    routes: HashMap<RouteName, Children>,
    elsewhere: Children,
}

impl RequestMetrics {
    pub(super) fn new(families: &mut Families) -> Result<Self, Error> {
        const OUTCOME: Label = Label::new(
            "outcome",
            "`forwarded`, `allowed` (forward-auth), `needs_login`, `step_up`, `refused`, `unavailable`, `invalid`, \
             `upstream_failed`, `abandoned`, `own`",
        );
        const ROUTE: Label = Label::new(
            "route",
            "the `path` of a `[[route]]`; `(default)` for what none names; `(none)` for our own paths, and before a \
             route was found",
        );
        const WHY: Label = Label::new("why", "`idle`, `session_over`, `reset_flood`");
        const DIALECT: Label = Label::new("dialect", "`nginx`, `envoy`, `traefik`");
        families.group("Requests");
        let total = families.counters(
            "grindvakt_requests_total",
            "What became of requests: each is counted once.",
            &[ROUTE, OUTCOME],
        )?;
        let denied = families.counters(
            "grindvakt_requests_denied_total",
            "Requests denied, by route and code.",
            &[Label::ROUTE, Label::CODE],
        )?;
        let in_flight = families.gauge("grindvakt_requests_in_flight", "Requests being answered now.")?;
        let decision = families.histogram(
            "grindvakt_decision_seconds",
            "From a request's head to the decision to pass it on: what we add to it.",
            &DECISION,
        )?;
        let forged_headers = families.counter(
            "grindvakt_forged_headers_total",
            "Headers removed from requests because they fold to one of ours.",
        )?;
        let bad_traces = families.counter(
            "grindvakt_trace_headers_dropped_total",
            "`traceparent` headers removed from requests because they are not of the form of W3C Trace Context.",
        )?;
        let asked_in_vain = families.counters(
            "grindvakt_asked_in_vain_total",
            "Questions of a proxy (forward-auth) that nothing was decided on: the proxy is not trusted, or asks wrongly.",
            &[DIALECT, Label::CODE],
        )?;
        families.group("E-service");
        let upstream = families.histograms(
            "grindvakt_upstream_seconds",
            "From passing a request on to the head of the e-service's answer.",
            &[Label::ROUTE],
            &UPSTREAM,
        )?;
        let upstream_in_flight =
            families.gauge("grindvakt_upstream_in_flight", "Requests whose answer the e-service has not begun.")?;
        let upstream_failures =
            families.counter("grindvakt_upstream_failures_total", "Requests that the e-service did not answer.")?;
        let streams_cut = families.counters(
            "grindvakt_streams_cut_total",
            "Answers, WebSockets and connections ended before their own end, by why.",
            &[WHY],
        )?;
        for why in ["idle", "session_over", "reset_flood"] {
            streams_cut.with_label_values(&[why]);
        }
        let elsewhere = Children {
            outcomes: Outcome::ALL.map(|outcome| total.with_label_values(&[ELSEWHERE, outcome.name()])),
            // Nothing is passed on without a route: never seen, so it is not shown.
            upstream: Histogram::with_opts(prometheus::HistogramOpts::new("unused", "unused"))?,
        };
        Ok(Self {
            total,
            upstream,
            decision,
            in_flight,
            upstream_in_flight,
            denied,
            forged_headers,
            upstream_failures,
            streams_cut,
            bad_traces,
            asked_in_vain,
            routes: HashMap::new(),
            elsewhere,
        })
    }

    /// The same families with children for other routes.
    pub(super) fn renewed(&self, routes: impl IntoIterator<Item = RouteName>) -> Self {
        let children = routes.into_iter().map(|route| {
            let outcomes = Outcome::ALL.map(|outcome| self.total.with_label_values(&[route.as_str(), outcome.name()]));
            let upstream = self.upstream.with_label_values(&[route.as_str()]);
            (route, Children { outcomes, upstream })
        });
        Self { routes: children.collect(), ..self.clone() }
    }

    fn children(&self, route: Option<&RouteName>) -> &Children {
        route.and_then(|route| self.routes.get(route)).unwrap_or(&self.elsewhere)
    }

    /// Counts a request that was answered without the e-service; no route: of our own paths, or before one was found.
    pub fn answered(&self, route: Option<&RouteName>, outcome: Outcome) {
        if let Some(counter) = self.children(route).outcomes.get(outcome as usize) {
            counter.inc();
        }
    }

    /// A request that came at `began` is passed on now. It is counted when what is returned is dropped.
    pub fn passing(&self, route: &RouteName, began: Instant) -> PassedOn<'_> {
        let now = Instant::now();
        self.decision.observe(now.duration_since(began).as_secs_f64());
        self.upstream_in_flight.inc();
        PassedOn { metrics: self, children: self.children(Some(route)), since: now, outcome: Outcome::Abandoned }
    }

    /// A request that came at `began` was allowed to a proxy that asked.
    pub fn allowed(&self, route: &RouteName, began: Instant) {
        self.decision.observe(began.elapsed().as_secs_f64());
        self.answered(Some(route), Outcome::Allowed);
    }
}

/// A request that the e-service has, and has not answered yet. Dropped with it, also when the client goes away.
pub struct PassedOn<'m> {
    metrics: &'m RequestMetrics,
    children: &'m Children,
    since: Instant,
    outcome: Outcome,
}

impl PassedOn<'_> {
    /// How it ended.
    pub const fn became(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for PassedOn<'_> {
    fn drop(&mut self) {
        self.metrics.upstream_in_flight.dec();
        if self.outcome == Outcome::Forwarded {
            self.children.upstream.observe(self.since.elapsed().as_secs_f64());
        }
        if let Some(counter) = self.children.outcomes.get(self.outcome as usize) {
            counter.inc();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::telemetry::Telemetry;

    #[test]
    fn outcomes_are_counted_where_they_say() {
        for (index, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, index);
        }
        let (one, unknown) = (RouteName::new("/one/*"), RouteName::new("/of/another/configuration"));
        let telemetry = Telemetry::new([], [one.clone()]).unwrap();
        let requests = &telemetry.metrics().requests;
        requests.answered(Some(&one), Outcome::StepUp);
        requests.answered(Some(&unknown), Outcome::Refused);
        requests.answered(None, Outcome::Own);
        drop(requests.passing(&one, Instant::now()));
        let mut passed = requests.passing(&one, Instant::now());
        assert_eq!(requests.upstream_in_flight.get(), 1);
        passed.became(Outcome::Forwarded);
        drop(passed);
        requests.allowed(&one, Instant::now());
        let text = telemetry.metrics().text().unwrap();
        for line in [
            "grindvakt_requests_total{outcome=\"step_up\",route=\"/one/*\"} 1",
            "grindvakt_requests_total{outcome=\"refused\",route=\"(none)\"} 1",
            "grindvakt_requests_total{outcome=\"own\",route=\"(none)\"} 1",
            "grindvakt_requests_total{outcome=\"abandoned\",route=\"/one/*\"} 1",
            "grindvakt_requests_total{outcome=\"forwarded\",route=\"/one/*\"} 1",
            "grindvakt_requests_total{outcome=\"allowed\",route=\"/one/*\"} 1",
            "grindvakt_upstream_seconds_count{route=\"/one/*\"} 1",
            "grindvakt_upstream_in_flight 0",
            "grindvakt_decision_seconds_count 3",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert!(!text.contains("unused") && !text.contains("another"));
    }
}
