//! A person, from the claims of a verified assertion (checklist 17, 22 to 26).

use std::borrow::Cow;

use super::attributes::{self as names, single, values};
use super::{Field, Loa, Number, NumberKind, Subject, SubjectKind};
use crate::base::UnixTime;
use crate::crypto::digest::HmacKey;
use crate::verify::saml::{Assertion, Attribute, NameId, Scope};
use crate::verify::{Reason, Reject, Verified};

/// Binding processes whose mapped number may be used as the person's own (REG 3.1.9.3).
const ACCEPTED_BINDINGS: [&str; 2] = [
    "http://id.swedenconnect.se/id-binding/process/populationregister",
    "http://id.swedenconnect.se/id-binding/process/swedish-eid",
];

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

/// A person whose identity a trusted provider vouched for. Made by [`from_assertion`] alone; it has no `Debug`.
///
/// ```compile_fail,E0451
/// use grindvakt::identity::Identity;
/// fn forge(real: Identity, someone_else: String) -> Identity {
///     Identity { personal_number: Some(someone_else), ..real }
/// }
/// ```
///
/// ```
/// fn level(who: &grindvakt::identity::Identity) -> &str {
///     who.loa().uri()
/// }
/// ```
pub struct Identity {
    issuer: String,
    assertion_id: String,
    acceptable_until: UnixTime,
    issued: UnixTime,
    session_ends: Option<UnixTime>,
    name_id: NameId,
    session_index: Option<String>,
    authenticated_at: UnixTime,
    loa: Loa,
    subject: Subject,
    personal_number: Option<String>,
    coordination_number: Option<String>,
    previous_number: Option<String>,
    prid: Option<String>,
    country: Option<String>,
    hsa_id: Option<String>,
    org_affiliation: Vec<String>,
    name: Option<String>,
    given_name: Option<String>,
    surname: Option<String>,
    date_of_birth: Option<String>,
    attributes: Vec<Attribute>,
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
    from_claims(verified.into_claims(), rules, key)
}

