//! From a configuration to everything that follows from it: the part of a sidecar that a reload replaces.

use std::sync::{Arc, Mutex, PoisonError};

use super::StartError;
use super::side::Side;
use crate::base::Clock;
use crate::config::{Config, MadeKeys, load_keys};
use crate::crypto::digest::Random;
use crate::gate::{Gate, Lasting, Parts};
use crate::http::body::FormRoom;
use crate::http::forwarded::PublicAddress;
use crate::http::headers::IdentityNames;
use crate::http::own_paths::OwnPaths;
use crate::http::pages::Site;
use crate::http::proxy::Proxy;
use crate::http::service;
use crate::http::upgrade;
use crate::http::upstream::Connections;
use crate::http::watchdog::{Limits, Looks};
use crate::provider::fetch::Fetcher;
use crate::provider::prober::{Prober, Probing};
use crate::provider::source::Way;
use crate::provider::{Board, FeedFault, Feeds, Refresher};
use crate::session::CookieNames;
use crate::telemetry::Telemetry;

/// What is in force.
pub(super) type Generation = service::Generation<Connections>;

/// What every generation of one process is made with.
pub(super) struct Workshop {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
    pub(super) lasting: Arc<Lasting>,
    /// The families that every generation counts in.
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) forms: Arc<FormRoom>,
    pub(super) made: Mutex<MadeKeys>,
    pub(super) cores: usize,
    pub(super) side: Side,
}

/// A generation, with what else is known of it.
pub(super) struct Built {
    pub(super) generation: Generation,
    /// Feeds and entities that gave nothing.
    pub(super) faults: Vec<FeedFault>,
    /// What the operator should know. Told once.
    pub(super) warnings: Vec<String>,
}

impl Workshop {
    /// Makes a generation, after `before` where there was one: counters count on, and so do the connections to an
    /// e-service that has not moved.
    pub(super) fn build(&self, config: Arc<Config>, before: Option<&Generation>) -> Result<Built, StartError> {
        let mut warnings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = load_keys(&config, &*self.random, &mut made).map_err(StartError::Keys)?;
        drop(made);
        warnings.extend(keys.warnings.iter().cloned());
        // What the generation before holds of a feed that has not changed is kept.
        let held = before.and_then(|before| before.gate.refresher()).map(|refresher| Arc::clone(refresher.feeds()));
        let feeds = Arc::new(Feeds::open_after(&config, self.clock.now(), held.as_deref()));
        let faults = feeds.faults();
        let ours: Vec<FeedFault> = faults.iter().filter(|fault| fault.is_ours()).cloned().collect();
        if !ours.is_empty() {
            tell_faults(&ours);
            return Err(StartError::DemoKeys(ours));
        }

        let providers = config.providers.iter().map(|provider| provider.id.clone());
        let routes = config.routes.all().map(|route| route.name.clone());
        let telemetry = Arc::new(self.telemetry.renewed(providers, routes));
        let board = Board::new(&config, Arc::clone(&telemetry), before.map(|before| &**before.gate.board()));
        let gate = Gate::new(Parts {
            config: Arc::clone(&config),
            keys,
            snapshot: feeds.snapshot(),
            board: Arc::new(board),
            lasting: Arc::clone(&self.lasting),
            clock: Arc::clone(&self.clock),
            random: Arc::clone(&self.random),
            telemetry: Arc::clone(&telemetry),
        });
        let gate = Arc::new(gate?);
        let probing = self.refresh(&config, feeds, &gate, &telemetry)?;

        let base = &config.service.base_url;
        let site = Arc::new(site(&config));
        let aliases = &config.service.acs_aliases;
        let callbacks = config.providers.iter().filter(|provider| provider.oidc().is_some());
        let callbacks = callbacks.map(|provider| provider.id.clone()).collect();
        let own = OwnPaths::new(Arc::clone(&gate), Arc::clone(&site), aliases, callbacks);
        let address = PublicAddress::new(base, config.listen.trusted_proxies.clone());
        let proxy = Proxy {
            identity: Arc::new(IdentityNames::new(&config.headers)),
            address: address.ok_or_else(|| StartError::Internal("base_url fits no header".into()))?,
            cookies: CookieNames::new(&config.service.id, !base.is_loopback_http()),
            limits: Limits {
                response: Looks::of(config.upstream.response_timeout),
                idle: Looks::of(config.upstream.idle_timeout),
                tunnel: Looks::of(config.upstream.tunnel_idle_timeout),
            },
            websocket_origins: upgrade::origins(base.origin(), &config.service.websocket_origins),
        };
        let same = |before: &Config| {
            before.service.upstream == config.service.upstream && before.upstream.protocol == config.upstream.protocol
        };
        let upstreams = match before {
            Some(before) if same(&before.config) => Arc::clone(&before.upstreams),
            _ => self.upstreams(&config),
        };
        let generation = Generation {
            gate,
            own,
            site,
            proxy,
            upstreams,
            telemetry,
            random: Arc::clone(&self.random),
            forms: Arc::clone(&self.forms),
            config,
            beside: Box::new(probing),
        };
        Ok(Built { generation, faults, warnings })
    }

    /// Begins to keep a gate's providers up to date, for as long as there is the gate, and to probe them, for as long as
    /// there is the value.
    fn refresh(
        &self,
        config: &Config,
        feeds: Arc<Feeds>,
        gate: &Gate,
        telemetry: &Arc<Telemetry>,
    ) -> Result<Probing, StartError> {
        let runtime = self.side.handle();
        let probes = config.providers.iter().any(|provider| provider.probe);
        let fetcher = if feeds.need_network() || probes {
            Some(Fetcher::new(&config.network, Arc::clone(&self.clock), runtime.clone()).map_err(StartError::Tls)?)
        } else {
            None
        };
        let prober = Prober {
            board: Arc::clone(gate.board()),
            registry: gate.registry(),
            fetcher: fetcher.clone(),
            clock: Arc::clone(&self.clock),
            random: Arc::clone(&self.random),
            environment: config.environment,
        };
        let (clock, random) = (Arc::clone(&self.clock), Arc::clone(&self.random));
        let way = Way { fetcher, clock, random, telemetry: Arc::clone(telemetry) };
        gate.look_for_keys_by(Refresher::start(feeds, way, runtime, gate.registry()));
        Ok(prober.start(runtime))
    }

    /// Connections of its own for each core.
    fn upstreams(&self, config: &Config) -> Arc<[Connections]> {
        let connections = || Connections::new(config.service.upstream.clone(), config.upstream.protocol);
        (0..self.cores).map(|_| connections()).collect()
    }
}

/// Tells of feeds that gave nothing.
pub(super) fn tell_faults(faults: &[FeedFault]) {
    for fault in faults {
        let entity = fault.entity_id.as_deref().unwrap_or("");
        tracing::error!(
            event = "metadata_fault",
            feed = %fault.feed,
            entity,
            code = fault.cause.code(),
            detail = fault.cause.detail()
        );
    }
}

fn site(config: &Config) -> Site {
    let (service, pages) = (&config.service, &config.pages);
    let base = &service.base_url;
    Site {
        service_name: pages.service_name.clone().unwrap_or_else(|| service.id.as_str().into()),
        prefix: format!("{}{}", base.path(), service.prefix),
        home: format!("{}/", base.path()),
        origin: base.origin().to_owned(),
        own: pages.clone(),
        notices: config.notices.clone(),
        plain_http: config.providers.iter().any(|one| one.oidc().is_some_and(|own| own.issuer.starts_with("http:"))),
        labels: config.providers.iter().map(|provider| (provider.id.clone(), provider.label.clone())).collect(),
    }
}
