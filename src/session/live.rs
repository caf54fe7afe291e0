//! A session: who logged in, how well, and until when. Sealed into the browser's cookie; nothing is kept here.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Maker;
use crate::base::{EidId, ProviderId, UnixTime};
use crate::identity::{Field, Identity};
use crate::policy::MeetsRoute;
use crate::replay::{FirstUse, Marks, ProviderMark, SessionId};

use super::codec::whole;
use super::{NameThere, Sealed};

/// How often a session's cookie is sealed anew while it is used.
const REFRESH_EVERY: Duration = Duration::from_secs(60);

/// How long sessions last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTimes {
    /// Without a request.
    pub idle: Duration,
    /// From login to the absolute end.
    pub lifetime: Duration,
}

impl SessionTimes {
    /// Once a minute at the most. Where the idle time is under two minutes, four times in it: otherwise someone who
    /// clicks on and on would be idle.
    fn refresh_every(&self) -> Duration {
        if self.idle < REFRESH_EVERY * 2 { self.idle / 4 } else { REFRESH_EVERY }
    }
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// No request for too long.
    Idle,
    /// Its absolute end has come.
    Lifetime,
}

/// What a session is made with, beside its proofs. It has no `Debug`: it may hold a name.
#[derive(Clone)]
pub struct SessionParams<'a> {
    /// A new id: never one from before the login (T50).
    pub id: SessionId,
    /// What the provider calls the person and their session there: what a logout of theirs names.
    pub at_provider: Vec<ProviderMark>,
    /// The same as an order of ours to end it there must say it; none where there is nobody to send one to.
    pub there: Option<NameThere>,
    /// Who verified the person.
    pub provider: ProviderId,
    /// The same, as the world knows them.
    pub maker: Maker,
    /// The e-ID.
    pub eid: EidId,
    /// What the routes forward or require, together: nothing else of the person is kept.
    pub keep: &'a [Field],
    /// The instant of the login here.
    pub now: UnixTime,
    /// How long it may last.
    pub times: SessionTimes,
}

/// A live login. It has no `Debug`: it holds personal data. [`open_session`] makes one; no one else writes one down.
///
/// ```compile_fail,E0451
/// use grindvakt::session::Session;
/// fn forge(real: Session) -> Session {
///     Session { loa: "http://id.elegnamnden.se/loa/1.0/loa4".to_owned(), ..real }
/// }
/// ```
///
/// ```
/// use grindvakt::session::Session;
/// fn level(real: &Session) -> &str {
///     real.loa()
/// }
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    marks: Marks,
    subject: String,
    provider: ProviderId,
    maker: Maker,
    eid: EidId,
    loa: String,
    authenticated_at: UnixTime,
    started: UnixTime,
    seen: UnixTime,
    ends: UnixTime,
    fields: Held,
    /// What was fetched of a session whose fields are in the store. It is in no cookie.
    #[serde(skip)]
    fetched: Option<Arc<Fields>>,
}

/// What is kept of a person: (field name, value), in the order of the configuration. It has no `Debug`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fields(Vec<(String, String)>);

impl Sealed for Fields {
    const FORM: u8 = 1;
}

/// Where a session's fields are.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Held {
    /// In the cookie.
    Here(Fields),
    /// Too large for it: in the shared store, under the session's id.
    InStore,
}

impl Sealed for Session {
    const FORM: u8 = 2;

    fn read_before(body: &[u8]) -> Option<Self> {
        whole::<SessionForm1>(body).map(Self::from)
    }
}

/// A session as the form before wrote it. No logout of a provider can name it; its own id still ends it.
#[derive(Deserialize)]
pub(crate) struct SessionForm1 {
    id: SessionId,
    subject: String,
    provider: ProviderId,
    maker: Maker,
    eid: EidId,
    loa: String,
    authenticated_at: UnixTime,
    started: UnixTime,
    seen: UnixTime,
    ends: UnixTime,
    fields: Fields,
}

impl From<SessionForm1> for Session {
    fn from(before: SessionForm1) -> Self {
        Self {
            marks: Marks { session: before.id, opened: before.started, at_provider: Vec::new() },
            subject: before.subject,
            provider: before.provider,
            maker: before.maker,
            eid: before.eid,
            loa: before.loa,
            authenticated_at: before.authenticated_at,
            started: before.started,
            seen: before.seen,
            ends: before.ends,
            fields: Held::Here(before.fields),
            fetched: None,
        }
    }
}

