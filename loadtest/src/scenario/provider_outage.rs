//! The provider that people prefer goes away while they log in, and comes back: the running demo, with its second provider of
//! the same e-ID. New logins must be led to the alternate within five seconds, nobody who is logged in may notice, and the
//! way back must be open one round of probes after the trial began.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use grindvakt::base::{Clock as _, SystemClock};
use grindvakt::provider::{breaker, prober};
use grindvakt_demo::fault::Fault;
use grindvakt_demo::stage::Stage;
use grindvakt_demo::{KnownService, form, sidecar};
use http::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use http::{Method, StatusCode};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::{Running, Scenario};
use crate::Failed;
use crate::bench::Bench;
use crate::report::Better;
use crate::system::child::Child;
use crate::traffic::{Answer, Conn, Payload, request};
use crate::world::{ACS, text};

/// Logins in a second, as the promise has it.
const RATE: f64 = 50.0;
/// People who work, each with a session.
const PEOPLE: usize = 40;
/// Between two requests of one person.
const THINKS: Duration = Duration::from_millis(100);
/// From the outage to the last login that is led to the provider that is gone: what is promised.
const LED_AWAY: Duration = Duration::from_secs(5);
/// From opening to closing, where the provider is back before the trial: one round of probes after the trial began, and a
/// moment for the probe itself.
const RESTORED: Duration = breaker::OPEN_FOR.saturating_add(prober::EVERY).saturating_add(Duration::from_millis(500));
/// How long it is traffic as usual, before the outage and after it.
const USUAL: Duration = Duration::from_secs(4);
/// How long the provider is gone: less than its breaker waits with the trial.
const OUTAGE: Duration = Duration::from_secs(8);
const LOOKS_EVERY: Duration = Duration::from_millis(20);
const STARTING: Duration = Duration::from_secs(30);

const PREFERRED: &str = "bankid-demo";
const GUARDED: &str = "/ansokan";
const SESSION: &str = "eid-etjanst";

/// The scenario.
pub(super) struct ProviderOutage;

impl Scenario for ProviderOutage {
    fn name(&self) -> &'static str {
        "provider-outage"
    }

    fn about(&self) -> &'static str {
        "the preferred provider is killed and brought back while people log in and work"
    }

    fn run<'a>(&'a self, bench: &'a mut Bench) -> Running<'a> {
        Box::pin(outage(bench))
    }
}

/// One login: when it was asked for, where it was led, and how long it took; none where its provider was not there.
struct Led {
    asked: Instant,
    preferred: bool,
    took: Option<Duration>,
}

/// The demo, its sidecar, and what everybody saw.
struct Site {
    stage: Stage,
    service: KnownService,
    host: String,
    public: SocketAddr,
    admin: SocketAddr,
    over: Cell<bool>,
    led: RefCell<Vec<Led>>,
    sessions: RefCell<Vec<String>>,
    pages: Cell<u64>,
    bad: RefCell<BTreeMap<String, u64>>,
}

impl Site {
    fn wrong(&self, what: impl Into<String>) {
        *self.bad.borrow_mut().entry(what.into()).or_default() += 1;
    }

    fn preferred(&self, fault: Fault) -> Instant {
        if let Some(provider) = self.stage.control.provider(PREFERRED) {
            provider.switch.set(fault);
        }
        Instant::now()
    }

    /// What `/status` says of the preferred provider's breaker.
    async fn breaker(&self) -> Result<String, Failed> {
        let status: Value = serde_json::from_str(&text(self.admin, "/status?json").await?)
            .map_err(|e| Failed::to("reading /status", e))?;
        let providers = status.get("providers").and_then(Value::as_array);
        let ours = providers.and_then(|all| all.iter().find(|one| one.get("id").is_some_and(|id| id == PREFERRED)));
        let state = ours.and_then(|one| one.pointer("/health/breaker")?.as_str());
        state.map(str::to_owned).ok_or_else(|| Failed(format!("/status does not tell of {PREFERRED}")))
    }

    /// Waits until it says this. Gives when it was asked last and did not, and when it did; none when it is too late.
    async fn until(&self, state: &str, within: Duration) -> Result<Option<(Instant, Instant)>, Failed> {
        let began = Instant::now();
        let mut before = began;
        while began.elapsed() < within {
            let asked = Instant::now();
            if self.breaker().await? == state {
                return Ok(Some((before, Instant::now())));
            }
            before = asked;
            sleep(LOOKS_EVERY).await;
        }
        Ok(None)
    }

