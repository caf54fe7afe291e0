//! Beginning a login: which provider, what to ask for, and what the browser keeps of it.

use std::sync::Arc;

use super::authorize::meets;
use super::cannot::cannot_use;
use super::relay::RelayState;
use super::target::Targets;
use super::{BeginLogin, Choice, Cookies, Denial, Gate, LoginStart, SameSite, SetCookie};
use crate::base::UnixTime;
use crate::base::limits::LOGINS_IN_FLIGHT;
use crate::crypto::digest::random_bytes;
use crate::policy::{Access, Route};
use crate::provider::{ProviderEntry, Snapshot};
use crate::request::{self, AuthnRequest, PostForm};
use crate::session::login::LOGIN_LIFETIME;
use crate::session::{Handle, Instance, LoginState, Session, StepUpFrom};
use crate::telemetry::LoginBegun;
use crate::verify::saml::SsoBinding;
use crate::verify::{Reason, Reject};

/// What to do about the choice of a provider.
enum Pick<'a> {
    /// This one.
    Begin(&'a ProviderEntry),
    /// Ask the person.
    Ask(Vec<Choice>),
}

impl Gate {
    /// Begins a login: chooses a provider that the route of `rd` takes, or offers a choice.
    ///
    /// # Errors
    /// `ProvidersDown` when none that would do has keys, `Rejected` when no configured provider could ever meet the
    /// route, `StoreDown` when nothing could take the answer, `Overloaded` when the signing pool is full, `Internal`.
    pub async fn begin_login(&self, login: BeginLogin<'_>) -> Result<LoginStart, Denial> {
        let now = self.clock.now();
        let rd = self.targets.local(login.rd);
        let route = self.config.routes.find(Targets::path_of(&rd));
        let session = self.live_session(&login.cookies, now)?;
        let opens = session.as_ref().is_some_and(|session| opens(session, route));
        if opens && !login.choose && login.eid.is_none() {
            return Ok(LoginStart::AlreadySignedIn { location: rd });
        }
        let snapshot = self.registry.owned();
        // Who is sent on while maintenance is going on would not have read of it.
        let choose = login.choose || (login.eid.is_none() && self.maintenance_on(&snapshot, route, now));
        match pick(&snapshot, route, login.eid, choose, now)? {
            Pick::Ask(options) => {
                let cannot = cannot_use(&snapshot, route, &options, now);
                Ok(LoginStart::Choose { options, cannot, last: self.last_eid(&login.cookies), rd })
            }
            Pick::Begin(provider) => {
                let on_top_of = session.map(|session| StepUpFrom {
                    session: session.id(),
                    ends: session.ends(),
                    // Someone who only wants more of what they have stays who they are.
                    same_subject: (!opens).then(|| session.subject().to_owned()),
                });
                let start = self.send(provider, route, rd, on_top_of, &login, now).await?;
                self.telemetry.emit(LoginBegun { provider: &provider.config().id, route: &route.name });
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

    async fn send(
        &self,
        provider: &ProviderEntry,
        route: &Route,
        rd: String,
        on_top_of: Option<StepUpFrom>,
        login: &BeginLogin<'_>,
        now: UnixTime,
    ) -> Result<LoginStart, Denial> {
        let saml = provider.saml(now).map_err(|_| Denial::ProvidersDown)?;
        let (Some(loa), Some(endpoint)) = (provider.asks(route, now), saml.endpoint()) else {
            return Err(Denial::ProvidersDown);
        };
        // Nobody is sent to a provider whose answer nobody could take.
        let line = self.lasting.store.line().await.map_err(Denial::StoreDown)?;
        let handle = Handle::new(&line.instance, &*self.random).map_err(|error| self.internal(&error))?;
        let id: [u8; 16] = random_bytes(&*self.random).map_err(|error| self.internal(&error))?;
        let state = LoginState {
            provider: provider.config().id.clone(),
            // An NCName begins with no digit.
            request_id: format!("_{}", id.map(|byte| format!("{byte:02x}")).concat()),
            issued_at: now,
            rd,
            loa,
            force_authn: provider.config().force_authn,
            instance: line.instance,
            locale: login.locale,
            on_top_of,
        };
        let name = self.names.login(&handle);
        let value = self.logins.seal(&name, &state, &*self.random).map_err(|error| self.internal(&error))?;
        let mut set_cookies = self.old_logins(&login.cookies, &line.instance, now);
        set_cookies.push(self.set_cookie(&name, value, Some(LOGIN_LIFETIME), SameSite::None));

        let words = provider.in_its_words(&state.loa);
        let (destination, binding) = (endpoint.location.clone(), endpoint.binding);
        let relay_state = RelayState::new(&self.digest, handle, route).to_string();
        let (keys, acs) = (Arc::clone(&self.signing), self.judge.acs.first().cloned().unwrap_or_default());
        let issuer = self.config.service.entity_id.clone();
        let job = move || {
            let request = AuthnRequest {
                id: &state.request_id,
                issue_instant: state.issued_at,
                destination: &destination,
                acs: &acs,
                issuer: &issuer,
                force_authn: state.force_authn,
                loa: &words,
            };
            let key = keys.first()?;
            Some(match binding {
                SsoBinding::Redirect => request::redirect(&request, &relay_state, key).map(Sent::Redirect),
                SsoBinding::Post => request::post(&request, &relay_state, key).map(Sent::Post),
            })
        };
        let sent = self.pool.run(job).await.map_err(|_| Denial::Overloaded)?;
        match sent {
            Some(Ok(Sent::Redirect(location))) => Ok(LoginStart::Redirect { location, set_cookies }),
            Some(Ok(Sent::Post(PostForm { action, fields }))) => Ok(LoginStart::Post { action, fields, set_cookies }),
            Some(Err(error)) => Err(self.internal(&error)),
            None => Err(self.internal(&"no signing key")),
        }
    }

    /// Begun logins to expire, so that with the new one at most five are left: those that nobody can finish first, then
    /// the oldest.
    fn old_logins(&self, cookies: &Cookies<'_>, instance: &Instance, now: UnixTime) -> Vec<SetCookie> {
        let mut begun: Vec<(Option<UnixTime>, &str)> = cookies
            .iter()
            .filter(|(name, _)| self.names.login_handle(name).is_some())
            .map(|(name, value)| {
                let state: Option<LoginState> = self.logins.open(name, value);
                let usable = state.filter(|state| state.usable(now, instance).is_ok());
                (usable.map(|state| state.issued_at), name)
            })
            .collect();
        // None, for what cannot be finished, comes before every instant.
        begun.sort_unstable();
        begun.dedup_by_key(|(_, name)| *name);
        let surplus = (begun.len() + 1).saturating_sub(LOGINS_IN_FLIGHT);
        begun.into_iter().take(surplus).map(|(_, name)| self.expire_login(name)).collect()
    }

    pub(super) fn expire_login(&self, name: &str) -> SetCookie {
        let same_site = if self.names.secure() { SameSite::None } else { SameSite::Lax };
        SetCookie { same_site, ..self.expire_cookie(name) }
    }
}

/// A request, ready to travel.
enum Sent {
    Redirect(String),
    Post(PostForm),
}

fn opens(session: &Session, route: &Arc<Route>) -> bool {
    route.access == Access::Anonymous || meets(session, route).is_ok()
}

/// Which provider: at once when the choice is clear, otherwise the person says.
fn pick<'a>(
    snapshot: &'a Snapshot,
    route: &Route,
    eid: Option<&str>,
    choose: bool,
    now: UnixTime,
) -> Result<Pick<'a>, Denial> {
    // A provider that could never meet the route is not on offer; one in trouble is, as such.
    let able: Vec<&ProviderEntry> = snapshot
        .for_route(route)
        .into_iter()
        .filter(|provider| provider.usable(now).is_err() || provider.can_begin(route, now))
        .collect();
    let usable = |provider: &&&ProviderEntry| provider.can_begin(route, now);
    if able.is_empty() {
        let detail = format_args!("no configured provider can meet the route {}", route.name);
        return Err(Denial::Rejected(Reject::new(Reason::LoaNotCertified, detail)));
    }
    if !able.iter().any(|provider| usable(&provider)) {
        return Err(Denial::ProvidersDown);
    }
    let first = able.iter().map(|provider| &provider.config().eid).next();
    let one_eid = able.iter().all(|provider| Some(&provider.config().eid) == first);
    let named = eid.filter(|eid| able.iter().any(|provider| provider.config().eid.as_str() == *eid));
    let wanted = match named {
        Some(named) => Some(named),
        // Without a name, one e-ID is a clear choice; a name that this route does not know is none.
        None if eid.is_none() && one_eid && !choose => first.map(|eid| eid.as_str()),
        None => None,
    };
    let found = wanted.and_then(|wanted| {
        able.iter().filter(|provider| provider.config().eid.as_str() == wanted).find(usable).copied()
    });
    if let (Some(found), false) = (found, choose && named.is_none()) {
        return Ok(Pick::Begin(found));
    }
    let mut options: Vec<Choice> = Vec::new();
    for provider in &able {
        let config = provider.config();
        let usable = usable(&provider);
        match options.iter_mut().find(|option| option.eid == config.eid) {
            // The first that works is the one that would be used.
            Some(option) if usable && !option.usable => {
                option.usable = true;
                option.provider = config.id.clone();
            }
            Some(_) => {}
            None => options.push(Choice {
                eid: config.eid.clone(),
                label: config.label.clone(),
                provider: config.id.clone(),
                usable,
            }),
        }
    }
    Ok(Pick::Ask(options))
}
