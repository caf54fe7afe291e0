//! A flood of requests that no browser would send, beside people who work. None of them may be answered as if it were
//! good, and the people must not notice.

use std::cell::Cell;
use std::rc::Rc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request};

use super::login_storm::prepare;
use super::steady::session_traffic;
use super::{Running, Scenario};
use crate::Failed;
use crate::bench::Bench;
use crate::drive::{Lane, Pace};
use crate::login::{Prepared, post};
use crate::report::Better;
use crate::traffic::{Answer, Payload, Shot, Traffic, Verdict, request};
use crate::world::{ACS, GUARDED, HOST, SESSION};

/// The scenario.
pub(super) struct Garbage;

impl Scenario for Garbage {
    fn name(&self) -> &'static str {
        "garbage"
    }

    fn about(&self) -> &'static str {
        "a flood of malformed messages, cookies and paths: good traffic must stay fine"
    }

    fn run<'a>(&'a self, bench: &'a mut Bench) -> Running<'a> {
        Box::pin(flood(bench))
    }
}

/// Requests that must be refused, round and round.
struct Refused {
    requests: Vec<Request<Payload>>,
    at: Cell<usize>,
}

impl Traffic for Refused {
    fn next(&self) -> Option<Shot> {
        let at = self.at.replace(self.at.get().wrapping_add(1));
        let request = self.requests.get(at.checked_rem(self.requests.len())?)?;
        Some(Shot { request: request.clone(), tag: at as u64 })
    }

    fn judge(&self, _tag: u64, answer: &Answer) -> Verdict {
        if answer.cookie(|name| name == SESSION).is_some() {
            Verdict::Bad("garbage led to a session".into())
        } else if answer.status.is_client_error() {
            Verdict::Good
        } else {
            Verdict::unexpected(answer)
        }
    }
}

/// The form with one letter of its message changed: everything about it is right but the digest.
fn one_letter_off(login: &Prepared) -> Prepared {
    let mut form = login.form.to_vec();
    let middle = form.len() / 2;
    if let Some(letter) = form.iter_mut().skip(middle).find(|letter| letter.is_ascii_lowercase()) {
        *letter = if *letter == b'a' { b'b' } else { b'a' };
    }
    Prepared { cookie: login.cookie.clone(), form: Bytes::from(form) }
}

/// One of each kind.
fn kinds(logins: &[Prepared]) -> Result<Vec<Request<Payload>>, Failed> {
    let mut kinds = Vec::new();
    let form = |body: Vec<u8>| -> Result<Request<Payload>, Failed> {
        let mut request = request(Method::POST, HOST, ACS, None, Payload::Whole(Bytes::from(body)))?;
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(CONTENT_TYPE, kind);
        Ok(request)
    };
    let message = |xml: &str| {
        let encoded = base64_simd::STANDARD.encode_to_string(xml);
        form(grindvakt_demo::form::encode([("SAMLResponse", encoded.as_str())]).into_bytes())
    };
    for login in logins {
        let broken = one_letter_off(login);
        // It goes as far as the digest when it comes with its cookie, and nowhere without.
        kinds.push(post(&broken)?);
        kinds.push(form(broken.form.to_vec())?);
        let half = login.form.get(..login.form.len() / 2).unwrap_or_default();
        kinds.push(post(&Prepared { cookie: login.cookie.clone(), form: Bytes::copy_from_slice(half) })?);
    }
    kinds.push(form(vec![b'A'; 100_000])?);
    kinds.push(form((0..20_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect())?);
    kinds.push(message("<!DOCTYPE r [<!ENTITY a \"aaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><r>&b;</r>")?);
    kinds.push(message(&("<a>".repeat(5_000) + &"</a>".repeat(5_000)))?);
    kinds.push(message(&format!("<a {}/>", (0..5_000).map(|n| format!("b{n}=''")).collect::<Vec<_>>().join(" ")))?);
    let program = |path: &str, cookie: Option<&str>| -> Result<Request<Payload>, Failed> {
        let mut request = request(Method::GET, HOST, path, cookie, Payload::empty())?;
        request.headers_mut().insert("sec-fetch-mode", HeaderValue::from_static("cors"));
        Ok(request)
    };
    kinds.push(program("/app/%zz/%2e%2e/..%2f", None)?);
    let cookie = format!("{SESSION}={}", "A".repeat(4_000));
    kinds.push(program(GUARDED, Some(&cookie))?);
    let cookies = (0..200).map(|n| format!("{SESSION}={n}")).collect::<Vec<_>>().join("; ");
    kinds.push(program(GUARDED, Some(&cookies))?);
    let mut forged = program(GUARDED, None)?;
    for name in ["x-eid-personal-number", "x-eid-subject", "x_eid_loa"] {
        forged.headers_mut().insert(name, HeaderValue::from_static("195006262546"));
    }
    kinds.push(forged);
    Ok(kinds)
}

async fn flood(bench: &mut Bench) -> Result<(), Failed> {
    let sessions = session_traffic(bench).await?;
    let logins: Vec<Prepared> = prepare(bench, 4).await?.into();
    let flood = Rc::new(Refused { requests: kinds(&logins)?, at: Cell::new(0) });
    let sidecar = bench.sidecar();
    let (connections, tolerance) = (bench.options.connections_or(32), bench.options.max_errors);
    let lane = |name: &str, rate, tolerance, traffic: Rc<dyn Traffic>| Lane {
        name: name.to_owned(),
        address: sidecar.address,
        pace: Pace::Rate(rate),
        connections,
        tolerance,
        traffic,
    };
    let good = lane("session requests", 500.0, tolerance, sessions);
    // Whatever of it is let through is a failure.
    let bad = lane("garbage", bench.options.rate_or(2000.0), 0.0, flood);

    bench.warm_up(std::slice::from_ref(&good)).await?;
    bench.measure("good alone", sidecar, vec![good.clone()], bench.options.duration() / 2).await?;
    bench.measure("under garbage", sidecar, vec![good, bad], bench.options.duration()).await?;
    bench.fine("good alone", "session requests");
    bench.fine("under garbage", "session requests");
    if let Some(phase) = bench.phase("under garbage", "sidecar") {
        bench.report.figure("cpu_under_garbage", phase.cpu_us_per_request, "µs/request", Better::Lower);
    }
    Ok(())
}
