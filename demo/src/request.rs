//! Reading what a service sends to a provider: the AuthnRequest by either binding, and the service's own metadata.

use std::io::Read as _;

use grindvakt::base::UnixTime;
use grindvakt::crypto::trusted::{PublicKey, SignatureAlgorithm};
use percent_encoding::percent_decode_str;
use roxmltree::{Document, Node};

use crate::encrypt::EncryptionKey;
use crate::xml::namespace;

/// What an answer needs to know of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its ID; empty for an answer to no request.
    pub id: String,
    /// The service's entityID.
    pub issuer: String,
    /// Where the answer goes.
    pub acs_url: String,
    /// The address that it was sent to.
    pub destination: String,
    /// When it was made.
    pub issue_instant: UnixTime,
    /// Whether a fresh login is asked for.
    pub force_authn: bool,
    /// The levels that are asked for, as URIs.
    pub loa: Vec<String>,
    /// Whom the service expects (PrincipalSelection): attributes by name, with their values.
    pub principal: Vec<(String, String)>,
}

/// Why a provider does not take a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    /// A parameter or an element is missing or unreadable.
    #[error("the request cannot be read: {0}")]
    Unreadable(String),
    /// It comes from a service that the provider does not know.
    #[error("no service of this name is known here: {0}")]
    UnknownService(String),
    /// It wants the answer sent to an address that the service's metadata does not have.
    #[error("the service has not registered this address: {0}")]
    UnknownAcs(String),
    /// It was sent to another address than it names.
    #[error("the request is addressed to {0}")]
    WrongDestination(String),
    /// The provider wants signed requests.
    #[error("the request is not signed")]
    Unsigned,
    /// The signature is not the service's.
    #[error("the signature of the request does not hold: {0}")]
    Signature(&'static str),
}

fn unreadable(what: impl ToString) -> BadRequest {
    BadRequest::Unreadable(what.to_string())
}

/// A service as its metadata describes it.
pub struct KnownService {
    /// entityID.
    pub entity_id: String,
    /// AssertionConsumerService addresses.
    pub acs: Vec<String>,
    /// Where messages of single logout go.
    pub slo: Option<String>,
    /// What it wants assertions encrypted to.
    pub encryption: Option<EncryptionKey>,
    keys: Vec<PublicKey>,
}

impl KnownService {
    /// From the service's metadata, which the demo trusts as it comes.
    ///
    /// # Errors
    /// [`BadRequest::Unreadable`] when a part is missing.
    pub fn from_metadata(xml: &str) -> Result<Self, BadRequest> {
        let document = Document::parse(xml).map_err(unreadable)?;
        let entity = document.root_element();
        let named = |local: &'static str| {
            entity.descendants().filter(move |n| n.has_tag_name((namespace("md"), local))).collect::<Vec<_>>()
        };
        let entity_id = entity.attribute("entityID").ok_or_else(|| unreadable("no entityID"))?.to_owned();
        let acs: Vec<String> = named("AssertionConsumerService")
            .iter()
            .filter_map(|n| n.attribute("Location"))
            .map(str::to_owned)
            .collect();
        let slo = named("SingleLogoutService").iter().find_map(|n| n.attribute("Location")).map(str::to_owned);
        let (mut keys, mut encryption) = (Vec::new(), None);
        for descriptor in named("KeyDescriptor") {
            for certificate in descriptor.descendants().filter(|n| n.has_tag_name((namespace("ds"), "X509Certificate")))
            {
                let der = base64(text(certificate).as_bytes())?;
                if descriptor.attribute("use") == Some("encryption") {
                    encryption = EncryptionKey::from_certificate(&der);
                    continue;
                }
                keys.push(PublicKey::from_certificate(&der).map_err(unreadable)?);
            }
        }
        if acs.is_empty() {
            return Err(unreadable("no AssertionConsumerService"));
        }
        Ok(Self { entity_id, acs, slo, encryption, keys })
    }

    pub(crate) fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// Whether one of the service's keys made `signature` over `octets`.
    pub(crate) fn vouches_for(&self, algorithm: &str, octets: &[u8], signature: &[u8]) -> Result<(), BadRequest> {
        let algorithm = SignatureAlgorithm::from_xmldsig(algorithm).ok_or(BadRequest::Signature("its algorithm"))?;
        let made = self.keys.iter().any(|key| key.verify(algorithm, octets, signature).is_ok());
        if made { Ok(()) } else { Err(BadRequest::Signature("no key of the service made it")) }
    }

    /// Takes a request that came by HTTP-Redirect: `query` as it stood in the address, undecoded, because the signature
    /// covers those very bytes (SAML Bindings 3.4.4.1). Gives the request and its RelayState.
    ///
    /// # Errors
    /// [`BadRequest`] says what does not hold. An unsigned request is always refused.
    pub fn redirect(&self, query: &str, here: &str) -> Result<(Request, Option<String>), BadRequest> {
        let mut parts: [Option<&str>; 4] = [None; 4];
        const NAMES: [&str; 4] = ["SAMLRequest", "RelayState", "SigAlg", "Signature"];
        for pair in query.split('&') {
            let name = pair.split_once('=').map_or(pair, |(name, _)| name);
            if let Some(slot) = NAMES.iter().position(|n| *n == name).and_then(|at| parts.get_mut(at))
                && slot.replace(pair).is_some()
            {
                return Err(unreadable("a parameter stands twice"));
            }
        }
        let [message, relay_state, algorithm, signature] = parts;
        let message = message.ok_or_else(|| unreadable("no SAMLRequest"))?;
        let (algorithm, signature) = algorithm.zip(signature).ok_or(BadRequest::Unsigned)?;
        let signed: Vec<&str> = [Some(message), relay_state, Some(algorithm)].into_iter().flatten().collect();

        let uri = value(algorithm)?;
        let signature = base64(value(signature)?.as_bytes())?;
        self.vouches_for(&uri, signed.join("&").as_bytes(), &signature)?;

        let deflated = base64(value(message)?.as_bytes())?;
        let mut xml = String::new();
        flate2::read::DeflateDecoder::new(deflated.as_slice())
            .take(64 * 1024)
            .read_to_string(&mut xml)
            .map_err(unreadable)?;
        Ok((self.accept(&xml, here)?, relay_state.map(value).transpose()?))
    }

    /// Takes a request that came by HTTP-POST: the base64 of the form field `SAMLRequest`.
    ///
    /// The signature inside is verified under the assumption that the sender wrote canonical form, which the sidecar
    /// does; another sender's request is refused, never taken on trust.
    ///
    /// # Errors
    /// [`BadRequest`] says what does not hold. An unsigned request is always refused.
    pub fn post(&self, field: &str, here: &str) -> Result<Request, BadRequest> {
        let xml = String::from_utf8(base64(field.as_bytes())?).map_err(unreadable)?;
        crate::signed_request::verify(&xml, &self.keys)?;
        self.accept(&xml, here)
    }

    fn accept(&self, xml: &str, here: &str) -> Result<Request, BadRequest> {
        let request = Request::parse(xml)?;
        if request.issuer != self.entity_id {
            return Err(BadRequest::UnknownService(request.issuer));
        }
        if !self.acs.contains(&request.acs_url) {
            return Err(BadRequest::UnknownAcs(request.acs_url));
        }
        if request.destination != here {
            return Err(BadRequest::WrongDestination(request.destination));
        }
        Ok(request)
    }
}

