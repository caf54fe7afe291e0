//! Bytes, trusted keys, an expectation and an instant in; a [`Verified`] value or a [`Reject`] out.
//!
//! Synchronous and pure: no clock, no network, no private key. Parse once, verify the signature, then read claims from
//! the signed element and from nowhere else.

pub mod base64;
pub mod dsig;
pub mod jose;
mod level;
pub mod observe;
pub mod proof;
pub mod reject;
pub mod saml;
pub mod xml;
pub mod xmlenc;

pub use proof::Verified;
pub use reject::{Reason, Reject};
