//! What verifying costs and how it ends: by provider, protocol, outcome and reason, and by stage.

use std::time::{Duration, Instant};

use prometheus::{Error, GaugeVec, Histogram, HistogramVec, IntCounterVec};

use super::catalogue::{Families, Label};
use super::{Event, Metrics};
use crate::base::{ProviderId, UnixTime};
use crate::verify::observe::{Observer, Stage};

/// One signature check takes some tens of microseconds, an encrypted assertion a few hundred.
const SECONDS: [f64; 13] =
    [0.000_005, 0.000_01, 0.000_02, 0.000_03, 0.000_05, 0.000_075, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.005, 0.025, 0.1];

/// In what a person's identity came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifiedProtocol {
    /// A SAML Response.
    Saml,
    /// An ID token.
    Oidc,
    /// A bearer token.
    Jwt,
}

impl VerifiedProtocol {
    const ALL: [Self; 3] = [Self::Saml, Self::Oidc, Self::Jwt];

    /// The label's value.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Saml => "saml",
            Self::Oidc => "oidc",
            Self::Jwt => "jwt",
        }
    }
}

/// The names of the stages, in the order in which they come.
const STAGES: [&str; 4] = ["reading", "signatures", "decryption", "claims"];

/// The families.
#[derive(Clone)]
pub struct VerifyMetrics {
    total: IntCounterVec,
    whole: [Histogram; VerifiedProtocol::ALL.len()],
    stages: [Histogram; STAGES.len()],
    skew: GaugeVec,
}

impl VerifyMetrics {
    pub(super) fn new(families: &mut Families) -> Result<Self, Error> {
        const PROTOCOL: Label = Label::new("protocol", "`saml`, `oidc`, `jwt` (bearer tokens)");
        const REASON: Label = Label::new("reason", "a reason code; `none` where it was accepted");
        const OUTCOME: Label = Label::new("outcome", "`accepted`, `rejected`");
        const STAGE: Label = Label::new(
            "stage",
            "`reading` (well-formed, of one reading), `signatures`, `decryption` (only where something was encrypted), \
             `claims`",
        );
        families.group("Verification");
        let total = families.counters(
            "grindvakt_verifications_total",
            "Messages and tokens judged. One that met an unknown key is judged once more when newer keys came.",
            &[Label::PROVIDER, PROTOCOL, OUTCOME, REASON],
        )?;
        let whole: HistogramVec = families.histograms(
            "grindvakt_verification_seconds",
            "What judging one took, whatever the verdict.",
            &[PROTOCOL],
            &SECONDS,
        )?;
        let stages: HistogramVec = families.histograms(
            "grindvakt_verification_stage_seconds",
            "What each stage of judging a SAML message took, where it was come through.",
            &[STAGE],
            &SECONDS,
        )?;
        let skew = families.real_gauges(
            "grindvakt_provider_clock_skew_seconds",
            "The provider's clock against ours, by the newest message: negative is behind, and the message's own way \
             takes a second or two.",
            &[Label::PROVIDER],
        )?;
        Ok(Self {
            total,
            whole: VerifiedProtocol::ALL.map(|protocol| whole.with_label_values(&[protocol.name()])),
            stages: STAGES.map(|stage| stages.with_label_values(&[stage])),
            skew,
        })
    }
}

/// Takes the time of each stage. It has a clock of its own: the verifier has none.
pub struct Stopwatch {
    began: Instant,
    last: Instant,
    /// By the order of [`STAGES`].
    took: [Option<Duration>; STAGES.len()],
}

impl Stopwatch {
    /// Begins now, before the message is read.
    pub fn start() -> Self {
        let now = Instant::now();
        Self { began: now, last: now, took: [None; STAGES.len()] }
    }

    /// The message has been read: it has one reading.
    pub fn read(&mut self) {
        self.lap(0);
    }

    fn lap(&mut self, stage: usize) {
        let now = Instant::now();
        if let Some(took) = self.took.get_mut(stage) {
            *took = Some(now.duration_since(self.last));
        }
        self.last = now;
    }
}

impl Observer for Stopwatch {
    fn mark(&mut self, stage: Stage) {
        self.lap(match stage {
            Stage::Signatures => 1,
            Stage::Decryption => 2,
            Stage::Claims => 3,
        });
    }
}

/// A message or a token was judged.
pub struct Judged<'a> {
    /// The provider.
    pub provider: &'a ProviderId,
    /// What it came in.
    pub protocol: VerifiedProtocol,
    /// The code of the refusal; none where it was accepted.
    pub code: Option<&'static str>,
    /// What it took.
    pub watch: Stopwatch,
    /// When the provider made it, and now, where it was accepted.
    pub made: Option<(UnixTime, UnixTime)>,
}

impl Event for Judged<'_> {
    /// No line: what follows from it is told by whoever asked.
    fn tell(self, metrics: &Metrics) {
        let verify = &metrics.verify;
        let outcome = if self.code.is_none() { "accepted" } else { "rejected" };
        let values = [self.provider.as_str(), self.protocol.name(), outcome, self.code.unwrap_or("none")];
        verify.total.with_label_values(&values).inc();
        if let Some(whole) = verify.whole.get(self.protocol as usize) {
            whole.observe(self.watch.began.elapsed().as_secs_f64());
        }
        for (histogram, took) in verify.stages.iter().zip(self.watch.took) {
            if let Some(took) = took {
                histogram.observe(took.as_secs_f64());
            }
        }
        if let Some((made, now)) = self.made {
            let ahead = made.as_millis().saturating_sub(now.as_millis());
            // Milliseconds of two instants of one login: far below what f64 holds exactly.
            #[allow(clippy::cast_precision_loss)]
            verify.skew.with_label_values(&[self.provider.as_str()]).set(ahead as f64 / 1000.0);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::telemetry::Telemetry;

    #[test]
    fn a_verdict_is_counted_with_its_stages_and_the_providers_clock() {
        let provider = ProviderId::new("bankid").unwrap();
        let telemetry = Telemetry::new([provider.clone()], []).unwrap();
        let mut watch = Stopwatch::start();
        watch.read();
        watch.mark(Stage::Signatures);
        watch.mark(Stage::Claims);
        let now = UnixTime::from_secs(1_000_000);
        let made = Some((now.plus(Duration::from_millis(2500)), now));
        let protocol = VerifiedProtocol::Saml;
        telemetry.emit(Judged { provider: &provider, protocol, code: None, watch, made });
        let watch = Stopwatch::start();
        telemetry.emit(Judged { provider: &provider, protocol, code: Some("xml_doctype"), watch, made: None });
        let text = telemetry.metrics().text().unwrap();
        for line in [
            "grindvakt_verifications_total{outcome=\"accepted\",protocol=\"saml\",provider=\"bankid\",reason=\"none\"} 1",
            "grindvakt_verifications_total{outcome=\"rejected\",protocol=\"saml\",provider=\"bankid\",reason=\"xml_doctype\"} 1",
            "grindvakt_verification_seconds_count{protocol=\"saml\"} 2",
            "grindvakt_verification_stage_seconds_count{stage=\"reading\"} 1",
            "grindvakt_verification_stage_seconds_count{stage=\"signatures\"} 1",
            "grindvakt_verification_stage_seconds_count{stage=\"decryption\"} 0",
            "grindvakt_verification_stage_seconds_count{stage=\"claims\"} 1",
            "grindvakt_provider_clock_skew_seconds{provider=\"bankid\"} 2.5",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
