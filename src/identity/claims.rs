//! A person, from the claims of verified tokens (checklist 42 and 43; profile 2.1). What SAML writes in attributes is here
//! in claims, by the names of the provider's profile or of the configuration; the rules for it are the same.

use std::borrow::Cow;

use super::forms::{NumberRules, affiliation, country_code, date, prid};
use super::person::{Fields, Source};
use super::{Field, Identity, Loa, Number, NumberKind, Subject, SubjectKind};
use crate::base::UnixTime;
use crate::crypto::digest::HmacKey;
use crate::verify::jose::{AccessToken, Claims, IdToken, Kind, ProfileRules, UserInfo, Value};
use crate::verify::saml::NameId;
use crate::verify::{Reason, Reject, Verified};

/// What a service and a provider allow of an identity, and where it is.
#[derive(Clone, Copy, Debug)]
pub struct ClaimRules<'a> {
    /// Where claims are by the provider's profile.
    pub profile: &'a ProfileRules,
    /// (field, claim): where the configuration says that they are, before the profile.
    pub map: &'a [(Field, String)],
    /// Whether the service has opted in to coordination numbers (EC 6.2).
    pub accept_coordination_number: bool,
    /// Organisations that the provider may speak for; none takes any, since OpenID Connect has no register of them.
    pub scopes: Option<&'a [String]>,
    /// Whether the provider is the eIDAS connector: only it maps numbers and gives prids.
    pub eidas_connector: bool,
    /// Whether a number must have its right check digit. No profile asks for it.
    pub check_digit: bool,
}

/// Reads a person out of a verified ID token, and UserInfo where there is some. What both say must be the same.
///
/// # Errors
/// `claim_type`, `claim_conflict`, `numbers_together`, and those of [`super::from_assertion`].
pub fn from_claims(
    token: Verified<IdToken>,
    userinfo: Option<Verified<UserInfo>>,
    rules: &ClaimRules<'_>,
    key: &HmacKey,
) -> Result<Identity, Reject> {
    let signed_by = token.signed_by().copied();
    let token = token.into_claims();
    let authenticated_at = token.auth_time.unwrap_or(token.issued_at);
    let mut sources = vec![token.claims];
    sources.extend(userinfo.map(|userinfo| userinfo.into_claims().claims));
    let loa = Loa::from_uri(&token.loa);
    let fields = fields(&sources, rules, &loa)?;
    Ok(Identity {
        assertion_id: token.replay_id,
        acceptable_until: token.acceptable_until,
        issued: token.issued_at,
        session_ends: None,
        session_index: token.session_id,
        authenticated_at,
        loa,
        subject: fields.subject(&[&token.issuer, &token.subject, "", ""], key),
        name_id: name_id(token.subject),
        issuer: token.issuer,
        fields,
        source: Source::Claims(sources),
        signed_by,
    })
}

/// Reads whoever a verified access token speaks of: a person, where it says so, else whatever its `sub` names, else the
/// client itself, which is what `sub` would name then (RFC 9068, 2.2). A token without a level has one that no route takes.
///
/// # Errors
/// `claim_missing` where the token speaks of nobody, and those of [`from_claims`].
pub fn from_access_token(
    token: Verified<AccessToken>,
    rules: &ClaimRules<'_>,
    key: &HmacKey,
) -> Result<Identity, Reject> {
    let token = token.into_claims();
    let subject = token.subject.or(token.client_id);
    let subject = subject.ok_or_else(|| {
        Reject::new(Reason::ClaimMissing, "neither `sub` nor `client_id`: the token speaks of nobody")
    })?;
    let issued = token.issued_at.unwrap_or(UnixTime::from_secs(0));
    let jti = token.claims.get("jti").and_then(Value::as_text).map(Cow::into_owned).unwrap_or_default();
    let level = |loa: Option<&str>| loa.map_or_else(Loa::unstated, Loa::from_uri);
    let sources = vec![token.claims];
    let (fields, made_from, loa) = if token.is_client {
        // A program is nobody at any level, whatever else its token says.
        let made_from = Subject::new(SubjectKind::Client, &[&token.issuer, &subject], key);
        (Fields::default(), made_from, Loa::unstated())
    } else {
        let fields = fields(&sources, rules, &level(token.stated_loa.as_deref()))?;
        let made_from = fields.subject(&[&token.issuer, &subject, "", ""], key);
        // A level is of a login. A token that speaks of none, nor of anyone by a number, may be a program's as well: not
        // every server gives those the program's own name.
        let of_a_person = token.auth_time.is_some() || made_from.kind().holds_across_providers();
        let loa = if of_a_person { level(token.loa.as_deref()) } else { Loa::unstated() };
        (fields, made_from, loa)
    };
    Ok(Identity {
        assertion_id: jti,
        acceptable_until: token.acceptable_until,
        issued,
        session_ends: None,
        session_index: None,
        authenticated_at: token.auth_time.unwrap_or(issued),
        loa,
        subject: made_from,
        name_id: name_id(subject),
        issuer: token.issuer,
        fields,
        source: Source::Claims(sources),
        signed_by: None,
    })
}

