//! What one replica knows of a provider, the others hear through the store that they share: what an operator said holds at all
//! of them, and a breaker that opened is a hint.

use std::net::SocketAddr;
use std::time::Duration;

use grindvakt::base::{Clock as _, SystemClock};
use grindvakt::replay::shared::{Place, Topic};
use grindvakt_demo::Outcome;
use http::StatusCode;
use serde_json::{Value, json};

use crate::control::say;
use crate::redis::{Replica, settings};
use crate::support::process::Process;
use crate::support::redis::RedisServer;
use crate::support::relay::Relay;
use crate::support::{Client, World, eventually, metric};

struct Pod {
    world: World,
    /// By number; none: it is gone.
    replicas: Vec<Option<Process>>,
}

impl Pod {
    async fn new() -> Self {
        let mut world = World::new("").await;
        world.stop().await;
        Self { world, replicas: Vec::new() }
    }

    fn socket(&self, place: usize) -> std::path::PathBuf {
        self.world.folder.path().join(format!("control{place}.sock"))
    }

    /// A further replica whose way to the store is `node`.
    async fn add(&mut self, node: SocketAddr) {
        let place = self.replicas.len();
        let listen = format!(
            "[listen]\ncontrol = \"unix:{}\"\ntrusted_proxies = [\"127.0.0.0/8\"]\n",
            self.socket(place).display()
        );
        let store = format!("kind = \"redis\"\nnodes = [\"{node}\"]");
        let config = self.world.config().replace("single_replica = true", &store).replace("[listen]\n", &listen);
        let name = format!("replica{place}.toml");
        self.world.write(&name, &config);
        let process = Process::start_with(self.world.folder.path(), &name);
        eventually(20, "the store is reached", || async {
            metric(process.admin, "grindvakt_store_up").await == 1.0
                && metric(process.admin, "grindvakt_revocations_stale").await == 0.0
        })
        .await;
        self.replicas.push(Some(process));
    }

    fn at(&self, place: usize) -> &Process {
        self.replicas[place].as_ref().unwrap()
    }

    fn tell(&self, place: usize, command: &Value) -> Value {
        let answer = say(&self.socket(place), &format!("{command}\n"));
        assert_eq!(answer["ok"], json!(true), "{answer}");
        answer
    }

    async fn provider(&self, place: usize) -> Value {
        let text = Client::new(self.at(place).admin).get("/status?json").await.body;
        let status: Value = serde_json::from_str(&text).unwrap();
        status["providers"][0].clone()
    }

    /// What an operator said of BankID, as a replica knows it.
    async fn word(&self, place: usize) -> Value {
        self.provider(place).await["override"]["state"].clone()
    }

    async fn until_word(&self, place: usize, word: Value) {
        let what = format!("replica {place} knows {word}");
        eventually(5, &what, || async { self.word(place).await == word }).await;
    }

    /// A login that comes back with `outcome`, from a network of its own.
    async fn comes_back(&self, place: usize, network: u8, outcome: Outcome) {
        let world = &self.world;
        let mut client = Client::new(self.at(place).public);
        client.headers.push(("x-forwarded-for".into(), format!("203.0.{network}.9")));
        let reply = client.get("/eid/login?eid=bankid&rd=/ansokan/1&anyway=true").await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
        let (address, query) = reply.header("location").split_once('?').unwrap();
        let known = Client::new(self.at(place).public).get("/eid/saml/metadata").await.body;
        let known = grindvakt_demo::KnownService::from_metadata(&known).unwrap();
        let (request, relay_state) = known.redirect(query, address).unwrap();
        let response = world.idp.response(&request).at(SystemClock.now()).outcome(outcome).build();
        client.answer(&response, &relay_state.unwrap()).await;
    }
}

fn open(why: &str) -> Value {
    json!({ "command": "override", "provider": "bankid-a", "state": "open", "who": "eva", "why": why })
}

