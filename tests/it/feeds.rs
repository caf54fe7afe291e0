//! Feeds by address when everything goes wrong: the exact state and metric at each step, by a clock that the test turns.

use std::sync::Arc;
use std::time::Duration;

use grindvakt::base::{Clock as _, FeedId, ManualClock, SystemClock};
use grindvakt::config::{Outbound, RemoteUrl};
use grindvakt::provider::source::{Document, Early, Freshness, Origin, Place, Reader, Source, Spec, Way};
use grindvakt::telemetry::Telemetry;
use grindvakt::verify::jose::KeySet;
use grindvakt_demo::{DemoIdp, DemoKey, Feed};
use http::StatusCode;

use crate::support::remote::{Act, NoChance, Remote, START, fetcher};
use crate::support::stand::{DAY, Shown, Stand, fingerprint, holds};
use crate::support::{Client, World, eventually, metric};

const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// A feed that came and is in use.
fn fresh(tries: [u64; 3]) -> Shown {
    Shown { state: Freshness::Fresh, origin: Some(Origin::Fetched), failures: 0, code: None, usable: true, tries }
}

/// The last good feed in use while fetching fails.
fn stale(failures: u32, code: &'static str, tries: [u64; 3]) -> Shown {
    Shown { state: Freshness::Stale, failures, code: Some(code), ..fresh(tries) }
}

/// Nothing that can be used.
fn none(failures: u32, code: &'static str, tries: [u64; 3]) -> Shown {
    let state = Freshness::None;
    Shown { state, origin: None, failures, code: Some(code), usable: false, tries }
}

