//! Sealing what a browser keeps for us: AES-256-GCM under a ring of keys.
//!
//! The first key seals, all open: a key is rotated by putting the new one first and taking the old one away when the
//! last cookie sealed with it has ended. A sealed box is `version ‖ key id ‖ nonce ‖ ciphertext ‖ tag`. Each purpose has
//! a key of its own, derived with HKDF-SHA-256 (RFC 5869), so that a login state is never a session.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf;

use super::digest::{NoRandomness, Random, random_bytes, sha256};
use crate::base::Secret;

/// The version of the box's form.
const VERSION: u8 = 1;
const KEY_ID_LEN: usize = 4;
const HEADER_LEN: usize = 1 + KEY_ID_LEN + NONCE_LEN;

/// Why a box was not opened. Which of the causes it was is of no use to anyone outside, and is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not sealed by a key of ours for this purpose")]
pub struct NotOurs;

struct PurposeKey {
    id: [u8; KEY_ID_LEN],
    key: LessSafeKey,
}

/// The keys of one purpose.
///
/// Nonces are random: with 96 bits, one key is good for 2³² boxes (NIST SP 800-38D, 8.3), which at 100 logins a second
/// is more than a year. `docs/configuration.md` says to rotate within that.
pub struct Sealer {
    keys: Vec<PurposeKey>,
}

struct Length32;

impl hkdf::KeyType for Length32 {
    fn len(&self) -> usize {
        32
    }
}

impl Sealer {
    /// Derives the keys of `purpose` from the configured ones. The first seals, all open.
    ///
    /// Returns none when `keys` is empty: nothing could be sealed.
    pub fn new<'k>(keys: impl IntoIterator<Item = &'k Secret<[u8; 32]>>, purpose: &str) -> Option<Self> {
        let mut ring = Vec::new();
        for secret in keys {
            let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"grindvakt seal");
            let info = [purpose.as_bytes()];
            let mut derived = [0; 32];
            salt.extract(secret.expose()).expand(&info, Length32).ok()?.fill(&mut derived).ok()?;
            let mut id = [0; KEY_ID_LEN];
            id.copy_from_slice(sha256(&derived).first_chunk::<KEY_ID_LEN>()?);
            let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &derived).ok()?);
            zeroize::Zeroize::zeroize(&mut derived);
            ring.push(PurposeKey { id, key });
        }
        if ring.is_empty() { None } else { Some(Self { keys: ring }) }
    }

    /// Seals `plain`, bound to `context` (such as the cookie's name): it opens with the same context only.
    ///
    /// # Errors
    /// [`NoRandomness`] when there are no random bytes for the nonce.
    pub fn seal(&self, plain: &[u8], context: &[u8], random: &dyn Random) -> Result<Vec<u8>, NoRandomness> {
        let first = self.keys.first().ok_or(NoRandomness)?;
        let nonce: [u8; NONCE_LEN] = random_bytes(random)?;
        let mut out = Vec::with_capacity(HEADER_LEN + plain.len() + AES_256_GCM.tag_len());
        out.push(VERSION);
        out.extend_from_slice(&first.id);
        out.extend_from_slice(&nonce);
        let mut body = plain.to_vec();
        first
            .key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut body)
            .map_err(|_| NoRandomness)?;
        out.extend_from_slice(&body);
        Ok(out)
    }

    /// Opens a box in place and returns what was sealed.
    ///
    /// # Errors
    /// [`NotOurs`] for anything that none of our keys sealed for this purpose and `context`.
    pub fn open<'b>(&self, sealed: &'b mut [u8], context: &[u8]) -> Result<&'b [u8], NotOurs> {
        let (header, body) = sealed.split_at_mut_checked(HEADER_LEN).ok_or(NotOurs)?;
        let (version, rest) = header.split_first().ok_or(NotOurs)?;
        let (id, nonce) = rest.split_at_checked(KEY_ID_LEN).ok_or(NotOurs)?;
        if *version != VERSION {
            return Err(NotOurs);
        }
        let key = self.keys.iter().find(|key| key.id == id).ok_or(NotOurs)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| NotOurs)?;
        key.key.open_in_place(nonce, Aad::from(context), body).map(|plain| &*plain).map_err(|_| NotOurs)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::super::digest::SystemRandom;
    use super::*;

    fn key(byte: u8) -> Secret<[u8; 32]> {
        Secret::new([byte; 32])
    }

    #[test]
    fn only_the_same_purpose_context_and_ring_open_a_box() {
        let random = SystemRandom::new();
        let (old, new) = (key(1), key(2));
        let before = Sealer::new([&old], "session").unwrap();
        let sealed = before.seal(b"who", b"cookie", &random).unwrap();

        let rotated = Sealer::new([&new, &old], "session").unwrap();
        assert_eq!(rotated.open(&mut sealed.clone(), b"cookie"), Ok(&b"who"[..]));
        assert_eq!(Sealer::new([&new], "session").unwrap().open(&mut sealed.clone(), b"cookie"), Err(NotOurs));
        assert_eq!(Sealer::new([&old], "login").unwrap().open(&mut sealed.clone(), b"cookie"), Err(NotOurs));
        assert_eq!(before.open(&mut sealed.clone(), b"other"), Err(NotOurs));
        let none: [&Secret<[u8; 32]>; 0] = [];
        assert!(Sealer::new(none, "session").is_none());
    }

    #[test]
    fn every_changed_bit_and_every_cut_is_refused() {
        let sealer = Sealer::new([&key(1)], "session").unwrap();
        let sealed = sealer.seal(b"who", b"", &SystemRandom::new()).unwrap();
        for at in 0..sealed.len() {
            for bit in 0..8 {
                let mut changed = sealed.clone();
                changed[at] ^= 1 << bit;
                assert_eq!(sealer.open(&mut changed, b""), Err(NotOurs), "byte {at} bit {bit}");
            }
            assert_eq!(sealer.open(&mut sealed[..at].to_vec(), b""), Err(NotOurs), "cut at {at}");
        }
    }
}
