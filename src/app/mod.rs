//! From a configuration to a running sidecar: the only place that knows everybody.

mod control;
mod gauges;
mod generation;
mod health;
mod reload;
mod sharing;
mod side;
mod status;
mod store;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::{Notify, watch};

use crate::base::{Clock, SystemClock};
use crate::config::{Config, MadeKeys, Problem};
use crate::crypto::digest::{NoRandomness, Random, SystemRandom};
use crate::gate::{GateError, Lasting};
use crate::http::admin::Admin;
use crate::http::body::FormRoom;
use crate::http::server::{Bound, Phase, Times};
use crate::http::service::Service;
use crate::http::watchdog::Leftover;
use crate::provider::FeedFault;
use crate::provider::fetch::TlsSetup;
use crate::replay::Store;
use crate::replay::shared::{Shared as SharedStore, StoreObserver};
use crate::telemetry::Telemetry;
use control::Control;
use generation::{Built, Generation, Workshop, tell_faults};
use reload::{Newest, Watcher};
use sharing::Sharing;
use side::Side;

pub use reload::ReloadError;
pub use store::settings as store_settings;

/// Why a sidecar does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Keys that cannot be read.
    #[error("{}", list(.0))]
    Keys(Vec<Problem>),
    /// Feeds that hold keys of the demo, outside of development.
    #[error("{}", faults(.0))]
    DemoKeys(Vec<FeedFault>),
    /// The gate cannot be put together.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// No way out by TLS.
    #[error(transparent)]
    Tls(TlsSetup),
    /// An address that cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// A control socket that cannot be listened on.
    #[error("[listen] control: {0}")]
    Control(String),
    /// A thread that cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
    /// Metrics or an address that the libraries refuse: a mistake of ours.
    #[error("{0}")]
    Internal(String),
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn faults(faults: &[FeedFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// A sidecar that serves.
pub struct Running {
    public: SocketAddr,
    admin: SocketAddr,
    shared: Arc<Shared>,
    phase: watch::Sender<Phase>,
    admin_phase: watch::Sender<Phase>,
    threads: Vec<JoinHandle<Leftover>>,
    admin_threads: Vec<JoinHandle<Leftover>>,
    watcher: Option<Watcher>,
    control: Option<Control>,
    /// Held, not asked.
    _sharing: Option<Sharing>,
}

/// What all threads know.
struct Shared {
    /// What is in force.
    current: Arc<ArcSwap<Generation>>,
    workshop: Workshop,
    stopping: AtomicBool,
    /// The configuration's paths; none: it came from elsewhere, and cannot be read again.
    paths: Vec<PathBuf>,
    /// Somebody asked over the control socket to stop in order.
    drain: Notify,
    /// Held while one reload runs.
    newest: Mutex<Newest>,
}

/// Starts a sidecar. Nothing here waits for the network: a provider without metadata is told of and left out.
///
/// `paths` are where `config` was read from: when a file of it changes, or one that it names, the whole is read again.
/// Without paths it stays as it is.
///
/// # Errors
/// [`StartError`].
pub fn start(config: Config, paths: &[PathBuf]) -> Result<Running, StartError> {
    let config = Arc::new(config);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let random: Arc<dyn Random> = Arc::new(SystemRandom::new());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let telemetry = Telemetry::new([], []).map_err(|e| StartError::Internal(e.to_string()))?;
    let telemetry = Arc::new(telemetry);
    let side = Side::start().map_err(StartError::Thread)?;
    let lasting = match store::settings(&config) {
        None => {
            telemetry.metrics().store.know_memory();
            let observer = Arc::clone(&telemetry) as Arc<dyn StoreObserver>;
            Lasting::with(Store::memory_observed(&*random, clock.now(), observer)?)
        }
        Some(settings) => {
            telemetry.metrics().store.know_shared();
            let observer = Arc::clone(&telemetry) as Arc<dyn StoreObserver>;
            let (shared, driver) = SharedStore::open(settings, Arc::clone(&clock), Arc::clone(&random), observer);
            side.handle().spawn(driver.run());
            Lasting::with(Store::shared(shared))
        }
    };
    let workshop = Workshop {
        lasting: Arc::new(lasting),
        telemetry,
        clock,
        random,
        forms: Arc::new(FormRoom::default()),
        made: Mutex::new(MadeKeys::default()),
        cores,
        side,
    };
    // Before keys and feeds are read: what changes meanwhile is then seen to have changed.
    let newest = Newest::first(paths, Arc::clone(&config));
    let Built { generation, faults, warnings } = workshop.build(Arc::clone(&config), None)?;
    for warning in &warnings {
        tracing::warn!(event = "configuration_warning", detail = warning);
    }
    tell_faults(&faults);
    let state = &generation.telemetry.metrics().state;
    let now = workshop.clock.now();
    gauges::in_force(state, &generation.config, now);
    state.started.set(now.as_secs());

    let (phase, phases) = watch::channel(Phase::Serving);
    let (admin_phase, admin_phases) = watch::channel(Phase::Serving);
    let bind = |address, cores| Bound::new(address, cores).map_err(|e| StartError::Listen(address, e));
    let public = bind(config.listen.public, cores)?;
    let admin = bind(config.listen.admin, 1)?;
    let (public_address, admin_address) = (public.address(), admin.address());

    let current = Arc::new(ArcSwap::from_pointee(generation));
    let shared = Arc::new(Shared {
        current: Arc::clone(&current),
        workshop,
        stopping: AtomicBool::new(false),
        paths: paths.to_vec(),
        drain: Notify::new(),
        newest: Mutex::new(newest),
    });
    let service = |core| Service { current: Arc::clone(&current), core };
    let keep_alive = config.listen.keep_alive_timeout;
    let times = |drain| Times { keep_alive, drain };
    let threads = public.serve(service, &phases, times(config.listen.drain_timeout)).map_err(StartError::Thread)?;
    let admin_threads = admin
        .serve(|_| Admin(Arc::clone(&shared)), &admin_phases, times(Duration::from_secs(1)))
        .map_err(StartError::Thread)?;
    let watcher =
        if paths.is_empty() { None } else { Some(Watcher::start(Arc::clone(&shared)).map_err(StartError::Thread)?) };
    let control = match &config.listen.control {
        None => None,
        Some(path) => {
            let started = Control::start(path, Arc::clone(&shared), shared.workshop.side.handle());
            Some(started.map_err(|e| StartError::Control(format!("{}: {e}", path.display())))?)
        }
    };
    let sharing = Sharing::start(&shared, shared.workshop.side.handle())?;
    Ok(Running {
        public: public_address,
        admin: admin_address,
        shared,
        phase,
        admin_phase,
        threads,
        admin_threads,
        watcher,
        control,
        _sharing: sharing,
    })
}

impl Running {
    /// Where requests come in, with its real port.
    pub const fn public(&self) -> SocketAddr {
        self.public
    }

    /// Where operators look, with its real port.
    pub const fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Returns when somebody asks over the control socket to stop in order.
    pub async fn drain_asked(&self) {
        self.shared.drain.notified().await;
    }

    /// Reads the configuration again and puts it in force, whole. Blocks until then.
    ///
    /// # Errors
    /// [`ReloadError`]: the one before stays in force. It was told of already.
    pub fn reload(&self) -> Result<(), ReloadError> {
        self.shared.reload()
    }

    /// Stops: readiness first, then, after the configured delay in which all goes on, no new connections, and the end
    /// when every request has ended or the deadline has passed. Blocks until then.
    pub fn shutdown(self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        // What changes now is of no use any more.
        drop(self.watcher);
        drop(self.control);
        let (delay, drain) = {
            let listen = &self.shared.current.load().config.listen;
            (listen.shutdown_delay, listen.drain_timeout)
        };
        std::thread::sleep(delay);
        let end = Instant::now() + drain;
        self.phase.send_replace(Phase::Draining);
        let mut cut = Leftover::default();
        for thread in self.threads {
            cut += thread.join().unwrap_or_default();
        }
        let Leftover { connections, requests, tunnels } = cut;
        if cut == Leftover::default() {
            tracing::info!(event = "drained");
        } else {
            tracing::warn!(
                event = "drain_deadline_passed",
                connections,
                requests,
                tunnels,
                "what was still open was cut"
            );
        }
        store::wait_until_filed(self.shared.workshop.lasting.store(), end);
        // The admin address tells of the end until it comes.
        self.admin_phase.send_replace(Phase::Draining);
        for thread in self.admin_threads {
            let _ = thread.join();
        }
    }
}