fn from_claims(claims: Assertion, rules: &IdentityRules<'_>, key: &HmacKey) -> Result<Identity, Reject> {
    let all = claims.attributes.as_slice();
    let loa = Loa::from_uri(&claims.loa);
    let text = |names| single(all, names).map(|value| value.map(str::to_owned));

    let number = number(all, &loa, rules)?;
    let previous_number = single(all, names::PREVIOUS_NUMBER)?.map(|text| digits(text, rules)).transpose()?;
    let country = single(all, names::COUNTRY)?.map(country_code).transpose()?;
    let prid = match single(all, names::PRID)? {
        // Whoever else writes one would speak of the connector's persons.
        Some(text) if rules.eidas_connector || loa.is_relayed_eidas() => Some(prid(text, country.as_deref())?),
        _ => None,
    };
    let (mut personal_number, mut coordination_number) = (None, None);
    match number {
        Some(number) if number.kind() == NumberKind::Coordination => {
            coordination_number = Some(number.as_str().to_owned())
        }
        Some(number) => personal_number = Some(number.as_str().to_owned()),
        None => {}
    }
    let hsa_id = text(names::HSA_ID)?;
    let kinds = [
        (SubjectKind::PersonalNumber, &personal_number),
        (SubjectKind::CoordinationNumber, &coordination_number),
        (SubjectKind::Prid, &prid),
        (SubjectKind::HsaId, &hsa_id),
    ];
    let best = kinds.into_iter().find_map(|(kind, value)| value.as_deref().map(|value| (kind, value)));
    let subject = match best {
        Some((kind, value)) => Subject::new(kind, &[value], key),
        None => Subject::new(SubjectKind::Provider, &name_at_provider(&claims, rules), key),
    };
    let org_affiliation = affiliations(all, rules)?;
    let (name, given_name, surname) = (text(names::NAME)?, text(names::GIVEN_NAME)?, text(names::SURNAME)?);
    let date_of_birth = single(all, names::DATE_OF_BIRTH)?.map(date).transpose()?;
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
        personal_number,
        coordination_number,
        previous_number,
        prid,
        country,
        hsa_id,
        org_affiliation,
        name,
        given_name,
        surname,
        date_of_birth,
        attributes: claims.attributes,
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

fn digits(text: &str, rules: &IdentityRules<'_>) -> Result<String, Reject> {
    parse_number(text, rules).map(|number| number.as_str().to_owned())
}

fn parse_number(text: &str, rules: &IdentityRules<'_>) -> Result<Number, Reject> {
    // The number itself is never in the detail: it is a person.
    let number = Number::parse(text)
        .ok_or_else(|| Reject::new(Reason::PersonalNumberMalformed, "an identity number that is not twelve digits"))?;
    if rules.check_digit && !number.check_digit_holds() {
        return Err(Reject::new(Reason::PersonalNumberMalformed, "an identity number with a wrong check digit"));
    }
    Ok(number)
}

/// The person's number: stated by a Swedish provider, or mapped by the connector with an acceptable binding.
fn number(all: &[Attribute], loa: &Loa, rules: &IdentityRules<'_>) -> Result<Option<Number>, Reject> {
    let stated = single(all, names::NUMBER)?.map(|text| parse_number(text, rules)).transpose()?;
    if stated.is_some() && loa.is_nonresident() {
        return Err(Reject::new(Reason::NonresidentWithNumber, "a non-resident level together with a Swedish number"));
    }
    if stated.as_ref().is_some_and(|n| n.kind() == NumberKind::Coordination) && !rules.accept_coordination_number {
        let detail = "a coordination number; the service has not set accept_coordination_number";
        return Err(Reject::new(Reason::CoordinationNumberNotAccepted, detail));
    }
    let mapped = single(all, names::MAPPED_NUMBER)?.map(|text| parse_number(text, rules)).transpose()?;
    let Some(mapped) = mapped else { return Ok(stated) };
    let binding = single(all, names::NUMBER_BINDING)?;
    // Every process in the list must be acceptable: the weakest one decides (ATTR 3.3.2).
    let good = binding.is_some_and(|list| list.split(';').all(|process| ACCEPTED_BINDINGS.contains(&process.trim())));
    if !good || !rules.eidas_connector {
        let detail = "a mapped number without an acceptable binding process, or not from the eIDAS connector";
        return Err(Reject::new(Reason::MappedNumberBinding, detail));
    }
    if stated.as_ref().is_some_and(|stated| *stated != mapped) {
        return Err(Reject::new(Reason::AttributeMalformed, "a stated and a mapped number that differ"));
    }
    Ok(Some(mapped))
}

/// ISO 3166-1 alpha-2, in upper case.
fn country_code(text: &str) -> Result<String, Reject> {
    let good = text.len() == 2 && text.bytes().all(|b| b.is_ascii_alphabetic());
    if good {
        Ok(text.to_ascii_uppercase())
    } else {
        Err(Reject::new(Reason::AttributeMalformed, "a country that is no two letters"))
    }
}

/// YYYY-MM-DD; a broker's YYYYMMDD is written so too (profile 2.1).
fn date(text: &str) -> Result<String, Reject> {
    let digits: String = match text.as_bytes() {
        [_, _, _, _, b'-', _, _, b'-', _, _] => text.replace('-', ""),
        _ => text.to_owned(),
    };
    let malformed = || Reject::new(Reason::AttributeMalformed, "a date of birth that is no YYYY-MM-DD");
    if digits.len() != 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(malformed());
    }
    let part = |from, to| digits.get(from..to).ok_or_else(malformed);
    let within = |from, to, most: u8| part(from, to).map(|text| text.parse().is_ok_and(|n| (1..=most).contains(&n)));
    if !(within(4, 6, 12)? && within(6, 8, 31)?) {
        return Err(malformed());
    }
    Ok(format!("{}-{}-{}", part(0, 4)?, part(4, 6)?, part(6, 8)?))
}

