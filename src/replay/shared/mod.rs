//! Uses and ended sessions in Redis or Valkey, shared by every replica.
//!
//! Uses are marked there, each login by one script, so that of racing replicas one wins. Ended sessions are filed there
//! and copied to every replica: the copy answers requests, the store is never asked on their way. One connection does it
//! all. It is kept by a [`Driver`] on a runtime of its own; the runtimes that serve speak through its handle.
//!
//! What does not answer in time has not said yes: nothing here turns an error into "not seen".

mod connect;
mod driver;
mod fault;
mod locate;
mod notes;
mod observe;
mod outbox;
mod probe;
mod scripts;
pub mod settings;
mod tls;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue};
use tokio::sync::{Notify, mpsc, watch};

use super::{Claim, Ended, FirstUse, Instance, Line, Order, ReplayError, ReplayGuard, ReplayKey, Revoked, SessionId};
use crate::base::{Clock, UnixTime};
use crate::crypto::digest::Random;
use outbox::Outbox;
use scripts::Names;

pub(super) use scripts::CLOCKS_APART;

pub use driver::Driver;
pub use fault::{FaultKind, StoreFault};
pub use notes::{Page, Place, Topic};
pub use observe::{StoreObserver, StoreOp};
pub use outbox::PutDown;
pub use probe::{Probed, probe};
pub use settings::{Credentials, NodeAddress, PasswordSource, Settings, StoreTls, Topology};

/// Without a look at the store for so long, the copy of ended sessions may lack some.
pub const STALE_AFTER: Duration = Duration::from_secs(2);

/// A process that starts waits so long for its first look at the store before it is ready without one.
pub const FIRST_LOOK: Duration = Duration::from_secs(5);

/// A shared store as the rest of the sidecar sees it.
pub struct Shared {
    settings: Settings,
    names: Names,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    observer: Arc<dyn StoreObserver>,
    state: watch::Sender<State>,
    revoked: Revoked,
    outbox: Outbox,
    /// Rung by the store's messages, and by orders that wait to be filed.
    wake: Arc<Notify>,
    /// Moves on when there may be notes of other replicas.
    news: watch::Sender<()>,
    /// Connections that were found broken, by number.
    broken: mpsc::Sender<(u64, StoreFault)>,
    born: Instant,
    /// Milliseconds from `born` to the last look at the store that saw everything; 0 before the first.
    fresh: AtomicU64,
}

/// How it stands with the store.
enum State {
    /// No connection since then, and why.
    Down { since: Instant, fault: StoreFault },
    /// One that works.
    Up(Up),
}

#[derive(Clone)]
struct Up {
    handle: MultiplexedConnection,
    number: u64,
    node: NodeAddress,
    line: Line,
    /// How far the store's clock is ahead of ours.
    ahead_ms: i64,
}

/// What a status page tells of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreStatus {
    /// The server that is spoken to; none: there is no connection.
    pub node: Option<String>,
    /// Why there is none.
    pub fault: Option<StoreFault>,
    /// Whether ended sessions may be unknown here.
    pub stale: bool,
    /// Since the last look that saw everything; none before the first.
    pub age: Option<Duration>,
    /// Orders that sessions are over, known here.
    pub ended: usize,
    /// Orders that wait to be filed.
    pub waiting: usize,
    /// Since when the store's memory is the one that it is.
    pub since: Option<UnixTime>,
}

impl Shared {
    /// Opens a store. Nothing is asked of it until the [`Driver`] runs.
    pub fn open(
        settings: Settings,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        observer: Arc<dyn StoreObserver>,
    ) -> (Arc<Self>, Driver) {
        let (broken, faults) = mpsc::channel(16);
        let fault = StoreFault::new(FaultKind::Unreachable, "not connected yet");
        let shared = Arc::new(Self {
            names: Names::new(&settings),
            settings,
            clock,
            random,
            observer,
            state: watch::Sender::new(State::Down { since: Instant::now(), fault }),
            revoked: Revoked::default(),
            outbox: Outbox::default(),
            wake: Arc::new(Notify::new()),
            news: watch::Sender::new(()),
            broken,
            born: Instant::now(),
            fresh: AtomicU64::new(0),
        });
        let driver = Driver::new(Arc::clone(&shared), faults);
        (shared, driver)
    }

