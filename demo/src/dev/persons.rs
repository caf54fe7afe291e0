//! `persons.toml`: who can log in during development.

use std::borrow::Cow;
use std::path::Path;

use grindvakt::config::Problem;
use grindvakt::identity::{Loa, Number, NumberKind};

use super::eids::DevEid;
use super::rows::{File, Row, Text, nearest};
use crate::person::{Person, TestPerson};

/// The persons where no file names others.
pub const BUILT_IN: &str = include_str!("../../persons.toml");

const PREVIOUS_NUMBER: &str = "urn:oid:1.2.752.201.3.15";
const MAPPED_NUMBER: &str = "urn:oid:1.2.752.201.3.16";
const NUMBER_BINDING: &str = "urn:oid:1.2.752.201.3.6";
const COUNTRY: &str = "urn:oid:2.5.4.6";
const PRID: &str = "urn:oid:1.2.752.201.3.4";
const PRID_PERSISTENCE: &str = "urn:oid:1.2.752.201.3.5";
const HSA_ID: &str = "urn:oid:1.2.752.29.6.2.1";
/// orgAffiliation (attribute specification 3.1).
pub(super) const ORG_AFFILIATION: &str = "urn:oid:1.2.752.201.3.1";
/// A binding process by which a mapped number may be used as the person's own (registry 3.1.9.3).
const BOUND_BY_SWEDISH_EID: &str = "http://id.swedenconnect.se/id-binding/process/swedish-eid";

/// Reads the persons that `text` names, which stands in `file`. With `eids`, an e-ID that is none of them is a mistake;
/// the built-in persons have e-IDs that a service need not have.
///
/// # Errors
/// Everything that is wrong, each with its file and line.
pub fn read(path: &Path, text: &str, eids: Option<&[DevEid]>) -> Result<Vec<TestPerson>, Vec<Problem>> {
    let (mut file, mut root) = File::open(path, text);
    // A file that is not TOML would give a problem for each key that it does not show.
    if !file.is_sound() {
        return file.close().map(|()| Vec::new());
    }
    let rows = root.rows(&mut file, "person");
    let nobody = rows.is_empty();
    let mut people: Vec<TestPerson> = Vec::with_capacity(rows.len());
    for (at, row) in rows.into_iter().enumerate() {
        if let Some(person) = person(&mut file, row, at, eids) {
            match people.iter().any(|known| known.id == person.0.id) {
                true => {
                    file.problem(&place(&person.0.id), person.1, format!("another person has the id {:?}", person.0.id))
                }
                false => people.push(person.0),
            }
        }
    }
    let line = root.line;
    root.finish(&mut file);
    if nobody && file.is_sound() {
        file.problem("", line, "holds no [[person]]: leave --persons out to have the built-in ones");
    }
    file.close().map(|()| people)
}

fn place(id: &str) -> String {
    format!("person {id:?}")
}

/// One person, and the line of their id; none where what is wrong leaves nobody.
fn person(file: &mut File, mut row: Row, at: usize, eids: Option<&[DevEid]>) -> Option<(TestPerson, usize)> {
    row.place = format!("person {}", at + 1);
    let had_id = row.has("id");
    let id = row.text(file, "id");
    match &id {
        Some((id, _)) => row.place = place(id),
        None if !had_id => file.problem(&row.place, row.line, "`id` is missing: what a test picks the person by"),
        None => {}
    }
    if let Some((id, line)) = &id
        && !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    {
        file.problem(&row.place, *line, format!("`id` may hold letters, digits and hyphens, which {id:?} does not"));
    }
    let about = row.text(file, "about").map_or_else(String::new, |(text, _)| text);
    let eid = e_ids(file, &mut row, eids);
    let loa = row.text(file, "loa").and_then(|text| level(file, &row, text));

    let personal = row.text(file, "personal_number").and_then(|t| number(file, &row, "personal_number", t));
    let coordination = row.text(file, "coordination_number").and_then(|t| number(file, &row, "coordination_number", t));
    if let (Some(_), Some((_, line))) = (&personal, &coordination) {
        file.problem(&row.place, *line, "`personal_number` and `coordination_number` are both there; nobody has both");
    }
    let previous = row.text(file, "previous_number").and_then(|t| number(file, &row, "previous_number", t));
    let name = |text: Option<Text>| text.map_or(Cow::Borrowed(""), |(text, _)| Cow::Owned(text));
    let (given_name, surname) = (name(row.text(file, "given_name")), name(row.text(file, "surname")));
    let born = row.text(file, "date_of_birth").and_then(|text| date(file, &row, text));

    let mut attributes = Vec::new();
    let mut add = |name: &str, values: Vec<String>| attributes.push((name.to_owned(), values));
    if let Some((number, _)) = previous {
        add(PREVIOUS_NUMBER, vec![number]);
    }
    if let Some((hsa_id, _)) = row.text(file, "hsa_id") {
        add(HSA_ID, vec![hsa_id]);
    }
    let affiliations = affiliations(file, &mut row);
    if !affiliations.is_empty() {
        add(ORG_AFFILIATION, affiliations);
    }
    let country = row.text(file, "country").and_then(|text| country(file, &row, text));
    let prid = row.text(file, "prid").and_then(|text| prid(file, &row, text, country.as_ref()));
    // The connector never states a Swedish number: it maps the foreign identity to one (attribute specification 3.3.2).
    let mut stated = personal.or(coordination).map(|(number, _)| number);
    if let Some(prid) = prid {
        add(PRID, vec![prid]);
        add(PRID_PERSISTENCE, vec!["A".to_owned()]);
        if let Some(number) = stated.take() {
            add(MAPPED_NUMBER, vec![number]);
            add(NUMBER_BINDING, vec![BOUND_BY_SWEDISH_EID.to_owned()]);
        }
    }
    if let Some((country, _)) = country {
        add(COUNTRY, vec![country]);
    }
    row.finish(file);
    let number = stated.map(Cow::Owned);
    let date_of_birth = born.map(Cow::Owned);
    let person = Person { number, given_name, surname, date_of_birth };
    id.map(|(id, line)| (TestPerson { id, about, person, eid, loa, attributes }, line))
}

