//! The service's own private keys: signing requests and the identity token, opening what was encrypted to us. The verifier never names this module.

mod decryption;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self as lc, EcdsaKeyPair, KeyPair as _, RsaKeyPair};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use crate::base::Secret;
use crate::base::limits::RSA_MIN_BITS;
use crate::crypto::trusted::{JwsAlgorithm, KeyError, SignatureAlgorithm, is_demo_certificate};

pub use decryption::DecryptionKeys;

/// Why a key file is no key of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OwnKeyError {
    /// No `PRIVATE KEY` section.
    #[error("no PKCS#8 key (\"-----BEGIN PRIVATE KEY-----\") in the file")]
    NoKey,
    /// Neither RSA nor a curve that we sign with.
    #[error("a private key of a type that is not taken: RSA (2048 bits or more), P-256 and P-384 are")]
    Type,
    /// The wrong type for this job.
    #[error("this job needs a {0} key")]
    WrongType(&'static str),
    /// The certificate in the file is not for the key in the file.
    #[error("the certificate in the file belongs to another key")]
    CertificateOfAnotherKey,
    /// The certificate cannot be read or made.
    #[error("the certificate: {0}")]
    Certificate(String),
    /// The library failed.
    #[error("the cryptography library failed")]
    Library,
}

enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
}

/// A private key that signs what we send, with the certificate that carries its public half into our metadata.
pub struct SigningKey {
    pair: Pair,
    certificate: Vec<u8>,
}

impl SigningKey {
    /// Reads a PEM text with one PKCS#8 key and, if there is one, its certificate. Without one, a self-signed
    /// certificate named `common_name` is made: federation metadata needs a container, not a trust chain.
    ///
    /// # Errors
    /// [`OwnKeyError`] says what the file lacks.
    pub fn from_pem(pem: &Secret<Vec<u8>>, common_name: &str) -> Result<Self, OwnKeyError> {
        let pkcs8 = PrivatePkcs8KeyDer::from_pem_slice(pem.expose()).map_err(|_| OwnKeyError::NoKey)?;
        let certificate = CertificateDer::pem_slice_iter(pem.expose()).next().and_then(Result::ok);
        let der = pkcs8.secret_pkcs8_der();
        let pair = if let Ok(pair) = RsaKeyPair::from_pkcs8(der) {
            if pair.public_modulus_len() * 8 < RSA_MIN_BITS {
                return Err(OwnKeyError::Type);
            }
            Pair::Rsa(pair)
        } else if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&lc::ECDSA_P256_SHA256_FIXED_SIGNING, der) {
            Pair::P256(pair)
        } else if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&lc::ECDSA_P384_SHA384_FIXED_SIGNING, der) {
            Pair::P384(pair)
        } else {
            return Err(OwnKeyError::Type);
        };
        let certificate = match certificate {
            Some(certificate) => certificate.to_vec(),
            None => self_signed(&pkcs8, common_name)?,
        };
        let key = Self { pair, certificate };
        key.check_certificate()?;
        Ok(key)
    }

    /// The certificate in DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The algorithm that this key signs with.
    pub const fn algorithm(&self) -> SignatureAlgorithm {
        match self.pair {
            Pair::Rsa(_) => SignatureAlgorithm::RsaSha256,
            Pair::P256(_) => SignatureAlgorithm::EcdsaSha256,
            Pair::P384(_) => SignatureAlgorithm::EcdsaSha384,
        }
    }

    /// The XML Signature identifier of [`Self::algorithm`].
    pub const fn algorithm_uri(&self) -> &'static str {
        match self.pair {
            Pair::Rsa(_) => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
            Pair::P256(_) => "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
            Pair::P384(_) => "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384",
        }
    }

    /// The same by its name in a token (RFC 7518, 3.1).
    pub const fn jws_algorithm(&self) -> JwsAlgorithm {
        match self.pair {
            Pair::Rsa(_) => JwsAlgorithm::Rs256,
            Pair::P256(_) => JwsAlgorithm::Es256,
            Pair::P384(_) => JwsAlgorithm::Es384,
        }
    }

    /// Whether it is an RSA key.
    pub const fn is_rsa(&self) -> bool {
        matches!(self.pair, Pair::Rsa(_))
    }

    /// Whether it is a P-256 key: what ES256 needs (RFC 7518, 3.4).
    pub const fn is_p256(&self) -> bool {
        matches!(self.pair, Pair::P256(_))
    }

    /// For a P-256 key, the public point without its leading byte: x and y, 32 bytes each (RFC 7518, 6.2.1).
    pub fn p256_point(&self) -> Option<&[u8]> {
        match &self.pair {
            Pair::P256(pair) => pair.public_key().as_ref().strip_prefix(&[4]),
            Pair::Rsa(_) | Pair::P384(_) => None,
        }
    }

    /// Signs `message`: RSASSA-PKCS1-v1_5 with SHA-256, or ECDSA as r and s.
    ///
    /// # Errors
    /// [`OwnKeyError::Library`] when the library fails.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, OwnKeyError> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut out = vec![0; pair.public_modulus_len()];
                pair.sign(&lc::RSA_PKCS1_SHA256, &random, message, &mut out).map_err(|_| OwnKeyError::Library)?;
                Ok(out)
            }
            Pair::P256(pair) | Pair::P384(pair) => {
                pair.sign(&random, message).map(|s| s.as_ref().to_vec()).map_err(|_| OwnKeyError::Library)
            }
        }
    }

    /// Signs a fixed text and verifies it with the certificate's key: a certificate of another key would make every
    /// peer refuse us, long after start.
    fn check_certificate(&self) -> Result<(), OwnKeyError> {
        let public = crate::crypto::trusted::PublicKey::from_certificate(&self.certificate).map_err(|e| match e {
            KeyError::Certificate => OwnKeyError::Certificate(e.to_string()),
            KeyError::Type | KeyError::RsaSize(_) | KeyError::Malformed => OwnKeyError::Type,
        })?;
        let probe = b"grindvakt: does the certificate fit the key?";
        let signature = self.sign(probe)?;
        public.verify(self.algorithm(), probe, &signature).map_err(|_| OwnKeyError::CertificateOfAnotherKey)
    }
}

