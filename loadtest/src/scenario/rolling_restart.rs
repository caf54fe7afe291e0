//! Two replicas and one real Redis are replaced one after the other, twice, while people work and log in: behind a balancer
//! that asks who is ready, and sends each request to another replica than the one before. No session may be lost, and no login.
//!
//! With `--previous` the replicas begin as another program, the version before: then cookies and logins of each version come
//! to the other while both are there.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use http::{Method, StatusCode};

use super::{Running, Scenario};
use crate::Failed;
use crate::bench::Bench;
use crate::login::{begin_path, post};
use crate::report::Better;
use crate::system::child::{Child, free_port};
use crate::system::cores::Cores;
use crate::traffic::{Answer, Conn, Payload, request};
use crate::world::{GUARDED, HOST, SESSION, World};

const STARTING: Duration = Duration::from_secs(30);
/// How often the balancer asks. A sidecar says that it is leaving a second before it stops to serve.
const ASKS_EVERY: Duration = Duration::from_millis(100);
/// People who work, each with a session.
const PEOPLE: usize = 40;
/// People who log in, one login after the other.
const LOGGING_IN: usize = 4;
/// Between two requests of one person.
const THINKS: Duration = Duration::from_millis(40);

/// The scenario.
pub(super) struct RollingRestart;

impl Scenario for RollingRestart {
    fn name(&self) -> &'static str {
        "rolling-restart"
    }

    fn about(&self) -> &'static str {
        "two replicas and one Redis, replaced under load: no session and no login is lost"
    }

    fn run<'a>(&'a self, bench: &'a mut Bench) -> Running<'a> {
        Box::pin(restart(bench))
    }
}

/// One replica, as the balancer sees it.
struct Replica {
    public: SocketAddr,
    admin: SocketAddr,
    config: PathBuf,
    ready: Cell<bool>,
}

/// What everybody does together.
struct Site {
    replicas: Vec<Replica>,
    turn: Cell<usize>,
    over: Cell<bool>,
    /// Good requests, and good logins.
    requests: Cell<u64>,
    logins: Cell<u64>,
    /// What was not as it must be, by what it was.
    bad: RefCell<BTreeMap<String, u64>>,
}

impl Site {
    /// The next replica that is ready.
    fn next(&self) -> Option<usize> {
        let from = self.turn.replace(self.turn.get().wrapping_add(1));
        let count = self.replicas.len().max(1);
        (0..count).map(|step| (from.wrapping_add(step)) % count).find(|at| self.is_ready(*at))
    }

    fn is_ready(&self, at: usize) -> bool {
        self.replicas.get(at).is_some_and(|replica| replica.ready.get())
    }

    fn wrong(&self, what: impl Into<String>) {
        *self.bad.borrow_mut().entry(what.into()).or_default() += 1;
    }
}

/// A browser's connections: one to each replica, as a balancer would keep them.
struct Lines(Vec<Conn>);

impl Lines {
    fn to(site: &Site) -> Self {
        Self(site.replicas.iter().map(|replica| Conn::new(replica.public)).collect())
    }

    /// Sends a request to the next replica that is ready.
    async fn send(&mut self, site: &Site, request: http::Request<Payload>) -> Result<Answer, String> {
        let at = site.next().ok_or("no replica is ready")?;
        let line = self.0.get_mut(at).ok_or("no such replica")?;
        line.exchange(request).await.map_err(str::to_owned)
    }
}

