//! Bytes, trusted keys, an expectation and an instant in; a [`Verified`] value or a [`Reject`] out.

pub mod reject;

pub use reject::{Reason, Reject};
