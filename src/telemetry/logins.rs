//! Logins and sessions: events and metrics.

use std::time::Duration;

use prometheus::{Error, HistogramVec, IntCounter, IntCounterVec};
use tracing::{info, warn};

use super::catalogue::{Families, Label};
use super::{Event, Metrics};
use crate::base::{ProviderId, RouteName};
use crate::identity::Loa;

/// Where no provider was found out.
const NO_PROVIDER: &str = "none";

/// Between a login's beginning and its end a person finds a telephone and a code.
const LOGIN: [f64; 10] = [1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 60.0, 120.0, 300.0, 1800.0];

/// The families.
#[derive(Clone)]
pub struct LoginMetrics {
    begun: IntCounterVec,
    returned: IntCounterVec,
    finished: IntCounterVec,
    refused: IntCounterVec,
    took: HistogramVec,
    asked: IntCounterVec,
    got: IntCounterVec,
    sessions_started: IntCounter,
    sessions_ended: IntCounterVec,
    provider_logouts: IntCounterVec,
}

impl LoginMetrics {
    pub(super) fn new(families: &mut Families) -> Result<Self, Error> {
        const WHY: Label = Label::new("why", "`logout`, `new login`");
        const DONE: Label =
            Label::new("outcome", "`done`, `refused`; `unanswered` besides, where no answer could be signed");
        families.group("Logins and sessions");
        Ok(Self {
            begun: families.counters(
                "grindvakt_logins_begun_total",
                "People sent to a provider.",
                &[Label::PROVIDER],
            )?,
            returned: families.counters(
                "grindvakt_logins_returned_total",
                "Answers that came back to a login of this browser: to be verified.",
                &[Label::PROVIDER],
            )?,
            finished: families.counters(
                "grindvakt_logins_finished_total",
                "Logins that led to a session.",
                &[Label::PROVIDER],
            )?,
            refused: families.counters(
                "grindvakt_logins_refused_total",
                "Logins refused, by provider and code.",
                &[Label::PROVIDER_OR_NONE, Label::CODE],
            )?,
            took: families.histograms(
                "grindvakt_login_seconds",
                "From sending a person to a provider to the session: the person's own time is in it.",
                &[Label::PROVIDER],
                &LOGIN,
            )?,
            asked: families.counters(
                "grindvakt_loa_asked_total",
                "Levels of assurance asked for, one for each level of a request.",
                &[Label::PROVIDER, Label::LOA],
            )?,
            got: families.counters(
                "grindvakt_loa_got_total",
                "Levels of assurance of finished logins.",
                &[Label::PROVIDER, Label::LOA],
            )?,
            sessions_started: families.counter("grindvakt_sessions_started_total", "Sessions begun.")?,
            sessions_ended: families.counters(
                "grindvakt_sessions_ended_total",
                "Sessions ended by someone, by why.",
                &[WHY],
            )?,
            provider_logouts: families.counters(
                "grindvakt_provider_logouts_total",
                "Logouts that came from a provider, by whether its order was carried out.",
                &[Label::PROVIDER_OR_NONE, DONE],
            )?,
        })
    }

    /// Shows a provider's families before anything has happened: zero is the number that operators want to see.
    pub(super) fn know(&self, provider: &ProviderId) {
        for family in [&self.begun, &self.returned, &self.finished] {
            family.with_label_values(&[provider.as_str()]);
        }
        self.took.with_label_values(&[provider.as_str()]);
    }
}

/// A closed set, whatever a provider calls its levels.
fn short(loa: &str) -> &'static str {
    Loa::from_uri(loa).short().unwrap_or("other")
}

/// In the place of whom a person was sent somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instead<'a> {
    /// The preferred provider, which was passed over for its health.
    pub provider: &'a ProviderId,
    /// Whether a page has said so, and the person went on from there; else they were led on without a word.
    pub asked: bool,
}

/// A person was sent to a provider.
pub struct LoginBegun<'a> {
    /// The provider.
    pub provider: &'a ProviderId,
    /// The route that the login is for.
    pub route: &'a RouteName,
    /// The levels that are asked for, as URIs; none where the provider is asked for none.
    pub asked: &'a [String],
    /// In the place of another provider, which does not do.
    pub instead_of: Option<Instead<'a>>,
}

impl Event for LoginBegun<'_> {
    fn tell(self, metrics: &Metrics) {
        let provider = self.provider.as_str();
        metrics.logins.begun.with_label_values(&[provider]).inc();
        for loa in self.asked {
            metrics.logins.asked.with_label_values(&[provider, short(loa)]).inc();
        }
        match self.instead_of {
            Some(Instead { provider: instead_of, asked }) => {
                metrics.health.taken(instead_of, asked);
                info!(event = "login_begun", provider, route = %self.route, %instead_of);
            }
            None => info!(event = "login_begun", provider, route = %self.route),
        }
    }
}

/// An answer came to a login that this browser has begun. Counted only: what becomes of it is told.
pub struct LoginReturned<'a> {
    /// The provider.
    pub provider: &'a ProviderId,
}

impl Event for LoginReturned<'_> {
    fn tell(self, metrics: &Metrics) {
        metrics.logins.returned.with_label_values(&[self.provider.as_str()]).inc();
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
    /// Since it was begun; none where this browser has begun none.
    pub took: Option<Duration>,
}

impl Event for LoginFinished<'_> {
    fn tell(self, metrics: &Metrics) {
        let (provider, logins) = (self.provider.as_str(), &metrics.logins);
        logins.finished.with_label_values(&[provider]).inc();
        logins.got.with_label_values(&[provider, short(self.loa)]).inc();
        if let Some(took) = self.took {
            logins.took.with_label_values(&[provider]).observe(took.as_secs_f64());
        }
        info!(event = "login_finished", provider, loa = self.loa, route = %self.route);
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
        metrics.logins.refused.with_label_values(&[provider, self.code]).inc();
        warn!(event = "login_refused", code = self.code, provider, reference = self.reference, detail = self.detail);
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
        metrics.logins.sessions_started.inc();
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
        metrics.logins.sessions_ended.with_label_values(&[self.why]).inc();
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
        metrics.logins.provider_logouts.with_label_values(&[self.provider.as_str(), "done"]).inc();
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
    /// What the page bears, where there is one.
    pub reference: Option<&'a str>,
}

impl Event for ProviderLogoutRefused<'_> {
    fn tell(self, metrics: &Metrics) {
        let provider = self.provider.map_or(NO_PROVIDER, ProviderId::as_str);
        metrics.logins.provider_logouts.with_label_values(&[provider, "refused"]).inc();
        let reference = self.reference.unwrap_or_default();
        warn!(event = "provider_logout_refused", code = self.code, provider, detail = self.detail, reference);
    }
}

/// Sessions were ended as a provider ordered, and it gets no answer of it.
pub struct LogoutUnanswered<'a> {
    /// The provider.
    pub provider: &'a ProviderId,
    /// What stood in the way. Never personal data.
    pub cause: &'a str,
}

impl Event for LogoutUnanswered<'_> {
    fn tell(self, metrics: &Metrics) {
        metrics.logins.provider_logouts.with_label_values(&[self.provider.as_str(), "unanswered"]).inc();
        warn!(event = "provider_logout_unanswered", provider = %self.provider, cause = self.cause);
    }
}
