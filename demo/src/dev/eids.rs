//! The e-IDs of development: one provider each, standing in for what a service meets.

use grindvakt::config::{Config, Provider};

use crate::names::loa_uri;

/// Every level of the Swedish families.
const SWEDISH: [&str; 7] =
    ["loa3", "loa2", "loa4", "uncertified-loa3", "uncertified-loa2", "loa3-nonresident", "loa2-nonresident"];
const EIDAS: [&str; 6] = ["eidas-nf-sub", "eidas-nf-high", "eidas-nf-low", "eidas-sub", "eidas-high", "eidas-low"];

/// A provider of development.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevEid {
    /// The provider's id: `X-Eid-Provider`.
    pub id: String,
    /// What the citizen picks: `X-Eid-Method`.
    pub eid: String,
    /// What the citizen reads.
    pub label: String,
    /// How it is used, as `[[provider]] method` says it.
    pub method: &'static str,
    /// Whether it stands for the eIDAS connector.
    pub connector: bool,
    /// The levels that it may assert, as URIs, the usual one first.
    pub certified: Vec<String>,
}

fn uris(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| loa_uri(name)).collect()
}

/// The levels that an e-ID of this name has in Sweden today.
fn usual(eid: &str) -> &'static [&'static str] {
    match eid {
        // A provider in front of BankID that nobody has reviewed says "uncertified" (Sweden Connect registry 3.1.1.2).
        "bankid" => &["uncertified-loa3"],
        "freja" => &["loa3", "loa2", "loa3-nonresident", "loa2-nonresident"],
        "kort" => &["loa4", "loa3"],
        "siths" => &["loa3"],
        "eidas" => &EIDAS,
        _ => &SWEDISH,
    }
}

/// The e-IDs where no configuration names others: one of each kind.
pub(super) fn built_in() -> Vec<DevEid> {
    [
        ("bankid", "BankID", "any"),
        ("freja", "Freja", "any"),
        ("kort", "E-legitimation på kort", "card"),
        ("siths", "SITHS", "any"),
        ("eidas", "Utländsk e-legitimation · Foreign eID", "any"),
    ]
    .into_iter()
    .map(|(eid, label, method)| DevEid {
        id: format!("{eid}-dev"),
        eid: eid.to_owned(),
        label: label.to_owned(),
        method,
        connector: eid == "eidas",
        certified: uris(usual(eid)),
    })
    .collect()
}

/// Stand-ins for the providers of a service's own configuration: the same ids, e-IDs and labels, so that the e-service
/// reads what it will read in production.
pub(super) fn of_config(config: &Config) -> Vec<DevEid> {
    let stand_in = |provider: &Provider| {
        let connector = provider.saml().is_some_and(|saml| saml.eidas_connector);
        DevEid {
            id: provider.id.to_string(),
            eid: provider.eid.to_string(),
            label: provider.label.clone(),
            method: provider.method.name(),
            connector,
            certified: match (connector, provider.loa.is_empty()) {
                (true, _) => uris(&EIDAS),
                (false, false) => provider.loa.clone(),
                (false, true) => uris(usual(provider.eid.as_str())),
            },
        }
    };
    config.providers.iter().filter(|provider| provider.has_login()).map(stand_in).collect()
}
