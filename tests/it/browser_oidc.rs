//! Logins by OpenID Connect as a real browser goes through them (feature `peers`): the provider is on a site of its own,
//! the sidecar speaks to it behind the browser's back.

use std::path::Path;
use std::time::Duration;

use grindvakt_demo::op::Dialect;
use grindvakt_demo::sidecar::Sidecar;
use grindvakt_demo::stage::Stage;

use crate::support::browser::{Browser, Browsers, Profile};
use crate::support::openid::{By, Op, ready, refused};
use crate::support::web::{SERVICE, demo_world, story};
use crate::support::{Client, World};

const SESSION: &str = "__Host-eid-etjanst";
const LAST: &str = "__Host-last-eid-etjanst";

fn at(path: &str) -> String {
    format!("https://{SERVICE}{path}")
}

/// The provider, and a world that trusts it. Browsers find its name by themselves: it is this machine's.
async fn openid_world() -> (Op, World) {
    let op = Op::new("freja-oidc", Dialect::Swedish, By::Key, |op| op).await;
    let mut world = demo_world("").await;
    let provider = op.provider(&world, "oidc-sweden", "loa = [\"loa2\", \"loa3\"]");
    world.configure(|text| text.to_owned() + &provider).await;
    ready(&world, &["freja-oidc"]).await;
    op.site.knows(op.client().backchannel(&format!("http://{}/eid/oidc/backchannel", world.public())));
    (op, world)
}

