//! The value that a successful verification leaves behind.

/// Claims that a trusted key signed and every rule of the provider allowed. Only `verify` makes one.
///
/// ```compile_fail,E0451
/// let forged = grindvakt::verify::Verified { claims: "anyone", signed_by: None };
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
    signed_by: Option<[u8; 32]>,
}

impl<C> Verified<C> {
    /// Only after every check of the message has held.
    pub(in crate::verify) const fn new(claims: C) -> Self {
        Self { claims, signed_by: None }
    }

    /// With the fingerprint of the key that signed them.
    pub(in crate::verify) fn by(self, signed_by: Option<[u8; 32]>) -> Self {
        Self { signed_by, ..self }
    }

    /// The fingerprint of the key that signed the claims (SHA-256 of its SubjectPublicKeyInfo): of those that log a person
    /// in, and of access tokens; none of others.
    pub const fn signed_by(&self) -> Option<&[u8; 32]> {
        self.signed_by.as_ref()
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
