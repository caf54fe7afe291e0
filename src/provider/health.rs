//! The board: what is known of each provider's health. What operators say of it counts before that (`overrides`).
//!
//! # What is ours and what is theirs
//!
//! Probes go out by our own way, people's logins do not. So what a probe says is weighed before a breaker hears of it:
//!
//! - What fails **before TCP** (a name that does not resolve, a proxy that cannot be reached or refuses us), and a
//!   certificate that nobody we trust has signed (an inspecting proxy, a missing authority), is about us. The provider's
//!   state is *unknown*.
//! - When **every probe of a round fails**, our own way out is broken: all states are unknown, there is an alarm, and no
//!   breaker moves. An answer is the one exception: whoever answers with a status, over TLS that holds, shows that our way
//!   out works, and that the fault is theirs.
//!
//! All probes of a round are made at the same time and judged together, so that "at once" needs no guess.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Trouble;
use super::breaker::{Breaker, Cause, Moved, Phase, Signal};
use super::fetch::{FetchError, Probe, Stage, TlsFault};
use super::silence::{ClientNetwork, OncePerMinute, Silence};
use crate::base::{ProviderId, UnixTime};
use crate::config::{Config, Environment};
use crate::telemetry::{
    BreakerElsewhere, BreakerMoved, EgressChanged, Metrics, Probed, ProviderFault, SuspicionChanged, Telemetry,
};

/// Logins whose fault has counted, so that an answer that is sent again counts once. A minute's faults are fewer: three
/// open the breaker.
const FAULTS_KEPT: usize = 64;

/// What a probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It answered, with a status under 500.
    Up,
    /// It answered with this status.
    Answered(u16),
    /// It did not answer.
    Failed {
        /// The stable code: DNS, TCP, TLS and HTTP told apart.
        code: &'static str,
        /// One sentence.
        detail: String,
        /// Whether it is about our own way out.
        ours: bool,
    },
}

impl Found {
    /// From what the probe returned.
    pub fn of(probed: Result<Probe, FetchError>) -> Self {
        match probed {
            Ok(probe) if probe.status.is_server_error() => Self::Answered(probe.status.as_u16()),
            Ok(_) => Self::Up,
            Err(error) => Self::failed(&error),
        }
    }

    /// From an exchange that gave no answer.
    pub fn failed(error: &FetchError) -> Self {
        let ours = match error {
            FetchError::Dns { .. } | FetchError::Request(_) => true,
            // A gateway's words are about the host behind it.
            FetchError::Proxy { status, .. } => !status.is_some_and(|status| (502..=504).contains(&status)),
            FetchError::Tls { fault, .. } => match fault {
                TlsFault::UnknownIssuer | TlsFault::NotYetValid => true,
                TlsFault::Expired | TlsFault::WrongName | TlsFault::Other => false,
            },
            FetchError::Connect { .. }
            | FetchError::Timeout(Stage::Connect | Stage::Head | Stage::Body)
            | FetchError::Broken(_)
            | FetchError::Redirect { .. }
            | FetchError::Status(_)
            | FetchError::TooLarge { .. } => false,
        };
        Self::Failed { code: error.code(), detail: error.to_string(), ours }
    }

    /// Its name in metrics and the status.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Answered(_) => "status",
            Self::Failed { code, .. } => code,
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::Up => None,
            Self::Answered(status) => Some(format!("answered {status}")),
            Self::Failed { detail, .. } => Some(detail.clone()),
        }
    }
}

/// The last probe.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Last {
    at: UnixTime,
    found: Found,
    /// It says more of us than of the provider.
    unknown: bool,
}

#[derive(Debug, Default)]
struct Health {
    breaker: Breaker,
    silence: Silence,
    probe: Option<Last>,
    begun: OncePerMinute,
    faults: OncePerMinute,
    /// Logins whose fault has counted.
    told: VecDeque<String>,
}

#[derive(Debug)]
struct Entry {
    id: ProviderId,
    probed: bool,
    /// Kept over reloads, by whoever holds the board.
    health: Arc<Mutex<Health>>,
}

/// What outlives a configuration, and what several boards share.
#[derive(Debug, Default)]
struct Common {
    egress_broken: bool,
}

