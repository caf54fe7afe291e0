//! Bearer tokens: what a program brings in `Authorization` (RFC 6750, RFC 9068, RFC 9449), on the routes that say so.
//!
//! A token is verified once and remembered: by its digest, the provider, and the keys that it was verified with, so that
//! a token of one provider is never looked up for another (T41), and one whose key is withdrawn is verified again. Only
//! what held is remembered, and never past its end. What the token's holder must prove each time, a DPoP proof, is
//! checked each time.

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;

use super::headers::Told;
use super::outcome::{Leased, Voucher};
use super::{Cookies, Decision, Denial, Gate, Lease, Permit};
use crate::base::{ByDigest, ProviderId, UnixTime};
use crate::config::JwtProvider;
use crate::crypto::digest::sha256;
use crate::crypto::trusted::AlgorithmSet;
use crate::identity::{self, Field, Identity, Loa};
use crate::policy::{self, Route};
use crate::provider::{ProviderEntry, Snapshot};
use crate::replay::{ReplayError, ReplayKey};
use crate::telemetry::{Judged, Stopwatch, VerifiedProtocol};
use crate::verify::jose::{AccessToken, DpopExpect, Received, dpop_proof};
use crate::verify::{Reason, Reject, Verified};

/// Tokens that are remembered, at 1 KB each at the most.
const REMEMBERED: u64 = 20_000;

/// The largest token that is remembered with what it says, in bytes of what is kept. Larger ones are verified each time.
const REMEMBERED_BYTES: usize = 1024;

/// For how long one is remembered, if it does not end before.
const REMEMBERED_FOR: Duration = Duration::from_secs(900);

/// How old a DPoP proof may be (RFC 9449, 11.1): the time between making a request and our getting it.
const PROOF_AGE: Duration = Duration::from_secs(60);

/// How long a nonce that we gave out is good, at least; and twice as long at the most.
const NONCE_FOR_SECS: i64 = 300;

/// What a program presents.
///
/// No `Debug`: the token is a secret.
#[derive(Clone, Copy)]
pub struct Presented<'r> {
    /// The token as it came.
    pub token: &'r str,
    /// Whether it came by the scheme `DPoP`.
    pub dpop: bool,
    /// The value of the header `DPoP`; more than one is none.
    pub proof: Option<&'r str>,
    /// The request's method.
    pub method: &'r str,
    /// The request's path in normal form: the address that a proof must be made for, beside our own origin.
    pub path: &'r str,
}

/// How a route takes tokens: what a program that brought none, or no good one, is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenTerms {
    /// Whether it takes tokens that are bound to no key (RFC 6750).
    pub bearer: bool,
    /// Whether it wants a proof of a key of some (RFC 9449).
    pub dpop: bool,
    /// A nonce of ours for the next proof, where one is asked for.
    pub nonce: Option<String>,
}

/// What is remembered of a verified token. No `Debug`: it is personal data.
struct Vouched {
    /// What its headers are kept by.
    id: [u8; 16],
    /// Shared with what it opens.
    by: Arc<Voucher>,
    subject: String,
    other_subjects: Option<String>,
    loa: Loa,
    fields: Vec<(Field, String)>,
    scope: String,
    /// The key that it is bound to.
    bound_to: Option<String>,
    authenticated_at: Option<UnixTime>,
    until: UnixTime,
}

/// What a verified token is found by.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct TokenKey {
    token: [u8; 32],
    provider: [u8; 32],
}

impl TokenKey {
    /// 128 bits of both, for what is kept beside sessions.
    fn short(&self) -> [u8; 16] {
        let whole = sha256(&[self.token, self.provider].concat());
        let mut out = [0; 16];
        out.iter_mut().zip(whole).for_each(|(to, from)| *to = from);
        out
    }
}

/// Tokens that held. By digests, which are spread as they are: whoever looks for tokens of like digests finds none of them
/// here, since only those that an issuer signed are.
pub(super) struct Tokens(Cache<TokenKey, Arc<Vouched>, ByDigest>);

