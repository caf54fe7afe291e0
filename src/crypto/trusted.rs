//! Other people's public keys and the signature algorithms that we take from them.
//!
//! An algorithm is named by the message, but only one from this list exists, and it must fit the type of a key that
//! came from trusted metadata: a message can choose neither a weak algorithm nor its own key (T22, T24, T25).

use std::fmt;

use aws_lc_rs::signature as lc;
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::spki::SubjectPublicKeyInfoRef;

use super::digest::sha256;
use crate::base::limits::RSA_MIN_BITS;

mod ed25519;
mod jwk;
mod jws;

pub use jwk::{Curve, PublicJwk};
pub use jws::{AlgorithmSet, JwsAlgorithm};

/// A signature algorithm of the allow-list (profile 3.4, RSA-PSS as the eIDAS nodes use it, and Ed25519 of JWS).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RsaSha256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RsaSha384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RsaSha512,
    /// RSASSA-PSS with SHA-256, MGF1 with SHA-256, salt of 32 bytes (RFC 9231, 2.3.10).
    RsaPssSha256,
    /// RSASSA-PSS with SHA-384, salt of 48 bytes.
    RsaPssSha384,
    /// RSASSA-PSS with SHA-512, salt of 64 bytes.
    RsaPssSha512,
    /// ECDSA with SHA-256 on P-256, P-384 or P-521; the signature is r and s, each of the curve's width.
    EcdsaSha256,
    /// ECDSA with SHA-384.
    EcdsaSha384,
    /// ECDSA with SHA-512.
    EcdsaSha512,
    /// Ed25519 (RFC 8032). JWS has it (RFC 8037, 3.1); XML Signature does not.
    Ed25519,
}

impl SignatureAlgorithm {
    /// By the identifier that XML Signature uses; none for anything outside the list.
    pub fn from_xmldsig(uri: &str) -> Option<Self> {
        Some(match uri {
            "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256" => Self::RsaSha256,
            "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384" => Self::RsaSha384,
            "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512" => Self::RsaSha512,
            "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1" => Self::RsaPssSha256,
            "http://www.w3.org/2007/05/xmldsig-more#sha384-rsa-MGF1" => Self::RsaPssSha384,
            "http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1" => Self::RsaPssSha512,
            "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256" => Self::EcdsaSha256,
            "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384" => Self::EcdsaSha384,
            "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512" => Self::EcdsaSha512,
            _ => return None,
        })
    }

    const fn rsa_index(self) -> Option<usize> {
        match self {
            Self::RsaSha256 => Some(0),
            Self::RsaSha384 => Some(1),
            Self::RsaSha512 => Some(2),
            Self::RsaPssSha256 => Some(3),
            Self::RsaPssSha384 => Some(4),
            Self::RsaPssSha512 => Some(5),
            Self::EcdsaSha256 | Self::EcdsaSha384 | Self::EcdsaSha512 | Self::Ed25519 => None,
        }
    }

    const fn ec_index(self) -> Option<usize> {
        match self {
            Self::EcdsaSha256 => Some(0),
            Self::EcdsaSha384 => Some(1),
            Self::EcdsaSha512 => Some(2),
            _ => None,
        }
    }
}

static RSA: [&lc::RsaParameters; 6] = [
    &lc::RSA_PKCS1_2048_8192_SHA256,
    &lc::RSA_PKCS1_2048_8192_SHA384,
    &lc::RSA_PKCS1_2048_8192_SHA512,
    &lc::RSA_PSS_2048_8192_SHA256,
    &lc::RSA_PSS_2048_8192_SHA384,
    &lc::RSA_PSS_2048_8192_SHA512,
];

type CurveAlgorithms = [&'static lc::EcdsaVerificationAlgorithm; 3];
static P256: CurveAlgorithms = [&lc::ECDSA_P256_SHA256_ASN1, &lc::ECDSA_P256_SHA384_ASN1, &lc::ECDSA_P256_SHA512_ASN1];
static P384: CurveAlgorithms = [&lc::ECDSA_P384_SHA256_ASN1, &lc::ECDSA_P384_SHA384_ASN1, &lc::ECDSA_P384_SHA512_ASN1];
static P521: CurveAlgorithms = [&lc::ECDSA_P521_SHA256_ASN1, &lc::ECDSA_P521_SHA384_ASN1, &lc::ECDSA_P521_SHA512_ASN1];

/// What `grindvakt-demo` writes into the names of every certificate that it makes for itself. Whoever runs a demo provider
/// can log in as anyone, so its keys are known by this and refused outside of development. The sidecar depends on nothing
/// of the demo; this text is all that they share.
pub const DEMO_MARK: &str = "Grindvakt demo key: for development only";

/// Whether a certificate (DER) says of itself that it belongs to a demo. Otherwise nothing in a certificate but its key is
/// looked at; this can only refuse.
pub fn is_demo_certificate(der: &[u8]) -> bool {
    memchr::memmem::find(der, DEMO_MARK.as_bytes()).is_some()
}

/// Why a public key is not taken. The provider then has one key less, which the operator is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a certificate in DER.
    #[error("not an X.509 certificate")]
    Certificate,
    /// A key type other than RSA, EC and Ed25519, or another curve than P-256, P-384 and P-521.
    #[error("a key type that is not taken: RSA, P-256, P-384, P-521 and Ed25519 are")]
    Type,
    /// An RSA key of fewer than 2048 or more than 8192 bits.
    #[error("an RSA key of {0} bits: 2048 to 8192 are taken")]
    RsaSize(usize),
    /// A key that the library does not read, or one of Ed25519 that anybody can sign for.
    #[error("a malformed public key")]
    Malformed,
}

