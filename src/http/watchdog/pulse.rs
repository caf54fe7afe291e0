//! The pulse: what tells the watchdogs of all cores that it is time to look.
//!
//! It beats in a thread of its own. A timer in a core's runtime would have the kernel set it and take it off around every
//! wait for the next bytes, twice for each request that is passed on.

use std::io;
use std::sync::{Arc, Weak};
use std::thread::{self, Thread};

use super::Watchdog;
use super::words::TICK;

/// Beats for `dogs` until all of them are gone. While none of them has anything to watch, it rests.
///
/// # Errors
/// The thread cannot be started.
pub fn start(dogs: &[Arc<Watchdog>]) -> io::Result<()> {
    let weak: Vec<Weak<Watchdog>> = dogs.iter().map(Arc::downgrade).collect();
    let thread = thread::Builder::new().name("pulse".to_owned()).spawn(move || beat(weak))?;
    for dog in dogs {
        dog.beats_by(thread.thread().clone());
    }
    Ok(())
}

fn beat(mut dogs: Vec<Weak<Watchdog>>) {
    loop {
        thread::sleep(TICK);
        dogs.retain(|dog| dog.strong_count() > 0);
        if dogs.is_empty() {
            return;
        }
        let mut busy = false;
        for dog in dogs.iter().filter_map(Weak::upgrade) {
            busy |= dog.beat();
        }
        if !busy {
            // Woken by the first thing that is to be watched, or by the end of a watchdog. What came meanwhile is not missed:
            // then this returns at once.
            thread::park();
        }
    }
}

/// The thread that beats, as a watchdog knows it.
#[derive(Default)]
pub(super) struct Heart(std::sync::OnceLock<Thread>);

impl Heart {
    pub(super) fn is(&self, thread: Thread) {
        let _ = self.0.set(thread);
    }

    /// There is something to do again.
    pub(super) fn wakes(&self) {
        if let Some(thread) = self.0.get() {
            thread.unpark();
        }
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        self.wakes();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;
    use std::time::Duration;

    use http::{Request, Response};
    use tokio::sync::mpsc;

    use super::*;
    use crate::http::body::{AnswerBody, RequestBody};
    use crate::http::server::{Client, Handler};

    struct Nobody;

    impl Handler for Nobody {
        async fn handle(&self, _: Request<RequestBody>, _: Client) -> Response<AnswerBody> {
            Response::new(AnswerBody::None)
        }
    }

    fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
        for _ in 0..1000 {
            if holds() {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("not within ten seconds: {what}");
    }

    /// The runtime has no time at all here: a timer would panic.
    #[test]
    fn a_core_looks_without_a_timer_of_its_own_and_rests_while_there_is_nothing() {
        let dog = Watchdog::new(Duration::from_secs(60));
        start(std::slice::from_ref(&dog)).unwrap();
        let core = {
            let dog = Arc::clone(&dog);
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let (end, ended) = tokio::sync::oneshot::channel::<()>();
            let thread = thread::spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = dog.watch_over(&Nobody) => {}
                        _ = ended => {}
                    }
                });
            });
            (end, thread)
        };
        let looks = || dog.looks.load(Relaxed);
        let (alive, _open) = mpsc::channel(1);
        let connection = dog.connection(alive.clone());
        let before = looks();
        wait_until("it looks again and again", || looks() >= before + 2);
        drop(connection);
        // One more look finds that it is gone, and one may be under way.
        thread::sleep(TICK * 4);
        let at_rest = looks();
        thread::sleep(TICK * 3);
        assert_eq!(looks(), at_rest, "nothing is to be watched");
        let connection = dog.connection(alive);
        wait_until("it looks again once something came", || looks() > at_rest);
        drop(connection);
        core.0.send(()).unwrap();
        core.1.join().unwrap();
        let gone = Arc::downgrade(&dog);
        drop(dog);
        wait_until("nothing holds a watchdog that has ended", || gone.strong_count() == 0);
    }
}
