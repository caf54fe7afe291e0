//! The runtime beside those that serve.

use std::io;

use tokio::runtime::{Builder, Handle, Runtime};

/// What fetches, watches and keeps house runs here, on one thread and its helpers: never on a thread that serves.
pub(super) struct Side {
    handle: Handle,
    runtime: Option<Runtime>,
}

impl Side {
    /// Starts it.
    ///
    /// # Errors
    /// A thread that cannot be started.
    pub(super) fn start() -> io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).thread_name("side").enable_all().build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Where to start tasks.
    pub(super) const fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // Without waiting: nobody waits for what is fetched now, and this may be dropped anywhere.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
