//! Waiting until an instant, more finely than the runtime's clock of whole milliseconds.

use std::io;
use std::time::Instant;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::net::unix::pipe::Receiver;

/// A timer of the kernel (`timerfd_create(2)`), which wakes within some tens of microseconds.
pub struct Pacer {
    /// Read like a pipe: eight bytes when it has rung, nothing before.
    timer: Receiver,
}

impl Pacer {
    /// A new one; needs a runtime.
    ///
    /// # Errors
    /// When the kernel gives none.
    pub fn new() -> io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        Ok(Self { timer: Receiver::from_owned_fd_unchecked(timer)? })
    }

    /// Waits until `at`.
    ///
    /// # Errors
    /// When the timer cannot be set.
    pub async fn until(&self, at: Instant) -> io::Result<()> {
        loop {
            let left = at.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            let value = Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: i64::from(left.subsec_nanos()).max(1),
            };
            let none = Timespec { tv_sec: 0, tv_nsec: 0 };
            let once = Itimerspec { it_interval: none, it_value: value };
            timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
            self.timer.readable().await?;
            // Either it has rung, or the readiness was stale: both are settled by looking at the clock again.
            let _ = self.timer.try_read(&mut [0; 8]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn it_rings_on_time_and_not_before() {
        let pacer = Pacer::new().unwrap();
        pacer.until(Instant::now()).await.unwrap();
        for _ in 0..20 {
            let at = Instant::now() + Duration::from_micros(700);
            pacer.until(at).await.unwrap();
            assert!(Instant::now() >= at);
            assert!(at.elapsed() < Duration::from_millis(500));
        }
    }
}
