//! What is left of a route when one of its providers fails: by the very rules by which a login is led on (`failover`), so
//! that what is told before an outage is what happens in it. Pure.

use std::fmt;

use super::failover::{self, Differs, Identifier, Plan, Way, Wish};
use super::{ProviderEntry, Snapshot, Trouble};
use crate::base::UnixTime;
use crate::identity::Field;
use crate::policy::{Access, Route};

/// The providers on offer for `route`, in its order of preference. One that could never meet the route is not on offer;
/// one without keys is, as such.
pub fn able<'a>(snapshot: &'a Snapshot, route: &Route, now: UnixTime) -> Vec<&'a ProviderEntry> {
    let on_offer = |provider: &&ProviderEntry| provider.usable(now).is_err() || provider.can_begin(route, now);
    snapshot.for_route(route).into_iter().filter(on_offer).collect()
}

/// What a login weighs of `provider` for `route`, for somebody of whom nothing is known. `health` is what is the matter
/// with it; without keys nothing else counts.
pub fn way<'a>(provider: &'a ProviderEntry, route: &Route, now: UnixTime, health: Option<Trouble>) -> Way<'a> {
    let config = provider.config();
    let by_number = route.require.contains(&Field::PersonalNumber);
    Way {
        eid: &config.eid,
        method: config.method,
        // By what the e-service would know a person from this provider.
        identifier: if by_number { Identifier::Number } else { provider.identifier() },
        levels: provider.may_assert(route),
        lacks: provider.lacks(route),
        trouble: if provider.can_begin(route, now) { health } else { Some(Trouble::WithoutKeys) },
        unfinished: false,
        used_last: false,
    }
}

/// What is left of a route when `provider` fails.
#[derive(Clone, Debug)]
pub struct Loss<'a> {
    /// The one that fails.
    pub provider: &'a ProviderEntry,
    /// What everyone else does then, in the order of the configuration.
    pub others: Vec<(&'a ProviderEntry, Part)>,
}

/// What a provider does when another one fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Whoever wants the e-ID of the one that failed is led here without a word.
    StandsIn,
    /// The person is asked. What would change, against the one that failed.
    Offered {
        /// What differs.
        differs: Differs,
        /// What the route requires and it does not promise: such a login may come to nothing.
        lacks: Vec<Field>,
        /// What is the matter with it now, if it may be tried all the same.
        trouble: Option<Trouble>,
    },
    /// Nothing, and why.
    Not(WhyNot),
}

/// Why a provider takes nobody over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhyNot {
    /// The route takes other e-IDs.
    OtherEid,
    /// It may assert none of the levels that the route takes.
    Levels,
    /// It has no valid keys, or nowhere to send people to: why.
    Keys(String),
    /// An operator has closed it.
    Closed,
    /// Another provider of its e-ID comes before it.
    Behind,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StandsIn => f.write_str("takes over, and nobody is asked"),
            Self::Offered { differs, lacks, trouble } => {
                f.write_str("is offered")?;
                let changes = [
                    (differs.levels, "levels"),
                    (differs.identifier, "identifiers"),
                    (differs.method, "ways to prove it"),
                ];
                let changes: Vec<&str> = changes.into_iter().filter_map(|(is, name)| is.then_some(name)).collect();
                if !changes.is_empty() {
                    write!(f, ", with other {}", changes.join(" and "))?;
                }
                if !lacks.is_empty() {
                    let lacks: Vec<&str> = lacks.iter().map(|field| field.name()).collect();
                    write!(f, ", and does not promise {}", lacks.join(", "))?;
                }
                match trouble {
                    Some(trouble) => write!(f, "; it is {} itself", trouble.name()),
                    None => Ok(()),
                }
            }
            Self::Not(WhyNot::OtherEid) => f.write_str("not: the route does not list its e-ID"),
            Self::Not(WhyNot::Levels) => f.write_str("not: it may assert no level that the route takes"),
            Self::Not(WhyNot::Keys(why)) => write!(f, "not: {why}"),
            Self::Not(WhyNot::Closed) => f.write_str("not: an operator has closed it"),
            Self::Not(WhyNot::Behind) => f.write_str("waits: another provider of its e-ID comes first"),
        }
    }
}

