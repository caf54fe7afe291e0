//! A small bounded pool for private-key work, so that logins never slow live sessions.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// Jobs that may run or wait; what comes beyond is refused at once rather than queued for longer than a person waits.
/// An RSA signature of 3072 bits takes about 2 ms: 64 are a tenth of a second of one core.
const JOBS: usize = 64;

/// Jobs that run at the same time: half the cores, so that the other half is always there for live sessions.
fn at_once() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1))
}

/// The pool is full, or its job fell over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Busy;

/// Runs jobs on the runtime's blocking threads.
pub(crate) struct Pool {
    places: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

impl Default for Pool {
    fn default() -> Self {
        Self::with(JOBS, at_once())
    }
}

impl Pool {
    fn with(jobs: usize, at_once: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(jobs)), running: Arc::new(Semaphore::new(at_once)) }
    }

    #[cfg(test)]
    pub(crate) fn with_jobs(jobs: usize) -> Self {
        Self::with(jobs, 1)
    }

    /// Runs `job` off the request's thread.
    ///
    /// # Errors
    /// [`Busy`] when every place is taken.
    pub(crate) async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Busy)?;
        let turn = Arc::clone(&self.running).acquire_owned().await.map_err(|_| Busy)?;
        let done = tokio::task::spawn_blocking(move || {
            let result = job();
            drop((turn, place));
            result
        });
        done.await.map_err(|_| Busy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_pool_refuses_at_once_and_places_come_back() {
        let pool = Arc::new(Pool::with_jobs(1));
        let (release, gate) = std::sync::mpsc::channel::<()>();
        let (started, running) = tokio::sync::oneshot::channel();
        let first = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move {
                let job = move || {
                    let _ = started.send(());
                    gate.recv().is_ok()
                };
                pool.run(job).await
            }
        });
        assert_eq!(running.await, Ok(()));
        assert_eq!(pool.run(|| 1).await, Err(Busy));
        assert!(release.send(()).is_ok());
        assert_eq!(first.await.ok(), Some(Ok(true)));
        assert_eq!(pool.run(|| 1).await, Ok(1));
    }
}
