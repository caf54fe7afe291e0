//! A Response, from its bytes to verified claims.

use super::{Assertion, Expect};
use crate::base::UnixTime;
use crate::verify::{Reject, Verified};

/// A Response that has been read but not verified: all it tells is who says to have sent it.
pub struct Received<'a> {
    source: &'a str,
}

impl<'a> Received<'a> {
    /// Reads the document under the limits for messages.
    ///
    /// # Errors
    /// The reader's reject, or `not_a_response`.
    pub fn parse(xml: &'a [u8]) -> Result<Self, Reject> {
        let _ = xml;
        unimplemented!()
    }

    /// The Issuer as the unverified message writes it: good for finding the provider to verify with, and nothing else.
    pub fn issuer_hint(&self) -> Option<&str> {
        Some(self.source)
    }

    /// Verifies the signature and every rule at instant `now`.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn verify(&self, expect: &Expect<'_>, now: UnixTime) -> Result<Verified<Assertion>, Reject> {
        let _ = (expect, now);
        unimplemented!()
    }
}
