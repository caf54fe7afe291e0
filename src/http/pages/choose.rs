//! The choice of an e-ID: what is on offer, in which order, and what is said of it.

use std::borrow::Cow;

use askama::Template;
use bytes::Bytes;
use http::{Response, StatusCode};

use super::site::{Frame, Told, View};
use super::{forms_to_providers, page, with_forms_to};
use crate::base::EidId;
use crate::gate::{CannotUse, Choice, Trouble, Unfit, Why};
use crate::http::text::{Words, fill, listed};

/// What the page is about.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a> {
    /// The e-IDs on offer, in order of preference.
    pub options: &'a [Choice],
    /// Why the person is asked.
    pub why: &'a Why,
    /// Those on offer that work only for people to whom a Swedish number has been mapped.
    pub if_mapped: &'a [EidId],
    /// The others of the service, and why not.
    pub cannot: &'a [CannotUse],
    /// Where the login leads: a path on our own base_url.
    pub rd: &'a str,
    /// The e-ID that was used last.
    pub last: Option<&'a EidId>,
}

/// How an e-ID does, from best to worst: those further down the list come later on the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Health {
    Fine,
    Maintenance,
    Suspected,
    Down,
    /// Nobody can log in by it now.
    Out,
}

impl Health {
    fn of(choice: &Choice, view: View<'_>) -> Self {
        match choice.trouble {
            Some(Trouble::WithoutKeys | Trouble::Closed) => Self::Out,
            _ if !choice.usable => Self::Out,
            Some(Trouble::Down) => Self::Down,
            _ if view.in_maintenance(&choice.provider) => Self::Maintenance,
            Some(Trouble::Suspected) => Self::Suspected,
            None => Self::Fine,
        }
    }

    const fn note(self, words: &'static Words) -> Option<&'static str> {
        match self {
            Self::Fine => None,
            Self::Maintenance => Some(words.maintenance),
            Self::Suspected => Some(words.suspected),
            Self::Down => Some(words.no_answer),
            Self::Out => Some(words.no_keys),
        }
    }
}

struct Option_<'a> {
    eid: &'a str,
    /// What stands on its button.
    text: Cow<'a, str>,
    /// What is said beside it.
    notes: Vec<&'static str>,
    health: Health,
    /// The person has been told something of it, and goes on all the same.
    told: bool,
}

impl Option_<'_> {
    /// Whether there is a button: everybody that has keys can be tried.
    fn can_begin(&self) -> bool {
        self.health != Health::Out
    }
}

struct Cannot<'a> {
    label: &'a str,
    why: &'static str,
}

#[derive(Template)]
#[template(path = "choose.html")]
struct ChoosePage<'a> {
    frame: Frame<'a>,
    /// What is the matter with what the person wants to do, for the title: whoever has it read hears that first.
    problem: Option<String>,
    leads: Vec<String>,
    notices: Vec<Told<'a>>,
    choices: Vec<Option_<'a>>,
    cannot: Vec<Cannot<'a>>,
    rd: &'a str,
    /// The e-ID that was asked for, in the place of which the others are offered.
    instead_of: Option<&'a str>,
}

