//! What people see of a session that ends (feature `peers`): the optional script in an e-service's page warns before, by
//! an announced dialog that can keep the session; without scripts the page's own line of text says it.

use std::time::Duration;

use grindvakt_demo::serve::html;
use http::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use http::{Method, StatusCode};
use serde_json::json;

use crate::support::browser::{Browser, Profile};
use crate::support::eyes::ENTER;
use crate::support::web::{SERVICE, site, story};
use crate::support::{BASE, Client, World};

/// What docs/for-e-services.md has an e-service write, word for word.
const DOCUMENT: &str = include_str!("../../docs/for-e-services.md");
const SCRIPT: &str = r#"<script src="/eid/assets/session.js" defer></script>"#;
const LINE: &str = "<noscript><p>Du loggas ut efter 30 minuter utan aktivitet. Spara ofta.</p></noscript>";

/// An e-service's page with a text that somebody writes, under the policy that the document asks for.
fn page(lang: &str) -> String {
    format!(
        r#"<!doctype html><html lang="{lang}"><head><meta charset="utf-8"><title>Grind</title>{SCRIPT}</head>
<body><main><h1>Grind</h1>{LINE}<label for="t">Text</label> <textarea id="t"></textarea></main></body></html>"#
    )
}

async fn world(session: &str) -> World {
    let (upstream, _) = site(|request| {
        let lang = if request.uri().path().ends_with("/en") { "en" } else { "sv" };
        let mut answer = html(StatusCode::OK, page(lang));
        let policy = "default-src 'none'; script-src 'self'; connect-src 'self'";
        answer.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
        answer
    })
    .await;
    World::with_upstream(&format!("[session]\n{session}"), upstream).await
}

fn at(path: &str) -> String {
    format!("https://{SERVICE}{path}")
}

async fn logs_in(browser: &Browser, path: &str) {
    browser.open(&at(path)).await;
    browser.press("#eid-bankid").await;
    browser.reads("select[name=outcome]").await;
    browser.press("button[type=submit]").await;
    browser.arrives(&at(path)).await;
    browser.shows("h1", "Grind").await;
}

/// Without a sound: asking keeps nothing alive.
async fn idle_in(browser: &Browser) -> u64 {
    let script = "return fetch('/eid/session').then(answer => answer.json()).then(left => left.idle_in_seconds)";
    browser.session().run(script, &[]).await.unwrap().as_u64().unwrap()
}

async fn is_open(browser: &Browser) -> bool {
    browser.session().run("return document.querySelector('dialog[open]') !== null", &[]).await.unwrap() == json!(true)
}

/// What has the focus, by its text.
async fn focus(browser: &Browser) -> String {
    let text = browser.session().run("return document.activeElement.textContent", &[]).await.unwrap();
    text.as_str().unwrap().to_owned()
}

async fn closes(browser: &Browser) {
    for _ in 0..100 {
        if !is_open(browser).await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the dialog stays open");
}

#[tokio::test]
async fn a_warning_comes_before_the_end_and_keeps_the_session_of_whoever_wants_to_stay() {
    assert!(DOCUMENT.contains(SCRIPT) && DOCUMENT.contains(LINE));
    // Four seconds more than the warning comes before the end.
    story("warning", world("idle_timeout = \"124s\"\n").await, async |web| {
        let browser = web.browser(&Profile::default()).await;
        logs_in(&browser, "/ansokan").await;
        browser.session().run("document.querySelector('textarea').value = 'viktigt'", &[]).await.unwrap();
        assert!(!is_open(&browser).await, "nobody is warned while there is time");

        browser.shows("dialog h2", "Du loggas snart ut").await;
        let text =
            "Du loggas ut om ungefär 2 minuter om du inte fortsätter. Det som du inte har sparat kan gå förlorat.";
        browser.shows("dialog p", text).await;
        // It is read out as what it is, and the keyboard is at the button that keeps the session.
        let tree = browser.tree().await;
        assert!(tree.contains("alertdialog \"Du loggas snart ut\""), "{tree}");
        assert_eq!(focus(&browser).await, "Fortsätt vara inloggad");
        let described = "const d = document.querySelector('dialog');
            return document.getElementById(d.getAttribute('aria-describedby')).textContent";
        assert_eq!(browser.session().run(described, &[]).await.unwrap(), json!(text));
        assert_eq!(browser.accessibility().await, Vec::<String>::new());

        browser.press("dialog button").await;
        closes(&browser).await;
        assert!(idle_in(&browser).await > 120, "the session was kept");
        let kept = browser.session().run("return document.querySelector('textarea').value", &[]).await.unwrap();
        assert_eq!(kept, json!("viktigt"), "and so was the text");

        // Once more, by the keyboard alone.
        browser.shows("dialog[open] h2", "Du loggas snart ut").await;
        browser.key(ENTER).await;
        closes(&browser).await;
        assert!(idle_in(&browser).await > 120);

        // Somebody logs out elsewhere: the page says so, and leaves the text where it is.
        let cookies = browser.session().cookies().await.unwrap();
        let mut elsewhere = Client::new(web.world.public());
        for cookie in cookies {
            elsewhere.cookies.insert(cookie["name"].as_str().unwrap().into(), cookie["value"].as_str().unwrap().into());
        }
        let out = elsewhere.send(Method::POST, "/eid/logout", &[("origin", BASE)], "").await;
        assert_eq!(out.status, StatusCode::OK);
        browser.shows("dialog[open] h2", "Du är utloggad").await;
        assert_eq!(focus(&browser).await, "Stäng");
        browser.key(ENTER).await;
        closes(&browser).await;
        let kept = browser.session().run("return document.querySelector('textarea').value", &[]).await.unwrap();
        assert_eq!(kept, json!("viktigt"));
    })
    .await;
}

/// Nothing keeps a session beyond its absolute end: then there is no button that says so.
#[tokio::test]
async fn before_the_absolute_end_the_warning_offers_no_more_than_there_is() {
    story("absolute-end", world("idle_timeout = \"80s\"\nlifetime = \"80s\"\n").await, async |web| {
        let browser = web.browser(&Profile::default()).await;
        logs_in(&browser, "/ansokan/en").await;
        browser.shows("dialog[open] h2", "You will soon be logged out").await;
        let text = "You will be logged out in about a minute. Save what you want to keep, and then log in again.";
        browser.shows("dialog p", text).await;
        assert_eq!(focus(&browser).await, "Close");
        let hidden = "return [...document.querySelectorAll('dialog button')].map(button => button.hidden)";
        assert_eq!(browser.session().run(hidden, &[]).await.unwrap(), json!([true, false]));
        assert_eq!(browser.accessibility().await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn without_scripts_a_line_of_text_says_how_long_a_session_waits() {
    story("no-script-line", world("idle_timeout = \"30m\"\n").await, async |web| {
        let browser = web.browser(&Profile { scripts: false, ..Profile::default() }).await;
        browser.open(&at("/ansokan")).await;
        browser.press("#eid-bankid").await;
        browser.reads("select[name=outcome]").await;
        browser.press("button[type=submit]").await;
        // The provider's page sends its form by a button here.
        browser.shows("h1", "Tillbaka till e-tjänsten").await;
        browser.press("main button").await;
        browser.arrives(&at("/ansokan")).await;
        browser.shows("noscript p, main > p", "Du loggas ut efter 30 minuter utan aktivitet. Spara ofta.").await;
        assert!(browser.all("dialog").await.is_empty());
    })
    .await;
}
