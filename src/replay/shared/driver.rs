//! Keeps the connection: makes it, looks after it, makes it anew.
//!
//! While it stands, orders that sessions are over are read whenever the store's messages say that there are some, and
//! twice a second without being told: a message can be lost, and the look is the heartbeat at the same time.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use redis::{ErrorKind, RedisError, Value};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::connect::Connection;
use super::locate::{self, About};
use super::scripts::PAGE;
use super::{FaultKind, Shared, State, StoreFault, StoreOp, Up, connect};
use crate::base::UnixTime;
use crate::crypto::digest::random_bytes;
use crate::replay::{Ended, Instance, Line};

/// How often orders are looked for without being told.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How often the server is asked again whether it may be relied on.
const JUDGE_EVERY: Duration = Duration::from_secs(30);

/// The first wait after a failure, and the longest: whoever was cut off must know of a logout elsewhere within a second
/// of being back.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// A connection that stood so long was a good one: the next wait is the first again.
const STOOD: Duration = Duration::from_secs(5);

/// A failure of the same kind is told again no more often than this.
const TELL_EVERY: Duration = Duration::from_secs(30);

/// A step of the store's clock, ahead of the time that has passed, from which on its line is not trusted any more: uses end by
/// that clock. They live five minutes longer than they count, of which clocks that differ take their part; what is less than
/// this is left to the rest.
const CLOCK_STEP_MS: i64 = 60_000;

/// Orders filed in one step.
const FILED_AT_ONCE: usize = 500;

/// The task that keeps a store's connection. It belongs on the runtime that does not serve.
pub struct Driver {
    shared: Arc<Shared>,
    faults: mpsc::Receiver<(u64, StoreFault)>,
    number: u64,
    /// The line before this connection's, of which all is known there that is known here.
    line: Option<Line>,
    /// The last that was taken.
    taken: Option<Instance>,
    /// One that must not go on: uses may have ended under it before their time.
    spoiled: Option<Instance>,
    /// What the store's clock said at last, and when by our own.
    beat: Option<Beat>,
    warned: bool,
}

/// One look at the store's clock.
#[derive(Clone, Copy)]
struct Beat {
    /// By a clock that nobody sets.
    at: Instant,
    store_ms: i64,
}

impl Beat {
    /// How far the store's clock went on beyond what time has passed since `before`.
    fn step_ms(&self, before: &Self) -> i64 {
        let passed = self.at.saturating_duration_since(before.at).as_millis();
        (self.store_ms - before.store_ms).saturating_sub(i64::try_from(passed).unwrap_or(i64::MAX))
    }
}

impl Driver {
    pub(super) const fn new(shared: Arc<Shared>, faults: mpsc::Receiver<(u64, StoreFault)>) -> Self {
        Self { shared, faults, number: 0, line: None, taken: None, spoiled: None, beat: None, warned: false }
    }

