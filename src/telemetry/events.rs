//! The events: what happened, and how it is told.

use tracing::{error, info, warn};

use super::Metrics;
use crate::base::{ProviderId, RouteName};

/// Something that happened. It knows which line and which metric tell it.
pub trait Event {
    /// Writes the line and counts.
    fn tell(self, metrics: &Metrics);
}

/// Where no provider was found out.
const NO_PROVIDER: &str = "none";

/// A person was sent to a provider.
pub struct LoginBegun<'a> {
    /// The provider.
    pub provider: &'a ProviderId,
    /// The route that the login is for.
    pub route: &'a RouteName,
}

impl Event for LoginBegun<'_> {
    fn tell(self, metrics: &Metrics) {
        metrics.begun.with_label_values(&[self.provider.as_str()]).inc();
        info!(event = "login_begun", provider = %self.provider, route = %self.route);
    }
}

/// A login led to a session.
pub struct LoginFinished<'a> {
    /// The provider.
    pub provider: &'a ProviderId,
    /// The level, as a URI.
    pub loa: &'a str,
    /// The route that the login was for.
    pub route: &'a RouteName,
}

impl Event for LoginFinished<'_> {
    fn tell(self, metrics: &Metrics) {
        metrics.finished.with_label_values(&[self.provider.as_str()]).inc();
        info!(event = "login_finished", provider = %self.provider, loa = self.loa, route = %self.route);
    }
}

/// A login was refused.
pub struct LoginRefused<'a> {
    /// The stable code.
    pub code: &'static str,
    /// What met what. Never personal data.
    pub detail: &'a str,
    /// The provider, where it is known.
    pub provider: Option<&'a ProviderId>,
    /// What the person can quote.
    pub reference: &'a str,
}

impl Event for LoginRefused<'_> {
    fn tell(self, metrics: &Metrics) {
        let provider = self.provider.map_or(NO_PROVIDER, ProviderId::as_str);
        metrics.refused.with_label_values(&[provider, self.code]).inc();
        warn!(event = "login_refused", code = self.code, provider, reference = self.reference, detail = self.detail);
    }
}

/// A request was denied.
pub struct RequestDenied<'a> {
    /// The stable code.
    pub code: &'static str,
    /// The route that decided.
    pub route: &'a RouteName,
}

impl Event for RequestDenied<'_> {
    fn tell(self, metrics: &Metrics) {
        metrics.denied.with_label_values(&[self.route.as_str(), self.code]).inc();
        info!(event = "request_denied", code = self.code, route = %self.route);
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
        metrics.reloads.with_label_values(&["done"]).inc();
        metrics.reload_good.set(1);
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
        metrics.reloads.with_label_values(&["refused"]).inc();
        metrics.reload_good.set(0);
        for problem in self.problems {
            error!(event = "config_refused", detail = problem, "the configuration before it stays in force");
        }
    }
}

/// A request was passed on: counted only, since the e-service has its own log.
pub struct RequestForwarded<'a> {
    /// The route that decided.
    pub route: &'a RouteName,
}

impl Event for RequestForwarded<'_> {
    fn tell(self, metrics: &Metrics) {
        metrics.forwarded(self.route);
    }
}

/// A session began.
pub struct SessionStarted<'a> {
    /// Its handle, as in `X-Eid-Session`.
    pub session: &'a str,
    /// The provider.
    pub provider: &'a ProviderId,
}

impl Event for SessionStarted<'_> {
    fn tell(self, metrics: &Metrics) {
        metrics.sessions_started.inc();
        info!(event = "session_started", session = self.session, provider = %self.provider);
    }
}

/// A session was ended by someone.
pub struct SessionEnded<'a> {
    /// Its handle.
    pub session: &'a str,
    /// Why: a word of a closed set.
    pub why: &'static str,
}

impl Event for SessionEnded<'_> {
    fn tell(self, metrics: &Metrics) {
        metrics.sessions_ended.with_label_values(&[self.why]).inc();
        info!(event = "session_ended", session = self.session, why = self.why);
    }
}

/// A provider ended sessions.
pub struct ProviderLogout<'a> {
    /// The provider.
    pub provider: &'a ProviderId,
    /// What it named them by: a word of a closed set.
    pub by: &'static str,
    /// Whether every replica knows.
    pub everywhere: bool,
}

impl Event for ProviderLogout<'_> {
    fn tell(self, metrics: &Metrics) {
        metrics.provider_logouts.with_label_values(&[self.provider.as_str(), "done"]).inc();
        let everywhere = self.everywhere;
        info!(event = "provider_logout", provider = %self.provider, by = self.by, everywhere);
    }
}

/// A provider, or somebody who says to be one, wanted to end sessions and was refused.
pub struct ProviderLogoutRefused<'a> {
    /// The provider, where it is known.
    pub provider: Option<&'a ProviderId>,
    /// The stable code.
    pub code: &'static str,
    /// What met what. Never personal data.
    pub detail: &'a str,
}

impl Event for ProviderLogoutRefused<'_> {
    fn tell(self, metrics: &Metrics) {
        let provider = self.provider.map_or(NO_PROVIDER, ProviderId::as_str);
        metrics.provider_logouts.with_label_values(&[provider, "refused"]).inc();
        warn!(event = "provider_logout_refused", code = self.code, provider, detail = self.detail);
    }
}

/// A request came with headers that fold to ours.
pub struct ForgedHeaders {
    /// How many were removed.
    pub count: usize,
}

impl Event for ForgedHeaders {
    fn tell(self, metrics: &Metrics) {
        metrics.forged_headers.inc_by(self.count as u64);
        // The names and values are the sender's: a count is all that is told.
        info!(event = "forged_headers", count = self.count);
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
        metrics.upstream_failures.inc();
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
        metrics.streams_cut.with_label_values(&[self.why]).inc();
        info!(event = "stream_cut", why = self.why);
    }
}