fn clear() -> Value {
    json!({ "command": "clear", "provider": "bankid-a", "who": "nils" })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_says_to_one_holds_at_all_and_outlives_each() {
    let redis = RedisServer::start(&[]);
    let mut pod = Pod::new().await;
    for _ in 0..2 {
        pod.add(redis.address).await;
    }
    let answer = pod.tell(0, &open("driftstörning"));
    assert!(answer["until"].is_string(), "a word that is shared has an end: {answer}");
    pod.until_word(1, json!("open")).await;
    let reply = Client::new(pod.at(1).public).get("/eid/login?rd=/ansokan/1&eid=bankid").await;
    assert_eq!(reply.status, StatusCode::OK, "nobody is sent there: the page offers the others");
    let told = pod.at(1).wait_for("override_given");
    assert_eq!(
        (&told["who"], &told["why"], &told["elsewhere"]),
        (&json!("eva"), &json!("driftstörning"), &json!(true))
    );

    // The store tells nobody who said what.
    let notes: Vec<Vec<Vec<u8>>> = redis
        .ask::<Vec<(Vec<u8>, Vec<Vec<u8>>)>>(&["XRANGE", "grindvakt:{etjanst}:n:words", "-", "+"])
        .into_iter()
        .map(|(_, fields)| fields)
        .collect();
    assert!(!notes.is_empty() && notes.iter().flatten().all(|text| !String::from_utf8_lossy(text).contains("eva")));
    let life: i64 = redis.ask(&["PTTL", "grindvakt:{etjanst}:n:words"]);
    assert!(life > 0, "it goes away by itself");

    // One that starts later knows it, and whoever it was said to may be gone.
    pod.replicas[0] = None;
    for topic in ["words", "health"] {
        let stream = format!("grindvakt:{{etjanst}}:n:{topic}");
        let _: String = redis.ask(&["XADD", &stream, "*", "n", "a note that nobody of ours sealed"]);
    }
    pod.add(redis.address).await;
    pod.until_word(2, json!("open")).await;

    // Taken back at one, by another person: at all.
    pod.tell(1, &clear());
    pod.until_word(2, Value::Null).await;
    assert_eq!(pod.word(1).await, Value::Null);
    pod.add(redis.address).await;
    assert_eq!(pod.word(3).await, Value::Null, "and the older word does not come back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_or_comes_back_empty_changes_no_word() {
    let mut redis = RedisServer::start(&[]);
    let relay = Relay::to(redis.address).await;
    let mut pod = Pod::new().await;
    pod.add(redis.address).await;
    pod.add(relay.address).await;
    pod.tell(0, &open("before"));
    pod.until_word(1, json!("open")).await;

    // Cut off, one keeps what it knows, and takes words of its own.
    relay.cut();
    eventually(10, "the cut is noticed", || async { metric(pod.at(1).admin, "grindvakt_store_up").await == 0.0 }).await;
    assert_eq!(pod.word(1).await, "open");
    pod.tell(1, &clear());
    assert_eq!((pod.word(1).await, pod.word(0).await), (Value::Null, json!("open")));
    relay.mend();
    pod.until_word(0, Value::Null).await;
    assert_eq!(pod.word(1).await, Value::Null, "the newest counts, not the one that was filed first");

    // The store forgets everything: whoever knows tells it again, also to one that starts then.
    pod.tell(0, &open("after"));
    pod.until_word(1, json!("open")).await;
    redis.kill();
    redis.start_again();
    pod.add(redis.address).await;
    pod.until_word(2, json!("open")).await;
    // Also where no connection tells of it.
    let _: () = redis.ask(&["FLUSHALL"]);
    eventually(5, "the word is there again", || async {
        redis.ask::<i64>(&["XLEN", "grindvakt:{etjanst}:n:words"]) > 0
    })
    .await;
    pod.add(redis.address).await;
    pod.until_word(3, json!("open")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breaker_that_opened_is_a_hint_that_weighs_as_one_fault() {
    let redis = RedisServer::start(&[]);
    let mut pod = Pod::new().await;
    for _ in 0..2 {
        pod.add(redis.address).await;
    }
    let breaker = async |place: usize| pod.provider(place).await["health"]["breaker"].clone();
    for network in 0..3 {
        assert_eq!(breaker(0).await, "closed");
        pod.comes_back(0, network, Outcome::ProviderError).await;
    }
    assert_eq!(breaker(0).await, "open");
    let hint = async || pod.provider(1).await["health"]["open_elsewhere"]["cause"].clone();
    eventually(5, "the other hears of it", async || hint().await == "login").await;
    assert_eq!(breaker(1).await, "closed", "and believes it no more than one fault of its own");
    let heard = "grindvakt_breaker_elsewhere_total{provider=\"bankid-a\",to=\"open\"}";
    assert_eq!(metric(pod.at(1).admin, heard).await, 1.0);

    // Two of its own, and it is three.
    pod.comes_back(1, 10, Outcome::ProviderError).await;
    assert_eq!(breaker(1).await, "closed");
    pod.comes_back(1, 11, Outcome::ProviderError).await;
    assert_eq!(breaker(1).await, "open");

    // A login that somebody tried all the same closes one; at the other the trial may begin, and no more.
    tokio::time::sleep(Duration::from_millis(50)).await;
    pod.comes_back(1, 12, Outcome::Success).await;
    assert_eq!(breaker(1).await, "closed");
    eventually(5, "the trial begins", async || breaker(0).await == "half_open").await;
    pod.comes_back(0, 13, Outcome::Success).await;
    assert_eq!(breaker(0).await, "closed");
}

/// Notes of one kind do not push out those of another, and are never more than were said.
#[tokio::test(flavor = "multi_thread")]
async fn notes_are_bounded_read_in_order_and_go_away() {
    let server = RedisServer::start(&[]);
    let replica = Replica::ready(settings(server.address)).await;
    let shared = &replica.shared;
    shared.tell(Topic::Words, b"a word").await.unwrap();
    for n in 0..1_005_u32 {
        shared.tell(Topic::Health, &n.to_be_bytes()).await.unwrap();
    }
    let mut place = Place::default();
    let page = shared.hear(Topic::Health, &mut place).await.unwrap();
    let expect: Vec<Vec<u8>> = (5..1_005_u32).map(|n| n.to_be_bytes().to_vec()).collect();
    assert!(page.anew && page.more && page.notes == expect, "the last thousand");
    let page = shared.hear(Topic::Health, &mut place).await.unwrap();
    assert!(!page.anew && !page.more && page.notes.is_empty());
    shared.tell(Topic::Health, b"one more").await.unwrap();
    assert_eq!(shared.hear(Topic::Health, &mut place).await.unwrap().notes, [b"one more"]);
    assert_eq!(shared.hear(Topic::Words, &mut Place::default()).await.unwrap().notes, [b"a word"]);
    let life = |topic: &str| server.ask::<i64>(&["PTTL", &format!("grindvakt:{{etjanst}}:n:{topic}")]) / 1000;
    // As long as they count, and five minutes of difference between clocks.
    assert!((410..=420).contains(&life("health")) && (2_592_000..=2_592_300).contains(&life("words")));

    // Emptied while nobody looked: whoever reads on is told to begin anew.
    let line = replica.store.line().await.unwrap();
    let _: () = server.ask(&["FLUSHALL"]);
    eventually(10, "it begins a new line", async || {
        replica.store.line().await.is_ok_and(|now| now.instance != line.instance)
    })
    .await;
    let page = shared.hear(Topic::Health, &mut place).await.unwrap();
    assert!(page.anew && page.notes.is_empty());
    shared.tell(Topic::Health, b"the next").await.unwrap();
    let page = shared.hear(Topic::Health, &mut place).await.unwrap();
    assert!(!page.anew && page.notes == [b"the next"]);
}
