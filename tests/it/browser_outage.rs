//! An outage and a recovery as people meet them (feature `peers`): the demo in Debian's Chromium, its providers broken and mended
//! by the buttons of its control room.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use grindvakt_demo::sidecar::Sidecar;
use grindvakt_demo::stage::Stage;
use serde_json::Value;

use crate::support::browser::{Browser, Browsers, Profile};
use crate::support::eyes::{Colours, NARROW, Window, ZOOMED};
use crate::support::{Client, eventually};

const PREFERRED: &str = "bankid-demo";
const SECOND: &str = "bankid-second";
/// The wait until the trial, and the round of probes that is the trial.
const RESTORED_WITHIN: u64 = 20;

const ENGLISH: Profile = Profile { languages: "en", scripts: true };

/// The demo as it runs, somebody in its control room, and visitors.
struct Demo {
    stage: Stage,
    browsers: Browsers,
    name: &'static str,
    _sidecar: Sidecar,
}

impl Demo {
    async fn browser(&self, profile: &Profile) -> Arc<Browser> {
        self.browsers.start(self.name, profile, &[], None).await
    }

    /// Presses a button of the control room.
    async fn press(&self, room: &Browser, provider: &str, state: &str) {
        room.open(&self.stage.control_url()).await;
        room.press(&format!("#{provider} button[value={state}]")).await;
        let pressed = format!("#{provider} button[value={state}][aria-pressed=true]");
        room.reads(&pressed).await;
    }

    /// Until the sidecar has found out.
    async fn found(&self, provider: &str, breaker: &str, seconds: u64) {
        let at = ([127, 0, 0, 1], self.stage.admin_port).into();
        eventually(seconds, &format!("{provider} is {breaker}"), async || {
            let status: Value = serde_json::from_str(&Client::new(at).get("/status?json").await.body).unwrap();
            let all = status["providers"].as_array().unwrap();
            all.iter().any(|one| one["id"] == provider && one["health"]["breaker"] == breaker)
        })
        .await;
    }

    /// Whether a browser is at the site of a provider.
    async fn is_at(&self, browser: &Browser, host: &str) -> bool {
        browser.reads("select[name=outcome]").await;
        browser.url().await.starts_with(&format!("http://{host}.localhost:"))
    }

    /// Says yes at the provider, and lands where the person wanted to go.
    async fn lands(&self, browser: &Browser, path: &str) {
        browser.press("button[type=submit]").await;
        browser.arrives(&self.stage.url(path)).await;
        browser.shows("main p strong", "Åsa Märta Öberg").await;
    }
}

async fn told<F: Future<Output = ()> + 'static>(name: &'static str, tell: impl FnOnce(Demo) -> F + 'static) {
    let browsers = Browsers::default();
    let started = browsers.clone();
    let story = async move {
        let stage = Stage::set_up(0).await.unwrap();
        let program = Path::new(env!("CARGO_BIN_EXE_grindvakt"));
        let sidecar = Sidecar::start(program, &stage.config(), true).unwrap();
        stage.introduce(Duration::from_secs(20)).await.unwrap();
        tell(Demo { stage, browsers: started, name, _sidecar: sidecar }).await;
    };
    browsers.watch(story).await;
}

