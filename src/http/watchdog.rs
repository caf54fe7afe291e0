//! The watchdog of a core: it ends what stands still, and what a session no longer lets go on.
//!
//! It stands outside of what it watches. A body that the client does not read is polled by nobody, so a timer within it
//! would never be looked at: the one way to end it is to drop the future that drives it. And a timer for each request
//! would cost more than all else that is done here. So one task for each core looks at everything four times a second,
//! at the beat of a thread beside them, and a request pays a few stores.

pub mod pulse;
mod words;

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;

use super::server::Handler;
use crate::gate::Lease;
use pulse::Heart;
use words::TICK;

pub use words::{Cut, Expired, Leftover, Limits, Looks};

/// How long a session that has ended waits for others that do.
const TOGETHER: Duration = Duration::from_millis(10);

/// How long a client may take to send a request's head. From its first byte on: one byte now and then wins nothing.
const HEADER_TIME: Duration = Duration::from_secs(10);

/// How long an answer of our own may stand still on an HTTP/2 stream.
const OWN_ANSWER_TIME: Duration = Duration::from_secs(60);

/// How long a connection that was told to close may take for it.
const CLOSE_TIME: Duration = Duration::from_secs(10);

/// Requests that a client takes back before they are answered, less those that it waits for. Each costs the e-service
/// a begun request (CVE-2023-44487): a connection that has no other use for us is closed.
const TAKEN_BACK: u32 = 100;

/// One for each core.
pub struct Watchdog {
    /// Looks so far. Counted, not measured: when the core was busy, everyone has had more time and not less.
    looks: AtomicU32,
    list: Mutex<Vec<Weak<Watched>>>,
    /// It is time to look.
    beat: Notify,
    heart: Heart,
    floods: AtomicU32,
    keep_alive: Looks,
}

impl Watchdog {
    /// With nothing to watch yet. A connection may wait for its next request for `keep_alive`.
    pub fn new(keep_alive: Duration) -> Arc<Self> {
        Arc::new(Self {
            looks: AtomicU32::new(0),
            list: Mutex::default(),
            beat: Notify::new(),
            heart: Heart::default(),
            floods: AtomicU32::new(0),
            keep_alive: Looks::of(keep_alive),
        })
    }

    /// A connection that was just accepted. It keeps `alive` until it ends, also as a tunnel.
    pub fn connection(self: &Arc<Self>, alive: mpsc::Sender<()>) -> Arc<Watched> {
        self.watch(None, Some(alive), Looks::of(HEADER_TIME))
    }

    /// A stream of an HTTP/2 connection.
    pub fn stream(self: &Arc<Self>, connection: &Arc<Watched>) -> Arc<Watched> {
        connection.opened();
        self.watch(Some(Arc::clone(connection)), None, Looks::NEVER)
    }

    fn watch(
        self: &Arc<Self>,
        connection: Option<Arc<Watched>>,
        alive: Option<mpsc::Sender<()>>,
        limit: Looks,
    ) -> Arc<Watched> {
        let watched = Arc::new(Watched {
            dog: Arc::clone(self),
            phase: AtomicU8::new(Phase::Head as u8),
            since: AtomicU32::new(self.looks.load(Relaxed)),
            limit: AtomicU32::new(limit.0),
            idle: AtomicU32::new(Looks::of(OWN_ANSWER_TIME).0),
            expired: AtomicU8::new(0),
            close: AtomicBool::new(false),
            given_up: AtomicBool::new(false),
            body_left: AtomicBool::new(false),
            waits_for_client: AtomicBool::new(false),
            taken_back: AtomicBool::new(false),
            multiplexed: AtomicBool::new(false),
            streams: AtomicU32::new(0),
            resets: AtomicU32::new(0),
            slot: Mutex::default(),
            connection,
            _alive: alive,
        });
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        let first = list.is_empty();
        // Between two looks many streams can come and go.
        if list.len() == list.capacity() {
            list.retain(|weak| weak.strong_count() > 0);
        }
        list.push(Arc::downgrade(&watched));
        drop(list);
        if first {
            self.heart.wakes();
        }
        watched
    }

    /// The thread that beats for this one ([`pulse::start`]).
    fn beats_by(&self, thread: std::thread::Thread) {
        self.heart.is(thread);
        // Something may have come before it was known.
        self.heart.wakes();
    }

    /// It is time to look, if there is anything to look at. Beats that come while the core is busy are one.
    fn beat(&self) -> bool {
        let busy = !self.list.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        if busy {
            self.beat.notify_one();
        }
        busy
    }

