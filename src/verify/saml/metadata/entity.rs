//! One EntityDescriptor, cut down to an identity provider.

use super::super::schema::{Readable, required, schema, uri_text};
use super::super::{Endpoint, IdpMetadata, Scope, SloEndpoint, SsoBinding};
use super::validity::Validity;
use crate::base::UnixTime;
use crate::crypto::trusted::PublicKey;
use crate::verify::xml::ns;
use crate::verify::{Reason, Reject, base64};

const ASSURANCE: &str = "urn:oasis:names:tc:SAML:attribute:assurance-certification";
const CATEGORY: &str = "http://macedir.org/entity-category";
const REDIRECT: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";
const POST: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";

/// The IdP of an entity; none when it has no SAML 2.0 IDPSSODescriptor.
///
/// # Errors
/// `metadata_expired`, `entity_without_key`, `endpoint_malformed`, `saml_schema`.
pub(super) fn idp<'d, E: Readable<'d>>(
    entity: E,
    entity_id: &str,
    validity: Validity,
    now: UnixTime,
) -> Result<Option<IdpMetadata>, Reject> {
    let mut roles = entity.children().filter(|child| child.is(ns::MD, "IDPSSODescriptor") && speaks_saml2(*child));
    let Some(role) = roles.next() else { return Ok(None) };
    if roles.next().is_some() {
        return Err(schema("two IDPSSODescriptors for SAML 2.0"));
    }
    let validity = validity.within(role)?;
    if validity.expired(now) {
        return Err(Reject::new(Reason::MetadataExpired, "the entity is past its validUntil"));
    }
    let (signing_keys, refused_keys) = signing_keys(role)?;
    if signing_keys.is_empty() {
        let detail = match refused_keys.first() {
            Some(first) => format!("no signing key can be used: {first}"),
            None => "no KeyDescriptor for signing".to_owned(),
        };
        return Err(Reject::new(Reason::EntityWithoutKey, detail));
    }
    let mut idp = IdpMetadata {
        entity_id: entity_id.to_owned(),
        signing_keys,
        refused_keys,
        sso: sso(role)?,
        slo: slo(role),
        want_authn_requests_signed: matches!(role.attribute("WantAuthnRequestsSigned").as_deref(), Some("true" | "1")),
        loa: Vec::new(),
        entity_categories: Vec::new(),
        principal_selection: Vec::new(),
        scopes: Vec::new(),
        display_names: Vec::new(),
        valid_until: validity.until,
        cache_duration: validity.cache,
    };
    for holder in [entity, role] {
        for extension in extensions(holder) {
            if extension.is(ns::MDATTR, "EntityAttributes") {
                entity_attributes(extension, &mut idp);
            } else if extension.is(ns::SHIBMD, "Scope") {
                // A pattern could match more than anyone meant; none is in use in the federation.
                let pattern = matches!(extension.attribute("regexp").as_deref(), Some("true" | "1"));
                idp.scopes.extend(uri_text(extension).filter(|_| !pattern).map(|value| Scope { value }));
            } else if extension.is(ns::PSC, "RequestedPrincipalSelection") {
                let names = extension.children().filter(|e| e.is(ns::PSC, "MatchValue"));
                idp.principal_selection.extend(names.filter_map(|e| e.attribute("Name").map(|name| name.into_owned())));
            } else if extension.is(ns::MDUI, "UIInfo") {
                let names = extension.children().filter(|e| e.is(ns::MDUI, "DisplayName"));
                idp.display_names.extend(names.filter_map(in_language));
            }
        }
    }
    if idp.display_names.is_empty() {
        let organisation = entity.children().find(|e| e.is(ns::MD, "Organization"));
        let names = organisation.into_iter().flat_map(|o| o.children().collect::<Vec<_>>());
        idp.display_names.extend(names.filter(|e| e.is(ns::MD, "OrganizationDisplayName")).filter_map(in_language));
    }
    Ok(Some(idp))
}

fn speaks_saml2<'d>(role: impl Readable<'d>) -> bool {
    role.attribute("protocolSupportEnumeration").is_some_and(|p| p.split_ascii_whitespace().any(|p| p == ns::SAMLP))
}

/// The entity categories of any entity.
pub(super) fn entity_categories<'d>(entity: impl Readable<'d>) -> Vec<String> {
    let holders = extensions(entity).into_iter().filter(|extension| extension.is(ns::MDATTR, "EntityAttributes"));
    let attributes = holders.flat_map(|holder| holder.children().collect::<Vec<_>>());
    let categories =
        attributes.filter(|e| e.is(ns::SAML, "Attribute") && e.attribute("Name").as_deref() == Some(CATEGORY));
    let values = categories.flat_map(|attribute| attribute.children().collect::<Vec<_>>());
    values.filter(|e| e.is(ns::SAML, "AttributeValue")).filter_map(uri_text).collect()
}

fn extensions<'d, E: Readable<'d>>(element: E) -> Vec<E> {
    let holder = element.children().find(|child| child.is(ns::MD, "Extensions"));
    holder.map(|e| e.children().collect()).unwrap_or_default()
}

/// An element with `xml:lang`, as (language, text).
fn in_language<'d>(element: impl Readable<'d>) -> Option<(String, String)> {
    let language = element.attribute_ns(ns::XML, "lang")?.into_owned();
    Some((language, uri_text(element)?))
}

