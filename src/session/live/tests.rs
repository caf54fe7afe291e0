//! How long sessions live, and what of them is in a cookie.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::base::Secret;
use crate::crypto::digest::{HmacKey, SystemRandom};
use crate::session::{CookieKey, CookieSealer};

pub(crate) const TIMES: SessionTimes =
    SessionTimes { idle: Duration::from_secs(30 * 60), lifetime: Duration::from_secs(8 * 3600) };

/// A session as a login would leave it: only tests of this crate can write one down.
pub(crate) fn session(now: UnixTime, loa: &str, fields: &[(&str, &str)]) -> Session {
    Session {
        marks: Marks {
            session: SessionId::new(&SystemRandom::new()).unwrap(),
            opened: now,
            at_provider: vec![mark(1), mark(2)],
        },
        subject: "personal-number:9KMXYHw1fCJwXqQqfVHrLNvAx0KYl3uJ9q9c4dP0J0k".to_owned(),
        provider: ProviderId::new("bankid-a").unwrap(),
        maker: Maker::new("saml", "https://bankid-a.example.se"),
        eid: EidId::new("bankid").unwrap(),
        loa: loa.to_owned(),
        authenticated_at: now,
        started: now,
        seen: now,
        ends: now.plus(TIMES.lifetime),
        fields: Held::Here(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()),
        fetched: None,
    }
}

/// What a provider calls a session, instead of what it was called.
pub(crate) fn called(mut session: Session, at_provider: Vec<ProviderMark>) -> Session {
    session.marks.at_provider = at_provider;
    session
}

/// Verified by this provider and e-ID, instead of those that verified it.
pub(crate) fn by(mut session: Session, provider: &str, eid: &str) -> Session {
    session.provider = ProviderId::new(provider).unwrap();
    session.eid = EidId::new(eid).unwrap();
    session
}

fn mark(byte: u8) -> ProviderMark {
    ProviderMark::sub(&HmacKey::new(&Secret::new([byte; 32])), "https://op.example.se", "someone")
}

#[test]
fn ends_without_use_and_in_any_case() {
    let start = UnixTime::from_secs(1_000_000);
    let at = |secs: u64| start.plus(Duration::from_secs(secs));
    let session = session(start, "loa", &[]);
    assert_eq!(session.alive(at(30 * 60 - 1), &TIMES), Ok(()));
    assert_eq!(session.alive(at(30 * 60), &TIMES), Err(Ended::Idle));
    assert!(session.refreshed(at(59), &TIMES).is_none());
    let used = session.refreshed(at(60), &TIMES).unwrap();
    assert_eq!(used.alive(at(31 * 60 - 1), &TIMES), Ok(()));
    let used = session.touched(at(8 * 3600 - 1));
    assert_eq!(used.alive(at(8 * 3600 - 1), &TIMES), Ok(()));
    assert_eq!(used.alive(at(8 * 3600), &TIMES), Err(Ended::Lifetime));
    assert_eq!(used.idle_in(at(8 * 3600 - 1), &TIMES), Duration::from_secs(1));

    let shorter = SessionTimes { lifetime: Duration::from_secs(3600), ..TIMES };
    let used = session.touched(at(3599));
    assert_eq!(used.alive(at(3599), &shorter), Ok(()));
    assert_eq!(used.alive(at(3600), &shorter), Err(Ended::Lifetime), "a shortened lifetime counts at once");
    let longer = SessionTimes { lifetime: Duration::from_secs(24 * 3600), ..TIMES };
    let used = session.touched(at(8 * 3600));
    assert_eq!(used.alive(at(8 * 3600), &longer), Err(Ended::Lifetime), "a revocation is kept until this");
}

