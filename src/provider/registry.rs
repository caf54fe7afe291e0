//! The snapshot, and what can be asked of it.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use crate::base::{ProviderId, UnixTime};
use crate::config::Provider;
use crate::policy::Route;
use crate::verify::saml::{Endpoint, IdpMetadata, SsoBinding};
use crate::verify::{Reason, Reject};

/// One configured provider and what we know of it.
#[derive(Debug)]
pub struct ProviderEntry {
    config: Provider,
    idp: Result<Arc<IdpMetadata>, Reject>,
}

impl ProviderEntry {
    /// A provider with its verified metadata, or with why there is none.
    pub fn new(config: Provider, idp: Result<Arc<IdpMetadata>, Reject>) -> Self {
        Self { config, idp }
    }

    /// What the configuration says.
    pub const fn config(&self) -> &Provider {
        &self.config
    }

    /// What the metadata says, while it is valid.
    ///
    /// # Errors
    /// `provider_without_keys`, with the cause in the detail.
    pub fn idp(&self, now: UnixTime) -> Result<&Arc<IdpMetadata>, Reject> {
        match &self.idp {
            Ok(idp) => match idp.valid_until {
                Some(until) if now >= until => {
                    let detail =
                        format_args!("the metadata of {} was valid until {until}; it is {now}", self.config.id);
                    Err(Reject::new(Reason::ProviderWithoutKeys, detail))
                }
                _ => Ok(idp),
            },
            Err(why) => {
                Err(Reject::new(Reason::ProviderWithoutKeys, format_args!("no metadata of {}: {why}", self.config.id)))
            }
        }
    }

    /// The levels that it may assert: what its metadata declares, else what the configuration says. eIDAS levels only
    /// from the connector (profile 1.3).
    pub fn certified<'a>(&'a self, idp: &'a IdpMetadata) -> impl Iterator<Item = &'a str> {
        let declared = if idp.loa.is_empty() { &self.config.loa } else { &idp.loa };
        let connector = self.config.eidas_connector;
        declared.iter().map(String::as_str).filter(move |loa| connector || !is_eidas(loa))
    }

    /// The levels to ask for on `route`: what it takes and the provider may assert, since an answer is one of the
    /// listed or an error (profile 1.2). A route that takes any level asks for all of them. None when there is a demand
    /// that the provider cannot meet.
    pub fn asks(&self, idp: &IdpMetadata, route: &Route) -> Option<Vec<String>> {
        if route.loa.is_empty() {
            return Some(self.certified(idp).map(str::to_owned).collect());
        }
        let certified: Vec<&str> = self.certified(idp).collect();
        let both: Vec<String> =
            route.loa.iter().map(|loa| loa.uri()).filter(|uri| certified.contains(uri)).map(str::to_owned).collect();
        (!both.is_empty()).then_some(both)
    }

    /// What stands in the request for `loa`: what the provider writes where it has words of its own (`loa_map`), else
    /// the identifiers themselves.
    pub fn in_its_words(&self, loa: &[String]) -> Vec<String> {
        let mut words: Vec<String> = Vec::with_capacity(loa.len());
        for uri in loa {
            let mut own = self.config.loa_map.iter().filter(|(_, meant)| meant == uri).map(|(word, _)| word).peekable();
            if own.peek().is_none() {
                words.push(uri.clone());
            }
            for word in own {
                if !words.contains(word) {
                    words.push(word.clone());
                }
            }
        }
        words
    }

    /// Where to send the browser: by the configured binding, else by Redirect where it is offered, else by POST.
    pub fn endpoint<'a>(&self, idp: &'a IdpMetadata) -> Option<&'a Endpoint> {
        let by = |binding: SsoBinding| idp.sso.iter().find(|endpoint| endpoint.binding == binding);
        match self.config.binding {
            Some(binding) => by(binding),
            None => by(SsoBinding::Redirect).or_else(|| by(SsoBinding::Post)),
        }
    }

    /// Whether a login for `route` can begin now.
    pub fn can_begin(&self, route: &Route, now: UnixTime) -> bool {
        self.idp(now).is_ok_and(|idp| self.asks(idp, route).is_some() && self.endpoint(idp).is_some())
    }
}

/// The levels of the federation's own eIDAS connector. Those that a broker relays are called `uncertified-eidas-*`.
fn is_eidas(loa: &str) -> bool {
    loa.starts_with("http://id.elegnamnden.se/loa/1.0/eidas-")
}

/// Every configured provider, at one instant.
#[derive(Debug, Default)]
pub struct Snapshot {
    entries: Vec<ProviderEntry>,
}

impl Snapshot {
    /// In the order of the configuration.
    pub fn new(entries: Vec<ProviderEntry>) -> Self {
        Self { entries }
    }

    /// All of them, in the order of the configuration.
    pub fn all(&self) -> &[ProviderEntry] {
        &self.entries
    }

    /// By its id.
    pub fn by_id(&self, id: &ProviderId) -> Option<&ProviderEntry> {
        self.entries.iter().find(|entry| entry.config.id == *id)
    }

    /// By its entityID, compared exactly.
    pub fn by_issuer(&self, entity_id: &str) -> Option<&ProviderEntry> {
        self.entries.iter().find(|entry| entry.config.entity_id == entity_id)
    }

    /// Those that `route` takes, in its order of preference, and within one e-ID in the order of the configuration.
    pub fn for_route<'a>(&'a self, route: &'a Route) -> Vec<&'a ProviderEntry> {
        if route.eid.is_empty() {
            return self.entries.iter().collect();
        }
        route.eid.iter().flat_map(|eid| self.entries.iter().filter(move |entry| entry.config.eid == *eid)).collect()
    }

    /// Whether at least one has valid keys.
    pub fn any_usable(&self, now: UnixTime) -> bool {
        self.entries.iter().any(|entry| entry.idp(now).is_ok())
    }
}

/// The snapshot in force. Swapped whole, so that nobody sees half of a refresh.
#[derive(Debug)]
pub struct Registry {
    current: ArcSwap<Snapshot>,
}

impl Registry {
    /// With a first snapshot.
    pub fn new(snapshot: Snapshot) -> Self {
        Self { current: ArcSwap::from_pointee(snapshot) }
    }

    /// The snapshot in force, for as long as one use case lasts. Not across an await: take [`Self::owned`] there.
    pub fn current(&self) -> Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// The snapshot in force.
    pub fn owned(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Puts another in force.
    pub fn replace(&self, snapshot: Snapshot) {
        self.current.store(Arc::new(snapshot));
    }
}
