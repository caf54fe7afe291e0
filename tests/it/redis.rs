//! The shared store, held against a real Redis: what it promises, and what it does when Redis does not do its part.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use grindvakt::base::{Clock as _, Secret, SystemClock, UnixTime};
use grindvakt::crypto::digest::SystemRandom;
use grindvakt::replay::shared::{
    Credentials, FaultKind, NodeAddress, Place, Settings, Shared, StoreFault, StoreObserver, StoreOp, StoreTls, Topic,
    Topology, probe,
};
use grindvakt::replay::{Line, Order, ReplayError, ReplayGuard as _, ReplayKey, SessionId, Store};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::contract::{self, Keys, LONG_AGO, NOW, UNTIL};
use crate::support::eventually;
use crate::support::program::Program;
use crate::support::redis::{RedisServer, free_port};
use crate::support::relay::Relay;
use crate::support::tls::Authority;

mod forgets;

const SECOND: Duration = Duration::from_secs(1);

/// What the documentation tells operators to let the sidecar do, but for its name and password.
const RIGHTS: &str = "~grindvakt:* &grindvakt:* -@all +hello +auth +ping +select +info +eval +get +set +del +time +xadd +xrange \
                      +pexpire +publish +subscribe +cluster|slots +cluster|keyslot";

pub fn settings(node: SocketAddr) -> Settings {
    Settings {
        service: grindvakt::base::ServiceId::new("etjanst").unwrap(),
        nodes: vec![NodeAddress::parse(&node.to_string(), 6379).unwrap()],
        topology: Topology::Single,
        database: 0,
        login: Credentials::default(),
        sentinel_login: Credentials::default(),
        tls: None,
        connect_timeout: SECOND,
        timeout: SECOND,
        lifetime: Duration::from_secs(8 * 3600),
    }
}

/// What telemetry would have been told.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl StoreObserver for Told {
    fn asked(&self, op: StoreOp, fault: Option<&StoreFault>, _: Duration) {
        if let Some(fault) = fault {
            self.0.lock().unwrap().push(format!("{} {}", op.name(), fault.kind.code()));
        }
    }

    fn connected(&self, _: &str, new_line: bool) {
        self.0.lock().unwrap().push(format!("connected {new_line}"));
    }

    fn lost(&self, fault: &StoreFault) {
        self.0.lock().unwrap().push(format!("lost {}", fault.kind.code()));
    }

    fn warned(&self, detail: &str) {
        self.0.lock().unwrap().push(format!("warned {detail}"));
    }
}

/// One replica's view of a store.
pub struct Replica {
    pub shared: Arc<Shared>,
    pub store: Store,
    told: Arc<Told>,
    driver: JoinHandle<()>,
}

impl Replica {
    pub fn open(settings: Settings) -> Self {
        let told = Arc::new(Told::default());
        let observer = Arc::clone(&told) as Arc<dyn StoreObserver>;
        let (shared, driver) = Shared::open(settings, Arc::new(SystemClock), Arc::new(SystemRandom::new()), observer);
        let store = Store::shared(Arc::clone(&shared));
        Self { shared, store, told, driver: tokio::spawn(driver.run()) }
    }

    pub async fn ready(settings: Settings) -> Self {
        let replica = Self::open(settings);
        replica.until_fresh().await;
        replica
    }

    pub async fn until_fresh(&self) {
        let fresh = || async { self.shared.status().node.is_some() && !self.store.is_stale() };
        eventually(20, "the store is reached", fresh).await;
    }

    fn told(&self) -> Vec<String> {
        self.told.0.lock().unwrap().clone()
    }

    pub async fn use_once(&self, keys: &[ReplayKey]) -> Result<(), ReplayError> {
        let line = self.store.line().await?;
        self.store.consume(keys, &line.instance, UNTIL, NOW).await.map(drop)
    }

