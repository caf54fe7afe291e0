//! Our own pages in a real browser (feature `peers`): with the keyboard alone, without JavaScript, in both languages, at
//! 320 pixels, at a zoom of 400 %, in dark and in forced colours; what axe-core finds, and what assistive software is told,
//! which is written down in `tests/pages`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use grindvakt::base::{Clock as _, SystemClock, UnixTime};
use grindvakt_demo::serve;
use http::StatusCode;

use crate::support::browser::{Browser, Profile};
use crate::support::eyes::{Colours, ENTER, NARROW, SPACE, Window, ZOOMED};
use crate::support::web::{SERVICE, Web, demo_world, site, story};
use crate::support::{Client, World};

fn at(path: &str) -> String {
    format!("https://{SERVICE}{path}")
}

/// An agency that has said everything that it can say.
fn own_words() -> String {
    let logo = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pages/logo.svg");
    format!(
        r#"
[pages]
service_name = {{ sv = "Ansök om bygglov", en = "Apply for a building permit" }}
owner = {{ sv = "Exempelkommunen", en = "The municipality of Exempel" }}
contact = "kundtjanst@example.se"
phone = "0771-000 000"
other_ways_url = "https://example.se/blankett"
accessibility_statement_url = {{ sv = "https://example.se/tillganglighet", en = "https://example.se/accessibility" }}
privacy_url = "https://example.se/personuppgifter"
logo = "{}"
"#,
        logo.display()
    )
}

/// More e-IDs: one that is under maintenance, one without keys, and two that `/bygglov` cannot take.
const MORE_EIDS: &str = r#"
[[provider]]
id = "siths"
eid = "siths"
label = "SITHS"
protocol = "saml"
entity_id = "https://siths.example.se/idp"
metadata = "feed"
[[provider]]
id = "eidas"
eid = "eidas"
label = "Utländsk e-legitimation"
protocol = "saml"
entity_id = "https://eidas.example.eu/idp"
metadata = "feed"
loa = ["eidas-nf-sub"]
eidas_connector = true
[[route]]
path = "/bygglov/*"
loa = ["loa3"]
require = ["personal_number"]
eid = ["bankid", "freja"]
[[notice]]
from = "2020-01-01T00:00:00+01:00"
until = "2099-12-31T23:59:00+01:00"
providers = ["freja"]
sv = "Freja byter lokaler. Inloggningen kan dröja."
en = "Freja is moving. Logging in may take longer."
"#;

/// A world with more in its configuration, and with a provider that may send answers that nobody asked for.
async fn world(more: &str) -> World {
    let mut world = demo_world(&(own_words() + more)).await;
    world
        .configure(|text| {
            let text = text.replacen("[store]", "[verification]\nclock_skew = \"1s\"\n[store]", 1);
            text.replacen("label = \"BankID\"", "label = \"BankID\"\nallow_unsolicited = true", 1)
        })
        .await;
    world
}

/// Tells a story in a web with a stray site beside the providers.
async fn told<F: Future<Output = ()> + 'static>(name: &str, more: &str, tell: impl FnOnce(Arc<Web>) -> F + 'static) {
    story(name, world(more).await, async move |web| {
        let idp = web.world.idp.clone();
        let (_, relay_state) = Client::new(web.world.public()).begin(&web.world, "/ansokan/").await;
        let (address, _) = site(move |request| {
            let acs = at("/eid/saml/acs");
            // A second ahead: what was issued before the sidecar started might have been used before.
            let now = SystemClock.now().plus(Duration::from_secs(1));
            let answer = idp.unsolicited(&at("/sp"), &acs, now).build();
            let relay_state = if request.uri().path() == "/unsolicited" { "/ansokan/" } else { &relay_state };
            let encoded = base64_simd::STANDARD.encode_to_string(answer);
            serve::html(
                StatusCode::OK,
                format!(
                    "<form method=post action=\"{acs}\"><input name=SAMLResponse value=\"{encoded}\">\
                     <input name=RelayState value=\"{relay_state}\"><button>On</button></form>"
                ),
            )
        })
        .await;
        web.host(STRAY, address).await;
        tell(web).await;
    })
    .await;
}

