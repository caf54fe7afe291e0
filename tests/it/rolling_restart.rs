//! Two sidecars and one Redis (feature `peers`), replaced one after the other under load: no session is lost, and no login; the
//! same with cookies of the version before. `grindvakt-load rolling-restart` does it with the release build and another
//! program.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use grindvakt::base::{Clock as _, Secret, SystemClock};
use grindvakt::crypto::seal::Sealer;
use http::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::previous::{Previous, PreviousLogin, PreviousSession};
use crate::support::process::Process;
use crate::support::redis::{RedisServer, free_port};
use crate::support::{Client, World, eventually};

const SESSION: &str = "__Host-eid-etjanst";
/// Each person waits so long between two pages.
const THINKS: Duration = Duration::from_millis(20);

/// What a sealed text holds, under the key of 32 ones.
fn plain(purpose: &str, name: &str, text: &str) -> Vec<u8> {
    let sealer = Sealer::new([&Secret::new([1; 32])], purpose).unwrap();
    let mut sealed = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text.trim_end()).unwrap();
    sealer.open(&mut sealed, name.as_bytes()).unwrap().to_vec()
}

fn read_and_written<T: Serialize + DeserializeOwned>(plain: &[u8]) -> Vec<u8> {
    let (value, rest) = postcard::take_from_bytes::<T>(&plain[1..]).unwrap();
    assert!(rest.is_empty());
    postcard::to_extend(&value, vec![plain[0]]).unwrap()
}

/// What these tests call the version before is what the version before wrote.
#[test]
fn the_forms_before_are_those_that_were_recorded() {
    let session = plain("session cookie", SESSION, include_str!("../vectors/cookies/session-form-1.txt"));
    assert_eq!((session[0], read_and_written::<PreviousSession>(&session)), (1, session.clone()));
    let login = plain("login state cookie", "name", include_str!("../vectors/cookies/login-form-1.txt"));
    assert_eq!((login[0], read_and_written::<PreviousLogin>(&login)), (1, login.clone()));
}

/// What its admin address says. Nobody may be there.
async fn is_ready(admin: SocketAddr) -> std::io::Result<bool> {
    let mut stream = tokio::net::TcpStream::connect(admin).await?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: e\r\nConnection: close\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer).await?;
    Ok(answer.starts_with(b"HTTP/1.1 200"))
}

/// One replica, as a balancer sees it: at one address whoever is there.
struct Replica {
    config: String,
    public: SocketAddr,
    admin: SocketAddr,
    ready: AtomicBool,
}

struct Site {
    world: World,
    previous: Previous,
    replicas: [Replica; 2],
    turn: AtomicUsize,
    over: AtomicBool,
    pages: AtomicUsize,
    logins: AtomicUsize,
}

impl Site {
    async fn new(store: SocketAddr) -> Arc<Self> {
        let mut world = World::new("").await;
        let replicas = [0, 1].map(|n| {
            let [public, admin] = [(); 2].map(|()| SocketAddr::from(([127, 0, 0, 1], free_port())));
            let config = world
                .config()
                .replace("single_replica = true", &format!("kind = \"redis\"\nnodes = [\"{store}\"]\ntimeout = \"5s\""))
                .replace("public = \"127.0.0.1:0\"", &format!("public = \"{public}\""))
                .replace("admin = \"127.0.0.1:0\"", &format!("admin = \"{admin}\""))
                .replace("shutdown_delay = \"0s\"", "shutdown_delay = \"2s\"");
            let name = format!("replica{n}.toml");
            world.write(&name, &config);
            Replica { config: name, public, admin, ready: AtomicBool::new(false) }
        });
        // Its provider, its keys and its e-service go on.
        world.stop().await;
        let previous = Previous::of(&world);
        let (turn, over) = (AtomicUsize::new(0), AtomicBool::new(false));
        Arc::new(Self {
            world,
            previous,
            replicas,
            turn,
            over,
            pages: AtomicUsize::new(0),
            logins: AtomicUsize::new(0),
        })
    }

    fn start(&self, at: usize) -> Process {
        Process::start_with(self.world.folder.path(), &self.replicas[at].config)
    }

    /// The same browser, whose next request the next replica gets that is ready.
    fn next(&self, client: &Client) -> Client {
        let from = self.turn.fetch_add(1, Ordering::Relaxed);
        let ready = |at: &usize| self.replicas[*at].ready.load(Ordering::Relaxed);
        let at = [from % 2, (from + 1) % 2].into_iter().find(ready).expect("no replica is ready");
        Client { address: self.replicas[at].public, ..client.clone() }
    }

