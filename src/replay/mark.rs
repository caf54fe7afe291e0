//! By what a session can be ended: its own id, or what its provider calls it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::guard::cut;
use crate::base::UnixTime;
use crate::crypto::digest::{HmacKey, NoRandomness, Random, random_bytes, sha256};

/// A session's random handle: what `X-Eid-Session` says, and never the cookie's value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SessionId([u8; 16]);

impl SessionId {
    /// A new one: 128 random bits.
    ///
    /// # Errors
    /// [`NoRandomness`] when the source fails.
    pub fn new(random: &dyn Random) -> Result<Self, NoRandomness> {
        random_bytes(random).map(Self)
    }

    /// As it was sealed.
    pub(crate) const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for SessionId {
    /// base64url without padding, 22 characters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64_simd::URL_SAFE_NO_PAD.encode_to_string(self.0))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a provider calls a person or a session of theirs: a keyed digest, so that neither a cookie nor a store holds a
/// name. A logout that the provider sends names the same, and needs no cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProviderMark([u8; 16]);

impl ProviderMark {
    /// As it was sealed.
    pub(crate) const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The key that vouched for it, by its fingerprint: every session of a login that this key signed. No name of anybody,
    /// so the digest needs no key.
    pub fn signing_key(fingerprint: &[u8; 32]) -> Self {
        let [mark @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] =
            sha256(&[&b"signing key"[..], fingerprint].concat());
        Self(mark)
    }

    /// The person at a SAML provider: every session under this NameID.
    pub fn name_id(key: &HmacKey, issuer: &str, name_id: &str) -> Self {
        Self(cut(key.tag(&[b"name id", issuer.as_bytes(), name_id.as_bytes()])))
    }

    /// One session at a SAML provider (SAML Core 3.7.1: a SessionIndex says something together with its NameID).
    pub fn session_index(key: &HmacKey, issuer: &str, name_id: &str, index: &str) -> Self {
        Self(cut(key.tag(&[b"session index", issuer.as_bytes(), name_id.as_bytes(), index.as_bytes()])))
    }

    /// The person at a SAML provider, of sessions that it gave no SessionIndex: an order that names some may mean any of
    /// them.
    pub fn without_index(key: &HmacKey, issuer: &str, name_id: &str) -> Self {
        Self(cut(key.tag(&[b"name id without index", issuer.as_bytes(), name_id.as_bytes()])))
    }

    /// The person at an OpenID provider: every session under this `sub`.
    pub fn sub(key: &HmacKey, issuer: &str, sub: &str) -> Self {
        Self(cut(key.tag(&[b"sub", issuer.as_bytes(), sub.as_bytes()])))
    }

    /// The person at an OpenID provider, of sessions that it gave no `sid`: a logout that names one may mean any of them.
    pub fn without_sid(key: &HmacKey, issuer: &str, sub: &str) -> Self {
        Self(cut(key.tag(&[b"sub without sid", issuer.as_bytes(), sub.as_bytes()])))
    }

    /// One session at an OpenID provider (OpenID Connect Back-Channel Logout 2.1: a `sid` stands alone).
    pub fn sid(key: &HmacKey, issuer: &str, sid: &str) -> Self {
        Self(cut(key.tag(&[b"sid", issuer.as_bytes(), sid.as_bytes()])))
    }
}

/// One thing that a session can be ended by.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mark {
    /// Its own id: the session ends, whenever it was opened.
    Session(SessionId),
    /// What its provider calls it: every session that was opened until then. A later login is not meant.
    AtProvider(ProviderMark),
    /// The same, told by the provider's own clock: every session of a login there until then, whenever it was opened. An
    /// answer that was on its way when the order came opens nothing (SAML Core 3.7.3.1).
    LoginAtProvider(ProviderMark),
}

impl Mark {
    /// Whether it is what a provider calls a session.
    pub(in crate::replay) const fn is_of_provider(&self) -> bool {
        matches!(self, Self::AtProvider(_) | Self::LoginAtProvider(_))
    }
}

/// Everything that one session can be ended by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// Its own id.
    pub session: SessionId,
    /// When it was opened, by the clock of whoever remembers uses: the ends that providers order are told by the same.
    pub opened: UnixTime,
    /// What its provider calls it.
    pub at_provider: Vec<ProviderMark>,
}

/// An order that sessions are over.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ended {
    /// Which ones.
    pub mark: Mark,
    /// Those that were opened until then; by [`Mark::LoginAtProvider`], those of logins there until then.
    pub at: UnixTime,
    /// From then on none of them could be alive anyway.
    pub until: UnixTime,
}

/// An order that somebody gives: what [`super::Store::end`] takes.
#[derive(Clone, Copy)]
pub struct Order {
    mark: Mark,
    /// By the provider's clock; none where it is now, by the clock of whoever remembers.
    at: Option<UnixTime>,
    until: UnixTime,
}

impl Order {
    /// This session, which would have ended at `until`.
    pub const fn session(id: SessionId, until: UnixTime) -> Self {
        Self { mark: Mark::Session(id), at: None, until }
    }

    /// What is open now of what a provider calls so, none of which lasts longer than `until`.
    pub const fn at_provider(mark: ProviderMark, until: UnixTime) -> Self {
        Self { mark: Mark::AtProvider(mark), at: None, until }
    }

