//! Sessions that ended before their time, as this process knows them: a copied cookie is dead after logout.
//!
//! With a shared store this is the local copy that keeps every request off the network; who keeps it up to date is
//! `replay::shared`.

use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use tokio::sync::watch;

use super::{Ended, Mark, Marks, ProviderMark};
use crate::base::{ByDigest, UnixTime};

/// The fewest entries that a sweep is worth.
const SWEEP_FROM: usize = 1024;

/// Orders that sessions are over, each kept until none of its sessions could be alive any more.
///
/// It has no bound of its own: an entry costs a verified login or a provider's signature, so it never outgrows the
/// logins of one lifetime.
pub struct Revoked {
    ended: DashMap<Mark, (UnixTime, UnixTime), ByDigest>,
    /// Entries by what a provider calls a session: while there are none, none are looked for.
    by_provider: AtomicUsize,
    sweep_at: AtomicUsize,
    /// Wakes those who hold on to something that a session opened.
    changed: watch::Sender<()>,
}

impl Default for Revoked {
    fn default() -> Self {
        Self {
            ended: DashMap::default(),
            by_provider: AtomicUsize::new(0),
            sweep_at: AtomicUsize::new(SWEEP_FROM),
            changed: watch::Sender::new(()),
        }
    }
}

impl Revoked {
    /// Takes orders in, and wakes who waits for one that was new.
    pub fn take_in(&self, orders: impl IntoIterator<Item = Ended>, now: UnixTime) {
        if self.ended.len() >= self.sweep_at.load(Ordering::Relaxed) {
            self.sweep(now);
        }
        let mut news = false;
        for order in orders.into_iter().filter(|order| order.until >= now) {
            news |= self.insert(order);
        }
        if news {
            self.changed.send_replace(());
        }
    }

    fn sweep(&self, now: UnixTime) {
        let mut gone = 0;
        self.ended.retain(|mark, (_, until)| {
            let counts = *until >= now;
            gone += usize::from(!counts && mark.is_of_provider());
            counts
        });
        self.by_provider.fetch_sub(gone, Ordering::Relaxed);
        self.sweep_at.store(self.ended.len().saturating_mul(2).max(SWEEP_FROM), Ordering::Relaxed);
    }

    /// True when something ends by it that had not.
    fn insert(&self, order: Ended) -> bool {
        match self.ended.entry(order.mark) {
            Entry::Vacant(free) => {
                free.insert((order.at, order.until));
                let by_provider = usize::from(order.mark.is_of_provider());
                self.by_provider.fetch_add(by_provider, Ordering::Relaxed);
                true
            }
            Entry::Occupied(mut there) => {
                let (at, until) = there.get_mut();
                let later = order.at > *at && order.mark.is_of_provider();
                *at = order.at.max(*at);
                *until = order.until.max(*until);
                later
            }
        }
    }

    /// Whether a session with these marks is over, whose login at the provider was at `authenticated_at`, by the
    /// provider's clock.
    pub fn contains(&self, marks: &Marks, authenticated_at: UnixTime) -> bool {
        if self.ended.contains_key(&Mark::Session(marks.session)) {
            return true;
        }
        if self.by_provider.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let until = |mark, instant| self.ended.get(&mark).is_some_and(|order| instant <= order.0);
        marks.at_provider.iter().any(|mark| until(Mark::AtProvider(*mark), marks.opened))
            || self.ends_login(&marks.at_provider, authenticated_at)
    }

    /// Whether the provider has ended a login, of which no session was opened yet.
    pub fn ends_login(&self, at_provider: &[ProviderMark], authenticated_at: UnixTime) -> bool {
        at_provider.iter().any(|mark| {
            let order = self.ended.get(&Mark::LoginAtProvider(*mark));
            order.is_some_and(|order| authenticated_at <= order.0)
        })
    }

    /// Whether an order is known, or one that says the same and more.
    pub(in crate::replay) fn knows(&self, order: &Ended) -> bool {
        self.ended.get(&order.mark).is_some_and(|known| known.0 >= order.at && known.1 >= order.until)
    }

    /// Waits until the next session is ended.
    pub async fn changed(&self) {
        // The sender is `self`: it cannot go away meanwhile.
        let _ = self.changed.subscribe().changed().await;
    }

    /// Entries held now, ended ones that no sweep has met included.
    pub fn len(&self) -> usize {
        self.ended.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.ended.is_empty()
    }

