//! The metric families. Children of what every request counts are resolved at load time: no lock on the hot path.

use std::collections::HashMap;

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

use super::{FetchMetrics, StoreMetrics};
use crate::base::{ProviderId, RouteName};

/// Every family. A clone counts on in the same ones.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    pub(super) denied: IntCounterVec,
    forwarded_family: IntCounterVec,
    /// The children of `forwarded_family`, by route.
    forwarded: HashMap<RouteName, IntCounter>,
    pub(super) reloads: IntCounterVec,
    pub(super) reload_good: IntGauge,
    pub(super) begun: IntCounterVec,
    pub(super) finished: IntCounterVec,
    pub(super) refused: IntCounterVec,
    pub(super) sessions_started: IntCounter,
    pub(super) sessions_ended: IntCounterVec,
    pub(super) provider_logouts: IntCounterVec,
    pub(super) forged_headers: IntCounter,
    pub(super) upstream_failures: IntCounter,
    /// The shared store.
    pub store: StoreMetrics,
    /// What the sidecar fetches by itself.
    pub fetch: FetchMetrics,
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
        Ok(Self::bare()?.renewed(providers, routes))
    }

    /// The same families with children for another configuration. What was counted stays counted.
    pub(super) fn renewed(
        &self,
        providers: impl IntoIterator<Item = ProviderId>,
        routes: impl IntoIterator<Item = RouteName>,
    ) -> Self {
        for provider in providers {
            // A family without a child is invisible: zero is the number that operators want to see.
            self.begun.with_label_values(&[provider.as_str()]);
            self.finished.with_label_values(&[provider.as_str()]);
        }
        let children = routes.into_iter().map(|route| {
            let child = self.forwarded_family.with_label_values(&[route.as_str()]);
            (route, child)
        });
        Self { forwarded: children.collect(), ..self.clone() }
    }

    fn bare() -> Result<Self, prometheus::Error> {
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
        let reloads = vec("grindvakt_config_reloads_total", "Reloads of the configuration, by outcome.", &["outcome"])?;
        for outcome in ["done", "refused"] {
            reloads.with_label_values(&[outcome]);
        }
        let reload_good = IntGauge::new(
            "grindvakt_config_last_reload_successful",
            "1 unless the newest configuration was refused and an older one is in force.",
        )?;
        registry.register(Box::new(reload_good.clone()))?;
        reload_good.set(1);
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
        let streams_cut = vec(
            "grindvakt_streams_cut_total",
            "Answers, WebSockets and connections ended before their own end, by why.",
            &["why"],
        )?;
        for why in ["idle", "session_over", "reset_flood"] {
            streams_cut.with_label_values(&[why]);
        }
        Ok(Self {
            forwarded_family: forwarded,
            forwarded: HashMap::new(),
            reloads,
            reload_good,
            denied: vec("grindvakt_requests_denied_total", "Requests denied, by route and code.", &["route", "code"])?,
            refused: vec(
                "grindvakt_logins_refused_total",
                "Logins refused, by provider and code.",
                &["provider", "code"],
            )?,
            sessions_started: counter("grindvakt_sessions_started_total", "Sessions begun.")?,
            sessions_ended: vec("grindvakt_sessions_ended_total", "Sessions ended by someone, by why.", &["why"])?,
            provider_logouts: vec(
                "grindvakt_provider_logouts_total",
                "Logouts that a provider sent, by outcome.",
                &["provider", "outcome"],
            )?,
            forged_headers: counter(
                "grindvakt_forged_headers_total",
                "Headers removed from requests because they fold to one of ours.",
            )?,
            streams_cut,
            upstream_failures: counter(
                "grindvakt_upstream_failures_total",
                "Requests that the e-service did not answer.",
            )?,
            store: StoreMetrics::new(&registry)?,
            fetch: FetchMetrics::new(&registry)?,
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
