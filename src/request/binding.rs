//! How a request travels: HTTP-Redirect with a signed query (SAML Bindings 3.4), HTTP-POST with a signed document
//! (SAML Bindings 3.5).

use std::fmt::Write as _;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::xml::{Writer, ns};
use crate::base::limits::RELAY_STATE_BYTES;
use crate::crypto::digest::sha256;
use crate::crypto::own::{OwnKeyError, SigningKey};

/// Everything but what RFC 3986 (2.3) calls unreserved.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Why a request could not be made. Each is our own fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// RelayState is empty or over 80 bytes (SAML Bindings 3.4.3).
    #[error("a RelayState of {0} bytes, where 1 to 80 are allowed")]
    RelayState(usize),
    /// The signature could not be made.
    #[error("signing a request: {0}")]
    Sign(#[from] OwnKeyError),
    /// The document could not be compressed.
    #[error("compressing a request")]
    Deflate,
}

/// A message that we send through the browser.
pub trait Message {
    /// The parameter or field that it travels in.
    const PARAMETER: &'static str;

    /// Its ID.
    fn id(&self) -> &str;

    /// Where it goes.
    fn destination(&self) -> &str;

    /// The document with `signature` in its place (SAML Core 3.2.1: after Issuer), in canonical form apart from the
    /// signature itself. With none it is what the Redirect binding carries.
    fn with_signature(&self, signature: &str) -> String;

    /// The document without a signature.
    fn to_xml(&self) -> String {
        self.with_signature("")
    }
}

/// A form that the browser posts to the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostForm {
    /// The provider's address.
    pub action: String,
    /// The fields, unescaped.
    pub fields: Vec<(&'static str, String)>,
}

fn check_relay_state(relay_state: Option<&str>) -> Result<(), RequestError> {
    match relay_state {
        // Empty would be no value at all, and the answer could not be matched.
        Some(text) if text.is_empty() || text.len() > RELAY_STATE_BYTES => Err(RequestError::RelayState(text.len())),
        _ => Ok(()),
    }
}

/// The address to send the browser to: the message deflated, in base64, in a query signed over its encoded octets
/// (SAML Bindings 3.4.4.1).
///
/// # Errors
/// [`RequestError`].
pub fn redirect<M: Message>(message: &M, relay_state: Option<&str>, key: &SigningKey) -> Result<String, RequestError> {
    check_relay_state(relay_state)?;
    let mut deflate = DeflateEncoder::new(Vec::new(), Compression::default());
    deflate.write_all(message.to_xml().as_bytes()).map_err(|_| RequestError::Deflate)?;
    let deflated = deflate.finish().map_err(|_| RequestError::Deflate)?;
    let encoded = base64_simd::STANDARD.encode_to_string(deflated);
    // The order is part of the signature: the message, RelayState, SigAlg.
    let mut signed = format!("{}={}", M::PARAMETER, utf8_percent_encode(&encoded, QUERY));
    for (name, value) in
        relay_state.map(|state| ("RelayState", state)).into_iter().chain([("SigAlg", key.algorithm_uri())])
    {
        let _ = write!(signed, "&{name}={}", utf8_percent_encode(value, QUERY));
    }
    let signature = base64_simd::STANDARD.encode_to_string(key.sign(signed.as_bytes())?);
    let destination = message.destination();
    let joint = if destination.contains('?') { '&' } else { '?' };
    Ok(format!("{destination}{joint}{signed}&Signature={}", utf8_percent_encode(&signature, QUERY)))
}

/// The form to post: the message with an enveloped signature (SAML Core 5.4), in base64.
///
/// # Errors
/// [`RequestError`].
pub fn post<M: Message>(message: &M, relay_state: Option<&str>, key: &SigningKey) -> Result<PostForm, RequestError> {
    check_relay_state(relay_state)?;
    let signature = enveloped_signature(message, key)?;
    let document = message.with_signature(&signature);
    let mut fields = vec![(M::PARAMETER, base64_simd::STANDARD.encode_to_string(document))];
    fields.extend(relay_state.map(|state| ("RelayState", state.to_owned())));
    Ok(PostForm { action: message.destination().to_owned(), fields })
}

