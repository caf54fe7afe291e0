//! SHA-2, HMAC-SHA-256, constant-time comparison and random bytes.

use ring::rand::SecureRandom as _;
use ring::{digest, hmac};

use crate::base::Secret;

/// The digests that a signature may use (profile 3.4). There is no SHA-1 and no MD5 in this list, nor a way to add one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestAlgorithm {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl DigestAlgorithm {
    /// By the identifier that XML Signature uses; none for anything outside the list.
    pub fn from_xmldsig(uri: &str) -> Option<Self> {
        Some(match uri {
            "http://www.w3.org/2001/04/xmlenc#sha256" => Self::Sha256,
            "http://www.w3.org/2001/04/xmldsig-more#sha384" => Self::Sha384,
            "http://www.w3.org/2001/04/xmlenc#sha512" => Self::Sha512,
            _ => return None,
        })
    }

    const fn ring(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }
}

/// A digest that is fed piece by piece.
pub struct Hasher(digest::Context);

impl Hasher {
    /// An empty one.
    pub fn new(algorithm: DigestAlgorithm) -> Self {
        Self(digest::Context::new(algorithm.ring()))
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of everything taken.
    pub fn finish(self) -> Digest {
        Digest(self.0.finish())
    }
}

/// A digest's value.
#[derive(Clone, Copy)]
pub struct Digest(digest::Digest);

impl AsRef<[u8]> for Digest {
    fn as_ref(&self) -> &[u8] {
        self.0.as_ref()
    }
}

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

/// SHA-1 of a name, in hexadecimal, as metadata query services number what they keep (draft-young-md-query-saml, 2.1).
/// Nothing is protected by it: what comes is verified by its signature and its own name.
pub fn sha1_name(name: &str) -> String {
    let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, name.as_bytes());
    digest.as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

/// A key for HMAC-SHA-256: subjects, pseudonyms and store keys are keyed digests, so that nobody who holds them can try
/// all personal numbers.
pub struct HmacKey(hmac::Key);

impl HmacKey {
    /// From 32 random bytes.
    pub fn new(key: &Secret<[u8; 32]>) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.expose()))
    }

    /// The tag over `parts`, each preceded by its length, so that no two lists of parts meet.
    pub fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut out = [0; 32];
        out.copy_from_slice(context.sign().as_ref());
        out
    }
}

/// The system has no randomness to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct NoRandomness;

/// Where random bytes come from: an argument, so that a test can repeat itself.
pub trait Random: Send + Sync + 'static {
    /// Fills `out`.
    ///
    /// # Errors
    /// [`NoRandomness`] when the source fails; nothing may be made of what `out` holds then.
    fn fill(&self, out: &mut [u8]) -> Result<(), NoRandomness>;
}

/// The operating system's generator.
#[derive(Debug)]
pub struct SystemRandom(ring::rand::SystemRandom);

impl SystemRandom {
    /// Ready to use.
    pub fn new() -> Self {
        Self(ring::rand::SystemRandom::new())
    }
}

impl Default for SystemRandom {
    fn default() -> Self {
        Self::new()
    }
}

impl Random for SystemRandom {
    fn fill(&self, out: &mut [u8]) -> Result<(), NoRandomness> {
        self.0.fill(out).map_err(|_| NoRandomness)
    }
}

/// `N` random bytes.
///
/// # Errors
/// [`NoRandomness`] when the source fails.
pub fn random_bytes<const N: usize>(random: &dyn Random) -> Result<[u8; N], NoRandomness> {
    let mut out = [0; N];
    random.fill(&mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_tag_do_not_run_together() {
        let key = HmacKey::new(&Secret::new([7; 32]));
        assert_ne!(key.tag(&[b"ab", b"c"]), key.tag(&[b"a", b"bc"]));
        assert_ne!(key.tag(&[b"a"]), key.tag(&[b"a", b""]));
        assert_ne!(key.tag(&[b"a"]), HmacKey::new(&Secret::new([8; 32])).tag(&[b"a"]));
    }
}
