//! What is left, as a table.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::sync::Arc;

use super::*;
use crate::base::{EidId, RouteName};
use crate::identity::Loa;
use crate::provider::fixture::{NOW, entries, idp, in_trouble};
use crate::verify::saml::SsoBinding;

fn route(levels: &[&str], eid: &[&str], by_number: bool) -> Route {
    Route {
        name: RouteName::new("/x"),
        access: Access::Session,
        loa: levels.iter().map(|name| Loa::parse(name).unwrap()).collect(),
        require: if by_number { vec![Field::PersonalNumber] } else { Vec::new() },
        eid: eid.iter().map(|name| EidId::new(name).unwrap()).collect(),
        max_age: None,
        background: false,
        bearer: Vec::new(),
        scopes: Vec::new(),
        forward: Vec::new(),
    }
}

/// `bankid-a: bankid-b takes over …`, a line for each provider that may fail and each other one.
fn told(snapshot: &Snapshot, route: &Route, health: impl Fn(&ProviderEntry) -> Option<Trouble>) -> Vec<String> {
    let losses = losses(snapshot, route, NOW, health);
    let line = |loss: &Loss<'_>| {
        let others = loss.others.iter().map(|(other, part)| format!("{} {part}", other.config().id));
        format!("{}: {}", loss.provider.config().id, others.collect::<Vec<_>>().join(" | "))
    };
    losses.iter().map(line).collect()
}

#[test]
fn what_is_left_is_what_a_login_would_do() {
    let snapshot = Snapshot::new(entries());
    let well = |_: &ProviderEntry| None;
    let over = "takes over, and nobody is asked";
    for (levels, eid, by_number, expect) in [
        // Both BankIDs give the same on this route; Freja is another e-ID.
        (
            &["loa3"][..],
            &[][..],
            true,
            [
                format!("bankid-a: bankid-b {over} | freja is offered"),
                format!("bankid-b: bankid-a {over} | freja is offered"),
                "freja: bankid-a is offered | bankid-b waits: another provider of its e-ID comes first".to_owned(),
            ]
            .to_vec(),
        ),
        // Who the person is would change with the provider: nobody is led there without a word.
        (
            &["loa3"],
            &["bankid"],
            false,
            vec![
                "bankid-a: bankid-b is offered, with other identifiers | freja not: the route does not list its e-ID"
                    .to_owned(),
                format!("bankid-b: bankid-a {over} | freja not: the route does not list its e-ID"),
            ],
        ),
        // One provider alone meets it.
        (
            &["loa4"],
            &[],
            true,
            vec![
                "bankid-a: bankid-b not: it may assert no level that the route takes | freja not: it may assert no \
                 level that the route takes"
                    .to_owned(),
            ],
        ),
        // Another level may be proved: said.
        (
            &["loa3", "loa4"],
            &["bankid"],
            true,
            vec![
                "bankid-a: bankid-b is offered, with other levels | freja not: the route does not list its e-ID"
                    .to_owned(),
                format!("bankid-b: bankid-a {over} | freja not: the route does not list its e-ID"),
            ],
        ),
    ] {
        assert_eq!(told(&snapshot, &route(levels, eid, by_number), well), expect, "{levels:?} {eid:?} {by_number}");
    }
    let alone = losses(&snapshot, &route(&["loa4"], &[], true), NOW, well);
    assert!(alone.iter().all(|loss| !loss.leaves_a_way() && loss.stands_in().is_none()));
    let open = Route { access: Access::Anonymous, ..route(&[], &[], false) };
    assert!(losses(&snapshot, &open, NOW, well).is_empty());
}