/// `^[A-Z]{2}:[0-9a-z][0-9a-z-]{8,28}[0-9a-z]$` with eight characters that are no hyphen (CON 2.1), of the country that
/// authenticated. Another case is refused: one person would be two.
fn prid(text: &str, country: Option<&str>) -> Result<String, Reject> {
    let malformed = || Reject::new(Reason::PridMalformed, "a prid that does not match its pattern");
    let (from, id) = text.split_once(':').ok_or_else(malformed)?;
    let good = from.len() == 2
        && from.bytes().all(|b| b.is_ascii_uppercase())
        && (10..=30).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase() || b == b'-')
        && !id.starts_with('-')
        && !id.ends_with('-')
        && id.bytes().filter(|b| *b != b'-').count() >= 8;
    if !good {
        return Err(malformed());
    }
    if country != Some(from) {
        let detail = format_args!("a prid of {from}, authenticated by {}", country.unwrap_or("no country"));
        return Err(Reject::new(Reason::PridCountryMismatch, detail));
    }
    Ok(text.to_owned())
}

/// orgAffiliation: `id@organisation`, split at the last `@`, the scope registered for the provider (ATTR 3.1.3; DP 6.2.1).
fn affiliations(all: &[Attribute], rules: &IdentityRules<'_>) -> Result<Vec<String>, Reject> {
    let mut out = Vec::new();
    for value in values(all, names::ORG_AFFILIATION)?.unwrap_or_default() {
        let value = value.trim();
        let (id, scope) = value
            .rsplit_once('@')
            // The e-service gets the values in one list: an id that holds a separator would be two of them.
            .filter(|(id, scope)| !id.is_empty() && !scope.is_empty() && !id.contains(is_separator))
            .ok_or_else(|| Reject::new(Reason::AttributeMalformed, "an orgAffiliation that is no id@scope"))?;
        if !rules.scopes.iter().any(|registered| registered.value == scope) {
            // The scope itself is not told: a sole trader's organisation number is a personal number.
            let detail = "the scope of an orgAffiliation is not in the provider's metadata";
            return Err(Reject::new(Reason::ScopeNotRegistered, detail));
        }
        out.push(format!("{id}@{scope}"));
    }
    Ok(out)
}

fn is_separator(c: char) -> bool {
    c.is_control() || c.is_whitespace() || matches!(c, ',' | ';' | '%' | '"' | '\'')
}

impl Identity {
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

    /// The assertion's ID: with the issuer, what may be used once.
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

    /// The provider's name for the person: personal data, in no log.
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

    /// Every attribute of the assertion: for `grindvakt verify`, never for the e-service.
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// A field's value; none when the provider did not give it. `eid` is not the identity's to know.
    pub fn field(&self, field: Field) -> Option<Cow<'_, str>> {
        let text = match field {
            Field::PersonalNumber => &self.personal_number,
            Field::CoordinationNumber => &self.coordination_number,
            Field::PreviousNumber => &self.previous_number,
            Field::Prid => &self.prid,
            Field::Country => &self.country,
            Field::HsaId => &self.hsa_id,
            Field::Name => &self.name,
            Field::GivenName => &self.given_name,
            Field::Surname => &self.surname,
            Field::DateOfBirth => &self.date_of_birth,
            Field::OrgAffiliation if self.org_affiliation.is_empty() => return None,
            Field::OrgAffiliation => return Some(Cow::Owned(self.org_affiliation.join(","))),
            Field::Loa => return Some(Cow::Borrowed(self.loa.uri())),
            // SAML has no such attribute, and the e-ID is a matter of the configuration.
            Field::CoordinationLevel | Field::Eid => return None,
        };
        text.as_deref().map(Cow::Borrowed)
    }
}

#[cfg(test)]
#[path = "person_tests.rs"]
mod tests;
