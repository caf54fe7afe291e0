//! What a provider promises to tell of a person: by its service entity categories (Sweden Connect, "Entity Categories", 2.1),
//! or by the OpenID profile that it follows. Nothing is held against a promise but an outlook: what counts at a login is what
//! came.

use super::ProviderEntry;
use super::failover::Identifier;
use super::registry::Known;
use crate::config::Protocol;
use crate::identity::Field;
use crate::policy::Route;
use crate::verify::jose::OidcProfile;

/// Which kinds of people it promises to tell of.
#[derive(Clone, Copy, Default)]
struct Promises {
    number: bool,
    foreign: bool,
    hsa_id: bool,
    organisation: bool,
    /// People by their names alone.
    names: bool,
}

impl Promises {
    fn of_categories(categories: &[String]) -> Self {
        let any = |part: &str| {
            // The third has one category, which is superseded and which most of the federation declares (TAR 3.4.1).
            let ours = [
                "http://id.elegnamnden.se/ec/1.0/",
                "http://id.swedenconnect.se/ec/1.0/",
                "http://id.swedenconnect.se/ec/sc/",
            ];
            let names = categories.iter().filter_map(|c| ours.iter().find_map(|ours| c.strip_prefix(ours)));
            names.into_iter().any(|name| name.ends_with(part))
        };
        // One that gives a number at some level and something else at another promises both.
        Self {
            number: any("-pnr"),
            foreign: any("eidas-naturalperson"),
            hsa_id: any("-hsaid"),
            organisation: any("-orgid"),
            names: any("-name"),
        }
    }

    /// Whether anything is known at all.
    const fn any(self) -> bool {
        self.number || self.foreign || self.hsa_id || self.organisation || self.names
    }

    /// Whether it would tell `field`, as far as a promise could say.
    const fn has(self, field: Field) -> bool {
        match field {
            Field::PersonalNumber | Field::CoordinationNumber | Field::CoordinationLevel => self.number,
            Field::Prid | Field::Country => self.foreign,
            Field::HsaId => self.hsa_id,
            Field::OrgAffiliation => self.organisation,
            // In every kind, or in none: no category tells of it.
            Field::Name
            | Field::GivenName
            | Field::Surname
            | Field::DateOfBirth
            | Field::PreviousNumber
            | Field::Loa
            | Field::Eid => true,
        }
    }
}

impl ProviderEntry {
    fn promises(&self) -> Promises {
        let foreign = Promises { foreign: true, ..Promises::default() };
        match (&self.known, &self.config.protocol) {
            (_, Protocol::Saml(own)) if own.eidas_connector => foreign,
            (_, Protocol::Oidc(own)) if own.eidas_connector => foreign,
            (Known::Saml(Ok(idp)), Protocol::Saml(_)) => Promises::of_categories(&idp.entity_categories),
            (_, Protocol::Oidc(own)) => match own.profile {
                OidcProfile::OidcSweden | OidcProfile::SwedenConnect | OidcProfile::Freja => {
                    Promises { number: true, ..Promises::default() }
                }
                OidcProfile::Generic | OidcProfile::Inera => Promises::default(),
            },
            (_, Protocol::Saml(_) | Protocol::Jwt(_)) => Promises::default(),
        }
    }

    /// By what the e-service would know a person from this provider, where the route does not say.
    pub fn identifier(&self) -> Identifier {
        let promises = self.promises();
        if promises.number {
            Identifier::Number
        } else if promises.foreign {
            Identifier::Prid
        } else if promises.hsa_id || promises.organisation {
            Identifier::Employee
        } else {
            Identifier::Own
        }
    }

    /// What `route` requires and the provider does not promise; nothing where it promises nothing that is known.
    pub fn lacks(&self, route: &Route) -> Vec<Field> {
        let promises = self.promises();
        route.require.iter().copied().filter(|field| promises.any() && !promises.has(*field)).collect()
    }
}
