//! Public keys from the members of a JSON Web Key (RFC 7518, 6; RFC 8037, 2). What the members are in JSON is for
//! `verify::jose` to read; here they are bytes.

use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::Decode as _;
use x509_cert::der::oid::ObjectIdentifier;

use super::{KeyError, PublicKey};
use crate::crypto::digest::sha256;

/// A curve of the allow-list by its name in `crv`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// P-256.
    P256,
    /// P-384.
    P384,
    /// P-521.
    P521,
}

impl Curve {
    /// By its name in a key of type `EC`; none for anything outside the list.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "P-256" => Self::P256,
            "P-384" => Self::P384,
            "P-521" => Self::P521,
            _ => return None,
        })
    }

    const fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    /// Bytes of a coordinate: always all of them (RFC 7518, 6.2.1.2).
    pub const fn width(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// `namedCurve`, in DER.
    const fn oid(self) -> &'static [u8] {
        match self {
            Self::P256 => &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7],
            Self::P384 => &[0x06, 5, 0x2b, 0x81, 4, 0, 0x22],
            Self::P521 => &[0x06, 5, 0x2b, 0x81, 4, 0, 0x23],
        }
    }
}

/// The public members of a key, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicJwk {
    /// `kty` RSA.
    Rsa {
        /// The modulus, big-endian.
        n: Vec<u8>,
        /// The exponent, big-endian.
        e: Vec<u8>,
    },
    /// `kty` EC.
    Ec {
        /// The curve.
        curve: Curve,
        /// A coordinate of the curve's width.
        x: Vec<u8>,
        /// The other.
        y: Vec<u8>,
    },
    /// `kty` OKP with `crv` Ed25519.
    Ed25519 {
        /// The key, 32 bytes.
        x: Vec<u8>,
    },
}

