//! A login that nobody here began: the person says who is logging in before there is a session.
//!
//! Otherwise a stranger could log someone into the stranger's own account, and read later what was entered there.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Confirm, ConfirmLogin, Denial, Gate, LoginDone, Refusal, SameSite};
use crate::base::UnixTime;
use crate::crypto::digest::random_bytes;
use crate::session::codec::whole;
use crate::session::live::SessionForm1;
use crate::session::{Locale, Sealed, Session};
use crate::verify::Reason;

/// How long the question stands.
const WAITS: Duration = Duration::from_secs(10 * 60);

/// A session that waits for a yes, sealed under a key of its own: no request is let through with it.
#[derive(Serialize, Deserialize)]
pub(super) struct Pending {
    /// What the form must hold: the page's, so that no other page can answer.
    token: [u8; 16],
    session: Session,
    rd: String,
    locale: Locale,
    until: UnixTime,
}

impl Sealed for Pending {
    const FORM: u8 = 2;

    fn read_before(body: &[u8]) -> Option<Self> {
        /// With a session of the form before.
        #[derive(Deserialize)]
        struct Before {
            token: [u8; 16],
            session: SessionForm1,
            rd: String,
            locale: Locale,
            until: UnixTime,
        }
        let Before { token, session, rd, locale, until } = whole(body)?;
        Some(Self { token, session: session.into(), rd, locale, until })
    }
}

impl Pending {
    /// A question that stands from `now` on.
    pub(super) fn new(session: Session, rd: String, locale: Locale, now: UnixTime) -> Self {
        Self { token: [0; 16], session, rd, locale, until: now.plus(WAITS) }
    }
}

impl Gate {
    pub(super) fn confirm_page(
        &self,
        mut pending: Pending,
        name: Option<String>,
        label: String,
    ) -> Result<LoginDone, Denial> {
        pending.token = random_bytes(&*self.random).map_err(|error| self.internal(&error))?;
        let cookie = self.names.confirm();
        let value = self.confirmations.seal(cookie, &pending, &*self.random).map_err(|error| self.internal(&error))?;
        let set_cookies = vec![self.set_cookie(cookie, value, Some(WAITS), SameSite::Lax)];
        let token = base64_simd::URL_SAFE_NO_PAD.encode_to_string(pending.token);
        Ok(LoginDone::Confirm(Box::new(Confirm { token, name, label, set_cookies })))
    }

    /// The person has said who is logging in, after [`LoginDone::Confirm`].
    ///
    /// `http` must have made sure that the form came from our own origin.
    ///
    /// # Errors
    /// `state_missing`, `state_invalid` or `state_expired`.
    pub async fn confirm_login(&self, confirm: ConfirmLogin<'_>) -> Result<LoginDone, Refusal> {
        let now = self.clock.now();
        let name = self.names.confirm();
        let mut held = confirm.cookies.all(name).take(4).peekable();
        if held.peek().is_none() {
            return Err(self.refuse_state(Reason::StateMissing, "the browser holds no question to answer", None));
        }
        let Some(pending) = held.find_map(|text| self.confirmations.open::<Pending>(name, text)) else {
            return Err(self.refuse_state(Reason::StateInvalid, "the question's cookie does not open", None));
        };
        if base64_simd::URL_SAFE_NO_PAD.encode_to_string(pending.token) != confirm.token {
            let detail = "the answer is to another question";
            return Err(self.refuse_state(Reason::StateInvalid, detail, Some(pending.locale)));
        }
        // Whoever has left this browser may still be known at the provider: the next one here says yes to nothing in their name.
        if self.must_be_fresh(&confirm.cookies) {
            let detail = "somebody has logged out in this browser: it takes a login that was begun here";
            let refusal = self.refuse_state(Reason::AuthnTooOld, detail, Some(pending.locale));
            return Err(Refusal { retry: Some(pending.rd), set_cookies: vec![self.expire_cookie(name)], ..refusal });
        }
        if now >= pending.until || self.is_ended(&pending.session) {
            let detail = "the question was asked too long ago";
            return Err(self.refuse_state(Reason::StateExpired, detail, Some(pending.locale)));
        }
        let session = pending.session.touched(now);
        let cookie = match self.new_session_cookie(&session, now).await {
            Ok(cookie) => cookie,
            Err(denial) => return Err(self.refuse(denial, &super::finish::Context::default())),
        };
        for old in self.lingering(&confirm.cookies, now).iter().filter(|old| old.id() != session.id()) {
            // Where it could not be filed yet it will be: the new session need not wait for it.
            let _ = self.end_session(old.id(), old.ends(), now, "new login").await;
        }
        self.tell_finished(&session, &pending.rd, None);
        let mut set_cookies = vec![cookie, self.remember_eid(&session), self.expire_cookie(name)];
        let room = Self::room_beside(&pending.rd, &set_cookies);
        set_cookies.extend(self.others_follow(&confirm.cookies, None, (&session, room), now));
        Ok(LoginDone::SignedIn { location: pending.rd, set_cookies })
    }
}
