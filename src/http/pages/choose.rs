//! The choice of an e-ID: what is on offer, in which order, and what is said of it.

use std::borrow::Cow;

use askama::Template;
use bytes::Bytes;
use http::{Response, StatusCode};

use super::site::{Frame, Told, View};
use super::{forms_from, page, with_forms_to};
use crate::base::EidId;
use crate::gate::{CannotUse, Choice, Unfit};
use crate::http::text::{Words, fill, listed};

/// What the page is about.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a> {
    /// The e-IDs on offer, in order of preference.
    pub options: &'a [Choice],
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
    Trouble,
    NoKeys,
}

struct Option_<'a> {
    eid: &'a str,
    /// What stands on its button.
    text: Cow<'a, str>,
    /// What is said beside it.
    notes: Vec<&'static str>,
    health: Health,
}

impl Option_<'_> {
    /// Whether there is a button: everybody that has keys can be tried.
    fn can_begin(&self) -> bool {
        self.health != Health::NoKeys
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
    lead: Option<String>,
    notices: Vec<Told<'a>>,
    choices: Vec<Option_<'a>>,
    cannot: Vec<Cannot<'a>>,
    rd: &'a str,
}

/// The choice of an e-ID. Each leads back to `login` and keeps `rd`.
pub fn choose(view: View<'_>, offer: &Offer<'_>) -> Response<Bytes> {
    let words = view.words();
    let health = |choice: &Choice| {
        if !choice.usable {
            Health::NoKeys
        } else if view.in_maintenance(&choice.provider) {
            Health::Maintenance
        } else {
            Health::Fine
        }
    };
    let all_down = offer.options.iter().all(|choice| health(choice) >= Health::Trouble);
    let mut choices: Vec<Option_<'_>> = offer
        .options
        .iter()
        .map(|choice| {
            let health = health(choice);
            let last = offer.last == Some(&choice.eid);
            let note = match health {
                Health::Fine => None,
                Health::Maintenance => Some(words.maintenance),
                Health::Trouble => Some(words.trouble),
                Health::NoKeys => Some(words.no_keys),
            };
            let text = if all_down && health == Health::Trouble {
                fill(words.try_anyway, &[("eid", &choice.label)]).into()
            } else {
                Cow::Borrowed(choice.label.as_str())
            };
            let notes = note.into_iter().chain(last.then_some(words.last_used)).collect();
            Option_ { eid: choice.eid.as_str(), text, notes, health }
        })
        .collect();
    // Stable: within the same health the route's order of preference stands, but for the one that was used last.
    choices.sort_by_key(|option| (option.health, offer.last.is_none_or(|last| last.as_str() != option.eid)));
    let cannot = offer.cannot.iter().map(|one| Cannot { label: &one.label, why: why(one.why, words) }).collect();
    let site = view.site;
    let frame = Frame::new(view).in_both(|tag| site.login(offer.rd, &[("choose", "true"), ("locale", tag)]));
    let lead = lead(offer, words, health);
    let answer =
        page(StatusCode::OK, &ChoosePage { frame, lead, notices: view.notices(false), choices, cannot, rd: offer.rd });
    // Its forms are answered by a redirect to whoever was chosen.
    with_forms_to(answer, forms_from(&site.origin))
}

/// One plain sentence about those that do not answer.
fn lead(offer: &Offer<'_>, words: &'static Words, health: impl Fn(&Choice) -> Health) -> Option<String> {
    let labels = |is: fn(Health) -> bool| -> Vec<&str> {
        offer.options.iter().filter(|choice| is(health(choice))).map(|choice| choice.label.as_str()).collect()
    };
    let (down, other) = (labels(|health| health >= Health::Trouble), labels(|health| health == Health::Fine));
    if down.is_empty() {
        return None;
    }
    if down.len() == offer.options.len() {
        return Some(words.all_down.to_owned());
    }
    let down = listed(&down, words.and);
    if other.is_empty() {
        return Some(fill(words.down, &[("down", &down)]));
    }
    Some(fill(words.down_instead, &[("down", &down), ("other", &listed(&other, words.or))]))
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
