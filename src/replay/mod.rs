//! Single use: an assertion opens one session, and a begun login is finished once.
//!
//! Consumed last, after every other check has held, so that nobody can burn another's assertion with a broken message.
//! A use is remembered until the last instant at which it could count. The memory is bounded, and full means no: to
//! forget early would let an assertion pass twice.

pub mod error;
pub mod guard;
pub mod memory;
pub mod revoked;

#[cfg(test)]
pub(crate) mod contract;

pub use error::ReplayError;
pub use guard::{FirstUse, ReplayGuard, ReplayKey};
pub use memory::MemoryGuard;
pub use revoked::{Revoked, SessionId};
