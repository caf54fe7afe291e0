//! What the joining rules of Sweden Connect ask of a service's metadata (Tekniska anslutningsregler 3.1 to 3.6, deployment
//! profile 2.1): held before the document is printed for it, so that nothing comes back from the federation's desk.

use crate::config::{Config, Organisation};
use crate::gate::ACCEPTS_COORDINATION_NUMBER;

/// What a service of the public or the private sector is marked by (TAR 3.5.2).
const SECTORS: [&str; 2] =
    ["http://id.elegnamnden.se/st/1.0/public-sector-sp", "http://id.elegnamnden.se/st/1.0/private-sector-sp"];

/// Contract categories (TAR 3.6): of an organisation, by its name.
const CONTRACTS: &str = "http://id.swedenconnect.se/contract/";

/// Whose names the federation's own categories are.
const OWNERS: [&str; 2] = ["http://id.elegnamnden.se/", "http://id.swedenconnect.se/"];

/// The categories of one kind, all that there are ("Entity Categories for the Swedish eID Framework" 1.9).
struct Kind {
    name: &'static str,
    /// The part of a category's address that says which kind it is.
    part: &'static str,
    known: &'static [&'static str],
}

/// Which attributes at which level (Entity Categories 2).
const SERVICE: Kind = Kind {
    name: "service entity category",
    part: "ec",
    known: &[
        "http://id.elegnamnden.se/ec/1.0/loa2-pnr",
        "http://id.elegnamnden.se/ec/1.0/loa3-pnr",
        "http://id.elegnamnden.se/ec/1.0/loa4-pnr",
        "http://id.elegnamnden.se/ec/1.0/eidas-naturalperson",
        "http://id.elegnamnden.se/ec/1.0/eidas-pnr-delivery",
        "http://id.swedenconnect.se/ec/1.0/loa2-name",
        "http://id.swedenconnect.se/ec/1.0/loa3-name",
        "http://id.swedenconnect.se/ec/1.0/loa4-name",
        "http://id.swedenconnect.se/ec/1.0/loa2-orgid",
        "http://id.swedenconnect.se/ec/1.0/loa3-orgid",
        "http://id.swedenconnect.se/ec/1.0/loa4-orgid",
        "http://id.swedenconnect.se/ec/1.0/loa3-hsaid",
        // Superseded by loa3-pnr (TAR 3.4.1), and still what many providers declare.
        "http://id.swedenconnect.se/ec/sc/uncertified-loa3-pnr",
    ],
};

/// The other kinds of the same document, but for contracts.
const OTHERS: [Kind; 3] = [
    Kind {
        name: "service property",
        part: "sprop",
        known: &["http://id.elegnamnden.se/sprop/1.0/mobile-auth", "http://id.elegnamnden.se/sprop/1.0/scal2"],
    },
    Kind {
        name: "service type",
        part: "st",
        known: &[
            "http://id.elegnamnden.se/st/1.0/sigservice",
            "http://id.elegnamnden.se/st/1.0/public-sector-sp",
            "http://id.elegnamnden.se/st/1.0/private-sector-sp",
        ],
    },
    Kind {
        name: "general category",
        part: "general-ec",
        known: &[
            "http://id.swedenconnect.se/general-ec/1.0/secure-authenticator-binding",
            ACCEPTS_COORDINATION_NUMBER,
            "http://id.swedenconnect.se/general-ec/1.0/supports-user-message",
        ],
    },
];

/// What is wrong with a category under the federation's names that it does not have; nothing with those of others.
fn unknown(category: &str) -> Option<String> {
    let rest = OWNERS.iter().find_map(|owner| category.strip_prefix(owner))?;
    if category.starts_with(CONTRACTS) {
        let what = format!("`entity_categories` has {category:?}: a contract is {CONTRACTS}ORGANISATION/CONTRACT");
        return (!is_contract(category)).then_some(what);
    }
    let part = rest.split('/').next().unwrap_or_default();
    let kind = OTHERS.iter().find(|kind| kind.part == part).unwrap_or(&SERVICE);
    (!kind.known.contains(&category)).then(|| {
        let all = kind.known.join(", ");
        format!("`entity_categories` has {category:?}, which Sweden Connect does not: a {} is one of {all}", kind.name)
    })
}

/// `…/contract/<organisation>/<contract>`.
fn is_contract(category: &str) -> bool {
    let named = category.strip_prefix(CONTRACTS).and_then(|rest| rest.split_once('/'));
    named.is_some_and(|(organisation, contract)| !organisation.is_empty() && !contract.is_empty())
}

/// Everything that is missing; empty where the metadata may be handed in. Each says which key it is about.
pub(super) fn missing(config: &Config) -> Vec<String> {
    let none = Organisation::default();
    let organisation = config.organisation.as_ref().unwrap_or(&none);
    let mut out = Vec::new();
    let mut lacks = |is: bool, what: &str| {
        if is {
            out.push(format!("organisation: {what}"));
        }
    };
    for (key, texts) in [
        ("name", &organisation.name),
        ("display_name", &organisation.display_name),
        ("url", &organisation.url),
        ("service_name", &organisation.service_name),
    ] {
        for language in ["sv", "en"] {
            let what = format!("`{key}` has no text in \"{language}\" (TAR 3.1 and 3.2)");
            lacks(!texts.contains_key(language), &what);
        }
    }
    lacks(organisation.number.is_none(), "no `number`: md-org-ext's OrganizationNumber (TAR 3.1)");
    lacks(organisation.logo.is_none(), "no `logo`: mdui:Logo (deployment profile 2.1.2)");
    for kind in ["technical", "support"] {
        let reached = |contact: &&crate::config::Contact| contact.kind == kind && contact.email.is_some();
        let what = format!("no `contact` of kind \"{kind}\" with an `email`");
        lacks(!organisation.contacts.iter().any(|contact| reached(&contact)), &what);
    }
    let categories = &organisation.entity_categories;
    let sectors = categories.iter().filter(|category| SECTORS.contains(&category.as_str())).count();
    lacks(
        sectors != 1,
        "`entity_categories` must have one of …/st/1.0/public-sector-sp and …/st/1.0/private-sector-sp (TAR 3.5.2)",
    );
    for what in categories.iter().filter_map(|category| unknown(category)) {
        lacks(true, &what);
    }
    lacks(
        !categories.iter().any(|category| SERVICE.known.contains(&category.as_str())),
        &format!(
            "`entity_categories` has no service entity category: no provider would know what to send. One of {}",
            SERVICE.known.join(", ")
        ),
    );
    lacks(
        !categories.iter().any(|category| is_contract(category)),
        "`entity_categories` has no contract, such as http://id.swedenconnect.se/contract/sc/sweden-connect: providers that declare one are not offered (TAR 3.6)",
    );
    lacks(
        categories.iter().any(|category| category == ACCEPTS_COORDINATION_NUMBER)
            && !config.service.accept_coordination_number,
        "`entity_categories` says that coordination numbers are accepted, and `accept_coordination_number` under [service] does not (Entity Categories 6.2)",
    );
    if config.keys.decryption.is_empty() {
        out.push("keys: no `decryption`: the federation's providers encrypt (deployment profile 6.1)".to_owned());
    }
    if !config.service.base_url.as_str().starts_with("https://") {
        out.push("service: `base_url` must begin with https:// (deployment profile 2.1.2)".to_owned());
    }
    out
}
