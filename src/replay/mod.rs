//! Single use: an assertion opens one session, a begun login is finished once.
//!
//! Consumed last, after every other check has held, so that nobody burns another's assertion with a broken message.

pub mod error;

pub use error::ReplayError;
