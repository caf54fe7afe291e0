//! A person: what a verified message says of somebody, whichever protocol it came by.

use std::borrow::Cow;

use super::{Field, Loa, Subject};
use crate::base::UnixTime;
use crate::verify::jose::{Claims, Kind, Value};
use crate::verify::saml::{Attribute, NameId};

/// A person whose identity a trusted provider vouched for. Made from what `verify` has verified, and from nothing else; it
/// has no `Debug`.
///
/// ```compile_fail,E0451
/// use grindvakt::identity::Identity;
/// fn forge(real: Identity, someone_else: String) -> Identity {
///     Identity { issuer: someone_else, ..real }
/// }
/// ```
///
/// ```
/// fn level(who: &grindvakt::identity::Identity) -> &str {
///     who.loa().uri()
/// }
/// ```
pub struct Identity {
    pub(super) issuer: String,
    pub(super) assertion_id: String,
    pub(super) acceptable_until: UnixTime,
    pub(super) issued: UnixTime,
    pub(super) session_ends: Option<UnixTime>,
    pub(super) name_id: NameId,
    pub(super) session_index: Option<String>,
    pub(super) authenticated_at: UnixTime,
    pub(super) loa: Loa,
    pub(super) subject: Subject,
    pub(super) fields: Fields,
    pub(super) source: Source,
    pub(super) signed_by: Option<[u8; 32]>,
}

/// What a service may be told of a person, each part in its one form.
#[derive(Default)]
pub(super) struct Fields {
    pub(super) personal_number: Option<String>,
    pub(super) coordination_number: Option<String>,
    pub(super) coordination_level: Option<String>,
    pub(super) previous_number: Option<String>,
    pub(super) prid: Option<String>,
    pub(super) country: Option<String>,
    pub(super) hsa_id: Option<String>,
    pub(super) org_affiliation: Vec<String>,
    pub(super) name: Option<String>,
    pub(super) given_name: Option<String>,
    pub(super) surname: Option<String>,
    pub(super) date_of_birth: Option<String>,
}

/// What a person was read from.
pub(super) enum Source {
    Attributes(Vec<Attribute>),
    Claims(Vec<Claims>),
}

impl Identity {
    /// The fingerprint of the provider's key that vouches for the person; none of a bearer token.
    pub const fn signed_by(&self) -> Option<&[u8; 32]> {
        self.signed_by.as_ref()
    }

    /// Who: the same through every provider.
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// At which level.
    pub const fn loa(&self) -> &Loa {
        &self.loa
    }

    /// The provider's entityID or issuer.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The assertion's ID, or what stands for it: with the issuer, what may be used once.
    pub fn assertion_id(&self) -> &str {
        &self.assertion_id
    }

    /// How long the assertion must be remembered.
    pub const fn acceptable_until(&self) -> UnixTime {
        self.acceptable_until
    }

    /// When the provider made the assertion.
    pub const fn issued(&self) -> UnixTime {
        self.issued
    }

    /// When the provider wants its own session with us ended, if it says so (SAML Core 2.7.2).
    pub const fn session_ends(&self) -> Option<UnixTime> {
        self.session_ends
    }

    /// The provider's name for the person, NameID or `sub`: personal data, in no log.
    pub const fn name_id(&self) -> &NameId {
        &self.name_id
    }

    /// The provider's session, for single logout.
    pub fn session_index(&self) -> Option<&str> {
        self.session_index.as_deref()
    }

    /// When the person logged in at the provider.
    pub const fn authenticated_at(&self) -> UnixTime {
        self.authenticated_at
    }

    /// Every attribute of the assertion, or every claim: for `grindvakt verify`, never for the e-service.
    pub fn attributes(&self) -> Cow<'_, [Attribute]> {
        match &self.source {
            Source::Attributes(list) => Cow::Borrowed(list),
            Source::Claims(sources) => Cow::Owned(sources.iter().flat_map(as_attributes).collect()),
        }
    }

    /// A field's value; none when the provider did not give it. `eid` is not the identity's to know.
    pub fn field(&self, field: Field) -> Option<Cow<'_, str>> {
        let fields = &self.fields;
        let text = match field {
            Field::PersonalNumber => &fields.personal_number,
            Field::CoordinationNumber => &fields.coordination_number,
            Field::CoordinationLevel => &fields.coordination_level,
            Field::PreviousNumber => &fields.previous_number,
            Field::Prid => &fields.prid,
            Field::Country => &fields.country,
            Field::HsaId => &fields.hsa_id,
            Field::Name => &fields.name,
            Field::GivenName => &fields.given_name,
            Field::Surname => &fields.surname,
            Field::DateOfBirth => &fields.date_of_birth,
            Field::OrgAffiliation if fields.org_affiliation.is_empty() => return None,
            Field::OrgAffiliation => return Some(Cow::Owned(fields.org_affiliation.join(","))),
            Field::Loa if self.loa.is_unstated() => return None,
            Field::Loa => return Some(Cow::Borrowed(self.loa.uri())),
            // The e-ID is a matter of the configuration.
            Field::Eid => return None,
        };
        text.as_deref().map(Cow::Borrowed)
    }
}

/// Claims in the form of attributes: what is no text, as the JSON that it is.
fn as_attributes(claims: &Claims) -> impl Iterator<Item = Attribute> {
    let text = |value: Value<'_>| value.as_text().map_or_else(|| value.source().to_owned(), Cow::into_owned);
    claims.object().members().map(move |member| {
        let values = match member.value.kind() {
            Kind::Array => member.value.as_array().into_iter().flatten().map(text).collect(),
            _ => vec![text(member.value)],
        };
        Attribute { name: member.name.into_owned(), values, structured: 0 }
    })
}
