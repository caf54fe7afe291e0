//! The trace that nobody reads: logins that were begun, against answers that came back. Pure.
//!
//! A provider can be broken behind a front page that is fine. Nobody tells us so: the people just do not come back. What
//! can be seen is that answers stop, and this tells when they have been away for too long to be chance.
//!
//! # The measure
//!
//! Any answer that the provider signed counts, also a cancelled login: it shows that the provider works. With `f` answers a
//! second of late, the chance that none comes for `t` seconds is `exp(-f t)` (Poisson). So `f t` is the evidence, and from
//! [`THRESHOLD`] on the provider is *suspected*. The rate is the provider's own, over the shortest of four windows that
//! holds [`ENOUGH`] answers, or over the next longer one where that gives less: a rush is not taken for the rule. Both are
//! as they were at the last answer, so that silence does not wear its own measure down.
//!
//! Answers also stop when nobody logs in. So the logins that were begun since the last answer must be enough as well: with
//! `g` begun a second over the same window, `n` of them stand for `n f / g` answers, and that must reach the same threshold.
//! They count when they had time to come back. A begun login is cheap for a stranger: it counts once for each client
//! network and minute, and it can only ever *add to what silence has shown*. While answers come, no number of begun logins
//! means anything.
//!
//! # What it does
//!
//! Alone it marks a provider, moves it last and alerts. It opens a breaker only together with a failed probe or a technical
//! error (`breaker`). One answer ends it. Until [`ENOUGH`] answers have been seen it says nothing: after a start it has to
//! learn what is usual.
//!
//! `docs/failover.md` has the false alarms and the times to detection, measured by the simulation in this file's tests.

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Duration;

use crate::base::UnixTime;

/// Evidence from which a provider is suspected. The chance that a silence is a false alarm is `exp(-18)`, one in 65 million
/// gaps between answers: at one answer a second every second year.
pub const THRESHOLD: f64 = 18.0;
/// Answers that a rate is taken from.
pub const ENOUGH: u32 = 30;
/// The windows that a rate is taken over, in minutes.
const WINDOWS: [usize; 4] = [10, 60, 360, 1440];
/// The longest of them.
const MINUTES: usize = 1440;
/// How long a login that was begun may take before its absence says anything. Nine of ten take less; where answers come
/// often, three of their usual distances are enough, since then it is not this one that is waited for.
const RIPE: Duration = Duration::from_secs(60);
/// A begun login too few to mean anything.
const BEGUN_FLOOR: usize = 3;
/// Begun logins since the last answer that are remembered, and the most that are asked for: whoever pours in others makes
/// us see an outage a minute later, not never.
const BEGUN_KEPT: usize = 64;
/// Client networks of one minute that are told apart. Beyond that a begun login does not count: whoever sends from more is
/// no crowd of people.
const NETWORKS: usize = 8192;

/// Where a client is, coarsely: an IPv4 /24 or an IPv6 /48, which is what one site gets (RFC 6177, 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientNetwork(u64);

impl From<IpAddr> for ClientNetwork {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(v4) => u64::from(v4.to_bits() >> 8) | 1 << 63,
            IpAddr::V6(v6) => (v6.to_bits() >> 80) as u64,
        })
    }
}

/// One of each client network and minute.
#[derive(Debug, Default)]
pub struct OncePerMinute {
    minute: i64,
    seen: HashSet<ClientNetwork>,
}

impl OncePerMinute {
    /// Whether this is the first of `network` in this minute.
    pub fn first(&mut self, network: ClientNetwork, now: UnixTime) -> bool {
        let minute = now.as_secs().div_euclid(60);
        if minute != self.minute {
            self.minute = minute;
            self.seen.clear();
        }
        self.seen.len() < NETWORKS && self.seen.insert(network)
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    answers: u32,
    begun: u32,
}

/// What is usual for one provider, and how long it has been silent.
#[derive(Clone, Debug)]
pub struct Silence {
    /// By minute, in a ring: what has been counted up to the last answer.
    ring: Box<[Counts]>,
    minute: i64,
    /// The sums of the windows.
    sums: [Counts; WINDOWS.len()],
    last_answer: Option<UnixTime>,
    /// Begun logins since then: the first [`BEGUN_KEPT`], and how many in all.
    begun: Vec<UnixTime>,
    begun_count: u32,
    usual: Option<Usual>,
    suspected: bool,
}

/// Rates a second, as they were at the last answer.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Usual {
    answers: f64,
    begun: f64,
}

impl Default for Silence {
    fn default() -> Self {
        Self {
            ring: vec![Counts::default(); MINUTES].into_boxed_slice(),
            minute: i64::MIN,
            sums: [Counts::default(); WINDOWS.len()],
            last_answer: None,
            begun: Vec::new(),
            begun_count: 0,
            usual: None,
            suspected: false,
        }
    }
}

