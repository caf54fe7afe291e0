//! What the watchdog measures in, and the words for what it ended.

use std::time::Duration;

/// How often it looks.
pub(super) const TICK: Duration = Duration::from_millis(250);

/// A length of time in looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Looks(pub(super) u32);

impl Looks {
    /// No limit.
    pub const NEVER: Self = Self(u32::MAX);

    /// So many looks that at least `time` has passed; a time of zero is no limit.
    pub fn of(time: Duration) -> Self {
        let looks = time.as_millis().div_ceil(TICK.as_millis()).saturating_add(1);
        if time.is_zero() { Self::NEVER } else { u32::try_from(looks).map_or(Self::NEVER, Self) }
    }
}

/// What may be done, and for how long, while the e-service is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Until it begins its answer, once the request is sent.
    pub response: Looks,
    /// While a body stands still.
    pub idle: Looks,
    /// While a tunnel stands still.
    pub tunnel: Looks,
}

/// Why something was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// It stood still for too long.
    Idle,
    /// Its session is over.
    SessionOver,
    /// Too many requests were taken back on one connection.
    ResetFlood,
}

impl Cut {
    /// A word of a closed set, for the metric.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::SessionOver => "session_over",
            Self::ResetFlood => "reset_flood",
        }
    }
}

/// Why the e-service is asked no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expired {
    /// It has the whole request, and has not begun to answer.
    NoAnswer,
    /// The client stopped sending in the middle of its request.
    ClientSlow,
    /// The session is over.
    SessionOver,
}

/// What was still open when a drain's time was over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leftover {
    /// Connections of clients.
    pub connections: usize,
    /// Requests on them that were not answered to the end.
    pub requests: usize,
    /// WebSockets.
    pub tunnels: usize,
}

impl std::ops::AddAssign for Leftover {
    fn add_assign(&mut self, other: Self) {
        self.connections += other.connections;
        self.requests += other.requests;
        self.tunnels += other.tunnels;
    }
}
