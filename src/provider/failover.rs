//! Which provider a login goes to: by the route, the person's e-ID, the order of the configuration, health, and what the
//! person used last. Pure.
//!
//! Health orders and marks; it never takes the last way away. Another provider of the same e-ID stands in without a word
//! only where nothing else changes for the person: its method covers what was asked for, and the identifier that the
//! e-service gets and the levels that may be proved are the same, and it promises all that the route requires. Everything else is offered, and said. What no alternate
//! changes: a login that began stays where it was begun, and whoever was stopped for fraud is offered nothing (`gate`).

use super::Trouble;
use crate::base::EidId;
use crate::config::Method;
use crate::identity::Field;

/// By what the e-service knows a person: two providers of different kinds make two people of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Identifier {
    /// A personal or coordination number: the route requires one, or the provider promises one.
    Number,
    /// What the eIDAS connector gives people from abroad.
    Prid,
    /// An employee's identity.
    Employee,
    /// Nothing that another provider would give too, or not known.
    Own,
}

/// One provider that may meet the route.
#[derive(Clone, Debug)]
pub struct Way<'a> {
    /// Its e-ID.
    pub eid: &'a EidId,
    /// How the person proves it.
    pub method: Method,
    /// What identifies the person on this route.
    pub identifier: Identifier,
    /// The levels that would be asked for; none while they are not known.
    pub levels: Option<Vec<String>>,
    /// What the route requires and it does not promise to tell.
    pub lacks: Vec<Field>,
    /// What is the matter with it.
    pub trouble: Option<Trouble>,
    /// The browser began a login by it lately and did not finish it.
    pub unfinished: bool,
    /// The browser's session is by it.
    pub used_last: bool,
}

/// What the person wants.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish<'a> {
    /// This e-ID.
    pub eid: Option<&'a str>,
    /// To see the choice.
    pub choose: bool,
    /// To try it, whatever was said about it.
    pub anyway: bool,
}

/// What would change for the person, against the first provider of the e-ID.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Differs {
    /// Other levels may be proved.
    pub levels: bool,
    /// The e-service would know the person by something else.
    pub identifier: bool,
    /// It asks for something else of the person: a card, another device.
    pub method: bool,
    /// Something that the route requires may not come.
    pub attributes: bool,
}

impl Differs {
    /// Whether anything does.
    pub const fn any(self) -> bool {
        self.levels || self.identifier || self.method || self.attributes
    }
}

/// One e-ID on offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The first provider of the e-ID, by its place among the ways.
    pub first: usize,
    /// The provider that would be used.
    pub way: usize,
    /// What is the matter with that one.
    pub trouble: Option<Trouble>,
    /// What would change.
    pub differs: Differs,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Begin at this provider.
    Begin(Offer),
    /// Ask the person. `asked_for` is the offer of the e-ID that was wanted and is not simply to be had.
    Ask {
        /// In order of preference, those in trouble last.
        offers: Vec<Offer>,
        /// The e-ID that was named, or the only one.
        asked_for: Option<Offer>,
    },
    /// No way can be gone at all: no valid keys, or closed by an operator.
    Nothing,
}

/// Decides. `ways` are in the route's order of preference, and those of one e-ID in the order of the configuration.
pub fn plan(ways: &[Way<'_>], wish: Wish<'_>) -> Plan {
    let mut offers = offers(ways);
    if !offers.iter().any(|offer| is_open(offer.trouble)) {
        return Plan::Nothing;
    }
    let eid_of = |offer: &Offer| ways.get(offer.way).map(|way| way.eid.as_str());
    let named = wish.eid.and_then(|eid| offers.iter().find(|offer| eid_of(offer) == Some(eid))).copied();
    let only = match offers.as_slice() {
        // A name that this route does not know is no clear choice.
        [only] if wish.eid.is_none() => Some(*only),
        _ => None,
    };
    if let Some(wanted) = named.or(only) {
        let goes = match wanted.trouble {
            _ if wish.choose && named.is_none() => false,
            // The person has read what is the matter and what is different.
            Some(trouble) if wish.anyway => trouble.may_be_tried(),
            None if wish.anyway => true,
            None => !wanted.differs.any(),
            // Only marked: whoever names it has seen the mark, or need not.
            Some(Trouble::Suspected) => named.is_some() && !wanted.differs.any(),
            Some(Trouble::Down | Trouble::WithoutKeys | Trouble::Closed) => false,
        };
        if goes {
            return Plan::Begin(wanted);
        }
    }
    let asked_for = named.or(only).filter(|wanted| wanted.trouble.is_some() || wanted.differs.any());
    let used_last = |offer: &Offer| ways.get(offer.way).is_some_and(|way| way.used_last);
    offers.sort_by_key(|offer| (offer.trouble, !used_last(offer)));
    Plan::Ask { offers, asked_for }
}

/// Whether a login can begin at all.
fn is_open(trouble: Option<Trouble>) -> bool {
    trouble.is_none_or(Trouble::may_be_tried)
}

/// One offer for each e-ID, in order of preference.
pub fn offers(ways: &[Way<'_>]) -> Vec<Offer> {
    let mut out: Vec<Offer> = Vec::new();
    for (at, way) in ways.iter().enumerate() {
        if out.iter().any(|offer| ways.get(offer.first).is_some_and(|first| first.eid == way.eid)) {
            continue;
        }
        let group = || ways.iter().enumerate().skip(at).filter(|(_, other)| other.eid == way.eid);
        let alike = best(group().filter(|(_, other)| !differs(way, other).any()));
        // Only where none of the same kind is well, one that is another kind of way.
        let any = best(group());
        let chosen = match (alike, any) {
            (Some(alike), Some(any)) if any.1.trouble < alike.1.trouble => Some(any),
            (Some(alike), _) => Some(alike),
            (None, any) => any,
        };
        if let Some((chosen_at, chosen)) = chosen {
            out.push(Offer { first: at, way: chosen_at, trouble: chosen.trouble, differs: differs(way, chosen) });
        }
    }
    out
}

/// Health first; then not the one that did not lead anywhere just now; then the one that the person knows; then the order
/// of the configuration.
fn best<'w, 'e>(among: impl Iterator<Item = (usize, &'w Way<'e>)>) -> Option<(usize, &'w Way<'e>)>
where
    'e: 'w,
{
    among.min_by_key(|(at, way)| (way.trouble, way.unfinished, !way.used_last, *at))
}

/// What changes for a person who gets `other` in the place of `first`.
pub fn differs(first: &Way<'_>, other: &Way<'_>) -> Differs {
    if std::ptr::eq(first, other) {
        return Differs::default();
    }
    let covers = other.method == Method::Any || other.method == first.method;
    let identifier = first.identifier != other.identifier || first.identifier == Identifier::Own;
    Differs {
        levels: first.levels.is_none() || first.levels != other.levels,
        identifier,
        method: !covers,
        attributes: other.lacks.iter().any(|field| !first.lacks.contains(field)),
    }
}

#[cfg(test)]
#[path = "failover_tests.rs"]
mod tests;
