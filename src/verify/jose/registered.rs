//! The registered claims, each of its one type (RFC 7519, 4.1; OpenID Connect Core, 2; RFC 9068; RFC 9449).
//!
//! A claim of a wrong type is a refusal and never an absence: what is taken for missing is not checked (T35).

use std::borrow::Cow;

use super::json::{Document, Kind, Object, Value};
use crate::base::{UnixTime, limits};
use crate::verify::{Reason, Reject};

/// 9999-12-31T23:59:59Z: no instant of ours is later, and no addition to it overflows.
const LAST_SECOND: u64 = 253_402_300_799;

/// The claims that some rule looks at. Every one of them is typed for every use: a token in which one is malformed is
/// nobody's token.
#[derive(Default)]
pub(super) struct Registered<'d> {
    pub(super) iss: Option<Cow<'d, str>>,
    pub(super) sub: Option<Cow<'d, str>>,
    pub(super) aud: Option<Value<'d>>,
    pub(super) exp: Option<UnixTime>,
    pub(super) nbf: Option<UnixTime>,
    pub(super) iat: Option<UnixTime>,
    pub(super) jti: Option<Cow<'d, str>>,
    pub(super) nonce: Option<Cow<'d, str>>,
    pub(super) auth_time: Option<UnixTime>,
    pub(super) acr: Option<Cow<'d, str>>,
    pub(super) azp: Option<Cow<'d, str>>,
    pub(super) at_hash: Option<Cow<'d, str>>,
    pub(super) c_hash: Option<Cow<'d, str>>,
    pub(super) sid: Option<Cow<'d, str>>,
    pub(super) client_id: Option<Cow<'d, str>>,
    pub(super) scope: Option<Cow<'d, str>>,
    pub(super) cnf: Option<Object<'d>>,
    pub(super) events: Option<Object<'d>>,
    pub(super) htm: Option<Cow<'d, str>>,
    pub(super) htu: Option<Cow<'d, str>>,
    pub(super) ath: Option<Cow<'d, str>>,
}

impl<'d> Registered<'d> {
    /// Reads them in one pass.
    ///
    /// # Errors
    /// `claim_type`, with the claim's name and what it is instead.
    pub(super) fn read(document: &'d Document) -> Result<Self, Reject> {
        let mut all = Self::default();
        for member in document.root().members() {
            let value = member.value;
            match member.name.as_ref() {
                "iss" => all.iss = Some(text(value, "iss")?),
                "sub" => all.sub = Some(bounded(value, "sub", limits::SUBJECT_BYTES)?),
                "aud" => all.aud = Some(audience(value)?),
                "exp" => all.exp = Some(instant(value, "exp")?),
                "nbf" => all.nbf = Some(instant(value, "nbf")?),
                "iat" => all.iat = Some(instant(value, "iat")?),
                "jti" => all.jti = Some(bounded(value, "jti", limits::TOKEN_NAME_BYTES)?),
                "nonce" => all.nonce = Some(text(value, "nonce")?),
                "auth_time" => all.auth_time = Some(instant(value, "auth_time")?),
                "acr" => all.acr = Some(text(value, "acr")?),
                "amr" => texts(value, "amr")?,
                "azp" => all.azp = Some(text(value, "azp")?),
                "at_hash" => all.at_hash = Some(text(value, "at_hash")?),
                "c_hash" => all.c_hash = Some(text(value, "c_hash")?),
                "sid" => all.sid = Some(bounded(value, "sid", limits::TOKEN_NAME_BYTES)?),
                "client_id" => all.client_id = Some(text(value, "client_id")?),
                // The one that may be empty: a token for nothing in particular.
                "scope" => all.scope = Some(value.as_text().ok_or_else(|| wrong(value, "scope", "a string"))?),
                "cnf" => all.cnf = Some(object(value, "cnf")?),
                "events" => all.events = Some(object(value, "events")?),
                "htm" => all.htm = Some(text(value, "htm")?),
                "htu" => all.htu = Some(text(value, "htu")?),
                "ath" => all.ath = Some(text(value, "ath")?),
                _ => {}
            }
        }
        Ok(all)
    }

    /// Whether `aud` names `who`. A string is a list of one (RFC 7519, 4.1.3).
    pub(super) fn audiences(&self) -> impl Iterator<Item = Cow<'d, str>> {
        let one = self.aud.and_then(Value::as_text);
        one.into_iter().chain(self.aud.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_text))
    }
}

fn wrong(value: Value<'_>, name: &str, expected: &str) -> Reject {
    let is = match value.kind() {
        Kind::Null => "null",
        Kind::Bool => "a boolean",
        Kind::Number => "a number of another form",
        Kind::String => "a string",
        Kind::Array => "an array",
        Kind::Object => "an object",
    };
    Reject::new(Reason::ClaimType, format_args!("`{name}` is {is}; {expected} is expected"))
}

/// A string that is not empty.
pub(super) fn text<'d>(value: Value<'d>, name: &str) -> Result<Cow<'d, str>, Reject> {
    let text = value.as_text().ok_or_else(|| wrong(value, name, "a string"))?;
    if text.is_empty() {
        return Err(Reject::new(Reason::ClaimType, format_args!("`{name}` is empty")));
    }
    Ok(text)
}

fn bounded<'d>(value: Value<'d>, name: &str, most: usize) -> Result<Cow<'d, str>, Reject> {
    let text = text(value, name)?;
    if text.len() > most {
        let detail = format_args!("`{name}` has {} bytes; at most {most} are taken", text.len());
        return Err(Reject::new(Reason::ClaimType, detail));
    }
    Ok(text)
}

/// NumericDate (RFC 7519, 2), in whole seconds. The RFC allows fractions and exponents; nobody needs them, and readers
/// differ on them.
fn instant(value: Value<'_>, name: &str) -> Result<UnixTime, Reject> {
    let seconds = value.as_whole().filter(|seconds| *seconds <= LAST_SECOND).and_then(|s| i64::try_from(s).ok());
    seconds.map(UnixTime::from_secs).ok_or_else(|| wrong(value, name, "a number of whole seconds"))
}

fn object<'d>(value: Value<'d>, name: &str) -> Result<Object<'d>, Reject> {
    value.as_object().ok_or_else(|| wrong(value, name, "an object"))
}

fn texts(value: Value<'_>, name: &str) -> Result<(), Reject> {
    let mut list = value.as_array().ok_or_else(|| wrong(value, name, "an array of strings"))?;
    match list.find(|item| item.kind() != Kind::String) {
        Some(item) => Err(wrong(item, name, "an array of strings")),
        None => Ok(()),
    }
}

/// A string, or an array of strings (RFC 7519, 4.1.3).
fn audience(value: Value<'_>) -> Result<Value<'_>, Reject> {
    match value.kind() {
        Kind::String => text(value, "aud").map(|_| value),
        Kind::Array => texts(value, "aud").map(|()| value),
        _ => Err(wrong(value, "aud", "a string or an array of strings")),
    }
}
