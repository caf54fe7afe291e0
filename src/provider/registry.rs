//! The snapshot, and what can be asked of it.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use crate::base::{ProviderId, UnixTime};
use crate::config::{Config, Encryption, Protocol, Provider, SamlProvider};
use crate::crypto::digest::sha256;
use crate::crypto::encryption::UnwrapKey;
use crate::identity::IdentityRules;
use crate::policy::Route;
use crate::replay::ProviderMark;
use crate::session::{Maker, Session};
use crate::verify::jose::{Discovery, KeySet};
use crate::verify::saml::{Binding, Endpoint, Expect, IdpMetadata, SloEndpoint, SsoBinding};
use crate::verify::{Reason, Reject};

/// One configured provider and what we know of it.
#[derive(Debug)]
pub struct ProviderEntry {
    pub(super) config: Provider,
    pub(super) known: Known,
    /// The hard age of what was fetched, beside the metadata's own end.
    limit: Option<UnixTime>,
    maker: Maker,
    /// The keys that sessions must be of, where a withdrawn one ends them. None where it does not, and while no keys are
    /// known: that they cannot be had is no withdrawal.
    vouching: Option<Vec<ProviderMark>>,
    /// What its verdicts on tokens are remembered under: a digest of its keys and of its name. Zeros where there are none.
    verdicts: [u8; 32],
}

/// What we know of a provider beside its configuration, or why nothing.
#[derive(Debug)]
pub enum Known {
    /// Its verified metadata.
    Saml(Result<Arc<IdpMetadata>, Reject>),
    /// A provider of tokens.
    Tokens {
        /// The keys that sign them.
        keys: Result<Arc<KeySet>, Reject>,
        /// What it says of itself: what a login takes.
        discovery: Result<Arc<Discovery>, Reject>,
    },
}

impl Known {
    fn fingerprints(&self) -> Vec<[u8; 32]> {
        match self {
            Self::Saml(idp) => idp.iter().flat_map(|idp| &idp.signing_keys).map(|key| *key.fingerprint()).collect(),
            Self::Tokens { keys, .. } => keys.iter().flat_map(|keys| keys.fingerprints()).copied().collect(),
        }
    }
}

impl ProviderEntry {
    /// A SAML provider with its verified metadata, or with why there is none.
    pub fn new(config: Provider, idp: Result<Arc<IdpMetadata>, Reject>) -> Self {
        Self::with(config, Known::Saml(idp))
    }

    /// Usable until `limit` at the most, whatever the metadata says of itself.
    #[must_use]
    pub const fn until_at_most(mut self, limit: Option<UnixTime>) -> Self {
        self.limit = limit;
        self
    }

    /// A provider of tokens with its keys and its discovery document, or with why there are none.
    pub fn of_tokens(
        config: Provider,
        keys: Result<Arc<KeySet>, Reject>,
        discovery: Result<Arc<Discovery>, Reject>,
    ) -> Self {
        Self::with(config, Known::Tokens { keys, discovery })
    }

    fn with(config: Provider, known: Known) -> Self {
        let fingerprints = match &known {
            Known::Saml(Err(_)) | Known::Tokens { keys: Err(_), .. } => None,
            Known::Saml(Ok(_)) | Known::Tokens { keys: Ok(_), .. } => Some(known.fingerprints()),
        };
        let fingerprints = fingerprints.filter(|_| config.withdrawn_key_ends_sessions);
        let vouching = fingerprints.map(|keys| keys.iter().map(ProviderMark::signing_key).collect());
        let verdicts = match &known {
            Known::Tokens { keys: Ok(keys), .. } => sha256(&[keys.digest(), config.id.as_str().as_bytes()].concat()),
            Known::Tokens { keys: Err(_), .. } | Known::Saml(_) => [0; 32],
        };
        Self { maker: maker(&config), config, known, limit: None, vouching, verdicts }
    }

    /// What the configuration says.
    pub const fn config(&self) -> &Provider {
        &self.config
    }

    /// Who it is, whatever we call it.
    pub const fn maker(&self) -> Maker {
        self.maker
    }

