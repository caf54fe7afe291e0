//! Sessions that ended before their time: a copied cookie is dead after logout.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::base::UnixTime;
use crate::crypto::digest::{NoRandomness, Random, random_bytes};

/// A session's random handle: what `X-Eid-Session` says, and never the cookie's value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SessionId([u8; 16]);

impl SessionId {
    /// A new one: 128 random bits.
    ///
    /// # Errors
    /// [`NoRandomness`] when the source fails.
    pub fn new(random: &dyn Random) -> Result<Self, NoRandomness> {
        random_bytes(random).map(Self)
    }
}

impl SessionId {
    /// Its bytes.
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }
}

impl fmt::Display for SessionId {
    /// base64url without padding, 22 characters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64_simd::URL_SAFE_NO_PAD.encode_to_string(self.0))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The fewest entries that a sweep is worth.
const SWEEP_FROM: usize = 1024;

/// Ended sessions, each kept until its cookie could not open anything any more.
///
/// It has no bound of its own: an entry costs a verified login, so it never outgrows the logins of one lifetime.
pub struct Revoked {
    ids: DashMap<SessionId, UnixTime>,
    sweep_at: AtomicUsize,
    /// Wakes those who hold on to something that a session opened.
    changed: watch::Sender<()>,
}

impl Default for Revoked {
    fn default() -> Self {
        Self { ids: DashMap::new(), sweep_at: AtomicUsize::new(SWEEP_FROM), changed: watch::Sender::new(()) }
    }
}

impl Revoked {
    /// Ends `session`, whose absolute end is `until`.
    pub fn revoke(&self, session: SessionId, until: UnixTime, now: UnixTime) {
        if self.ids.len() >= self.sweep_at.load(Ordering::Relaxed) {
            self.ids.retain(|_, until| *until >= now);
            self.sweep_at.store(self.ids.len().saturating_mul(2).max(SWEEP_FROM), Ordering::Relaxed);
        }
        self.ids.insert(session, until);
        self.changed.send_replace(());
    }

    /// Waits until the next session is ended.
    pub async fn changed(&self) {
        // The sender is `self`: it cannot go away meanwhile.
        let _ = self.changed.subscribe().changed().await;
    }

    /// Whether `session` was ended.
    pub fn contains(&self, session: SessionId) -> bool {
        self.ids.contains_key(&session)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::crypto::digest::SystemRandom;

    #[test]
    fn an_ended_session_stays_ended_until_its_own_end() {
        let revoked = Revoked::default();
        let random = SystemRandom::new();
        let kept = SessionId::new(&random).unwrap();
        revoked.revoke(kept, UnixTime::from_secs(10_000), UnixTime::from_secs(0));
        for n in 0..5_000 {
            let now = UnixTime::from_secs(n);
            revoked.revoke(SessionId::new(&random).unwrap(), UnixTime::from_secs(n + 1), now);
        }
        assert!(revoked.contains(kept));
        assert!(!revoked.contains(SessionId::new(&random).unwrap()));
        assert!(revoked.ids.len() <= 2 * SWEEP_FROM, "{}", revoked.ids.len());
    }
}