/// The document without its signature is what is digested, and it is born canonical: its own bytes are the digest's
/// input.
fn enveloped_signature(message: &impl Message, key: &SigningKey) -> Result<String, RequestError> {
    const EXC_C14N: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
    let digest = base64_simd::STANDARD.encode_to_string(sha256(message.to_xml().as_bytes()));

    // SignedInfo declares its prefix itself, although Signature has it: so its bytes here are its canonical form.
    let mut w = Writer::default();
    w.open("ds:SignedInfo", &[("ds", ns::DS)], &[]);
    w.leaf("ds:CanonicalizationMethod", &[], &[("Algorithm", EXC_C14N)], "");
    w.leaf("ds:SignatureMethod", &[], &[("Algorithm", key.algorithm_uri())], "");
    w.open("ds:Reference", &[], &[("URI", &format!("#{}", message.id()))]);
    w.open("ds:Transforms", &[], &[]);
    w.leaf("ds:Transform", &[], &[("Algorithm", "http://www.w3.org/2000/09/xmldsig#enveloped-signature")], "");
    w.leaf("ds:Transform", &[], &[("Algorithm", EXC_C14N)], "").close();
    w.leaf("ds:DigestMethod", &[], &[("Algorithm", "http://www.w3.org/2001/04/xmlenc#sha256")], "");
    w.leaf("ds:DigestValue", &[], &[], &digest);
    let signed_info = w.finish();

    let value = base64_simd::STANDARD.encode_to_string(key.sign(signed_info.as_bytes())?);
    let certificate = base64_simd::STANDARD.encode_to_string(key.certificate());
    let mut w = Writer::default();
    w.open("ds:Signature", &[("ds", ns::DS)], &[]).written(&signed_info);
    w.leaf("ds:SignatureValue", &[], &[], &value);
    w.open("ds:KeyInfo", &[], &[]).open("ds:X509Data", &[], &[]);
    w.leaf("ds:X509Certificate", &[], &[], &certificate);
    Ok(w.finish())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use std::io::Read as _;

    use super::super::AuthnRequest;
    use super::*;
    use crate::base::{Secret, UnixTime};
    use crate::crypto::own::{generate_p256_pem, generate_rsa_pem};
    use crate::crypto::trusted::PublicKey;

    fn keys() -> [SigningKey; 2] {
        [generate_p256_pem().unwrap(), generate_rsa_pem().unwrap()]
            .map(|pem| SigningKey::from_pem(&Secret::new(pem.expose().clone().into_bytes()), "sp").unwrap())
    }

    fn request<'a>(destination: &'a str, loa: &'a [String]) -> AuthnRequest<'a> {
        AuthnRequest {
            id: "_abc",
            issue_instant: UnixTime::from_secs(1_772_359_200),
            destination,
            acs: "https://e.example.se/eid/saml/acs",
            issuer: "https://e.example.se/sp?a=1&b=2",
            force_authn: true,
            loa,
            principal: None,
        }
    }

    #[test]
    fn the_redirect_query_is_signed_as_it_stands() {
        for key in keys() {
            let loa = ["http://id.elegnamnden.se/loa/1.0/loa3".to_owned()];
            let request = request("https://idp.example.se/sso?x=1", &loa);
            let location = redirect(&request, Some("handle-1"), &key).unwrap();
            let query = location.strip_prefix("https://idp.example.se/sso?x=1&").unwrap();
            let (signed, signature) = query.split_once("&Signature=").unwrap();
            let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned();
            let signature = base64_simd::STANDARD.decode_to_vec(decode(signature)).unwrap();
            let public = PublicKey::from_certificate(key.certificate()).unwrap();
            assert_eq!(public.verify(key.algorithm(), signed.as_bytes(), &signature), Ok(()));

            let fields: Vec<_> = signed.split('&').map(|pair| pair.split_once('=').unwrap()).collect();
            assert_eq!(
                fields.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
                ["SAMLRequest", "RelayState", "SigAlg"]
            );
            assert_eq!(fields[1].1, "handle-1");
            assert_eq!(decode(fields[2].1), key.algorithm_uri());
            let deflated = base64_simd::STANDARD.decode_to_vec(decode(fields[0].1)).unwrap();
            let mut xml = String::new();
            flate2::read::DeflateDecoder::new(&*deflated).read_to_string(&mut xml).unwrap();
            assert_eq!(xml, request.to_xml());
        }
    }

    #[test]
    fn the_posted_document_is_signed_over_its_own_bytes() {
        for key in keys() {
            let request = request("https://idp.example.se/sso", &[]);
            let form = post(&request, Some("handle-1"), &key).unwrap();
            assert_eq!(form.action, "https://idp.example.se/sso");
            assert_eq!(form.fields[1], ("RelayState", "handle-1".to_owned()));
            let xml = base64_simd::STANDARD.decode_to_vec(&form.fields[0].1).unwrap();
            let xml = String::from_utf8(xml).unwrap();
            let document = roxmltree::Document::parse(&xml).unwrap();
            let signature = document.root_element().children().nth(1).unwrap();
            assert!(signature.has_tag_name((ns::DS, "Signature")));

            // By hand: cut the signature out, digest the rest; the SignedInfo is its own canonical form.
            let without = xml.replace(&xml[signature.range()], "");
            let value = |name: &str| {
                let node = document.descendants().find(|n| n.has_tag_name((ns::DS, name))).unwrap();
                base64_simd::STANDARD.decode_to_vec(node.text().unwrap()).unwrap()
            };
            assert_eq!(value("DigestValue"), sha256(without.as_bytes()));
            let info = document.descendants().find(|n| n.has_tag_name((ns::DS, "SignedInfo"))).unwrap();
            let public = PublicKey::from_certificate(key.certificate()).unwrap();
            let signed = &xml.as_bytes()[info.range()];
            assert_eq!(public.verify(key.algorithm(), signed, &value("SignatureValue")), Ok(()));
            assert_eq!(value("X509Certificate"), key.certificate());
        }
    }

    #[test]
    fn relay_state_has_a_length() {
        let [key, _] = keys();
        let request = request("https://idp.example.se/sso", &[]);
        assert_eq!(redirect(&request, Some(""), &key), Err(RequestError::RelayState(0)));
        assert_eq!(post(&request, Some(&"x".repeat(81)), &key), Err(RequestError::RelayState(81)));
        assert!(post(&request, Some(&"x".repeat(80)), &key).is_ok());
    }
}