    /// Whether it still stands by a session that it made (T54): it is the same provider, of the same e-ID, may assert the
    /// session's level, has not been withdrawn from a feed that is good itself, and, if set, still publishes the key that
    /// vouched. That its metadata cannot be had is no withdrawal: one outage does not stop the e-service.
    pub fn stands_by(&self, session: &Session, now: UnixTime) -> bool {
        let may_assert = || match (&self.known, self.saml(now)) {
            (Known::Saml(Ok(_)), Ok(saml)) => saml.certified().any(|loa| loa == session.loa()),
            (Known::Saml(Err(why)), _) => why.reason() != Reason::EntityMissing,
            (Known::Saml(Ok(_)), Err(_)) => true,
            (Known::Tokens { .. }, _) => {
                let connector = self.config.oidc().is_some_and(|own| own.eidas_connector);
                certified(&self.config.loa, connector).any(|loa| loa == session.loa())
            }
        };
        // A session that does not tell its key was opened by an earlier version: it ends where it matters.
        let key_stands = || match &self.vouching {
            None => true,
            Some(keys) => session.marks().at_provider.iter().any(|mark| keys.contains(mark)),
        };
        self.maker == session.maker() && self.config.eid == *session.eid() && may_assert() && key_stands()
    }

    /// Whether it still stands by what a bearer token of `maker` opened, which the key of this fingerprint signed: it is the
    /// same provider, and still publishes that key. That its keys cannot be had is no withdrawal.
    pub fn stands_by_token(&self, maker: Maker, signed_by: Option<&[u8; 32]>) -> bool {
        let key_stands = match &self.known {
            Known::Tokens { keys: Ok(keys), .. } => {
                signed_by.is_some_and(|own| keys.fingerprints().any(|published| published == own))
            }
            Known::Tokens { keys: Err(_), .. } => true,
            Known::Saml(_) => false,
        };
        self.maker == maker && key_stands
    }

    pub(super) const fn verdicts(&self) -> &[u8; 32] {
        &self.verdicts
    }

    pub(super) const fn known(&self) -> &Known {
        &self.known
    }

    /// From when on what was fetched of it may not be used.
    pub(super) const fn limit(&self) -> Option<UnixTime> {
        self.limit
    }

    /// Whether it has valid keys now.
    ///
    /// # Errors
    /// `provider_without_keys`, with the cause in the detail.
    pub fn usable(&self, now: UnixTime) -> Result<(), Reject> {
        match &self.config.protocol {
            Protocol::Saml(_) => self.saml(now).map(drop),
            // Keys alone log nobody in.
            Protocol::Oidc(_) => self.oidc(now)?.discovery().map(drop),
            Protocol::Jwt(_) => self.jwt(now).map(drop),
        }
    }

    /// From when what is known of it may not be used; none where that has no end, and for one without keys.
    pub fn until(&self) -> Option<UnixTime> {
        match &self.known {
            Known::Saml(Ok(idp)) => [idp.valid_until, self.limit].into_iter().flatten().min(),
            Known::Saml(Err(_)) => None,
            Known::Tokens { .. } => self.limit,
        }
    }

