//! Beginning a login: which provider, what to ask for, and what the browser keeps of it.

use std::sync::Arc;

use super::cannot::{cannot_use, if_mapped};
use super::finish::Context;
use super::oidc::Asker;
use super::pick::Pick;
use super::relay::RelayState;
use super::step_up::{Principal, on_top};
use super::target::Targets;
use super::{BeginLogin, Denial, Gate, LoginStart, Refusal, SameSite};
use crate::base::UnixTime;
use crate::policy::{Access, Route};
use crate::provider::{ProviderEntry, Snapshot};
use crate::request::{self, AuthnRequest, PostForm};
use crate::session::login::LOGIN_LIFETIME;
use crate::session::{Handle, LoginState, Sent, Session, StepUpFrom};
use crate::telemetry::LoginBegun;
use crate::verify::Reject;
use crate::verify::saml::SsoBinding;

impl Gate {
    /// Begins a login: chooses a provider that the route of `rd` takes, or offers a choice.
    ///
    /// # Errors
    /// The [`Refusal`] to show: `ProvidersDown` when none that would do has keys, `Rejected` when no configured provider
    /// could ever meet the route, and when one did not take the request that was pushed to it, `StoreDown` when nothing
    /// could take the answer, `Overloaded` when the signing pool is full, `Internal`.
    pub async fn begin_login(&self, login: BeginLogin<'_>) -> Result<LoginStart, Refusal> {
        let now = self.clock.now();
        let rd = self.targets.local(login.rd);
        let route = self.config.routes.find(Targets::path_of(&rd));
        let snapshot = self.registry.owned();
        let mut picked = None;
        let begun = self.begin_at(&snapshot, route, rd.clone(), &login, now, &mut picked).await;
        begun.map_err(|denial| {
            let others = |provider: &ProviderEntry| self.alternates(route, &provider.config().eid, now);
            let alternates = picked.map(others).unwrap_or_default();
            let context = Context { provider: picked, ..Context::default() };
            Refusal { retry: Some(rd), locale: Some(login.locale), alternates, ..self.refuse(denial, &context) }
        })
    }

