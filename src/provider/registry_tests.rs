//! What a snapshot is asked.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use super::super::fixture::{NOW, entries, idp, in_trouble, loa, provider, saml};
use super::*;
use crate::base::{EidId, RouteName};
use crate::identity::Loa;
use crate::policy::Access;

fn route(levels: &[&str], eid: &[&str]) -> Route {
    Route {
        name: RouteName::new("/x"),
        access: Access::Session,
        loa: levels.iter().map(|name| Loa::parse(name).unwrap()).collect(),
        require: Vec::new(),
        eid: eid.iter().map(|name| EidId::new(name).unwrap()).collect(),
        max_age: None,
        background: false,
        bearer: Vec::new(),
        scopes: Vec::new(),
        forward: Vec::new(),
    }
}

#[test]
fn a_route_is_served_in_its_own_order_of_preference() {
    let snapshot = Snapshot::new(entries());
    let ids = |eid: &[&str]| -> Vec<String> {
        snapshot.for_route(&route(&[], eid)).iter().map(|entry| entry.config().id.to_string()).collect()
    };
    assert_eq!(ids(&[]), ["bankid-a", "bankid-b", "freja"]);
    assert_eq!(ids(&["freja", "bankid"]), ["freja", "bankid-a", "bankid-b"]);
    assert_eq!(ids(&["siths"]), [""; 0]);
    assert_eq!(snapshot.by_entity_id("https://freja.example.se").unwrap().config().id.as_str(), "freja");
    for near in ["https://freja.example.se/", "https://Freja.example.se", "freja", ""] {
        assert!(snapshot.by_entity_id(near).is_none(), "{near}");
    }
}

#[test]
fn metadata_is_good_until_the_instant_it_names() {
    let entry = entries().remove(0);
    let last = NOW.plus(Duration::from_secs(24 * 3600));
    assert!(entry.saml(last.minus(Duration::from_millis(1))).is_ok());
    let reject = entry.saml(last).unwrap_err();
    assert_eq!(reject.reason(), Reason::ProviderWithoutKeys);
    let reject = in_trouble(&entry).usable(NOW).unwrap_err();
    assert_eq!(reject.reason(), Reason::ProviderWithoutKeys);
    assert!(reject.detail().contains("metadata_expired"), "{}", reject.detail());
    assert!(Snapshot::new(entries()).any_usable(NOW));
    assert!(!Snapshot::new(entries()).any_usable(last));
}

#[test]
fn asks_for_what_the_route_takes_and_the_provider_may_assert() {
    let asks = |entry: &ProviderEntry, levels: &[&str]| entry.asks(&route(levels, &[]), NOW);
    let entry = entries().remove(0);
    assert_eq!(asks(&entry, &[]), Some(loa(&["loa3", "loa4"])));
    assert_eq!(asks(&entry, &["loa4", "uncertified-loa3"]), Some(loa(&["loa4"])));
    assert_eq!(asks(&entry, &["uncertified-loa3"]), None);

    // Freja's real entry declares an eIDAS level; only the connector may assert one (profile 1.3).
    let levels = ["loa3", "eidas-nf-sub", "uncertified-eidas-sub"];
    let with = |connector: bool| {
        let config = saml(provider("freja", "freja"), |own| own.eidas_connector = connector);
        let idp = idp("https://freja.example.se", &levels, &[SsoBinding::Redirect]);
        ProviderEntry::new(config, Ok(Arc::new(idp)))
    };
    assert_eq!(asks(&with(false), &[]), Some(loa(&["loa3", "uncertified-eidas-sub"])));
    assert_eq!(asks(&with(false), &["eidas-nf-sub"]), None);
    assert_eq!(asks(&with(true), &["eidas-nf-sub"]), Some(loa(&["eidas-nf-sub"])));

    // Several of the federation's declare a level that no login is at. It is not asked for, and makes no other way of one.
    let mut old = idp("https://b.example.se", &["uncertified-loa3"], &[SsoBinding::Redirect]);
    old.loa.push("http://id.swedenconnect.se/loa/1.0/uncertified-loa3-sigmessage".to_owned());
    let old = ProviderEntry::new(provider("b", "bankid"), Ok(Arc::new(old)));
    assert_eq!(asks(&old, &[]), Some(loa(&["uncertified-loa3"])));
    assert_eq!(old.may_assert(&route(&[], &[])), Some(loa(&["uncertified-loa3"])));
}

#[test]
fn a_broker_outside_the_federation_is_asked_in_its_own_words() {
    let config = Provider {
        loa: loa(&["uncertified-loa3"]),
        loa_map: vec![
            ("urn:x:SoftwarePKI".to_owned(), loa(&["uncertified-loa3"]).remove(0)),
            ("urn:x:SmartcardPKI".to_owned(), loa(&["uncertified-loa3"]).remove(0)),
        ],
        ..provider("broker", "bankid")
    };
    let entry = ProviderEntry::new(config, Ok(Arc::new(idp("https://broker", &[], &[SsoBinding::Post]))));
    let asked = entry.asks(&route(&["uncertified-loa3"], &[]), NOW).unwrap();
    assert_eq!(asked, loa(&["uncertified-loa3"]));
    assert_eq!(entry.in_its_words(&asked), ["urn:x:SoftwarePKI", "urn:x:SmartcardPKI"]);
    assert_eq!(entry.in_its_words(&loa(&["loa3"])), loa(&["loa3"]));
}

#[test]
fn the_binding_is_as_configured_else_redirect_where_it_is_offered() {
    let offered = |binding: Option<SsoBinding>, offered: &[SsoBinding]| {
        let config = saml(provider("a", "bankid"), |own| own.binding = binding);
        let entry = ProviderEntry::new(config, Ok(Arc::new(idp("https://a", &["loa3"], offered))));
        entry.saml(NOW).unwrap().endpoint().map(|endpoint| endpoint.binding)
    };
    use SsoBinding::{Post, Redirect};
    assert_eq!(offered(None, &[Post, Redirect]), Some(Redirect));
    assert_eq!(offered(None, &[Post]), Some(Post));
    assert_eq!(offered(Some(Post), &[Redirect, Post]), Some(Post));
    assert_eq!(offered(Some(Post), &[Redirect]), None);
    assert_eq!(offered(None, &[]), None);
}

#[test]
fn a_swap_is_whole() {
    let registry = Registry::new(Snapshot::new(entries()));
    let before = registry.owned();
    registry.replace(Snapshot::default());
    assert_eq!(before.all().len(), 3, "whoever holds the old one keeps it");
    assert!(registry.current().all().is_empty());
}
