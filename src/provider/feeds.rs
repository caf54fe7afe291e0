//! The configured feeds, and the snapshot of providers that they give.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::load::{Entities, entity_reader, reader, signers};
use super::openid::TokenSources;
use super::source::{Freshness, Held, Kind, Origin, Place, Source, Spec, Status};
use super::{ProviderEntry, Snapshot};
use crate::base::limits::{ENTITY_BYTES, FEED};
use crate::base::{FeedId, ProviderId, UnixTime};
use crate::config::{Config, Environment, FeedPlace, MdqId, MetadataSource, Provider, Remote, RemoteUrl};
use crate::crypto::digest::sha256;
use crate::crypto::trusted::PublicKey;
use crate::telemetry::Metrics;
use crate::verify::saml::IdpMetadata;
use crate::verify::{Reason, Reject};

/// SAML's own media type, and what static file servers say instead.
const ACCEPT: &str = "application/samlmetadata+xml, application/xml;q=0.8, text/xml;q=0.7";

/// A feed that gave nothing, or a provider that its feed gives no use of. For the log: the snapshot holds it too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedFault {
    /// The feed's id, or that of a provider of tokens.
    pub feed: FeedId,
    /// The entityID concerned, or the file of a provider of tokens; none when it is the whole feed.
    pub entity_id: Option<String>,
    /// Why.
    pub cause: Reject,
}

impl FeedFault {
    /// Whether it is a mistake of whoever set this sidecar up, and not of a feed's operator: then nothing starts. A demo
    /// key outside of development is one.
    pub fn is_ours(&self) -> bool {
        self.cause.reason() == Reason::DemoKey
    }

    /// Whether both are the same fault, whatever is said of it.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        let what = |fault: &Self| (fault.feed.clone(), fault.entity_id.clone(), fault.cause.reason());
        what(self) == what(other)
    }
}

/// `feed, entity: cause`, on one line.
impl fmt::Display for FeedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "metadata {:?}", self.feed.as_str())?;
        if let Some(entity_id) = &self.entity_id {
            write!(f, ", {entity_id}")?;
        }
        write!(f, ": {}", self.cause)
    }
}

/// One `[[metadata]]`: one source, or one for each entity that is looked for at a query service.
struct Feed {
    definition: MetadataSource,
    environment: Environment,
    /// Fingerprints of the pinned keys: a file of the same name may hold others after a reload.
    pinned: Vec<[u8; 32]>,
    wanted: Vec<String>,
    sources: Vec<Arc<Source<Entities>>>,
}

/// Every feed of a configuration.
pub struct Feeds {
    feeds: Vec<Feed>,
    providers: Vec<Provider>,
    /// What providers of tokens publish.
    tokens: Vec<TokenSources>,
    /// What was found on disk and refused at the start.
    refused: Vec<(FeedId, Option<String>, Origin, Reject)>,
}

impl Feeds {
    /// Reads what is on disk: files, copies of an earlier process, seeds. Blocking: it verifies whole feeds. Nothing here
    /// waits for the network.
    pub fn open(config: &Config, now: UnixTime) -> Self {
        Self::open_after(config, now, None)
    }

    /// [`Self::open`] after a change of the configuration: what `before` holds of a feed that has not changed is kept, so
    /// that a reload during an outage loses nothing.
    pub fn open_after(config: &Config, now: UnixTime, before: Option<&Self>) -> Self {
        let mut out =
            Self { feeds: Vec::new(), providers: config.providers.clone(), tokens: Vec::new(), refused: Vec::new() };
        for provider in &config.providers {
            let Some(sources) = TokenSources::new(provider, config.environment) else { continue };
            for old in before.iter().flat_map(|before| &before.tokens) {
                sources.take_over(old);
            }
            out.tokens.push(sources);
        }
        for definition in &config.metadata {
            let wanted: Vec<String> = config
                .providers
                .iter()
                .filter_map(Provider::saml)
                .filter(|saml| saml.metadata == definition.id.as_str())
                .map(|saml| saml.entity_id.clone())
                .collect();
            let feed = Feed::new(definition, config.environment, config.state_dir.as_deref(), wanted, now);
            for source in &feed.sources {
                let refused = source.open(now).into_iter();
                let (id, entity) = (&source.spec().feed, &source.spec().entity);
                out.refused.extend(refused.map(|(origin, reject)| (id.clone(), entity.clone(), origin, reject)));
            }
            if let Some(old) = before.and_then(|before| before.feeds.iter().find(|old| old.is_as(&feed))) {
                feed.take_over(old);
            }
            out.feeds.push(feed);
        }
        out
    }

    /// Every source.
    pub fn sources(&self) -> impl Iterator<Item = &Arc<Source<Entities>>> {
        self.feeds.iter().flat_map(|feed| &feed.sources)
    }

    /// Whether anything is fetched over the network.
    pub fn need_network(&self) -> bool {
        let fetched = |tokens: &TokenSources| tokens.discovery().is_some() || tokens.fetched_keys().is_some();
        self.sources().any(|source| matches!(source.spec().place, Place::Remote { .. }))
            || self.tokens.iter().any(fetched)
    }