fn name_id(subject: String) -> NameId {
    NameId { value: subject, format: None, name_qualifier: None, sp_name_qualifier: None }
}

fn fields(sources: &[Claims], rules: &ClaimRules<'_>, loa: &Loa) -> Result<Fields, Reject> {
    let of = Reader { sources, rules };
    let numbers = NumberRules {
        accept_coordination_number: rules.accept_coordination_number,
        check_digit: rules.check_digit,
        eidas_connector: rules.eidas_connector,
    };
    let country = of.text(Field::Country)?.map(|text| country_code(&text)).transpose()?;
    let prid = match of.text(Field::Prid)? {
        // Whoever else writes one would speak of the connector's persons.
        Some(text) if rules.eidas_connector || loa.is_relayed_eidas() => Some(prid(&text, country.as_deref())?),
        _ => None,
    };
    let mut fields = Fields {
        previous_number: of.text(Field::PreviousNumber)?.map(|text| numbers.digits(&text)).transpose()?,
        prid,
        country,
        hsa_id: of.text(Field::HsaId)?.map(Cow::into_owned),
        org_affiliation: of.affiliations()?,
        name: of.text(Field::Name)?.map(Cow::into_owned),
        given_name: of.text(Field::GivenName)?.map(Cow::into_owned),
        surname: of.text(Field::Surname)?.map(Cow::into_owned),
        date_of_birth: of
            .text(Field::DateOfBirth)?
            .filter(|text| !is_partial(text))
            .map(|text| date(&text))
            .transpose()?,
        ..Fields::default()
    };
    fields.set_number(of.number(numbers, loa)?);
    let level = of.text(Field::CoordinationLevel)?;
    if level.as_deref().is_some_and(|level| !matches!(level, "confirmed" | "probable" | "uncertain")) {
        let detail = "a coordination number's level that is none of confirmed, probable and uncertain";
        return Err(Reject::new(Reason::AttributeMalformed, detail));
    }
    fields.coordination_level = level.filter(|_| fields.coordination_number.is_some()).map(Cow::into_owned);
    Ok(fields)
}

/// A birthdate without its year, or a year alone (OpenID Connect Core, 5.1): nothing that could be told as a date.
fn is_partial(text: &str) -> bool {
    text.starts_with("0000-") || (text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit()))
}

/// Claims of all sources, by field.
struct Reader<'a> {
    sources: &'a [Claims],
    rules: &'a ClaimRules<'a>,
}

impl<'a> Reader<'a> {
    /// The claim of a field: of its names the first that is there.
    fn value(&self, field: Field) -> Result<Option<(&'a str, Value<'a>)>, Reject> {
        let names = &self.rules.profile.claims;
        if let Some((_, name)) = self.rules.map.iter().find(|(mapped, _)| *mapped == field) {
            return self.first(&[name.as_str()]);
        }
        self.first(match field {
            Field::PersonalNumber => names.personal_number,
            Field::CoordinationNumber => names.coordination_number,
            Field::CoordinationLevel => names.coordination_level,
            Field::PreviousNumber => names.previous_number,
            Field::Prid => names.prid,
            Field::Country => names.country,
            Field::HsaId => names.hsa_id,
            Field::OrgAffiliation => names.org_affiliation,
            Field::Name => names.name,
            Field::GivenName => names.given_name,
            Field::Surname => names.surname,
            Field::DateOfBirth => names.date_of_birth,
            Field::Loa | Field::Eid => &[],
        })
    }

