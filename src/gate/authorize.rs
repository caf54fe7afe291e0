//! The decision on a request: the hot path. No await, no lock held, one look at the providers.

use std::sync::Arc;
use std::time::Duration;

use super::outcome::Leased;
use super::{Cookies, Decision, Denial, Gate, Lease, Permit, Reference};
use crate::base::UnixTime;
use crate::identity::Loa;
use crate::policy::{self, Access, MeetsRoute, Route};
use crate::replay::ReplayError;
use crate::session::Session;
use crate::telemetry::{FaultShown, RequestDenied};
use crate::verify::Reject;

impl Gate {
    /// The route that decides on `path`, which is in normal form.
    pub fn route(&self, path: &str) -> &Arc<Route> {
        self.config.routes.find(path)
    }

    /// Decides on a request for `path`, which is in normal form (`policy::normal_path`). A denial is told by whoever
    /// answers it, with the reference that the answer bears.
    pub fn authorize(&self, path: &str, cookies: &Cookies<'_>) -> Decision {
        match self.permit(self.config.routes.find(path), cookies) {
            Ok(permit) => Decision::Permit(permit),
            Err(denial) => Decision::Denied(denial),
        }
    }

    /// Tells of a request for `path`, which is in normal form, that was denied.
    pub fn tell_denied(&self, path: &str, denial: &Denial, reference: &Reference) {
        let route = &self.config.routes.find(path).name;
        self.telemetry.emit(RequestDenied { code: denial.code(), route, reference: reference.as_str() });
    }

    /// A new reference, for a page that says by `code` that a request was none that we take; the log line bears it too.
    pub fn tell_fault(&self, code: &'static str) -> Reference {
        let reference = self.reference();
        self.telemetry.emit(FaultShown { code, reference: reference.as_str() });
        reference
    }

    fn permit(&self, route: &Arc<Route>, cookies: &Cookies<'_>) -> Result<Permit, Denial> {
        if route.access == Access::Anonymous {
            // No session is even opened: what is public tells the e-service nothing of who looks at it.
            return Ok(Permit { route: route.name.clone(), headers: None, lease: None, set_cookie: None });
        }
        let now = self.clock.now();
        let needs_login = || Denial::NeedsLogin { route: route.name.clone() };
        let session = self.live_session(cookies, now)?.ok_or_else(needs_login)?;
        self.meets_now(&session, route, now).map_err(|lacks| Denial::StepUp { route: route.name.clone(), lacks })?;
        // Whoever logged out elsewhere may not be known here to have: what asks for more than usual waits until it is.
        if self.lasting.store.is_stale() && self.config.routes.asks_for_more(route) {
            return Err(Denial::StoreDown(ReplayError::Unavailable));
        }
        let headers = self
            .headers
            .get(*session.id().bytes(), &session, route, &self.tokens, now)
            .map_err(|error| self.internal(&error))?;
        // What a page asks for by itself keeps nobody's session alive.
        let set_cookie = match session.refreshed(now, &self.times).filter(|_| !route.background) {
            Some(refreshed) => Some(self.session_cookie(&refreshed).map_err(|error| self.internal(&error))?),
            None => None,
        };
        let lease = Some(Lease(Leased::Session(session.without_person())));
        Ok(Permit { route: route.name.clone(), headers: Some(headers), lease, set_cookie })
    }

    /// Whether a session meets a route: the same question as at login, asked of what the session kept.
    pub(super) fn meets_now(&self, session: &Session, route: &Arc<Route>, now: UnixTime) -> Result<MeetsRoute, Reject> {
        let age = self.age(session.authenticated_at(), now);
        policy::meets(route, &Loa::from_uri(session.loa()), session.eid(), age, |field| session.field(field).is_some())
    }

    /// How long ago somebody logged in at a provider, at the least: its clock may differ from ours.
    pub(super) fn age(&self, authenticated_at: UnixTime, now: UnixTime) -> Duration {
        now.since(authenticated_at.plus(self.config.verification.clock_skew))
    }
}
