//! One login from end to end, driven by HTTP as a browser would: what `grindvakt-demo --check` does.

use http::{Method, StatusCode};
use serde_json::Value;

use crate::browser::{BrowseError, Browser, Page};
use crate::form;
use crate::op::basic;
use crate::stage::{PROGRAM, Stage};

/// What went otherwise than it should.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// Nobody answered.
    #[error(transparent)]
    Browse(#[from] BrowseError),
    /// A page was not the one that should have come.
    #[error("{step}: expected {expected}, got {status} from {url}:\n{body}")]
    Unexpected {
        /// What was being tried.
        step: &'static str,
        /// What should have come.
        expected: &'static str,
        /// The status that came.
        status: StatusCode,
        /// From where.
        url: String,
        /// The beginning of the page.
        body: String,
    },
}

fn expect(step: &'static str, expected: &'static str, page: &Page, holds: bool) -> Result<(), CheckError> {
    if holds {
        return Ok(());
    }
    let body = page.body.chars().take(3000).collect();
    Err(CheckError::Unexpected { step, expected, status: page.status, url: page.url.clone(), body })
}

/// Goes on pressing the only button of a page, as long as the page is one that browsers press by themselves.
async fn through(browser: &mut Browser, mut page: Page) -> Result<Page, CheckError> {
    for _ in 0..4 {
        match page.forms().into_iter().find(|f| f.field("SAMLResponse").is_some() || f.field("SAMLRequest").is_some()) {
            Some(form) => page = browser.submit(&page, &form).await?,
            None => break,
        }
    }
    Ok(page)
}

/// Begins a login at the e-ID `eid` for `path`, up to the provider's page.
///
/// # Errors
/// [`CheckError`] when the provider's page does not come.
pub async fn to_provider(browser: &mut Browser, stage: &Stage, eid: &str, path: &str) -> Result<Page, CheckError> {
    let url = stage.url(&format!("/eid/login?eid={eid}&rd={path}"));
    let page = browser.open(&url).await?;
    let page = through(browser, page).await?;
    let there = page.status.is_success() && page.forms().iter().any(|f| f.field("outcome").is_some());
    expect("beginning a login", "the provider's page", &page, there)?;
    Ok(page)
}

/// Chooses on the provider's page and comes back.
///
/// # Errors
/// [`CheckError`] when nobody answers.
pub async fn choose(
    browser: &mut Browser,
    page: &Page,
    person: usize,
    loa: Option<&str>,
    outcome: &str,
) -> Result<Page, CheckError> {
    let form = page.forms().into_iter().next().ok_or_else(|| BrowseError::NoForm(page.url.clone()))?;
    let mut form = form.fill("person", &person.to_string()).fill("outcome", outcome);
    if let Some(loa) = loa {
        form = form.fill("loa", loa);
    }
    let answer = browser.submit(page, &form).await?;
    through(browser, answer).await
}

/// Walks through the demo once, says each step through `say`.
///
/// # Errors
/// [`CheckError`] names the first step that went wrong.
pub async fn run(stage: &Stage, mut say: impl FnMut(&str)) -> Result<(), CheckError> {
    let mut browser = Browser::new();

    let page = browser.open(&stage.url("/om")).await?;
    let open = page.status == StatusCode::OK && !page.body.contains("X-Eid-");
    expect("an open page", "a page without identity headers", &page, open)?;
    say("an open page needs no login, and is told of nobody");

    browser.extra = vec![("X-Eid-Personal-Number".to_owned(), "195207306886".to_owned())];
    let page = browser.open(&stage.url("/om")).await?;
    expect("a forged header", "a page without it", &page, !page.body.contains("195207306886"))?;
    browser.extra.clear();
    say("a forged identity header is taken away");

    let page = browser.open(&stage.url("/ansokan")).await?;
    let kept_out = !page.body.contains("X-Eid-Personal-Number");
    expect("a guarded page", "anything but the page", &page, kept_out)?;
    say("a guarded page does not come without a login");

    for outcome in ["cancel", "tampered", "wrong-audience", "expired", "unsigned", "wrong-key", "wrapped"] {
        let page = to_provider(&mut browser, stage, "bankid", "/ansokan").await?;
        let page = choose(&mut browser, &page, 0, None, outcome).await?;
        expect("a login that must fail", "a refusal (4xx)", &page, page.status.is_client_error())?;
        let page = browser.open(&stage.url("/eid/session")).await?;
        expect("after a refusal", "no session", &page, !page.body.contains("loa"))?;
        say(&format!("refused, as it should be: {outcome}"));
    }

    for outcome in ["cancel", "tampered", "wrong-key", "wrong-nonce", "wrong-iss", "expired", "userinfo-other"] {
        let page = to_provider(&mut browser, stage, "freja-oidc", "/ansokan").await?;
        let page = choose(&mut browser, &page, 0, None, outcome).await?;
        expect("a login that must fail", "a refusal (4xx)", &page, page.status.is_client_error())?;
        say(&format!("refused, as it should be, by OpenID Connect: {outcome}"));
    }

    let mut subjects = Vec::new();
    for eid in ["bankid", "freja", "freja-oidc"] {
        let mut browser = Browser::new();
        let page = to_provider(&mut browser, stage, eid, "/ansokan").await?;
        let page = choose(&mut browser, &page, 0, None, "success").await?;
        let inside = page.status == StatusCode::OK
            && page.url == stage.url("/ansokan")
            && page.body.contains("195006262546")
            && page.body.contains("Öberg")
            && page.body.contains("X-Eid-Subject");
        expect("a login", "the e-service with identity headers", &page, inside)?;
        say(&format!("logged in with {eid}: the e-service was told the personal number and the name"));
        subjects.extend(subject(&page));

        let form = page.forms().into_iter().next().ok_or_else(|| BrowseError::NoForm(page.url.clone()))?;
        browser.submit(&page, &form).await?;
        let page = browser.open(&stage.url("/ansokan")).await?;
        expect("after logout", "anything but the page", &page, !page.body.contains("195006262546"))?;
        say("logged out again");
    }
    let one = subjects.len() == 3 && subjects.windows(2).all(|pair| pair.first() == pair.get(1));
    expect("three logins of one person", "one X-Eid-Subject", &page, one)?;
    say("and X-Eid-Subject was the same each time");
    account(stage, &mut say).await?;
    program(stage, &mut say).await
}

