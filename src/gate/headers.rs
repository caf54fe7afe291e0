//! The identity headers: a closed set of names, and the values for one session on one route.

use std::any::Any;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use dashmap::DashMap;
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use std::sync::Arc;

use super::token::TokenSigner;
use crate::base::{ByDigest, ProviderId, RouteName, UnixTime};
use crate::crypto::own::OwnKeyError;
use crate::identity::Field;
use crate::policy::{Route, Routes};
use crate::replay::SessionId;
use crate::session::Session;
use crate::telemetry::CacheCounters;

macro_rules! headers {
    ($( $(#[$doc:meta])* $variant:ident = $name:literal, )*) => {
        /// A header that tells the e-service who is there. A closed set: everything that folds to one of these names
        /// is removed from what a client sends.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum IdentityHeader {
            $( $(#[$doc])* $variant, )*
        }

        impl IdentityHeader {
            /// All of them.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )* ];

            /// The name by default, in lower case. The configuration may map it to another.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $name, )* }
            }
        }
    };
}

headers! {
    /// The same person through every provider: `<kind>:<keyed digest>`.
    Subject = "x-eid-subject",
    /// What the same person is called under the digest keys beside the one in use, separated by commas: while a key takes
    /// another's place.
    OtherSubjects = "x-eid-other-subjects",
    /// The level of assurance as a full URI.
    Loa = "x-eid-loa",
    /// The e-ID that was picked.
    Method = "x-eid-method",
    /// The provider.
    Provider = "x-eid-provider",
    /// When the person logged in at the provider, RFC 3339 in UTC.
    AuthenticatedAt = "x-eid-authenticated-at",
    /// The session's random handle; never the cookie's value.
    Session = "x-eid-session",
    /// Personal number, twelve digits.
    PersonalNumber = "x-eid-personal-number",
    /// Coordination number, twelve digits.
    CoordinationNumber = "x-eid-coordination-number",
    /// How well the identity behind a coordination number is established.
    CoordinationLevel = "x-eid-coordination-level",
    /// The number that the person had before.
    PreviousNumber = "x-eid-previous-number",
    /// The provisional id of an eIDAS person.
    Prid = "x-eid-prid",
    /// The country that authenticated, ISO 3166-1 alpha-2.
    Country = "x-eid-country",
    /// HSA-ID.
    HsaId = "x-eid-hsa-id",
    /// Affiliations `<id>@<organisation number>`.
    OrgAffiliation = "x-eid-org-affiliation",
    /// The whole name, percent-encoded UTF-8.
    Name = "x-eid-name",
    /// Given name, percent-encoded UTF-8.
    GivenName = "x-eid-given-name",
    /// Surname, percent-encoded UTF-8.
    Surname = "x-eid-surname",
    /// YYYY-MM-DD.
    DateOfBirth = "x-eid-date-of-birth",
    /// A signed JWT with the same content.
    Assertion = "x-eid-assertion",
}

impl IdentityHeader {
    /// The header that tells a field.
    pub const fn of(field: Field) -> Self {
        match field {
            Field::PersonalNumber => Self::PersonalNumber,
            Field::CoordinationNumber => Self::CoordinationNumber,
            Field::CoordinationLevel => Self::CoordinationLevel,
            Field::PreviousNumber => Self::PreviousNumber,
            Field::Prid => Self::Prid,
            Field::Country => Self::Country,
            Field::HsaId => Self::HsaId,
            Field::OrgAffiliation => Self::OrgAffiliation,
            Field::Name => Self::Name,
            Field::GivenName => Self::GivenName,
            Field::Surname => Self::Surname,
            Field::DateOfBirth => Self::DateOfBirth,
            Field::Loa => Self::Loa,
            Field::Eid => Self::Method,
        }
    }
}

/// The headers for one session on one route. Kept for a minute and shared: attaching them copies nothing.
///
/// It has no `Debug`: the values are personal data.
pub struct IdentityHeaders {
    list: Vec<(IdentityHeader, Bytes)>,
    /// What the room that sends them has made of them.
    prepared: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl IdentityHeaders {
    fn new(list: Vec<(IdentityHeader, Bytes)>) -> Self {
        Self { list, prepared: OnceLock::new() }
    }

    /// What `make` made of them, once: the values are checked for their form by whoever sends them, and this room knows
    /// no HTTP library. None where something of another type was made before.
    pub fn prepared<T: Any + Send + Sync>(&self, make: impl FnOnce(&Self) -> T) -> Option<&T> {
        self.prepared.get_or_init(|| Box::new(make(self))).downcast_ref()
    }

    /// Each header once. A value is visible ASCII: fit for any HTTP version.
    pub fn iter(&self) -> impl Iterator<Item = (IdentityHeader, &Bytes)> {
        self.list.iter().map(|(name, value)| (*name, value))
    }

    /// One header's value.
    pub fn get(&self, header: IdentityHeader) -> Option<&Bytes> {
        self.list.iter().find(|(name, _)| *name == header).map(|(_, value)| value)
    }
}

/// Everything but what RFC 3986 (2.3) calls unreserved: names are sent like this, so that ASCII is all that any server
/// sees, and a decoder of any language reads them.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What no header value may hold as it is. Values with a form of their own (numbers, URIs) hold nothing of it.
/// A `%` is encoded too, so that decoding gives the value and not one step more.
const VALUE: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'\\').add(b'%');

fn encoded(header: IdentityHeader, value: &str) -> Bytes {
    let set = match header {
        IdentityHeader::Name | IdentityHeader::GivenName | IdentityHeader::Surname => NAME,
        _ => VALUE,
    };
    Bytes::from(utf8_percent_encode(value, set).to_string())
}

/// Someone whom the e-service is told of: by a session, or by a bearer token.
pub(crate) trait Told {
    /// The value of `X-Eid-Subject`.
    fn subject(&self) -> &str;
    /// The value of `X-Eid-Other-Subjects`, where there is more than one digest key.
    fn other_subjects(&self) -> Option<&str>;
    /// Who vouched.
    fn provider(&self) -> &ProviderId;
    /// When the person logged in at the provider, where it is known.
    fn authenticated_at(&self) -> Option<UnixTime>;
    /// The session's handle, where there is a session.
    fn session(&self) -> Option<String>;
    /// No token about them holds longer.
    fn ends(&self) -> UnixTime;
    /// What is known of them.
    fn field(&self, field: Field) -> Option<&str>;
}

impl Told for Session {
    fn subject(&self) -> &str {
        self.subject()
    }

    fn other_subjects(&self) -> Option<&str> {
        self.other_subjects()
    }

    fn provider(&self) -> &ProviderId {
        self.provider()
    }

    fn authenticated_at(&self) -> Option<UnixTime> {
        Some(self.authenticated_at())
    }

    fn session(&self) -> Option<String> {
        Some(self.id().to_string())
    }

    fn ends(&self) -> UnixTime {
        self.ends()
    }

    fn field(&self, field: Field) -> Option<&str> {
        self.field(field)
    }
}

/// The headers that tell of `who` on `route`, with a token signed now.
///
/// Subject and provider, and times and session where there are any, are always told, every field only where the route's `forward` lists it.
pub(crate) fn build(
    who: &impl Told,
    route: &Route,
    signer: &TokenSigner,
    now: UnixTime,
) -> Result<IdentityHeaders, OwnKeyError> {
    let mut list = Vec::with_capacity(6 + route.forward.len());
    let mut claims = Map::new();
    list.push((IdentityHeader::Subject, encoded(IdentityHeader::Subject, who.subject())));
    if let Some(others) = who.other_subjects() {
        list.push((IdentityHeader::OtherSubjects, encoded(IdentityHeader::OtherSubjects, others)));
        claims.insert("other_subjects".into(), others.split(',').map(Value::from).collect::<Vec<_>>().into());
    }
    list.push((IdentityHeader::Provider, encoded(IdentityHeader::Provider, who.provider().as_str())));
    claims.insert("provider".into(), who.provider().as_str().into());
    if let Some(at) = who.authenticated_at().map(|at| UnixTime::from_secs(at.as_secs())) {
        list.push((IdentityHeader::AuthenticatedAt, Bytes::from(at.to_string())));
        claims.insert("auth_time".into(), at.as_secs().into());
    }
    if let Some(id) = who.session() {
        claims.insert("sid".into(), id.as_str().into());
        list.push((IdentityHeader::Session, Bytes::from(id)));
    }
    for field in &route.forward {
        let header = IdentityHeader::of(*field);
        let Some(value) = who.field(*field) else { continue };
        if list.iter().any(|(there, _)| *there == header) {
            continue;
        }
        list.push((header, encoded(header, value)));
        claims.insert(field.name().into(), Value::from(value));
    }
    let token = signer.sign(who.subject(), claims, now, who.ends())?;
    list.push((IdentityHeader::Assertion, Bytes::from(token)));
    Ok(IdentityHeaders::new(list))
}

/// How long the headers of a session on a route are kept: the token in them is signed once in that time.
const KEPT: Duration = Duration::from_secs(60);

/// Sessions times routes whose headers are kept, at about 1.5 KB each. Beyond it the token is signed more often, which
/// costs some 30 µs of CPU: nobody is refused.
const CAPACITY: usize = 16_384;

/// The headers of live sessions, kept for a minute.
pub(crate) struct HeaderCache {
    counters: CacheCounters,
    /// By a session's id or a token's digest, which nobody chooses, and a route of the configuration.
    kept: DashMap<([u8; 16], RouteName), (UnixTime, Arc<IdentityHeaders>), ByDigest>,
}

impl HeaderCache {
    /// An empty one that counts its lookups.
    pub(crate) fn new(counters: CacheCounters) -> Self {
        Self { counters, kept: DashMap::default() }
    }

    /// The kept headers of whoever `id` stands for, or new ones.
    pub(crate) fn get(
        &self,
        id: [u8; 16],
        who: &impl Told,
        route: &Route,
        signer: &TokenSigner,
        now: UnixTime,
    ) -> Result<Arc<IdentityHeaders>, OwnKeyError> {
        let key = (id, route.name.clone());
        // The guard ends with this statement: signing happens outside of every lock.
        let kept = self.kept.get(&key).filter(|entry| fresh(entry.0, now)).map(|entry| Arc::clone(&entry.1));
        if let Some(headers) = kept {
            self.counters.hits.inc();
            return Ok(headers);
        }
        self.counters.misses.inc();
        let headers = Arc::new(build(who, route, signer, now)?);
        if self.kept.len() >= CAPACITY {
            self.kept.retain(|_, (signed, _)| fresh(*signed, now));
            if self.kept.len() >= CAPACITY {
                self.kept.clear();
            }
        }
        self.kept.insert(key, (now, Arc::clone(&headers)));
        Ok(headers)
    }

    /// Forgets what is kept of a session that has ended.
    pub(crate) fn forget(&self, session: SessionId, routes: &Routes) {
        for route in routes.all() {
            self.kept.remove(&(*session.bytes(), route.name.clone()));
        }
    }

    /// How many are kept.
    pub(crate) fn len(&self) -> usize {
        self.kept.len()
    }
}

/// Signed within the last minute, and not in the future of a clock that was set back.
fn fresh(signed: UnixTime, now: UnixTime) -> bool {
    signed <= now && now < signed.plus(KEPT)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use serde_json::json;

    use super::super::token::tests::verified;
    use super::*;
    use crate::base::{RouteName, Secret};
    use crate::crypto::own::{SigningKey, generate_p256_pem};
    use crate::crypto::trusted::PublicKey;
    use crate::policy::Access;
    use crate::session::live::tests::session;
    use crate::telemetry::Telemetry;

    const NOW: UnixTime = UnixTime::from_secs(1_772_359_200);

    fn signer() -> (TokenSigner, PublicKey) {
        let pem = generate_p256_pem().unwrap().expose().clone().into_bytes();
        let key = SigningKey::from_pem(&Secret::new(pem), "token").unwrap();
        let public = PublicKey::from_certificate(key.certificate()).unwrap();
        (TokenSigner::new(key, &[], "https://e.example.se", "etjanst").unwrap(), public)
    }

    fn route(name: &str, forward: &[Field]) -> Route {
        Route {
            name: RouteName::new(name),
            access: Access::Session,
            loa: Vec::new(),
            require: Vec::new(),
            eid: Vec::new(),
            bearer: Vec::new(),
            max_age: None,
            background: false,
            scopes: Vec::new(),
            forward: forward.to_vec(),
        }
    }

    fn person() -> Session {
        session(
            NOW,
            "http://id.elegnamnden.se/loa/1.0/loa3",
            &[("personal_number", "195006262546"), ("name", "Åsa Öberg\r\nX-Eid-Subject: x")],
        )
    }

    #[test]
    fn the_e_service_is_told_what_forward_lists_and_no_more() {
        let (signer, public) = signer();
        let headers = build(&person(), &route("/x", &[]), &signer, NOW).unwrap();
        let names: Vec<_> = headers.iter().map(|(name, _)| name.name()).collect();
        assert_eq!(
            names,
            ["x-eid-subject", "x-eid-provider", "x-eid-authenticated-at", "x-eid-session", "x-eid-assertion"]
        );
        assert_eq!(headers.get(IdentityHeader::AuthenticatedAt).unwrap(), "2026-03-01T10:00:00Z");
        let token = std::str::from_utf8(headers.get(IdentityHeader::Assertion).unwrap()).unwrap();
        let mut claims: Vec<String> = verified(token, &public).1.as_object().unwrap().keys().cloned().collect();
        claims.sort_unstable();
        assert_eq!(claims, ["aud", "auth_time", "exp", "iat", "iss", "provider", "sid", "sub"]);

        let forward = [Field::PersonalNumber, Field::Name, Field::Loa, Field::Eid, Field::Prid, Field::Loa];
        let headers = build(&person(), &route("/x", &forward), &signer, NOW).unwrap();
        assert_eq!(headers.get(IdentityHeader::PersonalNumber).unwrap(), "195006262546");
        assert_eq!(headers.get(IdentityHeader::Loa).unwrap(), "http://id.elegnamnden.se/loa/1.0/loa3");
        assert_eq!(headers.get(IdentityHeader::Method).unwrap(), "bankid");
        assert_eq!(
            headers.get(IdentityHeader::Name).unwrap(),
            "%C3%85sa%20%C3%96berg%0D%0AX-Eid-Subject%3A%20x",
            "nothing ends a header early"
        );
        assert!(headers.get(IdentityHeader::Prid).is_none());
        assert_eq!(headers.iter().filter(|(name, _)| *name == IdentityHeader::Loa).count(), 1);
        let token = std::str::from_utf8(headers.get(IdentityHeader::Assertion).unwrap()).unwrap();
        let claims = verified(token, &public).1;
        assert_eq!(claims["personal_number"], json!("195006262546"));
        assert_eq!(claims["loa"], json!("http://id.elegnamnden.se/loa/1.0/loa3"));
        assert_eq!(claims["eid"], json!("bankid"));
        assert_eq!(claims["name"], json!("Åsa Öberg\r\nX-Eid-Subject: x"), "the token holds the real text");
        assert_eq!(claims["sub"], json!(person().subject()));
    }

    #[test]
    fn a_token_is_signed_once_a_minute_and_kept_per_route() {
        let (signer, _) = signer();
        let cache = HeaderCache::new(Telemetry::new([], []).unwrap().metrics().caches.headers.clone());
        let (who, one, two) = (person(), route("/1", &[]), route("/2", &[Field::Name]));
        let first = cache.get(*who.id().bytes(), &who, &one, &signer, NOW).unwrap();
        let later = NOW.plus(Duration::from_secs(59));
        assert!(Arc::ptr_eq(&first, &cache.get(*who.id().bytes(), &who, &one, &signer, later).unwrap()));
        assert!(cache.get(*who.id().bytes(), &who, &two, &signer, later).unwrap().get(IdentityHeader::Name).is_some());
        assert!(first.get(IdentityHeader::Name).is_none());
        assert!(!Arc::ptr_eq(&first, &cache.get(*who.id().bytes(), &who, &one, &signer, NOW.plus(KEPT)).unwrap()));
        let other = cache.get(*person().id().bytes(), &person(), &one, &signer, later).unwrap();
        assert!(other.get(IdentityHeader::Session) != first.get(IdentityHeader::Session));
        assert_eq!(cache.len(), 3);
        cache.forget(who.id(), &Routes::new(vec![one, two], Vec::new()));
        assert_eq!(cache.len(), 1);
    }

    #[test]
    fn every_header_name_is_ours_and_folds_to_itself() {
        for header in IdentityHeader::ALL {
            assert!(header.name().starts_with("x-eid-"));
            assert!(header.name().bytes().all(|b| b.is_ascii_lowercase() || b == b'-'));
        }
        for field in Field::ALL {
            assert!(IdentityHeader::ALL.contains(&IdentityHeader::of(field)));
        }
    }
}
