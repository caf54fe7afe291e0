//! The day on which everyone wants in: logins begun, logins finished and requests of people who are in, all rising together.

use std::rc::Rc;

use super::login_storm::{Begins, prepare, take};
use super::steady::session_traffic;
use super::{Running, Scenario};
use crate::Failed;
use crate::bench::Bench;
use crate::drive::{Lane, Pace};
use crate::report::Better;
use crate::traffic::Traffic;

/// A login for so many requests.
const REQUESTS_PER_LOGIN: f64 = 20.0;

/// The day begins at so much of its height.
const MORNING: f64 = 0.05;

/// The scenario.
pub(super) struct TaxDay;

impl Scenario for TaxDay {
    fn name(&self) -> &'static str {
        "tax-day"
    }

    fn about(&self) -> &'static str {
        "logins and session requests together, rising to --rate requests a second"
    }

    fn run<'a>(&'a self, bench: &'a mut Bench) -> Running<'a> {
        Box::pin(day(bench))
    }
}

async fn day(bench: &mut Bench) -> Result<(), Failed> {
    let height = bench.options.rate_or(4000.0);
    let rising = |height: f64| Pace::Ramp(height * MORNING, height);
    // The whole day lasts three parts: a rise that is too steep shows nothing.
    let duration = bench.options.duration() * 3;
    let wanted = rising(height / REQUESTS_PER_LOGIN).count(duration).unwrap_or(0);
    let calm = Pace::Rate(height * MORNING);
    let sessions = session_traffic(bench).await?;
    let mut logins = prepare(bench, wanted).await?;
    let sidecar = bench.sidecar();
    let (connections, tolerance) = (bench.options.connections_or(32), bench.options.max_errors);
    let lane = |name: &str, pace, traffic: Rc<dyn Traffic>| Lane {
        name: name.to_owned(),
        address: sidecar.address,
        pace,
        connections,
        tolerance,
        traffic,
    };
    bench.warm_up(&[lane("session requests", calm, sessions.clone())]).await?;
    let lanes = vec![
        lane("session requests", rising(height), sessions),
        lane("logins begun", rising(height / REQUESTS_PER_LOGIN), Rc::new(Begins::new()?)),
        lane("logins", rising(height / REQUESTS_PER_LOGIN), Rc::new(take(&mut logins, wanted))),
    ];
    bench.measure("tax day", sidecar, lanes, duration).await?;
    for name in ["session requests", "logins begun", "logins"] {
        bench.fine("tax day", name);
    }
    if let Some(phase) = bench.phase("tax day", "sidecar") {
        bench.report.figure("cpu_tax_day", phase.cpu_us_per_request, "µs/request", Better::Lower);
    }
    Ok(())
}
