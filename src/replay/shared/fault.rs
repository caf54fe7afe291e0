//! What can be wrong with a store, told apart as finely as an operator needs it.

use redis::{ErrorKind, RedisError, ServerErrorKind};

/// Why a store did not do what it was asked. Each has a stable code: the label `kind` of the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// No connection could be made, or it broke.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// TLS failed.
    Tls,
    /// The password or the user is wrong, or the user may not do what it takes.
    Denied,
    /// No primary was found, or the one that was is one no more.
    NoPrimary,
    /// Its memory is full, and it throws nothing away.
    Full,
    /// It throws keys away when its memory is full (`maxmemory-policy`): a use could be forgotten.
    Evicts,
    /// It is not the one that the login was begun under.
    OtherInstance,
    /// It is too old, or not what it should be.
    Unsupported,
    /// It is busy, loading, moving or waiting for its replicas: later.
    NotNow,
    /// It answered something that was not understood.
    Answer,
}

impl FaultKind {
    /// All of them, for the closed set of a label.
    pub const ALL: [Self; 11] = [
        Self::Unreachable,
        Self::Timeout,
        Self::Tls,
        Self::Denied,
        Self::NoPrimary,
        Self::Full,
        Self::Evicts,
        Self::OtherInstance,
        Self::Unsupported,
        Self::NotNow,
        Self::Answer,
    ];

    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::Denied => "denied",
            Self::NoPrimary => "no_primary",
            Self::Full => "full",
            Self::Evicts => "evicts",
            Self::OtherInstance => "other_instance",
            Self::Unsupported => "unsupported",
            Self::NotNow => "not_now",
            Self::Answer => "answer",
        }
    }

    /// Whether the connection is of no more use.
    pub(super) const fn ends_connection(self) -> bool {
        !matches!(self, Self::Timeout | Self::Full | Self::Denied | Self::NotNow | Self::Answer)
    }
}

/// A fault, with what the server or the system said. Never a secret: nothing that we send is in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", kind.code())]
pub struct StoreFault {
    /// Which.
    pub kind: FaultKind,
    /// What was said.
    pub detail: String,
}

/// The longest piece of what a server said that goes to a log.
const SAID: usize = 200;

impl StoreFault {
    pub(in crate::replay) fn new(kind: FaultKind, detail: impl std::fmt::Display) -> Self {
        let mut detail: String = detail.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        if let Some((at, _)) = detail.char_indices().nth(SAID) {
            detail.truncate(at);
        }
        Self { kind, detail }
    }
}

impl From<RedisError> for StoreFault {
    fn from(error: RedisError) -> Self {
        Self::new(kind_of(&error), &error)
    }
}

fn kind_of(error: &RedisError) -> FaultKind {
    match error.kind() {
        ErrorKind::Io if error.is_timeout() => FaultKind::Timeout,
        ErrorKind::Io => FaultKind::Unreachable,
        ErrorKind::AuthenticationFailed => FaultKind::Denied,
        ErrorKind::RESP3NotSupported => FaultKind::Unsupported,
        ErrorKind::Server(kind) => match kind {
            // A demoted primary, or a slot that has gone elsewhere.
            ServerErrorKind::ReadOnly | ServerErrorKind::Moved | ServerErrorKind::MasterDown => FaultKind::NoPrimary,
            ServerErrorKind::BusyLoading
            | ServerErrorKind::TryAgain
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::Ask => FaultKind::NotNow,
            ServerErrorKind::NoPerm => FaultKind::Denied,
            // What a script meets comes under its own name in the text.
            _ => by_text(error),
        },
        ErrorKind::Extension => by_text(error),
        _ => FaultKind::Answer,
    }
}

/// Errors that the library has no kind for, and those that a script passes on.
fn by_text(error: &RedisError) -> FaultKind {
    let (code, text) = (error.code().unwrap_or_default(), error.to_string());
    let says = |word: &str| code == word || text.contains(word);
    if says("OOM") {
        FaultKind::Full
    } else if ["WRONGPASS", "NOAUTH", "NOPERM", "permission", "user executing the script", "ACL failure"]
        .iter()
        .any(|word| says(word))
    {
        FaultKind::Denied
    } else if says("run_id") {
        FaultKind::Unsupported
    } else if says("READONLY") || says("MOVED") {
        FaultKind::NoPrimary
    } else if says("NOREPLICAS") || says("BUSY") || says("MISCONF") || says("CLUSTERDOWN") || says("ASK ") {
        FaultKind::NotNow
    } else {
        FaultKind::Answer
    }
}
