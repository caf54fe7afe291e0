//! Which provider a login goes to: at once when the choice is clear, otherwise the person says. What decides is
//! `provider::failover`; here it is told what the providers, the route and the browser look like.

use std::sync::Arc;
use std::time::Duration;

use super::outcome::{Choice, Why};
use super::{BeginLogin, Cookies, Denial, Gate};
use crate::base::{EidId, ProviderId, UnixTime};
use crate::config::Forced;
use crate::policy::{Access, Route};
use crate::provider::failover::{self, Offer, Plan, Way, Wish};
use crate::provider::standby::{self, Loss};
use crate::provider::{ProviderEntry, Snapshot, Trouble};
use crate::session::{LoginState, Session};
use crate::telemetry::{FailedOver, Instead};
use crate::verify::{Reason, Reject};

/// For so long somebody who comes back without a session is taken for one whose login failed.
const LATELY: Duration = Duration::from_secs(15 * 60);

/// What to do about the choice of a provider.
pub(super) enum Pick<'a> {
    /// This one; and in the place of which other one, where that is passed over for its health.
    Begin(&'a ProviderEntry, Option<Instead<'a>>),
    /// Ask the person.
    Ask(Vec<Choice>, Why),
}

/// What a browser tells of the logins before this one.
#[derive(Default)]
pub(super) struct Past {
    /// Providers of logins that it began lately and did not finish, the newest first.
    unfinished: Vec<ProviderId>,
    /// The provider of its session.
    used_last: Option<ProviderId>,
}

impl Gate {
    /// What the browser's cookies tell of the logins before this one.
    pub(super) fn past(&self, cookies: &Cookies<'_>, session: Option<&Session>, now: UnixTime) -> Past {
        let open = |(name, value)| self.names.login_handle(name).and_then(|_| self.logins.open(name, value));
        let lately = |state: &LoginState| now < state.issued_at.plus(LATELY);
        let mut begun: Vec<LoginState> = cookies.iter().filter_map(open).filter(lately).collect();
        begun.sort_by_key(|state| std::cmp::Reverse(state.issued_at));
        let unfinished = begun.into_iter().map(|state| state.provider).collect();
        Past { unfinished, used_last: session.map(|session| session.provider().clone()) }
    }

