//! What the browser meets: the authorization endpoint, the page where a visitor chooses, and the way back with a code.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use grindvakt::base::UnixTime;
use http::header::{COOKIE, HeaderValue, LOCATION, SET_COOKIE};
use http::{Method, Request, StatusCode};

use super::authorize::{AuthorizationRequest, Fields, Refused, doubled, read, signed_fields};
use super::outcome::OpOutcome;
use super::provider::DemoOp;
use super::state::{Code, Grant, Session, State, Waiting, keep};
use crate::form;
use crate::idp::page::{Ask, Choice, levels, persons, render};
use crate::key::new_id;
use crate::person::TestPerson;
use crate::serve::{Answer, html, text};

const CODE_FOR: Duration = Duration::from_secs(60);
const COOKIE_NAME: &str = "op-session";

/// Where the browser goes next.
pub(super) fn redirect(to: &str) -> Answer {
    let mut answer = text(StatusCode::SEE_OTHER, "");
    if let Ok(value) = HeaderValue::from_str(to) {
        answer.headers_mut().insert(LOCATION, value);
    }
    answer
}

/// `address` with more in its query.
pub(super) fn with_query(address: &str, pairs: &[(&str, &str)]) -> String {
    let joint = if address.contains('?') { '&' } else { '?' };
    format!("{address}{joint}{}", form::encode(pairs.iter().copied()))
}

/// The session that a browser's cookie names.
pub(super) fn session<'s>(state: &'s State, request: &Request<Bytes>) -> Option<&'s Session> {
    let cookies = request.headers().get(COOKIE)?.to_str().ok()?;
    let mut pairs = cookies.split("; ").filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| *name == COOKIE_NAME)?;
    state.sessions.iter().find(|session| session.cookie == value)
}

/// An error that goes back to the client (RFC 6749, 4.1.2.1; RFC 9207, 2).
fn error_back(op: &DemoOp, redirect_uri: &str, state: Option<&str>, error: &str, description: &str) -> Answer {
    let mut pairs = vec![("error", error)];
    if !description.is_empty() {
        pairs.push(("error_description", description));
    }
    pairs.extend(state.map(|state| ("state", state)));
    if op.flag("authorization_response_iss_parameter_supported") {
        pairs.push(("iss", op.issuer()));
    }
    redirect(&with_query(redirect_uri, &pairs))
}

/// Finds and reads the request.
fn request_of(state: &mut State, fields: Fields, now: UnixTime) -> Result<AuthorizationRequest, Refused> {
    let here = |why: &str| Err(Refused::Here(why.to_owned()));
    if doubled(&fields) {
        return here("a parameter stands twice");
    }
    let id = form::get(&fields, "client_id").unwrap_or_default();
    let Some(client) = state.client(id).cloned() else {
        return here("no such client");
    };
    if let Some(uri) = form::get(&fields, "request_uri") {
        // Good for one use (RFC 9126, 7.3), and what stands beside it does not count.
        let at = state.pushed.iter().position(|pushed| pushed.uri == uri && pushed.client_id == client.id);
        return match at.and_then(|at| state.pushed.remove(at)) {
            Some(pushed) if now < pushed.ends => read(&pushed.fields, &client, &state.op, (true, pushed.signed), now),
            _ => here("no such pushed request, or no longer"),
        };
    }
    match form::get(&fields, "request") {
        Some(object) => match signed_fields(object, &fields, &client, &state.op, now) {
            Ok(inside) => read(&inside, &client, &state.op, (false, true), now),
            Err(why) => Err(Refused::Here(why)),
        },
        None => read(&fields, &client, &state.op, (false, false), now),
    }
}

/// `/authorize`, by GET or POST (OpenID Connect Core, 3.1.2.1).
pub(super) fn authorize(state: &mut State, people: &[TestPerson], request: &Request<Bytes>, now: UnixTime) -> Answer {
    let fields = if request.method() == Method::POST {
        form::parse(&String::from_utf8_lossy(request.body()))
    } else {
        form::parse(request.uri().query().unwrap_or_default())
    };
    let asked = match request_of(state, fields, now) {
        Ok(asked) => Arc::new(asked),
        Err(Refused::Here(why)) => return super::page::refused(&state.op.likeness, &why),
        Err(Refused::Back { redirect_uri, state: theirs, error, description }) => {
            return error_back(&state.op, &redirect_uri, theirs.as_deref(), error, &description);
        }
    };
    state.last_request = Some(Arc::clone(&asked));
    let standing = session(state, request).filter(|session| still_good(session, &asked, now)).cloned();
    match standing {
        Some(session) => grant(state, &asked, &session, OpOutcome::Success, now),
        None if asked.prompt.iter().any(|word| word == "none") => {
            error_back(&state.op, &asked.redirect_uri, asked.state.as_deref(), "login_required", "")
        }
        None => ask(state, people, asked),
    }
}