/// Who promises other things than the route requires may be tried, and is no way that could be counted on.
#[test]
fn who_does_not_promise_what_the_route_requires_is_told_of() {
    let freja = |category: &str| {
        let mut all = entries();
        let mut metadata = idp("https://freja.example.se", &["loa3"], &[SsoBinding::Post]);
        metadata.entity_categories = vec![format!("http://id.elegnamnden.se/ec/1.0/{category}")];
        all[2] = ProviderEntry::new(all[2].config().clone(), Ok(Arc::new(metadata)));
        all.remove(1);
        Snapshot::new(all)
    };
    let requires = |fields: &[Field]| Route { require: fields.to_vec(), ..route(&["loa3"], &[], false) };
    use Field as F;
    for (category, require, part, leaves) in [
        ("loa3-pnr", &[F::PersonalNumber, F::Name][..], "is offered", true),
        ("eidas-naturalperson", &[F::PersonalNumber], "is offered, and does not promise personal_number", false),
        ("loa3-orgid", &[F::OrgAffiliation, F::Name], "is offered, with other identifiers", true),
        (
            "loa3-pnr",
            &[F::HsaId, F::Prid],
            "is offered, with other identifiers, and does not promise hsa_id, prid",
            false,
        ),
        ("loa3-name", &[F::Name], "is offered, with other identifiers", true),
        ("loa3-name", &[F::PersonalNumber], "is offered, and does not promise personal_number", false),
        // What promises nothing that is known is taken at what it will give.
        ("loa3-unheard-of", &[F::PersonalNumber], "is offered", true),
    ] {
        let (snapshot, route) = (freja(category), requires(require));
        let told = told(&snapshot, &route, |_| None);
        assert_eq!(told.first(), Some(&format!("bankid-a: freja {part}")), "{category} {require:?}");
        let losses = losses(&snapshot, &route, NOW, |_| None);
        assert_eq!(losses[0].leaves_a_way(), leaves, "{category} {require:?}");
    }
}

/// Another way to the same e-ID that does not promise what the route requires: a person who was led there without a word would
/// come back to a refusal.
#[test]
fn nobody_is_led_without_a_word_to_who_does_not_promise_what_is_required() {
    let with = |category: &str| {
        let mut all = entries();
        let mut metadata = idp("https://bankid-b.example.se", &["loa3"], &[SsoBinding::Redirect]);
        metadata.entity_categories = vec![category.to_owned()];
        all[1] = ProviderEntry::new(all[1].config().clone(), Ok(Arc::new(metadata)));
        Snapshot::new(all)
    };
    let route = route(&["loa3"], &["bankid"], true);
    let freja = "freja not: the route does not list its e-ID";
    for (category, part, silent) in [
        ("http://id.elegnamnden.se/ec/1.0/loa3-pnr", "takes over, and nobody is asked", true),
        ("http://id.swedenconnect.se/ec/sc/uncertified-loa3-pnr", "takes over, and nobody is asked", true),
        ("http://id.swedenconnect.se/ec/1.0/loa3-name", "is offered, and does not promise personal_number", false),
        ("http://id.swedenconnect.se/ec/1.0/loa3-orgid", "is offered, and does not promise personal_number", false),
    ] {
        let snapshot = with(category);
        assert_eq!(told(&snapshot, &route, |_| None)[0], format!("bankid-a: bankid-b {part} | {freja}"), "{category}");
        let losses = losses(&snapshot, &route, NOW, |_| None);
        assert_eq!((losses[0].stands_in().is_some(), losses[0].leaves_a_way()), (silent, silent), "{category}");
    }
    // What most of the federation declares is known by the number, also where the route does not ask for one.
    let known = with("http://id.swedenconnect.se/ec/sc/uncertified-loa3-pnr");
    assert_eq!(known.all()[1].identifier(), Identifier::Number);
}

#[test]
fn who_is_in_trouble_already_takes_over_less() {
    let mut all = entries();
    all[1] = in_trouble(&all[1]);
    let snapshot = Snapshot::new(all);
    let route = route(&["loa3"], &[], true);
    let told_of = |health: Option<Trouble>| {
        told(&snapshot, &route, move |p| health.filter(|_| p.config().eid.as_str() == "freja"))
    };
    let keys = "bankid-b not: no metadata of bankid-b: metadata_expired: a test";
    assert_eq!(
        told_of(None),
        [format!("bankid-a: {keys} | freja is offered"), format!("freja: bankid-a is offered | {keys}"),],
        "without keys it carries nobody, and cannot be lost"
    );
    assert_eq!(
        told_of(Some(Trouble::Down)),
        [
            format!("bankid-a: {keys} | freja is offered; it is down itself"),
            format!("freja: bankid-a is offered | {keys}"),
        ]
    );
    assert_eq!(told_of(Some(Trouble::Closed)), [format!("bankid-a: {keys} | freja not: an operator has closed it")]);
}