    /// Ended sessions as they are known here.
    pub const fn revoked(&self) -> &Revoked {
        &self.revoked
    }

    /// Whether sessions may have been ended that are not known here to be.
    pub fn is_stale(&self) -> bool {
        self.age().is_none_or(|age| age > STALE_AFTER)
    }

    /// Whether the first look at the store, which tells who has logged out, is still to come and worth waiting for.
    pub fn awaits_first_look(&self) -> bool {
        self.age().is_none() && self.born.elapsed() < FIRST_LOOK
    }

    fn age(&self) -> Option<Duration> {
        let fresh = self.fresh.load(Ordering::Acquire);
        (fresh > 0).then(|| self.born.elapsed().saturating_sub(Duration::from_millis(fresh)))
    }

    /// For the status page and the gauges.
    pub fn status(&self) -> StoreStatus {
        let (node, fault, since) = match &*self.state.borrow() {
            State::Up(up) => (Some(up.node.to_string()), None, Some(up.line.since)),
            State::Down { fault, .. } => (None, Some(fault.clone()), None),
        };
        StoreStatus {
            node,
            fault,
            stale: self.is_stale(),
            age: self.age(),
            ended: self.revoked.len(),
            waiting: self.outbox.len(),
            since,
        }
    }

    /// Orders that the store has not taken yet and that still count.
    pub fn unfiled(&self) -> usize {
        self.outbox.counting(self.clock.now())
    }

    /// The connection in force. One that has only just gone is waited for, as long as an answer might be.
    async fn up(&self) -> Result<Up, StoreFault> {
        let (since, fault) = match &*self.state.borrow() {
            State::Up(up) => return Ok(up.clone()),
            State::Down { since, fault } => (*since, fault.clone()),
        };
        let Some(left) = self.settings.timeout.checked_sub(since.elapsed()) else { return Err(fault) };
        let mut changes = self.state.subscribe();
        let back = tokio::time::timeout(left, changes.wait_for(|state| matches!(state, State::Up(_)))).await;
        match back.as_ref().map(|found| found.as_deref()) {
            Ok(Ok(State::Up(up))) => Ok(up.clone()),
            _ => Err(fault),
        }
    }

    /// The connection in force, where there is one: for what can wait.
    fn up_now(&self) -> Result<Up, ReplayError> {
        match &*self.state.borrow() {
            State::Up(up) => Ok(up.clone()),
            State::Down { .. } => Err(ReplayError::Unavailable),
        }
    }

    /// Asks the store, tells how it went, and hands a broken connection to the driver.
    async fn ask<T: FromRedisValue>(&self, op: StoreOp, up: &Up, command: &Cmd) -> Result<T, StoreFault> {
        let began = Instant::now();
        let answer = connect::ask(&up.handle, &self.settings, command).await;
        self.told(op, up, began, answer)
    }

    fn told<T>(&self, op: StoreOp, up: &Up, began: Instant, answer: Result<T, StoreFault>) -> Result<T, StoreFault> {
        self.observer.asked(op, answer.as_ref().err(), began.elapsed());
        if let Err(fault) = &answer
            && fault.kind.ends_connection()
        {
            self.report(up, fault);
        }
        answer
    }

    fn report(&self, up: &Up, fault: &StoreFault) {
        // A full channel holds enough news of the same kind.
        let _ = self.broken.try_send((up.number, fault.clone()));
    }

    async fn up_for(&self, op: StoreOp) -> Result<Up, ReplayError> {
        let began = Instant::now();
        self.up().await.map_err(|fault| {
            self.observer.asked(op, Some(&fault), began.elapsed());
            refused(&fault)
        })
    }