impl Loss<'_> {
    /// Who stands in without a word.
    pub fn stands_in(&self) -> Option<&ProviderEntry> {
        self.others.iter().find(|(_, part)| *part == Part::StandsIn).map(|(provider, _)| *provider)
    }

    /// Whether people can log in still. Who does not promise what the route requires is no way that could be counted on.
    pub fn leaves_a_way(&self) -> bool {
        self.others.iter().any(|(_, part)| match part {
            Part::StandsIn => true,
            Part::Offered { lacks, .. } => lacks.is_empty(),
            Part::Not(_) => false,
        })
    }
}

/// For each provider by which people can log in for `route` now: what is left when it fails. `health` is what is the
/// matter with each of the others. Empty for a route that needs no session.
///
/// A provider that is marked or does not answer (`health`) is one that can fail all the same; one without keys, and one
/// that an operator closed, carries nobody already.
pub fn losses<'a>(
    snapshot: &'a Snapshot,
    route: &Route,
    now: UnixTime,
    health: impl Fn(&ProviderEntry) -> Option<Trouble>,
) -> Vec<Loss<'a>> {
    if route.access == Access::Anonymous {
        return Vec::new();
    }
    let able = able(snapshot, route, now);
    let ways: Vec<Way<'a>> = able.iter().map(|provider| way(provider, route, now, health(provider))).collect();
    let carries = |way: &Way<'_>| way.trouble.is_none_or(Trouble::may_be_tried);
    let at_risk = able.iter().enumerate().filter(|(at, _)| ways.get(*at).is_some_and(carries));
    at_risk.map(|(at, provider)| loss(snapshot, route, now, &able, &ways, at, provider)).collect()
}

fn loss<'a>(
    snapshot: &'a Snapshot,
    route: &Route,
    now: UnixTime,
    able: &[&'a ProviderEntry],
    ways: &[Way<'a>],
    failed: usize,
    provider: &'a ProviderEntry,
) -> Loss<'a> {
    let mut ways = ways.to_vec();
    if let Some(way) = ways.get_mut(failed) {
        way.trouble = way.trouble.max(Some(Trouble::Down));
    }
    let wish = Wish { eid: Some(provider.config().eid.as_str()), ..Wish::default() };
    let plan = failover::plan(&ways, wish);
    let offers = failover::offers(&ways);
    let of = |other: &ProviderEntry| {
        let Some(at) = able.iter().position(|able| std::ptr::eq(*able, other)) else {
            return Part::Not(never(snapshot, other, route));
        };
        if matches!(&plan, Plan::Begin(offer) if offer.way == at) {
            return Part::StandsIn;
        }
        let (Some(lost), Some(way)) = (ways.get(failed), ways.get(at)) else { return Part::Not(WhyNot::Behind) };
        match way.trouble {
            Some(Trouble::WithoutKeys) => Part::Not(WhyNot::Keys(no_keys(other, now))),
            Some(Trouble::Closed) => Part::Not(WhyNot::Closed),
            trouble if offers.iter().any(|offer| offer.way == at) => {
                Part::Offered { differs: failover::differs(lost, way), lacks: way.lacks.clone(), trouble }
            }
            Some(Trouble::Suspected | Trouble::Down) | None => Part::Not(WhyNot::Behind),
        }
    };
    let with_login = snapshot.all().iter().filter(|other| other.config().has_login());
    let others = with_login.filter(|other| !std::ptr::eq(*other, provider)).map(|other| (other, of(other))).collect();
    Loss { provider, others }
}

/// Why a provider that has keys is not on offer.
fn never(snapshot: &Snapshot, provider: &ProviderEntry, route: &Route) -> WhyNot {
    if !snapshot.for_route(route).iter().any(|taken| std::ptr::eq(*taken, provider)) {
        return WhyNot::OtherEid;
    }
    match provider.may_assert(route) {
        None => WhyNot::Levels,
        Some(_) => WhyNot::Keys("its metadata has no sign-on address that we use".to_owned()),
    }
}

fn no_keys(provider: &ProviderEntry, now: UnixTime) -> String {
    match provider.usable(now) {
        Err(reject) => reject.detail().to_owned(),
        Ok(()) => "no login can begin there".to_owned(),
    }
}

#[cfg(test)]
#[path = "standby_tests.rs"]
mod tests;
