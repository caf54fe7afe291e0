//! The identity headers: a closed set of names, and the values for one session on one route.

use bytes::Bytes;

macro_rules! headers {
    ($( $(#[$doc:meta])* $variant:ident = $name:literal, )*) => {
        /// A header that tells the e-service who is there. A closed set: everything that folds to one of these names
        /// is removed from what a client sends.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum IdentityHeader {
            $( $(#[$doc])* $variant, )*
        }

        impl IdentityHeader {
            /// All of them.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )* ];

            /// The name by default, in lower case. The configuration may map it to another.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $name, )* }
            }
        }
    };
}

headers! {
    /// The same person through every provider: `<kind>:<keyed digest>`.
    Subject = "x-eid-subject",
    /// The level of assurance as a full URI.
    Loa = "x-eid-loa",
    /// The e-ID that was picked.
    Method = "x-eid-method",
    /// The provider.
    Provider = "x-eid-provider",
    /// When the person logged in at the provider, RFC 3339 in UTC.
    AuthenticatedAt = "x-eid-authenticated-at",
    /// The session's random handle; never the cookie's value.
    Session = "x-eid-session",
    /// Personal number, twelve digits.
    PersonalNumber = "x-eid-personal-number",
    /// Coordination number, twelve digits.
    CoordinationNumber = "x-eid-coordination-number",
    /// How well the identity behind a coordination number is established.
    CoordinationLevel = "x-eid-coordination-level",
    /// The number that the person had before.
    PreviousNumber = "x-eid-previous-number",
    /// The provisional id of an eIDAS person.
    Prid = "x-eid-prid",
    /// The country that authenticated, ISO 3166-1 alpha-2.
    Country = "x-eid-country",
    /// HSA-ID.
    HsaId = "x-eid-hsa-id",
    /// Affiliations `<id>@<organisation number>`.
    OrgAffiliation = "x-eid-org-affiliation",
    /// The whole name, percent-encoded UTF-8.
    Name = "x-eid-name",
    /// Given name, percent-encoded UTF-8.
    GivenName = "x-eid-given-name",
    /// Surname, percent-encoded UTF-8.
    Surname = "x-eid-surname",
    /// YYYY-MM-DD.
    DateOfBirth = "x-eid-date-of-birth",
    /// A signed JWT with the same content.
    Assertion = "x-eid-assertion",
}

/// The headers for one session on one route. Kept for a minute and shared: attaching them copies nothing.
///
/// It has no `Debug`: the values are personal data.
pub struct IdentityHeaders {
    list: Vec<(IdentityHeader, Bytes)>,
}

impl IdentityHeaders {
    /// Each header once. A value is visible ASCII: fit for any HTTP version.
    pub fn iter(&self) -> impl Iterator<Item = (IdentityHeader, &Bytes)> {
        self.list.iter().map(|(name, value)| (*name, value))
    }

    /// One header's value.
    pub fn get(&self, header: IdentityHeader) -> Option<&Bytes> {
        self.list.iter().find(|(name, _)| *name == header).map(|(_, value)| value)
    }
}
