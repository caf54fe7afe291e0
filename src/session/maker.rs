//! Who vouched for a session, beyond the name that the configuration has for them.

use serde::{Deserialize, Serialize};

use crate::crypto::digest::sha256;

/// A provider as the world knows it: its protocol and its entityID or issuer, digested. A name in a configuration can be
/// given to somebody else; a session stays with who made it (T54).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maker([u8; 8]);

impl Maker {
    /// As it was sealed.
    pub(super) const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// Who speaks `protocol` as `issuer`.
    pub fn new(protocol: &str, issuer: &str) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = sha256(format!("{protocol} {issuer}").as_bytes());
        Self([a, b, c, d, e, f, g, h])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_issuer_or_protocol_is_somebody_else() {
        let one = Maker::new("saml", "https://a.example.se");
        assert_eq!(one, Maker::new("saml", "https://a.example.se"));
        for (protocol, issuer) in
            [("saml", "https://b.example.se"), ("oidc", "https://a.example.se"), ("saml", "https://a.example.se/")]
        {
            assert!(one != Maker::new(protocol, issuer), "{protocol} {issuer}");
        }
    }
}
