//! From a configuration to a running sidecar: the only place that knows everybody.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;

use crate::base::{Clock, SystemClock};
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
use crate::http::server::{Bound, Phase, Times};
use crate::http::service::Service;
use crate::http::upgrade;
use crate::http::upstream::{Connections, Upstream as _};
use crate::http::watchdog::{Leftover, Limits, Looks};
use crate::provider;
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
    threads: Vec<JoinHandle<Leftover>>,
    admin_threads: Vec<JoinHandle<Leftover>>,
    shutdown_delay: Duration,
}

/// What the admin address tells of.
struct Shared {
    gate: Arc<Gate>,
    telemetry: Arc<Telemetry>,
    clock: Arc<dyn Clock>,
    upstream: Connections,
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
    let (snapshot, faults) = provider::load(&config, clock.now());
    for fault in &faults {
        let entity = fault.entity_id.as_deref().unwrap_or("");
        tracing::error!(
            event = "metadata_fault",
            feed = fault.feed,
            entity,
            code = fault.cause.code(),
            detail = fault.cause.detail()
        );
    }
    let telemetry = Telemetry::new(
        config.providers.iter().map(|provider| provider.id.clone()),
        config.routes.all().map(|route| route.name.clone()),
    );
    let telemetry = Arc::new(telemetry.map_err(|e| StartError::Internal(e.to_string()))?);
    let gate = Gate::new(Parts {
        config: Arc::clone(&config),
        keys,
        snapshot,
        clock: Arc::clone(&clock),
        random: Arc::clone(&random),
        telemetry: Arc::clone(&telemetry),
    });
    let gate = Arc::new(gate?);

    let base = &config.service.base_url;
    let site = Arc::new(site(&config));
    let own = OwnPaths::new(Arc::clone(&gate), Arc::clone(&site), Arc::clone(&random), &config.service.acs_aliases);
    let own = Arc::new(own);
    let address = PublicAddress::new(base, config.listen.trusted_proxies.clone());
    let proxy = Arc::new(Proxy {
        identity: Arc::new(IdentityNames::new(&config.headers)),
        address: address.ok_or_else(|| StartError::Internal("base_url fits no header".into()))?,
        cookies: CookieNames::new(&config.service.id, !base.is_loopback_http()),
        limits: Limits {
            response: Looks::of(config.upstream.response_timeout),
            idle: Looks::of(config.upstream.idle_timeout),
            tunnel: Looks::of(config.upstream.tunnel_idle_timeout),
        },
        websocket_origins: upgrade::origins(base.origin(), &config.service.websocket_origins),
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
        upstream: Connections::new(config.service.upstream.clone(), config.upstream.protocol),
        telemetry: Arc::clone(&telemetry),
        random: Arc::clone(&random),
        body_limit: config.verification.body_limit,
        forms: Arc::clone(&forms),
    };
    let shared = Arc::new(Shared {
        gate: Arc::clone(&gate),
        telemetry: Arc::clone(&telemetry),
        clock,
        upstream: Connections::new(config.service.upstream.clone(), config.upstream.protocol),
        stopping: AtomicBool::new(false),
        config: Arc::clone(&config),
    });
    let keep_alive = config.listen.keep_alive_timeout;
    let times = |drain| Times { keep_alive, drain };
    let threads = public.serve(service, &phases, times(config.listen.drain_timeout)).map_err(StartError::Thread)?;
    let admin_threads = admin
        .serve(|| Admin(Arc::clone(&shared)), &admin_phases, times(Duration::from_secs(1)))
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
    })
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
        let mut cut = Leftover::default();
        for thread in self.threads {
            cut += thread.join().unwrap_or_default();
        }
        if cut == Leftover::default() {
            tracing::info!(event = "drained");
        } else {
            let Leftover { connections, requests, tunnels } = cut;
            tracing::warn!(event = "drain_deadline_passed", connections, requests, tunnels, "what was still open was cut");
        }
        // The admin address tells of the end until it comes.
        self.admin_phase.send_replace(Phase::Draining);
        for thread in self.admin_threads {
            let _ = thread.join();
        }
    }
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
            let usable = i64::from(provider.usable(now).is_ok());
            self.telemetry.metrics().provider_usable.with_label_values(&[provider.config().id.as_str()]).set(usable);
        }
        self.telemetry.metrics().text().unwrap_or_else(|e| format!("# {e}\n"))
    }

    fn status(&self) -> String {
        let now = self.clock.now();
        let snapshot = self.gate.providers();
        let providers = snapshot.all().iter().map(|provider| {
            let config = provider.config();
            let (usable, detail, loa, until) = match provider.saml(now) {
                Ok(saml) => (true, None, saml.certified().map(str::to_owned).collect(), saml.idp.valid_until),
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
        });
        format!("{status:#}\n")
    }

    async fn upstream_reachable(&self) -> bool {
        self.upstream.reachable().await
    }
}
