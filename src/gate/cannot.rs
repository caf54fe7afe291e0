//! The e-IDs of the service that a route cannot take, and why: a person who looks for theirs is told, and not left to
//! search.

use super::outcome::{CannotUse, Choice, Unfit};
use crate::base::{EidId, UnixTime};
use crate::identity::{Family, Field, Loa};
use crate::policy::Route;
use crate::provider::{ProviderEntry, Snapshot};

/// Every e-ID by which people log in and that is not among `offered`, in the order of the configuration.
pub(super) fn cannot_use(snapshot: &Snapshot, route: &Route, offered: &[Choice], now: UnixTime) -> Vec<CannotUse> {
    let mut out: Vec<CannotUse> = Vec::new();
    for entry in snapshot.all().iter().filter(|entry| entry.config().has_login()) {
        let config = entry.config();
        let known = offered.iter().any(|choice| choice.eid == config.eid);
        if known || out.iter().any(|one| one.eid == config.eid) {
            continue;
        }
        out.push(CannotUse { eid: config.eid.clone(), label: config.label.clone(), why: why(entry, route, now) });
    }
    out
}

/// The e-IDs of the route whose holders come from abroad, where it requires a Swedish number: only those have one to whom
/// the connector has mapped it.
pub(super) fn if_mapped(snapshot: &Snapshot, route: &Route, now: UnixTime) -> Vec<EidId> {
    if !route.require.contains(&Field::PersonalNumber) {
        return Vec::new();
    }
    let foreign = snapshot.for_route(route).into_iter().filter(|entry| is_foreign(entry, now));
    foreign.map(|entry| entry.config().eid.clone()).collect()
}

/// Whether whoever comes by this provider is somebody from abroad, who has a Swedish number only if one was mapped.
fn is_foreign(entry: &ProviderEntry, now: UnixTime) -> bool {
    has_only(entry, now, is_eidas)
}

const fn is_eidas(family: Family) -> bool {
    matches!(family, Family::Eidas | Family::EidasNotified | Family::EidasUncertified)
}

fn has_only(entry: &ProviderEntry, now: UnixTime, is: fn(Family) -> bool) -> bool {
    let levels = entry.levels(now);
    !levels.is_empty() && levels.iter().all(|uri| Loa::from_uri(uri).family().is_some_and(is))
}

/// Why `route` does not take `entry`, in the words that help most: what a person can see of their e-ID first.
fn why(entry: &ProviderEntry, route: &Route, now: UnixTime) -> Unfit {
    let wants_number = route.require.contains(&Field::PersonalNumber);
    if is_foreign(entry, now) {
        return if wants_number { Unfit::ForeignWithoutNumber } else { Unfit::Foreign };
    }
    if wants_number && has_only(entry, now, |family| family == Family::Nonresident) {
        return Unfit::NoNumber;
    }
    let listed = route.eid.is_empty() || route.eid.contains(&entry.config().eid);
    if listed { Unfit::Level } else { Unfit::Route }
}