/// A page of ours, as somebody comes to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Chooser,
    Cancelled,
    Failed,
    Stopped,
    LogoutAsk,
    LoggedOut,
    NotFound,
    /// Only without JavaScript does anybody see it.
    ToProvider,
    Elsewhere,
    Confirm,
}

impl Place {
    const ALL: [Self; 10] = [
        Self::Chooser,
        Self::Cancelled,
        Self::Failed,
        Self::Stopped,
        Self::LogoutAsk,
        Self::LoggedOut,
        Self::NotFound,
        Self::ToProvider,
        Self::Elsewhere,
        Self::Confirm,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Chooser => "chooser",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::LogoutAsk => "logout-ask",
            Self::LoggedOut => "logged-out",
            Self::NotFound => "not-found",
            Self::ToProvider => "to-provider",
            Self::Elsewhere => "elsewhere",
            Self::Confirm => "confirm",
        }
    }

    const fn heading(self) -> [&'static str; 2] {
        match self {
            Self::Chooser => ["Välj hur du vill logga in", "Choose how to log in"],
            Self::Cancelled => ["Inloggningen avbröts", "The login was cancelled"],
            Self::Failed => ["Inloggningen misslyckades", "The login failed"],
            Self::Stopped => ["Inloggningen stoppades", "The login was stopped"],
            Self::LogoutAsk => ["Vill du logga ut?", "Do you want to log out?"],
            Self::LoggedOut => ["Du är utloggad", "You are logged out"],
            Self::NotFound => ["Sidan finns inte", "There is no such page"],
            Self::ToProvider => ["Du skickas vidare till din e-legitimation", "You are being sent on to your e-ID"],
            Self::Elsewhere => ["Inloggningen kan inte slutföras här", "The login cannot be finished here"],
            Self::Confirm => ["Är det du som loggar in?", "Is it you who is logging in?"],
        }
    }

    /// Goes there.
    async fn visit(self, browser: &Browser, english: bool) {
        match self {
            Self::Chooser => browser.open(&at("/ansokan/1?a=b")).await,
            Self::Cancelled => ends_at_the_provider(browser, "cancel").await,
            Self::Failed => ends_at_the_provider(browser, "authn-failed").await,
            Self::Stopped => ends_at_the_provider(browser, "fraud").await,
            Self::LogoutAsk => browser.open(&at("/eid/logout")).await,
            Self::LoggedOut => {
                browser.open(&at("/eid/logout")).await;
                browser.press("main button").await;
            }
            Self::NotFound => browser.open(&at("/eid/nothing")).await,
            Self::ToProvider => {
                browser.open(&at("/eid/login?eid=freja&rd=/ansokan/1")).await;
            }
            Self::Elsewhere | Self::Confirm => {
                let path = if self == Self::Confirm { "unsolicited" } else { "answer" };
                browser.open(&format!("https://{STRAY}/{path}")).await;
                browser.press("button").await;
            }
        }
        browser.shows("h1", self.heading()[usize::from(english)]).await;
    }
}

/// A site that posts answers to us that nobody asked for.
const STRAY: &str = "stray.example.com";

/// Begins a login and lets the provider end it in this way.
async fn ends_at_the_provider(browser: &Browser, outcome: &str) {
    browser.open(&at("/ansokan/1?a=b")).await;
    browser.press("#eid-bankid").await;
    browser.press(&format!("option[value={outcome}]")).await;
    browser.press("button[type=submit]").await;
}

const fn profile(languages: &'static str) -> Profile {
    // The page that sends itself on is passed by with scripts; no other page of ours has one.
    Profile { languages, scripts: true }
}

/// A browser in which every page of ours stands still.
const fn still(languages: &'static str) -> Profile {
    Profile { languages, scripts: false }
}