/// Whether a session answers a request without asking the person (OpenID Connect Core, 3.1.2.3).
fn still_good(session: &Session, asked: &AuthorizationRequest, now: UnixTime) -> bool {
    let age = now.since(session.auth_time).as_secs();
    let young = asked.max_age.is_none_or(|most| i64::try_from(age).is_ok_and(|age| age <= most));
    let level = asked.levels().is_empty() || asked.levels().contains(&session.loa);
    !asked.fresh() && !asked.prompt.iter().any(|word| word == "select_account") && young && level
}

fn ask(state: &mut State, people: &[TestPerson], asked: Arc<AuthorizationRequest>) -> Answer {
    let handle = new_id();
    let (wanted, gives) = (asked.levels(), &state.op.loa);
    let best = |uris: &[String]| {
        let both = wanted.iter().find(|uri| gives.contains(uri));
        both.or_else(|| gives.last()).or_else(|| uris.first()).cloned()
    };
    let outcomes = OpOutcome::ALL.iter().map(|outcome| Choice {
        value: outcome.name().to_owned(),
        label: outcome.label().to_owned(),
        chosen: *outcome == OpOutcome::Success,
    });
    let page = render(&Ask {
        likeness: &state.op.likeness,
        service: &asked.client_id,
        handle: &handle,
        persons: persons(people),
        levels: levels(wanted, gives, best),
        outcomes: outcomes.collect(),
    });
    keep(&mut state.waiting, Waiting { handle, request: asked });
    html(StatusCode::OK, page)
}

/// The visitor has chosen. The choice stays good for a second press of the button: what then happens is the service's
/// business.
pub(super) fn answer(state: &mut State, people: &[TestPerson], fields: &Fields, now: UnixTime) -> Answer {
    let field = |name| form::get(fields, name).unwrap_or_default();
    let waiting = state.waiting.iter().find(|waiting| waiting.handle == field("handle")).cloned();
    let person = people.iter().find(|person| person.id == field("person"));
    let (Some(waiting), Some(person), Some(outcome)) = (waiting, person, OpOutcome::parse(field("outcome"))) else {
        return text(StatusCode::BAD_REQUEST, "Den här inloggningen finns inte längre.\nThis login is gone.\n");
    };
    let asked = waiting.request;
    if let Some((error, description)) = outcome.error() {
        return error_back(&state.op, &asked.redirect_uri, asked.state.as_deref(), error, description);
    }
    let session = Session {
        cookie: new_id(),
        sid: new_id(),
        person: person.person.clone(),
        loa: crate::names::loa_uri(field("loa")),
        auth_time: now,
        clients: Vec::new(),
    };
    keep(&mut state.sessions, session.clone());
    let mut answer = grant(state, &asked, &session, outcome, now);
    let cookie = format!("{COOKIE_NAME}={}; Path=/; HttpOnly; SameSite=Lax", session.cookie);
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        answer.headers_mut().insert(SET_COOKIE, value);
    }
    answer
}

/// A code for the client, and the way back to it (RFC 6749, 4.1.2; RFC 9207).
fn grant(
    state: &mut State,
    asked: &Arc<AuthorizationRequest>,
    session: &Session,
    outcome: OpOutcome,
    now: UnixTime,
) -> Answer {
    if let Some(known) = state.sessions.iter_mut().find(|known| known.sid == session.sid)
        && !known.clients.contains(&asked.client_id)
    {
        known.clients.push(asked.client_id.clone());
    }
    let grant = Grant {
        request: Arc::clone(asked),
        person: session.person.clone(),
        loa: session.loa.clone(),
        auth_time: session.auth_time,
        session: session.sid.clone(),
        outcome,
    };
    let code = new_id();
    keep(&mut state.codes, Code { code: code.clone(), grant, ends: now.plus(CODE_FOR), used: None });
    let (made_up, other) = (new_id(), new_id());
    let mut pairs = vec![("code", if outcome == OpOutcome::WrongCode { made_up.as_str() } else { code.as_str() })];
    match (&asked.state, outcome) {
        (_, OpOutcome::NoState) | (None, _) => {}
        (Some(_), OpOutcome::WrongState) => pairs.push(("state", &other)),
        (Some(theirs), _) => pairs.push(("state", theirs)),
    }
    match outcome {
        OpOutcome::NoIss => {}
        OpOutcome::WrongIss => pairs.push(("iss", "https://annan.example.se")),
        _ if !state.op.flag("authorization_response_iss_parameter_supported") => {}
        _ => pairs.push(("iss", state.op.issuer())),
    }
    if outcome == OpOutcome::CodeAndError {
        pairs.push(("error", "access_denied"));
    }
    redirect(&with_query(&asked.redirect_uri, &pairs))
}