impl Default for Tokens {
    fn default() -> Self {
        Self(
            Cache::builder()
                .max_capacity(REMEMBERED)
                .time_to_live(REMEMBERED_FOR)
                .build_with_hasher(ByDigest::default()),
        )
    }
}

impl Tokens {
    /// About how many are remembered.
    pub(super) fn len(&self) -> u64 {
        self.0.entry_count()
    }
}

impl Told for Vouched {
    fn subject(&self) -> &str {
        &self.subject
    }

    fn other_subjects(&self) -> Option<&str> {
        self.other_subjects.as_deref()
    }

    fn provider(&self) -> &ProviderId {
        &self.by.provider
    }

    fn authenticated_at(&self) -> Option<UnixTime> {
        self.authenticated_at
    }

    fn session(&self) -> Option<String> {
        None
    }

    fn ends(&self) -> UnixTime {
        self.until
    }

    fn field(&self, field: Field) -> Option<&str> {
        match field {
            Field::Loa => (!self.loa.is_unstated()).then(|| self.loa.uri()),
            // By which e-ID it was, a token does not say.
            Field::Eid => None,
            _ => self.fields.iter().find(|(known, _)| *known == field).map(|(_, value)| value.as_str()),
        }
    }
}

impl Gate {
    /// Whether bearer tokens open the route of `path`, which is in normal form.
    pub fn takes_tokens(&self, path: &str) -> bool {
        !self.config.routes.find(path).bearer.is_empty()
    }

    /// Decides on a request for `route` by the token that it presents, where nothing has to be waited for: by one that was
    /// seen before and needs no proof, which most are. None: [`Self::authorize_token`] decides.
    ///
    /// A cookie of a session beside a token is refused: which of the two counts would be a guess.
    pub fn authorize_known_token(
        &self,
        route: &Arc<Route>,
        presented: &Presented<'_>,
        cookie_too: bool,
    ) -> Option<Decision> {
        if cookie_too {
            return Some(Decision::Denied(Denial::BothCredentials));
        }
        let (snapshot, now) = (self.registry.current(), self.clock.now());
        let (vouched, entry) = self.remembered(route, &snapshot, sha256(presented.token.as_bytes()), now)?;
        let own = own(Some(entry))?;
        if presented.dpop || vouched.bound_to.is_some() || own.require_dpop {
            return None;
        }
        self.telemetry.metrics().caches.tokens.hits.inc();
        Some(match self.permit_to(route, &vouched, presented, now) {
            Ok(permit) => Decision::Permit(permit),
            Err(denial) => Decision::Denied(denial),
        })
    }

    /// Decides on a request for `path` by the token that it presents alone.
    pub async fn authorize_token(&self, path: &str, presented: &Presented<'_>) -> Decision {
        let route = Arc::clone(self.config.routes.find(path));
        match self.permit_token(&route, presented).await {
            Ok(permit) => Decision::Permit(permit),
            Err(denial) => Decision::Denied(denial),
        }
    }

    /// Whether a cookie of a session is among `cookies`, alive or not.
    pub fn has_session_cookie(&self, cookies: &Cookies<'_>) -> bool {
        cookies.all(self.names.session()).next().is_some()
    }

    /// Refuses an `Authorization` that is malformed, on a route that takes tokens.
    pub fn malformed_token(&self, path: &str) -> Denial {
        let route = self.config.routes.find(path);
        let reject = Reject::new(Reason::TokenMalformed, "what `Authorization` holds is no token");
        Denial::Token { reject, dpop: self.dpop_asked(route, false), proof: false }
    }

    /// Refuses an `Authorization` that does not say which token counts, on a route that takes tokens.
    pub fn unclear_token() -> Denial {
        Denial::Unclear(Reject::new(
            Reason::AuthorizationUnclear,
            "`Authorization` is doubled, empty, or of several schemes",
        ))
    }