fn e_ids(file: &mut File, row: &mut Row, known: Option<&[DevEid]>) -> Vec<String> {
    let texts = row.texts(file, "eid");
    let Some(known) = known else { return texts.into_iter().map(|(text, _)| text).collect() };
    let mut out = Vec::with_capacity(texts.len());
    for (text, line) in texts {
        if known.iter().any(|eid| eid.eid == text) {
            out.push(text);
            continue;
        }
        let names: Vec<&str> = known.iter().map(|eid| eid.eid.as_str()).collect();
        let hint = nearest(&text, names.iter().copied()).map_or_else(String::new, |n| format!("; did you mean {n:?}?"));
        file.problem(&row.place, line, format!("`eid`: {text:?} is none of {}{hint}", names.join(", ")));
    }
    out
}

fn level(file: &mut File, row: &Row, (text, line): Text) -> Option<String> {
    match Loa::parse(&text) {
        Ok(loa) => Some(loa.uri().to_owned()),
        Err(e) => {
            file.problem(&row.place, line, format!("`loa`: {e}"));
            None
        }
    }
}

fn number(file: &mut File, row: &Row, key: &str, (text, line): Text) -> Option<Text> {
    let wrong = match (Number::parse(&text), key) {
        (None, _) => "must be twelve digits, YYYYMMDDNNNC",
        (Some(number), _) if !number.check_digit_holds() => "has a wrong check digit",
        (Some(number), "personal_number") if number.kind() == NumberKind::Coordination => {
            "is a coordination number (day plus 60): write it as `coordination_number`"
        }
        (Some(number), "coordination_number") if number.kind() == NumberKind::Personal => {
            "is a personal number: a coordination number has 60 added to its day"
        }
        _ => return Some((text, line)),
    };
    file.problem(&row.place, line, format!("`{key}` {wrong}"));
    None
}

fn date(file: &mut File, row: &Row, (text, line): Text) -> Option<String> {
    let digits = |from: usize, to: usize| text.get(from..to).and_then(|part| part.parse::<u8>().ok());
    let shape = text.len() == 10
        && text.bytes().enumerate().all(|(at, b)| if at == 4 || at == 7 { b == b'-' } else { b.is_ascii_digit() });
    let holds = |part: Option<u8>, most: u8| part.is_some_and(|n| (1..=most).contains(&n));
    if shape && holds(digits(5, 7), 12) && holds(digits(8, 10), 31) {
        return Some(text);
    }
    file.problem(&row.place, line, format!("`date_of_birth` must be written YYYY-MM-DD, not {text:?}"));
    None
}

fn affiliations(file: &mut File, row: &mut Row) -> Vec<String> {
    let mut out = Vec::new();
    for (text, line) in row.texts(file, "org_affiliation") {
        match text.rsplit_once('@') {
            Some((id, organisation)) if !id.is_empty() && !organisation.is_empty() && !text.contains([',', ' ']) => {
                out.push(text);
            }
            _ => file.problem(
                &row.place,
                line,
                format!("`org_affiliation`: {text:?} is no <id>@<organisation number>, such as \"anna@2021006883\""),
            ),
        }
    }
    out
}

fn country(file: &mut File, row: &Row, (text, line): Text) -> Option<Text> {
    if text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase()) {
        return Some((text, line));
    }
    file.problem(&row.place, line, format!("`country` must be two capital letters (ISO 3166-1), not {text:?}"));
    None
}

/// A provisional id of the eIDAS connector (CON 2.1): of the country that authenticated.
fn prid(file: &mut File, row: &Row, (text, line): Text, country: Option<&Text>) -> Option<String> {
    let id = text.split_once(':').map(|(_, id)| id).unwrap_or_default();
    let good = (10..=30).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase() || b == b'-')
        && !id.starts_with('-')
        && !id.ends_with('-')
        && id.bytes().filter(|b| *b != b'-').count() >= 8;
    let of = text.split_once(':').map(|(country, _)| country);
    let wrong = if !good || !of.is_some_and(|of| of.len() == 2 && of.bytes().all(|b| b.is_ascii_uppercase())) {
        format!(
            "`prid` must be a country and 10 to 30 small letters, digits and hyphens, such as \"DE:0042-abc-17\", not {text:?}"
        )
    } else if of != country.map(|(country, _)| country.as_str()) {
        format!("`prid` {text:?} needs `country = {:?}`", of.unwrap_or_default())
    } else {
        return Some(text);
    };
    file.problem(&row.place, line, wrong);
    None
}

#[cfg(test)]
#[path = "persons_tests.rs"]
mod tests;