    /// Which provider: at once when the choice is clear, otherwise the person says.
    pub(super) fn pick<'a>(
        &self,
        snapshot: &'a Snapshot,
        route: &Route,
        login: &BeginLogin<'_>,
        past: &Past,
        now: UnixTime,
    ) -> Result<Pick<'a>, Denial> {
        let able = standby::able(snapshot, route, now);
        if able.is_empty() {
            let detail = format_args!("no configured provider can meet the route {}", route.name);
            return Err(Denial::Rejected(Reject::new(Reason::LoaNotCertified, detail)));
        }
        let ways = self.ways(&able, route, past, now);
        let wish = Wish { eid: login.eid, choose: login.choose, anyway: login.anyway };
        match failover::plan(&ways, wish) {
            Plan::Nothing => Err(Denial::ProvidersDown),
            Plan::Begin(offer) => {
                let provider = able.get(offer.way).ok_or(Denial::ProvidersDown)?;
                let instead = instead(&able, &ways, offer, login.instead_of);
                self.tell_failover(&able, &ways, offer, Some(provider), login.instead_of);
                Ok(Pick::Begin(provider, instead))
            }
            Plan::Ask { offers, asked_for } => {
                if let Some(offer) = asked_for {
                    self.tell_failover(&able, &ways, offer, None, login.instead_of);
                }
                // The page was shown already, and is looked at once more, in the other language.
                let shown = login.instead_of.filter(|_| login.choose).and_then(|eid| first_of(&ways, eid));
                let shown = shown.filter(|first| in_trouble(&ways, *first).is_some());
                let shown = shown.and_then(|first| offers.iter().find(|offer| offer.first == first));
                let choices: Vec<Choice> = offers.iter().filter_map(|offer| choice(&able, *offer)).collect();
                let came_back = || {
                    let eid = past.unfinished.first().and_then(|id| snapshot.by_id(id)).map(|p| &p.config().eid)?;
                    choices.iter().find(|choice| choice.eid == *eid).cloned()
                };
                let why = match asked_for.or(shown.copied()).and_then(|offer| choice(&able, offer)) {
                    Some(choice) => Why::InTrouble(choice),
                    None => came_back().map_or(Why::Open, Why::Unfinished),
                };
                Ok(Pick::Ask(choices, why))
            }
        }
    }

    fn ways<'a>(&self, able: &[&'a ProviderEntry], route: &Route, past: &Past, now: UnixTime) -> Vec<Way<'a>> {
        let way = |provider: &&'a ProviderEntry| {
            let id = &provider.config().id;
            Way {
                unfinished: past.unfinished.contains(id),
                used_last: past.used_last.as_ref() == Some(id),
                ..standby::way(provider, route, now, self.health(provider, now))
            }
        };
        able.iter().map(way).collect()
    }

    /// What is the matter with a provider that has keys: an operator's word counts before what its health looks like.
    fn health(&self, provider: &ProviderEntry, now: UnixTime) -> Option<Trouble> {
        let id = &provider.config().id;
        match self.forced(id, now) {
            Some(Forced::Open) => Some(Trouble::Closed),
            Some(Forced::Closed) => None,
            None => self.board.trouble(id, now),
        }
    }

    /// The preferred provider of an e-ID was passed over for its health: told once, where it is found out, and not again where
    /// a page of ours that has said so (`shown`) leads on.
    fn tell_failover(
        &self,
        able: &[&ProviderEntry],
        ways: &[Way<'_>],
        offer: Offer,
        to: Option<&ProviderEntry>,
        shown: Option<&str>,
    ) {
        let passed_over = to.is_none() || offer.way != offer.first;
        let told = shown.and_then(|eid| first_of(ways, eid)) == Some(offer.first);
        if let (Some(trouble), Some(first), true) =
            (in_trouble(ways, offer.first), able.get(offer.first), passed_over && !told)
        {
            let (provider, to) = (&first.config().id, to.map(|to| &to.config().id));
            let asked = to.is_none() || offer.differs.any();
            self.telemetry.emit(FailedOver { provider, to, asked, trouble: trouble.name() });
        }
    }

    /// What is left of each route that needs a session when one of its providers fails, as things are now; routes in the order of
    /// their configuration. Nothing to lose: nobody can log in for it.
    pub fn losses<'a>(&'a self, snapshot: &'a Snapshot, now: UnixTime) -> Vec<(&'a Route, Vec<Loss<'a>>)> {
        let of = |route: &'a Arc<Route>| -> (&'a Route, Vec<Loss<'a>>) {
            (route, standby::losses(snapshot, route, now, |provider| self.health(provider, now)))
        };
        let with_session = self.config.routes.all().filter(|route| route.access == Access::Session);
        with_session.map(of).collect()
    }

    /// The e-IDs by which a person can log in for `route`, other than `failed`, for whoever comes back without a session.
    pub(super) fn alternates(&self, route: &Route, failed: &EidId, now: UnixTime) -> Vec<Choice> {
        let snapshot = self.registry.owned();
        let able = standby::able(&snapshot, route, now);
        let ways = self.ways(&able, route, &Past::default(), now);
        let mut offers = failover::offers(&ways);
        offers.sort_by_key(|offer| offer.trouble);
        let choices = offers.into_iter().filter_map(|offer| choice(&able, offer));
        choices.filter(|choice| choice.usable && choice.eid != *failed).collect()
    }
}

/// The preferred provider of an e-ID, by its place among the ways.
fn first_of(ways: &[Way<'_>], eid: &str) -> Option<usize> {
    ways.iter().position(|way| way.eid.as_str() == eid)
}

fn in_trouble(ways: &[Way<'_>], way: usize) -> Option<Trouble> {
    ways.get(way).and_then(|way| way.trouble)
}

/// In the place of whom a login begins: of the preferred provider of the e-ID for which a page of ours offered this one
/// (`shown`), or of the preferred one of its own e-ID. A page says what was so when it was made: who is well again is
/// nobody that anything is begun in the place of.
fn instead<'a>(able: &[&'a ProviderEntry], ways: &[Way<'_>], offer: Offer, shown: Option<&str>) -> Option<Instead<'a>> {
    let shown = shown.and_then(|eid| first_of(ways, eid)).filter(|first| in_trouble(ways, *first).is_some());
    let first = shown.unwrap_or(offer.first);
    let passed_over = first != offer.way && in_trouble(ways, first).is_some();
    let provider = able.get(first).filter(|_| passed_over)?;
    Some(Instead { provider: &provider.config().id, asked: shown.is_some() || offer.differs.any() })
}

fn choice(able: &[&ProviderEntry], offer: Offer) -> Option<Choice> {
    let (first, provider) = (able.get(offer.first)?.config(), able.get(offer.way)?.config());
    Some(Choice {
        eid: first.eid.clone(),
        label: first.label.clone(),
        provider: provider.id.clone(),
        usable: offer.trouble.is_none_or(Trouble::may_be_tried),
        trouble: offer.trouble,
        differs: offer.differs,
    })
}
