//! A begun login, sealed into a cookie of its own until the answer comes.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::codec::whole;
use super::{Locale, Sealed};
use crate::base::limits::LOGIN_LIFETIME_SECS;
use crate::base::{ProviderId, UnixTime};
use crate::crypto::digest::{NoRandomness, Random, random_bytes};
use crate::replay::{Instance, SessionId};
use crate::verify::{Reason, Reject};

/// How long a begun login can be finished.
pub const LOGIN_LIFETIME: Duration = Duration::from_secs(LOGIN_LIFETIME_SECS);

const TAG_LEN: usize = 4;
const HANDLE_LEN: usize = TAG_LEN + 16;
const HANDLE_TEXT_LEN: usize = 27;

/// Names one begun login: the RelayState, and the end of its cookie's name. 128 random bits behind a short tag of the
/// memory of uses that it was begun under.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Handle([u8; HANDLE_LEN]);

impl Handle {
    /// A new one.
    ///
    /// # Errors
    /// [`NoRandomness`] when the source fails.
    pub fn new(instance: &Instance, random: &dyn Random) -> Result<Self, NoRandomness> {
        let mut bytes: [u8; HANDLE_LEN] = random_bytes(random)?;
        for (to, from) in bytes.iter_mut().zip(instance.bytes().iter().take(TAG_LEN)) {
            *to = *from;
        }
        Ok(Self(bytes))
    }

    /// Reads one back; none for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != HANDLE_TEXT_LEN {
            return None;
        }
        let bytes = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// Whether it seems to have been begun under another memory than `instance`. Unauthenticated: it chooses the words of a
    /// refusal, when the state itself cannot be opened.
    pub fn is_of_another(&self, instance: &Instance) -> bool {
        self.0.iter().zip(instance.bytes().iter()).take(TAG_LEN).any(|(a, b)| a != b)
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64_simd::URL_SAFE_NO_PAD.encode_to_string(self.0))
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The session that a login was begun on top of. It ends when the login succeeds; the browser does not send its cookie
/// along with the provider's cross-site form, so the login itself remembers it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepUpFrom {
    /// Its id.
    pub session: SessionId,
    /// Its absolute end.
    pub ends: UnixTime,
    /// Whose it is, as `X-Eid-Subject`, where the new login must be by the same person; none where it may be anyone.
    pub same_subject: Option<String>,
}

/// What the answer must hold of the request: only who has it, in the browser that the request was made for, can finish.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sent {
    /// SAML: the AuthnRequest's ID.
    Saml {
        /// What InResponseTo must say.
        request_id: String,
    },
    /// OpenID Connect.
    Oidc {
        /// What the ID token must hold.
        nonce: String,
        /// The secret half of PKCE (RFC 7636, 4.1).
        verifier: String,
    },
}

impl Sent {
    /// The ID of an AuthnRequest; none of a request by another protocol.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Saml { request_id } => Some(request_id),
            Self::Oidc { .. } => None,
        }
    }

    /// For a new AuthnRequest.
    ///
    /// # Errors
    /// [`NoRandomness`] when the source fails.
    pub fn saml(random: &dyn Random) -> Result<Self, NoRandomness> {
        let id: [u8; 16] = random_bytes(random)?;
        // An NCName begins with no digit.
        Ok(Self::Saml { request_id: format!("_{}", id.map(|byte| format!("{byte:02x}")).concat()) })
    }

    /// For a new authorization request: 256 random bits for each of the two.
    ///
    /// # Errors
    /// [`NoRandomness`] when the source fails.
    pub fn oidc(random: &dyn Random) -> Result<Self, NoRandomness> {
        let text = |bytes: [u8; 32]| base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes);
        Ok(Self::Oidc { nonce: text(random_bytes(random)?), verifier: text(random_bytes(random)?) })
    }
}

/// What the browser holds of a request of ours.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginState {
    /// Who was asked.
    pub provider: ProviderId,
    /// With what.
    pub sent: Sent,
    /// When it was made.
    pub issued_at: UnixTime,
    /// Where the person wanted to go: a path on our own base_url, with its query.
    pub rd: String,
    /// The levels that were asked for.
    pub loa: Vec<String>,
    /// Whether a fresh login was asked for.
    pub force_authn: bool,
    /// The memory of uses that it was begun under.
    pub instance: Instance,
    /// The person's language.
    pub locale: Locale,
    /// The session that it was begun on top of.
    pub on_top_of: Option<StepUpFrom>,
}

impl Sealed for LoginState {
    const FORM: u8 = 2;

