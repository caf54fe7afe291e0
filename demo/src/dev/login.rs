//! One real login on behalf of a test: the sidecar's own pages, a signed AuthnRequest, a provider's page, a signed and
//! encrypted Response, the assertion consumer service. Nothing is gone round; only the browser is a small one.

use std::time::Duration;

use grindvakt::policy::normal_path;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Shared, Site};
use crate::browser::{BrowseError, Browser, Page};
use crate::form::{self, Form};
use crate::outcome::Outcome;

/// How long one step may take: everything is on this machine.
const STEP: Duration = Duration::from_secs(5);

/// What a test asks for.
pub(super) struct Wish {
    /// Who.
    pub(super) person: String,
    /// At which level, as a URI; none: the person's own.
    pub(super) loa: Option<String>,
    /// By which e-ID; none: the first of the person's that the route takes.
    pub(super) eid: Option<String>,
    /// For which path.
    pub(super) route: String,
    /// How it ends.
    pub(super) outcome: Outcome,
}

/// A session.
pub(super) struct LoggedIn {
    /// The session's cookie, as the sidecar set it: the whole header.
    pub(super) set_cookie: String,
    /// What the test is told.
    pub(super) told: Value,
}

/// Why there is none.
pub(super) struct NoLogin {
    pub(super) status: StatusCode,
    pub(super) error: &'static str,
    pub(super) message: String,
    /// The sidecar's own words, where it refused.
    pub(super) refusal: Option<Value>,
}

fn no(status: StatusCode, error: &'static str, message: impl Into<String>) -> NoLogin {
    NoLogin { status, error, message: message.into(), refusal: None }
}

/// Logs in.
///
/// # Errors
/// [`NoLogin`] says what was wrong with the wish, or what the sidecar or a provider answered.
pub(super) async fn log_in(shared: &Shared, wish: &Wish) -> Result<LoggedIn, NoLogin> {
    let path = wish.route.split('?').next().unwrap_or_default();
    if normal_path(path).as_deref() != Ok(path) {
        let message = format!("\"route\" must be a path such as \"/ansokan\" in its normal form, not {:?}", wish.route);
        return Err(no(StatusCode::BAD_REQUEST, "bad_route", message));
    }
    let candidates = candidates(shared, wish)?;
    let mut asked = Vec::new();
    for site in candidates {
        let mut browser = Browser::program();
        let page = begin(shared, &mut browser, site, wish).await?;
        match page {
            Some(page) => return finish(shared, browser, site, page, wish).await,
            None => asked.push(site.eid.eid.as_str()),
        }
    }
    let message = format!(
        "the route {:?} takes none of {}: `grindvakt check --explain` says what it takes",
        wish.route,
        asked.join(", ")
    );
    Err(no(StatusCode::CONFLICT, "eid_not_taken", message))
}

/// The providers to try, the likeliest first.
fn candidates<'s>(shared: &'s Shared, wish: &Wish) -> Result<Vec<&'s Site>, NoLogin> {
    let person = shared.people.iter().find(|person| person.id == wish.person);
    let order =
        |site: &&Site| person.and_then(|p| p.eid.iter().position(|eid| *eid == site.eid.eid)).unwrap_or(usize::MAX);
    let has = |site: &&Site| site.idp.people().iter().any(|person| person.id == wish.person);
    let mut sites: Vec<&Site> = shared.sites.iter().filter(has).collect();
    sites.sort_by_key(order);
    if let Some(eid) = &wish.eid {
        sites.retain(|site| site.eid.eid == *eid);
    }
    if sites.is_empty() {
        let eid =
            wish.eid.as_ref().map_or_else(|| "any e-ID of this service".to_owned(), |eid| format!("the e-ID {eid:?}"));
        return Err(no(StatusCode::CONFLICT, "eid_not_theirs", format!("{:?} does not have {eid}", wish.person)));
    }
    if let Some(loa) = &wish.loa {
        // A provider that may assert the level comes first; where none may, the sidecar is the one to say so.
        sites.sort_by_key(|site| !site.eid.certified.contains(loa));
    }
    Ok(sites)
}

/// To the provider's page; none when the sidecar offers a choice instead, in which this e-ID then is not.
async fn begin(shared: &Shared, browser: &mut Browser, site: &Site, wish: &Wish) -> Result<Option<Page>, NoLogin> {
    let query = form::encode([("eid", site.eid.eid.as_str()), ("rd", wish.route.as_str())]);
    let url = format!("{}{}/login?{query}", shared.base_url, shared.prefix);
    let page = step(browser, Method::GET, &url, None, None).await?;
    if !page.status.is_redirection() {
        return if page.status.is_success() { Ok(None) } else { Err(refused(shared, &page, wish)) };
    }
    let to = page.header("location").unwrap_or_default().to_owned();
    let page = step(browser, Method::GET, &to, None, None).await?;
    if page.forms().iter().any(|form| form.field("outcome").is_some()) {
        return Ok(Some(page));
    }
    let message = format!("the provider {} answered {} and no page to log in on", site.eid.id, page.status);
    Err(no(StatusCode::BAD_GATEWAY, "provider_failed", message))
}