    /// How the route of `path`, which takes tokens, takes them.
    pub fn token_terms(&self, path: &str) -> TokenTerms {
        let snapshot = self.registry.current();
        let route = self.config.routes.find(path);
        let own = || route.bearer.iter().filter_map(|id| own(snapshot.by_id(id)));
        TokenTerms {
            bearer: own().any(|own| !own.require_dpop),
            dpop: own().any(|own| own.require_dpop),
            nonce: own().any(|own| own.dpop_nonce).then(|| self.nonce(self.clock.now(), 0)),
        }
    }

    async fn permit_token(&self, route: &Arc<Route>, presented: &Presented<'_>) -> Result<Permit, Denial> {
        let mut snapshot = self.registry.owned();
        let now = self.clock.now();
        let token = sha256(presented.token.as_bytes());
        let dpop = self.dpop_asked(route, presented.dpop);
        let refused = |reject| Denial::Token { reject, dpop, proof: false };
        let vouched = match self.remembered(route, &snapshot, token, now) {
            Some((vouched, _)) => {
                self.telemetry.metrics().caches.tokens.hits.inc();
                vouched
            }
            None => {
                self.telemetry.metrics().caches.tokens.misses.inc();
                let mut judged = self.judge_token(route, &snapshot, token, presented, now);
                if let Err((reject, Some(provider))) = &judged
                    && let Some(newer) = self.newer_keys(reject, provider, &snapshot).await
                {
                    snapshot = newer;
                    judged = self.judge_token(route, &snapshot, token, presented, self.clock.now());
                }
                judged.map_err(|(reject, _)| refused(reject))?
            }
        };
        let own = own(snapshot.by_id(&vouched.by.provider)).ok_or_else(|| {
            refused(Reject::new(Reason::IssuerUnknown, "the provider of the token is no longer configured"))
        })?;
        self.proven(own, &vouched, presented, now).await.map_err(|failed| match failed {
            Unproven::Token(reject) => refused(reject),
            Unproven::Proof(reject) => Denial::Token { reject, dpop, proof: true },
            Unproven::Store(error) => Denial::StoreDown(error),
        })?;
        self.permit_to(route, &vouched, presented, now)
    }

    /// What a token that holds, and is its holder's, opens of `route`.
    fn permit_to(
        &self,
        route: &Arc<Route>,
        vouched: &Vouched,
        presented: &Presented<'_>,
        now: UnixTime,
    ) -> Result<Permit, Denial> {
        let has = |field| vouched.field(field).is_some();
        policy::meets_by_token(route, &vouched.by.provider, &vouched.scope, &vouched.loa, has).map_err(|reject| {
            let for_scope = reject.reason() == Reason::ScopeInsufficient;
            let scopes = if for_scope { route.scopes.clone() } else { Vec::new() };
            Denial::TokenLacks { reject, scopes, dpop: presented.dpop }
        })?;
        let headers = self.headers.get(vouched.id, vouched, route, &self.tokens, now);
        let headers = headers.map_err(|error| self.internal(&error))?;
        let lease = Lease(Leased::Token { by: Arc::clone(&vouched.by), until: vouched.until });
        Ok(Permit { route: route.name.clone(), headers: Some(headers), lease: Some(lease), set_cookie: None })
    }