/// Opens a session: the one way to have one, and it takes three proofs. The person was verified (only that makes an
/// [`Identity`]), the route's demands are met, and the assertion had not been used.
///
/// ```compile_fail,E0061
/// use grindvakt::{identity::Identity, policy::MeetsRoute, session::*};
/// fn without_first_use(who: &Identity, meets: MeetsRoute, params: SessionParams<'_>) -> Session {
///     open_session(who, meets, params)
/// }
/// ```
///
/// ```compile_fail,E0382
/// use grindvakt::{identity::Identity, policy::MeetsRoute, replay::FirstUse, session::*};
/// fn twice(who: &Identity, meets: [MeetsRoute; 2], once: FirstUse, params: SessionParams<'_>) -> [Session; 2] {
///     let [one, two] = meets;
///     [open_session(who, one, once, params.clone()), open_session(who, two, once, params)]
/// }
/// ```
///
/// ```
/// use grindvakt::{identity::Identity, policy::MeetsRoute, replay::FirstUse, session::*};
/// fn with_all_three(who: &Identity, meets: MeetsRoute, once: FirstUse, params: SessionParams<'_>) -> Session {
///     open_session(who, meets, once, params)
/// }
/// ```
#[must_use]
pub fn open_session(who: &Identity, meets: MeetsRoute, once: FirstUse, params: SessionParams<'_>) -> Session {
    // The proofs are spent here: their being values is what matters.
    let _ = meets;
    let lifetime = params.now.plus(params.times.lifetime);
    let kept = |field: &Field| who.field(*field).map(|value| (field.name().to_owned(), value.into_owned()));
    Session {
        marks: Marks { session: params.id, opened: once.at(), at_provider: params.at_provider },
        subject: who.subject().to_string(),
        provider: params.provider,
        maker: params.maker,
        eid: params.eid,
        loa: who.loa().uri().to_owned(),
        authenticated_at: who.authenticated_at(),
        started: params.now,
        seen: params.now,
        // Not beyond the provider's own session, where it tells of one.
        ends: who.session_ends().map_or(lifetime, |ends| ends.min(lifetime)),
        fields: Held::Here(Fields(
            params
                .keep
                .iter()
                .filter(|field| is_kept(**field))
                .filter_map(kept)
                .chain(params.there.into_iter().flat_map(NameThere::into_fields))
                .collect(),
        )),
        fetched: None,
    }
}

/// The level and the e-ID have places of their own.
const fn is_kept(field: Field) -> bool {
    !matches!(field, Field::Loa | Field::Eid)
}

impl Session {
    /// Whether it is alive at `now`. A lifetime that the configuration has shortened since counts too.
    ///
    /// # Errors
    /// Why it is over.
    pub fn alive(&self, now: UnixTime, times: &SessionTimes) -> Result<(), Ended> {
        if now >= self.latest_end(times) {
            Err(Ended::Lifetime)
        } else if now >= self.seen.plus(times.idle) {
            Err(Ended::Idle)
        } else {
            Ok(())
        }
    }

    /// The instant beyond which nothing keeps it alive: its absolute end, or what a lifetime that was shortened since
    /// makes of it.
    pub fn latest_end(&self, times: &SessionTimes) -> UnixTime {
        self.ends.min(self.started.plus(times.lifetime))
    }

    /// The session without what it says of the person: what goes along with a stream that it opened.
    #[must_use]
    pub fn without_person(self) -> Self {
        Self { fields: Held::Here(Fields::default()), fetched: None, ..self }
    }

    /// The session with its idle time begun anew, once enough has passed to be worth a cookie.
    pub fn refreshed(&self, now: UnixTime, times: &SessionTimes) -> Option<Self> {
        (now >= self.seen.plus(times.refresh_every())).then(|| self.touched(now))
    }

    /// The session with its idle time begun anew.
    #[must_use]
    pub fn touched(&self, now: UnixTime) -> Self {
        Self { seen: now, ..self.clone() }
    }

