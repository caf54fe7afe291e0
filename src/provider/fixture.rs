//! Providers for unit tests.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use super::ProviderEntry;
use crate::base::{EidId, ProviderId, Secret, UnixTime};
use crate::config::{Encryption, Method, Protocol, Provider, SamlProvider};
use crate::crypto::own::{SigningKey, generate_p256_pem};
use crate::crypto::trusted::PublicKey;
use crate::identity::Loa;
use crate::verify::saml::{Endpoint, IdpMetadata, Profile, Signed, SsoBinding};
use crate::verify::{Reason, Reject};

pub(crate) const NOW: UnixTime = UnixTime::from_secs(1_772_359_200);

pub(crate) fn key() -> SigningKey {
    let pem = generate_p256_pem().unwrap().expose().clone().into_bytes();
    SigningKey::from_pem(&Secret::new(pem), "test").unwrap()
}

pub(crate) fn loa(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| Loa::parse(name).unwrap().uri().to_owned()).collect()
}

pub(crate) fn idp(entity_id: &str, levels: &[&str], bindings: &[SsoBinding]) -> IdpMetadata {
    let location = format!("{entity_id}/sso");
    IdpMetadata {
        entity_id: entity_id.to_owned(),
        signing_keys: vec![PublicKey::from_certificate(key().certificate()).unwrap()],
        refused_keys: Vec::new(),
        sso: bindings.iter().map(|binding| Endpoint { binding: *binding, location: location.clone() }).collect(),
        slo: Vec::new(),
        want_authn_requests_signed: true,
        loa: loa(levels),
        entity_categories: Vec::new(),
        principal_selection: Vec::new(),
        scopes: Vec::new(),
        display_names: Vec::new(),
        valid_until: Some(NOW.plus(Duration::from_secs(24 * 3600))),
        cache_duration: None,
    }
}

pub(crate) fn provider(id: &str, eid: &str) -> Provider {
    Provider {
        id: ProviderId::new(id).unwrap(),
        eid: EidId::new(eid).unwrap(),
        method: Method::Any,
        label: eid.to_uppercase(),
        force_authn: true,
        withdrawn_key_ends_sessions: false,
        probe: true,
        loa: Vec::new(),
        loa_map: Vec::new(),
        protocol: Protocol::Saml(SamlProvider {
            entity_id: format!("https://{id}.example.se"),
            metadata: "feed".to_owned(),
            profile: Profile::Federation,
            signed: Signed::Response,
            encryption: Encryption::Optional,
            allow_unsolicited: false,
            eidas_connector: false,
            binding: None,
            authenticating_authorities: Vec::new(),
            logout_at_provider: true,
        }),
    }
}

/// The same provider with other SAML settings.
pub(crate) fn saml(mut provider: Provider, change: impl FnOnce(&mut SamlProvider)) -> Provider {
    if let Protocol::Saml(own) = &mut provider.protocol {
        change(own);
    }
    provider
}

/// bankid-a at loa3 and loa4, bankid-b at loa3, freja at loa2 and loa3 by POST alone.
pub(crate) fn entries() -> Vec<ProviderEntry> {
    let entry = |id: &str, eid: &str, levels: &[&str], bindings: &[SsoBinding]| {
        let config = provider(id, eid);
        let idp = idp(&format!("https://{id}.example.se"), levels, bindings);
        ProviderEntry::new(config, Ok(Arc::new(idp)))
    };
    vec![
        entry("bankid-a", "bankid", &["loa3", "loa4"], &[SsoBinding::Post, SsoBinding::Redirect]),
        entry("bankid-b", "bankid", &["loa3"], &[SsoBinding::Redirect]),
        entry("freja", "freja", &["loa2", "loa3"], &[SsoBinding::Post]),
    ]
}

/// The same provider, whose metadata did not come.
pub(crate) fn in_trouble(entry: &ProviderEntry) -> ProviderEntry {
    ProviderEntry::new(entry.config().clone(), Err(Reject::new(Reason::MetadataExpired, "a test")))
}
