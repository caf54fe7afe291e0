//! Gauges that tell of time that passes, and of what is so now: set when somebody looks.

use std::sync::atomic::Ordering;

use super::Shared;
use super::generation::Generation;
use crate::base::UnixTime;
use crate::config::{Config, print};
use crate::crypto::certificate;
use crate::crypto::digest::sha256;
use crate::telemetry::StateMetrics;

impl Shared {
    /// Brings every gauge up to `now`.
    pub(super) fn observe(&self, current: &Generation, now: UnixTime) {
        let metrics = current.telemetry.metrics();
        providers(&metrics.state, current, now);
        current.gate.board().observe(metrics, now);
        let overrides = self.workshop.lasting.overrides();
        metrics.state.provider_override.reset();
        for provider in &current.config.providers {
            if let Some(state) = overrides.forced(&provider.id, &current.config.overrides, now) {
                metrics.state.provider_override.with_label_values(&[provider.id.as_str(), state.name()]).set(1);
            }
        }
        own_certificates(&metrics.state, current, now);
        metrics.state.stopping.set(i64::from(self.stopping.load(Ordering::Relaxed)));
        for (cache, entries) in current.gate.kept() {
            metrics.caches.entries.with_label_values(&[cache]).set(i64::try_from(entries).unwrap_or(i64::MAX));
        }
        let store = self.workshop.lasting.store();
        metrics.caches.replay_entries.set(i64::try_from(store.remembered()).unwrap_or(i64::MAX));
        metrics.store.show(store.status().as_ref(), store.revoked().len());
        if let Some(refresher) = current.gate.refresher() {
            refresher.feeds().observe(metrics, now);
        }
    }
}

/// Providers that are no longer configured are not told of any more.
fn providers(state: &StateMetrics, current: &Generation, now: UnixTime) {
    state.provider_usable.reset();
    state.provider_expiry.reset();
    for provider in current.gate.providers().all() {
        let id = provider.config().id.as_str();
        let usable = provider.usable(now).is_ok();
        state.provider_usable.with_label_values(&[id]).set(i64::from(usable));
        let left = if usable { provider.until().map(|until| seconds_to(until, now)) } else { Some(0) };
        if let Some(left) = left {
            state.provider_expiry.with_label_values(&[id]).set(left);
        }
    }
}

fn own_certificates(state: &StateMetrics, current: &Generation, now: UnixTime) {
    state.own_expiry.reset();
    for (purpose, der) in current.gate.own_certificates() {
        let Some(end) = certificate::not_after(der) else { continue };
        let gauge = state.own_expiry.with_label_values(&[purpose]);
        // A gauge that was just made shows 0: the first end of several counts.
        let left = seconds_to(end, now);
        gauge.set(if gauge.get() == 0 { left } else { left.min(gauge.get()) });
    }
}

/// Negative when it is over.
const fn seconds_to(end: UnixTime, now: UnixTime) -> i64 {
    end.as_secs().saturating_sub(now.as_secs())
}

/// Tells which configuration is in force from `at` on.
pub(super) fn in_force(state: &StateMetrics, config: &Config, at: UnixTime) {
    let digest: String = sha256(print(config).as_bytes()).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    state.in_force(config.service.id.as_str(), config.environment.name(), &digest, at.as_secs());
}
