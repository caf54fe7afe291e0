//! The metric families. Children of what every request counts are resolved at load time: no lock on the hot path.

use std::collections::HashMap;

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

use crate::base::{ProviderId, RouteName};

/// Every family.
pub struct Metrics {
    registry: Registry,
    pub(super) denied: IntCounterVec,
    forwarded: HashMap<RouteName, IntCounter>,
    pub(super) begun: IntCounterVec,
    pub(super) finished: IntCounterVec,
    pub(super) refused: IntCounterVec,
    pub(super) sessions_started: IntCounter,
    pub(super) sessions_ended: IntCounterVec,
    pub(super) forged_headers: IntCounter,
    pub(super) upstream_failures: IntCounter,
    pub(super) streams_cut: IntCounterVec,
    /// Requests being answered now.
    pub in_flight: IntGauge,
    /// 1 for each provider that has valid keys now, else 0.
    pub provider_usable: IntGaugeVec,
}

impl Metrics {
    pub(super) fn new(
        providers: impl IntoIterator<Item = ProviderId>,
        routes: impl IntoIterator<Item = RouteName>,
    ) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let vec = |name: &str, help: &str, labels: &[&str]| {
            let family = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(family.clone()))?;
            Ok::<_, prometheus::Error>(family)
        };
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let forwarded =
            vec("grindvakt_requests_forwarded_total", "Requests passed on to the e-service, by route.", &["route"])?;
        let begun = vec("grindvakt_logins_begun_total", "People sent to a provider.", &["provider"])?;
        let finished = vec("grindvakt_logins_finished_total", "Logins that led to a session.", &["provider"])?;
        for provider in providers {
            // A family without a child is invisible: zero is the number that operators want to see.
            begun.with_label_values(&[provider.as_str()]);
            finished.with_label_values(&[provider.as_str()]);
        }
        let children = routes.into_iter().map(|route| {
            let child = forwarded.with_label_values(&[route.as_str()]);
            (route, child)
        });
        let in_flight = IntGauge::new("grindvakt_requests_in_flight", "Requests being answered now.")?;
        registry.register(Box::new(in_flight.clone()))?;
        let usable = IntGaugeVec::new(
            Opts::new("grindvakt_provider_usable", "1 while the provider has valid keys, else 0."),
            &["provider"],
        )?;
        registry.register(Box::new(usable.clone()))?;
        let build =
            IntGaugeVec::new(Opts::new("grindvakt_build_info", "Always 1; the labels tell the build."), &["version"])?;
        registry.register(Box::new(build.clone()))?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Ok(Self {
            forwarded: children.collect(),
            denied: vec("grindvakt_requests_denied_total", "Requests denied, by route and code.", &["route", "code"])?,
            refused: vec(
                "grindvakt_logins_refused_total",
                "Logins refused, by provider and code.",
                &["provider", "code"],
            )?,
            sessions_started: counter("grindvakt_sessions_started_total", "Sessions begun.")?,
            sessions_ended: vec("grindvakt_sessions_ended_total", "Sessions ended by someone, by why.", &["why"])?,
            forged_headers: counter(
                "grindvakt_forged_headers_total",
                "Headers removed from requests because they fold to one of ours.",
            )?,
            streams_cut: vec(
                "grindvakt_streams_cut_total",
                "Answers, WebSockets and connections ended before their own end, by why.",
                &["why"],
            )?,
            upstream_failures: counter(
                "grindvakt_upstream_failures_total",
                "Requests that the e-service did not answer.",
            )?,
            begun,
            finished,
            in_flight,
            provider_usable: usable,
            registry,
        })
    }

    /// A request of `route` was passed on.
    pub fn forwarded(&self, route: &RouteName) {
        if let Some(child) = self.forwarded.get(route) {
            child.inc();
        }
    }

    /// The whole registry in Prometheus' text form.
    ///
    /// # Errors
    /// The encoder failed.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}