#[test]
fn a_short_idle_time_is_refreshed_in_time() {
    let times = SessionTimes { idle: Duration::from_secs(4), lifetime: Duration::from_secs(60) };
    let start = UnixTime::from_secs(1_000_000);
    let session = Session { ends: start.plus(times.lifetime), ..session(start, "loa", &[]) };
    assert!(session.refreshed(start.plus(Duration::from_millis(999)), &times).is_none());
    assert!(session.refreshed(start.plus(Duration::from_secs(1)), &times).is_some());
}

/// What a process of the form before sealed, with the key of 32 ones: recorded, not made here.
const FORM_1: &str = include_str!("../../../tests/vectors/cookies/session-form-1.txt");

#[test]
fn a_session_of_the_form_before_goes_on() {
    let sealer = CookieSealer::new([&Secret::new([1; 32])], CookieKey::Session).unwrap();
    let session: Session = sealer.open("__Host-eid-etjanst", FORM_1.trim_end()).unwrap();
    let start = UnixTime::from_secs(1_772_359_200);
    assert_eq!(session.id().to_string(), "iZtFxtoZBsaq9VyQH00jUg");
    assert_eq!(session.field(Field::PersonalNumber), Some("195006262546"));
    assert_eq!(session.field(Field::Name), Some("Karl-Johan Åström"));
    assert_eq!((session.loa(), session.provider().as_str()), ("http://id.elegnamnden.se/loa/1.0/loa3", "bankid-a"));
    assert_eq!(session.maker(), Maker::new("saml", "https://bankid-a.example.se"));
    assert_eq!(session.idle_in(start, &TIMES), Duration::from_secs(35 * 60), "seen five minutes after its start");
    assert!(session.marks().opened == start && session.marks().at_provider.is_empty() && !session.is_in_store());
    // Its next cookie is of the form of now.
    let again = sealer.seal("__Host-eid-etjanst", &session, &SystemRandom::new()).unwrap();
    assert!(sealer.open::<Session>("__Host-eid-etjanst", &again).unwrap() == session);
}

#[test]
fn what_is_in_the_store_is_in_no_cookie() {
    let long = "Å".repeat(1000);
    let session = session(UnixTime::from_secs(1_000), "loa", &[("name", &long), ("personal_number", "195006262546")]);
    let sealer = CookieSealer::new([&Secret::new([1; 32])], CookieKey::Session).unwrap();
    let random = SystemRandom::new();
    assert!(sealer.seal("a", &session, &random).unwrap().len() > 1024);
    let (moved, fields) = session.clone().into_store().unwrap();
    assert_eq!((moved.is_in_store(), moved.lacks_fields()), (true, false));
    assert_eq!(moved.field(Field::Name), Some(long.as_str()));
    assert!(moved.clone().into_store().is_none(), "there already");
    let text = sealer.seal("a", &moved, &random).unwrap();
    assert!(text.len() < 700, "{}", text.len());
    let opened: Session = sealer.open("a", &text).unwrap();
    assert!(opened.lacks_fields() && opened.field(Field::Name).is_none());
    assert!(opened.id() == session.id() && opened.field(Field::Eid).is_some());
    assert_eq!(opened.with_fields(fields).field(Field::PersonalNumber), Some("195006262546"));
}

#[test]
fn a_typical_cookie_stays_under_a_kilobyte() {
    let session = session(
        UnixTime::from_secs(1_772_359_200),
        "http://id.swedenconnect.se/loa/1.0/uncertified-loa3",
        &[
            ("personal_number", "195006262546"),
            ("name", "Karl-Johan Åström-Öberg Lindqvist"),
            ("given_name", "Karl-Johan"),
            ("surname", "Åström-Öberg Lindqvist"),
            ("date_of_birth", "1950-06-26"),
        ],
    );
    let sealer = CookieSealer::new([&Secret::new([1; 32])], CookieKey::Session).unwrap();
    let text = sealer.seal("__Host-eid-etjanst", &session, &SystemRandom::new()).unwrap();
    assert!(text.len() < 1000, "{}", text.len());
    let opened: Session = sealer.open("__Host-eid-etjanst", &text).unwrap();
    assert!(opened == session);
    assert_eq!(opened.field(Field::PersonalNumber), Some("195006262546"));
    assert_eq!(opened.field(Field::Prid), None);
    assert_eq!(opened.field(Field::Eid), Some("bankid"));
}

