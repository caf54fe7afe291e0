//! The use cases: begin a login, finish it, decide on a request, log out. No HTTP type is known here.
//!
//! What comes in is text that a browser sent; what goes out is a decision. `http` renders it, and only
//! `http/respond.rs` turns a [`Denial`] into a status.

mod authorize;
mod bearer;
mod begin;
mod cannot;
mod confirm;
pub mod cookies;
pub mod denial;
mod finish;
pub mod headers;
mod health;
mod judge;
mod keys;
mod logout;
mod oidc;
pub mod outcome;
mod pick;
mod pool;
mod provider_order;
mod relay;
mod sessions;
mod slo;
mod sp;
mod step_up;
mod stored;
mod target;
mod token;
mod under_way;

#[cfg(test)]
mod cookie_size_tests;
#[cfg(test)]
mod cookie_tests;
#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod flood_tests;
#[cfg(test)]
mod slo_tests;
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::base::limits::ENCRYPTED_LOGOUTS_AT_ONCE;
use crate::base::{Clock, ProviderId, UnixTime};
use crate::config::{Config, Forced, LoadedKeys};
use crate::crypto::digest::{HmacKey, NoRandomness, Random};
use crate::crypto::own::SigningKey;
use crate::identity::Field;
use crate::provider::notes::NoteSealer;
use crate::provider::{Board, Overrides, Refresher, Registry, Snapshot};
use crate::replay::{ReplayKey, Store};
use crate::session::{CookieKey, CookieNames, CookieSealer, SessionTimes};
use crate::telemetry::Telemetry;
use bearer::Tokens;
use headers::HeaderCache;
use judge::Judge;
use oidc::Clients;
use pool::Pool;
use stored::Fetched;
use target::Targets;
use token::TokenSigner;

pub use crate::provider::Trouble;
pub use crate::provider::failover::Differs;
pub use bearer::{Presented, TokenTerms};
pub use cookies::{Cookies, SameSite, SetCookie};
pub use denial::{Denial, Reference, Refusal};
pub use headers::{IdentityHeader, IdentityHeaders};
pub use oidc::LogoutRefused;
pub use outcome::{
    AtProvider, BeginLogin, CannotUse, Choice, Confirm, ConfirmLogin, Decision, FinishLogin, FinishOidc, Lease,
    LoginDone, LoginStart, Logout, Permit, SessionInfo, Unfit, Why,
};
pub use slo::{Answer, Ended, SingleLogout, SingleLogoutRefused};
pub use sp::{ACCEPTS_COORDINATION_NUMBER, entity_categories, service_metadata};

/// Why there is no gate. Each is a matter of the keys or the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// No key to sign requests with.
    #[error("no signing key: requests must be signed")]
    NoSigningKey,
    /// No key to seal cookies with.
    #[error("no sealing key")]
    NoSealingKey,
    /// The key of `X-Eid-Assertion` is no P-256 key.
    #[error("the identity token's key must be a P-256 key (ES256)")]
    TokenKey,
}

/// What outlives a gate: another configuration makes another one, and what was used or ended stays so.
pub struct Lasting {
    store: Store,
    overrides: Overrides,
}

impl Lasting {
    /// For a process that starts at `now` and remembers for itself.
    ///
    /// # Errors
    /// [`NoRandomness`] when the source fails.
    pub fn new(random: &dyn Random, now: UnixTime) -> Result<Self, NoRandomness> {
        Store::memory(random, now).map(Self::with)
    }

    /// For a process whose uses and ended sessions are remembered by `store`.
    pub fn with(store: Store) -> Self {
        Self { store, overrides: Overrides::default() }
    }

    /// What operators have said of providers while the process runs.
    pub const fn overrides(&self) -> &Overrides {
        &self.overrides
    }

    /// What is remembered, and where.
    pub const fn store(&self) -> &Store {
        &self.store
    }
}