    async fn send(&self, request: http::Request<Payload>) -> Result<Answer, String> {
        Conn::new(self.public).exchange(request).await.map_err(str::to_owned)
    }

    /// One person logs in with the e-ID that both providers give.
    async fn log_in(&self) -> Result<(), String> {
        let asked = Instant::now();
        let path = format!("/eid/login?eid=bankid&rd={GUARDED}");
        let begin = request(Method::GET, &self.host, &path, None, Payload::empty()).map_err(|e| e.to_string())?;
        let answer = self.send(begin).await?;
        let location = answer.headers.get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default();
        let Some((address, query)) = location.split_once('?') else {
            return Err(format!("login begun: status {}", answer.status.as_u16()));
        };
        let idps = self.stage.idps.each_ref().map(|site| site.idp());
        let at = idps.iter().position(|idp| idp.sso_url() == address);
        let (Some(idp), Some(cookie)) = (at.and_then(|at| idps.get(at)), answer.cookie(is_login)) else {
            return Err(format!("login begun: led to {address}"));
        };
        let mut led = Led { asked, preferred: at == Some(0), took: None };
        // The browser goes there, and finds somebody or not.
        if reaches(address).await {
            let read = self.service.redirect(query, address).map_err(|e| e.to_string())?;
            let answer = idp.response(&read.0).at(SystemClock.now()).loa("uncertified-loa3");
            let message = answer.encrypted_to(self.service.encryption.clone()).build_base64();
            let relay_state = read.1.unwrap_or_default();
            let body = form::encode([("SAMLResponse", message.as_str()), ("RelayState", relay_state.as_str())]);
            let body = Payload::Whole(Bytes::from(body));
            let mut finish = request(Method::POST, &self.host, ACS, Some(cookie), body).map_err(|e| e.to_string())?;
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            finish.headers_mut().insert(CONTENT_TYPE, form);
            let answer = self.send(finish).await?;
            let session = answer.cookie(|name| name == SESSION);
            let session = session.ok_or_else(|| format!("login finished: status {}", answer.status.as_u16()))?;
            self.sessions.borrow_mut().push(session.to_owned());
            led.took = Some(asked.elapsed());
        }
        self.led.borrow_mut().push(led);
        Ok(())
    }
}

/// Whether `name` is the cookie of a begun login.
fn is_login(name: &str) -> bool {
    name.strip_prefix(SESSION).is_some_and(|rest| rest.starts_with('-'))
}

/// Whether anybody is at an address of the demo.
async fn reaches(address: &str) -> bool {
    let uri: Option<http::Uri> = address.parse().ok();
    let Some(port) = uri.and_then(|uri| uri.port_u16()) else { return false };
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok()
}

