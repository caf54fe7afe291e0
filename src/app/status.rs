//! What the admin address tells.

use std::sync::atomic::Ordering;

use serde_json::json;

use super::{Shared, health};
use crate::base::UnixTime;
use crate::config::Override;
use crate::http::admin::AdminState;
use crate::http::upstream::Upstream as _;
use crate::provider::ProviderEntry;
use crate::provider::source::{Origin, Status};
use crate::provider::standby::Loss;

/// A feed as `/status` shows it.
fn feed_status(status: &Status) -> serde_json::Value {
    let at = |instant: Option<UnixTime>| instant.map(|at| at.to_string());
    json!({
        "id": status.feed.as_str(),
        "entity": status.entity,
        "state": status.freshness.name(),
        "origin": status.origin.map(Origin::name),
        "confirmed": at(status.confirmed),
        "valid_until": at(status.valid_until),
        "usable_until": at(status.until),
        "last_attempt": at(status.last_attempt),
        "last_success": at(status.last_success),
        "next_attempt": at(status.next_attempt),
        "fetching": status.fetching,
        "failures": status.failures,
        "trouble": status.trouble.as_ref().map(|trouble| json!({
            "code": trouble.code,
            "detail": trouble.detail,
            "at": trouble.at.to_string(),
        })),
    })
}

/// An operator's word as `/status` shows it.
fn word_status(word: &Override) -> serde_json::Value {
    let at = |instant: Option<UnixTime>| instant.map(|at| at.to_string());
    json!({
        "state": word.state.name(),
        "from": at(word.from),
        "until": at(word.until),
        "who": word.who,
        "why": word.why,
    })
}

/// What is left when one provider fails, as `/status` shows it.
fn loss_status(loss: &Loss<'_>) -> serde_json::Value {
    let others = loss.others.iter().map(|(other, part)| (other.config().id.to_string(), part.to_string().into()));
    json!({
        "provider": loss.provider.config().id.as_str(),
        "stands_in": loss.stands_in().map(|other| other.config().id.as_str()),
        "leaves_a_way": loss.leaves_a_way(),
        "others": serde_json::Value::Object(others.collect()),
    })
}

impl Shared {
    fn store(&self) -> serde_json::Value {
        let store = self.workshop.lasting.store();
        let Some(status) = store.status() else {
            return json!({ "kind": "memory", "revocations": store.revoked().len() });
        };
        json!({
            "kind": "redis",
            "node": status.node,
            // No connection, for this reason: logins are refused, sessions go on.
            "fault": status.fault.as_ref().map(|fault| fault.kind.code()),
            "detail": status.fault.as_ref().map(|fault| fault.detail.as_str()),
            // Its memory is the same since then: what was begun before begins again.
            "since": status.since.map(|at| at.to_string()),
            "revocations": status.ended,
            "revocations_waiting": status.waiting,
            "revocations_stale": status.stale,
        })
    }
}

impl AdminState for Shared {
    fn ready(&self) -> Result<String, &'static str> {
        if self.stopping.load(Ordering::Relaxed) {
            return Err("stopping");
        }
        // A copied cookie of somebody who has left must not be good again at each replica that starts.
        if self.workshop.lasting.store().awaits_first_look() {
            return Err("the store has not told yet who has logged out");
        }
        let now = self.workshop.clock.now();
        let snapshot = self.current.load().gate.providers();
        if !snapshot.any_usable(now) {
            return Err("no provider has valid keys");
        }
        let line = |provider: &ProviderEntry| {
            let is = if provider.usable(now).is_ok() { "usable" } else { "without valid keys" };
            format!("{}: {is}\n", provider.config().id)
        };
        Ok(snapshot.all().iter().map(line).collect())
    }

    fn started(&self) -> bool {
        // The admin address answers only once everything is there.
        true
    }

    fn metrics(&self) -> String {
        let now = self.workshop.clock.now();
        let current = self.current.load_full();
        self.observe(&current, now);
        current.telemetry.metrics().text().unwrap_or_else(|e| format!("# {e}\n"))
    }

    fn status(&self) -> serde_json::Value {
        let now = self.workshop.clock.now();
        let current = self.current.load_full();
        let config = &current.config;
        let snapshot = current.gate.providers();
        let (given, words) = (self.workshop.lasting.overrides(), &config.overrides);
        let board = current.gate.board();
        let reports = board.reports(now);
        let providers = snapshot.all().iter().map(|provider| {
            let config = provider.config();
            let why_not = provider.usable(now).err();
            let loa: Vec<String> = match provider.saml(now) {
                Ok(saml) => saml.certified().map(str::to_owned).collect(),
                // What its own documents say of levels binds nobody: the configuration does.
                Err(_) if why_not.is_none() => config.loa.clone(),
                Err(_) => Vec::new(),
            };
            json!({
                "id": config.id.as_str(),
                "eid": config.eid.as_str(),
                "protocol": config.protocol.name(),
                "usable": why_not.is_none(),
                "detail": why_not.map(|why| why.to_string()),
                "loa": loa,
                "valid_until": provider.until().map(|at| at.to_string()),
                "health": reports.iter().find(|report| report.provider == config.id).map(health::report),
                // An operator's word, which counts before what its health looks like.
                "override": given.on(&config.id, words, now).as_ref().map(word_status),
            })
        });
        let feeds = current.gate.refresher().map(|refresher| refresher.feeds().status(now)).unwrap_or_default();
        json!({
            "at": now.to_string(),
            "version": env!("CARGO_PKG_VERSION"),
            "environment": config.environment.name(),
            "service": config.service.id.as_str(),
            "stopping": self.stopping.load(Ordering::Relaxed),
            // Not empty: an older configuration than the newest is in force, for these reasons.
            "config_refused": self.refused(),
            "store": self.store(),
            // Every probe fails at once: nothing is known of any provider.
            "egress_unknown": board.egress_broken(),
            "providers": providers.collect::<Vec<_>>(),
            // What is left of each route when one of its providers fails, as things are now.
            "failover": current.gate.losses(&snapshot, now).iter().map(|(route, losses)| json!({
                "route": route.name.as_str(),
                "without": losses.iter().map(loss_status).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
            "metadata": feeds.iter().map(feed_status).collect::<Vec<_>>(),
        })
    }

    async fn upstream_reachable(&self) -> bool {
        let current = self.current.load_full();
        let Some(upstream) = current.upstreams.first() else { return false };
        upstream.reachable().await
    }
}