/// What is known of a provider's health.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The provider.
    pub provider: ProviderId,
    /// The breaker.
    pub phase: Phase,
    /// What opened it last.
    pub cause: Cause,
    /// Whether logins that were begun do not come back.
    pub suspected: bool,
    /// Answers a second that are usual; none while that is not known yet.
    pub usual_rate: Option<f64>,
    /// The last answer that the provider signed.
    pub last_answer: Option<UnixTime>,
    /// Logins begun since then that count.
    pub begun_since: u32,
    /// Whether it is looked at.
    pub probed: bool,
    /// What the last probe found: `up`, `unknown`, or the code of what failed.
    pub probe: Option<&'static str>,
    /// One sentence on it.
    pub probe_detail: Option<String>,
    /// When.
    pub probe_at: Option<UnixTime>,
    /// Whether a login came back that the probe said could not.
    pub probe_disproved: bool,
    /// What people are told, unless an operator says otherwise.
    pub trouble: Option<Trouble>,
    /// Since when it is open, or closed after it was open.
    pub since: Option<UnixTime>,
    /// What opened the breaker of another replica, and when, while that counts here.
    pub elsewhere: Option<(Cause, UnixTime)>,
}

/// Every provider's health.
pub struct Board {
    entries: Vec<Entry>,
    common: Arc<Mutex<Common>>,
    /// Rung when a breaker moves.
    moved: Arc<Notify>,
    telemetry: Arc<Telemetry>,
    /// In development everybody comes from the same machine.
    dev: bool,
}

impl Board {
    /// The board of a configuration, after `before` where there was one: what is known of a provider is kept.
    pub fn new(config: &Config, telemetry: Arc<Telemetry>, before: Option<&Self>) -> Self {
        let known = |id: &ProviderId| before.and_then(|before| before.entry(id)).map(|entry| Arc::clone(&entry.health));
        let with_login = config.providers.iter().filter(|provider| provider.has_login());
        let entries = with_login.map(|provider| Entry {
            id: provider.id.clone(),
            probed: provider.probe,
            health: known(&provider.id).unwrap_or_default(),
        });
        Self {
            entries: entries.collect(),
            common: before.map(|before| Arc::clone(&before.common)).unwrap_or_default(),
            moved: before.map(|before| Arc::clone(&before.moved)).unwrap_or_default(),
            telemetry,
            dev: config.environment == Environment::Dev,
        }
    }

