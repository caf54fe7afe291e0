//! Logins as a real browser goes through them (feature `peers`): Debian's Chromium, the providers on other registrable
//! domains, TLS everywhere, and so the cookies that production has.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use grindvakt_demo::serve;
use grindvakt_demo::sidecar::Sidecar;
use grindvakt_demo::stage::Stage;
use http::header::{HeaderValue, LOCATION};
use http::{Method, StatusCode};

use crate::support::Client;
use crate::support::browser::{Browser, Browsers, Profile};
use crate::support::web::{BANKID, FREJA, SERVICE, Web, demo_world, site, story};

const SESSION: &str = "__Host-eid-etjanst";
/// Which e-ID was used last: all that is left after a logout, until the browser is closed.
const LAST: &str = "__Host-last-eid-etjanst";

fn at(path: &str) -> String {
    format!("https://{SERVICE}{path}")
}

/// Goes from the service to the provider's page.
async fn to_provider(browser: &Browser, path: &str, eid: &str) {
    browser.open(&at(path)).await;
    browser.press(&format!("#eid-{eid}")).await;
    browser.reads("select[name=outcome]").await;
}

/// Says yes at the provider.
async fn identify(browser: &Browser) {
    browser.press("button[type=submit]").await;
}

/// The e-service says that this person is logged in.
async fn greets(browser: &Browser) {
    browser.shows("main p strong", "Åsa Märta Öberg").await;
}

/// How often logins were refused because the browser held nothing of them.
async fn state_missing(web: &Web) -> usize {
    let metrics = Client::new(web.world.admin()).get("/metrics").await.body;
    let line = metrics.lines().find(|line| line.starts_with("grindvakt_logins_refused_total{code=\"state_missing\""));
    line.map_or(0, |line| line.rsplit_once(' ').unwrap().1.parse().unwrap())
}

#[tokio::test]
async fn by_redirect_a_person_lands_where_they_wanted_with_the_cookies_of_production() {
    story("redirect", demo_world("").await, async |web| {
        let browser = web.browser(&Profile::default()).await;
        browser.open(&at("/ansokan?steg=2")).await;
        browser.shows("h1", "Välj hur du vill logga in").await;
        assert_eq!(browser.all("button.choice").await, ["BankID", "Freja"]);
        browser.press("#eid-bankid").await;
        browser.shows("h1", "Logga in med demo-BankID").await;
        assert!(browser.url().await.starts_with(&format!("https://{BANKID}/sso?SAMLRequest=")));
        identify(&browser).await;
        browser.arrives(&at("/ansokan?steg=2")).await;
        greets(&browser).await;
        assert!(browser.source().await.contains("195006262546"));

        // The login's own state came along from the other site, and is used up; what is left is the session.
        let cookies = browser.session().cookies().await.unwrap();
        let session = cookies.iter().find(|cookie| cookie["name"] == SESSION).unwrap();
        for (field, value) in [("secure", "true"), ("httpOnly", "true"), ("sameSite", "\"Lax\""), ("path", "\"/\"")] {
            assert_eq!(session[field].to_string(), value, "{field}");
        }
        assert_eq!(browser.cookie_names().await, [SESSION, LAST]);
        assert_eq!(browser.session().run("return document.cookie", &[]).await.unwrap(), "");

        // It goes on from page to page.
        browser.press("nav a[href='/om']").await;
        browser.arrives(&at("/om")).await;
        browser.open(&at("/ansokan")).await;
        browser.arrives(&at("/ansokan")).await;
    })
    .await;
}

#[tokio::test]
async fn by_post_the_page_sends_itself_and_an_english_person_reads_english() {
    story("post", demo_world("").await, async |web| {
        let browser = web.browser(&Profile { languages: "en-GB,en", ..Profile::default() }).await;
        browser.open(&at("/ansokan/ny?a=1&b=%C3%A5")).await;
        browser.shows("h1", "Choose how to log in").await;
        assert_eq!(browser.attribute("html", "lang").await.as_deref(), Some("en"));
        // The other language is one link away, and keeps the place.
        browser.press("header a[hreflang=sv]").await;
        browser.shows("h1", "Välj hur du vill logga in").await;
        browser.press("header a[hreflang=en]").await;
        browser.shows("h1", "Choose how to log in").await;
        browser.press("#eid-freja").await;
        browser.shows("h1", "Logga in med demo-Freja").await;
        assert_eq!(browser.url().await, format!("https://{FREJA}/sso"), "nothing of the request is in the address");
        // A login that ends badly is told in the language that it began in, and leads back to the same place.
        browser.press("option[value=cancel]").await;
        identify(&browser).await;
        browser.shows("h1", "The login was cancelled").await;
        assert_eq!(browser.cookie_names().await, [""; 0], "nothing is left of it");
        browser.press("main a.button").await;
        browser.press("#eid-freja").await;
        browser.reads("select[name=outcome]").await;
        identify(&browser).await;
        browser.arrives(&at("/ansokan/ny?a=1&b=%C3%A5")).await;
    })
    .await;
}

