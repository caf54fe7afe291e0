//! From a configuration to a running sidecar: the only place that knows everybody.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::json;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::watch;

use crate::base::{Clock, SystemClock, UnixTime};
use crate::config::{Config, Problem, load_keys};
use crate::crypto::digest::{Random, SystemRandom};
use crate::gate::{Gate, GateError, Parts};
use crate::http::admin::{Admin, AdminState};
use crate::http::body::FormRoom;
use crate::http::forwarded::PublicAddress;
use crate::http::headers::IdentityNames;
use crate::http::own_paths::OwnPaths;
use crate::http::pages::Site;
use crate::http::proxy::Proxy;
use crate::http::server::{Bound, Phase};
use crate::http::service::Service;
use crate::http::upstream::{Http1, Upstream as _};
use crate::provider::fetch::{Fetcher, TlsSetup};
use crate::provider::source::{Origin, Status, Way};
use crate::provider::{Feeds, Refresher};
use crate::session::CookieNames;
use crate::telemetry::Telemetry;

/// Why a sidecar does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Keys that cannot be read.
    #[error("{}", list(.0))]
    Keys(Vec<Problem>),
    /// The gate cannot be put together.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// No way out by TLS.
    #[error(transparent)]
    Tls(TlsSetup),
    /// An address that cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
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

/// A sidecar that serves.
pub struct Running {
    public: SocketAddr,
    admin: SocketAddr,
    shared: Arc<Shared>,
    phase: watch::Sender<Phase>,
    admin_phase: watch::Sender<Phase>,
    threads: Vec<JoinHandle<()>>,
    admin_threads: Vec<JoinHandle<()>>,
    shutdown_delay: Duration,
    _side: Side,
}

/// What the admin address tells of.
struct Shared {
    gate: Arc<Gate>,
    telemetry: Arc<Telemetry>,
    clock: Arc<dyn Clock>,
    upstream: Http1,
    refresher: Arc<Refresher>,
    stopping: AtomicBool,
    config: Arc<Config>,
}

/// Starts a sidecar. Nothing here waits for the network: a provider without metadata is told of and left out.
///
/// # Errors
/// [`StartError`].
pub fn start(config: Config) -> Result<Running, StartError> {
    let config = Arc::new(config);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let random: Arc<dyn Random> = Arc::new(SystemRandom::new());
    for warning in &config.warnings {
        tracing::warn!(event = "configuration_warning", detail = %warning);
    }
    let keys = load_keys(&config, &*random).map_err(StartError::Keys)?;
    for warning in &keys.warnings {
        tracing::warn!(event = "key_made_at_start", detail = warning);
    }
    let feeds = Arc::new(Feeds::open(&config, clock.now()));
    let telemetry = Telemetry::new(
        config.providers.iter().map(|provider| provider.id.clone()),
        config.routes.all().map(|route| route.name.clone()),
    );
    let telemetry = Arc::new(telemetry.map_err(|e| StartError::Internal(e.to_string()))?);
    let gate = Gate::new(Parts {
        config: Arc::clone(&config),
        keys,
        snapshot: feeds.snapshot(),
        clock: Arc::clone(&clock),
        random: Arc::clone(&random),
        telemetry: Arc::clone(&telemetry),
    });
    let gate = Arc::new(gate?);
    let side = Side::new().map_err(StartError::Thread)?;
    let refresher = refresh(&config, feeds, &gate, &clock, &random, &telemetry, side.handle())?;

    let base = &config.service.base_url;
    let site = Arc::new(site(&config));
    let own = OwnPaths::new(Arc::clone(&gate), Arc::clone(&site), Arc::clone(&random), &config.service.acs_aliases);
    let own = Arc::new(own);
    let address = PublicAddress::new(base, config.listen.trusted_proxies.clone());
    let proxy = Arc::new(Proxy {
        identity: IdentityNames::new(&config.headers),
        address: address.ok_or_else(|| StartError::Internal("base_url fits no header".into()))?,
        cookies: CookieNames::new(&config.service.id, !base.is_loopback_http()),
    });

    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (phase, phases) = watch::channel(Phase::Serving);
    let (admin_phase, admin_phases) = watch::channel(Phase::Serving);
    let bind = |address, cores| Bound::new(address, cores).map_err(|e| StartError::Listen(address, e));
    let public = bind(config.listen.public, cores)?;
    let admin = bind(config.listen.admin, 1)?;
    let (public_address, admin_address) = (public.address(), admin.address());

    let forms = Arc::new(FormRoom::default());
    let service = || Service {
        gate: Arc::clone(&gate),
        own: Arc::clone(&own),
        site: Arc::clone(&site),
        proxy: Arc::clone(&proxy),
        upstream: Http1::new(config.service.upstream.clone()),
        telemetry: Arc::clone(&telemetry),
        random: Arc::clone(&random),
        body_limit: config.verification.body_limit,
        forms: Arc::clone(&forms),
    };
    let shared = Arc::new(Shared {
        gate: Arc::clone(&gate),
        telemetry: Arc::clone(&telemetry),
        clock,
        upstream: Http1::new(config.service.upstream.clone()),
        refresher,
        stopping: AtomicBool::new(false),
        config: Arc::clone(&config),
    });
    let threads = public.serve(service, &phases, config.listen.drain_timeout).map_err(StartError::Thread)?;
    let admin_threads = admin
        .serve(|| Admin(Arc::clone(&shared)), &admin_phases, Duration::from_secs(1))
        .map_err(StartError::Thread)?;
    Ok(Running {
        public: public_address,
        admin: admin_address,
        shared,
        phase,
        admin_phase,
        threads,
        admin_threads,
        shutdown_delay: config.listen.shutdown_delay,
        _side: side,
    })
}

