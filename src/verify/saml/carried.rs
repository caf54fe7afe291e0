//! How a message of single logout came: by HTTP-POST with its signature within, or by HTTP-Redirect with its signature
//! beside it in the query (SAML Bindings 3.4, 3.5).
//!
//! The bytes of a message and what vouches for them are kept together from the moment that they arrive, so that no
//! signature is ever held against another message than its own.

use std::borrow::Cow;
use std::io::Read as _;

use flate2::read::DeflateDecoder;
use percent_encoding::percent_decode_str;

use crate::base::limits;
use crate::crypto::trusted::SignatureAlgorithm;
use crate::verify::{Reason, Reject, base64};

/// What vouches for a message.
pub(super) enum Vouched {
    /// The Signature within it, or nothing.
    Within,
    /// The query's signature.
    Beside {
        /// The octets that are signed, as they stood in the query.
        octets: String,
        algorithm: SignatureAlgorithm,
        signature: Vec<u8>,
    },
}

/// The field or parameter that a message came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// An order.
    Request,
    /// An answer.
    Response,
}

impl Parameter {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "SAMLRequest",
            Self::Response => "SAMLResponse",
        }
    }
}

/// A message as it came, unread.
pub struct Carried {
    pub(super) parameter: Parameter,
    pub(super) xml: Vec<u8>,
    pub(super) vouched: Vouched,
    relay_state: Option<String>,
}

/// The parameters of the binding, in the order in which they are signed.
const NAMES: [&str; 5] = ["SAMLRequest", "SAMLResponse", "RelayState", "SigAlg", "Signature"];

fn encoding(what: impl std::fmt::Display) -> Reject {
    Reject::new(Reason::MessageEncoding, what)
}

impl Carried {
    /// A message that came in a form: in which field, base64 decoded, and what stood beside it.
    ///
    /// # Errors
    /// `message_encoding` for a RelayState over 80 bytes (SAML Bindings 3.5.3).
    pub fn posted(parameter: Parameter, xml: Vec<u8>, relay_state: Option<String>) -> Result<Self, Reject> {
        checked(relay_state.as_deref())?;
        Ok(Self { parameter, xml, vouched: Vouched::Within, relay_state })
    }

    /// A message that came in a query, undecoded: the signature covers its very octets (SAML Bindings 3.4.4.1).
    ///
    /// # Errors
    /// `message_encoding`, `message_too_large`, `signature_missing`, `signature_algorithm`.
    pub fn redirected(query: &str) -> Result<Self, Reject> {
        let mut found: [Option<&str>; 5] = [None; 5];
        for pair in query.split('&') {
            // A name in another spelling is another reader's second parameter.
            let (name, _) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = decoded(name)?;
            if let Some(slot) = NAMES.iter().position(|known| *known == decoded).and_then(|at| found.get_mut(at)) {
                if decoded != name {
                    return Err(encoding("the name of a parameter is percent-encoded"));
                }
                if slot.replace(pair).is_some() {
                    return Err(encoding(format_args!("{decoded} stands twice")));
                }
            } else if decoded == "SAMLEncoding"
                && pair != "SAMLEncoding=urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE"
            {
                return Err(encoding("a SAMLEncoding that is not DEFLATE"));
            }
        }
        let [request, response, relay_state, algorithm, signature] = found;
        let (parameter, message) = match (request, response) {
            (Some(message), None) => (Parameter::Request, message),
            (None, Some(message)) => (Parameter::Response, message),
            (Some(_), Some(_)) => return Err(encoding("a SAMLRequest and a SAMLResponse together")),
            (None, None) => return Err(encoding("neither a SAMLRequest nor a SAMLResponse")),
        };
        let (Some(algorithm), Some(signature)) = (algorithm, signature) else {
            return Err(Reject::new(Reason::SignatureMissing, "a query without SigAlg and Signature"));
        };
        let uri = value(algorithm)?;
        let Some(chosen) = SignatureAlgorithm::from_xmldsig(&uri) else {
            return Err(Reject::new(Reason::SignatureAlgorithm, format_args!("SigAlg is {uri:?}")));
        };
        let signature = base64::decode_spaced(&value(signature)?).ok_or_else(|| encoding("Signature is no base64"))?;
        let octets = [Some(message), relay_state, Some(algorithm)].into_iter().flatten().collect::<Vec<_>>().join("&");
        // As forms write it, a `+` is a space here. Base64 has none, and there it is the letter, encoded or not.
        let spaced = relay_state.map(|pair| pair.replace('+', " "));
        let relay_state = spaced.as_deref().map(value).transpose()?.map(Cow::into_owned);
        checked(relay_state.as_deref())?;
        let deflated = base64::decode_spaced(&value(message)?).ok_or_else(|| encoding("the message is no base64"))?;
        let vouched = Vouched::Beside { octets, algorithm: chosen, signature };
        Ok(Self { parameter, xml: inflate(&deflated)?, vouched, relay_state })
    }

