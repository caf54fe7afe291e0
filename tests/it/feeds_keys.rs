//! Keys that come and go while people log in: roll-overs in both orders, keys that are looked for early, and a thousand logins
//! that are under way meanwhile.

use std::sync::Arc;
use std::time::Duration;

use grindvakt::base::{Clock as _, FeedId, ManualClock, SystemClock};
use grindvakt::config::{Outbound, RemoteUrl};
use grindvakt::provider::source::{Document, Early, Freshness, Kind, Place, Reader, Source, Spec, Way};
use grindvakt::telemetry::Telemetry;
use grindvakt::verify::jose::KeySet;
use grindvakt_demo::{DemoIdp, DemoKey, Feed};
use http::StatusCode;

use crate::feeds::{WEEK, fresh, running, stale};
use crate::support::openid::shared_key;
use crate::support::remote::{Act, NoChance, Remote, START, fetcher};
use crate::support::stand::{Stand, fingerprint};
use crate::support::{Client, World, eventually, metric};

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
        let name = format!("grindvakt_fetch_early_total{{document=\"metadata\",feed=\"fed\",outcome=\"{outcome}\"}}");
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
    let status: serde_json::Value = serde_json::from_str(&Client::new(admin).get("/status?json").await.body).unwrap();
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
    let early = |outcome: &str| {
        format!("grindvakt_fetch_early_total{{document=\"metadata\",feed=\"feed\",outcome=\"{outcome}\"}}")
    };
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
    let spec = Spec { feed, kind: Kind::Jwks, entity: None, place, accept: "application/json", limit: 10_000 };
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

/// A thousand people are at their e-ID while the provider's keys are replaced under them, five times: every login is judged by
/// one snapshot, and none is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_thousand_logins_in_flight_during_swaps_none_is_lost() {
    const LOGINS: usize = 1_000;
    let mut world = World::new("").await;
    let known = Arc::new(world.known().await);
    let mut waiting = Vec::new();
    for _ in 0..LOGINS {
        let mut client = Client::new(world.public());
        let reply = client.get("/eid/login?eid=bankid&rd=/ansokan/1").await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
        let (address, query) = reply.header("location").split_once('?').unwrap();
        let (request, relay_state) = known.redirect(query, address).unwrap();
        waiting.push((client, request, relay_state.unwrap()));
    }
    let admin = world.admin();
    let begun = "grindvakt_logins_begun_total{provider=\"bankid-a\"}";
    let finished = "grindvakt_logins_finished_total{provider=\"bankid-a\"}";
    assert_eq!((metric(admin, begun).await, metric(admin, finished).await), (1_000.0, 0.0));

    let last = waiting.split_off(LOGINS - 1);
    // What they signed with when people came, beside each of the keys that come and go.
    let (old, room) = (world.idp.clone(), Arc::new(tokio::sync::Semaphore::new(16)));
    let mut under_way = tokio::task::JoinSet::new();
    for (mut client, request, relay_state) in waiting {
        let (idp, room) = (old.clone(), Arc::clone(&room));
        under_way.spawn(async move {
            let _place = room.acquire().await.unwrap();
            let response = idp.response(&request).at(SystemClock.now()).build();
            client.answer(&response, &relay_state).await.status
        });
    }
    let reloads = "grindvakt_config_reloads_total{outcome=\"done\"}";
    let swaps = async {
        for swap in 0..5 {
            let published = vec![Arc::new(DemoKey::p256(&format!("next {swap}"))), Arc::clone(old.key())];
            let idp = old.clone().rolled_over(Arc::clone(old.key()), published);
            world.write("feed.xml", &Feed::new().idp(&idp).idp(&world.other).build());
            let before = f64::from(swap);
            eventually(20, "the swap", || async { metric(admin, reloads).await > before }).await;
        }
    };
    let ((), answers) = tokio::join!(swaps, under_way.join_all());
    let lost: Vec<_> = answers.iter().filter(|status| **status != StatusCode::SEE_OTHER).collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert_eq!((metric(admin, finished).await, metric(admin, reloads).await), (999.0, 5.0));

    // The key is withdrawn while the last one is under way: refused by its code, and counted.
    let next = shared_key(1);
    let next = old.clone().rolled_over(Arc::clone(&next), vec![next]);
    world.write("feed.xml", &Feed::new().idp(&next).idp(&world.other).build());
    eventually(20, "the withdrawal", || async { metric(admin, reloads).await == 6.0 }).await;
    let (mut client, request, relay_state) = last.into_iter().next().unwrap();
    let reply = client.answer(&old.response(&request).at(SystemClock.now()).build(), &relay_state).await;
    assert!(reply.status.is_client_error(), "{}", reply.status);
    let refused = "grindvakt_logins_refused_total{code=\"signature_invalid\",provider=\"bankid-a\"}";
    assert_eq!((metric(admin, refused).await, metric(admin, finished).await), (1.0, 999.0));
    world.stop().await;
}
