//! The discovery document of a provider (OpenID Connect Discovery 1.0, 3 and 4.3; RFC 8414; checklist 46).

use super::json::{Document, Object, Value};
use crate::base::limits;
use crate::crypto::trusted::{AlgorithmSet, JwsAlgorithm};
use crate::verify::saml::metadata::is_safe_endpoint;
use crate::verify::{Reason, Reject};

/// What a provider says of itself, as far as we go by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// `issuer`: identical with the configured one.
    pub issuer: String,
    /// Where the browser is sent.
    pub authorization_endpoint: String,
    /// Where the code is exchanged.
    pub token_endpoint: String,
    /// Where the keys are.
    pub jwks_uri: String,
    /// Where more of the person is told.
    pub userinfo_endpoint: Option<String>,
    /// Where the browser logs out.
    pub end_session_endpoint: Option<String>,
    /// Where requests are pushed (RFC 9126).
    pub pushed_authorization_request_endpoint: Option<String>,
    /// Whether requests must be pushed.
    pub require_pushed_authorization_requests: bool,
    /// Whether it takes signed request objects alone (RFC 9101, 10.5).
    pub require_signed_request_object: bool,
    /// Whether it takes the `claims` parameter: without it `acr` cannot be asked for as essential.
    pub claims_parameter: bool,
    /// Whether its answers carry `iss` (RFC 9207): then they must.
    pub response_iss: bool,
    /// What it may sign ID tokens with, as far as we take it; `none` and HMAC are not in it.
    pub id_token_algorithms: AlgorithmSet,
}

impl Discovery {
    /// Reads a document, which must be that of `issuer`.
    ///
    /// # Errors
    /// The JSON reader's; `issuer_missing`, `issuer_mismatch`; `endpoint_malformed` for an address that is not https (http
    /// on loopback); `discovery_malformed` for a member that is missing, of the wrong type, or without what we need.
    pub fn read(document: &[u8], issuer: &str) -> Result<Self, Reject> {
        let read = Document::read(document.to_vec(), &limits::PROVIDER_DOCUMENT)?;
        let all = Reader(read.root());
        all.is_of(issuer)?;
        if !all.texts("response_types_supported")?.unwrap_or_default().iter().any(|kind| kind == "code") {
            return Err(malformed("`response_types_supported` has no `code`"));
        }
        // OpenID Connect leaves PKCE open; a provider that says what it knows must know S256 (OSP 2.1.8), which is what it
        // will be sent.
        let pkce = all.texts("code_challenge_methods_supported")?;
        if pkce.is_some_and(|methods| !methods.iter().any(|method| method == "S256")) {
            return Err(malformed("`code_challenge_methods_supported` has no `S256`"));
        }
        let signing = all.texts("id_token_signing_alg_values_supported")?;
        let signing = signing.ok_or_else(|| malformed("no `id_token_signing_alg_values_supported`"))?;
        let id_token_algorithms: AlgorithmSet =
            signing.iter().filter_map(|name| JwsAlgorithm::from_name(name)).collect();
        if id_token_algorithms.is_empty() {
            return Err(malformed("no algorithm in `id_token_signing_alg_values_supported` is taken"));
        }
        let needed = |name| all.endpoint(name)?.ok_or_else(|| malformed(format_args!("no `{name}`")));
        let discovery = Self {
            issuer: issuer.to_owned(),
            authorization_endpoint: needed("authorization_endpoint")?,
            token_endpoint: needed("token_endpoint")?,
            jwks_uri: needed("jwks_uri")?,
            userinfo_endpoint: all.endpoint("userinfo_endpoint")?,
            end_session_endpoint: all.endpoint("end_session_endpoint")?,
            pushed_authorization_request_endpoint: all.endpoint("pushed_authorization_request_endpoint")?,
            require_pushed_authorization_requests: all.flag("require_pushed_authorization_requests")?,
            require_signed_request_object: all.flag("require_signed_request_object")?,
            claims_parameter: all.flag("claims_parameter_supported")?,
            response_iss: all.flag("authorization_response_iss_parameter_supported")?,
            id_token_algorithms,
        };
        if discovery.require_pushed_authorization_requests && discovery.pushed_authorization_request_endpoint.is_none()
        {
            return Err(malformed("pushed requests are required, and there is no endpoint for them"));
        }
        Ok(discovery)
    }
}

/// Where the keys of `issuer` are, by its document: all that bearer tokens need of it (RFC 8414, 2).
///
/// # Errors
/// As [`Discovery::read`], of what is looked at.
pub fn jwks_uri(document: &[u8], issuer: &str) -> Result<String, Reject> {
    let read = Document::read(document.to_vec(), &limits::PROVIDER_DOCUMENT)?;
    let all = Reader(read.root());
    all.is_of(issuer)?;
    all.endpoint("jwks_uri")?.ok_or_else(|| malformed("no `jwks_uri`"))
}

fn malformed(what: impl std::fmt::Display) -> Reject {
    Reject::new(Reason::DiscoveryMalformed, what)
}

/// Members by their types: a wrong type is no absence.
struct Reader<'d>(Object<'d>);

impl Reader<'_> {
    /// Whose document it is. Exactly: it may come from anywhere, the name may not (4.3).
    fn is_of(&self, issuer: &str) -> Result<(), Reject> {
        match self.text("issuer")? {
            None => Err(Reject::new(Reason::IssuerMissing, "no `issuer`")),
            Some(name) if name != issuer => {
                let detail = format_args!("the document is of {name:?}; {issuer:?} is configured");
                Err(Reject::new(Reason::IssuerMismatch, detail))
            }
            Some(_) => Ok(()),
        }
    }

    fn text(&self, name: &str) -> Result<Option<String>, Reject> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        let text = value.as_text().filter(|text| !text.is_empty());
        text.map(|text| Some(text.into_owned())).ok_or_else(|| malformed(format_args!("`{name}` is no text")))
    }

    fn flag(&self, name: &str) -> Result<bool, Reject> {
        let Some(value) = self.0.get(name) else { return Ok(false) };
        value.as_bool().ok_or_else(|| malformed(format_args!("`{name}` is neither true nor false")))
    }

    fn texts(&self, name: &str) -> Result<Option<Vec<String>>, Reject> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        let list = value.as_array().and_then(|list| {
            list.map(|item| Value::as_text(item).map(|text| text.into_owned())).collect::<Option<Vec<_>>>()
        });
        list.map(Some).ok_or_else(|| malformed(format_args!("`{name}` is no array of texts")))
    }

    /// An address to send a browser or ourselves to: https, or http on loopback (T33).
    fn endpoint(&self, name: &str) -> Result<Option<String>, Reject> {
        let address = self.text(name)?;
        match address {
            Some(address) if !is_safe_endpoint(&address) || address.contains('#') => {
                let detail = format_args!("`{name}` is {address:?}, which is not https");
                Err(Reject::new(Reason::EndpointMalformed, detail))
            }
            address => Ok(address),
        }
    }
}
