//! A person, from the attributes of a verified assertion (checklist 17, 22 to 26).

use super::attributes::{self as names, single, values};
use super::forms::{NumberRules, affiliation, country_code, date, prid};
use super::person::{Fields, Source};
use super::{Identity, Loa, Number};
use crate::crypto::digest::HmacKey;
use crate::verify::saml::{Assertion, Attribute, Scope};
use crate::verify::{Reject, Verified};

/// What a service and a provider allow of an identity.
#[derive(Clone, Copy, Debug)]
pub struct IdentityRules<'a> {
    /// Our entityID.
    pub audience: &'a str,
    /// Whether the service has opted in to coordination numbers (EC 6.2).
    pub accept_coordination_number: bool,
    /// Scopes that the provider has in its metadata.
    pub scopes: &'a [Scope],
    /// Whether the provider is the eIDAS connector: only it maps numbers and gives prids.
    pub eidas_connector: bool,
    /// Whether a number must have its right check digit. No profile asks for it.
    pub check_digit: bool,
}

impl IdentityRules<'_> {
    const fn numbers(&self) -> NumberRules {
        NumberRules {
            accept_coordination_number: self.accept_coordination_number,
            check_digit: self.check_digit,
            eidas_connector: self.eidas_connector,
        }
    }
}

/// Reads a person out of verified claims.
///
/// # Errors
/// `attribute_duplicate`, `attribute_values`, `attribute_malformed`, `personal_number_malformed`,
/// `coordination_number_not_accepted`, `nonresident_with_number`, `scope_not_registered`, `mapped_number_binding`,
/// `prid_malformed`, `prid_country_mismatch`.
pub fn from_assertion(
    verified: Verified<Assertion>,
    rules: &IdentityRules<'_>,
    key: &HmacKey,
) -> Result<Identity, Reject> {
    let signed_by = verified.signed_by().copied();
    Ok(Identity { signed_by, ..from_attributes(verified.into_claims(), rules, key)? })
}

fn from_attributes(claims: Assertion, rules: &IdentityRules<'_>, key: &HmacKey) -> Result<Identity, Reject> {
    let all = claims.attributes.as_slice();
    let loa = Loa::from_uri(&claims.loa);
    let text = |names| single(all, names).map(|value| value.map(str::to_owned));

    let numbers = rules.numbers();
    let number = number(all, &loa, rules)?;
    let previous_number = single(all, names::PREVIOUS_NUMBER)?.map(|text| numbers.digits(text)).transpose()?;
    let country = single(all, names::COUNTRY)?.map(country_code).transpose()?;
    let prid = match single(all, names::PRID)? {
        // Whoever else writes one would speak of the connector's persons.
        Some(text) if rules.eidas_connector || loa.is_relayed_eidas() => Some(prid(text, country.as_deref())?),
        _ => None,
    };
    let mut fields = Fields {
        previous_number,
        prid,
        country,
        hsa_id: text(names::HSA_ID)?,
        org_affiliation: affiliations(all, rules)?,
        name: text(names::NAME)?,
        given_name: text(names::GIVEN_NAME)?,
        surname: text(names::SURNAME)?,
        date_of_birth: single(all, names::DATE_OF_BIRTH)?.map(date).transpose()?,
        ..Fields::default()
    };
    fields.set_number(number);
    let subject = fields.subject(&name_at_provider(&claims, rules), key);
    // The claims are taken apart rather than copied: there may be a hundred attributes.
    Ok(Identity {
        issuer: claims.issuer,
        assertion_id: claims.id,
        acceptable_until: claims.acceptable_until,
        issued: claims.issue_instant,
        session_ends: claims.session_ends,
        name_id: claims.name_id,
        session_index: claims.session_index,
        authenticated_at: claims.authn_instant,
        loa,
        subject,
        fields,
        source: Source::Attributes(claims.attributes),
        signed_by: None,
    })
}

/// The provider's own name for the person, with what qualifies it (SAML Core 8.3.7). Qualifiers that say what is meant
/// without them count as absent: a provider that begins to write them out keeps its persons.
fn name_at_provider<'a>(claims: &'a Assertion, rules: &IdentityRules<'_>) -> [&'a str; 4] {
    let qualifier = |name: &'a Option<String>, usual: &str| name.as_deref().filter(|n| *n != usual).unwrap_or("");
    let id = &claims.name_id;
    [
        &claims.issuer,
        &id.value,
        qualifier(&id.name_qualifier, &claims.issuer),
        qualifier(&id.sp_name_qualifier, rules.audience),
    ]
}

/// The person's number: stated by a Swedish provider, or mapped by the connector with an acceptable binding.
fn number(all: &[Attribute], loa: &Loa, rules: &IdentityRules<'_>) -> Result<Option<Number>, Reject> {
    let numbers = rules.numbers();
    let stated = single(all, names::NUMBER)?.map(|text| numbers.parse(text)).transpose()?;
    let mapped = single(all, names::MAPPED_NUMBER)?.map(|text| numbers.parse(text)).transpose()?;
    let binding = single(all, names::NUMBER_BINDING)?;
    numbers.of_person(stated, mapped, binding.into_iter().flat_map(|list| list.split(';')), loa)
}

/// orgAffiliation: the scope registered for the provider in its metadata (DP 6.2.1).
fn affiliations(all: &[Attribute], rules: &IdentityRules<'_>) -> Result<Vec<String>, Reject> {
    let values = values(all, names::ORG_AFFILIATION)?.unwrap_or_default();
    let registered = |scope: &str| rules.scopes.iter().any(|registered| registered.value == scope);
    values.iter().map(|value| affiliation(value, registered)).collect()
}

/// A person with these attributes, for tests that compare protocols.
#[cfg(test)]
pub(super) fn from_assertion_of_attributes(attributes: &[(&str, &str)], key: &HmacKey) -> Identity {
    tests::with_attributes(attributes, key)
}

#[cfg(test)]
#[path = "saml_tests.rs"]
mod tests;