    /// What was found on disk and refused at the start: (feed, entity at a query service, where, why).
    pub fn refused(&self) -> &[(FeedId, Option<String>, Origin, Reject)] {
        &self.refused
    }

    /// What providers of tokens publish.
    pub(super) fn tokens(&self) -> &[TokenSources] {
        &self.tokens
    }

    /// The feed that a SAML provider's keys come from.
    pub fn source_of(&self, provider: &ProviderId) -> Option<&Arc<Source<Entities>>> {
        let saml = self.providers.iter().find(|config| config.id == *provider)?.saml()?;
        let feed = self.feeds.iter().find(|feed| feed.definition.id.as_str() == saml.metadata)?;
        feed.source_for(&saml.entity_id)
    }

    /// The providers with what is held of them now.
    pub fn snapshot(&self) -> Snapshot {
        let entries = self.providers.iter().map(|provider| {
            if let Some(sources) = self.tokens.iter().find(|sources| *sources.provider() == provider.id) {
                let known = sources.known();
                let entry = ProviderEntry::of_tokens(provider.clone(), known.keys, known.discovery);
                return entry.until_at_most(known.until);
            }
            let (idp, until) = self.find(provider);
            ProviderEntry::new(provider.clone(), idp).until_at_most(until)
        });
        Snapshot::new(entries.collect())
    }

    fn find(&self, provider: &Provider) -> (Result<Arc<IdpMetadata>, Reject>, Option<UnixTime>) {
        let Some(saml) = provider.saml() else {
            return (Err(Reject::new(Reason::ProtocolUnsupported, "it is in no feed")), None);
        };
        let source = self.source_of(&provider.id);
        match source.map(|source| (source, source.held())) {
            Some((_, Some(held))) => (held.document.value.get(&saml.entity_id).cloned(), held.until),
            Some((source, None)) => (Err(nothing(source)), None),
            None => {
                let detail = format_args!("no feed {:?} is configured", saml.metadata);
                (Err(Reject::new(Reason::EntityMissing, detail)), None)
            }
        }
    }

    /// What keeps providers from being used: a feed that gave nothing, once; an entity that its feed gives no use of.
    pub fn faults(&self) -> Vec<FeedFault> {
        let mut out = Vec::new();
        for source in self.sources().filter(|source| source.held().is_none()) {
            // Not tried yet is no fault.
            if let Some(trouble) = source.trouble() {
                let (feed, entity_id) = (source.spec().feed.clone(), source.spec().entity.clone());
                out.push(FeedFault { feed, entity_id, cause: trouble.as_reject() });
            }
        }
        for feed in &self.feeds {
            for entity_id in &feed.wanted {
                let held = feed.source_for(entity_id).and_then(|source| source.held());
                if let Some(Err(cause)) = held.map(|held| held.document.value.get(entity_id).map(Arc::clone)) {
                    let entity_id = Some(entity_id.clone());
                    out.push(FeedFault { feed: feed.definition.id.clone(), entity_id, cause });
                }
            }
        }
        out.extend(self.tokens.iter().flat_map(TokenSources::faults));
        out
    }

    /// How every source is doing.
    pub fn status(&self, now: UnixTime) -> Vec<Status> {
        let feeds = self.sources().map(|source| source.status(now));
        feeds.chain(self.tokens.iter().flat_map(|tokens| tokens.status(now))).collect()
    }

    /// Brings the gauges up to `now`: they tell of time that passes, and nobody changes them.
    pub fn observe(&self, metrics: &Metrics, now: UnixTime) {
        // A feed that is no longer configured is not told of any more.
        for family in [&metrics.fetch.age, &metrics.fetch.expiry, &metrics.fetch.sources] {
            family.reset();
        }
        let feeds = self.feeds.iter().map(|feed| {
            let all: Vec<Status> = feed.sources.iter().map(|source| source.status(now)).collect();
            (feed.definition.id.clone(), Kind::Metadata, all)
        });
        let tokens = self.tokens.iter().flat_map(|tokens| tokens.status(now));
        let tokens = tokens.map(|status| (status.feed.clone(), status.kind, vec![status]));
        for (feed, kind, all) in feeds.chain(tokens) {
            let labels = &[feed.as_str(), kind.name()];
            let seconds = |d: std::time::Duration| i64::try_from(d.as_secs()).unwrap_or(i64::MAX);
            let usable = |status: &&Status| status.freshness != Freshness::None;
            if let Some(oldest) = all.iter().filter(usable).filter_map(|status| status.confirmed).min() {
                metrics.fetch.age.with_label_values(labels).set(seconds(now.since(oldest)));
            }
            // Without a document it is over now; one without an end has no last second.
            let ends = all.iter().filter_map(|status| if usable(&status) { status.until } else { Some(now) });
            if let Some(end) = ends.min() {
                metrics.fetch.expiry.with_label_values(labels).set(seconds(end.since(now)));
            }
            for state in Freshness::ALL {
                let count = all.iter().filter(|status| status.freshness == state).count();
                let gauge = metrics.fetch.sources.with_label_values(&[feed.as_str(), kind.name(), state.name()]);
                gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
            }
        }
    }
}