/// Every page in every language, in all colours: axe-core has nothing to say, and nothing sticks out, however narrow the
/// window and however large the text.
#[tokio::test]
async fn every_page_can_be_used_by_everyone() {
    for languages in ["sv", "en"] {
        told(&format!("everyone-{languages}"), "", async move |web| {
            let english = languages == "en";
            let browser = web.browser(&profile(languages)).await;
            for place in Place::ALL.into_iter().filter(|place| *place != Place::ToProvider) {
                browser.window(Window { width: 900, height: 1000, scale: 1 }).await;
                browser.colours(Colours::Light).await;
                place.visit(&browser, english).await;
                let (focused, _) = browser.focused().await;
                assert_eq!(focused, "h1", "{place:?}: reading begins with what the page is about");
                let title = browser.session().run("return document.title", &[]).await.unwrap();
                let service = if english { "Apply for a building permit" } else { "Ansök om bygglov" };
                assert_eq!(title, format!("{} – {service}", place.heading()[usize::from(english)]));
                for colours in Colours::ALL {
                    browser.colours(colours).await;
                    assert_eq!(browser.accessibility().await, [""; 0], "{place:?} in {languages}, {colours:?}");
                }
                for window in [NARROW, ZOOMED] {
                    browser.window(window).await;
                    assert_eq!(browser.sticks_out().await, [""; 0], "{place:?} in {languages}, {window:?}");
                    assert_eq!(browser.accessibility().await, [""; 0], "{place:?} in {languages}, {window:?}");
                }
            }
        })
        .await;
    }
}

/// The same for the chooser when there is much to say: maintenance, one without keys, one that cannot be used here.
#[tokio::test]
async fn a_chooser_with_much_to_say_can_be_used_by_everyone() {
    told("busy", MORE_EIDS, async move |web| {
        for languages in ["sv", "en"] {
            let browser = web.browser(&profile(languages)).await;
            for (path, name) in [("/annat", "chooser-trouble"), ("/bygglov/1", "chooser-cannot")] {
                browser.window(Window { width: 900, height: 1000, scale: 1 }).await;
                browser.colours(Colours::Light).await;
                browser.open(&at(path)).await;
                browser.reads("h1").await;
                browser.reads_as(&format!("{languages}/{name}")).await;
                for colours in Colours::ALL {
                    browser.colours(colours).await;
                    assert_eq!(browser.accessibility().await, [""; 0], "{path} in {languages}, {colours:?}");
                }
                for window in [NARROW, ZOOMED] {
                    browser.window(window).await;
                    assert_eq!(browser.sticks_out().await, [""; 0], "{path} in {languages}, {window:?}");
                }
            }
            // Maintenance moves an e-ID down, and it can be used all the same.
            browser.open(&at("/ansokan/1")).await;
            browser.press("#eid-freja").await;
            browser.shows("h1", "Logga in med demo-Freja").await;
        }
    })
    .await;
}

/// What assistive software is told, page by page, as it is written down in `tests/pages`.
#[tokio::test]
async fn what_a_page_says_to_assistive_software_is_written_down() {
    told("tree", "", async move |web| {
        for languages in ["sv", "en"] {
            let (moving, still) = (web.browser(&profile(languages)).await, web.browser(&still(languages)).await);
            for place in Place::ALL {
                let browser = if place == Place::ToProvider { &still } else { &moving };
                place.visit(browser, languages == "en").await;
                browser.reads_as(&format!("{languages}/{}", place.name())).await;
            }
        }
    })
    .await;
}

/// From the door to the e-service and out again without ever touching a mouse, and always seeing where one is.
#[tokio::test]
async fn with_the_keyboard_alone_a_person_logs_in_and_out() {
    told("keyboard", "", async move |web| {
        let browser = web.browser(&profile("sv")).await;
        browser.open(&at("/ansokan/1")).await;
        browser.tab_to("#eid-bankid").await;
        browser.key(ENTER).await;
        browser.shows("h1", "Logga in med demo-BankID").await;
        browser.tab_past("button[type=submit]").await;
        browser.key(ENTER).await;
        browser.arrives(&at("/ansokan/1")).await;
        browser.open(&at("/eid/logout")).await;
        browser.tab_to("main button").await;
        browser.key(SPACE).await;
        browser.shows("h1", "Du är utloggad").await;
        // The words in the other language are behind a thing that opens by the keyboard too.
        browser.tab_to("summary").await;
        browser.key(ENTER).await;
        browser.shows("details h2", "You are logged out").await;
        browser.tab_to("details p a").await;
    })
    .await;
}

