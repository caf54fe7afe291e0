//! The provider's pages.

use askama::Template;

use crate::demo_idp::DemoIdp;
use crate::names::{loa_short, loa_uri};
use crate::outcome::Outcome;
use crate::person::TestPerson;
use crate::request::{BadRequest, Request};

/// One thing of several that a visitor can choose.
pub(crate) struct Choice {
    /// What is sent for it.
    pub(crate) value: String,
    /// What is shown for it.
    pub(crate) label: String,
    /// Whether it is chosen already.
    pub(crate) chosen: bool,
}

/// The page where a visitor of any demo provider chooses.
#[derive(Template)]
#[template(path = "idp-ask.html")]
pub(crate) struct Ask<'a> {
    pub(crate) likeness: &'a str,
    pub(crate) service: &'a str,
    pub(crate) handle: &'a str,
    pub(crate) persons: Vec<Choice>,
    pub(crate) levels: Vec<Choice>,
    pub(crate) outcomes: Vec<Choice>,
}

#[derive(Template)]
#[template(path = "idp-send.html")]
struct Send<'a> {
    likeness: &'a str,
    action: &'a str,
    message: &'a str,
    relay_state: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "idp-text.html")]
struct Text<'a> {
    likeness: &'a str,
    heading: &'a str,
    text: String,
}

pub(crate) fn render(template: &impl Template) -> String {
    // The templates write into a String, which takes everything.
    template.render().unwrap_or_else(|e| format!("<!doctype html><p>{e}"))
}

/// Stands for the level that the chosen person has.
pub(super) const OWN: &str = "own";

/// The first level that was asked for and the provider may assert.
pub(super) fn best_level(idp: &DemoIdp, request: &Request) -> Option<String> {
    request.loa.iter().find(|uri| idp.loa().contains(uri)).cloned()
}

/// Name, number where there is one, and what there is to know.
fn label(person: &TestPerson) -> String {
    let name = person.person.display_name();
    let name = if name.is_empty() { "(utan namn, no name)".to_owned() } else { name };
    let number = person.person.number.as_deref().unwrap_or_default();
    let parts = [name.as_str(), number, person.about.as_str()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

/// Who can log in, the first one chosen.
pub(crate) fn persons(people: &[TestPerson]) -> Vec<Choice> {
    let choice =
        |(at, person): (usize, &TestPerson)| Choice { value: person.id.clone(), label: label(person), chosen: at == 0 };
    people.iter().enumerate().map(choice).collect()
}

/// The levels, `best` chosen: what was asked for comes first, then what the provider gives, then what it may not assert at all.
pub(crate) fn levels(asked: &[String], gives: &[String], best: impl Fn(&[String]) -> Option<String>) -> Vec<Choice> {
    let mut uris: Vec<String> = Vec::new();
    let others = ["loa2", "loa3", "loa4", "uncertified-loa3", "eidas-nf-sub"].map(loa_uri);
    for uri in asked.iter().chain(gives).chain(&others) {
        if !uris.contains(uri) {
            uris.push(uri.clone());
        }
    }
    let best = best(&uris);
    let choice = |uri: String| {
        let is_asked = if asked.contains(&uri) { "begärd, asked for" } else { "inte begärd, not asked for" };
        let may = if gives.contains(&uri) { "" } else { " · inte godkänd, not certified" };
        Choice {
            label: format!("{} ({is_asked}{may})", loa_short(&uri)),
            chosen: best.as_ref() == Some(&uri),
            value: uri,
        }
    };
    uris.into_iter().map(choice).collect()
}

/// The page where the visitor chooses.
pub(super) fn ask(likeness: &str, idp: &DemoIdp, people: &[TestPerson], request: &Request, handle: &str) -> String {
    let own = people.iter().any(|person| person.loa.is_some());
    let levels = levels(&request.loa, idp.loa(), |uris| {
        best_level(idp, request).or_else(|| uris.first().cloned()).filter(|_| !own)
    });
    let own = own.then(|| Choice {
        value: OWN.to_owned(),
        label: "personens egen · the person's own".to_owned(),
        chosen: true,
    });
    let outcomes = Outcome::ALL.into_iter().map(|outcome| Choice {
        value: outcome.name().to_owned(),
        label: outcome.label().to_owned(),
        chosen: outcome == Outcome::Success,
    });
    render(&Ask {
        likeness,
        service: &request.issuer,
        handle,
        persons: persons(people),
        levels: own.into_iter().chain(levels).collect(),
        outcomes: outcomes.collect(),
    })
}

/// The page that sends the answer by itself, or by its button where scripts are off.
pub(super) fn send(likeness: &str, action: &str, message: &str, relay_state: Option<&str>) -> String {
    render(&Send { likeness, action, message, relay_state })
}

/// A request that is not taken.
pub(super) fn refused(likeness: &str, bad: &BadRequest) -> String {
    let text = format!("Begäran tas inte emot. The request is not taken: {bad}.");
    render(&Text { likeness, heading: "Fel begäran · Bad request", text })
}

/// What one sees who comes here without a request.
pub(super) fn about(likeness: &str) -> String {
    let text = "Hit kommer man från e-tjänsten. People come here from the e-service.".to_owned();
    render(&Text { likeness, heading: "Demoleverantör · Demo provider", text })
}