/// Whether a PEM text holds a certificate that the demo made, and so, most likely, its key too. A text without one says
/// nothing.
pub fn is_demo_pem(pem: &Secret<Vec<u8>>) -> bool {
    CertificateDer::pem_slice_iter(pem.expose()).filter_map(Result::ok).any(|der| is_demo_certificate(&der))
}

/// Whether 32 bytes are the demo's own secret, which it uses at every start: a sentence, where others are random.
pub fn is_demo_secret(bytes: &[u8; 32]) -> bool {
    bytes.starts_with(b"Grindvakt demo key")
}

fn self_signed(pkcs8: &PrivatePkcs8KeyDer<'_>, common_name: &str) -> Result<Vec<u8>, OwnKeyError> {
    let failed = |e: rcgen::Error| OwnKeyError::Certificate(e.to_string());
    let key = rcgen::KeyPair::try_from(pkcs8).map_err(failed)?;
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, common_name);
    Ok(params.self_signed(&key).map_err(failed)?.der().to_vec())
}

/// A new RSA key as PKCS#8 PEM.
///
/// # Errors
/// [`OwnKeyError::Library`] when the library fails.
pub fn generate_rsa_pem() -> Result<Secret<String>, OwnKeyError> {
    let pair = RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa3072).map_err(|_| OwnKeyError::Library)?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| OwnKeyError::Library)?;
    Ok(Secret::new(private_key_pem(der.as_ref())))
}

/// A new P-256 key as PKCS#8 PEM.
///
/// # Errors
/// [`OwnKeyError::Library`] when the library fails.
pub fn generate_p256_pem() -> Result<Secret<String>, OwnKeyError> {
    let pair = EcdsaKeyPair::generate(&lc::ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| OwnKeyError::Library)?;
    let der = pair.to_pkcs8v1().map_err(|_| OwnKeyError::Library)?;
    Ok(Secret::new(private_key_pem(der.as_ref())))
}

fn private_key_pem(der: &[u8]) -> String {
    let body = base64_simd::STANDARD.encode_to_string(der);
    let mut out = String::with_capacity(body.len() + 80);
    out.push_str("-----BEGIN PRIVATE KEY-----\n");
    for (at, c) in body.chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            out.push('\n');
        }
        out.push(c);
    }
    out.push_str("\n-----END PRIVATE KEY-----\n");
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn generated_keys_are_read_again_and_get_a_certificate() {
        for pem in [generate_p256_pem().unwrap(), generate_rsa_pem().unwrap()] {
            let key = SigningKey::from_pem(&Secret::new(pem.expose().clone().into_bytes()), "sp").unwrap();
            let public = crate::crypto::trusted::PublicKey::from_certificate(key.certificate()).unwrap();
            let signature = key.sign(b"hello").unwrap();
            assert_eq!(public.verify(key.algorithm(), b"hello", &signature), Ok(()));
            assert!(public.verify(key.algorithm(), b"hullo", &signature).is_err());
        }
    }

    #[test]
    fn what_is_no_key_is_said_to_be_none() {
        let refused = |text: &str| SigningKey::from_pem(&Secret::new(text.as_bytes().to_vec()), "sp").err();
        assert_eq!(refused(""), Some(OwnKeyError::NoKey));
        assert_eq!(refused("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), Some(OwnKeyError::Type));
    }
}
