//! The header of a token (RFC 7515, 4; RFC 7516, 4): what is needed to check it, and nothing that could choose how.
//!
//! `jwk`, `jku`, `x5u`, `x5c` and `x5t` are not read: a token does not bring its key (T38). The one place where a header's
//! key counts is a DPoP proof, which proves nothing but that its maker holds that key.

use std::borrow::Cow;

use super::json::{Document, Kind, Value};
use crate::base::limits;
use crate::crypto::trusted::JwsAlgorithm;
use crate::verify::{Reason, Reject, base64};

/// What kind of token it says to be (`typ`; RFC 7515, 4.1.9). Media types: case does not count, `application/` is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Typ {
    /// Says nothing, or no more than `JWT` or `JOSE`.
    Plain,
    /// `at+jwt` (RFC 9068, 2.1).
    AccessToken,
    /// `dpop+jwt` (RFC 9449, 4.2).
    Dpop,
    /// `logout+jwt` (OpenID Connect Back-Channel Logout, 2.4).
    Logout,
    /// Something else.
    Other,
}

impl Typ {
    fn of(name: &str) -> Self {
        const PREFIX: &str = "application/";
        let prefixed = name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX));
        let name = if prefixed { name.get(PREFIX.len()..).unwrap_or_default() } else { name };
        let known = [
            ("jwt", Self::Plain),
            ("at+jwt", Self::AccessToken),
            ("jose", Self::Plain),
            ("dpop+jwt", Self::Dpop),
            ("logout+jwt", Self::Logout),
        ];
        known.into_iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map_or(Self::Other, |(_, typ)| typ)
    }
}

/// The header of a signed token.
pub(super) struct JwsHeader {
    pub(super) algorithm: JwsAlgorithm,
    pub(super) typ: Typ,
    pub(super) kid: Option<Box<str>>,
    /// For DPoP, which reads one member more.
    pub(super) document: Document,
}

/// The header of an encrypted token, names as written.
pub(super) struct JweHeader {
    pub(super) alg: String,
    pub(super) enc: String,
}

fn malformed(what: impl std::fmt::Display) -> Reject {
    Reject::new(Reason::HeaderMalformed, what)
}

/// Decodes and reads a header's JSON.
fn document(part: &[u8]) -> Result<Document, Reject> {
    let limits = &limits::TOKEN_HEADER;
    // Four characters hold three bytes.
    if part.len() > limits.bytes / 3 * 4 {
        let detail = format_args!("a header of {} characters", part.len());
        return Err(Reject::new(Reason::MessageTooLarge, detail));
    }
    let bytes = base64::decode_url(part)
        .ok_or_else(|| Reject::new(Reason::TokenMalformed, "the header is no strict base64url"))?;
    Document::read(bytes, limits)
}

fn text<'d>(value: Value<'d>, name: &str) -> Result<Cow<'d, str>, Reject> {
    value.as_text().ok_or_else(|| malformed(format_args!("`{name}` is no string")))
}

/// What no header may hold, whichever kind it is of.
fn extension(name: &str, value: Value<'_>) -> Result<(), Reject> {
    match name {
        // We know no extension: whatever it lists cannot be understood, and to list nothing is not allowed (RFC 7515, 4.1.11).
        "crit" => Err(Reject::new(Reason::HeaderCritical, "`crit` lists what must be understood; nothing is")),
        "b64" if value.as_bool() != Some(true) => {
            Err(Reject::new(Reason::HeaderCritical, "`b64` is not true: a payload that is not encoded"))
        }
        "zip" => Err(Reject::new(Reason::HeaderCompressed, "`zip`: nothing is inflated")),
        _ => Ok(()),
    }
}

impl JwsHeader {
    pub(super) fn read(part: &[u8]) -> Result<Self, Reject> {
        let document = document(part)?;
        let (mut alg, mut typ, mut kid) = (None, Typ::Plain, None);
        for member in document.root().members() {
            let value = member.value;
            match member.name.as_ref() {
                "alg" => alg = Some(text(value, "alg")?),
                "typ" => typ = Typ::of(&text(value, "typ")?),
                "kid" => {
                    let name = text(value, "kid")?;
                    // A key to look up in a map: no path, no query, no pattern.
                    if name.len() > limits::TOKEN_NAME_BYTES {
                        return Err(malformed("`kid` is too long"));
                    }
                    kid = Some(name.into());
                }
                name => extension(name, value)?,
            }
        }
        let alg = alg.unwrap_or_default();
        let algorithm = JwsAlgorithm::from_name(&alg).ok_or_else(|| {
            Reject::new(Reason::SignatureAlgorithm, format_args!("`alg` is {alg:?}, which is not taken"))
        })?;
        Ok(Self { algorithm, typ, kid, document })
    }

    /// The public key that the header holds, as an object: for DPoP alone (RFC 9449, 4.2).
    pub(super) fn jwk(&self) -> Option<Value<'_>> {
        self.document.root().get("jwk").filter(|value| value.kind() == Kind::Object)
    }
}

impl JweHeader {
    pub(super) fn read(part: &[u8]) -> Result<Self, Reject> {
        let document = document(part)?;
        let (mut alg, mut enc) = (None, None);
        for member in document.root().members() {
            let value = member.value;
            match member.name.as_ref() {
                "alg" => alg = Some(text(value, "alg")?.into_owned()),
                "enc" => enc = Some(text(value, "enc")?.into_owned()),
                // Every key of ours is tried anyway; the type of what is inside shows when it is open.
                "kid" | "typ" | "cty" => _ = text(value, &member.name)?,
                name => extension(name, value)?,
            }
        }
        Ok(Self { alg: alg.unwrap_or_default(), enc: enc.unwrap_or_default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_media_types() {
        for (name, typ) in [
            ("JWT", Typ::Plain),
            ("jwt", Typ::Plain),
            ("application/jwt", Typ::Plain),
            ("APPLICATION/AT+JWT", Typ::AccessToken),
            ("at+jwt", Typ::AccessToken),
            ("dpop+jwt", Typ::Dpop),
            ("logout+jwt", Typ::Logout),
            ("", Typ::Other),
            ("application/", Typ::Other),
            ("application/application/jwt", Typ::Other),
            ("jwt ", Typ::Other),
            ("secevent+jwt", Typ::Other),
            ("åpplication/jwt", Typ::Other),
        ] {
            assert_eq!(Typ::of(name), typ, "{name:?}");
        }
    }
}
