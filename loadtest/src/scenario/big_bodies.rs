//! Large uploads and downloads: they stream through, so memory must not grow with them.

use std::rc::Rc;

use http::{Method, Request, StatusCode};

use super::{Running, Scenario};
use crate::Failed;
use crate::bench::Bench;
use crate::drive::{Lane, Pace};
use crate::part::upstream::{BYTES, RECEIVED};
use crate::report::Better;
use crate::traffic::{Answer, Payload, Shot, Traffic, Verdict, request};
use crate::world::HOST;

/// How much memory may grow while bodies pass. One body alone is larger.
const FLAT_KB: u64 = 32 * 1024;

const MB: u64 = 1024 * 1024;

/// The scenario.
pub(super) struct BigBodies;

impl Scenario for BigBodies {
    fn name(&self) -> &'static str {
        "big-bodies"
    }

    fn about(&self) -> &'static str {
        "uploads and downloads of --body-mb megabytes: memory must stay flat"
    }

    fn run<'a>(&'a self, bench: &'a mut Bench) -> Running<'a> {
        Box::pin(bodies(bench))
    }
}

/// The same upload or download again and again, of which nothing may be lost.
struct Bodies {
    request: Request<Payload>,
    up: u64,
    down: Option<u64>,
}

impl Traffic for Bodies {
    fn next(&self) -> Option<Shot> {
        Some(Shot { request: self.request.clone(), tag: 0 })
    }

    fn judge(&self, _tag: u64, answer: &Answer) -> Verdict {
        if answer.status != StatusCode::OK {
            return Verdict::unexpected(answer);
        }
        let received = answer.headers.get(RECEIVED).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        match (received == Some(self.up), self.down.is_none_or(|bytes| bytes == answer.bytes)) {
            (true, true) => Verdict::Good,
            (false, _) => Verdict::Bad("an upload arrived in part".into()),
            (_, false) => Verdict::Bad("a download arrived in part".into()),
        }
    }
}

async fn bodies(bench: &mut Bench) -> Result<(), Failed> {
    let bytes = bench.options.body_mb.max(1) * MB;
    bench.progress.phase("logging in", None);
    let cookies = bench.world.sessions(1).await?;
    let cookie = cookies.first().map(String::as_str);
    let upload = request(Method::POST, HOST, "/app/upload", cookie, Payload::Zeros(bytes))?;
    let download = request(Method::GET, HOST, &format!("/app{BYTES}{bytes}"), cookie, Payload::empty())?;
    let sidecar = bench.sidecar();
    for (name, traffic) in [
        ("uploads", Bodies { request: upload, up: bytes, down: None }),
        ("downloads", Bodies { request: download, up: 0, down: Some(bytes) }),
    ] {
        let lane = Lane {
            name: name.to_owned(),
            address: sidecar.address,
            pace: Pace::Closed,
            connections: bench.options.connections_or(8),
            tolerance: 0.0,
            traffic: Rc::new(traffic),
        };
        bench.measure(name, sidecar, vec![lane], bench.options.duration()).await?;
        let Some(phase) = bench.phase(name, "sidecar") else { continue };
        let megabytes = phase.requests as f64 * bytes as f64 / MB as f64;
        bench.report.figure(&format!("{name}_speed"), megabytes / phase.seconds, "MB/s", Better::Higher);
        let cpu = phase.cpu_cores * phase.seconds * 1e6 / megabytes.max(1.0);
        bench.report.figure(&format!("cpu_{name}"), cpu, "µs/MB", Better::Lower);
        let grown = phase.rss_peak_kb.saturating_sub(phase.rss_before_kb);
        bench.report.figure(&format!("memory_growth_{name}"), grown as f64 / 1024.0, "MB", Better::Lower);
        if grown > FLAT_KB {
            let text = format!("{name}: memory grew by {} MB while bodies passed", grown / 1024);
            bench.report.failures.push(text);
        }
    }
    Ok(())
}
