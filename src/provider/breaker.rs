//! Whether people are sent to a provider: closed (they are), open (it is offered last, as down), half-open (it is on
//! trial). Pure: time is an argument, and what happened comes in one signal at a time.
//!
//! # What counts
//!
//! - **A failed probe** of the sign-on or discovery address: TCP, TLS, a status of 500 or more, no answer in time. Three in
//!   a row open the breaker. Two would let one lost packet and one slow answer do it; at one probe in two seconds and then
//!   one a second, the third is there within four seconds of the first thing that went wrong.
//! - **A fault in an answer that was signed by the provider** (a technical error status), and **a token endpoint that gives
//!   no answer**: three within a minute, of which none is followed by an answer that is none. A provider whose front page is
//!   fine can be broken behind it, so probes neither add to these nor take from them.
//! - With the provider under suspicion (`silence`), **one** of either is enough: two kinds of evidence are worth more than
//!   three of one kind.
//!
//! # What never counts
//!
//! Whatever a stranger can bring about: a message that does not verify, a wrong level, a cancelled login, a status of fraud,
//! `invalid_grant`, a login that was begun and left, a second answer of 500 to the codes of one client network (`health`). Each of them may be somebody's doing, and whoever could open a breaker
//! could choose for everybody else how they log in. What says more of our own way out than of the provider (a name that
//! does not resolve, a proxy that refuses us, every probe at once) is kept out by `health`.
//!
//! # How it closes
//!
//! After 15 seconds it goes half-open, which is a trial by the same kind of evidence that opened it: the next probe, or one
//! login. A breaker that opens again within a minute of closing stays open for twice as long as before, up to two minutes:
//! people are better served by an alternate than by a provider that comes and goes. A trial that fails costs the same wait
//! again, and no more: after a long outage the way back must be short.
//!
//! # What other replicas know
//!
//! That the breaker of another replica has opened is a hint: it counts as one failed probe, or one fault, whichever opened
//! it there, until a sign of our own says otherwise, a minute at the most, and however many say so. So it never opens a
//! breaker alone. That it has closed there ends the wait here: the trial begins, and is by our own evidence.
//!
//! A login that was begun after the probes began to fail and came back all the same proves them wrong: a firewall may let
//! the browsers through and not us. The breaker closes, and the probe is not believed again until it has succeeded once.

use std::time::Duration;

use crate::base::UnixTime;

/// Failed probes in a row that open it.
pub const PROBES_TO_OPEN: u32 = 3;
/// Faults within [`FAULT_WINDOW`] that open it.
pub const FAULTS_TO_OPEN: u32 = 3;
/// How long a fault counts.
pub const FAULT_WINDOW: Duration = Duration::from_secs(60);
/// From opening to the trial.
pub const OPEN_FOR: Duration = Duration::from_secs(15);
/// The same at the most, for a provider that comes and goes.
pub const OPEN_FOR_CEILING: Duration = Duration::from_secs(120);
/// Opening again within so long of closing is coming and going.
pub const FLAPPING: Duration = Duration::from_secs(60);
/// Where the trial is a login: one in so long.
pub const TRIAL_EVERY: Duration = Duration::from_secs(15);

/// What opened it, which is also what its trial is by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Probes.
    Probe,
    /// Faults in answers, or at the token endpoint.
    Login,
}

impl Cause {
    /// Its name in the log and the status.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Login => "login",
        }
    }
}

/// Something that says something of a provider's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// A probe succeeded.
    ProbeUp,
    /// A probe failed, and not by our own fault.
    ProbeFailed,
    /// An answer was a technical error, or the token endpoint gave none.
    Fault,
    /// An answer came, signed by the provider, that is no fault: a login, but also a cancelled one.
    Answered {
        /// When its login was begun.
        begun: UnixTime,
    },
    /// The breaker of another replica opened.
    OpenElsewhere {
        /// By what.
        cause: Cause,
        /// When.
        at: UnixTime,
    },
    /// The breaker of another replica closed.
    ClosedElsewhere {
        /// By what it was opened.
        cause: Cause,
        /// When it closed.
        at: UnixTime,
    },
}

/// In which state it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// People are sent there.
    Closed,
    /// They are offered it last, as down.
    Open {
        /// When the trial begins.
        until: UnixTime,
    },
    /// On trial.
    HalfOpen,
}

