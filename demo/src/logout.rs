//! Single logout as a provider speaks it: orders and answers, both bindings, signed as told; and reading those of a
//! service.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use grindvakt::base::UnixTime;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use roxmltree::Document;

use crate::demo_idp::DemoIdp;
use crate::key::{DemoKey, new_id};
use crate::names::{PERSISTENT, RESPONDER, SUCCESS};
use crate::request::{BadRequest, KnownService, base64};
use crate::sign::{Place, enveloped};
use crate::xml::{Element, element, namespace};

/// A message of single logout in the making: `Message::order` or `Message::answer`, changed as a test likes.
#[derive(Clone)]
pub struct Message {
    /// The document, unsigned.
    pub element: Element,
    parameter: &'static str,
}

impl DemoIdp {
    /// The address for single logout, by both bindings.
    pub fn slo_url(&self) -> String {
        format!("{}/slo", self.base_url)
    }

    /// An order to the service at `destination` to end the sessions of `name_id`: those of `indexes`, or all.
    pub fn logout_request(&self, destination: &str, name_id: &str, indexes: &[&str], at: UnixTime) -> Message {
        let element = element("samlp:LogoutRequest")
            .attr("ID", new_id())
            .attr("Version", "2.0")
            .attr("IssueInstant", at.to_string())
            .attr("Destination", destination)
            .child(element("saml:Issuer").text(&self.entity_id))
            .child(element("saml:NameID").attr("Format", PERSISTENT).text(name_id))
            .children(indexes.iter().map(|index| element("samlp:SessionIndex").text(*index)));
        Message { element, parameter: "SAMLRequest" }
    }

    /// An answer to the order `in_response_to` of the service at `destination`.
    pub fn logout_response(&self, destination: &str, in_response_to: &str, ended: bool, at: UnixTime) -> Message {
        let status = element("samlp:StatusCode").attr("Value", if ended { SUCCESS } else { RESPONDER });
        let element = element("samlp:LogoutResponse")
            .attr("ID", new_id())
            .attr("Version", "2.0")
            .attr("IssueInstant", at.to_string())
            .attr("Destination", destination)
            .attr("InResponseTo", in_response_to)
            .child(element("saml:Issuer").text(&self.entity_id))
            .child(element("samlp:Status").child(status));
        Message { element, parameter: "SAMLResponse" }
    }
}

impl Message {
    /// The field or parameter that it travels in.
    pub const fn parameter(&self) -> &'static str {
        self.parameter
    }

    /// The same in another field or parameter than its own: a test of who looks only at one of the two.
    #[must_use]
    pub const fn under(mut self, parameter: &'static str) -> Self {
        self.parameter = parameter;
        self
    }

    /// Signed within, as HTTP-POST carries it: its base64.
    pub fn posted(&self, key: &DemoKey) -> String {
        base64_simd::STANDARD.encode_to_string(enveloped(self.element.clone(), key, Place::AfterIssuer).canonical())
    }

    /// Signed beside, as HTTP-Redirect carries it: the query.
    pub fn query(&self, relay_state: Option<&str>, key: &DemoKey) -> String {
        let text = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::default());
        // Into memory: this cannot fail.
        let _ = deflate.write_all(self.element.canonical().as_bytes());
        let deflated = deflate.finish().unwrap_or_default();
        let mut query = format!("{}={}", self.parameter, text(&base64_simd::STANDARD.encode_to_string(deflated)));
        if let Some(state) = relay_state {
            query.push_str(&format!("&RelayState={}", text(state)));
        }
        query.push_str(&format!("&SigAlg={}", text(key.algorithm().uri())));
        let signature = base64_simd::STANDARD.encode_to_string(key.sign(query.as_bytes()));
        format!("{query}&Signature={}", text(&signature))
    }
}

/// What a service says in a message of single logout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// `LogoutRequest` or `LogoutResponse`.
    pub kind: String,
    /// Its ID.
    pub id: String,
    /// Who sent it.
    pub issuer: String,
    /// Where to.
    pub destination: String,
    /// Of an order: whose sessions.
    pub name_id: Option<String>,
    /// Of an order: which session.
    pub session_index: Option<String>,
    /// Of an answer: to what.
    pub in_response_to: Option<String>,
    /// Of an answer: the status codes, outermost first, by their last word.
    pub status: Vec<String>,
    /// RelayState.
    pub relay_state: Option<String>,
}

fn unreadable(what: impl ToString) -> BadRequest {
    BadRequest::Unreadable(what.to_string())
}

impl KnownService {
    /// A message of single logout that came by HTTP-POST: its field.
    ///
    /// # Errors
    /// [`BadRequest`] says what does not hold.
    pub fn logout_by_post(&self, field: &str) -> Result<Said, BadRequest> {
        let xml = String::from_utf8(base64(field.as_bytes())?).map_err(unreadable)?;
        crate::signed_request::verify(&xml, self.keys())?;
        self.said(&xml, None)
    }

    /// One that came by HTTP-Redirect: the query, undecoded.
    ///
    /// # Errors
    /// [`BadRequest`] says what does not hold.
    pub fn logout_by_redirect(&self, query: &str) -> Result<Said, BadRequest> {
        let (signed, signature) = query.split_once("&Signature=").ok_or(BadRequest::Unsigned)?;
        let decode = |text: &str| percent_decode_str(text).decode_utf8().map(|t| t.into_owned()).map_err(unreadable);
        let value = |name: &str| {
            let pair = signed.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            pair.map(decode).transpose()
        };
        let algorithm = value("SigAlg")?.ok_or(BadRequest::Unsigned)?;
        self.vouches_for(&algorithm, signed.as_bytes(), &base64(decode(signature)?.as_bytes())?)?;
        let message = match value("SAMLRequest")? {
            Some(message) => message,
            None => value("SAMLResponse")?.ok_or_else(|| unreadable("no message"))?,
        };
        let mut xml = String::new();
        let deflated = base64(message.as_bytes())?;
        DeflateDecoder::new(deflated.as_slice()).take(64 * 1024).read_to_string(&mut xml).map_err(unreadable)?;
        self.said(&xml, value("RelayState")?)
    }

    fn said(&self, xml: &str, relay_state: Option<String>) -> Result<Said, BadRequest> {
        let document = Document::parse(xml).map_err(unreadable)?;
        let root = document.root_element();
        let attribute = |name: &str| root.attribute(name).map(str::to_owned);
        let text = |prefix: &str, local: &'static str| {
            let found = root.children().find(|n| n.has_tag_name((namespace(prefix), local)));
            found.and_then(|n| n.text()).map(str::to_owned)
        };
        let codes = root.descendants().filter(|n| n.has_tag_name((namespace("samlp"), "StatusCode")));
        let said = Said {
            kind: root.tag_name().name().to_owned(),
            id: attribute("ID").ok_or_else(|| unreadable("no ID"))?,
            issuer: text("saml", "Issuer").ok_or_else(|| unreadable("no Issuer"))?,
            destination: attribute("Destination").ok_or_else(|| unreadable("no Destination"))?,
            name_id: text("saml", "NameID"),
            session_index: text("samlp", "SessionIndex"),
            in_response_to: attribute("InResponseTo"),
            status: codes
                .filter_map(|n| n.attribute("Value"))
                .map(|uri| uri.rsplit(':').next().unwrap_or_default().to_owned())
                .collect(),
            relay_state,
        };
        if said.issuer == self.entity_id { Ok(said) } else { Err(BadRequest::UnknownService(said.issuer)) }
    }
}