/// mdattr:EntityAttributes: the levels that it is certified for, and its categories (DP 2.1.3).
fn entity_attributes<'d>(holder: impl Readable<'d>, idp: &mut IdpMetadata) {
    for attribute in holder.children().filter(|e| e.is(ns::SAML, "Attribute")) {
        let values = attribute.children().filter(|e| e.is(ns::SAML, "AttributeValue")).filter_map(uri_text);
        match attribute.attribute("Name").as_deref() {
            Some(ASSURANCE) => idp.loa.extend(values),
            Some(CATEGORY) => idp.entity_categories.extend(values),
            _ => {}
        }
    }
}

/// Every key that may sign: `use="signing"`, or no `use` (SAML Metadata 2.4.1.1). Any other `use` makes no signing key
/// (T15). A certificate is a key container: nothing else in it is looked at (DP 2.1.1.2).
fn signing_keys<'d>(role: impl Readable<'d>) -> Result<(Vec<PublicKey>, Vec<String>), Reject> {
    let (mut keys, mut refused) = (Vec::<PublicKey>::new(), Vec::new());
    for descriptor in role.children().filter(|e| e.is(ns::MD, "KeyDescriptor")) {
        match descriptor.attribute("use").as_deref() {
            None | Some("signing") => {}
            Some("encryption") => continue,
            Some(other) => {
                refused.push(format!("a KeyDescriptor with the use {other:?}"));
                continue;
            }
        }
        let mut certificates = 0;
        for info in descriptor.children().filter(|e| e.is(ns::DS, "KeyInfo")) {
            for data in info.children().filter(|e| e.is(ns::DS, "X509Data")) {
                for certificate in data.children().filter(|e| e.is(ns::DS, "X509Certificate")) {
                    certificates += 1;
                    let der = certificate.text().and_then(|text| base64::decode_spaced(&text));
                    match der.map(|der| PublicKey::from_certificate(&der)) {
                        Some(Ok(key)) if keys.iter().any(|k| k.fingerprint() == key.fingerprint()) => {}
                        Some(Ok(key)) => keys.push(key),
                        Some(Err(e)) => refused.push(e.to_string()),
                        None => refused.push("a certificate that is not base64".to_owned()),
                    }
                }
            }
        }
        if certificates == 0 {
            refused.push("a KeyDescriptor without a certificate".to_owned());
        }
    }
    Ok((keys, refused))
}

/// The SingleSignOnService endpoints that a browser can be sent to.
fn sso<'d>(role: impl Readable<'d>) -> Result<Vec<Endpoint>, Reject> {
    let mut out = Vec::new();
    for service in role.children().filter(|e| e.is(ns::MD, "SingleSignOnService")) {
        let binding = match required(service, "Binding")?.as_ref() {
            REDIRECT => SsoBinding::Redirect,
            POST => SsoBinding::Post,
            _ => continue,
        };
        let location = required(service, "Location")?.into_owned();
        if !is_safe_endpoint(&location) {
            let detail = format_args!("the sign-on address {location:?} is not https");
            return Err(Reject::new(Reason::EndpointMalformed, detail));
        }
        out.push(Endpoint { binding, location });
    }
    Ok(out)
}

/// The SingleLogoutService endpoints that a browser can be sent to. Nobody's login hangs on one: an address that no
/// browser should be sent to is left out, where a sign-on address like it refuses the entity.
fn slo<'d>(role: impl Readable<'d>) -> Vec<SloEndpoint> {
    let services = role.children().filter(|e| e.is(ns::MD, "SingleLogoutService"));
    let read = |service: _| {
        let attribute = |name| Readable::attribute(&service, name).map(|text| text.into_owned());
        let binding = match attribute("Binding")?.as_str() {
            REDIRECT => SsoBinding::Redirect,
            POST => SsoBinding::Post,
            _ => return None,
        };
        let location = attribute("Location").filter(|location| is_safe_endpoint(location))?;
        let response_location = attribute("ResponseLocation").unwrap_or_else(|| location.clone());
        is_safe_endpoint(&response_location).then_some(SloEndpoint { binding, location, response_location })
    };
    services.filter_map(read).collect()
}

/// Whether a browser may be sent to `location`: https, or http on loopback, in plain printable ASCII (T33).
pub fn is_safe_endpoint(location: &str) -> bool {
    let printable = location.bytes().all(|b| b.is_ascii_graphic() && !b"\"'<>\\^`{|}".contains(&b));
    let Some((scheme, rest)) = location.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // A user name before the host makes one host look like another.
    if !printable || authority.contains('@') {
        return false;
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (authority, "0"),
    };
    let whole = !host.is_empty() && !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let loopback = matches!(host, "localhost" | "127.0.0.1" | "[::1]") || host.ends_with(".localhost");
    whole && (scheme == "https" || (scheme == "http" && loopback))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_sent_to_https_only() {
        for good in [
            "https://idp.example.se/sso",
            "https://idp.example.se:8443/sso?tenant=a&b=c",
            "http://localhost/sso",
            "http://bankid.localhost:8081/sso",
            "http://127.0.0.1:9000/",
            "http://[::1]:9000/",
        ] {
            assert!(is_safe_endpoint(good), "{good}");
        }
        for bad in [
            "",
            "javascript:alert(1)",
            "data:text/html,x",
            "http://idp.example.se/sso",
            "http://127.0.0.1.evil.example/",
            "http://localhost.evil.example/",
            "http://localhost@evil.example/",
            "http://localhost:x@evil.example/",
            "http://localhost:80x/",
            "http://evil.example:x@localhost/",
            "https://",
            "https:///path",
            "https://user@idp.example.se/",
            "https://idp.example.se/\"onload=",
            "https://idp.example.se/ x",
            "https://idp.example.se/\u{e5}",
            "HTTPS://idp.example.se/",
            "//idp.example.se/",
        ] {
            assert!(!is_safe_endpoint(bad), "{bad}");
        }
    }
}