impl Phase {
    /// Its name in metrics, the log and the status.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// It went from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// From.
    pub from: Phase,
    /// To.
    pub to: Phase,
    /// What it was opened by.
    pub cause: Cause,
}

/// A provider's breaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breaker {
    phase: Phase,
    cause: Cause,
    /// Failed probes in a row, and when the first was.
    probes: u32,
    failing_since: Option<UnixTime>,
    /// A login came back that the probes said could not.
    disproved: bool,
    faults: u32,
    last_fault: Option<UnixTime>,
    /// How long it stays open.
    wait: Duration,
    /// When it opened last, or again after a trial.
    opened: Option<UnixTime>,
    closed_at: Option<UnixTime>,
    last_trial: Option<UnixTime>,
    /// What opened the breaker of another replica, and when.
    hint: Option<(Cause, UnixTime)>,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            phase: Phase::Closed,
            cause: Cause::Probe,
            probes: 0,
            failing_since: None,
            disproved: false,
            faults: 0,
            last_fault: None,
            wait: OPEN_FOR,
            opened: None,
            closed_at: None,
            last_trial: None,
            hint: None,
        }
    }
}

impl Breaker {
    /// In which state it is. [`Self::tick`] brings it up to date.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// What opened it last.
    pub const fn cause(&self) -> Cause {
        self.cause
    }

    /// Since when it is open, or closed after it was open.
    pub fn since(&self) -> Option<UnixTime> {
        match self.phase {
            Phase::Open { .. } => self.opened_at(),
            Phase::Closed => self.closed_at,
            Phase::HalfOpen => None,
        }
    }

    /// Failed probes in a row.
    pub const fn failed_probes(&self) -> u32 {
        self.probes
    }

    /// Whether a login has proved the probe wrong, and it has not succeeded since.
    pub const fn probe_disproved(&self) -> bool {
        self.disproved
    }

    /// Whether a probe should be made soon, since the last one says that something is wrong.
    pub const fn hurried(&self) -> bool {
        let hinted = matches!(self.hint, Some((Cause::Probe, _)));
        matches!(self.phase, Phase::Closed) && (self.probes > 0 || hinted)
    }

    /// What opened the breaker of another replica, and when, while that counts here.
    pub const fn hint(&self) -> Option<(Cause, UnixTime)> {
        self.hint
    }

    /// What a hint adds to our own evidence of the same kind.
    fn hinted(&self, cause: Cause, now: UnixTime) -> u32 {
        let counts = |(kind, at): (Cause, UnixTime)| kind == cause && now < at.plus(FAULT_WINDOW);
        u32::from(self.hint.is_some_and(counts))
    }

    /// A sign of our own, of what began at `begun`, says otherwise.
    fn unhint(&mut self, cause: Cause, begun: UnixTime) {
        self.hint = self.hint.filter(|(kind, at)| *kind != cause || begun <= *at);
    }

    /// Whether people are sent there as ever: while it is closed, and while it is on trial by a login and none is under way.
    pub fn lets_through(&self, now: UnixTime) -> bool {
        match self.phase {
            Phase::Closed => true,
            Phase::Open { .. } => false,
            Phase::HalfOpen => {
                self.cause == Cause::Login && self.last_trial.is_none_or(|at| now >= at.plus(TRIAL_EVERY))
            }
        }
    }

    /// A login begins: where one is on trial, this is it.
    pub fn begun(&mut self, now: UnixTime) {
        if self.phase == Phase::HalfOpen && self.lets_through(now) {
            self.last_trial = Some(now);
        }
    }

    /// What time alone brings about: from open to half-open, and the end of a hint.
    pub fn tick(&mut self, now: UnixTime) -> Option<Moved> {
        self.hint = self.hint.filter(|(_, at)| now < at.plus(FAULT_WINDOW));
        match self.phase {
            Phase::Open { until } if now >= until => {
                self.last_trial = None;
                Some(self.go(Phase::HalfOpen))
            }
            _ => None,
        }
    }