const RSA_ALGORITHM: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];
const EC_ALGORITHM: &[u8] = &[0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const ED25519_ALGORITHM: &[u8] = &[0x06, 3, 0x2b, 0x65, 0x70];
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
/// An RSA exponent of more bits costs the verifier more for nothing (FIPS 186-5, 5.4 allows 256; libraries stop at 33).
const EXPONENT_BYTES: usize = 5;
/// RSA of 8192 bits, and a byte too many.
const MODULUS_BYTES: usize = 1025;

impl PublicJwk {
    /// Whether every number is written as RFC 7518 demands: as few bytes as it needs. One key has one form then, and one
    /// thumbprint.
    pub fn is_minimal(&self) -> bool {
        match self {
            Self::Rsa { n, e } => [n, e].iter().all(|number| number.first().is_some_and(|b| *b != 0)),
            Self::Ec { .. } | Self::Ed25519 { .. } => true,
        }
    }

    /// SHA-256 over the members that make the key, in the order and form of RFC 7638, 3: what `jkt` holds.
    pub fn thumbprint(&self) -> [u8; 32] {
        let text = |bytes: &[u8]| base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes);
        let members = match self {
            Self::Rsa { n, e } => format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, text(e), text(n)),
            Self::Ec { curve, x, y } => {
                format!(r#"{{"crv":"{}","kty":"EC","x":"{}","y":"{}"}}"#, curve.name(), text(x), text(y))
            }
            Self::Ed25519 { x } => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, text(x)),
        };
        sha256(members.as_bytes())
    }

    /// The key of a certificate of ours (DER), to be published; none for a type that no token is signed with.
    pub fn from_certificate(certificate: &[u8]) -> Option<Self> {
        let certificate = CertificateInner::<Raw>::from_der(certificate).ok()?;
        let spki = certificate.tbs_certificate().subject_public_key_info();
        let bits = spki.subject_public_key.as_bytes()?;
        let parameter = || spki.algorithm.parameters.as_ref()?.decode_as::<ObjectIdentifier>().ok();
        match spki.algorithm.oid.to_string().as_str() {
            // RSAPublicKey (RFC 8017, A.1.1).
            "1.2.840.113549.1.1.1" => {
                let (sequence, []) = contents(SEQUENCE, bits)? else { return None };
                let (n, rest) = contents(INTEGER, sequence)?;
                let (e, []) = contents(INTEGER, rest)? else { return None };
                let number = |bytes: &[u8]| bytes.iter().copied().skip_while(|b| *b == 0).collect();
                Some(Self::Rsa { n: number(n), e: number(e) })
            }
            "1.2.840.10045.2.1" => {
                let curve = match parameter()?.to_string().as_str() {
                    "1.2.840.10045.3.1.7" => Curve::P256,
                    "1.3.132.0.34" => Curve::P384,
                    "1.3.132.0.35" => Curve::P521,
                    _ => return None,
                };
                let point = bits.strip_prefix(&[4]).filter(|point| point.len() == 2 * curve.width())?;
                let (x, y) = point.split_at_checked(curve.width())?;
                Some(Self::Ec { curve, x: x.to_vec(), y: y.to_vec() })
            }
            _ => None,
        }
    }

    /// The members that make the key, by their names (RFC 7518, 6.2.1 and 6.3.1).
    pub fn members(&self) -> Vec<(&'static str, String)> {
        let text = |bytes: &[u8]| base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes);
        match self {
            Self::Rsa { n, e } => vec![("kty", "RSA".into()), ("n", text(n)), ("e", text(e))],
            Self::Ec { curve, x, y } => {
                vec![("kty", "EC".into()), ("crv", curve.name().into()), ("x", text(x)), ("y", text(y))]
            }
            Self::Ed25519 { x } => vec![("kty", "OKP".into()), ("crv", "Ed25519".into()), ("x", text(x))],
        }
    }

    /// As a SubjectPublicKeyInfo in DER (RFC 5280, 4.1.2.7).
    fn spki(&self) -> Result<Vec<u8>, KeyError> {
        let (algorithm, key) = match self {
            Self::Rsa { n, e } => {
                // The bound comes before any arithmetic: the library may be slow where it refuses.
                if n.len() > MODULUS_BYTES || e.len() > EXPONENT_BYTES {
                    return Err(KeyError::Malformed);
                }
                let key = tlv(SEQUENCE, &[&integer(n), &integer(e)]);
                (tlv(SEQUENCE, &[RSA_ALGORITHM]), key)
            }
            Self::Ec { curve, x, y } => {
                if x.len() != curve.width() || y.len() != curve.width() {
                    return Err(KeyError::Malformed);
                }
                let key = [&[4], x.as_slice(), y.as_slice()].concat();
                (tlv(SEQUENCE, &[EC_ALGORITHM, curve.oid()]), key)
            }
            Self::Ed25519 { x } => {
                if x.len() != 32 {
                    return Err(KeyError::Malformed);
                }
                (tlv(SEQUENCE, &[ED25519_ALGORITHM]), x.clone())
            }
        };
        Ok(tlv(SEQUENCE, &[&algorithm, &tlv(BIT_STRING, &[&[0], &key])]))
    }
}

impl PublicKey {
    /// From the members of a JSON Web Key.
    ///
    /// # Errors
    /// [`KeyError`] when it is none that we take.
    pub fn from_jwk(jwk: &PublicJwk) -> Result<Self, KeyError> {
        Self::from_spki(&jwk.spki()?)
    }
}

/// A non-negative INTEGER in DER.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|b| *b != 0).unwrap_or(bytes.len());
    let digits = bytes.get(start..).unwrap_or_default();
    let pad: &[u8] = if digits.first().is_none_or(|b| b & 0x80 != 0) { &[0] } else { &[] };
    tlv(INTEGER, &[pad, digits])
}