async fn outage(bench: &mut Bench) -> Result<(), Failed> {
    bench.progress.phase("starting the demo", None);
    let stage = Stage::set_up(0).await.map_err(|e| Failed::to("setting up the demo", e))?;
    let folder = bench.world.folder().to_owned();
    let log = folder.join("outage.log");
    let _sidecar = start(Path::new(&bench.report.program), &stage, &log, bench).await?;
    stage.introduce(STARTING).await.map_err(Failed)?;
    let service = sidecar::known_service(&stage.url("/eid/saml/metadata"), STARTING).await.map_err(Failed)?;
    let at = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let site = Rc::new(Site {
        service,
        host: format!("etjanst.localhost:{}", stage.port),
        public: at(stage.port),
        admin: at(stage.admin_port),
        stage,
        over: Cell::new(false),
        led: RefCell::default(),
        sessions: RefCell::default(),
        pages: Cell::new(0),
        bad: RefCell::default(),
    });
    for _ in 0..PEOPLE {
        site.log_in().await.map_err(Failed)?;
    }
    let people: Vec<_> = site.sessions.take().into_iter().map(|cookie| work(Rc::clone(&site), cookie)).collect();
    let people: Vec<_> = people.into_iter().map(tokio::task::spawn_local).collect();
    site.led.take();
    let rate = bench.options.rate_or(RATE);
    let logging_in = tokio::task::spawn_local(logins(Rc::clone(&site), rate));
    let began = Instant::now();

    bench.progress.phase("as usual", Some(USUAL));
    sleep(USUAL).await;
    bench.progress.phase("the preferred provider is gone", Some(OUTAGE));
    let killed = site.preferred(Fault::Down);
    let open = site.until("open", OUTAGE).await?;
    sleep(OUTAGE.saturating_sub(killed.elapsed())).await;
    bench.progress.phase("it is back", None);
    site.preferred(Fault::None);
    let closed = site.until("closed", 2 * RESTORED).await?;
    bench.progress.phase("as usual again", Some(USUAL));
    sleep(USUAL).await;
    let ran = began.elapsed();
    site.over.set(true);
    let _ = logging_in.await;
    let mut kept = 0;
    for person in people {
        kept += usize::from(person.await.unwrap_or(false));
    }

    let (Some((_, open)), Some((still_out, closed))) = (open, closed) else {
        bench.report.failures.push("the breaker did not open, or did not close again".to_owned());
        return Ok(());
    };
    let memory = "memory_at_end is of the sidecar that stood idle beside the demo's";
    bench.report.notes.push(memory.to_owned());
    judge(bench, &site, [killed, open, still_out, closed], (kept, ran, rate));
    let told = moves(&std::fs::read_to_string(&log).unwrap_or_default());
    if told != ["open", "half_open", "closed"] {
        bench.report.failures.push(format!("the log tells of other moves of the breaker: {}", told.join(", ")));
    }
    let metrics = text(site.admin, "/metrics").await?;
    let silent = format!("grindvakt_failovers_total{{how=\"silent\",provider=\"{PREFERRED}\"}} ");
    if !metrics.lines().any(|line| line.strip_prefix(&silent).is_some_and(|count| count != "0")) {
        bench.report.failures.push("no metric tells of a login that was led elsewhere".to_owned());
    }
    // Every session that was opened on the way is still one.
    let opened = site.sessions.take();
    let mut lost = 0;
    for cookie in &opened {
        let page = request(Method::GET, &site.host, GUARDED, Some(cookie), Payload::empty())?;
        lost += u32::from(site.send(page).await.map(|answer| answer.status) != Ok(StatusCode::OK));
    }
    bench.report.figure("sessions_opened", opened.len() as f64, "", Better::Higher);
    if lost > 0 {
        bench.report.failures.push(format!("{lost} of {} sessions that were opened meanwhile are lost", opened.len()));
    }
    Ok(())
}

/// What the logins saw, and what the people who worked did.
fn judge(bench: &mut Bench, site: &Site, instants: [Instant; 4], (kept, ran, rate): (usize, Duration, f64)) {
    let [killed, open, still_out, closed] = instants;
    let led = site.led.borrow();
    let report = &mut bench.report;
    let took = |from: Instant, until: Instant| {
        let mut took: Vec<Duration> =
            led.iter().filter(|one| one.asked >= from && one.asked < until).filter_map(|one| one.took).collect();
        took.sort();
        took.get(took.len().saturating_mul(99) / 100).map_or(0.0, |p99| p99.as_secs_f64() * 1000.0)
    };
    let end = killed + Duration::from_secs(3600);
    report.figure("logins", led.len() as f64, "", Better::Higher);
    report.figure("logins_a_second", led.len() as f64 / ran.as_secs_f64(), "/s", Better::Higher);
    report.figure("p99_before", took(killed.checked_sub(ran).unwrap_or(killed), killed), "ms", Better::Lower);
    report.figure("p99_at_the_alternate", took(open, still_out), "ms", Better::Lower);
    report.figure("p99_after", took(closed, end), "ms", Better::Lower);
    let last = led.iter().filter(|one| one.preferred && one.asked < still_out).map(|one| one.asked).max();
    let led_away = last.map_or(Duration::ZERO, |last| last.saturating_duration_since(killed));
    let restored = closed.saturating_duration_since(open);
    let nowhere = led.iter().filter(|one| one.took.is_none()).count();
    report.figure("led_away", led_away.as_secs_f64(), "s", Better::Lower);
    report.figure("opened_after", open.saturating_duration_since(killed).as_secs_f64(), "s", Better::Lower);
    report.figure("closed_again_after", restored.as_secs_f64(), "s", Better::Lower);
    report.figure("logins_led_nowhere", nowhere as f64, "", Better::Lower);
    report.figure("sessions_kept", kept as f64, "", Better::Higher);
    report.figure("session_requests", site.pages.get() as f64 / ran.as_secs_f64(), "/s", Better::Higher);
    let alternate = led.iter().filter(|one| !one.preferred && one.took.is_some()).count();
    let back = led.iter().filter(|one| one.preferred && one.took.is_some() && one.asked >= closed).count();
    let all = [
        (led_away <= LED_AWAY, format!("logins were led to the provider that was gone for {led_away:?}")),
        (restored <= RESTORED, format!("the way back was open {restored:?} after it was closed")),
        (alternate > 0, "no login was led to the alternate".to_owned()),
        (back > 0, "no login came back to the preferred provider".to_owned()),
        (kept == PEOPLE && site.pages.get() > 0, format!("{kept} of {PEOPLE} sessions kept")),
        (led.len() as f64 > 0.95 * rate * ran.as_secs_f64(), format!("{} logins in {ran:?}: too few", led.len())),
        (
            led.iter().all(|one| one.took.is_some() || (one.preferred && one.asked <= open)),
            "a login was led nowhere after the outage was known".to_owned(),
        ),
    ];
    report.failures.extend(all.into_iter().filter_map(|(holds, what)| (!holds).then_some(what)));
    report.failures.extend(site.bad.borrow().iter().map(|(what, count)| format!("{count} × {what}")));
}

