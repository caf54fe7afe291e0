//! The memory of one process: good for a single replica.
//!
//! What this process sealed only this process accepts (`login_other_instance`), so an empty memory after a restart
//! lets no assertion pass twice.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;

use super::{Claim, FirstUse, ReplayError, ReplayGuard, ReplayKey};
use crate::base::{ByDigest, UnixTime};

/// Uses remembered at the same time. A login takes two, each kept for an hour at the most: 1,000,000 are 138 logins a
/// second without a pause, in about 50 MB. One by OpenID Connect has a third for its first seconds. Proofs of programs have as
/// many of their own.
pub const CAPACITY: usize = 1_000_000;

/// The fewest entries that a sweep is worth.
const SWEEP_FROM: usize = 1024;

/// A full memory is searched for ended entries no more often than this: the search is what a flood would make us pay.
const SWEEP_WHEN_FULL_EVERY: Duration = Duration::from_secs(1);

/// Uses in this process's memory.
pub struct MemoryGuard {
    used: DashMap<[u8; 16], UnixTime, ByDigest>,
    /// Entries, counting those that are being made.
    taken: AtomicUsize,
    capacity: usize,
    sweep: Mutex<Sweep>,
}

/// When to look for ended entries next.
struct Sweep {
    /// At so many entries: twice what the last sweep left, so that a use pays for a constant share of it.
    at: usize,
    /// When full, not before this.
    not_before: UnixTime,
}

impl Default for MemoryGuard {
    fn default() -> Self {
        Self::with_capacity(CAPACITY)
    }
}

impl MemoryGuard {
    /// A memory for so many uses.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            used: DashMap::default(),
            taken: AtomicUsize::new(0),
            capacity,
            sweep: Mutex::new(Sweep { at: SWEEP_FROM, not_before: UnixTime::from_millis(i64::MIN) }),
        }
    }

    /// Entries held now, ended ones that no sweep has met included.
    pub fn len(&self) -> usize {
        self.used.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.used.is_empty()
    }

    /// Takes room for `wanted` entries before any is made, so that racing callers never pass the bound together.
    fn reserve(&self, wanted: usize, now: UnixTime) -> Result<(), ReplayError> {
        let before = self.taken.fetch_add(wanted, Ordering::AcqRel);
        let full = before.saturating_add(wanted) > self.capacity;
        self.sweep_if_due(before, full, now);
        if full && self.taken.load(Ordering::Acquire) > self.capacity {
            self.taken.fetch_sub(wanted, Ordering::AcqRel);
            return Err(ReplayError::Full);
        }
        Ok(())
    }

    fn sweep_if_due(&self, held: usize, full: bool, now: UnixTime) {
        // One sweeper is enough; a poisoned lock holds nothing that a panic could have broken.
        let mut sweep = match self.sweep.try_lock() {
            Ok(sweep) => sweep,
            Err(std::sync::TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(std::sync::TryLockError::WouldBlock) => return,
        };
        if !(held >= sweep.at || full && now >= sweep.not_before) {
            return;
        }
        let mut ended = 0_usize;
        self.used.retain(|_, until| {
            let counts = *until >= now;
            ended += usize::from(!counts);
            counts
        });
        self.taken.fetch_sub(ended, Ordering::AcqRel);
        sweep.at = self.used.len().saturating_mul(2).max(SWEEP_FROM);
        sweep.not_before = now.plus(SWEEP_WHEN_FULL_EVERY);
    }

    /// Marks one key; true when it overwrote an ended entry, whose room it takes.
    fn mark(&self, key: &ReplayKey, until: UnixTime, now: UnixTime) -> Result<bool, ReplayError> {
        match self.used.entry(*key.digest()) {
            Entry::Vacant(free) => {
                free.insert(until);
                Ok(false)
            }
            Entry::Occupied(mut there) if *there.get() < now => {
                there.insert(until);
                Ok(true)
            }
            Entry::Occupied(_) => Err(key.refused()),
        }
    }

    fn consume_now(&self, keys: &[ReplayKey], until: UnixTime, now: UnixTime) -> Result<FirstUse, ReplayError> {
        self.reserve(keys.len(), now)?;
        let mut unused = keys.len();
        let mut done: Vec<&ReplayKey> = Vec::with_capacity(keys.len());
        for key in keys {
            match self.mark(key, until, now) {
                Ok(overwrote) => {
                    unused -= usize::from(!overwrote);
                    done.push(key);
                }
                Err(refused) => {
                    // Back to how it was. Someone who met one of these marks meanwhile was refused: an error on the
                    // safe side, and only when two different logins present the same assertion at once.
                    let removed = done
                        .iter()
                        .filter(|key| self.used.remove_if(key.digest(), |_, at| *at == until).is_some())
                        .count();
                    self.taken.fetch_sub(unused + removed, Ordering::AcqRel);
                    return Err(refused);
                }
            }
        }
        self.taken.fetch_sub(unused, Ordering::AcqRel);
        Ok(FirstUse::new(now))
    }

    fn is_used(&self, key: &ReplayKey, now: UnixTime) -> bool {
        self.used.get(key.digest()).is_some_and(|until| *until >= now)
    }

    fn claim_now(
        &self,
        keys: &[ReplayKey],
        unless: &[ReplayKey],
        until: UnixTime,
        now: UnixTime,
    ) -> Result<Claim, ReplayError> {
        let free = || unless.iter().find(|key| self.is_used(key, now)).map_or(Ok(()), |used| Err(used.refused()));
        free()?;
        drop(self.consume_now(keys, until, now)?);
        let claim = Claim { keys: keys.to_vec(), until };
        // And again now that the claim is in force: whoever had it before has marked these by now, or never will.
        free().inspect_err(|_| self.release_now(&claim))?;
        Ok(claim)
    }

    fn release_now(&self, claim: &Claim) {
        let mine = |until: &UnixTime| *until == claim.until;
        let removed =
            claim.keys.iter().filter(|key| self.used.remove_if(key.digest(), |_, until| mine(until)).is_some()).count();
        self.taken.fetch_sub(removed, Ordering::AcqRel);
    }
}

