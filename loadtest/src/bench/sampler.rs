//! How a phase goes over time.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::drive::Tally;
use crate::report::Point;
use crate::system::proc::Process;

const EVERY: Duration = Duration::from_millis(250);

/// Looks at a process and at the tallies, four times a second.
pub(super) struct Sampler {
    task: JoinHandle<()>,
    points: Rc<RefCell<Vec<Point>>>,
}

impl Sampler {
    /// Begins.
    pub(super) fn start(process: Process, tallies: Vec<Rc<RefCell<Tally>>>) -> Self {
        let points = Rc::new(RefCell::new(Vec::new()));
        let kept = Rc::clone(&points);
        let counts = move || {
            let sum = |of: fn(&Tally) -> u64| tallies.iter().map(|tally| of(&tally.borrow())).sum::<u64>();
            (sum(Tally::done), sum(Tally::failures))
        };
        let task = tokio::task::spawn_local(async move {
            let began = Instant::now();
            let (mut before, mut cpu, mut at) = (counts(), process.cpu().unwrap_or_default(), began);
            loop {
                tokio::time::sleep(EVERY).await;
                let (counted, used, now) = (counts(), process.cpu().unwrap_or_default(), Instant::now());
                let seconds = now.duration_since(at).as_secs_f64();
                kept.borrow_mut().push(Point {
                    at: now.duration_since(began).as_secs_f64(),
                    done: counted.0.saturating_sub(before.0) as f64 / seconds,
                    bad: counted.1.saturating_sub(before.1) as f64 / seconds,
                    cpu_cores: used.since(&cpu) as f64 / 1e9 / seconds,
                    rss_kb: process.memory().rss_kb,
                });
                (before, cpu, at) = (counted, used, now);
            }
        });
        Self { task, points }
    }

    /// Ends, and returns what was seen.
    pub(super) fn stop(self) -> Vec<Point> {
        self.task.abort();
        self.points.take()
    }
}