async fn restart(bench: &mut Bench) -> Result<(), Failed> {
    let program = PathBuf::from(&bench.report.program);
    let before = bench.options.previous.clone().unwrap_or_else(|| program.clone());
    let folder = bench.world.folder().to_owned();
    let cores = &bench.world.cores;
    bench.progress.phase("starting Redis and two replicas", None);
    let (_redis, redis_at) = redis(&folder, cores).await?;
    let mut running = Vec::new();
    let mut replicas = Vec::new();
    for n in 0..2 {
        let replica = configured(&folder, n, redis_at)?;
        running.push(Some(start(&before, &replica, &folder, cores).await?));
        replicas.push(replica);
    }
    let site = Rc::new(Site {
        replicas,
        turn: Cell::new(0),
        over: Cell::new(false),
        requests: Cell::new(0),
        logins: Cell::new(0),
        bad: RefCell::new(BTreeMap::new()),
    });
    let asking = tokio::task::spawn_local(balance(Rc::clone(&site)));
    all_ready(&site).await?;

    bench.progress.phase("logging in", None);
    let world = &bench.world;
    let mut lines = Lines::to(&site);
    let mut cookies = Vec::new();
    for _ in 0..PEOPLE {
        cookies.push(log_in(world, &site, &mut lines).await.map_err(Failed)?);
    }
    let people: Vec<_> =
        cookies.into_iter().map(|cookie| tokio::task::spawn_local(work(Rc::clone(&site), cookie))).collect();
    let began = Instant::now();
    let rolled = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        for round in 0..2 {
            for (at, slot) in running.iter_mut().enumerate() {
                bench.progress.phase(&format!("replacing replica {at}, round {round}"), None);
                let old = slot.take();
                // It ends in its own time, while the others go on.
                tokio::task::spawn_blocking(move || drop(old)).await.map_err(|e| Failed::to("ending a replica", e))?;
                if let Some(replica) = site.replicas.get(at) {
                    *slot = Some(start(&program, replica, &folder, cores).await?);
                }
                all_ready(&site).await?;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        site.over.set(true);
        Ok::<(), Failed>(())
    };
    let logging_in = async {
        let each = (0..LOGGING_IN).map(|_| logins(world, &site));
        // They are few: one after the other in one task would not overlap, so each is polled beside the others.
        let mut each: Vec<_> = each.map(Box::pin).collect();
        std::future::poll_fn(|cx| {
            each.retain_mut(|one| one.as_mut().poll(cx).is_pending());
            if each.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    };
    let (rolled, ()) = tokio::join!(rolled, logging_in);
    site.over.set(true);
    let mut kept = 0;
    for person in people {
        kept += usize::from(person.await.unwrap_or(false));
    }
    asking.abort();
    rolled?;

    let seconds = began.elapsed().as_secs_f64();
    let (requests, logins) = (site.requests.get(), site.logins.get());
    bench.report.figure("sessions_kept", kept as f64, "", Better::Higher);
    bench.report.figure("session_requests", requests as f64 / seconds, "/s", Better::Higher);
    bench.report.figure("logins", logins as f64, "", Better::Higher);
    if bench.options.previous.is_some() {
        bench.report.notes.push(format!("the replicas began as {}", before.display()));
    }
    if kept != PEOPLE || requests == 0 || logins == 0 {
        bench.report.failures.push(format!("{kept} of {PEOPLE} sessions kept, {requests} requests, {logins} logins"));
    }
    for (what, count) in site.bad.borrow().iter() {
        bench.report.failures.push(format!("{count} × {what}"));
    }
    Ok(())
}

async fn redis(folder: &Path, cores: &Cores) -> Result<(Child, SocketAddr), Failed> {
    let address = free_port()?;
    let log = folder.join("redis.log");
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--port"]).arg(address.port().to_string());
    command.args(["--save", "", "--appendonly", "no"]).arg("--dir").arg(folder);
    let mut child = Child::start("redis-server", command, &cores.load, cores, &log)?;
    child.says(&log, STARTING, |log| log.contains("Ready to accept connections").then_some(())).await?;
    Ok((child, address))
}

/// The world's configuration, with a shared store and addresses that outlive a process.
fn configured(folder: &Path, n: usize, redis: SocketAddr) -> Result<Replica, Failed> {
    let (public, admin) = (free_port()?, free_port()?);
    let failed = |e: std::io::Error| Failed::to("writing a replica's configuration", e);
    let text = std::fs::read_to_string(folder.join("grindvakt.toml")).map_err(failed)?;
    let text = text
        .replace("single_replica = true", &format!("kind = \"redis\"\nnodes = [\"{redis}\"]"))
        .replace("public = \"127.0.0.1:0\"", &format!("public = \"{public}\""))
        .replace("admin = \"127.0.0.1:0\"", &format!("admin = \"{admin}\""))
        .replace("shutdown_delay = \"0s\"", "shutdown_delay = \"1s\"");
    let config = folder.join(format!("replica-{n}.toml"));
    std::fs::write(&config, text).map_err(failed)?;
    Ok(Replica { public, admin, config, ready: Cell::new(false) })
}

async fn start(program: &Path, replica: &Replica, folder: &Path, cores: &Cores) -> Result<Child, Failed> {
    let log = folder.join(format!("replica-{}.log", replica.public.port()));
    let mut command = Command::new(program);
    command.arg("run").arg("--config").arg(&replica.config).env_remove("RUST_LOG");
    let mut child = Child::start("replica", command, &cores.measured, cores, &log)?;
    child.says(&log, STARTING, |log| log.contains("\"serving\"").then_some(())).await?;
    Ok(child)
}

/// Asks every replica whether it is ready, as a balancer does.
async fn balance(site: Rc<Site>) {
    loop {
        for replica in &site.replicas {
            let asked = request(Method::GET, HOST, "/readyz", None, Payload::empty());
            let ready = match asked {
                Ok(asked) => Conn::new(replica.admin).exchange(asked).await.is_ok_and(|a| a.status == StatusCode::OK),
                Err(_) => false,
            };
            replica.ready.set(ready);
        }
        tokio::time::sleep(ASKS_EVERY).await;
    }
}

async fn all_ready(site: &Site) -> Result<(), Failed> {
    let until = Instant::now() + STARTING;
    while !(0..site.replicas.len()).all(|at| site.is_ready(at)) {
        if Instant::now() > until {
            return Err(Failed("a replica was not ready in time".to_owned()));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Begins a login at one replica and finishes it at another. Gives the session's cookie.
async fn log_in(world: &World, site: &Site, lines: &mut Lines) -> Result<String, String> {
    let begin = request(Method::GET, HOST, &begin_path(), None, Payload::empty()).map_err(|e| e.to_string())?;
    let answer = lines.send(site, begin).await.map_err(|e| format!("login begun: {e}"))?;
    let begun = world.begun(&answer).map_err(|_| format!("login begun: status {}", answer.status.as_u16()))?;
    let prepared = world.answered(&begun);
    let finish = post(&prepared).map_err(|e| e.to_string())?;
    let answer = lines.send(site, finish).await.map_err(|e| format!("login finished: {e}"))?;
    let cookie = answer.cookie(|name| name == SESSION).map(str::to_owned);
    cookie.ok_or_else(|| format!("login finished: status {}", answer.status.as_u16()))
}

/// One login after the other.
async fn logins(world: &World, site: &Site) {
    let mut lines = Lines::to(site);
    while !site.over.get() {
        match log_in(world, site, &mut lines).await {
            Ok(_) => site.logins.set(site.logins.get() + 1),
            Err(why) => site.wrong(why),
        }
        tokio::time::sleep(THINKS).await;
    }
}

/// Works on with one session. Gives whether it lasted.
async fn work(site: Rc<Site>, mut cookie: String) -> bool {
    let mut lines = Lines::to(&site);
    while !site.over.get() {
        let Ok(page) = request(Method::GET, HOST, GUARDED, Some(&cookie), Payload::empty()) else { return false };
        match lines.send(&site, page).await {
            Ok(answer) if answer.status == StatusCode::OK => {
                site.requests.set(site.requests.get() + 1);
                if let Some(newer) = answer.cookie(|name| name == SESSION) {
                    cookie = newer.to_owned();
                }
            }
            Ok(answer) if answer.status == StatusCode::SEE_OTHER => {
                site.wrong("a session was lost");
                return false;
            }
            Ok(answer) => site.wrong(format!("page: status {}", answer.status.as_u16())),
            Err(why) => site.wrong(format!("page: {why}")),
        }
        tokio::time::sleep(THINKS).await;
    }
    true
}
