//! A value, sealed into a cookie's text and back: version byte, postcard, AES-256-GCM, base64url.
//!
//! The box is bound to the cookie's name, and each purpose has a key of its own: a login state is never a session, and
//! the value of one cookie opens nothing under another name.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::Secret;
use crate::crypto::digest::{NoRandomness, Random};
use crate::crypto::seal::Sealer;

/// The form of what is inside. Another form is another number: what an older process sealed is then not ours.
const FORM: u8 = 1;

/// The longest cookie that browsers keep, name included (RFC 6265, 6.1). Longer values are not even decoded.
const VALUE_BYTES: usize = 4096;

/// What a key seals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieKey {
    /// Sessions.
    Session,
    /// Begun logins.
    Login,
    /// Logins that wait for the person's yes.
    Confirm,
}

impl CookieKey {
    const fn purpose(self) -> &'static str {
        match self {
            Self::Session => "session cookie",
            Self::Login => "login state cookie",
            Self::Confirm => "confirmation cookie",
        }
    }
}

/// Why nothing was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// It cannot be written, or no browser would keep it.
    #[error("too large for a cookie")]
    TooLarge,
}

/// Seals and opens the cookies of one purpose.
pub struct CookieSealer(Sealer);

impl CookieSealer {
    /// With the configured keys: the first seals, all open. None when there is no key.
    pub fn new<'k>(keys: impl IntoIterator<Item = &'k Secret<[u8; 32]>>, purpose: CookieKey) -> Option<Self> {
        Sealer::new(keys, purpose.purpose()).map(Self)
    }

    /// The text to set as cookie `name`.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn seal<T: Serialize>(&self, name: &str, value: &T, random: &dyn Random) -> Result<String, SealError> {
        let plain = postcard::to_extend(value, vec![FORM]).map_err(|_| SealError::TooLarge)?;
        let sealed = self.0.seal(&plain, name.as_bytes(), random)?;
        let text = base64_simd::URL_SAFE_NO_PAD.encode_to_string(sealed);
        if name.len() + text.len() > VALUE_BYTES { Err(SealError::TooLarge) } else { Ok(text) }
    }

    /// What cookie `name` with this text holds; none when we did not seal it for this name and purpose.
    pub fn open<T: DeserializeOwned>(&self, name: &str, text: &str) -> Option<T> {
        if text.len() > VALUE_BYTES {
            return None;
        }
        let mut sealed = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text).ok()?;
        let plain = self.0.open(&mut sealed, name.as_bytes()).ok()?;
        let (form, body) = plain.split_first()?;
        if *form != FORM {
            return None;
        }
        match postcard::take_from_bytes(body) {
            Ok((value, [])) => Some(value),
            Ok(_) | Err(_) => None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::digest::SystemRandom;

    fn sealer(purpose: CookieKey) -> CookieSealer {
        CookieSealer::new([&Secret::new([1; 32])], purpose).unwrap()
    }

    #[test]
    fn a_value_opens_under_its_own_name_and_purpose_only() {
        let sessions = sealer(CookieKey::Session);
        let text = sessions.seal("a", &("who".to_owned(), 7_u32), &SystemRandom::new()).unwrap();
        assert_eq!(sessions.open("a", &text), Some(("who".to_owned(), 7_u32)));
        assert_eq!(sessions.open::<(String, u32)>("b", &text), None);
        assert_eq!(sealer(CookieKey::Login).open::<(String, u32)>("a", &text), None);
        assert_eq!(sessions.open::<(String, u32, u32)>("a", &text), None, "too short for its type");
        assert_eq!(sessions.open::<String>("a", &text), None, "too long for its type");
    }

    #[test]
    fn what_no_browser_would_keep_is_not_sealed() {
        let text = "x".repeat(3100);
        assert_eq!(sealer(CookieKey::Session).seal("a", &text, &SystemRandom::new()), Err(SealError::TooLarge));
    }

    proptest! {
        #[test]
        fn no_text_of_a_stranger_opens(text in "[A-Za-z0-9_=.%-]{0,200}") {
            prop_assert_eq!(sealer(CookieKey::Session).open::<String>("a", &text), None);
        }
    }
}
