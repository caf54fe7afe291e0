//! JSON Web Key Set (RFC 7517): a provider's document to keys that are ready to verify with.
//!
//! A key that is weak, private, symmetric or meant for something else is left out and told of; the others count. The
//! document itself must be good: half of one is none.

use std::fmt;

use super::json::{Document, Object, Value};
use crate::base::limits;
use crate::crypto::digest::sha256;
use crate::crypto::trusted::{Curve, JwsAlgorithm, PublicJwk, PublicKey};
use crate::verify::{Reason, Reject, base64};

/// Keys of one `kid` that are tried on a token. Two meet in a roll-over; more is a mistake.
const SAME_KID: usize = 4;

/// A key of a set.
#[derive(Debug)]
struct Key {
    kid: Option<Box<str>>,
    /// What the key is for alone, where the set says so.
    algorithm: Option<JwsAlgorithm>,
    public: PublicKey,
}

impl Key {
    fn fits(&self, algorithm: JwsAlgorithm) -> bool {
        self.public.fits(algorithm) && self.algorithm.is_none_or(|only| only == algorithm)
    }
}

/// A provider's keys, parsed once and ready.
#[derive(Debug, Default)]
pub struct KeySet {
    keys: Vec<Key>,
    digest: [u8; 32],
}

/// A key that was left out, or taken though something about it is odd: for the operator, with nothing of the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyWarning {
    /// Its place in the document, from 0.
    pub at: usize,
    /// Its `kid`, cut.
    pub kid: Option<String>,
    /// What is the matter.
    pub fault: KeyFault,
}

/// What is the matter with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFault {
    /// It holds private members: whoever published it has lost it.
    Private,
    /// It is symmetric: nothing that is public may be a shared secret.
    Symmetric,
    /// A type or curve that is not taken.
    Type,
    /// RSA of fewer than 2048 bits, or more than 8192.
    Size,
    /// A member that is missing, of the wrong type or no strict base64url, or a point that is on no curve.
    Malformed,
    /// `alg` that is not taken, or not of the key's type.
    Algorithm,
    /// `use` and `key_ops` that contradict each other, or `key_ops` without `verify`.
    Operations,
    /// The same key stood before it.
    Repeated,
    /// Another key of the same type and `kid` stood before it: both are tried.
    SharedKid,
}

impl fmt::Display for KeyWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.fault {
            KeyFault::Private => "left out: it holds private members, so that anybody can sign with it",
            KeyFault::Symmetric => "left out: it is symmetric",
            KeyFault::Type => "left out: its type or curve is not taken (RSA, P-256, P-384, P-521 and Ed25519 are)",
            KeyFault::Size => "left out: RSA of 2048 to 8192 bits is taken",
            KeyFault::Malformed => "left out: a member is missing or malformed",
            KeyFault::Algorithm => "left out: its `alg` is not taken, or not of its type",
            KeyFault::Operations => "left out: by its `use` and `key_ops` it does not verify",
            KeyFault::Repeated => "left out: it stands twice",
            KeyFault::SharedKid => "has the `kid` of another key of its type",
        };
        match &self.kid {
            Some(kid) => write!(f, "key {} ({kid:?}) {what}", self.at),
            None => write!(f, "key {} (without kid) {what}", self.at),
        }
    }
}

/// What reading one key gave.
enum Read {
    Key(Box<Key>),
    /// It is for something else, and says so.
    Elsewhere,
    Fault(KeyFault),
}

impl KeySet {
    /// The fingerprint of each key.
    pub fn fingerprints(&self) -> impl Iterator<Item = &[u8; 32]> {
        self.keys.iter().map(|key| key.public.fingerprint())
    }