impl Request {
    /// Reads an AuthnRequest, without looking at any signature (SAML Core 3.4.1).
    ///
    /// # Errors
    /// [`BadRequest::Unreadable`] when a part that the demo needs is missing.
    pub fn parse(xml: &str) -> Result<Self, BadRequest> {
        let document = Document::parse(xml).map_err(unreadable)?;
        let root = document.root_element();
        if !root.has_tag_name((namespace("samlp"), "AuthnRequest")) {
            return Err(unreadable("not an AuthnRequest"));
        }
        let attribute = |name: &'static str| {
            root.attribute(name).map(str::to_owned).ok_or_else(|| unreadable(format!("no {name}")))
        };
        let issuer = root
            .children()
            .find(|n| n.has_tag_name((namespace("saml"), "Issuer")))
            .map(text)
            .ok_or_else(|| unreadable("no Issuer"))?;
        let loa = root
            .children()
            .filter(|n| n.has_tag_name((namespace("samlp"), "RequestedAuthnContext")))
            .flat_map(|n| n.children())
            .filter(|n| n.has_tag_name((namespace("saml"), "AuthnContextClassRef")))
            .map(text)
            .collect();
        let principal = root
            .descendants()
            .filter(|n| n.has_tag_name((namespace("psc"), "MatchValue")))
            .map(|n| (n.attribute("Name").unwrap_or_default().to_owned(), text(n)))
            .collect();
        Ok(Self {
            principal,
            id: attribute("ID")?,
            issuer,
            acs_url: attribute("AssertionConsumerServiceURL")?,
            destination: attribute("Destination")?,
            issue_instant: UnixTime::parse_saml(&attribute("IssueInstant")?).map_err(unreadable)?,
            force_authn: matches!(root.attribute("ForceAuthn"), Some("true" | "1")),
            loa,
        })
    }
}

fn text(node: Node<'_, '_>) -> String {
    node.descendants().filter(Node::is_text).filter_map(|n| n.text()).collect::<String>().trim().to_owned()
}

/// The decoded value of a `name=value` pair of a query.
fn value(pair: &str) -> Result<String, BadRequest> {
    let raw = pair.split_once('=').map_or("", |(_, value)| value).replace('+', " ");
    Ok(percent_decode_str(&raw).decode_utf8().map_err(unreadable)?.into_owned())
}

pub(crate) fn base64(text: &[u8]) -> Result<Vec<u8>, BadRequest> {
    base64_simd::forgiving_decode_to_vec(text).map_err(|_| unreadable("not base64"))
}
