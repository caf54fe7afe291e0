//! A provider changes its signing key while people log in: as it should be done, published first and used later; in the
//! careless way, published and used in one moment; and the end of an old key. Nobody may be turned away but by the key that is
//! gone.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use grindvakt_demo::{DemoIdp, DemoKey};

use super::{Running, Scenario};
use crate::Failed;
use crate::bench::Bench;
use crate::drive::{Lane, Pace};
use crate::login::{Logins, RefusedLogins};
use crate::report::Better;
use crate::traffic::Traffic;

/// Logins in a second: a busy e-service's.
const RATE: f64 = 100.0;

/// A change of a file is in force within two seconds of it.
const IN_FORCE: Duration = Duration::from_secs(3);

/// The scenario.
pub(super) struct KeyRollover;

impl Scenario for KeyRollover {
    fn name(&self) -> &'static str {
        "key-rollover"
    }

    fn about(&self) -> &'static str {
        "logins while the provider changes its signing key, in the careful and in the careless order"
    }

    fn run<'a>(&'a self, bench: &'a mut Bench) -> Running<'a> {
        Box::pin(rollover(bench))
    }
}

async fn rollover(bench: &mut Bench) -> Result<(), Failed> {
    let first = bench.world.idp.clone();
    let (second, third) = (Arc::new(DemoKey::rsa("second")), Arc::new(DemoKey::rsa("third")));
    // What signs, and what is published.
    let with = |key: &Arc<DemoKey>, published: &[&Arc<DemoKey>]| {
        first.clone().rolled_over(Arc::clone(key), published.iter().map(|key| Arc::clone(key)).collect())
    };
    let published = with(first.key(), &[first.key(), &second]);
    let switched = with(&second, &[first.key(), &second]);
    let careless = with(&third, &[&second, &third]);
    let withdrawn = with(&third, &[&third]);

    phase(bench, "before", &first, None, false).await?;
    phase(bench, "published", &first, Some(&published), false).await?;
    phase(bench, "switched", &switched, None, false).await?;
    phase(bench, "at once", &careless, Some(&careless), false).await?;
    bench.world.publish(&withdrawn)?;
    tokio::time::sleep(IN_FORCE).await;
    phase(bench, "withdrawn, the new key", &withdrawn, None, false).await?;
    phase(bench, "withdrawn, the old key", &switched, None, true).await?;
    for (name, phase) in [("p99_before", "before"), ("p99_at_once", "at once")] {
        let phase = bench.phase(phase, "sidecar");
        if let Some(p99) = phase.and_then(|phase| phase.lanes.first().map(|lane| lane.latency.p99)) {
            bench.report.figure(name, p99 as f64, "µs", Better::Lower);
        }
    }
    Ok(())
}

/// Logins that `idp` answers, at a fixed rate. Just before them, `feed` is published.
async fn phase(
    bench: &mut Bench,
    name: &str,
    idp: &DemoIdp,
    feed: Option<&DemoIdp>,
    refused: bool,
) -> Result<(), Failed> {
    let pace = Pace::Rate(bench.options.rate_or(RATE));
    let duration = bench.options.duration() / 2;
    let count = pace.count(duration).unwrap_or(0);
    bench.progress.phase(&format!("preparing {count} logins: {name}"), None);
    let prepared = bench.world.prepare_logins_by(idp, count, bench.options.response_bytes, false, &|_| ()).await?;
    let logins = Logins::new(prepared);
    let traffic: Rc<dyn Traffic> = if refused { Rc::new(RefusedLogins(logins)) } else { Rc::new(logins) };
    let sidecar = bench.sidecar();
    let lane = Lane {
        name: "logins".to_owned(),
        address: sidecar.address,
        pace,
        connections: bench.options.connections_or(16),
        tolerance: bench.options.max_errors,
        traffic,
    };
    if let Some(feed) = feed {
        bench.world.publish(feed)?;
    }
    bench.measure(name, sidecar, vec![lane], duration).await.map(drop)
}
