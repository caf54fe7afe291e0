//! The board under a clock that is turned by hand: exact state and metric at each step.
#![allow(clippy::unwrap_used)]

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::config::load_text;

const NOW: UnixTime = UnixTime::from_secs(1_772_359_200);

const CONFIG: &str = r#"
environment = "production"
[service]
id = "etjanst"
entity_id = "https://e.example.se/sp"
base_url = "https://e.example.se"
upstream = "http://127.0.0.1:8000"
[store]
single_replica = true
[[metadata]]
id = "feed"
file = "feed.xml"
[[provider]]
id = "a"
eid = "bankid"
protocol = "saml"
entity_id = "https://a.example.se"
metadata = "feed"
[[provider]]
id = "b"
eid = "freja"
protocol = "saml"
entity_id = "https://b.example.se"
metadata = "feed"
[[provider]]
id = "unseen"
eid = "siths"
protocol = "saml"
entity_id = "https://c.example.se"
metadata = "feed"
probe = "off"
"#;

struct World {
    board: Board,
    telemetry: Arc<Telemetry>,
    now: UnixTime,
}

fn id(name: &str) -> ProviderId {
    ProviderId::new(name).unwrap()
}

fn world() -> World {
    let config = load_text(Path::new("g.toml"), CONFIG).map_err(|p| format!("{p:?}")).unwrap();
    let providers = config.providers.iter().map(|provider| provider.id.clone());
    let telemetry = Arc::new(Telemetry::new(providers, []).unwrap());
    World { board: Board::new(&config, Arc::clone(&telemetry), None), telemetry, now: NOW }
}

fn refused() -> Found {
    Found::Failed { code: "tcp_connect", detail: "refused".into(), ours: false }
}

fn no_name() -> Found {
    Found::Failed { code: "dns", detail: "no such name".into(), ours: true }
}

impl World {
    fn after(&mut self, seconds: u64) -> &mut Self {
        self.now = self.now.plus(Duration::from_secs(seconds));
        self
    }

    fn round(&mut self, a: Found, b: Found) -> &mut Self {
        self.board.round(vec![(id("a"), a), (id("b"), b)], self.now);
        self
    }

    /// `closed open half_open` of a provider, its trouble, and the last probe.
    fn state(&self, name: &str) -> String {
        let reports = self.board.reports(self.now);
        let report = reports.iter().find(|report| report.provider == id(name)).unwrap();
        let trouble = report.trouble.map_or("-", Trouble::name);
        format!("{} {trouble} {}", report.phase.name(), report.probe.unwrap_or("-"))
    }

    fn metric(&self, line: &str) -> u64 {
        self.board.observe(self.telemetry.metrics(), self.now);
        let text = self.telemetry.metrics().text().unwrap();
        let found = text.lines().find_map(|l| l.strip_prefix(line)?.trim().parse().ok());
        found.unwrap_or_else(|| panic!("{line} is not in\n{text}"))
    }
}

#[test]
fn an_outage_from_the_first_failed_probe_to_the_way_back() {
    let mut world = world();
    world.round(Found::Up, Found::Up);
    assert_eq!((world.state("a"), world.state("b")), ("closed - up".into(), "closed - up".into()));
    assert!(!world.board.hurried());

    world.after(2).round(refused(), Found::Up);
    assert_eq!(world.state("a"), "closed - tcp_connect");
    assert!(world.board.hurried(), "the next one comes sooner");
    world.after(1).round(refused(), Found::Up);
    assert_eq!(world.state("a"), "closed - tcp_connect");
    world.after(1).round(refused(), Found::Up);
    assert_eq!(world.state("a"), "open down tcp_connect");
    assert_eq!(world.metric("grindvakt_breaker_moves_total{provider=\"a\",to=\"open\"}"), 1);
    assert_eq!(world.metric("grindvakt_provider_breaker{provider=\"a\",state=\"open\"}"), 1);
    assert_eq!(world.metric("grindvakt_probes_total{outcome=\"tcp_connect\",provider=\"a\"}"), 3);
    assert!(!world.board.hurried() && !world.board.wants_probe(&id("a"), world.now), "it is left in peace");
    assert_eq!(world.state("b"), "closed - up");

    world.after(14);
    assert_eq!(world.state("a"), "open down tcp_connect");
    world.after(1);
    assert!(world.board.wants_probe(&id("a"), world.now));
    assert_eq!(world.state("a"), "half_open down tcp_connect");
    world.round(Found::Up, Found::Up);
    assert_eq!(world.state("a"), "closed - up");
    for (to, times) in [("open", 1), ("half_open", 1), ("closed", 1)] {
        let line = format!("grindvakt_breaker_moves_total{{provider=\"a\",to=\"{to}\"}}");
        assert_eq!(world.metric(&line), times, "{to}");
    }
    assert_eq!(world.metric("grindvakt_provider_breaker{provider=\"a\",state=\"closed\"}"), 1);
}