impl Silence {
    /// Whether answers have been away for too long. [`Self::look`] brings it up to date.
    pub const fn suspected(&self) -> bool {
        self.suspected
    }

    /// The last answer.
    pub const fn last_answer(&self) -> Option<UnixTime> {
        self.last_answer
    }

    /// Logins begun since then, each client network once a minute.
    pub const fn begun_since(&self) -> u32 {
        self.begun_count
    }

    /// Answers a second that are usual; none while that is not known yet.
    pub fn usual_rate(&self) -> Option<f64> {
        self.usual.map(|usual| usual.answers)
    }

    /// A login was begun, by a client network that has not been counted in this minute.
    pub fn begun(&mut self, now: UnixTime) {
        self.begun_count = self.begun_count.saturating_add(1);
        if self.begun.len() < BEGUN_KEPT {
            self.begun.push(now);
        }
    }

    /// An answer came. Whether that ended a suspicion.
    pub fn answered(&mut self, now: UnixTime) -> bool {
        self.advance(now.as_secs().div_euclid(60));
        let begun = std::mem::take(&mut self.begun_count);
        self.begun.clear();
        if let Some(slot) = self.slot(self.minute) {
            slot.answers = slot.answers.saturating_add(1);
            slot.begun = slot.begun.saturating_add(begun);
        }
        for sum in &mut self.sums {
            sum.answers = sum.answers.saturating_add(1);
            sum.begun = sum.begun.saturating_add(begun);
        }
        self.usual = self.measure();
        self.last_answer = Some(now);
        std::mem::take(&mut self.suspected)
    }

    /// Looks at the time. Whether a suspicion began now.
    pub fn look(&mut self, now: UnixTime) -> bool {
        let began = !self.suspected && self.is_silent(now);
        self.suspected |= began;
        began
    }

    fn is_silent(&self, now: UnixTime) -> bool {
        let (Some(usual), Some(last)) = (self.usual, self.last_answer) else { return false };
        if usual.answers * now.since(last).as_secs_f64() < THRESHOLD {
            return false;
        }
        // How many begun logins stand for as much. Without any before, each stands for one answer.
        let per_answer = if usual.begun > 0.0 { usual.begun / usual.answers } else { 1.0 };
        let wanted = (THRESHOLD * per_answer).ceil().clamp(BEGUN_FLOOR as f64, BEGUN_KEPT as f64) as usize;
        let ripe = RIPE.as_secs_f64().min(3.0 / usual.answers);
        let kth = wanted.checked_sub(1).and_then(|at| self.begun.get(at));
        kth.is_some_and(|at| now.since(*at).as_secs_f64() >= ripe)
    }

    fn measure(&self) -> Option<Usual> {
        let rate = |window: usize| {
            let (sum, minutes) = (self.sums.get(window)?, WINDOWS.get(window)?);
            let seconds = (*minutes * 60) as f64;
            Some((
                sum.answers,
                Usual { answers: f64::from(sum.answers) / seconds, begun: f64::from(sum.begun) / seconds },
            ))
        };
        let (window, (_, usual)) = (0..WINDOWS.len())
            .filter_map(|window| rate(window).map(|rate| (window, rate)))
            .find(|(_, (answers, _))| *answers >= ENOUGH)?;
        match rate(window + 1) {
            Some((_, longer)) if longer.answers < usual.answers => Some(longer),
            _ => Some(usual),
        }
    }

    fn slot(&mut self, minute: i64) -> Option<&mut Counts> {
        let at = usize::try_from(minute.rem_euclid(MINUTES as i64)).ok()?;
        self.ring.get_mut(at)
    }

    /// Lets what is older than a window fall out of its sum.
    fn advance(&mut self, minute: i64) {
        if self.minute == i64::MIN {
            self.minute = minute;
        }
        // A clock that was set back counts on where it was.
        let steps = minute.saturating_sub(self.minute).max(0);
        if steps >= MINUTES as i64 {
            self.ring.fill(Counts::default());
            self.sums = [Counts::default(); WINDOWS.len()];
            self.minute = minute;
            return;
        }
        for _ in 0..steps {
            self.minute += 1;
            for (window, minutes) in WINDOWS.iter().enumerate() {
                let leaves = self.slot(self.minute - *minutes as i64).copied().unwrap_or_default();
                if let Some(sum) = self.sums.get_mut(window) {
                    sum.answers = sum.answers.saturating_sub(leaves.answers);
                    sum.begun = sum.begun.saturating_sub(leaves.begun);
                }
            }
            if let Some(slot) = self.slot(self.minute) {
                *slot = Counts::default();
            }
        }
    }
}

#[cfg(test)]
#[path = "silence_tests.rs"]
mod tests;