/// What a page of the sample e-service says that it was told of whom.
fn subject(page: &Page) -> Option<String> {
    let (_, rest) = page.body.split_once("X-Eid-Subject</th><td><code>")?;
    rest.split_once('<').map(|(value, _)| value.to_owned())
}

/// The municipality's own account opens little; and who logs out there is logged out here.
async fn account(stage: &Stage, say: &mut impl FnMut(&str)) -> Result<(), CheckError> {
    let mut browser = Browser::new();
    let page = to_provider(&mut browser, stage, "konto", "/").await?;
    let page = choose(&mut browser, &page, 1, None, "success").await?;
    let inside = page.status == StatusCode::OK && page.body.contains("Nils") && !page.body.contains("195207306886");
    expect("an account of a low level", "the start page, and no number on it", &page, inside)?;
    let page = browser.open(&stage.url("/ansokan")).await?;
    expect("an account of a low level", "no page of a higher one", &page, subject(&page).is_none())?;
    say("an account of a low level opens the start page, and no more");

    stage.accounts.log_out_last().await;
    let page = browser.open(&stage.url("/")).await?;
    expect("a logout at the provider", "a session that is over", &page, subject(&page).is_none())?;
    say("a logout at the provider ended the session here");
    Ok(())
}

/// A program gets a token and uses it.
async fn program(stage: &Stage, say: &mut impl FnMut(&str)) -> Result<(), CheckError> {
    let api = stage.url("/api/arenden");
    let mut client = Browser::program();
    let page = client.open(&api).await?;
    expect("the API without a token", "401", &page, page.status == StatusCode::UNAUTHORIZED)?;
    say("the API does not open without a token");

    let (id, secret, scope) = PROGRAM;
    client.extra = vec![("authorization".to_owned(), basic(id, secret))];
    let body = form::encode([("grant_type", "client_credentials"), ("scope", scope)]);
    let endpoint = format!("{}/token", stage.accounts.op().issuer());
    let page = client.once(Method::POST, &endpoint, Some(&body), None).await?;
    let answer: Value = serde_json::from_str(&page.body).unwrap_or_default();
    let token = answer.get("access_token").and_then(Value::as_str).unwrap_or_default().to_owned();
    expect("asking for a token", "a token", &page, !token.is_empty())?;
    client.extra = vec![("authorization".to_owned(), format!("Bearer {token}"))];
    let page = client.open(&api).await?;
    let inside = page.status == StatusCode::OK && page.body.contains("X-Eid-Subject") && page.body.contains("arenden");
    expect("the API with a token", "the API's answer, with who it is", &page, inside)?;
    say("a program's token opens it, and the e-service was told whose it is");
    let page = client.open(&stage.url("/ansokan")).await?;
    expect("a token elsewhere", "401", &page, page.status == StatusCode::UNAUTHORIZED)?;
    say("and it opens nothing else");
    Ok(())
}
