//! How large a session's cookie gets: 1 KB where a store can take the rest, and what a browser keeps where none can.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::fixture::{NOW, World, world};
use super::{Denial, SetCookie};
use crate::base::limits::SESSION_COOKIE_BYTES;
use crate::identity::Field;
use crate::session::live::tests::{by, session};
use crate::session::{NameThere, Session};

const LOA: &str = "http://id.swedenconnect.se/loa/1.0/uncertified-eidas-high";

/// A long value that there is of each field.
fn value(field: Field) -> &'static str {
    match field {
        Field::PersonalNumber => "195006262546",
        Field::CoordinationNumber => "195006872547",
        Field::CoordinationLevel => "http://id.swedenconnect.se/attributes/1.0/coordination-number-confirmed",
        Field::PreviousNumber => "195006872547",
        Field::Prid => "NO:0068d4cf41dd0d2b4bfc63ff40",
        Field::Country => "NO",
        Field::HsaId => "SE2321000016-1003-ABCDEFGHIJ",
        Field::OrgAffiliation => "karl-johan.lindqvist@2021006883,SE2321000016-1003@2321000016",
        Field::Name => "Karl-Johan Erik Åström-Öberg Lindqvist",
        Field::GivenName => "Karl-Johan Erik",
        Field::Surname => "Åström-Öberg Lindqvist",
        Field::DateOfBirth => "1950-06-26",
        Field::Loa | Field::Eid => "",
    }
}

/// The name that a provider with single logout has for somebody.
fn there() -> Vec<(String, String)> {
    let name = NameThere {
        value: "Hk3x9vQ2mT7pZ1bN5cR8yL4wD6fJ0gSa".to_owned(),
        format: Some("urn:oasis:names:tc:SAML:2.0:nameid-format:persistent".to_owned()),
        name_qualifier: Some("=".to_owned()),
        sp_name_qualifier: Some("=".to_owned()),
        session_index: Some("_2f6c1e7d8a9b40c3a5d2e1f0b9c8d7e6".to_owned()),
    };
    name.into_fields().collect()
}

fn with(fields: &[Field]) -> Session {
    let named = there();
    let own = fields.iter().map(|field| (field.name(), value(*field)));
    let all: Vec<(&str, &str)> = own.chain(named.iter().map(|(n, v)| (n.as_str(), v.as_str()))).collect();
    session(NOW, LOA, &all)
}

fn size(cookie: &Result<SetCookie, Denial>) -> usize {
    cookie.as_ref().ok().and_then(|cookie| cookie.value.as_ref()).map_or(0, String::len)
}

/// With the memory of one process everything is in the cookie, as long as a browser keeps it.
#[tokio::test]
async fn what_e_services_ask_for_stays_under_a_kilobyte_and_everything_under_what_browsers_keep() {
    use Field as F;
    let usual = [F::PersonalNumber, F::Name, F::GivenName, F::Surname, F::DateOfBirth];
    let foreign = [F::Prid, F::Country, F::Name, F::DateOfBirth];
    let health = [F::HsaId, F::PersonalNumber, F::Name, F::OrgAffiliation];
    let everything: Vec<Field> = F::ALL.into_iter().filter(|field| !value(*field).is_empty()).collect();
    let world = world();
    for (what, fields, most) in [
        ("the usual", &usual[..], SESSION_COOKIE_BYTES),
        ("a foreign e-ID", &foreign, SESSION_COOKIE_BYTES),
        ("health care", &health, SESSION_COOKIE_BYTES),
        ("everything", &everything, 1_200),
    ] {
        let session = with(fields);
        let cookie = world.gate.new_session_cookie(&session, NOW).await;
        let bytes = size(&cookie);
        assert!((600..=most).contains(&bytes), "{what}: {bytes} bytes");
        let text = cookie.ok().unwrap().value.unwrap();
        let held: Session = world.gate.sessions.open(world.gate.names.session(), &text).unwrap();
        assert!(held == session && fields.iter().all(|field| held.field(*field) == Some(value(*field))), "{what}");
    }
    // Beyond that nobody could be let in: the log says why, and the page has a reference.
    let name = "Å".repeat(2_000);
    let cookie = world.gate.new_session_cookie(&session(NOW, LOA, &[("name", &name)]), NOW).await;
    assert!(matches!(cookie, Err(Denial::Internal(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Where a store takes the fields, the cookie is under a kilobyte whatever they are, and whatever things are called.
    #[test]
    fn what_is_left_of_a_session_whose_fields_are_stored_is_small(
        (provider, eid) in ("[a-z][a-z0-9-]{0,63}", "[a-z][a-z0-9-]{0,63}"),
        loa in "https?://[a-z./-]{1,180}",
        name in ".{0,3000}",
    ) {
        static WORLD: std::sync::OnceLock<World> = std::sync::OnceLock::new();
        let world = WORLD.get_or_init(world);
        let large = by(session(NOW, &loa, &[("name", &name), ("personal_number", "195006262546")]), &provider, &eid);
        let (moved, fields) = large.clone().into_store().unwrap();
        let cookie = world.gate.session_cookie(&moved).unwrap().value.unwrap();
        prop_assert!(cookie.starts_with('~') && cookie.len() <= SESSION_COOKIE_BYTES, "{} bytes", cookie.len());
        let sealed = world.gate.stored.seal_bytes(large.id().bytes(), &*fields, &*world.gate.random).unwrap();
        let fetched = world.gate.stored.open_bytes(large.id().bytes(), sealed).unwrap();
        let text = super::stored::bare(&cookie);
        let opened: Session = world.gate.sessions.open(world.gate.names.session(), text).unwrap();
        prop_assert!(opened.lacks_fields());
        let whole = opened.with_fields(std::sync::Arc::new(fetched));
        prop_assert_eq!(whole.field(Field::Name), Some(name.as_str()));
        prop_assert_eq!(whole.field(Field::PersonalNumber), Some("195006262546"));
    }
}
