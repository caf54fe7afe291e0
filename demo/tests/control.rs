//! The control room: its page, its buttons, and whom it does not listen to.
#![allow(clippy::unwrap_used)]

use grindvakt_demo::browser::Browser;
use grindvakt_demo::fault::Fault;
use grindvakt_demo::stage::Stage;
use http::StatusCode;

/// How many signing keys the feed names for a provider.
fn keys(stage: &Stage, entity: &str) -> usize {
    let feed = std::fs::read_to_string(stage.config().with_file_name("metadata.xml")).unwrap();
    let (_, rest) = feed.split_once(&format!("entityID=\"{entity}\"")).unwrap();
    rest.split("</md:EntityDescriptor>").next().unwrap().matches("<md:KeyDescriptor").count()
}

#[tokio::test]
async fn each_button_does_to_its_provider_what_stands_on_it() {
    let stage = Stage::set_up(0).await.unwrap();
    let mut browser = Browser::new();
    let page = browser.open(&stage.control_url()).await.unwrap();
    let forms = page.forms();
    assert_eq!(forms.len(), stage.control.providers().len());
    for (form, provider) in forms.iter().zip(stage.control.providers()) {
        for fault in Fault::ALL.iter().rev() {
            assert!(page.body.contains(fault.label()), "{fault:?}");
            let form = form.clone().fill("provider", provider.id).fill("state", fault.name());
            let shown = browser.submit(&page, &form).await.unwrap();
            assert_eq!(shown.status, StatusCode::OK);
            assert_eq!(provider.switch.get(), *fault);
            assert!(shown.body.contains(&format!("<strong>{}</strong>", fault.label())), "{fault:?}: {}", shown.body);
        }
    }
    assert!(stage.control.providers().iter().all(|provider| provider.switch.get() == Fault::None));

    // A new key stands beside the one before; the others keep theirs.
    let entity = |at: usize| stage.idps.get(at).unwrap().idp().entity_id().to_owned();
    let press = forms.first().unwrap().clone();
    for _ in 0..2 {
        let before = stage.idps.first().unwrap().idp();
        let shown = browser.submit(&page, &press.clone().fill("state", "rotate")).await.unwrap();
        assert_eq!(shown.status, StatusCode::OK);
        let after = stage.idps.first().unwrap().idp();
        assert_ne!(before.key().certificate(), after.key().certificate());
        assert_eq!((keys(&stage, &entity(0)), keys(&stage, &entity(1))), (2, 1));
    }

    // What is no button of the page does nothing.
    for (provider, state, status) in [
        ("bankid-demo", "sick", StatusCode::BAD_REQUEST),
        ("nobody", "down", StatusCode::BAD_REQUEST),
        ("", "", StatusCode::BAD_REQUEST),
    ] {
        let form = press.clone().fill("provider", provider).fill("state", state);
        assert_eq!(browser.submit(&page, &form).await.unwrap().status, status, "{provider} {state}");
    }
    // Nor does a page of somebody else's, or a name that leads here.
    let form = press.clone().fill("state", "down");
    let foreign = browser.open(&stage.url("/").replace(&stage.port.to_string(), &stage.control_port.to_string())).await;
    assert_eq!(foreign.unwrap().status, StatusCode::MISDIRECTED_REQUEST);
    let mut elsewhere = page.clone();
    elsewhere.url = "http://evil.localhost/".to_owned();
    let mut form = form;
    form.action = stage.control_url();
    assert_eq!(browser.submit(&elsewhere, &form).await.unwrap().status, StatusCode::FORBIDDEN);
    assert!(stage.control.providers().iter().all(|provider| provider.switch.get() == Fault::None));
}
