//! The health of providers: events and metrics.

use prometheus::{Error, IntCounterVec, IntGauge, IntGaugeVec};
use tracing::{debug, error, info, warn};

use super::catalogue::{Families, Label};
use super::{Event, Metrics};
use crate::base::ProviderId;

/// The families.
#[derive(Clone)]
pub struct HealthMetrics {
    probes: IntCounterVec,
    moves: IntCounterVec,
    elsewhere: IntCounterVec,
    failovers: IntCounterVec,
    taken: IntCounterVec,
    faults: IntCounterVec,
    /// 1 for the state that a provider's breaker is in, 0 for the others.
    pub breaker: IntGaugeVec,
    /// 1 while a provider's logins do not come back.
    pub suspected: IntGaugeVec,
    /// 1 while our own way out is broken.
    pub egress: IntGauge,
}

impl HealthMetrics {
    pub(super) fn new(families: &mut Families) -> Result<Self, Error> {
        const OUTCOME: Label =
            Label::new("outcome", "`up`; `unknown` where it may be our own fault; the code of what failed");
        const TO: Label = Label::new("to", "`closed`, `open`, `half_open`");
        const ELSEWHERE: Label = Label::new("to", "`open`, `closed`");
        const STATE: Label = Label::new("state", "`closed`, `open`, `half_open`");
        const HOW: Label =
            Label::new("how", "`silent`: to another provider of the same e-ID; `asked`: the person was offered others");
        const HOW_TAKEN: Label =
            Label::new("how", "`silent`: at once, without a word; `asked`: by a button of the page that offered it");
        families.group("Health of providers");
        Ok(Self {
            probes: families.counters(
                "grindvakt_probes_total",
                "Probes of sign-on and discovery addresses, by outcome.",
                &[Label::PROVIDER, OUTCOME],
            )?,
            moves: families.counters(
                "grindvakt_breaker_moves_total",
                "Moves of a provider's breaker. Many in a short time: it comes and goes.",
                &[Label::PROVIDER, TO],
            )?,
            elsewhere: families.counters(
                "grindvakt_breaker_elsewhere_total",
                "Moves of a provider's breaker at other replicas, heard of through the shared store: hints.",
                &[Label::PROVIDER, ELSEWHERE],
            )?,
            failovers: families.counters(
                "grindvakt_failovers_total",
                "Logins for which the preferred provider was passed over because of its health.",
                &[Label::PROVIDER, HOW],
            )?,
            taken: families.counters(
                "grindvakt_failovers_taken_total",
                "Logins that were begun elsewhere than at the preferred provider while it was in trouble, counted for the \
                 preferred one: the share of `grindvakt_failovers_total` that went on. What becomes of them is counted \
                 for the provider that they were begun at.",
                &[Label::PROVIDER, HOW_TAKEN],
            )?,
            faults: families.counters(
                "grindvakt_provider_faults_total",
                "Technical errors in signed answers, and token endpoints that gave no answer.",
                &[Label::PROVIDER],
            )?,
            breaker: families.gauges(
                "grindvakt_provider_breaker",
                "1 for the state that the provider's breaker is in, else 0.",
                &[Label::PROVIDER, STATE],
            )?,
            suspected: families.gauges(
                "grindvakt_provider_suspected",
                "1 while logins that were begun do not come back as they use to.",
                &[Label::PROVIDER],
            )?,
            egress: families.gauge(
                "grindvakt_egress_unknown",
                "1 while every probe fails at once: our own way out is broken, and nothing is known of any provider.",
            )?,
        })
    }

    /// A login was begun in the place of one at `preferred`.
    pub(super) fn taken(&self, preferred: &ProviderId, asked: bool) {
        self.taken.with_label_values(&[preferred.as_str(), how(asked)]).inc();
    }

    /// Shows a provider's families before anything has happened.
    pub(super) fn know(&self, provider: &ProviderId) {
        for to in ["closed", "open", "half_open"] {
            self.moves.with_label_values(&[provider.as_str(), to]);
        }
        // A counter that appears with its first count has no rate: the first who are led elsewhere would not be seen.
        for how in ["silent", "asked"] {
            self.failovers.with_label_values(&[provider.as_str(), how]);
            self.taken.with_label_values(&[provider.as_str(), how]);
        }
        self.faults.with_label_values(&[provider.as_str()]);
    }
}

/// How a login is led elsewhere, as a label.
const fn how(asked: bool) -> &'static str {
    if asked { "asked" } else { "silent" }
}