/// A host with a stand that fetches from it, both fresh.
async fn running() -> (Remote, Stand) {
    let remote = Remote::start().await;
    let mut stand = Stand::new(&Stand::at(&remote));
    remote.publishes(stand.document(DAY, WEEK), "1", &[]);
    stand.start();
    stand.shows(fresh([1, 0, 0])).await;
    (remote, stand)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_is_fetched_confirmed_and_replaced() {
    let (remote, stand) = running().await;
    assert_eq!(remote.last().header("accept").unwrap().split(',').next(), Some("application/samlmetadata+xml"));
    assert_eq!((stand.next(), stand.until()), (3_600, Some(7 * 86_400)));
    assert_eq!(stand.metric("grindvakt_metadata_expiry_seconds{feed=\"fed\"}"), Some(7.0 * 86_400.0));
    assert_eq!(stand.metric("grindvakt_metadata_documents{feed=\"fed\",state=\"fresh\"}"), Some(1.0));

    // Nothing is asked before it is due; then by the ETag, and a 304 confirms.
    stand.advance(3_599);
    assert_eq!(stand.metric("grindvakt_metadata_age_seconds{feed=\"fed\"}"), Some(3_599.0));
    assert_eq!(remote.hits(), 1);
    stand.advance(1);
    stand.shows(fresh([1, 1, 0])).await;
    assert_eq!(remote.last().header("if-none-match"), Some("\"1\""));
    assert_eq!(stand.metric("grindvakt_metadata_age_seconds{feed=\"fed\"}"), Some(0.0));
    assert_eq!(stand.until(), Some(7 * 86_400 - 3_600), "a 304 does not move the document's own end");

    // A host without validators sends the same bytes: that confirms too, and nothing is verified again.
    let bytes = stand.document(DAY, WEEK);
    remote.does(Act::ok_with(&["Cache-Control: max-age=600"], bytes.clone()));
    stand.advance(3_600);
    stand.shows(fresh([2, 1, 0])).await;
    assert_eq!(stand.next(), 600, "as its host says");
    stand.advance(600);
    stand.shows(fresh([2, 2, 0])).await;
    assert_eq!(remote.last().header("if-none-match"), None);

    // The document's own word on caching goes before its host's.
    let own = Feed::new().idp(&stand.idp).valid_for(stand.clock.now(), WEEK).cache_duration("PT2H");
    let own = own.published(stand.clock.now(), "https://md.example.se").build_signed(&stand.operator);
    remote.does(Act::ok_with(&["Cache-Control: max-age=600"], own));
    stand.advance(600);
    stand.shows(fresh([3, 2, 0])).await;
    assert_eq!(stand.next(), 7_200);
    assert!(bytes.len() > 1_000 && stand.failures("http_status") == 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn down_at_the_start_without_a_copy_and_up_later() {
    let remote = Remote::start().await;
    remote.does(Act::status(503));
    let mut stand = Stand::new(&Stand::at(&remote));
    stand.start();
    stand.shows(none(1, "http_status", [0, 0, 1])).await;
    assert!(stand.why().contains("http_status: answered 503"), "{}", stand.why());
    assert_eq!(stand.metric("grindvakt_metadata_expiry_seconds{feed=\"fed\"}"), Some(0.0));
    assert_eq!(stand.metric("grindvakt_metadata_age_seconds{feed=\"fed\"}"), None);
    assert_eq!(stand.metric("grindvakt_metadata_documents{feed=\"fed\",state=\"none\"}"), Some(1.0));
    // Within half a minute, then less and less often, up to every five minutes.
    for (failures, wait) in [(2, 15), (3, 30), (4, 60), (5, 120), (6, 240), (7, 300)] {
        assert_eq!(stand.next(), wait);
        stand.advance(wait);
        stand.shows(none(failures, "http_status", [0, 0, failures.into()])).await;
    }
    assert_eq!((stand.next(), stand.failures("http_status")), (300, 7.0));
    remote.publishes(stand.document(DAY, WEEK), "1", &[]);
    stand.advance(300);
    stand.shows(fresh([1, 0, 7])).await;
    assert_eq!(stand.next(), 3_600, "the back-off is over");
}

#[tokio::test(flavor = "multi_thread")]
async fn down_at_the_start_with_a_copy_of_the_process_before() {
    let (remote, mut stand) = running().await;
    holds(&stand.path("state/feeds"), |names| names == ["fed.xml", "fed.xml.json"]).await;
    stand.stop();
    drop(remote);

    // Another process, two days later: the copy is verified and used; the network is down.
    stand.clock.advance(2 * DAY);
    stand.start();
    let copy = Shown { origin: Some(Origin::Copy), ..stale(1, "tcp_connect", [0, 0, 1]) };
    stand.shows(copy.clone()).await;
    assert_eq!(stand.metric("grindvakt_metadata_age_seconds{feed=\"fed\"}"), Some(2.0 * 86_400.0));
    assert_eq!(stand.until(), Some(5 * 86_400));

    // Past its own end it is of no use, to this process or to another.
    let used = stand.keys();
    assert_eq!(used.len(), 1);
    stand.clock.advance(5 * DAY);
    stand.shows(Shown { state: Freshness::None, usable: false, failures: 2, tries: [0, 0, 2], ..copy }).await;
    assert!(stand.keys().is_empty());
    stand.start();
    stand.shows(none(1, "tcp_connect", [0, 0, 1])).await;
    assert_eq!(stand.failures("metadata_expired"), 1.0, "the copy was told of");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_trusted_no_more_than_an_answer() {
    let (remote, mut stand) = running().await;
    stand.stop();
    drop(remote);
    let copy = std::fs::read_to_string(stand.path("state/feeds/fed.xml")).unwrap();
    let other = Arc::new(DemoKey::p256("someone"));
    let forged = Feed::new().idp(&stand.idp).valid_for(stand.clock.now(), WEEK).build_signed(&other);
    for (bytes, code) in [
        (copy.replace("BankID", "x").replace(".example.com/sso", ".example.net/sso"), "digest_mismatch"),
        (forged, "signature_invalid"),
        (copy[..copy.len() / 2].to_owned(), "xml_malformed"),
        (String::new(), "xml_malformed"),
        (Feed::new().idp(&stand.idp).build(), "signature_missing"),
    ] {
        stand.write("state/feeds/fed.xml", bytes);
        stand.start();
        stand.shows(none(1, "tcp_connect", [0, 0, 1])).await;
        assert_eq!(stand.failures(code), 1.0, "{code}: {}", stand.metrics());
    }
    stand.write("state/feeds/fed.xml", &copy);
    stand.start();
    stand.shows(Shown { origin: Some(Origin::Copy), ..stale(1, "tcp_connect", [0, 0, 1]) }).await;

    // The key that signed it is pinned no longer.
    stand.write("operator.crt", other.certificate_pem());
    stand.start();
    stand.shows(none(1, "tcp_connect", [0, 0, 1])).await;
    assert_eq!(stand.failures("signature_invalid"), 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_leaves_the_last_good_in_use() {
    let (remote, stand) = running().await;
    let keys = stand.keys();
    let good = stand.document(DAY, WEEK);
    let stranger = DemoKey::p256("stranger");
    let now = stand.clock.now();
    let made = |age: Duration, lifetime: Duration, publisher: &str| {
        let feed = Feed::new().idp(&stand.idp).valid_for(now, lifetime).published(now.minus(age), publisher);
        feed.build_signed(&stand.operator)
    };
    let big = format!("<!--{}-->{good}", "x".repeat(33 * 1024 * 1024));
    let rows: Vec<(Act, &str)> = vec![
        // Tampered, forged, unsigned, for another time.
        (Act::ok(good.replace("bankid.example.com/sso", "evil.example.com/sso")), "digest_mismatch"),
        (Act::ok(Feed::new().idp(&stand.idp).valid_for(now, WEEK).build_signed(&stranger)), "signature_invalid"),
        (Act::ok(Feed::new().idp(&stand.idp).valid_for(now, 2 * WEEK).build()), "signature_missing"),
        (Act::ok(made(2 * DAY, Duration::ZERO, "https://md.example.se")), "metadata_expired"),
        // Rolled back: older than the one in use, by either instant, or without them.
        (Act::ok(made(2 * DAY, WEEK, "https://md.example.se")), "metadata_rolled_back"),
        (Act::ok(made(Duration::ZERO, 6 * DAY, "https://md.example.se")), "metadata_rolled_back"),
        (
            Act::ok(Feed::new().idp(&stand.idp).valid_for(now, WEEK).build_signed(&stand.operator)),
            "metadata_rolled_back",
        ),
        (Act::ok(Feed::new().idp(&stand.idp).build_signed(&stand.operator)), "metadata_rolled_back"),
        // Of another environment, though the signature is good.
        (Act::ok(made(Duration::ZERO, 2 * WEEK, "https://qa.md.swedenconnect.se/")), "metadata_other_environment"),
        // No feed at all.
        (Act::ok("<html><body>Logga in på gästnätet</body></html>"), "not_metadata"),
        (Act::ok("<!DOCTYPE x><x/>"), "xml_doctype"),
        (Act::ok(""), "xml_malformed"),
        (Act::ok(big.clone()), "answer_too_large"),
        (Act::Chunked(big.into()), "answer_too_large"),
        (Act::redirect("https://md.example.net/feed.xml"), "http_redirect"),
        (Act::status(404), "http_status"),
        (Act::Broken(good.clone().into()), "http_broken"),
        (Act::Closed, "http_broken"),
    ];
    let mut waits = stand.next();
    let mut counted = std::collections::HashMap::new();
    for (number, (act, code)) in (1_u32..).zip(rows) {
        remote.does(act);
        stand.advance(waits);
        stand.shows(stale(number, code, [1, 0, number.into()])).await;
        *counted.entry(code).or_insert(0.0) += 1.0;
        assert_eq!(stand.failures(code), counted[code], "{code}");
        assert_eq!(stand.keys(), keys, "{code}");
        waits = stand.next();
        assert!(waits <= 300, "{code}: {waits}");
    }
    // None of it was kept as a copy.
    let copy = std::fs::read_to_string(stand.path("state/feeds/fed.xml")).unwrap();
    assert!(copy.contains("bankid.example.com/sso") && copy.contains("<ds:Signature"));
    assert_eq!(
        remote.asked().iter().map(|asked| asked.path().to_owned()).collect::<std::collections::HashSet<_>>().len(),
        1
    );
    remote.does(Act::ok(stand.document(Duration::ZERO, WEEK)));
    stand.advance(waits);
    stand.shows(fresh([2, 0, 18])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_drip_is_cut_off() {
    let (remote, stand) = running().await;
    remote.does(Act::Drip(stand.document(Duration::ZERO, WEEK).into()));
    stand.advance(3_600);
    while remote.hits() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // The head is read at once; the body would take half a minute of real time.
    tokio::time::sleep(Duration::from_millis(300)).await;
    stand.advance(60);
    stand.shows(stale(1, "timeout_body", [1, 0, 1])).await;
    assert_eq!(stand.failures("timeout_body"), 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_takes_over_and_an_old_mirror_does_not() {
    let (first, second) = (Remote::start().await, Remote::start().await);
    let feed = format!("{}\nmirrors = [\"http://127.0.0.1:{}/mirror.xml\"]", Stand::at(&first), second.address.port());
    let mut stand = Stand::new(&feed);
    let good = stand.document(DAY, WEEK);
    first.does(Act::ok(good.replace("/sso", "/evil")));
    second.publishes(good.clone(), "m", &[]);
    stand.start();
    stand.shows(fresh([1, 0, 0])).await;
    assert_eq!((first.hits(), second.hits(), stand.failures("digest_mismatch")), (1, 1, 1.0));
    assert_eq!(second.last().path(), "/mirror.xml");

    // The first is asked first each time, and never by the validators of another.
    first.publishes(good, "f", &[]);
    stand.advance(3_600);
    stand.shows(fresh([1, 1, 0])).await;
    assert_eq!((first.last().header("if-none-match"), second.hits()), (None, 1));
    stand.advance(3_600);
    stand.shows(fresh([1, 2, 0])).await;
    assert_eq!(first.last().header("if-none-match"), Some("\"f\""));

    // A newer one came from the first; the mirror lags, the first goes down: the newer one stays.
    first.publishes(stand.document(Duration::ZERO, WEEK), "f2", &[]);
    stand.advance(3_600);
    stand.shows(fresh([2, 2, 0])).await;
    first.does(Act::status(500));
    stand.advance(3_600);
    stand.shows(stale(1, "metadata_rolled_back", [2, 2, 1])).await;
    assert_eq!((stand.failures("http_status"), stand.failures("metadata_rolled_back")), (1.0, 1.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hard_age_ends_what_has_no_end_of_its_own() {
    let remote = Remote::start().await;
    let mut stand = Stand::new(&format!("{}\nmax_stale = \"2d\"", Stand::at(&remote)));
    let endless = Feed::new().idp(&stand.idp).build_signed(&stand.operator);
    remote.publishes(endless, "1", &[]);
    stand.start();
    stand.shows(fresh([1, 0, 0])).await;
    assert_eq!(stand.until(), Some(2 * 86_400));
    // A 304 is a confirmation: the age counts from it.
    stand.advance(3_600);
    stand.shows(fresh([1, 1, 0])).await;
    assert_eq!(stand.until(), Some(2 * 86_400));
    remote.does(Act::status(500));
    stand.advance(2 * 86_400 - 1);
    stand.shows(stale(1, "http_status", [1, 1, 1])).await;
    stand.clock.advance(Duration::from_secs(1));
    assert_eq!((stand.shown().state, stand.shown().usable), (Freshness::None, false));
    assert!(
        stand.why().starts_with("provider_without_keys: the metadata of bankid was valid until 2026-03-03T11:00:00Z"),
        "{}",
        stand.why()
    );

    // Another process has the copy, and the note of when it was confirmed: no new life by a restart.
    stand.start();
    stand.shows(none(1, "http_status", [0, 0, 1])).await;
    assert_eq!(stand.failures("metadata_expired"), 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seed_serves_until_something_newer_comes() {
    let remote = Remote::start().await;
    remote.does(Act::status(500));
    let mut stand = Stand::new(&format!("{}\nseed = \"seed.xml\"", Stand::at(&remote)));
    let seed = stand.document(3 * DAY, WEEK);
    stand.write("seed.xml", &seed);
    stand.start();
    let shown = Shown { state: Freshness::Seed, origin: Some(Origin::Seed), ..stale(1, "http_status", [0, 0, 1]) };
    stand.shows(shown).await;
    assert_eq!(stand.metric("grindvakt_metadata_documents{feed=\"fed\",state=\"seed\"}"), Some(1.0));
    assert_eq!(stand.metric("grindvakt_metadata_age_seconds{feed=\"fed\"}"), Some(3.0 * 86_400.0));

    // Older than the seed: refused like any roll-back. The same: confirmed, and kept as a copy.
    remote.does(Act::ok(stand.document(4 * DAY, WEEK)));
    stand.advance(15);
    let shown =
        Shown { state: Freshness::Seed, origin: Some(Origin::Seed), ..stale(2, "metadata_rolled_back", [0, 0, 2]) };
    stand.shows(shown).await;
    holds(&stand.path("state/feeds"), <[String]>::is_empty).await;
    remote.does(Act::ok(seed));
    stand.advance(30);
    stand.shows(fresh([0, 1, 2])).await;
    holds(&stand.path("state/feeds"), |names| names == ["fed.xml", "fed.xml.json"]).await;

    // A seed that was changed on its way is told and not used; the copy is.
    remote.does(Act::status(500));
    stand.write("seed.xml", stand.document(DAY, WEEK).replace("/sso", "/evil"));
    stand.start();
    stand.shows(Shown { origin: Some(Origin::Copy), ..stale(1, "http_status", [0, 0, 1]) }).await;
    assert_eq!(stand.failures("digest_mismatch"), 1.0);
    // A newer seed than the copy is a new shipment.
    stand.write("seed.xml", stand.document(DAY, WEEK));
    stand.start();
    stand
        .shows(Shown { state: Freshness::Seed, origin: Some(Origin::Seed), ..stale(1, "http_status", [0, 0, 1]) })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_roll_over_in_both_orders() {
    let (remote, stand) = running().await;
    let (old, new) = (Arc::clone(stand.idp.key()), Arc::new(DemoKey::p256("next")));
    let publish = |published: Vec<Arc<DemoKey>>, etag: &str| {
        let idp = stand.idp.clone().rolled_over(Arc::clone(&new), published);
        remote.publishes(stand.document_of(&idp, Duration::ZERO, WEEK), etag, &[]);
    };
    let change = |change: &str| {
        let name = format!("grindvakt_provider_key_changes_total{{change=\"{change}\",provider=\"bankid\"}}");
        stand.metric(&name).unwrap_or(0.0)
    };
    // In order: the new one is published beside the old one, then the old one goes.
    publish(vec![Arc::clone(&old), Arc::clone(&new)], "2");
    stand.advance(3_600);
    stand.shows(fresh([2, 0, 0])).await;
    assert_eq!(stand.keys(), [fingerprint(&old), fingerprint(&new)]);
    assert_eq!((change("added"), change("withdrawn")), (2.0, 0.0), "the first one came with the first feed");
    publish(vec![Arc::clone(&new)], "3");
    stand.advance(3_600);
    stand.shows(fresh([3, 0, 0])).await;
    assert_eq!(stand.keys(), [fingerprint(&new)]);
    assert_eq!((change("added"), change("withdrawn")), (2.0, 1.0));
    // The other way round: signed with first, published later. An early fetch finds it.
    let newest = Arc::new(DemoKey::p256("newest"));
    publish(vec![Arc::clone(&newest)], "4");
    assert_eq!(stand.early().await, Early::Fetched);
    assert_eq!(stand.keys(), [fingerprint(&newest)], "in force when whoever asked goes on");
    assert_eq!(stand.shown(), fresh([4, 0, 0]));
    assert_eq!((change("added"), change("withdrawn")), (3.0, 2.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_unknown_keys_are_one_fetch_and_then_a_cooldown() {
    let (remote, stand) = running().await;
    let early = |outcome: &str| {
        let name = format!("grindvakt_fetch_early_total{{feed=\"fed\",outcome=\"{outcome}\"}}");
        stand.metric(&name).unwrap_or(0.0)
    };
    // The host answers when all of them wait.
    let gate = Arc::new((std::sync::Mutex::new(false), std::sync::Condvar::new()));
    let document = stand.document(Duration::ZERO, WEEK);
    remote.chooses({
        let gate = Arc::clone(&gate);
        move |_| {
            let (open, change) = &*gate;
            let (open, patience) = (open.lock().unwrap(), Duration::from_secs(20));
            let (open, _) = change.wait_timeout_while(open, patience, |open| !*open).unwrap();
            assert!(*open);
            Act::ok(document.clone())
        }
    });
    let refresher = stand.refresher();
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let refresher = Arc::clone(&refresher);
        waiting.spawn(async move { refresher.early(&grindvakt::base::ProviderId::new("bankid").unwrap()).await });
    }
    eventually(10, "all wait", || async { early("fetched") + early("joined") == 100.0 }).await;
    *gate.0.lock().unwrap() = true;
    gate.1.notify_all();
    let outcomes = waiting.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Early::Fetched).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Early::Joined).count(), 99);
    assert_eq!((remote.hits(), stand.shown()), (2, fresh([2, 0, 0])));

    // An attacker who goes on makes no traffic.
    for second in 0..30 {
        assert_eq!(stand.early().await, Early::CoolingDown, "{second}");
        stand.advance(1);
    }
    assert_eq!((remote.hits(), early("cooling_down")), (2, 30.0));
    // A failure is answered too, and cools down as well.
    remote.does(Act::status(500));
    assert_eq!(stand.early().await, Early::Fetched);
    assert_eq!((remote.hits(), stand.shown()), (3, stale(1, "http_status", [2, 0, 1])));
    assert_eq!(stand.early().await, Early::CoolingDown);
    // A regular fetch is no early one: it is not held back by the cooldown.
    remote.does(Act::ok(stand.document(Duration::ZERO, WEEK)));
    stand.advance(15);
    stand.shows(fresh([3, 0, 1])).await;
    let stranger = grindvakt::base::ProviderId::new("nobody").unwrap();
    assert_eq!(refresher.early(&stranger).await, Early::Idle);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_service_is_asked_for_the_one_entity() {
    for by in ["uri", "sha1"] {
        let remote = Remote::start().await;
        let feed = format!("mdq = \"http://127.0.0.1:{}/mdq\"\nmdq_id = \"{by}\"", remote.address.port());
        let mut stand = Stand::new(&feed);
        let now = stand.clock.now();
        let lasting = |lifetime| Feed::new().valid_for(now, lifetime);
        let good = lasting(WEEK).build_entity(&stand.idp, &stand.operator);
        let other =
            DemoIdp::with_key("https://other.example.se", "https://other.example.se", Arc::clone(stand.idp.key()));
        let another = lasting(2 * WEEK).build_entity(&other, &stand.operator);
        remote.publishes(good, "1", &[]);
        stand.start();
        stand.shows(fresh([1, 0, 0])).await;
        let path = match by {
            "uri" => "/mdq/entities/https%3A%2F%2Fbankid.example.com%2Fidp",
            _ => "/mdq/entities/%7Bsha1%7Ddbcc8e0d34a0a4825b8cb1a9ebbda3b657aac69e",
        };
        assert_eq!(remote.last().path(), path);
        // Another entity's document is no answer, however well it is signed; an unsigned one neither.
        for (number, (act, code)) in (1_u32..).zip([
            (Act::ok(another), "entity_missing"),
            (Act::status(404), "http_status"),
            (Act::ok(Feed::new().idp(&stand.idp).valid_for(now, 2 * WEEK).build()), "signature_missing"),
        ]) {
            remote.does(act);
            stand.advance(stand.next());
            stand.shows(stale(number, code, [1, 0, number.into()])).await;
        }
        // The copy is one of its own.
        let own = |names: &[String]| names.len() == 2 && names[0].starts_with("fed.") && names[0].ends_with(".xml");
        holds(&stand.path("state/feeds"), own).await;
        stand.start();
        stand.shows(Shown { origin: Some(Origin::Copy), ..stale(1, "signature_missing", [0, 0, 1]) }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_during_an_outage_loses_nothing() {
    let (remote, mut stand) = running().await;
    // Without a copy on disk: what is kept is kept in memory.
    std::fs::remove_dir_all(stand.path("state")).unwrap();
    remote.does(Act::status(500));
    stand.advance(3_600);
    stand.shows(stale(1, "http_status", [1, 0, 1])).await;
    assert_eq!(stand.next(), 15);
    let keys = stand.keys();
    stand.reload("label = \"BankID\"");
    assert_eq!(stand.shown(), stale(1, "http_status", [1, 0, 1]), "as it was, and nobody was called");
    assert_eq!((stand.keys(), stand.next(), remote.hits()), (keys.clone(), 15, 2));

    // A provider that was not looked for before is looked for at once; the other serves on.
    let more = "[[provider]]\nid = \"freja\"\neid = \"freja\"\nprotocol = \"saml\"\n\
                entity_id = \"https://freja.example.org/idp\"\nmetadata = \"fed\"";
    stand.reload(more);
    stand.shows(stale(1, "http_status", [1, 0, 2])).await;
    assert_eq!(stand.keys(), keys);
    let freja =
        DemoIdp::with_key("https://freja.example.org/idp", "https://freja.example.org", Arc::clone(stand.idp.key()));
    let now = stand.clock.now();
    let both = Feed::new().idp(&stand.idp).idp(&freja).valid_for(now, WEEK).published(now, "https://md.example.se");
    remote.publishes(both.build_signed(&stand.operator), "2", &[]);
    stand.advance(15);
    stand.shows(fresh([2, 0, 2])).await;

    // Another pinned key: what the old one signed is not taken over.
    remote.does(Act::status(500));
    stand.write("operator.crt", DemoKey::p256("next operator").certificate_pem());
    stand.reload(more);
    stand.shows(none(1, "http_status", [2, 0, 3])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_looked_at_again_and_has_no_hard_age() {
    let mut stand = Stand::new("file = \"feed.xml\"");
    let document = stand.document(DAY, 100 * DAY);
    stand.write("feed.xml", &document);
    stand.start();
    let file = |shown: Shown| Shown { origin: Some(Origin::File), ..shown };
    stand.shows(file(fresh([0, 0, 0]))).await;
    assert_eq!((stand.next(), stand.until()), (60, Some(100 * 86_400)));
    stand.advance(60);
    stand.shows(file(fresh([0, 1, 0]))).await;
    // Half a file keeps the whole one before it in use, also long after.
    stand.write("feed.xml", &document[..document.len() / 2]);
    stand.advance(60);
    stand.shows(file(stale(1, "xml_malformed", [0, 1, 1]))).await;
    stand.clock.advance(50 * DAY);
    stand.shows(file(stale(2, "xml_malformed", [0, 1, 2]))).await;
    // An older one that somebody puts in place is meant.
    stand.write("feed.xml", stand.document(90 * DAY, DAY));
    stand.advance(60);
    stand.shows(file(fresh([1, 1, 2]))).await;
    std::fs::remove_file(stand.path("feed.xml")).unwrap();
    stand.advance(60);
    stand.shows(file(stale(1, "provider_without_keys", [1, 1, 3]))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_cannot_be_kept_is_told_and_stops_nothing() {
    let remote = Remote::start().await;
    let mut stand = Stand::new(&Stand::at(&remote));
    stand.write("state", "a file where a folder should be");
    remote.publishes(stand.document(DAY, WEEK), "1", &[]);
    stand.start();
    stand.shows(fresh([1, 0, 0])).await;
    assert_eq!(stand.metric("grindvakt_fetch_copy_failures_total{feed=\"fed\"}"), Some(1.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_signed_by_a_key_that_is_new_succeeds_after_one_early_fetch() {
    let remote = Remote::start().await;
    let operator = DemoKey::p256("operator");
    let mut world = World::new("").await;
    let (feed, other) = (
        |idp: &DemoIdp, other: &DemoIdp| {
            let now = SystemClock.now();
            let feed = Feed::new().idp(idp).idp(other).valid_for(now, WEEK).published(now, "https://md.example.se");
            feed.build_signed(&operator)
        },
        world.other.clone(),
    );
    remote.publishes(feed(&world.idp, &other), "1", &[]);
    world.write("operator.crt", &operator.certificate_pem());
    let lines = format!("{}\nsigner = [\"operator.crt\"]", Stand::at(&remote));
    world.configure(|text| text.replace("file = \"feed.xml\"", &lines)).await;
    let admin = world.admin();
    // The start did not wait for the network; readiness does.
    eventually(10, "ready", || async move { Client::new(admin).get("/readyz").await.status == StatusCode::OK }).await;
    let status: serde_json::Value = serde_json::from_str(&Client::new(admin).get("/status").await.body).unwrap();
    let shown = &status["metadata"][0];
    assert_eq!((shown["id"].as_str(), shown["state"].as_str()), (Some("feed"), Some("fresh")));
    assert_eq!((shown["origin"].as_str(), &shown["trouble"]), (Some("fetched"), &serde_json::Value::Null));
    assert!(shown["usable_until"].as_str() == shown["valid_until"].as_str() && shown["next_attempt"].is_string());

    let mut person = Client::new(world.public());
    assert_eq!(person.log_in(&world, "/ansokan/1").await.status, StatusCode::SEE_OTHER);
    assert_eq!(remote.hits(), 1);

    // The provider signs with a key that its feed got a moment ago.
    let new = Arc::new(DemoKey::p256("next"));
    world.idp = world.idp.clone().rolled_over(Arc::clone(&new), vec![Arc::clone(world.idp.key()), Arc::clone(&new)]);
    remote.publishes(feed(&world.idp, &other), "2", &[]);
    let mut person = Client::new(world.public());
    let reply = person.log_in(&world, "/ansokan/1").await;
    assert_eq!((reply.status, remote.hits()), (StatusCode::SEE_OTHER, 2), "{}", reply.body);
    assert_eq!(person.get("/ansokan/1").await.body, "hello");
    let early = |outcome: &str| format!("grindvakt_fetch_early_total{{feed=\"feed\",outcome=\"{outcome}\"}}");
    assert_eq!(metric(admin, &early("fetched")).await, 1.0);

    // A stranger's key is refused by its code, and calls nobody: it is too early to ask again.
    let stranger = world.idp.clone().rolled_over(Arc::new(DemoKey::p256("stranger")), Vec::new());
    let mut client = Client::new(world.public());
    let (request, relay_state) = client.begin(&world, "/ansokan/1").await;
    let response = stranger.response(&request).at(SystemClock.now()).build();
    let reply = client.answer(&response, &relay_state).await;
    assert!(reply.status.is_client_error(), "{}", reply.status);
    let refused = "grindvakt_logins_refused_total{code=\"signature_invalid\",provider=\"bankid-a\"}";
    assert_eq!((metric(admin, refused).await, remote.hits()), (1.0, 2));
    assert_eq!(metric(admin, &early("cooling_down")).await, 1.0);
}

const KEYS: [&str; 2] = [
    // RFC 7517, A.1, and the key of RFC 7515, A.3.
    r#"{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"sig","kid":"1"}]}"#,
    r#"{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","use":"sig","kid":"2"}]}"#,
];

/// What the machinery does for feeds it does for a provider's key set, whose address comes from another document.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_set_is_a_source_like_any_other() {
    let remote = Remote::start().await;
    let clock = ManualClock::at(START);
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Remote {
        urls: Vec::new(),
        copy: Some(folder.path().join("op.json")),
        seed: None,
        max_stale: Duration::from_secs(3_600),
    };
    let feed = FeedId::new("op").unwrap();
    let spec = Spec { feed, entity: None, place, accept: "application/json", limit: 10_000 };
    let reader: Reader<KeySet> = Box::new(|bytes, _| KeySet::parse(bytes).map(|(keys, _)| Document::timeless(keys)));
    let source = Arc::new(Source::new(spec, reader));
    let way = Way {
        fetcher: Some(fetcher(&Outbound::default(), &clock)),
        clock: Arc::new(clock.clone()),
        random: Arc::new(NoChance),
        telemetry: Arc::new(Telemetry::new([], []).unwrap()),
    };
    assert_eq!(source.early(&way).await, Early::Idle, "nothing refreshes it yet");
    let running = tokio::spawn(Arc::clone(&source).run(way.clone(), Arc::new(|| {})));
    let kids = || -> Vec<String> {
        let held = source.held().filter(|held| held.usable(clock.now()));
        held.iter()
            .flat_map(|held| {
                held.document.value.describe().filter_map(|(_, kid)| kid.map(str::to_owned)).collect::<Vec<_>>()
            })
            .collect()
    };
    assert_eq!(source.status(START).next_attempt, None, "without an address there is nothing to do");

    // The discovery document says where the keys are: they are fetched at once.
    remote.does(Act::ok_with(&["Cache-Control: max-age=900"], KEYS[0]));
    source.lead_to(vec![RemoteUrl::parse(&format!("http://127.0.0.1:{}/jwks", remote.address.port())).unwrap()]);
    eventually(10, "the first key", || async { kids() == ["1"] }).await;
    let generation = source.held().unwrap().generation;
    assert_eq!(source.status(START).next_attempt, Some(START.plus(Duration::from_secs(900))));
    // A token names a key that is new.
    remote.does(Act::ok(KEYS[1]));
    assert_eq!(source.early(&way).await, Early::Fetched);
    assert_eq!((kids(), source.held().unwrap().generation), (vec!["2".to_owned()], generation + 1));
    // What is no key set leaves the last one in use, for an hour and no longer.
    remote.does(Act::ok("{\"keys\":1}"));
    clock.advance(Duration::from_secs(3_599));
    eventually(10, "a failure", || async { source.status(clock.now()).failures == 1 }).await;
    assert_eq!((kids(), source.trouble().unwrap().reject.is_some()), (vec!["2".to_owned()], true));
    clock.advance(Duration::from_secs(1));
    assert_eq!((kids(), source.status(clock.now()).freshness), (Vec::new(), Freshness::None));
    running.abort();
}
