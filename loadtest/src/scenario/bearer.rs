//! Programs with bearer tokens: tokens that were seen before, beside the bare hop; and tokens that nobody has seen, each
//! of which is verified.

use std::rc::Rc;

use http::header::{AUTHORIZATION, HeaderValue};
use http::{Method, StatusCode};

use super::{Running, Scenario};
use crate::Failed;
use crate::bench::{Bench, Target};
use crate::drive::{Lane, Pace};
use crate::part;
use crate::report::Better;
use crate::traffic::{Payload, Rounds, request};
use crate::world::{API, HOST};

/// Tokens that are used again and again: programs that keep theirs.
const KEPT: usize = 32;

/// Tokens that are used once. Once they are through, the first is long forgotten or known: a run must not need more.
const NEW: usize = 60_000;

/// The scenario.
pub(super) struct Bearer;

impl Scenario for Bearer {
    fn name(&self) -> &'static str {
        "bearer"
    }

    fn about(&self) -> &'static str {
        "requests with bearer tokens, seen before (beside a bare proxy) and new"
    }

    fn run<'a>(&'a self, bench: &'a mut Bench) -> Running<'a> {
        Box::pin(bearer(bench))
    }
}

fn traffic(bench: &Bench, tokens: std::ops::Range<usize>) -> Result<Rc<Rounds>, Failed> {
    let with = |number| {
        let mut request = request(Method::GET, HOST, API, None, Payload::empty())?;
        let bearer = format!("Bearer {}", bench.world.issuer.token(number));
        let bearer = HeaderValue::from_str(&bearer).map_err(|e| Failed::to("a token as a header", e))?;
        request.headers_mut().insert(AUTHORIZATION, bearer);
        Ok(request)
    };
    Ok(Rc::new(Rounds::new(tokens.map(with).collect::<Result<_, Failed>>()?, StatusCode::OK)))
}

async fn bearer(bench: &mut Bench) -> Result<(), Failed> {
    bench.progress.phase("signing tokens", None);
    let kept = traffic(bench, 0..KEPT)?;
    let new = traffic(bench, KEPT..KEPT + if bench.options.quick { NEW / 20 } else { NEW })?;
    let (connections, tolerance) = (bench.options.connections_or(32), bench.options.max_errors);
    let lane = |target: Target, pace, traffic: &Rc<Rounds>| Lane {
        name: "token requests".to_owned(),
        address: target.address,
        pace,
        connections,
        tolerance,
        traffic: traffic.clone(),
    };
    let (cores, folder) = (bench.world.cores.clone(), bench.world.folder().to_owned());
    let to = bench.world.upstream.to_string();
    let (hop, address) = part::start("hop", &["--to", &to], &cores.measured, &cores, &folder).await?;
    let hop = Target { name: "hop", process: hop.process(), address };
    let sidecar = bench.sidecar();
    let targets = [sidecar, hop];
    for target in targets {
        bench.warm_up(&[lane(target, Pace::Rate(500.0), &kept)]).await?;
    }
    let open = Pace::Rate(bench.options.rate_or(2000.0));
    let rounds = u32::try_from(bench.options.rounds.max(1)).unwrap_or(1);
    // In turns, so that a busy minute of the machine meets both; and the middle one of the turns counts, so that a second
    // in which it met one alone does not decide.
    let mut ratios = Vec::new();
    for _ in 0..rounds {
        let mut of_round = [0.0; 2];
        for (target, cost) in targets.into_iter().zip(&mut of_round) {
            let before = bench.spent("seen before", target.name);
            let duration = bench.options.duration() / rounds;
            bench.measure("seen before", target, vec![lane(target, open, &kept)], duration).await?;
            let (cpu_ns, requests) = bench.spent("seen before", target.name);
            *cost = (cpu_ns - before.0) as f64 / requests.saturating_sub(before.1).max(1) as f64;
        }
        let [sidecar, hop] = of_round;
        ratios.extend((hop > 0.0).then_some(sidecar / hop));
    }
    let new_rate = Pace::Rate(bench.options.rate_or(2000.0) / 2.0);
    bench.measure("new", sidecar, vec![lane(sidecar, new_rate, &new)], bench.options.duration()).await?;
    let cpu = |phase, target| bench.phase(phase, target).map(|phase| phase.cpu_us_per_request);
    let (seen, bare, fresh) = (cpu("seen before", "sidecar"), cpu("seen before", "hop"), cpu("new", "sidecar"));
    for (name, value) in [("cpu_seen", seen), ("hop_cpu_seen", bare), ("cpu_new", fresh)] {
        if let Some(value) = value {
            bench.report.figure(name, value, "µs/request", Better::Lower);
        }
    }
    if let Some(ratio) = median(ratios) {
        bench.report.figure("cpu_over_hop_seen", ratio, "times", Better::Lower);
    }
    Ok(())
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
