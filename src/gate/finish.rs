//! Finishing a login: from a posted Response to a session, or to a refusal that leaves none.
//!
//! The order matters: the browser's own state first, since it says whom to expect; the message, the person and the
//! route next; single use last, so that nothing broken burns anything.

use std::sync::Arc;
use std::time::Duration;

use super::confirm::Pending;
use super::relay::RelayState;
use super::step_up::is_another_person;
use super::target::Targets;
use super::{Cookies, Denial, FinishLogin, Gate, LoginDone, Refusal, SetCookie};
use crate::base::UnixTime;
use crate::base::limits::RELAY_STATE_BYTES;
use crate::identity::{self, Field, Identity};
use crate::policy::{self, MeetsRoute};
use crate::provider::{ProviderEntry, Snapshot};
use crate::replay::{FirstUse, Line, ProviderMark, ReplayError, ReplayKey, SessionId};
use crate::session::login::LOGIN_LIFETIME;
use crate::session::{Handle, Instance, Locale, LoginState, Sent, Session, SessionParams, open_session};
use crate::telemetry::{LoginFinished, LoginRefused, LoginReturned, SessionStarted};
use crate::verify::{Reason, Reject};

/// A begun login that the browser holds, and under which cookie.
pub(super) struct Begun {
    pub(super) handle: Handle,
    pub(super) cookie: String,
    pub(super) state: LoginState,
}

/// What is known of a login when it is refused.
#[derive(Default)]
pub(super) struct Context<'a> {
    pub(super) provider: Option<&'a ProviderEntry>,
    pub(super) begun: Option<&'a Begun>,
    /// What came back of the request, where the browser's own state did not.
    pub(super) relay: Option<RelayState>,
    pub(super) repost: bool,
}

/// Why a message cannot belong to a login of ours.
const fn no_state(relay_state: Option<&str>) -> &'static str {
    match relay_state {
        Some(text) if text.len() <= RELAY_STATE_BYTES => "the RelayState is of no login of ours",
        Some(_) => "the RelayState is longer than 80 bytes",
        None => "no RelayState",
    }
}

fn takes_unsolicited(provider: &ProviderEntry) -> bool {
    provider.config().saml().is_some_and(|saml| saml.allow_unsolicited)
}

impl Gate {
    /// Finishes a login with the Response that the browser brought to the ACS.
    ///
    /// # Errors
    /// The [`Refusal`] to show. It never leaves a session.
    pub async fn finish_login(&self, login: FinishLogin<'_>) -> Result<LoginDone, Refusal> {
        let now = self.clock.now();
        match login.relay_state.and_then(RelayState::parse) {
            Some(relay) => self.finish_begun(relay, &login, now).await,
            None => self.finish_unsolicited(&login, now).await,
        }
    }

    /// The begun login that an answer belongs to, and the memory in force. `may_repost`: whether a page of ours could post
    /// the same form once more.
    pub(super) async fn begun(
        &self,
        relay: RelayState,
        cookies: &Cookies<'_>,
        may_repost: bool,
    ) -> Result<(Begun, Result<Line, Denial>), Refusal> {
        let (handle, stateless) = (relay.handle, Context { relay: Some(relay), ..Context::default() });
        let cookie = self.names.login(&handle);
        let mut held = cookies.all(&cookie).take(4).peekable();
        if held.peek().is_none() {
            // On a loopback http address the cookie is Lax, and the provider's cross-site form came without it.
            let context = Context { repost: !self.names.secure() && may_repost, ..stateless };
            let detail = "the browser sent no cookie of this login";
            return Err(self.refuse(rejected(Reason::StateMissing, detail), &context));
        }
        let line = self.lasting.store.line().await.map_err(Denial::StoreDown);
        let Some(state) = held.find_map(|text| self.logins.open::<LoginState>(&cookie, text)) else {
            let line = line.map_err(|denial| self.refuse(denial, &stateless))?;
            // Sealed with keys that we do not have: of another process, or of nobody.
            let reason =
                if handle.is_of_another(&line.instance) { Reason::LoginOtherInstance } else { Reason::StateInvalid };
            let mut refusal = self.refuse(rejected(reason, "the login's cookie does not open"), &stateless);
            refusal.set_cookies.push(self.expire_login(&cookie));
            return Err(refusal);
        };
        self.telemetry.emit(LoginReturned { provider: &state.provider });
        Ok((Begun { handle, cookie: cookie.clone(), state }, line))
    }

