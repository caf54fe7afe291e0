//! Names of the federation that the demo writes: levels of assurance, attributes, statuses.

/// The URI behind a short name of a level of assurance (`loa3`, `uncertified-loa3`, `eidas-nf-sub`…). A text with a
/// colon is a URI already and comes back as it is (Sweden Connect registry, 3.1.1).
pub fn loa_uri(name: &str) -> String {
    if name.contains(':') {
        return name.to_owned();
    }
    let elegnamnden = name.starts_with("eidas-") || (name.starts_with("loa") && !name.ends_with("-nonresident"));
    let base = if elegnamnden { "http://id.elegnamnden.se/loa/1.0/" } else { "http://id.swedenconnect.se/loa/1.0/" };
    format!("{base}{name}")
}

/// The last part of a level's URI: its short name.
pub fn loa_short(uri: &str) -> &str {
    uri.rsplit('/').next().unwrap_or(uri)
}

/// personalIdentityNumber: a personal or a coordination number (attribute specification 3.1).
pub const PERSONAL_IDENTITY_NUMBER: &str = "urn:oid:1.2.752.29.4.13";
/// sn.
pub const SURNAME: &str = "urn:oid:2.5.4.4";
/// givenName.
pub const GIVEN_NAME: &str = "urn:oid:2.5.4.42";
/// displayName.
pub const DISPLAY_NAME: &str = "urn:oid:2.16.840.1.113730.3.1.241";
/// dateOfBirth.
pub const DATE_OF_BIRTH: &str = "urn:oid:1.3.6.1.5.5.7.9.1";

/// The person cancelled (registry 3.1.4).
pub const STATUS_CANCEL: &str = "http://id.elegnamnden.se/status/1.0/cancel";
/// Fraud was established.
pub const STATUS_FRAUD: &str = "http://id.elegnamnden.se/status/1.0/fraud";
/// Fraud is suspected.
pub const STATUS_POSSIBLE_FRAUD: &str = "http://id.elegnamnden.se/status/1.0/possibleFraud";

pub(crate) const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";
pub(crate) const REQUESTER: &str = "urn:oasis:names:tc:SAML:2.0:status:Requester";
pub(crate) const RESPONDER: &str = "urn:oasis:names:tc:SAML:2.0:status:Responder";
pub(crate) const AUTHN_FAILED: &str = "urn:oasis:names:tc:SAML:2.0:status:AuthnFailed";
pub(crate) const NO_AUTHN_CONTEXT: &str = "urn:oasis:names:tc:SAML:2.0:status:NoAuthnContext";
pub(crate) const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
pub(crate) const PERSISTENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";
pub(crate) const ATTRNAME_URI: &str = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri";
pub(crate) const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
pub(crate) const BINDING_REDIRECT: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";
pub(crate) const BINDING_POST: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";