/// An error page has the other language on it: nobody can be sent back to where a form was answered.
#[tokio::test]
async fn without_javascript_the_other_language_is_one_step_away() {
    told("other-language", "", async move |web| {
        let browser = web.browser(&still("sv")).await;
        browser.open(&at("/ansokan/1?a=b")).await;
        browser.press("header a[hreflang=en]").await;
        browser.shows("h1", "Choose how to log in").await;
        browser.press("header a[hreflang=sv]").await;
        browser.press("#eid-bankid").await;
        browser.press("option[value=cancel]").await;
        browser.press("button[type=submit]").await;
        browser.shows("h1", "Tillbaka till e-tjänsten").await;
        browser.press("main button").await;
        browser.shows("h1", "Inloggningen avbröts").await;
        assert_eq!(browser.all("details h2").await, [""], "not yet");
        browser.press("summary").await;
        browser.shows("details h2", "The login was cancelled").await;
        browser.press("details p a").await;
        browser.shows("h1", "Choose how to log in").await;
        browser.press("#eid-bankid").await;
        browser.reads("select[name=outcome]").await;
        browser.press("button[type=submit]").await;
        browser.shows("h1", "Tillbaka till e-tjänsten").await;
        browser.press("main button").await;
        browser.arrives(&at("/ansokan/1?a=b")).await;
    })
    .await;
}

/// The next time the e-ID that was used comes first, until the browser is closed; who cancelled can take another at once.
#[tokio::test]
async fn the_e_id_that_was_used_last_comes_first() {
    told("last", "", async move |web| {
        let browser = web.browser(&profile("sv")).await;
        browser.open(&at("/ansokan/1?a=b")).await;
        assert_eq!(browser.all("button.choice .name").await, ["BankID", "Freja"]);
        browser.press("#eid-bankid").await;
        browser.press("option[value=cancel]").await;
        browser.press("button[type=submit]").await;
        browser.shows("h1", "Inloggningen avbröts").await;
        // The alternate, with the place kept.
        browser.press("#eid-freja").await;
        browser.reads("select[name=outcome]").await;
        browser.press("button[type=submit]").await;
        browser.arrives(&at("/ansokan/1?a=b")).await;
        let cookies = browser.session().cookies().await.unwrap();
        let last = cookies.iter().find(|cookie| cookie["name"] == "__Host-last-eid-etjanst").unwrap();
        assert_eq!((&last["value"], &last["expiry"]), (&"freja".into(), &serde_json::Value::Null));
        assert_eq!((&last["httpOnly"], &last["secure"]), (&true.into(), &true.into()));

        browser.open(&at("/eid/logout")).await;
        browser.press("main button").await;
        browser.shows("h1", "Du är utloggad").await;
        browser.open(&at("/ansokan/1")).await;
        assert_eq!(browser.all("button.choice .name").await, ["Freja", "BankID"]);
        assert_eq!(browser.all("#eid-freja .note").await, ["Senast använd"]);
    })
    .await;
}

/// The pictures in the README. `make images` makes them anew.
#[tokio::test]
#[ignore = "makes the pictures of docs/images: make images"]
async fn pictures_for_the_readme() {
    let from = SystemClock.now().plus(Duration::from_secs(3 * 86_400));
    let whole = UnixTime::from_secs(from.as_secs() / 3_600 * 3_600);
    let more = MORE_EIDS.replace("2020-01-01T00:00:00+01:00", &whole.to_string());
    let more = more.replace("2099-12-31T23:59:00+01:00", &whole.plus(Duration::from_secs(6 * 3_600)).to_string());
    told("pictures", &more, async move |web| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images");
        let start = async |languages, colours| {
            let browser = web.browser(&profile(languages)).await;
            browser.window(Window { width: 440, height: 600, scale: 1 }).await;
            browser.colours(colours).await;
            browser
        };
        let save = async |browser: &Browser, name: &str| {
            eprintln!("{}", browser.page_picture(&folder.join(name)).await.display());
        };
        let browser = start("sv", Colours::Light).await;
        browser.open(&at("/bygglov/1")).await;
        browser.reads("h1").await;
        save(&browser, "chooser.png").await;
        Place::Cancelled.visit(&browser, false).await;
        save(&browser, "cancelled.png").await;

        let browser = start("en", Colours::Dark).await;
        browser.open(&at("/bygglov/1")).await;
        browser.press("#eid-freja").await;
        browser.reads("select[name=outcome]").await;
        browser.press("button[type=submit]").await;
        browser.arrives(&at("/bygglov/1")).await;
        Place::LoggedOut.visit(&browser, true).await;
        save(&browser, "logged-out.png").await;
    })
    .await;
}