    async fn finish_begun(
        &self,
        relay: RelayState,
        login: &FinishLogin<'_>,
        now: UnixTime,
    ) -> Result<LoginDone, Refusal> {
        let (begun, line) = self.begun(relay, &login.cookies, !login.reposted).await?;
        let mut snapshot = self.registry.owned();
        let mut done = match &line {
            Ok(line) => self.finish_with(&snapshot, &begun, &line.instance, login, now).await,
            // Nobody could take it: the answer can be sent once more when somebody can.
            Err(denial) => Err(denial.clone()),
        };
        if let (Err(Denial::Rejected(reject)), Ok(line)) = (&done, &line)
            && let Some(newer) = self.newer_keys(reject, &begun.state.provider, &snapshot).await
        {
            snapshot = newer;
            done = self.finish_with(&snapshot, &begun, &line.instance, login, self.clock.now()).await;
        }
        self.tell_board(&begun, done.as_ref().map(drop), login.from, self.clock.now());
        let provider = snapshot.by_id(&begun.state.provider);
        let context = Context { provider, begun: Some(&begun), ..Context::default() };
        done.map_err(|denial| self.refuse(denial, &context))
    }

    async fn finish_with(
        &self,
        snapshot: &Arc<Snapshot>,
        begun: &Begun,
        instance: &Instance,
        login: &FinishLogin<'_>,
        now: UnixTime,
    ) -> Result<LoginDone, Denial> {
        begun.state.usable(now, instance).map_err(Denial::Rejected)?;
        let gone = || rejected(Reason::IssuerUnknown, "the provider is no longer configured");
        let provider = snapshot.by_id(&begun.state.provider).ok_or_else(gone)?;
        self.verified_login(snapshot, provider, begun, login, now).await
    }

    async fn verified_login(
        &self,
        snapshot: &Arc<Snapshot>,
        provider: &ProviderEntry,
        begun: &Begun,
        login: &FinishLogin<'_>,
        now: UnixTime,
    ) -> Result<LoginDone, Denial> {
        let state = &begun.state;
        let xml = &login.saml_response;
        let (who, meets) = self.person(snapshot, provider, Some(state), &state.rd, xml, now).await?;
        self.sign_in(who, meets, provider, (begun, &login.cookies), now).await
    }