/// A probe was made.
pub struct Probed<'a> {
    /// The provider.
    pub provider: &'a ProviderId,
    /// `up`, `unknown`, or the code of what failed.
    pub outcome: &'static str,
    /// What failed.
    pub detail: Option<&'a str>,
    /// Whether the one before it had another outcome.
    pub changed: bool,
}

impl Event for Probed<'_> {
    fn tell(self, metrics: &Metrics) {
        metrics.health.probes.with_label_values(&[self.provider.as_str(), self.outcome]).inc();
        let detail = self.detail.unwrap_or_default();
        match (self.changed, self.detail) {
            (true, Some(_)) => {
                warn!(event = "probe_failed", provider = %self.provider, outcome = self.outcome, detail);
            }
            (true, None) => info!(event = "probe_up", provider = %self.provider),
            (false, _) => debug!(event = "probed", provider = %self.provider, outcome = self.outcome, detail),
        }
    }
}

/// A breaker went from one state to another.
pub struct BreakerMoved<'a> {
    /// The provider.
    pub provider: &'a ProviderId,
    /// From.
    pub from: &'static str,
    /// To.
    pub to: &'static str,
    /// By what it was opened.
    pub cause: &'static str,
}

impl Event for BreakerMoved<'_> {
    fn tell(self, metrics: &Metrics) {
        metrics.health.moves.with_label_values(&[self.provider.as_str(), self.to]).inc();
        let Self { provider, from, to, cause } = self;
        if to == "open" {
            warn!(event = "breaker_moved", %provider, from, to, cause, "new logins are led to the alternates");
        } else {
            info!(event = "breaker_moved", %provider, from, to, cause);
        }
    }
}

/// The breaker of another replica moved: a hint.
pub struct BreakerElsewhere<'a> {
    /// The provider.
    pub provider: &'a ProviderId,
    /// `open` or `closed`.
    pub to: &'static str,
    /// By what it was opened there.
    pub cause: &'static str,
}

impl Event for BreakerElsewhere<'_> {
    fn tell(self, metrics: &Metrics) {
        let Self { provider, to, cause } = self;
        metrics.health.elsewhere.with_label_values(&[provider.as_str(), to]).inc();
        info!(event = "breaker_elsewhere", %provider, to, cause, "another replica's breaker moved");
    }
}

/// Logins that were begun do not come back, or do again.
pub struct SuspicionChanged<'a> {
    /// The provider.
    pub provider: &'a ProviderId,
    /// Whether it is suspected from now on.
    pub suspected: bool,
}

impl Event for SuspicionChanged<'_> {
    fn tell(self, _: &Metrics) {
        let provider = self.provider;
        if self.suspected {
            warn!(event = "provider_suspected", %provider, "logins that were begun do not come back: look at it yourself");
        } else {
            info!(event = "provider_answers_again", %provider);
        }
    }
}

/// A technical error in a signed answer, or a token endpoint that gave none.
pub struct ProviderFault<'a> {
    /// The provider.
    pub provider: &'a ProviderId,
    /// Where: a word of a closed set.
    pub at: &'static str,
    /// Whether it counts: once for each login, and for each client network and minute.
    pub counts: bool,
}

impl Event for ProviderFault<'_> {
    fn tell(self, metrics: &Metrics) {
        metrics.health.faults.with_label_values(&[self.provider.as_str()]).inc();
        warn!(event = "provider_fault", provider = %self.provider, at = self.at, counts = self.counts);
    }
}

/// Every probe fails at once, or some succeed again.
pub struct EgressChanged {
    /// Whether our own way out is broken from now on.
    pub broken: bool,
    /// How many providers were looked at.
    pub probed: usize,
}

impl Event for EgressChanged {
    fn tell(self, _: &Metrics) {
        if self.broken {
            error!(
                event = "egress_unknown",
                probed = self.probed,
                "every probe fails at once: our own way out is broken; people are sent to providers as before"
            );
        } else {
            info!(event = "egress_back", probed = self.probed);
        }
    }
}

/// The preferred provider was passed over because of its health.
pub struct FailedOver<'a> {
    /// The preferred one.
    pub provider: &'a ProviderId,
    /// The one that the person was sent to; none: they were shown the choice.
    pub to: Option<&'a ProviderId>,
    /// Whether the person was told; else they were led on without a word.
    pub asked: bool,
    /// What trouble the preferred one is in.
    pub trouble: &'static str,
}

impl Event for FailedOver<'_> {
    fn tell(self, metrics: &Metrics) {
        let how = how(self.asked);
        metrics.health.failovers.with_label_values(&[self.provider.as_str(), how]).inc();
        let to = self.to.map_or("", ProviderId::as_str);
        info!(event = "failed_over", provider = %self.provider, how, to, trouble = self.trouble);
    }
}
