//! The forms of what a person is told by: numbers, dates, countries, affiliations. The same whatever the protocol.

use super::person::Fields;
use super::{Loa, Number, NumberKind, Subject, SubjectKind};
use crate::crypto::digest::HmacKey;
use crate::verify::{Reason, Reject};

/// Binding processes whose mapped number may be used as the person's own (REG 3.1.9.3).
const ACCEPTED_BINDINGS: [&str; 2] = [
    "http://id.swedenconnect.se/id-binding/process/populationregister",
    "http://id.swedenconnect.se/id-binding/process/swedish-eid",
];

/// Which identity numbers are taken, and from whom.
#[derive(Clone, Copy)]
pub(super) struct NumberRules {
    pub(super) accept_coordination_number: bool,
    pub(super) check_digit: bool,
    pub(super) eidas_connector: bool,
}

impl NumberRules {
    pub(super) fn digits(self, text: &str) -> Result<String, Reject> {
        self.parse(text).map(|number| number.as_str().to_owned())
    }

    pub(super) fn parse(self, text: &str) -> Result<Number, Reject> {
        // The number itself is never in the detail: it is a person.
        let malformed = |what| Reject::new(Reason::PersonalNumberMalformed, what);
        let number = Number::parse(text).ok_or_else(|| malformed("an identity number that is not twelve digits"))?;
        if self.check_digit && !number.check_digit_holds() {
            return Err(malformed("an identity number with a wrong check digit"));
        }
        Ok(number)
    }

    /// The person's number: stated by a Swedish provider, or mapped by the connector with an acceptable binding.
    pub(super) fn of_person<'p>(
        self,
        stated: Option<Number>,
        mapped: Option<Number>,
        binding: impl Iterator<Item = &'p str>,
        loa: &Loa,
    ) -> Result<Option<Number>, Reject> {
        if stated.is_some() && loa.is_nonresident() {
            let detail = "a non-resident level together with a Swedish number";
            return Err(Reject::new(Reason::NonresidentWithNumber, detail));
        }
        if stated.as_ref().is_some_and(|n| n.kind() == NumberKind::Coordination) && !self.accept_coordination_number {
            let detail = "a coordination number; the service has not set accept_coordination_number";
            return Err(Reject::new(Reason::CoordinationNumberNotAccepted, detail));
        }
        let Some(mapped) = mapped else { return Ok(stated) };
        // Every process in the list must be acceptable: the weakest one decides (ATTR 3.3.2).
        let mut binding = binding.peekable();
        let good = binding.peek().is_some() && binding.all(|process| ACCEPTED_BINDINGS.contains(&process.trim()));
        if !good || !self.eidas_connector {
            let detail = "a mapped number without an acceptable binding process, or not from the eIDAS connector";
            return Err(Reject::new(Reason::MappedNumberBinding, detail));
        }
        if stated.as_ref().is_some_and(|stated| *stated != mapped) {
            return Err(Reject::new(Reason::AttributeMalformed, "a stated and a mapped number that differ"));
        }
        Ok(Some(mapped))
    }
}

impl Fields {
    /// Personal and coordination numbers are told apart.
    pub(super) fn set_number(&mut self, number: Option<Number>) {
        match number {
            Some(number) if number.kind() == NumberKind::Coordination => {
                self.coordination_number = Some(number.as_str().to_owned());
            }
            Some(number) => self.personal_number = Some(number.as_str().to_owned()),
            None => {}
        }
    }

    /// Who it is: by the best thing that holds across providers, else by the provider's own name for the person.
    pub(super) fn subject(&self, name_at_provider: &[&str], key: &HmacKey) -> Subject {
        let kinds = [
            (SubjectKind::PersonalNumber, &self.personal_number),
            (SubjectKind::CoordinationNumber, &self.coordination_number),
            (SubjectKind::Prid, &self.prid),
            (SubjectKind::HsaId, &self.hsa_id),
        ];
        let best = kinds.into_iter().find_map(|(kind, value)| value.as_deref().map(|value| (kind, value)));
        match best {
            Some((kind, value)) => Subject::new(kind, &[value], key),
            None => Subject::new(SubjectKind::Provider, name_at_provider, key),
        }
    }
}

/// ISO 3166-1 alpha-2, in upper case.
pub(super) fn country_code(text: &str) -> Result<String, Reject> {
    let good = text.len() == 2 && text.bytes().all(|b| b.is_ascii_alphabetic());
    if good {
        Ok(text.to_ascii_uppercase())
    } else {
        Err(Reject::new(Reason::AttributeMalformed, "a country that is no two letters"))
    }
}

/// YYYY-MM-DD; a broker's YYYYMMDD is written so too (profile 2.1).
pub(super) fn date(text: &str) -> Result<String, Reject> {
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
pub(super) fn prid(text: &str, country: Option<&str>) -> Result<String, Reject> {
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

/// One orgAffiliation: `id@organisation`, split at the last `@` (ATTR 3.1.3), the scope one that the provider may use.
pub(super) fn affiliation(value: &str, registered: impl Fn(&str) -> bool) -> Result<String, Reject> {
    let value = value.trim();
    let (id, scope) = value
        .rsplit_once('@')
        // The e-service gets the values in one list: one that holds a separator would be two of them.
        .filter(|(id, scope)| !id.is_empty() && !scope.is_empty() && !value.contains(is_separator))
        .ok_or_else(|| Reject::new(Reason::AttributeMalformed, "an orgAffiliation that is no id@scope"))?;
    if !registered(scope) {
        // The scope itself is not told: a sole trader's organisation number is a personal number.
        let detail = "the scope of an orgAffiliation is not one of the provider's";
        return Err(Reject::new(Reason::ScopeNotRegistered, detail));
    }
    Ok(format!("{id}@{scope}"))
}

fn is_separator(c: char) -> bool {
    c.is_control() || c.is_whitespace() || matches!(c, ',' | ';' | '%' | '"' | '\'')
}
