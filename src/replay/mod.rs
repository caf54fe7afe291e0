//! Single use, and sessions that have been ended: an assertion opens one session, a begun login is finished once, and a
//! session that somebody ended is over wherever it is presented.
//!
//! A use is consumed last, after every other check has held, so that nobody can burn another's assertion with a broken
//! message. It is remembered until the last instant at which it could count. The memory is bounded, and full means no:
//! to forget early would let an assertion pass twice. So does a store that does not answer.

pub mod error;
pub mod guard;
pub mod instance;
pub mod mark;
pub mod memory;
pub mod revoked;
pub mod shared;
pub mod store;

pub use error::ReplayError;
pub use guard::{Claim, FirstUse, ReplayGuard, ReplayKey};
pub use instance::{Instance, Line};
pub use mark::{Ended, Mark, Marks, Order, ProviderMark, SessionId};
pub use memory::MemoryGuard;
pub use revoked::Revoked;
pub use store::Store;
