//! Everyone logs in at once: distinct answers of the provider, each begun and signed before, posted one after the other.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use http::{Method, Request, StatusCode};

use super::{Running, Scenario};
use crate::Failed;
use crate::bench::Bench;
use crate::drive::{Lane, Pace};
use crate::login::{Logins, Prepared, begin_path, is_login_cookie};
use crate::report::Better;
use crate::traffic::{Answer, Payload, Shot, Traffic, Verdict, request};
use crate::world::HOST;

/// The closed loop ends when its logins are used up; this is for a sidecar that does not answer.
const AT_MOST: Duration = Duration::from_secs(120);

/// The scenario.
pub(super) struct LoginStorm;

impl Scenario for LoginStorm {
    fn name(&self) -> &'static str {
        "login-storm"
    }

    fn about(&self) -> &'static str {
        "distinct signed answers posted to the sidecar, and logins begun"
    }

    fn run<'a>(&'a self, bench: &'a mut Bench) -> Running<'a> {
        Box::pin(storm(bench))
    }
}

/// Logins begun, over and over: each is sealed into a cookie and its request signed.
pub(super) struct Begins(Request<Payload>);

impl Begins {
    /// For the guarded page.
    ///
    /// # Errors
    /// Never, unless the path is changed to one that is none.
    pub(super) fn new() -> Result<Self, Failed> {
        Ok(Self(request(Method::GET, HOST, &begin_path(), None, Payload::empty())?))
    }
}

impl Traffic for Begins {
    fn next(&self) -> Option<Shot> {
        Some(Shot { request: self.0.clone(), tag: 0 })
    }

    fn judge(&self, _tag: u64, answer: &Answer) -> Verdict {
        match (answer.status, answer.cookie(is_login_cookie)) {
            (StatusCode::SEE_OTHER, Some(_)) => Verdict::Good,
            (StatusCode::SEE_OTHER, None) => Verdict::Bad("no login cookie".into()),
            _ => Verdict::unexpected(answer),
        }
    }
}

/// Prepares so many logins, with the person at the terminal watching.
///
/// # Errors
/// When one does not begin.
pub(super) async fn prepare(bench: &Bench, count: usize) -> Result<VecDeque<Prepared>, Failed> {
    bench.progress.phase(&format!("preparing {count} logins"), None);
    let tell = |done| bench.progress.step(done, count);
    let (bytes, encrypted) = (bench.options.response_bytes, bench.options.encrypted);
    bench.world.prepare_logins(count, bytes, encrypted, &tell).await
}

/// The first `count` of `logins`.
pub(super) fn take(logins: &mut VecDeque<Prepared>, count: usize) -> Logins {
    Logins::new(logins.drain(..count.min(logins.len())).collect())
}

async fn storm(bench: &mut Bench) -> Result<(), Failed> {
    let pace = Pace::Rate(bench.options.rate_or(300.0));
    let (warm, fixed) = (pace.count(bench.options.warm_up()), pace.count(bench.options.duration()));
    let (warm, fixed) = (warm.unwrap_or(0), fixed.unwrap_or(0));
    let pressed = if bench.options.quick { 0 } else { bench.options.logins.unwrap_or(6000) };
    let mut logins = prepare(bench, warm + fixed + pressed).await?;
    let sidecar = bench.sidecar();
    let (connections, tolerance) = (bench.options.connections_or(16), bench.options.max_errors);
    let lane = |name: &str, pace, traffic: Rc<dyn Traffic>| Lane {
        name: name.to_owned(),
        address: sidecar.address,
        pace,
        connections,
        tolerance,
        traffic,
    };

    bench.warm_up(&[lane("logins", pace, Rc::new(take(&mut logins, warm)))]).await?;
    let fixed = lane("logins", pace, Rc::new(take(&mut logins, fixed)));
    bench.measure("logins, fixed rate", sidecar, vec![fixed], bench.options.duration()).await?;
    note(bench, "logins, fixed rate", "login_fixed_rate");
    if pressed > 0 {
        let all = lane("logins", Pace::Closed, Rc::new(take(&mut logins, pressed)));
        bench.measure("logins, closed loop", sidecar, vec![all], AT_MOST).await?;
        note(bench, "logins, closed loop", "login_closed_loop");
        if let Some(phase) = bench.phase("logins, closed loop", "sidecar") {
            let good: f64 = phase.lanes.iter().map(|lane| lane.good_per_second).sum();
            bench.report.figure("logins_per_second", good, "logins/s", Better::Higher);
        }
    }
    let begins = lane("logins begun", pace, Rc::new(Begins::new()?));
    bench.measure("logins begun, fixed rate", sidecar, vec![begins], bench.options.duration() / 2).await?;
    note(bench, "logins begun, fixed rate", "begin_fixed_rate");
    if pressed > 0 {
        let begins = lane("logins begun", Pace::Closed, Rc::new(Begins::new()?));
        bench.measure("logins begun, closed loop", sidecar, vec![begins], bench.options.duration() / 2).await?;
        note(bench, "logins begun, closed loop", "begin_closed_loop");
    }
    Ok(())
}

fn note(bench: &mut Bench, phase: &str, name: &str) {
    if let Some(phase) = bench.phase(phase, "sidecar") {
        bench.report.figure(&format!("cpu_{name}"), phase.cpu_us_per_request, "µs/request", Better::Lower);
        if let Some(lane) = phase.lanes.first() {
            bench.report.figure(&format!("p99_{name}"), lane.latency.p99 as f64, "µs", Better::Lower);
        }
    }
}
