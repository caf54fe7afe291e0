//! The cookies of the version before, written as it wrote them. `tests/vectors/cookies` holds what it really sealed, and a
//! test holds these types against that: they write the same bytes.

use grindvakt::base::UnixTime;
use grindvakt::crypto::digest::SystemRandom;
use grindvakt::identity::Field;
use grindvakt::session::{CookieKey, CookieSealer, LoginState, Sealed, Sent, Session};
use serde::{Deserialize, Serialize};

use super::World;

/// A session before there were logouts by the provider, and sessions in a store.
#[derive(Clone, Serialize, Deserialize)]
pub struct PreviousSession {
    id: [u8; 16],
    subject: String,
    provider: String,
    maker: grindvakt::session::Maker,
    eid: String,
    loa: String,
    authenticated_at: UnixTime,
    started: UnixTime,
    seen: UnixTime,
    ends: UnixTime,
    fields: Vec<(String, String)>,
}

impl Sealed for PreviousSession {
    const FORM: u8 = 1;
}

/// A begun login while SAML was the only protocol.
#[derive(Clone, Serialize, Deserialize)]
pub struct PreviousLogin {
    provider: String,
    request_id: String,
    issued_at: UnixTime,
    rd: String,
    loa: Vec<String>,
    force_authn: bool,
    instance: grindvakt::session::Instance,
    locale: grindvakt::session::Locale,
    on_top_of: Option<grindvakt::session::StepUpFrom>,
}

impl Sealed for PreviousLogin {
    const FORM: u8 = 1;
}

/// Seals cookies under the key of a world, as any of its sidecars does.
pub struct Previous {
    sessions: CookieSealer,
    logins: CookieSealer,
}

impl Previous {
    pub fn of(world: &World) -> Self {
        let text = std::fs::read_to_string(world.folder.path().join("session.key")).unwrap();
        let key: [u8; 32] = base64_simd::STANDARD.decode_to_vec(text.trim()).unwrap().try_into().unwrap();
        let key = grindvakt::base::Secret::new(key);
        let sealer = |purpose| CookieSealer::new([&key], purpose).unwrap();
        Self { sessions: sealer(CookieKey::Session), logins: sealer(CookieKey::Login) }
    }

    /// A session's cookie as the version before would have sealed it.
    pub fn session(&self, name: &str, text: &str) -> String {
        let now: Session = self.sessions.open(name, text).unwrap();
        let kept = |field: &Field| Some((field.name().to_owned(), now.field(*field)?.to_owned()));
        let fields = Field::ALL.iter().filter(|field| !matches!(field, Field::Loa | Field::Eid));
        let before = PreviousSession {
            id: *now.id().bytes(),
            subject: now.subject().to_owned(),
            provider: now.provider().to_string(),
            maker: now.maker(),
            eid: now.eid().to_string(),
            loa: now.loa().to_owned(),
            authenticated_at: now.authenticated_at(),
            started: now.authenticated_at(),
            seen: now.authenticated_at(),
            ends: now.ends(),
            fields: fields.filter_map(kept).collect(),
        };
        self.sessions.seal(name, &before, &SystemRandom::new()).unwrap()
    }

    /// A begun login's cookie as the version before would have sealed it.
    pub fn login(&self, name: &str, text: &str) -> String {
        let now: LoginState = self.logins.open(name, text).unwrap();
        let Sent::Saml { request_id } = now.sent else { panic!("the version before knew SAML alone") };
        let before = PreviousLogin {
            provider: now.provider.to_string(),
            request_id,
            issued_at: now.issued_at,
            rd: now.rd,
            loa: now.loa,
            force_authn: now.force_authn,
            instance: now.instance,
            locale: now.locale,
            on_top_of: now.on_top_of,
        };
        self.logins.seal(name, &before, &SystemRandom::new()).unwrap()
    }
}
