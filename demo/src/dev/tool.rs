//! The tool's own address: the providers by their host names, and at `localhost` a page, the list of persons, the switches
//! that break a provider, and the call that logs a test in.

use std::sync::Arc;

use askama::Template;
use bytes::Bytes;
use grindvakt::identity::Loa;
use http::header::{CONTENT_TYPE, HeaderValue, SET_COOKIE};
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Map, Value, json};

use super::login::{self, NoLogin, Wish};
use super::rows::nearest;
use super::{Shared, Site};
use crate::fault::Fault;
use crate::form;
use crate::names::loa_short;
use crate::outcome::Outcome;
use crate::serve::{self, Answer, host, html, is_foreign, see_other, text};

/// Answers one request.
pub(super) async fn answer(shared: Arc<Shared>, request: Request<Bytes>) -> Option<Answer> {
    let host = host(request.headers()).to_ascii_lowercase();
    if let Some(site) = shared.sites.iter().find(|site| site.host == host) {
        let fault = site.health.get();
        return fault.answer(request, Outcome::ProviderError.name(), |request| site.idp.handle(request)).await;
    }
    // Any other name is a page of a stranger that had its name lead to this machine (DNS rebinding).
    if !matches!(host.as_str(), "localhost" | "127.0.0.1") {
        return Some(text(StatusCode::MISDIRECTED_REQUEST, "no such host here\n"));
    }
    Some(own(&shared, &request).await)
}

async fn own(shared: &Shared, request: &Request<Bytes>) -> Answer {
    let path = request.uri().path();
    match (request.method(), path) {
        (&Method::GET, "/") => html(StatusCode::OK, page(shared)),
        (&Method::GET, "/persons") => serve::json(StatusCode::OK, &persons(shared)),
        (&Method::GET, "/eids") => serve::json(StatusCode::OK, &eids(shared)),
        (&Method::POST, "/login" | "/eids") if is_foreign(request.headers()) => {
            let message = "a page of another origin may not ask this; call it from a test, not from a page";
            failed(&NoLogin {
                status: StatusCode::FORBIDDEN,
                error: "cross_site",
                message: message.to_owned(),
                refusal: None,
            })
        }
        (&Method::POST, "/login") => log_in(shared, request).await,
        (&Method::POST, "/eids") => switch(shared, request),
        (_, "/" | "/persons" | "/eids" | "/login") => failed(&bad(
            StatusCode::METHOD_NOT_ALLOWED,
            "bad_method",
            format!("{path} does not take {}", request.method()),
        )),
        _ => failed(&bad(StatusCode::NOT_FOUND, "not_found", "there are /, /persons, /eids and /login".to_owned())),
    }
}

fn bad(status: StatusCode, error: &'static str, message: String) -> NoLogin {
    NoLogin { status, error, message, refusal: None }
}