async fn finish(
    shared: &Shared,
    mut browser: Browser,
    site: &Site,
    page: Page,
    wish: &Wish,
) -> Result<LoggedIn, NoLogin> {
    let Some(choice) = page.forms().into_iter().find(|form| form.field("outcome").is_some()) else {
        return Err(no(StatusCode::BAD_GATEWAY, "provider_failed", "the provider's page has no form"));
    };
    let mut choice = choice.fill("person", &wish.person).fill("outcome", wish.outcome.name());
    if let Some(loa) = &wish.loa {
        choice = choice.fill("loa", loa);
    }
    let mut page = send(&mut browser, &page, &choice).await?;
    // The answer, and on plain http once more from the sidecar's own page, so that the login's cookie comes along.
    for _ in 0..2 {
        match page.forms().into_iter().find(|form| form.field("SAMLResponse").is_some()) {
            Some(form) => page = send(&mut browser, &page, &form).await?,
            None => break,
        }
    }
    let cookie = browser.jar.all().iter().find(|cookie| cookie.name == shared.cookie).cloned();
    let (Some(cookie), true) = (cookie, page.status.is_redirection()) else {
        return Err(refused(shared, &page, wish));
    };
    let url = format!("{}{}/session", shared.base_url, shared.prefix);
    let session = step(&mut browser, Method::GET, &url, None, None).await?;
    let session: Value = serde_json::from_str(&session.body).unwrap_or_default();
    let location = page.header("location").unwrap_or_default();
    let told = json!({
        "person": wish.person,
        "eid": site.eid.eid,
        "provider": session.get("provider"),
        "loa": session.get("loa"),
        "ends_in_seconds": session.get("ends_in_seconds"),
        "idle_in_seconds": session.get("idle_in_seconds"),
        "location": location,
        "url": format!("{}{}", origin(&shared.base_url), location),
        "name": cookie.name,
        "value": cookie.value,
        "cookie": format!("{}={}", cookie.name, cookie.value),
    });
    Ok(LoggedIn { set_cookie: cookie.raw, told })
}

/// Scheme, host and port of an address.
fn origin(url: &str) -> &str {
    let end = url.find("://").and_then(|at| url.get(at + 3..)?.find('/').map(|slash| at + 3 + slash));
    end.and_then(|end| url.get(..end)).unwrap_or(url)
}

async fn send(browser: &mut Browser, from: &Page, form: &Form) -> Result<Page, NoLogin> {
    let body = form::encode(form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let url = crate::browser::resolve(&from.url, &form.action);
    step(browser, Method::POST, &url, Some(&body), Some(&from.url)).await
}

async fn step(
    browser: &mut Browser,
    method: Method,
    url: &str,
    body: Option<&str>,
    from: Option<&str>,
) -> Result<Page, NoLogin> {
    let place = url.split('?').next().unwrap_or_default();
    let silent = |why: String| no(StatusCode::BAD_GATEWAY, "no_answer", why);
    match tokio::time::timeout(STEP, browser.once(method, url, body, from)).await {
        Ok(Ok(page)) => Ok(page),
        Ok(Err(BrowseError::NoAnswer(_, why))) => Err(silent(format!("no answer from {place}: {why}"))),
        Ok(Err(e)) => Err(silent(e.to_string())),
        Err(_) => Err(silent(format!("no answer from {place} within {} s", STEP.as_secs()))),
    }
}

/// The sidecar let nobody in. Its answer to a program says why by its stable code.
fn refused(shared: &Shared, page: &Page, wish: &Wish) -> NoLogin {
    let problem: Value = serde_json::from_str(&page.body).unwrap_or_default();
    let Some(code) = problem.get("code").and_then(Value::as_str) else {
        let message = format!("{} answered {} where a session was expected", page.url, page.status);
        return no(StatusCode::BAD_GATEWAY, "unexpected_answer", message);
    };
    let route = &wish.route;
    let hint = match code {
        "coordination_number_not_accepted" => {
            "the service has not set `accept_coordination_number`, so this person stays outside".to_owned()
        }
        "loa_not_requested" | "loa_not_certified" => {
            format!("{route} does not ask for this level, or the e-ID may not assert it")
        }
        "status_no_authn_context" => format!("{route} asks for levels that this person does not have"),
        "required_attribute_missing" => format!("{route} requires something that this person does not have"),
        "status_cancel" => "the person cancelled, as you asked".to_owned(),
        _ => problem.get("title").and_then(Value::as_str).unwrap_or_default().to_owned(),
    };
    let refusal = json!({
        "code": code,
        "status": page.status.as_u16(),
        "reference": problem.get("reference"),
        "login": format!("{}{}/login", shared.base_url, shared.prefix),
    });
    NoLogin {
        status: StatusCode::FORBIDDEN,
        error: "login_refused",
        message: format!("the sidecar refused the login ({code}): {hint}"),
        refusal: Some(refusal),
    }
}