/// Why a signature was not accepted by one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotVerified {
    /// The algorithm is for another type of key.
    KeyType,
    /// The arithmetic says no.
    Signature,
}

enum Kind {
    /// One parsed form for each algorithm: parsing costs half a verification, and is done once, at load.
    Rsa(Box<[lc::ParsedPublicKey; 6]>),
    Ec {
        parsed: Box<[lc::ParsedPublicKey; 3]>,
        width: usize,
        ring: Option<RingKey>,
    },
    Ed25519(lc::ParsedPublicKey),
}

/// P-256 with SHA-256 goes to ring, which takes the key's own bytes and the fixed form as they are.
type RingKey = ring::signature::UnparsedPublicKey<Box<[u8]>>;

/// A public key from a trusted place, ready to verify with.
pub struct PublicKey {
    kind: Kind,
    name: &'static str,
    fingerprint: [u8; 32],
    demo: bool,
}

impl PublicKey {
    /// From an X.509 certificate in DER, which is a key container and nothing more: its dates, names and issuer are not
    /// looked at (profile 3.7: "certificates are key containers").
    ///
    /// # Errors
    /// [`KeyError`] when it holds no key that we take.
    pub fn from_certificate(der: &[u8]) -> Result<Self, KeyError> {
        let certificate = CertificateInner::<Raw>::from_der(der).map_err(|_| KeyError::Certificate)?;
        let spki =
            certificate.tbs_certificate().subject_public_key_info().to_der().map_err(|_| KeyError::Certificate)?;
        Ok(Self { demo: is_demo_certificate(der), ..Self::from_spki(&spki)? })
    }

    /// From a SubjectPublicKeyInfo in DER (RFC 5280, 4.1.2.7).
    ///
    /// # Errors
    /// [`KeyError`] when it is none that we take.
    pub fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        let spki = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| KeyError::Malformed)?;
        let bits = spki.subject_public_key.as_bytes().ok_or(KeyError::Malformed)?;
        let parameter = || spki.algorithm.parameters_oid().map(|oid| oid.to_string()).unwrap_or_default();
        let (kind, name) = match spki.algorithm.oid.to_string().as_str() {
            "1.2.840.113549.1.1.1" => {
                let size = lc::RsaParameters::public_modulus_len(bits).map_err(|_| KeyError::Malformed)? as usize;
                if !(RSA_MIN_BITS..=8192).contains(&size) {
                    return Err(KeyError::RsaSize(size));
                }
                let parsed = parse_each(&RSA.map(|alg| alg as &'static dyn lc::VerificationAlgorithm), der)?;
                (Kind::Rsa(parsed), "RSA")
            }
            "1.2.840.10045.2.1" => match parameter().as_str() {
                "1.2.840.10045.3.1.7" => {
                    let ring = (bits.first() == Some(&4)).then(|| {
                        RingKey::new(&ring::signature::ECDSA_P256_SHA256_FIXED, bits.to_vec().into_boxed_slice())
                    });
                    (Kind::Ec { parsed: parse_curve(&P256, der)?, width: 32, ring }, "P-256")
                }
                "1.3.132.0.34" => (Kind::Ec { parsed: parse_curve(&P384, der)?, width: 48, ring: None }, "P-384"),
                "1.3.132.0.35" => (Kind::Ec { parsed: parse_curve(&P521, der)?, width: 66, ring: None }, "P-521"),
                _ => return Err(KeyError::Type),
            },
            // Ed25519 (RFC 8410, 3): the bits are the key, and there are no parameters.
            "1.3.101.112" if bits.len() == 32 && spki.algorithm.parameters.is_none() => {
                if ed25519::is_degenerate(bits) {
                    return Err(KeyError::Malformed);
                }
                let parsed = lc::ParsedPublicKey::new(&lc::ED25519, bits).map_err(|_| KeyError::Malformed)?;
                (Kind::Ed25519(parsed), "Ed25519")
            }
            _ => return Err(KeyError::Type),
        };
        Ok(Self { kind, name, fingerprint: sha256(der), demo: false })
    }

    /// The key's type, for the operator: `RSA`, `P-256`…
    pub const fn type_name(&self) -> &'static str {
        self.name
    }

    /// Whether it came in a certificate that [`is_demo_certificate`] knows.
    pub const fn is_demo(&self) -> bool {
        self.demo
    }

    /// SHA-256 of the SubjectPublicKeyInfo.
    pub const fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    /// Verifies `signature` over `message` in the form that XML Signature and JWS share: RSA as is, ECDSA as r and s of
    /// the curve's width (XMLDSig 6.4.3; RFC 7518, 3.4).
    ///
    /// # Errors
    /// [`NotVerified`] says whether the algorithm was for another key type or the signature is not this key's.
    pub fn verify(&self, algorithm: SignatureAlgorithm, message: &[u8], signature: &[u8]) -> Result<(), NotVerified> {
        match &self.kind {
            Kind::Rsa(parsed) => {
                let index = algorithm.rsa_index().ok_or(NotVerified::KeyType)?;
                let key = parsed.get(index).ok_or(NotVerified::KeyType)?;
                key.verify_sig(message, signature).map_err(|_| NotVerified::Signature)
            }
            Kind::Ec { parsed, width, ring } => {
                let index = algorithm.ec_index().ok_or(NotVerified::KeyType)?;
                if signature.len() != 2 * width {
                    return Err(NotVerified::Signature);
                }
                if let (Some(key), 0) = (ring, index) {
                    return key.verify(message, signature).map_err(|_| NotVerified::Signature);
                }
                let key = parsed.get(index).ok_or(NotVerified::KeyType)?;
                let (r, s) = signature.split_at(*width);
                key.verify_sig(message, &ecdsa_der(r, s)).map_err(|_| NotVerified::Signature)
            }
            Kind::Ed25519(key) => match algorithm {
                SignatureAlgorithm::Ed25519 => key.verify_sig(message, signature).map_err(|_| NotVerified::Signature),
                _ => Err(NotVerified::KeyType),
            },
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} key {:02x?}", self.name, self.fingerprint.get(..4).unwrap_or_default())
    }
}

