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
use super::wire::Wire;
use super::{Fields, NameThere, Sealed};

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
    /// What the person is called under other digest keys, as `X-Eid-Other-Subjects`.
    pub other_subjects: Option<String>,
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

/// The numbers by which the two of [`Held`] are written.
const HERE: u64 = 0;
const IN_STORE: u64 = 1;

/// Marks that a session has at the most.
const MARKS: usize = 4;

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

    /// By hand, field by field as they are written.
    fn read(body: &[u8]) -> Option<Self> {
        let mut wire = Wire::new(body);
        let session = SessionId::from_bytes(wire.array()?);
        let opened = wire.instant()?;
        let marks = usize::try_from(wire.number()?).ok()?;
        let mut at_provider = Vec::with_capacity(marks.min(MARKS));
        for _ in 0..marks {
            at_provider.push(ProviderMark::from_bytes(wire.array()?));
        }
        let out = Self {
            marks: Marks { session, opened, at_provider },
            subject: wire.text()?.to_owned(),
            provider: ProviderId::new(wire.text()?).ok()?,
            maker: Maker::from_bytes(wire.array()?),
            eid: EidId::new(wire.text()?).ok()?,
            loa: wire.text()?.to_owned(),
            authenticated_at: wire.instant()?,
            started: wire.instant()?,
            seen: wire.instant()?,
            ends: wire.instant()?,
            fields: match wire.number()? {
                HERE => Held::Here(Fields::read(&mut wire)?),
                IN_STORE => Held::InStore,
                _ => return None,
            },
            fetched: None,
        };
        wire.rest().is_empty().then_some(out)
    }

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
        fields: Held::Here(
            params
                .keep
                .iter()
                .filter(|field| is_kept(**field))
                .filter_map(kept)
                .chain(params.there.into_iter().flat_map(NameThere::into_fields))
                .chain(params.other_subjects.map(|others| (OTHER_SUBJECTS.to_owned(), others)))
                .collect(),
        ),
        fetched: None,
    }
}

/// Among the fields, under a name that no field has: the version before passes it over.
const OTHER_SUBJECTS: &str = "~o";

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
        fields?.get(name)
    }

    /// What the person is called under other digest keys, where there were any at the login.
    pub fn other_subjects(&self) -> Option<&str> {
        self.kept(OTHER_SUBJECTS)
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
pub(crate) mod tests;