    /// Every order that still counts at `now`.
    pub(in crate::replay) fn all(&self, now: UnixTime) -> Vec<Ended> {
        let orders = self.ended.iter().map(|entry| Ended { mark: *entry.key(), at: entry.0, until: entry.1 });
        orders.filter(|order| order.until >= now).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::base::Secret;
    use crate::crypto::digest::{HmacKey, SystemRandom};
    use crate::replay::SessionId;

    fn session(opened: i64, at_provider: &[ProviderMark]) -> Marks {
        Marks {
            session: SessionId::new(&SystemRandom::new()).unwrap(),
            opened: UnixTime::from_secs(opened),
            at_provider: at_provider.to_vec(),
        }
    }

    /// Of a login at the provider that was long ago.
    const LONG_AGO: UnixTime = UnixTime::from_secs(-1);

    fn order(mark: Mark, at: i64, until: i64) -> Ended {
        Ended { mark, at: UnixTime::from_secs(at), until: UnixTime::from_secs(until) }
    }

    #[test]
    fn an_ended_session_stays_ended_until_its_own_end() {
        let revoked = Revoked::default();
        let kept = session(0, &[]);
        revoked.take_in([order(Mark::Session(kept.session), 0, 10_000)], UnixTime::from_secs(0));
        for n in 0..5_000 {
            let other = session(n, &[]);
            revoked.take_in([order(Mark::Session(other.session), n, n + 1)], UnixTime::from_secs(n));
        }
        assert!(revoked.contains(&kept, LONG_AGO));
        assert!(!revoked.contains(&session(0, &[]), LONG_AGO));
        assert!(revoked.len() <= 2 * SWEEP_FROM, "{}", revoked.len());
    }

    #[test]
    fn a_provider_ends_what_was_opened_until_then() {
        let key = HmacKey::new(&Secret::new([9; 32]));
        let (sub, sid) = (ProviderMark::sub(&key, "i", "someone"), ProviderMark::sid(&key, "i", "1"));
        let revoked = Revoked::default();
        let now = UnixTime::from_secs(100);
        let (before, after) = (session(100, &[sub, sid]), session(101, &[sub, sid]));
        assert!(!revoked.contains(&before, LONG_AGO));
        revoked.take_in([order(Mark::AtProvider(sub), 100, 1_000)], now);
        assert!(
            revoked.contains(&before, LONG_AGO) && !revoked.contains(&after, LONG_AGO),
            "a later login is not meant"
        );
        assert!(!revoked.contains(&session(50, &[ProviderMark::sub(&key, "i", "another")]), LONG_AGO));
        // An older order that comes late takes nothing back.
        revoked.take_in([order(Mark::AtProvider(sub), 10, 500)], now);
        assert!(revoked.contains(&before, LONG_AGO));
        revoked.take_in([order(Mark::AtProvider(sid), 200, 1_000)], now);
        assert!(revoked.contains(&after, LONG_AGO));
        revoked.sweep(UnixTime::from_secs(2_000));
        assert!(revoked.is_empty() && revoked.by_provider.load(Ordering::Relaxed) == 0);
    }

    #[test]
    fn an_answer_that_was_on_its_way_when_the_order_came_opens_nothing() {
        let key = HmacKey::new(&Secret::new([9; 32]));
        let (named, other) = (ProviderMark::sid(&key, "i", "1"), ProviderMark::sid(&key, "i", "2"));
        let revoked = Revoked::default();
        revoked.take_in([order(Mark::LoginAtProvider(named), 100, 1_000)], UnixTime::from_secs(500));
        // Opened after the order came, by a clock that goes 400 seconds ahead of the provider's.
        let late = session(600, &[named]);
        for (authenticated_at, over) in [(99, true), (100, true), (101, false)] {
            let at = UnixTime::from_secs(authenticated_at);
            assert_eq!(revoked.contains(&late, at), over, "{authenticated_at}");
            assert_eq!(revoked.ends_login(&[named], at), over, "{authenticated_at}");
            assert!(!revoked.ends_login(&[other], at), "{authenticated_at}");
        }
        revoked.sweep(UnixTime::from_secs(2_000));
        assert!(revoked.is_empty() && revoked.by_provider.load(Ordering::Relaxed) == 0);
    }

    #[tokio::test]
    async fn only_news_wakes() {
        let revoked = Revoked::default();
        let mut woken = revoked.changed.subscribe();
        let (mark, now) = (Mark::Session(session(0, &[]).session), UnixTime::from_secs(1));
        revoked.take_in([order(mark, 1, 10)], now);
        assert!(woken.has_changed().unwrap());
        woken.mark_unchanged();
        revoked.take_in([order(mark, 2, 10)], now);
        revoked.take_in([order(Mark::Session(session(0, &[]).session), 0, 0)], now);
        assert!(!woken.has_changed().unwrap(), "known already, or over anyway");
    }
}
