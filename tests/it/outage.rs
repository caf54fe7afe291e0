//! The reason that this product exists, on the real clock: fifty people a second log in at the running demo, the provider that
//! they prefer goes away and comes back, and an e-service's people notice next to nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use grindvakt::base::{Clock as _, SystemClock};
use grindvakt::provider::breaker::OPEN_FOR;
use grindvakt::provider::prober::EVERY;
use grindvakt_demo::browser::{Browser, Page};
use grindvakt_demo::check;
use grindvakt_demo::control::Site;
use grindvakt_demo::fault::Fault;
use grindvakt_demo::sidecar::known_service;
use grindvakt_demo::stage::Stage;
use grindvakt_demo::{DemoIdp, KnownService};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use crate::support::process::Process;
use crate::support::{Client, metric};

const PREFERRED: &str = "bankid-demo";
const ALTERNATE: &str = "bankid-second";
/// Logins in a second.
const RATE: u64 = 50;
/// What was promised: from the outage to the last login that is led to the provider that is gone.
const LED_AWAY: Duration = Duration::from_secs(5);
/// How late a round of probes may be: one interval, and a moment for the probes themselves and for seeing it.
const ROUND: Duration = EVERY.saturating_add(Duration::from_millis(500));

/// Where a login was led, and what became of it.
struct Led {
    asked: Instant,
    to: String,
    /// The session's browser; none for a login whose provider was not there.
    session: Option<Client>,
}

struct Rig {
    stage: Stage,
    sidecar: Process,
    service: KnownService,
}

impl Rig {
    async fn new() -> Self {
        let stage = Stage::set_up(0).await.unwrap();
        let sidecar = Process::start(stage.config().parent().unwrap());
        stage.introduce(Duration::from_secs(20)).await.unwrap();
        let service = known_service(&stage.url("/eid/saml/metadata"), Duration::from_secs(5)).await.unwrap();
        Self { stage, sidecar, service }
    }

    fn set(&self, fault: Fault) -> Instant {
        self.stage.control.provider(PREFERRED).unwrap().switch.set(fault);
        Instant::now()
    }

    /// The provider whose address this is.
    fn provider(&self, address: &str) -> (&'static str, DemoIdp) {
        let idps = self.stage.control.providers().iter().filter_map(|provider| match &provider.site {
            Site::Saml(site) => Some((provider.id, site.idp())),
            Site::Oidc(_) => None,
        });
        let mut idps = idps.filter(|(_, idp)| idp.sso_url() == address);
        idps.next().unwrap_or_else(|| panic!("a login was led to {address}"))
    }

