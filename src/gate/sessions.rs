//! Live sessions: finding one among a request's cookies, telling about it, ending it.

use super::outcome::Leased;
use super::{Cookies, Gate, Lease, SameSite, SessionInfo, SetCookie, stored};
use crate::base::{EidId, UnixTime};
use crate::identity::SubjectKind;
use crate::provider::ProviderEntry;
use crate::replay::{Order, ReplayError, SessionId};
use crate::session::{SealError, Session};
use crate::telemetry::SessionEnded;

/// Cookies of one name that are tried. A browser sends one; more than a few are someone's attempt to make us work.
const SAME_NAME: usize = 4;

impl Gate {
    /// The live session among `cookies`: sealed by us, within its times, not ended by anyone, and of a provider that
    /// still stands by it (T54). Its fields may be in the store.
    pub(super) fn held_session(&self, cookies: &Cookies<'_>, now: UnixTime) -> Option<Session> {
        let name = self.names.session();
        cookies.all(name).take(SAME_NAME).find_map(|text| {
            let session: Session = self.sessions.open(name, stored::bare(text))?;
            session.alive(now, &self.times).ok()?;
            self.still_counts(&session, now).then_some(session)
        })
    }

    /// The sessions among `cookies` that are to end when this browser is done with them: sealed by us, before their absolute
    /// end, ended by nobody. How long one was idle is a property of a cookie and not of the session: whoever has a copy that
    /// is used keeps it alive.
    pub(super) fn lingering(&self, cookies: &Cookies<'_>, now: UnixTime) -> Vec<Session> {
        let name = self.names.session();
        let opened = cookies.all(name).take(SAME_NAME).filter_map(|text| self.sessions.open(name, stored::bare(text)));
        opened.filter(|session: &Session| now < session.latest_end(&self.times) && !self.is_ended(session)).collect()
    }

    /// Whether nobody has ended a session, and its provider and the service still stand by it.
    pub(super) fn still_counts(&self, session: &Session, now: UnixTime) -> bool {
        !self.is_ended(session) && self.is_vouched_for(session, now)
    }

    /// Whether somebody has ended a session, as far as it is known here.
    pub(super) fn is_ended(&self, session: &Session) -> bool {
        self.lasting.store.revoked().contains(session.marks(), session.authenticated_at())
    }

    /// Whether the service still takes people of this kind, and the provider still stands by the session.
    fn is_vouched_for(&self, session: &Session, now: UnixTime) -> bool {
        let kind = session.subject().split(':').next().unwrap_or_default();
        let taken = kind != SubjectKind::CoordinationNumber.name() || self.config.service.accept_coordination_number;
        let providers = self.registry.current();
        taken && providers.by_id(session.provider()).is_some_and(|provider| provider.stands_by(session, now))
    }

    /// Whether what a session or a token opened must end now: its absolute end has come, somebody ended it, or it would
    /// open nothing any more. A session's idle time does not count: whoever reads a long answer is there.
    pub fn is_over(&self, lease: &Lease) -> bool {
        let now = self.clock.now();
        match &lease.0 {
            Leased::Session(session) => now >= session.latest_end(&self.times) || !self.still_counts(session, now),
            Leased::Token { by, until } => {
                let providers = self.registry.current();
                let stands = |provider: &ProviderEntry| {
                    provider.config().eid == by.eid && provider.stands_by_token(by.maker, by.signed_by.as_ref())
                };
                now >= *until || !providers.by_id(&by.provider).is_some_and(stands)
            }
        }
    }

    /// Waits until some session is ended by someone. One that ends just before the call may be missed: whoever holds
    /// leases looks at them now and then as well.
    pub async fn session_ended(&self) {
        self.lasting.store.revoked().changed().await;
    }

    pub(super) fn session_cookie(&self, session: &Session) -> Result<SetCookie, SealError> {
        let name = self.names.session();
        let value = stored::marked(self.sessions.seal(name, session, &*self.random)?, session);
        // It ends with the browser, and in any case by its own times.
        Ok(self.set_cookie(name, value, None, SameSite::Lax))
    }

    /// Has the browser remember, until it is closed, which e-ID was used: the next choice begins with it. The e-ID's name
    /// of the configuration, which is nothing about anyone.
    pub(super) fn remember_eid(&self, session: &Session) -> SetCookie {
        self.set_cookie(self.names.last(), session.eid().to_string(), None, SameSite::Lax)
    }

    /// The e-ID that this browser was last logged in by, as far as it says so. Anybody may write it: it orders a list.
    pub(super) fn last_eid(&self, cookies: &Cookies<'_>) -> Option<EidId> {
        cookies.all(self.names.last()).take(SAME_NAME).find_map(|text| EidId::new(text).ok())
    }

    /// Ends a session: its cookie opens nothing any more, wherever a copy of it is. An error says that other replicas
    /// do not know it yet.
    pub(super) async fn end_session(
        &self,
        id: SessionId,
        ends: UnixTime,
        now: UnixTime,
        why: &'static str,
    ) -> Result<(), ReplayError> {
        self.headers.forget(id, &self.config.routes);
        self.telemetry.emit(SessionEnded { session: &id.to_string(), why });
        self.lasting.store.end(&[Order::session(id, ends)], now).await
    }

    fn tell(&self, session: &Session, now: UnixTime) -> SessionInfo {
        SessionInfo {
            authenticated_at: session.authenticated_at(),
            ends_in: session.ends_in(now),
            idle_in: session.idle_in(now, &self.times),
            loa: session.loa().to_owned(),
            eid: session.eid().clone(),
            provider: session.provider().clone(),
        }
    }

    /// What `<prefix>/session` tells; none without a live session. Never extends the session.
    pub fn session_info(&self, cookies: &Cookies<'_>) -> Option<SessionInfo> {
        let now = self.clock.now();
        self.held_session(cookies, now).map(|session| self.tell(&session, now))
    }

    /// Begins the idle time anew, as a request for a page would; none without a live session.
    ///
    /// `http` must have made sure that the request came from our own origin.
    pub fn extend_session(&self, cookies: &Cookies<'_>) -> Option<(SessionInfo, SetCookie)> {
        let now = self.clock.now();
        let session = self.held_session(cookies, now)?.touched(now);
        let cookie = self.session_cookie(&session).ok()?;
        Some((self.tell(&session, now), cookie))
    }
}