    /// Until the absolute end.
    pub fn ends_in(&self, now: UnixTime) -> Duration {
        self.ends.since(now)
    }

    /// Until it ends without another request.
    pub fn idle_in(&self, now: UnixTime, times: &SessionTimes) -> Duration {
        self.seen.plus(times.idle).since(now).min(self.ends_in(now))
    }

    /// The random handle.
    pub const fn id(&self) -> SessionId {
        self.marks.session
    }

    /// Everything that it can be ended by.
    pub const fn marks(&self) -> &Marks {
        &self.marks
    }

    /// `<kind>:<keyed digest>`: the same person through every provider.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Who verified the person.
    pub const fn provider(&self) -> &ProviderId {
        &self.provider
    }

    /// Who verified the person, as the world knows them.
    pub const fn maker(&self) -> Maker {
        self.maker
    }

    /// The e-ID.
    pub const fn eid(&self) -> &EidId {
        &self.eid
    }

    /// The level of assurance as a full URI.
    pub fn loa(&self) -> &str {
        &self.loa
    }

    /// When the person logged in at the provider.
    pub const fn authenticated_at(&self) -> UnixTime {
        self.authenticated_at
    }

    /// The absolute end.
    pub const fn ends(&self) -> UnixTime {
        self.ends
    }

    /// One field, where the person has it and it was kept.
    pub fn field(&self, field: Field) -> Option<&str> {
        match field {
            Field::Loa => Some(&self.loa),
            Field::Eid => Some(self.eid.as_str()),
            field => self.kept(field.name()),
        }
    }

    fn kept(&self, name: &str) -> Option<&str> {
        let fields = match &self.fields {
            Held::Here(fields) => Some(fields),
            Held::InStore => self.fetched.as_deref(),
        };
        let found = fields?.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// What its provider calls the person and their session, where an order to end it can be sent there.
    pub fn there(&self) -> Option<NameThere> {
        NameThere::from_fields(|name| self.kept(name))
    }

    /// Whether its fields are in the shared store and have not been fetched.
    pub const fn lacks_fields(&self) -> bool {
        matches!(self.fields, Held::InStore) && self.fetched.is_none()
    }

    /// Whether its fields are in the shared store.
    pub const fn is_in_store(&self) -> bool {
        matches!(self.fields, Held::InStore)
    }

    /// The session with its fields out of the cookie, and what is to be put in the store. None when they are there
    /// already.
    pub fn into_store(self) -> Option<(Self, Arc<Fields>)> {
        let Held::Here(fields) = self.fields else { return None };
        let fields = Arc::new(fields);
        Some((Self { fields: Held::InStore, fetched: Some(Arc::clone(&fields)), ..self }, fields))
    }

    /// The session with what was fetched from the store.
    #[must_use]
    pub fn with_fields(self, fields: Arc<Fields>) -> Self {
        Self { fetched: Some(fields), ..self }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
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
            fields: Held::Here(Fields(
                fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            )),
            fetched: None,
        }
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
    const FORM_1: &str = "ATun0xBDEanm4hlqJ2Jtm9soD0McS1Qs4HnDxOHj7bZsQd4QFajtX0ivZID552TqrK5nWsvibb4imTZD85-ILfiMdfoddu\
                          1sFBdbbuMiZJoe-uGPXyR0wd0cnVIDOvvcVq3tCsWIyoqO_qod0RQvkwMcCnBtFkr2iK4FEHnWzoia0oDStrzR7EFKhdDK\
                          Mcgm_Nwidd480ZB-nOsmhedROV5AWLdZ6EVL9TaSgxtTMhrNKoc2iNrd0znD0TGjX1a-WEmWiRM-PxDQSIGBsDLjXaB9Kt\
                          PqpwfANf2zPbHN_nCRKcUEuXPbXNDYJQQWOPEjTIKlr5o17SYtYAY";

    #[test]
    fn a_session_of_the_form_before_goes_on() {
        let sealer = CookieSealer::new([&Secret::new([1; 32])], CookieKey::Session).unwrap();
        let session: Session = sealer.open("__Host-eid-etjanst", FORM_1).unwrap();
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
        let session =
            session(UnixTime::from_secs(1_000), "loa", &[("name", &long), ("personal_number", "195006262546")]);
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
}