    fn read_before(body: &[u8]) -> Option<Self> {
        /// As it was while SAML was the only protocol.
        #[derive(Deserialize)]
        struct Before {
            provider: ProviderId,
            request_id: String,
            issued_at: UnixTime,
            rd: String,
            loa: Vec<String>,
            force_authn: bool,
            instance: Instance,
            locale: Locale,
            on_top_of: Option<StepUpFrom>,
        }
        let Before { provider, request_id, issued_at, rd, loa, force_authn, instance, locale, on_top_of } =
            whole(body)?;
        let sent = Sent::Saml { request_id };
        Some(Self { provider, sent, issued_at, rd, loa, force_authn, instance, locale, on_top_of })
    }
}

impl LoginState {
    /// Whether it can be finished at `now` while `instance` is the memory in force.
    ///
    /// # Errors
    /// `state_expired` or `login_other_instance`.
    pub fn usable(&self, now: UnixTime, instance: &Instance) -> Result<(), Reject> {
        if now >= self.issued_at.plus(LOGIN_LIFETIME) {
            return Err(Reject::new(Reason::StateExpired, format_args!("begun at {}, now {now}", self.issued_at)));
        }
        if *instance != self.instance {
            return Err(Reason::LoginOtherInstance.into());
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use super::*;
    use crate::base::Secret;
    use crate::crypto::digest::SystemRandom;
    use crate::session::{CookieKey, CookieSealer};

    pub(crate) fn state(instance: Instance, issued_at: UnixTime) -> LoginState {
        LoginState {
            provider: ProviderId::new("bankid-a").unwrap(),
            sent: Sent::Saml { request_id: "_0123456789abcdef0123456789abcdef".to_owned() },
            issued_at,
            rd: "/ansokan/ny?steg=2".to_owned(),
            loa: vec!["http://id.elegnamnden.se/loa/1.0/loa3".to_owned()],
            force_authn: true,
            instance,
            locale: Locale::Sv,
            on_top_of: None,
        }
    }

    /// What an earlier process sealed, with the key of 32 ones, under a memory of 16 sevens: recorded, not made here.
    const RECORDED: &str = include_str!("../../tests/vectors/cookies/login-form-1.txt");

    #[test]
    fn a_login_that_an_earlier_process_began_is_read() {
        let sealer = CookieSealer::new([&Secret::new([1; 32])], CookieKey::Login).unwrap();
        let state: LoginState = sealer.open("name", RECORDED.trim_end()).unwrap();
        let begun = UnixTime::from_secs(1_772_359_200);
        assert_eq!((state.issued_at, state.rd.as_str()), (begun, "/ansokan/ny?steg=2"));
        assert_eq!(*state.instance.bytes(), [7; 16]);
        let on_top_of = state.on_top_of.unwrap();
        assert_eq!(on_top_of.ends, UnixTime::from_secs(1_772_388_000));
        assert_eq!(on_top_of.same_subject.as_deref(), Some("personal-number:x"));
    }

    #[test]
    fn a_login_of_this_form_is_read_as_it_was_written() {
        let sealer = CookieSealer::new([&Secret::new([1; 32])], CookieKey::Login).unwrap();
        let text = include_str!("../../tests/vectors/cookies/login-form-2.txt").trim_end();
        let state: LoginState = sealer.open("name", text).unwrap();
        assert!(state.sent == Sent::Oidc { nonce: "n".repeat(43), verifier: "v".repeat(43) });
        assert_eq!((*state.instance.bytes(), state.rd.as_str()), ([7; 16], "/ansokan/ny?steg=2"));
        assert_eq!(sealer.seal("name", &state, &SystemRandom::new()).unwrap().len(), text.len());
    }

    #[test]
    fn a_handle_fits_a_relay_state_and_names_its_process() {
        let random = SystemRandom::new();
        let (ours, other) = (Instance::new(&random).unwrap(), Instance::new(&random).unwrap());
        let handle = Handle::new(&ours, &random).unwrap();
        let text = handle.to_string();
        assert_eq!(text.len(), HANDLE_TEXT_LEN);
        assert_eq!(Handle::parse(&text), Some(handle));
        assert!(!handle.is_of_another(&ours));
        assert!(handle.is_of_another(&other));
        for bad in ["", "x", &"x".repeat(80), &text.replace(|_| true, "="), &format!("{text}A")] {
            assert_eq!(Handle::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_login_ends_after_an_hour_and_belongs_to_one_memory() {
        let random = SystemRandom::new();
        let (ours, other) = (Instance::new(&random).unwrap(), Instance::new(&random).unwrap());
        let state = state(ours, UnixTime::from_secs(1_000));
        let reason = |now: i64, instance| state.usable(UnixTime::from_secs(now), instance).err().map(|r| r.reason());
        assert_eq!(reason(4_599, &ours), None);
        assert_eq!(reason(4_600, &ours), Some(Reason::StateExpired));
        assert_eq!(reason(1_001, &other), Some(Reason::LoginOtherInstance));
    }
}