/// Why a source without a document has none.
fn nothing(source: &Source<Entities>) -> Reject {
    source.trouble().map_or_else(
        || Reject::new(Reason::ProviderWithoutKeys, "the feed has not been fetched yet"),
        |trouble| trouble.as_reject(),
    )
}

impl Feed {
    fn new(
        definition: &MetadataSource,
        environment: Environment,
        state: Option<&Path>,
        wanted: Vec<String>,
        now: UnixTime,
    ) -> Self {
        let mut feed =
            Self { definition: definition.clone(), environment, pinned: Vec::new(), wanted, sources: Vec::new() };
        let keys = signers(environment, &definition.signers);
        if let Ok(keys) = &keys {
            feed.pinned = keys.iter().map(PublicKey::fingerprint).copied().collect();
            feed.pinned.sort_unstable();
        }
        match &definition.place {
            FeedPlace::File(_) | FeedPlace::Url(_) => {
                let spec = feed.spec(None, state);
                feed.sources.push(Arc::new(match keys {
                    Ok(keys) => Source::new(spec, reader(environment, keys, feed.wanted.clone())),
                    Err(why) => Source::barred(spec, why, now),
                }));
            }
            FeedPlace::Mdq { .. } => {
                for entity in &feed.wanted {
                    let spec = feed.spec(Some(entity), state);
                    // Keys have no copy: each source reads its own from the same files.
                    let source = match signers(environment, &definition.signers) {
                        Ok(keys) => Source::new(spec, entity_reader(environment, keys, entity.clone())),
                        Err(why) => Source::barred(spec, why, now),
                    };
                    feed.sources.push(Arc::new(source));
                }
            }
        }
        feed
    }

    fn spec(&self, entity: Option<&String>, state: Option<&Path>) -> Spec {
        let id = &self.definition.id;
        let copy = state.map(|dir| {
            let name = match entity {
                None => format!("{id}.xml"),
                Some(entity) => {
                    let digest = sha256(entity.as_bytes());
                    let short: String = digest.iter().take(16).map(|b| format!("{b:02x}")).collect();
                    format!("{id}.{short}.xml")
                }
            };
            dir.join("feeds").join(name)
        });
        let remote = |remote: &Remote, urls: Vec<RemoteUrl>| Place::Remote {
            urls,
            copy: copy.clone(),
            seed: remote.seed.clone(),
            max_stale: remote.max_stale,
        };
        let (place, limit) = match (&self.definition.place, entity) {
            (FeedPlace::File(path), _) => (Place::File(path.clone()), FEED.bytes),
            (FeedPlace::Url(at), _) => (remote(at, at.urls.clone()), FEED.bytes),
            (FeedPlace::Mdq { remote: at, by }, entity) => {
                let entity = entity.map(String::as_str).unwrap_or_default();
                let urls = at.urls.iter().filter_map(|base| entity_url(base, entity, *by)).collect();
                (remote(at, urls), ENTITY_BYTES)
            }
        };
        Spec { feed: id.clone(), kind: Kind::Metadata, entity: entity.cloned(), place, accept: ACCEPT, limit }
    }

    fn source_for(&self, entity_id: &str) -> Option<&Arc<Source<Entities>>> {
        self.sources.iter().find(|source| source.spec().entity.as_deref().is_none_or(|entity| entity == entity_id))
    }

    /// Whether both are read in the same way: what one has verified, the other would.
    fn is_as(&self, other: &Self) -> bool {
        self.definition == other.definition && self.environment == other.environment && self.pinned == other.pinned
    }

    /// Takes over what `old` holds, and its times: a reload during an outage loses nothing, and calls nobody.
    fn take_over(&self, old: &Self) {
        for source in &self.sources {
            let Some(same) = old.sources.iter().find(|old| old.spec().entity == source.spec().entity) else { continue };
            let entity = source.spec().entity.is_some();
            source.inherit(same, |held: &Held<Entities>| {
                entity || self.wanted.iter().all(|wanted| held.document.value.covers(wanted))
            });
        }
    }
}

/// Where a metadata query service keeps an entity (draft-young-md-query, 3.2.1; draft-young-md-query-saml, 2.1).
fn entity_url(base: &RemoteUrl, entity: &str, by: MdqId) -> Option<RemoteUrl> {
    let id = match by {
        MdqId::Uri => entity.to_owned(),
        MdqId::Sha1 => format!("{{sha1}}{}", crate::crypto::digest::sha1_name(entity)),
    };
    let base = base.as_str().trim_end_matches('/');
    RemoteUrl::parse(&format!("{base}/entities/{}", super::fetch::encoded(&id))).ok()
}

/// Reads every feed from disk and finds every configured provider in its own: for the commands that need no network. A
/// feed that fails takes its providers' keys, and nobody else's.
pub fn load(config: &Config, now: UnixTime) -> (Snapshot, Vec<FeedFault>) {
    let feeds = Feeds::open(config, now);
    (feeds.snapshot(), feeds.faults())
}

#[cfg(test)]
#[path = "feeds_tests.rs"]
mod tests;
