//! JSON Web Signature in compact form (RFC 7515, 5.2 and 7.1): three parts, one key of the provider's, then the claims.

use super::header::{JwsHeader, Typ};
use super::json::Document;
use super::jwks::KeySet;
use super::registered::Registered;
use crate::base::limits;
use crate::crypto::trusted::{AlgorithmSet, JwsAlgorithm, NotVerified};
use crate::verify::{Reason, Reject, base64};

/// A signed token that has been taken apart but not verified.
pub(super) struct Jws<'a> {
    header: JwsHeader,
    /// Header and payload as they were sent, the dot between them: what the signature is over.
    input: &'a [u8],
    signature: Vec<u8>,
    payload: Payload,
}

enum Payload {
    Bytes(Vec<u8>),
    /// Read before the signature was checked, to find out who says to have sent it.
    Read(Result<Document, Reject>),
}

/// What a token says of itself that nobody has verified: good for finding the provider to verify it with, and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hint {
    /// `iss`.
    pub issuer: Option<String>,
    /// `aud`.
    pub audiences: Vec<String>,
    /// Whether it says to be an access token.
    pub access_token: bool,
}

/// Claims that a key of the provider signed. Only [`Jws::verify`] makes one, and claims are read from nothing else.
pub(super) struct SignedClaims<'a> {
    document: Document,
    header: JwsHeader,
    input: &'a [u8],
    /// The fingerprint of the key, where it is one of the provider's.
    signed_by: Option<[u8; 32]>,
}

/// The parts of a compact token between its dots; none when there are more than five.
pub(super) fn parts(token: &[u8]) -> Option<Vec<&[u8]>> {
    let mut out = Vec::with_capacity(5);
    let mut start = 0;
    // A million dots are given up at the fifth (T40).
    for dot in memchr::memchr_iter(b'.', token).take(5) {
        out.push(token.get(start..dot)?);
        start = dot + 1;
    }
    out.push(token.get(start..)?);
    (out.len() <= 5).then_some(out)
}

/// The limit on the whole, before anything is looked at.
pub(super) fn bounded(token: &[u8]) -> Result<(), Reject> {
    if token.len() <= limits::TOKEN_BYTES {
        return Ok(());
    }
    let detail = format_args!("a token of {} bytes; at most {} are taken", token.len(), limits::TOKEN_BYTES);
    Err(Reject::new(Reason::MessageTooLarge, detail))
}

impl<'a> Jws<'a> {
    /// Takes `token`, which has these parts, apart.
    pub(super) fn parse(token: &'a [u8], header: &[u8], payload: &[u8], signature: &[u8]) -> Result<Self, Reject> {
        let malformed = |what| Reject::new(Reason::TokenMalformed, what);
        let input = token.get(..header.len() + 1 + payload.len()).unwrap_or_default();
        let header = JwsHeader::read(header)?;
        let signature =
            base64::decode_url(signature).ok_or_else(|| malformed("the signature is no strict base64url"))?;
        let payload = base64::decode_url(payload).ok_or_else(|| malformed("the payload is no strict base64url"))?;
        Ok(Self { header, input, signature, payload: Payload::Bytes(payload) })
    }

    /// What the unverified token says of itself.
    pub(super) fn hint(&mut self) -> Result<Hint, Reject> {
        if let Payload::Bytes(bytes) = &mut self.payload {
            self.payload = Payload::Read(Document::read(std::mem::take(bytes), &limits::TOKEN_CLAIMS));
        }
        let document = match &self.payload {
            Payload::Read(document) => document.as_ref().map_err(Clone::clone)?,
            Payload::Bytes(_) => return Ok(Hint::default()),
        };
        let claims = Registered::read(document)?;
        Ok(Hint {
            issuer: claims.iss.as_deref().map(str::to_owned),
            audiences: claims.audiences().map(|audience| audience.into_owned()).collect(),
            access_token: self.header.typ == Typ::AccessToken,
        })
    }

    /// Checks the signature by one of `keys`, with an algorithm of `allowed` that the key is for.
    pub(super) fn verify(self, keys: &KeySet, allowed: AlgorithmSet) -> Result<SignedClaims<'a>, Reject> {
        let algorithm = self.header.algorithm;
        if !allowed.contains(algorithm) {
            let detail = format_args!("{} is not on the provider's list", algorithm.name());
            return Err(Reject::new(Reason::SignatureAlgorithm, detail));
        }
        let candidates = keys.candidates(self.header.kid.as_deref(), algorithm)?;
        let mut candidates = candidates.into_iter();
        let holds = candidates.find(|key| key.verify_jws(algorithm, self.input, &self.signature).is_ok());
        let Some(key) = holds else {
            return Err(Reject::new(Reason::SignatureInvalid, "not signed by the provider's key"));
        };
        let signed_by = Some(*key.fingerprint());
        Ok(SignedClaims { signed_by, ..self.into_claims()? })
    }

    /// Checks the signature by `verify`, which knows the key already.
    pub(super) fn verify_by(
        self,
        verify: impl FnOnce(JwsAlgorithm, &[u8], &[u8]) -> Result<(), NotVerified>,
    ) -> Result<SignedClaims<'a>, Reject> {
        verify(self.header.algorithm, self.input, &self.signature).map_err(|why| match why {
            NotVerified::KeyType => Reject::new(Reason::SignatureKeyType, "the key is of another type than `alg`"),
            NotVerified::Signature => Reject::new(Reason::SignatureInvalid, "not signed by this key"),
        })?;
        self.into_claims()
    }

    pub(super) const fn header(&self) -> &JwsHeader {
        &self.header
    }

    fn into_claims(self) -> Result<SignedClaims<'a>, Reject> {
        let document = match self.payload {
            Payload::Bytes(bytes) => Document::read(bytes, &limits::TOKEN_CLAIMS)?,
            Payload::Read(document) => document?,
        };
        Ok(SignedClaims { document, header: self.header, input: self.input, signed_by: None })
    }
}

impl<'a> SignedClaims<'a> {
    pub(super) const fn document(&self) -> &Document {
        &self.document
    }

    pub(super) const fn algorithm(&self) -> JwsAlgorithm {
        self.header.algorithm
    }

    pub(super) const fn typ(&self) -> Typ {
        self.header.typ
    }

    /// The fingerprint of the key, where it is one of the provider's.
    pub(super) const fn signed_by(&self) -> Option<[u8; 32]> {
        self.signed_by
    }

    /// Header and payload as they were sent. The signature is left out: of some algorithms it can be changed and still
    /// holds, and a replay would pass for another token.
    pub(super) const fn input(&self) -> &'a [u8] {
        self.input
    }

    pub(super) fn into_document(self) -> Document {
        self.document
    }
}