/// What a gate is made of: everything that it does not decide itself.
pub struct Parts {
    /// The compiled configuration.
    pub config: Arc<Config>,
    /// The service's keys.
    pub keys: LoadedKeys,
    /// The providers as they are at start.
    pub snapshot: Snapshot,
    /// How they do.
    pub board: Arc<Board>,
    /// What the gate before this one leaves.
    pub lasting: Arc<Lasting>,
    /// Wall time.
    pub clock: Arc<dyn Clock>,
    /// Random bytes.
    pub random: Arc<dyn Random>,
    /// Where decisions are told.
    pub telemetry: Arc<Telemetry>,
}

/// The gate. Shared by every request: `Arc<Gate>`.
pub struct Gate {
    config: Arc<Config>,
    registry: Arc<Registry>,
    board: Arc<Board>,
    refresher: OnceLock<Arc<Refresher>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    telemetry: Arc<Telemetry>,
    /// The first signs, all are published.
    signing: Arc<Vec<SigningKey>>,
    digest: HmacKey,
    /// Keys that are known beside it: while one takes the other's place, nothing that hangs on either is lost.
    digest_also: Vec<HmacKey>,
    tokens: TokenSigner,
    sessions: CookieSealer,
    logins: CookieSealer,
    confirmations: CookieSealer,
    stored: CookieSealer,
    notes: NoteSealer,
    fetched: Fetched,
    names: CookieNames,
    targets: Targets,
    times: SessionTimes,
    judge: Arc<Judge>,
    /// The metadata that we publish does not change while we run.
    decryption_certificate: Option<Vec<u8>>,
    /// How OpenID providers know us.
    clients: Arc<Clients>,
    /// What the routes forward or require, together.
    keep: Vec<Field>,
    lasting: Arc<Lasting>,
    headers: HeaderCache,
    /// Bearer tokens that held, by this configuration's rules.
    tokens_seen: Tokens,
    pool: Pool,
    /// Room for encrypted logout tokens, which anybody can send: a few of the pool's places.
    sealed_logouts: Semaphore,
}

impl Gate {
    /// Puts a gate together.
    ///
    /// # Errors
    /// [`GateError`] says what is missing.
    pub fn new(parts: Parts) -> Result<Self, GateError> {
        let Parts { config, keys, snapshot, board, lasting, clock, random, telemetry } = parts;
        if keys.signing.is_empty() {
            return Err(GateError::NoSigningKey);
        }
        let service = &config.service;
        let base = &service.base_url;
        let seal = |purpose| CookieSealer::new(&keys.sealing, purpose).ok_or(GateError::NoSealingKey);
        let (sessions, logins) = (seal(CookieKey::Session)?, seal(CookieKey::Login)?);
        let (confirmations, stored) = (seal(CookieKey::Confirm)?, seal(CookieKey::Stored)?);
        let notes = NoteSealer::new(&keys.sealing, &service.id).ok_or(GateError::NoSealingKey)?;
        let tokens =
            TokenSigner::new(keys.identity_token, &keys.identity_token_also, base.as_str(), service.id.as_str());
        let mut keep: Vec<Field> = Vec::new();
        for route in config.routes.all() {
            for field in route.forward.iter().chain(&route.require) {
                if !keep.contains(field) {
                    keep.push(*field);
                }
            }
        }
        Ok(Self {
            registry: Arc::new(Registry::new(snapshot)),
            board,
            refresher: OnceLock::new(),
            signing: Arc::new(keys.signing),
            digest: HmacKey::new(&keys.digest),
            digest_also: keys.digest_also.iter().map(HmacKey::new).collect(),
            tokens: tokens.ok_or(GateError::TokenKey)?,
            sessions,
            logins,
            confirmations,
            stored,
            notes,
            fetched: Fetched::default(),
            names: CookieNames::new(&service.id, !base.is_loopback_http()),
            targets: Targets::new(base.origin(), base.path(), &service.prefix),
            times: SessionTimes { idle: config.session.idle_timeout, lifetime: config.session.lifetime },
            decryption_certificate: keys.decryption.published().map(<[u8]>::to_vec),
            clients: Arc::new(Clients::new(&config.providers, keys.clients)),
            judge: Arc::new(Judge { config: Arc::clone(&config), acs: config.acs_urls(), decryption: keys.decryption }),
            keep,
            lasting,
            headers: HeaderCache::new(telemetry.metrics().caches.headers.clone()),
            tokens_seen: Tokens::default(),
            pool: Pool::default(),
            sealed_logouts: Semaphore::new(ENCRYPTED_LOGOUTS_AT_ONCE),
            clock,
            random,
            telemetry,
            config,
        })
    }

