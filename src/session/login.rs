//! A begun login, sealed into a cookie of its own until the answer comes.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Locale;
use crate::base::limits::LOGIN_LIFETIME_SECS;
use crate::base::{ProviderId, UnixTime};
use crate::crypto::digest::{NoRandomness, Random, random_bytes};
use crate::replay::SessionId;
use crate::verify::{Reason, Reject};

/// How long a begun login can be finished.
pub const LOGIN_LIFETIME: Duration = Duration::from_secs(LOGIN_LIFETIME_SECS);

/// One process, from its start to its end. With a memory of used assertions in the process alone, only that process
/// can finish what it began.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance([u8; 16]);

impl Instance {
    /// A new one, made at start.
    ///
    /// # Errors
    /// [`NoRandomness`] when the source fails.
    pub fn new(random: &dyn Random) -> Result<Self, NoRandomness> {
        random_bytes(random).map(Self)
    }
}

const TAG_LEN: usize = 4;
const HANDLE_LEN: usize = TAG_LEN + 16;
const HANDLE_TEXT_LEN: usize = 27;

/// Names one begun login: the RelayState, and the end of its cookie's name. 128 random bits behind a short tag of the
/// process that began it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Handle([u8; HANDLE_LEN]);

impl Handle {
    /// A new one.
    ///
    /// # Errors
    /// [`NoRandomness`] when the source fails.
    pub fn new(instance: &Instance, random: &dyn Random) -> Result<Self, NoRandomness> {
        let mut bytes: [u8; HANDLE_LEN] = random_bytes(random)?;
        for (to, from) in bytes.iter_mut().zip(instance.0.iter().take(TAG_LEN)) {
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

    /// Whether another process than `instance` seems to have made it. Unauthenticated: it chooses the words of a
    /// refusal, when the state itself cannot be opened.
    pub fn is_of_another(&self, instance: &Instance) -> bool {
        self.0.iter().zip(instance.0.iter()).take(TAG_LEN).any(|(a, b)| a != b)
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

/// What the browser holds of a request of ours.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginState {
    /// Who was asked.
    pub provider: ProviderId,
    /// The AuthnRequest's ID.
    pub request_id: String,
    /// When it was made.
    pub issued_at: UnixTime,
    /// Where the person wanted to go: a path on our own base_url, with its query.
    pub rd: String,
    /// The levels that were asked for.
    pub loa: Vec<String>,
    /// Whether a fresh login was asked for.
    pub force_authn: bool,
    /// The process that began it.
    pub instance: Instance,
    /// The person's language.
    pub locale: Locale,
    /// The session that it was begun on top of.
    pub on_top_of: Option<StepUpFrom>,
}

impl LoginState {
    /// Whether it can be finished at `now` by `instance`; with a shared store any process will do (`None`).
    ///
    /// # Errors
    /// `state_expired` or `login_other_instance`.
    pub fn usable(&self, now: UnixTime, instance: Option<&Instance>) -> Result<(), Reject> {
        if now >= self.issued_at.plus(LOGIN_LIFETIME) {
            return Err(Reject::new(Reason::StateExpired, format_args!("begun at {}, now {now}", self.issued_at)));
        }
        if instance.is_some_and(|ours| *ours != self.instance) {
            return Err(Reason::LoginOtherInstance.into());
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use super::*;
    use crate::crypto::digest::SystemRandom;

    pub(crate) fn state(instance: Instance, issued_at: UnixTime) -> LoginState {
        LoginState {
            provider: ProviderId::new("bankid-a").unwrap(),
            request_id: "_0123456789abcdef0123456789abcdef".to_owned(),
            issued_at,
            rd: "/ansokan/ny?steg=2".to_owned(),
            loa: vec!["http://id.elegnamnden.se/loa/1.0/loa3".to_owned()],
            force_authn: true,
            instance,
            locale: Locale::Sv,
            on_top_of: None,
        }
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
    fn a_login_ends_after_an_hour_and_belongs_to_one_process() {
        let random = SystemRandom::new();
        let (ours, other) = (Instance::new(&random).unwrap(), Instance::new(&random).unwrap());
        let state = state(ours, UnixTime::from_secs(1_000));
        let reason = |now: i64, instance| state.usable(UnixTime::from_secs(now), instance).err().map(|r| r.reason());
        assert_eq!(reason(4_599, Some(&ours)), None);
        assert_eq!(reason(4_600, Some(&ours)), Some(Reason::StateExpired));
        assert_eq!(reason(1_001, Some(&other)), Some(Reason::LoginOtherInstance));
        assert_eq!(reason(1_001, None), None);
    }
}