#[test]
fn what_comes_and_goes_is_left_for_longer_each_time() {
    let mut world = world();
    world.round(Found::Up, Found::Up);
    // A quarter of a minute, a half, one, two, and no more than two.
    for (round, wait) in (1_u64..).zip([15_u64, 30, 60, 120, 120]) {
        for failed in 1..=3 {
            world.after(1).round(refused(), Found::Up);
            let expect = if failed < 3 { "closed - tcp_connect" } else { "open down tcp_connect" };
            assert_eq!(world.state("a"), expect, "{round} {failed}");
        }
        world.after(wait - 1);
        assert_eq!(world.state("a"), "open down tcp_connect", "{round}");
        assert!(!world.board.wants_probe(&id("a"), world.now));
        world.after(1);
        assert_eq!(world.state("a"), "half_open down tcp_connect", "{round}");
        assert_eq!(world.metric("grindvakt_provider_breaker{provider=\"a\",state=\"half_open\"}"), 1);
        world.round(Found::Up, Found::Up);
        assert_eq!(world.state("a"), "closed - up", "{round}");
        for to in ["open", "half_open", "closed"] {
            let line = format!("grindvakt_breaker_moves_total{{provider=\"a\",to=\"{to}\"}}");
            assert_eq!(world.metric(&line), round, "{to}");
        }
    }
    assert_eq!(world.state("b"), "closed - up", "and nobody else's");
}

#[test]
fn what_other_replicas_tell_is_shown_counted_and_believed_as_one_failed_probe() {
    let mut world = world();
    let heard = |world: &World, open: bool, at| {
        let cause = Cause::Probe;
        let signal = if open { Signal::OpenElsewhere { cause, at } } else { Signal::ClosedElsewhere { cause, at } };
        world.board.heard(&id("a"), signal, world.now);
    };
    world.round(Found::Up, Found::Up);
    for _ in 0..20 {
        heard(&world, true, world.now);
    }
    assert_eq!(world.state("a"), "closed - up");
    assert_eq!(world.metric("grindvakt_breaker_elsewhere_total{provider=\"a\",to=\"open\"}"), 20);
    assert!(world.board.hurried(), "a look at it is due");
    world.after(1).round(refused(), Found::Up);
    world.after(1).round(refused(), Found::Up);
    assert_eq!(world.state("a"), "open down tcp_connect", "two of our own, and theirs");

    // Blind, nothing that they tell opens anything.
    heard(&world, true, world.now);
    for _ in 0..10 {
        world.after(2);
        world.board.heard(&id("b"), Signal::OpenElsewhere { cause: Cause::Probe, at: world.now }, world.now);
        world.round(no_name(), no_name());
        assert_eq!(world.state("b"), "closed - unknown");
    }
    // Of a provider that is not configured here nothing is kept.
    world.board.heard(&id("nobody"), Signal::OpenElsewhere { cause: Cause::Probe, at: world.now }, world.now);
    let closed = world.now;
    heard(&world, false, closed);
    world.after(2).round(Found::Up, Found::Up);
    assert_eq!(world.state("a"), "closed - up");
}

#[test]
fn every_probe_at_once_is_our_own_way_out() {
    let mut world = world();
    world.round(Found::Up, Found::Up);
    for _ in 0..10 {
        world.after(2).round(refused(), refused());
        assert_eq!((world.state("a"), world.state("b")), ("closed - unknown".into(), "closed - unknown".into()));
    }
    assert_eq!(world.metric("grindvakt_egress_unknown"), 1);
    assert_eq!(world.metric("grindvakt_breaker_moves_total{provider=\"a\",to=\"open\"}"), 0);
    assert_eq!(world.metric("grindvakt_probes_total{outcome=\"unknown\",provider=\"a\"}"), 10);
    assert!(!world.board.hurried());
    // A token endpoint that cannot be reached then says nothing either.
    for _ in 0..5 {
        world.board.token_endpoint(&id("a"), &refused(), None, world.now);
    }
    assert_eq!(world.state("a"), "closed - unknown");

    world.after(2).round(Found::Up, refused());
    assert_eq!(world.metric("grindvakt_egress_unknown"), 0);
    assert_eq!((world.state("a"), world.state("b")), ("closed - up".into(), "closed - tcp_connect".into()));

    // Whoever answers shows that our way out works: then the fault is theirs, also when it is everybody's.
    world.after(2).round(Found::Answered(503), Found::Answered(502));
    assert_eq!((world.state("a"), world.state("b")), ("closed - status".into(), "closed - status".into()));
    assert_eq!(world.metric("grindvakt_egress_unknown"), 0);
    // A round in which nobody was to be asked changes nothing.
    world.board.round(Vec::new(), world.now);
    assert_eq!(world.metric("grindvakt_egress_unknown"), 0);
}

