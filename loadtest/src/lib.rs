//! The load generator: starts the real sidecar, an e-service behind it and a provider beside it, sends traffic at it,
//! and writes down what it cost. `README.md` beside this crate says how to run it, how to read its reports and how to add a scenario.

pub mod bench;
pub mod cli;
pub mod compare;
pub mod drive;
pub mod login;
pub mod page;
pub mod part;
pub mod report;
pub mod scenario;
pub mod system;
pub mod tokens;
pub mod traffic;
pub mod world;

/// Why a run cannot go on. A sentence for the person who started it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failed(pub String);

impl Failed {
    /// `what` could not be done, because of `why`.
    pub fn to(what: impl std::fmt::Display, why: impl std::fmt::Display) -> Self {
        Self(format!("{what}: {why}"))
    }
}

impl From<String> for Failed {
    fn from(text: String) -> Self {
        Self(text)
    }
}