    /// One person logs in with BankID, by what the sidecar answers. Their browser reaches the provider, or does not.
    async fn log_in(&self) -> Led {
        let asked = Instant::now();
        let mut client = Client::new(self.sidecar.public);
        let reply = client.get("/eid/login?eid=bankid&rd=/ansokan").await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "a login that was led nowhere: {}", reply.body);
        let (address, query) = reply.header("location").split_once('?').unwrap();
        let (to, idp) = self.provider(address);
        let port = address.rsplit_once(':').unwrap().1.split('/').next().unwrap().parse().unwrap();
        if TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            return Led { asked, to: to.to_owned(), session: None };
        }
        let (request, relay_state) = self.service.redirect(query, address).unwrap();
        let encryption = self.service.encryption.clone();
        let response = idp.response(&request).at(SystemClock.now()).loa("uncertified-loa3").encrypted_to(encryption);
        let reply = client.answer(&response.build(), &relay_state.unwrap()).await;
        assert_eq!((reply.status, reply.header("location")), (StatusCode::SEE_OTHER, "/ansokan"), "{}", reply.body);
        Led { asked, to: to.to_owned(), session: Some(client) }
    }

    async fn status(&self, id: &str) -> Value {
        let text = Client::new(self.sidecar.admin).get("/status?json").await.body;
        let status: Value = serde_json::from_str(&text).unwrap();
        status["providers"].as_array().unwrap().iter().find(|provider| provider["id"] == id).unwrap().clone()
    }

    /// What is left of a route without a provider.
    async fn without(&self, route: &str, lost: &str) -> Value {
        let text = Client::new(self.sidecar.admin).get("/status?json").await.body;
        let status: Value = serde_json::from_str(&text).unwrap();
        let find = |list: &Value, key: &str, value: &str| {
            list.as_array().unwrap().iter().find(|one| one[key] == value).unwrap_or_else(|| panic!("{list}")).clone()
        };
        find(&find(&status["failover"], "route", route)["without"], "provider", lost)
    }

    async fn breaker(&self) -> Value {
        self.status(PREFERRED).await["health"]["breaker"].clone()
    }

    async fn metric(&self, name: &str) -> f64 {
        metric(self.sidecar.admin, name).await
    }

    /// Until `/status` shows this of the breaker. Gives when it was last asked and was not so, and when it was.
    async fn until(&self, state: &str, within: Duration) -> (Instant, Instant) {
        let waiting = async {
            let mut before = Instant::now();
            loop {
                let asked = Instant::now();
                if self.breaker().await == state {
                    return (before, Instant::now());
                }
                before = asked;
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(within, waiting).await.unwrap_or_else(|_| panic!("not {state} within {within:?}"))
    }

    /// What the log tells of the preferred provider's breaker, move by move.
    fn told(&self) -> Vec<(String, String)> {
        let lines = self.sidecar.told().into_iter().map(|line| serde_json::from_str::<Value>(&line).unwrap());
        let moves = lines.filter(|line| line["event"] == "breaker_moved" && line["provider"] == PREFERRED);
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        moves.map(|line| (word(&line["from"]), word(&line["to"]))).collect()
    }
}

/// Fifty people a second log in, at instants that do not wait for anybody, until it is over.
async fn traffic(rig: Arc<Rig>, over: Arc<AtomicBool>) -> Vec<Led> {
    let mut ticks = interval(Duration::from_millis(1000 / RATE));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut logins = tokio::task::JoinSet::new();
    while !over.load(Ordering::Relaxed) {
        ticks.tick().await;
        let rig = Arc::clone(&rig);
        logins.spawn(async move { rig.log_in().await });
    }
    logins.join_all().await
}

/// Thirty people who are logged in go on working. Gives how many pages they got.
async fn work(people: Vec<Client>, over: Arc<AtomicBool>) -> usize {
    let mut pages = 0;
    while !over.load(Ordering::Relaxed) {
        for person in &people {
            let page = person.clone().get("/ansokan").await;
            assert!(page.status == StatusCode::OK && page.body.contains("X-Eid-Subject"), "a session was lost");
            pages += 1;
            sleep(Duration::from_millis(20)).await;
        }
    }
    pages
}

#[tokio::test(flavor = "multi_thread")]
async fn the_preferred_provider_is_killed_and_brought_back_under_fifty_logins_a_second() {
    let rig = Arc::new(Rig::new().await);
    rig.until("closed", Duration::from_secs(10)).await;
    let mut people = Vec::new();
    for _ in 0..30 {
        let led = rig.log_in().await;
        assert_eq!(led.to, PREFERRED);
        people.extend(led.session);
    }
    let over = Arc::new(AtomicBool::new(false));
    let working = tokio::spawn(work(people, Arc::clone(&over)));
    let logging_in = tokio::spawn(traffic(Arc::clone(&rig), Arc::clone(&over)));
    let began = Instant::now();
    sleep(Duration::from_secs(2)).await;

    let killed = rig.set(Fault::Down);
    let (_, open) = rig.until("open", LED_AWAY).await;
    let health = rig.status(PREFERRED).await["health"].clone();
    assert_eq!((&health["cause"], &health["trouble"]), (&json!("probe"), &json!("down")), "{health}");
    let gauge = |state: &str| format!("grindvakt_provider_breaker{{provider=\"{PREFERRED}\",state=\"{state}\"}}");
    assert_eq!((rig.metric(&gauge("open")).await, rig.metric(&gauge("closed")).await), (1.0, 0.0));
    assert_eq!(rig.status(ALTERNATE).await["health"]["breaker"], "closed");
    // What would be left if the alternate failed as well: the one that is down stands in for nobody.
    let left = rig.without("/ansokan", ALTERNATE).await;
    assert_eq!((&left["stands_in"], &left["leaves_a_way"]), (&Value::Null, &json!(true)), "{left}");
    assert_eq!(left["others"][PREFERRED], "is offered; it is down itself", "{left}");

    // It is there again before the trial begins, and nobody is sent there until then.
    sleep(Duration::from_secs(3)).await;
    rig.set(Fault::None);
    assert_eq!(rig.breaker().await, "open");
    let (still_out, restored) = rig.until("closed", OPEN_FOR + ROUND).await;
    // The trial begins when the wait is over, and is the next round of probes.
    let waited = restored - open;
    assert!(waited + Duration::from_secs(1) > OPEN_FOR && waited < OPEN_FOR + ROUND, "{waited:?} from open to closed");
    sleep(Duration::from_secs(2)).await;
    over.store(true, Ordering::Relaxed);
    let ran = began.elapsed();

    let led = timeout(Duration::from_secs(60), logging_in).await.expect("logins that do not end").unwrap();
    let pages = working.await.unwrap();
    assert!(pages > 100, "{pages} pages");
    let wanted = RATE as f64 * ran.as_secs_f64();
    assert!(led.len() as f64 > 0.9 * wanted, "{} logins in {ran:?}: the machine was too busy for this test", led.len());
    let mut count: BTreeMap<(&str, &str, bool), usize> = BTreeMap::new();
    for login in &led {
        // What is asked for in the moment of a change may be led either way.
        let when = match login.asked {
            asked if asked < killed => "before",
            asked if asked <= open => "found out",
            asked if asked < still_out => "outage",
            asked if asked <= restored => "found out",
            _ => "after",
        };
        *count.entry((when, &login.to, login.session.is_some())).or_default() += 1;
    }
    println!("open after {:?}, closed {waited:?} after that: {count:?}, {pages} pages", open - killed);
    let of = |when: &str, to: &str, good: bool| count.get(&(when, to, good)).copied().unwrap_or(0);
    assert!(of("before", PREFERRED, true) > 0 && of("after", PREFERRED, true) > 0, "{count:?}");
    assert_eq!(of("outage", PREFERRED, true) + of("outage", PREFERRED, false), 0, "led to one that is gone: {count:?}");
    assert!(of("outage", ALTERNATE, true) > 0, "{count:?}");
    for (when, to, good) in count.keys() {
        // A login is lost only by whoever was led there while nobody could know.
        assert!(*good || (*to, *when) == (PREFERRED, "found out") || *when == "before", "{when}: {count:?}");
        assert!([PREFERRED, ALTERNATE].contains(to));
    }

    // Every session that was opened, whenever and by whomever, still is.
    for login in led {
        if let Some(mut person) = login.session {
            assert_eq!(person.get("/ansokan").await.status, StatusCode::OK, "a session by {} was lost", login.to);
        }
    }
    let step = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    assert_eq!(rig.told(), [step("closed", "open"), step("open", "half_open"), step("half_open", "closed")]);
    for to in ["open", "half_open", "closed"] {
        let moves = format!("grindvakt_breaker_moves_total{{provider=\"{PREFERRED}\",to=\"{to}\"}}");
        assert_eq!(rig.metric(&moves).await, 1.0, "{to}");
    }
    let failovers = format!("grindvakt_failovers_total{{how=\"silent\",provider=\"{PREFERRED}\"}}");
    let silent = rig.metric(&failovers).await;
    assert!(silent > 0.0);
    // Who is led on without a word has taken what was offered.
    let taken = format!("grindvakt_failovers_taken_total{{how=\"silent\",provider=\"{PREFERRED}\"}}");
    assert_eq!(rig.metric(&taken).await, silent);
}

/// A login at `eid` as a person goes through it: the page where it ends.
async fn ends_at(stage: &Stage, eid: &str) -> Page {
    let mut browser = Browser::new();
    let page = check::to_provider(&mut browser, stage, eid, "/ansokan").await.unwrap();
    check::choose(&mut browser, &page, 0, None, "success").await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_each_button_of_the_demo_does_to_a_login() {
    let rig = Rig::new().await;
    let stage = &rig.stage;
    let inside = |page: &Page| page.status == StatusCode::OK && page.body.contains("195006262546");
    // What a front page shows is found out by probes: also one that answers, but too late. Others are probed all the while, and
    // show that it is not our own way out that is broken.
    for (id, fault, code) in [
        (ALTERNATE, Fault::Slow, "timeout_head"),
        (PREFERRED, Fault::Error, "status"),
        ("konto", Fault::Silent, "timeout_head"),
    ] {
        stage.control.provider(id).unwrap().switch.set(fault);
        let waiting = async {
            while rig.status(id).await["health"]["breaker"] != "open" {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(Duration::from_secs(12), waiting).await.unwrap_or_else(|_| panic!("{id} is {}, unseen", fault.name()));
        let health = rig.status(id).await["health"].clone();
        assert_eq!((&health["cause"], &health["probe"]), (&json!("probe"), &json!(code)), "{id}: {health}");
        stage.control.provider(id).unwrap().switch.set(Fault::None);
    }

    for (eid, id) in [("freja", "freja-demo"), ("freja-oidc", "freja-oidc")] {
        let provider = stage.control.provider(id).unwrap();
        let page = ends_at(stage, eid).await;
        assert!(inside(&page), "{id}: {}", page.body);

        // A new key is published and used at once: nobody notices.
        stage.control.rotate(provider).unwrap();
        let page = ends_at(stage, eid).await;
        assert!(inside(&page), "{id}: {}", page.body);

        // A key that is not: nobody gets in, and its health is what it was, since anybody could sign so.
        provider.switch.set(Fault::WrongKeys);
        for _ in 0..4 {
            let page = ends_at(stage, eid).await;
            assert!(page.status == StatusCode::FORBIDDEN, "{id}: {} {}", page.status, page.body);
        }
        assert_eq!(rig.status(id).await["health"]["breaker"], "closed", "{id}");

        // It loses people behind a front page that is fine: they stay there.
        provider.switch.set(Fault::Lost);
        assert_eq!(ends_at(stage, eid).await.status, StatusCode::GATEWAY_TIMEOUT, "{id}");
        assert_eq!(rig.status(id).await["health"]["breaker"], "closed", "{id}");

        // Technical errors, though its front page is fine: three open the breaker, and others are offered.
        provider.switch.set(Fault::Answers);
        for _ in 0..3 {
            assert_eq!(rig.status(id).await["health"]["breaker"], "closed", "{id}");
            let page = ends_at(stage, eid).await;
            assert!(!inside(&page) && page.status != StatusCode::OK, "{id}: {}", page.status);
        }
        let health = rig.status(id).await["health"].clone();
        assert_eq!(
            (&health["breaker"], &health["cause"], &health["probe"]),
            (&json!("open"), &json!("login"), &json!("up"))
        );
        let page = Browser::new().open(&stage.url(&format!("/eid/login?eid={eid}&rd=/ansokan"))).await.unwrap();
        assert!(page.status == StatusCode::OK && page.body.contains("BankID (demo)"), "{id}: {}", page.body);
        provider.switch.set(Fault::None);
    }
}
