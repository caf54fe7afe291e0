//! The algorithms of JSON Web Signature that we take (RFC 7518, 3.1; RFC 8037, 3.1), and which key each one fits.
//!
//! `none` and the HMAC family are not here: no setting brings them back (T37).

use super::{Kind, NotVerified, PublicKey, SignatureAlgorithm};
use crate::crypto::digest::DigestAlgorithm;

/// An algorithm by its name in `alg`. Unlike XML Signature's, an ES one names its curve too (RFC 7518, 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum JwsAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// Ed25519: `EdDSA`, or `Ed25519` by its later name (RFC 9864, 2.2).
    EdDsa,
}

impl JwsAlgorithm {
    /// Every one there is.
    pub const ALL: [Self; 10] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::EdDsa,
    ];

    /// By its name, compared exactly; none for anything outside the list.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "ES512" => Self::Es512,
            "EdDSA" | "Ed25519" => Self::EdDsa,
            _ => return None,
        })
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The hash that `at_hash` and `c_hash` are made with (OpenID Connect Core, 3.1.3.6); SHA-512 is Ed25519's own.
    pub const fn hash(self) -> DigestAlgorithm {
        match self {
            Self::Rs256 | Self::Ps256 | Self::Es256 => DigestAlgorithm::Sha256,
            Self::Rs384 | Self::Ps384 | Self::Es384 => DigestAlgorithm::Sha384,
            Self::Rs512 | Self::Ps512 | Self::Es512 | Self::EdDsa => DigestAlgorithm::Sha512,
        }
    }

    const fn signature(self) -> SignatureAlgorithm {
        match self {
            Self::Rs256 => SignatureAlgorithm::RsaSha256,
            Self::Rs384 => SignatureAlgorithm::RsaSha384,
            Self::Rs512 => SignatureAlgorithm::RsaSha512,
            Self::Ps256 => SignatureAlgorithm::RsaPssSha256,
            Self::Ps384 => SignatureAlgorithm::RsaPssSha384,
            Self::Ps512 => SignatureAlgorithm::RsaPssSha512,
            Self::Es256 => SignatureAlgorithm::EcdsaSha256,
            Self::Es384 => SignatureAlgorithm::EcdsaSha384,
            Self::Es512 => SignatureAlgorithm::EcdsaSha512,
            Self::EdDsa => SignatureAlgorithm::Ed25519,
        }
    }
}

/// A set of algorithms: what a provider's tokens may be signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlgorithmSet(u16);

impl AlgorithmSet {
    /// Every algorithm of the build.
    pub const ALL: Self = Self((1 << JwsAlgorithm::ALL.len()) - 1);

    /// No algorithm.
    pub const NONE: Self = Self(0);

    /// With one more.
    #[must_use]
    pub const fn with(self, algorithm: JwsAlgorithm) -> Self {
        Self(self.0 | 1 << algorithm as u8)
    }

    /// Whether it is in the set.
    pub const fn contains(self, algorithm: JwsAlgorithm) -> bool {
        self.0 & (1 << algorithm as u8) != 0
    }

    /// What is in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<JwsAlgorithm> for AlgorithmSet {
    fn from_iter<I: IntoIterator<Item = JwsAlgorithm>>(algorithms: I) -> Self {
        algorithms.into_iter().fold(Self::NONE, Self::with)
    }
}

impl PublicKey {
    /// Whether the key is of the type, and for ECDSA of the curve, that `algorithm` names.
    pub const fn fits(&self, algorithm: JwsAlgorithm) -> bool {
        match (&self.kind, algorithm.signature()) {
            (Kind::Rsa(_), signature) => signature.rsa_index().is_some(),
            (Kind::Ec { width, .. }, SignatureAlgorithm::EcdsaSha256) => *width == 32,
            (Kind::Ec { width, .. }, SignatureAlgorithm::EcdsaSha384) => *width == 48,
            (Kind::Ec { width, .. }, SignatureAlgorithm::EcdsaSha512) => *width == 66,
            (Kind::Ed25519(_), SignatureAlgorithm::Ed25519) => true,
            _ => false,
        }
    }

    /// Verifies a JWS signature over the signing input (RFC 7515, 5.2, step 8).
    ///
    /// # Errors
    /// [`NotVerified`] says whether the key does not fit the algorithm or the signature is not this key's.
    pub fn verify_jws(&self, algorithm: JwsAlgorithm, input: &[u8], signature: &[u8]) -> Result<(), NotVerified> {
        if self.fits(algorithm) {
            self.verify(algorithm.signature(), input, signature)
        } else {
            Err(NotVerified::KeyType)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_exact_and_what_is_not_signed_by_a_private_key_does_not_exist() {
        for algorithm in JwsAlgorithm::ALL {
            assert_eq!(JwsAlgorithm::from_name(algorithm.name()), Some(algorithm));
            assert!(AlgorithmSet::ALL.contains(algorithm));
            assert!(!AlgorithmSet::NONE.contains(algorithm));
            assert_eq!(AlgorithmSet::NONE.with(algorithm), [algorithm].into_iter().collect());
        }
        for name in [
            "", "none", "None", "NONE", "nOnE", "HS256", "HS384", "HS512", "rs256", "RS256 ", " RS256", "RS1", "RS257",
            "ES256K", "Ed448", "EDDSA", "RSA1_5", "RS256\0",
        ] {
            assert_eq!(JwsAlgorithm::from_name(name), None, "{name:?}");
        }
    }
}
