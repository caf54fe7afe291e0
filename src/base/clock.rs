//! Clocks: the only place that asks the operating system what time it is, and a clock that tests turn by hand.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

use super::UnixTime;

/// Wall time and sleeping. Only `app.rs` makes the real one; tests turn a [`ManualClock`].
pub trait Clock: Send + Sync + 'static {
    /// The wall-clock instant now.
    fn now(&self) -> UnixTime;
    /// Completes once `d` has passed on this clock.
    fn sleep(&self, d: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
    /// Completes once this clock shows `at` or later. The machine's clock may be set meanwhile: who waits long, waits in
    /// pieces.
    fn sleep_until(&self, at: UnixTime) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.sleep(at.since(self.now()))
    }
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixTime {
        // A clock before 1970 gives the epoch: every message is then "not yet valid", which refuses.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixTime::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn sleep(&self, d: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(d))
    }
}

/// A clock that stands still until a test moves it. Clones share one hand.
#[derive(Clone, Debug)]
pub struct ManualClock {
    now: Arc<watch::Sender<UnixTime>>,
}

impl ManualClock {
    /// A clock that shows `start`.
    pub fn at(start: UnixTime) -> Self {
        Self { now: Arc::new(watch::Sender::new(start)) }
    }

    /// Moves the hand on by `d` and wakes every sleeper whose time has come.
    pub fn advance(&self, d: Duration) {
        self.now.send_modify(|now| *now = now.plus(d));
    }

    /// Puts the hand on `at`, also backwards.
    pub fn set(&self, at: UnixTime) {
        self.now.send_modify(|now| *now = at);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixTime {
        *self.now.borrow()
    }

    fn sleep(&self, d: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.sleep_until(self.now().plus(d))
    }

    fn sleep_until(&self, at: UnixTime) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let mut hand = self.now.subscribe();
        Box::pin(async move {
            // The sender lives in `self`, which this future borrows: the wait cannot fail.
            let _ = hand.wait_for(|now| *now >= at).await;
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sleepers_wake_when_the_hand_passes_them() {
        let clock = ManualClock::at(UnixTime::from_secs(100));
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move {
                clock.sleep(Duration::from_secs(10)).await;
                clock.now()
            }
        });
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(9));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(Duration::from_secs(1));
        assert_eq!(sleeper.await.unwrap(), UnixTime::from_secs(110));
    }
}
