//! Which provider a login goes to: at once when the choice is clear, otherwise the person says.

use super::outcome::{Choice, Why};
use super::{BeginLogin, Denial};
use crate::base::{EidId, ProviderId, UnixTime};
use crate::config::Forced;
use crate::policy::Route;
use crate::provider::{ProviderEntry, Snapshot, Trouble};
use crate::verify::{Reason, Reject};

/// What to do about the choice of a provider.
pub(super) enum Pick<'a> {
    /// This one.
    Begin(&'a ProviderEntry),
    /// Ask the person.
    Ask(Vec<Choice>, Why),
}

/// What is known of providers beside what they are: at one instant.
#[derive(Clone, Copy)]
pub(super) struct View<'v> {
    /// The instant.
    pub(super) now: UnixTime,
    /// What an operator holds a provider at.
    pub(super) forced: &'v dyn Fn(&ProviderId) -> Option<Forced>,
}

impl View<'_> {
    /// Why `provider` may not get a person of `route` through. Without keys no word of an operator's helps.
    fn trouble(self, provider: &ProviderEntry, route: &Route) -> Option<Trouble> {
        if !provider.can_begin(route, self.now) {
            return Some(Trouble::WithoutKeys);
        }
        match (self.forced)(&provider.config().id) {
            Some(Forced::Open) => Some(Trouble::Closed),
            Some(Forced::Closed) | None => None,
        }
    }
}

/// Which provider: at once when the choice is clear, otherwise the person says.
pub(super) fn pick<'a>(
    snapshot: &'a Snapshot,
    route: &Route,
    login: &BeginLogin<'_>,
    view: View<'_>,
) -> Result<Pick<'a>, Denial> {
    let able = able(snapshot, route, view.now);
    if able.is_empty() {
        let detail = format_args!("no configured provider can meet the route {}", route.name);
        return Err(Denial::Rejected(Reject::new(Reason::LoaNotCertified, detail)));
    }
    let usable = |provider: &&&ProviderEntry| view.trouble(provider, route).is_none();
    if !able.iter().any(|provider| usable(&provider)) {
        return Err(Denial::ProvidersDown);
    }
    let first = able.iter().map(|provider| &provider.config().eid).next();
    let one_eid = able.iter().all(|provider| Some(&provider.config().eid) == first);
    let named = login.eid.filter(|eid| able.iter().any(|provider| provider.config().eid.as_str() == *eid));
    let wanted = match named {
        Some(named) => Some(named),
        // Without a name, one e-ID is a clear choice; a name that this route does not know is none.
        None if login.eid.is_none() && one_eid && !login.choose => first.map(|eid| eid.as_str()),
        None => None,
    };
    let found = wanted.and_then(|wanted| {
        able.iter().filter(|provider| provider.config().eid.as_str() == wanted).find(usable).copied()
    });
    if let (Some(found), false) = (found, login.choose && named.is_none()) {
        return Ok(Pick::Begin(found));
    }
    let options = choices(&able, route, view);
    let asked_for = options.iter().find(|option| Some(option.eid.as_str()) == wanted && option.trouble.is_some());
    let why = asked_for.map_or(Why::Open, |option| Why::InTrouble(option.clone()));
    Ok(Pick::Ask(options, why))
}

/// The e-IDs by which a person can log in for `route`, other than `failed`, for whoever comes back without a session.
pub(super) fn alternates(snapshot: &Snapshot, route: &Route, failed: &EidId, view: View<'_>) -> Vec<Choice> {
    let mut choices = choices(&able(snapshot, route, view.now), route, view);
    choices.retain(|choice| choice.usable && choice.eid != *failed);
    choices
}

/// A provider that could never meet the route is not on offer; one in trouble is, as such.
fn able<'a>(snapshot: &'a Snapshot, route: &Route, now: UnixTime) -> Vec<&'a ProviderEntry> {
    let on_offer = |provider: &&ProviderEntry| provider.usable(now).is_err() || provider.can_begin(route, now);
    snapshot.for_route(route).into_iter().filter(on_offer).collect()
}

/// One choice for each e-ID, in their order of preference, those in trouble last.
fn choices(able: &[&ProviderEntry], route: &Route, view: View<'_>) -> Vec<Choice> {
    let mut options: Vec<Choice> = Vec::new();
    for provider in able {
        let config = provider.config();
        let trouble = view.trouble(provider, route);
        let usable = trouble.is_none_or(Trouble::may_be_tried);
        match options.iter_mut().find(|option| option.eid == config.eid) {
            // The one in the least trouble is the one that would be used.
            Some(option) if trouble < option.trouble => {
                *option = Choice { provider: config.id.clone(), usable, trouble, ..option.clone() };
            }
            Some(_) => {}
            None => options.push(Choice {
                eid: config.eid.clone(),
                label: config.label.clone(),
                provider: config.id.clone(),
                usable,
                trouble,
            }),
        }
    }
    options.sort_by_key(|option| option.trouble);
    options
}