/// The choice of an e-ID. Each leads back to `login` and keeps `rd`.
pub fn choose(view: View<'_>, offer: &Offer<'_>) -> Response<Bytes> {
    let words = view.words();
    let health = |choice: &Choice| Health::of(choice, view);
    let mut choices: Vec<Option_<'_>> = offer
        .options
        .iter()
        .map(|choice| {
            let (health, eid) = (health(choice), &choice.eid);
            // Whoever is told that there is no answer may try all the same, and reads so on the button.
            let text = if health == Health::Down {
                fill(words.try_anyway, &[("eid", &choice.label)]).into()
            } else {
                Cow::Borrowed(choice.label.as_str())
            };
            let mapped = offer.if_mapped.contains(eid).then_some(words.only_with_number);
            let last = (offer.last == Some(eid)).then_some(words.last_used);
            let other = choice.differs.any().then_some(words.other_way);
            let notes = health.note(words).into_iter().chain(other).chain(mapped).chain(last).collect();
            Option_ { eid: eid.as_str(), text, notes, health, told: choice.is_told_of() }
        })
        .collect();
    // Stable: within the same health the route's order of preference stands, but for the one that was used last.
    choices.sort_by_key(|option| (option.health, offer.last.is_none_or(|last| last.as_str() != option.eid)));
    let cannot = offer.cannot.iter().map(|one| Cannot { label: &one.label, why: why(one.why, words) }).collect();
    let site = view.site;
    // That somebody else's e-ID does not work is no matter of a person who has not asked for it.
    let concerns = !matches!(offer.why, Why::Open) || offer.options.iter().all(|choice| health(choice) >= Health::Down);
    let leads = leads(offer, words, health);
    let instead_of = match offer.why {
        Why::InTrouble(choice) => Some(choice.eid.as_str()),
        Why::Open | Why::Unfinished(_) => None,
    };
    let again = |tag| {
        let mut query = vec![("choose", "true"), ("locale", tag)];
        query.extend(instead_of.map(|eid| ("instead_of", eid)));
        site.login(offer.rd, &query)
    };
    let chooser = ChoosePage {
        frame: Frame::new(view).in_both(again),
        problem: leads.first().filter(|_| concerns).map(|lead| first_sentence(lead).to_owned()),
        leads,
        notices: view.notices(false),
        choices,
        cannot,
        rd: offer.rd,
        instead_of,
    };
    // Its forms are answered by a redirect to whoever was chosen.
    with_forms_to(page(StatusCode::OK, &chooser), forms_to_providers(site))
}

/// What stands before what can be done about it.
fn first_sentence(text: &str) -> &str {
    text.split_once(". ").map_or(text, |(first, _)| first).trim_end_matches('.')
}

/// A plain sentence about the login that was left, and one about those that do not answer.
fn leads(offer: &Offer<'_>, words: &'static Words, health: impl Fn(&Choice) -> Health) -> Vec<String> {
    let mut out = Vec::new();
    if let Why::Unfinished(choice) = offer.why {
        out.push(fill(words.unfinished, &[("eid", &choice.label)]));
    }
    let labels = |is: fn(Health) -> bool| -> Vec<&str> {
        offer.options.iter().filter(|choice| is(health(choice))).map(|choice| choice.label.as_str()).collect()
    };
    let other = labels(|health| health < Health::Down);
    if other.is_empty() {
        out.push(words.all_down.to_owned());
        return out;
    }
    // Whoever asked for one hears of that one; the others say beside their names how they do.
    let down = match offer.why {
        Why::InTrouble(choice) => vec![choice],
        _ => offer.options.iter().filter(|choice| health(choice) >= Health::Down).collect(),
    };
    for (alone, with_others, between, is) in [
        (words.down, words.down_instead, words.and, (|health| health < Health::Out) as fn(Health) -> bool),
        (words.out, words.out_instead, words.or, |health| health == Health::Out),
    ] {
        let down: Vec<&str> = down.iter().filter(|c| is(health(c))).map(|choice| choice.label.as_str()).collect();
        let other: Vec<&str> = other.iter().filter(|label| !down.contains(label)).copied().collect();
        if !down.is_empty() {
            let down = listed(&down, between);
            let text = if other.is_empty() { alone } else { with_others };
            out.push(fill(text, &[("down", &down), ("other", &listed(&other, words.or))]));
        }
    }
    out
}

const fn why(why: Unfit, words: &'static Words) -> &'static str {
    match why {
        Unfit::ForeignWithoutNumber => words.cannot_foreign_number,
        Unfit::Foreign => words.cannot_foreign,
        Unfit::NoNumber => words.cannot_number,
        Unfit::Level => words.cannot_level,
        Unfit::Route => words.cannot_route,
    }
}
