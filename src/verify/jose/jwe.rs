//! JSON Web Encryption in compact form (RFC 7516, 5.2 and 7.1): RSA-OAEP around a content key, AES-GCM around a signed
//! token.
//!
//! As with encrypted assertions, an algorithm that we do not take is told as such, and of everything that hangs on a key
//! there is one error, after the same work (T30; RFC 7516, 11.5).

use super::header::JweHeader;
use crate::base::Secret;
use crate::crypto::encryption::{ContentAlgorithm, KeyTransport, UnwrapKey};
use crate::verify::{Reason, Reject, base64};

/// A wrapped key: RSA 8192 gives 1024 bytes.
const WRAPPED_BYTES: usize = 1024;

/// An encrypted token that has been taken apart but not opened.
pub(super) struct Jwe<'a> {
    transport: KeyTransport,
    algorithm: ContentAlgorithm,
    /// The header as it was sent: sealed together with the content.
    beside: &'a [u8],
    wrapped: Vec<u8>,
    nonce: Vec<u8>,
    /// Ciphertext and tag.
    content: Vec<u8>,
}

impl<'a> Jwe<'a> {
    pub(super) fn parse(parts: [&'a [u8]; 5]) -> Result<Self, Reject> {
        let [header, wrapped, nonce, content, tag] = parts;
        let beside = header;
        let header = JweHeader::read(header)?;
        let transport = KeyTransport::from_jwe(&header.alg).ok_or_else(|| {
            Reject::new(Reason::EncryptionAlgorithm, format_args!("the key is wrapped by {:?}", header.alg))
        })?;
        let algorithm = ContentAlgorithm::from_jwe(&header.enc).ok_or_else(|| {
            Reject::new(Reason::EncryptionAlgorithm, format_args!("the content is encrypted by {:?}", header.enc))
        })?;
        let decoded = |part: &[u8]| {
            let malformed = || Reject::new(Reason::TokenMalformed, "a part of the token is no strict base64url");
            base64::decode_url(part).ok_or_else(malformed)
        };
        let (wrapped, nonce, tag) = (decoded(wrapped)?, decoded(nonce)?, decoded(tag)?);
        // A shorter tag is easier to guess: it has its one length (RFC 7518, 5.3).
        if wrapped.len() > WRAPPED_BYTES || nonce.len() != 12 || tag.len() != 16 {
            return Err(Reject::new(Reason::TokenMalformed, "a key, nonce or tag of a length that it cannot have"));
        }
        let mut content = decoded(content)?;
        content.extend_from_slice(&tag);
        Ok(Self { transport, algorithm, beside, wrapped, nonce, content })
    }

    /// The text that was encrypted.
    pub(super) fn open(self, keys: &dyn UnwrapKey) -> Result<Secret<Vec<u8>>, Reject> {
        let failed = || {
            let detail = "no decryption key of ours opens it, or it was changed on its way";
            Reject::new(Reason::TokenUndecryptable, detail)
        };
        let bytes = self.algorithm.key_bytes();
        let found = keys.unwrap_key(&self.transport, &self.wrapped).filter(|key| key.expose().len() == bytes);
        match found {
            Some(key) => {
                self.algorithm.open_sealed(key.expose(), &self.nonce, self.beside, self.content).ok_or_else(failed)
            }
            None => {
                // The content is worked through all the same: the time must not tell which of the two steps failed.
                let _ = self.algorithm.open_sealed(&vec![0; bytes], &self.nonce, self.beside, self.content);
                Err(failed())
            }
        }
    }
}