/// Real providers send the browser on within their own domains once they have taken the form. A policy of our page
/// that names one origin only would stop it there, in Chromium alone.
#[tokio::test]
async fn a_provider_may_send_the_browser_on_after_the_form() {
    story("sent-on", demo_world("").await, async |web| {
        const INNER: &str = "login.freja.example.net";
        let taken: Arc<Mutex<Bytes>> = Arc::default();
        let (outer_idp, inner_idp, kept) = (web.freja.clone(), web.freja.clone(), Arc::clone(&taken));
        let (outer, _) = site(move |request| {
            if request.method() != Method::POST {
                return outer_idp.handle(request);
            }
            *kept.lock().unwrap() = request.into_body();
            let mut answer = serve::text(StatusCode::FOUND, "");
            let there = HeaderValue::from_static("https://login.freja.example.net/inner");
            answer.headers_mut().insert(LOCATION, there);
            answer
        })
        .await;
        let (inner, _) = site(move |request| match request.uri().path() {
            "/inner" => inner_idp.handle(
                http::Request::post(format!("https://{FREJA}/sso")).body(taken.lock().unwrap().clone()).unwrap(),
            ),
            _ => inner_idp.handle(request),
        })
        .await;
        web.host(FREJA, outer).await;
        web.host(INNER, inner).await;
        let browser = web.browser(&Profile::default()).await;
        to_provider(&browser, "/ansokan/x", "freja").await;
        assert_eq!(browser.url().await, format!("https://{INNER}/inner"));
        identify(&browser).await;
        browser.arrives(&at("/ansokan/x")).await;
    })
    .await;
}