    /// Takes a signal in. `suspected` is what `silence` says of the provider.
    pub fn on(&mut self, signal: Signal, suspected: bool, now: UnixTime) -> Option<Moved> {
        match signal {
            Signal::ProbeUp => {
                self.probes = 0;
                self.failing_since = None;
                self.disproved = false;
                self.hint = self.hint.filter(|(cause, _)| *cause != Cause::Probe);
                (self.phase == Phase::HalfOpen && self.cause == Cause::Probe).then(|| self.close(now))
            }
            Signal::ProbeFailed => {
                self.probes = self.probes.saturating_add(1);
                self.failing_since.get_or_insert(now);
                if self.disproved {
                    return None;
                }
                let enough = self.probes.saturating_add(self.hinted(Cause::Probe, now)) >= PROBES_TO_OPEN || suspected;
                match self.phase {
                    Phase::Closed if enough => Some(self.open(Cause::Probe, now)),
                    // By whichever cause it was opened: what fails here keeps it open.
                    Phase::HalfOpen => Some(self.open_again(now)),
                    Phase::Closed | Phase::Open { .. } => None,
                }
            }
            Signal::Fault => {
                let recent = self.last_fault.is_some_and(|at| now < at.plus(FAULT_WINDOW));
                self.faults = if recent { self.faults.saturating_add(1) } else { 1 };
                self.last_fault = Some(now);
                let enough = self.faults.saturating_add(self.hinted(Cause::Login, now)) >= FAULTS_TO_OPEN || suspected;
                match self.phase {
                    Phase::Closed if enough => Some(self.open(Cause::Login, now)),
                    Phase::HalfOpen => Some(self.open_again(now)),
                    Phase::Closed | Phase::Open { .. } => None,
                }
            }
            Signal::Answered { begun } => {
                self.faults = 0;
                self.last_fault = None;
                self.unhint(Cause::Probe, begun);
                self.unhint(Cause::Login, begun);
                let proves = self.failing_since.is_some_and(|since| begun > since);
                if proves {
                    self.disproved = true;
                    self.probes = 0;
                    self.failing_since = None;
                }
                let done = match self.cause {
                    Cause::Probe => proves,
                    // An answer that was under way when it opened says nothing of now, also when it is brought during the
                    // trial: a browser can hold one back.
                    Cause::Login => self.opened.is_none_or(|opened| begun > opened),
                };
                (self.phase != Phase::Closed && done).then(|| self.close(now))
            }
            Signal::OpenElsewhere { cause, at } => {
                // A clock that is ahead makes a hint no longer than one of now.
                let at = at.min(now);
                let old = now >= at.plus(FAULT_WINDOW) || self.closed_at.is_some_and(|closed| at <= closed);
                if old || (self.disproved && cause == Cause::Probe) {
                    return None;
                }
                if self.hint.is_none_or(|(_, known)| known < at) {
                    self.hint = Some((cause, at));
                }
                (self.phase == Phase::Closed && suspected).then(|| self.open(cause, now))
            }
            Signal::ClosedElsewhere { cause, at } => {
                self.hint = self.hint.filter(|(_, known)| at < *known);
                let ended = self.cause == cause && self.opened_at().is_some_and(|opened| opened < at);
                ended.then(|| {
                    self.last_trial = None;
                    self.go(Phase::HalfOpen)
                })
            }
        }
    }

    /// When it opened, while it is open. A trial begins after that.
    fn opened_at(&self) -> Option<UnixTime> {
        match self.phase {
            Phase::Open { until } => Some(until.minus(self.wait)),
            Phase::Closed | Phase::HalfOpen => None,
        }
    }

    fn open(&mut self, cause: Cause, now: UnixTime) -> Moved {
        let flapping = self.closed_at.is_some_and(|at| now < at.plus(FLAPPING));
        self.wait = if flapping { (self.wait * 2).min(OPEN_FOR_CEILING) } else { OPEN_FOR };
        self.cause = cause;
        self.open_again(now)
    }

    fn open_again(&mut self, now: UnixTime) -> Moved {
        self.opened = Some(now);
        self.go(Phase::Open { until: now.plus(self.wait) })
    }

    fn close(&mut self, now: UnixTime) -> Moved {
        self.closed_at = Some(now);
        self.hint = None;
        self.probes = 0;
        self.failing_since = None;
        self.faults = 0;
        self.last_fault = None;
        self.go(Phase::Closed)
    }

    const fn go(&mut self, to: Phase) -> Moved {
        let from = self.phase;
        self.phase = to;
        Moved { from, to, cause: self.cause }
    }
}

#[cfg(test)]
#[path = "breaker_hint_tests.rs"]
mod hint_tests;

#[cfg(test)]
#[path = "breaker_tests.rs"]
mod tests;