async fn to_provider(browser: &Browser, path: &str) {
    browser.open(&at(path)).await;
    browser.press("#eid-freja-oidc").await;
    browser.reads("select[name=outcome]").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_lands_where_they_wanted_with_the_cookies_of_production() {
    let (op, world) = openid_world().await;
    story("openid", world, async move |web| {
        let browser = web.browser(&Profile::default()).await;
        browser.open(&at("/ansokan?steg=2")).await;
        assert_eq!(browser.all("button.choice").await, ["BankID", "Freja", "freja-oidc"]);
        browser.press("#eid-freja-oidc").await;
        browser.shows("h1", "Logga in med demo-freja-oidc").await;
        assert!(browser.url().await.starts_with(&format!("{}/authorize?", op.issuer)));
        browser.press("button[type=submit]").await;
        browser.arrives(&at("/ansokan?steg=2")).await;
        browser.shows("main p strong", "Åsa Märta Öberg").await;
        assert!(browser.source().await.contains("195006262546"));
        assert_eq!(browser.cookie_names().await, [SESSION, LAST], "the login's own state came along, and is used up");

        // Back is the provider's page, whose button brings another code for the same login.
        browser.back().await;
        browser.reads("select[name=outcome]").await;
        browser.press("button[type=submit]").await;
        browser.shows("h1", "Inloggningen kan inte slutföras här").await;
        assert!(browser.cookie_names().await.contains(&SESSION.to_owned()), "the session is still there");
        browser.press("main a.button").await;
        browser.arrives(&at("/ansokan")).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_ends_badly_is_told_in_the_persons_language_and_begins_again() {
    let (op, world) = openid_world().await;
    story("openid-badly", world, async move |web| {
        let browser = web.browser(&Profile { languages: "en-GB,en", ..Profile::default() }).await;
        to_provider(&browser, "/ansokan/ny?a=1").await;
        assert_eq!(op.site.last_request().unwrap().ui_locales, ["en"]);
        browser.press("option[value=cancel]").await;
        browser.press("button[type=submit]").await;
        browser.shows("h1", "The login was cancelled").await;
        assert_eq!(browser.accessibility().await, [""; 0]);
        assert_eq!(browser.cookie_names().await, [""; 0], "nothing is left of it");
        browser.press("main a.button").await;
        browser.press("#eid-freja-oidc").await;
        browser.reads("select[name=outcome]").await;
        browser.press("option[value=token-broken]").await;
        browser.press("button[type=submit]").await;
        browser.shows("h1", "The e-ID does not answer right now").await;
        assert_eq!(browser.accessibility().await, [""; 0]);
        to_provider(&browser, "/ansokan/ny?a=1").await;
        browser.press("button[type=submit]").await;
        browser.arrives(&at("/ansokan/ny?a=1")).await;
        let codes: Vec<String> = refused(&web.world, "freja-oidc").await.into_keys().collect();
        assert_eq!(codes, ["status_cancel", "token_endpoint_failed"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_logs_out_is_led_to_the_provider_and_back() {
    let (op, world) = openid_world().await;
    story("openid-logout", world, async move |web| {
        let browser = web.browser(&Profile::default()).await;
        to_provider(&browser, "/ansokan/1").await;
        browser.press("button[type=submit]").await;
        browser.arrives(&at("/ansokan/1")).await;
        browser.press("form[action='/eid/logout'] button").await;
        browser.shows("h1", "Du är utloggad").await;
        assert_eq!(browser.accessibility().await, [""; 0]);
        assert_eq!(browser.cookie_names().await, [LAST]);
        browser.press(&format!("main a[href^='{}']", op.issuer)).await;
        browser.shows("main p strong", "Åsa Märta Öberg").await;
        browser.press("main button").await;
        browser.arrives(&at("/eid/logout?done")).await;
        browser.shows("h1", "Du är utloggad").await;
        assert!(op.site.end_last_session().is_empty(), "the provider's own session is over");

        // Logged out there, by another tab or from another device: the page here is one of nobody's from then on.
        to_provider(&browser, "/ansokan/2").await;
        browser.press("button[type=submit]").await;
        browser.arrives(&at("/ansokan/2")).await;
        let told = op.site.log_out_last().await;
        assert_eq!(told.iter().map(|(_, status)| status.map(|s| s.as_u16())).collect::<Vec<_>>(), [Some(200)]);
        browser.open(&at("/ansokan/2")).await;
        browser.shows("h1", "Välj hur du vill logga in").await;
        let metrics = Client::new(web.world.admin()).get("/metrics").await.body;
        assert!(!metrics.contains("195006262546"));
    })
    .await;
}

/// The demo as a visitor meets it, on plain http: the provider's answer comes by a link, so to say, and the login's cookie
/// comes along with it.
#[tokio::test]
async fn on_plain_localhost_the_demo_logs_in_by_openid_and_its_accounts_open_little() {
    let browsers = Browsers::default();
    let started = browsers.clone();
    let told = async move {
        let stage = Stage::set_up(0).await.unwrap();
        let _sidecar = Sidecar::start(Path::new(env!("CARGO_BIN_EXE_grindvakt")), &stage.config(), true).unwrap();
        stage.introduce(Duration::from_secs(20)).await.unwrap();
        for scripts in [true, false] {
            let profile = Profile { scripts, ..Profile::default() };
            let browser = started.start("localhost-openid", &profile, &[], None).await;
            browser.open(&stage.url("/ansokan?steg=2")).await;
            assert_eq!(
                browser.all("a.choice").await,
                ["BankID (demo)", "Freja (demo)", "Freja, OpenID Connect (demo)"]
            );
            browser.press("a.choice[href*='eid=freja-oidc']").await;
            browser.shows("h1", "Logga in med demo-Freja").await;
            browser.press("button[type=submit]").await;
            browser.arrives(&stage.url("/ansokan?steg=2")).await;
            browser.shows("main p strong", "Åsa Märta Öberg").await;
            assert_eq!(browser.cookie_names().await, ["eid-etjanst"]);
        }
        let browser = started.start("localhost-account", &Profile::default(), &[], None).await;
        browser.open(&stage.url("/")).await;
        browser.press("a.choice[href*='eid=konto']").await;
        browser.shows("h1", "Logga in med demo-Exempelkommunens konto").await;
        browser.press("button[type=submit]").await;
        browser.arrives(&stage.url("/")).await;
        assert!(!browser.source().await.contains("195006262546"));
        browser.open(&stage.url("/ansokan")).await;
        browser.shows("h1", "Välj hur du vill logga in").await;
        assert_eq!(browser.all("a.choice[href*='eid=konto']").await, [""; 0], "the account is not enough here");
    };
    browsers.watch(told).await;
}