    /// A session for a person who meets the route that the login was for, in the browser whose cookies came along.
    pub(super) async fn sign_in(
        &self,
        who: Identity,
        meets: MeetsRoute,
        provider: &ProviderEntry,
        (begun, cookies): (&Begun, &Cookies<'_>),
        now: UnixTime,
    ) -> Result<LoginDone, Denial> {
        let state = &begun.state;
        if state.on_top_of.as_ref().is_some_and(|on| is_another_person(on, who.subject(), &self.digest_also)) {
            return Err(Denial::OtherPerson);
        }
        self.not_ended(&who, provider).map_err(Denial::Rejected)?;
        let handle = begun.handle.to_string();
        let mut keys = self.once(|key| ReplayKey::assertion(key, who.issuer(), who.assertion_id()));
        keys.extend(self.once(|key| ReplayKey::login(key, &handle)));
        let acceptable_until = match state.sent {
            Sent::Saml { .. } => who.acceptable_until(),
            // It holds the nonce of this login, and answers none once this one is over, however long it says to be good.
            Sent::Oidc { .. } => who.acceptable_until().min(now.plus(LOGIN_LIFETIME)),
        };
        let until = acceptable_until.max(state.issued_at.plus(LOGIN_LIFETIME));
        // What the login was begun under decides, not what is in force by now.
        let once = self.lasting.store.consume(&keys, &state.instance, until, now).await.map_err(not_first)?;
        let session = self.open(&who, meets, once, provider, now)?;
        let cookie = self.new_session_cookie(&session, now).await?;
        if let Some(old) = &state.on_top_of {
            // Where it could not be filed yet it will be: the new session need not wait for it.
            let _ = self.end_session(old.session, old.ends, now, "new login").await;
        }
        self.tell_finished(&session, &state.rd, Some(now.since(state.issued_at)));
        // What else the browser holds, where it may say so: by a POST from a provider's page it may not.
        for old in self.lingering(cookies, now).iter().filter(|old| old.id() != session.id()) {
            let _ = self.end_session(old.id(), old.ends(), now, "new login").await;
        }
        let mut set_cookies = vec![cookie, self.remember_eid(&session), self.expire_login(&begun.cookie)];
        let room = Self::room_beside(&state.rd, &set_cookies);
        set_cookies.extend(self.others_follow(cookies, Some(&begun.cookie), (&session, room), now));
        if state.force_authn && self.knows_people_of_before() {
            // What asked for it is done with.
            set_cookies.push(self.expire_cookie(self.names.fresh()));
        }
        Ok(LoginDone::SignedIn { location: state.rd.clone(), set_cookies })
    }

    /// A message that no RelayState of ours came with: only for a provider that may send one, and only to ask.
    async fn finish_unsolicited(&self, login: &FinishLogin<'_>, now: UnixTime) -> Result<LoginDone, Refusal> {
        let snapshot = self.registry.owned();
        let stray = rejected(Reason::StateMissing, no_state(login.relay_state));
        // Nothing is read for a stranger where no provider may send such a message.
        if !snapshot.all().iter().any(takes_unsolicited) {
            return Err(self.refuse(stray, &Context::default()));
        }
        let issuer = match self.judge.received(&login.saml_response) {
            Ok(received) => received.issuer_hint().map(|issuer| issuer.into_owned()),
            Err(reject) => return Err(self.refuse(Denial::Rejected(reject), &Context::default())),
        };
        let provider = issuer.and_then(|issuer| snapshot.by_entity_id(&issuer));
        let Some(provider) = provider.filter(|provider| takes_unsolicited(provider)) else {
            let context = Context { provider, ..Context::default() };
            return Err(self.refuse(stray, &context));
        };
        let context = Context { provider: Some(provider), ..Context::default() };
        let mut asked = self.ask_first(&snapshot, provider, login, now).await;
        if let Err(Denial::Rejected(reject)) = &asked
            && let Some(newer) = self.newer_keys(reject, &provider.config().id, &snapshot).await
            && let Some(provider) = newer.by_id(&provider.config().id)
        {
            asked = self.ask_first(&newer, provider, login, self.clock.now()).await;
        }
        asked.map_err(|denial| self.refuse(denial, &context))
    }

    async fn ask_first(
        &self,
        snapshot: &Arc<Snapshot>,
        provider: &ProviderEntry,
        login: &FinishLogin<'_>,
        now: UnixTime,
    ) -> Result<LoginDone, Denial> {
        // A provider that starts a login by itself may say where to (SAML Bindings 3.5.3): a place of ours, or nothing.
        let rd = self.targets.local(login.relay_state.filter(|rd| rd.len() <= RELAY_STATE_BYTES));
        let (who, meets) = self.person(snapshot, provider, None, &rd, &login.saml_response, now).await?;
        // What the memory before this one took, this one has not seen; and the provider's clock may be ahead of ours by as
        // much as it was allowed to be then.
        let line = self.lasting.store.line().await.map_err(Denial::StoreDown)?;
        let unknown_until = self.lasting.store.knows_after(&line).plus(self.config.verification.clock_skew);
        if who.issued() <= unknown_until {
            let detail = format_args!("issued at {}; it may have been used before {}", who.issued(), line.since);
            return Err(rejected(Reason::LoginOtherInstance, detail));
        }
        self.not_ended(&who, provider).map_err(Denial::Rejected)?;
        let keys = self.once(|key| ReplayKey::assertion(key, who.issuer(), who.assertion_id()));
        let once =
            self.lasting.store.consume(&keys, &line.instance, who.acceptable_until(), now).await.map_err(not_first)?;
        let name = who.field(Field::Name).map(|name| name.into_owned());
        let session = self.open(&who, meets, once, provider, now)?;
        let label = provider.config().label.clone();
        self.confirm_page(Pending::new(session, rd, login.locale, now), name, label)
    }

    /// The person in a message, with the proof that the route of `rd` is met.
    async fn person(
        &self,
        snapshot: &Arc<Snapshot>,
        provider: &ProviderEntry,
        state: Option<&LoginState>,
        rd: &str,
        xml: &[u8],
        now: UnixTime,
    ) -> Result<(Identity, MeetsRoute), Denial> {
        let verified = self.verified(snapshot, provider, state, xml, now).await?;
        let rules = provider.saml(now).map_err(Denial::Rejected)?.identity_rules(&self.config);
        let who = identity::from_assertion(verified, &rules, &self.digest).map_err(Denial::Rejected)?;
        let meets = self.meets(&who, provider, rd, now)?;
        Ok((who, meets))
    }

    /// The proof that the route of `rd` is met.
    pub(super) fn meets(
        &self,
        who: &Identity,
        provider: &ProviderEntry,
        rd: &str,
        now: UnixTime,
    ) -> Result<MeetsRoute, Denial> {
        let route = self.config.routes.find(Targets::path_of(rd));
        let age = self.age(who.authenticated_at(), now);
        let has = |field| field == Field::Eid || who.field(field).is_some();
        policy::meets(route, who.loa(), &provider.config().eid, age, has).map_err(Denial::Rejected)
    }

    /// That the provider has not ended this very login before its answer came (SAML Core 3.7.3.1). An order that another
    /// replica took and this one does not know of yet ends the session as soon as it does.
    fn not_ended(&self, who: &Identity, provider: &ProviderEntry) -> Result<(), Reject> {
        let marks = self.marks_at_provider(who, provider.config().oidc().is_some());
        if self.lasting.store.revoked().ends_login(&marks, who.authenticated_at()) {
            let detail = format_args!("the login of {} is over by an order of the provider", who.authenticated_at());
            return Err(Reject::new(Reason::LoginEnded, detail));
        }
        Ok(())
    }

    fn open(
        &self,
        who: &Identity,
        meets: MeetsRoute,
        once: FirstUse,
        provider: &ProviderEntry,
        now: UnixTime,
    ) -> Result<Session, Denial> {
        let id = SessionId::new(&*self.random).map_err(|error| self.internal(&error))?;
        let maker = provider.maker();
        let maker_speaks_oidc = provider.config().oidc().is_some();
        let there = self.name_there(who, provider, now);
        let (provider, eid) = (provider.config().id.clone(), provider.config().eid.clone());
        let mut at_provider = self.marks_at_provider(who, maker_speaks_oidc);
        at_provider.extend(who.signed_by().map(ProviderMark::signing_key));
        let (keep, times) = (self.keep.as_slice(), self.times);
        let other_subjects = self.other_subjects(who);
        let params = SessionParams { id, at_provider, there, other_subjects, provider, maker, eid, keep, now, times };
        Ok(open_session(who, meets, once, params))
    }

    /// What a person is called under the keys beside the one in use, where there are any.
    pub(super) fn other_subjects(&self, who: &Identity) -> Option<String> {
        let others: Vec<String> = self.digest_also.iter().map(|key| who.subject().under(key)).collect();
        (!others.is_empty()).then(|| others.join(","))
    }

    /// By what a provider's logout may name this session: the person, and the person's session there.
    fn marks_at_provider(&self, who: &Identity, oidc: bool) -> Vec<ProviderMark> {
        if oidc {
            let (key, issuer) = (&self.digest, who.issuer());
            let sub = who.name_id().value.as_str();
            let session = match who.session_index() {
                Some(sid) => ProviderMark::sid(key, issuer, sid),
                None => ProviderMark::without_sid(key, issuer, sub),
            };
            return vec![ProviderMark::sub(key, issuer, sub), session];
        }
        let (key, issuer, name_id) = (&self.digest, who.issuer(), who.name_id().value.as_str());
        let person = ProviderMark::name_id(key, issuer, name_id);
        let session = match who.session_index() {
            Some(index) => ProviderMark::session_index(key, issuer, name_id, index),
            None => ProviderMark::without_index(key, issuer, name_id),
        };
        vec![person, session]
    }

    /// `took`: since the login was begun here, where it was.
    pub(super) fn tell_finished(&self, session: &Session, rd: &str, took: Option<Duration>) {
        let route = self.config.routes.find(Targets::path_of(rd));
        self.telemetry.emit(LoginFinished {
            provider: session.provider(),
            loa: session.loa(),
            route: &route.name,
            took,
        });
        self.telemetry.emit(SessionStarted { session: &session.id().to_string(), provider: session.provider() });
    }

    /// Tells a refusal to the log, and makes what the person sees of it.
    pub(super) fn refuse(&self, denial: Denial, context: &Context<'_>) -> Refusal {
        let reference = match denial {
            Denial::Internal(reference) => reference,
            _ => self.reference(),
        };
        let state = context.begun.map(|begun| &begun.state);
        let provider = state.map(|s| &s.provider).or(context.provider.map(|p| &p.config().id));
        // An answer that is only sent round once more is not refused yet.
        if !context.repost {
            self.telemetry.emit(LoginRefused {
                code: denial.code(),
                detail: denial.detail(),
                provider,
                reference: reference.as_str(),
            });
        }
        let over = ends_login(&denial);
        let mut set_cookies: Vec<SetCookie> =
            context.begun.filter(|_| over).map(|begun| self.expire_login(&begun.cookie)).into_iter().collect();
        if matches!(&denial, Denial::Rejected(reject) if reject.reason() == Reason::LoginEnded) {
            // By single sign-on the next answer would be of the same login, and so would every one after it.
            set_cookies.extend(self.asks_for_a_fresh_login());
        }
        let door = || {
            let by = |key| context.relay.and_then(|relay| relay.door(key, &self.config.routes, &self.targets));
            self.digests().find_map(by)
        };
        let retry = match state {
            // Who was stopped for fraud is not invited to try again.
            Some(state) => (!is_fraud(&denial)).then(|| state.rd.clone()),
            None => door(),
        };
        let alternates = match (state, provider.and_then(|id| self.config.providers.iter().find(|p| p.id == *id))) {
            (Some(state), Some(failed)) if retry.is_some() => {
                let route = self.config.routes.find(Targets::path_of(&state.rd));
                self.alternates(route, &failed.eid, self.clock.now())
            }
            _ => Vec::new(),
        };
        Refusal {
            reference,
            retry,
            alternates,
            locale: state.map(|state| state.locale),
            repost: context.repost,
            set_cookies,
            denial,
        }
    }

    /// A refusal without a begun login.
    pub(super) fn refuse_state(&self, reason: Reason, detail: &str, locale: Option<Locale>) -> Refusal {
        Refusal { locale, ..self.refuse(rejected(reason, detail), &Context::default()) }
    }
}

pub(super) fn rejected(reason: Reason, detail: impl std::fmt::Display) -> Denial {
    Denial::Rejected(Reject::new(reason, detail))
}

pub(super) fn not_first(error: ReplayError) -> Denial {
    match error {
        ReplayError::Replayed => Denial::Replayed(Reason::Replayed.into()),
        ReplayError::LoginConsumed => Denial::Replayed(Reason::LoginConsumed.into()),
        // Nothing has ended it: the other answer may come to nothing.
        ReplayError::InProgress => Denial::Rejected(Reason::LoginInProgress.into()),
        ReplayError::OtherInstance => Denial::Rejected(Reason::LoginOtherInstance.into()),
        ReplayError::Full | ReplayError::Unavailable => Denial::StoreDown(error),
    }
}

fn is_fraud(denial: &Denial) -> bool {
    matches!(denial, Denial::Rejected(r) if matches!(r.reason(), Reason::StatusFraud | Reason::StatusPossibleFraud))
}

/// Whether this login can still be finished by another message. What is wrong with the bytes, the signature or the
/// addressee may be a stranger's doing, and the provider's own answer can still come; a person, a level or a status
/// that was refused will not get better.
fn ends_login(denial: &Denial) -> bool {
    use Reason as R;
    match denial {
        Denial::Replayed(_) | Denial::OtherPerson => true,
        Denial::Rejected(reject) => matches!(
            reject.reason(),
            R::StatusCancel
                | R::StatusFraud
                | R::StatusPossibleFraud
                | R::StatusAuthnFailed
                | R::StatusNoAuthnContext
                | R::StatusError
                | R::LoaNotRequested
                | R::LoaNotCertified
                | R::LoaEidasNotConnector
                | R::AuthnTooOld
                | R::AuthenticatingAuthority
                | R::AttributeDuplicate
                | R::AttributeValues
                | R::AttributeMalformed
                | R::PersonalNumberMalformed
                | R::CoordinationNumberNotAccepted
                | R::NonresidentWithNumber
                | R::ScopeNotRegistered
                | R::MappedNumberBinding
                | R::PridMalformed
                | R::PridCountryMismatch
                | R::LoaNotAllowed
                | R::LoginTooOld
                | R::LoginEnded
                | R::EidNotAllowed
                | R::RequiredAttributeMissing
                | R::LoginOtherInstance
                | R::StateExpired
                | R::AuthnContextMissing
                | R::RequestRefused
                | R::ProviderFailed
                | R::CodeRefused
                | R::NumbersTogether
                | R::ClaimConflict
        ),
        Denial::Unclear(_)
        | Denial::Token { .. }
        | Denial::TokenLacks { .. }
        | Denial::BothCredentials
        | Denial::NeedsLogin { .. }
        | Denial::StepUp { .. }
        | Denial::ProvidersDown
        | Denial::StoreDown(_)
        | Denial::Overloaded
        | Denial::Internal(_) => false,
    }
}