    /// The `kid` of each key that has one.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().filter_map(|key| key.kid.as_deref())
    }

    /// Reads a document.
    ///
    /// # Errors
    /// The JSON reader's, or `jwks_malformed` when `keys` is no array of objects, or too long. That no key is left is no
    /// error here: the set is empty then, and opens nothing.
    pub fn parse(document: &[u8]) -> Result<(Self, Vec<KeyWarning>), Reject> {
        let malformed = |what| Reject::new(Reason::JwksMalformed, what);
        let read = Document::read(document.to_vec(), &limits::PROVIDER_DOCUMENT)?;
        let list = read.root().get("keys").and_then(Value::as_array).ok_or_else(|| malformed("`keys` is no array"))?;
        let (mut keys, mut warnings): (Vec<Key>, Vec<KeyWarning>) = (Vec::new(), Vec::new());
        for (at, value) in list.enumerate() {
            if at >= limits::JWKS_KEYS {
                return Err(malformed("too many keys"));
            }
            let jwk = value.as_object().ok_or_else(|| malformed("a key that is no object"))?;
            let named = jwk.get("kid").and_then(Value::as_text);
            let mut warn = |fault| {
                let kid = named.as_ref().map(|kid| kid.chars().take(64).collect());
                warnings.push(KeyWarning { at, kid, fault });
            };
            match key(jwk) {
                Read::Elsewhere => {}
                Read::Fault(fault) => warn(fault),
                Read::Key(key) => {
                    let same = |known: &Key| known.public.fingerprint() == key.public.fingerprint();
                    let alike = |known: &Key| {
                        known.kid == key.kid && known.public.type_name() == key.public.type_name() && key.kid.is_some()
                    };
                    if keys.iter().any(|known| same(known) && known.kid == key.kid && known.algorithm == key.algorithm)
                    {
                        warn(KeyFault::Repeated);
                        continue;
                    }
                    if keys.iter().any(alike) {
                        warn(KeyFault::SharedKid);
                    }
                    keys.push(*key);
                }
            }
        }
        let digest = digest(&keys);
        Ok((Self { keys, digest }, warnings))
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// A digest over the keys, their names and their algorithms, in order: another set has another one, and what was
    /// verified by one set is not looked up for another (T41).
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The keys' types and names, for the operator.
    pub fn describe(&self) -> impl Iterator<Item = (&'static str, Option<&str>)> {
        self.keys.iter().map(|key| (key.public.type_name(), key.kid.as_deref()))
    }

    /// The keys to check a token of this `kid` and algorithm by. A token without `kid` has the set's only key that fits;
    /// where several do it is refused: whoever has several keys must say which (OpenID Connect Core, 10.1).
    pub(super) fn candidates(&self, kid: Option<&str>, algorithm: JwsAlgorithm) -> Result<Vec<&PublicKey>, Reject> {
        if self.keys.is_empty() {
            return Err(Reject::new(Reason::ProviderWithoutKeys, "the provider has no key"));
        }
        let named = |key: &&Key| kid.is_none() || key.kid.as_deref() == kid;
        let mut fitting = self.keys.iter().filter(named).filter(|key| key.fits(algorithm)).map(|key| &key.public);
        let Some(first) = fitting.next() else {
            if let Some(kid) = kid.filter(|_| !self.keys.iter().any(|key| named(&key))) {
                return Err(Reject::new(Reason::KeyUnknown, format_args!("the provider has no key {kid:?}")));
            }
            let detail = format_args!("the provider has no key for {}", algorithm.name());
            return Err(Reject::new(Reason::SignatureKeyType, detail));
        };
        let rest: Vec<&PublicKey> = fitting.take(SAME_KID - 1).collect();
        if kid.is_none() && !rest.is_empty() {
            let detail = format_args!("the token names no key, and several are for {}", algorithm.name());
            return Err(Reject::new(Reason::KeyAmbiguous, detail));
        }
        let mut out = Vec::with_capacity(1 + rest.len());
        out.push(first);
        out.extend(rest);
        Ok(out)
    }
}

fn digest(keys: &[Key]) -> [u8; 32] {
    let mut all = Vec::with_capacity(keys.len() * 80);
    for key in keys {
        let kid = key.kid.as_deref().unwrap_or_default();
        all.extend_from_slice(key.public.fingerprint());
        all.extend_from_slice(key.algorithm.map_or("", JwsAlgorithm::name).as_bytes());
        all.push(u8::from(key.kid.is_some()));
        all.extend_from_slice(&(kid.len() as u32).to_be_bytes());
        all.extend_from_slice(kid.as_bytes());
    }
    sha256(&all)
}

/// Members that only the owner of a key has (RFC 7518, 6.2.2, 6.3.2 and 6.4; RFC 8037, 2).
const PRIVATE: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "oth"];

