//! The outage of a provider, as whoever is on call sees it: a real Prometheus scrapes a sidecar while the preferred provider
//! goes away and comes back, and exactly the alerts fire that docs/runbook.md promises.

use std::collections::BTreeSet;
use std::time::Duration;

use grindvakt_demo::{DemoIdp, Feed};
use http::StatusCode;
use tokio::time::{Instant, sleep};

use crate::peer_prometheus::{Prometheus, read};
use crate::support::remote::{Act, Remote};
use crate::support::{BASE, Client, World, metric};

/// An outage of an hour is played in a minute: in a copy of the rules every range and every `for` is a sixtieth.
const FASTER: u64 = 60;

/// These two tell how fast the machine is that the test runs on, with a debug build beside other tests; an outage has no part
/// in them. They are the only ones that are left out.
fn is_about_the_machine(alert: &str) -> bool {
    alert.starts_with("GrindvaktDecisionsSlow")
}

/// A duration of the rules (`10m`), faster.
fn faster(duration: &str) -> String {
    let (number, unit) = duration.split_at(duration.len() - 1);
    let seconds = match unit {
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        other => panic!("a duration in {other}"),
    };
    format!("{}s", number.parse::<u64>().unwrap() * seconds / FASTER)
}

/// The rules, faster.
fn rules() -> String {
    let mut out = String::new();
    for line in read("rules.yml").lines() {
        let mut rest = line;
        if let Some(duration) = line.trim().strip_prefix("for: ") {
            out.push_str(&format!("        for: {}\n", faster(duration)));
            continue;
        }
        // What an alert says has brackets too, of the configuration's tables.
        while let Some((before, after)) = rest.split_once('[') {
            out.push_str(before);
            out.push('[');
            rest = after;
            if let Some((range, after)) =
                after.split_once(']').filter(|_| after.starts_with(|c: char| c.is_ascii_digit()))
            {
                out.push_str(&faster(range));
                out.push(']');
                rest = after;
            }
        }
        out.push_str(rest);
        out.push('\n');
    }
    out
}

/// What the runbook promises of an outage: the list before its first section.
fn promised() -> BTreeSet<String> {
    let runbook = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/runbook.md")).unwrap();
    let (_, after) = runbook.split_once("**What the outage of one provider fires.**").unwrap();
    let (list, _) = after.split_once("\n## ").unwrap();
    let names = list.lines().filter_map(|line| line.strip_prefix("- [")?.split_once(']'));
    names.map(|(name, _)| name.to_owned()).collect()
}

/// The alerts that fire now.
async fn firing(prometheus: &Prometheus) -> BTreeSet<String> {
    let found = prometheus.ask("/api/v1/alerts").await;
    let alerts = found["alerts"].as_array().unwrap().iter().filter(|alert| alert["state"] == "firing");
    let names = alerts.map(|alert| alert["labels"]["alertname"].as_str().unwrap().to_owned());
    names.filter(|name| !is_about_the_machine(name)).collect()
}

/// Eight people who want BankID, each in a browser of their own.
async fn people(world: &World) {
    for _ in 0..8 {
        let reply = Client::new(world.public()).get("/eid/login?eid=bankid&rd=/lag/1").await;
        let led = [StatusCode::OK, StatusCode::SEE_OTHER].contains(&reply.status);
        assert!(led, "an outage stopped the e-service: {} {}", reply.status, reply.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_fires_exactly_the_alerts_that_the_runbook_promises() {
    let promised = promised();
    assert!(!promised.is_empty());
    let (bankid, freja) = (Remote::start().await, Remote::start().await);
    bankid.does(Act::ok("Legitimera dig"));
    freja.does(Act::ok("Legitimera dig"));
    let mut world = World::new("").await;
    let idp = |entity: &str, at: &Remote| DemoIdp::new(entity, &format!("http://{}", at.address));
    world.idp = idp("https://bankid.example.com/idp", &bankid).named("BankID");
    world.other = idp("https://freja.example.org/idp", &freja).certified(&["loa2", "loa3"]);
    world.write("feed.xml", &Feed::new().idp(&world.idp).idp(&world.other).build());
    // Only in "dev" may a probe go to loopback, and then we are there too.
    world
        .configure(|text| {
            let text = text.replace("environment = \"test\"", "environment = \"dev\"");
            let text = text.replace(&format!("base_url = \"{BASE}\""), "base_url = \"http://etjanst.localhost\"");
            text.replace("loa = [\"loa2\"]\neid = [\"freja\"]", "loa = [\"loa2\", \"loa3\", \"uncertified-loa3\"]")
        })
        .await;
    let prometheus = Prometheus::with_rules(world.admin(), &rules());
    let breaker = |state: &str| format!("grindvakt_provider_breaker{{provider=\"bankid-a\",state=\"{state}\"}}");
    let is_closed = async || metric(world.admin(), &breaker("closed")).await == 1.0;

    // All is well for what is five minutes to the rules: some log in, and nothing fires.
    for _ in 0..5 {
        Client::new(world.public()).log_in(&world, "/lag/1").await;
        sleep(Duration::from_secs(1)).await;
        assert_eq!(firing(&prometheus).await, BTreeSet::new(), "all is well");
    }
    assert!(is_closed().await, "all is well");

    // The provider is gone.
    bankid.does(Act::Closed);
    let mut seen = BTreeSet::new();
    let began = Instant::now();
    while seen != promised && began.elapsed() < Duration::from_secs(40) {
        if !is_closed().await {
            people(&world).await;
        }
        sleep(Duration::from_millis(500)).await;
        seen.extend(firing(&prometheus).await);
    }
    assert_eq!(seen, promised, "left: what fired, right: what docs/runbook.md promises");

    // It goes on a while longer than its alerts need, and then comes back.
    let until = Instant::now() + Duration::from_secs(10);
    while Instant::now() < until {
        people(&world).await;
        sleep(Duration::from_secs(1)).await;
        seen.extend(firing(&prometheus).await);
    }
    bankid.does(Act::ok("Legitimera dig"));
    let back = Instant::now();
    loop {
        let now = firing(&prometheus).await;
        if now.is_empty() && is_closed().await {
            break;
        }
        assert!(back.elapsed() < Duration::from_secs(60), "{now:?} go on");
        seen.extend(now);
        sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(seen, promised, "left: what fired, right: what docs/runbook.md promises");
    world.stop().await;
}
