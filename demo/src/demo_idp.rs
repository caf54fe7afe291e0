//! A demo identity provider: an entityID, an address, a key, and the answers that it gives.

use std::sync::Arc;

use grindvakt::base::UnixTime;

use crate::key::DemoKey;
use crate::names::loa_uri;
use crate::request::Request;
use crate::response::ResponseBuilder;

/// What a provider signs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sign {
    /// The Response: the rule of the federation.
    #[default]
    Response,
    /// The Assertion only, as some brokers do. An answer without an assertion is signed as a Response.
    Assertion,
    /// The Assertion first, then the Response around it.
    Both,
}

/// A provider. Cheap to clone: clones share the key.
#[derive(Clone)]
pub struct DemoIdp {
    pub(crate) entity_id: String,
    pub(crate) base_url: String,
    pub(crate) display_name: String,
    pub(crate) loa: Vec<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) want_requests_signed: bool,
    pub(crate) single_logout: bool,
    pub(crate) principal_selection: Vec<String>,
    pub(crate) sign: Sign,
    pub(crate) key: Arc<DemoKey>,
    pub(crate) published: Vec<Arc<DemoKey>>,
}

impl DemoIdp {
    /// A provider with a new RSA key. `base_url` has no slash at its end; the provider's sign-on address is
    /// `<base_url>/sso`. It is certified for `loa3` and `uncertified-loa3` until told otherwise.
    pub fn new(entity_id: &str, base_url: &str) -> Self {
        Self::with_key(entity_id, base_url, Arc::new(DemoKey::rsa(entity_id)))
    }

    /// A provider with a given key: making RSA keys takes time, and tests may share one.
    pub fn with_key(entity_id: &str, base_url: &str, key: Arc<DemoKey>) -> Self {
        Self {
            entity_id: entity_id.to_owned(),
            base_url: base_url.to_owned(),
            display_name: entity_id.to_owned(),
            loa: vec![loa_uri("loa3"), loa_uri("uncertified-loa3")],
            scopes: Vec::new(),
            want_requests_signed: true,
            single_logout: true,
            principal_selection: Vec::new(),
            sign: Sign::Response,
            published: vec![key.clone()],
            key,
        }
    }

    /// The name that its metadata shows to people.
    #[must_use]
    pub fn named(mut self, display_name: &str) -> Self {
        self.display_name = display_name.to_owned();
        self
    }

    /// The levels in its metadata's assurance-certification: short names or URIs.
    #[must_use]
    pub fn certified(mut self, loa: &[&str]) -> Self {
        self.loa = loa.iter().map(|name| loa_uri(name)).collect();
        self
    }

    /// The scopes in its metadata.
    #[must_use]
    pub fn scopes(mut self, scopes: &[&str]) -> Self {
        self.scopes = scopes.iter().map(|s| (*s).to_owned()).collect();
        self
    }

    /// Whether its metadata says WantAuthnRequestsSigned.
    #[must_use]
    pub fn wants_signed_requests(mut self, wants: bool) -> Self {
        self.want_requests_signed = wants;
        self
    }

    /// A provider without single logout.
    #[must_use]
    pub const fn without_logout(mut self) -> Self {
        self.single_logout = false;
        self
    }

    /// A provider whose metadata asks to be told whom to expect, by these attributes (RequestedPrincipalSelection).
    #[must_use]
    pub fn asks_whom_to_expect(mut self, attributes: &[&str]) -> Self {
        self.principal_selection = attributes.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// What it signs.
    #[must_use]
    pub fn signs(mut self, sign: Sign) -> Self {
        self.sign = sign;
        self
    }

    /// The same provider after a key roll-over: signs with `key`, and its metadata lists `published`.
    #[must_use]
    pub fn rolled_over(mut self, key: Arc<DemoKey>, published: Vec<Arc<DemoKey>>) -> Self {
        self.key = key;
        self.published = published;
        self
    }

    /// Its entityID.
    pub fn entity_id(&self) -> &str {
        &self.entity_id
    }

    /// The name that people see.
    pub fn display_name(&self) -> &str {
        &self.display_name
    }

    /// The levels that it is certified for, as URIs.
    pub fn loa(&self) -> &[String] {
        &self.loa
    }

    /// The key that it signs with.
    pub const fn key(&self) -> &Arc<DemoKey> {
        &self.key
    }

    /// Its sign-on address, for both bindings.
    pub fn sso_url(&self) -> String {
        format!("{}/sso", self.base_url)
    }

    /// Begins an answer to `request`: a success for Åsa Öberg at the first level that was asked for, made at the instant
    /// of the request, until told otherwise.
    pub fn response(&self, request: &Request) -> ResponseBuilder<'_> {
        ResponseBuilder::new(self, request.clone())
    }

    /// Begins an answer to no request: to the service `sp_entity_id` at `acs_url`, made at `now`.
    pub fn unsolicited(&self, sp_entity_id: &str, acs_url: &str, now: UnixTime) -> ResponseBuilder<'_> {
        let request = Request {
            id: String::new(),
            issuer: sp_entity_id.to_owned(),
            acs_url: acs_url.to_owned(),
            destination: self.sso_url(),
            issue_instant: now,
            force_authn: false,
            loa: Vec::new(),
            principal: Vec::new(),
        };
        ResponseBuilder::new(self, request)
    }
}