    fn all(&self) -> Vec<Arc<Watched>> {
        let list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        list.iter().filter_map(Weak::upgrade).collect()
    }

    /// Looks at every beat, for as long as it is polled. `handler` knows which sessions are over, and is told what was cut.
    pub async fn watch_over(&self, handler: &impl Handler) {
        loop {
            tokio::select! {
                () = self.beat.notified() => self.look(handler),
                () = handler.session_ended() => {
                    // Many that end at once are one look.
                    tokio::time::sleep(TOGETHER).await;
                    self.look_at(handler);
                }
            }
        }
    }

    fn look(&self, handler: &impl Handler) {
        self.looks.fetch_add(1, Relaxed);
        self.list.lock().unwrap_or_else(PoisonError::into_inner).retain(|weak| weak.strong_count() > 0);
        self.look_at(handler);
        for _ in 0..self.floods.swap(0, Relaxed) {
            handler.cut(Cut::ResetFlood);
        }
    }

    fn look_at(&self, handler: &impl Handler) {
        let now = self.looks.load(Relaxed);
        for watched in self.all() {
            if let Some(cut) = watched.look(now, &|lease| handler.is_over(lease)) {
                handler.cut(cut);
            }
        }
    }

    /// Tells every connection to close once it has nothing more to do.
    pub fn drain(&self) {
        for watched in self.all().iter().filter(|watched| !watched.is_stream()) {
            match watched.phase() {
                Phase::Waiting => watched.enter(Phase::Closing, Looks::of(CLOSE_TIME)),
                // Not a whole line has come yet: either it comes at once, or nobody is there.
                Phase::Head if watched.slot().waker.is_none() => watched.enter(Phase::Head, Looks::of(TICK)),
                _ => {}
            }
            watched.must_close_soon();
        }
    }

    /// What is open now.
    pub fn open(&self) -> Leftover {
        let mut out = Leftover::default();
        for watched in self.all() {
            match watched.phase() {
                Phase::Tunnel => out.tunnels += 1,
                _ if watched.connection.is_some() => out.requests += 1,
                Phase::Answering | Phase::Asking | Phase::Streaming | Phase::Uploading => {
                    out.connections += 1;
                    out.requests += 1;
                }
                Phase::Head | Phase::Waiting | Phase::Busy | Phase::Closing => out.connections += 1,
            }
        }
        out
    }
}

/// What something that is watched is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    /// A request's head is being read.
    Head,
    /// Between two requests.
    Waiting,
    /// We are at work on the answer, within limits of our own.
    Answering,
    /// The e-service has been asked and has not begun to answer.
    Asking,
    /// An answer is on its way.
    Streaming,
    /// The answer is over, and the request's body is not.
    Uploading,
    /// Bytes go both ways after an upgrade.
    Tunnel,
    /// An HTTP/2 connection with open streams, each of which is watched itself.
    Busy,
    /// Told to close.
    Closing,
}

impl Phase {
    const fn of(byte: u8) -> Self {
        match byte {
            0 => Self::Head,
            1 => Self::Waiting,
            2 => Self::Answering,
            3 => Self::Asking,
            4 => Self::Streaming,
            5 => Self::Uploading,
            6 => Self::Tunnel,
            7 => Self::Busy,
            _ => Self::Closing,
        }
    }
}

#[derive(Default)]
struct Slot {
    lease: Option<Lease>,
    waker: Option<Waker>,
    /// Of a request's body, which may outlive the task that drives its request.
    body: Option<Waker>,
    task: Option<AbortHandle>,
}

/// A connection, a stream of an HTTP/2 connection, or a tunnel. All that happens often is a store into it.
pub struct Watched {
    dog: Arc<Watchdog>,
    phase: AtomicU8,
    /// The look at which it last moved.
    since: AtomicU32,
    limit: AtomicU32,
    /// How long a body may stand still.
    idle: AtomicU32,
    expired: AtomicU8,
    close: AtomicBool,
    given_up: AtomicBool,
    body_left: AtomicBool,
    waits_for_client: AtomicBool,
    /// Of a stream: the client did not wait for the answer.
    taken_back: AtomicBool,
    /// Of a connection: it carries streams, and these are what is watched.
    multiplexed: AtomicBool,
    streams: AtomicU32,
    resets: AtomicU32,
    slot: Mutex<Slot>,
    /// Of a stream: its connection.
    connection: Option<Arc<Watched>>,
    _alive: Option<mpsc::Sender<()>>,
}