#[tokio::test]
async fn several_tabs_log_in_at_once_and_each_finds_its_place() {
    story("tabs", demo_world("").await, async |web| {
        let browser = web.browser(&Profile::default()).await;
        to_provider(&browser, "/ansokan/1", "bankid").await;
        let first = browser.session().new_tab().await.unwrap();
        to_provider(&browser, "/ansokan/2", "freja").await;
        let second = browser.session().new_tab().await.unwrap();
        to_provider(&browser, "/ansokan/3", "bankid").await;
        let third = first;
        // Neither the first nor the last wins: each goes back to where it came from.
        browser.session().tab(&second).await.unwrap();
        identify(&browser).await;
        browser.arrives(&at("/ansokan/2")).await;
        browser.session().tab(&third).await.unwrap();
        identify(&browser).await;
        browser.arrives(&at("/ansokan/1")).await;
        greets(&browser).await;
        // A tab that has only come to the choice finds that it is logged in already.
        browser.session().new_tab().await.unwrap();
        browser.open(&at("/eid/login?rd=/ansokan/4")).await;
        browser.arrives(&at("/ansokan/4")).await;
        // The login that was left is still waiting for its answer; it does no harm.
        assert_eq!(browser.cookie_names().await.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn the_back_button_is_no_trap() {
    story("back", demo_world("").await, async |web| {
        let browser = web.browser(&Profile::default()).await;
        to_provider(&browser, "/ansokan/1", "bankid").await;
        identify(&browser).await;
        browser.arrives(&at("/ansokan/1")).await;
        // Back is the provider's page: its button sends the same login's answer once more.
        browser.back().await;
        browser.reads("select[name=outcome]").await;
        identify(&browser).await;
        browser.shows("h1", "Inloggningen kan inte slutföras här").await;
        assert!(browser.reads("main p").await.contains("redan klar"));
        assert_eq!(state_missing(&web).await, 1);
        assert!(browser.cookie_names().await.contains(&SESSION.to_owned()), "the session is still there");
        // Its one button leads back in, without another login.
        assert_eq!(browser.all("main > p a, main > form button").await, ["Börja om"]);
        browser.press("main a.button").await;
        browser.arrives(&at("/ansokan")).await;
        greets(&browser).await;
    })
    .await;
}

#[tokio::test]
async fn a_login_that_ends_in_another_browser_says_so_and_begins_again_at_the_same_route() {
    story("elsewhere", demo_world("").await, async |web| {
        let (here, there) = (web.browser(&Profile::default()).await, web.browser(&Profile::default()).await);
        to_provider(&here, "/ansokan/1", "bankid").await;
        // As when an app of the provider's opens another browser than the one that it was called from.
        there.open(&here.url().await).await;
        identify(&there).await;
        there.shows("h1", "Inloggningen kan inte slutföras här").await;
        assert!(there.reads("main p").await.contains("annan webbläsare"));
        assert_eq!(state_missing(&web).await, 1);
        assert!(there.cookie_names().await.is_empty(), "nobody is logged in");
        assert_eq!(there.all("main > p a, main > form button").await, ["Börja om"]);
        there.press("main a.button").await;
        there.press("#eid-bankid").await;
        there.reads("select[name=outcome]").await;
        identify(&there).await;
        there.arrives(&at("/ansokan")).await;
        // Where it began it can still be finished.
        identify(&here).await;
        here.arrives(&at("/ansokan/1")).await;
    })
    .await;
}

#[tokio::test]
async fn without_scripts_every_page_has_its_button() {
    story("no-scripts", demo_world("").await, async |web| {
        let browser = web.browser(&Profile { scripts: false, ..Profile::default() }).await;
        browser.open(&at("/ansokan/1")).await;
        browser.press("#eid-freja").await;
        browser.shows("h1", "Du skickas vidare till din e-legitimation").await;
        browser.shows("main button", "Fortsätt").await;
        browser.press("main button").await;
        browser.reads("select[name=outcome]").await;
        identify(&browser).await;
        browser.shows("h1", "Tillbaka till e-tjänsten").await;
        browser.press("main button").await;
        browser.arrives(&at("/ansokan/1")).await;
        greets(&browser).await;
        // A link leads to the question, and only its button logs out.
        browser.open(&at("/eid/logout")).await;
        browser.shows("h1", "Vill du logga ut?").await;
        browser.press("main button").await;
        browser.shows("h1", "Du är utloggad").await;
        assert_eq!(browser.cookie_names().await, [LAST]);
    })
    .await;
}

#[tokio::test]
async fn logging_out_ends_it_and_the_back_button_brings_nothing_back() {
    story("logout", demo_world("").await, async |web| {
        let browser = web.browser(&Profile { languages: "en", ..Profile::default() }).await;
        to_provider(&browser, "/ansokan/1", "bankid").await;
        identify(&browser).await;
        browser.arrives(&at("/ansokan/1")).await;
        browser.press("form[action='/eid/logout'] button").await;
        browser.shows("h1", "You are logged out").await;
        assert_eq!(browser.cookie_names().await, [LAST]);
        browser.back().await;
        assert!(!browser.source().await.contains("195006262546"), "the page of who was logged in");
        browser.open(&at("/ansokan/1")).await;
        browser.shows("h1", "Choose how to log in").await;
    })
    .await;
}

/// The demo as a visitor meets it, on plain http: the login's cookie does not come along from the other site, and a page of
/// our own sends the answer once more.
#[tokio::test]
async fn on_plain_localhost_the_answer_comes_round_by_a_page_of_our_own() {
    let browsers = Browsers::default();
    let started = browsers.clone();
    let told = async move {
        let stage = Stage::set_up(0).await.unwrap();
        let _sidecar = Sidecar::start(Path::new(env!("CARGO_BIN_EXE_grindvakt")), &stage.config(), true).unwrap();
        stage.introduce(Duration::from_secs(20)).await.unwrap();
        for scripts in [true, false] {
            let profile = Profile { scripts, ..Profile::default() };
            let browser = started.start("localhost", &profile, &[], None).await;
            browser.open(&stage.url("/ansokan?steg=2")).await;
            browser.press("#eid-bankid").await;
            browser.reads("select[name=outcome]").await;
            identify(&browser).await;
            if !scripts {
                browser.shows("h1", "Tillbaka till e-tjänsten").await;
                browser.press("main button").await;
                browser.shows("h1", "Inloggningen slutförs").await;
                browser.press("main button").await;
            }
            browser.arrives(&stage.url("/ansokan?steg=2")).await;
            greets(&browser).await;
            assert_eq!(browser.cookie_names().await, ["eid-etjanst", "last-eid-etjanst"]);
        }
    };
    browsers.watch(told).await;
}