/// The contents behind `tag`, and what comes after them.
fn contents(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.split_first().filter(|(first, _)| **first == tag)?;
    let _ = first;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match *length {
        short @ 0..0x80 => (usize::from(short), rest),
        long => {
            let (bytes, rest) =
                rest.split_at_checked(usize::from(long & 0x7f)).filter(|(bytes, _)| bytes.len() <= 3)?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
    };
    rest.split_at_checked(length)
}

/// Tag, length, contents.
fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(len + 5);
    out.push(tag);
    if len < 0x80 {
        out.push(len as u8);
    } else {
        let bytes = len.to_be_bytes();
        let used = bytes.len() - len.leading_zeros() as usize / 8;
        out.push(0x80 | used as u8);
        out.extend_from_slice(bytes.get(bytes.len() - used..).unwrap_or_default());
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text).unwrap()
    }

    /// The modulus of RFC 7638, 3.1.
    const N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

    #[test]
    fn a_key_of_ours_is_published_as_it_signs() {
        use crate::base::Secret;
        use crate::crypto::own::{SigningKey, generate_p256_pem, generate_rsa_pem};
        for pem in [generate_p256_pem().unwrap(), generate_rsa_pem().unwrap()] {
            let key = SigningKey::from_pem(&Secret::new(pem.expose().clone().into_bytes()), "sp").unwrap();
            let jwk = PublicJwk::from_certificate(key.certificate()).unwrap();
            let public = PublicKey::from_jwk(&jwk).unwrap();
            let signature = key.sign(b"hello").unwrap();
            assert_eq!(public.verify_jws(key.jws_algorithm(), b"hello", &signature), Ok(()));
            assert!(jwk.is_minimal());
        }
        assert_eq!(PublicJwk::from_certificate(b""), None);
    }

    #[test]
    fn thumbprints_are_those_of_the_standards() {
        let rsa = PublicJwk::Rsa { n: bytes(N), e: bytes("AQAB") };
        assert_eq!(rsa.thumbprint().as_slice(), bytes("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"));
        // RFC 8037, A.3.
        let okp = PublicJwk::Ed25519 { x: bytes("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo") };
        assert_eq!(okp.thumbprint().as_slice(), bytes("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"));
    }

    #[test]
    fn keys_that_are_none_are_refused() {
        let n = bytes(N);
        let rsa = |n: &[u8], e: &[u8]| PublicKey::from_jwk(&PublicJwk::Rsa { n: n.into(), e: e.into() }).err();
        let mut even = n.clone();
        *even.last_mut().unwrap() &= 0xfe;
        assert_eq!(rsa(&n, &[1, 0, 1]), None);
        // A leading zero is the same number, though not its shortest form.
        assert_eq!(rsa(&[&[0], n.as_slice()].concat(), &[0, 1, 0, 1]), None);
        for (name, n, e) in [
            ("no exponent", n.as_slice(), &[][..]),
            ("e = 0", &n, &[0]),
            ("e = 1", &n, &[1]),
            ("e = 2", &n, &[2]),
            ("an even e", &n, &[1, 0, 0]),
            ("an e of 48 bits", &n, &[1, 0, 0, 0, 0, 1]),
            ("an even n", &even, &[1, 0, 1]),
            ("no n", &[], &[1, 0, 1]),
            ("too long", &[0xff; 1200], &[1, 0, 1]),
        ] {
            assert_eq!(rsa(n, e), Some(KeyError::Malformed), "{name}");
        }
        let mut short = n.get(..128).unwrap().to_vec();
        *short.last_mut().unwrap() |= 1;
        assert_eq!(rsa(&short, &[1, 0, 1]), Some(KeyError::RsaSize(1024)));

        let ec =
            |curve, x: &[u8], y: &[u8]| PublicKey::from_jwk(&PublicJwk::Ec { curve, x: x.into(), y: y.into() }).err();
        // RFC 7517, A.1.
        let (x, y) = (
            bytes("MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"),
            bytes("4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"),
        );
        assert_eq!(ec(Curve::P256, &x, &y), None);
        for (name, curve, x, y) in [
            ("off the curve", Curve::P256, x.as_slice(), x.as_slice()),
            ("the point at infinity", Curve::P256, &[0; 32], &[0; 32]),
            ("short", Curve::P256, x.get(1..).unwrap(), &y),
            ("another curve", Curve::P384, &x, &y),
            ("another curve, its width", Curve::P384, &[1; 48], &[1; 48]),
        ] {
            assert_eq!(ec(curve, x, y), Some(KeyError::Malformed), "{name}");
        }
        for len in [0, 31, 33] {
            assert_eq!(PublicKey::from_jwk(&PublicJwk::Ed25519 { x: vec![1; len] }).err(), Some(KeyError::Malformed));
        }
    }
}