#[tokio::test]
async fn when_an_e_id_stops_people_go_on_and_are_told_no_more_than_they_need() {
    told("outage", async move |demo| {
        let room = demo.browser(&Profile::default()).await;
        let early = demo.browser(&Profile::default()).await;
        early.open(&demo.stage.url("/ansokan?steg=1")).await;
        early.press("#eid-bankid").await;
        assert!(demo.is_at(&early, "bankid").await);
        demo.lands(&early, "/ansokan?steg=1").await;

        // One of two providers of BankID is gone: whoever comes then is led to the other, and reads nothing of it.
        demo.press(&room, PREFERRED, "down").await;
        demo.found(PREFERRED, "open", 5).await;
        let visitor = demo.browser(&Profile::default()).await;
        visitor.open(&demo.stage.url("/ansokan?steg=2")).await;
        visitor.shows("h1", "Välj hur du vill logga in").await;
        assert_eq!(visitor.all(".lead").await, [""; 0]);
        assert_eq!(visitor.all("#eid-bankid").await, ["BankID (demo)"]);
        visitor.press("#eid-bankid").await;
        assert!(demo.is_at(&visitor, "bankid2").await);
        demo.lands(&visitor, "/ansokan?steg=2").await;

        // Both are: a link to BankID leads to a page that says so, and to another way with the same end.
        demo.press(&room, SECOND, "error").await;
        demo.found(SECOND, "open", 8).await;
        for (profile, lead, down, asks, step) in [
            (
                Profile::default(),
                "BankID (demo) svarar inte just nu. Du kan logga in med Freja (demo) eller Freja, OpenID Connect (demo) i stället.",
                "Försök ändå med BankID (demo) Svarar inte just nu",
                "Logga in med demo-Freja",
                "3",
            ),
            (
                ENGLISH,
                "There is no answer from BankID (demo) right now. You can log in with Freja (demo) or Freja, OpenID Connect (demo) instead.",
                "Try anyway with BankID (demo) Not answering right now",
                "Logga in med demo-Freja",
                "4",
            ),
        ] {
            let person = demo.browser(&profile).await;
            let path = format!("/ansokan?steg={step}");
            let link = format!("/eid/login?eid=bankid&rd=/ansokan%3Fsteg%3D{step}");
            person.open(&demo.stage.url(&link)).await;
            person.shows(".lead", lead).await;
            let title = person.session().run("return document.title", &[]).await.unwrap();
            assert!(lead.starts_with(title.as_str().unwrap().split(" – ").next().unwrap()), "{title}");
            // What is in trouble stands last, and can be tried all the same.
            let buttons = person.all("button.choice").await;
            assert_eq!(buttons.last().map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ")).as_deref(), Some(down));
            for colours in Colours::ALL {
                person.colours(colours).await;
                assert_eq!(person.accessibility().await, [""; 0], "{step}, {colours:?}");
            }
            for window in [NARROW, ZOOMED] {
                person.window(window).await;
                assert_eq!(person.sticks_out().await, [""; 0], "{step}, {window:?}");
            }
            person.window(Window { width: 900, height: 1000, scale: 1 }).await;
            person.press("#eid-freja").await;
            person.shows("h1", asks).await;
            demo.lands(&person, &path).await;
        }

        // Operators read the same on a page of their own.
        let operator = demo.browser(&Profile::default()).await;
        operator.open(&format!("http://127.0.0.1:{}/status", demo.stage.admin_port)).await;
        let troubles = operator.all(".notice li").await;
        assert!(troubles.contains(&format!("{PREFERRED}: down.")), "{troubles:?}");
        for colours in Colours::ALL {
            operator.colours(colours).await;
            assert_eq!(operator.accessibility().await, [""; 0], "{colours:?}");
        }
        for window in [NARROW, ZOOMED] {
            operator.window(window).await;
            // Tables scroll by themselves (WCAG 1.4.10 has an exception for them); nothing else does.
            let tables = ["TABLE:", "THEAD:", "TBODY:", "TR:", "TH:", "TD:"];
            let mut out = operator.sticks_out().await;
            out.retain(|element| !tables.iter().any(|name| element.starts_with(name)));
            assert_eq!(out, [""; 0], "{window:?}");
        }

        // Whoever tries all the same meets the provider's own trouble, and finds the others on coming back.
        let stubborn = demo.browser(&Profile { scripts: false, ..Profile::default() }).await;
        demo.press(&room, PREFERRED, "error").await;
        stubborn.open(&demo.stage.url("/ansokan?steg=5")).await;
        stubborn.press("#eid-bankid").await;
        stubborn.shows("body pre", "500: leverantören är trasig, the provider is broken").await;
        stubborn.open(&demo.stage.url("/ansokan?steg=5")).await;
        stubborn
            .shows(".lead", "Din inloggning med BankID (demo) blev inte klar. Försök igen, eller välj ett annat sätt.")
            .await;

        // Who was logged in noticed nothing.
        for person in [&early, &visitor] {
            person.open(&demo.stage.url("/ansokan")).await;
            person.shows("main p strong", "Åsa Märta Öberg").await;
        }

        // Mended: after the trial people are led there again, and nothing is left of it on the page.
        demo.press(&room, PREFERRED, "up").await;
        demo.press(&room, SECOND, "up").await;
        demo.found(PREFERRED, "closed", 2 * RESTORED_WITHIN).await;
        demo.found(SECOND, "closed", 2 * RESTORED_WITHIN).await;
        let late = demo.browser(&Profile::default()).await;
        late.open(&demo.stage.url("/ansokan?steg=6")).await;
        late.shows("h1", "Välj hur du vill logga in").await;
        assert_eq!((late.all(".lead").await, late.all("#eid-bankid").await), (vec![], vec!["BankID (demo)".to_owned()]));
        late.press("#eid-bankid").await;
        assert!(demo.is_at(&late, "bankid").await);
        demo.lands(&late, "/ansokan?steg=6").await;
    })
    .await;
}

/// The picture in the README. `make images` makes it anew.
#[tokio::test]
#[ignore = "makes a picture of docs/images: make images"]
async fn pictures_of_an_outage_for_the_readme() {
    told("outage-picture", async move |demo| {
        for provider in [PREFERRED, SECOND] {
            demo.stage.control.provider(provider).unwrap().switch.set(grindvakt_demo::fault::Fault::Down);
            demo.found(provider, "open", 8).await;
        }
        let browser = demo.browser(&Profile::default()).await;
        browser.window(Window { width: 440, height: 600, scale: 1 }).await;
        browser.open(&demo.stage.url("/eid/login?eid=bankid&rd=/ansokan")).await;
        browser.reads(".lead").await;
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images/outage.png");
        eprintln!("{}", browser.page_picture(&file).await.display());
    })
    .await;
}
