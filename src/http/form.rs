//! Posted forms (`application/x-www-form-urlencoded`), strictly: a field once, whole encodings, nothing guessed.

use std::borrow::Cow;

use crate::verify::saml::{Carried, Parameter};
use crate::verify::{Reason, Reject, base64};

/// What a provider posts to the assertion consumer service (SAML Bindings 3.5.4).
pub struct Posted {
    /// The Response as XML.
    pub saml_response: Vec<u8>,
    /// The field as it came, for posting it once more.
    pub encoded: String,
    /// RelayState.
    pub relay_state: Option<String>,
    /// Whether a page of ours has posted it once more.
    pub reposted: bool,
}

/// The field that marks a form which a page of ours posted once more.
pub const REPOSTED: &str = "reposted";

impl Posted {
    /// Reads the form.
    ///
    /// # Errors
    /// `message_encoding` when a field is doubled or missing, or an encoding is broken.
    pub fn read(body: &[u8]) -> Result<Self, Reject> {
        let refused = |what: &str| Reject::new(Reason::MessageEncoding, what);
        let bad = |()| refused("a field that is doubled or badly encoded, or too many fields");
        let fields = split(body).map_err(bad)?;
        let once = |name: &str| unique(&fields, name).map_err(bad);
        let encoded = once("SAMLResponse")?.ok_or_else(|| refused("no SAMLResponse"))?;
        // A Response and a request in one form, or a signature over the form: other bindings, which are not for here.
        if once("SAMLRequest")?.is_some() || once("Signature")?.is_some() {
            return Err(refused("a form with more than a Response in it"));
        }
        let saml_response = base64::decode_spaced(&encoded).ok_or_else(|| refused("SAMLResponse is no base64"))?;
        let relay_state = once("RelayState")?.map(Cow::into_owned);
        Ok(Self { saml_response, encoded: encoded.into_owned(), relay_state, reposted: once(REPOSTED)?.is_some() })
    }
}

/// What a provider posts to the address for single logout (SAML Bindings 3.5): an order, or an answer.
///
/// # Errors
/// `message_encoding` when a field is doubled or missing, or an encoding is broken, or two messages come together.
pub fn single_logout(body: &[u8]) -> Result<Carried, Reject> {
    let refused = |what: &str| Reject::new(Reason::MessageEncoding, what);
    let bad = |()| refused("a field that is doubled or badly encoded, or too many fields");
    let fields = split(body).map_err(bad)?;
    let once = |name: &str| unique(&fields, name).map_err(bad);
    // A signature over the form is another binding's (SimpleSign), which is not for here.
    if once("Signature")?.is_some() {
        return Err(refused("a form with more than a message in it"));
    }
    let (parameter, encoded) = match (once("SAMLRequest")?, once("SAMLResponse")?) {
        (Some(encoded), None) => (Parameter::Request, encoded),
        (None, Some(encoded)) => (Parameter::Response, encoded),
        _ => return Err(refused("neither a SAMLRequest nor a SAMLResponse, or both")),
    };
    let xml = base64::decode_spaced(&encoded).ok_or_else(|| refused("the message is no base64"))?;
    Carried::posted(parameter, xml, once("RelayState")?.map(Cow::into_owned))
}

/// One field that must stand once; none otherwise.
pub fn field<'b>(body: &'b [u8], name: &str) -> Option<Cow<'b, str>> {
    unique(&split(body).ok()?, name).ok().flatten()
}

/// Fields of one form. A provider sends two.
const FIELDS: usize = 32;

/// A field: its name decoded, its value as it came.
type Raw<'b> = (Cow<'b, str>, &'b [u8]);

/// The fields. The names are decoded: `%53AMLResponse` is a second SAMLResponse for whoever decodes it.
fn split(body: &[u8]) -> Result<Vec<Raw<'_>>, ()> {
    let mut fields = Vec::with_capacity(4);
    for pair in body.split(|b| *b == b'&') {
        if fields.len() == FIELDS {
            return Err(());
        }
        let at = memchr::memchr(b'=', pair).unwrap_or(pair.len());
        let (key, value) = (pair.get(..at).unwrap_or_default(), pair.get(at + 1..).unwrap_or_default());
        fields.push((decode(key)?, value));
    }
    Ok(fields)
}

/// The field `name`: none when it is not there, an error when it is there twice or cannot be decoded.
fn unique<'b>(fields: &[Raw<'b>], name: &str) -> Result<Option<Cow<'b, str>>, ()> {
    let mut values = fields.iter().filter(|(key, _)| key == name).map(|(_, value)| *value);
    let found = values.next().map(decode).transpose()?;
    if values.next().is_some() { Err(()) } else { Ok(found) }
}

/// Percent-decoding with `+` as a space. A `%` without two digits and bytes that are no UTF-8 are errors.
fn decode(raw: &[u8]) -> Result<Cow<'_, str>, ()> {
    if memchr::memchr2(b'%', b'+', raw).is_none() {
        return std::str::from_utf8(raw).map(Cow::Borrowed).map_err(|_| ());
    }
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = memchr::memchr2(b'%', b'+', rest) {
        out.extend_from_slice(rest.get(..at).unwrap_or_default());
        if rest.get(at) == Some(&b'+') {
            out.push(b' ');
            rest = rest.get(at + 1..).unwrap_or_default();
            continue;
        }
        let digit = |at: usize| rest.get(at).and_then(|b| char::from(*b).to_digit(16));
        let (Some(high), Some(low)) = (digit(at + 1), digit(at + 2)) else { return Err(()) };
        out.push((high * 16 + low) as u8);
        rest = rest.get(at + 3..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    String::from_utf8(out).map(Cow::Owned).map_err(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_strictly() {
        let code = |body: &str| {
            Posted::read(body.as_bytes()).map(|p| (p.saml_response, p.relay_state)).map_err(|r| r.reason())
        };
        let xml = || b"<a/>".to_vec();
        let broken = Err(Reason::MessageEncoding);
        for (body, expect) in [
            ("SAMLResponse=PGEvPg%3D%3D&RelayState=h", Ok((xml(), Some("h".to_owned())))),
            ("SAMLResponse=PGEvPg%3d%3D", Ok((xml(), None))),
            ("SAMLResponse=PGEv%0D%0APg%3D%3D&x=y&", Ok((xml(), None))),
            ("RelayState=h", broken.clone()),
            ("SAMLResponse=", broken.clone()),
            ("SAMLResponse=PGEvPg", broken.clone()),
            ("SAMLResponse=PGEvPg%3D%3D&SAMLResponse=PGEvPg%3D%3D", broken.clone()),
            ("SAMLResponse=PGEvPg%3D%3D&%53AMLResponse=PGIvPg%3D%3D", broken.clone()),
            ("SAMLResponse=PGEvPg%3D%3D&RelayState=a&RelayState=b", broken.clone()),
            ("SAMLResponse=PGEvPg%3D%3D&SAMLRequest=x", broken.clone()),
            ("SAMLResponse=PGEvPg%3D%3D&x%4=1", broken.clone()),
            ("SAMLResponse=PGEvPg%3D%3D&RelayState=%FF", broken.clone()),
            ("", broken.clone()),
            (&("SAMLResponse=PGEvPg%3D%3D".to_owned() + &"&".repeat(FIELDS)), broken.clone()),
        ] {
            assert_eq!(code(body), expect, "{body}");
        }
    }
}