    /// Puts another set of providers in force, whole.
    pub fn replace_providers(&self, snapshot: Snapshot) {
        self.registry.replace(snapshot);
    }

    /// Where the providers in force are put: what refreshes them writes here.
    pub fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry)
    }

    /// How the providers do.
    pub const fn board(&self) -> &Arc<Board> {
        &self.board
    }

    /// Has unknown keys looked for by `refresher`. Once: a further one is not taken.
    pub fn look_for_keys_by(&self, refresher: Arc<Refresher>) {
        let _ = self.refresher.set(refresher);
    }

    /// What refreshes the providers in force, where anything does.
    pub fn refresher(&self) -> Option<&Arc<Refresher>> {
        self.refresher.get()
    }

    /// The providers in force: for the status page and readiness.
    pub fn providers(&self) -> Arc<Snapshot> {
        self.registry.owned()
    }

    /// Seals and opens what replicas tell each other.
    pub const fn notes(&self) -> &NoteSealer {
        &self.notes
    }

    /// The instant, by the gate's clock.
    pub fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// What is kept now so as not to be made again: identity headers, bearer tokens, sessions from the store.
    pub fn kept(&self) -> [(&'static str, u64); 3] {
        let (headers, sessions) = (self.headers.len() as u64, self.fetched.len() as u64);
        [("identity_headers", headers), ("bearer_tokens", self.tokens_seen.len()), ("stored_sessions", sessions)]
    }

    /// Our own certificates (DER): those that we sign with, and the one that others encrypt to.
    pub fn own_certificates(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        let signing = self.signing.iter().map(|key| ("signing", key.certificate()));
        signing.chain(self.decryption_certificate.as_deref().map(|certificate| ("decryption", certificate)))
    }

    /// The names of our cookies: `http` takes them off what the e-service sees, and off what it sets.
    pub const fn cookie_names(&self) -> &CookieNames {
        &self.names
    }

    /// What an operator holds a provider at.
    fn forced(&self, provider: &ProviderId, now: UnixTime) -> Option<Forced> {
        self.lasting.overrides.forced(provider, &self.config.overrides, now)
    }

    /// Every digest key, the one in use first.
    fn digests(&self) -> impl Iterator<Item = &HmacKey> {
        std::iter::once(&self.digest).chain(&self.digest_also)
    }

    /// Whether a digest key of `before` is one here too. Without one, nothing of what was used before would be known.
    pub fn shares_digest_key(&self, before: &Self) -> bool {
        // Keys are not shown to each other: what they make of the same is compared.
        let made = |key: &HmacKey| key.tag(&[b"the same key"]);
        self.digests().any(|key| before.digests().any(|other| made(other) == made(key)))
    }

    /// A use under every digest key: whoever knows one of them knows that it was made.
    fn once(&self, key: impl Fn(&HmacKey) -> ReplayKey) -> Vec<ReplayKey> {
        self.digests().map(key).collect()
    }

    fn set_cookie(&self, name: &str, value: String, max_age: Option<Duration>, same_site: SameSite) -> SetCookie {
        let secure = self.names.secure();
        // Without Secure a browser drops a SameSite=None cookie.
        let same_site = if secure { same_site } else { SameSite::Lax };
        SetCookie { name: name.to_owned(), value: Some(value), max_age, same_site, secure }
    }

    fn expire_cookie(&self, name: &str) -> SetCookie {
        SetCookie {
            name: name.to_owned(),
            value: None,
            max_age: None,
            same_site: SameSite::Lax,
            secure: self.names.secure(),
        }
    }

    fn reference(&self) -> Reference {
        Reference::new(&*self.random).unwrap_or(Reference::NONE)
    }

    /// Our own fault: the cause goes to the log, the reference to the page.
    fn internal(&self, cause: &dyn std::fmt::Display) -> Denial {
        let reference = self.reference();
        tracing::error!(%reference, %cause, "internal fault");
        Denial::Internal(reference)
    }
}
