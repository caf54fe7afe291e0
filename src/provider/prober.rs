//! Probes: a look at each provider's sign-on or discovery address, every two seconds, off the threads that serve.
//!
//! A probe is a GET without a request in it, and nothing of the answer is read but its status: anything under 500 is up. It
//! goes to an address that the provider's own metadata names, which was verified, and to no other; never to loopback or to the
//! link that we are on, whatever a name there resolves to, but in development, where everything is there. Each has a connection of its own, so that names, TCP and TLS are looked at too.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinSet};

use super::fetch::{Fetcher, Reach, Times};
use super::health::{Board, Found};
use super::source::pace::shaken;
use super::{ProviderEntry, Registry};
use crate::base::{Clock, ProviderId, UnixTime};
use crate::config::{Environment, RemoteUrl};
use crate::crypto::digest::Random;

/// From one round to the next.
pub const EVERY: Duration = Duration::from_secs(2);
/// The same while a provider has begun to fail: three in a row within four seconds.
pub const HURRIED: Duration = Duration::from_secs(1);
/// How long a probe may take. Who is slower than that keeps people waiting as well.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the probes need.
pub struct Prober {
    /// Where their word goes.
    pub board: Arc<Board>,
    /// Whom to look at.
    pub registry: Arc<Registry>,
    /// The way out; none where nothing is to be asked of anybody.
    pub fetcher: Option<Fetcher>,
    /// Wall time.
    pub clock: Arc<dyn Clock>,
    /// For the distance between rounds: a fleet must not knock in step.
    pub random: Arc<dyn Random>,
    /// Which world it is.
    pub environment: Environment,
}

/// Probes that are being made. They end when this is dropped.
pub struct Probing(AbortHandle);

impl Drop for Probing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Prober {
    /// Begins.
    pub fn start(self, runtime: &Handle) -> Probing {
        Probing(runtime.spawn(self.run()).abort_handle())
    }

    async fn run(self) {
        loop {
            let began = self.clock.now();
            self.round().await;
            let wait = if self.board.hurried() { HURRIED } else { shaken(EVERY, &*self.random) };
            let spent = self.clock.now().since(began);
            self.clock.sleep(wait.saturating_sub(spent)).await;
        }
    }

    /// One round: all at the same time, judged together.
    pub async fn round(&self) {
        let now = self.clock.now();
        let mut under_way = JoinSet::new();
        if let Some(fetcher) = &self.fetcher {
            for (id, url, reach) in self.targets(now) {
                let fetcher = fetcher.clone();
                let times = Times { connect: PATIENCE, head: PATIENCE, whole: PATIENCE };
                under_way.spawn(async move { (id, Found::of(fetcher.probe(url, times, reach).await)) });
            }
        }
        let mut found = Vec::new();
        while let Some(done) = under_way.join_next().await {
            found.extend(done.ok());
        }
        self.board.round(found, self.clock.now());
    }

    fn targets(&self, now: UnixTime) -> Vec<(ProviderId, RemoteUrl, Reach)> {
        let snapshot = self.registry.owned();
        let target = |provider: &ProviderEntry| {
            let id = &provider.config().id;
            let url = address(provider, now)?;
            // What a document says must not make us knock at our neighbours in the pod. In development everything is there.
            let dev = self.environment == Environment::Dev;
            let configured = provider.config().oidc().is_some();
            let reach = if dev || configured { Reach::Anywhere } else { Reach::Outward };
            let allowed = dev || !url.is_loopback();
            (allowed && self.board.wants_probe(id, now)).then(|| (id.clone(), url, reach))
        };
        snapshot.all().iter().filter_map(target).collect()
    }
}

/// Where a provider is looked at: where people are sent, or the discovery document.
fn address(provider: &ProviderEntry, now: UnixTime) -> Option<RemoteUrl> {
    if let Some(oidc) = provider.config().oidc() {
        return Some(oidc.published.discovery.clone());
    }
    let location = &provider.saml(now).ok()?.endpoint()?.location;
    RemoteUrl::parse(location).ok()
}
