//! What verified metadata says of one identity provider.

use std::time::Duration;

use crate::base::UnixTime;
use crate::crypto::trusted::PublicKey;

/// One IdP, extracted from a verified feed (SAML Metadata 2.4.3).
#[derive(Debug)]
pub struct IdpMetadata {
    /// entityID, compared exactly.
    pub entity_id: String,
    /// Every signing key: `use="signing"` or no `use` (profile 3.7).
    pub signing_keys: Vec<PublicKey>,
    /// Keys in the metadata that were not taken, and why, for the operator.
    pub refused_keys: Vec<String>,
    /// SingleSignOnService endpoints that we can use.
    pub sso: Vec<Endpoint>,
    /// SingleLogoutService endpoints that we can use.
    pub slo: Vec<SloEndpoint>,
    /// WantAuthnRequestsSigned.
    pub want_authn_requests_signed: bool,
    /// assurance-certification: the levels that it may assert.
    pub loa: Vec<String>,
    /// Entity categories.
    pub entity_categories: Vec<String>,
    /// psc:RequestedPrincipalSelection: names of attributes that tell it whom to expect (PSC).
    pub principal_selection: Vec<String>,
    /// shibmd:Scope values.
    pub scopes: Vec<Scope>,
    /// mdui:DisplayName, else OrganizationDisplayName: (language, text).
    pub display_names: Vec<(String, String)>,
    /// The earliest validUntil of the feed and everything around the entity; none where none is stated.
    pub valid_until: Option<UnixTime>,
    /// The shortest cacheDuration around the entity.
    pub cache_duration: Option<Duration>,
}

/// A binding that a browser can be sent by (SAML Bindings 3.4, 3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SsoBinding {
    /// HTTP-Redirect.
    Redirect,
    /// HTTP-POST.
    Post,
}

/// An endpoint with an https address, or http on loopback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// How.
    pub binding: SsoBinding,
    /// Where to.
    pub location: String,
}

/// Where messages of single logout go (SAML Metadata 2.2.2). The addresses are https, or http on loopback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SloEndpoint {
    /// How.
    pub binding: SsoBinding,
    /// Where requests go.
    pub location: String,
    /// Where answers go: ResponseLocation, else the same.
    pub response_location: String,
}

/// A shibmd:Scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The scope's text. Scopes given as regular expressions are left out: they match nothing.
    pub value: String,
}
