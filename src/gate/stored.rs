//! Sessions too large for a cookie: what they hold is in the shared store, sealed, and the cookie names it.
//!
//! What was fetched is kept here, so that a request asks the store only when this replica meets the session for the first
//! time. Its cookie begins with a mark, so that a request without such a session pays for no more than a look at it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dashmap::DashMap;

use super::{Cookies, Denial, Gate, SetCookie};
use crate::base::UnixTime;
use crate::base::limits::SESSION_COOKIE_BYTES;
use crate::replay::{ReplayError, SessionId};
use crate::session::{Fields, SealError, Session};

/// Before the text of a cookie whose fields are in the store: no letter of base64url.
const MARK: char = '~';

/// Sessions whose fields are kept here, at some 3 KB each. Beyond it they are fetched again: nobody is refused.
const CAPACITY: usize = 4096;

/// A session that the store does not have is not asked for again at once.
const ABSENT: Duration = Duration::from_secs(5);

/// The sealed text of a session's cookie.
pub(super) fn bare(text: &str) -> &str {
    text.strip_prefix(MARK).unwrap_or(text)
}

/// The text of a session's cookie.
pub(super) fn marked(sealed: String, session: &Session) -> String {
    if session.is_in_store() { format!("{MARK}{sealed}") } else { sealed }
}

/// Fields by session; none where the store has none. Each until its instant.
#[derive(Default)]
pub(super) struct Fetched {
    kept: DashMap<SessionId, (UnixTime, Option<Arc<Fields>>)>,
    held: AtomicUsize,
}

impl Fetched {
    /// Sessions that are kept.
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    fn get(&self, id: SessionId, now: UnixTime) -> Option<Option<Arc<Fields>>> {
        self.kept.get(&id).filter(|entry| now < entry.0).map(|entry| entry.1.clone())
    }

    fn put(&self, id: SessionId, fields: Option<Arc<Fields>>, until: UnixTime, now: UnixTime) {
        if self.held.load(Ordering::Relaxed) >= CAPACITY {
            self.kept.retain(|_, (until, _)| now < *until);
            if self.kept.len() >= CAPACITY {
                self.kept.clear();
            }
            self.held.store(self.kept.len(), Ordering::Relaxed);
        }
        if self.kept.insert(id, (until, fields)).is_none() {
            self.held.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Gate {
    /// Whether [`Gate::fetch_session`] may have anything to do.
    pub fn may_lack_fields(&self, cookies: &Cookies<'_>) -> bool {
        cookies.all(self.names.session()).any(|text| text.starts_with(MARK))
    }

    /// Fetches what the session among `cookies` holds in the store, where that is needed and not here yet: before any
    /// decision on a request. It never refuses: a decision that needs what could not be fetched does.
    pub async fn fetch_session(&self, cookies: &Cookies<'_>) {
        let now = self.clock.now();
        let Some(session) = self.held_session(cookies, now).filter(Session::lacks_fields) else { return };
        let id = session.id();
        let caches = &self.telemetry.metrics().caches;
        if self.fetched.get(id, now).is_some() {
            caches.sessions.hits.inc();
            return;
        }
        caches.sessions.misses.inc();
        match self.lasting.store.fetch(id).await {
            Ok(Some(sealed)) => {
                let fields = self.stored.open_bytes::<Fields>(id.bytes(), sealed).map(Arc::new);
                let until = if fields.is_some() { session.ends() } else { now.plus(ABSENT) };
                self.fetched.put(id, fields, until, now);
            }
            Ok(None) => self.fetched.put(id, None, now.plus(ABSENT), now),
            Err(_) => {}
        }
    }

    /// [`Gate::held_session`] with its fields. A session whose fields the store does not have is none.
    ///
    /// # Errors
    /// `StoreDown` when nobody could say what it holds.
    pub(super) fn live_session(&self, cookies: &Cookies<'_>, now: UnixTime) -> Result<Option<Session>, Denial> {
        match self.held_session(cookies, now) {
            Some(session) if session.lacks_fields() => match self.fetched.get(session.id(), now) {
                Some(fields) => Ok(fields.map(|fields| session.with_fields(fields))),
                None => Err(Denial::StoreDown(ReplayError::Unavailable)),
            },
            session => Ok(session),
        }
    }

    /// The cookie of a session that begins. What is too large for it goes to the store, where there is one; with the
    /// memory of one process it stays, as far as browsers keep it.
    pub(super) async fn new_session_cookie(&self, session: &Session, now: UnixTime) -> Result<SetCookie, Denial> {
        let cookie = self.session_cookie(session);
        let fits = matches!(&cookie, Ok(SetCookie { value: Some(text), .. }) if text.len() <= SESSION_COOKIE_BYTES);
        let moved = if fits || !self.lasting.store.keeps_sessions() { None } else { session.clone().into_store() };
        let Some((session, fields)) = moved else {
            return cookie.map_err(|error| match error {
                SealError::TooLarge => self.internal(&"what the routes keep of this person is too large for a cookie"),
                error => self.internal(&error),
            });
        };
        let id = session.id();
        let internal = |error: SealError| self.internal(&error);
        let sealed = self.stored.seal_bytes(id.bytes(), &*fields, &*self.random).map_err(internal)?;
        self.lasting.store.keep(id, &sealed, session.ends(), now).await.map_err(Denial::StoreDown)?;
        self.fetched.put(id, Some(fields), session.ends(), now);
        self.session_cookie(&session).map_err(internal)
    }
}