impl Watched {
    fn phase(&self) -> Phase {
        Phase::of(self.phase.load(Relaxed))
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, phase: Phase, limit: Looks) {
        self.phase.store(phase as u8, Relaxed);
        self.limit.store(limit.0, Relaxed);
        self.moved();
    }

    /// Something moved: its time begins anew.
    pub fn moved(&self) {
        self.since.store(self.dog.looks.load(Relaxed), Relaxed);
    }

    /// Bytes came from the client.
    pub fn received(&self) {
        match self.phase() {
            // From the first byte of a head to its last, no other byte counts.
            Phase::Head => {}
            Phase::Waiting => self.enter(Phase::Head, Looks::of(HEADER_TIME)),
            _ => self.moved(),
        }
    }

    /// Bytes went to the client.
    pub fn sent(&self) {
        if self.phase() != Phase::Head {
            self.moved();
        }
    }

    /// The task that is aborted to end this.
    pub fn driven_by(&self, task: AbortHandle) {
        self.slot().task = Some(task);
    }

    /// Who is woken to look at [`Self::expired`] or [`Self::must_close`].
    pub fn wakes(&self, waker: &Waker) {
        self.slot().waker = Some(waker.clone());
    }

    /// Whether this is a stream, whose task is not that of its connection.
    pub const fn is_stream(&self) -> bool {
        self.connection.is_some()
    }

    /// The connection speaks HTTP/2.
    pub fn is_multiplexed(&self) {
        self.multiplexed.store(true, Relaxed);
        self.enter(Phase::Waiting, self.dog.keep_alive);
    }

    /// Whether the connection shall close once it has nothing more to do.
    pub fn must_close(&self) -> bool {
        self.close.load(Relaxed)
    }

    fn must_close_soon(&self) {
        self.close.store(true, Relaxed);
        self.wake();
    }

