//! Several sidecars, each a process of its own, and one Redis: what one has seen, all know.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use grindvakt::base::{Clock as _, SystemClock};
use grindvakt::crypto::digest::{SystemRandom, random_bytes};
use http::{Method, StatusCode, Version};

use crate::support::process::Process;
use crate::support::redis::RedisServer;
use crate::support::relay::Relay;
use crate::support::service::{Service, coming, data, h1, h1_request, is_over_within, next, nothing, ok};
use crate::support::{Client, Reply, World, eventually, metric};

pub const LOGOUT: &[(&str, &str)] = &[("sec-fetch-site", "same-origin")];

/// A provider, an e-service, and the files of a service with a shared store.
pub struct Pod {
    pub world: World,
    pub sidecars: Vec<Process>,
    /// What the configuration says of the lowest level, and what is said instead.
    levels: [&'static str; 2],
}

/// Nobody steps up to anything but /hog, where the highest level is asked for.
const ONE_LEVEL: [&str; 2] = ["[\"loa2\"]", "[\"loa3\"]"];
/// People who are in at /lag step up to everything else.
const STEPS: [&str; 2] = ["[\"loa2\"]\neid = [\"freja\"]", "[\"loa2\"]"];

impl Pod {
    async fn new(levels: [&'static str; 2]) -> Self {
        Self { world: World::new("").await, sidecars: Vec::new(), levels }
    }

    /// A further sidecar whose way to the store is `node`.
    pub fn add(&mut self, node: SocketAddr) -> usize {
        let place = self.sidecars.len();
        let store = format!("kind = \"redis\"\nnodes = [\"{node}\"]\ntimeout = \"5s\"");
        let [said, instead] = self.levels;
        let config = self.world.config().replace("single_replica = true", &store).replace(said, instead);
        let name = format!("replica{place}.toml");
        self.world.write(&name, &config);
        self.sidecars.push(Process::start_with(self.world.folder.path(), &name));
        place
    }

    pub async fn with(nodes: &[SocketAddr]) -> Self {
        Self::new(ONE_LEVEL).await.and(nodes).await
    }

    async fn and(self, nodes: &[SocketAddr]) -> Self {
        let mut pod = self;
        for node in nodes {
            pod.add(*node);
        }
        for sidecar in &pod.sidecars {
            fresh(sidecar).await;
        }
        pod
    }

    pub fn client(&self, place: usize) -> Client {
        Client::new(self.sidecars[place].public)
    }

    /// The same browser, whose next request another replica gets.
    pub fn at(&self, client: &Client, place: usize) -> Client {
        Client { address: self.sidecars[place].public, ..client.clone() }
    }

    pub async fn signed_in(&self, place: usize) -> Client {
        let mut client = self.client(place);
        assert_eq!(client.log_in(&self.world, "/ansokan/1").await.header("location"), "/ansokan/1");
        client
    }

    async fn refused(&self, place: usize, code: &str) -> f64 {
        let text = Client::new(self.sidecars[place].admin).get("/metrics").await.body;
        let name = format!("grindvakt_logins_refused_total{{code=\"{code}\",provider=\"bankid-a\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&name)).map_or(0.0, |count| count.parse().unwrap())
    }
}

/// Until a sidecar has reached its store and knows every ended session.
pub async fn fresh(sidecar: &Process) {
    eventually(20, "the store is reached", || async {
        metric(sidecar.admin, "grindvakt_store_up").await == 1.0
            && metric(sidecar.admin, "grindvakt_revocations_stale").await == 0.0
    })
    .await;
}

/// A cookie of a session, not of a login.
fn has_session(reply: &Reply) -> bool {
    reply.set_cookies().iter().any(|cookie| cookie.starts_with("__Host-eid-etjanst=") && !cookie.contains("Max-Age=0"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_used_at_one_is_refused_at_the_other() {
    let redis = RedisServer::start(&[]);
    let pod = Pod::with(&[redis.address, redis.address]).await;
    // Begun at one and finished at the other: any replica will do.
    let mut person = pod.client(0);
    let (request, relay_state) = person.begin(&pod.world, "/ansokan/1").await;
    let response = pod.world.idp.response(&request).at(SystemClock.now()).build();
    let (held, mut other) = (person.clone(), pod.at(&person, 1));
    assert_eq!(other.answer(&response, &relay_state).await.header("location"), "/ansokan/1");
    assert_eq!(pod.at(&other, 0).get("/ansokan/1").await.body, "hello", "the session is everybody's");
    for (place, times) in [(0, 1.0), (1, 1.0), (0, 2.0)] {
        let reply = pod.at(&held, place).answer(&response, &relay_state).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{}", reply.body);
        assert!(!has_session(&reply));
        assert_eq!(pod.refused(place, "replayed").await, times);
    }
    // Another login of the same browser with the assertion of the first: another reason, and no session either.
    let (_, relay_state) = person.begin(&pod.world, "/ansokan/1").await;
    let reply = pod.at(&person, 1).answer(&response, &relay_state).await;
    assert!(reply.status == StatusCode::FORBIDDEN && !has_session(&reply));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_thousand_answers_to_four_processes_one_opens_a_session() {
    let redis = RedisServer::start(&[]);
    let pod = Pod::with(&[redis.address; 4]).await;
    let mut person = pod.client(0);
    let (request, relay_state) = person.begin(&pod.world, "/ansokan/1").await;
    let response = pod.world.idp.response(&request).at(SystemClock.now()).build();
    // Each process has a thread for each core: so many connections at once are enough to keep all of them busy.
    let room = Arc::new(tokio::sync::Semaphore::new(64));
    let racers: Vec<_> = (0..1_000)
        .map(|racer| {
            let (copy, room) = (pod.at(&person, racer % 4), Arc::clone(&room));
            let (response, relay_state) = (response.clone(), relay_state.clone());
            tokio::spawn(async move {
                let _place = room.acquire().await.unwrap();
                // Whoever is told to come back, because forms are many, does.
                for _ in 0..100 {
                    let reply = copy.clone().answer(&response, &relay_state).await;
                    if !reply.body.contains("overloaded") {
                        return (reply.status, has_session(&reply));
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                panic!("overloaded for ever");
            })
        })
        .collect();
    let (mut sessions, mut used) = (0, 0);
    for racer in racers {
        match racer.await.unwrap() {
            (StatusCode::SEE_OTHER, true) => sessions += 1,
            (StatusCode::FORBIDDEN, false) => used += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((sessions, used), (1, 999));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_at_one_is_one_at_the_other_within_a_second_and_ends_what_is_open() {
    let redis = RedisServer::start(&[]);
    let relay = Relay::to(redis.address).await;
    let service = Service::new(Version::HTTP_11, |_| async {
        let (sender, body) = coming();
        tokio::spawn(async move {
            let _ = sender.send(data("first\n")).await;
            sender.closed().await;
        });
        ok(body)
    })
    .await;
    let world = World::with_upstream("", service.address).await;
    let mut pod = Pod { world, sidecars: Vec::new(), levels: ONE_LEVEL };
    for node in [redis.address, relay.address] {
        let place = pod.add(node);
        fresh(&pod.sidecars[place]).await;
    }
    let (mut one, mut two) = (pod.signed_in(0).await, pod.signed_in(0).await);
    let open = async |client: &Client| {
        let there = pod.at(client, 1);
        let mut stream = h1(there.address, h1_request(&there, "/ansokan/1").body(nothing()).unwrap()).await.into_body();
        assert_eq!(next(&mut stream).await.unwrap().unwrap(), "first\n");
        stream
    };
    let (mut of_one, mut of_two) = (open(&one).await, open(&two).await);
    let copy = pod.at(&one, 1);
    let began = Instant::now();
    assert_eq!(one.send(Method::POST, "/eid/logout", LOGOUT, "").await.status, StatusCode::OK);
    eventually(5, "the session is over at the other", || async {
        copy.clone().get("/eid/session").await.status == StatusCode::UNAUTHORIZED
    })
    .await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(is_over_within(&mut of_one, Duration::from_secs(2)).await, "and so is what it had opened");

    // The same with one that was cut off meanwhile.
    let copy = pod.at(&two, 1);
    relay.cut();
    let admin = pod.sidecars[1].admin;
    eventually(10, "the cut is noticed", || async { metric(admin, "grindvakt_store_up").await == 0.0 }).await;
    assert_eq!(two.send(Method::POST, "/eid/logout", LOGOUT, "").await.status, StatusCode::OK);
    assert_eq!(copy.clone().get("/eid/session").await.status, StatusCode::OK, "how could it know");
    relay.mend();
    let began = Instant::now();
    eventually(5, "the session is over at the other", || async {
        copy.clone().get("/eid/session").await.status == StatusCode::UNAUTHORIZED
    })
    .await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(is_over_within(&mut of_two, Duration::from_secs(2)).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redis_dies_under_load_and_nothing_gets_through_that_should_not() {
    let mut redis = RedisServer::start(&[]);
    let pod = Pod::new(STEPS).await.and(&[redis.address, redis.address]).await;
    let mut person = pod.client(0);
    let (request, relay_state) = person.begin(&pod.world, "/ansokan/1").await;
    let response = pod.world.idp.response(&request).at(SystemClock.now()).build();
    let begun = person.clone();
    assert_eq!(person.answer(&response, &relay_state).await.header("location"), "/ansokan/1");
    let used = (begun, response, relay_state);
    // Logins that are under way.
    let mut under_way = Vec::new();
    for place in [0, 1] {
        let mut client = pod.client(place);
        let (request, relay_state) = client.begin(&pod.world, "/ansokan/1").await;
        under_way.push((client, pod.world.idp.response(&request).at(SystemClock.now()).build(), relay_state));
    }
    let stop = Arc::new(AtomicBool::new(false));
    let (requests, replays) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut load = Vec::new();
    for place in [0, 1] {
        let (mut session, stopped, count) = (pod.signed_in(place).await, Arc::clone(&stop), Arc::clone(&requests));
        load.push(tokio::spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                let reply = session.get("/lag/1").await;
                assert_eq!((reply.status, reply.body.as_str()), (StatusCode::OK, "hello"), "sessions go on");
                count.fetch_add(1, Ordering::Relaxed);
            }
        }));
        let (held, response, relay_state) = used.clone();
        let (held, stopped, count) = (pod.at(&held, place), Arc::clone(&stop), Arc::clone(&replays));
        load.push(tokio::spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                let mut copy = held.clone();
                let reply = copy.answer(&response, &relay_state).await;
                assert!(!has_session(&reply), "a replay got through");
                let status = reply.status.as_u16();
                assert!(matches!(status, 400 | 403 | 503), "{status}: {}", reply.body);
                count.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    let goes_on = async || {
        let before = (requests.load(Ordering::Relaxed), replays.load(Ordering::Relaxed));
        eventually(20, "the load goes on", || async {
            requests.load(Ordering::Relaxed) > before.0 + 50 && replays.load(Ordering::Relaxed) > before.1 + 10
        })
        .await;
    };
    goes_on().await;
    redis.kill();
    for sidecar in &pod.sidecars {
        eventually(20, "stale", || async { metric(sidecar.admin, "grindvakt_revocations_stale").await == 1.0 }).await;
    }
    goes_on().await;
    // A new login: 503 with its own reason, at its beginning and at its end.
    let mut program = pod.client(0);
    program.headers = vec![("accept".into(), "application/json".into())];
    let reply = program.get("/eid/login?eid=bankid&rd=/ansokan/1").await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(reply.body.contains("store_unavailable"), "{}", reply.body);
    // A program is told the code itself: the count holds the replays that go on beside it too.
    let (mut client, response, relay_state) = under_way[0].clone();
    client.headers = program.headers.clone();
    let reply = client.answer(&response, &relay_state).await;
    assert!(reply.status == StatusCode::SERVICE_UNAVAILABLE && !has_session(&reply));
    assert!(reply.body.contains("store_unavailable"), "{}", reply.body);
    assert!(pod.refused(0, "store_unavailable").await >= 1.0);
    // What people step up to waits; the rest goes on.
    let reply = person.clone().xhr().get("/ansokan/1").await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{}", reply.body);
    assert!(reply.body.contains("store_unavailable"), "{}", reply.body);
    assert_eq!(person.get("/lag/1").await.body, "hello");
    // A logout is one here, and everywhere as soon as it can be.
    let copy = person.clone();
    assert_eq!(person.send(Method::POST, "/eid/logout", LOGOUT, "").await.status, StatusCode::OK);
    assert_eq!(copy.clone().get("/eid/session").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(pod.at(&copy, 1).get("/eid/session").await.status, StatusCode::OK, "how could it know");

    redis.start_again();
    for sidecar in &pod.sidecars {
        fresh(sidecar).await;
    }
    goes_on().await;
    eventually(5, "the logout reaches the other", || async {
        pod.at(&copy, 1).get("/eid/session").await.status == StatusCode::UNAUTHORIZED
    })
    .await;
    // It came back empty: what was begun before is begun again, and then all is well without a restart.
    for (mut client, response, relay_state) in under_way {
        let reply = client.answer(&response, &relay_state).await;
        assert!(reply.status == StatusCode::BAD_REQUEST && !has_session(&reply), "{}", reply.body);
    }
    for place in [0, 1] {
        let mut again = pod.signed_in(place).await;
        assert_eq!(again.get("/ansokan/1").await.body, "hello");
        assert!(pod.refused(place, "login_other_instance").await >= 1.0);
    }
    stop.store(true, Ordering::Relaxed);
    for task in load {
        task.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_for_a_cookie_is_everybodys() {
    let mut redis = RedisServer::start(&[]);
    let mut pod = Pod::with(&[redis.address, redis.address]).await;
    // A name that no two runs share and that nothing could shorten.
    let bytes: [u8; 900] = random_bytes(&SystemRandom::new()).unwrap();
    let name = bytes.iter().map(|byte| char::from(b'a' + byte % 26)).collect::<String>();
    let mut person = pod.client(0);
    let (request, relay_state) = person.begin(&pod.world, "/ansokan/1").await;
    let response = pod.world.idp.response(&request).at(SystemClock.now());
    let asa = grindvakt_demo::Person::new("195006262546", &name, "Öberg");
    let reply = person.answer(&response.person(&asa).build(), &relay_state).await;
    assert!(has_session(&reply), "{}", reply.body);
    let cookie = person.cookies["__Host-eid-etjanst"].clone();
    assert!(cookie.starts_with('~') && cookie.len() <= 1024, "{} bytes", cookie.len());
    let told = async |pod: &Pod, place: usize| {
        let reply = pod.at(&person, place).xhr().get("/ansokan/1").await;
        let told = pod.world.seen().headers.iter().any(|(_, value)| value.starts_with(&name));
        pod.world.seen.lock().unwrap().headers.clear();
        (reply.status, told)
    };
    for place in [0, 1, 1] {
        assert_eq!(told(&pod, place).await, (StatusCode::OK, true), "{place}");
    }
    // The store holds nobody in clear.
    let mut dump = Vec::new();
    for key in redis.ask::<Vec<Vec<u8>>>(&["KEYS", "grindvakt:{etjanst}:s:*"]) {
        let value: Vec<u8> = redis::cmd("GET").arg(key).query(&mut redis.connection()).unwrap();
        dump.extend(value);
    }
    assert!(dump.len() > 900 && !String::from_utf8_lossy(&dump).contains(&name[..16]));
    let left: i64 = {
        let key: Vec<Vec<u8>> = redis.ask(&["KEYS", "grindvakt:{etjanst}:s:*"]);
        redis::cmd("TTL").arg(key[0].as_slice()).query(&mut redis.connection()).unwrap()
    };
    assert!((28_700..=28_800).contains(&left), "until its end: {left}");

    // Without the store it goes on where it is known; another replica cannot say, and does not guess.
    pod.add(redis.address);
    redis.kill();
    eventually(10, "noticed", || async { metric(pod.sidecars[2].admin, "grindvakt_store_up").await == 0.0 }).await;
    assert_eq!(told(&pod, 1).await, (StatusCode::OK, true));
    assert_eq!(told(&pod, 2).await, (StatusCode::SERVICE_UNAVAILABLE, false));
    // It is still a session: looking at it and leaving it take no more than the cookie.
    assert_eq!(pod.at(&person, 2).get("/eid/session").await.status, StatusCode::OK);
    // A store that has lost it has lost the session: the person logs in again.
    redis.start_again();
    fresh(&pod.sidecars[2]).await;
    assert_eq!(told(&pod, 2).await, (StatusCode::UNAUTHORIZED, false));
    assert_eq!(told(&pod, 0).await, (StatusCode::OK, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn check_asks_the_store_whether_it_would_do() {
    let redis = RedisServer::start(&[]);
    let pod = Pod::new(ONE_LEVEL).await;
    let checked = |store: &str, online: bool| {
        let name = "checked.toml";
        pod.world.write(name, &pod.world.config().replace("single_replica = true", store));
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_grindvakt"));
        command.args(["check", "--config", name]).args(online.then_some("--online"));
        let out = command.current_dir(pod.world.folder.path()).output().unwrap();
        (out.status.code().unwrap(), String::from_utf8(out.stderr).unwrap())
    };
    let node = format!("kind = \"redis\"\nnodes = [\"{}\"]", redis.address);
    let (status, said) = checked(&node, true);
    assert!(status == 0 && said.contains(&format!("store: {} (version 7.", redis.address)), "{status}: {said}");
    let _: () = redis.ask(&["CONFIG", "SET", "maxmemory-policy", "volatile-lru"]);
    assert_eq!(checked(&node, false).0, 0, "nobody was asked");
    let (status, said) = checked(&node, true);
    assert!(status == 1 && said.contains("maxmemory-policy is volatile-lru"), "{status}: {said}");
    let (status, said) = checked("kind = \"redis\"\nnodes = [\"127.0.0.1:1\"]", true);
    assert!(status == 1 && said.contains("store: unreachable: 127.0.0.1:1"), "{status}: {said}");
    let (status, said) = checked("", true);
    assert!(status == 78 && said.contains("checked.toml:"), "{status}: {said}");
    assert!(said.contains("store: `kind = \"memory\"` is for one replica"), "{said}");
}