fn failed(no: &NoLogin) -> Answer {
    let mut told = json!({ "error": no.error, "message": no.message });
    if let (Some(refusal), Some(members)) = (&no.refusal, told.as_object_mut()) {
        members.insert("refusal".to_owned(), refusal.clone());
    }
    serve::json(no.status, &told)
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// The members of a JSON object, all of them texts, and no others than `known`.
fn members(request: &Request<Bytes>, known: &[&str]) -> Result<Map<String, Value>, NoLogin> {
    let wrong = |error, message: String| Err(bad(StatusCode::BAD_REQUEST, error, message));
    if !is_json(request.headers()) {
        let message = "send the header \"Content-Type: application/json\"".to_owned();
        return Err(bad(StatusCode::UNSUPPORTED_MEDIA_TYPE, "bad_media_type", message));
    }
    let object = match serde_json::from_slice(request.body()) {
        Ok(Value::Object(object)) => object,
        Ok(_) => return wrong("bad_json", "the body must be a JSON object".to_owned()),
        Err(e) => return wrong("bad_json", format!("the body is not JSON: {e}")),
    };
    for (key, value) in &object {
        if !known.contains(&key.as_str()) {
            let list = known.join(", ");
            return wrong("unknown_key", format!("{key:?} is not known here; there are {list}{}", meant(key, known)));
        }
        if !value.is_string() {
            return wrong("bad_value", format!("{key:?} must be a text"));
        }
    }
    Ok(object)
}

fn meant(word: &str, known: &[&str]) -> String {
    nearest(word, known.iter().copied()).map_or_else(String::new, |known| format!("; did you mean {known:?}?"))
}

fn wish(shared: &Shared, request: &Request<Bytes>) -> Result<Wish, NoLogin> {
    let object = members(request, &["person", "loa", "eid", "route", "outcome"])?;
    let get = |key: &str| object.get(key).and_then(Value::as_str);
    let wrong = |error, message: String| Err(bad(StatusCode::BAD_REQUEST, error, message));
    let one_of = |error, key: &str, value: &str, known: &[&str]| {
        wrong(error, format!("{key:?}: there is no {value:?}; there are {}{}", known.join(", "), meant(value, known)))
    };
    let people: Vec<&str> = shared.people.iter().map(|person| person.id.as_str()).collect();
    let Some(person) = get("person") else {
        return wrong("person_missing", format!("\"person\" is missing: who logs in, one of {}", people.join(", ")));
    };
    if !people.contains(&person) {
        return one_of("unknown_person", "person", person, &people);
    }
    let eids: Vec<&str> = shared.sites.iter().map(|site| site.eid.eid.as_str()).collect();
    if let Some(eid) = get("eid").filter(|eid| !eids.contains(eid)) {
        return one_of("unknown_eid", "eid", eid, &eids);
    }
    let outcomes = Outcome::ALL.map(Outcome::name);
    let outcome = match get("outcome").map(|name| (name, Outcome::parse(name))) {
        None => Outcome::Success,
        Some((_, Some(outcome))) => outcome,
        Some((name, None)) => return one_of("unknown_outcome", "outcome", name, &outcomes),
    };
    let loa = match get("loa").map(Loa::parse) {
        None => None,
        Some(Ok(loa)) => Some(loa.uri().to_owned()),
        Some(Err(e)) => return wrong("unknown_loa", format!("\"loa\": {e}")),
    };
    Ok(Wish {
        person: person.to_owned(),
        loa,
        eid: get("eid").map(str::to_owned),
        route: get("route").unwrap_or("/").to_owned(),
        outcome,
    })
}

async fn log_in(shared: &Shared, request: &Request<Bytes>) -> Answer {
    let wish = match wish(shared, request) {
        Ok(wish) => wish,
        Err(no) => return failed(&no),
    };
    match login::log_in(shared, &wish).await {
        Ok(done) => {
            let mut answer = serve::json(StatusCode::OK, &done.told);
            if let Ok(value) = HeaderValue::from_str(&done.set_cookie) {
                answer.headers_mut().insert(SET_COOKIE, value);
            }
            answer
        }
        Err(no) => failed(&no),
    }
}

/// Breaks a provider, or mends it. By JSON from a test, by a form from the tool's own page.
fn switch(shared: &Shared, request: &Request<Bytes>) -> Answer {
    let by_json = is_json(request.headers());
    let object = if by_json {
        match members(request, &["eid", "state"]) {
            Ok(object) => object,
            Err(no) => return failed(&no),
        }
    } else {
        let fields = form::parse(&String::from_utf8_lossy(request.body()));
        fields.into_iter().map(|(name, value)| (name, Value::String(value))).collect()
    };
    let get = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
    let (eid, state) = (get("eid"), get("state"));
    let sites: Vec<&Site> = shared.sites.iter().filter(|site| site.eid.eid == eid || site.eid.id == eid).collect();
    if sites.is_empty() {
        let known: Vec<&str> = shared.sites.iter().map(|site| site.eid.eid.as_str()).collect();
        let message = format!("\"eid\": there is no {eid:?}; there are {}{}", known.join(", "), meant(eid, &known));
        return failed(&bad(StatusCode::BAD_REQUEST, "unknown_eid", message));
    }
    let Some(state) = Fault::parse(state) else {
        let known: Vec<&str> = Fault::ALL.iter().map(|fault| fault.name()).collect();
        let message =
            format!("\"state\": there is no {state:?}; there are {}{}", known.join(", "), meant(state, &known));
        return failed(&bad(StatusCode::BAD_REQUEST, "unknown_state", message));
    };
    for site in sites {
        site.health.set(state);
    }
    if by_json {
        return serve::json(StatusCode::OK, &eids(shared));
    }
    see_other("/")
}

fn persons(shared: &Shared) -> Value {
    let all = shared.people.iter().map(|person| {
        let eids = shared.sites.iter().filter(|site| site.idp.people().iter().any(|p| p.id == person.id));
        json!({
            "id": person.id,
            "name": person.person.display_name(),
            "about": person.about,
            "eid": eids.map(|site| site.eid.eid.as_str()).collect::<Vec<_>>(),
            "loa": person.loa.as_deref().map(loa_short),
        })
    });
    json!({ "persons": all.collect::<Vec<_>>() })
}

fn eids(shared: &Shared) -> Value {
    let all = shared.sites.iter().map(|site| {
        json!({
            "eid": site.eid.eid,
            "provider": site.eid.id,
            "label": site.eid.label,
            "loa": site.eid.certified.iter().map(|uri| loa_short(uri)).collect::<Vec<_>>(),
            "state": site.health.get().name(),
        })
    });
    json!({ "eids": all.collect::<Vec<_>>() })
}

struct PersonRow<'a> {
    id: &'a str,
    name: String,
    about: &'a str,
    eids: String,
    loa: &'a str,
}

struct StateChoice {
    name: &'static str,
    label: &'static str,
    chosen: bool,
}

struct EidRow<'a> {
    id: &'a str,
    label: &'a str,
    loa: String,
    states: Vec<StateChoice>,
}

#[derive(Template)]
#[template(path = "dev-home.html")]
struct Home<'a> {
    service: &'a str,
    upstream: &'a str,
    tool_port: u16,
    example: &'a str,
    people: Vec<PersonRow<'a>>,
    eids: Vec<EidRow<'a>>,
}

fn page(shared: &Shared) -> String {
    let people = shared.people.iter().map(|person| {
        let eids = shared.sites.iter().filter(|site| site.idp.people().iter().any(|p| p.id == person.id));
        PersonRow {
            id: &person.id,
            name: person.person.display_name(),
            about: &person.about,
            eids: eids.map(|site| site.eid.eid.as_str()).collect::<Vec<_>>().join(", "),
            loa: person.loa.as_deref().map(loa_short).unwrap_or_default(),
        }
    });
    let eids = shared.sites.iter().map(|site| EidRow {
        id: &site.eid.id,
        label: &site.eid.label,
        loa: site.eid.certified.iter().map(|uri| loa_short(uri)).collect::<Vec<_>>().join(", "),
        states: Fault::ALL
            .iter()
            .map(|fault| StateChoice { name: fault.name(), label: fault.label(), chosen: *fault == site.health.get() })
            .collect(),
    });
    let home = Home {
        service: &shared.base_url,
        upstream: &shared.upstream,
        tool_port: shared.tool_port,
        example: shared.people.first().map_or("", |person| person.id.as_str()),
        people: people.collect(),
        eids: eids.collect(),
    };
    home.render().unwrap_or_else(|e| format!("<!doctype html><p>{e}"))
}