    fn wake(&self) {
        let waker = self.slot().waker.clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn abort(&self) {
        // Whoever is thrown out is not listened to any longer.
        self.body_left.store(false, Relaxed);
        self.given_up.store(true, Relaxed);
        let mut slot = self.slot();
        if let Some(task) = &slot.task {
            task.abort();
        }
        let body = slot.body.take();
        drop(slot);
        if let Some(body) = body {
            body.wake();
        }
    }

    /// A request's body waits for the client. False when nobody waits for it any more.
    pub fn awaits_body(&self, waker: &Waker) -> bool {
        if self.given_up.load(Relaxed) {
            return false;
        }
        self.waits_for_client.store(true, Relaxed);
        let mut slot = self.slot();
        if !slot.body.as_ref().is_some_and(|known| known.will_wake(waker)) {
            slot.body = Some(waker.clone());
        }
        true
    }

    /// A part of a request's body has come.
    pub fn got_body(&self) {
        self.waits_for_client.store(false, Relaxed);
        self.moved();
    }

    /// A request has come, with or without a body.
    pub fn answers(self: &Arc<Self>, has_body: bool) -> Answering {
        self.body_left.store(has_body, Relaxed);
        self.enter(Phase::Answering, Looks::NEVER);
        Answering { watched: Arc::clone(self), done: false }
    }

    /// Whether a request's body was not read to its end. Whoever closes the connection then should go on reading for a
    /// while: else the client is told that the connection broke, and never sees the answer.
    pub fn body_left(&self) -> bool {
        self.body_left.load(Relaxed)
    }

    /// Something may still come after a request, which nobody reads.
    pub fn reads_on(&self) {
        self.body_left.store(true, Relaxed);
    }

    /// Nothing of a request's body is left, or nothing of it matters any more.
    pub fn no_body_left(&self) {
        self.body_left.store(false, Relaxed);
    }

    /// The e-service is asked, for a session or for anyone.
    pub fn asks(&self, lease: Option<Lease>, limits: &Limits) {
        self.slot().lease = lease;
        self.idle.store(limits.idle.0, Relaxed);
        self.expired.store(0, Relaxed);
        self.waits_for_client.store(false, Relaxed);
        self.enter(Phase::Asking, if self.body_left() { limits.idle } else { limits.response });
    }

    /// The e-service has the whole request: from now on it is waited for.
    pub fn asked(&self, limit: Looks) {
        self.no_body_left();
        match self.phase() {
            Phase::Asking => self.enter(Phase::Asking, limit),
            Phase::Uploading => self.rests(),
            _ => {}
        }
    }

    /// Why the e-service shall be asked no longer.
    pub fn expired(&self) -> Option<Expired> {
        match self.expired.load(Relaxed) {
            0 => None,
            1 => Some(Expired::NoAnswer),
            2 => Some(Expired::ClientSlow),
            _ => Some(Expired::SessionOver),
        }
    }

    /// The answer is on its way until the guard is dropped.
    pub fn streams(self: &Arc<Self>, limit: Looks) -> Streaming {
        self.enter(Phase::Streaming, limit);
        Streaming(Arc::clone(self))
    }

    /// The connection became a tunnel, which `task` drives.
    pub fn tunnels(&self, task: AbortHandle, limit: Looks) {
        self.no_body_left();
        self.driven_by(task);
        self.enter(Phase::Tunnel, limit);
    }

    /// The request is answered.
    fn rests(&self) {
        if self.body_left() {
            self.enter(Phase::Uploading, Looks(self.idle.load(Relaxed)));
        } else if self.is_stream() {
            // Its task ends when all of the answer is sent.
            self.enter(Phase::Streaming, Looks::of(OWN_ANSWER_TIME));
        } else {
            self.enter(Phase::Waiting, self.dog.keep_alive);
        }
    }

    /// A stream of this connection was opened.
    fn opened(&self) {
        self.streams.fetch_add(1, Relaxed);
        if self.phase() != Phase::Closing {
            self.enter(Phase::Busy, Looks::NEVER);
        }
    }

    /// A stream of this connection has ended.
    fn ended(&self, taken_back: bool) {
        let others = self.streams.fetch_sub(1, Relaxed).saturating_sub(1);
        if others == 0 && self.phase() == Phase::Busy {
            self.enter(Phase::Waiting, self.dog.keep_alive);
        }
        let resets = self.resets.load(Relaxed);
        self.resets.store(if taken_back { resets.saturating_add(1) } else { resets.saturating_sub(1) }, Relaxed);
        if taken_back && resets == TAKEN_BACK {
            self.dog.floods.fetch_add(1, Relaxed);
            self.abort();
        }
    }

    fn look(&self, now: u32, is_over: &dyn Fn(&Lease) -> bool) -> Option<Cut> {
        let phase = self.phase();
        let limit = self.limit.load(Relaxed);
        let late = limit != Looks::NEVER.0 && now.wrapping_sub(self.since.load(Relaxed)) >= limit;
        let leased = matches!(phase, Phase::Asking | Phase::Streaming | Phase::Uploading | Phase::Tunnel);
        let over = leased && self.slot().lease.as_ref().is_some_and(is_over);
        match phase {
            Phase::Asking if over || late => {
                let client = self.body_left() && self.waits_for_client.load(Relaxed);
                let why = match (over, client) {
                    (true, _) => 3,
                    (false, true) => 2,
                    (false, false) => 1,
                };
                self.expired.store(why, Relaxed);
                self.wake();
                // Whoever asks answers now, and tells of it.
                self.limit.store(Looks::NEVER.0, Relaxed);
                None
            }
            Phase::Uploading | Phase::Streaming | Phase::Tunnel if over || late => {
                self.abort();
                self.limit.store(Looks::NEVER.0, Relaxed);
                self.slot().lease = None;
                Some(if over { Cut::SessionOver } else { Cut::Idle })
            }
            // Between requests an HTTP/2 client is told first: it may be sending one.
            Phase::Waiting if late && self.multiplexed.load(Relaxed) => {
                self.enter(Phase::Closing, Looks::of(CLOSE_TIME));
                self.must_close_soon();
                None
            }
            // One that came after all is answered first.
            Phase::Closing if late && self.streams.load(Relaxed) > 0 => None,
            Phase::Head | Phase::Waiting | Phase::Closing if late => {
                self.abort();
                None
            }
            _ => None,
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(connection) = &self.connection {
            connection.ended(self.taken_back.load(Relaxed));
        }
    }
}

/// A request that is being answered.
pub struct Answering {
    watched: Arc<Watched>,
    done: bool,
}

impl Answering {
    /// The head of the answer is there.
    pub fn done(mut self) {
        self.done = true;
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        if !self.done {
            self.watched.taken_back.store(true, Relaxed);
        }
        if matches!(self.watched.phase(), Phase::Answering | Phase::Asking) {
            self.watched.rests();
        }
    }
}

/// An answer that is on its way.
pub struct Streaming(Arc<Watched>);

impl Streaming {
    /// A part of it was taken.
    pub fn moved(&self) {
        self.0.moved();
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        if self.0.phase() == Phase::Streaming {
            self.0.rests();
        }
    }
}
