//! From a configuration to everything that follows from it: the part of a sidecar that a reload replaces.

use std::sync::{Arc, Mutex, PoisonError};

use super::StartError;
use crate::base::Clock;
use crate::config::{Config, MadeKeys, Upstream as Address, load_keys};
use crate::crypto::digest::Random;
use crate::gate::{Gate, Lasting, Parts};
use crate::http::body::FormRoom;
use crate::http::forwarded::PublicAddress;
use crate::http::headers::IdentityNames;
use crate::http::own_paths::OwnPaths;
use crate::http::pages::Site;
use crate::http::proxy::Proxy;
use crate::http::service;
use crate::http::upstream::Http1;
use crate::provider::{self, FeedFault};
use crate::session::CookieNames;
use crate::telemetry::Telemetry;

/// What is in force.
pub(super) type Generation = service::Generation<Http1>;

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
        let (snapshot, faults) = provider::load(&config, self.clock.now());
        let ours: Vec<FeedFault> = faults.iter().filter(|fault| fault.is_ours()).cloned().collect();
        if !ours.is_empty() {
            tell_faults(&ours);
            return Err(StartError::DemoKeys(ours));
        }

        let providers = config.providers.iter().map(|provider| provider.id.clone());
        let routes = config.routes.all().map(|route| route.name.clone());
        let telemetry = Arc::new(self.telemetry.renewed(providers, routes));
        let gate = Gate::new(Parts {
            config: Arc::clone(&config),
            keys,
            snapshot,
            lasting: Arc::clone(&self.lasting),
            clock: Arc::clone(&self.clock),
            random: Arc::clone(&self.random),
            telemetry: Arc::clone(&telemetry),
        });
        let gate = Arc::new(gate?);

        let base = &config.service.base_url;
        let site = Arc::new(site(&config));
        let aliases = &config.service.acs_aliases;
        let own = OwnPaths::new(Arc::clone(&gate), Arc::clone(&site), Arc::clone(&self.random), aliases);
        let address = PublicAddress::new(base, config.listen.trusted_proxies.clone());
        let proxy = Proxy {
            identity: IdentityNames::new(&config.headers),
            address: address.ok_or_else(|| StartError::Internal("base_url fits no header".into()))?,
            cookies: CookieNames::new(&config.service.id, !base.is_loopback_http()),
        };
        let upstreams = match before {
            Some(before) if before.config.service.upstream == config.service.upstream => Arc::clone(&before.upstreams),
            _ => self.upstreams(&config.service.upstream),
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
        };
        Ok(Built { generation, faults, warnings })
    }

    /// Connections of its own for each core.
    fn upstreams(&self, address: &Address) -> Arc<[Http1]> {
        (0..self.cores).map(|_| Http1::new(address.clone())).collect()
    }
}

/// Tells of feeds that gave nothing.
pub(super) fn tell_faults(faults: &[FeedFault]) {
    for fault in faults {
        let entity = fault.entity_id.as_deref().unwrap_or("");
        tracing::error!(
            event = "metadata_fault",
            feed = fault.feed,
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
