//! Keeps the snapshot up to date: one task for each source, on the runtime that is given.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::feeds::FeedFault;
use super::fetch::Fetcher;
use super::source::{Early, Kind, Origin, Source, Way};
use super::{Feeds, Registry, Snapshot};
use crate::base::ProviderId;
use crate::telemetry::{FetchFailed, KeysChanged, MetadataFault};

/// The refreshing of a configuration's feeds. It ends when this is dropped.
pub struct Refresher {
    feeds: Arc<Feeds>,
    way: Way,
    tasks: Vec<AbortHandle>,
}

impl Refresher {
    /// Tells what copies and seeds were refused, and begins. The registry gets a new snapshot after each try.
    pub fn start(feeds: Arc<Feeds>, way: Way, runtime: &Handle, registry: Arc<Registry>) -> Arc<Self> {
        for (feed, entity, origin, reject) in feeds.refused() {
            // A file without a document is told as a fault of its feed.
            if *origin != Origin::File {
                way.telemetry.emit(FetchFailed {
                    feed,
                    document: Kind::Metadata.name(),
                    entity: entity.as_deref(),
                    host: origin.name(),
                    code: reject.code(),
                    detail: reject.detail(),
                });
            }
        }
        let fetch = &way.telemetry.metrics().fetch;
        for source in feeds.sources() {
            fetch.know(&source.spec().feed, source.spec().kind.name());
            fetch.know_copies(&source.spec().feed);
        }
        for tokens in feeds.tokens() {
            let discovery = tokens.discovery().map(|source| source.spec());
            for spec in discovery.into_iter().chain(tokens.fetched_keys().map(|source| source.spec())) {
                fetch.know(&spec.feed, spec.kind.name());
            }
        }
        let publisher =
            // Whoever opened the feeds tells of the faults that there are now.
            Arc::new(Publisher { told: Mutex::new(feeds.faults()), feeds: Arc::clone(&feeds), way: way.clone(), registry });
        let changed: Arc<dyn Fn() + Send + Sync> = Arc::new(move || publisher.publish());
        let mut tasks = Vec::new();
        for source in feeds.sources() {
            tasks.push(keep(source, &way, &changed, runtime));
        }
        for tokens in feeds.tokens() {
            tasks.extend(tokens.discovery().map(|source| keep(source, &way, &changed, runtime)));
            tasks.extend(tokens.fetched_keys().map(|source| keep(source, &way, &changed, runtime)));
        }
        Arc::new(Self { tasks, feeds: Arc::clone(&feeds), way })
    }

    /// The feeds, for status and metrics.
    pub const fn feeds(&self) -> &Arc<Feeds> {
        &self.feeds
    }

    /// Wants newer keys of a provider, for a signature that none of those at hand made. When it returns, the registry has
    /// what there is. The caller bounds its wait.
    pub async fn early(&self, provider: &ProviderId) -> Early {
        if let Some(source) = self.feeds.source_of(provider) {
            return source.early(&self.way).await;
        }
        let tokens = self.feeds.tokens().iter().find(|tokens| tokens.provider() == provider);
        let Some((tokens, keys)) = tokens.and_then(|tokens| Some((tokens, tokens.fetched_keys()?))) else {
            return Early::Idle;
        };
        let generation = || keys.held().map(|held| held.generation);
        let before = generation();
        let early = keys.early(&self.way).await;
        if early == Early::CoolingDown || generation() != before {
            return early;
        }
        // The same as before: they may be somewhere else now. Who moves them may leave the old ones where they were.
        if let Some(discovery) = tokens.may_lead_elsewhere(self.way.clock.now()) {
            let before = keys.addresses();
            discovery.early(&self.way).await;
            if keys.addresses() != before {
                // They are being fetched from there: this joins.
                keys.early(&self.way).await;
            }
        }
        early
    }

    /// The one way out; none where nothing is fetched.
    pub const fn fetcher(&self) -> Option<&Fetcher> {
        self.way.fetcher.as_ref()
    }
}

/// Has one source refreshed for ever.
fn keep<T: Send + Sync + 'static>(
    source: &Arc<Source<T>>,
    way: &Way,
    changed: &Arc<dyn Fn() + Send + Sync>,
    runtime: &Handle,
) -> AbortHandle {
    runtime.spawn(Arc::clone(source).run(way.clone(), Arc::clone(changed))).abort_handle()
}

impl Drop for Refresher {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

struct Publisher {
    feeds: Arc<Feeds>,
    way: Way,
    registry: Arc<Registry>,
    /// The faults that were told: each is told once. Its lock also keeps an older snapshot from replacing a newer one.
    told: Mutex<Vec<FeedFault>>,
}

impl Publisher {
    fn publish(&self) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        for tokens in self.feeds.tokens() {
            tokens.lead();
        }
        let new = self.feeds.snapshot();
        self.tell_keys(&self.registry.owned(), &new);
        self.registry.replace(new);
        self.tell_faults(&mut told);
    }

    fn tell_faults(&self, told: &mut Vec<FeedFault>) {
        let faults = self.feeds.faults();
        let known = |fault: &FeedFault| told.iter().any(|old| old.is_as(fault));
        for fault in faults.iter().filter(|fault| !known(fault)) {
            self.way.telemetry.emit(MetadataFault {
                feed: &fault.feed,
                entity: fault.entity_id.as_deref(),
                code: fault.cause.code(),
                detail: fault.cause.detail(),
            });
        }
        *told = faults;
    }

    /// Keys that came and went are what an operator looks for when logins fail.
    fn tell_keys(&self, old: &Snapshot, new: &Snapshot) {
        for entry in new.all() {
            let before = old.by_id(&entry.config().id).map(|entry| entry.fingerprints()).unwrap_or_default();
            let now = entry.fingerprints();
            let added = now.iter().filter(|key| !before.contains(key)).count();
            let withdrawn = before.iter().filter(|key| !now.contains(key)).count();
            if added + withdrawn > 0 {
                self.way.telemetry.emit(KeysChanged { provider: &entry.config().id, added, withdrawn });
            }
        }
    }
}