/// What this version writes, for the one after it: a session whose provider has single logout.
const FORM_2: &str = include_str!("../../../tests/vectors/cookies/session-form-2.txt");

#[test]
fn a_session_of_this_form_is_read_as_it_was_written() {
    let sealer = CookieSealer::new([&Secret::new([1; 32])], CookieKey::Session).unwrap();
    let session: Session = sealer.open("__Host-eid-etjanst", FORM_2.trim_end()).unwrap();
    assert_eq!(session.id().to_string(), "iWxLWcSc6ST0jdH0-YhztQ");
    assert_eq!(session.field(Field::Name), Some("Karl-Johan Åström"));
    assert!(session.marks().at_provider == [mark(1), mark(2)]);
    let there = session.there().unwrap();
    assert_eq!((there.value.as_str(), there.session_index.as_deref()), ("f7a2c1d0", Some("_1")));
    assert_eq!(there.format.as_deref(), Some("urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"));
    let again = sealer.seal("__Host-eid-etjanst", &session, &SystemRandom::new()).unwrap();
    assert_eq!(again.len(), FORM_2.trim_end().len(), "and written so again");
    assert!(sealer.open::<Session>("__Host-eid-etjanst", &again).unwrap() == session);
}

/// What postcard writes of a session of any kind.
fn any_session() -> impl proptest::strategy::Strategy<Value = Vec<u8>> {
    use proptest::prelude::*;
    let marks = proptest::collection::vec(any::<u8>(), 0..4);
    let fields = proptest::collection::vec((".{0,12}", ".{0,90}"), 0..8);
    let names = ("[a-z0-9][a-z0-9_-]{0,63}", "[a-z0-9][a-z0-9_-]{0,63}", ".{0,80}", ".{0,80}");
    (marks, fields, names, any::<[i64; 5]>(), any::<bool>()).prop_map(|(marks, fields, names, times, here)| {
        let (provider, eid, subject, loa) = names;
        let [opened, authenticated_at, started, seen, ends] = times.map(UnixTime::from_millis);
        let own = session(opened, &loa, &[]);
        let marks = Marks { at_provider: marks.into_iter().map(mark).collect(), ..own.marks.clone() };
        let fields = if here { Held::Here(fields.into_iter().collect()) } else { Held::InStore };
        let session = Session { marks, subject, authenticated_at, started, seen, ends, fields, ..own };
        postcard::to_stdvec(&by(session, &provider, &eid)).unwrap()
    })
}

proptest::proptest! {
    /// What is read by hand is what was written, whole or not at all.
    #[test]
    fn a_session_is_read_as_it_is_written(written in any_session(), cut: proptest::sample::Index, more: u8) {
        let session = whole::<Session>(&written).unwrap();
        proptest::prop_assert!(Session::read(&written).is_some_and(|read| read == session));
        let half = written.get(..cut.index(written.len())).unwrap();
        proptest::prop_assert!(Session::read(half).is_none());
        let longer = [written.as_slice(), &[more]].concat();
        proptest::prop_assert!(Session::read(&longer).is_none());
    }

    /// Of bent bytes it reads nothing that the general reader does not.
    #[test]
    fn what_is_bent_is_read_alike(
        mut written in any_session(),
        at: proptest::sample::Index,
        byte: u8,
    ) {
        let at = at.index(written.len());
        *written.get_mut(at).unwrap() = byte;
        if let Some(read) = Session::read(&written) {
            let other = whole::<Session>(&written);
            // But for texts that are none, which are told of when they are asked for.
            proptest::prop_assert!(other.is_none_or(|other| other == read));
        }
    }
}