    fn first<'n>(&self, names: &[&'n str]) -> Result<Option<(&'n str, Value<'a>)>, Reject> {
        for name in names {
            let mut found = self.sources.iter().filter_map(|claims| claims.get(name));
            let Some(value) = found.next() else { continue };
            if found.any(|other| !same(value, other)) {
                let detail = format_args!("the ID token and UserInfo differ on `{name}`");
                return Err(Reject::new(Reason::ClaimConflict, detail));
            }
            return Ok(Some((name, value)));
        }
        Ok(None)
    }

    /// A field of one text, without white space around it.
    fn text(&self, field: Field) -> Result<Option<Cow<'a, str>>, Reject> {
        self.value(field)?.map(|(name, value)| text(name, value)).transpose()
    }

    fn number_of(&self, field: Field, numbers: NumberRules) -> Result<Option<Number>, Reject> {
        self.text(field)?.map(|text| numbers.parse(&text)).transpose()
    }

    /// The person's number: personal or coordination, each in its own claim where the profile has one for each.
    fn number(&self, numbers: NumberRules, loa: &Loa) -> Result<Option<Number>, Reject> {
        let profile = self.rules.profile;
        let swedish = match profile.number_country {
            None => true,
            // Of a person of another country it is that country's number: a name for nobody here.
            Some(claim) => match self.first(&[claim])? {
                Some((name, value)) => text(name, value)?.eq_ignore_ascii_case("SE"),
                None => false,
            },
        };
        if !swedish {
            return Ok(None);
        }
        let personal = self.number_of(Field::PersonalNumber, numbers)?;
        let coordination = self.number_of(Field::CoordinationNumber, numbers)?;
        let stated = one(personal, coordination, profile.numbers_apart)?;
        let [mapped_personal, mapped_coordination] = match profile.claims.mapped_number {
            [personal, coordination] => {
                let read = |name: &'static str| match self.first(&[name])? {
                    Some((name, value)) => numbers.parse(&text(name, value)?).map(Some),
                    None => Ok(None),
                };
                [read(personal)?, read(coordination)?]
            }
            _ => [None, None],
        };
        let mapped = one(mapped_personal, mapped_coordination, profile.numbers_apart)?;
        let binding = match self.first(profile.claims.number_binding)? {
            Some((name, value)) => texts(name, value)?,
            None => Vec::new(),
        };
        numbers.of_person(stated, mapped, binding.iter().flat_map(|list| list.split(';')), loa)
    }

    /// orgAffiliation: a text, or an array of them.
    fn affiliations(&self) -> Result<Vec<String>, Reject> {
        let Some((name, value)) = self.value(Field::OrgAffiliation)? else { return Ok(Vec::new()) };
        let registered =
            |scope: &str| self.rules.scopes.is_none_or(|scopes| scopes.iter().any(|registered| registered == scope));
        texts(name, value)?.iter().map(|value| affiliation(value, registered)).collect()
    }
}

/// The number of a person who has one of two kinds (OSC 3.2). `apart`: each in the claim of its kind.
fn one(personal: Option<Number>, coordination: Option<Number>, apart: bool) -> Result<Option<Number>, Reject> {
    let misplaced = |number: &Option<Number>, kind| number.as_ref().is_some_and(|number| number.kind() != kind);
    if (apart && misplaced(&personal, NumberKind::Personal)) || misplaced(&coordination, NumberKind::Coordination) {
        let detail = "an identity number in the claim of the other kind";
        return Err(Reject::new(Reason::PersonalNumberMalformed, detail));
    }
    match (personal, coordination) {
        (Some(_), Some(_)) => {
            Err(Reject::new(Reason::NumbersTogether, "a personal number together with a coordination number"))
        }
        (personal, coordination) => Ok(personal.or(coordination)),
    }
}

/// Whether two claims say the same.
fn same(a: Value<'_>, b: Value<'_>) -> bool {
    match (a.as_text(), b.as_text()) {
        (Some(a), Some(b)) => a == b,
        _ => match (a.as_array(), b.as_array()) {
            (Some(a), Some(b)) => {
                let (a, b): (Vec<_>, Vec<_>) = (a.collect(), b.collect());
                a.len() == b.len() && a.into_iter().zip(b).all(|(a, b)| same(a, b))
            }
            _ => a.kind() == b.kind() && a.source() == b.source(),
        },
    }
}

/// A claim's one text. A value of another type is a refusal, never an absence (T35).
fn text<'v>(name: &str, value: Value<'v>) -> Result<Cow<'v, str>, Reject> {
    let text = value.as_text().ok_or_else(|| Reject::new(Reason::ClaimType, format_args!("`{name}` is no text")))?;
    let text = match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    };
    if text.is_empty() {
        return Err(Reject::new(Reason::AttributeValues, format_args!("`{name}` is empty")));
    }
    // XML has no such characters; JSON can write every one.
    if text.contains(char::is_control) {
        return Err(Reject::new(Reason::AttributeMalformed, format_args!("`{name}` holds a control character")));
    }
    Ok(text)
}

/// A claim's texts: itself, or an array's.
fn texts<'v>(name: &str, value: Value<'v>) -> Result<Vec<Cow<'v, str>>, Reject> {
    match (value.kind(), value.as_array()) {
        (Kind::Array, Some(list)) => list.map(|item| text(name, item)).collect(),
        _ => Ok(vec![text(name, value)?]),
    }
}

#[cfg(test)]
#[path = "claims_tests.rs"]
mod tests;