    /// What was open at a provider's `ordered`, by its own clock, of what it calls so. Unlike [`Self::at_provider`] it can be
    /// given once more and ends nothing that was opened since: an instant in whole seconds is its first, not its last.
    pub const fn opened_at_provider(mark: ProviderMark, ordered: UnixTime, until: UnixTime) -> Self {
        Self { mark: Mark::AtProvider(mark), at: Some(ordered), until }
    }

    /// What may yet be opened, until `until`, of logins at the provider up to `ordered`, by its own clock.
    ///
    /// An instant in whole seconds may mean any within that second: the last is taken. Whoever logs in again within the
    /// second of their logout logs in once more.
    pub const fn logins_at_provider(mark: ProviderMark, ordered: UnixTime, until: UnixTime) -> Self {
        let whole = ordered.as_millis() % 1000 == 0;
        let last = if whole { ordered.plus(Duration::from_millis(999)) } else { ordered };
        Self { mark: Mark::LoginAtProvider(mark), at: Some(last), until }
    }

    /// As it is filed, `now` by the clock of whoever remembers.
    pub(in crate::replay) fn given(self, now: UnixTime) -> Ended {
        Ended { mark: self.mark, at: self.at.unwrap_or(now), until: self.until }
    }
}

/// What an order takes in a store.
const LEN: usize = 1 + 16 + 8 + 8;

impl Ended {
    /// For a store: kind, digest, the two instants.
    pub(in crate::replay) fn to_bytes(self) -> [u8; LEN] {
        let (kind, digest) = match self.mark {
            Mark::Session(id) => (0, id.0),
            Mark::AtProvider(mark) => (1, mark.0),
            Mark::LoginAtProvider(mark) => (2, mark.0),
        };
        let mut out = [0; LEN];
        let parts = std::iter::once(kind)
            .chain(digest)
            .chain(self.at.as_millis().to_be_bytes())
            .chain(self.until.as_millis().to_be_bytes());
        for (to, from) in out.iter_mut().zip(parts) {
            *to = from;
        }
        out
    }

    /// From a store; none for what no version of ours up to this one wrote.
    pub(in crate::replay) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; LEN] = bytes.try_into().ok()?;
        let (kind, rest) = bytes.split_first()?;
        let (digest, rest) = rest.split_first_chunk::<16>()?;
        let (at, rest) = rest.split_first_chunk::<8>()?;
        let until = rest.first_chunk::<8>()?;
        let mark = match kind {
            0 => Mark::Session(SessionId(*digest)),
            1 => Mark::AtProvider(ProviderMark(*digest)),
            2 => Mark::LoginAtProvider(ProviderMark(*digest)),
            _ => return None,
        };
        let instant = |bytes: &[u8; 8]| UnixTime::from_millis(i64::from_be_bytes(*bytes));
        Some(Self { mark, at: instant(at), until: instant(until) })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::base::Secret;
    use crate::crypto::digest::SystemRandom;

    #[test]
    fn an_order_is_the_same_after_the_store() {
        let key = HmacKey::new(&Secret::new([9; 32]));
        let (at, until) = (UnixTime::from_millis(1_772_359_200_123), UnixTime::from_secs(1_772_388_000));
        for mark in [
            Mark::Session(SessionId::new(&SystemRandom::new()).unwrap()),
            Mark::AtProvider(ProviderMark::sub(&key, "https://op.example.se", "someone")),
            Mark::LoginAtProvider(ProviderMark::sub(&key, "https://op.example.se", "someone")),
        ] {
            let ended = Ended { mark, at, until };
            assert!(Ended::from_bytes(&ended.to_bytes()) == Some(ended));
        }
        for bad in [&[][..], &[0; LEN - 1], &[0; LEN + 1], &[3; LEN]] {
            assert!(Ended::from_bytes(bad).is_none());
        }
    }

    #[test]
    fn an_order_in_whole_seconds_means_the_whole_second() {
        let mark = ProviderMark::sub(&HmacKey::new(&Secret::new([9; 32])), "i", "x");
        let (now, until) = (UnixTime::from_secs(50), UnixTime::from_secs(100));
        let at =
            |millis| Order::logins_at_provider(mark, UnixTime::from_millis(millis), until).given(now).at.as_millis();
        assert_eq!([at(10_000), at(10_001), at(10_999)], [10_999, 10_001, 10_999]);
        assert_eq!(Order::at_provider(mark, until).given(now).at, now);
        // Whoever is in again within that second was not meant.
        let opened = Order::opened_at_provider(mark, UnixTime::from_secs(10), until);
        assert_eq!(opened.given(now).at, UnixTime::from_secs(10));
    }

    #[test]
    fn no_two_ways_of_naming_meet() {
        let key = HmacKey::new(&Secret::new([9; 32]));
        let all = [
            ProviderMark::signing_key(&[1; 32]),
            ProviderMark::signing_key(&[2; 32]),
            ProviderMark::name_id(&key, "i", "x"),
            ProviderMark::sub(&key, "i", "x"),
            ProviderMark::sid(&key, "i", "x"),
            ProviderMark::without_sid(&key, "i", "x"),
            ProviderMark::without_index(&key, "i", "x"),
            ProviderMark::session_index(&key, "i", "x", ""),
            ProviderMark::session_index(&key, "i", "", "x"),
            ProviderMark::sub(&key, "j", "x"),
            ProviderMark::sub(&HmacKey::new(&Secret::new([8; 32])), "i", "x"),
        ];
        for (n, one) in all.iter().enumerate() {
            assert!(all.iter().skip(n + 1).all(|other| other != one), "{n}");
        }
    }
}
