//! Test persons. The identity numbers are of the kind that the Swedish Tax Agency publishes for testing: they belong to
//! nobody. The names are made up.

use std::borrow::Cow;

/// Someone who can log in at a demo provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Personal or coordination number, 12 digits; none for a person whom the provider knows by name only.
    pub number: Option<Cow<'static, str>>,
    /// Given names; empty where the provider gives none.
    pub given_name: Cow<'static, str>,
    /// Surname; empty where the provider gives none.
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
        format!("{} {}", self.given_name, self.surname).trim().to_owned()
    }

    /// What a provider tells persons apart by: the number, else the name.
    pub fn key(&self) -> String {
        self.number.as_deref().map_or_else(|| self.display_name(), str::to_owned)
    }
}

/// A person as a provider's page offers them: with a name to be picked by, and with what a provider of their kind adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestPerson {
    /// What they are picked by.
    pub id: String,
    /// A line about them, for whoever picks; may be empty.
    pub about: String,
    /// Who they are.
    pub person: Person,
    /// The e-IDs that they have; the first is the one they would use. Empty: all.
    pub eid: Vec<String>,
    /// The level that they log in at, as a URI; none: the first that was asked for and the provider may assert.
    pub loa: Option<String>,
    /// Further attributes: a name and its values.
    pub attributes: Vec<(String, Vec<String>)>,
}

impl TestPerson {
    /// The persons of the demo, picked by their place in [`PERSONS`].
    pub fn of_the_demo() -> Vec<Self> {
        let all = PERSONS.iter().enumerate().map(|(at, person)| Self {
            id: at.to_string(),
            about: match person.number.as_deref() {
                // A coordination number has 60 added to its day.
                Some(number) if number.get(6..7).is_some_and(|tens| tens >= "6") => {
                    "samordningsnummer, coordination number".to_owned()
                }
                Some(_) => String::new(),
                None => "utan nummer, no number".to_owned(),
            },
            person: person.clone(),
            eid: Vec::new(),
            loa: None,
            attributes: Vec::new(),
        });
        all.collect()
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
    person(None, "Kim", "Utan-Nummer", "1980-01-01"),
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
