//! The only room that names a cryptography library.
//!
//! `trusted` verifies with other people's public keys, `own` signs with ours, `seal` keeps what a browser holds for us,
//! `encryption` opens
//! what was encrypted to us with keys that it does not hold, `digest` hashes and makes randomness. The verifier never names `own`: nothing that reads a message can sign one.

pub mod certificate;
pub mod digest;
pub mod encryption;
pub mod own;
pub mod seal;
pub mod trusted;
