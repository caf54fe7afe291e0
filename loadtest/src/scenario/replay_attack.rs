//! A thief sends stolen answers again and again, beside people who log in. No replay may lead to a session, and the
//! sidecar's own count of logins must be ours.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;

use super::login_storm::{prepare, take};
use super::{Running, Scenario};
use crate::Failed;
use crate::bench::Bench;
use crate::drive::{Lane, Pace};
use crate::login::{Prepared, post};
use crate::report::Better;
use crate::traffic::{Answer, Shot, Traffic, Verdict};
use crate::world::SESSION;

/// Replays of the most recent logins only: what a thief would have.
const KEPT: usize = 4096;

/// The metric that counts logins.
const FINISHED: &str = "grindvakt_logins_finished_total";

/// The scenario.
pub(super) struct ReplayAttack;

impl Scenario for ReplayAttack {
    fn name(&self) -> &'static str {
        "replay-attack"
    }

    fn about(&self) -> &'static str {
        "used answers sent again and again beside good logins: every one must be refused"
    }

    fn run<'a>(&'a self, bench: &'a mut Bench) -> Running<'a> {
        Box::pin(attack(bench))
    }
}

/// Answers that were used, sent again: in turns with their own login's cookie, and inside a login of the thief's.
struct Replays {
    used: Rc<RefCell<VecDeque<Prepared>>>,
    /// A begun login that nobody finishes.
    thief: Prepared,
    count: Cell<u64>,
}

/// The Response of one form with the RelayState of another.
fn transplant(stolen: &Prepared, into: &Prepared) -> Prepared {
    const STATE: &[u8] = b"&RelayState=";
    let at = |form: &[u8]| form.windows(STATE.len()).rposition(|w| w == STATE).unwrap_or(form.len());
    let response = stolen.form.get(..at(&stolen.form)).unwrap_or_default();
    let state = into.form.get(at(&into.form)..).unwrap_or_default();
    Prepared { cookie: into.cookie.clone(), form: Bytes::from([response, state].concat()) }
}

impl Traffic for Replays {
    fn next(&self) -> Option<Shot> {
        let mut used = self.used.borrow_mut();
        while used.len() > KEPT {
            used.pop_front();
        }
        let stolen = used.pop_front()?;
        let tag = self.count.replace(self.count.get() + 1);
        let sent = if tag.is_multiple_of(2) { post(&stolen) } else { post(&transplant(&stolen, &self.thief)) };
        used.push_back(stolen);
        Some(Shot { request: sent.ok()?, tag })
    }

    fn judge(&self, _tag: u64, answer: &Answer) -> Verdict {
        if answer.cookie(|name| name == SESSION).is_some() {
            Verdict::Bad("a replay led to a session".into())
        } else if answer.status.is_client_error() {
            Verdict::Good
        } else {
            Verdict::unexpected(answer)
        }
    }
}

async fn attack(bench: &mut Bench) -> Result<(), Failed> {
    let good = Pace::Rate(100.0);
    let bad = Pace::Rate(bench.options.rate_or(1000.0));
    // The thief needs something to begin with.
    let first = 16;
    let warm = good.count(bench.options.warm_up()).unwrap_or(0);
    let fixed = good.count(bench.options.duration()).unwrap_or(0);
    let mut logins = prepare(bench, first + warm + fixed + 1).await?;
    let thief = logins.pop_back().ok_or_else(|| Failed("no login was begun".to_owned()))?;
    let used = Rc::new(RefCell::new(VecDeque::new()));
    let sidecar = bench.sidecar();
    let connections = bench.options.connections_or(16);
    let tolerance = bench.options.max_errors;
    let lane = |name: &str, pace, tolerance, traffic: Rc<dyn Traffic>| Lane {
        name: name.to_owned(),
        address: sidecar.address,
        pace,
        connections,
        tolerance,
        traffic,
    };
    let before = bench.world.metric(FINISHED).await?;
    let mut seen = 0;
    let begin = take(&mut logins, first).remembered_in(&used);
    let victims = lane("first victims", Pace::Closed, tolerance, Rc::new(begin));
    seen += sum(&bench.measure("first victims", sidecar, vec![victims], bench.options.duration()).await?);
    let replays = || Replays { used: Rc::clone(&used), thief: thief.clone(), count: Cell::new(0) };

    let alone = Rc::new(take(&mut logins, warm).remembered_in(&used));
    let calm = vec![lane("good logins", good, tolerance, alone)];
    seen += sum(&bench.measure("before the attack", sidecar, calm, bench.options.warm_up()).await?);
    let logins = Rc::new(take(&mut logins, fixed).remembered_in(&used));
    let lanes = vec![
        lane("good logins", good, tolerance, logins),
        // Not one.
        lane("replays", bad, 0.0, Rc::new(replays())),
    ];
    let came = bench.measure("attack", sidecar, lanes, bench.options.duration()).await?;
    seen += came.first().map_or(0, |tally| tally.good);
    let counted = bench.world.metric(FINISHED).await? - before;
    if counted != seen as f64 {
        let text = format!("the sidecar counts {counted} logins that led to a session; we saw {seen}");
        bench.report.failures.push(text);
    }
    bench.fine("attack", "good logins");
    if let Some(phase) = bench.phase("attack", "sidecar") {
        bench.report.figure("cpu_attack", phase.cpu_us_per_request, "µs/request", Better::Lower);
    }
    Ok(())
}

fn sum(tallies: &[crate::drive::Tally]) -> u64 {
    tallies.iter().map(|tally| tally.good).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stolen_answer_is_put_into_another_login() {
        let login = |cookie: &str, form: &'static str| Prepared { cookie: cookie.to_owned(), form: Bytes::from(form) };
        let stolen = login("a=1", "SAMLResponse=AAA&RelayState=x");
        let both = transplant(&stolen, &login("b=2", "SAMLResponse=BBB&RelayState=y"));
        assert_eq!((both.cookie.as_str(), both.form.as_ref()), ("b=2", b"SAMLResponse=AAA&RelayState=y".as_slice()));
    }
}