    fn fault(&self) -> Option<FaultKind> {
        self.shared.status().fault.map(|fault| fault.kind)
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

fn hour() -> UnixTime {
    SystemClock.now().plus(Duration::from_secs(3600))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_redis_keeps_the_contract() {
    let server = RedisServer::start(&[]);
    let replica = Replica::ready(settings(server.address)).await;
    let line = replica.store.line().await.unwrap();
    contract::keeps_uses(Arc::new(replica.shared.guard(line.instance))).await;
    contract::keeps_ends(&replica.store).await;
    assert_eq!(replica.told(), ["connected false"], "nothing went wrong on the way");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_thousand_tasks_at_four_replicas_one_wins() {
    let server = RedisServer::start(&[]);
    let mut replicas = Vec::new();
    for _ in 0..4 {
        replicas.push(Replica::ready(settings(server.address)).await);
    }
    let line = replicas[0].store.line().await.unwrap();
    let keys = Keys::new();
    let guard = |racer: usize| Arc::new(replicas[racer % 4].shared.guard(line.instance));
    assert_eq!(contract::winners(1_000, guard, [keys.assertion("a"), keys.login("h")]).await, 1);
}

/// The store holds no assertion, no issuer and no person; what it holds goes away by itself.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_store_holds_tells_nobody_anything_and_ends() {
    let server = RedisServer::start(&[]);
    let replica = Replica::ready(settings(server.address)).await;
    let (line, now) = (replica.store.line().await.unwrap(), SystemClock.now());
    let keys = Keys::new();
    let used = [keys.assertion("_secret"), keys.login("secret")];
    let until = now.plus(Duration::from_secs(60));
    assert!(replica.store.consume(&used, &line.instance, until, now).await.is_ok());
    replica.store.end(&[Order::at_provider(keys.at_provider("19500626", "s")[0], hour())], now).await.unwrap();
    let names: Vec<Vec<u8>> = server.ask(&["KEYS", "*"]);
    assert_eq!(names.len(), 5, "the line, what was thrown away, two uses, the stream");
    for name in names {
        let text = String::from_utf8_lossy(&name).into_owned();
        assert!(text.starts_with("grindvakt:{etjanst}:") && !text.contains("secret"), "{text}");
        let left: i64 = redis::cmd("PTTL").arg(name.as_slice()).query(&mut server.connection()).unwrap();
        match text.as_bytes()[20] {
            // As long as it could count, and five minutes of difference between clocks.
            b'u' => assert!((300_000..=360_000).contains(&left), "{text}: {left}"),
            b'e' => assert!((86_000_000..=86_700_000).contains(&left), "{text}: {left}"),
            _ => assert!(text.starts_with("grindvakt:{etjanst}:line") && left == -1, "{text}: {left}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_ends_is_over_at_the_other_also_after_it_was_cut_off() {
    let server = RedisServer::start(&[]);
    let relay = Relay::to(server.address).await;
    let (one, two) = (Replica::ready(settings(server.address)).await, Replica::ready(settings(relay.address)).await);
    let keys = Keys::new();
    let (first, second) =
        (contract::session(&one.store, &[]).await, contract::session(&one.store, &keys.at_provider("p", "s")).await);

    let began = Instant::now();
    one.store.end(&[Order::session(first.session, hour())], SystemClock.now()).await.unwrap();
    eventually(5, "the other knows", || async { two.store.revoked().contains(&first, LONG_AGO) }).await;
    assert!(began.elapsed() < SECOND, "{:?}", began.elapsed());

    relay.cut();
    eventually(10, "the cut is noticed", || async { two.store.is_stale() }).await;
    one.store.end(&[Order::at_provider(keys.at_provider("p", "s")[1], hour())], SystemClock.now()).await.unwrap();
    assert!(!two.store.revoked().contains(&second, LONG_AGO), "how could it know");
    relay.mend();
    let began = Instant::now();
    eventually(5, "the other knows", || async { two.store.revoked().contains(&second, LONG_AGO) }).await;
    assert!(began.elapsed() < SECOND, "{:?}", began.elapsed());
    two.until_fresh().await;

    // And what the one that is cut off ends, the other knows as soon as it can.
    relay.go_dead();
    let third = contract::session(&one.store, &[]).await;
    let filed = two.store.end(&[Order::session(third.session, hour())], SystemClock.now()).await;
    assert_eq!(filed, Err(ReplayError::Unavailable));
    assert!(two.store.revoked().contains(&third, LONG_AGO), "here at once");
    assert_eq!(two.shared.status().waiting, 1);
    assert!(!one.store.revoked().contains(&third, LONG_AGO));
    relay.mend();
    eventually(5, "the order is filed", || async { one.store.revoked().contains(&third, LONG_AGO) }).await;
    eventually(5, "nothing waits", || async { two.shared.status().waiting == 0 }).await;
    // A replica that starts knows all of it.
    let late = Replica::ready(settings(server.address)).await;
    assert!([first, second, third].iter().all(|marks| late.store.revoked().contains(marks, LONG_AGO)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_be_reached_has_not_said_unused() {
    let server = RedisServer::start(&[]);
    let relay = Relay::to(server.address).await;
    let replica = Replica::ready(Settings { timeout: SECOND / 4, ..settings(relay.address) }).await;
    let keys = Keys::new();
    assert_eq!(replica.use_once(&[keys.assertion("a")]).await, Ok(()));
    // Dead without a word: every question ends in time, with a no.
    relay.go_dead();
    for id in ["a", "b"] {
        let began = Instant::now();
        assert_eq!(replica.use_once(&[keys.assertion(id)]).await, Err(ReplayError::Unavailable), "{id}");
        assert!(began.elapsed() < SECOND, "{:?}", began.elapsed());
    }
    eventually(10, "the silence is noticed", || async { replica.fault().is_some() }).await;
    assert!(replica.told().contains(&"consume timeout".to_owned()), "{:?}", replica.told());
    relay.cut();
    tokio::time::sleep(SECOND / 2).await;
    let began = Instant::now();
    assert_eq!(replica.use_once(&[keys.assertion("c")]).await, Err(ReplayError::Unavailable));
    assert!(began.elapsed() < SECOND / 10, "an outage that is known of costs nobody any time: {:?}", began.elapsed());
    relay.mend();
    replica.until_fresh().await;
    // The same memory as before: what it knew it knows, and what was begun before can be finished.
    assert_eq!(replica.use_once(&[keys.assertion("a")]).await, Err(ReplayError::Replayed));
    assert_eq!(replica.use_once(&[keys.assertion("c")]).await, Ok(()));
    assert!(!replica.told().contains(&"connected true".to_owned()), "{:?}", replica.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_came_back_or_was_emptied_refuses_what_was_begun_before() {
    let mut server = RedisServer::start(&[]);
    let replica = Replica::ready(settings(server.address)).await;
    let before = replica.store.line().await.unwrap();
    let keys = Keys::new();
    let ended = contract::session(&replica.store, &[]).await;
    replica.store.end(&[Order::session(ended.session, hour())], SystemClock.now()).await.unwrap();
    let finish = async |line: &Line, id: &str| {
        replica.store.consume(&[keys.assertion(id)], &line.instance, UNTIL, NOW).await.map(drop)
    };
    assert_eq!(finish(&before, "a").await, Ok(()));

    // Emptied under our hands: the very next question finds out.
    let _: () = server.ask(&["FLUSHALL"]);
    assert_eq!(finish(&before, "a").await, Err(ReplayError::OtherInstance), "it cannot know that a was used");
    eventually(10, "a new line begins", || async {
        replica.store.line().await.is_ok_and(|line| line.instance != before.instance)
    })
    .await;
    let second = replica.store.line().await.unwrap();
    assert!(second.since > before.since);
    assert_eq!(finish(&before, "a").await, Err(ReplayError::OtherInstance));
    assert_eq!(finish(&second, "c").await, Ok(()));
    // What was ended is filed there again: a replica that starts now knows it.
    eventually(10, "filed again", || async { server.ask::<i64>(&["XLEN", "grindvakt:{etjanst}:ended"]) == 1 }).await;
    assert!(Replica::ready(settings(server.address)).await.store.revoked().contains(&ended, LONG_AGO));

    // Killed and started again, even with everything that it knew: its last second may be missing.
    let _: () = server.ask(&["SAVE"]);
    server.kill();
    eventually(10, "the loss is noticed", || async { replica.fault().is_some() }).await;
    server.start_again();
    replica.until_fresh().await;
    let third = replica.store.line().await.unwrap();
    assert!(third.instance != second.instance);
    assert_eq!(finish(&second, "d").await, Err(ReplayError::OtherInstance));
    assert_eq!(finish(&third, "d").await, Ok(()));
    assert!(replica.told().iter().filter(|told| *told == "connected true").count() >= 2, "{:?}", replica.told());
}

/// At night nobody logs in: what was lost is noticed all the same, before a replica starts that never knew it.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_emptied_is_filled_again_though_nobody_asks_anything() {
    let server = RedisServer::start(&[]);
    let replica = Replica::ready(settings(server.address)).await;
    let before = replica.store.line().await.unwrap();
    // Whoever trusts the line waits for what clocks may differ.
    assert_eq!(replica.store.knows_after(&before), before.since.plus(Duration::from_secs(300)));
    let ended = contract::session(&replica.store, &[]).await;
    replica.store.end(&[Order::session(ended.session, hour())], SystemClock.now()).await.unwrap();
    let _: () = server.ask(&["FLUSHALL"]);
    eventually(5, "filed again", || async { server.ask::<i64>(&["XLEN", "grindvakt:{etjanst}:ended"]) == 1 }).await;
    assert!(replica.store.line().await.unwrap().instance != before.instance);
    assert!(Replica::ready(settings(server.address)).await.store.revoked().contains(&ended, LONG_AGO));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rights_that_the_documentation_names_are_enough_and_fewer_are_told_of() {
    let operations = include_str!("../../docs/operations.md");
    let documented: String = operations.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(documented.contains(RIGHTS), "docs/operations.md does not name {RIGHTS}");
    let server = RedisServer::start(&[]);
    let grant = |rights: &str| {
        let words = format!("ACL SETUSER sidecar reset on >hemligt {rights}");
        let _: () = server.ask(&words.split(' ').collect::<Vec<_>>());
    };
    grant(RIGHTS);
    let password = |word: &'static str| Some(Arc::new(move || Ok(Secret::new(word.to_owned()))) as _);
    let login = |word| Credentials { username: Some("sidecar".into()), password: password(word) };
    let with = |word| Settings { login: login(word), ..settings(server.address) };
    let replica = Replica::ready(with("hemligt")).await;
    let line = replica.store.line().await.unwrap();
    contract::keeps_uses(Arc::new(replica.shared.guard(line.instance))).await;
    contract::keeps_ends(&replica.store).await;
    for topic in Topic::ALL {
        replica.shared.tell(topic, b"a note").await.unwrap();
        let page = replica.shared.hear(topic, &mut Place::default()).await.unwrap();
        assert_eq!((page.notes, page.anew, page.more), (vec![b"a note".to_vec()], true, false));
    }
    assert_eq!(replica.told(), ["connected false"]);
    let probed = probe(&with("hemligt"), &SystemRandom::new(), SystemClock.now()).await.unwrap();
    assert_eq!((probed.node, probed.warning), (server.address.to_string(), None));
    assert!(probed.version.starts_with(char::is_numeric), "{}", probed.version);

    let refused = async |settings: Settings, why: &str| {
        let asked = probe(&settings, &SystemRandom::new(), SystemClock.now()).await;
        let fault = asked.expect_err(why);
        assert!(!fault.detail.contains("hemligt") && !fault.detail.contains("fel"), "{fault}");
        fault.kind
    };
    assert_eq!(refused(with("fel"), "wrong password").await, FaultKind::Denied);
    for taken in ["+xadd", "+get", "+set", "+info", "+publish", "+subscribe", "+xrange", "+eval", "+time"] {
        grant(&RIGHTS.replacen(&format!("{taken} "), "", 1));
        assert_eq!(refused(with("hemligt"), taken).await, FaultKind::Denied, "{taken}");
    }
    grant(&RIGHTS.replace("~grindvakt:*", "~other:*"));
    assert_eq!(refused(with("hemligt"), "other keys").await, FaultKind::Denied);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_spoken_to_whom_the_configured_authority_vouches_for() {
    let server = RedisServer::start(&[]);
    let (authority, stranger) = (Authority::new(), Authority::new());
    let front = authority.front("store.localhost", server.address).await;
    let folder = tempfile::tempdir().unwrap();
    let ca = |name: &str, pem: String| {
        std::fs::write(folder.path().join(name), pem).unwrap();
        Some(StoreTls { ca: Some(folder.path().join(name)) })
    };
    let node = |host: &str| vec![NodeAddress { host: host.into(), port: front.address.port() }];
    let asked = async |host: &str, tls| {
        let settings = Settings { nodes: node(host), tls, ..settings(server.address) };
        probe(&settings, &SystemRandom::new(), SystemClock.now()).await.map(drop).map_err(|fault| fault.kind)
    };
    assert_eq!(asked("store.localhost", ca("right.pem", authority.pem())).await, Ok(()));
    assert_eq!(asked("other.localhost", ca("right.pem", authority.pem())).await, Err(FaultKind::Tls), "another name");
    assert_eq!(asked("store.localhost", ca("wrong.pem", stranger.pem())).await, Err(FaultKind::Tls));
    assert_eq!(asked("store.localhost", ca("empty.pem", String::new())).await, Err(FaultKind::Tls));
    assert_eq!(asked("store.localhost", None).await, Err(FaultKind::Answer), "in clear to a TLS port");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_primary_among_several_nodes_is_found() {
    let primary = RedisServer::start(&[]);
    let port = primary.address.port().to_string();
    let replica = RedisServer::start(&["--replicaof", "127.0.0.1", &port]);
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
    let all = |nodes: &[SocketAddr]| Settings {
        nodes: nodes.iter().map(|node| NodeAddress::parse(&node.to_string(), 0).unwrap()).collect(),
        ..settings(nowhere)
    };
    let found = async |nodes: &[SocketAddr]| {
        let probed = probe(&all(nodes), &SystemRandom::new(), SystemClock.now()).await;
        probed.map(|probed| probed.node).map_err(|fault| fault.kind)
    };
    assert_eq!(found(&[nowhere, replica.address, primary.address]).await, Ok(primary.address.to_string()));
    assert_eq!(found(&[nowhere, replica.address]).await, Err(FaultKind::Unreachable));
    assert_eq!(found(&[replica.address]).await, Err(FaultKind::NoPrimary));
    // Demoted while it is spoken to: it is left at once, and what was begun is begun again.
    let sidecar = Replica::ready(all(&[primary.address, replica.address])).await;
    let keys = Keys::new();
    assert_eq!(sidecar.use_once(&[keys.assertion("a")]).await, Ok(()));
    let line = sidecar.store.line().await.unwrap();
    let _: () = replica.ask(&["REPLICAOF", "NO", "ONE"]);
    let other = replica.address.port().to_string();
    let _: () = primary.ask(&["REPLICAOF", "127.0.0.1", &other]);
    assert_eq!(sidecar.use_once(&[keys.assertion("a")]).await, Err(ReplayError::Replayed));
    let refused = sidecar.use_once(&[keys.assertion("b")]).await;
    assert_eq!(refused, Err(ReplayError::Unavailable), "the demoted one takes nothing");
    eventually(10, "the new primary", || async { sidecar.shared.status().node == Some(replica.address.to_string()) })
        .await;
    let late = sidecar.shared.guard(line.instance).consume(&[keys.assertion("b")], UNTIL, NOW).await;
    assert_eq!(late.err(), Some(ReplayError::OtherInstance));
    assert_eq!(sidecar.use_once(&[keys.assertion("c")]).await, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn more_orders_than_fit_one_answer_are_all_read() {
    let server = RedisServer::start(&[]);
    let one = Replica::ready(settings(server.address)).await;
    let ids: Vec<SessionId> = (0..2_500).map(|_| SessionId::new(&SystemRandom::new()).unwrap()).collect();
    for some in ids.chunks(250) {
        let orders: Vec<Order> = some.iter().map(|id| Order::session(*id, hour())).collect();
        one.store.end(&orders, SystemClock.now()).await.unwrap();
    }
    let late = Replica::ready(settings(server.address)).await;
    assert_eq!(late.store.revoked().len(), 2_500);
    // The same orders once more change nothing.
    one.store.end(&[Order::session(ids[0], hour())], SystemClock.now()).await.unwrap();
    tokio::time::sleep(SECOND).await;
    assert_eq!(late.store.revoked().len(), 2_500);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_session_holds_is_kept_until_its_end() {
    let server = RedisServer::start(&[]);
    let replica = Replica::ready(settings(server.address)).await;
    let (id, other) = (SessionId::new(&SystemRandom::new()).unwrap(), SessionId::new(&SystemRandom::new()).unwrap());
    replica.store.keep(id, b"sealed", hour(), SystemClock.now()).await.unwrap();
    assert_eq!(replica.store.fetch(id).await, Ok(Some(b"sealed".to_vec())));
    assert_eq!(replica.store.fetch(other).await, Ok(None));
    replica.store.end(&[Order::session(id, hour())], SystemClock.now()).await.unwrap();
    assert_eq!(replica.store.fetch(id).await, Ok(None), "away with the session");
}

/// A Sentinel that watches `primary` under the name `vakt`.
fn sentinel(primary: SocketAddr) -> (Program, SocketAddr, TempDir) {
    let mut said = String::new();
    for _ in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let about = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor vakt 127.0.0.1 {} 1\n\
             sentinel down-after-milliseconds vakt 500\nsentinel failover-timeout vakt 2000\n",
            folder.path().display(),
            primary.port()
        );
        std::fs::write(folder.path().join("sentinel.conf"), about).unwrap();
        let mut command = std::process::Command::new("redis-sentinel");
        command.arg(folder.path().join("sentinel.conf"));
        match Program::try_start(command, |line| line.contains("+monitor master vakt").then_some(())) {
            Ok((program, ())) => return (program, SocketAddr::from(([127, 0, 0, 1], port)), folder),
            Err(error) => said = error,
        }
    }
    panic!("{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_lead_to_the_primary_and_to_the_next_one() {
    let mut primary = RedisServer::start(&[]);
    let port = primary.address.port().to_string();
    let second = RedisServer::start(&["--replicaof", "127.0.0.1", &port]);
    let (_watch, watcher, _folder) = sentinel(primary.address);
    eventually(20, "the Sentinel knows the replica", || async {
        let about: String = redis::cmd("INFO")
            .arg("sentinel")
            .query(&mut redis::Client::open(format!("redis://{watcher}/")).unwrap().get_connection().unwrap())
            .unwrap();
        about.contains("slaves=1") && is_up_to_date(&second)
    })
    .await;
    let by_sentinel = |master: &str| Settings {
        // One that is gone, and the one that answers.
        nodes: [SocketAddr::from(([127, 0, 0, 1], 1)), watcher]
            .map(|node| NodeAddress::parse(&node.to_string(), 0).unwrap())
            .to_vec(),
        topology: Topology::Sentinel { master: master.into() },
        ..settings(watcher)
    };
    let unknown = probe(&by_sentinel("other"), &SystemRandom::new(), SystemClock.now()).await.unwrap_err();
    assert_eq!(unknown.kind, FaultKind::Unreachable, "the first of the two says as much: {unknown}");
    let replica = Replica::ready(by_sentinel("vakt")).await;
    assert_eq!(replica.shared.status().node, Some(primary.address.to_string()));
    let line = replica.store.line().await.unwrap();
    contract::keeps_uses(Arc::new(replica.shared.guard(line.instance))).await;
    contract::keeps_ends(&replica.store).await;
    let ended = contract::session(&replica.store, &[]).await;
    replica.store.end(&[Order::session(ended.session, hour())], SystemClock.now()).await.unwrap();
    let used = Keys::new().assertion("used just before");
    assert_eq!(replica.use_once(&[used]).await, Ok(()));

    // The primary dies. Until another has taken over, nothing is granted.
    primary.kill();
    eventually(30, "another has taken over", || async {
        let granted = replica.shared.consume(&[used], &line.instance, UNTIL, NOW).await;
        assert!(granted.is_err(), "what was begun before the failover");
        replica.shared.status().node == Some(second.address.to_string())
    })
    .await;
    replica.until_fresh().await;
    let after = replica.store.line().await.unwrap();
    assert!(after.instance != line.instance && after.since > line.since);
    let late = replica.shared.guard(line.instance).consume(&[Keys::new().login("late")], UNTIL, NOW).await;
    assert_eq!(late.err(), Some(ReplayError::OtherInstance));
    assert_eq!(replica.use_once(&[Keys::new().login("new")]).await, Ok(()));
    // Ended before the failover, and still ended for whoever starts now.
    assert!(Replica::ready(by_sentinel("vakt")).await.store.revoked().contains(&ended, LONG_AGO));
    assert!(replica.told().contains(&"connected true".to_owned()), "{:?}", replica.told());
}

/// Three primaries, each with a replica.
fn cluster() -> Vec<RedisServer> {
    let nodes: Vec<RedisServer> = (0..6)
        .map(|_| {
            let bus = free_port().to_string();
            let arguments = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-port", &bus];
            RedisServer::start(&arguments)
        })
        .collect();
    let mut command = std::process::Command::new("redis-cli");
    command.args(["--cluster", "create"]).args(nodes.iter().map(|node| node.address.to_string()));
    let made = command.args(["--cluster-replicas", "1", "--cluster-yes"]).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
    nodes
}

/// Whether a server holds what its primary holds, or is one itself.
fn is_up_to_date(node: &RedisServer) -> bool {
    let about: String = node.ask(&["INFO", "replication"]);
    about.contains("role:master") || about.contains("master_link_status:up")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_serves_from_the_node_of_the_slot_and_from_its_replica_after_it() {
    let mut nodes = cluster();
    let by_cluster = |nodes: &[RedisServer]| Settings {
        nodes: nodes.iter().map(|node| NodeAddress::parse(&node.address.to_string(), 0).unwrap()).collect(),
        topology: Topology::Cluster,
        ..settings(nodes[0].address)
    };
    eventually(30, "every replica is up to date", || async { nodes.iter().all(is_up_to_date) }).await;
    // Whichever node is asked, it leads to the same one.
    let mut found = Vec::new();
    for node in &nodes {
        let settings = by_cluster(std::slice::from_ref(node));
        let asked = async || probe(&settings, &SystemRandom::new(), SystemClock.now()).await;
        eventually(20, "the node knows the cluster", || async { asked().await.is_ok() }).await;
        found.push(asked().await.unwrap().node);
    }
    found.dedup();
    assert_eq!(found.len(), 1, "{found:?}");
    let settings = by_cluster(&nodes);
    let replica = Replica::ready(settings).await;
    let line = replica.store.line().await.unwrap();
    contract::keeps_uses(Arc::new(replica.shared.guard(line.instance))).await;
    contract::keeps_ends(&replica.store).await;
    let used = [Keys::new().assertion("used just before"), Keys::new().login("h")];
    assert_eq!(replica.use_once(&used).await, Ok(()));

    let place = nodes.iter().position(|node| node.address.to_string() == found[0]).unwrap();
    nodes[place].kill();
    eventually(60, "its replica has taken over", || async {
        let granted = replica.shared.consume(&used, &line.instance, UNTIL, NOW).await;
        assert!(granted.is_err(), "what was begun before the failover");
        replica.shared.status().node.is_some_and(|node| node != found[0])
    })
    .await;
    assert!(replica.store.line().await.is_ok_and(|after| after.instance != line.instance));
    assert_eq!(replica.use_once(&[Keys::new().login("new")]).await, Ok(()));
}
