//! The sample e-service: plain pages that know nothing of e-IDs. All they know of a visitor is the headers that the
//! sidecar put on the request, and they show those.

use askama::Template;
use bytes::Bytes;
use http::{Request, StatusCode};
use percent_encoding::percent_decode_str;

use serde_json::{Value, json};

use crate::serve::{Answer, html, json as json_answer};

struct Header {
    name: String,
    value: String,
    /// What it says when its percent-encoding is undone, where that makes a difference.
    decoded: Option<String>,
}

#[derive(Template)]
#[template(path = "service.html")]
struct Page {
    heading: &'static str,
    english: &'static str,
    who: Option<String>,
    headers: Vec<Header>,
    show_headers: bool,
}

/// How header names are written for people: `X-Eid-Personal-Number`.
fn title_case(name: &str) -> String {
    let part = |part: &str| {
        let mut letters = part.chars();
        letters.next().map(|c| c.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    };
    name.split('-').map(part).collect::<Vec<_>>().join("-")
}

fn decoded(value: &str) -> Option<String> {
    let text = percent_decode_str(value).decode_utf8().ok()?;
    if text == value { None } else { Some(text.into_owned()) }
}

/// The API, for programs: it too knows of whoever calls what the headers say.
fn cases(headers: &[Header]) -> Answer {
    let told = headers.iter().filter(|h| h.name.starts_with("X-Eid-") && h.name != "X-Eid-Assertion");
    let told: Value = told.map(|h| (h.name.clone(), json!(h.value))).collect::<serde_json::Map<_, _>>().into();
    json_answer(StatusCode::OK, &json!({ "arenden": [{ "id": 1, "om": "En grind" }], "told": told }))
}

/// Answers one request: `/`, `/ansokan`, `/om`, `/api/arenden`; anything else is not found.
pub fn handle(request: &Request<Bytes>) -> Answer {
    let mut headers: Vec<Header> = request
        .headers()
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("x-eid-") || name.as_str().starts_with("x-forwarded-"))
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            Header { name: title_case(name.as_str()), decoded: decoded(&value), value }
        })
        .collect();
    // The signed token is long and says nothing new to the eye: it comes last.
    headers.sort_by_key(|h| (h.name == "X-Eid-Assertion", h.name.clone()));
    if request.uri().path() == "/api/arenden" {
        return cases(&headers);
    }
    let value = |name: &str| headers.iter().find(|h| h.name == name).map(|h| h.decoded.as_ref().unwrap_or(&h.value));
    let who = value("X-Eid-Name").or(value("X-Eid-Subject")).cloned();

    let (status, heading, english, show_headers) = match request.uri().path() {
        "/" => (StatusCode::OK, "Mina sidor", "My pages", true),
        "/ansokan" => (StatusCode::OK, "Ansökan om grind", "Apply for a gate", true),
        "/om" => (StatusCode::OK, "Om e-tjänsten", "About this e-service", true),
        _ => (StatusCode::NOT_FOUND, "Sidan finns inte", "No such page", false),
    };
    let page = Page { heading, english, who, headers, show_headers };
    match page.render() {
        Ok(body) => html(status, body),
        Err(e) => html(StatusCode::INTERNAL_SERVER_ERROR, e.to_string()),
    }
}