#[test]
fn what_fails_before_tcp_is_about_us() {
    let mut world = world();
    for _ in 0..10 {
        world.after(2).round(no_name(), Found::Up);
    }
    assert_eq!(world.state("a"), "closed - unknown");
    assert_eq!(world.metric("grindvakt_egress_unknown"), 0, "others are reached");

    let host = || "a.example.se".to_owned();
    let proxy = |status| FetchError::Proxy { proxy: "http://proxy:8080".into(), detail: String::new(), status };
    let tls = |fault| FetchError::Tls { host: host(), fault, detail: String::new(), issuer: None };
    for (error, ours) in [
        (FetchError::Dns { host: host(), detail: String::new() }, true),
        (FetchError::Connect { host: host(), detail: String::new() }, false),
        (proxy(None), true),
        (proxy(Some(407)), true),
        (proxy(Some(503)), false),
        (tls(TlsFault::UnknownIssuer), true),
        (tls(TlsFault::NotYetValid), true),
        (tls(TlsFault::Expired), false),
        (tls(TlsFault::WrongName), false),
        (FetchError::Timeout(Stage::Connect), false),
        (FetchError::Timeout(Stage::Head), false),
        (FetchError::Broken(String::new()), false),
    ] {
        let found = Found::failed(&error);
        assert!(matches!(&found, Found::Failed { ours: o, .. } if *o == ours), "{error:?}");
    }
}

#[test]
fn faults_count_once_for_each_login_and_each_client_network_and_minute() {
    let world = world();
    let from = |n: u8| Some(IpAddr::from([192, 0, n, 7]));
    for _ in 0..100 {
        world.board.fault(&id("a"), "login-1", from(1), world.now);
    }
    for n in 0..100 {
        world.board.fault(&id("a"), "login-1", from(n), world.now);
    }
    for n in 0..100 {
        world.board.fault(&id("a"), &format!("login-{n}"), from(1), world.now);
    }
    assert_eq!(world.state("a"), "closed - -", "one person's trouble");
    assert_eq!(world.metric("grindvakt_provider_faults_total{provider=\"a\"}"), 300);
    world.board.fault(&id("a"), "login-200", from(2), world.now);
    assert_eq!(world.state("a"), "closed - -");
    world.board.fault(&id("a"), "login-201", from(3), world.now);
    assert_eq!(world.state("a"), "open down -");
    // Somebody's answer is no fault of anybody else's.
    world.board.fault(&id("unseen"), "login-300", from(4), world.now);
    world.board.answered(&id("unseen"), world.now, world.now);
    world.board.fault(&id("unseen"), "login-301", from(5), world.now);
    world.board.fault(&id("unseen"), "login-302", from(6), world.now);
    assert_eq!(world.state("unseen"), "closed - -");
}

#[test]
fn a_token_endpoint_without_an_answer_is_a_fault_and_a_refusal_is_none() {
    let world = world();
    for _ in 0..100 {
        world.board.token_endpoint(&id("a"), &Found::Up, None, world.now);
    }
    assert_eq!(world.state("a"), "closed - -");
    for _ in 0..3 {
        world.board.token_endpoint(&id("a"), &no_name(), None, world.now);
    }
    assert_eq!(world.state("a"), "closed - -", "before TCP: ours");
    world.board.token_endpoint(&id("a"), &Found::Answered(500), network(1), world.now);
    world.board.token_endpoint(&id("a"), &refused(), None, world.now);
    assert_eq!(world.state("a"), "closed - -");
    world.board.token_endpoint(&id("a"), &Found::Answered(503), network(2), world.now);
    assert_eq!(world.state("a"), "open down -");
}

fn network(n: u8) -> Option<IpAddr> {
    Some(IpAddr::from([203, 0, n, 7]))
}

