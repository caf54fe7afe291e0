//! Test persons. The identity numbers are of the kind that the Swedish Tax Agency publishes for testing: they belong to
//! nobody. The names are made up.

use std::borrow::Cow;

/// Someone who can log in at a demo provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Personal or coordination number, 12 digits; none for a person whom the provider knows by name only.
    pub number: Option<Cow<'static, str>>,
    /// Given names.
    pub given_name: Cow<'static, str>,
    /// Surname.
    pub surname: Cow<'static, str>,
    /// Date of birth, `YYYY-MM-DD`.
    pub date_of_birth: Option<Cow<'static, str>>,
}

impl Person {
    /// A person by number and name.
    pub fn new(number: &str, given_name: &str, surname: &str) -> Self {
        Self {
            number: Some(Cow::Owned(number.to_owned())),
            given_name: Cow::Owned(given_name.to_owned()),
            surname: Cow::Owned(surname.to_owned()),
            date_of_birth: None,
        }
    }

    /// Given names and surname.
    pub fn display_name(&self) -> String {
        format!("{} {}", self.given_name, self.surname)
    }

    /// What a provider tells persons apart by: the number, else the name.
    pub fn key(&self) -> String {
        self.number.as_deref().map_or_else(|| self.display_name(), str::to_owned)
    }
}

const fn person(
    number: Option<&'static str>,
    given_name: &'static str,
    surname: &'static str,
    born: &'static str,
) -> Person {
    Person {
        number: match number {
            Some(number) => Some(Cow::Borrowed(number)),
            None => None,
        },
        given_name: Cow::Borrowed(given_name),
        surname: Cow::Borrowed(surname),
        date_of_birth: Some(Cow::Borrowed(born)),
    }
}

/// The persons of the demo: two with a personal number, one with a coordination number (day + 60), one with none.
pub static PERSONS: [Person; 4] = [
    person(Some("195006262546"), "Åsa Märta", "Öberg", "1950-06-26"),
    person(Some("195207306886"), "Nils", "Ström-O'Hara", "1952-07-30"),
    person(Some("197010632391"), "Zoë", "Nowak", "1970-10-03"),
    person(None, "Namn", "Utan Nummer", "1980-01-01"),
];

/// Åsa Öberg, whose name shows whether letters survive the way through headers.
pub fn asa() -> Person {
    PERSONS[0].clone()
}

/// Nils Ström-O'Hara.
pub fn nils() -> Person {
    PERSONS[1].clone()
}

/// Zoë Nowak, with a coordination number.
pub fn zoe() -> Person {
    PERSONS[2].clone()
}

/// Someone without any number.
pub fn nameless() -> Person {
    PERSONS[3].clone()
}