    /// What is remembered of a token, and whose it is.
    fn remembered<'s>(
        &self,
        route: &Route,
        snapshot: &'s Snapshot,
        token: [u8; 32],
        now: UnixTime,
    ) -> Option<(Arc<Vouched>, &'s ProviderEntry)> {
        route.bearer.iter().find_map(|id| {
            let entry = snapshot.by_id(id)?;
            let key = key(token, entry, now).ok()?;
            let vouched = self.tokens_seen.0.get(&key).filter(|vouched| now < vouched.until)?;
            Some((vouched, entry))
        })
    }

    /// Verifies a token that was not seen before. The provider in the error is the one whose keys were asked.
    fn judge_token(
        &self,
        route: &Route,
        snapshot: &Snapshot,
        token: [u8; 32],
        presented: &Presented<'_>,
        now: UnixTime,
    ) -> Result<Arc<Vouched>, (Reject, Option<ProviderId>)> {
        let bytes = presented.token.as_bytes();
        let mut received = Received::parse(bytes).map_err(|reject| (reject, None))?;
        let hint = received.hint().map_err(|reject| (reject, None))?;
        // Who it says to be of decides whose rules it is held to, and only those that the route takes are asked.
        let entry =
            route.bearer.iter().filter_map(|id| snapshot.by_id(id)).find(|entry| {
                entry.config().jwt().is_some_and(|own| Some(own.issuer.as_str()) == hint.issuer.as_deref())
            });
        let Some(entry) = entry else {
            let detail = "the token is of no provider that this route takes tokens of";
            return Err((Reject::new(Reason::IssuerUnknown, detail), None));
        };
        let id = &entry.config().id;
        let refused = |reject| (reject, Some(id.clone()));
        let key = key(token, entry, now).map_err(refused)?;
        let watch = Stopwatch::start();
        let judged = self.vouch(entry, key, received, now);
        let code = judged.as_ref().err().map(Reject::code);
        self.telemetry.emit(Judged { provider: id, protocol: VerifiedProtocol::Jwt, code, watch, made: None });
        let vouched = Arc::new(judged.map_err(refused)?);
        if vouched.size() <= REMEMBERED_BYTES {
            self.tokens_seen.0.insert(key, Arc::clone(&vouched));
        }
        Ok(vouched)
    }

    fn vouch(
        &self,
        entry: &ProviderEntry,
        key: TokenKey,
        received: Received<'_>,
        now: UnixTime,
    ) -> Result<Vouched, Reject> {
        let jwt = entry.jwt(now)?;
        let verified = received.access_token(&jwt.access_token_expect(&self.config), now)?;
        let facts = Facts::of(&verified);
        let who = identity::from_access_token(verified, &jwt.claim_rules(&self.config), &self.digest)?;
        Ok(self.keep_of(entry, key, &who, facts))
    }

    /// What is kept of a token: what the routes forward or require, and no more.
    fn keep_of(&self, entry: &ProviderEntry, key: TokenKey, who: &Identity, facts: Facts) -> Vouched {
        let fields = self.keep.iter().filter(|field| !matches!(field, Field::Loa | Field::Eid));
        let fields = fields.filter_map(|field| Some((*field, who.field(*field)?.into_owned())));
        Vouched {
            id: key.short(),
            by: Arc::new(Voucher {
                provider: entry.config().id.clone(),
                eid: entry.config().eid.clone(),
                maker: entry.maker(),
                signed_by: facts.signed_by,
            }),
            subject: who.subject().as_str().to_owned(),
            other_subjects: self.other_subjects(who),
            loa: who.loa().clone(),
            fields: fields.collect(),
            scope: facts.scope,
            bound_to: facts.bound_to,
            authenticated_at: facts.authenticated_at,
            until: facts.until,
        }
    }

    /// Whether whoever presents the token may: RFC 9449, 7.1 and 7.2. The proof is used up last.
    async fn proven(
        &self,
        own: &JwtProvider,
        vouched: &Vouched,
        presented: &Presented<'_>,
        now: UnixTime,
    ) -> Result<(), Unproven> {
        let reject = |reason, detail: &str| Err(Unproven::Token(Reject::new(reason, detail)));
        match (&vouched.bound_to, presented.dpop) {
            (None, false) if own.require_dpop => {
                return reject(Reason::DpopMissing, "only tokens that are bound to a key are taken");
            }
            (None, false) => return Ok(()),
            (None, true) => return reject(Reason::DpopKeyMismatch, "the token is bound to no key"),
            (Some(_), false) => return reject(Reason::DpopMissing, "the token is bound to a key; it came as a bearer"),
            (Some(_), true) => {}
        }
        let Some(proof) = presented.proof else {
            return Err(Unproven::Proof(Reject::new(Reason::DpopMissing, "no proof of the key, or several")));
        };
        let nonces = own.dpop_nonce.then(|| [self.nonce(now, 0), self.nonce(now, -1)]);
        let uri = format!("{}{}", self.config.service.base_url.origin(), presented.path);
        let expect = DpopExpect {
            method: presented.method,
            uri: &uri,
            access_token: presented.token,
            algorithms: AlgorithmSet::ALL,
            nonces: nonces.as_ref().map(<[String; 2]>::as_slice),
            max_age: PROOF_AGE,
            clock_skew: self.config.verification.clock_skew,
        };
        let proof = dpop_proof(proof.as_bytes(), &expect, now).map_err(Unproven::Proof)?.into_claims();
        if Some(&proof.key_thumbprint) != vouched.bound_to.as_ref() {
            let detail = "the token is not bound to the key that made the proof";
            return Err(Unproven::Proof(Reject::new(Reason::DpopKeyMismatch, detail)));
        }
        let keys = self.once(|key| ReplayKey::proof(key, &proof.replay_id));
        let store = self.lasting.store();
        let line = store.line().await.map_err(Unproven::Store)?;
        match store.consume(&keys, &line.instance, proof.acceptable_until, now).await {
            Ok(_) => Ok(()),
            Err(ReplayError::Replayed | ReplayError::LoginConsumed | ReplayError::InProgress) => {
                Err(Unproven::Proof(Reject::new(Reason::Replayed, "this proof was used before")))
            }
            // It became another one under our hands: the next try is judged by that.
            Err(ReplayError::OtherInstance) => Err(Unproven::Store(ReplayError::Unavailable)),
            Err(error @ (ReplayError::Full | ReplayError::Unavailable)) => Err(Unproven::Store(error)),
        }
    }

    /// A nonce of ours: a keyed digest of the time, so that nothing is remembered of it.
    fn nonce(&self, now: UnixTime, step: i64) -> String {
        let slot = now.as_secs().div_euclid(NONCE_FOR_SECS).saturating_add(step);
        let tag = self.digest.tag(&[b"dpop nonce", &slot.to_be_bytes()]);
        base64_simd::URL_SAFE_NO_PAD.encode_to_string(tag.get(..16).unwrap_or_default())
    }

    /// Whether the answer asks for the scheme `DPoP`: where a token came by it, or nothing else is taken.
    fn dpop_asked(&self, route: &Route, came: bool) -> bool {
        let snapshot = self.registry.current();
        came || route.bearer.iter().any(|id| own(snapshot.by_id(id)).is_some_and(|own| own.require_dpop))
    }
}

