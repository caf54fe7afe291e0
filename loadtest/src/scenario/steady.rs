//! People who are logged in: requests with a live session, through the sidecar to the e-service. Beside it the bare hop,
//! so that what the sidecar costs is seen apart from what any proxy costs.

use std::rc::Rc;

use http::{Method, StatusCode};

use super::{Running, Scenario};
use crate::Failed;
use crate::bench::{Bench, Target};
use crate::drive::{Lane, Pace};
use crate::part;
use crate::report::Better;
use crate::traffic::{Payload, Rounds, request};
use crate::world::{GUARDED, HOST};

/// Different people.
const SESSIONS: usize = 32;

/// The scenario.
pub(super) struct Steady;

impl Scenario for Steady {
    fn name(&self) -> &'static str {
        "steady"
    }

    fn about(&self) -> &'static str {
        "requests with a live session, beside a bare proxy of the same libraries (and nginx, if installed)"
    }

    fn run<'a>(&'a self, bench: &'a mut Bench) -> Running<'a> {
        Box::pin(steady(bench))
    }
}

/// Requests with live sessions for a guarded path.
///
/// # Errors
/// When nobody can log in.
pub(super) async fn session_traffic(bench: &Bench) -> Result<Rc<Rounds>, Failed> {
    bench.progress.phase("logging in", None);
    let cookies = bench.world.sessions(SESSIONS).await?;
    let get = |cookie: &String| request(Method::GET, HOST, GUARDED, Some(cookie), Payload::empty());
    let requests = cookies.iter().map(get).collect::<Result<Vec<_>, _>>()?;
    Ok(Rc::new(Rounds::new(requests, StatusCode::OK)))
}

async fn steady(bench: &mut Bench) -> Result<(), Failed> {
    let traffic = session_traffic(bench).await?;
    let connections = bench.options.connections_or(32);
    let tolerance = bench.options.max_errors;
    let lane = |target: Target, pace| Lane {
        name: "session requests".to_owned(),
        address: target.address,
        pace,
        connections,
        tolerance,
        traffic: traffic.clone(),
    };

    let (cores, folder) = (bench.world.cores.clone(), bench.world.folder().to_owned());
    let mut targets = vec![bench.sidecar()];
    let to = bench.world.upstream;
    let (hop, address) = part::start("hop", &["--to", &to.to_string()], &cores.measured, &cores, &folder).await?;
    targets.push(Target { name: "hop", process: hop.process(), address });
    let nginx = match part::nginx::find() {
        Some(program) => Some(part::nginx::start(&program, to, &cores.measured, &cores, &folder).await?),
        None => None,
    };
    match &nginx {
        Some((child, address)) => {
            targets.push(Target { name: "nginx", process: child.process(), address: *address });
        }
        None => bench.report.notes.push("nginx is not in PATH: no comparison with it".to_owned()),
    }

    let open = Pace::Rate(bench.options.rate_or(2000.0));
    let rounds = u32::try_from(bench.options.rounds.max(1)).unwrap_or(1);
    for target in &targets {
        bench.warm_up(&[lane(*target, open)]).await?;
    }
    let mut phases = vec![("fixed rate", open)];
    if !bench.options.quick {
        phases.push(("closed loop", Pace::Closed));
    }
    for (name, pace) in phases {
        // In turns, so that a busy minute of the machine meets all of them.
        for _ in 0..rounds {
            for target in &targets {
                let duration = bench.options.duration() / rounds;
                bench.measure(name, *target, vec![lane(*target, pace)], duration).await?;
            }
        }
        compare(bench, name, &targets);
    }
    if !bench.options.quick {
        let sidecar = bench.sidecar();
        let highest = bench.phase("closed loop", "sidecar").map_or(0.0, |p| p.requests as f64 / p.seconds);
        bench.report.figure("throughput", highest, "requests/s", Better::Higher);
        bench.find_saturation(sidecar, highest, |rate| lane(sidecar, Pace::Rate(rate))).await?;
        if let Some(shot) = crate::traffic::Traffic::next(&*traffic) {
            bench.open_connections(1000, &shot.request).await?;
        }
    }
    Ok(())
}

/// Notes what a request costs, and how much more than through the others.
fn compare(bench: &mut Bench, name: &str, targets: &[Target]) {
    let key = name.replace(' ', "_");
    let mut own = None;
    for target in targets {
        let Some(phase) = bench.phase(name, target.name) else { continue };
        let cpu = phase.cpu_us_per_request;
        let prefix = if target.name == "sidecar" { String::new() } else { format!("{}_", target.name) };
        bench.report.figure(&format!("{prefix}cpu_{key}"), cpu, "µs/request", Better::Lower);
        match own {
            None => {
                own = Some(cpu);
                if let Some(lane) = phase.lanes.first() {
                    bench.report.figure(&format!("p99_{key}"), lane.latency.p99 as f64, "µs", Better::Lower);
                }
            }
            Some(own) if cpu > 0.0 => {
                let figure = format!("cpu_over_{}_{key}", target.name);
                bench.report.figure(&figure, own / cpu, "times", Better::Lower);
            }
            Some(_) => {}
        }
    }
}