    fn entry(&self, id: &ProviderId) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.id == *id)
    }

    fn with<T>(&self, id: &ProviderId, work: impl FnOnce(&mut Health) -> T) -> Option<T> {
        Some(work(&mut lock(&self.entry(id)?.health)))
    }

    /// Whether this is the first of a client network in this minute.
    fn first(&self, once: &mut OncePerMinute, from: Option<std::net::IpAddr>, now: UnixTime) -> bool {
        match from {
            // On a developer's machine everybody has one address.
            Some(address) if self.dev && address.to_canonical().is_loopback() => true,
            Some(address) => once.first(ClientNetwork::from(address), now),
            None => false,
        }
    }

    /// Whether a provider is to be probed in the next round: not while its breaker waits.
    pub fn wants_probe(&self, id: &ProviderId, now: UnixTime) -> bool {
        let Some(entry) = self.entry(id).filter(|entry| entry.probed) else { return false };
        let mut health = lock(&entry.health);
        let moved = health.breaker.tick(now);
        let wants = !matches!(health.breaker.phase(), Phase::Open { .. });
        drop(health);
        self.tell_move(id, moved);
        wants
    }

    /// Whether the next round should come soon.
    pub fn hurried(&self) -> bool {
        self.entries.iter().any(|entry| lock(&entry.health).breaker.hurried())
    }

    /// Takes in a round of probes that were made at the same time.
    pub fn round(&self, found: Vec<(ProviderId, Found)>, now: UnixTime) {
        let answered = |found: &Found| matches!(found, Found::Up | Found::Answered(_));
        let broken = !found.is_empty() && !found.iter().any(|(_, found)| answered(found));
        let probed = found.len();
        // A round without probes says nothing.
        if probed > 0 && std::mem::replace(&mut lock(&self.common).egress_broken, broken) != broken {
            self.telemetry.emit(EgressChanged { broken, probed });
        }
        for (id, found) in found {
            let unknown = broken || matches!(found, Found::Failed { ours: true, .. });
            let signal = match found {
                Found::Up => Some(Signal::ProbeUp),
                _ if unknown => None,
                Found::Answered(_) | Found::Failed { .. } => Some(Signal::ProbeFailed),
            };
            let outcome = if unknown { "unknown" } else { found.name() };
            let detail = found.detail();
            let done = self.with(&id, |health| {
                let last = Last { at: now, found, unknown };
                let before = health.probe.replace(last);
                let name = |last: &Last| if last.unknown { "unknown" } else { last.found.name() };
                let changed = before.as_ref().map(name) != Some(outcome);
                let suspected = health.silence.suspected();
                (changed, signal.and_then(|signal| health.breaker.on(signal, suspected, now)))
            });
            let Some((changed, moved)) = done else { continue };
            self.telemetry.emit(Probed { provider: &id, outcome, detail: detail.as_deref(), changed });
            self.tell_move(&id, moved);
        }
        self.look(now);
    }

    /// Looks at the time: breakers whose wait is over, silences that have become too long.
    pub fn look(&self, now: UnixTime) {
        for entry in &self.entries {
            let mut health = lock(&entry.health);
            let moved = health.breaker.tick(now);
            let suspected = health.silence.look(now);
            drop(health);
            self.tell_move(&entry.id, moved);
            if suspected {
                self.telemetry.emit(SuspicionChanged { provider: &entry.id, suspected: true });
            }
        }
    }

    /// A login was begun by a person who picked the provider, or who followed a link: not whatever else may call an
    /// address. `from` is the client's address.
    pub fn begun(&self, id: &ProviderId, counts: bool, from: Option<std::net::IpAddr>, now: UnixTime) {
        let suspected = self.with(id, |health| {
            if !counts || !self.first(&mut health.begun, from, now) {
                return false;
            }
            // Whoever could take every place of a trial could keep a provider from coming back.
            health.breaker.begun(now);
            health.silence.begun(now);
            health.silence.look(now)
        });
        if suspected == Some(true) {
            self.telemetry.emit(SuspicionChanged { provider: id, suspected: true });
        }
    }

    /// An answer came that the provider signed, to a login that was begun at `begun`.
    pub fn answered(&self, id: &ProviderId, begun: UnixTime, now: UnixTime) {
        let done = self.with(id, |health| {
            let ended = health.silence.answered(now);
            (ended, health.breaker.on(Signal::Answered { begun }, false, now))
        });
        let Some((ended, moved)) = done else { return };
        if ended {
            self.telemetry.emit(SuspicionChanged { provider: id, suspected: false });
        }
        self.tell_move(id, moved);
    }

    /// A technical error came in an answer that the provider signed. It counts once for each `login`, and once for each
    /// client network and minute: an answer can be sent again, and one person's trouble is not everybody's.
    pub fn fault(&self, id: &ProviderId, login: &str, from: Option<std::net::IpAddr>, now: UnixTime) {
        let done = self.with(id, |health| {
            // It came back: silence is over.
            let ended = health.silence.answered(now);
            let new = !health.told.iter().any(|told| told == login);
            let counts = new && self.first(&mut health.faults, from, now);
            if counts {
                if health.told.len() >= FAULTS_KEPT {
                    health.told.pop_front();
                }
                health.told.push_back(login.to_owned());
            }
            let moved = counts.then(|| health.breaker.on(Signal::Fault, ended, now)).flatten();
            (counts, ended, moved)
        });
        let Some((counts, ended, moved)) = done else { return };
        self.telemetry.emit(ProviderFault { provider: id, at: "status", counts });
        if ended {
            self.telemetry.emit(SuspicionChanged { provider: id, suspected: false });
        }
        self.tell_move(id, moved);
    }

    /// What the token endpoint did: an answer under 500 is one (also `invalid_grant`, which is the person's), and no answer
    /// is a fault, unless our own way out is broken. An answer of 500 and above counts once for each client network and minute:
    /// what it stumbled over is what a browser brought, and anybody can bring a code that is none.
    pub fn token_endpoint(&self, id: &ProviderId, found: &Found, from: Option<std::net::IpAddr>, now: UnixTime) {
        let ours = lock(&self.common).egress_broken || matches!(found, Found::Failed { ours: true, .. });
        if *found == Found::Up || ours {
            return;
        }
        let done = self.with(id, |health| {
            let counts = match found {
                Found::Answered(_) => self.first(&mut health.faults, from, now),
                Found::Up | Found::Failed { .. } => true,
            };
            let suspected = health.silence.suspected();
            (counts, counts.then(|| health.breaker.on(Signal::Fault, suspected, now)).flatten())
        });
        let Some((counts, moved)) = done else { return };
        self.telemetry.emit(ProviderFault { provider: id, at: "token_endpoint", counts });
        self.tell_move(id, moved);
    }

    /// Another replica tells that its breaker moved: `Signal::OpenElsewhere` or `Signal::ClosedElsewhere`.
    pub fn heard(&self, id: &ProviderId, signal: Signal, now: UnixTime) {
        let (to, cause) = match signal {
            Signal::OpenElsewhere { cause, .. } => ("open", cause),
            Signal::ClosedElsewhere { cause, .. } => ("closed", cause),
            // What we find out ourselves comes in by other doors.
            Signal::ProbeUp | Signal::ProbeFailed | Signal::Fault | Signal::Answered { .. } => return,
        };
        let moved = self.with(id, |health| {
            let suspected = health.silence.suspected();
            [health.breaker.tick(now), health.breaker.on(signal, suspected, now)]
        });
        let Some(moved) = moved else { return };
        self.telemetry.emit(BreakerElsewhere { provider: id, to, cause: cause.name() });
        moved.into_iter().for_each(|moved| self.tell_move(id, moved));
    }

    /// Where it is rung when a breaker moves.
    pub fn moves(&self) -> Arc<Notify> {
        Arc::clone(&self.moved)
    }

    /// What is the matter with a provider, apart from its keys and from what an operator says.
    pub fn trouble(&self, id: &ProviderId, now: UnixTime) -> Option<Trouble> {
        let entry = self.entry(id)?;
        let mut health = lock(&entry.health);
        let moved = health.breaker.tick(now);
        let trouble = match (health.breaker.lets_through(now), health.silence.suspected()) {
            (false, _) => Some(Trouble::Down),
            (true, true) => Some(Trouble::Suspected),
            (true, false) => None,
        };
        drop(health);
        self.tell_move(id, moved);
        trouble
    }

    /// Whether our own way out is broken, as far as probes tell.
    pub fn egress_broken(&self) -> bool {
        lock(&self.common).egress_broken
    }

    /// What is known of every provider.
    pub fn reports(&self, now: UnixTime) -> Vec<Report> {
        let report = |entry: &Entry| {
            let trouble = self.trouble(&entry.id, now);
            let health = lock(&entry.health);
            let last = health.probe.as_ref();
            Report {
                provider: entry.id.clone(),
                phase: health.breaker.phase(),
                cause: health.breaker.cause(),
                suspected: health.silence.suspected(),
                usual_rate: health.silence.usual_rate(),
                last_answer: health.silence.last_answer(),
                begun_since: health.silence.begun_since(),
                probed: entry.probed,
                probe: last.map(|last| if last.unknown { "unknown" } else { last.found.name() }),
                probe_detail: last.and_then(|last| last.found.detail()),
                probe_at: last.map(|last| last.at),
                probe_disproved: health.breaker.probe_disproved(),
                trouble,
                since: health.breaker.since(),
                elsewhere: health.breaker.hint(),
            }
        };
        self.entries.iter().map(report).collect()
    }

    /// Sets the gauges, when somebody looks.
    pub fn observe(&self, metrics: &Metrics, now: UnixTime) {
        let families = &metrics.health;
        for family in [&families.breaker, &families.suspected] {
            family.reset();
        }
        for report in self.reports(now) {
            let id = report.provider.as_str();
            for state in ["closed", "open", "half_open"] {
                let is = i64::from(report.phase.name() == state);
                families.breaker.with_label_values(&[id, state]).set(is);
            }
            families.suspected.with_label_values(&[id]).set(i64::from(report.suspected));
        }
        families.egress.set(i64::from(self.egress_broken()));
    }

    fn tell_move(&self, id: &ProviderId, moved: Option<Moved>) {
        if let Some(Moved { from, to, cause }) = moved
            && from != to
        {
            let (from, to, cause) = (from.name(), to.name(), cause.name());
            self.moved.notify_one();
            self.telemetry.emit(BreakerMoved { provider: id, from, to, cause });
        }
    }
}

/// What is kept here is whole at every step: a panic elsewhere has broken nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
