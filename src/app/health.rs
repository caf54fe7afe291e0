//! How the providers do, as `/status` shows it.

use serde_json::{Value, json};

use crate::base::UnixTime;
use crate::provider::Trouble;
use crate::provider::breaker::Phase;
use crate::provider::health::Report;

/// One provider's health.
pub(super) fn report(report: &Report) -> Value {
    let at = |instant: Option<UnixTime>| instant.map(|at| at.to_string());
    let until = match report.phase {
        Phase::Open { until } => Some(until),
        Phase::Closed | Phase::HalfOpen => None,
    };
    json!({
        "breaker": report.phase.name(),
        // By what it was opened; its trial is by the same.
        "cause": (report.phase != Phase::Closed).then(|| report.cause.name()),
        "trial_at": at(until),
        // What people are told; null: nothing is known against it.
        "trouble": report.trouble.map(Trouble::name),
        "probe": if report.probed { report.probe } else { Some("off") },
        "probe_detail": report.probe_detail,
        "probe_at": at(report.probe_at),
        "probe_disproved": report.probe_disproved,
        "suspected": report.suspected,
        // Another replica's breaker opened: here it counts as one failed probe, or one fault, for a minute.
        "open_elsewhere": report.elsewhere.map(|(cause, at)| json!({ "cause": cause.name(), "at": at.to_string() })),
        "last_answer": at(report.last_answer),
        // Once for each client network and minute.
        "begun_since_answer": report.begun_since,
        "usual_answers_a_minute": report.usual_rate.map(|rate| (rate * 6000.0).round() / 100.0),
    })
}
