//! What we publish: SP metadata and the key set of `X-Eid-Assertion`.

use std::collections::BTreeMap;

use super::Gate;
use crate::config::{Config, Organisation as Configured};
use crate::crypto::own::SigningKey;
use crate::request::{Contact, ContactKind, Organisation, SpMetadata, sp_metadata};

/// Tells identity providers that they may send a coordination number (EC 6.2).
pub const ACCEPTS_COORDINATION_NUMBER: &str = "http://id.swedenconnect.se/general-ec/1.0/accepts-coordination-number";

/// The SP metadata of a service as an XML document, unsigned; `encryption` is the certificate to encrypt to. It needs
/// no running gate.
pub fn service_metadata(config: &Config, signing: &[SigningKey], encryption: Option<&[u8]>) -> String {
    let none = Configured::default();
    let organisation = config.organisation.as_ref().unwrap_or(&none);
    let (acs, slo) = (config.acs_urls(), config.slo_url());
    sp_metadata(&SpMetadata {
        entity_id: &config.service.entity_id,
        signing_certificates: signing.iter().map(SigningKey::certificate).collect(),
        encryption_certificate: encryption,
        acs: acs.iter().map(String::as_str).collect(),
        slo: Some(&slo),
        entity_categories: entity_categories(config),
        display_names: by_language(&organisation.service_name),
        logo: organisation.logo.as_ref().map(|(url, width, height)| (url.as_str(), *width, *height)),
        organisation: described(organisation, config.service.base_url.as_str()),
        contacts: organisation
            .contacts
            .iter()
            .map(|contact| Contact {
                kind: ContactKind::parse(&contact.kind),
                company: contact.company.as_deref(),
                given_name: None,
                surname: None,
                email: contact.email.as_deref(),
                telephone: contact.telephone.as_deref(),
            })
            .collect(),
    })
}

/// The entity categories that our metadata has: those of the configuration, and what follows from it.
pub fn entity_categories(config: &Config) -> Vec<&str> {
    let configured = config.organisation.iter().flat_map(|organisation| &organisation.entity_categories);
    let mut categories: Vec<&str> = configured.map(String::as_str).collect();
    if config.service.accept_coordination_number && !categories.contains(&ACCEPTS_COORDINATION_NUMBER) {
        categories.push(ACCEPTS_COORDINATION_NUMBER);
    }
    categories
}

/// An Organization needs a name, a display name and an address (SAML Metadata 2.3.2.1): what is not configured is made
/// up for by what is.
fn described<'a>(organisation: &'a Configured, base_url: &'a str) -> Option<Organisation<'a>> {
    let names = by_language(&organisation.name);
    let (language, _) = *names.first()?;
    let mut display_names = by_language(&organisation.display_name);
    if display_names.is_empty() {
        display_names.clone_from(&names);
    }
    let mut urls = by_language(&organisation.url);
    if urls.is_empty() {
        urls.push((language, base_url));
    }
    Some(Organisation { names, display_names, urls, number: organisation.number.as_deref() })
}

fn by_language(texts: &BTreeMap<String, String>) -> Vec<(&str, &str)> {
    texts.iter().map(|(language, text)| (language.as_str(), text.as_str())).collect()
}

impl Gate {
    /// The SP metadata as an XML document, unsigned.
    pub fn sp_metadata(&self) -> String {
        service_metadata(&self.config, &self.signing, self.decryption_certificate.as_deref())
    }

    /// The JWK set that `X-Eid-Assertion` is verified with (RFC 7517).
    pub fn jwks(&self) -> String {
        self.tokens.jwks().to_owned()
    }
}
