//! Who is told what a store does: telemetry, which knows more of metrics than this room may.

use std::time::Duration;

use super::StoreFault;

/// What a store is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StoreOp {
    /// To mark a use.
    Consume,
    /// To let one caller at a time do something.
    Claim,
    /// To let the next one.
    Release,
    /// To file an order that sessions are over.
    End,
    /// What orders are new.
    Sync,
    /// To keep what a session holds.
    Keep,
    /// For what a session holds.
    Fetch,
    /// To pass a note on to the other replicas.
    Tell,
    /// What notes are new.
    Hear,
}

impl StoreOp {
    /// All of them, for the closed set of a label.
    pub const ALL: [Self; 9] = [
        Self::Consume,
        Self::Claim,
        Self::Release,
        Self::End,
        Self::Sync,
        Self::Keep,
        Self::Fetch,
        Self::Tell,
        Self::Hear,
    ];

    /// What the memory of one process is asked: all the rest is about others.
    pub const OF_MEMORY: [Self; 4] = [Self::Consume, Self::Claim, Self::Release, Self::End];

    /// The label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Consume => "consume",
            Self::Claim => "claim",
            Self::Release => "release",
            Self::End => "end",
            Self::Sync => "sync",
            Self::Keep => "keep",
            Self::Fetch => "fetch",
            Self::Tell => "tell",
            Self::Hear => "hear",
        }
    }
}

/// Is told what happens between us and a store.
pub trait StoreObserver: Send + Sync + 'static {
    /// It was asked something; an answer that refuses is an answer.
    fn asked(&self, op: StoreOp, fault: Option<&StoreFault>, took: Duration);
    /// There is a connection. `new_line`: what was begun before it cannot be finished any more.
    fn connected(&self, node: &str, new_line: bool);
    /// There is none any more, or still none.
    fn lost(&self, fault: &StoreFault);
    /// It works, but something about it should be seen to.
    fn warned(&self, detail: &str);
}

/// Nobody is told.
impl StoreObserver for () {
    fn asked(&self, _: StoreOp, _: Option<&StoreFault>, _: Duration) {}
    fn connected(&self, _: &str, _: bool) {}
    fn lost(&self, _: &StoreFault) {}
    fn warned(&self, _: &str) {}
}
