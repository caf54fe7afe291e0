//! Opening what was encrypted to us (XML Encryption 1.1, JSON Web Encryption): content by AES, its key by RSA-OAEP.
//!
//! What does not open tells nothing of why. RSA 1.5 and Triple DES are not here, and no setting brings them back.

use std::fmt;

use aws_lc_rs::aead::{AES_128_GCM, AES_192_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{
    self, AES_128, AES_192, AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;

use crate::base::Secret;

/// The hash of RSA-OAEP, for the label and for MGF1 alike: the library has no mixed pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OaepHash {
    /// SHA-1: what `rsa-oaep-mgf1p` means without a DigestMethod. Nothing hangs on its collisions here.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// How a content key was wrapped: RSA-OAEP, nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyTransport {
    /// The hash.
    pub hash: OaepHash,
    /// The label (OAEPparams); empty as a rule.
    pub label: Vec<u8>,
}

impl KeyTransport {
    /// By its name in `alg` of a JWE (RFC 7518, 4.3); none for anything outside the list.
    pub fn from_jwe(name: &str) -> Option<Self> {
        let hash = match name {
            "RSA-OAEP" => OaepHash::Sha1,
            "RSA-OAEP-256" => OaepHash::Sha256,
            _ => return None,
        };
        Some(Self { hash, label: Vec::new() })
    }
}

/// Whoever holds our private keys. The verifier knows this trait and not the keys.
pub trait UnwrapKey: fmt::Debug + Sync {
    /// The content key in `wrapped`, by the first of our keys that opens it. None when none does, and nothing on why.
    fn unwrap_key(&self, transport: &KeyTransport, wrapped: &[u8]) -> Option<Secret<Vec<u8>>>;
}

/// Nobody: nothing opens.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoKeys;

impl UnwrapKey for NoKeys {
    fn unwrap_key(&self, _transport: &KeyTransport, _wrapped: &[u8]) -> Option<Secret<Vec<u8>>> {
        None
    }
}

/// How content was encrypted (profile 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentAlgorithm {
    /// AES-GCM with a key of so many bytes: what is changed does not open.
    Gcm(usize),
    /// AES-CBC with a key of so many bytes: what is changed may open to something else, so only a signature around it
    /// makes it safe to open.
    Cbc(usize),
}

const IV_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;

impl ContentAlgorithm {
    /// By the identifier that XML Encryption uses; none for anything outside the list.
    pub fn from_xmlenc(uri: &str) -> Option<Self> {
        Some(match uri {
            "http://www.w3.org/2009/xmlenc11#aes128-gcm" => Self::Gcm(16),
            "http://www.w3.org/2009/xmlenc11#aes192-gcm" => Self::Gcm(24),
            "http://www.w3.org/2009/xmlenc11#aes256-gcm" => Self::Gcm(32),
            "http://www.w3.org/2001/04/xmlenc#aes128-cbc" => Self::Cbc(16),
            "http://www.w3.org/2001/04/xmlenc#aes192-cbc" => Self::Cbc(24),
            "http://www.w3.org/2001/04/xmlenc#aes256-cbc" => Self::Cbc(32),
            _ => return None,
        })
    }

    /// By its name in `enc` of a JWE (RFC 7518, 5.1); none for anything outside the list.
    pub fn from_jwe(name: &str) -> Option<Self> {
        match name {
            "A128GCM" => Some(Self::Gcm(16)),
            "A256GCM" => Some(Self::Gcm(32)),
            _ => None,
        }
    }

    /// Whether a change in the ciphertext is always noticed.
    pub const fn is_authenticated(self) -> bool {
        matches!(self, Self::Gcm(_))
    }

    /// Bytes of its key.
    pub const fn key_bytes(self) -> usize {
        match self {
            Self::Gcm(bytes) | Self::Cbc(bytes) => bytes,
        }
    }

    /// Opens `content` in place: initialisation vector first, as XML Encryption 5.2 has it. None when it does not open.
    pub fn open(self, key: &[u8], content: Vec<u8>) -> Option<Secret<Vec<u8>>> {
        if key.len() != self.key_bytes() {
            return None;
        }
        match self {
            Self::Gcm(_) => open_gcm(self, key, content),
            Self::Cbc(_) => open_cbc(self, key, content),
        }
    }

    /// Opens `content`, ciphertext and tag, with what was sealed beside it: the parts of a JWE (RFC 7516, 5.2). None when
    /// it does not open, and always for a cipher that seals nothing.
    pub fn open_sealed(self, key: &[u8], nonce: &[u8], beside: &[u8], mut content: Vec<u8>) -> Option<Secret<Vec<u8>>> {
        if key.len() != self.key_bytes() || !self.is_authenticated() {
            return None;
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let opened = gcm_key(self, key)?.open_in_place(nonce, Aad::from(beside), &mut content).ok()?.len();
        Some(moved_to_front(content, 0, opened))
    }
}

fn gcm_key(algorithm: ContentAlgorithm, key: &[u8]) -> Option<LessSafeKey> {
    let algorithm = match algorithm.key_bytes() {
        16 => &AES_128_GCM,
        24 => &AES_192_GCM,
        _ => &AES_256_GCM,
    };
    Some(LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?))
}

fn open_gcm(algorithm: ContentAlgorithm, key: &[u8], mut content: Vec<u8>) -> Option<Secret<Vec<u8>>> {
    let key = gcm_key(algorithm, key)?;
    let nonce = Nonce::try_assume_unique_for_key(content.get(..NONCE_BYTES)?).ok()?;
    let opened = key.open_in_place(nonce, Aad::empty(), content.get_mut(NONCE_BYTES..)?).ok()?.len();
    Some(moved_to_front(content, NONCE_BYTES, opened))
}

fn open_cbc(algorithm: ContentAlgorithm, key: &[u8], mut content: Vec<u8>) -> Option<Secret<Vec<u8>>> {
    let algorithm: &'static cipher::Algorithm = match algorithm.key_bytes() {
        16 => &AES_128,
        24 => &AES_192,
        _ => &AES_256,
    };
    // The last byte says how many are padding, the others are anything (XML Encryption 5.2.1).
    let key = PaddedBlockDecryptingKey::cbc_iso10126(UnboundCipherKey::new(algorithm, key).ok()?).ok()?;
    let iv: FixedLength<IV_BYTES> = content.get(..IV_BYTES)?.try_into().ok()?;
    let blocks = content.get_mut(IV_BYTES..).filter(|blocks| !blocks.is_empty())?;
    let opened = key.decrypt(blocks, DecryptionContext::Iv128(iv)).ok()?.len();
    Some(moved_to_front(content, IV_BYTES, opened))
}

/// The plaintext alone, in the buffer that it was opened in.
fn moved_to_front(mut buffer: Vec<u8>, from: usize, len: usize) -> Secret<Vec<u8>> {
    buffer.truncate(from + len);
    buffer.drain(..from);
    Secret::new(buffer)
}
