//! Why something cannot be used (again).

/// Why a use was not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ReplayError {
    /// The assertion was used before.
    #[error("this assertion was used before")]
    Replayed,
    /// The login was finished before.
    #[error("this login was finished before")]
    LoginConsumed,
    /// The login is being finished by another answer at this moment.
    #[error("this login is being finished")]
    InProgress,
    /// The memory is full of uses that still count. Nothing is forgotten early: the answer is no.
    #[error("the memory of used assertions is full")]
    Full,
    /// The store does not answer.
    #[error("the store of used assertions does not answer")]
    Unavailable,
    /// It was begun under another memory than the one in force, which cannot know whether it was finished.
    #[error("the memory of used assertions is another one since then")]
    OtherInstance,
}

impl ReplayError {
    /// The stable code: the reject reason's, where there is one.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Replayed => "replayed",
            Self::LoginConsumed => "login_consumed",
            Self::InProgress => "login_in_progress",
            Self::Full => "replay_store_full",
            Self::Unavailable => "store_unavailable",
            Self::OtherInstance => "login_other_instance",
        }
    }
}