fn parse_each<const N: usize>(
    algorithms: &[&'static dyn lc::VerificationAlgorithm; N],
    der: &[u8],
) -> Result<Box<[lc::ParsedPublicKey; N]>, KeyError> {
    let parsed: Result<Vec<_>, _> = algorithms.iter().map(|alg| lc::ParsedPublicKey::new(*alg, der)).collect();
    let parsed: Result<[_; N], _> = parsed.map_err(|_| KeyError::Malformed)?.try_into();
    parsed.map(Box::new).map_err(|_| KeyError::Malformed)
}

fn parse_curve(algorithms: &'static CurveAlgorithms, der: &[u8]) -> Result<Box<[lc::ParsedPublicKey; 3]>, KeyError> {
    parse_each(&algorithms.map(|alg| alg as &'static dyn lc::VerificationAlgorithm), der)
}

/// `ECDSA-Sig-Value` (RFC 3279, 2.2.3) from r and s: the library takes the fixed form for the usual pairs only.
fn ecdsa_der(r: &[u8], s: &[u8]) -> Vec<u8> {
    fn integer(out: &mut Vec<u8>, bytes: &[u8]) {
        let start = bytes.iter().position(|b| *b != 0).unwrap_or(bytes.len());
        let digits = bytes.get(start..).unwrap_or_default();
        // A leading zero keeps the number positive, and is the whole number when it is zero.
        let pad = usize::from(digits.first().is_none_or(|b| b & 0x80 != 0));
        out.push(0x02);
        // 66 + 1 bytes at the most: one length byte is enough.
        out.push((digits.len() + pad) as u8);
        out.extend(std::iter::repeat_n(0, pad));
        out.extend_from_slice(digits);
    }
    let mut body = Vec::with_capacity(r.len() + s.len() + 8);
    integer(&mut body, r);
    integer(&mut body, s);
    let mut out = Vec::with_capacity(body.len() + 3);
    out.push(0x30);
    if body.len() >= 0x80 {
        out.push(0x81);
    }
    out.push(body.len() as u8);
    out.extend_from_slice(&body);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ecdsa_numbers_are_minimal_and_positive() {
        let cases: [(&[u8], &[u8], &[u8]); 3] = [
            (&[0, 1], &[0x80, 0], &[0x30, 8, 2, 1, 1, 2, 3, 0, 0x80, 0]),
            (&[0, 0], &[0x7f, 1], &[0x30, 7, 2, 1, 0, 2, 2, 0x7f, 1]),
            (&[0xff], &[1], &[0x30, 7, 2, 2, 0, 0xff, 2, 1, 1]),
        ];
        for (r, s, der) in cases {
            assert_eq!(ecdsa_der(r, s), der);
        }
        // P-521 needs the long form of the length.
        let long = ecdsa_der(&[0x01; 66], &[0x01; 66]);
        assert_eq!(long.get(..3), Some(&[0x30, 0x81, 136][..]));
    }

    #[test]
    fn unknown_algorithms_do_not_exist() {
        for uri in [
            "",
            "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
            "http://www.w3.org/2000/09/xmldsig#dsa-sha1",
            "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
            "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
            "http://www.w3.org/2001/04/xmldsig-more#rsa-md5",
            "http://www.w3.org/2001/04/xmldsig-more#RSA-SHA256",
            "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1",
        ] {
            assert_eq!(SignatureAlgorithm::from_xmldsig(uri), None, "{uri}");
        }
    }
}