impl ReplayGuard for MemoryGuard {
    async fn consume(&self, keys: &[ReplayKey], until: UnixTime, now: UnixTime) -> Result<FirstUse, ReplayError> {
        self.consume_now(keys, until, now)
    }

    async fn claim(
        &self,
        keys: &[ReplayKey],
        unless: &[ReplayKey],
        life: Duration,
        now: UnixTime,
    ) -> Result<Claim, ReplayError> {
        self.claim_now(keys, unless, now.plus(life), now)
    }

    async fn release(&self, claim: Claim) {
        self.release_now(&claim);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::{Arc, Barrier};

    use super::*;
    use crate::base::Secret;
    use crate::crypto::digest::HmacKey;

    #[test]
    fn racing_threads_have_one_winner() {
        let digest = HmacKey::new(&Secret::new([3; 32]));
        for round in 0..50 {
            let guard = Arc::new(MemoryGuard::default());
            let keys = [
                ReplayKey::assertion(&digest, "https://idp.example.se", &format!("_{round}")),
                ReplayKey::login(&digest, &format!("h{round}")),
            ];
            let start = Arc::new(Barrier::new(8));
            let racers: Vec<_> = (0..8)
                .map(|_| {
                    let (guard, start) = (Arc::clone(&guard), Arc::clone(&start));
                    std::thread::spawn(move || {
                        start.wait();
                        guard.consume_now(&keys, UnixTime::from_secs(100), UnixTime::from_secs(10)).is_ok()
                    })
                })
                .collect();
            let winners = racers.into_iter().map(|r| r.join().unwrap()).filter(|won| *won).count();
            assert_eq!(winners, 1);
            assert_eq!(guard.len(), 2);
            assert_eq!(guard.taken.load(Ordering::Acquire), 2);
        }
    }

    #[test]
    fn racing_threads_never_pass_the_bound() {
        let digest = HmacKey::new(&Secret::new([3; 32]));
        let guard = Arc::new(MemoryGuard::with_capacity(100));
        let start = Arc::new(Barrier::new(8));
        let racers: Vec<_> = (0..8)
            .map(|racer| {
                let (guard, start) = (Arc::clone(&guard), Arc::clone(&start));
                let keys: Vec<_> = (0..50).map(|n| ReplayKey::login(&digest, &format!("{racer}-{n}"))).collect();
                std::thread::spawn(move || {
                    start.wait();
                    let now = UnixTime::from_secs(10);
                    keys.iter().filter(|key| guard.consume_now(&[**key], UnixTime::from_secs(99), now).is_ok()).count()
                })
            })
            .collect();
        let accepted: usize = racers.into_iter().map(|r| r.join().unwrap()).sum();
        assert!((90..=100).contains(&accepted), "{accepted}");
        assert_eq!(guard.len(), accepted);
        assert_eq!(guard.taken.load(Ordering::Acquire), accepted);
    }

    #[test]
    fn ended_entries_leave_in_time() {
        let digest = HmacKey::new(&Secret::new([3; 32]));
        let guard = MemoryGuard::with_capacity(1_000_000);
        for n in 0..20_000 {
            let now = UnixTime::from_secs(n);
            let key = ReplayKey::login(&digest, &n.to_string());
            assert!(guard.consume_now(&[key], now.plus(Duration::from_secs(100)), now).is_ok());
        }
        assert!(guard.len() <= 2 * SWEEP_FROM, "{}", guard.len());
    }
}
