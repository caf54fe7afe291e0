//! What the joining rules of Sweden Connect ask of a service's metadata (Tekniska anslutningsregler 3.1 to 3.6, deployment
//! profile 2.1): held before the document is printed for it, so that nothing comes back from the federation's desk.

use crate::config::{Config, Organisation};

/// What a service of the public or the private sector is marked by (TAR 3.5.2).
const SECTORS: [&str; 2] =
    ["http://id.elegnamnden.se/st/1.0/public-sector-sp", "http://id.elegnamnden.se/st/1.0/private-sector-sp"];

/// Service entity categories: which attributes at which level (Entity Categories 2).
const SERVICES: [&str; 2] = ["http://id.elegnamnden.se/ec/1.0/", "http://id.swedenconnect.se/ec/1.0/"];

/// Contract categories (TAR 3.6).
const CONTRACTS: &str = "http://id.swedenconnect.se/contract/";

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
    let service = categories.iter().any(|category| SERVICES.iter().any(|prefix| category.starts_with(prefix)));
    lacks(
        !service,
        "`entity_categories` has no service entity category, such as http://id.elegnamnden.se/ec/1.0/loa3-pnr: no provider would know what to send",
    );
    let contract = categories.iter().any(|category| category.starts_with(CONTRACTS));
    lacks(
        !contract,
        "`entity_categories` has no contract, such as http://id.swedenconnect.se/contract/sc/sweden-connect: providers that declare one are not offered (TAR 3.6)",
    );
    if config.keys.decryption.is_empty() {
        out.push("keys: no `decryption`: the federation's providers encrypt (deployment profile 6.1)".to_owned());
    }
    if !config.service.base_url.as_str().starts_with("https://") {
        out.push("service: `base_url` must begin with https:// (deployment profile 2.1.2)".to_owned());
    }
    out
}