    /// Asks who is ready, as a balancer does.
    async fn balance(self: Arc<Self>) {
        while !self.over.load(Ordering::Relaxed) {
            for replica in &self.replicas {
                replica.ready.store(is_ready(replica.admin).await.unwrap_or(false), Ordering::Relaxed);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn all_ready(&self) {
        eventually(20, "every replica is ready", || async {
            self.replicas.iter().all(|replica| replica.ready.load(Ordering::Relaxed))
        })
        .await;
    }

    /// A login that is begun at one replica and finished at the next.
    async fn log_in(&self, before: bool) -> Client {
        let mut client = self.next(&Client::new(self.replicas[0].public));
        let reply = client.get("/eid/login?eid=bankid&rd=/ansokan/1").await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
        let (address, query) = reply.header("location").split_once('?').unwrap();
        let metadata = self.next(&client).get("/eid/saml/metadata").await;
        let known = grindvakt_demo::KnownService::from_metadata(&metadata.body).unwrap();
        let (request, relay_state) = known.redirect(query, address).unwrap();
        if before {
            // As if the version before had begun it.
            for (name, text) in &mut client.cookies {
                *text = self.previous.login(name, text);
            }
        }
        let response = self.world.idp.response(&request).at(SystemClock.now()).build();
        let mut client = self.next(&client);
        let reply = client.answer(&response, &relay_state.unwrap()).await;
        assert_eq!((reply.status, reply.header("location")), (StatusCode::SEE_OTHER, "/ansokan/1"), "{}", reply.body);
        client
    }

    /// Somebody who works, page after page.
    async fn work(self: Arc<Self>, mut client: Client) {
        while !self.over.load(Ordering::Relaxed) {
            client = self.next(&client);
            let page = client.get("/ansokan/1").await;
            assert_eq!((page.status, page.body.as_str()), (StatusCode::OK, "hello"), "a session was lost");
            self.pages.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(THINKS).await;
        }
    }

    /// People who log in, one after the other.
    async fn logins(self: Arc<Self>, before: bool) {
        while !self.over.load(Ordering::Relaxed) {
            let mut client = self.log_in(before).await;
            assert_eq!(self.next(&client).get("/ansokan/1").await.status, StatusCode::OK);
            client.cookies.clear();
            self.logins.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(THINKS).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_replicas_are_replaced_and_nobody_notices() {
    let began = Instant::now();
    let redis = RedisServer::start(&[]);
    let site = Site::new(redis.address).await;
    let mut running = [Some(site.start(0)), Some(site.start(1))];
    let mut tasks = vec![tokio::spawn(Arc::clone(&site).balance())];
    site.all_ready().await;
    for person in 0..8 {
        let mut client = site.log_in(person % 2 == 1).await;
        if person % 2 == 1 {
            // Logged in by the version before: it had no marks of the provider, and its own names for what it kept.
            let text = client.cookies.get_mut(SESSION).unwrap();
            *text = site.previous.session(SESSION, text);
        }
        tasks.push(tokio::spawn(Arc::clone(&site).work(client)));
    }
    for before in [false, true, false] {
        tasks.push(tokio::spawn(Arc::clone(&site).logins(before)));
    }
    for at in [0, 1, 0] {
        let (pages, logins) = (site.pages.load(Ordering::Relaxed), site.logins.load(Ordering::Relaxed));
        let old = running[at].take().unwrap();
        old.terminate();
        let ended = tokio::task::spawn_blocking(move || {
            let mut old = old;
            let end = Instant::now() + Duration::from_secs(15);
            while Instant::now() < end {
                if let Some(status) = old.ended() {
                    return status.success();
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            false
        });
        assert!(ended.await.unwrap(), "it ends in its own time, and well");
        // The other one has carried on alone.
        eventually(20, "the other works on", || async {
            site.pages.load(Ordering::Relaxed) > pages + 40 && site.logins.load(Ordering::Relaxed) > logins + 3
        })
        .await;
        running[at] = Some(site.start(at));
        site.all_ready().await;
        assert!(tasks.iter().all(|task| !task.is_finished()), "somebody stopped");
    }
    site.over.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }
    assert!(began.elapsed() < Duration::from_secs(50), "{:?}", began.elapsed());
}

/// With the memory of one process a restart asks those to begin again who were logging in, and nobody else.
#[tokio::test(flavor = "multi_thread")]
async fn with_memory_a_restart_costs_the_logins_that_are_under_way_and_no_session() {
    let mut world = World::new("").await;
    world.stop().await;
    let start = || Process::start(world.folder.path());
    let first = start();
    let at = |client: &Client, process: &Process| Client { address: process.public, ..client.clone() };
    let begin = async |process: &Process| {
        let mut client = Client::new(process.public);
        let reply = client.get("/eid/login?eid=bankid&rd=/ansokan/1").await;
        let (address, query) = reply.header("location").split_once('?').unwrap();
        let metadata = Client::new(process.public).get("/eid/saml/metadata").await;
        let known = grindvakt_demo::KnownService::from_metadata(&metadata.body).unwrap();
        let (request, relay_state) = known.redirect(query, address).unwrap();
        (client, world.idp.response(&request).at(SystemClock.now()).build(), relay_state.unwrap())
    };
    let (mut person, response, relay_state) = begin(&first).await;
    assert_eq!(person.answer(&response, &relay_state).await.status, StatusCode::SEE_OTHER);
    let (late, response, relay_state) = begin(&first).await;
    drop(first);
    let second = start();
    assert_eq!(at(&person, &second).get("/ansokan/1").await.body, "hello", "the session goes on");
    let reply = at(&late, &second).xhr().answer(&response, &relay_state).await;
    assert!(reply.status == StatusCode::BAD_REQUEST && reply.body.contains("login_other_instance"), "{}", reply.body);
    let (mut again, response, relay_state) = begin(&second).await;
    assert_eq!(again.answer(&response, &relay_state).await.header("location"), "/ansokan/1");
}
