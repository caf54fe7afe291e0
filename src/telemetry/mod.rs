//! What operators see: one decision is one event, and one event is both a log line and a metric.
//!
//! Labels come from closed sets alone: provider ids and route names of the configuration, and stable codes. No event
//! holds a person, a path or anything else that a request brought.

pub mod catalogue;
mod events;
mod fetch;
mod health;
mod log;
mod logins;
mod metrics;
mod overrides;
mod requests;
mod store;
pub mod trace;
mod verifications;

pub use events::{
    AskedInVain, BadTrace, ConfigRefused, ConfigReloaded, Event, FaultShown, ForgedHeaders, RequestDenied, StreamCut,
    UpstreamFailed,
};
pub use fetch::{
    CopyNotKept, DocumentChanged, DocumentConfirmed, EarlyFetch, FetchFailed, FetchMetrics, KeysChanged, MetadataFault,
    RefreshFailed,
};
pub use health::{
    BreakerElsewhere, BreakerMoved, EgressChanged, FailedOver, HealthMetrics, Probed, ProviderFault, SuspicionChanged,
};
pub use log::init as init_log;
pub use logins::{
    Instead, LoginBegun, LoginFinished, LoginMetrics, LoginRefused, LoginReturned, LogoutUnanswered, ProviderLogout,
    ProviderLogoutRefused, SessionEnded, SessionStarted,
};
pub use metrics::{CacheCounters, CacheMetrics, Metrics, StateMetrics};
pub use overrides::{OverrideGiven, OverrideTakenBack};
pub use requests::{Outcome, PassedOn, RequestMetrics};
pub use store::{StoreAsked, StoreConnected, StoreLost, StoreMetrics, StoreWarned};
pub use verifications::{Judged, Stopwatch, VerifiedProtocol, VerifyMetrics};

use crate::base::{ProviderId, RouteName};

/// Metrics and log, behind one door.
pub struct Telemetry {
    metrics: Metrics,
}

impl Telemetry {
    /// With the closed sets that labels may come from.
    ///
    /// # Errors
    /// The registry refused a family, which a unit test would have shown.
    pub fn new(
        providers: impl IntoIterator<Item = ProviderId>,
        routes: impl IntoIterator<Item = RouteName>,
    ) -> Result<Self, prometheus::Error> {
        Ok(Self { metrics: Metrics::new(providers, routes)? })
    }

    /// The same families for another configuration: what was counted stays counted.
    #[must_use]
    pub fn renewed(
        &self,
        providers: impl IntoIterator<Item = ProviderId>,
        routes: impl IntoIterator<Item = RouteName>,
    ) -> Self {
        Self { metrics: self.metrics.renewed(providers, routes) }
    }

    /// Tells what happened.
    pub fn emit(&self, event: impl Event) {
        event.tell(&self.metrics);
    }

    /// The families, for those that count without an event: requests in flight.
    pub const fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}