    /// `picked` becomes the provider that was chosen.
    async fn begin_at<'s>(
        &self,
        snapshot: &'s Snapshot,
        route: &Arc<Route>,
        rd: String,
        login: &BeginLogin<'_>,
        now: UnixTime,
        picked: &mut Option<&'s ProviderEntry>,
    ) -> Result<LoginStart, Denial> {
        let session = self.live_session(&login.cookies, now)?;
        let lacks = session.as_ref().and_then(|session| self.lacks(session, route, now));
        let opens = session.is_some() && lacks.is_none();
        if opens && !login.choose && login.eid.is_none() {
            return Ok(LoginStart::AlreadySignedIn { location: rd });
        }
        // Who is sent on while maintenance is going on would not have read of it. More of the same person is asked of who
        // can give it.
        let at_the_door = session.is_none() && login.eid.is_none();
        let choose = login.choose || (at_the_door && self.maintenance_on(snapshot, route, now));
        let login = &BeginLogin { choose, ..*login };
        let past = self.past(&login.cookies, session.as_ref(), now);
        let choose = |login: &BeginLogin<'_>| self.pick(snapshot, route, login, &past, now);
        let choice = match (&session, &lacks) {
            (Some(session), Some(lacks)) => on_top(snapshot, route, login, (session, lacks), now, &choose)?,
            _ => choose(login)?,
        };
        match choice {
            Pick::Ask(options, why) => {
                let (cannot, if_mapped) = (cannot_use(snapshot, route, &options, now), if_mapped(snapshot, route, now));
                let last = self.last_eid(&login.cookies);
                Ok(LoginStart::Choose { options, why, cannot, if_mapped, last, rd })
            }
            Pick::Begin(provider, instead_of) => {
                *picked = Some(provider);
                // One that has been idle for too long opens nothing here, but a copy of it may have been used: it ends as well.
                let lingers = || self.lingering(&login.cookies, now).into_iter().next();
                let begun = Begun {
                    rd,
                    on_top_of: match &session {
                        Some(session) => Some(self.bound_to(session, opens, provider)),
                        None => lingers().map(|old| self.bound_to(&old, true, provider)),
                    },
                    principal: session.filter(|_| !opens).and_then(|session| self.principal(&session, provider, now)),
                };
                let start = self.send(provider, route, begun, login, now).await?;
                self.board.begun(&provider.config().id, login.counts, login.from, now);
                let asked = provider.asks(route, now).unwrap_or_default();
                let (provider, route) = (&provider.config().id, &route.name);
                self.telemetry.emit(LoginBegun { provider, route, asked: &asked, instead_of });
                Ok(start)
            }
        }
    }

    /// Whether announced maintenance concerns a provider of the route at `now`.
    fn maintenance_on(&self, snapshot: &Snapshot, route: &Route, now: UnixTime) -> bool {
        let mut on = self.config.notices.iter().filter(|notice| notice.is_on(now)).peekable();
        on.peek().is_some()
            && on.any(|notice| snapshot.for_route(route).iter().any(|entry| notice.names(&entry.config().id)))
    }

    /// What a session lacks for a route; none when it opens it.
    fn lacks(&self, session: &Session, route: &Arc<Route>, now: UnixTime) -> Option<Reject> {
        match route.access {
            Access::Anonymous => None,
            Access::Session => self.meets_now(session, route, now).err(),
        }
    }

    async fn send(
        &self,
        provider: &ProviderEntry,
        route: &Arc<Route>,
        begun: Begun,
        login: &BeginLogin<'_>,
        now: UnixTime,
    ) -> Result<LoginStart, Denial> {
        let Some(loa) = provider.asks(route, now).filter(|_| provider.can_begin(route, now)) else {
            return Err(Denial::ProvidersDown);
        };
        let Begun { rd, on_top_of, principal } = begun;
        // Nobody is sent to a provider whose answer nobody could take.
        let line = self.lasting.store.line().await.map_err(Denial::StoreDown)?;
        let handle = Handle::new(&line.instance, &*self.random).map_err(|error| self.internal(&error))?;
        let sent = match provider.config().oidc() {
            Some(_) => Sent::oidc(&*self.random),
            None => Sent::saml(&*self.random),
        };
        let state = LoginState {
            provider: provider.config().id.clone(),
            sent: sent.map_err(|error| self.internal(&error))?,
            issued_at: now,
            rd,
            loa,
            force_authn: provider.config().force_authn || self.wants_fresh(route, login),
            instance: line.instance,
            locale: login.locale,
            on_top_of,
        };
        let name = self.names.login(&handle);
        let value = self.logins.seal(&name, &state, &*self.random).map_err(|error| self.internal(&error))?;
        let mut set_cookies = self.old_logins(&login.cookies, &line.instance, now);
        set_cookies.push(self.set_cookie(&name, value, Some(LOGIN_LIFETIME), SameSite::None));

        let relay_state = RelayState::new(&self.digest, handle, route).to_string();
        if provider.config().oidc().is_some() {
            let location = self.oidc_location(provider, &state, &relay_state, Asker { now, from: login.from }).await?;
            return Ok(LoginStart::Redirect { location, set_cookies });
        }
        match self.saml_request(provider, state, relay_state, principal, now).await? {
            Outgoing::Redirect(location) => Ok(LoginStart::Redirect { location, set_cookies }),
            Outgoing::Post(PostForm { action, fields }) => Ok(LoginStart::Post { action, fields, set_cookies }),
        }
    }

    /// The AuthnRequest, signed off this thread.
    async fn saml_request(
        &self,
        provider: &ProviderEntry,
        state: LoginState,
        relay_state: String,
        principal: Option<Principal>,
        now: UnixTime,
    ) -> Result<Outgoing, Denial> {
        let saml = provider.saml(now).map_err(|_| Denial::ProvidersDown)?;
        // A person's number stands in no address: it goes by POST, or not at all.
        let by_form = principal.as_ref().and_then(|_| saml.form_endpoint());
        let principal = principal.filter(|_| by_form.is_some());
        let endpoint = by_form.or_else(|| saml.endpoint()).ok_or(Denial::ProvidersDown)?;
        let words = provider.in_its_words(&state.loa);
        let (destination, binding) = (endpoint.location.clone(), endpoint.binding);
        let (keys, acs) = (Arc::clone(&self.signing), self.judge.acs.first().cloned().unwrap_or_default());
        let issuer = self.config.service.entity_id.clone();
        let job = move || {
            let request = AuthnRequest {
                id: state.sent.request_id()?,
                issue_instant: state.issued_at,
                destination: &destination,
                acs: &acs,
                issuer: &issuer,
                force_authn: state.force_authn,
                loa: &words,
                principal: principal.as_ref().map(|known| (known.attribute, known.value.as_str())),
            };
            let key = keys.first()?;
            Some(match binding {
                SsoBinding::Redirect => request::redirect(&request, Some(&relay_state), key).map(Outgoing::Redirect),
                SsoBinding::Post => request::post(&request, Some(&relay_state), key).map(Outgoing::Post),
            })
        };
        match self.pool.run(job).await.map_err(|_| Denial::Overloaded)? {
            Some(Ok(outgoing)) => Ok(outgoing),
            Some(Err(error)) => Err(self.internal(&error)),
            None => Err(self.internal(&"no signing key")),
        }
    }
}

/// A message, ready to travel.
pub(super) enum Outgoing {
    Redirect(String),
    Post(PostForm),
}

/// A login on its way out.
struct Begun {
    rd: String,
    on_top_of: Option<StepUpFrom>,
    principal: Option<Principal>,
}
