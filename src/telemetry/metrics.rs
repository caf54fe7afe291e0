//! Every family, put together.

use prometheus::{Error, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry, TextEncoder};

use super::catalogue::{Described, Families, Label};
use super::logins::LoginMetrics;
use super::requests::RequestMetrics;
use super::verifications::VerifyMetrics;
use super::{FetchMetrics, HealthMetrics, StoreMetrics};
use crate::base::{ProviderId, RouteName};

/// Every family. A clone counts on in the same ones.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    described: std::sync::Arc<[Described]>,
    /// What becomes of requests.
    pub requests: RequestMetrics,
    pub(super) logins: LoginMetrics,
    pub(super) verify: VerifyMetrics,
    /// The shared store.
    pub store: StoreMetrics,
    /// What the sidecar fetches by itself.
    pub fetch: FetchMetrics,
    /// How providers do.
    pub health: HealthMetrics,
    /// What is kept so as not to be made again.
    pub caches: CacheMetrics,
    /// The process, its configuration, its providers as they are now.
    pub state: StateMetrics,
}

impl Metrics {
    pub(super) fn new(
        providers: impl IntoIterator<Item = ProviderId>,
        routes: impl IntoIterator<Item = RouteName>,
    ) -> Result<Self, Error> {
        Ok(Self::bare()?.renewed(providers, routes))
    }

    /// The same families with children for another configuration. What was counted stays counted.
    pub(super) fn renewed(
        &self,
        providers: impl IntoIterator<Item = ProviderId>,
        routes: impl IntoIterator<Item = RouteName>,
    ) -> Self {
        for provider in providers {
            self.logins.know(&provider);
            self.health.know(&provider);
            self.fetch.know_provider(&provider);
        }
        Self { requests: self.requests.renewed(routes), ..self.clone() }
    }

    fn bare() -> Result<Self, Error> {
        let mut families = Families::default();
        let requests = RequestMetrics::new(&mut families)?;
        let logins = LoginMetrics::new(&mut families)?;
        let verify = VerifyMetrics::new(&mut families)?;
        let state = StateMetrics::new(&mut families)?;
        let health = HealthMetrics::new(&mut families)?;
        let fetch = FetchMetrics::new(&mut families)?;
        let store = StoreMetrics::new(&mut families)?;
        let caches = CacheMetrics::new(&mut families)?;
        let (registry, described) = families.finish();
        Ok(Self {
            registry,
            described: described.into(),
            requests,
            logins,
            verify,
            store,
            fetch,
            health,
            caches,
            state,
        })
    }

    /// The description of every family, in the order of `docs/metrics.md`.
    pub fn catalogue(&self) -> &[Described] {
        &self.described
    }