/// Why a token's holder did not prove to be that.
enum Unproven {
    /// The token cannot be presented so.
    Token(Reject),
    /// The proof does not hold.
    Proof(Reject),
    Store(ReplayError),
}

/// What is taken from a token before the person is read out of it.
struct Facts {
    signed_by: Option<[u8; 32]>,
    scope: String,
    bound_to: Option<String>,
    authenticated_at: Option<UnixTime>,
    until: UnixTime,
}

impl Facts {
    fn of(verified: &Verified<AccessToken>) -> Self {
        let token = verified.claims();
        Self {
            signed_by: verified.signed_by().copied(),
            scope: token.scope.clone(),
            bound_to: token.key_thumbprint.clone(),
            authenticated_at: token.auth_time.filter(|_| !token.is_client),
            until: token.acceptable_until,
        }
    }
}

impl Vouched {
    /// About how many bytes it takes.
    fn size(&self) -> usize {
        let fields: usize = self.fields.iter().map(|(_, value)| 32 + value.len()).sum();
        let texts = [&self.bound_to, &self.other_subjects].into_iter().flatten().map(String::len).sum::<usize>();
        let own =
            size_of::<Self>() + size_of::<Voucher>() + self.by.provider.as_str().len() + self.by.eid.as_str().len();
        own + self.subject.len() + self.loa.uri().len() + fields + self.scope.len() + texts
    }
}

fn own(entry: Option<&ProviderEntry>) -> Option<&JwtProvider> {
    entry?.config().jwt()
}

/// # Errors
/// The provider has no keys: nothing that it once vouched for holds then.
fn key(token: [u8; 32], entry: &ProviderEntry, now: UnixTime) -> Result<TokenKey, Reject> {
    Ok(TokenKey { token, provider: *entry.jwt(now)?.verdicts })
}
