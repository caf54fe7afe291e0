//! A value, sealed into a cookie's text and back: version byte, postcard, AES-256-GCM, base64url.
//!
//! The box is bound to the cookie's name, and each purpose has a key of its own: a login state is never a session, and
//! the value of one cookie opens nothing under another name.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::Secret;
use crate::base::limits::STORED_SESSION_BYTES;
use crate::crypto::digest::{NoRandomness, Random};
use crate::crypto::seal::Sealer;

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
    /// What of a session is in the shared store.
    Stored,
}

impl CookieKey {
    const fn purpose(self) -> &'static str {
        match self {
            Self::Session => "session cookie",
            Self::Login => "login state cookie",
            Self::Confirm => "confirmation cookie",
            Self::Stored => "stored session",
        }
    }
}

/// What can be sealed. The first byte inside says in which form it is written: a process reads the form before its own
/// too, so that the version before and this one can stand side by side while one takes the other's place.
pub trait Sealed: Serialize + DeserializeOwned {
    /// The number of the form that is written.
    const FORM: u8;

    /// Reads this form.
    fn read(body: &[u8]) -> Option<Self> {
        whole(body)
    }

    /// Reads the form before it.
    fn read_before(body: &[u8]) -> Option<Self> {
        let _ = body;
        None
    }
}

/// Reads the whole of `body`.
pub(crate) fn whole<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    match postcard::take_from_bytes(body) {
        Ok((value, [])) => Some(value),
        Ok(_) | Err(_) => None,
    }
}

fn read<T: Sealed>(plain: &[u8]) -> Option<T> {
    let (form, body) = plain.split_first()?;
    if *form == T::FORM {
        T::read(body)
    } else if form.checked_add(1) == Some(T::FORM) {
        T::read_before(body)
    } else {
        None
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
    pub fn seal<T: Sealed>(&self, name: &str, value: &T, random: &dyn Random) -> Result<String, SealError> {
        let sealed = self.seal_bytes(name.as_bytes(), value, random)?;
        let text = base64_simd::URL_SAFE_NO_PAD.encode_to_string(sealed);
        if name.len() + text.len() > VALUE_BYTES { Err(SealError::TooLarge) } else { Ok(text) }
    }

    /// The bytes to put in a store under `name`.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn seal_bytes<T: Sealed>(&self, name: &[u8], value: &T, random: &dyn Random) -> Result<Vec<u8>, SealError> {
        let plain = postcard::to_extend(value, vec![T::FORM]).map_err(|_| SealError::TooLarge)?;
        if plain.len() > STORED_SESSION_BYTES {
            return Err(SealError::TooLarge);
        }
        Ok(self.0.seal(&plain, name, random)?)
    }

    /// What cookie `name` with this text holds; none when we did not seal it for this name and purpose.
    pub fn open<T: Sealed>(&self, name: &str, text: &str) -> Option<T> {
        if text.len() > VALUE_BYTES {
            return None;
        }
        let sealed = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text).ok()?;
        self.open_bytes(name.as_bytes(), sealed)
    }

    /// What these bytes hold that a store had under `name`; none when we did not seal them for it.
    pub fn open_bytes<T: Sealed>(&self, name: &[u8], mut sealed: Vec<u8>) -> Option<T> {
        read(self.0.open(&mut sealed, name).ok()?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::digest::SystemRandom;

    impl Sealed for String {
        const FORM: u8 = 1;
    }

    impl Sealed for (String, u32) {
        const FORM: u8 = 1;
    }

    /// A later form of the pair.
    impl Sealed for (String, u32, u32) {
        const FORM: u8 = 2;

        fn read_before(body: &[u8]) -> Option<Self> {
            whole::<(String, u32)>(body).map(|(one, two)| (one, two, 0))
        }
    }

    /// And one after that.
    impl Sealed for (String, u32, u32, u32) {
        const FORM: u8 = 3;

        fn read_before(body: &[u8]) -> Option<Self> {
            whole::<(String, u32, u32)>(body).map(|(one, two, three)| (one, two, three, 0))
        }
    }

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
        assert_eq!(sessions.open::<String>("a", &text), None, "too long for its type");
    }

    #[test]
    fn the_form_before_is_read_and_no_other() {
        let sessions = sealer(CookieKey::Session);
        let random = SystemRandom::new();
        let first = sessions.seal("a", &("who".to_owned(), 7_u32), &random).unwrap();
        assert_eq!(sessions.open("a", &first), Some(("who".to_owned(), 7_u32, 0_u32)));
        assert_eq!(sessions.open::<(String, u32, u32, u32)>("a", &first), None, "two forms back");
        let second = sessions.seal("a", &("who".to_owned(), 7_u32, 8_u32), &random).unwrap();
        assert_eq!(sessions.open("a", &second), Some(("who".to_owned(), 7_u32, 8_u32, 0_u32)));
        assert_eq!(sessions.open::<(String, u32)>("a", &second), None, "a form to come");
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