    /// The whole registry in Prometheus' text form.
    ///
    /// # Errors
    /// The encoder failed.
    pub fn text(&self) -> Result<String, Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

/// The process, its configuration and its providers. The gauges are set when somebody looks.
#[derive(Clone)]
pub struct StateMetrics {
    /// 1 for each provider that has valid keys now, else 0.
    pub provider_usable: IntGaugeVec,
    /// Seconds until a provider's keys may no longer be used; none where they have no end.
    pub provider_expiry: IntGaugeVec,
    /// 1 for each provider that an operator holds open or closed, and at which.
    pub provider_override: IntGaugeVec,
    /// Seconds until our own certificates end.
    pub own_expiry: IntGaugeVec,
    pub(super) reloads: IntCounterVec,
    pub(super) reload_good: IntGauge,
    config: IntGaugeVec,
    config_loaded: IntGauge,
    /// When the process began, in seconds since 1970.
    pub started: IntGauge,
    /// 1 from SIGTERM on.
    pub stopping: IntGauge,
}

impl StateMetrics {
    fn new(families: &mut Families) -> Result<Self, Error> {
        const OUTCOME: Label = Label::new("outcome", "`done`, `refused`");
        const USE: Label = Label::new("use", "`signing`, `decryption`");
        const VERSION: Label = Label::new("version", "the version");
        const REVISION: Label = Label::new("revision", "the commit, where the build was told it; else `unknown`");
        const SERVICE: Label = Label::new("service", "`[service] id`");
        const ENVIRONMENT: Label = Label::new("environment", "`production`, `test`, `dev`");
        const DIGEST: Label =
            Label::new("digest", "the first 12 digits of the SHA-256 of the effective configuration, secrets masked");
        families.group("Providers and keys");
        let provider_usable = families.gauges(
            "grindvakt_provider_usable",
            "1 while the provider has valid keys, else 0: then nobody can log in with it.",
            &[Label::PROVIDER],
        )?;
        let provider_expiry = families.gauges(
            "grindvakt_provider_expiry_seconds",
            "Seconds until what is known of the provider may no longer be used, by its feed's end or its own; 0 for a \
             provider without keys. Absent where there is no end.",
            &[Label::PROVIDER],
        )?;
        const STATE: Label =
            Label::new("state", "`open` (nobody is sent there), `closed` (people are, whatever its health)");
        let provider_override = families.gauges(
            "grindvakt_provider_override",
            "1 while an operator's word holds on a provider. Absent without one; `/status` tells whose it is, and why.",
            &[Label::PROVIDER, STATE],
        )?;
        let own_expiry = families.gauges(
            "grindvakt_own_certificate_expiry_seconds",
            "Seconds until the first of our own certificates ends, by what it is for; negative after it. Absent without \
             one.",
            &[USE],
        )?;
        families.group("Process and configuration");
        let build =
            families.gauges("grindvakt_build_info", "Always 1; the labels tell the build.", &[VERSION, REVISION])?;
        let revision = option_env!("GRINDVAKT_REVISION").unwrap_or("unknown");
        build.with_label_values(&[env!("CARGO_PKG_VERSION"), revision]).set(1);
        let started = families
            .gauge("grindvakt_start_time_seconds", "When the process began to serve, in seconds since 1970.")?;
        let stopping = families.gauge("grindvakt_stopping", "1 from SIGTERM on: it drains, and is not ready.")?;
        let config = families.gauges(
            "grindvakt_config_info",
            "Always 1; the labels tell which configuration is in force. Replicas of one service have the same digest.",
            &[SERVICE, ENVIRONMENT, DIGEST],
        )?;
        let config_loaded = families.gauge(
            "grindvakt_config_loaded_timestamp_seconds",
            "When the configuration in force was put in force, in seconds since 1970.",
        )?;
        let reloads = families.counters(
            "grindvakt_config_reloads_total",
            "Reloads of the configuration, by outcome.",
            &[OUTCOME],
        )?;
        for outcome in ["done", "refused"] {
            reloads.with_label_values(&[outcome]);
        }
        let reload_good = families.gauge(
            "grindvakt_config_last_reload_successful",
            "1 unless the newest configuration was refused and an older one is in force.",
        )?;
        reload_good.set(1);
        Ok(Self {
            provider_usable,
            provider_expiry,
            provider_override,
            own_expiry,
            reloads,
            reload_good,
            config,
            config_loaded,
            started,
            stopping,
        })
    }

    /// A configuration is in force from `at` on, in seconds since 1970.
    pub fn in_force(&self, service: &str, environment: &str, digest: &str, at: i64) {
        self.config.reset();
        self.config.with_label_values(&[service, environment, digest]).set(1);
        self.config_loaded.set(at);
    }
}

/// One cache. A lookup is one addition: the children are resolved once.
#[derive(Clone)]
pub struct CacheCounters {
    /// What was there.
    pub hits: IntCounter,
    /// What was not.
    pub misses: IntCounter,
}

/// What is kept so as not to be made again.
#[derive(Clone)]
pub struct CacheMetrics {
    /// Identity headers, with their signed token.
    pub headers: CacheCounters,
    /// Bearer tokens that held.
    pub tokens: CacheCounters,
    /// Sessions whose fields were fetched from the store.
    pub sessions: CacheCounters,
    /// Entries by cache.
    pub entries: IntGaugeVec,
    /// Uses remembered in this process.
    pub replay_entries: IntGauge,
}

impl CacheMetrics {
    fn new(families: &mut Families) -> Result<Self, Error> {
        const CACHE: Label = Label::new("cache", "`identity_headers`, `bearer_tokens`, `stored_sessions`");
        const OUTCOME: Label = Label::new("outcome", "`hit`, `miss`");
        families.group("Caches and memory");
        let lookups = families.counters(
            "grindvakt_cache_lookups_total",
            "Lookups in what is kept, by whether it was there. A miss of `identity_headers` is a token signed.",
            &[CACHE, OUTCOME],
        )?;
        let entries = families.gauges("grindvakt_cache_entries", "What is kept, by cache.", &[CACHE])?;
        let replay_entries = families.gauge(
            "grindvakt_replay_entries",
            "Uses remembered in this process, of logins or of DPoP proofs, whichever are more, of 1,000,000 each at the most; 0 with a shared store.",
        )?;
        let cache = |name: &str| CacheCounters {
            hits: lookups.with_label_values(&[name, "hit"]),
            misses: lookups.with_label_values(&[name, "miss"]),
        };
        Ok(Self {
            headers: cache("identity_headers"),
            tokens: cache("bearer_tokens"),
            sessions: cache("stored_sessions"),
            entries,
            replay_entries,
        })
    }
}
