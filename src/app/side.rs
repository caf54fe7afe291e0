//! The runtime beside those that serve: what waits for others runs here, so that no request waits for it.

use std::thread::JoinHandle;

use tokio::sync::oneshot;

/// A thread with a runtime of its own. Dropped, it ends, and what runs on it with it.
pub(super) struct Side {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Side {
    /// Runs `task` until it ends or this is dropped.
    pub(super) fn start(task: impl Future<Output = ()> + Send + 'static) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("side".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = task => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
