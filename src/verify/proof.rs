//! The value that a successful verification leaves behind.

/// Claims that a trusted key signed and every rule of the provider allowed. Only `verify` makes one.
///
/// ```compile_fail,E0451
/// let forged = grindvakt::verify::Verified { claims: "anyone" };
/// ```
///
/// ```compile_fail,E0624
/// let forged = grindvakt::verify::Verified::new("anyone");
/// ```
///
/// ```
/// fn reads(verified: &grindvakt::verify::Verified<&str>) -> usize {
///     verified.claims().len()
/// }
/// ```
#[derive(Debug)]
pub struct Verified<C> {
    claims: C,
}

impl<C> Verified<C> {
    /// Only after every check of the message has held.
    pub(in crate::verify) const fn new(claims: C) -> Self {
        Self { claims }
    }

    /// What was signed.
    pub const fn claims(&self) -> &C {
        &self.claims
    }

    /// The claims themselves, for whoever takes them apart.
    pub fn into_claims(self) -> C {
        self.claims
    }
}
