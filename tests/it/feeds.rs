//! Feeds by address when everything goes wrong: the exact state and metric at each step, by a clock that the test turns.

use std::sync::Arc;
use std::time::Duration;

use grindvakt::base::Clock as _;
use grindvakt::provider::source::{Freshness, Origin};
use grindvakt_demo::{DemoIdp, DemoKey, Feed};

use crate::support::remote::{Act, Remote};
use crate::support::stand::{DAY, Shown, Stand, holds};

pub const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// A feed that came and is in use.
pub fn fresh(tries: [u64; 3]) -> Shown {
    Shown { state: Freshness::Fresh, origin: Some(Origin::Fetched), failures: 0, code: None, usable: true, tries }
}

/// The last good feed in use while fetching fails.
pub fn stale(failures: u32, code: &'static str, tries: [u64; 3]) -> Shown {
    Shown { state: Freshness::Stale, failures, code: Some(code), ..fresh(tries) }
}

/// Nothing that can be used.
pub fn none(failures: u32, code: &'static str, tries: [u64; 3]) -> Shown {
    let state = Freshness::None;
    Shown { state, origin: None, failures, code: Some(code), usable: false, tries }
}

/// A host with a stand that fetches from it, both fresh.
pub async fn running() -> (Remote, Stand) {
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
    assert_eq!(
        stand.metric("grindvakt_metadata_expiry_seconds{document=\"metadata\",feed=\"fed\"}"),
        Some(7.0 * 86_400.0)
    );
    assert_eq!(
        stand.metric("grindvakt_metadata_documents{document=\"metadata\",feed=\"fed\",state=\"fresh\"}"),
        Some(1.0)
    );

    // Nothing is asked before it is due; then by the ETag, and a 304 confirms.
    stand.advance(3_599);
    assert_eq!(stand.metric("grindvakt_metadata_age_seconds{document=\"metadata\",feed=\"fed\"}"), Some(3_599.0));
    assert_eq!(remote.hits(), 1);
    stand.advance(1);
    stand.shows(fresh([1, 1, 0])).await;
    assert_eq!(remote.last().header("if-none-match"), Some("\"1\""));
    assert_eq!(stand.metric("grindvakt_metadata_age_seconds{document=\"metadata\",feed=\"fed\"}"), Some(0.0));
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
    assert_eq!(stand.metric("grindvakt_metadata_expiry_seconds{document=\"metadata\",feed=\"fed\"}"), Some(0.0));
    assert_eq!(stand.metric("grindvakt_metadata_age_seconds{document=\"metadata\",feed=\"fed\"}"), None);
    assert_eq!(
        stand.metric("grindvakt_metadata_documents{document=\"metadata\",feed=\"fed\",state=\"none\"}"),
        Some(1.0)
    );
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
    assert_eq!(
        stand.metric("grindvakt_metadata_age_seconds{document=\"metadata\",feed=\"fed\"}"),
        Some(2.0 * 86_400.0)
    );
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
    assert_eq!(
        stand.metric("grindvakt_metadata_documents{document=\"metadata\",feed=\"fed\",state=\"seed\"}"),
        Some(1.0)
    );
    assert_eq!(
        stand.metric("grindvakt_metadata_age_seconds{document=\"metadata\",feed=\"fed\"}"),
        Some(3.0 * 86_400.0)
    );

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
