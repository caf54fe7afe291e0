//! The logins that a browser has under way: each is a cookie of its own.

use super::{Cookies, Gate, SameSite, SetCookie};
use crate::base::UnixTime;
use crate::base::limits::LOGINS_IN_FLIGHT;
use crate::session::login::LOGIN_LIFETIME;
use crate::session::{Instance, LoginState, Session, StepUpFrom};

/// What the answer to a finished login may hold of cookies and of the address that it leads to, in bytes, before other logins
/// are told of the session: with its other headers that is under the 4 KB that nginx takes by default.
const ANSWER_BYTES: usize = 2560;

/// What a cookie has beside its name and value: `; Path=/; Max-Age=…; HttpOnly; Secure; SameSite=None`, and the header's name.
const ATTRIBUTES: usize = 90;

/// What a cookie takes in an answer, in bytes.
fn size(cookie: &SetCookie) -> usize {
    cookie.name.len() + cookie.value.as_ref().map_or(0, String::len) + ATTRIBUTES
}

impl Gate {
    /// What is left for other logins in the answer that leads to `location` and sets `cookies`.
    pub(super) fn room_beside(location: &str, cookies: &[SetCookie]) -> usize {
        let taken = cookies.iter().map(size).fold(location.len(), usize::saturating_add);
        ANSWER_BYTES.saturating_sub(taken)
    }

    /// Begun logins to expire, so that with the new one at most five are left: those that nobody can finish first, then
    /// the oldest.
    pub(super) fn old_logins(&self, cookies: &Cookies<'_>, instance: &Instance, now: UnixTime) -> Vec<SetCookie> {
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

    /// Logins that this browser has under way, to expire: whoever comes to it next shall not finish one as who has left.
    pub(super) fn begun_here(&self, cookies: &Cookies<'_>) -> Vec<SetCookie> {
        let mut names: Vec<&str> = cookies.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        let logins = names.iter().filter(|name| self.names.login_handle(name).is_some());
        // A login that nobody here began, and that waits for a yes.
        let question = names.iter().filter(|name| **name == self.names.confirm());
        logins.map(|name| self.expire_login(name)).chain(question.map(|name| self.expire_cookie(name))).collect()
    }

    /// The other logins of this browser, to go on on top of `session`, which one of them (`finished`) has opened: whichever
    /// comes next ends it, as one that was begun now would. Otherwise of two that were begun together the first session
    /// would live on, with no browser that could end it.
    ///
    /// The newest first, in `room` bytes: an answer that a proxy finds too large logs nobody in. What is left out goes on as it
    /// was.
    pub(super) fn others_follow(
        &self,
        cookies: &Cookies<'_>,
        finished: Option<&str>,
        (session, room): (&Session, usize),
        now: UnixTime,
    ) -> Vec<SetCookie> {
        let others =
            cookies.iter().filter(|(name, _)| Some(*name) != finished && self.names.login_handle(name).is_some());
        let followed =
            others.take(LOGINS_IN_FLIGHT).filter_map(|(name, value)| self.follows(name, value, session, now));
        let mut followed: Vec<(UnixTime, SetCookie)> = followed.collect();
        followed.sort_by_key(|(issued_at, _)| std::cmp::Reverse(*issued_at));
        let mut left = room;
        let mut fits = |cookie: &SetCookie| left.checked_sub(size(cookie)).map(|rest| left = rest).is_some();
        followed.into_iter().map(|(_, cookie)| cookie).filter(|cookie| fits(cookie)).collect()
    }

    fn follows(&self, name: &str, value: &str, session: &Session, now: UnixTime) -> Option<(UnixTime, SetCookie)> {
        let mut state: LoginState = self.logins.open(name, value)?;
        let left = LOGIN_LIFETIME.checked_sub(now.since(state.issued_at)).filter(|left| !left.is_zero())?;
        // Whom a step-up waits for it still waits for.
        let same_subject = state.on_top_of.and_then(|on| on.same_subject);
        state.on_top_of = Some(StepUpFrom { session: session.id(), ends: session.ends(), same_subject });
        // What cannot be sealed goes on as it was.
        let value = self.logins.seal(name, &state, &*self.random).ok()?;
        Some((state.issued_at, self.set_cookie(name, value, Some(left), SameSite::None)))
    }
}
