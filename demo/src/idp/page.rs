//! The provider's pages.

use askama::Template;

use crate::demo_idp::DemoIdp;
use crate::names::{loa_short, loa_uri};
use crate::outcome::Outcome;
use crate::person::PERSONS;
use crate::request::{BadRequest, Request};

struct Choice {
    value: String,
    label: String,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "idp-ask.html")]
struct Ask<'a> {
    likeness: &'a str,
    service: &'a str,
    handle: &'a str,
    persons: Vec<Choice>,
    levels: Vec<Choice>,
    outcomes: Vec<Choice>,
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

fn render(template: &impl Template) -> String {
    // The templates write into a String, which takes everything.
    template.render().unwrap_or_else(|e| format!("<!doctype html><p>{e}"))
}

/// The page where the visitor chooses.
pub(super) fn ask(likeness: &str, idp: &DemoIdp, request: &Request, handle: &str) -> String {
    let persons = PERSONS.iter().enumerate().map(|(at, person)| Choice {
        value: at.to_string(),
        label: match person.number.as_deref() {
            Some(number) => format!("{} · {number}", person.display_name()),
            None => format!("{} · utan nummer, no number", person.display_name()),
        },
        chosen: at == 0,
    });

    // What was asked for comes first, then what the provider is certified for, then what it may not assert at all.
    let mut uris: Vec<String> = Vec::new();
    let others = ["loa2", "loa3", "loa4", "uncertified-loa3", "eidas-nf-sub"].map(loa_uri);
    for uri in request.loa.iter().chain(idp.loa()).chain(&others) {
        if !uris.contains(uri) {
            uris.push(uri.clone());
        }
    }
    let best = request.loa.iter().find(|uri| idp.loa().contains(uri)).or(uris.first()).cloned();
    let levels = uris.into_iter().map(|uri| {
        let asked = if request.loa.contains(&uri) { "begärd, asked for" } else { "inte begärd, not asked for" };
        let may = if idp.loa().contains(&uri) { "" } else { " · inte godkänd, not certified" };
        Choice { label: format!("{} ({asked}{may})", loa_short(&uri)), chosen: best.as_ref() == Some(&uri), value: uri }
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
        persons: persons.collect(),
        levels: levels.collect(),
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