/// Reads one key (RFC 7517, 4). `x5c`, `x5u` and `x5t` are not looked at: the key is what its members say.
fn key(jwk: Object<'_>) -> Read {
    // A symmetric key or a private one is told as such, whatever else is wrong with it.
    if jwk.members().any(|member| PRIVATE.contains(&member.name.as_ref())) {
        return Read::Fault(KeyFault::Private);
    }
    if jwk.get("k").is_some() {
        return Read::Fault(KeyFault::Symmetric);
    }
    match purpose(jwk) {
        Ok(true) => {}
        Ok(false) => return Read::Elsewhere,
        Err(fault) => return Read::Fault(fault),
    }
    let kid = match jwk.get("kid") {
        None => None,
        Some(kid) => match kid.as_text().filter(|kid| kid.len() <= limits::TOKEN_NAME_BYTES) {
            Some(kid) => Some(kid.into()),
            None => return Read::Fault(KeyFault::Malformed),
        },
    };
    let public = match public_jwk(jwk).map(|jwk| PublicKey::from_jwk(&jwk)) {
        Ok(Ok(public)) => public,
        Ok(Err(crate::crypto::trusted::KeyError::RsaSize(_))) => return Read::Fault(KeyFault::Size),
        Ok(Err(_)) => return Read::Fault(KeyFault::Malformed),
        Err(fault) => return Read::Fault(fault),
    };
    let algorithm = match jwk.get("alg") {
        None => None,
        Some(alg) => match alg.as_text().and_then(|alg| JwsAlgorithm::from_name(&alg)) {
            Some(algorithm) if public.fits(algorithm) => Some(algorithm),
            _ => return Read::Fault(KeyFault::Algorithm),
        },
    };
    Read::Key(Box::new(Key { kid, algorithm, public }))
}

/// Whether a key is for verifying signatures (RFC 7517, 4.2 and 4.3): `use` and `key_ops`, where they are there, must both
/// say so.
fn purpose(jwk: Object<'_>) -> Result<bool, KeyFault> {
    let signs = match jwk.get("use") {
        None => None,
        Some(value) => Some(value.as_text().ok_or(KeyFault::Malformed)? == "sig"),
    };
    let verifies = match jwk.get("key_ops") {
        None => None,
        Some(value) => {
            let mut operations = Vec::new();
            for operation in value.as_array().ok_or(KeyFault::Malformed)? {
                let operation = operation.as_text().ok_or(KeyFault::Malformed)?;
                if operations.contains(&operation) {
                    return Err(KeyFault::Operations);
                }
                operations.push(operation);
            }
            Some(operations.iter().any(|operation| operation == "verify"))
        }
    };
    match (signs, verifies) {
        (Some(true), Some(false)) | (Some(false), Some(true)) => Err(KeyFault::Operations),
        (Some(false), _) | (_, Some(false)) => Ok(false),
        _ => Ok(true),
    }
}

/// The members that make the key.
pub(super) fn public_jwk(jwk: Object<'_>) -> Result<PublicJwk, KeyFault> {
    let text = |name| jwk.get(name).and_then(Value::as_text).ok_or(KeyFault::Malformed);
    let bytes = |name| text(name).and_then(|text| base64::decode_url(text.as_bytes()).ok_or(KeyFault::Malformed));
    match text("kty")?.as_ref() {
        "RSA" => Ok(PublicJwk::Rsa { n: bytes("n")?, e: bytes("e")? }),
        "EC" => {
            let curve = Curve::from_name(&text("crv")?).ok_or(KeyFault::Type)?;
            Ok(PublicJwk::Ec { curve, x: bytes("x")?, y: bytes("y")? })
        }
        "OKP" if text("crv")? == "Ed25519" => Ok(PublicJwk::Ed25519 { x: bytes("x")? }),
        "oct" => Err(KeyFault::Symmetric),
        _ => Err(KeyFault::Type),
    }
}

/// The key in the header of a DPoP proof: public members only, and nothing that says it is for something else.
pub(super) fn proof_key(jwk: Value<'_>) -> Result<PublicJwk, KeyFault> {
    let jwk = jwk.as_object().ok_or(KeyFault::Malformed)?;
    if jwk.members().any(|member| PRIVATE.contains(&member.name.as_ref())) {
        return Err(KeyFault::Private);
    }
    if jwk.get("k").is_some() {
        return Err(KeyFault::Symmetric);
    }
    public_jwk(jwk).and_then(|key| if key.is_minimal() { Ok(key) } else { Err(KeyFault::Malformed) })
}