/// A code that nobody was given, from one place: however often a token endpoint stumbles over it, and from an address that is
/// not known not at all.
#[test]
fn nobody_opens_a_breaker_with_codes_of_their_own() {
    let mut world = world();
    world.round(Found::Up, Found::Up);
    for _ in 0..50 {
        world.board.token_endpoint(&id("a"), &Found::Answered(500), network(1), world.now);
        world.board.token_endpoint(&id("a"), &Found::Answered(500), None, world.now);
        world.after(1);
    }
    assert_eq!(world.state("a"), "closed - up");
    assert_eq!(world.metric("grindvakt_provider_faults_total{provider=\"a\"}"), 100, "and each is seen");
}

/// A trial by logins is one login in fifteen seconds, and it is a person's: what is only begun takes nobody's place, and one
/// network takes one in a minute.
#[test]
fn nobody_keeps_a_provider_from_its_trial_by_beginning_logins() {
    let mut world = world();
    for n in 0..3 {
        world.board.fault(&id("a"), &format!("login {n}"), network(n), world.now);
    }
    assert_eq!(world.state("a"), "open down -");
    world.after(15);
    for _ in 0..100 {
        world.board.begun(&id("a"), false, network(9), world.now);
        world.board.begun(&id("a"), true, None, world.now);
    }
    assert_eq!(world.state("a"), "half_open - -", "the place is free");
    world.board.begun(&id("a"), true, network(9), world.now);
    assert_eq!(world.state("a"), "half_open down -", "it is taken");
    for _ in 0..44 {
        world.after(1);
        world.board.begun(&id("a"), true, network(9), world.now);
    }
    assert_eq!(world.state("a"), "half_open - -", "and not by the same once more");
    world.board.begun(&id("a"), true, network(8), world.now);
    world.board.answered(&id("a"), world.now, world.now);
    assert_eq!(world.state("a"), "closed - -");
}

/// An hour of a login a second, from networks of all over.
fn busy(world: &mut World) {
    for second in 0..3600_u32 {
        let from = IpAddr::from([10, (second >> 8) as u8, second as u8, 1]);
        world.board.begun(&id("a"), true, Some(from), world.now);
        world.board.answered(&id("a"), world.now, world.now);
        world.after(1);
    }
}

#[test]
fn silence_marks_and_opens_only_together_with_something_else() {
    let mut world = world();
    busy(&mut world);
    let someone = |second: u32| Some(IpAddr::from([11, (second >> 8) as u8, second as u8, 1]));
    for second in 0..40 {
        world.board.begun(&id("a"), true, someone(second), world.now);
        world.after(1).round(Found::Up, Found::Up);
    }
    assert_eq!(world.state("a"), "closed suspected up", "marked, and no more");
    assert_eq!(world.metric("grindvakt_provider_suspected{provider=\"a\"}"), 1);
    assert_eq!(world.metric("grindvakt_breaker_moves_total{provider=\"a\",to=\"open\"}"), 0);
    world.after(1).round(refused(), Found::Up);
    assert_eq!(world.state("a"), "open down tcp_connect", "together they are enough");
    world.board.answered(&id("a"), world.now, world.now);
    assert_eq!(world.metric("grindvakt_provider_suspected{provider=\"a\"}"), 0, "one answer ends the suspicion");
}

#[test]
fn a_hundred_thousand_logins_that_are_only_begun_change_a_metric_and_nothing_else() {
    for addresses in [1_u32, 1_000] {
        // With traffic beside it, and where nobody else is.
        for traffic in [true, false] {
            let mut world = world();
            if traffic {
                busy(&mut world);
            }
            for n in 0..100_000_u32 {
                let network = n % addresses;
                let from = IpAddr::from([203, (network >> 8) as u8, network as u8, 1]);
                world.board.begun(&id("a"), true, Some(from), world.now);
                if n % 1_000 == 0 {
                    world.after(1);
                    if traffic {
                        world.board.answered(&id("a"), world.now, world.now);
                    }
                    world.round(Found::Up, Found::Up);
                    assert_eq!(world.state("a"), "closed - up", "{addresses} {traffic}");
                }
            }
            assert_eq!(world.metric("grindvakt_provider_suspected{provider=\"a\"}"), 0);
            assert_eq!(world.metric("grindvakt_breaker_moves_total{provider=\"a\",to=\"open\"}"), 0);
        }
    }
}

#[test]
fn a_reload_forgets_nothing() {
    let mut world = world();
    for _ in 0..3 {
        world.after(1).round(refused(), Found::Up);
    }
    let config = load_text(Path::new("g.toml"), CONFIG).unwrap();
    let board = Board::new(&config, Arc::clone(&world.telemetry), Some(&world.board));
    world.board = board;
    assert_eq!(world.state("a"), "open down tcp_connect");
    assert!(!world.board.wants_probe(&id("unseen"), world.now));
}
