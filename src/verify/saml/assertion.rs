//! The claims of a verified assertion.

use crate::base::UnixTime;

/// What a verified assertion says. Owned: it outlives the message.
///
/// It has no `Debug`: a NameID and attribute values are personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct Assertion {
    /// The issuer's entityID (SAML Core 2.2.5).
    pub issuer: String,
    /// The assertion's ID: single use is counted by (issuer, ID).
    pub id: String,
    /// The subject's NameID (SAML Core 2.2.3).
    pub name_id: NameId,
    /// SessionIndex of the AuthnStatement, for single logout.
    pub session_index: Option<String>,
    /// When the provider made the assertion.
    pub issue_instant: UnixTime,
    /// When the person logged in at the provider (SAML Core 2.7.2).
    pub authn_instant: UnixTime,
    /// When the provider's own session ends at the latest: SessionNotOnOrAfter (SAML Core 2.7.2).
    pub session_ends: Option<UnixTime>,
    /// AuthnContextClassRef: the level of assurance as an exact URI, after the provider's `loa_map`.
    pub loa: String,
    /// AuthenticatingAuthority, in the order of the message.
    pub authenticating_authorities: Vec<String>,
    /// The attributes, in the order of the message, names as written.
    pub attributes: Vec<Attribute>,
    /// The request that it answers; none when unsolicited.
    pub in_response_to: Option<String>,
    /// No instant after this one could accept it, skew included: how long it must be remembered. Every bearer
    /// confirmation counts, also one that did not hold now.
    pub acceptable_until: UnixTime,
}

/// A NameID with what qualifies it (SAML Core 2.2.2).
#[derive(Clone, PartialEq, Eq)]
pub struct NameId {
    /// The identifier.
    pub value: String,
    /// Its Format, if stated.
    pub format: Option<String>,
    /// NameQualifier, if stated.
    pub name_qualifier: Option<String>,
    /// SPNameQualifier, if stated.
    pub sp_name_qualifier: Option<String>,
}

/// One attribute (SAML Core 2.7.3.1): identified by `Name`, never by FriendlyName.
#[derive(Clone, PartialEq, Eq)]
pub struct Attribute {
    /// `Name`.
    pub name: String,
    /// The text of each AttributeValue, untrimmed.
    pub values: Vec<String>,
    /// How many AttributeValues more there are that hold elements and no text.
    pub structured: usize,
}