    /// Runs for ever; dropped, it lets the connection go.
    pub async fn run(mut self) {
        let mut wait = FIRST_WAIT;
        let mut told: Option<(FaultKind, Instant)> = None;
        loop {
            self.number += 1;
            let began = Instant::now();
            let Err(fault) = self.hold().await;
            let was_up = self.down(&fault);
            let again = told.is_none_or(|(kind, at)| kind != fault.kind || at.elapsed() >= TELL_EVERY);
            if was_up || again {
                self.shared.observer.lost(&fault);
                told = Some((fault.kind, Instant::now()));
            }
            if began.elapsed() >= STOOD {
                wait = FIRST_WAIT;
            }
            tokio::time::sleep(self.spread(wait)).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Between half of `wait` and all of it, so that replicas do not come back all at once.
    fn spread(&self, wait: Duration) -> Duration {
        let [byte] = random_bytes(&*self.shared.random).unwrap_or([255]);
        wait / 2 + wait * u32::from(byte) / 510
    }

    /// Says that there is no connection; true when there was one.
    fn down(&self, fault: &StoreFault) -> bool {
        let mut was_up = false;
        self.shared.state.send_modify(|state| match state {
            State::Up(_) => {
                was_up = true;
                *state = State::Down { since: Instant::now(), fault: fault.clone() };
            }
            State::Down { fault: known, .. } => known.clone_from(fault),
        });
        was_up
    }

    /// Makes a connection and keeps it until something is wrong with it.
    async fn hold(&mut self) -> Result<std::convert::Infallible, StoreFault> {
        let shared = Arc::clone(&self.shared);
        let settings = &shared.settings;
        let (connection, about) = locate::primary(settings, &shared.names, &shared.wake).await?;
        if let Some(warning) = self.judge(&about, &connection)?
            && !std::mem::replace(&mut self.warned, true)
        {
            shared.observer.warned(&warning);
        }
        self.meet_clock(&connection).await?;
        let line = self.take_line(&connection).await?;
        self.taken = Some(line.instance);
        connection.handle.clone().subscribe(shared.names.channel()).await.map_err(StoreFault::from)?;
        let new_line = self.line.is_some_and(|before| before.instance != line.instance);
        let mut up = Up {
            handle: connection.handle.clone(),
            number: self.number,
            node: connection.node.clone(),
            line,
            ahead_ms: 0,
        };
        shared.state.send_replace(State::Up(up.clone()));
        shared.observer.connected(&connection.node.to_string(), new_line);
        shared.news.send_replace(());

        // Everything from the beginning: what was missed meanwhile cannot be told from what was not.
        let mut last = "0-0".to_owned();
        let mut filed = HashSet::new();
        self.look(&mut up, &mut last, Some(&mut filed)).await?;
        if new_line {
            self.file_again(&up, &filed).await?;
        }
        drop(filed);
        self.line = Some(line);
        let mut judged = Instant::now();
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.file_waiting(&up).await?;
            tokio::select! {
                () = shared.wake.notified() => {
                    shared.news.send_replace(());
                }
                _ = ticks.tick() => {}
                fault = self.faults.recv() => match fault {
                    Some((number, fault)) if number == self.number => return Err(fault),
                    // Of a connection that is gone already.
                    _ => continue,
                },
            }
            self.look(&mut up, &mut last, None).await?;
            if judged.elapsed() >= JUDGE_EVERY {
                let about = About::ask(&connection, settings).await?;
                self.judge(&about, &connection)?;
                judged = Instant::now();
            }
        }
    }

    /// Whether the server can be relied on. Where it may throw keys away, uses may be gone when it may no more, and its count of
    /// what it threw away can be set back: the line that stands is no good then.
    fn judge(&mut self, about: &About, connection: &Connection) -> Result<Option<String>, StoreFault> {
        let judged = about.judge(&connection.node);
        if judged.as_ref().is_err_and(|fault| fault.kind == FaultKind::Evicts) {
            self.spoiled = self.taken;
        }
        judged
    }

    /// The line of this server: the one that stands, or a new one.
    async fn take_line(&self, connection: &Connection) -> Result<Line, StoreFault> {
        let shared = &self.shared;
        let odd = |detail: &dyn std::fmt::Display| StoreFault::new(FaultKind::Answer, detail);
        let fresh = Instance::new(&*shared.random).map_err(|e| odd(&e))?;
        let command = shared.names.take_line(&fresh, self.spoiled.as_ref());
        let line: Vec<u8> = connection.ask(&shared.settings, &command).await?;
        read_line(&line).ok_or_else(|| odd(&"the store's line is none of ours"))
    }

    /// Looks at the store's clock before its line is taken: it may have jumped while nobody looked.
    async fn meet_clock(&mut self, connection: &Connection) -> Result<(), StoreFault> {
        let at = Instant::now();
        let (seconds, micros): (i64, i64) = connection.ask(&self.shared.settings, &redis::cmd("TIME")).await?;
        if self.jumped(Beat { at, store_ms: seconds * 1000 + micros / 1000 }).is_some() {
            self.spoiled = self.taken;
        }
        Ok(())
    }

    /// The step of the store's clock since it was looked at before, where it is too large. Back is no harm: uses live longer.
    fn jumped(&mut self, beat: Beat) -> Option<i64> {
        let before = self.beat.replace(beat)?;
        Some(beat.step_ms(&before)).filter(|step| *step > CLOCK_STEP_MS)
    }

    /// Reads the orders after `last`, all of them. `filed` gathers what is there.
    async fn look(
        &mut self,
        up: &mut Up,
        last: &mut String,
        mut filed: Option<&mut HashSet<Ended>>,
    ) -> Result<(), StoreFault> {
        let shared = Arc::clone(&self.shared);
        loop {
            let began = Instant::now();
            let page = self.page(up, last).await;
            let (store_ms, page) = shared.told(StoreOp::Sync, up, began, page)?;
            if let Some(step) = self.jumped(Beat { at: began, store_ms }) {
                self.spoiled = Some(up.line.instance);
                let detail = format_args!("the store's clock jumped {} s ahead: uses may have ended", step / 1000);
                return Err(StoreFault::new(FaultKind::OtherInstance, detail));
            }
            let ahead_ms = store_ms - shared.clock.now().as_millis();
            if (ahead_ms - up.ahead_ms).abs() > 50 {
                up.ahead_ms = ahead_ms;
                shared.state.send_modify(|state| {
                    if let State::Up(known) = state {
                        known.ahead_ms = ahead_ms;
                    }
                });
            }
            let count = page.len();
            let mut orders = Vec::with_capacity(count);
            for (id, order) in page {
                *last = id;
                orders.extend(order);
            }
            if let Some(filed) = &mut filed {
                filed.extend(orders.iter().copied());
            }
            shared.revoked.take_in(orders, shared.clock.now());
            if count < PAGE {
                let seen = began.saturating_duration_since(shared.born).as_millis();
                shared.fresh.store(u64::try_from(seen).unwrap_or(u64::MAX).max(1), Ordering::Release);
                return Ok(());
            }
        }
    }

    /// One page of orders, and what the store's clock says. A store whose line is not ours any more was emptied under our hands,
    /// or has thrown something away: nobody may have asked it anything since, and whoever starts now would know of no order.
    async fn page(&mut self, up: &Up, last: &str) -> Result<(i64, Vec<(String, Option<Ended>)>), StoreFault> {
        let shared = Arc::clone(&self.shared);
        let mut asked = redis::pipe();
        let [line, gone] = shared.names.line_there();
        asked.cmd("TIME").add_command(shared.names.orders_after(last)).add_command(line).add_command(gone);
        asked.cmd("INFO").arg("stats");
        let mut handle = up.handle.clone();
        let answer = tokio::time::timeout(shared.settings.timeout, asked.query_async(&mut handle)).await;
        // The heartbeat: without an answer to it the connection is no good.
        let silent = |_| StoreFault::new(FaultKind::Unreachable, format_args!("{}: no answer in time", up.node));
        type Answers = ((i64, i64), Vec<Value>, Option<Vec<u8>>, Option<String>, String);
        let ((seconds, micros), page, line, gone, stats): Answers = answer.map_err(silent)??;
        let lost = |detail| Err(StoreFault::new(FaultKind::OtherInstance, detail));
        match line.as_deref().and_then(read_line) {
            Some(line) if line.instance == up.line.instance => {
                if gone.as_deref() != Some(evicted(&stats)) {
                    self.spoiled = Some(up.line.instance);
                    return lost("the store has thrown keys away (evicted_keys): uses may be among them");
                }
            }
            _ => return lost("the store has lost its line"),
        }
        Ok((seconds * 1000 + micros / 1000, page.iter().map(order).collect::<Result<_, _>>()?))
    }

    /// What is known here and not there: a store that came back empty, or without its last orders, gets them again.
    async fn file_again(&self, up: &Up, filed: &HashSet<Ended>) -> Result<(), StoreFault> {
        let known = self.shared.revoked.all(self.shared.clock.now());
        let lost: Vec<Ended> = known.into_iter().filter(|order| !filed.contains(order)).collect();
        for orders in lost.chunks(FILED_AT_ONCE) {
            self.file(up, orders).await?;
        }
        Ok(())
    }

    async fn file_waiting(&self, up: &Up) -> Result<(), StoreFault> {
        loop {
            let waiting = self.shared.outbox.oldest(FILED_AT_ONCE, self.shared.clock.now());
            if waiting.is_empty() {
                return Ok(());
            }
            let orders: Vec<Ended> = waiting.iter().map(|(_, order)| *order).collect();
            match self.file(up, &orders).await {
                Ok(()) => waiting.iter().for_each(|(place, _)| self.shared.outbox.take_out(*place..*place + 1)),
                // Later: at the next look.
                Err(fault) if !fault.kind.ends_connection() => return Ok(()),
                Err(fault) => return Err(fault),
            }
        }
    }

    async fn file(&self, up: &Up, orders: &[Ended]) -> Result<(), StoreFault> {
        let shared = &self.shared;
        let began = Instant::now();
        let answer = connect::ask::<i64>(&up.handle, &shared.settings, &shared.names.end(orders)).await;
        shared.told(StoreOp::End, up, began, answer).map(drop)
    }
}

/// `run id ‖ instance ‖ since`.
fn read_line(bytes: &[u8]) -> Option<Line> {
    let (_, rest) = bytes.split_at_checked(40)?;
    let (instance, since) = rest.split_first_chunk::<16>()?;
    let since = UnixTime::from_millis(std::str::from_utf8(since).ok()?.parse().ok()?);
    Some(Line { instance: Instance::from_bytes(*instance), since })
}

/// How many keys a server says to have thrown away; nothing where it does not say.
fn evicted(stats: &str) -> &str {
    stats.lines().find_map(|line| line.trim_end().strip_prefix("evicted_keys:")).unwrap_or_default()
}

/// One entry of the stream: its id, and the order in it. None for one that a later version wrote.
fn order(value: &Value) -> Result<(String, Option<Ended>), StoreFault> {
    let (id, order) = entry(value)?;
    Ok((id, order.and_then(Ended::from_bytes)))
}

/// One entry of a stream: its id, and the value of its first field. None where it has none.
pub(super) fn entry(value: &Value) -> Result<(String, Option<&[u8]>), StoreFault> {
    let odd = || StoreFault::from(RedisError::from((ErrorKind::UnexpectedReturnType, "an entry of a stream")));
    let Value::Array(parts) = value else { return Err(odd()) };
    let [id, Value::Array(fields)] = parts.as_slice() else { return Err(odd()) };
    let id = match id {
        Value::BulkString(id) => String::from_utf8(id.clone()).map_err(|_| odd())?,
        Value::SimpleString(id) => id.clone(),
        _ => return Err(odd()),
    };
    let value = match fields.as_slice() {
        [_, Value::BulkString(value), ..] => Some(value.as_slice()),
        _ => None,
    };
    Ok((id, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_or_refused() {
        let line = [&[b'a'; 40][..], &[7; 16], b"1772359200123"].concat();
        let read = read_line(&line).map(|line| (*line.instance.bytes(), line.since.as_millis()));
        assert_eq!(read, Some(([7; 16], 1_772_359_200_123)));
        for bad in [&[][..], &[0; 39], &[0; 56], &[0; 60], &[&line[..], b"x"].concat()] {
            assert!(read_line(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn what_a_server_threw_away_is_read() {
        assert_eq!(evicted("# Stats\r\nexpired_keys:4\r\nevicted_keys:12\r\nevicted_clients:0\r\n"), "12");
        assert_eq!(evicted("# Stats\r\n"), "");
    }

    #[test]
    fn a_clock_steps_by_what_no_time_has_passed_for() {
        let (at, second) = (Instant::now(), Duration::from_secs(1));
        let before = Beat { at, store_ms: 5_000 };
        for (later, store_ms, step) in
            [(second, 6_000, 0), (second, 76_000, 70_000), (second * 70, 75_000, 0), (second, 0, -6_000)]
        {
            assert_eq!(Beat { at: at + later, store_ms }.step_ms(&before), step, "{store_ms}");
        }
    }
}
