//! Keys that open what was encrypted to us. Several at once: a roll-over publishes the new one while peers still use the
//! old (profile 3.7).

use std::fmt;

use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OAEP_SHA384_MGF1SHA384, OAEP_SHA512_MGF1SHA512,
    OaepPrivateDecryptingKey, PrivateDecryptingKey,
};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;

use super::{OwnKeyError, SigningKey};
use crate::base::Secret;
use crate::crypto::encryption::{KeyTransport, OaepHash, UnwrapKey};

struct DecryptionKey {
    key: OaepPrivateDecryptingKey,
    certificate: Vec<u8>,
}

/// Our decryption keys: the first is published, all open.
#[derive(Default)]
pub struct DecryptionKeys(Vec<DecryptionKey>);

impl DecryptionKeys {
    /// Adds the RSA key of a PEM text with one PKCS#8 key and, if there is one, its certificate; without one, a
    /// self-signed one named `common_name` is made.
    ///
    /// # Errors
    /// [`OwnKeyError`] says what the file lacks.
    pub fn add(&mut self, pem: &Secret<Vec<u8>>, common_name: &str) -> Result<(), OwnKeyError> {
        // Whatever holds for a key that signs holds here: its type, its size, and that the certificate is its own.
        let checked = SigningKey::from_pem(pem, common_name)?;
        if !checked.is_rsa() {
            return Err(OwnKeyError::WrongType("an RSA"));
        }
        let pkcs8 = PrivatePkcs8KeyDer::from_pem_slice(pem.expose()).map_err(|_| OwnKeyError::NoKey)?;
        let key = PrivateDecryptingKey::from_pkcs8(pkcs8.secret_pkcs8_der()).map_err(|_| OwnKeyError::Type)?;
        let key = OaepPrivateDecryptingKey::new(key).map_err(|_| OwnKeyError::Library)?;
        self.0.push(DecryptionKey { key, certificate: checked.certificate().to_vec() });
        Ok(())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The certificate to publish, in DER: of the newest key only, so that peers stop using the others.
    pub fn published(&self) -> Option<&[u8]> {
        self.certificates().next()
    }

    /// The certificates of all, in DER.
    pub fn certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|key| key.certificate.as_slice())
    }
}

/// How many there are, nothing of them.
impl fmt::Debug for DecryptionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DecryptionKeys({})", self.0.len())
    }
}

impl UnwrapKey for DecryptionKeys {
    fn unwrap_key(&self, transport: &KeyTransport, wrapped: &[u8]) -> Option<Secret<Vec<u8>>> {
        let algorithm = match transport.hash {
            OaepHash::Sha1 => &OAEP_SHA1_MGF1SHA1,
            OaepHash::Sha256 => &OAEP_SHA256_MGF1SHA256,
            OaepHash::Sha384 => &OAEP_SHA384_MGF1SHA384,
            OaepHash::Sha512 => &OAEP_SHA512_MGF1SHA512,
        };
        let label = Some(transport.label.as_slice()).filter(|label| !label.is_empty());
        // The size of a key is no secret. Within one size every key is tried, also when one has opened: the time must
        // not tell which one it was, nor whether any did.
        let mut opened = None;
        for own in self.0.iter().filter(|own| own.key.key_size_bytes() == wrapped.len()) {
            let mut out = Secret::new(vec![0; own.key.min_output_size()]);
            let len = own.key.decrypt(algorithm, wrapped, out.expose_mut(), label).map(|plain| plain.len());
            if let Ok(len) = len {
                out.expose_mut().truncate(len);
                opened = opened.or(Some(out));
            }
        }
        opened
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{generate_p256_pem, generate_rsa_pem};
    use super::*;

    #[test]
    fn only_rsa_keys_open_and_the_first_is_published() {
        let bytes = |pem: Secret<String>| Secret::new(pem.expose().clone().into_bytes());
        let mut keys = DecryptionKeys::default();
        assert_eq!(keys.published(), None);
        keys.add(&bytes(generate_rsa_pem().unwrap()), "sp").unwrap();
        let first = keys.published().unwrap().to_vec();
        keys.add(&bytes(generate_rsa_pem().unwrap()), "sp").unwrap();
        assert_eq!(keys.published().unwrap(), first);
        let refused = keys.add(&bytes(generate_p256_pem().unwrap()), "sp");
        assert_eq!(refused, Err(OwnKeyError::WrongType("an RSA")));
        assert_eq!(format!("{keys:?}"), "DecryptionKeys(2)");
    }
}
