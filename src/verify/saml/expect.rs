//! What a Response is held against.

use std::time::Duration;

use super::IdpMetadata;
use super::rules::Window;
use crate::base::UnixTime;
use crate::crypto::encryption::UnwrapKey;

/// Which rules a provider is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Every rule of the Swedish profile.
    Federation,
    /// What SAML itself demands: no NotBefore in Conditions, any number of AttributeStatements, no signed Response, no
    /// encryption.
    SamlCore,
}

/// What must be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    /// The Response.
    Response,
    /// The Assertion.
    Assertion,
    /// One of the two.
    Either,
}

/// What the browser holds of the request that a Response answers.
#[derive(Clone, Debug)]
pub enum Binding<'a> {
    /// A request of ours.
    Request {
        /// Its ID.
        id: &'a str,
        /// When it was made.
        issued_at: UnixTime,
        /// The levels that it asked for; empty when it named none.
        loa: &'a [String],
    },
    /// Nothing: only an unsolicited Response fits, and only where the provider allows one.
    None,
    /// Not looked at: for a captured message in `grindvakt verify`, never in the server.
    Unchecked,
}

/// Everything that a Response is checked against. Borrowed: building one costs nothing.
#[derive(Clone, Debug)]
pub struct Expect<'a> {
    /// The provider's verified metadata.
    pub idp: &'a IdpMetadata,
    /// Our entityID: the audience.
    pub audience: &'a str,
    /// The ACS address that the message came to, and any aliases: Destination and Recipient must be one of them.
    pub acs: &'a [String],
    /// The request.
    pub binding: Binding<'a>,
    /// Which rules.
    pub profile: Profile,
    /// What must be signed.
    pub signed: Signed,
    /// Whoever opens what was encrypted to us.
    pub decryption: &'a dyn UnwrapKey,
    /// Whether the assertion must have come encrypted.
    pub encryption_required: bool,
    /// Whether a Response without InResponseTo is taken.
    pub allow_unsolicited: bool,
    /// Whether it is the eIDAS connector: only it may assert eIDAS levels.
    pub eidas_connector: bool,
    /// Whether the login must be fresh.
    pub force_authn: bool,
    /// Levels that it may assert; used in place of `idp.loa` when the metadata declares none.
    pub local_loa: &'a [String],
    /// Class references that stand for a level: (what the provider writes, the URI it means).
    pub loa_map: &'a [(String, String)],
    /// AuthenticatingAuthority allow-list; empty takes any.
    pub authenticating_authorities: &'a [String],
    /// How far clocks may differ.
    pub clock_skew: Duration,
    /// The oldest IssueInstant that is taken, skew apart.
    pub max_age: Duration,
}

impl Expect<'_> {
    pub(super) const fn window(&self) -> Window {
        Window { clock_skew: self.clock_skew, max_age: self.max_age }
    }
}