    /// RelayState: what the sender wants back with the answer.
    pub fn relay_state(&self) -> Option<&str> {
        self.relay_state.as_deref()
    }
}

fn checked(relay_state: Option<&str>) -> Result<(), Reject> {
    match relay_state {
        Some(text) if text.len() > limits::RELAY_STATE_BYTES => Err(encoding("a RelayState over 80 bytes")),
        _ => Ok(()),
    }
}

fn decoded(text: &str) -> Result<Cow<'_, str>, Reject> {
    percent_decode_str(text).decode_utf8().map_err(|_| encoding("a parameter that is no UTF-8"))
}

/// The decoded value of a `name=value` pair.
fn value(pair: &str) -> Result<Cow<'_, str>, Reject> {
    decoded(pair.split_once('=').map_or("", |(_, value)| value))
}

/// The whole of a DEFLATE stream (RFC 1951), and nothing behind it. Never more than the limit for a message: a small
/// query can hold a large nothing.
fn inflate(deflated: &[u8]) -> Result<Vec<u8>, Reject> {
    let limit = limits::MESSAGE.bytes;
    let mut out = Vec::new();
    let mut reader = DeflateDecoder::new(deflated);
    let most = (limit as u64).saturating_add(1);
    reader.by_ref().take(most).read_to_end(&mut out).map_err(|_| encoding("the message is not DEFLATE"))?;
    if out.len() > limit {
        return Err(Reject::new(Reason::MessageTooLarge, format_args!("over {limit} bytes when inflated")));
    }
    if reader.total_in() != deflated.len() as u64 {
        return Err(encoding("bytes behind the end of the message"));
    }
    Ok(out)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::DeflateEncoder;
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

    use super::*;

    fn deflated(bytes: &[u8]) -> Vec<u8> {
        let mut out = DeflateEncoder::new(Vec::new(), Compression::best());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    }

    fn query(deflated: &[u8]) -> String {
        let text = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let message = text(&base64_simd::STANDARD.encode_to_string(deflated));
        let algorithm = text("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256");
        format!("SAMLRequest={message}&SigAlg={algorithm}&Signature=AAAA")
    }

    fn reason(query: &str) -> Option<Reason> {
        Carried::redirected(query).err().map(|reject| reject.reason())
    }

    #[test]
    fn t28_a_small_query_never_swells() {
        let limit = limits::MESSAGE.bytes;
        assert_eq!(Carried::redirected(&query(&deflated(&vec![b'x'; limit]))).unwrap().xml.len(), limit);
        let bomb = query(&deflated(&vec![b'x'; 20 * 1024 * 1024]));
        assert!(bomb.len() < 32 * 1024, "it fits into a request's head: {}", bomb.len());
        assert_eq!(reason(&bomb), Some(Reason::MessageTooLarge));
    }

    #[test]
    fn a_stream_is_whole_and_alone() {
        let good = deflated(b"<samlp:LogoutRequest/>");
        assert_eq!(Carried::redirected(&query(&good)).unwrap().xml, b"<samlp:LogoutRequest/>");
        let cut = good.split_last().unwrap().1;
        let more = [good.as_slice(), b"x"].concat();
        for bad in [cut, &more, b"\x07", b"no deflate"] {
            assert_eq!(reason(&query(bad)), Some(Reason::MessageEncoding), "{bad:?}");
        }
    }

    #[test]
    fn what_is_signed_is_what_stood_there() {
        let whole = format!("x=1&{}&RelayState=a%2Bb+c", query(&deflated(b"<a/>")));
        let carried = Carried::redirected(&whole).unwrap();
        assert_eq!(carried.relay_state(), Some("a+b c"));
        let octets = match &carried.vouched {
            Vouched::Beside { octets, .. } => octets.as_str(),
            Vouched::Within => "",
        };
        assert!(octets.starts_with("SAMLRequest=") && octets.contains("&RelayState=a%2Bb+c&SigAlg="), "{octets}");
        assert_eq!(reason(&format!("{whole}{}", "x".repeat(80))), Some(Reason::MessageEncoding), "RelayState is short");
        assert_eq!(reason(&format!("{whole}&SAMLEncoding=x")), Some(Reason::MessageEncoding));
    }
}