/// The runtime beside those that serve: what fetches, watches and keeps house runs here.
struct Side(Option<Runtime>);

impl Side {
    fn new() -> io::Result<Self> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).thread_name("grindvakt-side").enable_all().build().map(|runtime| Self(Some(runtime)))
    }

    fn handle(&self) -> &Handle {
        // It is taken only when this is dropped.
        match &self.0 {
            Some(runtime) => runtime.handle(),
            None => unreachable!("the runtime is there until the end"),
        }
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // Without waiting: a fetch under way is nothing that anybody waits for.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Begins to keep the gate's providers up to date.
fn refresh(
    config: &Config,
    feeds: Arc<Feeds>,
    gate: &Gate,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
    telemetry: &Arc<Telemetry>,
    runtime: &Handle,
) -> Result<Arc<Refresher>, StartError> {
    let fetcher = feeds
        .need_network()
        .then(|| Fetcher::new(&config.network, Arc::clone(clock), runtime.clone()))
        .transpose()
        .map_err(StartError::Tls)?;
    let way = Way { fetcher, clock: Arc::clone(clock), random: Arc::clone(random), telemetry: Arc::clone(telemetry) };
    let refresher = Refresher::start(feeds, way, runtime, gate.registry());
    gate.look_for_keys_by(Arc::clone(&refresher));
    Ok(refresher)
}

fn site(config: &Config) -> Site {
    let (service, pages) = (&config.service, &config.pages);
    let base = &service.base_url;
    Site {
        service_name: pages.service_name.clone().unwrap_or_else(|| service.id.to_string()),
        prefix: format!("{}{}", base.path(), service.prefix),
        home: format!("{}/", base.path()),
        origin: base.origin().to_owned(),
        contact: pages.contact.clone(),
        phone: pages.phone.clone(),
        other_ways_url: pages.other_ways_url.clone(),
        accessibility_url: pages.accessibility_statement_url.clone(),
        privacy_url: pages.privacy_url.clone(),
    }
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

    /// Stops: readiness first, then, after the configured delay in which all goes on, no new connections, and the end
    /// when every request has ended or the deadline has passed. Blocks until then.
    pub fn shutdown(self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        std::thread::sleep(self.shutdown_delay);
        self.phase.send_replace(Phase::Draining);
        for thread in self.threads {
            let _ = thread.join();
        }
        // The admin address tells of the end until it comes.
        self.admin_phase.send_replace(Phase::Draining);
        for thread in self.admin_threads {
            let _ = thread.join();
        }
    }
}

/// A feed as `/status` shows it.
fn feed_status(status: &Status) -> serde_json::Value {
    let at = |instant: Option<UnixTime>| instant.map(|at| at.to_string());
    json!({
        "id": status.feed.as_str(),
        "entity": status.entity,
        "state": status.freshness.name(),
        "origin": status.origin.map(Origin::name),
        "confirmed": at(status.confirmed),
        "valid_until": at(status.valid_until),
        "usable_until": at(status.until),
        "last_attempt": at(status.last_attempt),
        "last_success": at(status.last_success),
        "next_attempt": at(status.next_attempt),
        "failures": status.failures,
        "trouble": status.trouble.as_ref().map(|trouble| json!({
            "code": trouble.code,
            "detail": trouble.detail,
            "at": trouble.at.to_string(),
        })),
    })
}

impl AdminState for Shared {
    fn ready(&self) -> Result<(), &'static str> {
        if self.stopping.load(Ordering::Relaxed) {
            return Err("stopping");
        }
        if self.gate.any_provider_usable() { Ok(()) } else { Err("no provider has valid keys") }
    }

    fn started(&self) -> bool {
        // The admin address answers only once everything is there.
        true
    }

    fn metrics(&self) -> String {
        let now = self.clock.now();
        for provider in self.gate.providers().all() {
            let usable = i64::from(provider.idp(now).is_ok());
            self.telemetry.metrics().provider_usable.with_label_values(&[provider.config().id.as_str()]).set(usable);
        }
        self.refresher.feeds().observe(self.telemetry.metrics(), now);
        self.telemetry.metrics().text().unwrap_or_else(|e| format!("# {e}\n"))
    }

    fn status(&self) -> String {
        let now = self.clock.now();
        let snapshot = self.gate.providers();
        let providers = snapshot.all().iter().map(|provider| {
            let config = provider.config();
            let (usable, detail, loa, until) = match provider.idp(now) {
                Ok(idp) => (true, None, provider.certified(idp).map(str::to_owned).collect(), idp.valid_until),
                Err(why) => (false, Some(why.to_string()), Vec::new(), None),
            };
            json!({
                "id": config.id.as_str(),
                "eid": config.eid.as_str(),
                "usable": usable,
                "detail": detail,
                "loa": loa,
                "valid_until": until.map(|at| at.to_string()),
            })
        });
        let status = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "environment": self.config.environment.name(),
            "service": self.config.service.id.as_str(),
            "stopping": self.stopping.load(Ordering::Relaxed),
            "providers": providers.collect::<Vec<_>>(),
            "metadata": self.refresher.feeds().status(now).iter().map(feed_status).collect::<Vec<_>>(),
        });
        format!("{status:#}\n")
    }

    async fn upstream_reachable(&self) -> bool {
        self.upstream.reachable().await
    }
}