    /// The provider as one that speaks SAML, while its metadata is valid.
    ///
    /// # Errors
    /// `provider_without_keys`, with the cause in the detail; also for one that speaks something else.
    pub fn saml(&self, now: UnixTime) -> Result<SamlEntry<'_>, Reject> {
        let without = |why: &dyn std::fmt::Display| {
            Reject::new(Reason::ProviderWithoutKeys, format_args!("no metadata of {}: {why}", self.config.id))
        };
        match (&self.config.protocol, &self.known) {
            (Protocol::Saml(own), Known::Saml(Ok(idp))) => match self.until() {
                Some(until) if now >= until => {
                    let detail =
                        format_args!("the metadata of {} was valid until {until}; it is {now}", self.config.id);
                    Err(Reject::new(Reason::ProviderWithoutKeys, detail))
                }
                _ => Ok(SamlEntry { config: &self.config, own, idp }),
            },
            (Protocol::Saml(_), Known::Saml(Err(why))) => Err(without(why)),
            (Protocol::Oidc(_) | Protocol::Jwt(_), _) | (_, Known::Tokens { .. }) => {
                Err(without(&"it does not speak SAML"))
            }
        }
    }

    /// Its signing keys, by their fingerprints; none without metadata.
    pub(super) fn fingerprints(&self) -> Vec<[u8; 32]> {
        self.known.fingerprints()
    }

    /// The levels that it may assert, as far as that is known now.
    pub fn levels(&self, now: UnixTime) -> Vec<&str> {
        match self.saml(now) {
            Ok(saml) => saml.certified().collect(),
            Err(_) => self.config.loa.iter().map(String::as_str).collect(),
        }
    }

    /// The levels to ask for on `route`: what it takes and the provider may assert, since an answer is one of the
    /// listed or an error (profile 1.2). A route that takes any level asks for all of them. None when there is a demand
    /// that the provider cannot meet, and when it has no valid keys.
    pub fn asks(&self, route: &Route, now: UnixTime) -> Option<Vec<String>> {
        match &self.known {
            Known::Saml(_) => self.saml(now).ok()?.asks(route),
            Known::Tokens { .. } => self.oidc(now).ok()?.asks(route),
        }
    }

    /// The levels that it may assert on `route`, whether or not its keys are valid now; none where that is not known, or
    /// where it could never meet the route.
    pub fn may_assert(&self, route: &Route) -> Option<Vec<String>> {
        match (&self.known, &self.config.protocol) {
            (Known::Saml(Ok(idp)), Protocol::Saml(own)) => SamlEntry { config: &self.config, own, idp }.asks(route),
            _ => common(route, self.config.loa.iter().map(String::as_str)).filter(|levels| !levels.is_empty()),
        }
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

    /// Whether a login for `route` can begin now.
    pub fn can_begin(&self, route: &Route, now: UnixTime) -> bool {
        match &self.known {
            Known::Saml(_) => self.saml(now).is_ok_and(|saml| saml.asks(route).is_some() && saml.endpoint().is_some()),
            Known::Tokens { .. } => self.oidc(now).is_ok_and(|oidc| oidc.asks(route).is_some()),
        }
    }
}

/// A provider that speaks SAML, with valid metadata: what a SAML login needs of it.
#[derive(Clone, Copy, Debug)]
pub struct SamlEntry<'a> {
    config: &'a Provider,
    own: &'a SamlProvider,
    /// What its metadata says.
    pub idp: &'a Arc<IdpMetadata>,
}

impl<'a> SamlEntry<'a> {
    /// The levels that it may assert: what its metadata declares, else what the configuration says. eIDAS levels only
    /// from the connector (profile 1.3).
    pub fn certified(self) -> impl Iterator<Item = &'a str> {
        let declared = if self.idp.loa.is_empty() { &self.config.loa } else { &self.idp.loa };
        certified(declared, self.own.eidas_connector)
    }

    fn asks(self, route: &Route) -> Option<Vec<String>> {
        common(route, self.certified())
    }

    /// What a Response of this provider is held against: in the server and in `grindvakt verify` alike.
    pub fn expect(
        self,
        config: &'a Config,
        acs: &'a [String],
        binding: Binding<'a>,
        decryption: &'a dyn UnwrapKey,
    ) -> Expect<'a> {
        let own = self.own;
        Expect {
            idp: self.idp,
            audience: &config.service.entity_id,
            acs,
            binding,
            profile: own.profile,
            signed: own.signed,
            decryption,
            encryption_required: own.encryption == Encryption::Required,
            allow_unsolicited: own.allow_unsolicited,
            eidas_connector: own.eidas_connector,
            force_authn: self.config.force_authn,
            local_loa: &self.config.loa,
            loa_map: &self.config.loa_map,
            authenticating_authorities: &own.authenticating_authorities,
            clock_skew: config.verification.clock_skew,
            max_age: config.verification.max_age,
        }
    }

    /// The rules that a person from this provider is held to.
    pub fn identity_rules(self, config: &'a Config) -> IdentityRules<'a> {
        IdentityRules {
            audience: &config.service.entity_id,
            accept_coordination_number: config.service.accept_coordination_number,
            scopes: &self.idp.scopes,
            eidas_connector: self.own.eidas_connector,
            check_digit: config.verification.check_digit,
        }
    }

    /// Where to send the browser by POST; none where it is not offered, or where the configuration says Redirect.
    pub fn form_endpoint(self) -> Option<&'a Endpoint> {
        let by_post = self.idp.sso.iter().find(|endpoint| endpoint.binding == SsoBinding::Post);
        by_post.filter(|_| self.own.binding != Some(SsoBinding::Redirect))
    }

    /// Whether whoever logs out here is offered to log out there.
    pub const fn offers_logout(self) -> bool {
        self.own.logout_at_provider
    }

    /// Where messages of single logout go: by `preferred` where it is offered, else by the other binding.
    pub fn logout_endpoint(self, preferred: SsoBinding) -> Option<&'a SloEndpoint> {
        let by = self.idp.slo.iter().find(|endpoint| endpoint.binding == preferred);
        by.or_else(|| self.idp.slo.first())
    }

    /// Where to send the browser: by the configured binding, else by Redirect where it is offered, else by POST.
    pub fn endpoint(self) -> Option<&'a Endpoint> {
        let by = |binding: SsoBinding| self.idp.sso.iter().find(|endpoint| endpoint.binding == binding);
        match self.own.binding {
            Some(binding) => by(binding),
            None => by(SsoBinding::Redirect).or_else(|| by(SsoBinding::Post)),
        }
    }
}

