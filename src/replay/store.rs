//! What is remembered of logins and sessions, whoever remembers it.

use std::sync::Arc;
use std::time::Duration;

use super::memory::CAPACITY;
use super::shared::{CLOCKS_APART, PutDown, Shared, StoreStatus};
use super::{
    Claim, FirstUse, Instance, Line, MemoryGuard, Order, ReplayError, ReplayGuard as _, ReplayKey, Revoked, SessionId,
};
use crate::base::UnixTime;
use crate::crypto::digest::{NoRandomness, Random};

/// This process's own memory, or one that every replica shares.
pub struct Store(Kind);

enum Kind {
    /// Of `proofs`, which come with every request of a program, room of their own: logins do not wait for programs.
    Memory {
        used: MemoryGuard,
        proofs: MemoryGuard,
        revoked: Revoked,
        line: Line,
    },
    Shared(Arc<Shared>),
}

impl Store {
    /// The memory of a process that starts at `now`.
    ///
    /// # Errors
    /// [`NoRandomness`] when the source fails.
    pub fn memory(random: &dyn Random, now: UnixTime) -> Result<Self, NoRandomness> {
        Self::memory_of(random, now, CAPACITY)
    }

    fn memory_of(random: &dyn Random, now: UnixTime, capacity: usize) -> Result<Self, NoRandomness> {
        let line = Line { instance: Instance::new(random)?, since: now };
        let [used, proofs] = [(); 2].map(|()| MemoryGuard::with_capacity(capacity));
        Ok(Self(Kind::Memory { used, proofs, revoked: Revoked::default(), line }))
    }

    /// A store that every replica shares.
    pub const fn shared(shared: Arc<Shared>) -> Self {
        Self(Kind::Shared(shared))
    }

    /// The memory in force: what a login is begun under.
    ///
    /// # Errors
    /// [`ReplayError::Unavailable`] when the store cannot be reached.
    pub async fn line(&self) -> Result<Line, ReplayError> {
        match &self.0 {
            Kind::Memory { line, .. } => Ok(*line),
            Kind::Shared(shared) => shared.line().await,
        }
    }

    /// The last instant, by the clock of any replica, at which something could be used that `line` does not know of.
    pub fn knows_after(&self, line: &Line) -> UnixTime {
        match &self.0 {
            Kind::Memory { .. } => line.since,
            Kind::Shared(_) => line.since.plus(CLOCKS_APART),
        }
    }

    /// Marks `keys` as used, for what was begun under `instance`.
    ///
    /// # Errors
    /// As [`super::ReplayGuard::consume`], and [`ReplayError::OtherInstance`] when another memory is in force.
    pub async fn consume(
        &self,
        keys: &[ReplayKey],
        instance: &Instance,
        until: UnixTime,
        now: UnixTime,
    ) -> Result<FirstUse, ReplayError> {
        match &self.0 {
            Kind::Memory { line, .. } if line.instance != *instance => Err(ReplayError::OtherInstance),
            Kind::Memory { proofs, .. } if keys.iter().all(ReplayKey::is_of_program) => {
                proofs.consume(keys, until, now).await
            }
            Kind::Memory { used, .. } => used.consume(keys, until, now).await,
            Kind::Shared(shared) => shared.consume(keys, instance, until, now).await,
        }
    }

    /// Takes `keys` for `life`, unless one of `unless` is used, for what was begun under `instance`.
    ///
    /// # Errors
    /// As [`super::ReplayGuard::claim`], and [`ReplayError::OtherInstance`] when another memory is in force.
    pub async fn claim(
        &self,
        keys: &[ReplayKey],
        unless: &[ReplayKey],
        instance: &Instance,
        life: Duration,
        now: UnixTime,
    ) -> Result<Claim, ReplayError> {
        match &self.0 {
            Kind::Memory { line, .. } if line.instance != *instance => Err(ReplayError::OtherInstance),
            Kind::Memory { used, .. } => used.claim(keys, unless, life, now).await,
            Kind::Shared(shared) => shared.claim(keys, unless, instance, life, now).await,
        }
    }

    /// Lets a claim go before its time.
    pub async fn release(&self, claim: Claim) {
        match &self.0 {
            Kind::Memory { used, .. } => used.release(claim).await,
            Kind::Shared(shared) => shared.release(claim).await,
        }
    }

    /// Ends sessions. Here at once.
    ///
    /// # Errors
    /// When other replicas cannot be told yet. They will be.
    pub async fn end(&self, orders: &[Order], now: UnixTime) -> Result<(), ReplayError> {
        match &self.0 {
            Kind::Memory { revoked, .. } => {
                revoked.take_in(orders.iter().map(|order| order.given(now)), now);
                Ok(())
            }
            Kind::Shared(shared) => shared.end(orders, now).await,
        }
    }

    /// Ends sessions here, and everywhere by [`Self::end_with`], or a moment later where nobody calls it. For orders that may
    /// come more than once: one that is known is not filed again.
    pub fn put_down_once(&self, orders: &[Order], now: UnixTime) -> PutDown {
        match &self.0 {
            Kind::Memory { revoked, .. } => {
                revoked.take_in(orders.iter().map(|order| order.given(now)), now);
                PutDown::default()
            }
            Kind::Shared(shared) => shared.put_down_once(orders, now),
        }
    }

