//! Sending: at a fixed rate of arrivals whatever the answers do (open loop), or each connection as fast as it is
//! answered (closed loop).
//!
//! In an open loop a latency runs from the instant at which the request was *due*, not from when a connection was free
//! to take it. A server that stalls for a second is then slow for everyone who came in that second, as it would be
//! for people, and not for one request only ("coordinated omission").

pub mod arrivals;
mod tally;
#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::JoinSet;

pub use arrivals::{Arrivals, Pace};
pub use tally::Tally;

use crate::Failed;
use crate::system::pacer::Pacer;
use crate::traffic::{Conn, Shot, Traffic, Verdict};

/// How long answers may usually take to come after the last request was due.
pub const GRACE: Duration = Duration::from_secs(5);

/// The timer is not set more finely than this: at high rates several arrivals are sent off together.
const FINEST: Duration = Duration::from_micros(50);

/// One stream of traffic.
#[derive(Clone)]
pub struct Lane {
    /// Its name in the report.
    pub name: String,
    /// Where it goes.
    pub address: SocketAddr,
    /// How fast it comes.
    pub pace: Pace,
    /// On how many connections.
    pub connections: usize,
    /// The share of answers that may be other than they should be.
    pub tolerance: f64,
    /// What is sent.
    pub traffic: Rc<dyn Traffic>,
}

/// What is due and not yet taken by a connection.
#[derive(Default)]
struct Queue {
    due: RefCell<VecDeque<(Instant, Shot)>>,
    more: Notify,
    /// Nothing more will come.
    complete: Cell<bool>,
}

/// Until when requests are sent, and until when answers are waited for.
#[derive(Clone, Copy)]
struct Times {
    end: Instant,
    last: Instant,
}

/// Drives all lanes side by side for `duration` and waits for the answers, for `grace` at the most. `tallies` fill while
/// it runs: one for each lane, in order. Must run inside a `LocalSet`.
///
/// # Errors
/// When the machine has no timer to give.
pub async fn drive(
    lanes: &[Lane],
    tallies: &[Rc<RefCell<Tally>>],
    duration: Duration,
    grace: Duration,
) -> Result<(), Failed> {
    let begin = Instant::now();
    let times = Times { end: begin + duration, last: begin + duration + grace };
    let mut pacers = JoinSet::new();
    let mut workers = JoinSet::new();
    let mut queues = Vec::new();
    for (lane, tally) in lanes.iter().zip(tallies) {
        match Arrivals::new(lane.pace, duration) {
            Some(arrivals) => {
                let queue = Rc::new(Queue::default());
                let pacer = Pacer::new().map_err(|e| Failed::to("a timer", e))?;
                pacers.spawn_local(release(arrivals, begin, pacer, lane.traffic.clone(), queue.clone(), tally.clone()));
                for _ in 0..lane.connections.max(1) {
                    workers.spawn_local(serve_queue(lane.clone(), queue.clone(), times, tally.clone()));
                }
                queues.push((queue, tally.clone()));
            }
            None => {
                for _ in 0..lane.connections.max(1) {
                    workers.spawn_local(press_on(lane.clone(), times, tally.clone()));
                }
            }
        }
    }
    let mut timer = Ok(());
    while let Some(ended) = pacers.join_next().await {
        timer = timer.and(ended.unwrap_or(Ok(())));
    }
    for (queue, _) in &queues {
        queue.complete.set(true);
        queue.more.notify_waiters();
    }
    // Each request has its own deadline; this one is for what should never be.
    let until = (times.last + Duration::from_secs(1)).into();
    let _ = tokio::time::timeout_at(until, async { while workers.join_next().await.is_some() {} }).await;
    workers.abort_all();
    for (queue, tally) in &queues {
        for (due, _) in queue.due.borrow_mut().drain(..) {
            tally.borrow_mut().bad(due.elapsed(), "never sent: every connection was waiting");
        }
    }
    timer.map_err(|e| Failed::to("the timer", e))
}

/// Puts each request into the queue when it is due.
async fn release(
    arrivals: Arrivals,
    begin: Instant,
    pacer: Pacer,
    traffic: Rc<dyn Traffic>,
    queue: Rc<Queue>,
    tally: Rc<RefCell<Tally>>,
) -> std::io::Result<()> {
    let mut earliest = begin;
    for at in arrivals {
        let due = begin + at;
        if due > Instant::now() {
            pacer.until(due.max(earliest)).await?;
            earliest = Instant::now() + FINEST;
        }
        let Some(shot) = traffic.next() else { break };
        tally.borrow_mut().offered += 1;
        queue.due.borrow_mut().push_back((due, shot));
        queue.more.notify_one();
    }
    Ok(())
}

/// Takes what is due, one after the other, on one connection.
async fn serve_queue(lane: Lane, queue: Rc<Queue>, times: Times, tally: Rc<RefCell<Tally>>) {
    let mut conn = Conn::new(lane.address);
    while Instant::now() < times.last {
        let next = queue.due.borrow_mut().pop_front();
        match next {
            Some((due, shot)) => one(&lane, &mut conn, shot, due, times, &tally).await,
            None if queue.complete.get() => return,
            None => queue.more.notified().await,
        }
    }
}

/// Sends without a pause, on one connection.
async fn press_on(lane: Lane, times: Times, tally: Rc<RefCell<Tally>>) {
    let mut conn = Conn::new(lane.address);
    while Instant::now() < times.end {
        let Some(shot) = lane.traffic.next() else { return };
        tally.borrow_mut().offered += 1;
        one(&lane, &mut conn, shot, Instant::now(), times, &tally).await;
    }
}

async fn one(lane: &Lane, conn: &mut Conn, shot: Shot, due: Instant, times: Times, tally: &Rc<RefCell<Tally>>) {
    let tag = shot.tag;
    let answered = tokio::time::timeout_at(times.last.into(), conn.exchange(shot.request)).await;
    let took = due.elapsed();
    let mut tally = tally.borrow_mut();
    match answered {
        Ok(Ok(answer)) => {
            tally.answered(answer.status.as_u16(), answer.bytes);
            match lane.traffic.judge(tag, &answer) {
                Verdict::Good => tally.good(took),
                Verdict::Bad(why) => tally.bad(took, &why),
            }
        }
        Ok(Err(why)) => tally.bad(took, why),
        Err(_) => {
            *conn = Conn::new(lane.address);
            tally.bad(took, "no answer in time");
        }
    }
}