/// The levels of `certified` that `route` takes; all of them where it takes any. None when there is a demand that they
/// do not meet.
pub(super) fn common<'a>(route: &Route, certified: impl Iterator<Item = &'a str>) -> Option<Vec<String>> {
    if route.loa.is_empty() {
        // Levels of a signature's message are deprecated, no login is at one, and providers declare them still (TAR 3.3).
        return Some(certified.filter(|loa| !loa.ends_with("-sigmessage")).map(str::to_owned).collect());
    }
    let certified: Vec<&str> = certified.collect();
    let both: Vec<String> =
        route.loa.iter().map(|loa| loa.uri()).filter(|uri| certified.contains(uri)).map(str::to_owned).collect();
    (!both.is_empty()).then_some(both)
}

fn maker(config: &Provider) -> Maker {
    let issuer = match &config.protocol {
        Protocol::Saml(own) => &own.entity_id,
        Protocol::Oidc(own) => &own.issuer,
        Protocol::Jwt(own) => &own.issuer,
    };
    Maker::new(config.protocol.name(), issuer)
}

/// Of what a provider may assert, what it may by its kind: eIDAS levels are the connector's (profile 1.3).
pub(super) fn certified(levels: &[String], connector: bool) -> impl Iterator<Item = &str> {
    levels.iter().map(String::as_str).filter(move |loa| connector || !is_eidas(loa))
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

    /// A SAML provider by its entityID, compared exactly.
    pub fn by_entity_id(&self, entity_id: &str) -> Option<&ProviderEntry> {
        self.entries.iter().find(|entry| entry.config.saml().is_some_and(|saml| saml.entity_id == entity_id))
    }

    /// Providers of tokens by their issuer, compared exactly: one of logins and one of bearer tokens may share it.
    pub fn by_issuer<'a, 'i>(&'a self, issuer: &'i str) -> impl Iterator<Item = &'a ProviderEntry> + use<'a, 'i> {
        self.entries.iter().filter(move |entry| match &entry.config.protocol {
            Protocol::Saml(_) => false,
            Protocol::Oidc(own) => own.issuer == issuer,
            Protocol::Jwt(own) => own.issuer == issuer,
        })
    }

    /// Those by which people log in for `route`, in its order of preference, and within one e-ID in the order of the
    /// configuration.
    pub fn for_route(&self, route: &Route) -> Vec<&ProviderEntry> {
        let with_login = || self.entries.iter().filter(|entry| entry.config.has_login());
        if route.eid.is_empty() {
            return with_login().collect();
        }
        let mut taken = Vec::new();
        for eid in &route.eid {
            taken.extend(with_login().filter(|entry| entry.config.eid == *eid));
        }
        taken
    }

    /// Whether at least one has valid keys.
    pub fn any_usable(&self, now: UnixTime) -> bool {
        self.entries.iter().any(|entry| entry.usable(now).is_ok())
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

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
