//! What is remembered of logins and sessions, whoever remembers it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::memory::CAPACITY;
use super::shared::{CLOCKS_APART, FaultKind, PutDown, Shared, StoreFault, StoreObserver, StoreOp, StoreStatus};
use super::{
    Claim, FirstUse, Instance, Line, MemoryGuard, Order, ReplayError, ReplayGuard as _, ReplayKey, Revoked, SessionId,
};
use crate::base::UnixTime;
use crate::crypto::digest::{NoRandomness, Random};

/// This process's own memory, or one that every replica shares.
pub struct Store(Kind);

// There is one in a process, and every request asks it who was logged out: a box would be one step more for each.
#[allow(clippy::large_enum_variant)]
enum Kind {
    /// Of `proofs`, which come with every request of a program, room of their own: logins do not wait for programs.
    Memory {
        used: MemoryGuard,
        proofs: MemoryGuard,
        revoked: Revoked,
        line: Line,
        observer: Arc<dyn StoreObserver>,
    },
    Shared(Arc<Shared>),
}

impl Store {
    /// The memory of a process that starts at `now`. Nobody is told how it does.
    ///
    /// # Errors
    /// [`NoRandomness`] when the source fails.
    pub fn memory(random: &dyn Random, now: UnixTime) -> Result<Self, NoRandomness> {
        Self::memory_of(random, now, CAPACITY, Arc::new(()))
    }

    /// The same; `observer` is told what it is asked, as of a shared store.
    ///
    /// # Errors
    /// As [`Self::memory`].
    pub fn memory_observed(
        random: &dyn Random,
        now: UnixTime,
        observer: Arc<dyn StoreObserver>,
    ) -> Result<Self, NoRandomness> {
        Self::memory_of(random, now, CAPACITY, observer)
    }

    fn memory_of(
        random: &dyn Random,
        now: UnixTime,
        capacity: usize,
        observer: Arc<dyn StoreObserver>,
    ) -> Result<Self, NoRandomness> {
        let line = Line { instance: Instance::new(random)?, since: now };
        let [used, proofs] = [(); 2].map(|()| MemoryGuard::with_capacity(capacity));
        Ok(Self(Kind::Memory { used, proofs, revoked: Revoked::default(), line, observer }))
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
            Kind::Memory { used, proofs, observer, .. } => {
                let memory = if keys.iter().all(ReplayKey::is_of_program) { proofs } else { used };
                let began = Instant::now();
                tell(&**observer, StoreOp::Consume, began, memory.consume(keys, until, now).await)
            }
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
            Kind::Memory { used, observer, .. } => {
                let began = Instant::now();
                tell(&**observer, StoreOp::Claim, began, used.claim(keys, unless, life, now).await)
            }
            Kind::Shared(shared) => shared.claim(keys, unless, instance, life, now).await,
        }
    }

    /// Lets a claim go before its time.
    pub async fn release(&self, claim: Claim) {
        match &self.0 {
            Kind::Memory { used, observer, .. } => {
                let began = Instant::now();
                used.release(claim).await;
                observer.asked(StoreOp::Release, None, began.elapsed());
            }
            Kind::Shared(shared) => shared.release(claim).await,
        }
    }

    /// Ends sessions. Here at once.
    ///
    /// # Errors
    /// When other replicas cannot be told yet. They will be.
    pub async fn end(&self, orders: &[Order], now: UnixTime) -> Result<(), ReplayError> {
        match &self.0 {
            Kind::Memory { revoked, observer, .. } => {
                let began = Instant::now();
                revoked.take_in(orders.iter().map(|order| order.given(now)), now);
                tell(&**observer, StoreOp::End, began, Ok(()))
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

/// Tells what a memory answered. That it has no room is its only fault: a use that was made before is an answer.
fn tell<T>(
    observer: &dyn StoreObserver,
    op: StoreOp,
    began: Instant,
    answer: Result<T, ReplayError>,
) -> Result<T, ReplayError> {
    let took = began.elapsed();
    let full = matches!(answer, Err(ReplayError::Full));
    let fault = full.then(|| StoreFault::new(FaultKind::Full, "this process remembers as many uses as it may"));
    observer.asked(op, fault.as_ref(), took);
    answer
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::base::Secret;
    use crate::crypto::digest::{HmacKey, SystemRandom};

    /// A program that makes a new proof for each request, as it must, fills its own room and nobody else's.
    #[tokio::test]
    async fn proofs_of_programs_leave_logins_their_room() {
        let (now, until) = (UnixTime::from_secs(100), UnixTime::from_secs(200));
        let store = Store::memory_of(&SystemRandom::new(), now, 4, Arc::new(())).unwrap();
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

    /// What it was asked, and with which fault, in order.
    #[derive(Default)]
    struct Told(Mutex<Vec<(StoreOp, Option<FaultKind>)>>);

    impl StoreObserver for Told {
        fn asked(&self, op: StoreOp, fault: Option<&StoreFault>, took: Duration) {
            assert!(took < Duration::from_secs(10));
            self.0.lock().unwrap().push((op, fault.map(|fault| fault.kind)));
        }
        fn connected(&self, _: &str, _: bool) {}
        fn lost(&self, _: &StoreFault) {}
        fn warned(&self, _: &str) {}
    }

    /// The memory of one process tells the same as a store that others keep: what it was asked, and what it could not do.
    #[tokio::test]
    async fn a_memory_tells_what_it_is_asked() {
        let (now, until) = (UnixTime::from_secs(100), UnixTime::from_secs(200));
        let told = Arc::new(Told::default());
        let observer = Arc::clone(&told) as Arc<dyn StoreObserver>;
        let store = Store::memory_of(&SystemRandom::new(), now, 2, observer).unwrap();
        let (key, line) = (HmacKey::new(&Secret::new([3; 32])), store.line().await.unwrap());
        let [first, second, third] =
            ["_1", "_2", "_3"].map(|id| [ReplayKey::assertion(&key, "https://idp.example.se", id)]);
        let use_it = async |one: &[ReplayKey]| store.consume(one, &line.instance, until, now).await.err();
        assert_eq!(use_it(&first).await, None);
        // A second use is an answer, and no fault.
        assert_eq!(use_it(&first).await, Some(ReplayError::Replayed));
        assert_eq!(use_it(&second).await, None);
        assert_eq!(use_it(&third).await, Some(ReplayError::Full));
        let life = Duration::from_secs(20);
        let claim = store.claim(&third, &[], &line.instance, life, now).await;
        assert_eq!(claim.err(), Some(ReplayError::Full));
        let claim = store.claim(&third, &[], &line.instance, life, UnixTime::from_secs(300)).await.unwrap();
        store.release(claim).await;
        let session = SessionId::new(&SystemRandom::new()).unwrap();
        store.end(&[Order::session(session, until)], now).await.unwrap();
        // What was begun under another memory is not asked of this one.
        let other = Instance::new(&SystemRandom::new()).unwrap();
        let refused = store.consume(&third, &other, until, now).await.err();
        assert_eq!(refused, Some(ReplayError::OtherInstance));
        let full = Some(FaultKind::Full);
        let expected = [
            (StoreOp::Consume, None),
            (StoreOp::Consume, None),
            (StoreOp::Consume, None),
            (StoreOp::Consume, full),
            (StoreOp::Claim, full),
            (StoreOp::Claim, None),
            (StoreOp::Release, None),
            (StoreOp::End, None),
        ];
        assert_eq!(*told.0.lock().unwrap(), expected);
    }
}