    /// The memory in force.
    ///
    /// # Errors
    /// [`ReplayError::Unavailable`].
    pub async fn line(&self) -> Result<Line, ReplayError> {
        self.up().await.map(|up| up.line).map_err(|fault| refused(&fault))
    }

    /// Marks uses for what was begun under `instance`; see [`ReplayGuard::consume`].
    ///
    /// # Errors
    /// As there, and [`ReplayError::OtherInstance`].
    pub async fn consume(
        &self,
        keys: &[ReplayKey],
        instance: &Instance,
        until: UnixTime,
        now: UnixTime,
    ) -> Result<FirstUse, ReplayError> {
        let up = self.up_for(StoreOp::Consume).await?;
        if up.line.instance != *instance {
            return Err(ReplayError::OtherInstance);
        }
        let command = self.names.consume(keys, instance, until, now);
        let answer = self.ask::<(i64, i64)>(StoreOp::Consume, &up, &command).await;
        let (place, at) = answer.map_err(|fault| refused(&fault))?;
        self.granted(place, keys.iter(), &up)?;
        Ok(FirstUse::new(UnixTime::from_millis(at)))
    }

    /// What the place says that a script names of `keys`: 0 is a yes, and -1 another line.
    fn granted<'k>(
        &self,
        place: i64,
        mut keys: impl Iterator<Item = &'k ReplayKey>,
        up: &Up,
    ) -> Result<(), ReplayError> {
        match usize::try_from(place) {
            Ok(0) => Ok(()),
            Ok(place) => Err(keys.nth(place - 1).map_or(ReplayError::Unavailable, |key| key.refused())),
            Err(_) => {
                // Somebody has emptied it under our hands: a new line must begin before anything can.
                let fault = StoreFault::new(FaultKind::OtherInstance, "the store has lost its line");
                self.report(up, &fault);
                Err(ReplayError::OtherInstance)
            }
        }
    }

    /// Takes `keys` for a while, for what was begun under `instance`; see [`ReplayGuard::claim`].
    ///
    /// # Errors
    /// As there, and [`ReplayError::OtherInstance`].
    pub async fn claim(
        &self,
        keys: &[ReplayKey],
        unless: &[ReplayKey],
        instance: &Instance,
        life: Duration,
        now: UnixTime,
    ) -> Result<Claim, ReplayError> {
        let up = self.up_for(StoreOp::Claim).await?;
        if up.line.instance != *instance {
            return Err(ReplayError::OtherInstance);
        }
        let claim = Claim { keys: keys.to_vec(), until: now.plus(life) };
        let command = self.names.claim(&claim, unless, instance, life, now);
        let place = self.ask::<i64>(StoreOp::Claim, &up, &command).await.map_err(|fault| refused(&fault))?;
        self.granted(place, unless.iter().chain(keys), &up)?;
        Ok(claim)
    }

    /// Lets a claim go; see [`ReplayGuard::release`].
    pub async fn release(&self, claim: Claim) {
        // Whoever comes next waits for its end where this fails. The observer is told.
        if let Ok(up) = self.up_now() {
            let _ = self.ask::<i64>(StoreOp::Release, &up, &self.names.release(&claim)).await;
        }
    }

    /// Ends sessions: here at once, and everywhere as soon as the order is filed.
    ///
    /// # Errors
    /// [`ReplayError`] when it could not be filed yet. It will be tried again until it is, or until it is of no use.
    pub async fn end(&self, orders: &[Order], now: UnixTime) -> Result<(), ReplayError> {
        // Put down before the first await: who asked may go away meanwhile.
        self.file(self.put_down(orders, now)).await
    }

    /// Ends sessions here, and leaves the order to be filed: by [`Self::file`], or by the driver at its next look.
    pub fn put_down(&self, orders: &[Order], now: UnixTime) -> PutDown {
        let orders = self.given(orders, now);
        self.revoked.take_in(orders.iter().copied(), now);
        let places = vec![self.outbox.put(&orders)];
        PutDown { orders, places }
    }

    /// The same for orders that may come again, and again: those that are known are left out, so that nobody fills the
    /// store with them.
    pub fn put_down_once(&self, orders: &[Order], now: UnixTime) -> PutDown {
        let mut orders = self.given(orders, now);
        orders.retain(|order| !self.revoked.knows(order));
        self.revoked.take_in(orders.iter().copied(), now);
        let places = vec![self.outbox.put(&orders)];
        PutDown { orders, places }
    }

    /// Orders as they are filed, by the store's clock.
    fn given(&self, orders: &[Order], now: UnixTime) -> Vec<Ended> {
        let ahead = match &*self.state.borrow() {
            State::Up(up) => up.ahead_ms,
            State::Down { .. } => 0,
        };
        let at = UnixTime::from_millis(now.as_millis() + ahead);
        orders.iter().map(|order| order.given(at)).collect()
    }

    /// Files what was put down.
    ///
    /// # Errors
    /// As [`Self::end`].
    pub async fn file(&self, put: PutDown) -> Result<(), ReplayError> {
        let up = self.up_for(StoreOp::End).await?;
        let filed = self.ask::<i64>(StoreOp::End, &up, &self.names.end(&put.orders)).await;
        match filed {
            Ok(_) => {
                put.places.into_iter().for_each(|places| self.outbox.take_out(places));
                Ok(())
            }
            Err(fault) => {
                self.wake.notify_one();
                Err(refused(&fault))
            }
        }
    }

    /// Keeps what a session holds, sealed by the caller, until the session's end.
    ///
    /// # Errors
    /// [`ReplayError`] when it could not be kept.
    pub async fn keep(&self, id: SessionId, sealed: &[u8], until: UnixTime, now: UnixTime) -> Result<(), ReplayError> {
        let up = self.up_for(StoreOp::Keep).await?;
        let command = self.names.keep(id, sealed, until.as_millis() - now.as_millis());
        self.ask::<()>(StoreOp::Keep, &up, &command).await.map_err(|fault| refused(&fault))
    }

    /// What [`Self::keep`] kept; none when it is not there.
    ///
    /// # Errors
    /// [`ReplayError`] when the store cannot say.
    pub async fn fetch(&self, id: SessionId) -> Result<Option<Vec<u8>>, ReplayError> {
        let up = self.up_for(StoreOp::Fetch).await?;
        self.ask(StoreOp::Fetch, &up, &self.names.fetch(id)).await.map_err(|fault| refused(&fault))
    }

    /// This store as a [`ReplayGuard`], for what was begun under `instance`.
    pub fn guard(self: &Arc<Self>, instance: Instance) -> SharedGuard {
        SharedGuard { shared: Arc::clone(self), instance }
    }
}

/// What a caller is told of a fault.
const fn refused(fault: &StoreFault) -> ReplayError {
    match fault.kind {
        FaultKind::Full => ReplayError::Full,
        FaultKind::OtherInstance => ReplayError::OtherInstance,
        _ => ReplayError::Unavailable,
    }
}

/// A shared store under one line.
pub struct SharedGuard {
    shared: Arc<Shared>,
    instance: Instance,
}

impl ReplayGuard for SharedGuard {
    async fn consume(&self, keys: &[ReplayKey], until: UnixTime, now: UnixTime) -> Result<FirstUse, ReplayError> {
        self.shared.consume(keys, &self.instance, until, now).await
    }

    async fn claim(
        &self,
        keys: &[ReplayKey],
        unless: &[ReplayKey],
        life: Duration,
        now: UnixTime,
    ) -> Result<Claim, ReplayError> {
        self.shared.claim(keys, unless, &self.instance, life, now).await
    }

    async fn release(&self, claim: Claim) {
        self.shared.release(claim).await;
    }
}