/// To which states the log says that the preferred provider's breaker went, in order.
fn moves(log: &str) -> Vec<String> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let is = |line: &Value, name: &str, value: &str| line.get(name).is_some_and(|is| is == value);
    let moves = lines.filter(|line| is(line, "event", "breaker_moved") && is(line, "provider", PREFERRED));
    moves.filter_map(|line| line.get("to")?.as_str().map(str::to_owned)).collect()
}

async fn start(program: &Path, stage: &Stage, log: &Path, bench: &Bench) -> Result<Child, Failed> {
    let cores = &bench.world.cores;
    let mut command = Command::new(PathBuf::from(program));
    command.arg("run").arg("--config").arg(stage.config()).env_remove("RUST_LOG");
    let mut child = Child::start("demo's sidecar", command, &cores.measured, cores, log)?;
    child.says(log, STARTING, |log| log.contains("\"serving\"").then_some(())).await?;
    Ok(child)
}

/// People log in at instants that do not wait for anybody.
async fn logins(site: Rc<Site>, rate: f64) {
    let every = Duration::try_from_secs_f64(1.0 / rate.max(0.1)).unwrap_or(THINKS);
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut under_way = tokio::task::JoinSet::new();
    while !site.over.get() {
        ticks.tick().await;
        let person = Rc::clone(&site);
        under_way.spawn_local(async move {
            if let Err(why) = person.log_in().await {
                person.wrong(why);
            }
        });
    }
    while under_way.join_next().await.is_some() {}
}

/// Works on with one session. Gives whether it lasted.
async fn work(site: Rc<Site>, mut cookie: String) -> bool {
    let mut line = Conn::new(site.public);
    while !site.over.get() {
        let Ok(page) = request(Method::GET, &site.host, GUARDED, Some(&cookie), Payload::empty()) else { return false };
        match line.exchange(page).await {
            Ok(answer) if answer.status == StatusCode::OK => {
                site.pages.set(site.pages.get() + 1);
                if let Some(newer) = answer.cookie(|name| name == SESSION) {
                    cookie = newer.to_owned();
                }
            }
            Ok(answer) => {
                site.wrong(format!("page: status {}", answer.status.as_u16()));
                return false;
            }
            Err(why) => site.wrong(format!("page: {why}")),
        }
        sleep(THINKS).await;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_tells_the_moves_of_one_breaker() {
        let line = |provider: &str, to: &str| {
            format!("{{\"event\":\"breaker_moved\",\"provider\":\"{provider}\",\"from\":\"x\",\"to\":\"{to}\"}}\n")
        };
        let log =
            [line(PREFERRED, "open"), line("freja-demo", "open"), "half a li\n".to_owned(), line(PREFERRED, "closed")];
        assert_eq!(moves(&log.concat()), ["open", "closed"]);
        assert!(is_login("eid-etjanst-abc") && !is_login(SESSION) && !is_login("last-eid-etjanst"));
    }
}