    /// As [`Self::end`], together with what was put down before.
    ///
    /// # Errors
    /// As there.
    pub async fn end_with(&self, put: PutDown, orders: &[Order], now: UnixTime) -> Result<(), ReplayError> {
        match &self.0 {
            Kind::Memory { .. } => self.end(orders, now).await,
            Kind::Shared(shared) => shared.file(put.and(shared.put_down(orders, now))).await,
        }
    }

    /// Ended sessions as they are known here: what every request asks.
    pub fn revoked(&self) -> &Revoked {
        match &self.0 {
            Kind::Memory { revoked, .. } => revoked,
            Kind::Shared(shared) => shared.revoked(),
        }
    }

    /// Uses remembered in this process, of logins or of programs' proofs, whichever are more; none where they are in a
    /// shared store.
    pub fn remembered(&self) -> usize {
        match &self.0 {
            Kind::Memory { used, proofs, .. } => used.len().max(proofs.len()),
            Kind::Shared(_) => 0,
        }
    }

    /// Whether sessions may have been ended elsewhere that are not known here to be.
    pub fn is_stale(&self) -> bool {
        match &self.0 {
            Kind::Memory { .. } => false,
            Kind::Shared(shared) => shared.is_stale(),
        }
    }

    /// Whether a process that has just started had better wait: until it has seen who has logged out, or for a few seconds.
    pub fn awaits_first_look(&self) -> bool {
        match &self.0 {
            Kind::Memory { .. } => false,
            Kind::Shared(shared) => shared.awaits_first_look(),
        }
    }

    /// Orders that sessions are over which only this process knows.
    pub fn unfiled(&self) -> usize {
        match &self.0 {
            // Nobody else is to be told.
            Kind::Memory { .. } => 0,
            Kind::Shared(shared) => shared.unfiled(),
        }
    }

    /// Whether it keeps what is too large for a cookie.
    pub const fn keeps_sessions(&self) -> bool {
        matches!(self.0, Kind::Shared(_))
    }

    /// Keeps what a session holds, sealed by the caller, until the session's end.
    ///
    /// # Errors
    /// [`ReplayError`] when it could not be kept. The memory of one process keeps none.
    pub async fn keep(&self, id: SessionId, sealed: &[u8], until: UnixTime, now: UnixTime) -> Result<(), ReplayError> {
        match &self.0 {
            Kind::Memory { .. } => Err(ReplayError::Unavailable),
            Kind::Shared(shared) => shared.keep(id, sealed, until, now).await,
        }
    }

    /// What [`Self::keep`] kept; none when it is not there.
    ///
    /// # Errors
    /// [`ReplayError`] when the store cannot say.
    pub async fn fetch(&self, id: SessionId) -> Result<Option<Vec<u8>>, ReplayError> {
        match &self.0 {
            Kind::Memory { .. } => Ok(None),
            Kind::Shared(shared) => shared.fetch(id).await,
        }
    }

    /// The store that replicas share, where there is one.
    pub const fn as_shared(&self) -> Option<&Arc<Shared>> {
        match &self.0 {
            Kind::Memory { .. } => None,
            Kind::Shared(shared) => Some(shared),
        }
    }

    /// How a shared store does; none for the memory of one process.
    pub fn status(&self) -> Option<StoreStatus> {
        match &self.0 {
            Kind::Memory { .. } => None,
            Kind::Shared(shared) => Some(shared.status()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::base::Secret;
    use crate::crypto::digest::{HmacKey, SystemRandom};

    /// A program that makes a new proof for each request, as it must, fills its own room and nobody else's.
    #[tokio::test]
    async fn proofs_of_programs_leave_logins_their_room() {
        let (now, until) = (UnixTime::from_secs(100), UnixTime::from_secs(200));
        let store = Store::memory_of(&SystemRandom::new(), now, 4).unwrap();
        let (key, line) = (HmacKey::new(&Secret::new([3; 32])), store.line().await.unwrap());
        let use_it = async |one: ReplayKey| store.consume(&[one], &line.instance, until, now).await.map(drop);
        assert_eq!(use_it(ReplayKey::proof(&key, "0")).await, Ok(()));
        assert_eq!(use_it(ReplayKey::proof(&key, "0")).await, Err(ReplayError::Replayed));
        for n in 1..4 {
            assert_eq!(use_it(ReplayKey::proof(&key, &n.to_string())).await, Ok(()));
        }
        assert_eq!(use_it(ReplayKey::proof(&key, "4")).await, Err(ReplayError::Full));
        assert_eq!(store.remembered(), 4);
        assert_eq!(use_it(ReplayKey::assertion(&key, "https://idp.example.se", "_1")).await, Ok(()));
        let claimed = [ReplayKey::exchange(&key, "h")];
        let claim = store.claim(&claimed, &[], &line.instance, Duration::from_secs(20), now).await;
        assert!(claim.is_ok());
        assert_eq!(use_it(ReplayKey::login(&key, "h")).await, Ok(()));
    }
}
